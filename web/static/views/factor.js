// @ts-check
/** A second factor for the own account: a code of an app, besides the password. */
import { flag, html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { ownAccount } from '../core/rights.js';
import { room } from '../core/room.js';
import { icon, notForYou, qr } from './parts.js';
import { View } from './view.js';

class Factor extends View {
  /** @type {boolean | null} */ on_ = null;
  /** @type {any} a secret that waits for its first code */ begun = null;
  /** @type {string[] | null} shown once */ codes = null;
  ending = false;
  busy = false;
  wrong = '';

  opened() {
    this.named('Second factor');
    this.deeds['factor-end'] = () => { this.ending = true; this.wrong = ''; this.update(); this.#point(); };
    this.deeds['factor-cancel'] = () => { this.begun = null; this.ending = false; this.wrong = ''; this.update(); };
    this.deeds['copy-secret'] = () => room.ui.copy(this.begun.secret, 'The key is copied.', this.querySelector('.pair-text'));
    this.deeds['copy-codes'] = () => room.ui.copy((this.codes ?? []).join('\n'), 'The codes are copied.', this.querySelector('.codes-text'));
    this.deeds['save-codes'] = () => this.#save();
    this.deeds['codes-kept'] = () => { this.codes = null; this.update(); };
    this.on(this, 'submit', (event) => { event.preventDefault(); this.#submit(event.target); });
  }
  get may() { return ownAccount(room.store.state.user); }
  changed() {} // nothing in the library tells of it
  async fetch() { if (this.may) this.on_ = (await room.api.get('/me')).second_factor; }

  #point() { setTimeout(() => { const field = this.querySelector('form input:not([hidden])'); if (field instanceof HTMLInputElement) { field.focus(); field.select(); } }); }

  /** @param {HTMLFormElement} form */
  async #submit(form) {
    const data = new FormData(form);
    const [password, code] = [String(data.get('password') ?? ''), String(data.get('code') ?? '').trim()];
    this.busy = true;
    this.wrong = '';
    this.update();
    try {
      if (form.dataset.form === 'begin') this.begun = await room.api.post('/me/second-factor', { password });
      else if (form.dataset.form === 'confirm') {
        this.codes = (await room.api.post('/me/second-factor/confirm', { code })).recovery_codes;
        this.begun = null;
        this.on_ = true;
      } else {
        await room.api.delete('/me/second-factor', { password, code });
        this.ending = false;
        this.on_ = false;
        room.ui.toast({ message: 'The second factor is off. Your password alone lets you in.' });
      }
    } catch (error) {
      this.wrong = words(error);
    }
    this.busy = false;
    this.update();
    this.#point();
  }

  #save() {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([`Soundsible recovery codes of ${room.store.state.user?.username ?? ''}\nEach is good once, in place of a code of the app.\n\n${(this.codes ?? []).join('\n')}\n`], { type: 'text/plain' }));
    link.download = 'soundsible-recovery-codes.txt';
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  #password() {
    return html`<input type="text" name="username" value="${room.store.state.user?.username ?? ''}" autocomplete="username" hidden>
      <label class="field"><span>Your password</span><input name="password" type="password" autocomplete="current-password" required></label>`;
  }
  #code() { return html`<label class="field"><span>Code that the app shows</span><input name="code" ${this.ending ? '' : html`inputmode="numeric"`} autocomplete="one-time-code" maxlength="40" required></label>`; }
  /** @param {string} words @param {string} [cls] */
  #go(words, cls = 'button-main') {
    return html`${this.wrong ? html`<p class="wrong" role="alert">${this.wrong}</p>` : ''}<div class="actions"><button class="button ${cls}" ${flag('disabled', this.busy)}>${words}</button>${this.begun || this.ending ? html`<button type="button" class="button" data-do="factor-cancel">Cancel</button>` : ''}</div>`;
  }

  #inside() {
    if (this.codes) {
      return html`<p class="lead">The second factor is on. Keep these codes where your phone is not: on paper, or in a password manager. Each lets you in once when the phone is gone. <b>They are not shown again.</b></p>
        <ol class="codes" data-once aria-label="Recovery codes">${this.codes.map((code) => html`<li><code>${code}</code></li>`)}</ol>
        <textarea class="codes-text sr-only" readonly tabindex="-1" aria-hidden="true">${this.codes.join('\n')}</textarea>
        <div class="actions"><button class="button button-main" data-do="codes-kept">I have kept them</button><button class="button" data-do="save-codes">${icon('download')} Save</button><button class="button" data-do="copy-codes">Copy</button></div>`;
    }
    if (this.begun) {
      return html`<p class="lead">Point your authenticator app at this code, then type the six digits that it shows.</p>
        ${qr(this.begun.qr, 'Code for the authenticator app')}
        <p class="quiet">Is the app on this very device? <a class="link-button" href="${this.begun.uri}">Open in your authenticator app</a></p>
        <label class="field"><span>Or type this key into the app</span><textarea class="pair-text" rows="2" readonly spellcheck="false">${this.begun.secret.replace(/(.{4})(?=.)/g, '$1 ')}</textarea></label>
        <div class="actions"><button class="button button-small" data-do="copy-secret">Copy key</button></div>
        <form class="gate-form" data-form="confirm" data-key="confirm" data-once>${this.#code()}${this.#go('Switch on')}</form>`;
    }
    if (this.on_ && this.ending) {
      return html`<p class="lead">Without it your password alone lets in whoever knows it.</p>
        <form class="gate-form" data-form="end" data-key="end">${this.#password()}${this.#code()}<p class="quiet hint">A recovery code does, too.</p>${this.#go('Switch off', 'button-danger')}</form>`;
    }
    if (this.on_) {
      return html`<p class="lead">${icon('check', 'good')} It is on: logging in with your password asks for a code of your app as well. Paired devices go on as they are.</p>
        <div class="actions"><button class="button" data-do="factor-end">Switch off</button></div>`;
    }
    return html`<p class="lead">With it a password alone is not enough: logging in asks for a code that only your phone knows. Any authenticator app does (Aegis, 2FAS, Google Authenticator, a password manager).</p>
      <form class="gate-form" data-form="begin" data-key="begin">${this.#password()}${this.#go('Set it up')}</form>`;
  }

  render() {
    return html`<div class="page page-narrow"><a class="back" href="#/you">${icon('chevron-left')} You</a><header class="page-head"><h1>Second factor</h1></header>
      ${!this.may ? notForYou('This device may listen, and leaves the account as it is.') : this.failure ? this.problem() : this.on_ === null ? '' : this.#inside()}</div>`;
  }
}
customElements.define('view-factor', Factor);
