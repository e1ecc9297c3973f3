// @ts-check
/** Links that were given away: copied again, ended. */
import { html } from '../core/html.js';
import { isOver, shareLine, shareName } from '../core/shares.js';
import { shares } from '../core/rights.js';
import { room } from '../core/room.js';
import { empty, icon, notForYou } from './parts.js';
import { View } from './view.js';

class Shares extends View {
  /** @type {any[] | null} */ shares = null;

  opened() {
    this.named('Shares');
    this.deeds['share-show'] = ({ id }) => { const share = this.#of(id); if (share) room.ui.dialog('sb-share', { share, title: shareName(share) }); };
    this.deeds['share-end'] = ({ id }) => this.#end(this.#of(id));
  }
  async fetch() { if (shares(room.store.state.user)) this.shares = (await room.api.get('/shares')).items; }
  changed() {}
  /** @param {string | undefined} id */
  #of(id) { return this.shares?.find((one) => one.id === id); }

  /** @param {any} share */
  async #end(share) {
    if (!share) return;
    const sure = await room.ui.dialog('sb-confirm', { title: `End the link to “${shareName(share)}”?`, text: 'Whoever has it hears nothing more with it. The music stays where it is.', button: 'End it', danger: true });
    if (sure) await this.attempt(() => room.api.delete(`/shares/${share.id}`), 'The link is good no more.');
  }

  render() {
    return html`<div class="page page-narrow"><a class="back" href="#/you">${icon('chevron-left')} You</a><header class="page-head"><h1>Shares</h1></header>
      ${!shares(room.store.state.user) ? notForYou('Owners and adults share by links.') : this.failure ? this.failure.status === 403 ? empty({ icon: 'share-2', title: 'This station shares nothing by links', text: 'Who looks after it can turn that on: the setting is called shares.' }) : this.problem() : this.shares === null ? ''
        : this.shares.length ? html`<p class="lead">Links with which others hear something of yours, without an account.</p>
        <ul class="things">${this.shares.map((one) => html`<li class="thing ${isOver(one) ? 'thing-over' : ''}" data-key="${one.id}">${icon('share-2')}
          <div class="thing-words"><p class="thing-title" title="${shareName(one)}">${shareName(one)}</p><p class="quiet">${shareLine(one)}</p></div>
          ${isOver(one) || !one.link ? '' : html`<button class="button button-small" data-do="share-show" data-id="${one.id}" aria-label="Show the link to ${shareName(one)}">Link</button>`}
          <button class="icon-button" data-do="share-end" data-id="${one.id}" aria-label="End the link to ${shareName(one)}" title="End it">${icon('x')}</button></li>`)}</ul>`
          : empty({ icon: 'share-2', title: 'Nothing is shared', text: 'Choose “Share by a link” from the menu of a track, an album or a playlist, and send the link: whoever has it can listen, without an account.', actions: html`<a class="button" href="#/library">Go to your library</a>` })}
    </div>`;
  }
}
customElements.define('view-shares', Shares);
