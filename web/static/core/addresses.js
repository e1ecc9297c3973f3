// @ts-check
/** Words for where the station answers. */

/** @type {[string, string, string][]} kind, its name, what it means */
export const KINDS = [
  ['home', 'At home', 'For devices in the same network'],
  ['vpn', 'Over your VPN', 'For your own devices, wherever they are'],
  ['public', 'From anywhere', 'For everybody who knows the address; the door is held by passwords and tokens'],
  ['this_machine', 'On the station’s own machine', 'For nobody else'],
];

/** Addresses by kind, those that work first; kinds without any are left out. @param {any[]} items of `GET /api/endpoints` @returns {{kind: string, name: string, meaning: string, items: any[]}[]} */
export const byKind = (items) => KINDS.map(([kind, name, meaning]) => ({
  kind, name, meaning, items: items.filter((one) => one.kind === kind).sort((a, b) => Number(b.reachable) - Number(a.reachable)),
})).filter(({ items: those }) => those.length);

/** What can be said of one. @param {any} one */
export const addressWords = (one) => [one.secure ? 'Secure' : 'Not encrypted', one.reachable ? '' : 'does not answer now'].filter(Boolean).join(' · ');

/** Only such are made links of. @param {string} url */
export const isAddress = (url) => /^https?:\/\/[^\s/]+\/?$/.test(url);
