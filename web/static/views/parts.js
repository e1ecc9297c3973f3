// @ts-check
/** The pieces that views are made of. Plain templates: no state of their own. */
import { html, flag } from '../core/html.js';
import { coverUrl, outsideCoverUrl } from '../core/api.js';
import { colourOf } from '../core/colour.js';
import { sourceTitle } from '../core/coming.js';
import { clock, initial, plural } from '../core/format.js';
import { commandsIn, placeWords } from '../core/places.js';
import { adds, sharing } from '../core/rights.js';
import { to } from '../core/router.js';
import { room } from '../core/room.js';

/** @param {string} name a Lucide icon of the sprite @param {string} [cls] */
export const icon = (name, cls = '') => html`<svg class="icon ${cls}" aria-hidden="true"><use href="#i-${name}"></use></svg>`;

/** The colour of something's cover, or one made from its words. @param {any} thing */
export const tintOf = (thing) => thing?.cover?.color ?? colourOf(`${thing?.album ?? thing?.title ?? thing?.name ?? ''}`);

/**
 * A picture, or a calm square with the first letter. Sizes: what the station keeps (64-1200 px).
 * @param {any} thing an album, track or artist @param {{size?: number, round?: boolean, eager?: boolean, cls?: string}} [options]
 */
export const cover = (thing, { size = 300, round = false, eager = false, cls = '' } = {}) => {
  const words = thing?.album ?? thing?.title ?? thing?.name ?? '';
  const id = thing?.album_id ?? thing?.id;
  const outside = thing?.cover_url;
  if (thing?.kind === 'radio') return html`<span class="cover cover-list ${cls}" data-css="--tint:${tintOf(thing)}">${icon('radio')}</span>`;
  const has = outside || (thing && id && thing.cover !== null);
  return html`<span class="cover ${round ? 'cover-round' : ''} ${cls}" data-css="--tint:${tintOf(thing)}">
    <span class="cover-initial" aria-hidden="true">${initial(words)}</span>
    ${has ? html`<img src="${outside ? outsideCoverUrl(outside, size) : thing.picture ? `${thing.picture}?size=${size}` : coverUrl(id, size, thing.cover?.version)}" alt="" loading="${eager ? 'eager' : 'lazy'}" decoding="async" draggable="false">` : ''}
  </span>`;
};

/**
 * The names as the record has them ("A feat. B"), each that is known being a link.
 * @param {{id: string, name: string, role?: string}[]} artists @param {string} shown
 */
export const artistLinks = (artists, shown) => {
  const named = (artists ?? []).filter((a) => !a.role || a.role === 'artist');
  const out = [];
  let rest = shown ?? '';
  for (const { id, name } of named) {
    const at = rest.indexOf(name);
    if (at < 0 || !name) continue;
    out.push(rest.slice(0, at), html`<a class="quiet-link" href="${to`/artist/${id}`}">${name}</a>`);
    rest = rest.slice(at + name.length);
  }
  if (!out.length && named.length === 1) return html`<a class="quiet-link" href="${to`/artist/${named[0].id}`}" title="${shown}">${shown}</a>`;
  return html`<span title="${shown}">${out}${rest}</span>`;
};

/** @param {any} album @param {string} [sub] what stands below the title instead of the artist */
export const albumCard = (album, sub) => html`
  <article class="card" data-key="${album.id}" data-menu="album-menu" data-id="${album.id}">
    <a class="card-link" href="${to`/album/${album.id}`}" title="${album.title}">
      ${cover(album, { size: 300 })}
      <span class="card-title">${album.title}</span>
    </a>
    <p class="card-sub" title="${sub ?? album.artist}">${sub ?? album.artist}</p>
    <button class="card-play" data-do="play-thing" data-kind="album" data-id="${album.id}" data-source="${album.title}" aria-label="Play ${album.title}">${icon('play', 'filled')}</button>
  </article>`;

/** @param {any} artist */
export const artistCard = (artist) => html`
  <article class="card card-artist" data-key="${artist.id}">
    <a class="card-link" href="${to`/artist/${artist.id}`}" title="${artist.name}">
      ${cover(artist, { size: 300, round: true })}
      <span class="card-title">${artist.name}</span>
    </a>
    <p class="card-sub">${artist.album_count ? plural(artist.album_count, 'album') : plural(artist.track_count ?? 0, 'track')}</p>
  </article>`;

/** @param {any} list a playlist */
export const playlistCard = (list) => html`
  <article class="card" data-key="${list.id}" data-menu="playlist-menu" data-id="${list.id}">
    <a class="card-link" href="${to`/playlist/${list.id}`}" title="${list.name}">
      <span class="cover cover-list" data-css="--tint:${colourOf(list.name)}">${icon('list-music')}</span>
      <span class="card-title">${list.name}</span>
    </a>
    <p class="card-sub" title="${sharing(list, room.store.state.user).join(' · ')}">${[...sharing(list, room.store.state.user).slice(0, 1), plural(list.track_count ?? 0, 'track')].join(' · ')}</p>
    ${list.track_count ? html`<button class="card-play" data-do="play-thing" data-kind="playlist" data-id="${list.id}" data-source="${list.name}" aria-label="Play ${list.name}">${icon('play', 'filled')}</button>` : ''}
  </article>`;

