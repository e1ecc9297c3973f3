// @ts-check
/** One genre's albums. */
import { html } from '../core/html.js';
import { albumCard, cardToCome, empty, playButtons } from './parts.js';
import { plural } from '../core/format.js';
import { room } from '../core/room.js';
import { View } from './view.js';

class GenreView extends View {
  /** @type {any} */ list = null;
  opened() {
    const { name } = this.route.params;
    this.named(name);
    this.list = room.library.list('albums', { genre: name, sort: 'artist' });
    this.on(this, 'list-changed', () => this.update());
    this.deeds.again = () => { this.list.retry(); this.ask(); };
  }
  async fetch() { this.list.ensure(0, 1); }
  render() {
    const { name } = this.route.params;
    const { total, failure } = this.list;
    if (failure && total < 0) { this.failure = failure; return this.problem(); }
    return html`<div class="page">
      <header class="page-head"><p class="quiet">Genre</p><h1>${name}</h1><p class="quiet count">${total >= 0 ? plural(total, 'album') : html`&nbsp;`}</p></header>
      ${playButtons({ kind: 'genre', id: name, source: name })}
      ${total === 0 ? empty({ icon: 'tag', title: 'Nothing of this kind', text: 'Its last album has gone, or its tags were changed.' }) : html`<sb-list></sb-list>`}
    </div>`;
  }
  painted() {
    /** @type {any} */ (this.querySelector('sb-list'))?.show({ source: this.list, mode: 'grid', draw: (/** @type {string | undefined} */ id, /** @type {number} */ i) => {
      const album = id === undefined ? undefined : room.library.album(id);
      return album ? albumCard(album) : cardToCome(i);
    } });
  }
}
customElements.define('view-genre', GenreView);
