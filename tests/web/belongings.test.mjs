import assert from 'node:assert/strict';
import test from 'node:test';
import { documentIn, reportWords } from '../../web/static/core/belongings.js';

test('what an import brings is said in a few words', () => {
  assert.deepEqual(reportWords({ playlists: { made: 1, updated: 2, same: 3 }, ratings: 1, favourites: 0, plays: 1200 }).map((one) => one.replace(/\D(?=\d{3})/, '')), ['1 new playlist', '2 playlists changed', '1 rating', '1200 plays']);
  assert.deepEqual(reportWords({ playlists: { made: 0, updated: 0, same: 3 }, ratings: 0, favourites: 0, plays: 0 }), []);
});

test('a file that is no export is refused before it is sent', () => {
  assert.equal(documentIn('{"soundsible": 1, "tracks": []}').soundsible, 1);
  for (const none of ['', 'ID3', '[]', 'null', '7', '{"soundsible": "1"}', '{}']) assert.throws(() => documentIn(none), /export/);
});
