// @ts-check
/** The listener's library as far as it is known here: things by id, lists by query, and what changed. */
import { createCollection } from './collection.js';
import { episodeItem, kindOf, radioItem, uidOf } from './items.js';
import { reorders, touches } from './sync.js';

const BATCH = 200;

/** @param {{api: import('./api.js').Api, store: import('./store.js').Store}} parts */
export const createLibrary = ({ api, store }) => {
  const things = { tracks: new Map(), albums: new Map(), artists: new Map(), playlists: new Map(), genres: new Map() };
  /** @typedef {keyof typeof things} Kind */
  /** @type {Map<string, import('./collection.js').Collection>} */
  const collections = new Map();
  /** @type {Set<(changes: any) => void>} */
  const watchers = new Set();
  /** @type {Map<string, any>} whole albums, artists, playlists with their lists */
  const wholes = new Map();
  /** @type {Set<string>} */
  const needed = new Set();
  let gathering = false;

  const keyOf = (/** @type {Kind} */ kind) => (/** @type {any} */ item) => (kind === 'genres' ? item.name : item.id);
  const tell = (/** @type {any} */ changes) => { for (const deed of [...watchers]) deed(changes); };
  const sees = (/** @type {any} */ answer) => {
    if (answer && Number.isFinite(answer.revision) && store.state.revision < 0) store.set({ revision: answer.revision });
  };

  /** @param {Kind} kind @param {any[]} items */
  const remember = (kind, items) => {
    for (const item of items) {
      const key = keyOf(kind)(item);
      things[kind].set(key, { ...things[kind].get(key), ...item });
    }
  };

  /** @param {Kind} kind @param {string[]} ids */
  const fetchMany = async (kind, ids) => {
    for (let i = 0; i < ids.length; i += BATCH) {
      const some = ids.slice(i, i + BATCH);
      const answer = await api.get(`/library/${kind}`, { ids: some.join(','), limit: some.length });
      remember(kind, answer.items);
    }
  };

  const gather = async () => {
    const ids = [...needed];
    needed.clear();
    gathering = false;
    try {
      await fetchMany('tracks', ids);
      tell({ arrived: true });
    } catch { /* asked again when they are looked at again */ }
  };

  const library = {
    track: (/** @type {string} */ id) => things.tracks.get(id),
    album: (/** @type {string} */ id) => things.albums.get(id),
    thing: (/** @type {Kind} */ kind, /** @type {string} */ id) => things[kind].get(id),
    remember,

    /** Asks once for all tracks needed in this turn that are not here yet. @param {string[]} ids */
    need(ids) {
      for (const id of ids) if (!things.tracks.has(id) && kindOf(id) === 'track') needed.add(id);
      if (needed.size && !gathering) {
        gathering = true;
        setTimeout(gather, 0);
      }
    },

    /** @param {string[]} ids also of episodes and radios (core/items.js) @returns {Promise<any[]>} those the station knows, in that order */
    async tracks(ids) {
      await Promise.all(ids.filter((id) => !things.tracks.has(id) && kindOf(id) !== 'track').map(async (id) => {
        const found = await api.get(`/${kindOf(id)}s/${encodeURIComponent(uidOf(id))}`).catch((/** @type {any} */ error) => { if (error.status === 404) return null; throw error; });
        if (found) remember('tracks', [kindOf(id) === 'episode' ? episodeItem(found) : radioItem(found)]);
      }));
      await fetchMany('tracks', ids.filter((id) => !things.tracks.has(id) && kindOf(id) === 'track'));
      return ids.map((id) => things.tracks.get(id)).filter(Boolean);
    },

    /** A list at the station; the same list each time it is asked for. @param {Kind} kind @param {Record<string, any>} [query] */
    list(kind, query = {}) {
      const name = `${kind}?${JSON.stringify(query)}`;
      let found = collections.get(name);
      if (!found) {
        found = createCollection({
          keyOf: keyOf(kind),
          remember: (items) => remember(kind, items),
          fetchPage: async (range) => {
            const answer = await api.get(`/library/${kind}`, { ...query, ...range });
            sees(answer);
            return answer;
          },
        });
        collections.set(name, found);
        if (collections.size > 24) collections.delete(/** @type {string} */ (collections.keys().next().value));
      }
      return found;
    },

    /** A few things for a shelf. @param {Kind} kind @param {Record<string, any>} query @returns {Promise<any[]>} */
    async some(kind, query) {
      const answer = await api.get(`/library/${kind}`, query);
      sees(answer);
      remember(kind, answer.items);
      return answer.items;
    },

    /** One, with what belongs to it. What is known already is answered at once by `known`. @param {'albums' | 'artists' | 'playlists'} kind @param {string} id */
    async whole(kind, id) {
      const found = await api.get(`/library/${kind}/${encodeURIComponent(id)}`);
      if (found.tracks) remember('tracks', found.tracks);
      if (found.albums) remember('albums', found.albums);
      const { tracks, albums, ...own } = found;
      remember(kind, [own]);
      wholes.set(`${kind}/${id}`, { ...own, ids: tracks?.map((/** @type {any} */ t) => t.id), albumIds: albums?.map((/** @type {any} */ a) => a.id) });
      if (wholes.size > 200) wholes.delete(/** @type {string} */ (wholes.keys().next().value));
      return wholes.get(`${kind}/${id}`);
    },
    known: (/** @type {string} */ kind, /** @type {string} */ id) => wholes.get(`${kind}/${id}`),

    /** Changes a track here at once, and tells everyone who shows it. @param {string} id @param {Record<string, any>} patch */
    amend(id, patch) {
      const track = things.tracks.get(id);
      if (!track) return;
      things.tracks.set(id, { ...track, ...patch });
      tell({ tracks: { added: [], changed: [id], removed: [] } });
    },

    /** The listener made or removed one of these: lists of them are asked for again. @param {Kind} kind */
    refresh(kind) {
      for (const [name, list] of collections) if (name.startsWith(`${kind}?`)) list.refresh();
      tell({ [kind]: { added: [], changed: [...things[kind].keys()], removed: [] } });
    },

    /** Whoever shows anything looks again. */
    nudge() { tell({ arrived: true }); },

    /** A track was put away. @param {string} id */
    drop(id) {
      things.tracks.delete(id);
      for (const [name, list] of collections) if (name.startsWith('tracks?')) list.refresh();
      tell({ tracks: { added: [], changed: [], removed: [id] } });
    },
    /** A track came back. @param {string} id */
    returned(id) {
      for (const [name, list] of collections) if (name.startsWith('tracks?')) list.refresh();
      tell({ tracks: { added: [id], changed: [], removed: [] } });
    },

    /** Puts what the station says has changed into place: only that is asked for again. @param {any} changes */
    async apply(changes) {
      store.set({ revision: changes.revision });
      const asks = [];
      for (const kind of /** @type {Kind[]} */ (['tracks', 'albums', 'artists'])) {
        if (!changes[kind]) continue;
        for (const id of changes[kind].removed) things[kind].delete(id);
        const shown = changes[kind].changed.filter((/** @type {string} */ id) => things[kind].has(id));
        if (shown.length) asks.push(fetchMany(kind, shown));
      }
      await Promise.allSettled(asks);
      for (const id of changes.playlists?.removed ?? []) things.playlists.delete(id);
      for (const [name, list] of collections) {
        const kind = name.slice(0, name.indexOf('?'));
        // Which tracks a favourites or most-played list holds depends on the tracks' own changes.
        const tied = /favourite|play|rating/.test(name) && touches(changes, 'tracks');
        if (tied || reorders(changes, kind) || (kind === 'playlists' && touches(changes, 'playlists'))
          || (kind === 'genres' && reorders(changes, 'tracks'))) list.refresh();
      }
      tell(changes);
    },

    /** Everything may be different: ask for all of it again, showing the old until the new is here. */
    reset() {
      store.set({ revision: -1 });
      for (const list of collections.values()) list.refresh();
      tell({ everything: true });
    },

    /** Nothing of this person's library stays behind after logging out. */
    empty() {
      for (const map of Object.values(things)) map.clear();
      collections.clear();
      wholes.clear();
      store.set({ revision: -1 });
    },

    /** @param {(changes: any) => void} deed @returns {() => void} */
    watch(deed) {
      watchers.add(deed);
      return () => { watchers.delete(deed); };
    },
  };
  return library;
};
