// @ts-check
/** One playlist: played, renamed, put in order. */
import { html } from '../core/html.js';
import { cover, empty, fixed, icon, playButtons, rowToCome, trackRow } from './parts.js';
import { colourOf } from '../core/colour.js';
import { plural, span } from '../core/format.js';
import { words } from '../core/deeds.js';
import { changesList, ownsList, sharing } from '../core/rights.js';
import { room } from '../core/room.js';
import { reorderable } from '../elements/reorder.js';
import { View } from './view.js';

/** Four of its records side by side, if there are four. @param {any[]} tracks */
const mosaic = (tracks) => {
  const albums = [...new Map(tracks.filter((t) => t.cover && t.album_id).map((t) => [t.album_id, t])).values()].slice(0, 4);
  return albums.length === 4 ? html`<span class="cover hero-cover mosaic" data-key="mosaic">${albums.map((t) => cover(t, { size: 300, eager: true }))}</span>` : null;
};

class PlaylistView extends View {
  /** The order shown; ahead of the station's while it is being told. @type {string[] | null} */ ids = null;
  /** @type {any} */ source = fixed([]);
  opened() {
    this.until(room.intents.on('playlist-remove', (/** @type {any} */ data) => { if (data.playlist === this.route.params.id) this.#remove(Number(data.index)); }));
    reorderable(this, { count: () => this.ids?.length ?? 0, move: (from, to) => {
      const ids = [...(this.ids ?? [])];
      ids.splice(to, 0, ...ids.splice(from, 1));
      this.#order(ids);
    } });
  }
  async fetch() {
    const whole = await room.library.whole('playlists', this.route.params.id);
    this.#set(whole.ids);
  }
  /** @param {string[]} ids */
  #set(ids) { this.ids = ids; this.source = fixed(ids); }

  /** @param {string[]} ids */
  async #order(ids) {
    const before = this.ids ?? [];
    this.#set(ids);
    this.paint();
    try {
      const now = await room.api.patch(`/library/playlists/${this.route.params.id}`, { track_ids: ids });
      const { tracks, ...own } = now ?? {};
      if (own.id) room.library.remember('playlists', [own]);
    } catch (error) {
      this.#set(before);
      room.ui.toast({ tone: 'problem', message: words(error), action: { words: 'Try again', run: () => this.#order(ids) } });
    }
    this.update();
  }

  /** @param {number} index */
  #remove(index) {
    const before = this.ids ?? [];
    const track = room.library.track(before[index]);
    this.#order(before.filter((_, i) => i !== index));
    room.ui.toast({ message: `“${track?.title ?? 'The track'}” is out of this playlist.`, action: { words: 'Undo', run: () => this.#order(before) } });
  }

  playRow({ index }) {
    const ids = this.ids ?? [];
    const tracks = ids.map((id) => room.library.track(id));
    const good = tracks.filter((t) => t && t.place !== 'missing');
    const start = good.indexOf(tracks[Number(index)]);
    room.player.playTracks(good, { start: Math.max(0, start), source: room.library.thing('playlists', this.route.params.id)?.name ?? '' });
  }
  changed(changes) {
    const { id } = this.route.params;
    if (changes.everything || changes.playlists?.changed.includes(id) || changes.playlists?.added.includes(id) || changes.playlists?.removed.includes(id)) this.ask();
    else this.update();
  }

  problem() {
    return this.failure?.status === 404 ? empty({ icon: 'list-music', title: 'This playlist is not here any more', text: 'It was deleted, or is no longer shared with you.', actions: html`<a class="button" href="#/library/playlists">See your playlists</a>` }) : super.problem();
  }

  render() {
    const { id } = this.route.params;
    const { user } = room.store.state;
    const list = room.library.thing('playlists', id);
    const own = ownsList(list, user);
    if (this.failure && (!list || this.failure.status === 404)) return this.problem();
    if (!list) return html`<div class="page"><div class="hero to-come"><span class="cover hero-cover"></span></div></div>`;
    this.named(list.name);
    const total = this.ids?.length ?? list.track_count ?? 0;
    return html`<div class="page page-thing" data-css="--tint:${colourOf(list.name)}">
      <header class="hero">
        ${mosaic((this.ids ?? []).slice(0, 40).map((one) => room.library.track(one)).filter(Boolean)) ?? html`<span class="cover cover-list hero-cover" data-css="--tint:${colourOf(list.name)}">${icon('list-music')}</span>`}
        <div class="hero-words">
          <h1 title="${list.name}">${list.name}</h1>
          <p class="quiet hero-facts">${[...(own && list.visibility === 'private' ? ['Only you'] : sharing(list, user)), plural(total, 'track'), total && list.duration_ms ? span(list.duration_ms) : ''].filter(Boolean).join(' · ')}</p>
          ${total ? playButtons({ kind: 'playlist', id, source: list.name, more: html`${own ? html`<button class="icon-button" data-do="edit-playlist" data-id="${id}" aria-label="Name and sharing" title="Name and sharing">${icon('pencil')}</button>` : ''}<button class="icon-button" data-do="playlist-menu" data-id="${id}" aria-haspopup="menu" aria-label="More" title="More">${icon('ellipsis')}</button>` })
            : own ? html`<div class="actions"><button class="button" data-do="edit-playlist" data-id="${id}">${icon('pencil')} Name and sharing</button><button class="button" data-do="delete-playlist" data-id="${id}">${icon('trash-2')} Delete</button></div>` : ''}
        </div>
      </header>
      ${this.ids && !total ? (!changesList(list, user) ? empty({ icon: 'list-music', title: 'Nothing in it yet', text: `What ${list.owner} puts into it shows up here.` }) : empty({ icon: 'list-plus', title: 'Nothing in it yet', text: 'Find a track you like and choose “Add to playlist” from its menu.', actions: html`<a class="button button-main" href="#/search">Find a track</a>` })) : html`<sb-list></sb-list>`}
    </div>`;
  }

  painted() {
    const { id } = this.route.params;
    const el = /** @type {any} */ (this.querySelector('sb-list'));
    if (!el || !this.ids) return;
    /** @type {Map<string, number>} */
    const seen = new Map();
    const grip = changesList(room.library.thing('playlists', id), room.store.state.user);
    const keys = this.ids.map((one) => { const n = (seen.get(one) ?? 0) + 1; seen.set(one, n); return n > 1 ? `${one}-${n}` : one; });
    el.show({ source: this.source, mode: 'rows', rowHeight: 56, draw: (/** @type {string} */ one, /** @type {number} */ index) => {
      const track = room.library.track(one);
      if (!track) room.library.need([one]);
      return track ? trackRow(track, { index, key: keys[index], grip, menu: grip ? { playlist: id, place: index } : {} }) : rowToCome(index);
    } });
  }
}
customElements.define('view-playlist', PlaylistView);
