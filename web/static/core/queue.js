// @ts-check
/**
 * What plays, and in which order. Pure: every deed takes a queue and answers a new one.
 *
 * An entry has a key of its own, since a track may stand in a queue twice.
 * @typedef {{key: string, id: string}} Entry
 * @typedef {'off' | 'all' | 'one'} Repeat
 * @typedef {object} Queue
 * @property {Entry[]} entries in playing order
 * @property {number} index the entry that plays; -1 when empty
 * @property {boolean} shuffle
 * @property {Repeat} repeat
 * @property {string[] | null} natural keys in the order before shuffling
 * @property {number} made how many entries were ever made (for keys)
 * @property {string} source what it was started from, in words
 */

/** @type {Queue} */
export const EMPTY = Object.freeze({ entries: [], index: -1, shuffle: false, repeat: 'off', natural: null, made: 0, source: '' });

/** @param {Queue} queue @param {string[]} ids */
const make = (queue, ids) => ids.map((id, i) => ({ key: `e${queue.made + i}`, id }));

/** @param {Entry[]} entries @param {() => number} random */
const shuffled = (entries, random) => {
  const out = [...entries];
  for (let i = out.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
};

/** @param {Queue} queue @returns {Entry | null} */
export const current = (queue) => queue.entries[queue.index] ?? null;

/** @param {Queue} queue */
export const upcoming = (queue) => queue.entries.slice(queue.index + 1);

/**
 * Starts anew. With shuffle on, the track at `start` plays first and the rest follows in any order;
 * `start` null leaves the first to chance too.
 * @param {Queue} queue @param {string[]} ids @param {{start?: number | null, shuffle?: boolean, source?: string, random?: () => number}} [options]
 * @returns {Queue}
 */
export const load = (queue, ids, { start = 0, shuffle = queue.shuffle, source = '', random = Math.random } = {}) => {
  const entries = make(queue, ids);
  const base = { ...queue, made: queue.made + ids.length, source, shuffle };
  if (!entries.length) return { ...base, entries, index: -1, natural: null };
  if (!shuffle) {
    const index = Math.min(Math.max(start ?? 0, 0), entries.length - 1);
    return { ...base, entries, index, natural: null };
  }
  const first = start === null ? Math.floor(random() * entries.length) : Math.min(Math.max(start, 0), entries.length - 1);
  const rest = entries.filter((_, i) => i !== first);
  return { ...base, entries: [entries[first], ...shuffled(rest, random)], index: 0, natural: entries.map((e) => e.key) };
};

/**
 * The index that comes next, or -1 at the end. `auto`: the track ended by itself, so "repeat one" holds;
 * a press of next leaves it.
 * @param {Queue} queue @param {{auto?: boolean}} [options]
 */
export const nextIndex = (queue, { auto = false } = {}) => {
  if (!queue.entries.length) return -1;
  if (auto && queue.repeat === 'one') return queue.index;
  if (queue.index + 1 < queue.entries.length) return queue.index + 1;
  return queue.repeat === 'off' ? -1 : 0;
};

/** @param {Queue} queue @param {{auto?: boolean}} [options] @returns {Entry | null} */
export const peek = (queue, options) => queue.entries[nextIndex(queue, options)] ?? null;

/** The next entry plays; null when there is none. @param {Queue} queue @param {{auto?: boolean}} [options] @returns {Queue | null} */
export const next = (queue, options) => {
  const index = nextIndex(queue, options);
  return index < 0 ? null : { ...queue, index };
};

/** The one before; at the start it wraps only when everything repeats. @param {Queue} queue @returns {Queue} */
export const previous = (queue) => {
  if (queue.index > 0) return { ...queue, index: queue.index - 1 };
  if (queue.repeat === 'all' && queue.entries.length) return { ...queue, index: queue.entries.length - 1 };
  return queue;
};

/** @param {Queue} queue @param {number} index @returns {Queue} */
export const jump = (queue, index) => (index >= 0 && index < queue.entries.length ? { ...queue, index } : queue);

/** @param {Queue} queue @param {string[]} ids @param {number} at @returns {Queue} */
const insert = (queue, ids, at) => {
  if (!ids.length) return queue;
  const fresh = make(queue, ids);
  const entries = [...queue.entries.slice(0, at), ...fresh, ...queue.entries.slice(at)];
  let natural = queue.natural;
  if (natural) {
    // Unshuffled they stand where they were put: after the entry before them, or at the end.
    const before = queue.entries[at - 1]?.key;
    const spot = at >= queue.entries.length || before === undefined ? natural.length : natural.indexOf(before) + 1;
    natural = [...natural.slice(0, spot), ...fresh.map((e) => e.key), ...natural.slice(spot)];
  }
  return { ...queue, entries, natural, made: queue.made + ids.length, index: queue.index < 0 ? 0 : queue.index };
};

/** They play right after what plays now. @param {Queue} queue @param {string[]} ids */
export const insertNext = (queue, ids) => insert(queue, ids, queue.index + 1);

/** @param {Queue} queue @param {string[]} ids */
export const append = (queue, ids) => insert(queue, ids, queue.entries.length);

/** What plays goes on playing, wherever it moves to. @param {Queue} queue @param {number} from @param {number} to @returns {Queue} */
export const move = (queue, from, to) => {
  const { length } = queue.entries;
  if (from === to || from < 0 || from >= length || to < 0 || to >= length) return queue;
  const playing = current(queue);
  const entries = [...queue.entries];
  entries.splice(to, 0, ...entries.splice(from, 1));
  return { ...queue, entries, index: playing ? entries.indexOf(playing) : -1 };
};

/**
 * Takes one out. Taking out what plays lets the next one take its place (the last: the one before).
 * @param {Queue} queue @param {number} at @returns {Queue}
 */
export const remove = (queue, at) => {
  const gone = queue.entries[at];
  if (!gone) return queue;
  const entries = queue.entries.filter((_, i) => i !== at);
  const index = at < queue.index ? queue.index - 1 : Math.min(queue.index, entries.length - 1);
  return { ...queue, entries, index, natural: queue.natural?.filter((key) => key !== gone.key) ?? null };
};

/** Takes out every entry of tracks that are gone, but what plays now. @param {Queue} queue @param {Set<string>} ids @returns {Queue} */
export const removeTracks = (queue, ids) => {
  const playing = current(queue);
  const entries = queue.entries.filter((entry) => entry === playing || !ids.has(entry.id));
  if (entries.length === queue.entries.length) return queue;
  const keys = new Set(entries.map((e) => e.key));
  return { ...queue, entries, index: playing ? entries.indexOf(playing) : -1, natural: queue.natural?.filter((k) => keys.has(k)) ?? null };
};

/** Only what plays stays. @param {Queue} queue @returns {Queue} */
export const clear = (queue) => {
  const playing = current(queue);
  return { ...queue, entries: playing ? [playing] : [], index: playing ? 0 : -1, natural: queue.natural && playing ? [playing.key] : null };
};

/**
 * What plays now keeps playing; turned on, everything else is mixed behind it; turned off, the order from
 * before comes back.
 * @param {Queue} queue @param {boolean} on @param {() => number} [random] @returns {Queue}
 */
export const setShuffle = (queue, on, random = Math.random) => {
  if (on === queue.shuffle) return queue;
  const playing = current(queue);
  if (!playing) return { ...queue, shuffle: on, natural: null };
  if (on) {
    const rest = queue.entries.filter((entry) => entry !== playing);
    return { ...queue, shuffle: true, natural: queue.entries.map((e) => e.key), entries: [playing, ...shuffled(rest, random)], index: 0 };
  }
  const place = new Map((queue.natural ?? []).map((key, i) => [key, i]));
  const entries = [...queue.entries].sort((a, b) => (place.get(a.key) ?? Infinity) - (place.get(b.key) ?? Infinity) || 0);
  return { ...queue, shuffle: false, natural: null, entries, index: entries.indexOf(playing) };
};

/** @type {Record<Repeat, Repeat>} */
const AFTER = { off: 'all', all: 'one', one: 'off' };

/** @param {Queue} queue @returns {Queue} */
export const cycleRepeat = (queue) => ({ ...queue, repeat: AFTER[queue.repeat] });

/** What is kept between visits. @param {Queue} queue */
export const pack = (queue) => ({
  ids: queue.entries.map((e) => e.id),
  index: queue.index,
  shuffle: queue.shuffle,
  repeat: queue.repeat,
  natural: queue.natural && queue.natural.map((key) => queue.entries.findIndex((e) => e.key === key)),
  source: queue.source,
});

/** @param {any} packed @returns {Queue} an empty queue when what was kept makes no sense */
export const unpack = (packed) => {
  if (!packed || !Array.isArray(packed.ids) || packed.ids.some((/** @type {unknown} */ id) => typeof id !== 'string')) return EMPTY;
  const entries = make(EMPTY, packed.ids);
  const whole = Array.isArray(packed.natural) && packed.natural.length === entries.length
    && packed.natural.every((/** @type {number} */ i) => entries[i]);
  return {
    entries,
    made: entries.length,
    index: entries.length ? Math.min(Math.max(Number(packed.index) || 0, 0), entries.length - 1) : -1,
    shuffle: Boolean(packed.shuffle) && (whole || !entries.length),
    repeat: packed.repeat in AFTER ? packed.repeat : 'off',
    natural: packed.shuffle && whole ? packed.natural.map((/** @type {number} */ i) => entries[i].key) : null,
    source: typeof packed.source === 'string' ? packed.source : '',
  };
};
