// @ts-check
/** What plays, and what comes: moved by dragging or keyboard, taken out, jumped to. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { cover, empty, icon } from '../views/parts.js';
import { count, plural, span } from '../core/format.js';
import { kindOf } from '../core/items.js';
import { room } from '../core/room.js';
import * as Q from '../core/queue.js';
import { reorderable } from './reorder.js';

export class QueueList extends Element {
  connected() {
    this.follow(room.store, 'queue', 'status');
    this.until(room.library.watch(() => this.update()));
    reorderable(this, {
      count: () => room.store.state.queue.entries.length,
      move: (from, to) => room.player.edit((/** @type {any} */ queue) => Q.move(queue, from, to)),
    });
  }

  /** @param {any} entry @param {number} index */
  #row(entry, index) {
    const { queue, status } = room.store.state;
    const track = room.library.track(entry.id);
    const current = index === queue.index;
    if (!track) return html`<div class="row row-queue to-come" data-key="${entry.key}"><span class="row-lead"><span class="cover"></span></span><span class="row-text"><span class="bone bone-wide"></span><span class="bone"></span></span></div>`;
    return html`<div class="row row-queue ${current ? 'is-current' : ''} ${index < queue.index ? 'is-past' : ''}" role="listitem" data-key="${entry.key}" data-menu="track-menu" data-id="${track.id}" data-queue="${index}">
      <span class="row-lead">${cover(track, { size: 128 })}<span class="row-state" aria-hidden="true">${current ? html`<span class="bars ${status === 'playing' ? '' : 'bars-still'}"><i></i><i></i><i></i></span>` : icon('play', 'filled')}</span></span>
      <span class="row-text"><button class="row-play" data-do="queue-jump" data-index="${index}" title="${track.title}">${track.title}${current ? html`<span class="sr-only"> (playing)</span>` : ''}</button><span class="row-sub" title="${track.artist}">${track.artist}</span></span>
      <button class="icon-button row-menu" data-do="track-menu" data-id="${track.id}" data-queue="${index}" aria-haspopup="menu" aria-label="More for ${track.title}">${icon('ellipsis')}</button>
      <button class="grip" data-grip="${index}" aria-label="Move ${track.title}" title="Drag, or focus and use ↑ ↓">${icon('grip-vertical')}</button>
    </div>`;
  }

  render() {
    const { queue } = room.store.state;
    const coming = Q.upcoming(queue);
    const left = coming.reduce((sum, entry) => sum + (room.library.track(entry.id)?.duration_ms ?? 0), 0);
    const known = coming.every((entry) => room.library.track(entry.id));
    return html`
      <div class="queue-head">
        <div><h2>Queue</h2><p class="quiet">${coming.length ? html`${coming.some((entry) => kindOf(entry.id) !== 'track') ? count(coming.length) : plural(coming.length, 'track')} to come${known && left ? html` · ${span(left)}` : ''}` : queue.entries.length ? 'Nothing after this' : 'Empty'}</p></div>
        ${coming.length ? html`<button class="button button-small" data-do="queue-clear">Clear</button>` : ''}
        <button class="icon-button queue-close" data-do="toggle-queue" aria-label="Close the queue">${icon('x')}</button>
      </div>
      <div class="queue-body" data-scroller tabindex="-1">
        ${queue.entries.length ? html`<sb-list></sb-list>` : empty({ icon: 'list-music', title: 'Nothing waits here', text: 'Play an album, or choose “Add to queue” from a track’s menu.' })}
      </div>`;
  }

  #centred = '';
  painted() {
    const list = /** @type {any} */ (this.querySelector('sb-list'));
    const { queue } = room.store.state;
    if (!list) return;
    list.show({
      mode: 'rows', rowHeight: 56,
      source: { total: queue.entries.length, failure: null, at: (/** @type {number} */ i) => queue.entries[i], watch: () => () => {},
        ensure: (/** @type {number} */ a, /** @type {number} */ b) => room.library.need(queue.entries.slice(a, b).map((/** @type {any} */ e) => e.id)) },
      draw: (/** @type {any} */ entry, /** @type {number} */ index) => this.#row(entry, index),
    });
    const key = Q.current(queue)?.key ?? '';
    if (key !== this.#centred && list.clientWidth) {
      this.#centred = key;
      if (!this.matches(':focus-within')) list.reveal(Math.max(0, queue.index - (queue.index > 0 ? 1 : 0)));
    }
  }
}
customElements.define('sb-queue', QueueList);
