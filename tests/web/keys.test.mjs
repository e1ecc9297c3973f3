import assert from 'node:assert/strict';
import test from 'node:test';
import { deedOf, SHORTCUTS } from '../../web/static/core/keys.js';

test('keys mean what the help says', () => {
  const pressed = { ' ': 'toggle', n: 'next', j: 'next', p: 'previous', k: 'previous', m: 'mute', s: 'shuffle', r: 'repeat', '/': 'search', l: 'toggle-lyrics', q: 'toggle-queue', Escape: 'close', ArrowRight: 'seek-forward' };
  for (const [key, deed] of Object.entries(pressed)) assert.equal(deedOf({ key }), deed, key);
  assert.equal(deedOf({ key: '?', shiftKey: true }), 'shortcuts');
  assert.equal(deedOf({ key: 'ArrowRight', shiftKey: true }), 'next');
});

test('the browser keeps its own shortcuts', () => {
  assert.equal(deedOf({ key: 's', ctrlKey: true }), null);
  assert.equal(deedOf({ key: 'r', metaKey: true }), null);
  assert.equal(deedOf({ key: 'ArrowLeft', altKey: true }), null);
});

test('no key has two meanings', () => {
  const keys = SHORTCUTS.flatMap((s) => s.keys);
  assert.equal(new Set(keys).size, keys.length);
});
