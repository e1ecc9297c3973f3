// @ts-check
/** Where music lies (this machine, the station's cache, the cloud) and the long work between these places, in words. */
import { until } from './coming.js';
import { ago, count, plural, size } from './format.js';

/** What to run at the station's machine when there is no storage. */
export const ADD_STORAGE = 'python3 run.py tool storage add r2';

/** Whether a track comes from the cloud when it is played. @param {any} track */
export const isAway = (track) => track?.place === 'cloud' || track?.place === 'cache';

/** Where a track lies, when that is worth a sign; '' for what lies here. @param {any} track */
export const placeWords = (track) => (track?.place === 'cloud' ? 'In the cloud' : track?.place === 'cache' ? 'In the cloud, with a copy in the station’s cache' : '');

/** Where an album lies, in a word or two; '' when all of it lies here. @param {any[]} tracks */
export const albumPlace = (tracks) => {
  if (!tracks.length) return '';
  const away = tracks.filter(isAway).length;
  if (away === tracks.length) return 'In the cloud';
  if (away) return `${count(away)} of ${count(tracks.length)} in the cloud`;
  return tracks.every((t) => t.place === 'missing') ? 'Not there now' : '';
};

/** Whether it is kept on this machine: by itself (`own`), with its album (`album`), or not (''). @param {{kind: string, id: string}[]} pins @param {'track' | 'album'} kind @param {string} id @param {string | null} [albumId] of a track */
export const keptBy = (pins, kind, id, albumId) => {
  if (pins.some((p) => p.kind === kind && p.id === id)) return 'own';
  return kind === 'track' && albumId && pins.some((p) => p.kind === 'album' && p.id === albumId) ? 'album' : '';
};

/* ---- storages */

/** @param {any} storage as `GET /api/storage` tells @returns {{words: string, wrong: boolean, remedy: string}} */
export const storageState = (storage) => {
  const { state, broken } = storage;
  if (state === 'ready') {
    return { words: 'Ready', wrong: false, remedy: broken ? `${plural(broken, 'copy', 'copies')} in it ${broken === 1 ? 'is' : 'are'} gone or damaged and ${broken === 1 ? 'does' : 'do'} not count. “Copy everything” makes those of what lies here anew.` : '' };
  }
  if (state === 'trouble') return { words: 'Does not answer', wrong: true, remedy: `The station tries again by itself; what lies only there waits. On the station’s machine this says what is wrong: python3 run.py tool storage test ${storage.name}` };
  return { words: state === 'locked' ? 'Locked' : 'Not set up here', wrong: true, remedy: storage.message ?? '' };
};

const COMMAND = /(python3 run\.py tool storage (?:(?:secret|remove|test|key) [a-z0-9][a-z0-9_-]*(?:\.[a-z0-9_-]+)*|add(?: r2)?))/;
/** A sentence in pieces; every second one is something to run. @param {string} text @returns {string[]} */
export const commandsIn = (text) => text.split(COMMAND);

/** What is copied to the cloud by itself. @param {string} copying the setting cloud_copy */
export const copyingWords = (copying) => ({ downloads: 'What is downloaded is copied there by itself.', all: 'Everything new is copied there by itself.' }[copying] ?? '');

/* ---- one place of a track */

/** @type {Record<string, string>} */
const STATES = { here: '', changed: 'Not as it was: it is read again at the next look', gone: 'Not there', unknown: 'Does not answer now', broken: 'Does not count' };
/** @param {any} place as `GET /api/storage/places` tells @returns {{name: string, facts: string, state: string, message: string, wrong: boolean}} */
export const placeLine = (place) => {
  const name = place.kind === 'local' ? 'On this machine' : place.kind === 'cache' ? 'In the station’s cache' : `In the cloud: ${place.provider}`;
  const there = place.state === 'here' || place.state === 'changed';
  const [kind, kbps] = (place.compression || '').split(':');
  const facts = [
    place.size_bytes && (there || place.state === 'unknown') ? size(place.size_bytes) : '',
    place.kind !== 'cloud' || !there ? '' : kind ? `made smaller (${kind.toUpperCase()} ${kbps})` : 'the file itself',
    place.sealed ? 'encrypted' : '',
    place.verified_at && there ? `checked ${ago(place.verified_at)}` : '',
  ].filter(Boolean).join(' · ');
  // A file that was taken off this machine on purpose is no trouble.
  return { name, facts, state: STATES[place.state] ?? place.state, message: place.message ?? '', wrong: ['unknown', 'broken'].includes(place.state) };
};

/* ---- errands: long work of the station */

/** @type {Record<string, {icon: string, waiting: string, running: string, done: string}>} */
const KINDS = {
  upload: { icon: 'cloud-upload', waiting: 'To be copied to the cloud', running: 'Copying to the cloud', done: 'Copied to the cloud' },
  offload: { icon: 'cloud', waiting: 'To be moved to the cloud', running: 'Moving to the cloud', done: 'Moved to the cloud' },
  fetch: { icon: 'hard-drive-download', waiting: 'To be brought back', running: 'Bringing back', done: 'Brought back' },
  backup: { icon: 'folder', waiting: 'Backup', running: 'Backup', done: 'Backup' },
  check: { icon: 'check', waiting: 'Self-check', running: 'Self-check', done: 'Self-check' },
};
/** @type {Record<string, string>} */
const PHASES = { looking: 'Looking', comparing: 'Comparing', uploading: 'Copying', asking: 'Asking the storage', 'making room': 'Making room', 'bringing back': 'Bringing back', 'reading the catalogue': 'Reading what is there' };

