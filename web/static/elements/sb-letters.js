// @ts-check
/** Letters along the edge of a long list: a press or a slide jumps there. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';

export class Letters extends Element {
  /** @type {{letter: string, offset: number}[]} */ letters = [];
  here = '';

  connected() {
    const jump = (/** @type {PointerEvent} */ event) => {
      const found = document.elementFromPoint(event.clientX, event.clientY)?.closest('[data-offset]');
      if (found instanceof HTMLElement && this.contains(found) && found.dataset.offset !== this.here) {
        this.here = found.dataset.offset ?? '';
        this.dispatchEvent(new CustomEvent('jump', { detail: Number(this.here) }));
      }
    };
    this.on(this, 'pointerdown', (event) => { this.here = ''; this.setPointerCapture(event.pointerId); jump(event); });
    this.on(this, 'pointermove', (event) => { if (this.hasPointerCapture(event.pointerId)) jump(event); });
    this.deeds.jump = (data, event) => {
      // Presses with the keyboard; the pointer has jumped already.
      if (/** @type {MouseEvent} */ (event).detail === 0) this.dispatchEvent(new CustomEvent('jump', { detail: Number(data.offset) }));
    };
  }

  render() {
    if (this.letters.length < 3) return html``;
    return html`<nav class="letters" aria-label="Jump to a letter">${this.letters.map(({ letter, offset }) =>
      html`<button data-do="jump" data-offset="${offset}" aria-label="${letter === '#' ? 'Numbers and signs' : letter}">${letter}</button>`)}</nav>`;
  }
}
customElements.define('sb-letters', Letters);
