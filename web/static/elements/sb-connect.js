// @ts-check
/** The own account and oneself at the provider that the station knows (OpenID Connect): connected, or parted again. */
import { flag, html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { room } from '../core/room.js';
import { Modal } from './modal.js';

class Connect extends Modal {
  heading() { return this.props.connected ? `Log in without ${this.props.name}` : `Log in with ${this.props.name}`; }
  /** @param {FormData} form */
  async submit(form) {
    if (this.busy) return;
    this.busy = true;
    this.wrong = '';
    this.update();
    const password = String(form.get('password') ?? '');
    try {
      if (this.props.connected) { await room.api.delete('/me/identity', { password }); this.close(true); }
      else location.assign((await room.api.post('/me/identity', { password })).url);
    } catch (error) {
      this.busy = false;
      this.wrong = words(error);
      this.update();
    }
  }
  body() {
    return html`<p class="quiet">${this.props.connected ? `${this.props.name} vouches for you no more; your password here stays as it is.` : `You are led to ${this.props.name}. Who you are there lets you in here from then on, besides your password.`}</p>
      <input type="text" name="username" value="${room.store.state.user?.username ?? ''}" autocomplete="username" hidden>
      <label class="field"><span>Your password here</span><input name="password" type="password" autocomplete="current-password" required autofocus></label>
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button ${this.props.connected ? 'button-danger' : 'button-main'}" ${flag('disabled', this.busy)}>${this.props.connected ? 'Disconnect' : 'Go on'}</button></div>`;
  }
}
customElements.define('sb-connect', Connect);
