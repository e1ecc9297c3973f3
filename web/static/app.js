// @ts-check
/** Wiring only: makes every part once, hands each what it needs, and lets the page begin. */
import { io } from './vendor/socket.io.esm.min.js';
import { ApiError, createApi, streamUrl } from './core/api.js';
import { reasonOf } from './core/away.js';
import { nameOf } from './core/coming.js';
import { createDeeds } from './core/deeds.js';
import { createDownloads } from './core/downloads.js';
import { createErrands } from './core/errands.js';
import { createInstalling } from './core/installing.js';
import { airWords, createAir, createHeard, kindOf, resumeAt, uidOf } from './core/items.js';
import { html } from './core/html.js';
import { forget, keep, recall } from './core/keep.js';
import { createJukebox } from './core/jukebox.js';
import { deedOf } from './core/keys.js';
import { createLibrary } from './core/library.js';
import { createLive } from './core/live.js';
import { Player } from './core/player.js';
import { EMPTY, pack, removeTracks, unpack } from './core/queue.js';
import { adds, samePerson } from './core/rights.js';
import { furnish } from './core/room.js';
import { arrival } from './core/pairing.js';
import { parse } from './core/router.js';
import { createStore } from './core/store.js';
import { createSync } from './core/sync.js';
import './elements/sb-about.js';
import './elements/sb-add-storage.js';
import './elements/sb-app.js';
import './elements/sb-ask-name.js';
import './elements/sb-app-password.js';
import './elements/sb-ask-text.js';
import './elements/sb-confirm.js';
import './elements/sb-connect.js';
import './elements/sb-dock.js';
import './elements/sb-edit-person.js';
import './elements/sb-edit-radio.js';
import './elements/sb-edit-tags.js';
import './elements/sb-follow-podcast.js';
import './elements/sb-invite.js';
import './elements/sb-letters.js';
import './elements/sb-list.js';
import './elements/sb-lyrics.js';
import './elements/sb-menu.js';
import './elements/sb-now.js';
import './elements/sb-origin.js';
import './elements/sb-outside.js';
import './elements/sb-pair-device.js';
import './elements/sb-pair-station.js';
import './elements/sb-pick-folders.js';
import './elements/sb-pick-playlist.js';
import './elements/sb-places.js';
import './elements/sb-queue.js';
import './elements/sb-rail-lists.js';
import './elements/sb-seek.js';
import './elements/sb-share.js';
import './elements/sb-shelf.js';
import './elements/sb-shortcuts.js';
import './elements/sb-show-code.js';
import './elements/sb-speed.js';
import './elements/sb-take-over.js';
import './elements/sb-tell-plays.js';
import './elements/sb-toaster.js';
import './elements/sb-volume.js';
import './views/addresses.js';
import './views/album.js';
import './views/apps.js';
import './views/artist.js';
import './views/audit.js';
import './views/belongings.js';
import './views/devices.js';
import './views/doubts.js';
import './views/download.js';
import './views/downloads.js';
import './views/factor.js';
import './views/favourites.js';
import './views/genre.js';
import { forgetHome } from './views/home.js';
import './views/install.js';
import './views/invite.js';
import './views/library.js';
import './views/login.js';
import './views/nowhere.js';
import './views/offline.js';
import './views/pair.js';
import './views/people.js';
import './views/playlist.js';
import './views/podcast.js';
import './views/podcasts.js';
import './views/radio.js';
import './views/scrobbling.js';
import { forgetSearch } from './views/search.js';
import './views/setup.js';
import './views/shares.js';
import './views/sources.js';
import './views/station.js';
import './views/stations.js';
import './views/storage.js';
import './views/watches.js';
import './views/you.js';

/** Pages for who is not logged in. */
const AT_THE_DOOR = ['login', 'setup', 'pair', 'invite'];
// A sync token stands behind the # of its link: it leaves the address and the history before anything else happens.
const pairing = arrival('');
if (location.pathname === '/pair') {
  Object.assign(pairing, arrival(location.hash.slice(1), document.cookie));
  document.cookie = 'soundsible_move=; Max-Age=0; Path=/pair';
  history.replaceState(null, '', '/#/pair');
}

