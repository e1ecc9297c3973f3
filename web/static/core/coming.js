// @ts-check
/** How a download is told to a listener: where it stands, why it did not work, and what can be done. */
import { plural, size } from './format.js';

/** @type {Record<string, string>} */
const STATUS = { waiting: 'Waiting', pending: 'Looking for it', queued: 'Next in line', downloading: 'Coming in', processing: 'Getting it ready', completed: 'In your library', paused: 'Paused', failed: 'Did not work', cancelled: 'Stopped' };
/** @type {Record<string, string>} */
const STAGES = { understand: 'Finding out what it is', find: 'Looking for the best one', fetch: 'Coming in', inspect: 'Checking that it is whole', identify: 'Finding out who it is by', process: 'Getting the sound right', dress: 'Adding cover and words', admit: 'Putting it on the shelf' };
/** What took so long, in a list of times. @type {Record<string, string>} */
const SPENT = { understand: 'Finding out what it is', find: 'Looking for it', fetch: 'Fetching', inspect: 'Checking', identify: 'Finding out who it is by', process: 'Sound', dress: 'Cover and words', admit: 'Putting it on the shelf' };
/** @type {Record<string, string>} */
const SOURCES = { youtube: 'YouTube', soulseek: 'Soulseek', direct: 'the link', deezer: 'Deezer', spotify: 'Spotify', musicbrainz: 'MusicBrainz', library: 'your library', local: 'your library', words: 'your words', coverart: 'the Cover Art Archive', lrclib: 'LRCLIB', acoustid: 'AcoustID' };
/** What a candidate's score is made of. @type {Record<string, string>} */
const PARTS = { isrc: 'Same recording number', artist: 'Artist', other_artists: 'Other artists', title: 'Title', version: 'Version', duration: 'Length', album: 'Album', explicit: 'Explicit or not', quality: 'Quality', source: 'Where it is' };

const sentence = (/** @type {string} */ word) => word.charAt(0).toUpperCase() + word.slice(1).replaceAll('_', ' ');
/** @param {string} status */
export const statusWords = (status) => STATUS[status] ?? sentence(status ?? '');
/** @param {string} stage */
export const spentWords = (stage) => SPENT[stage] ?? sentence(stage);
/** @param {string} part */
export const partWords = (part) => PARTS[part] ?? sentence(part);
/** A source's name, as within a sentence. @param {string | null | undefined} name */
export const sourceName = (name) => (name ? SOURCES[name] ?? sentence(name) : '');
/** The same alone. @param {string | null | undefined} name */
export const sourceTitle = (name) => ({ direct: 'Direct link', words: 'Words', local: 'Your library', library: 'Your library', coverart: 'Cover Art Archive' }[name ?? ''] ?? sourceName(name));

/** What it is called, as far as that is known. @param {any} download */
export const nameOf = (download) => download.title || download.query || shortLink(download.url) || 'Something';

