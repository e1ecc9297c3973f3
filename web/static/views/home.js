// @ts-check
/** Home: where one left off, what is new, what is loved. */
import { html } from '../core/html.js';
import { albumCard, cardToCome, cover, empty, icon, shelf, tintOf } from './parts.js';
import { awayLine } from '../core/away.js';
import { greeting, plural } from '../core/format.js';
import { adds, owns, seesFiles } from '../core/rights.js';
import { room } from '../core/room.js';
import { episodeItem } from '../core/items.js';
import { episodeLine, heardShare, isBegun } from '../core/podcasts.js';
import { livesWithEpisodes } from './episode-parts.js';
import { View } from './view.js';

/** Album ids in the order their tracks come, each once. @param {any[]} tracks */
export const albumsOf = (tracks) => [...new Set(tracks.map((t) => t.album_id).filter(Boolean))];

/** What home showed last, so that coming back shows it at once. @type {any} */
let last = null;
let seed = Math.floor(Math.random() * 1e6);
/** The line about music folders that are away. */
let away = '';
/** Episodes that were begun. @type {any[]} */
let begun = [];
const RECENT_EPISODES = 100; // among so many of the newest they are looked for
/** How often folders are looked at while home is shown: a drive that was just plugged in is wanted back soon. */
const LOOK_MS = { there: 20000, away: 3000 };
export const forgetHome = () => { last = null; away = ''; begun = []; seed += 1; };

class Home extends View {
  /** @type {any} */ stats = null;
  opened() {
    this.named('');
    this.deeds['other-albums'] = () => { seed += 1; this.ask(); };
    this.follow(room.store, 'scan', 'stats');
    livesWithEpisodes(this, {
      find: (id) => begun.find((one) => one.id === id), adds: () => adds(room.store.state.user),
      change: (id, patch) => { begun = begun.map((one) => (one.id === id ? { ...one, ...patch } : one)); this.update(); },
    });
    this.deeds['play-track'] = (data) => this.ifHere(data, ({ id }) => room.act('play-thing', { kind: 'favourites', from: id, source: 'Favourites' }));
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const soon = () => {
      timer = setTimeout(async () => {
        if (!document.hidden && room.store.state.reachable) await this.#lookAtFolders();
        if (this.isConnected) soon();
      }, away ? LOOK_MS.away : LOOK_MS.there);
    };
    soon();
    this.until(() => clearTimeout(timer));
  }

