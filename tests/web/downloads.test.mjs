import assert from 'node:assert/strict';
import test from 'node:test';
import { byCursor } from '../../web/static/core/collection.js';
import { createDownloads } from '../../web/static/core/downloads.js';

const one = (id, status, more = {}) => ({ id, status, priority: 50, created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z', ...more });
/** Downloads whose tellings happen when the test says so. */
const made = (parts = {}) => {
  const due = [];
  const downloads = createDownloads({ ...parts, later: (deed) => due.push(deed) });
  return { downloads, tick: () => { for (const deed of due.splice(0)) deed(); }, due };
};

test('however much happens meanwhile is told once', () => {
  const { downloads, tick, due } = made();
  const told = [];
  downloads.watch((what) => told.push(what.moved));
  for (let i = 0; i < 500; i += 1) downloads.changed(one(`d${i % 4}`, 'downloading', { updated_at: `2026-01-01T00:00:00.${String(i).padStart(3, '0')}Z` }));
  assert.equal(due.length, 1);
  tick();
  assert.deepEqual(told, [true]);
  downloads.changed(one('d1', 'downloading', { updated_at: '2026-01-01T00:00:01Z' }));
  tick();
  assert.deepEqual(told, [true, false], 'progress moves nothing to another list');
});

test('those that come are counted, whatever way they are heard of', () => {
  const { downloads } = made();
  downloads.snapshot([one('a', 'waiting'), one('b', 'downloading'), one('c', 'completed'), one('p', 'paused')]);
  assert.equal(downloads.coming, 2);
  downloads.changed(one('b', 'completed', { updated_at: '2026-01-02T00:00:00Z' }));
  downloads.remember([one('e', 'queued'), one('a', 'waiting')]);
  assert.equal(downloads.coming, 2);
  downloads.removed('e');
  assert.equal(downloads.coming, 1);
  downloads.snapshot([]); // the line was down: what was under way is no more
  assert.equal(downloads.coming, 0);
  assert.equal(downloads.get('b').status, 'completed');
  downloads.empty();
  assert.equal(downloads.get('b'), undefined);
});

test('an old page does not undo what has happened since', () => {
  const { downloads } = made();
  downloads.changed(one('a', 'completed', { updated_at: '2026-01-02T00:00:00Z' }));
  downloads.remember([one('a', 'downloading')]);
  assert.equal(downloads.get('a').status, 'completed');
});

test('an arrival is told of once, and only of one that was seen coming', () => {
  const arrived = [];
  const { downloads } = made({ onCompleted: (d) => arrived.push(d.id) });
  downloads.changed(one('a', 'downloading'));
  downloads.changed(one('a', 'completed'));
  downloads.changed(one('a', 'completed'));
  downloads.changed(one('stranger', 'completed'));
  assert.deepEqual(arrived, ['a']);
});

test('what runs stands in order: the nearest to its end first', () => {
  const { downloads } = made();
  downloads.snapshot([one('q', 'queued'), one('late', 'downloading', { created_at: '2026-02-01T00:00:00Z' }), one('w', 'waiting'), one('p', 'processing'), one('early', 'downloading'), one('keen', 'downloading', { priority: 90, created_at: '2026-03-01T00:00:00Z' })]);
  assert.deepEqual(downloads.running().map((d) => d.id), ['keen', 'early', 'late', 'p', 'q']);
});

test('a log is kept only while somebody reads it, and lines come once', () => {
  const { downloads } = made();
  const line = (at) => ({ id: 'a', level: 'info', at, message: at });
  downloads.logged(line('1'));
  assert.deepEqual(downloads.lines('a'), []);
  const stop = downloads.read('a');
  downloads.logged(line('3'));
  downloads.logged(line('4'));
  downloads.readBefore('a', [line('2'), line('3')]);
  assert.deepEqual(downloads.lines('a').map((one) => one.at), ['2', '3', '4']);
  for (let i = 0; i < 2000; i += 1) downloads.logged(line(`5${i}`));
  assert.ok(downloads.lines('a').length <= 500);
  stop();
  assert.deepEqual(downloads.lines('a'), []);
});

test('ten thousand that are over are not kept for ever', () => {
  const { downloads } = made();
  downloads.changed(one('alive', 'downloading'));
  for (let i = 0; i < 10_000; i += 1) downloads.changed(one(`d${i}`, 'completed'));
  assert.equal(downloads.get('d0'), undefined);
  assert.equal(downloads.get('alive').status, 'downloading');
  assert.equal(downloads.get('d9999').status, 'completed');
});

test('an offer knows the download it became', () => {
  const { downloads } = made();
  const offer = { source: 'deezer', kind: 'track', id: '7' };
  assert.equal(downloads.of(offer), undefined);
  downloads.remember([one('a', 'waiting')]);
  downloads.cameOf(offer, 'a');
  assert.equal(downloads.of({ ...offer, title: 'other words' }).id, 'a');
});

/** A list of `length` things paged by cursors; `asked` notes the questions. */
const listed = (length, asked = []) => async ({ limit, cursor }) => {
  asked.push(cursor);
  const from = Number(cursor ?? 0);
  const items = Array.from({ length: Math.max(0, Math.min(limit, length - from)) }, (_, i) => from + i);
  return { items, total: length, next_cursor: from + limit < length ? String(from + limit) : null };
};

test('any page of a list by cursors can be reached, and the way there is gone once', async () => {
  const asked = [];
  const page = byCursor(listed(1000, asked));
  assert.deepEqual((await page({ offset: 900, limit: 100 })).items[0], 900);
  assert.equal(asked.length, 10);
  assert.equal((await page({ offset: 800, limit: 100 })).items[0], 800);
  assert.equal(asked.length, 11);
  assert.deepEqual((await page({ offset: 2000, limit: 100 })).items, [], 'beyond its end there is nothing');
  assert.equal((await page({ offset: 0, limit: 100 })).total, 1000);
});
