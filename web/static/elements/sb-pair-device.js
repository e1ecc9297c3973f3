// @ts-check
/** A new device: what it may do, then the code for its camera, until it is paired or the time is up. */
import { flag, html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { SCOPES, left } from '../core/devices.js';
import { adds } from '../core/rights.js';
import { choices, icon, qr } from '../views/parts.js';
import { room } from '../core/room.js';
import { Modal } from './modal.js';

class PairDevice extends Modal {
  #scope = 'listen';
  #name = '';
  /** @type {any} the sync token */ #made = null;
  /** @type {Set<string>} devices that were there before */ #before = new Set();
  /** @type {any} the device that came */ #came = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #clock;

  connected() {
    super.connected();
    this.on(this, 'change', (event) => { if (event.target.name === 'scope') this.#scope = event.target.value; });
    this.deeds['copy-token'] = () => room.ui.copy(this.#made.token, 'The token is copied.', this.querySelector('.pair-text'));
    this.deeds['copy-link'] = () => room.ui.copy(this.#made.link, 'The link is copied.', null);
    this.deeds['pair-again'] = () => { this.#made = null; this.update(); };
    this.until(room.intents.on('devices-changed', () => this.#look()));
    this.until(() => clearInterval(this.#clock));
  }

  heading() { return this.#came ? 'Paired' : 'Pair a device'; }

  /** @param {FormData} form */
  async submit(form) {
    if (this.busy || this.#made) return;
    this.busy = true;
    this.wrong = '';
    this.#name = String(form.get('name') ?? '').trim();
    this.update();
    try {
      this.#before = new Set((await room.api.get('/devices')).items.map((/** @type {any} */ one) => one.id));
      this.#made = await room.api.post('/pairing/tokens', { name: this.#name, scope: this.#scope });
      clearInterval(this.#clock);
      this.#clock = setInterval(() => this.update(), 1000);
    } catch (error) {
      this.wrong = words(error);
    }
    this.busy = false;
    this.update();
  }

  async #look() {
    if (!this.#made || this.#came) return;
    const { items } = await room.api.get('/devices').catch(() => ({ items: [] }));
    this.#came = items.find((/** @type {any} */ one) => !this.#before.has(one.id)) ?? null;
    if (this.#came) clearInterval(this.#clock);
    this.update();
  }

  /** @param {any} answer */
  close(answer) {
    // Nobody is left waiting with a token that was shown and not used.
    if (this.#made && !this.#came) room.api.delete(`/pairing/tokens/${this.#made.id}`).catch(() => {});
    super.close(answer ?? this.#came ?? undefined);
  }

  body() {
    if (this.#came) {
      return html`<p class="pair-came" role="status">${icon('check')} “${this.#came.name}” is paired.</p>
        <div class="dialog-actions"><button type="button" class="button button-main" data-do="modal-close">Done</button></div>`;
    }
    if (this.#made) {
      const time = left(this.#made.expires_at);
      return time ? html`<p class="quiet">Point the new device’s camera at this code. It must be in a network that reaches this station.</p>
        ${qr(this.#made.qr, 'Code that pairs a device')}
        <p class="quiet pair-left" role="timer">Good once, for ${time}.</p>
        <label class="field"><span>Without a camera: this text, under “Pair with a sync token”</span><textarea class="pair-text" rows="3" readonly spellcheck="false">${this.#made.token}</textarea></label>
        <div class="dialog-actions"><button type="button" class="button" data-do="copy-link">Copy link</button><button type="button" class="button" data-do="copy-token">Copy text</button></div>`
        : html`<p class="quiet">The time is up, and the token is good no more.</p><div class="dialog-actions"><button type="button" class="button button-main" data-do="pair-again">Make a new one</button></div>`;
    }
    const options = SCOPES.filter(([scope]) => scope !== 'add' || adds(room.store.state.user));
    return html`<div class="dialog-fields"><label class="field"><span>Name, if you know it already</span><input name="name" value="${this.#name}" maxlength="60" autocomplete="off" autofocus></label>
      ${choices({ name: 'scope', legend: 'What it may do', chosen: this.#scope, options, told: true })}</div>
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button button-main" ${flag('disabled', this.busy)}>Show the code</button></div>`;
  }
}
customElements.define('sb-pair-device', PairDevice);
