import assert from 'node:assert/strict';
import test from 'node:test';
import { createStore } from '../../web/static/core/store.js';

test('watchers hear of their keys, at once, and of nothing else', () => {
  const store = createStore({ a: 1, b: 1 });
  const heard = [];
  store.watch(['a'], (state) => heard.push(state.a));
  store.set({ b: 2 });
  store.set({ a: 2, b: 3 });
  assert.deepEqual(heard, [2]);
});

test('setting the same again wakes nobody', () => {
  const store = createStore({ a: 1 });
  let calls = 0;
  store.watch(['a'], () => { calls += 1; });
  store.set({ a: 1 });
  assert.equal(calls, 0);
});

test('who left hears nothing, even when leaving during a call', () => {
  const store = createStore({ a: 1 });
  const heard = [];
  let end = () => {};
  store.watch(['a'], () => { heard.push('first'); end(); });
  end = store.watch(['a'], () => heard.push('second'));
  store.set({ a: 2 });
  assert.deepEqual(heard, ['first']);
});

test('an old state is never changed', () => {
  const store = createStore({ a: 1 });
  const before = store.state;
  store.set({ a: 2 });
  assert.equal(before.a, 1);
});
