// @ts-check
/** Search as you type, everything grouped, all of it within reach of the arrow keys. */
import { isLink } from '../core/coming.js';
import { named, plural } from '../core/format.js';
import { html } from '../core/html.js';
import { albumCard, artistCard, empty, icon, problem, trackRow } from './parts.js';
import { createLatest } from '../core/latest.js';
import { keep, recall } from '../core/keep.js';
import { adds } from '../core/rights.js';
import { room } from '../core/room.js';
import { forgetOutside } from '../elements/sb-outside.js';
import { podcastCard } from './episode-parts.js';
import { playRadio, radioRow, rememberRadios } from './radio-parts.js';
import { View } from './view.js';

const RECENT = 8;
/** @type {{words: string, found: any} | null} what was found last, so that coming back shows it at once */
let last = null;
export const forgetSearch = () => { last = null; forgetOutside(); };

class SearchView extends View {
  words = '';
  /** @type {any} */ found = null;
  /** @type {any} */ #latest;
  /** All there are: few enough to look through here. */
  #others = { podcasts: /** @type {any[]} */ ([]), radios: /** @type {any[]} */ ([]) };
  #shelves = { Artists: /** @type {any} */ (''), Albums: /** @type {any} */ (''), Podcasts: /** @type {any} */ ('') };