const lightSystem = matchMedia('(prefers-color-scheme: light)');
const isDark = (/** @type {string} */ theme) => theme === 'dark' || (theme !== 'light' && !lightSystem.matches);
const sounds = recall('sound', {});
const theme = recall('theme', 'system');

const store = createStore(/** @type {Record<string, any>} */ ({
  started: false, user: null, reachable: true, live: false, route: parse(location.hash), revision: -1, stats: null,
  scan: null, coming: 0, fetches: null, storages: null, pins: [], queue: EMPTY, status: 'idle', waiting: false, sought: 0,
  volume: Number.isFinite(sounds.volume) ? Math.min(1, Math.max(0, sounds.volume)) : 0.9, muted: Boolean(sounds.muted),
  levelling: sounds.levelling ?? 'off', saver: Boolean(sounds.saver), speed: sounds.speed >= 0.5 && sounds.speed <= 3 ? sounds.speed : 1,
  theme, dark: isDark(theme), panel: recall('panel', false), overlay: null, jukebox: false, nowSide: 'cover', updateReady: false, shownOut: false,
}));

const app = () => /** @type {any} */ (document.querySelector('sb-app'));

/* ---- doors ------------------------------------------------------------------------------------- */

const api = createApi({
  fetch: globalThis.fetch.bind(globalThis),
  onReach: (reachable) => { if (store.state.started) store.set({ reachable }); },
  onUnauthorized: () => { if (store.state.user) ended(); },
});
const library = createLibrary({ api, store });
const sync = createSync({
  ask: (since) => api.get('/library/changes', { since }),
  revision: () => store.state.revision,
  apply: (changes) => {
    const gone = new Set(changes.tracks?.removed ?? []);
    if (gone.size) player.edit((/** @type {any} */ queue) => removeTracks(queue, gone));
    library.apply(changes);
  },
  reset: () => library.reset(),
});
const downloads = createDownloads({
  onTold: () => store.set({ coming: downloads.coming }),
  onCompleted: (download) => {
    if (download.username !== store.state.user?.username || !download.track_id) return;
    ui.toast({
      topic: 'arrived', message: download.duplicate_of ? `“${nameOf(download)}” was in your library already.` : `“${nameOf(download)}” is in your library.`,
      action: { words: 'Play', deed: 'play-thing', data: { kind: 'track', id: download.track_id } },
    });
  },
});
const errands = createErrands({ onOver: (errand) => moving.told(errand) });
const live = createLive({ io, store, sync, downloads, errands, onDevices: () => act('devices-changed'), onPodcasts: () => act('podcasts-changed'), onRadio: (now) => air.heard(now), onJukebox: () => jukebox.report(), onShownOut: () => shownOut(), onNotice: (notice) => ui.toast({ message: notice.message ?? '', tone: notice.level === 'error' || notice.level === 'warning' ? 'problem' : undefined }) });

/** The station has ended the line. Who is logged in no more learns it by the answer; everybody else comes back. */
const shownOut = () => {
  api.get('/session').then(() => live.again(), (error) => { if (error.status !== 401) setTimeout(() => { if (store.state.user) shownOut(); }, 2000); });
};

/* ---- plays that could not be told yet ---------------------------------------------------------- */

const tellPlays = async () => {
  const waiting = recall('plays', []);
  while (waiting.length) {
    try {
      await api.post('/library/plays', waiting[0]);
    } catch (error) {
      if (/** @type {ApiError} */ (error).unreachable || /** @type {ApiError} */ (error).status === 401) return;
      // The station does not want it (the track is gone): nothing to keep it for.
    }
    waiting.shift();
    keep('plays', waiting);
  }
};

/**
 * Why the station will not give a track's file; null when it will, or sends on to the storage it lies in (where only a
 * sound may follow). Throws when the station does not answer.
 * @param {string} id @param {string} [url] what was asked for, when that was not the file as it is
 */
