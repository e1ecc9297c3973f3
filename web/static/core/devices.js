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

/** When and from where it was used last. @param {any} device */
export const lastUse = (device) => {
  if (device.current) return 'This device';
  const when = device.last_used_at ? `used ${ago(device.last_used_at)}` : `not used since ${ago(device.created_at)}`;
  return device.last_address ? `${when} from ${device.last_address}` : when;
};

/** Minutes and seconds until a moment; '' once it is past. @param {string} moment RFC 3339 @param {number} [now] Unix ms */
export const left = (moment, now = Date.now()) => {
  const seconds = Math.ceil((Date.parse(moment) - now) / 1000);
  return seconds > 0 ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}` : '';
};
