// @ts-check
/** What a track says about itself, put right. Only what was changed is sent. */
import { html, flag } from '../core/html.js';
import { words } from '../core/deeds.js';
import { room } from '../core/room.js';
import { Modal } from './modal.js';

const WORDS = [['title', 'Title'], ['artist', 'Artist'], ['album', 'Album'], ['album_artist', 'Album artist']];
const NUMBERS = [['track_number', 'Track'], ['disc_number', 'Disc'], ['year', 'Year']];

/** @param {any} track @param {FormData} form @returns {Record<string, any>} */
export const changesIn = (track, form) => {
  /** @type {Record<string, any>} */
  const out = {};
  for (const [name] of WORDS) {
    const value = String(form.get(name) ?? '').trim();
    if (value !== (track[name] ?? '')) out[name] = value;
  }
  for (const [name] of NUMBERS) {
    const text = String(form.get(name) ?? '').trim();
    const value = text === '' ? null : Number(text);
    if (value !== (track[name] ?? null)) out[name] = value;
  }
  const genres = String(form.get('genres') ?? '').split(';').map((g) => g.trim()).filter(Boolean);
  if (genres.join(';') !== (track.genres ?? []).join(';')) out.genres = genres;
  return out;
};

class EditTags extends Modal {
  heading() { return 'Edit details'; }
  get wide() { return true; }
  /** @param {FormData} form */
  async submit(form) {
    if (this.busy) return;
    const { track } = this.props;
    const patch = changesIn(track, form);
    if (!Object.keys(patch).length) { this.close(false); return; }
    if (!form.get('write')) patch.write_tags = false;
    this.busy = true;
    this.wrong = '';
    this.update();
    try {
      const now = await room.api.patch(`/library/tracks/${track.id}`, patch);
      room.library.remember('tracks', [now]);
      room.library.amend(track.id, {});
      this.close(true);
      room.ui.toast({ message: 'Saved.' });
    } catch (error) {
      this.busy = false;
      this.wrong = words(error);
      this.update();
    }
  }
  body() {
    const { track } = this.props;
    return html`<div class="fields">
      ${WORDS.map(([name, label]) => html`<label class="field field-whole"><span>${label}</span><input name="${name}" value="${track[name] ?? ''}" maxlength="1000" autocomplete="off"></label>`)}
      ${NUMBERS.map(([name, label]) => html`<label class="field"><span>${label}</span><input name="${name}" value="${track[name] ?? ''}" inputmode="numeric" pattern="[0-9]*" maxlength="5" autocomplete="off"></label>`)}
      <label class="field field-whole"><span>Genres, with ; between</span><input name="genres" value="${(track.genres ?? []).join('; ')}" autocomplete="off"></label>
      <label class="check field-whole"><input type="checkbox" name="write" checked><span>Write it into the file too</span></label>
    </div>
    ${track.path ? html`<p class="quiet path" title="${track.path}">${track.path}</p>` : ''}
    <div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button button-main" ${flag('disabled', this.busy)}>${this.busy ? 'Saving…' : 'Save'}</button></div>`;
  }
}
customElements.define('sb-edit-tags', EditTags);
