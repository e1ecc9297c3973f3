// @ts-check
/** Music that is not there now, in words: its folder is away, or its file has left. */
import { plural } from './format.js';
import { isAway } from './places.js';

/** The station's answer to a stream that cannot begin, for a listener. @param {any} error of the answer: `{code, message, details?}` @param {any} [track] as it is known here */
export const reasonOf = (error, track) => {
  if (error?.code !== 'track_missing' || isAway(track)) return error?.message || 'Its file is not there now.';
  if (error.details?.reason === 'no_answer') return 'Its music folder is away now.';
  if (error.details?.reason === 'not_there') return 'Its file is no longer in its music folder.';
  return error.message || 'Its file is not there now.';
};

/** The last part of a path. @param {string} path */
export const folderName = (path) => path.split(/[\\/]/).filter(Boolean).pop() ?? path;

/**
 * One line about the music folders that are away; '' when all are there.
 * @param {{path: string, state: string, track_count?: number}[] | null | undefined} storage as `GET /api/health` tells
 */
export const awayLine = (storage) => {
  const away = (storage ?? []).filter((root) => root.state !== 'online');
  if (!away.length) return '';
  const tracks = away.reduce((sum, root) => sum + (root.track_count ?? 0), 0);
  const what = away.length === 1 ? `The music folder “${folderName(away[0].path)}” is away` : `${plural(away.length, 'music folder')} are away`;
  return tracks ? `${what}. ${plural(tracks, 'track')} ${tracks === 1 ? 'waits' : 'wait'} for ${away.length === 1 ? 'it' : 'them'}.` : `${what}.`;
};
