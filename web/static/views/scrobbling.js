// @ts-check
/** Plays are told to services outside, for who wants that: from this player and from every app alike. */
import { html } from '../core/html.js';
import { SERVICES, refused, stateWords } from '../core/scrobbling.js';
import { ownAccount } from '../core/rights.js';
import { room } from '../core/room.js';
import { icon, notForYou } from './parts.js';
import { View } from './view.js';

class Scrobbling extends View {
  /** @type {any[] | null} */ services = null;

  opened() {
    this.named('Scrobbling');
    this.deeds['tell-plays'] = async ({ service }) => { await room.ui.dialog('sb-tell-plays', { service }); this.ask(); };
    this.deeds['tell-no-more'] = ({ service }) => this.#end(service ?? '');
  }

  get may() { return ownAccount(room.store.state.user); }
  async fetch() { if (this.may) this.services = (await room.api.get('/scrobblers')).items; }
  changed() {}

  /** @param {string} service */
  async #end(service) {
    const { name } = SERVICES[service] ?? { name: service };
    const sure = await room.ui.dialog('sb-confirm', { title: `Tell ${name} no more?`, text: 'What it knows already stays there; what waits to be told is forgotten.', button: 'Disconnect', danger: true });
    if (sure) await this.attempt(() => room.api.delete(`/scrobblers/${service}`), `${name} is told nothing more.`);
  }

  /** @param {any} one */
  #service(one) {
    const { name, about } = SERVICES[one.service] ?? { name: one.service, about: '' };
    const line = one.connected ? stateWords(one) : one.available === false ? 'Not set up at this station: its owner enters a key of Last.fm, the settings lastfm_api_key and lastfm_api_secret' : about;
    return html`<li class="thing thing-tall" data-key="${one.service}">${icon(one.connected && !one.error ? 'check' : 'audio-lines', one.connected && !one.error ? 'good' : '')}
      <div class="thing-words"><p class="thing-title">${name}</p><p class="quiet">${line}</p>
      ${one.error ? html`<p class="wrong">${one.error}${refused(one) ? '' : ' It is tried again by itself.'}</p>${refused(one) ? html`<div class="doubt-steps"><button class="button button-small" data-do="tell-plays" data-service="${one.service}" aria-label="Connect ${name} again">Connect again</button></div>` : ''}` : ''}</div>
      ${one.connected ? html`<button class="button button-small" data-do="tell-no-more" data-service="${one.service}" aria-label="Disconnect ${name}">Disconnect</button>`
        : one.available === false ? '' : html`<button class="button button-small" data-do="tell-plays" data-service="${one.service}" aria-label="Connect ${name}">Connect</button>`}</li>`;
  }

  render() {
    return html`<div class="page page-narrow"><a class="back" href="#/you">${icon('chevron-left')} You</a>
      <header class="page-head"><h1>Scrobbling</h1></header>
      ${!this.may ? notForYou('This device may listen, and leaves the account as it is.') : this.failure ? this.problem() : this.services === null ? '' : html`
      <p class="lead">What you hear can be told to a service that keeps your listening history. It counts what you hear in this player and in every app; what could not be told waits, and is told once.</p>
      <ul class="things">${this.services.map((one) => this.#service(one))}</ul>
      <p class="quiet">Without this nobody outside learns what you hear.</p>`}
    </div>`;
  }
}
customElements.define('view-scrobbling', Scrobbling);
