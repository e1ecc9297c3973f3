// @ts-check
/** How much of a track was truly heard, and when that counts as a play: half of it, or four minutes. */

const FOUR_MINUTES = 4 * 60 * 1000;
// Longer steps are seeks, or a machine that slept.
const LONGEST_STEP = 3000;

/** @param {number} durationMs */
export const enough = (durationMs) => Math.min(durationMs > 0 ? durationMs / 2 : FOUR_MINUTES, FOUR_MINUTES);

/** @param {{durationMs: number, onPlay: (playedMs: number) => void}} parts */
export const createTally = ({ durationMs, onPlay }) => {
  let heard = 0;
  /** @type {number | null} */
  let last = null;
  let told = false;
  return {
    get playedMs() { return Math.round(heard); },
    get counted() { return told; },
    /** The position while playing. @param {number} positionMs */
    at(positionMs) {
      const step = last === null ? 0 : positionMs - last;
      last = positionMs;
      if (step > 0 && step <= LONGEST_STEP) heard += step;
      if (!told && heard >= enough(durationMs)) {
        told = true;
        onPlay(Math.round(heard));
      }
    },
    /** After a seek or a pause the next position starts a new stretch. */
    lift() { last = null; },
  };
};
