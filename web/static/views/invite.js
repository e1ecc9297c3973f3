// @ts-check
/** A link from the station's owner: who opens it becomes one of its people. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { wishOf } from '../core/people.js';
import { room } from '../core/room.js';
import { accountForm, gate } from './gate.js';

class Invite extends Element {
  busy = false;
  wrong = '';
  length = 0;
  /** @type {any} what the invitation says */ said = null;
  /** @type {any} why it says nothing */ failure = null;

  get #path() { return `/invitations/${encodeURIComponent(room.store.state.route.params.code ?? '')}`; }

  connected() {
    document.title = 'Invitation · Soundsible';
    this.deeds.again = () => this.#look();
    this.#look();
    this.on(this, 'input', (event) => {
      if (event.target.name !== 'password') return;
      this.length = event.target.value.length;
      this.update();
    });
    this.on(this, 'submit', (event) => { event.preventDefault(); this.#accept(new FormData(event.target)); });
  }

  async #look() {
    this.failure = null;
    try {
      this.said = await room.api.get(this.#path, undefined, { quiet: true });
    } catch (error) {
      this.failure = error;
    }
    this.update();
  }

  /** @param {FormData} form */
  async #accept(form) {
    const { wish, wrong } = wishOf('new', form);
    this.wrong = wrong ?? '';
    if (!wish) { this.update(); return; }
    this.busy = true;
    this.update();
    try {
      const { user } = await room.api.post(`${this.#path}/accept`, { username: wish.username, password: wish.password }, { quiet: true });
      room.ui.enter(user);
    } catch (error) {
      this.busy = false;
      if (/** @type {any} */ (error).status === 410) this.failure = error;
      else this.wrong = words(error);
      this.update();
    }
  }

  render() {
    if (this.failure) {
      const away = this.failure.unreachable || this.failure.status === 429;
      return gate(html`<h1>${away ? 'One moment' : 'This invitation is over'}</h1><p class="quiet" role="alert">${words(this.failure)}</p>
        ${away ? html`<button class="button button-main" data-do="again">Try again</button>` : html`<a class="button button-main" href="#/login">Log in</a>`}`);
    }
    if (!this.said) return gate('');
    const { station, name } = this.said;
    const { user } = room.store.state;
    return gate(html`<h1>${name ? `Welcome, ${name}` : 'You are invited'}</h1><p class="quiet">You are invited to listen at ${station || 'this station'}. Choose a name and a password; with them you log in on any device.</p>
      ${user ? html`<p class="calm-note">This browser is logged in as ${user.username} now. It will be yours then.</p>` : ''}
      ${accountForm({ label: 'Your name', length: this.length, wrong: this.wrong, busy: this.busy, button: 'Start listening' })}
      <a class="link-button" href="#/login">I have an account here</a>`);
  }
}
customElements.define('view-invite', Invite);
