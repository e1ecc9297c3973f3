import assert from 'node:assert/strict';
import test from 'node:test';
import { createErrands } from '../../web/static/core/errands.js';

const one = (id, state, more = {}) => ({ id, state, kind: 'upload', created_at: `2026-01-01T00:00:0${id}Z`, finished_at: null, ...more });
const ids = (list) => list.map((e) => e.id).join('');

test('what runs stands before what waits, in the order it was asked for; what is over, the latest first', () => {
  const errands = createErrands();
  errands.snapshot([one('3', 'waiting'), one('2', 'waiting'), one('4', 'running'), one('1', 'done', { finished_at: '2026-01-01T01:00:00Z' }), one('5', 'failed', { finished_at: '2026-01-01T02:00:00Z' })]);
  assert.equal(ids(errands.active()), '423');
  assert.equal(ids(errands.over()), '51');
});

test('after the line was down, what is under way is what the station says, and nothing else', () => {
  const errands = createErrands();
  errands.changed(one('1', 'running'));
  errands.changed(one('2', 'done'));
  errands.snapshot([one('3', 'waiting')]);
  assert.equal(ids(errands.active()), '3');
  assert.equal(ids(errands.over()), '2');
});

test('an answer from before the last word does not undo it', () => {
  const errands = createErrands();
  errands.changed(one('1', 'running'));
  const since = errands.now();
  errands.changed(one('1', 'done'));
  errands.remember([one('1', 'running'), one('2', 'waiting')], since);
  assert.equal(errands.get('1').state, 'done');
  assert.equal(ids(errands.active()), '2');
});

test('the end is told once, and only of what was asked for here', () => {
  const over = [];
  const errands = createErrands({ onOver: (e) => over.push(e.id) });
  errands.asked(one('1', 'waiting'));
  errands.changed(one('2', 'done'));
  errands.changed(one('1', 'running'));
  errands.changed(one('1', 'done'));
  errands.changed(one('1', 'done'));
  errands.snapshot([one('1', 'done')]);
  assert.deepEqual(over, ['1']);
});

test('another listener starts with nothing', () => {
  const errands = createErrands({ onOver: () => assert.fail('it was somebody else’s') });
  let told = 0;
  const end = errands.watch(() => { told += 1; });
  errands.asked(one('1', 'running'));
  errands.empty();
  assert.equal(told, 2);
  end();
  errands.changed(one('1', 'done'));
  assert.equal(told, 2);
});

test('of what is over only so much is remembered', () => {
  const errands = createErrands();
  errands.changed(one('1', 'running'));
  for (let i = 0; i < 400; i += 1) errands.changed(one(`x${i}`, 'done', { created_at: `2026-01-02T00:${String(i).padStart(4, '0')}` }));
  assert.equal(errands.over().length, 200);
  assert.equal(errands.get('1').state, 'running');
});
