// @ts-check
/** The people of a station as its owner sees them: what they can be, and what is asked of the station about them. */

const LEAST = 10; // characters of a password; the station holds to it too

/** What one can be at a station. @type {[string, string, string][]} role, its name, what it means */
export const ROLES = [
  ['owner', 'Owner', 'Everything: people, music folders, the whole library'],
  ['adult', 'Listener', 'Listens, adds music, corrects details, uses the trash'],
  ['child', 'Young listener', 'Listens and makes playlists; the library stays as it is'],
  ['guest', 'Guest', 'The same, for somebody who visits'],
];
/** @param {string | undefined} role */
export const roleName = (role) => ROLES.find(([name]) => name === role)?.[1] ?? '';

/** What the station is to be told; `wrong` when it is not worth asking. @param {string} ask @param {FormData} form @param {any} [person] */
export const wishOf = (ask, form, person) => {
  const username = String(form.get('username') ?? '').trim();
  const password = String(form.get('password') ?? '');
  const role = String(form.get('role') ?? '');
  if ((ask === 'new' || ask === 'name') && !username) return { wrong: 'Give a name first.' };
  if ((ask === 'new' || ask === 'password') && [...password].length < LEAST) return { wrong: 'The password needs ten characters or more.' };
  if (ask === 'new') return { wish: { username, password, role } };
  if (ask === 'password') return { wish: { password } };
  if (ask === 'name') return { wish: username === person?.username ? {} : { username } };
  return { wish: role === person?.role ? {} : { role } };
};
