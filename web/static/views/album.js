// @ts-check
/** One album: its discs, in order. */
import { html } from '../core/html.js';
import { artistLinks, cover, icon, playButtons, rowToCome, tintOf, trackRow } from './parts.js';
import { gapsIn, lackingWords } from '../core/coming.js';
import { plural, quality, span } from '../core/format.js';
import { albumPlace, isAway, keptBy } from '../core/places.js';
import { adds } from '../core/rights.js';
import { room } from '../core/room.js';
import { to } from '../core/router.js';
import { View } from './view.js';

/** @param {any[]} tracks @returns {{number: number, tracks: any[]}[]} */
export const discsOf = (tracks) => {
  /** @type {Map<number, any[]>} */
  const discs = new Map();
  for (const track of tracks) {
    const number = track.disc_number ?? 1;
    discs.set(number, [...(discs.get(number) ?? []), track]);
  }
  return [...discs].sort(([a], [b]) => a - b).map(([number, list]) => ({ number, tracks: list }));
};

class AlbumView extends View {
  opened() { this.follow(room.store, 'fetches', 'pins'); }
  async fetch() { await room.library.whole('albums', this.route.params.id); }
  playRow({ id }) { room.act('play-thing', { kind: 'album', id: this.route.params.id, from: id, source: room.library.album(this.route.params.id)?.title }); }

  changed(changes) {
    const mine = new Set(room.library.known('albums', this.route.params.id)?.ids ?? []);
    const moved = changes.tracks?.removed.some((/** @type {string} */ id) => mine.has(id)) || changes.tracks?.added.length
      || changes.albums?.changed.includes(this.route.params.id) || changes.tracks?.changed.some((/** @type {string} */ id) => mine.has(id) && room.library.track(id)?.album_id !== this.route.params.id);
    if (changes.everything || moved) this.ask();
    else this.update();
  }

  /** What is missing, as far as the numbers tell, or the listener has asked. @param {any} album @param {any[]} tracks */
  #lacking(album, tracks) {
    const { fetches, user } = room.store.state;
    if (!fetches || !adds(user)) return '';
    const named = album.lacking ?? [];
    const count = album.lacking ? named.length : gapsIn(tracks);
    if (!count) return '';
    return html`<div class="calm-note lacking" data-key="lacking">${icon('disc-3')}<span>${album.asked ? 'What was missing is on its way.' : html`${lackingWords(count)}.${named.length ? html` <span class="quiet">${named.slice(0, 4).join(', ')}${named.length > 4 ? ` and ${named.length - 4} more` : ''}</span>` : ''}`}</span>${album.asked
      ? html`<a class="link-button" href="#/downloads">See downloads</a>` : html`<button class="button button-small" data-do="fetch-lacking" data-id="${album.id}">${icon('download')} Fetch ${count === 1 ? 'it' : 'them'}</button>`}</div>`;
  }

  render() {
    const { id } = this.route.params;
    const album = room.library.album(id);
    const whole = room.library.known('albums', id);
    if (!album) return this.failure ? this.problem() : html`<div class="page"><div class="hero to-come"><span class="cover hero-cover"></span></div></div>`;
    if (this.failure?.status === 404) return this.problem();
    this.named(album.title);
    const tracks = (whole?.ids ?? []).map((/** @type {string} */ one) => room.library.track(one)).filter(Boolean);
    const discs = discsOf(tracks);
    const qualities = [...new Set(tracks.map(quality))];
    const main = (album.artists ?? [])[0];
    const place = albumPlace(tracks);
    const kept = keptBy(room.store.state.pins, 'album', id);
    const mixed = !tracks.every(isAway); // when all of it lies elsewhere, it is said once
    const titles = new Map((whole?.discs ?? []).map((/** @type {any} */ d) => [d.number, d.title]));
    return html`<div class="page page-thing" data-css="--tint:${tintOf(album)}">
      <header class="hero">
        ${cover(album, { size: 600, eager: true, cls: 'hero-cover' })}
        <div class="hero-words">
          <h1 title="${album.title}">${album.title}</h1>
          <p class="hero-artist">${main ? artistLinks(album.artists, album.artist) : album.artist}</p>
          <p class="quiet hero-facts">${[album.year, plural(album.track_count, 'track'), album.duration_ms ? span(album.duration_ms) : '', qualities.length === 1 ? qualities[0] : ''].filter(Boolean).join(' · ')}</p>
          ${place || kept ? html`<p class="quiet hero-place">${place ? html`<span>${icon(place === 'Not there now' ? 'unplug' : 'cloud')} ${place}</span>` : ''}${kept ? html`<span>${icon('pin')} Kept on this machine</span>` : ''}</p>` : ''}
          ${playButtons({ kind: 'album', id, source: album.title, more: html`
            <button class="button button-wide-only" data-do="add-to-queue" data-kind="album" data-id="${id}">${icon('list-end')} Add to queue</button>
            <button class="icon-button row-heart ${album.favourite ? 'is-on' : ''}" data-do="favourite-thing" data-kind="albums" data-id="${id}" aria-pressed="${album.favourite ? 'true' : 'false'}" aria-label="Favourite this album" title="Favourite">${icon('heart', album.favourite ? 'filled' : '')}</button>
            <button class="icon-button" data-do="album-menu" data-id="${id}" aria-haspopup="menu" aria-label="More" title="More">${icon('ellipsis')}</button>` })}
        </div>
      </header>
      ${this.failure && !whole ? this.problem() : ''}
      ${!whole && !this.failure ? html`<div class="rows">${Array.from({ length: Math.min(album.track_count || 8, 20) }, (_, i) => rowToCome(i))}</div>` : ''}
      ${discs.map((disc) => html`<section class="disc" data-key="disc-${disc.number}">
        ${discs.length > 1 ? html`<h2 class="disc-title">${icon('disc-3')} Disc ${disc.number}${titles.get(disc.number) ? html` · ${titles.get(disc.number)}` : ''}</h2>` : ''}
        <div class="rows" role="list">${disc.tracks.map((track, i) => trackRow(track, { index: i, lead: 'number', album: false, artist: track.artist !== album.artist, place: mixed }))}</div>
      </section>`)}
      ${whole ? this.#lacking(album, tracks) : ''}
      ${whole ? html`<footer class="thing-foot quiet">${(album.genres ?? []).map((/** @type {string} */ g) => html`<a class="chip" href="${to`/genre/${g}`}">${g}</a>`)}</footer>` : ''}
    </div>`;
  }
}
customElements.define('view-album', AlbumView);
