// @ts-check
/** Internet radio: one press, and it sounds. */
import { html } from '../core/html.js';
import { edits } from '../core/rights.js';
import { room } from '../core/room.js';
import { empty, icon, libraryChips, rowToCome, showChip } from './parts.js';
import { playRadio, radioRow, rememberRadios } from './radio-parts.js';
import { View } from './view.js';

class Radio extends View {
  /** @type {any[] | null} */ radios = null;

  opened() {
    this.named('Radio');
    this.follow(room.store, 'waiting');
    this.deeds['radio-play'] = ({ id }) => this.#play(id ?? '');
    this.deeds['radio-new'] = async () => { if (await room.ui.dialog('sb-edit-radio', {})) this.ask(); };
    this.deeds['radio-menu'] = ({ id }, event, anchor) => {
      const radio = this.#of(id);
      if (!radio) return;
      room.ui.menu({
        anchor, event, title: radio.name, items: [
          { icon: 'play', words: 'Play', deed: 'radio-play', data: { id } },
          radio.homepage_url && /^https?:/.test(radio.homepage_url) && { icon: 'info', words: 'Its page', deed: 'radio-page', data: { id } },
          ...(this.may ? [{ icon: 'pencil', words: 'Edit', deed: 'radio-edit', data: { id } }, null, { icon: 'trash-2', words: 'Remove', deed: 'radio-remove', data: { id }, danger: true }] : []),
        ],
      });
    };
    const on = (/** @type {string} */ name, /** @type {(radio: any) => any} */ deed) => this.until(room.intents.on(name, ({ id }) => { const radio = this.#of(id); if (radio) deed(radio); }));
    on('radio-play', (radio) => this.#play(radio.id));
    on('radio-page', (radio) => window.open(radio.homepage_url, '_blank', 'noopener,noreferrer'));
    on('radio-edit', async (radio) => { if (await room.ui.dialog('sb-edit-radio', { radio })) this.ask(); });
    on('radio-remove', async (radio) => {
      const sure = await room.ui.dialog('sb-confirm', { title: `Remove “${radio.name}”?`, text: 'For everybody here. It can be added again by its address.', button: 'Remove', danger: true });
      if (sure) await this.attempt(() => room.api.delete(`/radios/${radio.id}`), `“${radio.name}” is removed.`);
    });
    this.until(room.intents.on('radios-changed', () => this.ask()));
  }

  get may() { return edits(room.store.state.user); }
  /** @param {string | undefined} id */
  #of(id) { return this.radios?.find((one) => one.id === id); }
  async fetch() {
    this.radios = (await room.api.get('/radios')).items;
    rememberRadios(this.radios ?? []);
  }
  changed() { this.update(); }

  /** All of them are the queue: next is the next station. @param {string} id */
  #play(id) { playRadio(this.radios ?? [], id, 'Radio'); }

  painted() { showChip(this); }

  render() {
    const list = this.radios;
    return html`<div class="page page-library">${libraryChips('radio')}
      <header class="page-head page-head-row"><h1>Radio</h1>${this.may && list?.length ? html`<div class="page-tools"><button class="button button-small" data-do="radio-new">${icon('plus')} Add</button></div>` : ''}</header>
      ${this.failure && !list ? this.problem() : !list ? html`<div class="rows">${[0, 1, 2].map(rowToCome)}</div>` : list.length ? html`<div class="rows" role="list">${list.map((one) => radioRow(one, { menu: true }))}</div>`
        : empty({ icon: 'radio', title: 'No radio yet', text: this.may ? 'Add one by the address of its stream. It plays through your station, so that it works over HTTPS, too.' : 'As soon as somebody here adds one, it shows up.',
          actions: this.may ? html`<button class="button button-main" data-do="radio-new">Add a radio</button>` : '' })}
    </div>`;
  }
}
customElements.define('view-radio', Radio);
