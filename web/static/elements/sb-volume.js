// @ts-check
/** How loud. Phones have buttons for it, so it is shown where there is a mouse. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { icon } from '../views/parts.js';
import { room } from '../core/room.js';

export class Volume extends Element {
  connected() {
    this.follow(room.store, 'volume', 'muted');
    this.on(this, 'input', (event) => room.store.set({ volume: Number(event.target.value) / 100, muted: false }));
    this.on(this, 'keydown', (event) => { if (event.key.startsWith('Arrow')) event.stopPropagation(); });
    this.on(this, 'wheel', (event) => {
      event.preventDefault();
      const { volume } = room.store.state;
      room.store.set({ volume: Math.max(0, Math.min(1, volume + (event.deltaY < 0 ? 0.04 : -0.04))), muted: false });
    }, { passive: false });
  }

  render() {
    const { volume, muted } = room.store.state;
    const loud = muted ? 0 : volume;
    return html`
      <button class="icon-button" data-do="mute" aria-pressed="${muted ? 'true' : 'false'}" aria-label="Mute" title="Mute (M)">${icon(loud === 0 ? 'volume-x' : loud < 0.5 ? 'volume-1' : 'volume-2')}</button>
      <input class="slider" type="range" min="0" max="100" step="2" value="${Math.round(loud * 100)}" aria-label="Volume" data-css="--share:${Math.round(loud * 100)}%">`;
  }
  painted() {
    const input = this.querySelector('input');
    const { volume, muted } = room.store.state;
    if (input) input.value = String(muted ? 0 : Math.round(volume * 100));
  }
}
customElements.define('sb-volume', Volume);
