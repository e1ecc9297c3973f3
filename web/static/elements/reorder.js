// @ts-check
/** Moving rows by dragging their grip, or with ↑ and ↓ while the grip has the focus. */

/**
 * @param {import('../core/element.js').Element} host rows are `.row`s of one height; grips carry `data-grip="<index>"`
 * @param {{count: () => number, move: (from: number, to: number) => void}} parts
 */
export const reorderable = (host, { count, move }) => {
  /** @type {{from: number, to: number, row: HTMLElement, startY: number, height: number, line: HTMLElement} | null} */
  let drag = null;
  const gripOf = (/** @type {Event} */ event) => /** @type {HTMLElement | null} */ (event.target instanceof Element ? event.target.closest('[data-grip]') : null);

  host.on(host, 'pointerdown', (event) => {
    const grip = gripOf(event);
    const row = /** @type {HTMLElement | null} */ (grip?.closest('.row') ?? null);
    if (!grip || !row || event.button) return;
    event.preventDefault();
    grip.focus({ preventScroll: true });
    grip.setPointerCapture(event.pointerId);
    const line = document.createElement('div');
    line.className = 'drop-line';
    const from = Number(grip.dataset.grip);
    drag = { from, to: from, row, startY: event.clientY, height: row.offsetHeight, line };
    row.dataset.live = 'dragging';
    row.parentElement?.append(line);
  });
  host.on(host, 'pointermove', (event) => {
    if (!drag) return;
    const steps = Math.round((event.clientY - drag.startY) / drag.height);
    drag.to = Math.max(0, Math.min(count() - 1, drag.from + steps));
    drag.row.style.setProperty('--drag', `${event.clientY - drag.startY}px`);
    const shift = drag.to - drag.from;
    drag.line.style.top = `${drag.row.offsetTop + (shift > 0 ? shift + 1 : shift) * drag.height}px`;
  });
  const drop = () => {
    if (!drag) return;
    const { from, to, row, line } = drag;
    drag = null;
    delete row.dataset.live;
    row.style.removeProperty('--drag');
    line.remove();
    if (from !== to) move(from, to);
  };
  host.on(host, 'pointerup', drop);
  host.on(host, 'pointercancel', drop);
  host.on(host, 'keydown', (event) => {
    const grip = gripOf(event);
    if (!grip || !['ArrowUp', 'ArrowDown'].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const from = Number(grip.dataset.grip);
    const to = from + (event.key === 'ArrowUp' ? -1 : 1);
    if (to < 0 || to >= count()) return;
    move(from, to);
    setTimeout(() => /** @type {HTMLElement | null} */ (host.querySelector(`[data-grip="${to}"]`))?.focus(), 30);
  });
};
