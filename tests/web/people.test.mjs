import assert from 'node:assert/strict';
import test from 'node:test';
import { roleName, wishOf } from '../../web/static/core/people.js';

const form = (fields) => { const data = new FormData(); for (const [k, v] of Object.entries(fields)) data.set(k, v); return data; };

test('a new person has a name, a password long enough, and a role', () => {
  assert.deepEqual(wishOf('new', form({ username: ' Ben ', password: 'ten letters', role: 'child' })), { wish: { username: 'Ben', password: 'ten letters', role: 'child' } });
  assert.match(wishOf('new', form({ username: '  ', password: 'ten letters', role: 'child' })).wrong, /name/);
  assert.match(wishOf('new', form({ username: 'Ben', password: 'nine char', role: 'child' })).wrong, /ten/);
  assert.match(wishOf('new', form({ username: 'Ben', password: '🎵🎵🎵🎵🎵', role: 'child' })).wrong, /ten/, 'five characters, ten units');
});

test('only what is asked about is told, and only when it is different', () => {
  const ben = { id: 'u1', username: 'Ben', role: 'child' };
  assert.deepEqual(wishOf('role', form({ role: 'adult' }), ben), { wish: { role: 'adult' } });
  assert.deepEqual(wishOf('role', form({ role: 'child' }), ben), { wish: {} });
  assert.deepEqual(wishOf('name', form({ username: 'Ben' }), ben), { wish: {} });
  assert.deepEqual(wishOf('name', form({ username: 'Benno' }), ben), { wish: { username: 'Benno' } });
  assert.deepEqual(wishOf('password', form({ password: '  spaces stay  ' }), ben), { wish: { password: '  spaces stay  ' } });
});

test('a role that is not known has no name', () => {
  assert.equal(roleName('child'), 'Young listener');
  assert.equal(roleName('king'), '');
});
