// @ts-check
/** A longer text about something, as its maker wrote it. */
import { html } from '../core/html.js';
import { paragraphs } from '../core/format.js';
import { Modal } from './modal.js';

class About extends Modal {
  heading() { return this.props.title; }
  get wide() { return true; }
  body() {
    return html`<div class="about-text">${paragraphs(this.props.text).map((one) => html`<p>${one}</p>`)}</div>
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close" autofocus>Close</button></div>`;
  }
}
customElements.define('sb-about', About);
