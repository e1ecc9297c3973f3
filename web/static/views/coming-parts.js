// @ts-check
/** The pieces that show music on its way, and music elsewhere. */
import { flag, html } from '../core/html.js';
import { cover, icon } from './parts.js';
import { nameOf, nextStep, percentOf, reasonWords, sourceTitle, stateLine } from '../core/coming.js';
import { isComing } from '../core/downloads.js';
import { clock, plural } from '../core/format.js';
import { seesFiles } from '../core/rights.js';
import { to } from '../core/router.js';
import { room } from '../core/room.js';

/** A picture of something that is not in the library. @param {any} thing with `cover_url` @param {{size?: number, round?: boolean, cls?: string}} [how] */
export const outsideCover = (thing, how = {}) => cover({ title: thing.title ?? thing.query ?? '', cover_url: thing.cover_url || undefined, cover: null }, { size: 128, ...how });

/** The picture of a download: its own track's once that is here. @param {any} download */
const downloadCover = (download) => (download.track_id
  ? cover(room.library.track(download.track_id) ?? { id: download.track_id, title: nameOf(download), album: download.album }, { size: 128 })
  : outsideCover({ title: nameOf(download), cover_url: download.cover_url }));

/** The main thing to do with one now. @param {any} download */
export const mainStep = (download) => {
  const { id, status } = download;
  if (status === 'completed') return download.track_id ? html`<button class="icon-button" data-do="play-thing" data-kind="track" data-id="${download.track_id}" aria-label="Play ${nameOf(download)}" title="Play">${icon('play', 'filled')}</button>` : '';
  if (status === 'failed') {
    const step = nextStep(download, { candidates: download.candidates ?? (download.source && download.error?.code !== 'no_candidates' ? [{}] : []), seesFiles: seesFiles(room.store.state.user) });
    return step.href ? html`<a class="button button-small" href="${step.href}">${step.words}</a>` : html`<button class="button button-small" data-do="${step.deed}" data-id="${id}">${step.words}</button>`;
  }
  if (status === 'paused') return html`<button class="icon-button" data-do="download-resume" data-id="${id}" aria-label="Go on with ${nameOf(download)}" title="Go on">${icon('play', 'filled')}</button>`;
  if (status === 'cancelled') return '';
  return html`<button class="icon-button" data-do="download-pause" data-id="${id}" aria-label="Pause ${nameOf(download)}" title="Pause">${icon('pause', 'filled')}</button>`;
};

/** How far it is, as a line. @param {any} download */
export const progressLine = (download) => {
  const running = ['downloading', 'processing'].includes(download.status) || (download.status === 'paused' && download.progress?.bytes);
  if (!running) return '';
  const percent = percentOf(download);
  return html`<span class="meter ${percent === null || download.status === 'processing' ? 'meter-open' : ''}" role="progressbar" aria-label="${nameOf(download)}" aria-valuemin="0" aria-valuemax="100" ${percent === null ? '' : html`aria-valuenow="${Math.round(percent)}"`} data-css="--share:${percent ?? 0}%"></span>`;
};

/** One download in a list. @param {any} download @param {{heads?: boolean, whose?: boolean}} [how] `heads`: the first of those asked for together */
export const downloadRow = (download, { heads = false, whose = false } = {}) => html`
  <div class="coming" role="listitem" data-key="${download.id}" data-menu="download-menu" data-id="${download.id}" data-status="${download.status}">
    ${downloadCover(download)}
    <div class="coming-words">
      ${heads ? html`<a class="coming-head" href="${to`/downloads/together/${download.group}`}">${download.album ? `From “${download.album}”` : 'Asked for together'}${icon('chevron-right')}</a>` : ''}
      <a class="coming-title" href="${to`/downloads/one/${download.id}`}" title="${nameOf(download)}">${nameOf(download)}</a>
      <p class="coming-sub ${download.status === 'failed' ? 'wrong' : ''}" title="${stateLine(download)}">${download.status === 'failed' ? stateLine(download) : [download.artist, stateLine(download), whose && download.username !== room.store.state.user?.username ? `for ${download.username}` : ''].filter(Boolean).join(' · ')}</p>
      ${progressLine(download)}
    </div>
    ${mainStep(download)}
    <button class="icon-button" data-do="download-menu" data-id="${download.id}" aria-haspopup="menu" aria-label="More for ${nameOf(download)}" title="More">${icon('ellipsis')}</button>
  </div>`;

/** @param {number} index */
export const downloadToCome = (index) => html`<div class="coming to-come" data-key="coming-${index}" aria-hidden="true"><span class="cover"></span><div class="coming-words"><span class="bone bone-wide"></span><span class="bone"></span></div></div>`;

/**
 * What can be done with something from outside: it is here, it comes, or it can be fetched.
 * @param {any} offer @param {{deed: string, index: number, owned?: string | null}} how
 */
