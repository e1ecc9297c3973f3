// @ts-check
/** What a listener can do about where music lies, by name; joined into the deeds. */
import { plural, size } from './format.js';
import { isAway, keptBy, overWords } from './places.js';
import { edits, seesFiles } from './rights.js';

/**
 * @param {object} parts
 * @param {import('./api.js').Api} parts.api
 * @param {import('./store.js').Store} parts.store with `storages` (the names that are set up; null: not known yet) and `pins`
 * @param {any} parts.library
 * @param {import('./errands.js').Errands} parts.errands
 * @param {any} parts.ui
 * @param {(deed: () => Promise<any>, options?: {again?: () => void}) => Promise<any>} parts.attempt
 * @param {(data: any) => Promise<any[]>} parts.tracksOf
 */
export const createMoving = ({ api, store, library, errands, ui, attempt, tracksOf }) => {
  const see = { words: 'See', run: () => ui.go('#/you/storage') };
  const named = (/** @type {any} */ data) => `“${(data.kind === 'album' ? library.album(data.id) : library.track(data.id))?.title ?? data.title ?? 'It'}”`;
  const about = (/** @type {any} */ data) => (data.everything ? { everything: true } : data.kind === 'album' ? { album_ids: [data.id] } : { track_ids: [data.id] });

  /** Asks the station for long work. @param {'upload' | 'offload' | 'fetch'} kind @param {any} data @param {string} said */
  const send = async (kind, data, said) => {
    const { errand } = await api.post('/storage/errands', { kind, ...about(data) });
    errands.asked(errand);
    if (store.state.route.name !== 'storage') ui.toast({ message: said, topic: `errand ${errand.id}`, action: see });
    return errand;
  };

  /** The storage new copies go to; null when there is none that opens, and then it is said what to do. */
  const target = async () => {
    const { providers } = await api.get('/storage');
    store.set({ storages: providers.filter((/** @type {any} */ p) => ['ready', 'trouble'].includes(p.state)).map((/** @type {any} */ p) => p.name) });
    const open = providers.filter((/** @type {any} */ p) => store.state.storages.includes(p.name));
    if (open.length) return open.find((/** @type {any} */ p) => p.default) ?? open[0];
    const locked = providers.find((/** @type {any} */ p) => p.state === 'locked');
    ui.dialog('sb-add-storage', { storage: locked });
    return null;
  };

  const readPins = async () => { store.set({ pins: (await api.get('/storage/pins')).items }); };

  /** @type {Record<string, (data: any, event?: Event, target?: HTMLElement) => any>} */
  const deeds = {
    /** Copies an album, a track or `everything` to the cloud; nothing leaves this machine. */
    'cloud-copy': (data) => attempt(async () => {
      if (!await target()) return;
      await send('upload', data, `${named(data)} is being copied to the cloud.`);
    }, { again: () => deeds['cloud-copy'](data) }),

    /** Takes an album's or a track's files off this machine, once they are in the cloud for certain. */
    'cloud-free': (data) => attempt(async () => {
      const storage = await target();
      if (!storage) return;
      const tracks = await tracksOf(data);
      const { pins } = store.state;
      const going = tracks.filter((t) => t.place === 'local' && !keptBy(pins, 'track', t.id, t.album_id));
      if (!going.length) {
        const kept = tracks.find((t) => keptBy(pins, 'track', t.id, t.album_id));
        ui.toast({ message: kept ? `${named(data)} is kept on this machine.` : tracks.some(isAway) ? `${named(data)} is in the cloud already.` : `${named(data)} does not lie on this machine now.` });
        return;
      }
      const bytes = size(going.reduce((sum, t) => sum + (t.size_bytes ?? 0), 0));
      const rest = tracks.filter((t) => t.place === 'local').length - going.length;
      const sure = await ui.dialog('sb-confirm', {
        title: `Free up ${bytes}?`, button: `Free up ${bytes}`,
        text: `${going.length === 1 ? `“${going[0].title}” leaves` : `${plural(going.length, 'track')} of ${named(data)} leave`} this machine. What is not in “${storage.name}” yet is copied there first, and nothing is removed before its copy was checked. From then on ${going.length === 1 ? 'it streams' : 'they stream'} from there.${rest ? ` ${plural(rest, 'track')} that ${rest === 1 ? 'is' : 'are'} kept on this machine ${rest === 1 ? 'stays' : 'stay'}.` : ''}`,
      });
      if (sure) await send('offload', data, `${named(data)} is being moved to the cloud.`);
    }, { again: () => deeds['cloud-free'](data) }),

    /** Keeps an album or a track on this machine, and brings back what of it is not here. */
    'keep-here': (data) => attempt(async () => {
      const away = (await tracksOf(data)).filter(isAway).length;
      await api.put(`/storage/pins/${data.kind}/${encodeURIComponent(data.id)}`);
      await readPins();
      ui.toast({ message: away ? `${named(data)} is being brought back, and stays on this machine.` : `${named(data)} stays on this machine.`, topic: `pin ${data.id}`, action: away ? see : { words: 'Undo', run: () => deeds['keep-no-longer'](data) } });
    }, { again: () => deeds['keep-here'](data) }),
    'keep-no-longer': (data) => attempt(async () => {
      await api.delete(`/storage/pins/${data.kind}/${encodeURIComponent(data.id)}`);
      await readPins();
      ui.toast({ message: `${named(data)} may leave this machine again. Nothing is removed by this.`, topic: `pin ${data.id}`, action: { words: 'Undo', run: () => deeds['keep-here'](data) } });
    }, { again: () => deeds['keep-no-longer'](data) }),

    'where-it-lies': (data) => attempt(async () => {
      const [[track], places] = await Promise.all([library.tracks([data.id]), api.get(`/storage/places/${encodeURIComponent(data.id)}`)]);
      ui.dialog('sb-places', { track, ...places });
    }),

    /** The same for all there is. */
    'cloud-copy-all': () => attempt(async () => {
      const storage = await target();
      if (!storage) return;
      const { local } = await api.get('/storage');
      const sure = await ui.dialog('sb-confirm', {
        title: 'Copy everything to the cloud?', button: 'Copy everything',
        text: `${plural(local.tracks, 'track')} (${size(local.bytes)}) ${local.tracks === 1 ? 'lies' : 'lie'} on this machine. What of it is not in “${storage.name}” yet is copied there; nothing is removed here. It goes on in the background, and after a restart.`,
      });
      if (sure) await send('upload', { everything: true }, 'All your music is being copied to the cloud.');
    }),
    'cloud-free-all': () => attempt(async () => {
      const storage = await target();
      if (!storage) return;
      const { local, offloadable } = await api.get('/storage');
      const first = Math.max(0, local.tracks - offloadable.tracks);
      const sure = await ui.dialog('sb-confirm', {
        title: `Free up to ${size(local.bytes)}?`, button: 'Free up space', danger: true,
        text: `All ${plural(local.tracks, 'track')} on this machine leave it, but for what is kept here. ${offloadable.tracks ? `${size(offloadable.bytes)} can go at once. ` : ''}${first ? `What is not in “${storage.name}” yet is copied there first, and nothing` : 'Nothing'} is removed before its copy was checked. From then on your music streams from there, and needs the way to it.`,
      });
      if (sure) await send('offload', { everything: true }, 'All your music is being moved to the cloud.');
    }),
    'errand-stop': ({ id }) => attempt(async () => { errands.changed(await api.delete(`/storage/errands/${encodeURIComponent(id)}`)); }),
    'errand-again': ({ id }) => attempt(async () => {
      const before = errands.get(id);
      if (!before) return;
      const { selection: s } = before;
      const { errand } = await api.post('/storage/errands', { kind: before.kind, ...(s.everything ? { everything: true } : { album_ids: s.album_ids, track_ids: s.track_ids }), ...(s.provider ? { provider: s.provider } : {}) });
      errands.asked(errand);
    }),
  };

  return {
    deeds,

    /** Whether there is somewhere to copy to, and what is kept here: for whom that is. */
    learn: async () => {
      if (!seesFiles(store.state.user)) return;
      const [health, pins] = await Promise.all([api.get('/health').catch(() => null), api.get('/storage/pins').catch(() => null)]);
      if (health) store.set({ storages: (health.cloud ?? []).map((/** @type {any} */ one) => one.name) });
      if (pins) store.set({ pins: pins.items });
    },

    /** One that was asked for here is over. @param {any} errand */
    told(errand) {
      const said = overWords(errand);
      if (said && store.state.route.name !== 'storage') ui.toast({ ...said, topic: `errand ${errand.id}`, action: said.tone ? see : undefined });
    },

    /** What a menu offers about where a thing lies. @param {'track' | 'album'} kind @param {any} thing @param {any[]} tracks of an album those that are known; of a track itself */
    items(kind, thing, tracks) {
      const { user, storages, pins } = store.state;
      if (!seesFiles(user)) return [];
      const data = { kind, id: thing.id };
      const here = !tracks.length || tracks.some((t) => t.place === 'local');
      const there = here || tracks.some(isAway);
      const may = edits(user) && there;
      const kept = keptBy(pins, kind, thing.id, thing.album_id);
      const some = storages === null || storages.length > 0;
      const items = [
        may && here && { icon: 'cloud-upload', words: 'Copy to the cloud', deed: 'cloud-copy', data },
        may && here && some && !kept && { icon: 'cloud', words: 'Free up space', deed: 'cloud-free', data },
        may && some && !kept && { icon: 'pin', words: 'Keep on this machine', deed: 'keep-here', data },
        may && kept === 'own' && { icon: 'pin-off', words: 'No longer keep here', deed: 'keep-no-longer', data },
        may && kept === 'album' && { icon: 'pin-off', words: 'No longer keep the album here', deed: 'keep-no-longer', data: { kind: 'album', id: thing.album_id } },
        kind === 'track' && { icon: 'hard-drive', words: 'Where it lies', deed: 'where-it-lies', data },
      ].filter(Boolean);
      return items.length ? [null, ...items] : [];
    },
  };
};
