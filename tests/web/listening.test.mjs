import assert from 'node:assert/strict';
import test from 'node:test';
import { createTally, enough } from '../../web/static/core/listening.js';
import { activeLine } from '../../web/static/core/lyrics.js';
import { fallbackFormat, levelFactor } from '../../web/static/core/player.js';

const listen = (tally, from, to, step = 250) => { for (let at = from; at <= to; at += step) tally.at(at); };

test('half of a track counts, or four minutes of a long one', () => {
  assert.equal(enough(100_000), 50_000);
  assert.equal(enough(3_600_000), 240_000);
  assert.equal(enough(0), 240_000);
});

test('a play is told once, when enough was heard', () => {
  const told = [];
  const tally = createTally({ durationMs: 8000, onPlay: (ms) => told.push(ms) });
  listen(tally, 0, 3750);
  assert.deepEqual(told, []);
  listen(tally, 4000, 8000);
  assert.deepEqual(told, [4000]);
});

test('jumping ahead is not listening', () => {
  const told = [];
  const tally = createTally({ durationMs: 60_000, onPlay: (ms) => told.push(ms) });
  listen(tally, 0, 1000);
  tally.lift();
  listen(tally, 55_000, 60_000);
  assert.deepEqual(told, []);
  assert.equal(tally.playedMs, 6000);
  tally.at(10_000);
  assert.equal(tally.playedMs, 6000);
});

test('the line being sung', () => {
  const lines = [{ start_ms: 1000 }, { start_ms: null }, { start_ms: 2000 }, { start_ms: 5000 }];
  assert.deepEqual([0, 1000, 1999, 2000, 9000].map((at) => activeLine(lines, at)), [-1, 0, 0, 2, 3]);
  assert.equal(activeLine([], 5), -1);
});

test('loudness is only ever lowered', () => {
  const track = { replaygain: { track_gain_db: -6, album_gain_db: 3 } };
  assert.equal(levelFactor(track, 'off'), 1);
  assert.ok(Math.abs(levelFactor(track, 'track') - 0.501) < 0.001);
  assert.equal(levelFactor(track, 'album'), 1);
  assert.equal(levelFactor({ replaygain: {} }, 'track'), 1);
  assert.equal(levelFactor(null, 'track'), 1);
});

test('a browser gets a transcode it understands', () => {
  assert.equal(fallbackFormat(() => 'probably'), 'opus');
  assert.equal(fallbackFormat((type) => (type.includes('ogg') ? '' : 'maybe')), 'mp3');
  assert.equal(fallbackFormat(() => ''), 'aac');
});
