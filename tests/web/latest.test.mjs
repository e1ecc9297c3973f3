import assert from 'node:assert/strict';
import test from 'node:test';
import { createLatest } from '../../web/static/core/latest.js';

const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

test('quick typing is one question, and only the newest answer counts', async () => {
  const asked = [];
  const answers = [];
  const latest = createLatest({ waitMs: 10, ask: async (q, signal) => { asked.push(q); await wait(q === 'ba' ? 60 : 5); if (signal.aborted) throw new Error('aborted'); return q.toUpperCase(); }, onAnswer: (a) => answers.push(a), onError: () => assert.fail() });
  latest.put('b');
  latest.put('ba');
  await wait(25);
  latest.put('bac');
  await wait(90);
  assert.deepEqual(asked, ['ba', 'bac']);
  assert.deepEqual(answers, ['BAC']);
});

test('a failure is told, a stop silences everything', async () => {
  const errors = [];
  const latest = createLatest({ waitMs: 0, ask: async () => { throw new Error('away'); }, onAnswer: () => assert.fail(), onError: (e) => errors.push(e.message) });
  latest.put('a');
  await wait(15);
  latest.put('b');
  latest.stop();
  await wait(15);
  assert.deepEqual(errors, ['away']);
});
