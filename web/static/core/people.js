// @ts-check
/** The people of a station as its owner sees them: what they can be, and what is asked of the station about them. */

export const LEAST = 10; // characters of a password; the station holds to it too

/** What one can be at a station. @type {[string, string, string][]} role, its name, what it means */
export const ROLES = [
  ['owner', 'Owner', 'Everything: people, music folders, the whole library'],
  ['adult', 'Listener', 'Listens, adds music, corrects details, uses the trash'],
  ['child', 'Young listener', 'Listens and makes playlists; the library stays as it is'],
  ['guest', 'Guest', 'The same, for somebody who visits'],
];
/** @param {string | undefined} role */
export const roleName = (role) => ROLES.find(([name]) => name === role)?.[1] ?? '';

/** What can be allowed or refused to one person alone. @type {[string, string, string][]} right, its name, what it means */
export const RIGHTS = [
  ['add', 'Add music', 'Fetch new music from outside'],
  ['edit', 'Edit', 'Correct details, look for new music'],
  ['delete', 'Delete', 'Move tracks to the trash, and out of it'],
];
/** @param {string} role */
export const usual = (role) => role === 'owner' || role === 'adult';

/** What is said of rights in a form: yes, no, or null: as the role has it. @param {FormData} form @returns {Record<string, boolean | null>} */
export const rightsOf = (form) => Object.fromEntries(RIGHTS.map(([right]) => [right, { yes: true, no: false }[String(form.get(`right-${right}`))] ?? null]));

/** What makes this person different from others of the role. @param {any} person @returns {string[]} */
export const exceptions = (person) => [
  ...RIGHTS.filter(([right]) => person.rights && person.rights[right] !== usual(person.role)).map(([right, name]) => (person.rights[right] ? `may ${name.toLowerCase()}` : `may not ${name.toLowerCase()}`)),
  ...(person.limited ? [person.folders?.length === 1 ? `hears “${folderName(person.folders[0])}” alone` : person.folders?.length ? `hears ${person.folders.length} folders alone` : 'hears nothing yet'] : []),
  ...(person.second_factor ? ['second factor'] : []),
];

/** A folder's last name. @param {{root: string, path: string}} folder */
export const folderName = ({ root, path }) => (path || root).split('/').filter(Boolean).pop() ?? root;
/** Where it lies, above its last name. @param {{root: string, path: string}} folder */
export const folderPlace = ({ root, path }) => (path ? `${root}/${path}` : root);

/** What an invitation has become of. @type {Record<string, string>} */
export const INVITATION_STATES = { open: 'open', used: 'accepted', expired: 'too old', ended: 'over' };

/** What the station is to be told; `wrong` when it is not worth asking. @param {string} ask @param {FormData} form @param {any} [person] */
export const wishOf = (ask, form, person) => {
  const username = String(form.get('username') ?? '').trim();
  const password = String(form.get('password') ?? '');
  const role = String(form.get('role') ?? '');
  if ((ask === 'new' || ask === 'name') && !username) return { wrong: 'Give a name first.' };
  if ((ask === 'new' || ask === 'password') && [...password].length < LEAST) return { wrong: 'The password needs ten characters or more.' };
  if (ask === 'new') return { wish: { username, password, role } };
  if (ask === 'rights') return { wish: { rights: rightsOf(form) } };
  if (ask === 'password') return { wish: { password } };
  if (ask === 'name') return { wish: username === person?.username ? {} : { username } };
  return { wish: role === person?.role ? {} : { role } };
};
