// @ts-check
/** The whole library, five ways: however long the lists, they feel short. */
import { html } from '../core/html.js';
import { albumCard, artistCard, cardToCome, empty, icon, libraryChips, playlistCard, rowToCome, showChip, trackRow } from './parts.js';
import { colourOf } from '../core/colour.js';
import { plural } from '../core/format.js';
import { keep, recall } from '../core/keep.js';
import { edits, owns } from '../core/rights.js';
import { room } from '../core/room.js';
import { to } from '../core/router.js';
import { View } from './view.js';

/** @type {Record<string, {title: string, one: string, sorts: [string, string][], letters: string[]}>} */
const TABS = {
  albums: { title: 'Albums', one: 'album', letters: ['title', 'artist'], sorts: [['title', 'Title'], ['artist', 'Artist'], ['-added', 'Newest here'], ['-year', 'Newest record'], ['year', 'Oldest record'], ['-played', 'Played last'], ['-plays', 'Played most'], ['random', 'By chance']] },
  artists: { title: 'Artists', one: 'artist', letters: ['name'], sorts: [['name', 'Name'], ['-added', 'Newest here'], ['-plays', 'Played most'], ['-albums', 'Most albums']] },
  tracks: { title: 'Tracks', one: 'track', letters: ['title', 'artist'], sorts: [['title', 'Title'], ['artist', 'Artist'], ['album', 'Album'], ['-added', 'Newest here'], ['-year', 'Newest record'], ['-played', 'Played last'], ['-plays', 'Played most'], ['-rating', 'Best rated'], ['duration', 'Shortest']] },
  genres: { title: 'Genres', one: 'genre', letters: [], sorts: [['name', 'Name'], ['-albums', 'Most albums'], ['-tracks', 'Most tracks']] },
  playlists: { title: 'Playlists', one: 'playlist', letters: [], sorts: [['name', 'Name'], ['-updated', 'Changed last']] },
};

let seed = Math.floor(Math.random() * 1e6);

class LibraryView extends View {
  tab = 'albums';
  sort = 'title';
  /** @type {any} */ list = null;
  /** @type {{letter: string, offset: number}[]} */ letters = [];

  opened() {
    this.tab = this.route.params.tab in TABS ? this.route.params.tab : recall('tab', 'albums');
    if (!(this.tab in TABS)) this.tab = 'albums';
    keep('tab', this.tab);
    const sorts = TABS[this.tab].sorts.map(([name]) => name);
    const wanted = this.route.query.sort ?? recall(`sort.${this.tab}`, sorts[0]);
    this.sort = sorts.includes(wanted) ? wanted : sorts[0];
    this.named(TABS[this.tab].title);
    this.#choose();
    this.on(this, 'change', (event) => {
      if (event.target.name !== 'sort') return;
      if (event.target.value === 'random') seed += 1;
      this.sort = event.target.value;
      keep(`sort.${this.tab}`, this.sort);
      const main = this.closest('main');
      if (main) main.scrollTop = 0;
      this.#choose();
      this.ask();
    });
    this.on(this, 'list-changed', () => this.update());
    this.deeds.again = () => { this.list.retry(); this.ask(); };
    this.deeds['shuffle-all'] = () => room.act('play-list', { query: {}, index: 0, shuffle: true, source: 'All tracks' });
  }

