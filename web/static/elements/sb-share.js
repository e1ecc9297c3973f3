// @ts-check
/** Makes a link with which others hear something, without an account. */
import { flag, html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { LASTS, endOf } from '../core/shares.js';
import { qr } from '../views/parts.js';
import { room } from '../core/room.js';
import { Modal } from './modal.js';

class Share extends Modal {
  /** @type {any} */ #made = null;
  #drawn = '';
  #text = '';

  connected() {
    super.connected();
    if (this.props.share) { this.#made = this.props.share; this.#draw(); }
    this.deeds.copy = () => room.ui.copy(this.#made.link, 'The link is copied.', this.querySelector('.pair-text'));
    this.deeds.send = () => navigator.share({ title: this.props.title, url: this.#made.link }).catch(() => {});
  }
  heading() { return this.#made ? 'Send this link' : `Share “${this.props.title}”`; }

  async #draw() {
    this.#drawn = (await room.api.post('/qr', { text: this.#made.link }).catch(() => ({ qr: '' }))).qr;
    this.update();
  }

  /** @param {FormData} form */
  async submit(form) {
    if (this.busy || this.#made) return;
    this.busy = true;
    this.wrong = '';
    this.#text = String(form.get('description') ?? '').trim();
    this.update();
    try {
      const days = Number(form.get('lasts'));
      this.#made = await room.api.post('/shares', { entries: this.props.entries, description: this.#text, ...(days ? { expires_at: endOf(days) } : {}) });
      this.#draw();
    } catch (error) {
      this.wrong = words(error);
    }
    this.busy = false;
    this.update();
  }

  /** @param {any} [answer] */
  close(answer) { super.close(answer ?? this.#made ?? undefined); }

  body() {
    if (this.#made) {
      return html`<p class="quiet">Whoever has it can listen, without an account, and to nothing else. It must reach this station. You find it again, and end it, under You → Shares.</p>
        ${this.#drawn ? qr(this.#drawn, 'The link as a code') : html`<span class="qr qr-coming"></span>`}
        <label class="field"><span>Link</span><textarea class="pair-text" rows="2" readonly spellcheck="false">${this.#made.link}</textarea></label>
        <div class="dialog-actions">${'share' in navigator ? html`<button type="button" class="button" data-do="send">Send</button>` : ''}<button type="button" class="button" data-do="copy">Copy link</button><button type="button" class="button button-main" data-do="modal-close">Done</button></div>`;
    }
    return html`<div class="dialog-fields"><label class="field"><span>A few words with it, if you like</span><input name="description" value="${this.#text}" maxlength="200" autocomplete="off" autofocus></label>
      <label class="field"><span>Good for</span><select name="lasts">${LASTS.map(([value, name]) => html`<option value="${value}" ${value === '30' ? html`selected` : ''}>${name}</option>`)}</select></label></div>
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button button-main" ${flag('disabled', this.busy)}>Make the link</button></div>`;
  }
}
customElements.define('sb-share', Share);
