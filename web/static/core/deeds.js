// @ts-check
/** What a listener can do anywhere in the player, by name: the far end of every `data-do` and every shortcut. */
import * as Q from './queue.js';
import { reasonOf } from './away.js';
import { createFetching } from './fetching.js';
import { plural } from './format.js';
import { pageOf, uidOf } from './items.js';
import { createMoving } from './moving.js';
import { adds, changesList, deletes, edits, ownsList, seesFiles, shares, sharing } from './rights.js';
import { to } from './router.js';

/** @param {any} error */
export const words = (error) => (error?.unreachable ? 'The station does not answer.' : error?.message || 'That did not work.');

const COMING = 'It is being fetched. It can be sought once it is here.';
const SIMILAR = 50;
const AT_ONCE = 500; // the most tracks that one press puts into the queue

/**
 * @param {object} parts
 * @param {import('./api.js').Api} parts.api
 * @param {import('./store.js').Store} parts.store
 * @param {ReturnType<import('./library.js').createLibrary>} parts.library
 * @param {import('./downloads.js').Downloads} parts.downloads
 * @param {import('./errands.js').Errands} parts.errands
 * @param {import('./player.js').Player} parts.player
 * @param {(trackId: string) => Promise<any>} parts.refusal why the station will not give a track's file; null when it will
 * @param {any} parts.ui `toast(notice)`, `menu(menu)`, `dialog(name, props)`, `go(hash)`, `overlay(name | null)`
 */
