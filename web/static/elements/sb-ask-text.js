// @ts-check
/** Asks for one line: a name. */
import { html } from '../core/html.js';
import { Modal } from './modal.js';

class AskText extends Modal {
  heading() { return this.props.title; }
  /** @param {FormData} form */
  submit(form) {
    const text = String(form.get('text')).trim();
    if (text) this.close(text);
    else { this.wrong = 'Type something first.'; this.update(); }
  }
  body() {
    return html`<label class="field"><span>${this.props.label}</span><input name="text" value="${this.props.value ?? ''}" maxlength="${this.props.longest ?? 60}" autocomplete="off" autofocus></label>
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button button-main">${this.props.button}</button></div>`;
  }
}
customElements.define('sb-ask-text', AskText);
