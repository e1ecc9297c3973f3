import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { colourOf, contrast, fromHsl, ground, hsl } from '../../web/static/core/colour.js';

const sheet = readFileSync(new URL('../../web/tailwind.css', import.meta.url), 'utf8');
/** The colours of one theme, as the sheet has them. */
const tokens = (start) => {
  const block = sheet.slice(sheet.indexOf(start)).match(/\{([^{}]*)\}/)[1];
  return Object.fromEntries([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map((m) => [m[1], m[2]]));
};
const themes = { dark: tokens(':root {'), light: tokens(':root[data-theme="light"]') };

for (const [name, t] of Object.entries(themes)) {
  test(`${name}: words can be read on every ground (WCAG AA)`, () => {
    for (const on of ['ground-0', 'ground-1', 'ground-2']) {
      for (const text of ['text-1', 'text-2', 'text-3', 'danger']) {
        const found = contrast(t[text], t[on]);
        assert.ok(found >= 4.5, `${text} on ${on}: ${found.toFixed(2)}`);
      }
    }
    assert.ok(contrast(t['text-1'], t['ground-3']) >= 7);
  });

  test(`${name}: the accent can be read, and be read on`, () => {
    for (const on of ['ground-0', 'ground-1', 'ground-2']) assert.ok(contrast(t.accent, t[on]) >= 4.5, `accent on ${on} ${contrast(t.accent, t[on]).toFixed(2)}`);
    assert.ok(contrast(t['on-accent'], t.accent) >= 4.5);
  });
}

test('the light theme is the same whether chosen or the system\'s', () => {
  assert.deepEqual(tokens(':root:not([data-theme="dark"])'), themes.light);
});

test('now playing can be read on the colour of any cover', () => {
  for (const [dark, text] of [[true, '#cfc6bb'], [false, '#4d453c']]) {
    for (let hue = 0; hue < 360; hue += 15) {
      for (const s of [0, 0.5, 1]) {
        for (const l of [0, 0.3, 0.6, 1]) {
          const colour = ground(fromHsl(hue, s, l), { dark, text, least: 5 });
          assert.ok(contrast(colour, text) >= 5, `${hue} ${s} ${l}`);
        }
      }
    }
  }
  assert.match(ground('nonsense', { dark: true, text: '#ffffff' }), /^#[0-9a-f]{6}$/);
});

test('a thing without a picture always has the same colour', () => {
  assert.equal(colourOf('Début'), colourOf('Début'));
  assert.match(colourOf(''), /^#[0-9a-f]{6}$/);
  assert.ok(new Set(['a', 'b', 'c', 'd', 'e', 'f'].map(colourOf)).size > 3);
});

test('colours go to hue and back', () => {
  for (const hex of ['#e8a33d', '#12100e', '#ffffff', '#336699']) assert.equal(fromHsl(...hsl(hex)), hex);
});