export const createDeeds = ({ api, store, library, downloads, errands, player, refusal, ui }) => {
  /** @param {() => Promise<any>} deed @param {{again?: () => void}} [options] */
  const attempt = async (deed, { again } = {}) => {
    try {
      return await deed();
    } catch (error) {
      if (/** @type {any} */ (error).status !== 401) {
        const nowhere = /** @type {any} */ (error).code === 'no_music_folder' && { words: 'See folders', run: () => ui.go('#/you/folders') };
        ui.toast({ tone: 'problem', message: words(error), action: nowhere || (again && { words: 'Try again', run: again }) });
      }
      return undefined;
    }
  };

  /** The tracks of something, in its own order. @param {DOMStringMap | Record<string, any>} data */
  const tracksOf = async (data) => {
    const { kind, id } = data;
    if (kind === 'track') return library.tracks([id]);
    if (kind === 'album' || kind === 'playlist') {
      const found = await library.whole(kind === 'album' ? 'albums' : 'playlists', id);
      return found.ids.map((/** @type {string} */ one) => library.track(one)).filter(Boolean);
    }
    const query = { artist: { artist_id: id, sort: 'album' }, genre: { genre: id, sort: 'artist' }, favourites: { favourite: 1, sort: '-favourited' } }[kind];
    const chance = data.shuffle ? { sort: 'random', seed: Math.floor(Math.random() * 1e6) } : {};
    return library.some('tracks', { ...query, ...chance, limit: AT_ONCE });
  };
  const moving = createMoving({ api, store, library, errands, ui, attempt, tracksOf });
  const present = (/** @type {any[]} */ tracks) => tracks.filter((t) => t.place !== 'missing');

  /**
   * Those of `tracks` that can be heard. When none can, it is said why, and what to do about it.
   * @param {any[]} tracks @param {string} name of what they belong to @returns {Promise<any[]>}
   */
  const audible = async (tracks, name) => {
    const here = present(tracks);
    if (here.length) return here;
    if (!tracks.length) { ui.toast({ message: 'There is nothing to play here yet.' }); return []; }
    const why = await refusal(tracks[0].id);
    if (!why) { // it came back since this was asked for
      const back = tracks.map((t) => ({ ...t, place: 'local' }));
      library.remember('tracks', back);
      library.nudge();
      return back;
    }
    const away = why.details?.reason === 'no_answer';
    const [words, page] = away ? ['See folders', '#/you/folders'] : ['See missing', '#/you/missing'];
    ui.toast({ tone: 'problem', topic: 'away', message: `“${name}” cannot be played. ${reasonOf(why)}`,
      action: seesFiles(store.state.user) ? { words, run: () => ui.go(page) } : undefined });
    return [];
  };

  /** @param {any} data as of `tracksOf` */
  const audibleOf = async (data) => {
    const tracks = await tracksOf(data);
    const thing = data.kind === 'album' ? library.album(data.id) : data.kind === 'playlist' ? library.thing('playlists', data.id) : null;
    return audible(tracks, thing?.title ?? thing?.name ?? (data.source || tracks[0]?.title));
  };

  /** In a menu. @param {string} kind @param {string} id @param {string} [title] */
  const share = (kind, id, title = '') => shares(store.state.user) && { icon: 'share-2', words: 'Share by a link', deed: 'share', data: { kind, id, title } };

  /** @type {Record<string, (data: any, event?: Event, target?: HTMLElement) => any>} */
  const deeds = {
    /* ---- playing */
    toggle: () => player.toggle(),
    next: () => player.next(),
    previous: () => player.previous(),
    'seek-forward': () => player.nudge(10),
    'seek-back': () => player.nudge(-10),
    'jump-back': () => player.nudge(-15),
    'jump-on': () => player.nudge(30),
    'retry-play': () => player.play(),
    shuffle: () => player.shuffle(!store.state.queue.shuffle),
    repeat: () => player.repeat(),
    mute: () => store.set({ muted: !store.state.muted }),
    louder: () => store.set({ volume: Math.min(1, store.state.volume + 0.05), muted: false }),
    softer: () => store.set({ volume: Math.max(0, store.state.volume - 0.05) }),

    /** Plays a whole thing. `kind`, `id`, and perhaps `shuffle` and `from` (a track of it). */
    'play-thing': (data) => attempt(async () => {
      const tracks = await audibleOf(data);
      if (!tracks.length) return;
      const start = data.from ? Math.max(0, tracks.findIndex((t) => t.id === data.from)) : data.shuffle ? null : 0;
      player.playTracks(tracks, { start, shuffle: Boolean(data.shuffle), source: data.source ?? '' });
    }, { again: () => deeds['play-thing'](data) }),

    /** Plays from a place in a long list, as many as fit. `kind` tracks, `query`, `index`. */
    'play-list': (data) => attempt(async () => {
      const shuffle = Boolean(data.shuffle);
      const query = shuffle ? { ...data.query, sort: 'random', seed: Math.floor(Math.random() * 1e6) } : data.query;
      const tracks = await audible(await library.some('tracks', { ...query, offset: shuffle ? 0 : data.index, limit: AT_ONCE }), data.source || 'This');
      player.playTracks(tracks, { start: 0, shuffle: false, source: data.source ?? '' });
    }, { again: () => deeds['play-list'](data) }),

    /** A track that was not there is wanted. Answers whether it can be heard after all; if not, it is said why. */
    'seek-missing': (data) => attempt(async () => (await audibleOf({ kind: 'track', id: data.id })).length > 0),

    'play-next': (data) => attempt(async () => {
      const tracks = await audibleOf(data);
      if (!tracks.length) return;
      library.remember('tracks', tracks);
      player.edit((queue) => Q.insertNext(queue, tracks.map((t) => t.id)));
      ui.toast({ message: tracks.length === 1 ? `“${tracks[0].title}” plays next.` : `${plural(tracks.length, 'track')} play next.` });
    }),
    'add-to-queue': (data) => attempt(async () => {
      const tracks = await audibleOf(data);
      if (!tracks.length) return;
      library.remember('tracks', tracks);
      player.edit((queue) => Q.append(queue, tracks.map((t) => t.id)));
      ui.toast({ message: tracks.length === 1 ? `“${tracks[0].title}” is in the queue.` : `${plural(tracks.length, 'track')} added to the queue.`, action: { words: 'Show queue', deed: 'show-queue' } });
    }),
    'queue-jump': (data) => player.jump(Number(data.index)),
    'queue-remove': (data) => player.edit((queue) => Q.remove(queue, Number(data.index))),
    'queue-clear': () => {
      const before = store.state.queue;
      player.edit(Q.clear);
      ui.toast({ message: 'The queue is empty.', action: { words: 'Undo', run: () => player.edit((now) => ({ ...before, index: Math.max(0, before.entries.findIndex((/** @type {any} */ e) => e.key === Q.current(now)?.key)) })) } });
    },

    /** An episode comes from where no place in it can be asked for. `ms`: the place that was wanted, if one was. */
    unseekable: async ({ id, ms }) => {
      const episode = await api.get(`/episodes/${uidOf(id)}`).catch(() => null);
      if (player.entry?.id !== id) return;
      if (episode?.status === 'completed') { if (ms !== undefined) player.anew(ms); return; } // it has been fetched since
      const coming = episode?.status === 'downloading';
      ui.toast({ topic: 'unseekable', message: coming ? COMING : `${ms === undefined ? 'It begins anew where it comes from. ' : ''}It can be sought once it is fetched.`,
        action: !coming && adds(store.state.user) ? { words: 'Fetch', deed: 'fetch-episode', data: { id: uidOf(id) } } : undefined });
    },
    'fetch-episode': ({ id }) => attempt(async () => {
      await api.post(`/episodes/${id}/download`);
      ui.toast({ topic: 'unseekable', message: COMING });
    }, { again: () => deeds['fetch-episode']({ id }) }),

    /** A track, and what goes with it. */
    'play-similar': (data) => attempt(async () => {
      const { items } = await api.get(`/library/tracks/${encodeURIComponent(data.id)}/similar`, { limit: SIMILAR });
      const [track] = await library.tracks([data.id]);
      if (!items.length) { ui.toast({ message: `Nothing here is known to go with “${track?.title ?? 'it'}”.` }); return; }
      const tracks = await audible([track, ...items.filter((/** @type {any} */ one) => one.id !== data.id)].filter(Boolean), track?.title ?? 'This');
      if (tracks.length) player.playTracks(tracks, { start: 0, shuffle: false, source: `Like “${track?.title ?? ''}”` });
    }, { again: () => deeds['play-similar'](data) }),

    /* ---- what one thinks of it */
    favourite: (data) => attempt(async () => {
      const track = library.track(data.id) ?? (await library.tracks([data.id]))[0];
      const favourite = !track.favourite;
      library.amend(data.id, { favourite });
      try {
        await (favourite ? api.put(`/library/favourites/${data.id}`) : api.delete(`/library/favourites/${data.id}`));
      } catch (error) {
        library.amend(data.id, { favourite: !favourite });
        throw error;
      }
    }),
    /** An album or artist; `kind` says which list it is in. */
    'favourite-thing': (data) => attempt(async () => {
      const { id, kind } = data;
      const favourite = !library.thing(kind, id)?.favourite;
      const show = (/** @type {boolean} */ on) => { library.remember(kind, [{ id, favourite: on }]); library.nudge(); };
      show(favourite);
      try {
        await (favourite ? api.put(`/library/favourites/${kind}/${id}`) : api.delete(`/library/favourites/${kind}/${id}`));
      } catch (error) {
        show(!favourite);
        throw error;
      }
    }),
    'favourite-current': () => player.entry && !player.previewing && !player.track?.kind && deeds.favourite({ id: player.entry.id }),
    rate: (data) => attempt(async () => {
      const before = library.track(data.id)?.rating ?? 0;
      const rating = Number(data.rating) === before ? 0 : Number(data.rating);
      library.amend(data.id, { rating });
      try {
        await api.put(`/library/ratings/${data.id}`, { rating });
      } catch (error) {
        library.amend(data.id, { rating: before });
        throw error;
      }
    }),

    /* ---- playlists */
    'pick-playlist': (data) => ui.dialog('sb-pick-playlist', { ids: data.ids ?? [data.id], things: data }),
    'pick-playlist-for': (data) => attempt(async () => {
      const tracks = await tracksOf(data);
      ui.dialog('sb-pick-playlist', { ids: tracks.map((t) => t.id) });
    }),
    'new-playlist': async (data) => {
      const given = await ui.dialog('sb-ask-name', { title: 'New playlist', button: 'Make playlist' });
      if (!given) return;
      const { name, visibility } = given;
      const made = await attempt(() => api.post('/library/playlists', { name, visibility, track_ids: data.ids ?? [] }));
      if (!made) return;
      library.remember('playlists', [made]);
      library.refresh('playlists');
      if (data.ids) ui.toast({ message: `Added to “${name}”.`, action: { words: 'Open', run: () => ui.go(to`/playlist/${made.id}`) } });
      else ui.go(to`/playlist/${made.id}`);
    },
    /** Its name, and who hears it. */
    'edit-playlist': async (data) => {
      const before = library.thing('playlists', data.id);
      const given = await ui.dialog('sb-ask-name', { title: 'Name and sharing', value: before?.name, visibility: before?.visibility, button: 'Save' });
      if (!given) return;
      const patch = Object.fromEntries(Object.entries(given).filter(([key, value]) => value !== before?.[key]));
      if (!Object.keys(patch).length) return;
      const now = await attempt(() => api.patch(`/library/playlists/${data.id}`, patch));
      if (now) { library.remember('playlists', [now]); library.refresh('playlists'); }
    },
    'delete-playlist': async (data) => {
      const before = library.thing('playlists', data.id);
      const sure = await ui.dialog('sb-confirm', { title: `Delete “${before?.name ?? 'this playlist'}”?`, text: 'Its tracks stay in your library.', button: 'Delete playlist', danger: true });
      if (!sure) return;
      const done = await attempt(async () => { await api.delete(`/library/playlists/${data.id}`); return true; });
      if (done) { library.refresh('playlists'); ui.go('#/library/playlists'); }
    },

    share: (data) => ui.dialog('sb-share', { title: data.title, entries: [{ kind: data.kind, id: data.id }] }),

    /* ---- caring for the library */
    'edit-tags': (data) => attempt(async () => {
      const [track] = await library.tracks([data.id]);
      ui.dialog('sb-edit-tags', { track });
    }),
    trash: (data) => attempt(async () => {
      const [track] = await library.tracks([data.id]);
      await api.delete(`/library/tracks/${data.id}`);
      library.drop(data.id);
      player.edit((queue) => Q.removeTracks(queue, new Set([data.id])));
      ui.toast({
        message: `“${track?.title ?? 'The track'}” is in the trash.`, topic: `trash ${data.id}`,
        action: { words: 'Undo', run: () => deeds.restore(data) },
      });
    }),
    restore: (data) => attempt(async () => {
      const track = await api.post(`/library/trash/${data.id}/restore`);
      if (track?.id) library.remember('tracks', [track]);
      library.returned(data.id);
      ui.toast({ message: `“${track?.title ?? 'The track'}” is back in your library.`, topic: `trash ${data.id}` });
    }),
    scan: (data) => attempt(async () => {
      const answer = await api.post('/library/scan', data.deep ? { deep: true } : {});
      store.set({ scan: answer.scan ?? answer });
    }, { again: () => deeds.scan(data) }),

    /* ---- menus */
    'track-menu': (data, event, target) => {
      const track = library.track(data.id);
      if (!track || track.preview) return;
      const { user } = store.state;
      const out = data.queue !== undefined ? [{ icon: 'x', words: 'Remove from queue', deed: 'queue-remove', data: { index: data.queue } }] : [];
      if (track.kind) {
        const page = track.kind === 'radio' ? { icon: 'radio', words: 'See all radios', href: pageOf(track) } : { icon: 'podcast', words: 'Go to podcast', href: pageOf(track) };
        ui.menu({ anchor: target, event, title: track.title, subtitle: track.artist, cover: track, items: [page, ...out] });
        return;
      }
      ui.menu({
        anchor: target, event, title: track.title, subtitle: track.artist, cover: track,
        rating: { id: track.id, value: track.rating ?? 0 },
        items: [
          { icon: 'audio-lines', words: 'Play similar', deed: 'play-similar', data: { id: track.id } },
          { icon: 'list-start', words: 'Play next', deed: 'play-next', data: { kind: 'track', id: track.id } },
          { icon: 'list-end', words: 'Add to queue', deed: 'add-to-queue', data: { kind: 'track', id: track.id } },
          { icon: 'list-plus', words: 'Add to playlist', deed: 'pick-playlist', data: { id: track.id } },
          { icon: 'heart', words: track.favourite ? 'Remove from favourites' : 'Add to favourites', deed: 'favourite', data: { id: track.id }, filled: track.favourite },
          share('track', track.id, track.title),
          null,
          track.album_id && { icon: 'disc-3', words: 'Go to album', href: to`/album/${track.album_id}` },
          ...(track.artists ?? []).filter((/** @type {any} */ a) => a.role === 'artist').slice(0, 3).map((/** @type {any} */ a, /** @type {number} */ i, /** @type {any[]} */ all) => (
            { icon: 'mic-vocal', words: all.length > 1 ? `Go to ${a.name}` : 'Go to artist', href: to`/artist/${a.id}` })),
          ...out,
          ...(data.playlist !== undefined && changesList(library.thing('playlists', data.playlist), user) ? [{ icon: 'x', words: 'Remove from this playlist', deed: 'playlist-remove', data: { index: data.place, playlist: data.playlist } }] : []),
          ...(track.fetched_by && adds(user) ? [{ icon: 'info', words: 'Where it came from', deed: 'origin', data: { id: track.id } }] : []),
          ...(store.state.fetches && adds(user) ? [{ icon: 'sparkles', words: 'Look for a better copy', deed: 'fetch-better', data: { id: track.id } }] : []),
          ...moving.items('track', track, [track]),
          ...(edits(user) || deletes(user) ? [null] : []),
          ...(edits(user) ? [{ icon: 'pencil', words: 'Edit details', deed: 'edit-tags', data: { id: track.id } }] : []),
          ...(deletes(user) ? [{ icon: 'trash-2', words: 'Move to trash', deed: 'trash', data: { id: track.id }, danger: true }] : []),
        ],
      });
    },
    'album-menu': (data, event, target) => {
      const album = library.album(data.id);
      const of = { kind: 'album', id: data.id };
      const may = adds(store.state.user);
      const fetched = may && (library.known('albums', data.id)?.ids ?? []).find((/** @type {string} */ id) => library.track(id)?.fetched_by);
      ui.menu({
        anchor: target, event, title: album?.title ?? 'Album', subtitle: album?.artist, cover: album,
        items: [
          { icon: 'play', words: 'Play', deed: 'play-thing', data: { ...of, source: album?.title } },
          { icon: 'shuffle', words: 'Shuffle', deed: 'play-thing', data: { ...of, shuffle: '1', source: album?.title } },
          { icon: 'list-start', words: 'Play next', deed: 'play-next', data: of },
          { icon: 'list-end', words: 'Add to queue', deed: 'add-to-queue', data: of },
          { icon: 'list-plus', words: 'Add to playlist', deed: 'pick-playlist-for', data: of },
          share('album', data.id, album?.title),
          album?.artists?.[0] && !album.compilation && { icon: 'mic-vocal', words: 'Go to artist', href: to`/artist/${album.artists[0].id}` },
          ...(store.state.fetches && may ? [null, { icon: 'search', words: 'Look for missing tracks', deed: 'album-lacks', data: of }] : []),
          ...(fetched ? [{ icon: 'info', words: 'Where it came from', deed: 'origin', data: { id: fetched } }] : []),
          ...(album ? moving.items('album', album, (library.known('albums', data.id)?.ids ?? []).map((/** @type {string} */ id) => library.track(id)).filter(Boolean)) : []),
        ],
      });
    },
    'playlist-menu': (data, event, target) => {
      const list = library.thing('playlists', data.id);
      const own = ownsList(list, store.state.user);
      const of = { kind: 'playlist', id: data.id };
      ui.menu({
        anchor: target, event, title: list?.name ?? 'Playlist', subtitle: sharing(list, store.state.user).join(' · '),
        items: [
          { icon: 'list-start', words: 'Play next', deed: 'play-next', data: of },
          { icon: 'list-end', words: 'Add to queue', deed: 'add-to-queue', data: of },
          { icon: 'list-plus', words: 'Add to another playlist', deed: 'pick-playlist-for', data: of },
          share('playlist', data.id, list?.name),
          ...(!own ? [] : [null,
            { icon: 'pencil', words: 'Name and sharing', deed: 'edit-playlist', data: of },
            { icon: 'trash-2', words: 'Delete playlist', deed: 'delete-playlist', data: of, danger: true }]),
        ],
      });
    },

    /* ---- finding one's way */
    search: () => { if (store.state.route.name === 'search') /** @type {HTMLElement | null} */ (document.querySelector('view-search input'))?.focus(); else ui.go('#/search'); },
    'show-queue': () => ui.showQueue(true),
    'toggle-queue': () => ui.showQueue(),
    'toggle-lyrics': () => ui.showLyrics(),
    'open-now': () => { if (innerWidth < 900) store.set({ nowSide: 'cover' }); ui.overlay('now'); },
    'close-now': () => ui.overlay(null),
    close: () => ui.overlay(null),
    shortcuts: () => ui.dialog('sb-shortcuts', {}),
    reload: () => location.reload(),
    'log-out': () => ui.logOut(),
  };
  return { deeds: Object.assign(deeds, createFetching({ api, store, library, downloads, player, ui, attempt }), moving.deeds), moving };
};
