// @ts-check
/** What is on its way into the library, as far as it is known here; every word of the station's is gathered and told on together. */

/** Statuses of one state of mind. @type {Record<string, string[]>} */
export const STATES = {
  running: ['downloading', 'processing', 'queued', 'pending'],
  waiting: ['waiting', 'paused'],
  failed: ['failed'],
  completed: ['completed'],
  cancelled: ['cancelled'],
};
const RUNNING = new Set(STATES.running);
const COMING = new Set([...STATES.running, 'waiting']);
const KEPT = 3000; // more are forgotten, those that are over first
const LINES = 500; // of one download's log
const TELL_MS = 100; // what comes meanwhile is told together

/** @param {any} download */
export const isRunning = (download) => RUNNING.has(download?.status);
/** Still to come by itself. @param {any} download */
export const isComing = (download) => COMING.has(download?.status);
/** @param {any} download */
export const isOver = (download) => ['completed', 'failed', 'cancelled'].includes(download?.status);

/** The nearest to its end first. @param {any} a @param {any} b */
export const nearer = (a, b) => STATES.running.indexOf(a.status) - STATES.running.indexOf(b.status)
  || b.priority - a.priority || (a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : 0);

/** What an offer or a link is known by here. @param {any} offer */
export const offerKey = (offer) => `${offer.source}:${offer.kind}:${offer.id || offer.url || offer.title}`;

/**
 * @param {object} parts
 * @param {(told: {moved: boolean}) => void} [parts.onTold] called with every telling, before the watchers
 * @param {(download: any) => void} [parts.onCompleted] one that was known to be on its way has arrived
 * @param {(deed: () => void, ms: number) => any} [parts.later]
 */
export const createDownloads = ({ onTold, onCompleted, later = setTimeout } = {}) => {
  /** @type {Map<string, any>} */
  const known = new Map();
  /** @type {Set<(told: {moved: boolean}) => void>} */
  const watchers = new Set();
  /** @type {Map<string, any[]>} */
  const logs = new Map();
  /** Which download came of which offer. @type {Map<string, string>} */
  const asked = new Map();
  let due = false;
  let moved = false;
  let coming = 0;

  const tell = (/** @type {boolean} */ elsewhere) => {
    moved ||= elsewhere;
    if (due) return;
    due = true;
    later(() => {
      const told = { moved };
      due = false;
      moved = false;
      onTold?.(told);
      for (const deed of [...watchers]) deed(told);
    }, TELL_MS);
  };

  const count = (/** @type {any} */ before, /** @type {any} */ after) => { coming += Number(isComing(after)) - Number(isComing(before)); };

  const put = (/** @type {any} */ download) => {
    const before = known.get(download.id);
    // A page that was asked for before the last word came may tell an older story.
    if (before && before.updated_at > download.updated_at) return false;
    known.delete(download.id);
    known.set(download.id, download);
    count(before, download);
    return true;
  };

  const prune = () => {
    if (known.size <= KEPT) return;
    for (const [id, one] of known) {
      if (known.size <= KEPT) return;
      if (isOver(one)) known.delete(id);
    }
  };

  return {
    /** How many come by themselves. */
    get coming() { return coming; },
    /** @param {string} id */
    get: (id) => known.get(id),
    /** Those at work now, the nearest to its end first. */
    running: () => [...known.values()].filter(isRunning).sort(nearer),
    /** @param {(download: any) => boolean} test */
    find: (test) => { for (const one of known.values()) if (test(one)) return one; return undefined; },

    /** How things stand: what is under way, and nothing else is. @param {any[]} list */
    snapshot(list) {
      const here = new Set(list.map((one) => one.id));
      for (const [id, one] of known) if (!isOver(one) && !here.has(id)) { known.delete(id); count(one, null); }
      for (const one of list) put(one);
      tell(true);
    },
    /** @param {any} download */
    changed(download) {
      const before = known.get(download.id);
      if (!put(download)) return;
      if (download.status === 'completed' && before && before.status !== 'completed') onCompleted?.(download);
      prune();
      tell(before?.status !== download.status || before?.priority !== download.priority);
    },
    /** Read from a list or a page: nothing has happened. @param {any[]} list */
    remember(list) {
      for (const one of list) put(one);
      prune();
    },
    /** @param {string} id */
    removed(id) {
      count(known.get(id), null);
      known.delete(id);
      logs.delete(id);
      tell(true);
    },
    /** A line of a download's log, kept while somebody reads it. @param {{id: string, level: string, at: string, message: string}} line */
    logged(line) {
      const lines = logs.get(line.id);
      if (!lines) return;
      lines.push(line);
      if (lines.length > LINES) lines.splice(0, lines.length - LINES);
      tell(false);
    },
    /** Reads a download's log from now on. @param {string} id @returns {() => void} how to stop */
    read(id) {
      logs.set(id, logs.get(id) ?? []);
      return () => { logs.delete(id); };
    },
    /** @param {string} id @param {any[]} lines what was noted before; what came meanwhile follows */
    readBefore(id, lines) {
      const since = logs.get(id);
      if (!since) return;
      const last = lines.length ? lines[lines.length - 1].at : '';
      logs.set(id, [...lines, ...since.filter((line) => line.at > last)].slice(-LINES));
    },
    lines: (/** @type {string} */ id) => logs.get(id) ?? [],

    /** @param {any} offer @param {string} id */
    cameOf(offer, id) { asked.set(offerKey(offer), id); },
    /** The download that was asked for from an offer, if there is one. @param {any} offer */
    of(offer) { return known.get(asked.get(offerKey(offer)) ?? ''); },

    /** Another listener may be next. */
    empty() {
      known.clear();
      logs.clear();
      asked.clear();
      coming = 0;
      tell(true);
    },
    /** @param {(told: {moved: boolean}) => void} deed `moved`: some stand elsewhere in the lists now @returns {() => void} */
    watch(deed) {
      watchers.add(deed);
      return () => { watchers.delete(deed); };
    },
  };
};

/** @typedef {ReturnType<typeof createDownloads>} Downloads */