  /** Whether a music folder is away. Costs the station nothing; who may not see folders is told of none. */
  async #lookAtFolders() {
    if (!seesFiles(room.store.state.user)) return;
    const line = awayLine((await room.api.get('/health').catch(() => null))?.storage);
    if (line === away) return;
    away = line;
    this.update();
  }

  async #lookAtEpisodes() {
    const latest = await room.api.get('/episodes', { latest: RECENT_EPISODES }).catch(() => null);
    if (!latest) return;
    begun = latest.items.filter(isBegun);
    if (this.isConnected) this.update();
  }

  async fetch() {
    const { library, api } = room;
    this.#lookAtFolders();
    this.#lookAtEpisodes();
    const [played, added, most, loved, chance, stats] = await Promise.all([
      library.some('tracks', { sort: '-played', limit: 80 }),
      library.some('albums', { sort: '-added', limit: 20 }),
      library.some('tracks', { sort: '-plays', limit: 80 }),
      library.some('tracks', { favourite: 1, sort: '-favourited', limit: 12 }),
      library.some('albums', { sort: 'random', seed, limit: 20 }),
      api.get('/library/stats'),
    ]);
    const heard = (/** @type {any[]} */ tracks) => albumsOf(tracks.filter((t) => t.play_count > 0)).slice(0, 16);
    const ids = { played: heard(played), most: heard(most) };
    const wanted = [...new Set([...ids.played, ...ids.most])].filter((id) => !library.album(id));
    if (wanted.length) await library.some('albums', { ids: wanted.join(','), limit: wanted.length });
    room.store.set({ stats });
    last = { ...ids, added: added.map((/** @type {any} */ a) => a.id), loved: loved.map((/** @type {any} */ t) => t.id), chance: chance.map((/** @type {any} */ a) => a.id), total: stats.tracks, many: stats.albums > 8 };
  }

  /** @param {any} changes */
  changed(changes) {
    if (changes.arrived) return;
    const of = changes.tracks;
    if (changes.everything || of?.added.length || of?.removed.length || of?.changed.length) this.ask();
    else this.update();
  }

  render() {
    const { state } = room.store;
    const hello = `${greeting(new Date().getHours())}${state.user?.username ? `, ${state.user.username}` : ''}`;
    if (this.failure && !last) return this.problem();
    const scan = state.scan?.state === 'running' ? state.scan : null;
    if (last && !last.total) {
      return html`<div class="page"><header class="page-head"><h1>${hello}</h1></header>${scan
        ? empty({ icon: 'audio-lines', title: 'Your music is coming in', text: scan.found ? `${plural(scan.read ?? 0, 'file')} of ${plural(scan.found, 'file').replace(/ files?$/, '')} read so far.` : 'Looking through your folders.' })
        : empty({ icon: 'folder-plus', title: 'Your music will live here', ...(owns(state.user) ? { text: 'Name a folder with music in it. Nothing in it is changed or moved.', actions: html`<a class="button button-main" href="#/you/folders">Choose a folder</a>` } : { text: 'As soon as the station’s owner adds some, it shows up here.' }) })}</div>`;
    }
    const cards = (/** @type {string[] | undefined} */ ids) => (ids ? ids.map((id) => room.library.album(id)).filter(Boolean).map((/** @type {any} */ a) => albumCard(a)) : [0, 1, 2, 3, 4, 5, 6, 7].map(cardToCome));
    this.shelves = { 'Recently played': cards(last?.played), 'Recently added': cards(last?.added), 'Most played': cards(last?.most), 'Rediscover': cards(last?.chance) };
    const loved = (last?.loved ?? []).map((id) => room.library.track(id)).filter(Boolean);
    const { track } = room.player;
    const goOn = begun.filter((one) => isBegun(one) && track?.id !== `episode:${one.id}`).slice(0, 6);
    return html`<div class="page page-home">
      <header class="page-head"><h1>${hello}</h1></header>
      ${away ? html`<p class="away-line quiet" data-key="away" role="status">${icon('unplug')}<span>${away}</span><a class="link-button" href="#/you/folders">See folders</a></p>` : ''}
      ${track && track.place !== 'missing' && state.status !== 'playing' ? html`<section class="resume" aria-label="Go on listening" data-css="--tint:${tintOf(track)}"><button class="resume-cover" data-do="open-now" aria-label="Open now playing">${cover(track, { size: 300 })}</button>
        <div class="resume-words"><p class="quiet">Go on listening</p><p class="resume-title" title="${track.title}">${track.title}</p><p class="quiet resume-artist">${track.artist}</p></div>
        <button class="play-button" data-do="toggle" aria-label="Go on">${icon('play', 'filled')}</button></section>` : ''}
      ${goOn.length ? html`<section class="shelf" data-key="begun" aria-label="Begun episodes"><header class="shelf-head"><h2><a href="#/podcasts">Go on listening${icon('chevron-right')}</a></h2></header>
        <div class="tiles">${goOn.map((one) => html`<div class="tile" data-key="${one.id}">${cover(episodeItem(one), { size: 128 })}<div class="tile-words"><button class="row-play" data-do="episode-play" data-id="${one.id}" title="${one.title}">${one.title}</button><span class="row-sub">${one.podcast_title}</span>
          <div class="meter" role="progressbar" aria-label="Heard" aria-valuetext="${episodeLine(one)}" aria-valuemin="0" aria-valuemax="100" aria-valuenow="${Math.round(heardShare(one) * 100)}" data-css="--share:${heardShare(one) * 100}%"></div></div></div>`)}</div></section>` : ''}
      ${!last || last.played.length ? shelf('Recently played', '') : ''}
      ${!last || last.added.length ? shelf('Recently added', '', '#/library/albums?sort=-added') : ''}
      ${loved.length ? html`<section class="shelf" data-key="loved" aria-label="Favourites"><header class="shelf-head"><h2><a href="#/favourites">Favourites${icon('chevron-right')}</a></h2></header>
        <div class="tiles">${loved.slice(0, 6).map((/** @type {any} */ t) => html`<div class="tile" data-key="${t.id}" data-menu="track-menu" data-id="${t.id}">${cover(t, { size: 128 })}<div class="tile-words"><button class="row-play" data-do="play-track" data-id="${t.id}" title="${t.title}">${t.title}</button><span class="row-sub">${t.artist}</span></div></div>`)}</div></section>` : ''}
      ${last?.most.length ? shelf('Most played', '') : ''}
      ${!last || last.many ? shelf('Rediscover', '') : ''}
    </div>`;
  }

  painted() {
    for (const el of /** @type {any} */ (this.querySelectorAll('sb-shelf'))) el.show(this.shelves?.[el.dataset.name] ?? '');
  }
  /** @type {Record<string, any> | undefined} */ shelves;
}
customElements.define('view-home', Home);
