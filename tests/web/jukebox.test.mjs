import assert from 'node:assert/strict';
import test from 'node:test';
import { createJukebox } from '../../web/static/core/jukebox.js';
import * as Q from '../../web/static/core/queue.js';
import { createStore } from '../../web/static/core/store.js';

/** A player that holds a queue and does as it is told; the station as `now` says. */
const house = () => {
  const store = createStore({ jukebox: false, queue: Q.EMPTY, status: 'idle', volume: 0.5, muted: false });
  const said = [];
  const player = {
    positionMs: 0,
    edit: (deed) => { const before = Q.current(store.state.queue)?.key; store.set({ queue: deed(store.state.queue) }); if (Q.current(store.state.queue)?.key !== before) { player.positionMs = 0; said.push('begin'); } },
    seek: (ms) => { player.positionMs = ms; said.push(`seek ${ms}`); },
    play: () => { said.push('play'); store.set({ status: 'playing' }); },
    pause: () => { said.push('pause'); store.set({ status: 'paused' }); },
  };
  const station = { track_ids: [], index: -1, playing: false, position_ms: 0, gain: 0.25, held: true, turn: 3 };
  const asked = [];
  const notices = [];
  const api = {
    put: async () => ({ ...station }),
    post: async (path, body) => { asked.push(body); if (station.gone) throw Object.assign(new Error('no'), { status: 409 }); return { ...station }; },
    delete: async (path) => { asked.push(path); },
  };
  const kept = [];
  const jukebox = createJukebox({ api, store, player, library: { tracks: async () => [] }, device: 'me', keep: (on) => kept.push(on), notify: (one) => notices.push(one) });
  const told = async (more) => { Object.assign(station, more, { turn: station.turn + 1 }); await jukebox.report(); await new Promise((done) => { setTimeout(done); }); };
  return { store, player, station, asked, notices, kept, jukebox, told, said, ids: () => store.state.queue.entries.map((e) => e.id).join('') };
};

test('what apps tell is played, from there, at that loudness', async () => {
  const { jukebox, store, said, told, ids, asked } = house();
  await jukebox.begin();
  await told({ track_ids: ['a', 'b', 'c'], index: 1, playing: true, position_ms: 9000 });
  assert.equal(ids(), 'abc');
  assert.deepEqual(said, ['begin', 'seek 9000', 'play']);
  assert.equal(store.state.queue.index, 1);
  await told({ gain: 0.81 });
  assert.equal(store.state.volume, 0.9);
  await told({ playing: false });
  assert.equal(said.at(-1), 'pause');
  assert.deepEqual(asked.at(-1), { device: 'me', turn: 6, index: 1, position_ms: 9000, playing: false });
});

test('what plays goes on when something is put behind it', async () => {
  const { jukebox, player, said, told, ids } = house();
  await jukebox.begin();
  await told({ track_ids: ['a'], index: 0, playing: true, position_ms: 0 });
  player.positionMs = 4000;
  said.length = 0;
  await told({ track_ids: ['a', 'b'], position_ms: 4500 });
  assert.equal(ids(), 'ab');
  assert.deepEqual(said, []);
});

test('a queue that apps have not filled leaves alone what plays here', async () => {
  const { jukebox, store, said, asked } = house();
  store.set({ queue: Q.load(Q.EMPTY, ['x']), status: 'playing' });
  await jukebox.begin();
  await jukebox.report();
  assert.deepEqual([said, store.state.jukebox, store.state.volume], [[], true, 0.5]);
  assert.deepEqual([asked.at(-1).index, asked.at(-1).playing], [-1, false]);
});

test('whoever chooses something else here takes the player back', async () => {
  const { jukebox, store, told, asked, notices, kept } = house();
  await jukebox.begin();
  await told({ track_ids: ['a'], index: 0, playing: true });
  store.set({ queue: Q.load(store.state.queue, ['mine']) });
  assert.equal(store.state.jukebox, false);
  assert.equal(asked.at(-1), '/jukebox/player?device=me');
  assert.deepEqual([kept, notices.length], [[true, false], 1]);
});

test('when another player is the jukebox this one rests', async () => {
  const { jukebox, store, station, notices } = house();
  await jukebox.begin();
  station.gone = true;
  await jukebox.report();
  assert.equal(store.state.jukebox, false);
  assert.match(notices[0].message, /Another player/);
});
