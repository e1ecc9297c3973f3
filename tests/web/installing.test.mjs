import assert from 'node:assert/strict';
import test from 'node:test';
import { createInstalling } from '../../web/static/core/installing.js';

/** A page as far as installing asks of one. */
const page = ({ secure = true, standalone = false, agent = 'Android Chrome' } = {}) => {
  const target = new EventTarget();
  return Object.assign(target, { isSecureContext: secure, navigator: { userAgent: agent, maxTouchPoints: 0 }, matchMedia: () => ({ matches: standalone }) });
};
/** The browser's offer, answered with `outcome`. */
const offer = (outcome) => Object.assign(new Event('beforeinstallprompt', { cancelable: true }), { prompt: async () => ({ outcome }) });

test('each device is told its own way', () => {
  assert.equal(createInstalling(page({ secure: false })).way, 'insecure');
  assert.equal(createInstalling(page({ standalone: true })).way, 'installed');
  assert.equal(createInstalling(page({ agent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0)' })).way, 'ios');
  assert.equal(createInstalling(page()).way, 'menu');
});

test('the browser asks when it is told to, once', async () => {
  const here = page();
  const installing = createInstalling(here);
  let told = 0;
  installing.watch(() => { told += 1; });
  const event = offer('accepted');
  here.dispatchEvent(event);
  assert.ok(event.defaultPrevented);
  assert.equal(installing.way, 'ready');
  assert.equal(await installing.ask(), true);
  assert.equal(installing.way, 'menu', 'a prompt is good once');
  here.dispatchEvent(new Event('appinstalled'));
  assert.equal(installing.way, 'installed');
  assert.equal(told, 3);
});

test('a listener who does not want it is asked no further', async () => {
  const here = page();
  const installing = createInstalling(here);
  here.dispatchEvent(offer('dismissed'));
  assert.equal(await installing.ask(), false);
});
