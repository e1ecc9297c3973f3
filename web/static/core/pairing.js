// @ts-check
/**
 * A new device's side of pairing: what a sync token says, what this device is called, and whether the station that
 * answers is the one the token is from. The token is kept in memory alone and sent once, in the claim.
 */

const MARK = 'sb1.';
const LONGEST = 4000; // characters that are looked at

/** @typedef {{id: string, fingerprint: string, station: string}} Said what of a token is for people, and for the check */

/** @param {Uint8Array} bytes */
const b64 = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
const unb64 = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (one) => one.charCodeAt(0));

/**
 * What stands behind the # of /pair: a token alone, or, where the trust page leads a login on, also its sign and the
 * place to go on at. `moved` when this very browser was there a moment ago, which the sign in its cookies tells: a link
 * from somebody else must not log anybody in unasked.
 * @param {string} fragment @param {string} [cookies] as of `document.cookie`
 */
export const arrival = (fragment, cookies = '') => {
  const [token, sign = '', ...rest] = fragment.split('~');
  let place = '';
  try { place = decodeURIComponent(rest.join('~')); } catch { /* then it begins at the beginning */ }
  return { token, place: place.startsWith('/') ? `#${place}` : '', moved: /^\w{16,64}$/.test(sign) && cookies.split('; ').includes(`soundsible_move=${sign}`) };
};

/** The token in a text that somebody pasted, alone or behind the # of a link; '' when there is none. @param {string} text */
export const tokenIn = (text) => {
  const alone = text.slice(0, LONGEST).replaceAll(/\s/g, '').split('#').pop() ?? '';
  return alone.startsWith(MARK) && /^[\w.-]+$/.test(alone) ? alone : '';
};

/** What a token says; null where it cannot be read here (an old browser, or no token): the station judges it then.
 * @param {string} token @returns {Promise<Said | null>} */
export const read = async (token) => {
  try {
    const packed = new Blob([unb64(token.slice(MARK.length))]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
    const said = JSON.parse(await new Response(packed).text());
    return said.v === 1 ? { id: String(said.i), fingerprint: String(said.f), station: String(said.n ?? '') } : null;
  } catch {
    return null;
  }
};

/** Something new for the station to sign. @param {Crypto} [crypto] */
export const challenge = (crypto = globalThis.crypto) => b64(crypto.getRandomValues(new Uint8Array(24)));

/**
 * Whether the station that answered has the key whose fingerprint stands in the token. Only a secure page can tell.
 * @param {Said | null} said @param {any} station of the answer @param {string} asked the challenge @param {SubtleCrypto | undefined} subtle
 * @returns {Promise<'proved' | 'unknown' | 'wrong'>}
 */
export const verify = async (said, station, asked, subtle = globalThis.crypto?.subtle) => {
  if (!said) return 'unknown';
  if (station?.fingerprint !== said.fingerprint) return 'wrong';
  if (!subtle) return 'unknown';
  try {
    const spki = unb64(station.public_key);
    if (b64(new Uint8Array(await subtle.digest('SHA-256', spki))) !== said.fingerprint) return 'wrong';
    const key = await subtle.importKey('spki', spki, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
    const message = Uint8Array.from([...new TextEncoder().encode('soundsible claim 1\0'), ...unb64(asked)]);
    const right = await subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, unb64(station.signature), message);
    return right ? 'proved' : 'wrong';
  } catch {
    return 'wrong';
  }
};

/** What this device may be called, as its browser tells it. @param {string} agent */
export const guessName = (agent) => {
  if (/iPhone/.test(agent)) return 'iPhone';
  if (/iPad/.test(agent)) return 'iPad';
  const model = /Android [^;)]*; ([^;)]+?)(?: Build\/[^;)]*)?[;)]/.exec(agent)?.[1]?.trim();
  if (model && model !== 'K') return model; // "K" is what browsers say instead of the model
  if (/Android/.test(agent)) return 'Android phone';
  if (/CrOS/.test(agent)) return 'Chromebook';
  if (/Macintosh/.test(agent)) return 'Mac';
  if (/Windows/.test(agent)) return 'Windows PC';
  return /Linux/.test(agent) ? 'Linux computer' : 'A new device';
};

/** What went wrong, and what to do. @param {any} error */
export const pairingWords = (error) => {
  if (error.unreachable) return 'The station does not answer. Is this device in the same network?';
  if (error.status === 410) return `${error.message.replace(/\s*Make a new one[^.]*\.?$/, '').replace(/\.?$/, '.')} Make a new one on a device that is paired already: You → Devices.`;
  if (error.status === 429) return 'Too many tries from here. Please wait a minute.';
  return error.message;
};
