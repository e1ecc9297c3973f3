// @ts-check
/** Which part of a long list stands on the screen. Rows are all of one height, so everything is arithmetic. */

/** @param {number} width @param {{least: number, gap: number}} sizes px @returns {number} how many columns fit */
export const columnsFor = (width, { least, gap }) => Math.max(1, Math.floor((width + gap) / (least + gap)));

/**
 * @param {object} list all lengths in px
 * @param {number} list.count items
 * @param {number} list.columns
 * @param {number} list.rowHeight with its gap
 * @param {number} list.top how far the list's beginning lies above the view's upper edge
 * @param {number} list.height of the view
 * @param {number} [list.overscan] rows drawn beyond each edge
 * @returns {{first: number, last: number, height: number}} items `first` up to but not `last`; the whole height
 */
export const visible = ({ count, columns, rowHeight, top, height, overscan = 4 }) => {
  const rows = Math.ceil(count / columns);
  const from = Math.max(0, Math.min(rows, Math.floor(top / rowHeight) - overscan));
  const to = Math.max(0, Math.min(rows, Math.ceil((top + height) / rowHeight) + overscan));
  return { first: from * columns, last: Math.min(count, to * columns), height: rows * rowHeight };
};

/** @param {number} index @param {{columns: number, rowHeight: number}} list @returns {number} px from the list's beginning */
export const offsetOf = (index, { columns, rowHeight }) => Math.floor(index / columns) * rowHeight;

/** Which letter a place in the list belongs to. @param {{letter: string, offset: number}[]} letters @param {number} index */
export const letterAt = (letters, index) => {
  let found = letters[0]?.letter ?? '';
  for (const { letter, offset } of letters) {
    if (offset > index) break;
    found = letter;
  }
  return found;
};