  get query() { return this.sort === 'random' ? { sort: 'random', seed } : { sort: this.sort }; }
  #choose() {
    this.list = room.library.list(this.tab, this.query);
    this.letters = [];
  }

  async fetch() {
    this.list.ensure(0, 1);
    const { letters } = TABS[this.tab];
    if (!letters.includes(this.sort)) return;
    const { sort } = this;
    const answer = await room.api.get('/library/index', { of: this.tab, sort }).catch(() => ({ letters: [] }));
    if (sort === this.sort) this.letters = answer.letters;
  }

  playRow({ index }) {
    room.act('play-list', { query: this.query, index: Number(index), source: 'All tracks' });
  }

  changed(changes) {
    if (changes.everything || changes[this.tab]?.added.length || changes[this.tab]?.removed.length) this.ask();
    else this.update();
  }

  render() {
    const tab = TABS[this.tab];
    const { total, failure } = this.list;
    const nothing = total === 0;
    return html`<div class="page page-library">
      ${libraryChips(this.tab)}
      <header class="page-head page-head-row">
        <div><h1>${tab.title}</h1><p class="quiet count">${total > 0 ? plural(total, tab.one) : html`&nbsp;`}</p></div>
        <div class="page-tools">
          ${this.tab === 'tracks' && total > 0 ? html`<button class="button button-small" data-do="shuffle-all">${icon('shuffle')} Shuffle all</button>` : ''}
          ${this.tab === 'playlists' ? html`<button class="button button-small" data-do="new-playlist">${icon('plus')} New playlist</button>` : ''}
          ${nothing ? '' : html`<label class="select">${icon('arrow-down-wide-narrow')}<span class="sr-only">Sort by</span><select name="sort">${tab.sorts.map(([value, words]) => html`<option value="${value}" ${value === this.sort ? html`selected` : ''}>${words}</option>`)}</select></label>`}
        </div>
      </header>
      ${this.tab === 'playlists' ? html`<a class="setting setting-link" href="#/favourites">${icon('heart')}<span class="setting-words">Favourites</span>${icon('chevron-right', 'chevron')}</a>` : ''}
      ${failure && total < 0 ? (this.failure = failure, this.problem()) : nothing ? this.#nothing() : html`<sb-list data-key="${this.tab}"></sb-list>`}
      ${this.letters.length && total > 60 ? html`<sb-letters></sb-letters>` : ''}
    </div>`;
  }

  #nothing() {
    if (this.tab === 'playlists') return empty({ icon: 'list-music', title: 'No playlists yet', text: 'A playlist gathers tracks from anywhere in your library. Make one, then add to it from any track’s menu.', actions: html`<button class="button button-main" data-do="new-playlist">Make a playlist</button>` });
    if (this.tab === 'genres') return empty({ icon: 'tag', title: 'No genres here', text: `Genres come from the files’ own tags.${edits(room.store.state.user) ? ' “Edit details” in a track’s menu adds them.' : ''}` });
    if (!owns(room.store.state.user)) return empty({ icon: 'music', title: 'Nothing here yet', text: 'As soon as the station’s owner adds music, it shows up here.' });
    return empty({ icon: 'folder-plus', title: 'Nothing here yet', text: 'Name a folder with music in it, and it will show up here.', actions: html`<a class="button button-main" href="#/you/folders">Choose a folder</a>` });
  }

  painted() {
    showChip(this);
    const el = /** @type {any} */ (this.querySelector('sb-list'));
    if (el) {
      const grid = this.tab === 'albums' || this.tab === 'artists' || this.tab === 'playlists';
      const thing = (/** @type {string} */ id) => room.library.thing(this.tab, id);
      const draws = {
        albums: (/** @type {any} */ a) => albumCard(a, ['year', '-year'].includes(this.sort) ? [a.year, a.artist].filter(Boolean).join(' · ') : undefined),
        artists: artistCard,
        playlists: playlistCard,
        genres: (/** @type {any} */ g) => html`<div class="row row-genre" role="listitem" data-key="${g.name}"><span class="row-lead"><span class="cover cover-list" data-css="--tint:${colourOf(g.name)}">${icon('tag')}</span></span><span class="row-text"><a class="row-play" href="${to`/genre/${g.name}`}">${g.name}</a><span class="row-sub">${plural(g.album_count, 'album')} · ${plural(g.track_count, 'track')}</span></span>${icon('chevron-right')}</div>`,
        tracks: (/** @type {any} */ t, /** @type {number} */ index) => trackRow(t, { index }),
      };
      el.show({
        source: this.list, mode: grid ? 'grid' : 'rows', rowHeight: 56,
        draw: (/** @type {string | undefined} */ id, /** @type {number} */ index) => {
          const found = id === undefined ? undefined : thing(id);
          if (!found) return grid ? cardToCome(index) : rowToCome(index);
          return /** @type {any} */ (draws)[this.tab](found, index);
        },
      });
    }
    const letters = /** @type {any} */ (this.querySelector('sb-letters'));
    if (letters && el && letters.letters !== this.letters) {
      letters.letters = this.letters;
      letters.paint();
      letters.onjump ??= letters.addEventListener('jump', (/** @type {any} */ event) => el.reveal(event.detail, 12)) ?? true;
    }
  }
}
customElements.define('view-library', LibraryView);
