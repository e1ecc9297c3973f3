// @ts-check
/** Times, counts and words as a listener reads them. */

/** A position or length: `3:07`, `1:02:09`. @param {number | null | undefined} ms */
export const clock = (ms) => {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–:––';
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
};

/** The same, said: "3 minutes 7 seconds". @param {number} ms */
export const spoken = (ms) => {
  const seconds = Math.max(0, Math.floor((Number.isFinite(ms) ? ms : 0) / 1000));
  const parts = [[Math.floor(seconds / 3600), 'hour'], [Math.floor(seconds / 60) % 60, 'minute'], [seconds % 60, 'second']];
  return parts.filter(([n]) => n).map(([n, word]) => plural(Number(n), String(word))).join(' ') || '0 seconds';
};

/** A whole record or list: `42 min`, `3 h 5 min`, `12 days`. @param {number} ms */
export const span = (ms) => {
  const minutes = Math.round(ms / 60000);
  if (ms < 60000) return `${Math.max(1, Math.round(ms / 1000))} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return plural(Math.round(hours / 24), 'day');
};

/** `1,204`. @param {number} n */
export const count = (n) => (Number(n) || 0).toLocaleString('en-US');

/** `1 track`, `1,204 tracks`. @param {number} n @param {string} one @param {string} [many] */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** `31.4 MB`. @param {number} n bytes */
export const size = (n) => {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let value = Number(n) || 0;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
};

const FORMATS = { mp3: 'MP3', flac: 'FLAC', vorbis: 'Ogg Vorbis', opus: 'Opus', aac: 'AAC', alac: 'ALAC', wav: 'WAV', aiff: 'AIFF', wavpack: 'WavPack', ape: 'APE', wma: 'WMA' };

/** What the file is: `FLAC · 24 bit · 96 kHz`, `MP3 · 320 kbit/s`. @param {any} track */
export const quality = (track) => {
  const lossless = ['flac', 'alac', 'wav', 'aiff', 'wavpack', 'ape'].includes(track.format);
  const parts = [FORMATS[/** @type {'mp3'} */ (track.format)] ?? track.format];
  if (lossless && track.bit_depth) parts.push(`${track.bit_depth} bit`);
  if (lossless && track.sample_rate_hz) parts.push(`${+(track.sample_rate_hz / 1000).toFixed(1)} kHz`);
  if (!lossless && track.bitrate_kbps) parts.push(`${track.bitrate_kbps} kbit/s`);
  return parts.filter(Boolean).join(' · ');
};

/** "just now", "5 minutes ago", "yesterday", "3 May 2024". @param {string} at RFC 3339 @param {number} [now] ms */
export const ago = (at, now = Date.now()) => {
  const then = Date.parse(at);
  if (Number.isNaN(then)) return '';
  const minutes = Math.floor((now - then) / 60000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${plural(minutes, 'minute')} ago`;
  if (minutes < 60 * 24) return `${plural(Math.floor(minutes / 60), 'hour')} ago`;
  const days = Math.floor(minutes / 60 / 24);
  if (days === 1) return 'yesterday';
  if (days < 7) return `${days} days ago`;
  return new Date(then).toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric' });
};

/** A word for the time of day. @param {number} hour 0-23 */
export const greeting = (hour) => (hour >= 5 && hour < 12 ? 'Good morning' : hour >= 12 && hour < 18 ? 'Good afternoon' : 'Good evening');

/** The letter that stands for something without a picture. @param {string | null | undefined} title */
export const initial = (title) => {
  const found = String(title ?? '').normalize('NFC').match(/[\p{L}\p{N}]/u);
  return found ? found[0].toLocaleUpperCase() : '♪';
};

/** A longer text in its paragraphs. @param {string} text */
export const paragraphs = (text) => String(text ?? '').split(/\n+/).map((one) => one.trim()).filter(Boolean);

const plain = (/** @type {string | null | undefined} */ text) => String(text ?? '').normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
/** Whether a name has all the words that are looked for, or beginnings of them; accents do not matter. @param {string} words @param {string} name */
export const named = (words, name) => {
  const has = plain(name).split(/[^\p{L}\p{N}]+/u);
  const wanted = plain(words).split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  return wanted.length > 0 && wanted.every((one) => has.some((word) => word.startsWith(one)));
};