const refusal = async (id, url = library.track(id)?.preview ?? library.track(id)?.stream ?? streamUrl(id)) => {
  const answer = await fetch(url, { headers: { Range: 'bytes=0-0' }, redirect: 'manual' }).catch(() => { throw new ApiError(0, 'unreachable', 'The station does not answer.'); });
  if (answer.ok || answer.type === 'opaqueredirect') { answer.body?.cancel(); return null; }
  if (answer.status === 401) { ended(); return { message: 'Please log in again.' }; }
  return (await answer.json().catch(() => null))?.error ?? {};
};

/* ---- what is heard beside music ------------------------------------------------------------------ */

const heard = createHeard({
  tell: (item, told) => {
    library.amend(item.id, told);
    // Also while the page closes.
    fetch(`/api/episodes/${uidOf(item.id)}/position`, { method: 'PUT', keepalive: true, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(told) }).catch(() => {});
    act('episode-heard', { id: uidOf(item.id), ...told });
  },
});
const air = createAir({
  ask: (uid) => api.get(`/radios/${uid}/now`),
  told: (id, now) => {
    const words = airWords(now);
    if (!library.track(id) || library.track(id).artist === words) return;
    library.amend(id, { artist: words });
    player.announce();
    store.set({ queue: { ...store.state.queue } }); // the tab names it, too
  },
});

const audios = /** @type {HTMLAudioElement[]} */ ([...document.querySelectorAll('audio[data-player]')]);
const player = new Player({
  store, library, audios, session: navigator.mediaSession,
  report: (play) => { keep('plays', [...recall('plays', []), play].slice(-200)); tellPlays(); },
  heard: (item, positionMs, more) => heard.at(item, positionMs, more),
  notify: (notice) => ui.toast(notice),
  unseekable: (item, ms) => act('unseekable', { id: item.id, ms }),
  explain: async (id, url) => {
    try {
      const why = await refusal(id, url);
      return why ? reasonOf(why, library.track(id)) : '';
    } catch {
      return 'unreachable';
    }
  },
});

/** Whether this window was the jukebox before it was loaded anew. @param {boolean} [on] */
const wasJukebox = (on) => {
  try {
    if (on !== undefined) sessionStorage.setItem('soundsible.jukebox', on ? '1' : '');
    return sessionStorage.getItem('soundsible.jukebox') === '1';
  } catch {
    return false;
  }
};
const jukebox = createJukebox({
  api, store, player, library, keep: wasJukebox, notify: (notice) => ui.toast(notice),
  device: `player-${[...crypto.getRandomValues(new Uint8Array(8))].map((one) => one.toString(16).padStart(2, '0')).join('')}`,
});
setInterval(() => jukebox.report(), 15000);

/* ---- what elements may ask of the page ----------------------------------------------------------- */

