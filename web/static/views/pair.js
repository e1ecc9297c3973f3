// @ts-check
/** A phone's camera, or a pasted text, led here: this device becomes one of the station's. */
import { Element } from '../core/element.js';
import { flag, html } from '../core/html.js';
import { keep } from '../core/keep.js';
import { challenge, guessName, pairingWords, read, tokenIn, verify } from '../core/pairing.js';
import { room } from '../core/room.js';
import { gate } from './gate.js';

class Pair extends Element {
  busy = false;
  wrong = '';
  /** @type {import('../core/pairing.js').Said | null} */ said = null;
  /** @type {any} what the station answered */ paired = null;
  /** The station that answered is not the one the token is from. */ impostor = false;

  /** This login was at another address of the station a moment ago. */ moving = Boolean(room.pairing?.moved);

  get #token() { return tokenIn(room.pairing?.token ?? ''); }

  connected() {
    document.title = 'Pair this device · Soundsible';
    this.#begin();
    this.on(this, 'submit', (event) => {
      event.preventDefault();
      const form = new FormData(event.target);
      if (!this.#token) {
        room.pairing = { ...room.pairing, token: tokenIn(String(form.get('token') ?? '')) };
        this.wrong = this.#token ? '' : 'This is not a sync token. Copy the whole text; it begins with “sb1.”.';
        this.#read();
        this.update();
        return;
      }
      this.#claim(String(form.get('name') ?? '').trim());
    });
    this.deeds['pair-done'] = () => this.#done();
    this.deeds['pair-other'] = () => { room.pairing = { ...room.pairing, token: '' }; this.said = null; this.wrong = ''; this.update(); };
  }

  /** A login that only goes on at another address is asked nothing. */
  async #begin() {
    await this.#read();
    if (this.moving) this.#claim('');
  }

  #done() {
    if (room.pairing?.place) keep('wanted', room.pairing.place);
    room.ui.enter(this.paired.user);
  }

  async #read() {
    this.said = this.#token ? await read(this.#token) : null;
    this.update();
  }

  /** @param {string} name */
  async #claim(name) {
    this.busy = true;
    this.wrong = '';
    this.update();
    const asked = challenge();
    try {
      const answer = await room.api.post('/pairing/claim', { token: this.#token, name, challenge: asked }, { quiet: true });
      room.pairing = { ...room.pairing, token: '' }; // it is used
      if (await verify(this.said, answer.station, asked) === 'wrong') {
        await room.api.delete('/session').catch(() => {});
        this.impostor = true;
      } else {
        this.paired = answer;
        if (this.moving) { this.#done(); return; }
      }
    } catch (error) {
      this.wrong = pairingWords(error);
      this.moving = false;
    }
    this.busy = false;
    this.update();
  }

  render() {
    if (this.impostor) {
      return gate(html`<h1>This is not your station</h1><p class="quiet">What answers here is not the station that made the token. Nothing was kept on this device.</p>
        <p class="wrong" role="alert">Somebody may be in between. Do not log in here; pair again in a network you trust.</p>`);
    }
    if (this.moving) return gate(html`<h1>Going on securely</h1><p class="quiet" role="status">One moment…</p>`);
    if (this.paired) {
      const { station, device, user } = this.paired;
      return gate(html`<h1>Paired</h1><p class="quiet" role="status">“${device.name}” now listens to ${station.name}${user?.username ? ` as ${user.username}` : ''}.</p>
        <button class="button button-main button-whole" data-do="pair-done">Start listening</button>
        ${globalThis.isSecureContext ? '' : html`<a class="button button-whole" href="/trust#/you/install">Make it an app first</a>
        <p class="quiet hint">An app on the home screen, which opens at once and in a window of its own, needs this device to trust the station once. It takes two minutes.</p>`}`);
    }
    if (!this.#token) {
      return gate(html`<h1>Pair this device</h1><p class="quiet">On a device that is paired already: You → Devices → Pair a device. Scan the code it shows with this one’s camera, or paste its text here.</p>
        <form class="gate-form"><label class="field"><span>Sync token</span><textarea name="token" rows="4" autocapitalize="none" autocomplete="off" spellcheck="false" required></textarea></label>
        ${this.wrong ? html`<p class="wrong" role="alert">${this.wrong}</p>` : ''}
        <button class="button button-main button-whole">Go on</button></form>
        <a class="link-button" href="#/login">Log in with a password</a>`);
    }
    return gate(html`<h1>Pair this device</h1><p class="quiet">${this.said?.station ? `With ${this.said.station}.` : 'With this station.'} The token works once.</p>
      <form class="gate-form"><label class="field"><span>What is this device called?</span><input name="name" value="${guessName(navigator.userAgent)}" maxlength="60" autocomplete="off" required></label>
      ${this.wrong ? html`<p class="wrong" role="alert">${this.wrong}</p>` : ''}
      <button class="button button-main button-whole" ${flag('disabled', this.busy)}>${this.busy ? 'One moment…' : 'Pair'}</button></form>
      ${this.wrong ? html`<button class="link-button" data-do="pair-other">Use another token</button><a class="link-button" href="#/login">Log in with a password</a>` : ''}`);
  }
}
customElements.define('view-pair', Pair);
