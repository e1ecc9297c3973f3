// @ts-check
/** Other stations that one is paired with: to look into, and to take one's own things over from. */
import { html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { ago } from '../core/format.js';
import { ownAccount } from '../core/rights.js';
import { room } from '../core/room.js';
import { to } from '../core/router.js';
import { empty, icon, notForYou } from './parts.js';
import { View } from './view.js';

class Stations extends View {
  /** @type {any[] | null} */ stations = null;

  opened() {
    this.named('Other stations');
    this.deeds['station-new'] = async () => { const made = await room.ui.dialog('sb-pair-station', {}); if (made) { room.ui.toast({ message: `“${made.name}” and this station know each other now.` }); this.ask(); } };
    this.deeds['station-remove'] = ({ id }) => this.#remove(this.stations?.find((one) => one.id === id));
  }
  get may() { return ownAccount(room.store.state.user); }
  changed() {} // nothing in the library tells of stations
  async fetch() { if (this.may) this.stations = (await room.api.get('/stations')).items; }

  /** @param {any} station */
  async #remove(station) {
    if (!station) return;
    const sure = await room.ui.dialog('sb-confirm', { title: `Forget “${station.name}”?`, text: 'What you took over from there stays here. Its key to this station is taken back as far as it answers.', button: 'Forget', danger: true });
    if (!sure) return;
    await room.api.delete(`/stations/${station.id}`).then(() => room.ui.toast({ message: `“${station.name}” is forgotten.` }), (/** @type {any} */ error) => room.ui.toast({ tone: 'problem', message: words(error) }));
    this.ask();
  }

  render() {
    return html`<div class="page page-narrow"><a class="back" href="#/you">${icon('chevron-left')} You</a>
      <header class="page-head page-head-row"><h1>Other stations</h1>${this.may && this.stations?.length ? html`<button class="button button-small" data-do="station-new">${icon('plus')} Pair a station</button>` : ''}</header>
      ${!this.may ? notForYou('This device may listen, and leaves the account as it is.') : this.failure ? this.problem() : this.stations === null ? '' : this.stations.length ? html`
        <ul class="things">${this.stations.map((one) => html`<li class="thing" data-key="${one.id}">${icon('radio-tower')}<div class="thing-words"><p class="thing-title" title="${one.name}"><a class="plain-link" href="${to`/you/stations/${one.id}`}">${one.name}</a></p>
          <p class="quiet">${one.last_error ? html`<span class="state-offline">${one.last_error}</span>` : one.last_seen_at ? `answered ${ago(one.last_seen_at)}` : `paired ${ago(one.created_at)}`}</p></div>
          <button class="icon-button" data-do="station-remove" data-id="${one.id}" aria-label="Forget ${one.name}" title="Forget">${icon('x')}</button></li>`)}</ul>`
      : empty({ icon: 'radio-tower', title: 'No other station yet', text: 'A friend’s, or your other house: pair it, look into its library, and take your playlists, ratings and plays over.', actions: html`<button class="button button-main" data-do="station-new">Pair a station</button>` })}
    </div>`;
  }
}
customElements.define('view-stations', Stations);
