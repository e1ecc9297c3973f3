// @ts-check
/** What dialogs share: the browser's own dialog (focus stays in, Esc closes, focus returns), closed by a press beside it. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { icon } from '../views/parts.js';

export class Modal extends Element {
  /** @type {any} */ props = {};
  /** @type {(answer: any) => void} */ #answer = () => {};
  busy = false;
  wrong = '';

  /** What stands inside. */
  body() { return html``; }
  heading() { return ''; }
  get wide() { return false; }

  /** @param {any} props @returns {Promise<any>} what it was closed with */
  open(props) {
    this.props = props;
    return new Promise((resolve) => {
      this.#answer = resolve;
      document.getElementById('dialogs')?.append(this);
      this.querySelector('dialog')?.showModal();
      const first = /** @type {HTMLElement | null} */ (this.querySelector('[autofocus]') ?? this.querySelector('input, .dialog-body button'));
      first?.focus();
      if (first instanceof HTMLInputElement) first.select();
    });
  }

  connected() {
    this.deeds['modal-close'] = () => this.close(undefined);
    this.on(this, 'submit', (event) => { event.preventDefault(); this.submit(new FormData(event.target)); });
    this.on(this, 'cancel', (event) => { event.preventDefault(); this.close(undefined); }, { capture: true });
    this.on(this, 'pointerdown', (event) => { if (event.target instanceof HTMLDialogElement) this.close(undefined); });
  }

  /** @param {FormData} _form */
  submit(_form) {}

  /** @param {any} answer */
  close(answer) {
    this.querySelector('dialog')?.close();
    this.remove();
    this.#answer(answer);
  }

  render() {
    return html`<dialog class="dialog ${this.wide ? 'dialog-wide' : ''}" aria-label="${this.heading()}"><form method="dialog" class="dialog-form">
      <header class="dialog-head"><h2 title="${this.heading()}">${this.heading()}</h2><button type="button" class="icon-button" data-do="modal-close" aria-label="Close">${icon('x')}</button></header>
      <div class="dialog-body">${this.body()}${this.wrong ? html`<p class="wrong" role="alert">${this.wrong}</p>` : ''}</div>
    </form></dialog>`;
  }
}
