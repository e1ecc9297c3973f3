// @ts-check
/** One artist: what is played most, and every record. */
import { html } from '../core/html.js';
import { albumCard, cover, icon, playButtons, tintOf, trackRow } from './parts.js';
import { plural } from '../core/format.js';
import { room } from '../core/room.js';
import { View } from './view.js';

class ArtistView extends View {
  /** @type {string[] | null} */ top = null;
  all = false;
  opened() { this.deeds['show-all'] = () => { this.all = !this.all; this.update(); }; }
  async fetch() {
    const { id } = this.route.params;
    const [, top] = await Promise.all([room.library.whole('artists', id), room.library.some('tracks', { artist_id: id, sort: '-plays', limit: 15 })]);
    this.top = top.map((/** @type {any} */ t) => t.id);
  }
  async playRow({ index }) {
    const tracks = (this.top ?? []).map((id) => room.library.track(id)).filter((t) => t && t.place !== 'missing');
    const from = this.top?.[Number(index)];
    room.player.playTracks(tracks, { start: Math.max(0, tracks.findIndex((t) => t.id === from)), shuffle: false, source: room.library.thing('artists', this.route.params.id)?.name ?? '' });
  }
  changed(changes) {
    if (changes.everything || changes.artists?.changed.includes(this.route.params.id) || changes.albums?.added.length || changes.albums?.removed.length) this.ask();
    else this.update();
  }

  render() {
    const { id } = this.route.params;
    const artist = room.library.thing('artists', id);
    const whole = room.library.known('artists', id);
    if (!artist) return this.failure ? this.problem() : html`<div class="page"><div class="hero to-come"><span class="cover cover-round hero-cover"></span></div></div>`;
    this.named(artist.name);
    const albums = (whole?.albumIds ?? []).map((/** @type {string} */ one) => room.library.album(one)).filter(Boolean)
      .sort((/** @type {any} */ a, /** @type {any} */ b) => (b.year ?? 0) - (a.year ?? 0));
    const own = albums.filter((/** @type {any} */ a) => !a.compilation);
    const others = albums.filter((/** @type {any} */ a) => a.compilation);
    const top = (this.top ?? []).map((one) => room.library.track(one)).filter(Boolean);
    const few = this.all ? top : top.slice(0, 5);
    return html`<div class="page page-thing" data-css="--tint:${tintOf(albums[0] ?? artist)}">
      <header class="hero">
        ${cover(artist, { size: 600, round: true, eager: true, cls: 'hero-cover' })}
        <div class="hero-words">
          <h1 title="${artist.name}">${artist.name}</h1>
          <p class="quiet hero-facts">${[artist.album_count ? plural(artist.album_count, 'album') : '', plural(artist.track_count ?? 0, 'track')].filter(Boolean).join(' · ')}</p>
          ${playButtons({ kind: 'artist', id, source: artist.name, more: html`<button class="icon-button row-heart ${artist.favourite ? 'is-on' : ''}" data-do="favourite-thing" data-kind="artists" data-id="${id}" aria-pressed="${artist.favourite ? 'true' : 'false'}" aria-label="Favourite this artist" title="Favourite">${icon('heart', artist.favourite ? 'filled' : '')}</button>` })}
        </div>
      </header>
      ${this.failure && !whole ? this.problem() : ''}
      ${top.length ? html`<section aria-label="Tracks"><h2 class="section-title">${top.some((t) => t.play_count) ? 'Played most' : 'Tracks'}</h2>
        <div class="rows" role="list">${few.map((track, i) => trackRow(track, { index: i, artist: false }))}</div>
        ${top.length > 5 ? html`<button class="link-button" data-do="show-all">${this.all ? 'Show fewer' : 'Show more'} ${icon(this.all ? 'chevron-up' : 'chevron-down')}</button>` : ''}</section>` : ''}
      ${own.length ? html`<section aria-label="Albums"><h2 class="section-title">Albums</h2><div class="grid">${own.map((/** @type {any} */ a) => albumCard(a, String(a.year ?? plural(a.track_count, 'track'))))}</div></section>` : ''}
      ${others.length ? html`<section aria-label="Also on"><h2 class="section-title">Also on</h2><div class="grid">${others.map((/** @type {any} */ a) => albumCard(a))}</div></section>` : ''}
    </div>`;
  }
}
customElements.define('view-artist', ArtistView);
