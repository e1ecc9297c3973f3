// @ts-check
/** The devices of an account: paired ones, and browsers that are logged in. Each can be shown out at once. */
import { html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { lastUse, scopeName } from '../core/devices.js';
import { ownAccount } from '../core/rights.js';
import { room } from '../core/room.js';
import { empty, icon } from './parts.js';
import { View } from './view.js';

class Devices extends View {
  /** @type {any[] | null} */ devices = null;
  /** @type {any[]} */ sessions = [];

  opened() {
    this.named('Devices');
    this.until(room.intents.on('devices-changed', () => this.ask()));
    this.deeds['device-new'] = async () => { await room.ui.dialog('sb-pair-device', {}); this.ask(); };
    this.deeds['device-menu'] = ({ id }, event, anchor) => this.#menu(this.devices?.find((one) => one.id === id), event, anchor);
    this.deeds['session-end'] = ({ id }) => this.#end('/sessions', this.sessions.find((one) => one.id === id));
    this.deeds['sessions-end'] = () => this.#endOthers();
    this.until(room.intents.on('device-rename', ({ id }) => this.#rename(this.devices?.find((one) => one.id === id))));
    this.until(room.intents.on('device-revoke', ({ id }) => this.#end('/devices', this.devices?.find((one) => one.id === id))));
  }

  get may() { return ownAccount(room.store.state.user); }
  async fetch() {
    const [devices, sessions] = await Promise.all([room.api.get('/devices'), this.may ? room.api.get('/sessions') : { items: [] }]);
    this.devices = devices.items;
    this.sessions = sessions.items;
  }
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
    await this.#try(() => room.api.patch(`/devices/${device.id}`, { name }), `It is called “${name}” now.`);
  }

  /** @param {string} path @param {any} thing */
  async #end(path, thing) {
    if (!thing) return;
    if (thing.current) { room.ui.logOut(); return; }
    const sure = await room.ui.dialog('sb-confirm', { title: `Show “${thing.name}” out?`, text: 'What it plays ends at once. It can be paired again.', button: 'Show out', danger: true });
    if (sure) await this.#try(() => room.api.delete(`${path}/${thing.id}`), `“${thing.name}” is out.`);
  }

  async #endOthers() {
    const sure = await room.ui.dialog('sb-confirm', { title: 'Log out everywhere else?', text: 'Every other browser has to log in again. Paired devices stay.', button: 'Log out', danger: true });
    if (sure) await this.#try(() => room.api.delete('/sessions'), 'Only this browser is logged in now.');
  }

  /** @param {() => Promise<any>} deed @param {string} told */
  async #try(deed, told) {
    try {
      await deed();
      room.ui.toast({ message: told });
    } catch (error) {
      room.ui.toast({ tone: 'problem', message: words(error) });
    }
    this.ask();
  }

  render() {
    const row = (/** @type {any} */ one, /** @type {string} */ symbol, /** @type {string} */ note, /** @type {any} */ button) => html`<li class="thing" data-key="${one.id}">${icon(symbol)}
      <div class="thing-words"><p class="thing-title" title="${one.name}">${one.name}</p><p class="quiet">${[lastUse(one), note].filter(Boolean).join(' · ')}</p></div>${button}</li>`;
    const others = this.sessions.filter((one) => !one.current).length;
    return html`<div class="page page-narrow"><a class="back" href="#/you">${icon('chevron-left')} You</a>
      <header class="page-head page-head-row"><h1>Devices</h1>${this.may && this.devices ? html`<button class="button button-small" data-do="device-new">${icon('plus')} Pair a device</button>` : ''}</header>
      ${this.failure ? this.problem() : this.devices === null ? '' : html`
        ${this.devices.length ? html`<ul class="things">${this.devices.map((one) => row(one, 'smartphone', scopeName(one.scope), html`<button class="icon-button" data-do="device-menu" data-id="${one.id}" aria-haspopup="menu" aria-label="More for ${one.name}" title="More">${icon('ellipsis')}</button>`))}</ul>`
        : empty({ icon: 'smartphone', title: 'No device is paired yet', text: 'Pair a phone by pointing its camera at a code: no password to type, and it can be shown out at any time.' })}
        ${this.sessions.length ? html`<section class="group"><h2 class="section-title">Logged in with your password</h2>
          <ul class="things">${this.sessions.map((one) => row(one, 'monitor', '', one.current ? '' : html`<button class="button button-small" data-do="session-end" data-id="${one.id}">Log out</button>`))}</ul>
          ${others > 1 ? html`<div class="actions"><button class="button" data-do="sessions-end">Log out everywhere else</button></div>` : ''}</section>` : ''}`}
    </div>`;
  }
}
customElements.define('view-devices', Devices);
