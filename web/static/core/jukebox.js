// @ts-check
/**
 * This player as the jukebox: it plays what the listener's apps tell the station, and reports where it is. Whoever chooses
 * something else here takes it back.
 */
import * as Q from './queue.js';

const FAR_MS = 2500; // a report and the sound may be this much apart

/** What a queue holds, to be told from another. @param {string[]} ids */
const sign = (ids) => ids.join(' ');

/**
 * @param {object} parts
 * @param {import('./api.js').Api} parts.api
 * @param {import('./store.js').Store} parts.store with `jukebox`: whether this player is it
 * @param {any} parts.player @param {any} parts.library
 * @param {string} parts.device what this player calls itself
 * @param {(on: boolean) => void} parts.keep for after a reload
 * @param {(notice: any) => void} parts.notify
 */
export const createJukebox = ({ api, store, player, library, device, keep, notify }) => {
  let turn = -1;
  let gain = -1;
  /** What the player holds because of the station, and how often that was changed. */
  let held = '';
  let following = 0;
  let moving = false; // it does what it was told: where it is counts when that is done
  let asked = 0;
  /** @type {string[]} the station's queue */
  let ids = [];

  const idsHere = () => store.state.queue.entries.map((/** @type {any} */ entry) => entry.id);

  /** @param {any} state as `GET /api/jukebox` tells */
  const follow = async (state) => {
    if (!store.state.jukebox || state.turn <= turn) return;
    const first = turn < 0;
    turn = state.turn;
    const mine = (following += 1);
    moving = true;
    try {
      await obey(state, first, mine);
    } finally {
      if (mine === following) moving = false;
    }
    if (mine === following) report();
  };

  /** @param {any} state @param {boolean} first @param {number} mine */
  const obey = async (state, first, mine) => {
    ids = state.track_ids;
    if (state.gain !== gain && (!first || ids.length)) store.set({ volume: Math.sqrt(state.gain), muted: false }); // the ear hears the square
    gain = state.gain;
    if (!ids.length && first) { held = sign(idsHere()); return; } // what plays here goes on until an app wants something
    await library.tracks(ids.slice(Math.max(0, state.index - 5), state.index + 50)).catch(() => []);
    if (mine !== following || !store.state.jukebox) return; // it is past already
    held = sign(ids);
    if (sign(idsHere()) !== held || store.state.queue.index !== state.index) {
      player.edit((/** @type {Q.Queue} */ queue) => {
        const now = Q.current(queue);
        const next = Q.load({ ...queue, repeat: 'off' }, ids, { start: state.index, shuffle: false, source: 'Jukebox' });
        // What plays goes on, and is not begun anew.
        return now && next.entries[next.index]?.id === now.id ? { ...next, entries: next.entries.map((entry, i) => (i === next.index ? now : entry)) } : next;
      });
    }
    if (!ids.length) return;
    if (Math.abs(player.positionMs - state.position_ms) > FAR_MS) player.seek(state.position_ms);
    if (state.playing && store.state.status !== 'playing') player.play();
    if (!state.playing && store.state.status === 'playing') player.pause();
  };

  const over = (/** @type {string} */ message) => {
    store.set({ jukebox: false });
    if (ids.length) player.pause();
    keep(false);
    notify({ message });
  };

  /** Where the player is; the station answers with what it shall play. */
  const report = async () => {
    if (!store.state.jukebox || turn < 0 || moving) return;
    const mine = (asked += 1);
    try {
      const state = await api.post('/jukebox/report', {
        device, turn, index: ids.length ? store.state.queue.index : -1, position_ms: Math.round(player.positionMs),
        playing: ids.length > 0 && ['playing', 'loading'].includes(store.state.status),
      });
      if (mine === asked || state.turn > turn) await follow(state);
    } catch (error) {
      if (/** @type {any} */ (error).status === 409) over('Another player is your jukebox now.');
    }
  };

  store.watch(['queue', 'status'], () => {
    if (!store.state.jukebox || turn < 0) return;
    if (sign(idsHere()) !== held) {
      jukebox.end();
      notify({ message: 'You chose something here: this player is no jukebox any more.', action: { words: 'Undo', run: () => jukebox.begin() } });
      return;
    }
    report();
  });

  const jukebox = {
    async begin() {
      if (store.state.jukebox) return;
      turn = -1;
      const state = await api.put('/jukebox/player', { device });
      store.set({ jukebox: true });
      keep(true);
      await follow(state);
    },
    end() {
      store.set({ jukebox: false });
      keep(false);
      following += 1;
      moving = false;
      return api.delete(`/jukebox/player?device=${encodeURIComponent(device)}`).catch(() => {});
    },
    /** The login is over: the station forgets it by itself. */
    leave() { store.set({ jukebox: false }); },
    /** An app wants something, or it is time to say that this player is still here. */
    report,
  };
  return jukebox;
};
