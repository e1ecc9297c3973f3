// @ts-check
/** One's own things on their way to another library, and what came of it. */
import { plural } from './format.js';

/** @type {[string, string, string][]} kind, its name, what it means */
export const KINDS = [
  ['playlists', 'Playlists', 'The ones you made'],
  ['favourites', 'Favourites', 'Tracks, albums and artists'],
  ['ratings', 'Ratings', 'Your stars'],
  ['plays', 'Plays', 'What you heard, and when'],
];

/** What an import would change, or has changed; nothing when it is all here already. @param {any} report @returns {string[]} */
export const reportWords = ({ playlists, ratings, favourites, plays }) => [
  playlists.made ? `${plural(playlists.made, 'new playlist')}` : '',
  playlists.updated ? `${plural(playlists.updated, 'playlist')} changed` : '',
  favourites ? plural(favourites, 'favourite') : '',
  ratings ? plural(ratings, 'rating') : '',
  plays ? plural(plays, 'play') : '',
].filter(Boolean);

/** A document of one's things in a file; throws with what to tell. @param {string} text */
export const documentIn = (text) => {
  let document;
  try { document = JSON.parse(text); } catch { throw new Error('This file cannot be read. An export is a file that ends in .json.'); }
  if (!document || typeof document !== 'object' || !Number.isFinite(document.soundsible)) throw new Error('This is no export of Soundsible.');
  return document;
};
