// @ts-check
/** Into which playlist? */
import { html, flag } from '../core/html.js';
import { icon } from '../views/parts.js';
import { colourOf } from '../core/colour.js';
import { plural } from '../core/format.js';
import { words } from '../core/deeds.js';
import { to } from '../core/router.js';
import { changesList, sharing } from '../core/rights.js';
import { room } from '../core/room.js';
import { Modal } from './modal.js';

class PickPlaylist extends Modal {
  /** @type {any[] | null} */ #lists = null;
  heading() { return 'Add to playlist'; }
  connected() {
    super.connected();
    this.deeds.pick = async ({ id }) => {
      if (this.busy) return;
      this.busy = true;
      const { ids } = this.props;
      try {
        await room.api.post(`/library/playlists/${id}/tracks`, { track_ids: ids });
        const list = this.#lists?.find((l) => l.id === id);
        room.library.refresh('playlists');
        this.close(true);
        room.ui.toast({ message: `Added to “${list?.name}”.`, action: { words: 'Open', run: () => room.ui.go(to`/playlist/${id ?? ''}`) } });
      } catch (error) {
        this.busy = false;
        this.wrong = words(error);
        this.update();
      }
    };
    this.deeds.fresh = () => { this.close(true); room.act('new-playlist', { ids: this.props.ids }); };
    room.library.some('playlists', { sort: '-updated', limit: 500 }).then((/** @type {any[]} */ lists) => { this.#lists = lists.filter((list) => changesList(list, room.store.state.user)); this.update(); },
      (/** @type {any} */ error) => { this.#lists = []; this.wrong = words(error); this.update(); });
  }
  body() {
    return html`<div class="pick">
      <button type="button" class="pick-row" data-do="fresh" autofocus><span class="cover cover-list">${icon('plus')}</span><span>New playlist</span></button>
      ${(this.#lists ?? []).map((list) => html`<button type="button" class="pick-row" data-do="pick" data-id="${list.id}" data-key="${list.id}" ${flag('disabled', this.busy)}>
        <span class="cover cover-list" data-css="--tint:${colourOf(list.name)}">${icon('list-music')}</span><span class="pick-words"><span class="pick-name">${list.name}</span>${sharing(list, room.store.state.user).length ? html`<span class="quiet pick-name">${sharing(list, room.store.state.user).join(' · ')}</span>` : ''}</span><span class="quiet">${plural(list.track_count ?? 0, 'track')}</span></button>`)}
    </div>`;
  }
}
customElements.define('sb-pick-playlist', PickPlaylist);
