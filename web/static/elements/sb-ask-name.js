// @ts-check
/** Asks for one name. */
import { html } from '../core/html.js';
import { Modal } from './modal.js';

class AskName extends Modal {
  heading() { return this.props.title; }
  /** @param {FormData} form */
  submit(form) {
    const name = String(form.get('name')).trim();
    if (name) this.close(name);
    else { this.wrong = 'Give it a name first.'; this.update(); }
  }
  body() {
    return html`<label class="field"><span>${this.props.label}</span><input name="name" value="${this.props.value ?? ''}" maxlength="200" autocomplete="off" autofocus></label>
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button button-main">${this.props.button}</button></div>`;
  }
}
customElements.define('sb-ask-name', AskName);
