// @ts-check
/** An address or a link as a code for a camera, and to copy. */
import { html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { qr } from '../views/parts.js';
import { room } from '../core/room.js';
import { Modal } from './modal.js';

class ShowCode extends Modal {
  #drawn = '';
  heading() { return this.props.title; }
  async connected() {
    super.connected();
    this.deeds.copy = () => room.ui.copy(this.props.text, this.props.copied ?? 'The address is copied.', this.querySelector('textarea'));
    try {
      this.#drawn = (await room.api.post('/qr', { text: this.props.text })).qr;
    } catch (error) {
      this.wrong = words(error);
    }
    this.update();
  }
  body() {
    return html`${this.props.lead ? html`<p class="quiet">${this.props.lead}</p>` : ''}
      ${this.#drawn ? qr(this.#drawn, this.props.alt ?? 'The address as a code') : html`<span class="qr qr-coming"></span>`}
      <label class="field"><span class="sr-only">${this.props.label ?? 'Address'}</span><textarea class="pair-text" rows="2" readonly spellcheck="false">${this.props.text}</textarea></label>
      <div class="dialog-actions"><button type="button" class="button" data-do="copy">Copy</button><button type="button" class="button button-main" data-do="modal-close">Done</button></div>`;
  }
}
customElements.define('sb-show-code', ShowCode);
