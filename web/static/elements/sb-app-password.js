// @ts-check
/** A new app: its name and what it may do, then what to enter there, shown this once. */
import { flag, html } from '../core/html.js';
import { APPS, onlyHere, scopesOf } from '../core/apps.js';
import { words } from '../core/deeds.js';
import { adds } from '../core/rights.js';
import { choices, icon, qr } from '../views/parts.js';
import { room } from '../core/room.js';
import { Modal } from './modal.js';

/** What is entered, in the order apps ask for it. @type {[string, string][]} */
const ENTERED = [['server', 'Server address'], ['username', 'User name'], ['app_password', 'Password']];

class AppPassword extends Modal {
  #scope = adds(room.store.state.user) ? 'add' : 'listen';
  #name = '';
  /** On a phone the app is most likely here, and the code for another device is folded away. */
  #small = matchMedia('(max-width: 767px)').matches;
  /** @type {any} */ #made = null;

  connected() {
    super.connected();
    this.on(this, 'change', (event) => { if (event.target.name === 'scope') this.#scope = event.target.value; });
    this.deeds['copy-one'] = ({ what }) => room.ui.copy(this.#made[what ?? ''], `${ENTERED.find(([name]) => name === what)?.[1]}: copied.`, this.querySelector(`[name="${what}"]`));
  }

  get wide() { return Boolean(this.#made); }
  heading() { return this.#made ? `Set up “${this.#made.name}”` : 'Set up an app'; }

  /** @param {FormData} form */
  async submit(form) {
    if (this.busy || this.#made) return;
    this.#name = String(form.get('name') ?? '').trim();
    this.wrong = this.#name ? '' : 'Say which app it is for.';
    this.update();
    if (this.wrong) return;
    this.busy = true;
    try {
      this.#made = await room.api.post('/app-passwords', { name: this.#name, scope: this.#scope });
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
      const code = html`${qr(this.#made.qr, 'Code with what the app needs')}<p class="quiet">${this.#small ? 'Point' : 'The app is on a phone? Point'} its camera here: a page of this station opens there, with the three to copy. Whoever sees this code can use it.</p>`;
      return html`<p class="quiet">Enter these three in the app. The password is shown this once; a lost one is replaced by a new one.</p>
        <div class="entered">${ENTERED.map(([name, words]) => html`<div class="entered-one"><label class="field"><span>${words}</span><input name="${name}" value="${this.#made[name]}" readonly spellcheck="false"></label>
          <button type="button" class="icon-button" data-do="copy-one" data-what="${name}" aria-label="Copy: ${words}" title="Copy">${icon('copy')}</button></div>`)}</div>
        ${onlyHere(this.#made.server) ? html`<p class="wrong">This address is good on this computer alone: a phone cannot reach it. For another device open the player by one of the addresses under You → Where this station answers, and set the app up from there.</p>` : ''}
        ${this.#small ? html`<details class="entered-help"><summary>${icon('chevron-right')} The app is on another device</summary>${code}</details>` : html`<div class="entered-code">${code}</div>`}
        <details class="entered-help"><summary>${icon('chevron-right')} Where to enter them</summary>
          <dl class="app-help">${APPS.map(([where, names, help]) => html`<div><dt>${where}${names ? html` <span class="quiet">${names}</span>` : ''}</dt><dd class="quiet">${help}</dd></div>`)}</dl></details>
        <div class="dialog-actions"><button type="button" class="button button-main" data-do="modal-close">Done</button></div>`;
    }
    return html`<div class="dialog-fields"><label class="field"><span>Which app, and where it runs</span><input name="name" value="${this.#name}" maxlength="60" autocomplete="off" placeholder="Symfonium on my phone" autofocus></label>
      ${choices({ name: 'scope', legend: 'What it may do', chosen: this.#scope, options: scopesOf(room.store.state.user) })}</div>
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button button-main" ${flag('disabled', this.busy)}>Make a password</button></div>`;
  }
}
customElements.define('sb-app-password', AppPassword);
