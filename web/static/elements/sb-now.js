// @ts-check
/** Now playing: the cover large, its colour in the room, the words or the queue beside it. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { ground } from '../core/colour.js';
import { artistLinks, cover, icon, tintOf } from '../views/parts.js';
import { quality } from '../core/format.js';
import { onAir, pageOf } from '../core/items.js';
import { room } from '../core/room.js';
import { to } from '../core/router.js';
import { transport } from './controls.js';

export class NowPlaying extends Element {
  /** @type {HTMLElement | null} */ #before = null;

  connected() {
    this.follow(room.store, 'queue', 'status', 'waiting', 'overlay', 'nowSide', 'dark');
    this.until(room.library.watch(() => this.update()));
    this.deeds.side = ({ side }) => room.store.set({ nowSide: room.store.state.nowSide === side ? 'cover' : side });
    let start = null;
    this.on(this, 'touchstart', (event) => {
      const inside = /** @type {globalThis.Element} */ (event.target).closest('.queue-body, .lyrics, input');
      start = !inside && event.touches.length === 1 ? { x: event.touches[0].clientX, y: event.touches[0].clientY } : null;
    }, { passive: true });
    this.on(this, 'touchmove', (event) => {
      if (!start) return;
      const dy = event.touches[0].clientY - start.y;
      this.style.setProperty('--pull', `${Math.max(0, dy)}px`);
    }, { passive: true });
    this.on(this, 'touchend', (event) => {
      this.style.removeProperty('--pull');
      if (!start) return;
      const dy = event.changedTouches[0].clientY - start.y;
      const dx = event.changedTouches[0].clientX - start.x;
      start = null;
      if (dy > 90 && dy > Math.abs(dx)) this.intend('close-now');
      else if (Math.abs(dx) > 90 && Math.abs(dx) > 2 * Math.abs(dy)) this.intend(dx < 0 ? 'next' : 'previous');
    });
    // Focus stays inside while it is open.
    this.on(this, 'keydown', (event) => {
      if (event.key !== 'Tab' || !room.store.state.overlay) return;
      const stops = /** @type {HTMLElement[]} */ ([...this.querySelectorAll('button:not([disabled]), a[href], input, [tabindex="0"]')]).filter((el) => el.offsetParent);
      const at = stops.indexOf(/** @type {HTMLElement} */ (document.activeElement));
      if (event.shiftKey ? at <= 0 : at === stops.length - 1) {
        event.preventDefault();
        stops[event.shiftKey ? stops.length - 1 : 0]?.focus();
      }
    });
  }

  render() {
    const { state } = room.store;
    const open = state.overlay === 'now';
    if (!open) return html``;
    const { track } = room.player;
    const side = track?.kind && state.nowSide === 'lyrics' ? 'cover' : state.nowSide;
    if (!track) return html`<div class="now" role="dialog" aria-label="Now playing"><div class="now-head"><button class="icon-button" data-do="close-now" aria-label="Close">${icon('chevron-down')}</button></div></div>`;
    const colour = ground(tintOf(track), { dark: state.dark, text: state.dark ? '#cfc6bb' : '#4d453c', least: 5 });
    return html`
      <div class="now side-${side}" role="dialog" aria-modal="true" aria-label="Now playing" data-css="--ground:${colour}">
        <div class="now-head">
          <button class="icon-button" data-do="close-now" aria-label="Close now playing" title="Close (Esc)">${icon('chevron-down')}</button>
          <p class="now-source">${state.queue.source ? html`<span class="quiet">Playing from</span> <span class="now-source-name" title="${state.queue.source}">${state.queue.source}</span>` : ''}</p>
          ${track.preview ? html`<button class="icon-button" data-do="end-preview" aria-label="End the preview" title="End the preview">${icon('x')}</button>` : html`<button class="icon-button" data-do="track-menu" data-id="${track.id}" aria-haspopup="menu" aria-label="More">${icon('ellipsis')}</button>`}
        </div>
        <div class="now-body">
          <div class="now-main">
            <div class="now-cover" data-key="cover-${track.id}">${cover(track, { size: 1200, eager: true })}</div>
            <div class="now-words">
              <div class="now-names">
                <h1 title="${track.title}">${track.title}</h1>
                <p class="now-artist">${track.kind === 'episode' ? html`<a class="quiet-link" href="${pageOf(track)}">${track.artist}</a>` : artistLinks(track.artists, track.artist)}</p>
                ${track.kind ? '' : track.album && track.preview ? html`<p class="now-album">${track.album}</p>` : track.album ? html`<p class="now-album"><a class="quiet-link" href="${to`/album/${track.album_id ?? ''}`}" title="${track.album}">${track.album}</a></p>` : ''}
              </div>
              ${track.preview ? html`<span class="mark">Preview</span>` : onAir(track, state) ? html`<span class="mark">Live</span>` : track.kind ? '' : html`<button class="icon-button row-heart ${track.favourite ? 'is-on' : ''}" data-do="favourite" data-id="${track.id}" aria-pressed="${track.favourite ? 'true' : 'false'}" aria-label="Favourite" title="Favourite (F)">${icon('heart', track.favourite ? 'filled' : '')}</button>`}
            </div>
            ${track.kind === 'radio' ? '' : html`<sb-seek class="now-seek"></sb-seek>`}
            ${transport(state, track)}
            <div class="now-foot">
              ${track.kind ? html`<span class="now-quality"></span>` : html`<button class="pill ${side === 'lyrics' ? 'is-on' : ''}" data-do="side" data-side="lyrics" aria-pressed="${side === 'lyrics' ? 'true' : 'false'}">${icon('mic-vocal')} Lyrics</button>
              <span class="now-quality quiet" title="${quality(track)}">${quality(track)}</span>`}
              <button class="pill ${side === 'queue' ? 'is-on' : ''}" data-do="side" data-side="queue" aria-pressed="${side === 'queue' ? 'true' : 'false'}">${icon('list-music')} Queue</button>
            </div>
            <sb-volume class="now-volume"></sb-volume>
          </div>
          ${side === 'cover' ? '' : html`<div class="now-side" data-key="side-${side}">${side === 'lyrics' ? html`<sb-lyrics></sb-lyrics>` : html`<sb-queue></sb-queue>`}</div>`}
        </div>
      </div>`;
  }

  painted() {
    const open = room.store.state.overlay === 'now';
    const was = this.hasAttribute('data-open');
    if (open === was) return;
    this.toggleAttribute('data-open', open);
    if (open) {
      this.#before = /** @type {HTMLElement} */ (document.activeElement);
      /** @type {HTMLElement | null} */ (this.querySelector('[data-do="close-now"]'))?.focus({ preventScroll: true });
    } else {
      this.#before?.focus?.({ preventScroll: true });
    }
  }
}
customElements.define('sb-now', NowPlaying);
