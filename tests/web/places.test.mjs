import assert from 'node:assert/strict';
import test from 'node:test';
import { createMoving } from '../../web/static/core/moving.js';
import { albumPlace, commandsIn, copyingWords, errandLine, errandName, errandPercent, errandTrouble, isAway, keptBy, overWords, placeLine, placeWords, resultWords, storageState } from '../../web/static/core/places.js';

const at = (...places) => places.map((place) => ({ place }));

test('what lies here has no sign, what lies elsewhere has one', () => {
  assert.deepEqual(at('local', 'missing').map(placeWords), ['', '']);
  assert.match(placeWords({ place: 'cloud' }), /^In the cloud$/);
  assert.match(placeWords({ place: 'cache' }), /cache/);
  assert.deepEqual(at('local', 'cache', 'cloud', 'missing').map(isAway), [false, true, true, false]);
});

test('an album says where it lies only when some of it is not here', () => {
  assert.equal(albumPlace(at('local', 'local')), '');
  assert.equal(albumPlace([]), '');
  assert.equal(albumPlace(at('cloud', 'cache')), 'In the cloud');
  assert.equal(albumPlace(at('cloud', 'local', 'missing')), '1 of 3 in the cloud');
  assert.equal(albumPlace(at('missing', 'missing')), 'Not there now');
  assert.equal(albumPlace(at('missing', 'local')), '', 'its row says so');
});

test('a track is kept by itself or with its album', () => {
  const pins = [{ kind: 'album', id: 'a' }, { kind: 'track', id: 't' }];
  assert.equal(keptBy(pins, 'album', 'a'), 'own');
  assert.equal(keptBy(pins, 'track', 't', 'b'), 'own');
  assert.equal(keptBy(pins, 'track', 'u', 'a'), 'album');
  assert.equal(keptBy(pins, 'track', 'u', null), '');
  assert.equal(keptBy(pins, 'album', 't'), '', 'an id of another kind');
});

test('a storage that is not well says what to do, and what to run', () => {
  assert.deepEqual(storageState({ name: 'r2', state: 'ready', broken: 0 }), { words: 'Ready', wrong: false, remedy: '' });
  assert.match(storageState({ name: 'r2', state: 'ready', broken: 1 }).remedy, /^1 copy in it is gone/);
  const silent = storageState({ name: 'my.r2', state: 'trouble', broken: 0 });
  assert.deepEqual([silent.words, silent.wrong, commandsIn(silent.remedy)[1]], ['Does not answer', true, 'python3 run.py tool storage test my.r2']);
  const locked = storageState({ name: 'r2', state: 'locked', message: 'Enter it again. That is: python3 run.py tool storage secret r2 (or python3 run.py tool storage remove r2 to do without; what lies in the bucket stays).' });
  const pieces = commandsIn(locked.remedy);
  assert.equal(locked.words, 'Locked');
  assert.deepEqual([pieces[1], pieces[3]], ['python3 run.py tool storage secret r2', 'python3 run.py tool storage remove r2']);
  assert.equal(pieces.join(''), locked.remedy);
  assert.equal(commandsIn('Add it again: python3 run.py tool storage add')[1], 'python3 run.py tool storage add');
  assert.deepEqual(commandsIn('Nothing to run.'), ['Nothing to run.']);
});

test('a place of a track is told with its state, and only trouble is called wrong', () => {
  const line = (place) => placeLine({ message: null, ...place });
  assert.deepEqual(line({ kind: 'local', state: 'here', size_bytes: 2_000_000 }), { name: 'On this machine', facts: '2.0 MB', state: '', message: '', wrong: false });
  const gone = line({ kind: 'local', state: 'gone', size_bytes: 2_000_000 });
  assert.deepEqual([gone.state, gone.facts, gone.wrong], ['Not there', '', false]);
  assert.equal(line({ kind: 'local', state: 'unknown', message: 'The folder is away.' }).wrong, true);
  const small = line({ kind: 'cloud', provider: 'r2', state: 'here', size_bytes: 5000, compression: 'opus:128', sealed: true, verified_at: new Date().toISOString() });
  assert.equal(small.name, 'In the cloud: r2');
  assert.equal(small.facts, '5.0 KB · made smaller (OPUS 128) · encrypted · checked just now');
  assert.match(line({ kind: 'cloud', provider: 'r2', state: 'here', size_bytes: 5000, compression: '' }).facts, /the file itself/);
});

