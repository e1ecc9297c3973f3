// @ts-check
/** A podcast: followed by its feed's address, or another number of episodes kept here. */
import { flag, html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { KEEPS } from '../core/podcasts.js';
import { room } from '../core/room.js';
import { Modal } from './modal.js';

class FollowPodcast extends Modal {
  #url = '';
  heading() { return this.props.podcast ? this.props.podcast.title : 'Follow a podcast'; }

  /** @param {FormData} form */
  async submit(form) {
    if (this.busy) return;
    const { podcast } = this.props;
    this.#url = String(form.get('url') ?? '').trim();
    const keep = Number(form.get('keep'));
    this.wrong = podcast || this.#url ? '' : 'Paste the feed’s address first.';
    this.busy = !this.wrong;
    this.update();
    if (this.wrong) return;
    try {
      this.close(await (podcast ? room.api.patch(`/podcasts/${podcast.id}`, { keep }) : room.api.post('/podcasts', { url: this.#url, keep })));
    } catch (error) {
      this.busy = false;
      this.wrong = words(error);
      this.update();
    }
  }

  body() {
    const { podcast } = this.props;
    return html`<div class="dialog-fields">${podcast ? '' : html`<div><label class="field"><span>Address of its feed</span><input name="url" type="text" inputmode="url" value="${this.#url}" placeholder="https://example.org/feed.xml" maxlength="2000" autocomplete="off" autocapitalize="none" spellcheck="false" autofocus></label>
      <p class="quiet hint">A podcast’s own page has it, often called “RSS”.</p></div>`}
      <label class="field"><span>Fetched to the station by itself</span><select name="keep">${KEEPS.map(([value, name]) => html`<option value="${value}" ${Number(value) === (podcast?.keep ?? 0) ? html`selected` : ''}>${name}</option>`)}</select></label></div>
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button button-main" ${flag('disabled', this.busy)}>${podcast ? 'Save' : this.busy ? 'One moment…' : 'Follow'}</button></div>`;
  }
}
customElements.define('sb-follow-podcast', FollowPodcast);
