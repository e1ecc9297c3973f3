// @ts-check
/** A look into another station: its albums, tracks and playlists, and one's own things to take over from there. */
import { html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { clock, count, plural, span } from '../core/format.js';
import { ownAccount } from '../core/rights.js';
import { room } from '../core/room.js';
import { empty, icon, notForYou } from './parts.js';
import { View } from './view.js';

/** @type {[string, string][]} */
const TABS = [['albums', 'Albums'], ['tracks', 'Tracks'], ['playlists', 'Playlists']];

class Station extends View {
  /** @type {any} */ station = null;
  /** @type {any} */ found = null;
  of = 'albums';
  words = '';
  more = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #pause;

  opened() {
    this.deeds.tab = ({ of }) => { this.of = of; this.found = null; this.update(); this.ask(); };
    this.deeds['station-more'] = () => this.#more();
    this.deeds['station-copy'] = () => this.#copy();
    this.on(this, 'input', (event) => {
      if (event.target.name !== 'words') return;
      this.words = event.target.value.trim();
      clearTimeout(this.#pause);
      this.#pause = setTimeout(() => this.ask(), 300);
    });
    this.on(this, 'submit', (event) => event.preventDefault());
    this.until(() => clearTimeout(this.#pause));
  }
  get may() { return ownAccount(room.store.state.user); }
  get #path() { return `/stations/${encodeURIComponent(this.route.params.id)}`; }
  changed() {} // it is another library

  /** @param {string | null} [cursor] */
  #page(cursor) { return room.api.get(`${this.#path}/library`, { q: this.words, of: this.words ? undefined : this.of, cursor, limit: 60 }); }

  async fetch() {
    if (!this.may) return;
    if (!this.station) {
      this.station = (await room.api.get('/stations')).items.find((/** @type {any} */ one) => one.id === this.route.params.id);
      if (!this.station) throw Object.assign(new Error('This station is forgotten.'), { status: 410 });
      this.named(this.station.name);
      this.update();
    }
    this.found = await this.#page();
  }

  async #more() {
    if (this.more || !this.found?.next_cursor) return;
    this.more = true;
    const mine = this.asked;
    try {
      const page = await this.#page(this.found.next_cursor);
      if (mine === this.asked) this.found = { ...page, albums: [...this.found.albums, ...page.albums], tracks: [...this.found.tracks, ...page.tracks], playlists: [...this.found.playlists, ...page.playlists] };
    } catch (error) {
      room.ui.toast({ tone: 'problem', message: words(error) });
    }
    this.more = false;
    this.update();
  }

  async #copy() {
    await room.ui.dialog('sb-take-over', { title: `Take over from ${this.station.name}`, take: (/** @type {any} */ wish) => room.api.post(`${this.#path}/copy`, wish) });
    for (const kind of ['playlists', 'albums', 'artists', 'tracks']) room.library.refresh(kind);
  }

  #found() {
    const { next_cursor: next } = this.found;
    const [albums, tracks, playlists] = ['albums', 'tracks', 'playlists'].map((kind) => (this.words || kind === this.of ? this.found[kind] : []));
    if (!albums.length && !tracks.length && !playlists.length) return empty({ icon: 'music', title: this.words ? 'Nothing found there' : 'Nothing there yet' });
    const row = (/** @type {string} */ id, /** @type {string} */ symbol, /** @type {string} */ title, /** @type {any[]} */ facts) => html`<li class="thing" data-key="${id}">${icon(symbol)}<div class="thing-words"><p class="thing-title" title="${title}">${title}</p><p class="quiet">${facts.filter(Boolean).join(' · ')}</p></div></li>`;
    const part = (/** @type {string} */ title, /** @type {any[]} */ rows) => (rows.length ? html`<section class="group" data-key="${title}">${this.words ? html`<h2 class="section-title">${title}</h2>` : ''}<ul class="things">${rows}</ul></section>` : '');
    return html`${part('Albums', albums.map((/** @type {any} */ one) => row(one.id, 'disc-3', one.title, [one.artist, one.year, plural(one.track_count, 'track')])))}
      ${part('Tracks', tracks.map((/** @type {any} */ one) => row(one.id, 'music', one.title, [one.artist, one.album, clock(one.duration_ms)])))}
      ${part('Playlists', playlists.map((/** @type {any} */ one) => row(one.id, 'list-music', one.name, [one.owner ? `by ${one.owner}` : '', plural(one.track_count, 'track'), span(one.duration_ms)])))}
      ${next ? html`<div class="actions"><button class="button" data-do="station-more">Show more</button>${this.found.total ? html`<span class="quiet">${count(this.found.total)} in all</span>` : ''}</div>` : ''}`;
  }

  render() {
    return html`<div class="page page-narrow"><a class="back" href="#/you/stations">${icon('chevron-left')} Other stations</a>
      <header class="page-head"><h1>${this.station?.name ?? 'Other station'}</h1></header>
      ${!this.may ? notForYou('This device may listen, and leaves the account as it is.') : !this.station ? (this.failure ? this.problem() : '') : html`
        <div class="actions"><button class="button button-main" data-do="station-copy">Take my things over</button></div>
        <form class="inline-form station-find" role="search"><label class="field"><span class="sr-only">Search there</span><input name="words" type="search" placeholder="Search there" autocomplete="off" spellcheck="false"></label></form>
        ${this.words ? '' : html`<div class="segments segments-own" role="group" aria-label="What to see">${TABS.map(([of, name]) => html`<button class="segment" data-do="tab" data-of="${of}" aria-pressed="${of === this.of ? 'true' : 'false'}">${name}</button>`)}</div>`}
        ${this.failure ? this.problem() : this.found ? this.#found() : ''}`}
    </div>`;
  }
}
customElements.define('view-station', Station);
