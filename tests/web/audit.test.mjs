import assert from 'node:assert/strict';
import test from 'node:test';
import { besides, doer } from '../../web/static/core/audit.js';

test('who did it is named, as far as it is known', () => {
  assert.equal(doer({ username: 'ann', address: '10.0.0.2' }), 'ann');
  assert.equal(doer({ username: '', address: '10.0.0.2' }), 'Somebody');
  assert.equal(doer({ username: '', address: '' }), 'The station');
});

test('what else is known stands beside it in words', () => {
  assert.deepEqual(besides({ address: '10.0.0.2', subject: 'Clara', details: { role: 'child' } }), ['Young listener', 'from 10.0.0.2']);
  assert.deepEqual(besides({ address: '', details: { times: 40, why: 'second factor' } }), ['40 times', 'second factor']);
  assert.deepEqual(besides({ address: '', subject: 'x', details: { id: 'u1', same: 'x', empty: '', deep: { a: 1 }, vouched_by: 'proxy' } }), ['vouched by: proxy']);
  assert.deepEqual(besides({ address: '' }), []);
});
