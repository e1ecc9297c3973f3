/**
 * Keeps the player's shell, and the covers looked at last, so that it opens at once and without the station.
 * Music and everything else under /api goes straight to the station, always.
 */
const VERSION = /* version */'827f3ed5d6da'/* end */;
const FILES = /* files */[
  '/',
  '/manifest.webmanifest',
  '/static/app.css',
  '/static/app.js',
  '/static/core/addresses.js',
  '/static/core/api.js',
  '/static/core/apps.js',
  '/static/core/audit.js',
  '/static/core/away.js',
  '/static/core/belongings.js',
  '/static/core/collection.js',
  '/static/core/colour.js',
  '/static/core/coming.js',
  '/static/core/deeds.js',
  '/static/core/devices.js',
  '/static/core/downloads.js',
  '/static/core/element.js',
  '/static/core/errands.js',
  '/static/core/fetching.js',
  '/static/core/format.js',
  '/static/core/html.js',
  '/static/core/installing.js',
  '/static/core/items.js',
  '/static/core/jukebox.js',
  '/static/core/keep.js',
  '/static/core/keys.js',
  '/static/core/latest.js',
  '/static/core/library.js',
  '/static/core/listening.js',
  '/static/core/live.js',
  '/static/core/lyrics.js',
  '/static/core/moving.js',
  '/static/core/pairing.js',
  '/static/core/people.js',
  '/static/core/places.js',
  '/static/core/player.js',
  '/static/core/podcasts.js',
  '/static/core/queue.js',
  '/static/core/rights.js',
  '/static/core/room.js',
  '/static/core/router.js',
  '/static/core/scrobbling.js',
  '/static/core/shares.js',
  '/static/core/store.js',
  '/static/core/sync.js',
  '/static/core/window.js',
  '/static/elements/controls.js',
  '/static/elements/modal.js',
  '/static/elements/reorder.js',
  '/static/elements/sb-about.js',
  '/static/elements/sb-add-storage.js',
  '/static/elements/sb-app-password.js',
  '/static/elements/sb-app.js',
  '/static/elements/sb-ask-name.js',
  '/static/elements/sb-ask-text.js',
  '/static/elements/sb-confirm.js',
  '/static/elements/sb-connect.js',
  '/static/elements/sb-dock.js',
  '/static/elements/sb-edit-person.js',
  '/static/elements/sb-edit-radio.js',
  '/static/elements/sb-edit-tags.js',
  '/static/elements/sb-follow-podcast.js',
  '/static/elements/sb-invite.js',
  '/static/elements/sb-letters.js',
  '/static/elements/sb-list.js',
  '/static/elements/sb-lyrics.js',
  '/static/elements/sb-menu.js',
  '/static/elements/sb-now.js',
  '/static/elements/sb-origin.js',
  '/static/elements/sb-outside.js',
  '/static/elements/sb-pair-device.js',
  '/static/elements/sb-pair-station.js',
  '/static/elements/sb-pick-folders.js',
  '/static/elements/sb-pick-playlist.js',
  '/static/elements/sb-places.js',
  '/static/elements/sb-queue.js',
  '/static/elements/sb-rail-lists.js',
  '/static/elements/sb-seek.js',
  '/static/elements/sb-share.js',
  '/static/elements/sb-shelf.js',
  '/static/elements/sb-shortcuts.js',
  '/static/elements/sb-show-code.js',
  '/static/elements/sb-speed.js',
  '/static/elements/sb-take-over.js',
  '/static/elements/sb-tell-plays.js',
  '/static/elements/sb-toaster.js',
  '/static/elements/sb-volume.js',
  '/static/icons/apple-touch-icon.png',
  '/static/icons/icon-192.png',
  '/static/icons/icon-512.png',
  '/static/icons/maskable-192.png',
  '/static/icons/maskable-512.png',
  '/static/theme.js',
  '/static/vendor/socket.io.esm.min.js',
  '/static/views/addresses.js',
  '/static/views/album.js',
  '/static/views/apps.js',
  '/static/views/artist.js',
  '/static/views/audit.js',
  '/static/views/belongings.js',
  '/static/views/coming-parts.js',
  '/static/views/devices.js',
  '/static/views/doubts.js',
  '/static/views/download.js',
  '/static/views/downloads.js',
  '/static/views/episode-parts.js',
  '/static/views/factor.js',
  '/static/views/favourites.js',
  '/static/views/gate.js',
  '/static/views/genre.js',
  '/static/views/home.js',
  '/static/views/install.js',
  '/static/views/invite.js',
  '/static/views/library.js',
  '/static/views/login.js',
  '/static/views/nowhere.js',
  '/static/views/offline.js',
  '/static/views/pair.js',
  '/static/views/parts.js',
  '/static/views/people.js',
  '/static/views/playlist.js',
  '/static/views/podcast.js',
  '/static/views/podcasts.js',
  '/static/views/radio-parts.js',
  '/static/views/radio.js',
  '/static/views/scrobbling.js',
  '/static/views/search.js',
  '/static/views/setup.js',
  '/static/views/shares.js',
  '/static/views/sources.js',
  '/static/views/station.js',
  '/static/views/stations.js',
  '/static/views/storage.js',
  '/static/views/view.js',
  '/static/views/watches.js',
  '/static/views/you.js',
]/* end */;
const SHELL = `soundsible-shell-${VERSION}`;
const COVERS = 'soundsible-covers-1';
const MOST_COVERS = 600;

