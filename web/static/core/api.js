// @ts-check
/** The station's HTTP interface: JSON in, JSON out, and errors a person can read. */

export class ApiError extends Error {
  /** @param {number} status 0 when the station did not answer @param {string} code @param {string} message @param {any} [details] @param {number} [retryAfter] seconds */
  constructor(status, code, message, details, retryAfter) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.details = details;
    this.retryAfter = retryAfter;
  }
  /** The station could not be reached at all. */
  get unreachable() { return this.status === 0; }
}

/** @param {Record<string, any>} [query] */
export const queryString = (query = {}) => {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return pairs.length ? `?${new URLSearchParams(pairs.map(([k, v]) => [k, String(v)]))}` : '';
};

/**
 * @param {object} parts
 * @param {typeof globalThis.fetch} parts.fetch
 * @param {string} [parts.base]
 * @param {(error: ApiError) => void} [parts.onUnauthorized] called on 401 of anything but the login itself
 * @param {(reachable: boolean) => void} [parts.onReach] told after every call whether the station answered
 */
export const createApi = ({ fetch, base = '/api', onUnauthorized, onReach }) => {
  /**
   * @param {string} method @param {string} path
   * @param {{query?: Record<string, any>, body?: any, signal?: AbortSignal, quiet?: boolean}} [options] `quiet`: a 401 is an answer, not an event
   */
  const call = async (method, path, { query, body, signal, quiet } = {}) => {
    /** @type {Record<string, string>} */
    const headers = { Accept: 'application/json' };
    if (method !== 'GET') headers['Content-Type'] = 'application/json';
    let answer;
    try {
      // What is there for who is not logged in lies beside the API.
      answer = await fetch((path.startsWith('~/') ? path.slice(1) : base + path) + queryString(query), {
        method, headers, signal, credentials: 'same-origin',
        body: method === 'GET' ? undefined : body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (error) {
      if (/** @type {any} */ (error)?.name === 'AbortError') throw error;
      onReach?.(false);
      throw new ApiError(0, 'unreachable', 'The station does not answer.');
    }
    onReach?.(true);
    if (answer.status === 204) return null;
    const data = await answer.json().catch(() => null);
    if (answer.ok) return data;
    const told = data?.error ?? {};
    const error = new ApiError(answer.status, told.code ?? 'unknown', told.message ?? 'Something went wrong at the station.',
      told.details, Number(answer.headers.get('Retry-After')) || undefined);
    if (answer.status === 401 && !quiet) onUnauthorized?.(error);
    throw error;
  };
  return {
    call,
    /** @param {string} path @param {Record<string, any>} [query] @param {{signal?: AbortSignal, quiet?: boolean}} [options] */
    get: (path, query, options) => call('GET', path, { query, ...options }),
    /** @param {string} path @param {any} [body] @param {{quiet?: boolean}} [options] */
    post: (path, body = {}, options) => call('POST', path, { body, ...options }),
    /** @param {string} path @param {any} [body] */
    put: (path, body = {}) => call('PUT', path, { body }),
    /** @param {string} path @param {any} body */
    patch: (path, body) => call('PATCH', path, { body }),
    /** @param {string} path @param {any} [body] */
    delete: (path, body) => call('DELETE', path, { body }),
  };
};

/** @typedef {ReturnType<typeof createApi>} Api */

/** @param {string} id @param {number} size pixels @param {string} [version] */
export const coverUrl = (id, size, version) => `/api/covers/${encodeURIComponent(id)}${queryString({ size, v: version })}`;

/** A picture from outside, through the station: this page loads nothing from elsewhere. @param {string} url @param {number} size pixels */
export const outsideCoverUrl = (url, size) => `/api/acquire/cover${queryString({ url, size })}`;

/** How an offer sounds before it is fetched. @param {any} offer */
export const previewUrl = (offer) => `/api/acquire/preview${queryString(offer.url ? { url: offer.url } : { source: offer.source, id: offer.id })}`;

/** @param {string} id @param {Record<string, any>} [query] */
export const streamUrl = (id, query) => `/api/stream/${encodeURIComponent(id)}${queryString(query)}`;
