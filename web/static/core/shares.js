// @ts-check
/** Words for links with which others hear a few things without an account. */
import { ago, plural } from './format.js';

/** For how long a link is good. @type {[string, string, number][]} value, words, days (0: until it is taken back) */
export const LASTS = [['1', 'A day', 1], ['7', 'A week', 7], ['30', 'A month', 30], ['365', 'A year', 365], ['0', 'Until I end it', 0]];

/** The end of a link that is good for so many days; null for none. @param {number} days @param {number} [now] Unix ms */
export const endOf = (days, now = Date.now()) => (days ? new Date(now + days * 86_400_000).toISOString() : null);

/** @param {any} share @param {number} [now] Unix ms */
export const isOver = (share, now = Date.now()) => share.over || Boolean(share.expires_at) && Date.parse(share.expires_at) <= now;

const KINDS = { track: 'Track', album: 'Album', artist: 'Artist', playlist: 'Playlist', episode: 'Episode' };

/** What is shared; its title only where something else stands as its name. @param {any} share */
export const shareWhat = ({ entries = [], title, description }) => {
  const kinds = [...new Set(entries.map((/** @type {any} */ one) => one.kind))];
  const kind = entries.length === 1 ? KINDS[/** @type {'track'} */ (kinds[0])] ?? '' : entries.length ? plural(entries.length, kinds.length === 1 ? kinds[0] : 'thing') : '';
  return description && title ? `${kind} “${title}”`.trim() : kind;
};

/** How long it is good yet, and how often it was looked at. @param {any} share as `GET /api/shares` tells @param {number} [now] Unix ms */
export const shareLine = (share, now = Date.now()) => {
  const days = share.expires_at ? Math.ceil((Date.parse(share.expires_at) - now) / 86_400_000) : null;
  return [
    shareWhat(share),
    isOver(share, now) ? 'over' : days === null ? 'good until you end it' : days <= 1 ? 'good until tomorrow' : `good for ${days} days`,
    share.visit_count ? `opened ${share.visit_count === 1 ? 'once' : plural(share.visit_count, 'time')}${share.visited_at ? `, last ${ago(share.visited_at, now)}` : ''}` : 'not opened yet',
  ].filter(Boolean).join(' · ');
};

/** What it is of, when nobody said. @param {any} share */
export const shareName = (share) => share.description || share.title || 'What is not here any more';
