// @ts-check
/** Every place of one track, as it is now. */
import { html } from '../core/html.js';
import { placeLine } from '../core/places.js';
import { icon } from '../views/parts.js';
import { Modal } from './modal.js';

const ICONS = /** @type {Record<string, string>} */ ({ local: 'hard-drive', cache: 'cloud-check', cloud: 'cloud' });

class PlacesDialog extends Modal {
  heading() { return 'Where it lies'; }
  get wide() { return true; }
  body() {
    const { track, places, place: played, pinned } = this.props;
    let told = false;
    return html`<p class="lead">${track?.title} · ${track?.artist}</p>
      <ul class="places">${places.map((/** @type {any} */ one) => {
        const { name, facts, state, message, wrong } = placeLine(one);
        const now = !told && one.kind === played && ['here', 'changed'].includes(one.state);
        told ||= now;
        return html`<li class="place ${one.state === 'gone' ? 'is-gone' : ''}">${icon(ICONS[one.kind] ?? 'cloud')}<div class="thing-words">
          <p>${name}${now ? html` <span class="mark">Played from here</span>` : ''}</p>
          ${[state, facts].some(Boolean) ? html`<p class="quiet">${state ? html`<span class="${wrong ? 'wrong' : ''}">${state}</span>` : ''}${state && facts ? ' · ' : ''}${facts}</p>` : ''}
          ${message ? html`<p class="quiet">${message}</p>` : ''}
          ${one.path ? html`<p class="quiet place-path">${one.path}</p>` : ''}</div></li>`;
      })}</ul>
      ${played === 'missing' ? html`<p class="quiet">It cannot be played now. It comes back by itself when one of these places does.</p>` : ''}
      ${pinned ? html`<p class="quiet place-kept">${icon('pin')} Kept on this machine</p>` : ''}
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close" autofocus>Close</button></div>`;
  }
}
customElements.define('sb-places', PlacesDialog);
