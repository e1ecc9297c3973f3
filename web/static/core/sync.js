// @ts-check
/**
 * Refresh on switch: whenever the listener comes back, ask only for what changed since the revision held here.
 */

/**
 * @param {object} parts
 * @param {(since: number) => Promise<any>} parts.ask `GET /library/changes`
 * @param {() => number} parts.revision the revision held here; below 0 when none is known
 * @param {(changes: any) => void} parts.apply
 * @param {() => void} parts.reset called when the revision is too old to tell: everything is to be asked for again
 */
export const createSync = ({ ask, revision, apply, reset }) => {
  /** @type {Promise<void> | null} */
  let running = null;
  let again = false;

  const once = async () => {
    const since = revision();
    if (since < 0) return;
    try {
      const changes = await ask(since);
      if (changes && changes.revision !== since) apply(changes);
    } catch (error) {
      if (/** @type {any} */ (error)?.status === 410) reset();
      // Anything else is told by whoever watches the connection; the next switch asks again.
    }
  };

  return {
    /** Asks now; calls that come meanwhile are answered by one more question. @returns {Promise<void>} */
    check() {
      if (running) {
        again = true;
        return running;
      }
      running = (async () => {
        do {
          again = false;
          await once();
        } while (again);
      })().finally(() => { running = null; });
      return running;
    },
  };
};

/** @param {any} changes @param {'tracks' | 'albums' | 'artists' | 'playlists'} kind */
export const touches = (changes, kind) => {
  const of = changes[kind];
  return Boolean(of && (of.added.length || of.changed.length || of.removed.length));
};

/** Whether the order or number of a kind's things may have changed. @param {any} changes @param {string} kind */
export const reorders = (changes, kind) => Boolean(changes[kind]?.added.length || changes[kind]?.removed.length);