const ui = {
  toast: (/** @type {any} */ notice) => /** @type {any} */ (document.querySelector('sb-toaster'))?.show(notice),
  menu: (/** @type {any} */ menu) => /** @type {any} */ (document.querySelector('sb-menu'))?.open(menu),
  dialog: (/** @type {string} */ name, /** @type {any} */ props) => /** @type {any} */ (document.createElement(name)).open(props),
  /** @param {string} hash */
  go: (hash) => {
    if (history.state?.overlay) location.replace(hash); // in place of the step that opening left
    else location.hash = hash;
  },
  /** Opening leaves a step in the history, so that the phone's back closes it. @param {string | null} name */
  overlay: (name) => {
    if (name === store.state.overlay) return;
    if (name && !player.entry) return;
    if (name) history.pushState({ ...history.state, overlay: name }, '');
    else if (history.state?.overlay) { history.back(); return; }
    store.set({ overlay: name });
  },
  /** @param {boolean} [open] */
  showQueue: (open) => {
    if (innerWidth < 1100 || store.state.overlay === 'now') {
      if (store.state.overlay === 'now' && store.state.nowSide === 'queue' && open === undefined) store.set({ nowSide: 'cover' });
      else { store.set({ nowSide: 'queue' }); ui.overlay('now'); }
      return;
    }
    store.set({ panel: open ?? !store.state.panel });
  },
  showLyrics: () => {
    if (store.state.overlay === 'now' && store.state.nowSide === 'lyrics') { store.set({ nowSide: 'cover' }); return; }
    store.set({ nowSide: 'lyrics' });
    ui.overlay('now');
  },
  /** @param {any} user */
  enter: (user) => {
    if (store.state.user && store.state.user.id !== user.id) leave(); // somebody else was here
    // Where one was before is for who was there.
    const same = (recall('who', user.id) ?? user.id) === user.id;
    came(user);
    if (!same) { forget('wanted'); location.hash = '#/'; }
    else if (AT_THE_DOOR.includes(store.state.route.name)) location.hash = recall('wanted', '#/') || '#/';
    forget('wanted');
    welcome();
  },
  logOut: async () => {
    forget('in'); // on purpose, also for other tabs
    await api.delete('/session').catch(() => {});
    keep('queue', null);
    navigator.serviceWorker?.controller?.postMessage('forget-covers');
    leave();
    location.hash = '#/login';
  },
  /** Into the clipboard. Browsers give that to secure pages alone, and the old way to all. @param {string} text @param {string} told @param {HTMLTextAreaElement | null} [field] that holds the text, for the keyboard to copy */
  copy: async (text, told, field) => {
    let done = Boolean(await navigator.clipboard?.writeText(text).then(() => true, () => false));
    if (!done) {
      const holder = Object.assign(document.createElement('textarea'), { value: text, className: 'sr-only' });
      (document.querySelector('dialog[open]') ?? document.body).append(holder); // a dialog lets nothing outside have the focus
      holder.select();
      done = document.execCommand('copy');
      holder.remove();
    }
    if (!done) { field?.focus(); field?.select(); }
    ui.toast({ message: done ? told : 'Your browser copies nothing from here. Choose the text and copy it.' });
  },
  lookAgain: () => begin(),
};

/** @type {Map<string, Set<(data: any) => void>>} */
const listeners = new Map();
/** Deeds that only a view on the page can do. */
const intents = {
  /** @param {string} name @param {(data: any) => void} deed */
  on: (name, deed) => {
    if (!listeners.has(name)) listeners.set(name, new Set());
    listeners.get(name)?.add(deed);
    return () => { listeners.get(name)?.delete(deed); };
  },
};

const { deeds, moving } = createDeeds({ api, store, library, downloads, errands, player, refusal, ui });
/** @param {string} name @param {any} [data] @param {Event} [event] @param {HTMLElement} [target] */
const act = (name, data = {}, event = undefined, target = undefined) => {
  for (const deed of listeners.get(name) ?? []) deed(data);
  return deeds[name]?.(data, event, target);
};

furnish({
  store, api, library, downloads, errands, player, jukebox, ui, act, intents, pairing, installing: createInstalling(window),
  views: (/** @type {string} */ name, /** @type {string} */ path) => html`<view-${name} class="view" data-key="${path}"></view-${name}>`,
});

/* ---- coming and going ---------------------------------------------------------------------------- */

/** What was asked belongs to the page that one leaves. */
const shut = () => { for (const one of [...document.getElementById('dialogs')?.children ?? []]) /** @type {any} */ (one).close?.(undefined); };

/** The login ended, here or at the station. */
const leave = () => {
  shut();
  if (!AT_THE_DOOR.includes(store.state.route.name)) keep('wanted', location.hash);
  jukebox.leave();
  player.stop();
  live.stop();
  library.empty();
  forgetHome();
  forgetSearch();
  downloads.empty();
  errands.empty();
  store.set({ user: null, stats: null, scan: null, coming: 0, fetches: null, storages: null, pins: [], overlay: null });
};

/** Somebody is in. `who` was here last, and is `in` until they go on purpose. @param {any} user */
const came = (user) => {
  keep('who', user.id);
  keep('in', true);
  store.set({ user, reachable: true, started: true, shownOut: false });
};

