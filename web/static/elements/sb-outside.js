// @ts-check
/** What the world outside has: found by words, or where a link leads. Nothing is asked before the listener has paused. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { icon } from '../views/parts.js';
import { offerCard, offerRow, offerStep, optionFields, outsideCover, listenStep, readFields } from '../views/coming-parts.js';
import { words as wordsOf } from '../core/deeds.js';
import { isLink, silentLine, sourceTitle, wholeLink } from '../core/coming.js';
import { clock, plural } from '../core/format.js';
import { createLatest } from '../core/latest.js';
import { room } from '../core/room.js';

const WAIT_MS = 600;
const SHOWN = 8;
/** @type {Record<string, string>} */
const KINDS = { track: 'Track', album: 'Album', artist: 'Artist', playlist: 'Playlist' };
/** The last answers, so that coming back asks nobody. @type {Map<string, any>} */
const answers = new Map();
export const forgetOutside = () => answers.clear();

export class Outside extends Element {
  words = '';
  /** @type {any} */ found = null;
  /** @type {any} */ failure = null;
  /** @type {any} */ #latest;
  #asking = '';
  #all = false;
  #kept = new Set();
  /** @type {Record<string, string>} */ #options = {};
  #shelves = /** @type {Record<string, any>} */ ({});

  connected() {
    this.#latest = createLatest({
      waitMs: WAIT_MS,
      ask: async (/** @type {string} */ words, signal) => (isLink(words)
        ? { link: wholeLink(words), offer: await room.api.get('/acquire/resolve', { url: wholeLink(words) }, { signal }).then((/** @type {any} */ a) => a.offer ?? a) }
        : room.api.get('/acquire/search', { q: words, limit: 30 }, { signal })),
      onAnswer: (found, words) => {
        // Who did not answer may do so the next time.
        if (!found.failures?.length) answers.set(words, found);
        if (answers.size > 30) answers.delete(/** @type {string} */ (answers.keys().next().value));
        this.#asking = '';
        this.found = found;
        this.failure = null;
        this.update();
      },
      onError: (error) => { this.#asking = ''; this.failure = error; this.found = null; this.update(); },
    });
    this.until(() => this.#latest.stop());
    this.follow(room.store, 'queue', 'status');
    this.until(room.downloads.watch(() => this.update()));
    this.until(room.library.watch(() => this.update()));
    this.deeds['fetch-offer'] = ({ index }) => room.act('fetch', { offer: this.tracks[Number(index)] });
    this.deeds.listen = ({ index }) => room.act('preview', { offer: this.tracks[Number(index)] });
    this.deeds['more-outside'] = () => { this.#all = !this.#all; this.update(); };
    this.deeds['ask-again'] = () => this.seek(this.words, true);
    this.deeds['fetch-linked'] = () => this.#fetchLinked();
    this.deeds['fetch-linked-track'] = ({ index }) => room.act('fetch-track', { track: this.found.offer.tracks[Number(index)], offer: this.linked(Number(index)), options: this.#chosen() });
    this.deeds['listen-linked'] = ({ index }) => room.act('preview', { offer: this.linked(Number(index)) });
    this.deeds['listen-link'] = () => room.act('preview', { offer: this.found.offer });
    this.deeds['keep-up-link'] = async ({ url, kind, name }) => {
      if (await room.act('keep-up', { url, kind, name })) { this.#kept.add(url); this.update(); }
    };
    this.on(this, 'change', (event) => { if (event.target.closest('.how')) this.#options = readFields(this); });
  }

  /** @param {string} words @param {boolean} [now] */
  seek(words, now = false) {
    const wanted = words.trim();
    if (wanted === this.words && !now) return;
    this.words = wanted;
    this.#all = false;
    if (answers.has(wanted)) {
      this.#latest.stop();
      this.#asking = '';
      this.found = answers.get(wanted);
      this.failure = null;
    } else if (wanted.length < 2) {
      this.#latest.stop();
      this.#asking = '';
      this.found = null;
      this.failure = null;
    } else {
      if (isLink(wanted) || this.found?.link) this.found = null;
      this.#asking = wanted;
      this.#latest.put(wanted, { now: now || isLink(wanted) });
    }
    this.update();
  }

  /** @param {string} kind @returns {any[]} */
  #of(kind) { return (this.found?.items ?? []).filter((/** @type {any} */ one) => one.kind === kind); }
  /** What is not here yet comes first: the rest stands above already, among the library's own. */
  get tracks() {
    const all = this.#of('track');
    return [...all.filter((one) => !one.track_id), ...all.filter((one) => one.track_id)];
  }

  #chosen() {
    const { trim, when, ...rest } = this.#options;
    return { ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value)), ...(trim ? { trim: trim === 'yes' } : {}), ...(when === 'night' ? { nightly: true } : {}) };
  }

  /** A track of what the link leads to, as an offer of its own. @param {number} index */
  linked(index) {
    const { offer } = this.found;
    const track = offer.tracks[index];
    return { kind: 'track', source: track.source ?? offer.source, id: track.source_id ?? `${offer.id}/${index}`, url: track.source_url ?? track.fetch_url ?? null, title: track.title ?? 'Untitled', artist: track.artist, album: track.album, duration_ms: track.duration_ms, cover_url: track.cover_url ?? offer.cover_url, explicit: track.explicit };
  }
  /** @param {number} index @returns {string | null} */
  #owned(index) {
    const { offer } = this.found;
    return offer.owned?.[index] ?? offer.tracks[index]?.track_id ?? null;
  }

  async #fetchLinked() {
    const { offer, link } = this.found;
    if (offer.kind === 'track') { await room.act('fetch', { offer, body: { url: link }, options: this.#chosen() }); return; }
    const answer = await room.act('fetch-all', { url: link, options: this.#chosen() });
    if (!answer) return;
    const same = (/** @type {any} */ a, /** @type {any} */ b) => a.title === b.title && a.artist === b.artist;
    const owned = offer.tracks.map((/** @type {any} */ track, /** @type {number} */ i) => {
      const one = answer.downloads.find((/** @type {any} */ d) => same(d, track));
      if (one) room.downloads.cameOf(this.linked(i), one.id);
      return this.#owned(i) ?? answer.skipped?.find((/** @type {any} */ s) => same(s, track))?.track_id ?? null;
    });
    this.found = { ...this.found, offer: { ...offer, owned }, asked: true };
    this.update();
  }

  render() {
    if (this.failure) return isLink(this.words) ? this.#badLink() : html`<section class="outside" aria-label="From outside"><h2 class="section-title">From outside</h2>${this.#quiet(wordsOf(this.failure))}</section>`;
    if (this.found?.link) return this.#link();
    if (this.words.length < 2 || (!this.found && !this.#asking)) return html``;
    if (isLink(this.words)) return html`<section class="outside outside-link" aria-busy="true" aria-label="Where the link leads"><div class="linked to-come"><span class="cover"></span><div class="linked-words"><span class="bone"></span><span class="bone bone-wide"></span></div></div><p class="quiet">Looking where this leads…</p></section>`;
    return this.#results();
  }

  /** @param {string} line */
  #quiet(line) { return line ? html`<p class="quiet outside-line">${line} <button class="link-button" data-do="ask-again">Ask again</button></p>` : ''; }

  #results() {
    const { found } = this;
    const busy = Boolean(this.#asking);
    const { tracks } = this;
    const [albums, artists, lists] = ['album', 'artist', 'playlist'].map((kind) => this.#of(kind));
    const few = this.#all ? tracks : tracks.slice(0, SHOWN);
    const silent = silentLine(found?.failures ?? []);
    const keeping = (/** @type {any} */ one) => html`<div class="kept-up">${offerCard(one)}${one.url ? html`<button class="button button-small" data-do="keep-up-link" data-url="${one.url}" data-kind="artist" data-name="${one.title}" ${this.#kept.has(one.url) ? html`disabled` : ''}>${this.#kept.has(one.url) ? 'Kept up with' : 'Keep up with'}</button>` : ''}</div>`;
    this.#shelves = { 'Albums outside': albums.map(offerCard), 'Artists outside': artists.map(keeping), 'Playlists outside': lists.map(offerCard) };
    const none = found && !found.items.length;
    const shelf = (/** @type {string} */ name, /** @type {string} */ title, /** @type {any[]} */ list, small = false) => (list.length ? html`<section class="shelf" data-key="${name}" aria-label="${name}"><header class="shelf-head"><h3>${title}</h3></header><sb-shelf class="shelf-row ${small ? 'shelf-small' : ''}" data-name="${name}"></sb-shelf></section>` : '');
    return html`<section class="outside" aria-label="From outside" ${busy ? html`aria-busy="true"` : ''}>
      <header class="outside-head"><h2 class="section-title">From outside</h2>${busy ? html`<span class="quiet outside-busy" role="status">Asking…</span>` : ''}</header>
      ${!found ? html`<div class="offers" aria-hidden="true">${[0, 1, 2].map((i) => html`<div class="offer to-come" data-key="to-come-${i}"><span class="cover"></span><div class="offer-words"><span class="bone bone-wide"></span><span class="bone"></span></div></div>`)}</div>` : ''}
      ${none && !silent ? html`<p class="quiet outside-line">Nobody outside has anything like that.</p>` : ''}
      ${few.length ? html`<div class="offers" role="list">${few.map((one, index) => offerRow(one, { index }))}</div>` : ''}
      ${tracks.length > SHOWN ? html`<button class="link-button" data-do="more-outside">${this.#all ? 'Show fewer' : `Show all ${tracks.length}`} ${icon(this.#all ? 'chevron-up' : 'chevron-down')}</button>` : ''}
      ${shelf('Albums outside', 'Albums', albums)}${shelf('Artists outside', 'Artists', artists, true)}${shelf('Playlists outside', 'Playlists', lists)}
      ${this.#quiet(silent)}
    </section>`;
  }

  #badLink() {
    return html`<section class="outside outside-link" aria-label="Where the link leads"><p class="outside-line wrong" role="alert">${wordsOf(this.failure)}</p>
      <button class="button button-small" data-do="ask-again">${icon('refresh-cw')} Look again</button></section>`;
  }

  #link() {
    const { offer, link, asked } = this.found;
    const tracks = offer.tracks ?? [];
    const single = offer.kind === 'track';
    const owned = tracks.filter((/** @type {any} */ _, /** @type {number} */ i) => this.#owned(i)).length;
    const fresh = tracks.length - owned;
    const facts = [offer.artist && offer.kind !== 'artist' ? offer.artist : '', single && offer.duration_ms ? clock(offer.duration_ms) : '', offer.album && single ? offer.album : '', offer.date?.slice(0, 4), !single && tracks.length ? plural(tracks.length, 'track') : ''].filter(Boolean).join(' · ');
    const count = owned ? `${fresh} new, ${owned} in your library` : plural(fresh, 'track');
    return html`<section class="outside outside-link" aria-label="Where the link leads">
      <div class="linked">${outsideCover(offer, { size: 300, round: offer.kind === 'artist' })}
        <div class="linked-words"><p class="quiet">${KINDS[offer.kind] ?? 'Found'} · ${sourceTitle(offer.source)}</p><h2 class="linked-title" title="${offer.title}">${offer.title}</h2><p class="quiet">${facts}</p></div></div>
      <div class="actions linked-actions">
        ${single ? html`${this.#single(offer)}` : tracks.length ? html`<button class="button button-main" data-do="fetch-linked" ${asked || !fresh ? html`disabled` : ''}>${icon(asked || !fresh ? 'check' : 'download')} ${asked ? 'Asked for' : !fresh ? 'All in your library' : `Download all (${count})`}</button>` : html`<p class="quiet">There is nothing in it to fetch.</p>`}
        ${single ? '' : html`<button class="button" data-do="keep-up-link" data-url="${link}" data-kind="${offer.kind}" data-name="${offer.title}" ${this.#kept.has(link) ? html`disabled` : ''}>${icon('history')} ${this.#kept.has(link) ? 'Kept up with' : 'Keep up with'}</button>`}
      </div>
      ${tracks.length && !asked && (single ? !offer.track_id && !room.downloads.of(offer) : fresh) ? optionFields(this.#options) : ''}
      ${single || !tracks.length ? '' : html`<sb-list class="linked-list"></sb-list>`}
    </section>`;
  }

  /** @param {any} offer */
  #single(offer) {
    const owned = offer.track_id ?? this.#owned(0);
    const download = room.downloads.of(offer);
    return html`${owned || download ? offerStep(offer, { deed: 'fetch-linked', index: 0, owned }) : html`<button class="button button-main" data-do="fetch-linked">${icon('download')} Download</button>`}${owned ? '' : listenStep(offer, 0, 'listen-link')}`;
  }

  painted() {
    for (const el of /** @type {any} */ (this.querySelectorAll('sb-shelf'))) el.show(this.#shelves[el.dataset.name] ?? '');
    const list = /** @type {any} */ (this.querySelector('.linked-list'));
    const tracks = this.found?.offer?.tracks ?? [];
    list?.show({
      mode: 'rows', rowHeight: 60,
      source: { total: tracks.length, failure: null, at: (/** @type {number} */ i) => String(i), ensure() {}, watch: () => () => {} },
      draw: (/** @type {string} */ at) => {
        const index = Number(at);
        const one = this.linked(index);
        return offerRow(one, { index, deed: 'fetch-linked-track', listen: one.url ? 'listen-linked' : null, owned: this.#owned(index), source: false, number: tracks[index].track_number ?? index + 1 });
      },
    });
  }
}
customElements.define('sb-outside', Outside);
