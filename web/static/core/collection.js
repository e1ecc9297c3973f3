// @ts-check
/** A list at the station, of which only the looked-at pages are here. */

export const PAGE = 100;

/**
 * @param {object} parts
 * @param {(query: {offset: number, limit: number}) => Promise<{items: any[], total: number}>} parts.fetchPage
 * @param {(items: any[]) => void} [parts.remember] told of every item that arrives
 * @param {(item: any) => string} [parts.keyOf]
 * @param {number} [parts.page] items asked for at once
 */
export const createCollection = ({ fetchPage, remember, keyOf = (item) => item.id, page = PAGE }) => {
  /** @type {Map<number, string[]>} */
  const pages = new Map();
  /** @type {Map<number, number>} page → the generation asked for */
  const asked = new Map();
  /** @type {Set<number>} pages that are shown but should be asked for again */
  const stale = new Set();
  /** @type {Set<() => void>} */
  const watchers = new Set();
  let total = -1; // unknown
  let generation = 0;
  /** @type {Error | null} */
  let failure = null;
  /** @type {number[]} */
  let wanted = [];
  let running = 0;

  const tell = () => { for (const deed of [...watchers]) deed(); };

  const pump = () => {
    while (running < 2 && wanted.length) {
      const n = /** @type {number} */ (wanted.pop()); // the newest wish first: a fling leaves old ones behind
      if ((pages.has(n) && !stale.has(n)) || asked.get(n) === generation) continue;
      const born = generation;
      asked.set(n, born);
      running += 1;
      fetchPage({ offset: n * page, limit: page }).then((answer) => {
        if (born !== generation) return;
        stale.delete(n);
        failure = null;
        remember?.(answer.items);
        pages.set(n, answer.items.map(keyOf));
        total = answer.total;
      }, (error) => {
        if (born === generation) failure = error;
      }).finally(() => {
        running -= 1;
        if (asked.get(n) === born) asked.delete(n);
        pump();
        tell();
      });
    }
  };

  return {
    /** How many there are; -1 until the first page is here. */
    get total() { return total; },
    get failure() { return failure; },
    /** @param {number} index @returns {string | undefined} its id, if its page is here */
    at(index) { return pages.get(Math.floor(index / page))?.[index % page]; },
    /** Ids that are here, in order. */
    get known() { return [...pages.keys()].sort((a, b) => a - b).flatMap((n) => pages.get(n) ?? []); },

    /** Asks for what is missing between two places. @param {number} first @param {number} last exclusive */
    ensure(first, last) {
      wanted = [];
      // The first page is always worth asking for: it tells how many there are by now.
      const end = total < 0 ? Math.max(last, 1) : Math.max(1, Math.min(last, total));
      for (let n = Math.floor(first / page); n * page < end; n += 1) {
        if (!pages.has(n) || stale.has(n)) wanted.push(n);
      }
      wanted.reverse();
      if (wanted.length) pump();
    },

    /** The order changed at the station: what is shown stays until it is replaced. */
    refresh() {
      generation += 1;
      asked.clear();
      failure = null;
      for (const n of pages.keys()) stale.add(n);
      tell();
    },

    /** After a failure: the same again. */
    retry() {
      failure = null;
      asked.clear();
      tell();
    },

    /** @param {() => void} deed @returns {() => void} */
    watch(deed) {
      watchers.add(deed);
      return () => { watchers.delete(deed); };
    },
  };
};

/**
 * A page's fetcher for a list at the station that is paged by cursors: the way to a page leads through those before it,
 * once.
 * @param {(range: {limit: number, cursor?: string}) => Promise<any>} ask
 */
export const byCursor = (ask) => {
  /** @type {(string | undefined)[]} */
  let starts = [undefined]; // of each page
  return async (/** @type {{offset: number, limit: number}} */ { offset, limit }) => {
    const n = offset / limit;
    if (n === 0) starts = [undefined];
    const mine = starts;
    let answer = { items: [], total: 0 };
    for (let i = Math.min(n, mine.length - 1); i <= n; i += 1) {
      answer = await ask({ limit, cursor: mine[i] });
      if (!answer.next_cursor) return i === n ? answer : { ...answer, items: [] };
      mine[i + 1] = answer.next_cursor;
    }
    return answer;
  };
};

/** @typedef {ReturnType<typeof createCollection>} Collection */
