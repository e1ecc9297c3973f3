// @ts-check
/** The devices of an account: paired ones, and browsers that are logged in. Each can be shown out at once. */
import { html } from '../core/html.js';
import { byPerson, lastUse, scopeName } from '../core/devices.js';
import { ownAccount, owns } from '../core/rights.js';
import { room } from '../core/room.js';
import { empty, icon } from './parts.js';
import { View } from './view.js';

/** “clara’s ” for what is somebody else's. @param {any} thing */
const whose = (thing) => (thing.user && thing.user.id !== room.store.state.user?.id ? `${thing.user.username}’s ` : '');

class Devices extends View {
  /** @type {any[] | null} */ devices = null;
  /** @type {any[]} */ sessions = [];
  /** @type {ReturnType<typeof byPerson>} everybody else's, for an owner */ others = [];

  opened() {
    this.named('Devices');
    this.until(room.intents.on('devices-changed', () => this.ask()));
    this.deeds['device-new'] = async () => { await room.ui.dialog('sb-pair-device', {}); this.ask(); };
    this.deeds['device-menu'] = ({ id }, event, anchor) => this.#menu(this.#device(id), event, anchor);
    this.deeds['session-end'] = ({ id }) => this.#end('/sessions', this.#session(id));
    this.deeds['sessions-end'] = () => this.#endOthers();
    this.until(room.intents.on('device-rename', ({ id }) => this.#rename(this.#device(id))));
    this.until(room.intents.on('device-revoke', ({ id }) => this.#end('/devices', this.#device(id))));
  }

  get may() { return ownAccount(room.store.state.user); }
  async fetch() {
    const { user } = room.store.state;
    const wish = owns(user) ? { user: 'all' } : {}; // an owner looks after everybody's
    const [devices, sessions] = await Promise.all([room.api.get('/devices', wish), this.may ? room.api.get('/sessions', wish) : { items: [] }]);
    const own = (/** @type {any} */ one) => !one.user || one.user.id === user?.id;
    this.devices = devices.items.filter(own);
    this.sessions = sessions.items.filter(own);
    this.others = byPerson(devices.items.filter((/** @type {any} */ one) => !own(one)), sessions.items.filter((/** @type {any} */ one) => !own(one)));
  }
  /** @param {string | undefined} id */
  #device(id) { return [...this.devices ?? [], ...this.others.flatMap((one) => one.devices)].find((one) => one.id === id); }
  /** @param {string | undefined} id */
  #session(id) { return [...this.sessions, ...this.others.flatMap((one) => one.sessions)].find((one) => one.id === id); }
  changed() {} // nothing in the library tells of devices

  /** @param {any} device @param {Event} event @param {HTMLElement} anchor */
  #menu(device, event, anchor) {
    if (!device) return;
    const data = { id: device.id };
    room.ui.menu({
      anchor, event, title: device.name, subtitle: scopeName(device.scope),
      items: [...(this.may ? [{ icon: 'pencil', words: 'Rename', deed: 'device-rename', data }, null] : []),
        { icon: 'unplug', words: device.current ? 'Log this device out' : 'Show out', deed: 'device-revoke', data, danger: true }],
    });
  }

  /** @param {any} device */
  async #rename(device) {
    if (!device) return;
    const name = await room.ui.dialog('sb-ask-text', { title: 'Rename', label: 'Name', value: device.name, button: 'Save' });
    if (!name || name === device.name) return;
    await this.attempt(() => room.api.patch(`/devices/${device.id}`, { name }), `It is called “${name}” now.`);
  }

  /** @param {string} path @param {any} thing */
  async #end(path, thing) {
    if (!thing) return;
    if (thing.current) { room.ui.logOut(); return; }
    const sure = await room.ui.dialog('sb-confirm', { title: `Show ${whose(thing)}“${thing.name}” out?`, text: 'What it plays ends at once. It can be paired again.', button: 'Show out', danger: true });
    if (sure) await this.attempt(() => room.api.delete(`${path}/${thing.id}`), `“${thing.name}” is out.`);
  }

  async #endOthers() {
    const sure = await room.ui.dialog('sb-confirm', { title: 'Log out everywhere else?', text: 'Every other browser has to log in again. Paired devices stay.', button: 'Log out', danger: true });
    if (sure) await this.attempt(() => room.api.delete('/sessions'), 'Only this browser is logged in now.');
  }

  render() {
    const row = (/** @type {any} */ one, /** @type {string} */ symbol, /** @type {string} */ note, /** @type {any} */ button) => html`<li class="thing" data-key="${one.id}">${icon(symbol)}
      <div class="thing-words"><p class="thing-title" title="${one.name}">${one.name}</p><p class="quiet">${[lastUse(one), note].filter(Boolean).join(' · ')}</p></div>${button}</li>`;
    const device = (/** @type {any} */ one) => row(one, one.kind === 'station' ? 'radio-tower' : 'smartphone', one.kind === 'station' ? `another station · ${scopeName(one.scope)}` : scopeName(one.scope), html`<button class="icon-button" data-do="device-menu" data-id="${one.id}" aria-haspopup="menu" aria-label="More for ${one.name}" title="More">${icon('ellipsis')}</button>`);
    const session = (/** @type {any} */ one) => row(one, 'monitor', this.sessions.includes(one) ? '' : 'with a password', one.current ? '' : html`<button class="button button-small" data-do="session-end" data-id="${one.id}">Log out</button>`);
    const others = this.sessions.filter((one) => !one.current).length;
    return html`<div class="page page-narrow"><a class="back" href="#/you">${icon('chevron-left')} You</a>
      <header class="page-head page-head-row"><h1>Devices</h1>${this.may && this.devices ? html`<button class="button button-small" data-do="device-new">${icon('plus')} Pair a device</button>` : ''}</header>
      ${this.failure ? this.problem() : this.devices === null ? '' : html`
        ${this.devices.length ? html`<ul class="things">${this.devices.map(device)}</ul>`
        : empty({ icon: 'smartphone', title: 'No device is paired yet', text: 'Pair a phone by pointing its camera at a code: no password to type, and it can be shown out at any time.' })}
        ${this.sessions.length ? html`<section class="group"><h2 class="section-title">Logged in with your password</h2>
          <ul class="things">${this.sessions.map(session)}</ul>
          ${others > 1 ? html`<div class="actions"><button class="button" data-do="sessions-end">Log out everywhere else</button></div>` : ''}</section>` : ''}
        ${this.others.map((one) => html`<section class="group" data-key="${one.id}"><h2 class="section-title">${one.username}</h2>
          <ul class="things">${one.devices.map(device)}${one.sessions.map(session)}</ul></section>`)}`}
    </div>`;
  }
}
customElements.define('view-devices', Devices);
