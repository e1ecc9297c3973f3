// @ts-check
/** How the player becomes an app on this device: by the browser's own prompt, by hand, or after trusting the station. */

/**
 * @typedef {'installed' | 'insecure' | 'ready' | 'ios' | 'menu'} Way
 * installed: it runs as one; insecure: this page came over plain HTTP, where no browser installs anything; ready: the
 * browser asks when told to; ios: through the share sheet; menu: through the browser's menu
 */

/** @param {Window & typeof globalThis} page */
export const createInstalling = (page) => {
  /** @type {any} */ let prompt = null;
  let done = false;
  const watchers = new Set();
  const told = () => { for (const watcher of watchers) watcher(); };
  page.addEventListener('beforeinstallprompt', (event) => { event.preventDefault(); prompt = event; told(); });
  page.addEventListener('appinstalled', () => { prompt = null; done = true; told(); });
  return {
    /** @returns {Way} */
    get way() {
      const agent = page.navigator.userAgent;
      const standalone = page.matchMedia('(display-mode: standalone)').matches || /** @type {any} */ (page.navigator).standalone === true;
      if (done || standalone) return 'installed';
      if (!page.isSecureContext) return 'insecure';
      if (prompt) return 'ready';
      return /iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && page.navigator.maxTouchPoints > 1) ? 'ios' : 'menu';
    },
    /** Lets the browser ask. Whether the listener wanted it. */
    async ask() {
      const asked = prompt;
      prompt = null; // a prompt is good once
      const answer = await asked?.prompt();
      told();
      return answer?.outcome === 'accepted' || (await asked?.userChoice)?.outcome === 'accepted';
    },
    /** @param {() => void} watcher */
    watch(watcher) { watchers.add(watcher); return () => { watchers.delete(watcher); }; },
  };
};
