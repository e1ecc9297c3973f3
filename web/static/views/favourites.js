// @ts-check
/** The tracks one loves, newest love first. */
import { html } from '../core/html.js';
import { empty, playButtons, rowToCome, trackRow } from './parts.js';
import { plural } from '../core/format.js';
import { room } from '../core/room.js';
import { View } from './view.js';

class Favourites extends View {
  /** @type {any} */ list = null;
  opened() {
    this.named('Favourites');
    this.list = room.library.list('tracks', { favourite: 1, sort: '-favourited' });
    this.on(this, 'list-changed', () => this.update());
    this.deeds.again = () => { this.list.retry(); this.ask(); };
  }
  async fetch() { this.list.ensure(0, 1); }
  playRow({ index }) { room.act('play-list', { query: { favourite: 1, sort: '-favourited' }, index: Number(index), source: 'Favourites' }); }
  render() {
    const { total, failure } = this.list;
    if (failure && total < 0) { this.failure = failure; return this.problem(); }
    return html`<div class="page">
      <header class="page-head"><h1>Favourites</h1><p class="quiet count">${total > 0 ? plural(total, 'track') : html`&nbsp;`}</p></header>
      ${total === 0 ? empty({ icon: 'heart', title: 'Nothing here yet', text: 'Press the heart beside a track, and it waits for you here.', actions: html`<a class="button button-main" href="#/library/albums">Look through your albums</a>` })
        : html`${playButtons({ kind: 'favourites', id: '', source: 'Favourites' })}<sb-list></sb-list>`}
    </div>`;
  }
  painted() {
    /** @type {any} */ (this.querySelector('sb-list'))?.show({ source: this.list, mode: 'rows', rowHeight: 56, draw: (/** @type {string | undefined} */ id, /** @type {number} */ index) => {
      const track = id === undefined ? undefined : room.library.track(id);
      return track ? trackRow(track, { index }) : rowToCome(index);
    } });
  }
}
customElements.define('view-favourites', Favourites);
