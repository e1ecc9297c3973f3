// @ts-check
/** What the station tells by itself, over Socket.IO. */

/**
 * Notices when an event was missed. Pure, so that it can be tried without a socket.
 * @param {() => void} onGap
 */
export const createSequence = (onGap) => {
  let last = -1;
  return {
    /** @param {number} seq */
    start(seq) { last = seq; },
    /** @param {number | undefined} seq */
    see(seq) {
      if (!Number.isFinite(seq)) return;
      if (last >= 0 && /** @type {number} */ (seq) > last + 1) onGap();
      if (/** @type {number} */ (seq) > last) last = /** @type {number} */ (seq);
    },
  };
};

/**
 * @param {object} parts
 * @param {(url: string, options: object) => any} parts.io socket.io-client
 * @param {import('./store.js').Store} parts.store
 * @param {{check: () => Promise<void>}} parts.sync
 * @param {import('./downloads.js').Downloads} parts.downloads
 * @param {import('./errands.js').Errands} parts.errands
 * @param {(notice: any) => void} parts.onNotice
 * @param {() => void} [parts.onDevices] somebody's devices are others now
 * @param {() => void} [parts.onPodcasts] there are new episodes, or one was fetched
 * @param {(now: any) => void} [parts.onRadio] a radio plays something else
 * @param {() => void} [parts.onJukebox] somebody's apps want something of their jukebox
 * @param {() => void} [parts.onShownOut] the station has ended the line: the login is over, or it wants to be asked again
 */
export const createLive = ({ io, store, sync, downloads, errands, onNotice, onDevices, onPodcasts, onRadio, onJukebox, onShownOut }) => {
  /** @type {any} */
  let socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let talk;
  // A scan tells of many batches: one question for all that came meanwhile, and fewer while it runs.
  const soon = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      sync.check();
    }, store.state.scan?.state === 'running' ? 2000 : 150);
  };
  const sequence = createSequence(soon);

  return {
    start() {
      if (socket) return;
      socket = io('/', { transports: ['websocket', 'polling'], reconnectionDelayMax: 15000 });
      socket.on('connect', () => store.set({ live: true, reachable: true }));
      socket.on('disconnect', (/** @type {string} */ reason) => {
        store.set({ live: false });
        if (reason === 'io server disconnect') onShownOut?.(); // by intent: it does not come back by itself
      });
      socket.onAny((/** @type {string} */ name, /** @type {any} */ data) => {
        if (name === 'snapshot') sequence.start(data?.seq ?? -1);
        else sequence.see(data?.seq);
      });
      socket.on('snapshot', (/** @type {any} */ data) => {
        store.set({ scan: data.scan ?? null });
        downloads.snapshot(data.downloads ?? []);
        errands.snapshot(data.errands ?? []);
        // A page that has not asked for a list yet (one album, opened by its address) follows from here on.
        if (store.state.revision < 0) store.set({ revision: data.revision });
        else if (data.revision !== store.state.revision) soon();
      });
      socket.on('library:changed', (/** @type {any} */ data) => {
        if (data.revision !== store.state.revision) soon();
      });
      socket.on('scan:progress', (/** @type {any} */ data) => {
        const { seq, ...scan } = data;
        store.set({ scan: scan.scan ?? scan });
      });
      socket.on('download:changed', ({ download }) => downloads.changed(download));
      socket.on('download:log', (/** @type {any} */ line) => downloads.logged(line));
      socket.on('download:removed', ({ id }) => downloads.removed(id));
      socket.on('errand:changed', ({ errand }) => errands.changed(errand));
      socket.on('devices:changed', () => onDevices?.());
      socket.on('jukebox:changed', () => onJukebox?.());
      socket.on('podcasts:changed', () => { // many feeds are looked at together
        clearTimeout(talk);
        talk = setTimeout(() => onPodcasts?.(), 300);
      });
      socket.on('radio:now', (/** @type {any} */ now) => onRadio?.(now));
      socket.on('notice', onNotice);
    },
    /** Comes back after the station has ended the line. */
    again() { socket?.connect(); },
    stop() {
      clearTimeout(timer);
      clearTimeout(talk);
      timer = undefined;
      socket?.disconnect();
      socket = null;
      store.set({ live: false });
    },
  };
};
