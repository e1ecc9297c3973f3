// @ts-check
/** Addresses behind the `#`: `#/album/abc`, `#/search?q=bach`. */

/** @typedef {{name: string, params: Record<string, string>, query: Record<string, string>, path: string}} Route */

/** @type {[string, string][]} */
export const ROUTES = [
  ['home', '/'],
  ['library', '/library'],
  ['library', '/library/:tab'],
  ['album', '/album/:id'],
  ['artist', '/artist/:id'],
  ['genre', '/genre/:name'],
  ['playlist', '/playlist/:id'],
  ['podcasts', '/podcasts'],
  ['podcast', '/podcast/:id'],
  ['radio', '/radio'],
  ['favourites', '/favourites'],
  ['search', '/search'],
  ['downloads', '/downloads'],
  ['watches', '/downloads/watches'],
  ['sources', '/downloads/sources'],
  ['doubts', '/downloads/doubts'],
  ['downloads', '/downloads/together/:group'],
  ['download', '/downloads/one/:id'],
  ['you', '/you'],
  ['people', '/you/people'],
  ['devices', '/you/devices'],
  ['factor', '/you/second-factor'],
  ['addresses', '/you/addresses'],
  ['audit', '/you/log'],
  ['belongings', '/you/things'],
  ['stations', '/you/stations'],
  ['station', '/you/stations/:id'],
  ['apps', '/you/apps'],
  ['scrobbling', '/you/scrobbling'],
  ['shares', '/you/shares'],
  ['install', '/you/install'],
  ['storage', '/you/storage'],
  ['you', '/you/:part'],
  ['login', '/login'],
  ['setup', '/setup/:code'],
  ['pair', '/pair'],
  ['invite', '/invite/:code'],
];

/** @param {string} text */
const decode = (text) => {
  try { return decodeURIComponent(text); } catch { return text; }
};

/** @param {string} hash as in `location.hash` @returns {Route} */
export const parse = (hash) => {
  const [rawPath, rawQuery = ''] = hash.replace(/^#/, '').split('?', 2);
  const path = `/${rawPath.split('/').filter(Boolean).join('/')}`;
  const query = Object.fromEntries(new URLSearchParams(rawQuery));
  const here = path.split('/').filter(Boolean);
  for (const [name, pattern] of ROUTES) {
    const parts = pattern.split('/').filter(Boolean);
    if (parts.length !== here.length) continue;
    /** @type {Record<string, string>} */
    const params = {};
    if (parts.every((part, i) => (part.startsWith(':') ? ((params[part.slice(1)] = decode(here[i])), true) : part === here[i]))) {
      return { name, params, query, path };
    }
  }
  return { name: 'nowhere', params: {}, query, path };
};

/** The address of a place. Every part is escaped. @param {TemplateStringsArray} strings @param {...string} values */
export const to = (strings, ...values) =>
  `#${strings.reduce((text, part, i) => text + encodeURIComponent(values[i - 1]) + part)}`;

/** Which of the five tabs a route belongs to. @param {string} name */
export const tabOf = (name) => {
  if (['album', 'artist', 'genre', 'playlist', 'podcasts', 'podcast', 'radio', 'favourites', 'library'].includes(name)) return 'library';
  if (['people', 'storage', 'devices', 'install', 'factor', 'addresses', 'audit', 'belongings', 'stations', 'station', 'apps', 'scrobbling', 'shares'].includes(name)) return 'you';
  if (['download', 'watches', 'sources', 'doubts'].includes(name)) return 'downloads';
  return ['home', 'search', 'downloads', 'you'].includes(name) ? name : '';
};
