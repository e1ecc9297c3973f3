// @ts-check
/** Coming in: with a password, with a code of the second factor besides, or by whom the station trusts to know people. */
import { Element } from '../core/element.js';
import { flag, html } from '../core/html.js';
import { plural } from '../core/format.js';
import { room } from '../core/room.js';
import { gate } from './gate.js';
import { icon } from './parts.js';

/** @param {any} error */
export const loginWords = (error) => {
  if (error.code === 'second_factor_wrong') return 'That code is not right. The app shows a new one every half minute.';
  if (error.status === 401) return 'That name and password do not fit together.';
  if (error.status === 429) return `Too many tries. Please wait ${error.retryAfter ? plural(Math.ceil(error.retryAfter), 'second') : 'a little'}.`;
  return error.unreachable ? 'The station does not answer.' : error.message;
};

/** Why logging in elsewhere led back here without a login. @type {Record<string, string>} */
const PROBLEMS = {
  nobody_known: 'You are known there, but have no account here. Ask who looks after this station.',
  name_taken: 'There is an account of that name here already. Log in with your password; under You it can be connected.',
  rate_limited: 'Too many tries. Please wait a little.',
};

class Login extends Element {
  busy = false;
  wrong = '';
  setup = false;
  /** Other ways to come in. @type {{oidc: {name: string} | null, proxy: string | null}} */ ways = { oidc: null, proxy: null };
  /** Name and password that were right, and want a code besides. @type {{username: string, password: string} | null} */ asked = null;
  recovery = false;

  connected() {
    document.title = 'Log in · Soundsible';
    this.follow(room.store, 'shownOut');
    const { problem } = room.store.state.route.query;
    if (problem) {
      this.wrong = PROBLEMS[problem] ?? 'Logging in there did not work. Try again, or use your password.';
      history.replaceState(history.state, '', '#/login');
    }
    room.api.get('/setup').then((/** @type {any} */ answer) => { this.setup = Boolean(answer?.needed); this.update(); }, () => {});
    room.api.get('~/login/ways', undefined, { quiet: true }).then((/** @type {any} */ answer) => { this.ways = answer; this.update(); }, () => {});
    this.deeds['login-proxy'] = () => this.#try(() => room.api.post('~/login/proxy', {}, { quiet: true }));
    this.deeds['login-recovery'] = () => { this.recovery = !this.recovery; this.wrong = ''; this.update(); this.#point('code'); };
    this.deeds['login-again'] = () => { this.asked = null; this.wrong = ''; this.update(); this.#point('username'); };
    this.on(this, 'submit', (event) => {
      event.preventDefault();
      const form = new FormData(event.target);
      const whom = this.asked ?? { username: String(form.get('username')).trim(), password: String(form.get('password')) };
      const code = this.asked && String(form.get('code')).trim();
      this.#try(() => room.api.post('/session', code === null ? whom : { ...whom, code }, { quiet: true }), whom);
    });
    this.#point('username');
  }

  /** @param {string} name */
  #point(name) {
    setTimeout(() => { const field = this.querySelector(`input[name="${name}"]`); if (field instanceof HTMLInputElement) { field.focus(); field.select(); } });
  }

  /** @param {() => Promise<any>} deed @param {{username: string, password: string}} [whom] */
  async #try(deed, whom) {
    this.busy = true;
    this.wrong = '';
    this.update();
    try {
      const { user } = await deed();
      room.ui.enter(user);
    } catch (error) {
      this.busy = false;
      if (/** @type {any} */ (error).code === 'second_factor_needed' && whom) {
        this.asked = whom;
        this.recovery = false;
      } else {
        this.wrong = loginWords(error);
      }
      this.update();
      this.#point(this.asked ? 'code' : 'password');
    }
  }

  render() {
    if (this.setup) {
      return gate(html`<h1>Welcome</h1><p class="quiet">This station has no owner yet. Open the set-up link that its terminal shows, or scan the code beside it.</p>
        <button class="button button-main" data-do="reload">I have done that</button>`);
    }
    const wrong = this.wrong ? html`<p class="wrong" role="alert">${this.wrong}</p>` : '';
    // One main action: going on as whom the proxy names, where it names somebody.
    const button = html`<button class="button ${this.ways.proxy && !this.asked ? '' : 'button-main'} button-whole" ${flag('disabled', this.busy)}>${this.busy ? 'One moment…' : 'Log in'}</button>`;
    if (this.asked) {
      return gate(html`<h1>One step more</h1><p class="quiet">${this.recovery ? 'One of the codes that were kept when the second factor was set up. Each is good once.' : 'The code that your authenticator app shows for this station.'}</p>
        <form class="gate-form" data-key="code">${this.recovery ? html`<label class="field" data-key="recovery"><span>Recovery code</span><input name="code" autocomplete="off" autocapitalize="characters" spellcheck="false" required></label>`
        : html`<label class="field" data-key="app"><span>Code</span><input name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="10" required></label>`}
        ${wrong}${button}</form>
        <div class="gate-more"><button class="link-button" data-do="login-recovery">${this.recovery ? 'Use the app’s code' : 'Use a recovery code'}</button><button class="link-button" data-do="login-again">Somebody else</button></div>`);
    }
    const { oidc, proxy } = this.ways;
    const out = room.store.state.shownOut && !this.wrong;
    return gate(html`<h1>Soundsible</h1><p class="quiet">Your music, from your own station.</p>
      ${out ? html`<p class="calm-note" role="status">${icon('circle-alert')}<span>This device was shown out of the station. Log in or pair it again.</span></p>` : ''}
      ${proxy ? html`<button class="button button-main button-whole" data-do="login-proxy" ${flag('disabled', this.busy)}>Go on as ${proxy}</button>` : ''}
      ${oidc ? html`<a class="button button-whole" href="/login/oidc">Log in with ${oidc.name}</a>` : ''}
      ${proxy || oidc ? html`<p class="gate-or">or</p>` : ''}
      <form class="gate-form" data-key="password"><label class="field"><span>Name</span><input name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required></label>
      <label class="field"><span>Password</span><input name="password" type="password" autocomplete="current-password" required></label>
      ${wrong}${button}</form>
      <div class="gate-more"><a class="link-button" href="#/pair">Pair with a sync token</a></div>`);
  }
}
customElements.define('view-login', Login);
