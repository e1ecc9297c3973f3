// @ts-check
/** The keyboard, told. */
import { html } from '../core/html.js';
import { SHORTCUTS } from '../core/keys.js';
import { Modal } from './modal.js';

class Shortcuts extends Modal {
  heading() { return 'Keyboard'; }
  body() {
    return html`<dl class="shortcuts">${SHORTCUTS.map(({ words, shown }) => html`<div><dt>${words}</dt><dd>${shown.map((key) => html`<kbd>${key}</kbd>`)}</dd></div>`)}
      <div><dt>Along a list</dt><dd><kbd>↑</kbd><kbd>↓</kbd></dd></div></dl>`;
  }
}
customElements.define('sb-shortcuts', Shortcuts);
