// @ts-check
/** One download, looked at closely: what it was, what was found for it, and how it went. */
import { html } from '../core/html.js';
import { cover, empty, icon, notForYou } from './parts.js';
import { outsideCover, progressLine } from './coming-parts.js';
import { nameOf, nextStep, partWords, reasonWords, shortLink, sourceTitle, spentWords, stateLine, statusWords, took } from '../core/coming.js';
import { isOver } from '../core/downloads.js';
import { ago, clock, size } from '../core/format.js';
import { adds, seesFiles } from '../core/rights.js';
import { room } from '../core/room.js';
import { to } from '../core/router.js';
import { View } from './view.js';

const AFRESH_MS = 700;
const time = (/** @type {string} */ at) => new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
/** @type {Record<string, string>} */
const QUALITY = { lossless: 'Lossless', 320: 'Very good (320)', 192: 'Good (192)', 128: 'Small (128)', smallest: 'Smallest' };

/** A candidate's file, in words. @param {any} one */
const fileWords = (one) => [one.format ? one.format.toUpperCase() : '', one.bitrate_kbps ? `${one.bitrate_kbps} kbit/s` : '', one.size_bytes ? size(one.size_bytes) : '', one.duration_ms ? clock(one.duration_ms) : ''].filter(Boolean).join(' · ');

class DownloadView extends View {
  /** @type {any} */ whole = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #soon;
  #seen = '';
  #log = false;

  get id() { return this.route.params.id; }

