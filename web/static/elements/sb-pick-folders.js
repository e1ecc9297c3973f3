// @ts-check
/** Which music somebody hears: all of it, or what lies in some folders. */
import { flag, html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { plural } from '../core/format.js';
import { folderName, folderPlace } from '../core/people.js';
import { choices, icon } from '../views/parts.js';
import { room } from '../core/room.js';
import { Modal } from './modal.js';

/** @typedef {{root: string, path: string}} Folder */

class PickFolders extends Modal {
  #limited = false;
  /** @type {Folder[]} */ #chosen = [];
  /** @type {Folder | null} where one looks; null above all music folders */ #place = null;
  /** @type {(Folder & {name: string, count: number})[] | null} */ #below = null;

  connected() {
    super.connected();
    this.#limited = Boolean(this.props.limited);
    this.#chosen = [...this.props.folders ?? []];
    this.on(this, 'change', (event) => { if (event.target.name === 'limited') { this.#limited = event.target.value === 'some'; this.wrong = ''; this.update(); } });
    this.deeds['folder-open'] = ({ root, path }) => this.#look({ root: root ?? '', path: path ?? '' });
    this.deeds['folder-up'] = () => this.#up();
    this.deeds['folder-add'] = ({ root, path }) => { this.#add({ root: root ?? '', path: path ?? '' }); };
    this.deeds['folder-drop'] = ({ root, path }) => { this.#chosen = this.#chosen.filter((one) => one.root !== root || one.path !== (path ?? '')); this.update(); };
    this.#look(null);
  }
  get wide() { return true; }
  heading() { return this.props.name ? `What ${this.props.name} hears` : 'What they hear'; }

  /** @param {Folder | null} place */
  async #look(place) {
    try {
      const below = place
        ? (await room.api.get('/library/folders', place)).items.map((/** @type {any} */ one) => ({ root: place.root, path: one.path, name: one.name, count: one.track_count }))
        : (await room.api.get('/library/roots')).items.map((/** @type {any} */ one) => ({ root: one.path, path: '', name: folderName({ root: one.path, path: '' }), count: one.track_count }));
      this.#place = place;
      this.#below = below;
      this.wrong = '';
    } catch (error) {
      this.wrong = words(error);
    }
    this.update();
  }

  #up() {
    const { root, path } = this.#place ?? { root: '', path: '' };
    this.#look(path ? { root, path: path.split('/').slice(0, -1).join('/') } : null);
  }

  /** @param {Folder} folder @param {Folder} other whether it is the same, or lies in it */
  #within({ root, path }, other) { return root === other.root && (!other.path || path === other.path || path.startsWith(`${other.path}/`)); }

  /** What lies in a folder comes with it. @param {Folder} folder */
  #add(folder) {
    this.#chosen = [...this.#chosen.filter((one) => !this.#within(one, folder)), folder];
    this.wrong = '';
    this.update();
  }

  async submit() {
    if (this.busy) return;
    if (this.#limited && !this.#chosen.length) { this.wrong = 'Choose a folder first, or let them hear everything.'; this.update(); return; }
    const wish = { limited: this.#limited, folders: this.#limited ? this.#chosen : [] };
    if (!this.props.save) { this.close(wish); return; }
    this.busy = true;
    this.update();
    try {
      this.close(await this.props.save(wish));
    } catch (error) {
      this.busy = false;
      this.wrong = words(error);
      this.update();
    }
  }

  #browse() {
    const here = this.#place;
    return html`<div class="folders">
      <div class="folders-head">${here ? html`<button type="button" class="icon-button" data-do="folder-up" aria-label="Up" title="Up">${icon('chevron-left')}</button>` : ''}<p class="path" title="${here ? folderPlace(here) : ''}">${here ? folderName(here) : 'Music folders'}</p></div>
      <ul class="folders-list">${(this.#below ?? []).map((one) => {
        const inside = this.#chosen.some((other) => this.#within(one, other));
        return html`<li class="folder-row" data-key="${one.root} ${one.path}"><button type="button" class="folder-open" data-do="folder-open" data-root="${one.root}" data-path="${one.path}">${icon('folder')}<span class="folder-name"><span title="${one.name}">${one.name}</span><span class="quiet">${plural(one.count, 'track')}</span></span>${icon('chevron-right', 'chevron')}</button>
          ${inside ? html`<span class="folder-in">${icon('check')}<span class="sr-only">${one.name} is chosen</span></span>` : html`<button type="button" class="button button-small" data-do="folder-add" data-root="${one.root}" data-path="${one.path}" aria-label="Choose ${one.name}">Choose</button>`}</li>`;
      })}</ul>
      ${this.#below && !this.#below.length ? html`<p class="quiet folders-none">No folder lies deeper.</p>` : ''}</div>`;
  }

  body() {
    return html`${choices({ name: 'limited', legend: 'What they hear', told: true, chosen: this.#limited ? 'some' : 'all', options: [['all', 'Everything', 'The whole library'], ['some', 'Some folders', 'As if there were no other music: not in search, nor in playlists of others']] })}
      ${this.#limited ? html`${this.#chosen.length ? html`<ul class="picked" aria-label="Chosen folders">${this.#chosen.map((one) => html`<li data-key="${one.root} ${one.path}" title="${folderPlace(one)}">${icon('folder')}<span>${folderName(one)}</span><button type="button" class="icon-button" data-do="folder-drop" data-root="${one.root}" data-path="${one.path}" aria-label="Take ${folderName(one)} out" title="Take out">${icon('x')}</button></li>`)}</ul>` : ''}
        ${this.#browse()}` : ''}
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button button-main" ${flag('disabled', this.busy)}>${this.props.button ?? 'Save'}</button></div>`;
  }
}
customElements.define('sb-pick-folders', PickFolders);
