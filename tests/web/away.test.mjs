import assert from 'node:assert/strict';
import test from 'node:test';
import { awayLine, folderName, reasonOf } from '../../web/static/core/away.js';

test('a folder that is away is told apart from a file that has left', () => {
  assert.match(reasonOf({ code: 'track_missing', message: 'x', details: { reason: 'no_answer' } }), /folder is away/);
  assert.match(reasonOf({ code: 'track_missing', message: 'x', details: { reason: 'not_there' } }), /no longer in its music folder/);
  assert.equal(reasonOf({ code: 'track_missing', message: 'Only in the cloud.' }), 'Only in the cloud.');
  assert.equal(reasonOf({ code: 'overloaded', message: 'Too much to do.' }), 'Too much to do.');
  assert.equal(reasonOf({}), 'Its file is not there now.');
});

test('of what lies in the cloud the station’s own words are told: no folder is away', () => {
  const error = { code: 'track_missing', message: 'This track lies in the cloud alone.', details: { reason: 'no_answer' } };
  assert.equal(reasonOf(error, { place: 'cloud' }), error.message);
  assert.match(reasonOf(error, { place: 'local' }), /folder is away/);
});

test('nothing is said while all folders are there', () => {
  assert.equal(awayLine([{ path: '/a', state: 'online', track_count: 3 }]), '');
  assert.equal(awayLine([]), '');
  assert.equal(awayLine(undefined), '');
});

test('one line names the folder that is away, or counts them', () => {
  const root = (path, state, track_count) => ({ path, state, track_count });
  assert.equal(awayLine([root('/a', 'online', 9), root('/media/usb/Music/', 'absent', 1204)]), 'The music folder “Music” is away. 1,204 tracks wait for it.');
  assert.equal(awayLine([root('/m', 'empty', 1)]), 'The music folder “m” is away. 1 track waits for it.');
  assert.equal(awayLine([root('/m', 'offline', 0)]), 'The music folder “m” is away.');
  assert.equal(awayLine([root('/m', 'offline', 2), root('/n', 'absent', 3)]), '2 music folders are away. 5 tracks wait for them.');
});

test('a folder is called by its last part', () => {
  assert.equal(folderName('C:\\Users\\ben\\Music'), 'Music');
  assert.equal(folderName('/'), '/');
});
