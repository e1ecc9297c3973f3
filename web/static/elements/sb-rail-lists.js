// @ts-check
/** The listener's playlists in the desktop's rail. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { icon } from '../views/parts.js';
import { ownsList, sharing } from '../core/rights.js';
import { room } from '../core/room.js';
import { to } from '../core/router.js';

export class RailLists extends Element {
  /** @type {any} */ #list = null;
  connected() {
    this.#list = room.library.list('playlists', { sort: 'name' });
    this.until(this.#list.watch(() => this.update()));
    this.until(room.library.watch(() => this.update()));
    this.follow(room.store, 'route', 'user');
  }
  render() {
    if (matchMedia('(min-width: 1100px)').matches) this.#list.ensure(0, 60);
    const { route: { path }, user } = room.store.state;
    const lists = this.#list.known.slice(0, 60).map((/** @type {string} */ id) => room.library.thing('playlists', id)).filter(Boolean)
      .sort((/** @type {any} */ a, /** @type {any} */ b) => Number(ownsList(b, user)) - Number(ownsList(a, user))); // the own ones first
    return html`
      <h2 class="nav-title">Playlists <button class="icon-button" data-do="new-playlist" aria-label="New playlist" title="New playlist">${icon('plus')}</button></h2>
      <a class="nav-list" href="#/favourites" ${path === '/favourites' ? html`aria-current="page"` : ''}>${icon('heart')}<span>Favourites</span></a>
      ${lists.map((/** @type {any} */ list) => html`<a class="nav-list" data-key="${list.id}" href="${to`/playlist/${list.id}`}" title="${[list.name, ...sharing(list, user)].join(' · ')}" ${path === `/playlist/${list.id}` ? html`aria-current="page"` : ''}>${icon('list-music')}<span>${list.name}</span>${ownsList(list, user)
        ? (list.visibility === 'private' ? '' : html`<span class="nav-note">${icon('users-round')}<span class="sr-only">${sharing(list, user).join(', ')}</span></span>`) : html`<span class="nav-note">${list.owner}</span>`}</a>`)}`;
  }
}
customElements.define('sb-rail-lists', RailLists);