const NOW = Date.parse('2026-05-01T12:00:00Z');
const errand = (more) => ({ id: 'e', kind: 'upload', state: 'waiting', title: null, selection: { everything: false, album_count: 0, track_count: 0 }, progress: null, report: null, message: null, attempt: 0, not_before: null, finished_at: null, ...more });

test('an errand is called by what it is about', () => {
  assert.equal(errandName(errand({ title: 'Weather' })), 'Weather');
  assert.equal(errandName(errand({ selection: { everything: true } })), 'All your music');
  assert.equal(errandName(errand({ selection: { album_count: 2, track_count: 1 } })), '2 albums, 1 track');
  assert.match(errandName(errand({ kind: 'backup', selection: { everything: true } })), /library/);
});

test('an errand says where it stands', () => {
  const line = (more) => errandLine(errand(more), NOW);
  assert.equal(line({}), 'To be copied to the cloud · waits for its turn');
  assert.equal(line({ not_before: '2026-05-01T12:00:40Z' }), 'To be copied to the cloud · tried again in 40 s');
  assert.equal(line({ state: 'running', progress: { phase: 'uploading', done: 3, total: 12, bytes_done: 1_000_000, bytes_total: 4_000_000 } }), 'Copying to the cloud · 3 of 12 · 1.0 MB of 4.0 MB');
  assert.equal(line({ kind: 'offload', state: 'running', progress: { phase: 'asking', done: 0, total: null } }), 'Moving to the cloud · Asking the storage');
  assert.equal(line({ state: 'running', kind: 'offload' }), 'Moving to the cloud');
  assert.equal(line({ state: 'done', report: { uploaded: 2, bytes: 3_000_000, failed: [] }, finished_at: '2026-05-01T11:55:00Z' }), 'Copied to the cloud · 2 tracks, 3.0 MB · 5 minutes ago');
  assert.equal(line({ state: 'done', kind: 'offload', report: { offloaded: 0, kept: [{}, {}], failed: [] } }), 'Nothing was moved · 2 tracks stay');
  assert.equal(line({ state: 'failed', report: { uploaded: 0, failed: [{}] } }), 'Did not work · 1 track did not work');
  assert.equal(line({ state: 'cancelled' }), 'Stopped');
});

test('how far it is goes by bytes, else by files, and is open while nobody knows', () => {
  const percent = (progress) => errandPercent(errand({ state: 'running', progress }));
  assert.equal(percent({ done: 1, total: 4, bytes_done: 10, bytes_total: 20 }), 50);
  assert.equal(percent({ done: 1, total: 4, bytes_done: 0, bytes_total: null }), 25);
  assert.equal(percent({ done: 9, total: 4 }), 100);
  assert.equal(percent({ done: 1, total: null }), null);
  assert.equal(percent(null), null);
});

test('trouble is told of what failed and of what is tried again', () => {
  assert.equal(errandTrouble(errand({ state: 'failed', message: 'No.' })), 'No.');
  assert.equal(errandTrouble(errand({ state: 'waiting', attempt: 1, message: 'Later.' })), 'Later.');
  assert.equal(errandTrouble(errand({ state: 'done', message: 'x' })), '');
});

