// @ts-check
/** Words for podcasts and their episodes. */
import { ago, plural, span } from './format.js';

/** How many of the newest episodes come here by themselves. @type {[string, string][]} */
export const KEEPS = [['0', 'None: I choose'], ['1', 'The newest'], ['3', 'The 3 newest'], ['5', 'The 5 newest'], ['10', 'The 10 newest']];

/** @param {any} episode */
export const isHere = (episode) => episode.status === 'completed';
/** @param {any} episode */
export const isComing = (episode) => episode.status === 'downloading';

/** How far it was heard, 0-1. @param {any} episode */
export const heardShare = (episode) => (episode.finished ? 1 : episode.duration_ms ? Math.min(1, (episode.position_ms ?? 0) / episode.duration_ms) : 0);

/** When it came out, and how long it is or how much is left. @param {any} episode @param {number} [now] Unix ms */
export const episodeLine = (episode, now = Date.now()) => {
  const left = (episode.duration_ms ?? 0) - episode.position_ms;
  const length = !episode.duration_ms ? '' : episode.finished ? 'Played' : episode.position_ms > 0 ? `${span(Math.max(0, left))} left` : span(episode.duration_ms);
  return [ago(episode.published_at, now), length || (episode.finished ? 'Played' : ''), episode.explicit ? 'Explicit' : ''].filter(Boolean).join(' · ');
};

/** @param {any} podcast */
export const podcastLine = (podcast) => (podcast.new_count ? plural(podcast.new_count, 'new episode') : podcast.author || plural(podcast.episode_count ?? 0, 'episode'));

/** Whether it was begun and not heard to its end. @param {any} episode */
export const isBegun = (episode) => !episode.finished && episode.position_ms > 0;

/** What came of a list of feeds that was taken over. @param {{added: number, known: number, failed: number}} report */
export const opmlWords = ({ added, known, failed }) => [`${plural(added, 'podcast')} added`, known ? `${known} followed already` : '', failed ? `${failed} could not be read` : ''].filter(Boolean).join(', ');
