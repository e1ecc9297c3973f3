// @ts-check
/** Coming in. */
import { Element } from '../core/element.js';
import { flag, html } from '../core/html.js';
import { plural } from '../core/format.js';
import { room } from '../core/room.js';
import { gate } from './gate.js';

/** @param {any} error */
export const loginWords = (error) => {
  if (error.status === 401) return 'That name and password do not fit together.';
  if (error.status === 429) return `Too many tries. Please wait ${error.retryAfter ? plural(Math.ceil(error.retryAfter), 'second') : 'a little'}.`;
  return error.unreachable ? 'The station does not answer.' : error.message;
};

class Login extends Element {
  busy = false;
  wrong = '';
  setup = false;
  connected() {
    document.title = 'Log in · Soundsible';
    room.api.get('/setup').then((/** @type {any} */ answer) => { this.setup = Boolean(answer?.needed); this.update(); }, () => {});
    this.on(this, 'submit', async (event) => {
      event.preventDefault();
      const form = new FormData(event.target);
      this.busy = true;
      this.wrong = '';
      this.update();
      try {
        const { user } = await room.api.post('/session', { username: String(form.get('username')).trim(), password: form.get('password') }, { quiet: true });
        room.ui.enter(user);
      } catch (error) {
        this.busy = false;
        this.wrong = loginWords(error);
        this.update();
        setTimeout(() => { const field = this.querySelector('input[name="password"]'); if (field instanceof HTMLInputElement) { field.focus(); field.select(); } });
      }
    });
    setTimeout(() => this.querySelector('input')?.focus());
  }
  render() {
    if (this.setup) {
      return gate(html`<h1>Welcome</h1><p class="quiet">This station has no owner yet. Open the set-up link that its terminal shows, or scan the code beside it.</p>
        <button class="button button-main" data-do="reload">I have done that</button>`);
    }
    return gate(html`<h1>Soundsible</h1><p class="quiet">Your music, from your own station.</p>
      <form class="gate-form"><label class="field"><span>Name</span><input name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required></label>
      <label class="field"><span>Password</span><input name="password" type="password" autocomplete="current-password" required></label>
      ${this.wrong ? html`<p class="wrong" role="alert">${this.wrong}</p>` : ''}
      <button class="button button-main button-whole" ${flag('disabled', this.busy)}>${this.busy ? 'One moment…' : 'Log in'}</button></form>
      <a class="link-button" href="#/pair">Pair with a sync token</a>`);
  }
}
customElements.define('view-login', Login);
