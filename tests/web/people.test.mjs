import assert from 'node:assert/strict';
import test from 'node:test';
import { exceptions, folderName, folderPlace, roleName, wishOf } from '../../web/static/core/people.js';

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

test('a right is said, or left as the role has it', () => {
  assert.deepEqual(wishOf('rights', form({ 'right-add': 'yes', 'right-edit': 'no', 'right-delete': '' })), { wish: { rights: { add: true, edit: false, delete: null } } });
});

test('what makes somebody different from others of the role stands beside the name', () => {
  const all = { add: true, edit: true, delete: true };
  assert.deepEqual(exceptions({ role: 'adult', rights: all }), []);
  assert.deepEqual(exceptions({ role: 'adult', rights: { ...all, delete: false }, second_factor: true }), ['may not delete', 'second factor']);
  assert.deepEqual(exceptions({ role: 'child', rights: { add: true, edit: false, delete: false }, limited: true, folders: [{ root: '/music', path: 'Kids/Songs' }] }), ['may add music', 'hears “Songs” alone']);
  assert.deepEqual(exceptions({ role: 'guest', limited: true, folders: [{ root: '/music', path: '' }, { root: '/b', path: '' }] }), ['hears 2 folders alone']);
  assert.deepEqual(exceptions({ role: 'guest', limited: true, folders: [] }), ['hears nothing yet']);
});

test('a folder is called by its last name', () => {
  assert.deepEqual([{ root: '/srv/music', path: '' }, { root: '/srv/music', path: 'Kids/Songs' }].map((one) => [folderName(one), folderPlace(one)]), [['music', '/srv/music'], ['Songs', '/srv/music/Kids/Songs']]);
});
