import assert from 'node:assert/strict';
import test from 'node:test';
import { createSequence } from '../../web/static/core/live.js';
import { createSync, reorders, touches } from '../../web/static/core/sync.js';

const none = { added: [], changed: [], removed: [] };

test('only what changed since the revision held is asked for', async () => {
  const asked = [];
  const applied = [];
  let revision = 7;
  const sync = createSync({ revision: () => revision, reset: () => assert.fail(), ask: async (since) => { asked.push(since); return { revision: 9, tracks: none }; }, apply: (c) => { applied.push(c.revision); revision = c.revision; } });
  await sync.check();
  assert.deepEqual([asked, applied], [[7], [9]]);
});

test('nothing changed, nothing applied; no revision, nothing asked', async () => {
  let revision = 4;
  const sync = createSync({ revision: () => revision, ask: async () => ({ revision: 4 }), apply: () => assert.fail(), reset: () => assert.fail() });
  await sync.check();
  revision = -1;
  const quiet = createSync({ revision: () => revision, ask: () => assert.fail(), apply: () => assert.fail(), reset: () => assert.fail() });
  await quiet.check();
});

test('many calls at once are two questions at most', async () => {
  let asked = 0;
  const sync = createSync({ revision: () => 1, ask: async () => { asked += 1; return { revision: 1 }; }, apply: () => {}, reset: () => {} });
  await Promise.all([sync.check(), sync.check(), sync.check(), sync.check()]);
  assert.equal(asked, 2);
});

test('a revision too old to tell asks for everything anew', async () => {
  let reset = 0;
  const sync = createSync({ revision: () => 1, ask: async () => { throw Object.assign(new Error(), { status: 410 }); }, apply: () => assert.fail(), reset: () => { reset += 1; } });
  await sync.check();
  assert.equal(reset, 1);
});

test('a station out of reach changes nothing, and the next switch asks again', async () => {
  let asked = 0;
  const sync = createSync({ revision: () => 1, ask: async () => { asked += 1; throw Object.assign(new Error(), { status: 0 }); }, apply: () => assert.fail(), reset: () => assert.fail() });
  await sync.check();
  await sync.check();
  assert.equal(asked, 2);
});

test('what a change touches', () => {
  const changes = { tracks: { ...none, changed: ['a'] }, albums: { ...none, removed: ['b'] } };
  assert.deepEqual([touches(changes, 'tracks'), reorders(changes, 'tracks'), reorders(changes, 'albums'), touches(changes, 'artists')], [true, false, true, false]);
});

test('a missed event is noticed by its number; an old one is not a gap', () => {
  let gaps = 0;
  const sequence = createSequence(() => { gaps += 1; });
  sequence.see(40);
  sequence.start(41);
  sequence.see(42);
  sequence.see(42);
  sequence.see(undefined);
  assert.equal(gaps, 0);
  sequence.see(44);
  sequence.see(45);
  assert.equal(gaps, 1);
});