/** What stands where a card will be. @param {number} index */
export const cardToCome = (index) => html`
  <div class="card to-come" data-key="coming-${index}" aria-hidden="true"><span class="cover"></span><span class="bone bone-wide"></span><span class="bone"></span></div>`;

/** Fetched by the station, for who may do so. @param {any} track */
const fetchedMark = (track) => (track.fetched_by && adds(room.store.state.user)
  ? html`<span class="fetched" title="Downloaded (${sourceTitle(track.fetched_by)})">${icon('download')}<span class="sr-only">Downloaded. </span></span>` : '');

/** That it lies elsewhere; nothing for what lies here. @param {any} track @param {boolean} [told] the words stand beside it */
const placeMark = (track, told = false) => {
  const words = placeWords(track);
  return words && html`<span class="fetched" title="${words}">${icon(track.place === 'cache' ? 'cloud-check' : 'cloud')}${told ? '' : html`<span class="sr-only">${words}. </span>`}</span>`;
};

/** @param {string} id */
const isCurrent = (id) => room.player.entry?.id === id;

/**
 * One track in a list. `deed` (default `play-row`) is what a press on it does, with `data-index`; `place`: a sign when it lies elsewhere.
 * @param {any} track
 * @param {{index: number, key?: string, lead?: 'cover' | 'number', album?: boolean, artist?: boolean, current?: boolean, deed?: string, grip?: boolean, place?: boolean, menu?: Record<string, any>}} options
 */
export const trackRow = (track, { index, key = track.id, lead = 'cover', album = true, artist = true, current = isCurrent(track.id), deed = 'play-row', grip = false, place = true, menu = {} }) => {
  const missing = track.place === 'missing';
  const playing = current && room.store.state.status === 'playing';
  const fetched = fetchedMark(track);
  const away = place ? placeMark(track, !artist) : '';
  return html`
  <div class="row ${current ? 'is-current' : ''} ${missing ? 'is-missing' : ''} ${album ? 'has-album' : ''} ${grip ? 'has-grip' : ''}" role="listitem" data-key="${key}" data-menu="track-menu" data-id="${track.id}"
    data-queue="${menu.queue ?? ''}" data-playlist="${menu.playlist ?? ''}" data-place="${menu.place ?? ''}">
    ${grip ? html`<button class="grip" data-grip="${index}" aria-label="Move ${track.title}" title="Drag, or focus and use ↑ ↓">${icon('grip-vertical')}</button>` : ''}
    <span class="row-lead">
      ${lead === 'cover' ? cover(track, { size: 128 }) : html`<span class="row-number">${track.track_number ?? '–'}</span>`}
      <span class="row-state" aria-hidden="true">${current ? html`<span class="bars ${playing ? '' : 'bars-still'}"><i></i><i></i><i></i></span>` : icon('play', 'filled')}</span>
    </span>
    <span class="row-text">
      <button class="row-play" data-do="${deed}" data-index="${index}" data-id="${track.id}" title="${track.title}" ${flag('aria-current="true"', current)}>${track.title}${current ? html`<span class="sr-only"> (playing)</span>` : ''}</button>
      ${artist || missing || fetched || away ? html`<span class="row-sub">${fetched}${away}${missing ? html`<span class="row-missing">File not there now</span>` : ''}${artist ? artistLinks(track.artists, track.artist) : away ? placeWords(track) : fetched ? 'Downloaded' : ''}</span>` : ''}
    </span>
    ${album ? html`<span class="row-album">${track.album_id ? html`<a class="quiet-link" href="${to`/album/${track.album_id}`}" title="${track.album}">${track.album}</a>` : ''}</span>` : ''}
    <button class="icon-button row-heart ${track.favourite ? 'is-on' : ''}" data-do="favourite" data-id="${track.id}" aria-pressed="${track.favourite ? 'true' : 'false'}" aria-label="Favourite ${track.title}" title="Favourite">${icon('heart', track.favourite ? 'filled' : '')}</button>
    <span class="row-time">${clock(track.duration_ms)}</span>
    <button class="icon-button row-menu" data-do="track-menu" data-id="${track.id}" data-queue="${menu.queue ?? ''}" data-playlist="${menu.playlist ?? ''}" data-place="${menu.place ?? ''}" aria-haspopup="menu" aria-label="More for ${track.title}" title="More">${icon('ellipsis')}</button>
  </div>`;
};

/** @param {number} index */
export const rowToCome = (index) => html`
  <div class="row to-come" data-key="coming-${index}" aria-hidden="true"><span class="row-lead"><span class="cover"></span></span><span class="row-text"><span class="bone bone-wide"></span><span class="bone"></span></span></div>`;

