// @ts-check
/** The first minute: the station gets its owner. */
import { Element } from '../core/element.js';
import { flag, html } from '../core/html.js';
import { room } from '../core/room.js';
import { gate } from './gate.js';

const LEAST = 10;

class Setup extends Element {
  busy = false;
  wrong = '';
  /** @type {boolean | null} */ needed = null;
  length = 0;
  connected() {
    document.title = 'Welcome · Soundsible';
    room.api.get('/setup').then((/** @type {any} */ answer) => { this.needed = Boolean(answer.needed); this.update(); }, () => { this.needed = true; this.update(); });
    this.on(this, 'input', (event) => {
      if (event.target.name !== 'password') return;
      this.length = event.target.value.length;
      this.update();
    });
    this.on(this, 'submit', async (event) => {
      event.preventDefault();
      const form = new FormData(event.target);
      const username = String(form.get('username')).trim();
      const password = String(form.get('password'));
      if (!username || password.length < LEAST) {
        this.wrong = username ? 'The password needs ten characters or more.' : 'Tell the station your name first.';
        this.update();
        return;
      }
      this.busy = true;
      this.wrong = '';
      this.update();
      try {
        const { user } = await room.api.post('/setup', { code: room.store.state.route.params.code, username, password }, { quiet: true });
        room.ui.enter(user);
      } catch (error) {
        const { status, message } = /** @type {any} */ (error);
        this.busy = false;
        this.wrong = status === 403 ? 'This link has been used or is not right. The terminal shows a new one at each start.' : message;
        if (status === 409) this.needed = false;
        this.update();
      }
    });
  }
  render() {
    if (this.needed === false) return gate(html`<h1>All set</h1><p class="quiet">This station has its owner already.</p><a class="button button-main" href="#/login">Log in</a>`);
    const left = LEAST - this.length;
    return gate(html`<h1>Welcome to your station</h1><p class="quiet">Choose a name and a password. With them you listen from any device at home.</p>
      <form class="gate-form" novalidate><label class="field"><span>Your name</span><input name="username" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64"></label>
      <label class="field"><span>Password</span><input name="password" type="password" autocomplete="new-password" aria-describedby="least"></label>
      <p class="quiet hint" id="least">${this.length && left > 0 ? `${left} more ${left === 1 ? 'character' : 'characters'}.` : left <= 0 ? 'Long enough.' : 'Ten characters or more. A short sentence is easy to remember.'}</p>
      ${this.wrong ? html`<p class="wrong" role="alert">${this.wrong}</p>` : ''}
      <button class="button button-main button-whole" ${flag('disabled', this.busy)}>${this.busy ? 'One moment…' : 'Start listening'}</button></form>`);
  }
}
customElements.define('view-setup', Setup);
