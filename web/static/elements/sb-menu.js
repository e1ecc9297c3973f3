// @ts-check
/** A menu: beside what was pressed on the desktop, a sheet from below on the phone. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { cover, icon } from '../views/parts.js';
import { room } from '../core/room.js';

export class Menu extends Element {
  /** @type {any} */ #menu = null;
  /** @type {number | null} */ #rating = null;

  connected() {
    this.deeds.choose = ({ at }) => {
      const item = this.#menu?.items[Number(at)];
      this.close();
      if (item?.href) room.ui.go(item.href); else if (item?.deed) room.act(item.deed, item.data ?? {});
    };
    this.deeds['menu-rate'] = ({ value }) => {
      const { id } = this.#menu.rating;
      room.act('rate', { id, rating: value });
      this.#rating = room.library.track(id)?.rating ?? 0;
      this.paint();
    };
    this.deeds['menu-close'] = () => this.close();
    this.on(this, 'pointerdown', (event) => { if (event.target instanceof HTMLDialogElement) this.close(); });
    this.on(this, 'keydown', (event) => {
      const items = /** @type {HTMLElement[]} */ ([...this.querySelectorAll('[role="menuitem"]')]);
      const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
      const go = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[/** @type {'Home'} */ (event.key)];
      if (go === undefined || this.querySelector('.stars:focus-within')) return;
      event.preventDefault();
      items[(go + items.length) % items.length]?.focus();
    });
  }

  /** @param {any} menu */
  open(menu) {
    this.#menu = { ...menu, items: menu.items.filter((/** @type {any} */ item) => item || item === null) };
    this.#rating = menu.rating?.value ?? null;
    this.paint();
    const dialog = /** @type {HTMLDialogElement} */ (this.querySelector('dialog'));
    dialog.showModal();
    if (innerWidth >= 768) {
      const { event, anchor } = menu;
      const byPointer = event?.type === 'contextmenu';
      const box = byPointer || !anchor ? { left: event?.clientX ?? 0, right: event?.clientX ?? 0, top: event?.clientY ?? 0, bottom: event?.clientY ?? 0 } : anchor.getBoundingClientRect();
      const left = Math.max(8, Math.min(byPointer ? box.left : box.right - dialog.offsetWidth, innerWidth - dialog.offsetWidth - 8));
      const below = box.bottom + 4;
      const top = below + dialog.offsetHeight < innerHeight - 8 ? below : Math.max(8, box.top - dialog.offsetHeight - 4);
      dialog.style.setProperty('left', `${left}px`);
      dialog.style.setProperty('top', `${Math.min(top, innerHeight - dialog.offsetHeight - 8)}px`);
    }
    /** @type {HTMLElement | null} */ (this.querySelector('[role="menuitem"]'))?.focus({ preventScroll: true });
  }

  close() { this.querySelector('dialog')?.close(); this.#menu = null; this.paint(); }

  render() {
    const menu = this.#menu;
    if (!menu) return html``;
    return html`<dialog class="menu" aria-label="${menu.title}">
      <div class="menu-inside">
      <header class="menu-head">${menu.cover ? cover(menu.cover, { size: 128 }) : ''}<div><p class="menu-title" title="${menu.title}">${menu.title}</p>${menu.subtitle ? html`<p class="quiet">${menu.subtitle}</p>` : ''}</div></header>
      ${menu.rating ? html`<div class="stars" role="group" aria-label="Rating">${[1, 2, 3, 4, 5].map((n) => html`<button class="icon-button ${n <= (this.#rating ?? 0) ? 'is-on' : ''}" data-do="menu-rate" data-value="${n}" aria-label="${n} of 5 stars" aria-pressed="${n === this.#rating ? 'true' : 'false'}">${icon('star', n <= (this.#rating ?? 0) ? 'filled' : '')}</button>`)}</div>` : ''}
      <div role="menu" aria-label="${menu.title}">${menu.items.map((/** @type {any} */ item, /** @type {number} */ i) => (item === null ? html`<hr>` : html`
        <button role="menuitem" class="menu-item ${item.danger ? 'is-danger' : ''}" data-do="choose" data-at="${i}">${icon(item.icon, item.filled || item.icon === 'play' ? 'filled' : '')}<span>${item.words}</span></button>`))}</div>
      <button class="button menu-close" data-do="menu-close">Close</button>
      </div>
    </dialog>`;
  }
}
customElements.define('sb-menu', Menu);
