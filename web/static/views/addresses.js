// @ts-check
/** Where this station answers: for other devices, over which network, and how securely. */
import { html } from '../core/html.js';
import { addressWords, byKind, isAddress } from '../core/addresses.js';
import { ago } from '../core/format.js';
import { room } from '../core/room.js';
import { empty, icon } from './parts.js';
import { View } from './view.js';

class Addresses extends View {
  /** @type {any} */ data = null;
  /** @type {any} how it answers HTTPS */ trust = null;

  opened() {
    this.named('Where this station answers');
    this.deeds['address-code'] = ({ url }) => room.ui.dialog('sb-show-code', { title: 'Open on another device', text: url, lead: 'Point the other device’s camera at this code, and log in there. To get in without a password, pair it instead: You → Devices.' });
  }
  changed() {} // nothing in the library tells of addresses
  async fetch() { [this.data, this.trust] = await Promise.all([room.api.get('/endpoints'), room.api.get('~/trust/state').catch(() => null)]); }

  #secure() {
    const { trust } = this;
    if (!trust) return '';
    const until = trust.expires_at && !trust.proxied ? ` The certificate is good until ${new Date(trust.expires_at).toLocaleDateString(undefined, { day: 'numeric', month: 'long', year: 'numeric' })}${trust.own_authority ? ' and renewed by itself' : ''}.` : '';
    const [title, text] = !trust.https && !trust.proxied ? ['HTTPS is off', 'Music and passwords travel unencrypted, and phones cannot install the player. Who looks after the station turns it on with the setting https.']
      : trust.secure ? ['This connection is secure', `Nobody in between can listen in.${until}`]
        : ['This connection is not encrypted', trust.proxied ? 'Between this device and the proxy in front of the station others can listen in.' : `The station speaks HTTPS, too; a device has to trust it once.${until}`];
    return html`<section class="group" aria-label="Security"><div class="thing thing-top">${icon(trust.secure ? 'lock' : 'circle-alert', trust.secure ? 'good' : '')}<div class="thing-words"><p class="thing-title">${title}</p><p class="quiet">${text}</p>
      ${trust.https && trust.own_authority && !trust.proxied ? html`<p><a class="link-button" href="/trust#/you/addresses">${trust.secure ? 'How another device learns to trust it' : 'Let this device trust the station'}</a></p>` : ''}</div></div></section>`;
  }

  render() {
    const groups = this.data ? byKind(this.data.items) : [];
    const others = groups.some((group) => group.kind !== 'this_machine');
    return html`<div class="page page-narrow"><a class="back" href="#/you">${icon('chevron-left')} You</a>
      <header class="page-head"><h1>Where this station answers</h1></header>
      ${this.failure ? this.problem() : this.data === null ? '' : html`
        <p class="lead">${this.data.station.name ? html`<b>${this.data.station.name}</b> opens` : 'The station opens'} at these addresses, in any browser.</p>
        ${others ? '' : empty({ icon: 'wifi', title: 'No other device can reach it now', text: 'Addresses for phones and other computers show up here when the station is on a network and listens there (setting host).' })}
        ${groups.map((group) => html`<section class="group" data-key="${group.kind}"><h2 class="section-title">${group.name}</h2><p class="quiet">${group.meaning}.</p>
          <ul class="things">${group.items.map((one) => html`<li class="thing" data-key="${one.url}">${icon(one.secure ? 'lock' : 'wifi')}<div class="thing-words"><p class="path" title="${one.url}">${isAddress(one.url) ? html`<a class="plain-link" href="${one.url}">${one.url}</a>` : one.url}</p><p class="quiet">${addressWords(one)}</p></div>
            ${one.reachable && group.kind !== 'this_machine' ? html`<button class="icon-button" data-do="address-code" data-url="${one.url}" aria-label="Show ${one.url} as a code" title="Show as a code">${icon('qr-code')}</button>` : ''}</li>`)}</ul></section>`)}
        ${this.#secure()}
        <p class="quiet">Tried ${ago(this.data.updated_at)}, and again whenever the network changes.</p>`}
    </div>`;
  }
}
customElements.define('view-addresses', Addresses);
