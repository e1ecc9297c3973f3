import assert from 'node:assert/strict';
import test from 'node:test';
import { ApiError, coverUrl, createApi, queryString, streamUrl } from '../../web/static/core/api.js';

const answer = (status, body, headers = {}) => ({ ok: status < 400, status, json: async () => body, headers: new Headers(headers) });

test('an error object becomes an error that people can read', async () => {
  const api = createApi({ fetch: async () => answer(429, { error: { code: 'too_often', message: 'Slow down.' } }, { 'Retry-After': '12' }) });
  await assert.rejects(api.get('/x'), (error) => error instanceof ApiError && error.status === 429 && error.code === 'too_often' && error.message === 'Slow down.' && error.retryAfter === 12);
});

test('an answer that is no JSON is still a sentence', async () => {
  const api = createApi({ fetch: async () => ({ ok: false, status: 502, headers: new Headers(), json: async () => { throw new SyntaxError(); } }) });
  await assert.rejects(api.get('/x'), /went wrong/);
});

test('401 calls for a login, but not when asked quietly', async () => {
  let called = 0;
  const api = createApi({ fetch: async () => answer(401, { error: { code: 'unauthorized', message: 'No.' } }), onUnauthorized: () => { called += 1; } });
  await assert.rejects(api.get('/x'));
  await assert.rejects(api.post('/session', {}, { quiet: true }));
  assert.equal(called, 1);
});

test('a station out of reach is told as such, and reach is reported', async () => {
  const reach = [];
  let there = false;
  const api = createApi({ fetch: async () => { if (!there) throw new TypeError('network'); return answer(200, {}); }, onReach: (on) => reach.push(on) });
  await assert.rejects(api.get('/x'), (error) => error.unreachable);
  there = true;
  await api.get('/x');
  assert.deepEqual(reach, [false, true]);
});

test('an aborted question is not a failure of the station', async () => {
  const reach = [];
  const api = createApi({ fetch: async () => { throw Object.assign(new Error(), { name: 'AbortError' }); }, onReach: (on) => reach.push(on) });
  await assert.rejects(api.get('/x'), { name: 'AbortError' });
  assert.deepEqual(reach, []);
});

test('changes go out as JSON, 204 answers nothing', async () => {
  let sent;
  const api = createApi({ fetch: async (url, options) => { sent = { url, ...options }; return answer(204); } });
  assert.equal(await api.put('/library/ratings/a', { rating: 3 }), null);
  assert.equal(sent.url, '/api/library/ratings/a');
  assert.equal(sent.headers['Content-Type'], 'application/json');
  assert.deepEqual(JSON.parse(sent.body), { rating: 3 });
});

test('addresses leave out what is not there and escape the rest', () => {
  assert.equal(queryString({ a: 1, b: undefined, c: null, d: '', e: 'x&y' }), '?a=1&e=x%26y');
  assert.equal(coverUrl('a/b', 300, 'v1'), '/api/covers/a%2Fb?size=300&v=v1');
  assert.equal(streamUrl('t'), '/api/stream/t');
});
