// @ts-check
/** Who is asked for music, and who answers. */
import { html } from '../core/html.js';
import { empty, icon, notForYou } from './parts.js';
import { sourceTitle, until } from '../core/coming.js';
import { ago } from '../core/format.js';
import { adds } from '../core/rights.js';
import { room } from '../core/room.js';
import { View } from './view.js';

const LOOK_MS = 10000;
/** What a source is asked to do. @type {Record<string, string>} */
const OPERATIONS = { search: 'looking for music', find: 'looking for music', resolve: 'reading links', fetch: 'fetching', lookup: 'looking things up', recording: 'looking things up', cover: 'fetching covers', lyrics: 'fetching lyrics' };
const STATES = { closed: 'Answers', open: 'Does not answer', half_open: 'Being tried again' };

/** One line a source, however many things it is asked for. @param {any[]} providers */
export const sourcesOf = (providers) => {
  /** @type {Map<string, any[]>} */
  const found = new Map();
  for (const one of providers) if (one.name !== 'local') found.set(one.name, [...(found.get(one.name) ?? []), one]);
  const rank = { open: 0, half_open: 1, closed: 2 };
  return [...found].map(([name, all]) => ({ name, all: [...all].sort((a, b) => rank[/** @type {'open'} */ (a.state)] - rank[/** @type {'open'} */ (b.state)]) }))
    .sort((a, b) => rank[/** @type {'open'} */ (a.all[0].state)] - rank[/** @type {'open'} */ (b.all[0].state)] || sourceTitle(a.name).localeCompare(sourceTitle(b.name)));
};

/** What went wrong with a source lately, each said once. @param {any[]} all */
export const complaintsOf = (all) => [...new Set(all.filter((p) => p.last_error && (p.state !== 'closed' || p.failure_count))
  .map((p) => `${OPERATIONS[p.operation] ? `While ${OPERATIONS[p.operation]}: ` : /\./.test(p.operation) ? `${p.operation}: ` : ''}${p.last_error}`))];

class Sources extends View {
  /** @type {any} */ health = null;
  opened() {
    this.named('Sources');
    let ticks = 0;
    const clock = setInterval(() => {
      ticks += 1;
      if (document.hidden) return;
      if (ticks * 1000 % LOOK_MS === 0) this.ask();
      else if (this.health?.providers?.some((/** @type {any} */ p) => p.state === 'open')) this.update();
    }, 1000);
    this.until(() => clearInterval(clock));
  }
  changed() {}
  async fetch() { if (adds(room.store.state.user)) this.health = await room.api.get('/downloads/manager/health'); }

  render() {
    if (!adds(room.store.state.user)) return html`<div class="page page-narrow">${notForYou('Who looks after the library sees its sources.')}</div>`;
    const { health } = this;
    return html`<div class="page page-narrow"><a class="back" href="#/downloads">${icon('chevron-left')} Downloads</a>
      <header class="page-head"><h1>Sources</h1></header>
      ${this.failure && !health ? this.problem() : !health ? '' : html`
        ${health.queue?.paused ? html`<p class="calm-note" role="status">${icon('circle-alert')}<span>${health.queue.reason || 'Downloads rest for now.'}</span></p>` : ''}
        ${health.throttle?.listening ? html`<p class="calm-note" role="status">${icon('audio-lines')}<span>Somebody is listening, so downloads take it slowly.</span></p>` : ''}
        <p class="lead">A source that does not answer three times is left alone for a minute, then asked once. Nothing is lost meanwhile.</p>
        ${health.providers.length ? html`<ul class="things">${sourcesOf(health.providers).map(({ name, all }) => {
          const [worst] = all;
          const silent = all.every((/** @type {any} */ p) => p.state === 'closed' && !p.last_success && !p.last_failure);
          const missed = worst.state === 'closed' && all.some((/** @type {any} */ p) => p.failure_count);
          const last = all.map((/** @type {any} */ p) => p.last_success).filter(Boolean).sort().pop();
          return html`<li class="thing" data-key="${name}">${icon(silent ? 'wifi' : worst.state === 'closed' && !missed ? 'check' : 'unplug', worst.state === 'closed' && !silent && !missed ? 'good' : '')}<div class="thing-words"><p class="thing-title">${sourceTitle(name)}</p>
            <p class="quiet"><span class="${worst.state === 'open' ? 'state-offline' : ''}">${silent ? 'Not asked yet' : missed ? 'Did not answer the last time' : /** @type {any} */ (STATES)[worst.state] ?? worst.state}</span>${worst.state === 'open' ? ` · asked again ${until(worst.opens_at) || 'in a moment'}` : last ? ` · last answered ${ago(last)}` : ''}</p>
            ${complaintsOf(all).map((told) => html`<p class="quiet">${told}</p>`)}</div></li>`;
        })}</ul>` : empty({ icon: 'wifi', title: 'Nobody was asked yet', text: 'As soon as something is searched for or fetched, it shows here who answers.' })}`}
    </div>`;
  }
}
customElements.define('view-sources', Sources);
