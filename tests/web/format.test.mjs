import assert from 'node:assert/strict';
import test from 'node:test';
import { ago, clock, greeting, initial, plural, quality, size, span, spoken } from '../../web/static/core/format.js';

test('positions read like a clock', () => {
  assert.deepEqual([0, 999, 61_000, 3_600_000, 3_729_000].map(clock), ['0:00', '0:00', '1:01', '1:00:00', '1:02:09']);
  assert.equal(clock(null), '–:––');
  assert.equal(clock(NaN), '–:––');
  assert.equal(clock(-5), '0:00');
});

test('positions can be said', () => {
  assert.equal(spoken(3_661_000), '1 hour 1 minute 1 second');
  assert.equal(spoken(0), '0 seconds');
});

test('lengths are rounded to what matters', () => {
  assert.deepEqual([8000, 42 * 60_000, 185 * 60_000, 120 * 60_000, 26 * 86_400_000].map(span), ['8 s', '42 min', '3 h 5 min', '2 h', '26 days']);
});

test('counts have their plural', () => {
  assert.equal(plural(1, 'track'), '1 track');
  assert.equal(plural(0, 'track'), '0 tracks');
  assert.equal(plural(1204, 'track'), '1,204 tracks');
});

test('sizes keep one decimal where it helps', () => {
  assert.deepEqual([0, 999, 31_400_000, 250_000_000, 1_500_000_000_000].map(size), ['0 B', '999 B', '31.4 MB', '250 MB', '1.5 TB']);
});

test('files say what they are', () => {
  assert.equal(quality({ format: 'flac', bit_depth: 24, sample_rate_hz: 44100, bitrate_kbps: 900 }), 'FLAC · 24 bit · 44.1 kHz');
  assert.equal(quality({ format: 'mp3', bitrate_kbps: 320, sample_rate_hz: 44100 }), 'MP3 · 320 kbit/s');
});

test('times past are told as people do', () => {
  const now = Date.parse('2024-05-10T12:00:00Z');
  const at = (text) => ago(text, now);
  assert.deepEqual([at('2024-05-10T11:59:40Z'), at('2024-05-10T11:55:00Z'), at('2024-05-10T09:00:00Z'), at('2024-05-09T11:00:00Z'), at('2024-05-07T11:00:00Z')],
    ['just now', '5 minutes ago', '3 hours ago', 'yesterday', '3 days ago']);
  assert.match(at('2023-01-02T00:00:00Z'), /2 January 2023/);
  assert.equal(at('nonsense'), '');
});

test('a title without a picture has its letter, in any script', () => {
  assert.deepEqual(['Amber', 'öde', '(what)', '日本の夏', '…', null].map(initial), ['A', 'Ö', 'W', '日', '♪', '♪']);
});

test('the day is greeted by its hour', () => assert.deepEqual([2, 8, 15, 21].map(greeting), ['Good evening', 'Good morning', 'Good afternoon', 'Good evening']));
