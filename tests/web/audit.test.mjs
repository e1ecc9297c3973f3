import assert from 'node:assert/strict';
import test from 'node:test';
import { besides, doer, subjectOf } from '../../web/static/core/audit.js';

test('who did it is named, as far as it is known', () => {
  assert.equal(doer({ username: 'ann', address: '10.0.0.2' }), 'ann');
  assert.equal(doer({ username: '', address: '10.0.0.2' }), 'Somebody');
  assert.equal(doer({ username: '', address: '' }), 'The station');
  assert.equal(doer({ username: '', address: '', details: { by: 'tool' } }), 'Somebody at the machine');
});

test('what else is known stands beside it in words', () => {
  assert.deepEqual(besides({ address: '10.0.0.2', subject: 'Clara', details: { role: 'child' } }), ['Young listener', 'from 10.0.0.2']);
  assert.deepEqual(besides({ address: '', details: { times: 40, why: 'second factor' } }), ['40 times', 'second factor']);
  assert.deepEqual(besides({ address: '', subject: 'x', details: { id: 'u1', same: 'x', empty: '', deep: { a: 1 }, vouched_by: 'proxy' } }), ['vouched by: proxy']);
  assert.deepEqual(besides({ address: '' }), []);
});

test('browsers, folders and rights stand there in words', () => {
  const agent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
  assert.deepEqual(besides({ address: '', details: { device: agent } }), ['Chrome on Linux']);
  assert.deepEqual(besides({ address: '', details: { device: 'Anna’s Linux box' } }), ['Anna’s Linux box']);
  assert.deepEqual(besides({ address: '', details: { limited: true } }), ['hears chosen folders alone']);
  assert.deepEqual(besides({ address: '', details: { limited: false, password: true } }), ['hears everything', 'password: yes']);
  assert.equal(subjectOf({ deed: 'session_ended', subject: agent }), 'Chrome on Linux');
  assert.equal(subjectOf({ deed: 'user_made', subject: 'Chrome/1 fan on Linux' }), 'Chrome/1 fan on Linux');
});
