// @ts-check
/** Other programs that play this station: each with a password of its own, which can be taken back alone. */
import { flag, html } from '../core/html.js';
import { APPS, appScope, appUse } from '../core/apps.js';
import { words } from '../core/deeds.js';
import { ownAccount } from '../core/rights.js';
import { room } from '../core/room.js';
import { empty, icon, notForYou } from './parts.js';
import { View } from './view.js';

class Apps extends View {
  /** @type {any[] | null} */ apps = null;
  /** The station lets no apps in. */ off = false;

  opened() {
    this.named('Apps');
    this.until(room.intents.on('devices-changed', () => this.ask()));
    this.deeds['app-new'] = async () => { await room.ui.dialog('sb-app-password', {}); this.ask(); };
    this.follow(room.store, 'jukebox');
    this.on(this, 'change', (event) => { if (event.target.name === 'jukebox') this.#jukebox(event.target.checked); });
    this.deeds['app-end'] = ({ id }) => this.#end(this.apps?.find((one) => one.id === id));
  }

  get may() { return ownAccount(room.store.state.user); }
  async fetch() {
    if (!this.may) return;
    const answer = await room.api.get('/app-passwords').catch((/** @type {any} */ error) => { if (error.status === 404) return null; throw error; });
    this.off = !answer;
    this.apps = (answer?.items ?? []).filter((/** @type {any} */ one) => !one.user || one.user.id === room.store.state.user?.id);
  }
  changed() {} // nothing in the library tells of apps

  /** @param {boolean} on */
  async #jukebox(on) {
    await (on ? room.jukebox.begin() : room.jukebox.end()).catch((/** @type {any} */ error) => room.ui.toast({ tone: 'problem', message: words(error) }));
    this.update();
  }

  /** @param {any} app */
  async #end(app) {
    if (!app) return;
    const sure = await room.ui.dialog('sb-confirm', { title: `Show “${app.name}” out?`, text: 'What it plays ends at once, and its password is good no more. A new one lets it in again.', button: 'Show out', danger: true });
    if (sure) await this.attempt(() => room.api.delete(`/app-passwords/${app.id}`), `“${app.name}” is out.`);
  }

  render() {
    const head = html`<a class="back" href="#/you">${icon('chevron-left')} You</a>
      <header class="page-head page-head-row"><h1>Apps</h1>${this.may && this.apps && !this.off ? html`<button class="button button-small" data-do="app-new">${icon('plus')} Set up an app</button>` : ''}</header>`;
    const help = html`<section class="group"><h2 class="section-title">Which apps work</h2>
        <p class="lead">All that speak Subsonic or OpenSubsonic. Each asks for a server address, a user name and a password.</p>
        <dl class="app-help">${APPS.map(([where, names, told]) => html`<div><dt>${where}${names ? html` <span class="quiet">${names}</span>` : ''}</dt><dd class="quiet">${told}</dd></div>`)}</dl>
        <p class="quiet">Your account’s own password is never used there: such apps send their password in a way that others could turn back. So each gets one of its own, good for music alone.</p></section>`;
    const inside = !this.may ? notForYou('This device may listen, and leaves the account as it is.')
      : this.failure ? this.problem()
        : this.off ? empty({ icon: 'key-round', title: 'This station lets no apps in', text: 'Who looks after it can turn them on: the setting is called subsonic.' })
          : this.apps === null ? '' : html`
      ${this.apps.length ? html`<ul class="things">${this.apps.map((one) => html`<li class="thing" data-key="${one.id}">${icon('key-round')}
        <div class="thing-words"><p class="thing-title" title="${one.name}">${one.name}</p><p class="quiet">${[appScope(one.scope), appUse(one)].join(' · ')}</p></div>
        <button class="button button-small" data-do="app-end" data-id="${one.id}" aria-label="Show ${one.name} out">Show out</button></li>`)}</ul>`
        : empty({ icon: 'key-round', title: 'No app yet', text: 'The apps you know already can play this station. Give each a password of its own; it can be taken back at any time.', actions: html`<button class="button button-main" data-do="app-new">Set up an app</button>` })}
      <section class="group"><h2 class="section-title">Jukebox</h2>
        <label class="setting"><span class="setting-words"><span>Let your apps steer this player</span><span class="quiet">For the one at the stereo: it plays what an app’s “jukebox” tells it, as long as it is open</span></span><input class="switch" type="checkbox" role="switch" name="jukebox" ${flag('checked', room.store.state.jukebox)}></label></section>
      ${help}`;
    return html`<div class="page page-narrow">${head}${inside}</div>`;
  }
}
customElements.define('view-apps', Apps);
