// @ts-check
/**
 * Who may do what, so that nothing is offered that the station would refuse. The station decides all the same:
 * these are the rules of shared/model/person.py and shared/records/playlists.py, seen from here. What of `rights` counts
 * on this device the station tells, with everything that was said of this person.
 */

/** @typedef {{username?: string, role?: string, scope?: string, limited?: boolean, rights?: {add: boolean, edit: boolean, delete: boolean}} | null | undefined} User as `GET /api/session` tells */

const whole = (/** @type {User} */ user) => (user?.scope ?? 'own') === 'own';
const grown = (/** @type {User} */ user) => user?.role === 'owner' || user?.role === 'adult';

/** May change people, music folders, and what is gone for ever. @param {User} user */
export const owns = (user) => user?.role === 'owner' && whole(user);
/** May see paths and music folders. @param {User} user */
export const seesFiles = (user) => grown(user) && whole(user) && !user?.limited;
/** May edit details, look for new music. @param {User} user */
export const edits = (user) => user?.rights?.edit === true;
/** May move tracks to the trash, and out of it. @param {User} user */
export const deletes = (user) => user?.rights?.delete === true;
/** May fetch new music. @param {User} user */
export const adds = (user) => user?.rights?.add === true;
/** May change the own account: no device that may only listen or add. @param {User} user */
export const ownAccount = (user) => Boolean(user) && whole(user);

/** May give others a link to hear something without an account. @param {User} user */
export const shares = (user) => grown(user) && user?.scope !== 'listen';

/** Whether two tellings of a person are the same, for what is offered and shown. @param {User} one @param {User} other */
export const samePerson = (one, other) => ['username', 'role', 'scope', 'limited'].every((name) => /** @type {any} */ (one)?.[name] === /** @type {any} */ (other)?.[name])
  && [adds, edits, deletes].every((may) => may(one) === may(other));

/** Whether a playlist is the listener's own: named, shared, deleted by nobody else. @param {any} list @param {User} user */
export const ownsList = (list, user) => Boolean(list?.owner && user && list.owner === user.username);
/** Whether the listener may add, remove and reorder its tracks. @param {any} list @param {User} user */
export const changesList = (list, user) => ownsList(list, user) || Boolean(list?.owner && user && list.visibility === 'collaborative');

/** Who hears a playlist. @type {[string, string, string, string][]} visibility, its name, what it means, icon */
export const VISIBILITIES = [
  ['private', 'Only you', 'Nobody else sees it', 'lock'],
  ['shared', 'Shared', 'Everybody here can listen', 'users'],
  ['collaborative', 'Made together', 'Everybody here can listen, add and reorder', 'users'],
];

/** What stands beside a playlist's name: whose it is, and who hears it; nothing beside a private one. @param {any} list @param {User} user @returns {string[]} */
export const sharing = (list, user) => {
  if (!list?.owner) return [];
  const name = list.visibility === 'private' ? '' : VISIBILITIES.find(([one]) => one === list.visibility)?.[1] ?? '';
  return [ownsList(list, user) ? '' : `by ${list.owner}`, name].filter(Boolean);
};