/** The station ended the login of who did not go on purpose: they are told why they stand at the door, once. */
const told = () => {
  if (!recall('in', false)) return;
  store.set({ shownOut: true });
  setTimeout(() => { if (!store.state.user) forget('in'); }, 3000); // the other tabs say it, too
};
const ended = () => { leave(); told(); };

/** Whether this station fetches music, for whom it would. */
const learn = async () => {
  if (!adds(store.state.user)) { store.set({ fetches: false }); return; }
  try {
    await api.get('/downloads/manager/stats');
    store.set({ fetches: true });
  } catch (error) {
    if ([403, 404].includes(/** @type {ApiError} */ (error).status)) store.set({ fetches: false });
  }
};

/** After login: the queue from last time, and the line to the station. */
const welcome = async () => {
  live.start();
  tellPlays();
  learn();
  moving.learn();
  await restore();
  if (wasJukebox()) jukebox.begin().catch(() => {});
};

/** What played here last, or, when that was nothing, on another device. */
const restore = async () => {
  if (store.state.queue.entries.length) return;
  const kept = recall('queue', null);
  let queue = kept?.user === store.state.user?.id ? unpack(kept) : EMPTY;
  let position = kept?.position_ms ?? 0;
  if (!queue.entries.length) {
    // Nothing from this browser: perhaps another device left off somewhere.
    const other = await api.get('/me/queue').catch(() => null);
    queue = unpack({ ids: other?.track_ids ?? [], index: other?.index ?? 0 });
    position = other?.position_ms ?? 0;
  }
  if (!queue.entries.length || store.state.queue.entries.length) return;
  const around = queue.entries.slice(Math.max(0, queue.index - 20), queue.index + 40).map((entry) => entry.id);
  await library.tracks(around).catch(() => []);
  const first = library.track(queue.entries[queue.index].id);
  // An episode goes on where it was heard last, wherever that was.
  if (!store.state.queue.entries.length) player.restore(queue, first?.kind ? resumeAt(first) : position);
};

const begin = async () => {
  try {
    const { user } = await api.get('/session', undefined, { quiet: true });
    came(user);
    if (store.state.route.name === 'login') location.hash = '#/';
    welcome();
  } catch (error) {
    const { status } = /** @type {ApiError} */ (error);
    store.set({ reachable: status === 401, started: true, user: null });
    if (status === 401) told();
    if (status !== 401) setTimeout(() => { if (!store.state.user && !store.state.reachable) begin(); }, 5000);
  }
};

/* ---- what is kept between visits ------------------------------------------------------------------ */

const keepQueue = () => {
  const { queue, user } = store.state;
  if (player.previewing) return; // what is only tried is no queue of the listener's
  if (user && queue.entries.length) keep('queue', { ...pack(queue), user: user.id, position_ms: Math.round(player.positionMs) });
};
/** @type {ReturnType<typeof setTimeout> | undefined} */
let telling;
const tellQueue = () => {
  clearTimeout(telling);
  telling = setTimeout(() => {
    const { queue, user } = store.state;
    if (!user || !player.entry || player.previewing || player.track?.kind) return;
    const tracks = queue.entries.filter((/** @type {any} */ e) => kindOf(e.id) === 'track');
    const index = tracks.indexOf(player.entry);
    const from = Math.max(0, Math.min(index - 250, tracks.length - 500));
    const some = tracks.slice(from, from + 500);
    api.put('/me/queue', { track_ids: some.map((/** @type {any} */ e) => e.id), index: index - from, position_ms: Math.round(player.positionMs) }).catch(() => {});
  }, 4000);
};
store.watch(['queue'], () => { keepQueue(); tellQueue(); });
store.watch(['status'], () => { keepQueue(); if (store.state.status === 'paused') tellQueue(); });
setInterval(() => { if (store.state.status === 'playing') keepQueue(); }, 5000);
addEventListener('pagehide', () => { keepQueue(); heard.flush(); });
store.watch(['volume', 'muted', 'levelling', 'saver', 'speed'], ({ volume, muted, levelling, saver, speed }) => keep('sound', { volume, muted, levelling, saver, speed }));
store.watch(['status', 'queue'], ({ status }) => {
  air.listen(status === 'playing' && player.live ? player.entry?.id ?? '' : '');
  if (player.track?.kind !== 'episode') heard.flush(); // something else plays now
});
// The tab names what is heard, else the page.
store.watch(['status', 'queue', 'page'], () => {
  const track = store.state.status === 'playing' && player.entry ? library.track(player.entry.id) : null;
  const words = track ? [track.title, track.artist].filter(Boolean).join(' · ') : store.state.page;
  document.title = words ? `${words} · Soundsible` : 'Soundsible';
});
store.watch(['panel'], ({ panel }) => keep('panel', panel));

