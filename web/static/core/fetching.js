// @ts-check
/** What a listener can do about music that is not here yet: ask for it, try it, hurry it, stop it. Joined into the deeds. */
import { previewUrl } from './api.js';
import { lackingWords, nameOf, wantedOf, wishOfOffer } from './coming.js';
import { plural } from './format.js';
import { to } from './router.js';

const STEP = 10; // of priority, 0-100

/**
 * @param {object} parts
 * @param {import('./api.js').Api} parts.api
 * @param {import('./store.js').Store} parts.store
 * @param {any} parts.library
 * @param {import('./downloads.js').Downloads} parts.downloads
 * @param {import('./player.js').Player} parts.player
 * @param {any} parts.ui
 * @param {(deed: () => Promise<any>, options?: {again?: () => void}) => Promise<any>} parts.attempt
 */
export const createFetching = ({ api, store, library, downloads, player, ui, attempt }) => {
  /** Does one thing to a download at the station; the answer is how it stands then. @param {string} id @param {() => Promise<any>} deed */
  const change = (id, deed) => attempt(async () => {
    const answer = await deed();
    if (answer?.download ?? answer?.id) downloads.changed(answer.download ?? answer);
    return answer ?? true;
  });
  const path = (/** @type {string} */ id, /** @type {string} */ rest = '') => `/downloads/${encodeURIComponent(id)}${rest}`;

  /** @param {any} answer of an album or a batch */
  const tellMany = (answer) => {
    downloads.remember(answer.downloads ?? []);
    const added = answer.added ?? answer.downloads?.length ?? 0;
    const skipped = answer.skipped?.length ?? answer.repeated ?? 0;
    const failed = answer.group === undefined ? answer.failed?.length ?? 0 : 0; // of a list they are named on the page
    const said = [
      added ? `${plural(added, 'track')} ${added === 1 ? 'is' : 'are'} on the way.` : '',
      skipped ? `${plural(skipped, 'track')} ${skipped === 1 ? 'was' : 'were'} ${answer.skipped ? 'in your library' : 'asked for'} already.` : '',
      failed ? `${plural(failed, 'thing')} could not be asked for.` : '',
    ].filter(Boolean).join(' ');
    ui.toast({ message: said || 'There was nothing to fetch.', topic: 'asked', action: added ? { words: 'See them', run: () => ui.go('#/downloads') } : undefined });
  };

  /** @type {Record<string, (data: any, event?: Event, target?: HTMLElement) => any>} */
  return {
    /** Asks for one thing. `offer` as the station told it, or `body`; `options` as of the form. */
    fetch: (data) => attempt(async () => {
      const { download } = await api.post('/downloads', { ...(data.body ?? wishOfOffer(data.offer)), ...data.options });
      downloads.remember([download]);
      if (data.offer) downloads.cameOf(data.offer, download.id);
      downloads.changed(download);
      return download;
    }),
    /** One track of what a link leads to. `offer` names it here, `track` says which recording. */
    'fetch-track': (data) => attempt(async () => {
      const { download } = await api.post('/downloads', { track: wantedOf(data.track), ...data.options });
      downloads.remember([download]);
      downloads.cameOf(data.offer, download.id);
      downloads.changed(download);
      return download;
    }),
    /** A track of the library, once more and better. */
    'fetch-better': (data) => attempt(async () => {
      const { download } = await api.post('/downloads', { track: data.id });
      downloads.changed(download);
      ui.toast({ message: `Looking for a better copy of “${library.track(data.id)?.title ?? 'it'}”.`, action: { words: 'See', run: () => ui.go(to`/downloads/one/${download.id}`) } });
    }),
    /** An album, a playlist: one download a track. */
    'fetch-all': (data) => attempt(async () => {
      const answer = await api.post('/downloads/album', { ...(data.url ? { url: data.url } : { album_id: data.id, source: data.source }), ...data.options });
      tellMany(answer);
      return answer;
    }),
    'fetch-list': (data) => attempt(async () => {
      const answer = await api.post('/downloads/batch', { text: data.text, ...data.options });
      tellMany(answer);
      return answer;
    }),

    /** How something sounds before it is fetched. */
    preview: ({ offer }) => {
      const id = `preview:${offer.source}:${offer.id || offer.url}`;
      if (player.entry?.id === id) { player.toggle(); return; }
      player.preview({
        id, title: offer.title, artist: offer.artist ?? '', artists: [], album: offer.album ?? null, duration_ms: offer.duration_ms ?? 0,
        cover: null, cover_url: offer.cover_url ?? undefined, preview: previewUrl(offer), place: 'local', favourite: false, has_lyrics: false,
      });
    },
    'end-preview': () => player.endPreview(),

    /* ---- one that is on its way */
    'download-retry': ({ id }) => change(id, () => api.post(path(id, '/retry'))),
    'download-pause': ({ id }) => change(id, () => api.post(path(id, '/pause'))),
    'download-resume': ({ id }) => change(id, () => api.post(path(id, '/resume'))),
    'download-stop': ({ id }) => change(id, () => api.delete(path(id))),
    'download-sooner': ({ id }) => change(id, () => api.patch(path(id), { priority: Math.min(100, (downloads.get(id)?.priority ?? 50) + STEP) })),
    'download-later': ({ id }) => change(id, () => api.patch(path(id), { priority: Math.max(0, (downloads.get(id)?.priority ?? 50) - STEP) })),
    'download-dismiss': ({ id }) => attempt(async () => {
      await api.post(path(id, '/dismiss'));
      downloads.removed(id);
      if (store.state.route.name === 'download') ui.go('#/downloads');
    }),
    'candidate-block': ({ id, candidate }) => change(id, () => api.post(path(id, `/candidates/${encodeURIComponent(candidate)}/block`))),
    'candidate-choose': ({ id, candidate }) => change(id, () => api.post(path(id, `/candidates/${encodeURIComponent(candidate)}/choose`))),
    'see-candidates': ({ id }) => ui.go(to`/downloads/one/${id}`),
    /** The same to many. `action`; `status` or `ids`. */
    'download-bulk': (data) => attempt(async () => {
      const answer = await api.post('/downloads/bulk', { action: data.action, ...(data.ids ? { ids: data.ids } : { status: data.status }) });
      if (data.action === 'dismiss') for (const id of answer.done) downloads.removed(id);
      const [other] = answer.failed;
      if (other) ui.toast({ tone: 'problem', message: answer.failed.length === 1 ? other.message : `${plural(answer.failed.length, 'download')} stayed as they were. ${other.message}` });
      return answer;
    }),
    'download-menu': (data, event, target) => {
      const one = downloads.get(data.id);
      if (!one) return;
      const of = { id: one.id };
      const { status } = one;
      const waits = status === 'waiting' || status === 'paused';
      const over = ['completed', 'failed', 'cancelled'].includes(status);
      ui.menu({
        anchor: target, event, title: nameOf(one), subtitle: one.artist ?? '', cover: one.cover_url ? { title: nameOf(one), cover_url: one.cover_url, cover: null } : undefined,
        items: [
          Boolean(one.track_id) && { icon: 'play', words: 'Play', deed: 'play-thing', data: { kind: 'track', id: one.track_id } },
          { icon: 'info', words: 'Look closer', href: to`/downloads/one/${one.id}` },
          status === 'paused' && { icon: 'play', words: 'Go on', deed: 'download-resume', data: of },
          !over && status !== 'paused' && { icon: 'pause', words: 'Pause', deed: 'download-pause', data: of },
          status === 'failed' && { icon: 'refresh-cw', words: 'Try again', deed: 'download-retry', data: of },
          waits && { icon: 'chevron-up', words: 'Sooner', deed: 'download-sooner', data: of },
          waits && { icon: 'chevron-down', words: 'Later', deed: 'download-later', data: of },
          Boolean(one.group) && { icon: 'library', words: 'All that was asked for with it', href: to`/downloads/together/${one.group}` },
          null,
          over ? { icon: 'x', words: 'Take off this list', deed: 'download-dismiss', data: of } : { icon: 'x', words: 'Stop', deed: 'download-stop', data: of, danger: true },
        ],
      });
    },

    /* ---- what is to be kept up with */
    'keep-up': (data) => attempt(async () => {
      const made = await api.post('/watches', { url: data.url, ...(data.kind ? { kind: data.kind } : {}), ...(data.name ? { name: data.name } : {}), ...(data.existing ? { existing: true } : {}) });
      ui.toast({ message: `What is new from ${made.name} will come by itself.`, action: { words: 'See', run: () => ui.go('#/downloads/watches') } });
      return made;
    }),

    /* ---- the library's own */
    'album-lacks': (data) => attempt(async () => {
      const offer = await api.get('/acquire/album', { source: 'local', id: data.id });
      const lacking = offer.tracks ?? [];
      library.remember('albums', [{ id: data.id, lacking: lacking.map((/** @type {any} */ t) => t.title) }]);
      library.nudge();
      const album = library.album(data.id);
      if (!lacking.length) ui.toast({ message: `Nothing is missing from “${album?.title ?? 'this album'}”.` });
      else if (store.state.route.params?.id !== data.id) ui.toast({ message: `${lackingWords(lacking.length)}.`, action: { words: 'Fetch', deed: 'fetch-lacking', data } });
    }),
    'fetch-lacking': (data) => attempt(async () => {
      const answer = await api.post('/downloads/album', { album_id: data.id, source: 'local' });
      tellMany(answer);
      library.remember('albums', [{ id: data.id, asked: true }]);
      library.nudge();
    }),
    origin: (data) => attempt(async () => {
      const origin = await api.get(`/downloads/origins/${encodeURIComponent(data.id)}`);
      ui.dialog('sb-origin', { origin, track: library.track(data.id) });
    }),
  };
};
