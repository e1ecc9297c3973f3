import assert from 'node:assert/strict';
import test from 'node:test';
import * as Q from '../../web/static/core/queue.js';

const ids = (queue) => queue.entries.map((e) => e.id).join('');
const playing = (queue) => Q.current(queue)?.id;
const of = (text, options) => Q.load(Q.EMPTY, [...text], options);
/** A chance that always says the same, so that a shuffle can be told beforehand. */
const fixed = () => 0;

test('a new queue starts where it was told', () => {
  const queue = of('abcd', { start: 2 });
  assert.equal(ids(queue), 'abcd');
  assert.equal(playing(queue), 'c');
});

test('a start beyond the end plays the last', () => assert.equal(playing(of('ab', { start: 9 })), 'b'));

test('an empty list makes an empty queue', () => {
  const queue = of('');
  assert.equal(Q.current(queue), null);
  assert.equal(Q.next(queue), null);
  assert.equal(Q.previous(queue), queue);
});

test('next walks to the end and then there is none', () => {
  const second = Q.next(of('ab'));
  assert.equal(playing(second), 'b');
  assert.equal(Q.next(second), null);
});

test('repeat all begins again', () => {
  const queue = { ...of('ab', { start: 1 }), repeat: 'all' };
  assert.equal(playing(Q.next(queue)), 'a');
  assert.equal(playing(Q.previous({ ...queue, index: 0 })), 'b');
});

test('repeat one holds when a track ends by itself, but a press of next goes on', () => {
  const queue = { ...of('ab'), repeat: 'one' };
  assert.equal(playing(Q.next(queue, { auto: true })), 'a');
  assert.equal(playing(Q.next(queue)), 'b');
});

test('repeat one at the last track: a press of next begins again', () => {
  assert.equal(playing(Q.next({ ...of('ab', { start: 1 }), repeat: 'one' })), 'a');
});

test('previous at the beginning stays', () => assert.equal(playing(Q.previous(of('ab'))), 'a'));

test('shuffle keeps what plays, first, and every other track once', () => {
  const queue = Q.setShuffle(of('abcdefgh', { start: 3 }), true);
  assert.equal(playing(queue), 'd');
  assert.equal(queue.index, 0);
  assert.equal([...ids(queue)].sort().join(''), 'abcdefgh');
});

test('shuffle truly mixes', () => {
  assert.notEqual(ids(Q.setShuffle(of('abcdefgh'), true, fixed)), 'abcdefgh');
});

test('turning shuffle off brings the old order back around what plays', () => {
  const mixed = Q.next(Q.setShuffle(of('abcdef', { start: 2 }), true, fixed));
  const now = playing(mixed);
  const back = Q.setShuffle(mixed, false);
  assert.equal(ids(back), 'abcdef');
  assert.equal(playing(back), now);
});

test('a shuffled start can leave the first track to chance', () => {
  const queue = of('abcd', { start: null, shuffle: true, random: () => 0.99 });
  assert.equal(playing(queue), 'd');
});

test('what is added while shuffled has its place in the old order too', () => {
  const mixed = Q.setShuffle(of('abc'), true, fixed);
  const back = Q.setShuffle(Q.append(Q.insertNext(mixed, ['x']), ['z']), false);
  assert.equal(ids(back), 'axbcz');
});

test('play next goes right behind what plays; append to the end', () => {
  const queue = Q.append(Q.insertNext(of('abc', { start: 1 }), ['x', 'y']), ['z']);
  assert.equal(ids(queue), 'abxycz');
  assert.equal(playing(queue), 'b');
});

test('adding to an empty queue makes its first track current', () => {
  assert.equal(playing(Q.insertNext(Q.EMPTY, ['a', 'b'])), 'a');
  assert.equal(playing(Q.append(Q.EMPTY, ['a'])), 'a');
});

test('moving tracks never changes what plays', () => {
  const queue = of('abcd', { start: 1 });
  assert.equal(ids(Q.move(queue, 0, 3)), 'bcda');
  assert.equal(playing(Q.move(queue, 0, 3)), 'b');
  assert.equal(playing(Q.move(queue, 1, 3)), 'b');
  assert.equal(playing(Q.move(queue, 3, 0)), 'b');
  assert.equal(Q.move(queue, 0, 9), queue);
});

test('removing before, at and behind what plays', () => {
  const queue = of('abc', { start: 1 });
  assert.equal(playing(Q.remove(queue, 0)), 'b');
  assert.equal(playing(Q.remove(queue, 2)), 'b');
  assert.equal(playing(Q.remove(queue, 1)), 'c');
  assert.equal(playing(Q.remove(of('ab', { start: 1 }), 1)), 'a');
  assert.equal(Q.current(Q.remove(of('a'), 0)), null);
  assert.equal(Q.remove(queue, 7), queue);
});

test('a removed track does not come back when shuffle is turned off', () => {
  const mixed = Q.setShuffle(of('abcd'), true, fixed);
  assert.equal(ids(Q.setShuffle(Q.remove(mixed, 1), false)).length, 3);
});

test('a track may stand twice, and each is its own entry', () => {
  const queue = Q.append(of('aba'), ['a']);
  assert.equal(new Set(queue.entries.map((e) => e.key)).size, 4);
  assert.equal(ids(Q.remove(queue, 0)), 'baa');
});

test('keys are never used again', () => {
  const first = of('ab');
  const second = Q.load(first, ['c']);
  assert.ok(!first.entries.some((e) => e.key === second.entries[0].key));
});

test('tracks gone from the library leave, but what plays may finish', () => {
  const queue = Q.removeTracks(of('abcb', { start: 1 }), new Set(['a', 'b']));
  assert.equal(ids(queue), 'bc');
  assert.equal(playing(queue), 'b');
});

test('clearing leaves only what plays', () => {
  const queue = Q.clear(of('abc', { start: 1 }));
  assert.equal(ids(queue), 'b');
  assert.equal(playing(queue), 'b');
});

test('repeat goes off, all, one, off', () => {
  const modes = [];
  for (let queue = of('a'), i = 0; i < 3; i += 1) { queue = Q.cycleRepeat(queue); modes.push(queue.repeat); }
  assert.deepEqual(modes, ['all', 'one', 'off']);
});

test('a kept queue comes back as it was, also its order before shuffling', () => {
  const queue = Q.next(Q.setShuffle({ ...of('abcde', { start: 2, source: 'An album' }), repeat: 'all' }, true));
  const back = Q.unpack(JSON.parse(JSON.stringify(Q.pack(queue))));
  assert.equal(ids(back), ids(queue));
  assert.equal(playing(back), playing(queue));
  assert.equal(back.repeat, 'all');
  assert.equal(back.source, 'An album');
  assert.equal(ids(Q.setShuffle(back, false)), 'abcde');
});

test('nonsense that was kept makes an empty queue, not an error', () => {
  for (const bad of [null, 7, {}, { ids: 'abc' }, { ids: [1, 2] }]) assert.equal(Q.unpack(bad).entries.length, 0);
  assert.equal(Q.unpack({ ids: ['a'], index: 99, repeat: 'sometimes', shuffle: true, natural: [4] }).index, 0);
});