// One player at a time: another tab that starts lets this one rest.
const tabs = 'BroadcastChannel' in globalThis ? new BroadcastChannel('soundsible') : null;
store.watch(['status'], ({ status }) => { if (status === 'playing') tabs?.postMessage('playing'); });
tabs?.addEventListener('message', () => { if (store.state.status === 'playing') player.pause(); });

const showTheme = () => {
  const { theme: chosen } = store.state;
  if (chosen === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  store.set({ dark: isDark(chosen) });
  const colour = store.state.dark ? '#12100e' : '#faf8f5';
  for (const meta of document.querySelectorAll('meta[name="theme-color"]')) meta.setAttribute('content', colour);
};
store.watch(['theme'], () => { keep('theme', store.state.theme); showTheme(); });
lightSystem.addEventListener('change', showTheme);
showTheme();

/* ---- what the listener does ------------------------------------------------------------------------ */

document.addEventListener('click', (event) => {
  player.unlock();
  if (/** @type {any} */ (event).answered || !(event.target instanceof Element)) return;
  const target = /** @type {HTMLElement | null} */ (event.target.closest('[data-do]'));
  if (target) act(target.dataset.do ?? '', cleaned(target.dataset), event, target);
  const link = event.target.closest('sb-now a[href^="#"]');
  if (!target && link && !event.ctrlKey && !event.metaKey) { event.preventDefault(); ui.go(link.getAttribute('href') ?? '#/'); }
});
document.addEventListener('intent', (event) => {
  const { name, ...data } = /** @type {CustomEvent} */ (event).detail;
  act(name, data);
});
document.addEventListener('contextmenu', (event) => {
  if (!(event.target instanceof Element) || event.target.closest('a, input, textarea')?.matches('input, textarea')) return;
  const target = /** @type {HTMLElement | null} */ (event.target.closest('[data-menu]'));
  if (!target) return;
  event.preventDefault();
  act(target.dataset.menu ?? '', cleaned(target.dataset), event, target);
});
/** Attributes left empty say nothing. @param {DOMStringMap} data */
const cleaned = (data) => Object.fromEntries(Object.entries(data).filter(([, value]) => value !== ''));

// A button reached by keyboard is pressed by space; one that was clicked leaves space to the music.
let walking = false;
let reached = false;
document.addEventListener('keydown', (event) => { walking = event.key === 'Tab' || event.key.startsWith('Arrow'); }, true);
document.addEventListener('pointerdown', () => { walking = false; }, true);
document.addEventListener('focusin', () => { reached = walking; });

document.addEventListener('keydown', (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.defaultPrevented || !store.state.user || document.querySelector('dialog[open]')) return;
  if (target.closest('input:not([type="range"]):not([type="checkbox"]), textarea, select')) return;
  const along = { ArrowDown: 1, ArrowUp: -1 }[/** @type {'ArrowUp'} */ (event.key)];
  const row = target.closest('.row');
  if (along && row && !event.shiftKey) {
    const stops = /** @type {HTMLElement[]} */ ([...(row.closest('main, aside, sb-now') ?? document).querySelectorAll('.row .row-play')]);
    const next = stops[stops.indexOf(/** @type {HTMLElement} */ (row.querySelector('.row-play'))) + along];
    if (next) { event.preventDefault(); next.focus(); next.closest('.row')?.scrollIntoView({ block: 'nearest' }); }
    return;
  }
  const deed = deedOf(event);
  if (!deed) return;
  if (deed === 'toggle' && (target.matches('[role="switch"]') || (reached && target.matches('button, a')))) return;
  if (target.matches('input[type="range"]') && event.key.startsWith('Arrow')) return;
  if (event.repeat && !['seek-forward', 'seek-back', 'louder', 'softer'].includes(deed)) return;
  event.preventDefault();
  act(deed);
});

