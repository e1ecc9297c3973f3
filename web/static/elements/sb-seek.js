// @ts-check
/** Where the track is, and the way to go elsewhere in it. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { clock, spoken } from '../core/format.js';
import { room } from '../core/room.js';

export class Seek extends Element {
  #frame = 0;
  #timer = 0;
  /** The place under the finger, while it is down. @type {number | null} */ #held = null;
  #last = '';

  connected() {
    this.until(room.store.watch(['status', 'sought', 'queue', 'waiting', 'overlay'], () => this.#run()));
    this.on(this, 'input', (event) => {
      this.#held = Number(event.target.value) * 1000;
      this.#show();
    });
    this.on(this, 'change', () => {
      if (this.#held !== null) room.player.seek(this.#held);
      this.#held = null;
      this.#run();
    });
    this.on(this, 'keydown', (event) => {
      const step = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5, PageDown: -30, PageUp: 30 }[/** @type {'PageUp'} */ (event.key)];
      if (!step || event.shiftKey) return;
      event.preventDefault();
      event.stopPropagation();
      room.player.nudge(step);
      this.#show();
    });
    this.on(document, 'visibilitychange', () => this.#run());
    setTimeout(() => this.#run());
  }

  left() { cancelAnimationFrame(this.#frame); clearTimeout(this.#timer); }

  #run() {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#show();
    if (room.store.state.status !== 'playing' || document.hidden || !this.offsetParent) {
      if (room.store.state.status === 'playing' && !document.hidden) this.#timer = window.setTimeout(() => this.#run(), 1000);
      return;
    }
    // Four steps a second are enough for a slim bar; a frame each would cost battery.
    this.#timer = window.setTimeout(() => { this.#frame = requestAnimationFrame(() => this.#run()); }, 240);
  }

  #show() {
    const input = this.querySelector('input');
    if (!input) return;
    const { player } = room;
    const duration = player.durationMs;
    const position = this.#held ?? player.positionMs;
    const share = duration ? Math.min(1, position / duration) : 0;
    input.max = String(Math.max(1, Math.round(duration / 1000)));
    if (this.#held === null) input.value = String(Math.round(position / 1000));
    this.style.setProperty('--share', `${share * 100}%`);
    this.style.setProperty('--ready', `${player.bufferedShare * 100}%`);
    const now = clock(position);
    const said = `${now} ${Math.round(duration)}`;
    if (said === this.#last) return;
    this.#last = said;
    input.setAttribute('aria-valuetext', `${spoken(position)} of ${spoken(duration)}`);
    const [a, b] = this.querySelectorAll('.seek-time');
    a.textContent = now;
    b.textContent = duration ? clock(duration) : '–:––';
  }

  render() {
    this.#last = '';
    return html`<span class="seek-time">0:00</span><input class="slider" type="range" min="0" max="1" step="1" value="0" aria-label="Position"><span class="seek-time">–:––</span>`;
  }
  painted() { this.#show(); }
}
customElements.define('sb-seek', Seek);
