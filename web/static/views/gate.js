// @ts-check
/** What the doors share: a calm card in the middle with the mark above it. */
import { html } from '../core/html.js';

/** @param {any} inside */
export const gate = (inside) => html`<div class="gate-card">
  <svg class="gate-mark" viewBox="0 0 32 32" aria-hidden="true"><path d="M21.5 10.5a6 6 0 1 0-5.5 8.4"/><path d="M10.5 21.5a6 6 0 1 0 5.5-8.4"/></svg>
  ${inside}</div>`;
