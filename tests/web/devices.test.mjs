import assert from 'node:assert/strict';
import test from 'node:test';
import { browserOf, byPerson } from '../../web/static/core/devices.js';

test('a browser is called what people call it, and a name stays a name', () => {
  assert.equal(browserOf('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1'), 'Safari on iPhone');
  assert.equal(browserOf('Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0'), 'Edge on Windows');
  assert.equal(browserOf('curl/8.5.0'), 'curl');
  assert.equal(browserOf('something/1'), 'something/1');
  assert.equal(browserOf('Windows PC'), 'Windows PC');
  assert.equal(browserOf(''), '');
});

test('devices and log-ins stand with their people, by name', () => {
  const [ann, ben] = [{ id: 'a', username: 'ann' }, { id: 'b', username: 'ben' }];
  const people = byPerson([{ id: 1, user: ben }], [{ id: 2, user: ann }, { id: 3, user: ben }]);
  assert.deepEqual(people.map((one) => [one.username, one.devices.length, one.sessions.length]), [['ann', 0, 1], ['ben', 1, 1]]);
  assert.deepEqual(byPerson([], []), []);
});