const sentence = (/** @type {string} */ word) => word.charAt(0).toUpperCase() + word.slice(1);
/** @param {any} errand */
export const errandIcon = (errand) => KINDS[errand.kind]?.icon ?? 'refresh-cw';
/** @param {any} errand */
export const errandIsOver = (errand) => ['done', 'failed', 'cancelled'].includes(errand?.state);

/** What it is about. @param {any} errand */
export const errandName = (errand) => {
  if (errand.title) return errand.title;
  const { everything, album_count: albums = 0, track_count: tracks = 0 } = errand.selection ?? {};
  if (errand.kind === 'backup') return 'The library, its settings and playlists';
  if (errand.kind === 'check') return 'The database and the cache';
  if (everything) return 'All your music';
  return [albums ? plural(albums, 'album') : '', tracks ? plural(tracks, 'track') : ''].filter(Boolean).join(', ') || 'Music';
};

/** How far, 0-100; null while nobody knows. @param {any} errand */
export const errandPercent = (errand) => {
  const p = errand.progress;
  if (!p) return null;
  const share = p.bytes_total ? p.bytes_done / p.bytes_total : p.total ? p.done / p.total : null;
  return share === null ? null : Math.max(0, Math.min(100, share * 100));
};

/** What came of it, in short. @param {any} errand */
export const resultWords = (errand) => {
  const r = errand.report ?? {};
  const failed = r.failed?.length ?? 0;
  const more = failed ? `${plural(failed, 'track')} did not work` : '';
  const said = {
    upload: () => [r.uploaded ? `${plural(r.uploaded, 'track')}, ${size(r.bytes)}` : r.skipped ? 'It was there already' : ''],
    offload: () => [r.offloaded ? `${size(r.bytes)} freed` : '', r.kept?.length ? `${plural(r.kept.length, 'track')} ${r.kept.length === 1 ? 'stays' : 'stay'}` : '', !r.offloaded && !r.kept?.length && r.skipped ? 'It was not here' : ''],
    fetch: () => [r.fetched ? `${plural(r.fetched, 'track')}, ${size(r.bytes)}` : r.skipped ? 'It was here already' : ''],
  }[/** @type {'upload'} */ (errand.kind)];
  return [...(said?.() ?? []), more].filter(Boolean).join(' · ');
};

/** One line on where it stands. @param {any} errand @param {number} [now] */
export const errandLine = (errand, now = Date.now()) => {
  const { state, progress: p } = errand;
  const kind = KINDS[errand.kind] ?? { waiting: 'Waits', running: sentence(errand.kind ?? ''), done: sentence(errand.kind ?? '') };
  if (state === 'waiting') {
    const next = until(errand.not_before, now);
    return [kind.waiting, next ? `tried again ${next}` : 'waits for its turn'].join(' · ');
  }
  if (state === 'running') {
    const phase = p?.phase ? PHASES[p.phase] ?? sentence(p.phase) : '';
    return [kind.running, phase && phase !== kind.running.split(' to ')[0] ? phase : '', p?.total ? `${count(p.done)} of ${count(p.total)}` : '', p?.bytes_total ? `${size(p.bytes_done)} of ${size(p.bytes_total)}` : ''].filter(Boolean).join(' · ');
  }
  const when = errand.finished_at ? ago(errand.finished_at, now) : '';
  const idle = errand.kind === 'offload' && !errand.report?.offloaded; // all of it stays, as it should
  if (state === 'done') return [idle ? 'Nothing was moved' : kind.done, resultWords(errand), when].filter(Boolean).join(' · ');
  if (state === 'cancelled') return ['Stopped', resultWords(errand), when].filter(Boolean).join(' · ');
  return ['Did not work', resultWords(errand), when].filter(Boolean).join(' · ');
};

/** Why it failed, or what it waits for; '' when nothing is wrong. @param {any} errand */
export const errandTrouble = (errand) => (errand.state === 'failed' || (errand.state === 'waiting' && errand.attempt > 0) ? errand.message ?? '' : '');

/** What is said when one that the listener asked for is over. @param {any} errand @returns {{message: string, tone?: 'problem'} | null} */
export const overWords = (errand) => {
  const name = errand.title ? `“${errand.title}”` : errandName(errand);
  const r = errand.report ?? {};
  if (errand.state === 'failed') return { tone: 'problem', message: `${KINDS[errand.kind]?.running ?? 'That'} did not work for ${name}. ${errand.message ?? ''}`.trim() };
  if (errand.state !== 'done') return null;
  if (errand.kind === 'upload') return { message: r.uploaded ? `${name} is in the cloud now, too.` : `${name} was in the cloud already.` };
  if (errand.kind === 'offload') return { message: r.offloaded ? `${size(r.bytes)} are free again. ${name} streams from the cloud now.` : r.kept?.length ? `${name} stays here. ${r.kept[0].message}` : `${name} was not on this machine.` };
  if (errand.kind === 'fetch') return { message: r.fetched ? `${name} is back on this machine.` : `${name} was on this machine already.` };
  return null;
};

