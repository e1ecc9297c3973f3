import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { createContext, runInContext } from 'node:vm';
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

test('the page and the worker tell the version of the files as they are', () => {
  const hash = createHash('sha256');
  const told = /<meta name="version" content="([^"]*)">/.exec(page);
  hash.update(page.replace(told[0], '<meta name="version" content="">')).update(readFileSync(join(web, 'manifest.webmanifest')));
  for (const [, name] of read('sw.js').matchAll(/'\/(static\/[^']+)'/g)) hash.update(readFileSync(join(web, name)));
  const version = hash.digest('hex').slice(0, 12);
  assert.deepEqual([told[1], /VERSION = .*?'(\w*)'/.exec(read('sw.js'))[1]], [version, version], 'run `npm run build` in web/');
});

/** The worker, with a station that answers as `station(path)` says. */
const worker = (station) => {
  const kept = new Map([['/', 'kept page'], ['/static/app.js', 'kept app']]);
  const listeners = {};
  const path = (request) => new URL(request.url ?? request, 'https://station').pathname;
  const cache = {
    match: async (request) => (kept.has(path(request)) ? new Response(kept.get(path(request))) : undefined),
    put: async (request, answer) => { kept.set(path(request), await answer.text()); },
  };
  runInContext(read('sw.js'), createContext({
    URL, Request, Response, Promise, caches: { open: async () => cache }, fetch: async (request) => station(path(request)),
    self: { location: { origin: 'https://station' }, addEventListener: (name, listener) => { listeners[name] = listener; } },
  }));
  const ask = async (to, mode, { clientId = '', resultingClientId = '' }) => {
    let answer;
    listeners.fetch({ request: { method: 'GET', url: `https://station${to}`, mode }, clientId, resultingClientId, respondWith: (said) => { answer = said; }, waitUntil: () => {} });
    return answer && (await answer).text();
  };
  return {
    kept,
    open: (to, window) => ask(to, 'navigate', { resultingClientId: window }),
    file: (to, window) => ask(to, 'no-cors', { clientId: window }),
  };
};

test('a page of the version that is kept gets the kept files', async () => {
  const player = worker((path) => new Response(path === '/' ? page : 'fresh app'));
  assert.equal(await player.open('/', 'one'), page);
  assert.equal(await player.file('/static/app.js', 'one'), 'kept app');
  assert.equal(player.kept.get('/'), page);
});

test('a page of another version gets its own files, and what is kept stays of one version', async () => {
  const newer = page.replace(/<meta name="version" content="[^"]*">/, '<meta name="version" content="newer">');
  const player = worker((path) => new Response(path.startsWith('/static') ? 'fresh app' : newer));
  for (const [to, window] of [['/', 'one'], ['/pair', 'two']]) {
    assert.equal(await player.open(to, window), newer);
    assert.equal(await player.file('/static/app.js', window), 'fresh app');
  }
  assert.equal(await player.file('/static/app.js', 'opened before'), 'kept app');
  assert.deepEqual([...player.kept.values()], ['kept page', 'kept app']);
});

test('without the station the kept player opens', async () => {
  const player = worker(() => { throw new TypeError('no network'); });
  assert.equal(await player.open('/', 'one'), 'kept page');
  assert.equal(await player.file('/static/app.js', 'one'), 'kept app');
});