/** A link without what nobody reads. @param {string | null | undefined} url */
export const shortLink = (url) => {
  if (!url) return '';
  let path = url.replace(/^https?:\/\/(www\.)?/, '').replace(/[?#].*$/, '');
  try { path = decodeURIComponent(path); } catch { /* as it is */ }
  return path.replace(/\/$/, '');
};

/** A time to come: "5 s left", "3 min left". @param {number | null | undefined} seconds */
export const left = (seconds) => {
  if (!Number.isFinite(seconds)) return '';
  const s = Math.max(1, Math.round(Number(seconds)));
  return s < 60 ? `${s} s left` : s < 3600 ? `${Math.round(s / 60)} min left` : `${Math.round(s / 360) / 10} h left`;
};

/** How long something took: "0.4 s", "12 s", "3 min". @param {number} ms */
export const took = (ms) => (ms < 10000 ? `${(ms / 1000).toFixed(1)} s` : ms < 60000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60000)} min`);

/** "in 40 s", "at 01:00", "tomorrow at 01:00". @param {string | null | undefined} at @param {number} [now] */
export const until = (at, now = Date.now()) => {
  const then = Date.parse(at ?? '');
  if (Number.isNaN(then) || then <= now) return '';
  const seconds = Math.ceil((then - now) / 1000);
  if (seconds < 90) return `in ${seconds} s`;
  if (seconds < 3600) return `in ${Math.round(seconds / 60)} min`;
  const day = new Date(then);
  const time = day.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  return day.toDateString() === new Date(now).toDateString() ? `at ${time}` : `on ${day.toLocaleDateString('en-GB', { day: 'numeric', month: 'long' })} at ${time}`;
};

/** Where it stands, in one line. @param {any} download @param {number} [now] @returns {string} */
export const stateLine = (download, now = Date.now()) => {
  const { status, stage, progress, note } = download;
  if (status === 'downloading') {
    const { bytes, total_bytes: total, bytes_per_second: speed, eta_s: eta } = progress ?? {};
    // What matters most comes first: on a phone the end of the line is cut.
    return [left(eta) || STAGES.fetch, bytes || total ? (total ? `${size(bytes ?? 0)} of ${size(total)}` : size(bytes)) : '', speed ? `${size(speed)}/s` : ''].filter(Boolean).join(' · ');
  }
  if (status === 'pending' || status === 'processing') return STAGES[stage] ?? statusWords(status);
  if (status === 'waiting') return note || [statusWords(status), until(download.not_before, now)].filter(Boolean).join(' ');
  if (status === 'failed') return download.error?.message ?? statusWords(status);
  if (status === 'completed') return download.duplicate_of && !note ? 'It was in your library already' : note || [statusWords(status), download.quality_got].filter(Boolean).join(' · ');
  return [statusWords(status), note].filter(Boolean).join(' · ');
};

/** How far it is, 0-100; null while nobody knows. @param {any} download */
export const percentOf = (download) => {
  if (download.status === 'processing') return 100;
  return download.status === 'downloading' || download.status === 'paused' ? download.progress?.percent ?? null : null;
};

/** Why it did not work, in few words. @type {Record<string, string>} */
const REASONS = {
  refused: 'The source did not answer', timed_out: 'The source took too long', service_error: 'The source had a problem', garbage: 'The source answered nonsense',
  connection_lost: 'The line broke', rate_limited: 'Asked too often for now', offline_peer: 'The other side went away', private: 'It is private', removed: 'It is no longer there',
  region: 'Not available where you are', age: 'It asks for an age', needs_login: 'It asks for a login', no_permission: 'Not for everybody', drm: 'It is locked', live: 'It is still being broadcast',
  not_found: 'There is nothing there', not_audio: 'There is no music in it', too_large: 'It is too large', too_long: 'It is too long', wrong_length: 'Its length does not fit', damaged: 'It is damaged',
  empty: 'It is empty', lies_about_size: 'It is not what it said', unsupported: 'Nobody here knows such links', blocked: 'You said it is not this', forbidden_address: 'This address may not be asked',
  bad_link: 'This is no link', no_candidates: 'Nobody has it', not_configured: 'No source is set up for it', disk_full: 'The disk is full', library_offline: 'The music folder is away',
  read_only: 'The music folder cannot be written to', no_music_folder: 'There is no music folder yet', crashed: 'It broke off', out_of_time: 'It took too long', out_of_memory: 'It needs too much memory', internal: 'Something went wrong here',
};
/** @param {any} error */
export const reasonWords = (error) => REASONS[error?.code] ?? 'Did not work';

const ELSEWHERE = new Set(['private', 'removed', 'region', 'age', 'needs_login', 'no_permission', 'drm', 'not_found', 'not_audio', 'too_large', 'too_long', 'wrong_length', 'damaged', 'empty', 'lies_about_size', 'blocked', 'unsupported', 'no_candidates', 'live']);
const SHELF = new Set(['library_offline', 'read_only', 'no_music_folder']);

/**
 * The one thing to do about a failure.
 * @param {any} download @param {{candidates?: any[], seesFiles?: boolean}} [around]
 * @returns {{words: string, deed?: string, href?: string}}
 */
export const nextStep = (download, { candidates = [], seesFiles = false } = {}) => {
  const code = download.error?.code;
  if (SHELF.has(code) && seesFiles) return { words: 'See your music folders', href: '#/you/folders' };
  if (code === 'not_configured') return { words: 'See the sources', href: '#/downloads/sources' };
  if (code === 'bad_link' || code === 'forbidden_address') return { words: 'Try another link', href: '#/downloads' };
  if (ELSEWHERE.has(code) && !download.error?.retryable) {
    if (candidates.some((one) => !one.chosen)) return { words: 'Choose another', deed: 'see-candidates' };
    const words = [download.artist, download.title].filter(Boolean).join(' ') || download.query;
    return words ? { words: 'Search for it', href: `#/search?q=${encodeURIComponent(words)}` } : { words: 'Try another link', href: '#/downloads' };
  }
  return { words: 'Try again', deed: 'download-retry' };
};

