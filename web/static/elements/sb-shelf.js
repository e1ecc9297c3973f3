// @ts-check
/** A row of cards that scrolls sideways, with arrows where there is a mouse. */
import { Element } from '../core/element.js';
import { html, flag } from '../core/html.js';
import { icon } from '../views/parts.js';

export class Shelf extends Element {
  /** @type {any} */ cards = '';
  #ends = { left: false, right: false };

  connected() {
    this.deeds['shelf-move'] = ({ way }) => {
      const row = this.querySelector('.shelf-cards');
      row?.scrollBy({ left: Number(way) * row.clientWidth * 0.85, behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
    };
    const sizes = new ResizeObserver(() => this.#look());
    sizes.observe(this);
    this.until(() => sizes.disconnect());
    this.on(this, 'scroll', () => this.#look(), { passive: true, capture: true });
  }

  /** @param {any} cards */
  show(cards) { this.cards = cards; this.paint(); this.#look(); }

  #look() {
    const row = this.querySelector('.shelf-cards');
    if (!row) return;
    const ends = { left: row.scrollLeft > 4, right: row.scrollLeft + row.clientWidth < row.scrollWidth - 4 };
    if (ends.left === this.#ends.left && ends.right === this.#ends.right) return;
    this.#ends = ends;
    this.paint();
  }

  render() {
    const { left, right } = this.#ends;
    return html`<div class="shelf-cards" tabindex="-1">${this.cards}</div>
      ${left || right ? html`<div class="shelf-arrows"><button class="icon-button" data-do="shelf-move" data-way="-1" aria-label="Back" ${flag('disabled', !left)}>${icon('chevron-left')}</button><button class="icon-button" data-do="shelf-move" data-way="1" aria-label="On" ${flag('disabled', !right)}>${icon('chevron-right')}</button></div>` : ''}`;
  }
}
customElements.define('sb-shelf', Shelf);
