// @ts-check
/** Short words about what happened, each with its next step. Read out politely; never in the way for long. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { icon } from '../views/parts.js';

export class Toaster extends Element {
  /** @type {{key: number, message: string, tone?: string, action?: any, topic?: string, timer: any}[]} */ #notes = [];
  #made = 0;

  connected() {
    this.setAttribute('role', 'status');
    this.setAttribute('aria-live', 'polite');
    this.setAttribute('popover', 'manual');
    this.deeds['toast-act'] = ({ note: key }) => {
      const note = this.#notes.find((n) => n.key === Number(key));
      this.#remove(Number(key));
      if (note?.action?.run) note.action.run();
      else if (note?.action?.deed) this.intend(note.action.deed, note.action.data);
    };
    this.deeds['toast-close'] = ({ note: key }) => this.#remove(Number(key));
  }

  /** @param {{message: string, tone?: 'problem', action?: {words: string, run?: () => void, deed?: string, data?: any}, topic?: string}} note */
  show({ message, tone, action, topic }) {
    // The newest word on a topic is the only one.
    const same = this.#notes.find((n) => n.message === message || (topic && n.topic === topic));
    if (same) this.#remove(same.key);
    const key = (this.#made += 1);
    const note = { key, message, tone, action, topic, timer: 0 };
    note.timer = setTimeout(() => this.#remove(key), action ? 8000 : 4000);
    this.#notes = [...this.#notes.slice(-2), note];
    this.paint();
  }

  /** @param {number} key */
  #remove(key) {
    const note = this.#notes.find((n) => n.key === key);
    if (!note) return;
    clearTimeout(note.timer);
    this.#notes = this.#notes.filter((n) => n !== note);
    this.paint();
  }

  render() {
    return html`${this.#notes.map((note) => html`<div class="toast ${note.tone === 'problem' ? 'toast-problem' : ''}" data-key="${note.key}">
      ${note.tone === 'problem' ? icon('circle-alert') : ''}
      <p>${note.message}</p>
      ${note.action ? html`<button class="toast-button" data-do="toast-act" data-note="${note.key}">${note.action.words}</button>` : ''}
      <button class="icon-button toast-close" data-do="toast-close" data-note="${note.key}" aria-label="Dismiss">${icon('x')}</button>
    </div>`)}`;
  }

  painted() {
    if (!this.showPopover) return;
    // In the top layer, and above a dialog opened since.
    if (this.matches(':popover-open')) this.hidePopover();
    if (this.#notes.length) this.showPopover();
  }
}
customElements.define('sb-toaster', Toaster);