/** A link on the web, or a catalogue's own address. @param {string} text */
export const isLink = (text) => /^(https?:\/\/[^\s/]+\S*|spotify:(track|album|playlist|artist):[A-Za-z0-9]+)$/i.test(text.trim())
  || /^(www\.|m\.|music\.|open\.|link\.)?(youtube\.com|youtu\.be|spotify\.com|deezer\.com|soundcloud\.com|musicbrainz\.org|[a-z0-9-]+\.bandcamp\.com|archive\.org)\/\S+$/i.test(text.trim());
/** With its beginning, when that was left out. @param {string} text */
export const wholeLink = (text) => (/^(https?:|spotify:)/i.test(text.trim()) ? text.trim() : `https://${text.trim()}`);

/**
 * What was typed or pasted, as a question to the station: one thing, or a list of them.
 * @param {string} text @returns {{path: string, body: any} | null}
 */
export const wishOf = (text) => {
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
  if (!lines.length) return null;
  if (lines.length > 1) return { path: '/downloads/batch', body: { text } };
  return { path: '/downloads', body: isLink(lines[0]) ? { url: wholeLink(lines[0]) } : { query: lines[0].slice(0, 500) } };
};

/** What is sent for an offer's track: the recording itself where it is known, else its link. @param {any} offer */
export const wishOfOffer = (offer) => {
  const [own] = offer.tracks ?? [];
  if (own && offer.kind === 'track') return { track: wantedOf(own) };
  if (offer.url) return { url: offer.url };
  return { track: wantedOf({ title: offer.title, artist: offer.artist, album: offer.album, isrc: offer.isrc, duration_ms: offer.duration_ms, cover_url: offer.cover_url, source: offer.source, source_id: offer.id }) };
};
/** A recording without what is not known of it. @param {any} track */
export const wantedOf = (track) => Object.fromEntries(Object.entries(track).filter(([key, value]) => key !== 'track_id' && value !== null && value !== undefined && !(Array.isArray(value) && !value.length)));

/** What a form of options says; what was left as the station has it stays out. @param {FormData} form */
export const optionsOf = (form) => {
  /** @type {Record<string, any>} */
  const out = {};
  for (const name of ['quality', 'format', 'level']) { const value = form.get(name); if (value) out[name] = value; }
  if (form.get('trim')) out.trim = form.get('trim') === 'yes';
  if (form.get('when') === 'night') out.nightly = true;
  return out;
};

/** Which sources did not answer, in one line. @param {{source: string, message?: string}[]} failures */
export const silentLine = (failures) => {
  const names = [...new Set(failures.map((one) => sourceTitle(one.source)))];
  if (!names.length) return '';
  const all = names.length === 1 ? names[0] : `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
  return `${all} did not answer this time.`;
};

/** Numbers that lie between a record's known tracks: surely missing. @param {any[]} tracks @returns {number} */
export const gapsIn = (tracks) => {
  /** @type {Map<number, Set<number>>} */
  const discs = new Map();
  for (const track of tracks) {
    if (!track.track_number) return 0; // a record without numbers has no gaps to see
    const disc = track.disc_number ?? 1;
    if (!discs.has(disc)) discs.set(disc, new Set());
    discs.get(disc)?.add(track.track_number);
  }
  let gaps = 0;
  for (const numbers of discs.values()) gaps += Math.max(...numbers) - numbers.size;
  return gaps > 99 ? 0 : gaps;
};

/** @param {number} n */
export const lackingWords = (n) => `${plural(n, 'track')} ${n === 1 ? 'is' : 'are'} not in your library`;
