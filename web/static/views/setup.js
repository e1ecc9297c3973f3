// @ts-check
/** The first minute: the station gets its owner. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { room } from '../core/room.js';
import { wishOf } from '../core/people.js';
import { accountForm, gate } from './gate.js';

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
      const { wish, wrong } = wishOf('new', form);
      this.wrong = wrong ?? '';
      if (!wish) { this.update(); return; }
      this.busy = true;
      this.update();
      try {
        const { user } = await room.api.post('/setup', { code: room.store.state.route.params.code, username: wish.username, password: wish.password }, { quiet: true });
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
    return gate(html`<h1>Welcome to your station</h1><p class="quiet">Choose a name and a password. With them you listen from any device at home.</p>
      ${accountForm({ label: 'Your name', length: this.length, wrong: this.wrong, busy: this.busy, button: 'Start listening' })}`);
  }
}
customElements.define('view-setup', Setup);