  opened() {
    this.named('Search');
    this.follow(room.store, 'fetches', 'waiting');
    this.deeds['radio-play'] = ({ id }) => playRadio(this.#radios(), id ?? '', `“${this.words.trim()}”`);
    this.until(room.intents.on('radios-changed', () => this.ask()));
    this.until(room.intents.on('podcasts-changed', () => this.ask()));
    // A card from outside leads here again, with its link as the words.
    this.until(room.store.watch(['route'], ({ route }) => {
      if (route.name !== 'search' || route.query.q === undefined || route.query.q === this.words) return;
      const input = this.querySelector('input');
      if (input) input.value = route.query.q;
      this.#type(route.query.q, true);
      this.closest('main')?.scrollTo(0, 0);
    }));
    this.words = this.route.query.q ?? last?.words ?? '';
    if (last && last.words === this.words) this.found = last.found;
    this.#latest = createLatest({
      waitMs: 120,
      ask: (/** @type {string} */ words, signal) => room.api.get('/library/search', { q: words, limit: 24 }, { signal }),
      onAnswer: (found, words) => {
        room.library.remember('tracks', found.tracks);
        room.library.remember('albums', found.albums);
        room.library.remember('artists', found.artists);
        this.found = { tracks: found.tracks.map((/** @type {any} */ t) => t.id), albums: found.albums.map((/** @type {any} */ a) => a.id), artists: found.artists.map((/** @type {any} */ a) => a.id) };
        const other = last?.words !== words;
        last = { words, found: this.found };
        this.failure = null;
        const main = this.closest('main');
        if (main && other) main.scrollTop = 0;
        this.update();
      },
      onError: (error) => { this.failure = error; this.update(); },
    });
    this.until(() => this.#latest.stop());
    this.on(this, 'input', (event) => this.#type(event.target.value));
    this.on(this, 'submit', (event) => { event.preventDefault(); this.#remember(); this.querySelector('input')?.blur(); });
    this.deeds.clear = () => { this.#type(''); const input = this.querySelector('input'); if (input) { input.value = ''; input.focus(); } };
    this.deeds['recent'] = ({ words }) => { const input = this.querySelector('input'); if (input) input.value = words ?? ''; this.#type(words ?? '', true); };
    this.deeds['forget-recent'] = () => { keep('searches', []); this.update(); };
    this.deeds.again = () => this.#type(this.words, true);
    this.on(this, 'click', () => this.#remember(), { capture: true });
    this.on(this, 'keydown', (event) => this.#arrows(event));
    if (this.words && !this.found) this.#type(this.words, true);
    setTimeout(() => { if (matchMedia('(hover: hover)').matches || !this.words) this.querySelector('input')?.focus({ preventScroll: true }); });
  }

  async fetch() {
    const [podcasts, radios] = await Promise.all(['/podcasts', '/radios'].map((path) => room.api.get(path).then((/** @type {any} */ answer) => answer.items, () => [])));
    this.#others = { podcasts, radios };
    rememberRadios(radios);
  }
  #radios() { return this.words.trim() ? this.#others.radios.filter((one) => named(this.words, one.name)) : []; }

  /** What was looked for may have just arrived. @param {any} changes */
  changed(changes) {
    if (changes.tracks?.added.length && this.found && !isLink(this.words)) this.#latest.put(this.words);
    super.changed(changes);
  }

  /** Whether music may be fetched from elsewhere, by who is here. */
  get outside() { return Boolean(room.store.state.fetches && adds(room.store.state.user)); }

  /** @param {string} words @param {boolean} [now] */
  #type(words, now = false) {
    this.words = words;
    history.replaceState(history.state, '', words ? `#/search?q=${encodeURIComponent(words)}` : '#/search');
    if (!words.trim() || (isLink(words) && this.outside)) {
      this.#latest.stop();
      this.found = null;
      this.failure = null;
      last = null;
      this.update();
      return;
    }
    this.#latest.put(words, { now });
    this.update();
  }

  #remember() {
    const words = this.words.trim();
    if (words.length < 2 || !this.found) return;
    const before = recall('searches', []).filter((/** @type {string} */ w) => w.toLowerCase() !== words.toLowerCase());
    keep('searches', [words, ...before].slice(0, RECENT));
  }

  /** ↓ from the field into what was found, ↑ back. @param {KeyboardEvent} event */
  #arrows(event) {
    if (!['ArrowDown', 'ArrowUp', 'Escape'].includes(event.key)) return;
    const stops = /** @type {HTMLElement[]} */ ([...this.querySelectorAll('input, .recent-item, .card-link, .row-play, .offer > .button')]);
    const at = stops.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (at < 0) return;
    if (event.key === 'Escape') {
      if (at > 0) { event.stopPropagation(); stops[0].focus(); } else if (this.words) { event.stopPropagation(); this.deeds.clear({}, event, this); }
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    stops[Math.max(0, Math.min(stops.length - 1, at + (event.key === 'ArrowDown' ? 1 : -1)))]?.focus();
  }

  playRow({ index }) {
    const tracks = (this.found?.tracks ?? []).map((/** @type {string} */ id) => room.library.track(id)).filter(Boolean);
    const chosen = tracks[Number(index)];
    const good = tracks.filter((/** @type {any} */ t) => t.place !== 'missing');
    room.player.playTracks(good, { start: Math.max(0, good.indexOf(chosen)), shuffle: false, source: `“${this.words.trim()}”` });
  }

  render() {
    const { found, words } = this;
    const recent = recall('searches', []);
    const get = (/** @type {'tracks'} */ kind) => (found?.[kind] ?? []).map((/** @type {string} */ id) => room.library.thing(kind, id)).filter(Boolean);
    const [tracks, albums, artists] = [get('tracks'), get(/** @type {any} */ ('albums')), get(/** @type {any} */ ('artists'))];
    const { outside } = this;
    const podcasts = words.trim() ? this.#others.podcasts.filter((one) => named(words, `${one.title} ${one.author}`)) : [];
    const radios = this.#radios();
    const none = found && ![tracks, albums, artists, podcasts, radios].some((one) => one.length);
    this.#shelves = { Artists: artists.map(artistCard), Albums: albums.map((/** @type {any} */ a) => albumCard(a)), Podcasts: podcasts.map(podcastCard) };
    const row = (/** @type {any[]} */ list) => html`<div class="rows" role="list">${list.map((track, i) => trackRow(track, { index: i }))}</div>`;
    return html`<div class="page page-search">
      <h1 class="sr-only">Search</h1>
      <form class="search-field" role="search">${icon('search')}<input type="search" name="q" value="${words}" placeholder="${outside ? 'Tracks, albums, artists, or a link' : 'Tracks, albums, artists'}" aria-label="Search your library" autocomplete="off" autocapitalize="off" spellcheck="false" enterkeyhint="search">${words ? html`<button type="button" class="icon-button" data-do="clear" aria-label="Clear">${icon('x')}</button>` : ''}</form>
      <div class="sr-only" role="status">${found && !none ? `${plural(tracks.length, 'track')}, ${plural(albums.length, 'album')}, ${plural(artists.length, 'artist')}${podcasts.length ? `, ${plural(podcasts.length, 'podcast')}` : ''}${radios.length ? `, ${plural(radios.length, 'radio')}` : ''}` : ''}</div>
      ${this.failure ? problem(this.failure) : isLink(words) && outside ? '' : !words.trim() ? (recent.length ? html`<section aria-label="Searched for lately"><header class="section-head"><h2 class="section-title">Searched for lately</h2><button class="link-button" data-do="forget-recent">Clear</button></header><ul class="recent">${recent.map((/** @type {string} */ w) => html`<li data-key="${w}"><button class="recent-item" data-do="recent" data-words="${w}">${icon('history')}<span>${w}</span></button></li>`)}</ul></section>`
        : empty({ icon: 'search', title: 'Find anything you own', text: 'A few letters are enough. Accents, word order and small slips do not matter.' }))
      : none ? (outside ? html`<p class="quiet none">Nothing like “${words.trim()}” is in your library yet.</p>` : empty({ icon: 'search', title: `Nothing like “${words.trim()}”`, text: 'Not in your library yet. Fewer letters find more.' }))
      : html`
        ${artists.length ? html`<section class="shelf" data-key="a" aria-label="Artists"><header class="shelf-head"><h2>Artists</h2></header><sb-shelf class="shelf-row shelf-small" data-name="Artists"></sb-shelf></section>` : ''}
        ${albums.length ? html`<section class="shelf" data-key="b" aria-label="Albums"><header class="shelf-head"><h2>Albums</h2></header><sb-shelf class="shelf-row" data-name="Albums"></sb-shelf></section>` : ''}
        ${podcasts.length ? html`<section class="shelf" data-key="p" aria-label="Podcasts"><header class="shelf-head"><h2>Podcasts</h2></header><sb-shelf class="shelf-row" data-name="Podcasts"></sb-shelf></section>` : ''}
        ${radios.length ? html`<section data-key="r" aria-label="Radio"><h2 class="section-title">Radio</h2><div class="rows" role="list">${radios.map((one) => radioRow(one))}</div></section>` : ''}
        ${tracks.length ? html`<section data-key="t" aria-label="Tracks"><h2 class="section-title">Tracks</h2>${row(tracks)}</section>` : ''}`}
      ${outside && words.trim() ? html`<sb-outside data-key="outside"></sb-outside>` : ''}
    </div>`;
  }
  painted() {
    /** @type {any} */ (this.querySelector('sb-outside'))?.seek(this.words);
    for (const el of /** @type {any} */ (this.querySelectorAll('sb-shelf:not(sb-outside *)'))) el.show(/** @type {any} */ (this.#shelves)[el.dataset.name] ?? '');
  }
}
customElements.define('view-search', SearchView);
