import assert from 'node:assert/strict';
import test from 'node:test';
import { addressWords, byKind, isAddress } from '../../web/static/core/addresses.js';

const at = (url, kind, reachable = true) => ({ url, kind, reachable, secure: url.startsWith('https') });

test('addresses stand by who can use them, those that work first', () => {
  const groups = byKind([at('http://127.0.0.1:5005', 'this_machine'), at('http://10.0.0.9:5005', 'home', false), at('http://10.0.0.2:5005', 'home')]);
  assert.deepEqual(groups.map((group) => [group.kind, group.items.map((one) => one.url)]), [['home', ['http://10.0.0.2:5005', 'http://10.0.0.9:5005']], ['this_machine', ['http://127.0.0.1:5005']]]);
});

test('what is not encrypted, and what does not answer, is said', () => {
  assert.equal(addressWords(at('https://a', 'home')), 'Secure');
  assert.equal(addressWords(at('http://a', 'home', false)), 'Not encrypted · does not answer now');
});

test('a link is made of addresses alone', () => {
  for (const good of ['http://192.168.1.2:5005', 'https://soundsible.local:5005/', 'http://[fd00::1]:5005']) assert.ok(isAddress(good));
  for (const bad of ['javascript:alert(1)', 'http://a b', 'ftp://a', '//a', 'http://a/../b']) assert.equal(isAddress(bad), false);
});