/** A sentence in which what can be run stands out. @param {string} text */
export const withCommands = (text) => html`${commandsIn(text).map((piece, i) => (i % 2 ? html`<code>${piece}</code>` : piece))}`;

/** The ways into the library. @type {[string, string, string][]} name, words, address */
const PLACES = [['albums', 'Albums', '#/library/albums'], ['artists', 'Artists', '#/library/artists'], ['tracks', 'Tracks', '#/library/tracks'], ['genres', 'Genres', '#/library/genres'],
  ['playlists', 'Playlists', '#/library/playlists'], ['podcasts', 'Podcasts', '#/podcasts'], ['radio', 'Radio', '#/radio']];
/** @param {string} here */
export const libraryChips = (here) => html`<nav class="chips" aria-label="Library">${PLACES.map(([name, words, href]) => html`<a class="chip" href="${href}" ${name === here ? html`aria-current="page"` : ''}>${words}</a>`)}</nav>`;

/** On a narrow screen the way that was taken is in sight. @param {globalThis.Element} view */
export const showChip = (view) => {
  const chips = view.querySelector('.chips');
  const chip = /** @type {HTMLElement | null} */ (chips?.querySelector('[aria-current]') ?? null);
  if (chips && chip && chip.offsetLeft + chip.offsetWidth > chips.scrollLeft + chips.clientWidth) chips.scrollLeft = chip.offsetLeft - 16;
};

/** What would be here, and how it comes. @param {{icon: string, title: string, text?: string, actions?: any}} parts */
export const empty = ({ icon: name, title, text = '', actions = '' }) => html`
  <section class="empty">
    <span class="empty-icon">${icon(name)}</span>
    <h2>${title}</h2>
    ${text ? html`<p>${text}</p>` : ''}
    ${actions ? html`<div class="empty-actions">${actions}</div>` : ''}
  </section>`;

/** This page is for others. @param {string} text */
export const notForYou = (text) => empty({ icon: 'lock', title: 'Not with this account', text, actions: html`<a class="button" href="#/you">Back</a>` });

/** Something could not be shown. `again` is the deed of the button. @param {any} error @param {string} [again] */
export const problem = (error, again = 'again') => empty({
  icon: error?.unreachable ? 'wifi-off' : 'circle-alert',
  title: error?.unreachable ? 'The station does not answer' : error?.status === 404 ? 'Not in your library' : 'This could not be shown',
  text: error?.unreachable ? 'It may be asleep, or this device is on another network.' : error?.status === 404 ? 'It may have been moved or removed.' : error?.message ?? '',
  actions: error?.status === 404
    ? html`<a class="button" href="#/library">Go to your library</a>`
    : html`<button class="button" data-do="${again}">Try again</button>`,
});

/** A code for a camera, on white also in the dark. @param {string} svg as the station draws it @param {string} words */
export const qr = (svg, words) => html`<img class="qr" alt="${words}" src="data:image/svg+xml,${encodeURIComponent(svg.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" '))}">`;

/** One of a few, each with what it means. @param {{name: string, legend: string, chosen: string, options: string[][], told?: boolean}} choice options: value, name, meaning; `told`: the heading says it already */
export const choices = ({ name, legend, chosen, options, told = false }) => html`
  <fieldset class="choices"><legend class="${told ? 'sr-only' : ''}">${legend}</legend>${options.map(([value, words, meaning]) => html`
    <label class="choice"><input type="radio" name="${name}" value="${value}" ${flag('checked', value === chosen)}><span><span>${words}</span><span class="quiet">${meaning}</span></span></label>`)}</fieldset>`;

/** The two main things to do with something. @param {{kind: string, id: string, source: string, more?: any}} thing */
export const playButtons = ({ kind, id, source, more = '' }) => html`
  <div class="actions">
    <button class="button button-main" data-do="play-thing" data-kind="${kind}" data-id="${id}" data-source="${source}">${icon('play', 'filled')} Play</button>
    <button class="button" data-do="play-thing" data-kind="${kind}" data-id="${id}" data-shuffle="1" data-source="${source}">${icon('shuffle')} Shuffle</button>
    ${more}
  </div>`;

/** A shelf of cards that scrolls sideways. @param {string} title @param {any} cards @param {string} [href] where all of them are */
export const shelf = (title, cards, href) => html`
  <section class="shelf" data-key="${title}" aria-label="${title}">
    <header class="shelf-head"><h2>${href ? html`<a href="${href}">${title}${icon('chevron-right')}</a>` : title}</h2></header>
    <sb-shelf class="shelf-row" data-name="${title}"></sb-shelf>
  </section>`;

/** @param {string[]} ids an unchanging list in the form of a collection */
export const fixed = (ids) => ({ total: ids.length, failure: null, at: (/** @type {number} */ i) => ids[i], ensure() {}, watch: () => () => {} });
