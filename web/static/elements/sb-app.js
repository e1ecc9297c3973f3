// @ts-check
/** The one shell: tabs below on the phone, a rail at the left on the desktop, and what plays always in sight. */
import { Element } from '../core/element.js';
import { html } from '../core/html.js';
import { plural } from '../core/format.js';
import { adds } from '../core/rights.js';
import { tabOf } from '../core/router.js';
import { icon } from '../views/parts.js';
import { room } from '../core/room.js';

/** @type {[string, string, string, string][]} */
const TABS = [['home', 'Home', '#/', 'house'], ['library', 'Library', '#/library', 'library'], ['search', 'Search', '#/search', 'search'], ['downloads', 'Downloads', '#/downloads', 'download'], ['you', 'You', '#/you', 'circle-user-round']];
const OPEN = new Set(['login', 'setup', 'pair', 'invite']);

export class App extends Element {
  /** @type {Map<number, number>} scroll positions by place in the history */ #scrolls = new Map();
  #place = -1;
  #path = '';

  connected() { this.follow(room.store, 'route', 'user', 'panel', 'reachable', 'started', 'overlay', 'scan', 'coming'); }

  get scroller() { return /** @type {HTMLElement | null} */ (this.querySelector('main')); }

  /** Remembers how far the old place was scrolled. @param {number} place where the listener is going */
  leave(place) {
    if (this.scroller) this.#scrolls.set(this.#place, this.scroller.scrollTop);
    this.#place = place;
  }

  render() {
    const { route, user, panel, reachable, started, overlay, coming } = room.store.state;
    if (!started) return html`<div class="starting" aria-hidden="true"></div>`;
    if (OPEN.has(route.name) || !user) {
      const view = OPEN.has(route.name) ? route.name : reachable ? 'login' : 'offline';
      return html`<main class="gate" id="main" tabindex="-1">${room.views(view, route.path)}</main>`;
    }
    const tab = tabOf(route.name);
    // Who may not fetch music sees nothing of how it comes.
    const tabs = TABS.filter(([name]) => name !== 'downloads' || adds(user));
    const badge = (/** @type {string} */ name) => (name === 'downloads' && coming ? html`<span class="badge" aria-hidden="true">${coming > 99 ? '99+' : coming}</span><span class="sr-only">, ${plural(coming, 'track')} on the way</span>` : '');
    return html`
      <a class="skip" href="#main" data-do="skip">Skip to content</a>
      <div class="shell" data-panel="${panel ? 'open' : 'shut'}" ${overlay === 'now' ? html`inert` : ''}>
        <nav class="nav ${tabs.length < TABS.length ? 'nav-few' : ''}" aria-label="Main">
          <a class="nav-mark" href="#/" aria-label="Soundsible, home"><svg viewBox="0 0 32 32" aria-hidden="true"><path d="M21.5 10.5a6 6 0 1 0-5.5 8.4"/><path d="M10.5 21.5a6 6 0 1 0 5.5-8.4"/></svg><span>Soundsible</span></a>
          ${tabs.map(([name, words, href, symbol]) => html`<a class="tab" data-key="${name}" href="${href}" ${tab === name ? html`aria-current="page"` : ''}>${icon(symbol)}<span>${words}</span>${badge(name)}</a>`)}
          <div class="nav-lists"><sb-rail-lists></sb-rail-lists></div>
        </nav>
        <main class="content" id="main" tabindex="-1" data-scroller>
          ${reachable ? '' : html`<div class="calm-note" role="status">${icon('wifi-off')}<span>The station does not answer. What is here stays here.</span><button class="link-button" data-do="look-again">Try again</button></div>`}
          ${room.views(route.name, route.path)}
        </main>
        <aside class="panel" aria-label="Queue">${panel ? html`<sb-queue></sb-queue>` : ''}</aside>
        <sb-dock></sb-dock>
      </div>
      <sb-now></sb-now>`;
  }

  painted() {
    this.deeds.skip = (_, event) => { event.preventDefault(); this.scroller?.focus(); };
    this.deeds['look-again'] = () => room.ui.lookAgain();
    const { route } = room.store.state;
    if (route.path === this.#path) return;
    const first = this.#path === '';
    this.#path = route.path;
    const main = this.scroller;
    if (!main) return;
    main.scrollTop = this.#scrolls.get(this.#place) ?? 0;
    if (!first && !main.contains(document.activeElement) && document.activeElement === document.body) main.focus({ preventScroll: true });
  }
}
customElements.define('sb-app', App);
