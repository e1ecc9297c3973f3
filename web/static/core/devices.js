// @ts-check
/** Words for paired devices and for where one is logged in. */
import { ago } from './format.js';

/** What a device may do. @type {[string, string, string][]} scope, its name, what it means */
export const SCOPES = [
  ['listen', 'Listen', 'Plays music, makes playlists; looks after nothing'],
  ['add', 'Listen and add', 'Fetches new music as well, if you may'],
  ['own', 'Everything', 'All that you may, your account included'],
];
/** @param {string} scope */
export const scopeName = (scope) => SCOPES.find(([one]) => one === scope)?.[1] ?? scope;

/** Marks in what a browser calls itself; the first that is found counts, as many browsers name others, too. */
const BROWSERS = [['Edg', 'Edge'], ['OPR/', 'Opera'], ['Vivaldi', 'Vivaldi'], ['SamsungBrowser', 'Samsung Internet'], ['Firefox', 'Firefox'], ['FxiOS', 'Firefox'],
  ['CriOS', 'Chrome'], ['Chromium', 'Chromium'], ['Chrome', 'Chrome'], ['Safari', 'Safari'], ['curl', 'curl'], ['Python', 'a Python program']];
const SYSTEMS = [['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Android', 'Android'], ['Windows', 'Windows'], ['CrOS', 'ChromeOS'], ['Mac OS X', 'macOS'], ['Macintosh', 'macOS'], ['Linux', 'Linux']];

/** What a browser calls itself, in words: Firefox on Linux. What is no such name stays. @param {string} agent */
export const browserOf = (agent) => {
  const [browser, system] = [BROWSERS, SYSTEMS].map((known) => known.find(([mark]) => agent.includes(mark))?.[1] ?? '');
  if (!/^[\w.-]+\/\d/.test(agent)) return agent;
  return browser && system ? `${browser} on ${system}` : browser || system || agent;
};

/** When and from where it was used last. @param {any} device */
export const lastUse = (device) => {
  if (device.current) return 'This device';
  const when = device.last_used_at ? `used ${ago(device.last_used_at)}` : `not used since ${ago(device.created_at)}`;
  return device.last_address ? `${when} from ${device.last_address}` : when;
};

/** Devices and sessions by whose they are, people by name. @param {any[]} devices @param {any[]} sessions */
export const byPerson = (devices, sessions) => {
  /** @type {Map<string, {id: string, username: string, devices: any[], sessions: any[]}>} */
  const people = new Map();
  const of = (/** @type {any} */ { user }) => {
    if (!people.has(user.id)) people.set(user.id, { ...user, devices: [], sessions: [] });
    return /** @type {{devices: any[], sessions: any[]}} */ (people.get(user.id));
  };
  for (const one of devices) of(one).devices.push(one);
  for (const one of sessions) of(one).sessions.push(one);
  return [...people.values()].sort((a, b) => a.username.localeCompare(b.username));
};

/** Minutes and seconds until a moment; '' once it is past. @param {string} moment RFC 3339 @param {number} [now] Unix ms */
export const left = (moment, now = Date.now()) => {
  const seconds = Math.ceil((Date.parse(moment) - now) / 1000);
  return seconds > 0 ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}` : '';
};
