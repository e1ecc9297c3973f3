// @ts-check
/** A list of any length, of which only what can be seen is drawn: rows, or a grid of cards. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { columnsFor, offsetOf, visible } from '../core/window.js';

export class List extends Element {
  /** @type {any} */ source = null;
  /** @type {(id: string | undefined, index: number) => any} */ draw = () => '';
  mode = 'rows';
  rowHeight = 56;
  gap = 20;
  least = 156;
  /** Height of the words below a card's picture. */
  words = 62;
  columns = 1;
  /** @type {HTMLElement | null} */ scroller = null;
  /** @type {{first: number, last: number}} */ shown = { first: 0, last: 0 };
  #unwatch = () => {};
  #frame = 0;

  connected() {
    this.scroller = /** @type {HTMLElement | null} */ (this.closest('[data-scroller]'));
    if (this.scroller) this.on(this.scroller, 'scroll', () => this.#scrolled(), { passive: true });
    const sizes = new ResizeObserver(() => this.#soon());
    sizes.observe(this);
    if (this.scroller) sizes.observe(this.scroller);
    this.until(() => sizes.disconnect());
    if (this.source) this.#follow(); // it was moved to another place
  }

  left() { this.#unwatch(); cancelAnimationFrame(this.#frame); this.#frame = 0; }

  #follow() {
    this.#unwatch();
    this.#unwatch = this.source.watch(() => { this.#soon(); this.dispatchEvent(new CustomEvent('list-changed', { bubbles: true })); });
  }

  /** @param {Partial<List>} settings `source`, `draw` and how it is laid out */
  show(settings) {
    const { source } = settings;
    const other = source && source !== this.source;
    Object.assign(this, settings);
    if (other) this.#follow();
    this.paint();
  }

  /** Draws only when other items come into sight. */
  #scrolled() {
    if (!this.source || !this.clientWidth) return;
    const { first, last } = this.#window();
    if (first !== this.shown.first || last !== this.shown.last) this.#soon();
  }

  #window() {
    const view = this.scroller ?? document.documentElement;
    const top = this.scroller ? this.scroller.getBoundingClientRect().top - this.getBoundingClientRect().top : 0;
    const count = this.source.total < 0 ? Math.ceil(view.clientHeight / this.rowHeight) * this.columns : this.source.total;
    const { columns, rowHeight } = this;
    return visible({ count, columns, rowHeight, top: Math.max(0, top), height: view.clientHeight, overscan: this.mode === 'grid' ? 2 : 5 });
  }

  #soon() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => { this.#frame = 0; if (this.isConnected) this.paint(); });
  }

  #measure() {
    if (this.mode === 'grid') {
      const narrow = this.clientWidth < 560;
      this.gap = narrow ? 16 : 24;
      this.least = narrow ? 140 : 164;
      this.columns = columnsFor(this.clientWidth, { least: this.least, gap: this.gap });
      const column = (this.clientWidth - this.gap * (this.columns - 1)) / this.columns;
      this.rowHeight = Math.round(column) + this.words + this.gap;
    } else {
      this.columns = 1;
    }
  }

  render() {
    if (!this.source || !this.clientWidth) return html``;
    this.#measure();
    if (this.mode === 'rows') this.setAttribute('role', 'list');
    else this.removeAttribute('role');
    const { first, last, height } = this.#window();
    this.shown = { first, last };
    this.source.ensure(first, last);
    const items = [];
    for (let i = first; i < last; i += 1) items.push(this.draw(this.source.at(i), i));
    const css = `height:${height}px;--row:${this.rowHeight}px`;
    const inner = `transform:translateY(${offsetOf(first, this)}px);--columns:${this.columns};--gap:${this.gap}px`;
    return html`<div class="list-space" role="presentation" data-css="${css}"><div class="${this.mode === 'grid' ? 'list-grid' : 'list-rows'}" role="presentation" data-css="${inner}">${items}</div></div>`;
  }

  /** Brings an item to the top of the view. @param {number} index @param {number} [lower] px kept free above it */
  reveal(index, lower = 0) {
    if (!this.scroller) return;
    const start = this.getBoundingClientRect().top - this.scroller.getBoundingClientRect().top + this.scroller.scrollTop;
    this.scroller.scrollTop = start + offsetOf(index, this) - lower;
    this.paint();
  }
}
customElements.define('sb-list', List);
