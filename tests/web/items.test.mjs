import assert from 'node:assert/strict';
import test from 'node:test';
import { airWords, createAir, createHeard, episodeItem, kindOf, pageOf, radioItem, resumeAt, uidOf } from '../../web/static/core/items.js';
import { createLibrary } from '../../web/static/core/library.js';
import { createStore } from '../../web/static/core/store.js';

const episode = { id: 'e/1', podcast_id: 'p 1', podcast_title: 'Talk', title: 'One', duration_ms: 60_000, position_ms: 20_000, finished: false };

test('an id says what it is of, and a track’s stands alone', () => {
  assert.deepEqual(['abc', 'episode:abc', 'radio:a:b'].map((id) => [kindOf(id), uidOf(id)]), [['track', 'abc'], ['episode', 'abc'], ['radio', 'a:b']]);
});

test('an episode goes on where it was left, but for one that was heard or is almost over', () => {
  assert.equal(resumeAt(episodeItem(episode)), 20_000);
  assert.equal(resumeAt(episodeItem({ ...episode, finished: true })), 0);
  assert.equal(resumeAt(episodeItem({ ...episode, position_ms: 55_000 })), 0);
  assert.equal(resumeAt(episodeItem({ ...episode, duration_ms: null })), 20_000, 'nobody knows how long it is');
  for (const other of [radioItem({ id: 'r', name: 'FIP' }), { id: 'track', position_ms: 5 }, undefined]) assert.equal(resumeAt(other), 0);
});

test('ids in addresses are escaped', () => {
  assert.equal(episodeItem(episode).stream, '/api/episodes/e%2F1/stream');
  assert.equal(pageOf(episodeItem(episode)), '#/podcast/p%201');
  assert.equal(pageOf(radioItem({ id: 'r', name: 'FIP' })), '#/radio');
  assert.equal(pageOf({ album_id: 'x' }), '#/album/x');
});

test('what is on the air is told with what there is of it', () => {
  assert.deepEqual([{ artist: 'A', title: 'T' }, { artist: '', title: 'T' }, {}, null].map(airWords), ['A – T', 'T', '', '']);
});

/** @param {{everyMs?: number}} [more] */
const heard = (more) => {
  const told = [];
  let now = 0;
  const at = createHeard({ tell: (item, what) => told.push([item.id, what.position_ms, what.finished]), now: () => now, ...more });
  return { told, at, pass: (ms) => { now += ms; } };
};

test('how far an episode was heard is told now and then, and at a pause at once', () => {
  const { told, at, pass } = heard();
  for (let ms = 0; ms <= 21_000; ms += 250) { at.at({ id: 'a' }, ms); pass(250); }
  assert.deepEqual(told.map(([, ms]) => ms), [10_000, 20_000]);
  at.at({ id: 'a' }, 21_500.4, { soon: true });
  assert.deepEqual(told.at(-1), ['a', 21_500, false]);
});

test('what was not told of one episode is told when another begins, or the page closes', () => {
  const { told, at } = heard();
  at.at({ id: 'a' }, 4000);
  at.at({ id: 'b' }, 100);
  at.flush();
  at.flush();
  assert.deepEqual(told, [['a', 4000, false], ['b', 100, false]]);
});

test('an episode that was heard to its end begins anew', () => {
  const { told, at } = heard();
  at.at({ id: 'a' }, 59_900, { finished: true });
  assert.deepEqual(told, [['a', 0, true]]);
});

test('of a radio is told only while it is heard, and late answers count no more', async () => {
  const told = [];
  const air = createAir({ ask: async () => ({ title: 'late' }), told: (id, now) => told.push([id, now.title]) });
  air.listen('radio:a');
  air.heard({ id: 'a', title: 'one' });
  air.heard({ id: 'b', title: 'another' });
  air.listen('');
  air.heard({ id: 'a', title: 'two' });
  assert.deepEqual(told, [['radio:a', 'one']]);
});

test('episodes and radios are asked for where they are, and tracks among them all at once', async () => {
  const asked = [];
  const api = { get: async (path, query) => {
    asked.push(path);
    if (path === '/library/tracks') return { items: query.ids.split(',').map((id) => ({ id, title: id })) };
    if (path === '/episodes/gone') throw Object.assign(new Error('gone'), { status: 404 });
    return path.startsWith('/radios/') ? { id: 'r', name: 'FIP' } : { ...episode, id: 'e' };
  } };
  const library = createLibrary({ api, store: createStore({ revision: 0 }) });
  const found = await library.tracks(['t1', 'episode:e', 'radio:r', 'episode:gone', 't2']);
  assert.deepEqual(found.map((one) => one.id), ['t1', 'episode:e', 'radio:r', 't2']);
  assert.deepEqual(asked.sort(), ['/episodes/e', '/episodes/gone', '/library/tracks', '/radios/r']);
});
