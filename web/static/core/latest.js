// @ts-check
/** Only the newest question matters: older ones are aborted, quick ones are gathered. */

/**
 * @template Q, A
 * @param {object} parts
 * @param {(question: Q, signal: AbortSignal) => Promise<A>} parts.ask
 * @param {(answer: A, question: Q) => void} parts.onAnswer
 * @param {(error: unknown, question: Q) => void} parts.onError
 * @param {number} parts.waitMs
 */
export const createLatest = ({ ask, onAnswer, onError, waitMs }) => {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {AbortController | null} */
  let running = null;
  return {
    /** @param {Q} question @param {{now?: boolean}} [options] */
    put(question, { now = false } = {}) {
      clearTimeout(timer);
      running?.abort();
      running = null;
      timer = setTimeout(async () => {
        const mine = new AbortController();
        running = mine;
        try {
          const answer = await ask(question, mine.signal);
          if (!mine.signal.aborted) onAnswer(answer, question);
        } catch (error) {
          if (!mine.signal.aborted) onError(error, question);
        }
      }, now ? 0 : waitMs);
    },
    stop() {
      clearTimeout(timer);
      running?.abort();
      running = null;
    },
  };
};
