// @ts-check
/** The words of what plays; with times, the line being sung is lit and every line can be jumped to. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { activeLine } from '../core/lyrics.js';
import { empty, problem } from '../views/parts.js';
import { room } from '../core/room.js';

export class Lyrics extends Element {
  #id = '';
  /** @type {any} */ #found = null;
  /** @type {any} */ #failure = null;
  #line = -2;
  #timer = 0;
  #touched = 0;

  connected() {
    this.deeds.line = ({ start }) => { room.player.seek(Number(start)); room.player.play(); };
    this.deeds.again = () => { this.#id = ''; this.#ask(); };
    this.until(room.store.watch(['queue'], () => this.#ask()));
    this.until(room.store.watch(['sought', 'status'], () => this.#tick()));
    this.on(this, 'wheel', () => { this.#touched = Date.now(); }, { passive: true });
    this.on(this, 'touchmove', () => { this.#touched = Date.now(); }, { passive: true });
    this.#timer = window.setInterval(() => this.#tick(), 200);
    this.#ask();
  }
  left() { clearInterval(this.#timer); }

  async #ask() {
    const id = room.player.entry?.id ?? '';
    if (id === this.#id) return;
    this.#id = id;
    this.#found = null;
    this.#failure = null;
    this.#line = -2;
    this.update();
    if (!id) return;
    if (room.player.previewing || room.player.track?.kind) { this.#found = { synced: false, lines: [] }; this.update(); return; }
    try {
      const found = await room.api.get(`/library/tracks/${id}/lyrics`);
      if (this.#id === id) this.#found = found;
    } catch (error) {
      if (this.#id === id) this.#failure = error;
    }
    this.update();
    setTimeout(() => this.#tick(), 30);
  }

  #tick() {
    if (!this.#found?.synced || !this.isConnected) return;
    const now = activeLine(this.#found.lines, room.player.positionMs + 120);
    if (now === this.#line) return;
    this.#line = now;
    const lines = this.querySelectorAll('.lyric');
    lines.forEach((el, i) => { el.toggleAttribute('data-now', i === now); el.toggleAttribute('data-sung', i < now); });
    const line = /** @type {HTMLElement | undefined} */ (lines[Math.max(0, now)]);
    const box = this.querySelector('.lyrics');
    if (!line || !box || Date.now() - this.#touched < 4000) return;
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    box.scrollTo({ top: line.offsetTop - box.clientHeight * 0.35, behavior: calm ? 'auto' : 'smooth' });
  }

  render() {
    if (this.#failure) return problem(this.#failure);
    if (!this.#found) return html`<div class="lyrics"></div>`;
    if (!this.#found.lines.length) return empty({ icon: 'mic-vocal', title: 'No words for this one', text: 'Lyrics in the file, or an .lrc file beside it, show up here.' });
    const { synced, lines, language } = this.#found;
    return html`<div class="lyrics ${synced ? 'is-synced' : ''}" lang="${language ?? ''}" tabindex="0" aria-label="Lyrics">${lines.map((/** @type {any} */ line) =>
      synced && line.start_ms !== null && line.start_ms !== undefined
        ? html`<button class="lyric" data-do="line" data-start="${line.start_ms}">${line.text || '♪'}</button>`
        : html`<p class="lyric">${line.text || ' '}</p>`)}</div>`;
  }
}
customElements.define('sb-lyrics', Lyrics);
