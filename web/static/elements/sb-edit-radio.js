// @ts-check
/** A radio: its name, where it sends, where its page is. */
import { flag, html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { room } from '../core/room.js';
import { Modal } from './modal.js';

class EditRadio extends Modal {
  /** @type {any} what was typed */ #wish = {};
  connected() { super.connected(); this.#wish = { ...this.props.radio }; }
  heading() { return this.props.radio ? 'Edit radio' : 'Add a radio'; }

  /** @param {FormData} form */
  async submit(form) {
    if (this.busy) return;
    const { radio } = this.props;
    this.#wish = Object.fromEntries(['name', 'stream_url', 'homepage_url'].map((name) => [name, String(form.get(name) ?? '').trim()]));
    this.wrong = !this.#wish.stream_url ? 'Paste the address of its stream first.' : !this.#wish.name ? 'Give it a name first.' : '';
    this.busy = !this.wrong;
    this.update();
    if (this.wrong) return;
    try {
      this.close(await (radio ? room.api.patch(`/radios/${radio.id}`, this.#wish) : room.api.post('/radios', this.#wish)));
    } catch (error) {
      this.busy = false;
      this.wrong = words(error);
      this.update();
    }
  }

  body() {
    const wish = this.#wish;
    return html`<div class="dialog-fields"><label class="field"><span>Name</span><input name="name" value="${wish.name ?? ''}" maxlength="200" autocomplete="off" autofocus></label>
      <div><label class="field"><span>Address of its stream</span><input name="stream_url" type="text" inputmode="url" value="${wish.stream_url ?? ''}" placeholder="https://example.org/live.mp3" maxlength="2000" autocomplete="off" autocapitalize="none" spellcheck="false"></label>
      <p class="quiet hint">The sound itself, or a playlist of it (.m3u, .pls).</p></div>
      <label class="field"><span>Its page, if you like</span><input name="homepage_url" type="text" inputmode="url" value="${wish.homepage_url ?? ''}" maxlength="2000" autocomplete="off" autocapitalize="none" spellcheck="false"></label></div>
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button button-main" ${flag('disabled', this.busy)}>${this.props.radio ? 'Save' : 'Add'}</button></div>`;
  }
}
customElements.define('sb-edit-radio', EditRadio);
