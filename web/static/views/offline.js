// @ts-check
/** The shell without its station. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { room } from '../core/room.js';
import { gate } from './gate.js';

class Offline extends Element {
  connected() { this.deeds['look-again'] = () => room.ui.lookAgain(); }
  render() {
    return gate(html`<h1>Your station is out of reach</h1><p class="quiet">It may be asleep, or this device is on another network. The player opens by itself when it answers.</p>
      <button class="button button-main" data-do="look-again">Look again</button>`);
  }
}
customElements.define('view-offline', Offline);