// A picture that is not there gives way to the letter behind it.
document.addEventListener('error', (event) => {
  const { target } = event;
  if (target instanceof HTMLImageElement && target.closest('.cover')) target.dataset.live = 'failed';
}, true);

let places = 0;
const stand = () => {
  if (!Number.isFinite(history.state?.place)) history.replaceState({ ...history.state, place: (places += 1) }, '');
  else places = Math.max(places, history.state.place);
  return history.state.place;
};
addEventListener('popstate', () => {
  if (store.state.overlay && !history.state?.overlay) store.set({ overlay: null });
  else if (history.state?.overlay && player.entry) store.set({ overlay: history.state.overlay });
});
/** The listener is back, or the line is: what changed meanwhile, at the station and about oneself. */
const catchUp = () => {
  if (!store.state.user) return;
  sync.check();
  // Another name or role may have come from an owner of the station; what is offered goes by it.
  api.get('/session').then(({ user }) => {
    const before = store.state.user;
    if (!before || before.id !== user.id || samePerson(before, user)) return;
    store.set({ user });
    learn();
    moving.learn();
    library.refresh('playlists');
  }, () => {});
};
/** Takes the newer player where that disturbs nobody; whether it does. */
const renew = () => {
  const { updateReady, status, route } = store.state;
  const typed = [...document.querySelectorAll('main input:not([type="range"], [type="checkbox"], [type="radio"], [type="hidden"]), main textarea:not([readonly])')]
    .some((field) => /** @type {HTMLInputElement} */ (field).value !== /** @type {HTMLInputElement} */ (field).defaultValue);
  // What is shown once, and a token that is in memory alone, would be lost.
  const busy = status === 'playing' || typed || route.name === 'pair' || document.querySelector('dialog[open], [data-once]');
  if (!updateReady || busy) return false;
  location.reload();
  return true;
};
addEventListener('hashchange', () => {
  const route = parse(location.hash);
  shut();
  app()?.leave(stand());
  store.set({ route, overlay: null });
  if (renew()) return;
  if (store.state.user) sync.check();
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden) keepQueue();
  else if (store.state.user) { catchUp(); tellPlays(); }
});
addEventListener('online', () => { if (store.state.user) { catchUp(); tellPlays(); } else begin(); });
store.watch(['live'], ({ live: on }) => { if (on) catchUp(); });

/* ---- begin ------------------------------------------------------------------------------------------ */

if (history.state?.overlay) history.replaceState({ ...history.state, overlay: null }, '');
// Elements draw themselves as soon as they stand in the page, so they enter it only now.
for (const name of ['sb-toaster', 'sb-menu', 'sb-app']) document.body.prepend(document.createElement(name));
app().leave(stand());
begin();

if ('serviceWorker' in navigator) {
  const had = Boolean(navigator.serviceWorker.controller);
  const registered = navigator.serviceWorker.register('/sw.js').catch(() => null);
  navigator.serviceWorker.addEventListener('controllerchange', () => { if (had) navigator.serviceWorker.controller?.postMessage('version'); });
  navigator.serviceWorker.addEventListener('message', ({ data }) => {
    // Where the page is of the worker's version already there is nothing to do.
    if (!data?.version || data.version === document.querySelector('meta[name="version"]')?.getAttribute('content')) return;
    store.set({ updateReady: true });
    if (!renew()) ui.toast({ message: 'A newer player is ready.', action: { words: 'Use it', deed: 'reload' } });
  });
  // A window that stays open for days asks when it is looked at again.
  document.addEventListener('visibilitychange', () => { if (!document.hidden) registered.then((found) => found?.update()).catch(() => {}); });
}
