// @ts-check
/** Another station, by the sync token that it made. */
import { flag, html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { tokenIn } from '../core/pairing.js';
import { room } from '../core/room.js';
import { Modal } from './modal.js';

class PairStation extends Modal {
  heading() { return 'Pair a station'; }
  /** @param {FormData} form */
  async submit(form) {
    if (this.busy) return;
    const token = tokenIn(String(form.get('token') ?? ''));
    this.wrong = token ? '' : 'This is not a sync token. Copy the whole text; it begins with “sb1.”.';
    this.busy = Boolean(token);
    this.update();
    if (!token) return;
    try {
      this.close(await room.api.post('/stations', { token }));
    } catch (error) {
      this.busy = false;
      this.wrong = words(error);
      this.update();
    }
  }
  body() {
    return html`<p class="quiet">In the other station’s player, as yourself there: You → Devices → Pair a device; “Listen” is enough. Copy its text or link and paste it here.</p>
      <label class="field"><span>Sync token of the other station</span><textarea name="token" rows="4" autocomplete="off" autocapitalize="none" spellcheck="false" autofocus></textarea></label>
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button button-main" ${flag('disabled', this.busy)}>${this.busy ? 'One moment…' : 'Pair'}</button></div>`;
  }
}
customElements.define('sb-pair-station', PairStation);
