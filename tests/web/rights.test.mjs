import assert from 'node:assert/strict';
import test from 'node:test';
import { adds, changesList, deletes, edits, ownAccount, owns, ownsList, samePerson, seesFiles, shares, sharing } from '../../web/static/core/rights.js';

const all = { add: true, edit: true, delete: true };
const none = { add: false, edit: false, delete: false };
const person = (role, scope = 'own', rights = role === 'child' ? none : all) => ({ username: 'ben', role, scope, rights, limited: false });

test('what may be done with the library is as the station says, whatever the role', () => {
  assert.deepEqual([adds, edits, deletes].map((may) => may(person('adult', 'own', { ...all, delete: false }))), [true, true, false]);
  assert.deepEqual([adds, edits, deletes].map((may) => may(person('child', 'own', { ...none, add: true }))), [true, false, false]);
  assert.deepEqual([adds, edits, deletes].map((may) => may({ role: 'owner', scope: 'own' })), [false, false, false], 'nothing was said');
});

test('a device that may only listen looks after nothing, whoever holds it', () => {
  for (const may of [owns, seesFiles, ownAccount]) assert.equal(may(person('owner', 'listen')), false);
  assert.equal(owns(person('adult')), false);
  assert.deepEqual([owns, seesFiles, ownAccount].map((may) => may(person('owner'))), [true, true, true]);
});

test('who sees some folders alone sees no paths', () => {
  assert.equal(seesFiles(person('adult')), true);
  assert.equal(seesFiles({ ...person('adult'), limited: true }), false);
  assert.equal(seesFiles(person('child')), false);
});

test('another right, name or folder makes another person of somebody', () => {
  assert.ok(samePerson(person('adult'), { ...person('adult'), id: 'x' }));
  for (const other of [{ username: 'ann' }, { role: 'owner' }, { limited: true }, { rights: { ...all, delete: false } }]) {
    assert.equal(samePerson(person('adult'), { ...person('adult'), ...other }), false);
  }
});

test('owners and adults share by links, and not with a device that only listens', () => {
  assert.deepEqual([person('owner'), person('adult'), person('adult', 'add'), person('adult', 'listen'), person('child')].map(shares), [true, true, true, false, false]);
});

test('nobody may nothing', () => {
  for (const may of [owns, edits, deletes, adds, seesFiles, shares, ownAccount]) assert.equal(may(null), false);
});

test('a playlist is named and shared by its owner, filled by whom it lets', () => {
  const list = (owner, visibility) => ({ owner, visibility });
  const ben = person('child');
  assert.deepEqual([ownsList(list('ben', 'private'), ben), changesList(list('ben', 'private'), ben)], [true, true]);
  assert.deepEqual([ownsList(list('ann', 'shared'), ben), changesList(list('ann', 'shared'), ben)], [false, false]);
  assert.deepEqual([ownsList(list('ann', 'collaborative'), ben), changesList(list('ann', 'collaborative'), ben)], [false, true]);
  assert.equal(changesList({ visibility: 'collaborative' }, ben), false, 'not known whose');
  assert.equal(changesList(undefined, ben), false);
});

test('beside a playlist stands whose it is when it is not the own one, and who hears it', () => {
  const ben = person('adult');
  assert.deepEqual(sharing({ owner: 'ben', visibility: 'private' }, ben), []);
  assert.deepEqual(sharing({ owner: 'ben', visibility: 'shared' }, ben), ['Shared']);
  assert.deepEqual(sharing({ owner: 'ann', visibility: 'collaborative' }, ben), ['by ann', 'Made together']);
  assert.deepEqual(sharing(undefined, ben), []);
});
