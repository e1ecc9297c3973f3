import assert from 'node:assert/strict';
import test from 'node:test';
import { parse, tabOf, to } from '../../web/static/core/router.js';

test('addresses name their view and its parts', () => {
  assert.deepEqual(parse(''), { name: 'home', params: {}, query: {}, path: '/' });
  assert.equal(parse('#/album/ab12').params.id, 'ab12');
  assert.deepEqual(parse('#/search?q=b%C3%A4r+x').query, { q: 'bär x' });
  assert.equal(parse('#/setup/k-9').params.code, 'k-9');
  assert.equal(parse('#/you/folders').params.part, 'folders');
});

test('names with any sign survive the way there and back', () => {
  for (const name of ['Drum & Bass', 'Hip-Hop/Rap', '100 %', 'Où?', '#1', 'a/../b']) {
    assert.equal(parse(to`/genre/${name}`).params.name, name);
  }
});

test('broken escapes and unknown places are no error', () => {
  assert.equal(parse('#/genre/%E0%A4%A').params.name, '%E0%A4%A');
  assert.equal(parse('#/no/such/place').name, 'nowhere');
});

test('pages of the library light its tab', () => {
  assert.equal(tabOf('album'), 'library');
  assert.equal(tabOf('search'), 'search');
  assert.equal(tabOf('login'), '');
});
