import assert from 'node:assert/strict';
import test from 'node:test';
import { gapsIn, isLink, nameOf, nextStep, optionsOf, shortLink, silentLine, stateLine, until, wantedOf, wholeLink, wishOf, wishOfOffer } from '../../web/static/core/coming.js';

const download = (more) => ({ id: 'd', status: 'waiting', stage: null, title: 'Ember', artist: 'Copper Sky', progress: { bytes: 0 }, error: null, note: null, ...more });

test('where a download stands is told in words of the listener', () => {
  assert.equal(stateLine(download({ status: 'downloading', progress: { bytes: 3_100_000, total_bytes: 8_200_000, bytes_per_second: 1_200_000, eta_s: 4.3 } })), '4 s left · 3.1 MB of 8.2 MB · 1.2 MB/s');
  assert.equal(stateLine(download({ status: 'downloading', progress: {} })), 'Coming in');
  assert.equal(stateLine(download({ status: 'processing', stage: 'admit' })), 'Putting it on the shelf');
  assert.equal(stateLine(download({ status: 'processing', stage: 'a_new_one' })), 'Getting it ready');
  assert.equal(stateLine(download({ note: 'Soulseek opens again in 40 s.' })), 'Soulseek opens again in 40 s.');
  assert.equal(stateLine(download({ not_before: new Date(30_000).toISOString() }), 0), 'Waiting in 30 s');
  assert.equal(stateLine(download({ status: 'failed', error: { code: 'private', message: 'This video is private.' } })), 'This video is private.');
  assert.equal(stateLine(download({ status: 'completed', quality_got: 'opus 160 kbit/s' })), 'In your library · opus 160 kbit/s');
  assert.equal(stateLine(download({ status: 'completed', duplicate_of: 't' })), 'It was in your library already');
});

test('a time that is past is no time to wait for', () => {
  assert.equal(until(new Date(1000).toISOString(), 2000), '');
  assert.equal(until(null), '');
  assert.equal(until(new Date(300_000).toISOString(), 0), 'in 5 min');
});

test('a failure offers the one thing that helps', () => {
  const failed = (code, retryable = false) => download({ status: 'failed', error: { code, message: '', retryable } });
  assert.deepEqual(nextStep(failed('timed_out', true)), { words: 'Try again', deed: 'download-retry' });
  assert.equal(nextStep(failed('private'), { candidates: [{ chosen: true }, {}] }).deed, 'see-candidates');
  assert.equal(nextStep(failed('private')).href, '#/search?q=Copper%20Sky%20Ember');
  assert.equal(nextStep({ ...failed('not_audio'), title: null, artist: null, query: null }).href, '#/downloads');
  assert.equal(nextStep(failed('read_only'), { seesFiles: true }).href, '#/you/folders');
  assert.equal(nextStep(failed('read_only')).deed, 'download-retry');
  assert.equal(nextStep(failed('not_configured')).href, '#/downloads/sources');
});

test('links are known with and without their beginning, words are none', () => {
  for (const link of ['https://a.example/x.mp3', 'HTTP://10.0.0.1/x', 'spotify:track:4uLU6hMCjMI75M1A2tKUQC', 'open.spotify.com/album/1', 'www.youtube.com/watch?v=x', 'youtu.be/x', 'artist.bandcamp.com/track/x']) assert.ok(isLink(link), link);
  for (const words of ['', 'Björk', 'Björk - Come to Me', 'https://', 'a.b', 'http:/x', 'file:///etc/passwd', 'spotify:evil:1 2']) assert.ok(!isLink(words), words);
  assert.equal(wholeLink('youtu.be/x'), 'https://youtu.be/x');
  assert.equal(wholeLink(' spotify:track:1 '), 'spotify:track:1');
});

test('one line is one wish, several are a list', () => {
  assert.equal(wishOf('  \n '), null);
  assert.deepEqual(wishOf(' Copper Sky - Ember\n'), { path: '/downloads', body: { query: 'Copper Sky - Ember' } });
  assert.deepEqual(wishOf('https://a.example/x'), { path: '/downloads', body: { url: 'https://a.example/x' } });
  assert.equal(wishOf('a - b\nc - d').path, '/downloads/batch');
});

test('an offer is asked for by the recording it names, else by its link', () => {
  assert.deepEqual(wishOfOffer({ kind: 'track', tracks: [{ title: 'Ember', artist: null, artists: [], track_id: 'x', source: 'deezer' }] }), { track: { title: 'Ember', source: 'deezer' } });
  assert.deepEqual(wishOfOffer({ kind: 'track', tracks: [], url: 'https://a.example' }), { url: 'https://a.example' });
  assert.deepEqual(wishOfOffer({ kind: 'track', title: 'Ember', artist: 'Copper Sky', source: 'deezer', id: '7', url: null }), { track: { title: 'Ember', artist: 'Copper Sky', source: 'deezer', source_id: '7' } });
  assert.deepEqual(wantedOf({ title: 'x', genres: [], album: null, explicit: false }), { title: 'x', explicit: false });
});

test('only what was chosen is sent', () => {
  const form = new FormData();
  for (const [name, value] of [['wish', 'x'], ['quality', ''], ['format', 'opus'], ['level', ''], ['trim', 'no'], ['when', 'night']]) form.set(name, value);
  assert.deepEqual(optionsOf(form), { format: 'opus', trim: false, nightly: true });
});

test('sources that kept silent are named once, in one line', () => {
  assert.equal(silentLine([]), '');
  assert.equal(silentLine([{ source: 'deezer' }, { source: 'spotify' }, { source: 'deezer' }]), 'Deezer and Spotify did not answer this time.');
});

test('a link is told without what nobody reads', () => {
  assert.equal(shortLink('https://www.example.org/a%20b/?utm=1#x'), 'example.org/a b');
  assert.equal(shortLink('https://x/%E0%A4%A'), 'x/%E0%A4%A');
  assert.equal(nameOf({ url: 'http://x/y.mp3' }), 'x/y.mp3');
  assert.equal(nameOf({}), 'Something');
});

test('gaps between a record\'s numbers are seen, a record without numbers has none', () => {
  const tracks = (...numbers) => numbers.map((n) => ({ track_number: n, disc_number: 1 }));
  assert.equal(gapsIn(tracks(1, 2, 5)), 2);
  assert.equal(gapsIn(tracks(1, 2, 2, 3)), 0, 'two with one number');
  assert.equal(gapsIn([...tracks(1, 3), { track_number: 2, disc_number: 2 }]), 2);
  assert.equal(gapsIn([{ track_number: null }, { track_number: 7 }]), 0);
  assert.equal(gapsIn([]), 0);
});
