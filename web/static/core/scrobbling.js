// @ts-check
/** Words for the services that plays are told to. */
import { ago, plural } from './format.js';

/** @type {Record<string, {name: string, about: string}>} */
export const SERVICES = {
  listenbrainz: { name: 'ListenBrainz', about: 'Open and free, by the people of MusicBrainz' },
  lastfm: { name: 'Last.fm', about: 'Your profile there counts what you hear here' },
};

/** Whether the service took the login no more: then only connecting anew helps; after everything else the station tries again by itself. The station's words tell which it is. @param {any} one */
export const refused = (one) => /Connect it again|cannot be opened/.test(one.error ?? '');

/** How it stands with a service that is connected. @param {any} one as `GET /api/scrobblers` tells @param {number} [now] */
export const stateWords = (one, now = Date.now()) => [
  one.username ? `as ${one.username}` : '',
  one.waiting ? `${plural(one.waiting, 'play')} wait${one.waiting === 1 ? 's' : ''} to be told` : one.told_at ? `last told ${ago(one.told_at, now)}` : 'nothing told yet',
].filter(Boolean).join(' · ');
