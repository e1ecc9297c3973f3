// @ts-check
/** What plays, always at hand: a bar on the desktop, a small player above the tabs on the phone. */
import { Element } from '../core/element.js';
import { html, flag } from '../core/html.js';
import { artistLinks, cover, icon } from '../views/parts.js';
import { room } from '../core/room.js';
import { jumpButton, playButton, transport } from './controls.js';
import { onAir, pageOf } from '../core/items.js';

export class Dock extends Element {
  connected() {
    this.follow(room.store, 'status', 'waiting', 'queue', 'panel', 'overlay', 'lyricsOpen');
    this.until(room.library.watch(() => this.update()));
    // On the phone the small player is one thing to press.
    this.on(this, 'click', (event) => {
      if (innerWidth >= 768 || !event.target.closest('.dock-words')) return;
      event.preventDefault();
      event.stopPropagation();
      this.intend('open-now');
    }, { capture: true });
    let start = null;
    this.on(this, 'touchstart', (event) => { start = event.touches.length === 1 ? { x: event.touches[0].clientX, y: event.touches[0].clientY } : null; }, { passive: true });
    this.on(this, 'touchend', (event) => {
      if (!start || innerWidth >= 768) return;
      const dx = event.changedTouches[0].clientX - start.x;
      const dy = event.changedTouches[0].clientY - start.y;
      start = null;
      if (dy < -36 && Math.abs(dy) > Math.abs(dx)) { if (event.cancelable) event.preventDefault(); this.intend('open-now'); }
      else if (Math.abs(dx) > 72 && Math.abs(dx) > 2 * Math.abs(dy)) { if (event.cancelable) event.preventDefault(); this.intend(dx < 0 ? 'next' : 'previous'); }
    });
  }

  render() {
    const { state } = room.store;
    const { track, entry } = room.player;
    this.toggleAttribute('data-empty', !entry);
    return html`<div class="dock" role="region" aria-label="Player">
      <div class="dock-what">
        ${track ? html`
          <button class="dock-open" data-do="open-now" aria-label="Open now playing: ${track.title}, ${track.artist}">${cover(track, { size: 128, eager: true })}</button>
          <div class="dock-words">
            <a class="dock-title" href="${pageOf(track)}" title="${track.title}">${track.title}</a>
            <span class="dock-artist">${track.preview ? html`<span class="mark">Preview</span> ` : onAir(track, state) ? html`<span class="mark">Live</span> ` : ''}${artistLinks(track.artists, track.artist)}</span>
          </div>
          ${track.preview ? html`<button class="icon-button" data-do="end-preview" aria-label="End the preview" title="End the preview">${icon('x')}</button>` : track.kind ? '' : html`<button class="icon-button row-heart ${track.favourite ? 'is-on' : ''}" data-do="favourite" data-id="${track.id}" aria-pressed="${track.favourite ? 'true' : 'false'}" aria-label="Favourite" title="Favourite (F)">${icon('heart', track.favourite ? 'filled' : '')}</button>`}`
        : entry ? html`<span class="dock-open"><span class="cover"></span></span><div class="dock-words"><span class="bone bone-wide"></span></div>`
        : html`<span class="dock-open"><span class="cover cover-list">${icon('audio-lines')}</span></span><div class="dock-words"><span class="dock-title">Nothing playing</span><span class="dock-artist">Choose something to hear</span></div>`}
      </div>
      <div class="dock-middle">${transport(state, track)}${track?.kind === 'radio' ? '' : html`<sb-seek></sb-seek>`}</div>
      <div class="dock-small">${playButton(state)}${track?.kind === 'episode' ? jumpButton('on') : html`<button class="icon-button" data-do="next" aria-label="Next" ${flag('disabled', !entry)}>${icon('skip-forward', 'filled')}</button>`}</div>
      <div class="dock-more">
        ${track?.has_lyrics ? html`<button class="icon-button toggle" data-do="toggle-lyrics" aria-label="Lyrics" title="Lyrics (L)">${icon('mic-vocal')}</button>` : ''}
        <button class="icon-button toggle" data-do="toggle-queue" aria-pressed="${state.panel ? 'true' : 'false'}" aria-label="Queue" title="Queue (Q)">${icon('list-music')}</button>
        <sb-volume></sb-volume>
      </div>
    </div>`;
  }
}
customElements.define('sb-dock', Dock);