export const offerStep = (offer, { deed, index, owned = offer.track_id }) => {
  const download = room.downloads.of(offer);
  const here = owned ?? download?.track_id;
  if (here) return html`<button class="button button-small owned" data-do="play-thing" data-kind="track" data-id="${here}" aria-label="Play ${offer.title}, it is in your library">${icon('play', 'filled')}<span class="step-words">In your library</span></button>`;
  if (isComing(download)) {
    const percent = percentOf(download);
    return html`<a class="button button-small on-its-way" href="${to`/downloads/one/${download.id}`}" data-css="--share:${percent ?? 0}%" aria-label="${offer.title}: ${stateLine(download)}">${download.status === 'downloading' && percent !== null ? `${Math.round(percent)} %` : download.status === 'waiting' ? 'Waiting' : 'Coming in'}</a>`;
  }
  if (download?.status === 'failed') return html`<a class="button button-small" href="${to`/downloads/one/${download.id}`}" title="${download.error?.message ?? ''}">${icon('circle-alert')}<span class="step-words">${reasonWords(download.error)}</span></a>`;
  return html`<button class="button button-small" data-do="${deed}" data-index="${index}" aria-label="Download ${offer.title}">${icon('download')}<span class="step-words">Download</span></button>`;
};

/** To listen before it is fetched. @param {any} offer @param {number} index @param {string} [deed] */
export const listenStep = (offer, index, deed = 'listen') => {
  const trying = room.player.entry?.id === `preview:${offer.source}:${offer.id || offer.url}`;
  const sounding = trying && room.store.state.status === 'playing';
  return html`<button class="icon-button ${trying ? 'is-on' : ''}" data-do="${deed}" data-index="${index}" aria-label="${sounding ? 'Pause' : 'Listen to'} ${offer.title}" aria-pressed="${sounding ? 'true' : 'false'}" title="${sounding ? 'Pause' : 'Listen first'}">${icon(sounding ? 'pause' : 'headphones')}</button>`;
};

/** A track from outside. @param {any} offer @param {{index: number, deed?: string, listen?: string | null, owned?: string | null, source?: boolean, number?: number | null}} how */
export const offerRow = (offer, { index, deed = 'fetch-offer', listen = 'listen', owned = offer.track_id, source = true, number = null }) => html`
  <div class="offer" role="listitem" data-key="${index}">
    ${number === null ? outsideCover(offer) : html`<span class="row-number">${number || '–'}</span>`}
    <div class="offer-words"><p class="offer-title" title="${offer.title}">${offer.title}${offer.explicit ? html` <span class="mark" title="Explicit">E</span>` : ''}</p>
      <p class="row-sub" title="${[offer.artist, offer.album].filter(Boolean).join(' · ')}">${[offer.artist, !owned && source ? sourceTitle(offer.source) : '', offer.duration_ms ? clock(offer.duration_ms) : ''].filter(Boolean).join(' · ')}${owned ? html`<span class="narrow-only"> · In your library</span>` : ''}</p></div>
    ${listen && !owned ? listenStep(offer, index, listen) : ''}
    ${offerStep(offer, { deed, index, owned })}
  </div>`;

/** An album, an artist or a playlist from outside. @param {any} offer */
export const offerCard = (offer) => html`
  <article class="card ${offer.kind === 'artist' ? 'card-artist' : ''}" data-key="${offer.source}:${offer.id}">
    <a class="card-link" href="#/search?q=${encodeURIComponent(offer.url ?? offer.title)}" title="${offer.title}">
      ${outsideCover(offer, { size: 300, round: offer.kind === 'artist' })}<span class="card-title">${offer.title}</span></a>
    <p class="card-sub">${[offer.kind === 'artist' ? '' : offer.artist, offer.date?.slice(0, 4), offer.track_count ? plural(offer.track_count, 'track') : '', sourceTitle(offer.source)].filter(Boolean).slice(0, offer.kind === 'artist' ? 1 : 2).join(' · ') || sourceTitle(offer.source)}</p>
  </article>`;

const QUALITIES = [['', 'As usual'], ['lossless', 'Lossless, when it can be had'], ['320', 'Very good (320)'], ['192', 'Good (192)'], ['128', 'Small (128)'], ['smallest', 'Smallest']];
const FORMATS = [['', 'As usual'], ['mp3', 'MP3'], ['opus', 'Opus'], ['aac', 'AAC'], ['flac', 'FLAC, from lossless only']];
const LEVELS = [['', 'As usual'], ['tags', 'Measure it, leave the sound as it is'], ['audio', 'Change the sound itself'], ['off', 'Leave it']];
const TRIMS = [['', 'As usual'], ['yes', 'Cut off'], ['no', 'Leave it']];
const WHEN = [['', 'Now'], ['night', 'Later tonight']];

/** How something is to be fetched, behind one line. @param {Record<string, string>} chosen */
export const optionFields = (chosen) => {
  /** @param {string} name @param {string} label @param {string[][]} options */
  const field = (name, label, options) => html`<label class="field"><span>${label}</span><select name="${name}">${options.map(([value, words]) => html`<option value="${value}" ${flag('selected', value === (chosen[name] ?? ''))}>${words}</option>`)}</select></label>`;
  return html`<details class="how"><summary>${icon('chevron-right')}How it is fetched</summary><div class="how-fields">
    ${field('quality', 'Quality', QUALITIES)}${field('format', 'Kept as', FORMATS)}${field('level', 'Loudness', LEVELS)}${field('trim', 'Silence at both ends', TRIMS)}${field('when', 'When', WHEN)}
  </div></details>`;
};

/** What the fields of options say, by name. @param {ParentNode} within */
export const readFields = (within) => Object.fromEntries([...within.querySelectorAll('.how select')].map((el) => [/** @type {any} */ (el).name, /** @type {any} */ (el).value]));