  opened() {
    const stop = room.downloads.read(this.id);
    this.until(stop);
    this.until(() => clearTimeout(this.#soon));
    this.follow(room.store, 'status', 'queue', 'fetches');
    this.until(room.store.watch(['live'], ({ live }) => { if (live) this.ask(); }));
    this.until(room.downloads.watch(() => {
      const now = room.downloads.get(this.id);
      const seen = now ? `${now.status} ${now.stage} ${now.attempt} ${now.source}` : '';
      if (seen !== this.#seen) { this.#seen = seen; this.#afresh(); }
      this.update();
    }));
    this.deeds['see-candidates'] = () => this.querySelector('.candidates')?.scrollIntoView({ block: 'start', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
    for (const deed of ['candidate-block', 'candidate-choose']) this.deeds[deed] = async (data) => { await room.act(deed, { id: this.id, candidate: data.candidate }); this.ask(); };
    this.on(this, 'toggle', (event) => { if (event.target.matches('.log')) { this.#log = event.target.open; this.#toEnd(); } }, { capture: true });
  }

  async fetch() {
    if (!adds(room.store.state.user)) return;
    const whole = await room.api.get(`/downloads/${encodeURIComponent(this.id)}`);
    const { history, candidates, stage_ms, ...own } = whole;
    room.downloads.remember([own]);
    this.whole = whole;
    const { items } = await room.api.get(`/downloads/${encodeURIComponent(this.id)}/log`).catch(() => ({ items: [] }));
    room.downloads.readBefore(this.id, items);
    if (own.track_id) room.library.need([own.track_id]);
  }
  #afresh() { this.#soon ??= setTimeout(() => { this.#soon = undefined; if (this.isConnected) this.ask(); }, AFRESH_MS); }

  render() {
    const { user } = room.store.state;
    if (!adds(user)) return html`<div class="page page-narrow">${notForYou('Who looks after the library fetches new music.')}</div>`;
    if (this.failure?.status === 404) return html`<div class="page page-narrow"><a class="back" href="#/downloads">${icon('chevron-left')} Downloads</a>${empty({ icon: 'download', title: 'No longer listed', text: 'This download is off the list. What arrived is in your library.', actions: html`<a class="button" href="#/downloads">See downloads</a>` })}</div>`;
    const { whole } = this;
    const one = whole ? { ...whole, ...room.downloads.get(this.id) } : room.downloads.get(this.id);
    if (!one) return this.failure ? this.problem() : html`<div class="page page-narrow"></div>`;
    this.named(nameOf(one));
    const candidates = whole?.candidates ?? [];
    const stages = Object.entries(whole?.stage_ms ?? {}).filter(([, ms]) => Number(ms) >= 50);
    const lines = room.downloads.lines(this.id);
    const track = one.track_id ? room.library.track(one.track_id) : null;
    return html`<div class="page page-narrow page-download"><a class="back" href="#/downloads">${icon('chevron-left')} Downloads</a>
      <header class="linked">${track ? cover(track, { size: 300 }) : outsideCover({ title: nameOf(one), cover_url: one.cover_url }, { size: 300 })}
        <div class="linked-words"><h1 class="linked-title" title="${nameOf(one)}">${nameOf(one)}</h1><p class="quiet">${[one.artist, one.album].filter(Boolean).join(' · ')}</p>
          <p class="one-state ${one.status === 'failed' ? 'wrong' : ''}" role="status">${one.status === 'failed' ? reasonWords(one.error) : stateLine(one)}</p>${progressLine(one)}</div></header>
      ${one.status === 'failed' ? html`<p class="one-reason">${one.error?.message ?? ''}</p>` : ''}
      <div class="actions one-actions">${this.#steps(one, candidates)}</div>
      ${(one.warnings ?? []).map((/** @type {string} */ w) => html`<p class="calm-note">${icon('info')}<span>${w}</span></p>`)}
      ${candidates.length ? html`<section class="candidates" aria-label="What was found"><h2 class="section-title">What was found</h2><ul class="things">${candidates.map((/** @type {any} */ c) => this.#candidate(c, one))}</ul></section>` : ''}
      <section aria-label="Facts"><h2 class="section-title">How it goes</h2><dl class="facts-list">
        ${this.#fact('Asked for', [one.username && one.username !== user?.username ? `by ${one.username}` : '', ago(one.created_at)].filter(Boolean).join(', '))}
        ${this.#fact('Link', /^https?:/.test(one.url ?? '') ? html`<a class="plain-link" href="${one.url}" target="_blank" rel="noopener noreferrer">${shortLink(one.url)}</a>` : one.url)}
        ${this.#fact('Words', one.query)}
        ${this.#fact('From', one.source ? sourceTitle(one.source) : '')}
        ${this.#fact('Quality', [QUALITY[one.quality] ?? one.quality, one.quality_got ? `got ${one.quality_got}` : ''].filter(Boolean).join(' · '))}
        ${this.#fact('Tries', one.attempt > 1 ? String(one.attempt) : '')}
        ${one.group ? this.#fact('Together', html`<a class="plain-link" href="${to`/downloads/together/${one.group}`}">All that was asked for with it</a>`) : ''}
        ${stages.length ? this.#fact('Took', html`<span class="spent">${stages.map(([stage, ms]) => html`<span><span>${spentWords(stage)}</span><span class="count">${took(Number(ms))}</span></span>`)}</span>`) : ''}
      </dl></section>
      ${whole?.history?.length ? html`<section aria-label="History"><h2 class="section-title">History</h2><ol class="history">${whole.history.map((/** @type {any} */ h) => html`<li><span class="quiet count">${time(h.at)}</span><span>${statusWords(h.to)}${h.reason ? html`<span class="quiet"> · ${h.reason}</span>` : ''}</span></li>`)}</ol></section>` : ''}
      <details class="log"><summary>${icon('chevron-right')}What was noted${lines.length ? html` <span class="quiet count">${lines.length}</span>` : ''}</summary><ol class="log-lines" tabindex="0" aria-label="What was noted">${lines.map((line) => html`<li data-level="${line.level}"><span class="count">${time(line.at)}</span> ${line.message}</li>`)}${lines.length ? '' : html`<li>Nothing yet.</li>`}</ol></details>
    </div>`;
  }

  /** @param {string} name @param {any} value */
  #fact(name, value) { return value ? html`<div class="fact"><dt>${name}</dt><dd>${value}</dd></div>` : ''; }

  /** @param {any} one @param {any[]} candidates */
  #steps(one, candidates) {
    const { id, status } = one;
    const button = (/** @type {string} */ deed, /** @type {string} */ symbol, /** @type {string} */ words, main = false) => html`<button class="button ${main ? 'button-main' : ''}" data-do="${deed}" data-id="${id}">${icon(symbol)} ${words}</button>`;
    if (status === 'completed') return html`${one.track_id ? html`<button class="button button-main" data-do="play-thing" data-kind="track" data-id="${one.track_id}">${icon('play', 'filled')} Play</button>` : ''}${button('download-dismiss', 'x', 'Take off the list')}`;
    if (status === 'failed') {
      const step = nextStep(one, { candidates, seesFiles: seesFiles(room.store.state.user) });
      return html`${step.href ? html`<a class="button button-main" href="${step.href}">${step.words}</a>` : button(step.deed ?? '', step.deed === 'download-retry' ? 'refresh-cw' : 'list-music', step.words, true)}
        ${step.deed === 'download-retry' ? '' : button('download-retry', 'refresh-cw', 'Try again')}${button('download-dismiss', 'x', 'Take off the list')}`;
    }
    if (status === 'cancelled') return button('download-dismiss', 'x', 'Take off the list');
    return html`${status === 'paused' ? button('download-resume', 'play', 'Go on', true) : button('download-pause', 'pause', 'Pause')}
      ${['waiting', 'paused'].includes(status) ? html`${button('download-sooner', 'chevron-up', 'Sooner')}${button('download-later', 'chevron-down', 'Later')}` : ''}${button('download-stop', 'x', 'Stop')}`;
  }

  /** @param {any} c @param {any} one */
  #candidate(c, one) {
    const parts = Object.entries(c.parts ?? {});
    const open = !isOver(one) || one.status === 'failed';
    return html`<li class="candidate ${c.rejected ? 'is-out' : ''}" data-key="${c.id}">
      <div class="candidate-words"><p class="thing-title" title="${c.title}">${c.title}${c.chosen ? html` <span class="mark">Chosen</span>` : ''}</p>
        <p class="quiet">${[c.artist, sourceTitle(c.provider), fileWords(c)].filter(Boolean).join(' · ')}</p>
        ${c.rejected ? html`<p class="quiet">Not taken: ${c.rejected}</p>` : ''}
        ${parts.length ? html`<details class="score"><summary>${icon('chevron-right')}Fits ${Math.round(c.score)} of 100</summary><dl>${parts.map(([name, value]) => html`<div><dt>${partWords(name)}</dt><dd class="count">${Math.round(Number(value))}</dd></div>`)}</dl></details>` : html`<p class="quiet count">Fits ${Math.round(c.score)} of 100</p>`}</div>
      ${open ? html`<div class="candidate-steps">${c.chosen && one.status !== 'failed' ? '' : html`<button class="button button-small" data-do="candidate-choose" data-candidate="${c.id}" aria-label="Choose ${c.title} from ${sourceTitle(c.provider)}">Choose this</button>`}
        ${c.rejected && !c.chosen ? '' : html`<button class="button button-small" data-do="candidate-block" data-candidate="${c.id}" aria-label="Not ${c.title} from ${sourceTitle(c.provider)}">Not this</button>`}</div>` : ''}</li>`;
  }

  #toEnd() {
    const lines = this.querySelector('.log-lines');
    if (lines) lines.scrollTop = lines.scrollHeight;
  }
  #atEnd = true;
  painted() {
    if (!this.#log) return;
    const lines = this.querySelector('.log-lines');
    if (lines && this.#atEnd) lines.scrollTop = lines.scrollHeight;
    lines?.addEventListener('scroll', () => { this.#atEnd = lines.scrollTop + lines.clientHeight > lines.scrollHeight - 24; }, { passive: true, once: true });
  }
}
customElements.define('view-download', DownloadView);
