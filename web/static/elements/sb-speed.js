// @ts-check
/** How fast talk is heard. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { room } from '../core/room.js';

const SPEEDS = [0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.5, 1.75, 2];

export class Speed extends Element {
  connected() {
    this.follow(room.store, 'speed');
    this.on(this, 'change', (event) => room.store.set({ speed: Number(event.target.value) }));
  }
  render() {
    const { speed } = room.store.state;
    return html`<select class="speed" aria-label="Speed" title="Speed">${SPEEDS.map((one) => html`<option value="${one}" ${one === speed ? html`selected` : ''}>${one}×</option>`)}</select>`;
  }
}
customElements.define('sb-speed', Speed);
