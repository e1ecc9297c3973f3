import assert from 'node:assert/strict';
import test from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { arrival, challenge, guessName, pairingWords, read, tokenIn, verify } from '../../web/static/core/pairing.js';

const b64 = (bytes) => Buffer.from(bytes).toString('base64url');
const made = (said) => `sb1.${b64(deflateRawSync(JSON.stringify(said)))}`;

/** A station's key, and what it answers to a challenge. */
const station = async () => {
  const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', keys.publicKey));
  const fingerprint = b64(await crypto.subtle.digest('SHA-256', spki));
  const answer = async (asked) => ({
    fingerprint, public_key: b64(spki),
    signature: b64(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, keys.privateKey,
      Buffer.concat([Buffer.from('soundsible claim 1\0'), Buffer.from(asked, 'base64url')]))),
  });
  return { fingerprint, answer };
};

test('a token is found alone, in a link, and broken over lines', () => {
  assert.equal(tokenIn('sb1.abc_-'), 'sb1.abc_-');
  assert.equal(tokenIn('http://192.168.1.2:5005/pair#sb1.abc'), 'sb1.abc');
  assert.equal(tokenIn(' sb1.ab\n  c '), 'sb1.abc');
  for (const none of ['', 'hello', 'sb2.abc', 'sb1.<b>', 'sb1.ab"c']) assert.equal(tokenIn(none), '');
});

test('what a token says is read, and what is none says nothing', async () => {
  assert.deepEqual(await read(made({ v: 1, i: 'x', f: 'f', n: 'Attic', s: 'secret' })), { id: 'x', fingerprint: 'f', station: 'Attic' });
  for (const none of ['sb1.', 'sb1.AAAA', made({ v: 2 }), made(null)]) assert.equal(await read(none), null);
});

test('the station of the token proves itself, another one does not', async () => {
  const [mine, other] = [await station(), await station()];
  const said = { id: 'x', fingerprint: mine.fingerprint, station: 'Attic' };
  const asked = challenge();
  assert.equal(await verify(said, await mine.answer(asked), asked), 'proved');
  assert.equal(await verify(said, await mine.answer(challenge()), asked), 'wrong', 'an old signature');
  assert.equal(await verify(said, await other.answer(asked), asked), 'wrong');
  assert.equal(await verify(said, { ...await other.answer(asked), fingerprint: mine.fingerprint }, asked), 'wrong', 'a stolen name');
  assert.equal(await verify(said, { fingerprint: mine.fingerprint }, asked), 'wrong', 'no signature at all');
});

test('a page that is not secure cannot tell, but sees another fingerprint', async () => {
  const mine = await station();
  const said = { id: 'x', fingerprint: mine.fingerprint, station: 'Attic' };
  const asked = challenge();
  assert.equal(await verify(said, await mine.answer(asked), asked, /** @type {any} */ (null)), 'unknown');
  assert.equal(await verify(said, { fingerprint: 'other' }, asked, /** @type {any} */ (null)), 'wrong');
});

test('a device gets a name that its owner would know', () => {
  assert.equal(guessName('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15'), 'iPhone');
  assert.equal(guessName('Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/156'), 'Android phone');
  assert.equal(guessName('Mozilla/5.0 (Linux; Android 15; Pixel 8 Build/AP4A) AppleWebKit/537.36'), 'Pixel 8');
  assert.equal(guessName('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36'), 'Linux computer');
});

test('a token stands alone behind the #, or with the place to go on at', () => {
  assert.deepEqual(arrival('sb1.abc'), { token: 'sb1.abc', place: '', moved: false });
  const sign = '0123456789abcdef';
  const cookies = `other=1; soundsible_move=${sign}`;
  assert.deepEqual(arrival(`sb1.abc~${sign}~%2Fsearch%3Fq%3Da~b`, cookies), { token: 'sb1.abc', place: '#/search?q=a~b', moved: true });
  assert.deepEqual(arrival(`sb1.abc~${sign}~`, cookies), { token: 'sb1.abc', place: '', moved: true });
});

test('a sign that this browser did not get asks for nothing unasked', () => {
  for (const [sign, cookies] of [['0123456789abcdef', ''], ['0123456789abcdef', 'soundsible_move=0123456789abcde'], ['', 'soundsible_move='], ['a;b', 'soundsible_move=a']]) {
    assert.equal(arrival(`sb1.abc~${sign}~%2Fyou`, cookies).moved, false);
  }
  assert.equal(arrival('sb1.abc~x~https%3A%2F%2Fevil.example').place, '', 'only places of the player');
  assert.equal(arrival('sb1.abc~x~%E0%A4%A').place, '', 'what cannot be read');
});

test('a used token says once what to do', () => {
  const said = pairingWords({ status: 410, message: 'This sync token was used already: each is good for one device. Make a new one.' });
  assert.equal(said, 'This sync token was used already: each is good for one device. Make a new one on a device that is paired already: You → Devices.');
});
