// @ts-check
/** Internet radio: one press, and it sounds. */
import { html } from '../core/html.js';
import { colourOf } from '../core/colour.js';
import { radioItem } from '../core/items.js';
import { edits } from '../core/rights.js';
import { room } from '../core/room.js';
import { empty, icon, libraryChips, rowToCome, showChip } from './parts.js';
import { View } from './view.js';

class Radio extends View {
  /** @type {any[] | null} */ radios = null;

  opened() {
    this.named('Radio');
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
    // One that plays keeps what it says of itself.
    room.library.remember('tracks', (this.radios ?? []).map((one) => { const { artist, ...item } = radioItem(one); return room.library.track(item.id) ? item : { ...item, artist }; }));
  }
  changed() { this.update(); }

  /** All of them are the queue: next is the next station. @param {string} id */
  #play(id) {
    const list = this.radios ?? [];
    if (room.player.entry?.id === `radio:${id}`) { room.player.toggle(); return; }
    room.player.playTracks(list.map((one) => room.library.track(`radio:${one.id}`) ?? radioItem(one)), { start: list.findIndex((one) => one.id === id), shuffle: false, source: 'Radio' });
  }

  /** @param {any} radio */
  #row(radio) {
    const current = room.player.entry?.id === `radio:${radio.id}`;
    const playing = current && room.store.state.status === 'playing';
    const now = current ? room.library.track(`radio:${radio.id}`)?.artist : '';
    const host = /^https?:\/\/([^/:?#]+)/.exec(radio.homepage_url || '')?.[1]?.replace(/^www\./, '') ?? '';
    return html`<div class="row row-radio ${current ? 'is-current' : ''}" role="listitem" data-key="${radio.id}">
      <span class="row-lead"><span class="cover cover-list" data-css="--tint:${colourOf(radio.name)}">${icon('radio')}</span><span class="row-state" aria-hidden="true">${current ? html`<span class="bars ${playing ? '' : 'bars-still'}"><i></i><i></i><i></i></span>` : icon('play', 'filled')}</span></span>
      <span class="row-text"><button class="row-play" data-do="radio-play" data-id="${radio.id}" title="${radio.name}">${radio.name}${playing ? html`<span class="sr-only"> (playing)</span>` : ''}</button><span class="row-sub">${now || host || 'Internet radio'}</span></span>
      <button class="icon-button row-menu" data-do="radio-menu" data-id="${radio.id}" aria-haspopup="menu" aria-label="More for ${radio.name}" title="More">${icon('ellipsis')}</button>
    </div>`;
  }

  painted() { showChip(this); }

  render() {
    const list = this.radios;
    return html`<div class="page page-library">${libraryChips('radio')}
      <header class="page-head page-head-row"><h1>Radio</h1>${this.may && list?.length ? html`<div class="page-tools"><button class="button button-small" data-do="radio-new">${icon('plus')} Add</button></div>` : ''}</header>
      ${this.failure && !list ? this.problem() : !list ? html`<div class="rows">${[0, 1, 2].map(rowToCome)}</div>` : list.length ? html`<div class="rows" role="list">${list.map((one) => this.#row(one))}</div>`
        : empty({ icon: 'radio', title: 'No radio yet', text: this.may ? 'Add one by the address of its stream. It plays through your station, so that it works over HTTPS, too.' : 'As soon as somebody here adds one, it shows up.',
          actions: this.may ? html`<button class="button button-main" data-do="radio-new">Add a radio</button>` : '' })}
    </div>`;
  }
}
customElements.define('view-radio', Radio);