test('the end is told in the listener’s words', () => {
  const over = (kind, report, more) => overWords(errand({ kind, state: 'done', title: 'Weather', report, ...more }));
  assert.match(over('upload', { uploaded: 2 }).message, /is in the cloud now, too/);
  assert.match(over('upload', { uploaded: 0, skipped: 2 }).message, /already/);
  assert.match(over('offload', { offloaded: 2, bytes: 2e6 }).message, /^2\.0 MB are free again/);
  assert.match(over('offload', { offloaded: 0, kept: [{ message: 'It is pinned.' }] }).message, /stays here\. It is pinned/);
  assert.match(over('fetch', { fetched: 2 }).message, /is back on this machine/);
  const failed = over('fetch', null, { state: 'failed', message: 'The key is wrong.' });
  assert.deepEqual([failed.tone, failed.message], ['problem', 'Bringing back did not work for “Weather”. The key is wrong.']);
  assert.equal(over('upload', null, { state: 'cancelled' }), null);
  assert.equal(over('upload', { uploaded: 9 }, { title: null, selection: { everything: true } }).message, 'All your music is in the cloud now, too.');
  assert.equal(over('backup', {}), null, 'nobody asked for it here');
});

test('what came of it counts what stayed and what failed', () => {
  assert.equal(resultWords(errand({ kind: 'offload', report: { offloaded: 2, bytes: 2e6, kept: [{}], failed: [{}] } })), '2.0 MB freed · 1 track stays · 1 track did not work');
  assert.equal(resultWords(errand({ kind: 'fetch', report: { fetched: 0, skipped: 3, failed: [] } })), 'It was here already');
  assert.equal(resultWords(errand({ report: null })), '');
});

test('what is copied by itself is said only when something is', () => {
  assert.equal(copyingWords('off'), '');
  assert.match(copyingWords('downloads'), /downloaded/);
});

const moving = (state, parts = {}) => createMoving({ store: { state: { user: { role: 'adult', scope: 'own', rights: { edit: true } }, storages: ['r2'], pins: [], ...state } }, ...parts });
const offered = (state, kind, thing, tracks) => moving(state).items(kind, thing, tracks).filter(Boolean).map((item) => item.words);

test('a menu offers what can be done from where a thing lies', () => {
  const track = { id: 't', album_id: 'a', place: 'local' };
  assert.deepEqual(offered({}, 'track', track, [track]), ['Copy to the cloud', 'Free up space', 'Keep on this machine', 'Where it lies']);
  const away = { ...track, place: 'cloud' };
  assert.deepEqual(offered({}, 'track', away, [away]), ['Keep on this machine', 'Where it lies']);
  const gone = { ...track, place: 'missing' };
  assert.deepEqual(offered({}, 'track', gone, [gone]), ['Where it lies']);
  assert.deepEqual(offered({}, 'album', { id: 'a' }, []), ['Copy to the cloud', 'Free up space', 'Keep on this machine'], 'its tracks are not known yet');
  assert.deepEqual(moving({}).items('album', { id: 'a' }, [gone]), [], 'and no line stands alone');
});

test('what is kept here does not leave, and may be let go', () => {
  const track = { id: 't', album_id: 'a', place: 'local' };
  assert.deepEqual(offered({ pins: [{ kind: 'track', id: 't' }] }, 'track', track, [track]), ['Copy to the cloud', 'No longer keep here', 'Where it lies']);
  const items = moving({ pins: [{ kind: 'album', id: 'a' }] }).items('track', track, [track]);
  assert.deepEqual(items.find((item) => item?.icon === 'pin-off').data, { kind: 'album', id: 'a' });
});

test('nothing of it is offered to whom the station would refuse it', () => {
  const track = { id: 't', place: 'local' };
  for (const user of [null, { role: 'child' }, { role: 'guest' }, { role: 'owner', scope: 'listen' }, { role: 'adult', scope: 'add' }]) assert.deepEqual(offered({ user }, 'track', track, [track]), []);
  assert.deepEqual(offered({ storages: [] }, 'track', track, [track]), ['Copy to the cloud', 'Where it lies'], 'there is no storage yet');
});
