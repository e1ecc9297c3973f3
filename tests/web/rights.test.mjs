import assert from 'node:assert/strict';
import test from 'node:test';
import { adds, changesList, edits, ownAccount, owns, ownsList, seesFiles, sharing } from '../../web/static/core/rights.js';

const person = (role, scope = 'own') => ({ username: 'ben', role, scope });

test('children and guests listen, adults care for the library, owners for the station', () => {
  for (const role of ['child', 'guest']) for (const may of [owns, edits, adds, seesFiles]) assert.equal(may(person(role)), false);
  for (const may of [edits, adds, seesFiles]) assert.equal(may(person('adult')), true);
  assert.equal(owns(person('adult')), false);
  for (const may of [owns, edits, adds, seesFiles]) assert.equal(may(person('owner')), true);
});

test('a device that may only listen does no more, whoever holds it', () => {
  for (const may of [owns, edits, adds, seesFiles, ownAccount]) assert.equal(may(person('owner', 'listen')), false);
  assert.equal(adds(person('owner', 'add')), true);
  assert.equal(edits(person('owner', 'add')), false);
});

test('nobody may nothing', () => {
  for (const may of [owns, edits, adds, seesFiles, ownAccount]) assert.equal(may(null), false);
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
