// @ts-check
/** What every element of the player shares: draw from state, answer to `data-do`, tidy up on leaving. */
import { Markup, paint } from './html.js';

export class Element extends HTMLElement {
  /** @type {(() => void)[]} */ #endings = [];
  #due = false;
  #listening = false;
  /** What the element does on a `data-do` press inside it. @type {Record<string, (data: DOMStringMap, event: Event, target: HTMLElement) => void>} */
  deeds = {};

  connectedCallback() {
    if (!this.#listening) {
      this.#listening = true;
      this.addEventListener('click', (event) => this.#answer(event));
    }
    this.connected();
    this.paint();
  }

  disconnectedCallback() {
    for (const end of this.#endings.splice(0)) end();
    this.left();
  }

  /** Called when the element enters the page, before its first drawing. */
  connected() {}
  /** Called when the element has left the page. */
  left() {}
  /** Called after each drawing. */
  painted() {}
  /** @returns {Markup | null} what should stand inside now; null leaves the inside alone */
  render() { return null; }

  /** Runs `end` when the element leaves the page. @param {() => void} end */
  until(end) { this.#endings.push(end); }

  /** @param {EventTarget} target @param {string} type @param {(event: any) => void} deed @param {AddEventListenerOptions} [options] */
  on(target, type, deed, options) {
    target.addEventListener(type, deed, options);
    this.until(() => target.removeEventListener(type, deed, options));
  }

  /** Draws again whenever one of the keys changes. @param {import('./store.js').Store} store @param {...string} keys */
  follow(store, ...keys) { this.until(store.watch(keys, () => this.update())); }

  /** Draws once before the next frame, however often it is asked. */
  update() {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      if (this.isConnected) this.paint();
    });
  }

  paint() {
    const markup = this.render();
    if (markup) paint(this, markup);
    this.painted();
  }

  /** Tells the world what the listener wants. @param {string} name @param {object} [detail] */
  intend(name, detail = {}) {
    this.dispatchEvent(new CustomEvent('intent', { bubbles: true, detail: { name, ...detail } }));
  }

  /** @param {Event} event */
  #answer(event) {
    if (/** @type {any} */ (event).answered || !(event.target instanceof globalThis.Element)) return;
    const target = /** @type {HTMLElement | null} */ (event.target.closest('[data-do]'));
    if (!target || !this.contains(target)) return;
    const deed = this.deeds[target.dataset.do ?? ''];
    if (!deed) return;
    /** @type {any} */ (event).answered = true;
    deed(target.dataset, event, target);
  }
}
