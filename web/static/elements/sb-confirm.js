// @ts-check
/** Asks before something that cannot be undone. */
import { html } from '../core/html.js';
import { Modal } from './modal.js';

class Confirm extends Modal {
  heading() { return this.props.title; }
  submit() { this.close(true); }
  body() {
    return html`<p>${this.props.text}</p>
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close" autofocus>Cancel</button><button class="button ${this.props.danger ? 'button-danger' : 'button-main'}">${this.props.button}</button></div>`;
  }
}
customElements.define('sb-confirm', Confirm);
