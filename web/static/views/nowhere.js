// @ts-check
/** An address that leads nowhere. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { empty } from './parts.js';

class Nowhere extends Element {
  render() { return empty({ icon: 'music', title: 'There is no such page', text: 'The address may be old.', actions: html`<a class="button button-main" href="#/">Go home</a>` }); }
}
customElements.define('view-nowhere', Nowhere);
