import assert from 'node:assert/strict';
import test from 'node:test';
import { createCollection } from '../../web/static/core/collection.js';

const settle = () => new Promise((resolve) => { setTimeout(resolve, 5); });
/** A station with `total` things; keeps what it was asked. */
const station = (total) => {
  const asked = [];
  const state = { total, prefix: 'i', broken: false };
  return {
    asked, state,
    fetchPage: async ({ offset, limit }) => {
      asked.push(offset);
      if (state.broken) throw new Error('away');
      const items = [];
      for (let i = offset; i < Math.min(offset + limit, state.total); i += 1) items.push({ id: `${state.prefix}${i}` });
      return { items, total: state.total };
    },
  };
};

test('nothing is asked before it is looked at; then only the pages seen', async () => {
  const { asked, fetchPage } = station(1000);
  const list = createCollection({ fetchPage });
  assert.equal(list.total, -1);
  list.ensure(0, 30);
  await settle();
  assert.deepEqual(asked, [0]);
  assert.equal(list.total, 1000);
  list.ensure(395, 420);
  await settle();
  assert.deepEqual(asked.slice(1).sort(), [300, 400]);
  assert.equal(list.at(401), 'i401');
  assert.equal(list.at(500), undefined);
});

test('a page is asked once, however often it is looked at', async () => {
  const { asked, fetchPage } = station(300);
  const list = createCollection({ fetchPage });
  for (let i = 0; i < 5; i += 1) list.ensure(0, 40);
  await settle();
  list.ensure(0, 40);
  await settle();
  assert.equal(asked.length, 1);
});

test('a fling asks for where it ends, not for all it passed', async () => {
  const { asked, fetchPage } = station(100_000);
  const list = createCollection({ fetchPage });
  list.ensure(0, 10);
  await settle();
  for (let at = 0; at < 90_000; at += 1000) list.ensure(at, at + 20);
  await settle();
  assert.ok(asked.length < 8, `${asked.length} pages asked`);
  assert.equal(list.at(89_000), 'i89000');
});

test('after a change the old stays in sight until the new is here', async () => {
  const { state, fetchPage } = station(50);
  const list = createCollection({ fetchPage });
  list.ensure(0, 10);
  await settle();
  state.prefix = 'n';
  state.total = 51;
  list.refresh();
  assert.equal(list.at(0), 'i0');
  list.ensure(0, 10);
  await settle();
  assert.equal(list.at(0), 'n0');
  assert.equal(list.total, 51);
});

test('an answer from before a change is not taken for one after it', async () => {
  let release = () => {};
  const gate = new Promise((resolve) => { release = resolve; });
  let calls = 0;
  const list = createCollection({ fetchPage: async () => {
    calls += 1;
    if (calls === 1) { await gate; return { items: [{ id: 'old' }], total: 1 }; }
    return { items: [{ id: 'new' }], total: 1 };
  } });
  list.ensure(0, 1);
  list.refresh();
  list.ensure(0, 1);
  await settle();
  release();
  await settle();
  assert.equal(list.at(0), 'new');
});

test('a failure is told and can be tried again', async () => {
  const { state, fetchPage } = station(5);
  const list = createCollection({ fetchPage });
  let told = 0;
  list.watch(() => { told += 1; });
  state.broken = true;
  list.ensure(0, 5);
  await settle();
  assert.equal(list.failure.message, 'away');
  assert.ok(told > 0);
  state.broken = false;
  list.retry();
  list.ensure(0, 5);
  await settle();
  assert.equal(list.failure, null);
  assert.equal(list.at(4), 'i4');
});

test('an empty list that gets its first thing shows it', async () => {
  const { state, fetchPage } = station(0);
  const list = createCollection({ fetchPage });
  list.ensure(0, 60);
  await settle();
  assert.equal(list.total, 0);
  state.total = 1;
  list.refresh();
  list.ensure(0, 60);
  await settle();
  assert.equal(list.at(0), 'i0');
});
