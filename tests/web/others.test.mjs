import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { APP_SCOPES, APPS, appUse, onlyHere, scopesOf } from '../../web/static/core/apps.js';
import { named } from '../../web/static/core/format.js';
import { episodeLine, heardShare, isBegun, opmlWords, podcastLine } from '../../web/static/core/podcasts.js';
import { refused, stateWords } from '../../web/static/core/scrobbling.js';
import { endOf, isOver, shareLine, shareName, shareWhat } from '../../web/static/core/shares.js';

const now = Date.parse('2026-11-21T12:00:00Z');

test('apps are offered the scopes that the station has, each with what it means', () => {
  const scopes = /^SCOPES.*?=\s*\(([^)]*)\)|^SCOPES.*?\{([^}]*)\}/m.exec(readFileSync(new URL('../../shared/model/person.py', import.meta.url), 'utf8'));
  for (const [scope] of APP_SCOPES) assert.ok(scopes[0].includes(`"${scope}"`), scope);
  for (const words of [...APP_SCOPES, ...APPS.map(([where, , told]) => [where, told])]) assert.ok(words.every(Boolean));
});

test('nobody is offered what is not theirs to give', () => {
  const child = { role: 'child', scope: 'own', rights: { add: false, edit: false, delete: false } };
  assert.deepEqual(scopesOf(child).map(([scope]) => scope), ['listen', 'own']);
  assert.doesNotMatch(scopesOf(child).join(), /other people/);
  assert.match(scopesOf({ role: 'owner', scope: 'own', rights: { add: true, edit: true, delete: true } }).join(), /add.*other people/);
});

test('an address of the machine itself is no use on a phone', () => {
  for (const one of ['http://127.0.0.1:5005', 'https://127.1.2.3/x', 'http://localhost:5005', 'http://LOCALHOST', 'http://[::1]:80']) assert.ok(onlyHere(one), one);
  for (const one of ['http://192.168.1.7:5005', 'https://localhost.example.org', 'https://music.example:127', 'http://127.0.0.1.example.org']) assert.ok(!onlyHere(one), one);
});

test('an app’s last use is told, or that there was none', () => {
  assert.match(appUse({ created_at: new Date().toISOString(), last_used_at: null }), /^not used yet · made just now$/);
  assert.match(appUse({ created_at: '2026-01-01T00:00:00Z', last_used_at: new Date().toISOString(), last_address: '10.0.0.2' }), /^used just now from 10\.0\.0\.2 · made 1 January 2026$/);
});

test('a link is over at its end, or when the station says so', () => {
  assert.equal(endOf(0, now), null);
  assert.equal(endOf(7, now), '2026-11-28T12:00:00.000Z');
  assert.equal(isOver({ expires_at: '2026-11-21T12:00:00Z' }, now), true);
  assert.equal(isOver({ expires_at: null }, now), false);
  assert.equal(isOver({ expires_at: null, over: true }, now), true);
});

test('a link tells how long it is good and how often it was opened', () => {
  assert.equal(shareLine({ expires_at: endOf(7, now), visit_count: 0 }, now), 'good for 7 days · not opened yet');
  assert.equal(shareLine({ expires_at: endOf(1, now), visit_count: 1 }, now), 'good until tomorrow · opened once');
  assert.equal(shareLine({ expires_at: null, visit_count: 3, visited_at: '2026-11-21T11:55:00Z' }, now), 'good until you end it · opened 3 times, last 5 minutes ago');
  assert.equal(shareName({ description: '', title: '' }), 'What is not here any more');
});

test('beside its description a link says what is behind it', () => {
  const album = { kind: 'album', id: 'a', title: 'Blue' };
  assert.equal(shareWhat({ entries: [album], title: 'Blue', description: 'For Ann' }), 'Album “Blue”');
  assert.equal(shareWhat({ entries: [album], title: 'Blue', description: '' }), 'Album');
  assert.equal(shareWhat({ entries: [album, album], title: 'Blue and Red', description: 'x' }), '2 albums “Blue and Red”');
  assert.equal(shareWhat({ entries: [album, { kind: 'track', id: 't', title: 'One' }], title: '', description: 'x' }), '2 things');
  assert.match(shareLine({ entries: [album], title: 'Blue', description: '', expires_at: null, visit_count: 0 }, now), /^Album · good until/);
});

test('what is looked for is found by beginnings of words, in any order and without accents', () => {
  for (const words of ['lon', 'way the', 'WÁY', 'ete']) assert.ok(named(words, 'The Long Way d’Été'), words);
  for (const words of ['', ' ', 'ong', 'long road']) assert.ok(!named(words, 'The Long Way d’Été'), words);
});

test('an episode tells how much is left, and that it was heard', () => {
  const episode = { published_at: '2026-11-20T11:00:00Z', duration_ms: 2_520_000, position_ms: 0, finished: false };
  assert.equal(episodeLine(episode, now), 'yesterday · 42 min');
  assert.equal(episodeLine({ ...episode, position_ms: 1_320_000, explicit: true }, now), 'yesterday · 20 min left · Explicit');
  assert.equal(episodeLine({ ...episode, finished: true }, now), 'yesterday · Played');
  assert.equal(episodeLine({ ...episode, duration_ms: null, position_ms: 5000 }, now), 'yesterday');
  assert.deepEqual([{ ...episode, position_ms: 5000 }, episode, { ...episode, position_ms: 5000, finished: true }].map(isBegun), [true, false, false]);
  assert.deepEqual([{ ...episode, position_ms: 630_000 }, { ...episode, finished: true }, { ...episode, duration_ms: null }].map(heardShare), [0.25, 1, 0]);
});

test('a podcast tells what is new in it, also while it cannot be read', () => {
  const podcast = { status: 'completed', author: 'Ann', new_count: 1, episode_count: 9 };
  assert.equal(podcastLine(podcast), '1 new episode');
  assert.equal(podcastLine({ ...podcast, new_count: 0 }), 'Ann');
  assert.equal(podcastLine({ ...podcast, new_count: 0, author: '' }), '9 episodes');
  assert.equal(podcastLine({ ...podcast, status: 'error', error: 'It is away.' }), '1 new episode');
  assert.equal(opmlWords({ added: 2, known: 1, failed: 1 }), '2 podcasts added, 1 followed already, 1 could not be read');
});

test('a service that plays are told to says what waits', () => {
  assert.equal(stateWords({ username: 'ann', waiting: 1, told_at: null }, now), 'as ann · 1 play waits to be told');
  assert.equal(stateWords({ username: 'ann', waiting: 0, told_at: '2026-11-21T11:58:00Z' }, now), 'as ann · last told 2 minutes ago');
  assert.equal(stateWords({ username: '', waiting: 0, told_at: null }, now), 'nothing told yet');
});

test('only a login that was refused is to be connected again; the station’s words tell', () => {
  const source = (name) => readFileSync(new URL(`../../shared/library/${name}.py`, import.meta.url), 'utf8');
  for (const [name, words] of [['lastfm', /let the station in any more\. Connect it again/], ['listenbrainz', /take the token any more\. Connect it again/], ['scrobbling', /is told with cannot be opened/]]) {
    const [said] = words.exec(source(name)) ?? [''];
    assert.ok(said && refused({ error: said }), name);
  }
  assert.equal(refused({ error: 'ListenBrainz does not answer.' }), false);
  assert.equal(refused({ error: null }), false);
});
