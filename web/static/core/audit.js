// @ts-check
/** What the audit log says, in sentences. */

import { browserOf, scopeName } from './devices.js';
import { roleName } from './people.js';

/** Everything that is written down, in groups to choose from. @type {[string, [string, string][]][]} group, deeds with their words */
export const DEEDS = [
  ['Logging in', [
    ['login', 'logged in'], ['login_failed', 'failed to log in'], ['login_locked', 'was kept from trying further passwords'], ['logout', 'logged out'],
    ['session_ended', 'ended a session'], ['password_changed', 'changed the password'], ['second_factor_on', 'switched the second factor on'],
    ['second_factor_off', 'switched the second factor off'], ['recovery_used', 'logged in with a recovery code']]],
  ['People', [
    ['owner_made', 'became the first owner'], ['user_made', 'made an account'], ['user_changed', 'changed an account'], ['user_removed', 'removed an account'],
    ['invited', 'made an invitation'], ['invitation_withdrawn', 'withdrew an invitation'], ['invitation_accepted', 'accepted an invitation']]],
  ['Devices and stations', [
    ['pairing_made', 'made a sync token'], ['device_paired', 'paired a device'], ['device_moved', 'moved a device to another address of the station'],
    ['device_revoked', 'revoked a device'], ['station_paired', 'paired another station'], ['station_removed', 'removed another station'],
    ['app_password_made', 'made an app password'], ['app_password_revoked', 'revoked an app password']]],
  ['Library', [
    ['tracks_deleted', 'moved tracks to the trash'], ['exported', 'exported playlists and listening'], ['imported', 'imported playlists and listening'],
    ['share_made', 'shared music by a link'], ['share_ended', 'ended a share'],
    ['folders_changed', 'changed the music folders'], ['storage_changed', 'changed the storages']]],
  ['Station', [
    ['setting_changed', 'changed a setting'], ['certificate_renewed', 'renewed the certificate'], ['secrets_rekeyed', 'sealed the secrets anew']]],
];

/** Deeds that somebody should look at. */
export const ALARMING = new Set(['login_failed', 'login_locked', 'recovery_used']);

/** Who did it. @param {any} line */
export const doer = (line) => line.username || (line.address ? 'Somebody' : line.details?.by === 'tool' ? 'Somebody at the machine' : 'The station');

/** What it was done to. Of a session only the browser is known, as it calls itself. @param {any} line */
export const subjectOf = (line) => (line.deed === 'session_ended' ? browserOf(line.subject ?? '') : line.subject);

/** One detail in words. @param {string} name @param {any} value */
const told = (name, value) => {
  if (name === 'role') return roleName(String(value));
  if (name === 'scope') return scopeName(String(value));
  if (name === 'limited') return value === true || value === 'true' ? 'hears chosen folders alone' : 'hears everything';
  if (name === 'device') return browserOf(String(value));
  if (name === 'why' || name === 'what') return String(value);
  return `${name.replaceAll('_', ' ')}: ${value === true ? 'yes' : value === false ? 'no' : value}`;
};

/** Everything else that is known of it, in a few words. @param {any} line @returns {string[]} */
export const besides = (line) => {
  const { times, ...rest } = line.details ?? {};
  const more = Object.entries(rest).filter(([name, value]) => name !== 'id' && name !== 'by' && ['string', 'number', 'boolean'].includes(typeof value) && value !== '' && value !== line.subject)
    .map(([name, value]) => told(name, value));
  return [...(times ? [`${times} times`] : []), ...more, ...(line.address ? [`from ${line.address}`] : [])];
};
