// @ts-check
/** Artists, records, playlists and feeds that the listener keeps up with: what is new there comes by itself. */
import { flag, html } from '../core/html.js';
import { empty, icon, notForYou } from './parts.js';
import { words } from '../core/deeds.js';
import { isLink, shortLink, until, wholeLink } from '../core/coming.js';
import { ago } from '../core/format.js';
import { adds } from '../core/rights.js';
import { room } from '../core/room.js';
import { View } from './view.js';

/** @type {Record<string, [string, string]>} */
const KINDS = { artist: ['Artist', 'mic-vocal'], album: ['Album', 'disc-3'], playlist: ['Playlist', 'list-music'], feed: ['Feed', 'wifi'] };
const EVERY = /** @type {[number, string][]} */ ([[3600, 'Every hour'], [21600, 'Every six hours'], [86400, 'Every day'], [604800, 'Every week']]);
const everyWords = (/** @type {number} */ s) => EVERY.find(([n]) => n === s)?.[1] ?? `Every ${Math.round(s / 3600)} hours`;

class Watches extends View {
  /** @type {any[] | null} */ items = null;
  busy = false;
  wrong = '';
  opened() {
    this.named('Kept up with');
    this.on(this, 'submit', (event) => { event.preventDefault(); this.#add(event.target); });
    this.deeds['watch-menu'] = ({ id }, event, anchor) => this.#menu(this.items?.find((one) => one.id === id), event, anchor);
    this.until(room.intents.on('watch-pause', ({ id }) => this.#change(() => room.api.patch(`/watches/${id}`, { paused: true }))));
    this.until(room.intents.on('watch-resume', ({ id }) => this.#change(() => room.api.patch(`/watches/${id}`, { paused: false }))));
    this.until(room.intents.on('watch-every', ({ id, every }) => this.#change(() => room.api.patch(`/watches/${id}`, { every_s: Number(every) }))));
    this.until(room.intents.on('watch-night', ({ id, nightly }) => this.#change(() => room.api.patch(`/watches/${id}`, { nightly }))));
    this.until(room.intents.on('watch-check', ({ id }) => this.#change(() => room.api.post(`/watches/${id}/check`), 'It is being looked at.')));
    this.until(room.intents.on('watch-remove', ({ id }) => this.#change(() => room.api.delete(`/watches/${id}`))));
  }
  changed() {}
  async fetch() { if (adds(room.store.state.user)) this.items = (await room.api.get('/watches')).items; }

  /** @param {() => Promise<any>} deed @param {string} [said] */
  async #change(deed, said) {
    try { await deed(); if (said) room.ui.toast({ message: said }); } catch (error) { room.ui.toast({ tone: 'problem', message: words(error) }); }
    this.ask();
  }

  /** @param {HTMLFormElement} form */
  async #add(form) {
    const data = new FormData(form);
    const text = String(data.get('url') ?? '').trim();
    if (!isLink(text)) { this.wrong = 'Paste the link of an artist, a playlist or a feed.'; this.update(); return; }
    if (this.busy) return;
    this.busy = true;
    this.wrong = '';
    this.update();
    try {
      await room.api.post('/watches', { url: wholeLink(text), ...(data.get('existing') ? { existing: true } : {}) });
      form.reset();
    } catch (error) {
      this.wrong = words(error);
    }
    this.busy = false;
    this.ask();
  }

  /** @param {any} one @param {Event} event @param {HTMLElement} anchor */
  #menu(one, event, anchor) {
    if (!one) return;
    const data = { id: one.id };
    room.ui.menu({
      anchor, event, title: one.name, subtitle: KINDS[one.kind]?.[0] ?? '',
      items: [
        { icon: 'refresh-cw', words: 'Look now', deed: 'watch-check', data },
        one.paused ? { icon: 'play', words: 'Go on', deed: 'watch-resume', data } : { icon: 'pause', words: 'Pause', deed: 'watch-pause', data },
        { icon: 'moon', words: one.nightly ? 'Fetch at any time' : 'Fetch only at night', deed: 'watch-night', data: { ...data, nightly: !one.nightly } },
        null,
        ...EVERY.filter(([s]) => s !== one.every_s).map(([s, name]) => ({ icon: 'history', words: name, deed: 'watch-every', data: { ...data, every: s } })),
        null,
        { icon: 'x', words: 'No longer', deed: 'watch-remove', data, danger: true },
      ],
    });
  }

  render() {
    if (!adds(room.store.state.user)) return html`<div class="page page-narrow">${notForYou('Who looks after the library fetches new music.')}</div>`;
    const { user } = room.store.state;
    return html`<div class="page page-narrow"><a class="back" href="#/downloads">${icon('chevron-left')} Downloads</a>
      <header class="page-head"><h1>Kept up with</h1></header>
      ${this.failure ? this.problem() : html`<p class="lead">What is new from these comes into your library by itself.</p>
      <form class="ask" data-key="add"><div class="ask-line"><label class="ask-field">${icon('plus')}<span class="sr-only">Link of an artist, playlist or feed</span><input name="url" type="text" placeholder="Paste its link" autocomplete="off" autocapitalize="off" spellcheck="false" maxlength="4000"></label><button class="button button-main" ${flag('disabled', this.busy)}>Keep up with</button></div>
        ${this.wrong ? html`<p class="wrong" role="alert">${this.wrong}</p>` : ''}<label class="check"><input type="checkbox" name="existing"><span>Fetch what is there already, too</span></label></form>
      ${this.items && !this.items.length ? empty({ icon: 'history', title: 'Nobody yet', text: 'Paste a link above, or press “Keep up with” beside an artist in Search.' }) : html`<ul class="things">${(this.items ?? []).map((one) => html`<li class="thing" data-key="${one.id}"><span class="cover cover-list">${icon(KINDS[one.kind]?.[1] ?? 'music')}</span>
        <div class="thing-words"><p class="thing-title" title="${one.name}">${one.name}</p><p class="quiet">${[KINDS[one.kind]?.[0] ?? '', one.paused ? 'Paused' : everyWords(one.every_s), one.nightly ? 'at night' : '', one.username !== user?.username ? `for ${one.username}` : '', one.checked_at ? `looked at ${ago(one.checked_at)}` : 'not looked at yet'].filter(Boolean).join(' · ')}</p>
          ${one.last_error ? html`<p class="wrong">${one.last_error}${until(one.next_at) ? ` Looked at again ${until(one.next_at)}.` : ''}</p>` : ''}<p class="quiet path" title="${one.url}">${shortLink(one.url)}</p></div>
        <button class="icon-button" data-do="watch-menu" data-id="${one.id}" aria-haspopup="menu" aria-label="More for ${one.name}" title="More">${icon('ellipsis')}</button></li>`)}</ul>`}`}
    </div>`;
  }
}
customElements.define('view-watches', Watches);
