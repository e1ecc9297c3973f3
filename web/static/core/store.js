// @ts-check
/** One place for what is true now. Setting is synchronous, so a press of play shows in the same frame. */

/**
 * @template {Record<string, any>} S
 * @param {S} initial
 */
export const createStore = (initial) => {
  let state = initial;
  /** @type {Set<{keys: string[], deed: (state: S) => void}>} */
  const watchers = new Set();

  return {
    get state() { return state; },

    /** Sets the keys given; only those whose value changed wake their watchers. @param {Partial<S>} patch */
    set(patch) {
      const changed = Object.keys(patch).filter((key) => !Object.is(state[key], patch[key]));
      if (!changed.length) return;
      state = { ...state, ...patch };
      for (const watcher of [...watchers]) {
        if (watchers.has(watcher) && watcher.keys.some((key) => changed.includes(key))) watcher.deed(state);
      }
    },

    /** Calls `deed` after any of `keys` changed. Returns how to stop. @param {string[]} keys @param {(state: S) => void} deed */
    watch(keys, deed) {
      const watcher = { keys, deed };
      watchers.add(watcher);
      return () => { watchers.delete(watcher); };
    },
  };
};

/** @typedef {ReturnType<typeof createStore<Record<string, any>>>} Store */
