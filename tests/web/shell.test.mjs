import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('../../web/', import.meta.url));
const read = (name) => readFileSync(join(web, name), 'utf8');
const files = (folder) => readdirSync(join(web, folder), { withFileTypes: true })
  .flatMap((entry) => (entry.isDirectory() ? files(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]));
const modules = files('static').filter((name) => name.endsWith('.js') && !name.includes('vendor'));
const page = read('index.html');

test('the worker keeps every file that the shell is made of', () => {
  const kept = [...read('sw.js').matchAll(/'\/(static\/[^']+)'/g)].map((m) => m[1]);
  const wanted = files('static').filter((name) => !/\.txt$|sprite\.svg$|mark\.svg$/.test(name));
  assert.deepEqual(kept.sort(), wanted.sort(), 'run `npm run build` in web/');
});

test('the page obeys its own policy: nothing inline', () => {
  assert.ok(!/<script(?![^>]*\ssrc=)/.test(page), 'an inline script');
  assert.ok(!/\sstyle=|<style|\son\w+=/.test(page), 'an inline style or handler');
  for (const name of modules) {
    assert.ok(!/html`[^`]*\sstyle="/.test(read(name)), `${name} writes a style attribute; use data-css`);
  }
});

test('every picture named is in the sprite', () => {
  const drawn = new Set([...page.matchAll(/id="i-([\w-]+)"/g)].map((m) => m[1]));
  for (const name of modules) {
    const source = read(name);
    for (const [, symbol] of source.matchAll(/\bicon\('([\w-]+)'/g)) assert.ok(drawn.has(symbol), `${name}: ${symbol}`);
    for (const [, symbol] of source.matchAll(/\bicon: '([\w-]+)'/g)) assert.ok(drawn.has(symbol), `${name}: ${symbol}`);
  }
});

test('every import leads to a file', () => {
  for (const name of modules) {
    for (const target of [...read(name).matchAll(/^import [^;]*?from '(\.[^']+)'|^import '(\.[^']+)'/gm)].map((m) => m[1] ?? m[2])) {
      assert.doesNotThrow(() => readFileSync(join(web, name, '..', target)), `${name} imports ${target}`);
    }
  }
});

test('the manifest names pictures that are there', () => {
  const manifest = JSON.parse(read('manifest.webmanifest'));
  assert.ok(manifest.icons.some((icon) => icon.purpose === 'maskable' && icon.sizes === '512x512'));
  for (const { src } of manifest.icons) assert.doesNotThrow(() => readFileSync(join(web, src)));
});
