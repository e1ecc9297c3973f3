// @ts-check
/** The podcasts that the station follows, and what is new in them. */
import { html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { opmlWords } from '../core/podcasts.js';
import { adds } from '../core/rights.js';
import { room } from '../core/room.js';
import { to } from '../core/router.js';
import { episodeRow, livesWithEpisodes, podcastCard } from './episode-parts.js';
import { cardToCome, empty, icon, libraryChips, showChip } from './parts.js';
import { View } from './view.js';

const LATEST = 30;
const ASKED = 60; // those that were heard are left out

class Podcasts extends View {
  /** @type {any[] | null} */ podcasts = null;
  /** @type {any[]} */ episodes = [];
  /** @type {any} */ #coming = null;

  opened() {
    this.named('Podcasts');
    this.#coming = livesWithEpisodes(this, {
      find: (id) => this.episodes.find((one) => one.id === id), adds: () => this.may,
      change: (id, patch) => { this.episodes = this.episodes.map((one) => (one.id === id ? { ...one, ...patch } : one)); this.update(); },
    });
    this.deeds['podcast-new'] = async () => {
      const made = await room.ui.dialog('sb-follow-podcast', {});
      if (made) { room.ui.toast({ message: `“${made.title || 'The podcast'}” is followed.` }); room.ui.go(to`/podcast/${made.id}`); }
    };
    this.deeds['podcasts-menu'] = (_, event, anchor) => room.ui.menu({
      anchor, event, title: 'Podcasts', items: [
        ...(this.may ? [{ icon: 'refresh-cw', words: 'Look for new episodes', deed: 'podcasts-refresh' },
          { icon: 'folder', words: 'Take over a list (OPML)', deed: 'opml-choose' }] : []),
        this.podcasts?.length && { icon: 'download', words: 'Save as a list (OPML)', deed: 'opml-save' },
      ],
    });
    this.until(room.intents.on('podcasts-refresh', () => this.attempt(() => room.api.post('/podcasts/refresh'), 'The station looks for new episodes.')));
    this.until(room.intents.on('opml-choose', () => this.#choose()));
    this.until(room.intents.on('opml-save', () => /** @type {HTMLElement | null} */ (this.querySelector('a[download]'))?.click()));
    this.until(room.intents.on('podcasts-changed', () => this.ask()));
    this.deeds['opml-choose'] = () => this.#choose();
    this.on(this, 'change', (event) => {
      if (event.target.name !== 'opml' || !event.target.files?.length) return;
      this.#take(event.target.files[0]);
      event.target.value = '';
    });
  }

  get may() { return adds(room.store.state.user); }
  changed() { this.update(); }
  async fetch() {
    const [podcasts, latest] = await Promise.all([room.api.get('/podcasts'), room.api.get('/episodes', { latest: ASKED })]);
    this.podcasts = podcasts.items;
    // One that was just heard to its end stays until the page is opened again.
    const shown = new Set(this.episodes.map((one) => one.id));
    this.episodes = latest.items.filter((/** @type {any} */ one) => !one.finished || shown.has(one.id)).slice(0, LATEST);
    this.#coming.watch(this.episodes);
  }

  #choose() { /** @type {HTMLInputElement | null} */ (this.querySelector('input[name="opml"]'))?.click(); }

  /** @param {File} file */
  async #take(file) {
    try {
      const report = await room.api.post('/podcasts/opml', { opml: await file.text() });
      room.ui.toast({ message: `${opmlWords(report)}.` });
    } catch (error) {
      room.ui.toast({ tone: 'problem', message: words(error) });
    }
    this.ask();
  }

  painted() { showChip(this); }

  render() {
    const list = this.podcasts;
    return html`<div class="page page-library">${libraryChips('podcasts')}
      <header class="page-head page-head-row"><h1>Podcasts</h1><div class="page-tools">
        ${this.may && list?.length ? html`<button class="button button-small" data-do="podcast-new">${icon('plus')} Follow</button>` : ''}
        ${list && (this.may || list.length) ? html`<button class="icon-button" data-do="podcasts-menu" aria-haspopup="menu" aria-label="More" title="More">${icon('ellipsis')}</button>` : ''}</div></header>
      <input class="sr-only" type="file" name="opml" accept=".opml,.xml,text/xml" tabindex="-1" aria-label="List of podcasts">
      <a class="sr-only" href="/api/podcasts/opml" download="podcasts.opml" tabindex="-1" aria-hidden="true">OPML</a>
      ${this.failure && !list ? this.problem() : !list ? html`<div class="grid">${[0, 1, 2, 3].map(cardToCome)}</div>` : list.length ? html`
        <div class="grid podcast-grid">${list.map(podcastCard)}</div>
        ${this.episodes.length ? html`<section class="group"><h2 class="section-title">New episodes</h2><ul class="episodes">${this.episodes.map((one) => episodeRow(one, { podcast: true, adds: this.may }))}</ul></section>` : ''}`
        : empty({ icon: 'podcast', title: 'No podcast yet', text: this.may ? 'Follow one by its feed’s address, or take over the list of another app (OPML). The station looks for new episodes and remembers where you were.' : 'As soon as somebody here follows one, it shows up.',
          actions: this.may ? html`<button class="button button-main" data-do="podcast-new">Follow a podcast</button> <button class="button" data-do="opml-choose">Take over a list</button>` : '' })}
    </div>`;
  }
}
customElements.define('view-podcasts', Podcasts);
