// @ts-check
/** An invitation: as what somebody comes, then the link, as a code and to copy. */
import { flag, html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { left } from '../core/devices.js';
import { ROLES } from '../core/people.js';
import { choices, qr } from '../views/parts.js';
import { room } from '../core/room.js';
import { Modal } from './modal.js';

class Invite extends Modal {
  #role = 'adult';
  #name = '';
  #some = false;
  /** @type {any} */ #made = null;
  #drawn = '';

  connected() {
    super.connected();
    this.on(this, 'change', (event) => {
      const { name, value, checked } = event.target;
      if (name === 'role') this.#role = value;
      if (name === 'some') { this.#some = checked; this.update(); }
    });
    this.deeds.copy = () => room.ui.copy(this.#made.link, 'The link is copied.', this.querySelector('.pair-text'));
    this.deeds.share = () => navigator.share({ title: 'Soundsible', text: 'Listen with me', url: this.#made.link }).catch(() => {});
  }
  heading() { return this.#made ? 'Send this link' : 'Invite somebody'; }

  /** @param {FormData} form */
  async submit(form) {
    if (this.busy || this.#made) return;
    this.busy = true;
    this.wrong = '';
    this.#name = String(form.get('name') ?? '').trim();
    this.update();
    try {
      const chosen = this.#some ? await room.ui.dialog('sb-pick-folders', { name: this.#name, limited: true, button: 'Invite' }) : {};
      if (chosen) {
        this.#made = await room.api.post('/invitations', { role: this.#role, name: this.#name, ...chosen });
        this.#drawn = (await room.api.post('/qr', { text: this.#made.link }).catch(() => ({ qr: '' }))).qr;
      }
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
      const days = Math.max(1, Math.round((Date.parse(this.#made.expires_at) - Date.now()) / 86_400_000));
      return html`<p class="quiet">Whoever opens it chooses a name and a password, and is in. It makes one account, ${left(this.#made.expires_at) ? `within ${days === 1 ? 'a day' : `${days} days`}` : ''}, and is shown this once.</p>
        ${this.#drawn ? qr(this.#drawn, 'The invitation as a code') : ''}
        <label class="field"><span>Link</span><textarea class="pair-text" rows="2" readonly spellcheck="false">${this.#made.link}</textarea></label>
        <div class="dialog-actions">${'share' in navigator ? html`<button type="button" class="button" data-do="share">Send</button>` : ''}<button type="button" class="button" data-do="copy">Copy link</button><button type="button" class="button button-main" data-do="modal-close">Done</button></div>`;
    }
    return html`<div class="dialog-fields"><label class="field"><span>For whom (they see it)</span><input name="name" value="${this.#name}" maxlength="60" autocomplete="off" autofocus></label>
      ${choices({ name: 'role', legend: 'What they may do', chosen: this.#role, options: ROLES.filter(([role]) => role !== 'owner') })}
      <label class="check"><input type="checkbox" name="some" ${flag('checked', this.#some)}><span>They hear some folders alone; I choose them next</span></label></div>
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button button-main" ${flag('disabled', this.busy)}>${this.#some ? 'Choose folders' : 'Make the link'}</button></div>`;
  }
}
customElements.define('sb-invite', Invite);
