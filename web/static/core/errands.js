// @ts-check
/** The station's long work (copying to the cloud, making room, bringing back) as far as it is known here. */
import { errandIsOver } from './places.js';

const KEPT = 200; // of those that are over

/**
 * @param {object} parts
 * @param {(errand: any) => void} [parts.onOver] one that was asked for here is over
 */
export const createErrands = ({ onOver } = {}) => {
  /** @type {Map<string, any>} */
  const known = new Map();
  /** When each was told of last, counted. @type {Map<string, number>} */
  const heard = new Map();
  /** Those this listener asked for here. @type {Set<string>} */
  const asked = new Set();
  /** @type {Set<() => void>} */
  const watchers = new Set();
  let moment = 0;

  const tell = () => { for (const deed of [...watchers]) deed(); };
  const put = (/** @type {any} */ errand) => {
    known.set(errand.id, errand);
    heard.set(errand.id, (moment += 1));
    if (errandIsOver(errand) && asked.delete(errand.id)) onOver?.(errand);
  };
  const newest = (/** @type {any} */ a, /** @type {any} */ b) => (a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : 0);
  const prune = () => {
    const over = [...known.values()].filter(errandIsOver).sort(newest);
    for (const one of over.slice(KEPT)) { known.delete(one.id); heard.delete(one.id); }
  };

  return {
    /** @param {string} id */
    get: (id) => known.get(id),
    /** What runs, then what waits, in the order in which it will be done. */
    active: () => [...known.values()].filter((one) => !errandIsOver(one))
      .sort((a, b) => Number(b.state === 'running') - Number(a.state === 'running') || -newest(a, b)),
    /** What is over, the latest first. */
    over: () => [...known.values()].filter(errandIsOver).sort((a, b) => ((a.finished_at ?? '') < (b.finished_at ?? '') ? 1 : -1)),

    /** How things stand: what is under way, and nothing else is. @param {any[]} list */
    snapshot(list) {
      const here = new Set(list.map((one) => one.id));
      for (const [id, one] of known) if (!errandIsOver(one) && !here.has(id)) { known.delete(id); heard.delete(id); }
      for (const one of list) put(one);
      tell();
    },
    /** @param {any} errand */
    changed(errand) { put(errand); prune(); tell(); },
    /** The listener asked for it here, and wants to hear of its end. @param {any} errand */
    asked(errand) { asked.add(errand.id); put(errand); tell(); },

    /** A moment, for `remember`: what is heard after it is newer than any answer to a question of then. */
    now: () => moment,
    /** Read from a list that was asked for at `since`. @param {any[]} list @param {number} since */
    remember(list, since) {
      for (const one of list) if ((heard.get(one.id) ?? 0) <= since) put(one);
      prune();
      tell();
    },
    /** Another listener may be next. */
    empty() { known.clear(); heard.clear(); asked.clear(); tell(); },
    /** @param {() => void} deed @returns {() => void} */
    watch(deed) { watchers.add(deed); return () => { watchers.delete(deed); }; },
  };
};

/** @typedef {ReturnType<typeof createErrands>} Errands */
