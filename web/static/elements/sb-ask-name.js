// @ts-check
/** Asks what a playlist is called, and who hears it. */
import { html } from '../core/html.js';
import { choices } from '../views/parts.js';
import { VISIBILITIES } from '../core/rights.js';
import { Modal } from './modal.js';

class AskName extends Modal {
  #visibility = '';
  connected() {
    super.connected();
    this.#visibility = this.props.visibility ?? 'private';
    this.on(this, 'change', (event) => { if (event.target.name === 'visibility') this.#visibility = event.target.value; });
  }
  heading() { return this.props.title; }
  /** @param {FormData} form */
  submit(form) {
    const name = String(form.get('name')).trim();
    if (name) this.close({ name, visibility: this.#visibility });
    else { this.wrong = 'Give it a name first.'; this.update(); }
  }
  body() {
    return html`<label class="field"><span>Name</span><input name="name" value="${this.props.value ?? ''}" maxlength="200" autocomplete="off" autofocus></label>
      ${choices({ name: 'visibility', legend: 'Who hears it', chosen: this.#visibility, options: VISIBILITIES })}
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button button-main">${this.props.button}</button></div>`;
  }
}
customElements.define('sb-ask-name', AskName);
