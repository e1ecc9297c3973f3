// @ts-check
/** Words in time. */

/** The line being sung, or -1 before the first. Lines are in order. @param {{start_ms?: number | null}[]} lines @param {number} positionMs */
export const activeLine = (lines, positionMs) => {
  let found = -1;
  for (let i = 0; i < lines.length; i += 1) {
    const start = lines[i].start_ms;
    if (start === null || start === undefined) continue;
    if (start > positionMs) break;
    found = i;
  }
  return found;
};
