// @ts-check
/** Words for other programs that play this station: what to enter, and what their app passwords are good for. */
import { ago } from './format.js';
import { adds, owns } from './rights.js';

/** Apps and where each asks for the three things. @type {[string, string, string][]} where they run, their names, what to do there */
export const APPS = [
  ['Android', 'Symfonium, Tempus, Substreamer, DSub', 'Add a server of the kind “Subsonic” (Symfonium: Media providers), and enter the three.'],
  ['iPhone and iPad', 'Amperfy, play:Sub, Substreamer', 'Enter the three at the first start; of the kinds offered choose “Subsonic”.'],
  ['Computer', 'Feishin, Supersonic', 'Add a server of the kind “OpenSubsonic” or “Subsonic”, and enter the three.'],
  ['Apps that ask for an API key', '', 'The app password alone is the key.'],
];

/** What an app may do. @type {[string, string, string][]} scope, its name, what it means */
export const APP_SCOPES = [
  ['listen', 'Listen', 'Plays, makes playlists, marks favourites'],
  ['add', 'Listen and add', 'Fetches podcasts and new music as well'],
  ['own', 'Everything', 'All that you may'],
];
/** Those that can be given by this person. @param {import('./rights.js').User} user */
export const scopesOf = (user) => APP_SCOPES.filter(([scope]) => scope !== 'add' || adds(user))
  .map(([scope, name, meaning]) => [scope, name, scope === 'own' && owns(user) ? `${meaning}, other people’s accounts included` : meaning]);

/** Whether an address is that of the machine that asks, whichever it is: no other one reaches it. @param {string} address */
export const onlyHere = (address) => /^https?:\/\/(localhost|[^/:]+\.localhost|127(\.\d+){3}|\[::1\])(?=[:/]|$)/i.test(address);
/** @param {string} scope */
export const appScope = (scope) => APP_SCOPES.find(([one]) => one === scope)?.[1] ?? scope;

/** When it was used last, and by what. @param {any} app as `GET /api/app-passwords` tells */
export const appUse = (app) => [
  app.last_used_at ? `used ${ago(app.last_used_at)}${app.last_address ? ` from ${app.last_address}` : ''}` : 'not used yet',
  `made ${ago(app.created_at)}`,
].join(' · ');
