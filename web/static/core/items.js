// @ts-check
/**
 * What stands in the queue beside tracks: episodes of podcasts, and internet radio. They are drawn and played like
 * tracks; their ids say what they are (`episode:…`, `radio:…`), a track's own id stands alone.
 */

const ALMOST_OVER_MS = 10000; // an episode that was left this close to its end begins anew

/** @param {string} id of a queue's entry @returns {'track' | 'episode' | 'radio'} */
export const kindOf = (id) => (id.startsWith('episode:') ? 'episode' : id.startsWith('radio:') ? 'radio' : 'track');

/** The id by which the station knows it. @param {string} id */
export const uidOf = (id) => id.slice(id.indexOf(':') + 1);

/** @param {any} episode as `GET /api/episodes` tells */
export const episodeItem = (episode) => ({
  id: `episode:${episode.id}`, kind: 'episode', title: episode.title, artist: episode.podcast_title ?? '', artists: [],
  album: episode.podcast_title ?? '', album_id: null, podcast_id: episode.podcast_id, duration_ms: episode.duration_ms ?? 0,
  position_ms: episode.position_ms ?? 0, finished: Boolean(episode.finished),
  cover: {}, picture: `/api/podcasts/${encodeURIComponent(episode.podcast_id)}/cover`, stream: `/api/episodes/${encodeURIComponent(episode.id)}/stream`,
});

/** @param {any} radio as `GET /api/radios` tells */
export const radioItem = (radio) => ({
  id: `radio:${radio.id}`, kind: 'radio', title: radio.name, artist: '', artists: [], album: null, album_id: null, duration_ms: null,
  cover: null, stream: `/api/radios/${encodeURIComponent(radio.id)}/stream`,
});

/** Where to go on, ms: an episode where it was left, everything else at its beginning. @param {any} item */
export const resumeAt = (item) => {
  if (item?.kind !== 'episode' || item.finished) return 0;
  const left = item.duration_ms ? item.duration_ms - item.position_ms : Infinity;
  return left > ALMOST_OVER_MS ? item.position_ms ?? 0 : 0;
};

/** Whether a radio is on the air here: not while it is paused, or does not come. @param {any} item @param {any} state of the store */
export const onAir = (item, { status, waiting }) => item?.kind === 'radio' && status === 'playing' && !waiting;

/** What is on the air now, in words; '' while nobody says. @param {any} now as `GET /api/radios/<id>/now` tells */
export const airWords = (now) => [now?.artist, now?.title].filter(Boolean).join(' – ');

/** Where something that plays has its page. @param {any} item */
export const pageOf = (item) => {
  if (item.preview) return '#/search';
  if (item.kind === 'episode') return `#/podcast/${encodeURIComponent(item.podcast_id)}`;
  if (item.kind === 'radio') return '#/radio';
  return item.album_id ? `#/album/${encodeURIComponent(item.album_id)}` : '#/library/tracks';
};

/**
 * Tells the station now and then how far an episode was heard: while it plays every few seconds, at a pause at once.
 * @param {object} parts
 * @param {(item: any, told: {position_ms: number, finished: boolean}) => void} parts.tell
 * @param {number} [parts.everyMs] @param {() => number} [parts.now] Unix ms
 */
export const createHeard = ({ tell, everyMs = 10000, now = Date.now }) => {
  /** @type {{item: any, position_ms: number, finished: boolean} | null} what was not told yet */
  let waiting = null;
  let id = '';
  let told = 0;
  const flush = () => {
    if (!waiting) return;
    const { item, ...heard } = waiting;
    waiting = null;
    told = now();
    tell(item, heard);
  };
  return {
    /** @param {any} item @param {number} positionMs @param {{finished?: boolean, soon?: boolean}} [more] */
    at(item, positionMs, { finished = false, soon = false } = {}) {
      if (item.id !== id) {
        flush();
        id = item.id;
        told = now();
      }
      waiting = { item, position_ms: finished ? 0 : Math.max(0, Math.round(positionMs)), finished };
      if (finished || soon || now() - told >= everyMs) flush();
    },
    flush,
  };
};

/**
 * Knows what a radio plays for as long as it is heard: the station tells it by itself, and is asked now and then in case
 * that went amiss.
 * @param {object} parts
 * @param {(uid: string) => Promise<any>} parts.ask
 * @param {(id: string, now: any) => void} parts.told
 * @param {number} [parts.everyMs]
 */
export const createAir = ({ ask, told, everyMs = 15000 }) => {
  let id = '';
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const look = async () => {
    const mine = id;
    const now = await ask(uidOf(mine)).catch(() => null);
    if (mine !== id) return;
    if (now) told(mine, now);
    timer = setTimeout(look, everyMs);
  };
  return {
    /** What a radio says of itself. @param {any} now with its `id` */
    heard(now) { if (`radio:${now.id}` === id) told(id, now); },
    /** @param {string} next id of the radio that is heard, '' for none */
    listen(next) {
      if (next === id) return;
      clearTimeout(timer);
      id = next;
      if (id) timer = setTimeout(look, 700); // it says so only once it plays
    },
  };
};