self.addEventListener('install', (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(SHELL);
    await cache.addAll(FILES.map((path) => new Request(path, { cache: 'reload' })));
    await self.skipWaiting();
  })());
});

self.addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith('soundsible-') && name !== SHELL && name !== COVERS) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

/** Windows whose page is of another version than the files that are kept: theirs come from the station. */
const strangers = new Set();

/** The station first; the kept page when it does not answer. */
const page = async ({ request, resultingClientId }) => {
  const cache = await caches.open(SHELL);
  try {
    const answer = await fetch(request);
    if (!answer.ok) return answer;
    // Kept is only what belongs together.
    if ((await answer.clone().text()).includes(`<meta name="version" content="${VERSION}">`)) await cache.put('/', answer.clone());
    else strangers.add(resultingClientId);
    return answer;
  } catch (error) {
    const kept = await cache.match('/');
    if (kept) return kept;
    throw error;
  }
};

/** What is kept, which is of one version throughout: a newer one comes with a newer worker. */
const file = async ({ request, clientId }) => {
  const kept = await (await caches.open(SHELL)).match(request, { ignoreSearch: true });
  if (!kept) return fetch(request);
  return strangers.has(clientId) ? fetch(request).catch(() => kept) : kept;
};

let sinceTrim = 0;
/** A cover with a version never changes. Those looked at longest ago leave first. */
const picture = async (event) => {
  const cache = await caches.open(COVERS);
  const kept = await cache.match(event.request);
  if (kept) {
    event.waitUntil((async () => { // moved to the end: keys come in the order they were put
      await cache.delete(event.request);
      await cache.put(event.request, kept.clone());
    })().catch(() => {}));
    return kept.clone();
  }
  const answer = await fetch(event.request);
  if (answer.status === 200) {
    const copy = answer.clone();
    event.waitUntil((async () => {
      await cache.put(event.request, copy);
      sinceTrim += 1;
      if (sinceTrim < 40) return;
      sinceTrim = 0;
      const keys = await cache.keys();
      await Promise.all(keys.slice(0, Math.max(0, keys.length - MOST_COVERS)).map((key) => cache.delete(key)));
    })().catch(() => {}));
  }
  return answer;
};

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith('/api/covers/') && url.searchParams.has('v')) event.respondWith(picture(event));
  else if (request.mode === 'navigate' && (url.pathname === '/' || url.pathname === '/pair')) event.respondWith(page(event));
  else if (url.pathname.startsWith('/static/') || url.pathname === '/manifest.webmanifest') event.respondWith(file(event));
});

self.addEventListener('message', (event) => {
  if (event.data === 'forget-covers') event.waitUntil(caches.delete(COVERS));
  if (event.data === 'version') event.source?.postMessage({ version: VERSION });
});
