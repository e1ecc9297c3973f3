import assert from 'node:assert/strict';
import test from 'node:test';
import { columnsFor, letterAt, offsetOf, visible } from '../../web/static/core/window.js';

const list = { count: 100_000, columns: 1, rowHeight: 56, height: 800, overscan: 4 };

test('only what is seen, and a little more, is drawn', () => {
  const { first, last, height } = visible({ ...list, top: 56 * 50_000 });
  assert.equal(height, 5_600_000);
  assert.equal(first, 49_996);
  assert.ok(last - first < 30);
  assert.ok(first * 56 <= 2_800_000 && last * 56 >= 2_800_800);
});

test('the edges are whole: nothing before the first, nothing behind the last', () => {
  assert.equal(visible({ ...list, top: 0 }).first, 0);
  const end = visible({ ...list, top: 5_600_000 - 800 });
  assert.equal(end.last, 100_000);
  const beyond = visible({ ...list, top: 9_000_000 });
  assert.ok(beyond.first <= 100_000 && beyond.last === 100_000);
});

test('in a grid whole rows are drawn', () => {
  const { first, last, height } = visible({ count: 23, columns: 5, rowHeight: 200, top: 450, height: 300, overscan: 0 });
  assert.deepEqual([first, last, height], [10, 20, 1000]);
});

test('an empty list is no trouble', () => {
  assert.deepEqual(visible({ ...list, count: 0, top: 0 }), { first: 0, last: 0, height: 0 });
});

test('as many columns as fit, never none', () => {
  assert.equal(columnsFor(358, { least: 140, gap: 16 }), 2);
  assert.equal(columnsFor(50, { least: 140, gap: 16 }), 1);
  assert.equal(columnsFor(140 * 3 + 16 * 2, { least: 140, gap: 16 }), 3);
});

test('places in the list and their letters', () => {
  assert.equal(offsetOf(11, { columns: 5, rowHeight: 200 }), 400);
  const letters = [{ letter: '#', offset: 0 }, { letter: 'A', offset: 3 }, { letter: 'C', offset: 9 }];
  assert.deepEqual([0, 3, 8, 9, 500].map((i) => letterAt(letters, i)), ['#', 'A', 'A', 'C', 'C']);
});
