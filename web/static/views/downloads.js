// @ts-check
/** What is on its way into the library: asked for, coming in, waiting, there, or not. */
import { html } from '../core/html.js';
import { empty, icon, notForYou } from './parts.js';
import { downloadRow, downloadToCome, optionFields, readFields } from './coming-parts.js';
import { byCursor, createCollection } from '../core/collection.js';
import { optionsOf, sourceTitle, until, wishOf } from '../core/coming.js';
import { STATES, isOver, isRunning } from '../core/downloads.js';
import { count, plural } from '../core/format.js';
import { adds, owns, seesFiles } from '../core/rights.js';
import { room } from '../core/room.js';
import { View } from './view.js';

const ROW = 76;
const PAGE = 250;
const MOST_BYTES = 3_500_000; // of a list that is read from a file
const AFRESH_MS = 900; // between two looks at lists and figures while much happens
const LOOK_MS = 15000; // at the sources

/** @type {[string, string, string][]} kind, its name, what is said when there is none */
const KINDS = [['waiting', 'Waiting', 'Nothing waits.'], ['failed', 'Did not work', 'Everything worked.'], ['completed', 'Arrived', 'Nothing has arrived yet.'], ['cancelled', 'Stopped', 'Nothing was stopped.']];
/** What may be done to all of a kind: deed, words, the question. @type {Record<string, [string, string, string?][]>} */
const BULK = {
  waiting: [['pause', 'Pause all'], ['resume', 'Go on with all'], ['cancel', 'Stop all', 'Everything that waits is given up. What has arrived stays in your library.']],
  failed: [['retry', 'Try all again'], ['dismiss', 'Clear the list']],
  completed: [['dismiss', 'Clear the list']],
  cancelled: [['dismiss', 'Clear the list']],
};
/** What was chosen last of how things are fetched. @type {Record<string, string>} */
let chosen = {};

class Downloads extends View {
  kind = '';
  group = '';
  /** @type {any} */ stats = null;
  /** @type {any} */ health = null;
  /** @type {any} */ list = null;
  doubts = 0;
  asking = false;
  wrong = '';
  /** @type {{line?: number, title?: string, reason: string}[]} */ unread = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #soon;
  #looked = 0;
  #asked = 0;
  #picked = false;
  #any = false;

  opened() {
    this.group = this.route.params.group ?? '';
    this.kind = this.route.query.show in STATES ? this.route.query.show : '';
    this.#picked = Boolean(this.kind);
    this.named('Downloads');
    this.follow(room.store, 'fetches', 'live');
    this.until(room.store.watch(['fetches', 'live'], () => this.ask()));
    this.until(room.downloads.watch(({ moved }) => { if (moved) this.#afresh(); this.update(); }));
    this.on(this, 'list-changed', () => this.update());
    this.on(this, 'submit', (event) => { event.preventDefault(); this.#submit(event.target); });
    this.on(this, 'paste', (event) => {
      const text = event.clipboardData?.getData('text') ?? '';
      if (!event.target.matches('.ask input') || text.trim().split(/\r?\n/).length < 2) return;
      event.preventDefault();
      this.#many(text);
    });
    this.on(this, 'change', (event) => {
      if (event.target.matches('.ask input[type="file"]')) this.#read(event.target.files?.[0]).then(() => { event.target.value = ''; });
      else if (event.target.closest('.how')) chosen = readFields(this);
    });
    for (const type of ['dragover', 'dragleave', 'drop']) this.on(this, type, (event) => this.#drop(event));
    this.deeds.kind = ({ kind }) => { this.kind = kind ?? ''; this.#picked = true; history.replaceState(history.state, '', `#/downloads?show=${this.kind}`); this.#choose(); this.update(); };
    this.deeds.bulk = ({ action }) => this.#bulk(action ?? '');
    this.deeds['unread-close'] = () => { this.unread = []; this.update(); };
    // Only while a source is left alone for a while does anything here change with the clock.
    const clock = setInterval(() => {
      if (document.hidden || !room.store.state.fetches) return;
      if (Date.now() - this.#looked > LOOK_MS) this.#look();
      else if (this.#resting().length) this.update();
    }, 1000);
    this.until(() => { clearInterval(clock); clearTimeout(this.#soon); });
    this.#choose();
  }
  changed(changes) { if (!changes.tracks || changes.tracks.added.length || changes.arrived) this.update(); }

  get may() { return adds(room.store.state.user); }

  async fetch() {
    if (!this.may || room.store.state.fetches === false) return;
    this.stats = await room.api.get('/downloads/manager/stats');
    this.#lead();
    this.list?.ensure(0, 1);
    if (this.group) return;
    this.#look();
    this.doubts = (await room.api.get('/downloads/doubtful', { limit: 1 }).catch(() => null))?.total ?? 0;
  }

  async #look() {
    this.#looked = Date.now();
    this.health = await room.api.get('/downloads/manager/health').catch(() => this.health);
    this.update();
  }

  /** Lists and figures are asked for again, however much happens meanwhile only once. */
  #afresh() {
    if (this.#soon) return;
    const wait = Math.max(60, AFRESH_MS - (Date.now() - this.#asked));
    this.#soon = setTimeout(async () => {
      this.#soon = undefined;
      this.#asked = Date.now();
      if (!this.isConnected || !this.may) return;
      this.stats = await room.api.get('/downloads/manager/stats').catch(() => this.stats);
      this.#lead();
      this.list?.refresh();
      this.update();
    }, AFRESH_MS);
  }

  /** Until the listener chooses, the list shown is one with something in it. */
  #lead() {
    if (this.#picked || this.group || (this.kind && this.#count(this.kind))) return;
    const kind = KINDS.find(([one]) => this.#count(one))?.[0] ?? 'completed';
    if (kind === this.kind) return;
    this.kind = kind;
    this.#choose();
  }

  #choose() {
    const query = this.group ? { group: this.group } : { status: (STATES[this.kind] ?? STATES.waiting).join(',') };
    this.list = createCollection({
      page: PAGE,
      remember: (items) => room.downloads.remember(items),
      fetchPage: byCursor((range) => room.api.get('/downloads', { ...query, ...range })),
    });
  }

  /** @param {string} kind */
  #count(kind) { return (STATES[kind] ?? []).reduce((sum, status) => sum + (this.stats?.[status] ?? 0), 0); }

  /* ---- asking for music */

  /** @param {HTMLFormElement} form */
  async #submit(form) {
    const data = new FormData(form);
    const text = String(data.get('wish') ?? '');
    const wish = wishOf(text);
    if (!wish) { this.wrong = 'Paste a link, or type an artist and a title.'; this.update(); return; }
    if (this.asking) return;
    this.asking = true;
    this.wrong = '';
    this.update();
    const done = await room.act('fetch', { body: wish.body, options: optionsOf(data) });
    this.asking = false;
    if (done) {
      form.reset();
      if (isOver(done) && done.status === 'completed') room.ui.toast({ message: 'That is in your library already.', action: done.track_id ? { words: 'Play', deed: 'play-thing', data: { kind: 'track', id: done.track_id } } : undefined });
    }
    this.update();
  }

  /** @param {string} text */
  async #many(text) {
    this.asking = true;
    this.update();
    const form = /** @type {HTMLFormElement | null} */ (this.querySelector('.ask'));
    const answer = await room.act('fetch-list', { text, options: form ? optionsOf(new FormData(form)) : {} });
    this.asking = false;
    this.unread = answer?.failed ?? [];
    if (answer) this.#afresh();
    this.update();
  }

  /** @param {File | undefined} file */
  async #read(file) {
    if (!file) return;
    if (file.size > MOST_BYTES) { this.wrong = 'That file is too long for a list. Lists are M3U, CSV or text.'; this.update(); return; }
    this.wrong = '';
    const text = await file.text();
    if (text.trim()) this.#many(text);
    else { this.wrong = 'There is nothing in that file.'; this.update(); }
  }

  /** @param {DragEvent} event */
  #drop(event) {
    const { dataTransfer } = event;
    if (!this.may || !room.store.state.fetches || !dataTransfer || !['Files', 'text/plain', 'text/uri-list'].some((type) => dataTransfer.types.includes(type))) return;
    event.preventDefault();
    this.toggleAttribute('data-over', event.type === 'dragover');
    if (event.type !== 'drop') return;
    const [file] = dataTransfer.files;
    const text = dataTransfer.getData('text/uri-list') || dataTransfer.getData('text/plain');
    if (file) this.#read(file);
    else if (text.trim()) { const wish = wishOf(text); if (wish?.path.endsWith('/batch')) this.#many(text); else room.act('fetch', { body: wish?.body }); }
  }

  /** @param {string} action */
  async #bulk(action) {
    const [, words, question] = (this.group ? [['cancel', 'Stop all', 'Those that have arrived stay in your library.'], ['retry', 'Try the failed ones again']] : BULK[this.kind] ?? []).find(([one]) => one === action) ?? [];
    if (question && !await room.ui.dialog('sb-confirm', { title: `${words}?`, text: question, button: words, danger: true })) return;
    const status = { pause: 'waiting', resume: 'paused', cancel: this.group ? 'active' : 'waiting,paused', retry: 'failed' }[action] ?? STATES[this.kind].join(',');
    if (this.group) {
      const { items } = await room.api.get('/downloads', { group: this.group, status, limit: 500 });
      if (items.length) await room.act('download-bulk', { action, ids: items.map((/** @type {any} */ d) => d.id) });
    } else await room.act('download-bulk', { action, status });
    this.#afresh();
  }

  /* ---- how it looks */

  #resting() { return (this.health?.providers ?? []).filter((/** @type {any} */ p) => p.state === 'open'); }

  #notes() {
    const queue = this.health?.queue;
    const names = [...new Set(this.#resting().map((/** @type {any} */ p) => p.name))];
    const back = this.#resting().map((/** @type {any} */ p) => p.opens_at).filter(Boolean).sort()[0];
    return html`${queue?.paused ? html`<p class="calm-note" data-key="queue" role="status">${icon('circle-alert')}<span>${queue.reason || 'Downloads rest for now.'}</span></p>` : ''}
      ${names.length ? html`<p class="calm-note" data-key="rest" role="status">${icon('unplug')}<span>${names.map(sourceTitle).join(' and ')} ${names.length === 1 ? 'does' : 'do'} not answer. ${until(back) ? `Asked again ${until(back)}.` : 'Asked again in a moment.'}</span><a class="link-button" href="#/downloads/sources">See sources</a></p>` : ''}
      ${this.doubts ? html`<p class="calm-note" data-key="doubts">${icon('file-question-mark')}<span>${plural(this.doubts, 'track')} ${this.doubts === 1 ? 'wants' : 'want'} a look: the match is not certain.</span><a class="link-button" href="#/downloads/doubts">Look</a></p>` : ''}
      ${this.unread.length ? html`<div class="calm-note unread" data-key="unread">${icon('info')}<span>${plural(this.unread.length, 'line')} could not be asked for:${this.unread.slice(0, 5).map((one) => html`<br>${one.line ? `Line ${one.line}: ` : one.title ? `${one.title}: ` : ''}${one.reason}`)}${this.unread.length > 5 ? html`<br>and ${this.unread.length - 5} more` : ''}</span><button class="icon-button" data-do="unread-close" aria-label="Close">${icon('x')}</button></div>` : ''}`;
  }

  #ask() {
    return html`<form class="ask" data-key="ask"><div class="ask-line"><label class="ask-field">${icon('plus')}<span class="sr-only">Link, or Artist - Title</span><input name="wish" type="text" placeholder="Link, or Artist - Title" autocomplete="off" autocapitalize="off" spellcheck="false" enterkeyhint="go" maxlength="4000"></label>
      <button class="button button-main" ${this.asking ? html`disabled` : ''}>${icon('download')} Get it</button></div>
      ${this.wrong ? html`<p class="wrong" role="alert">${this.wrong}</p>` : ''}
      <div class="ask-more"><label class="link-button file-button"><input class="sr-only" type="file" accept=".m3u,.m3u8,.csv,.tsv,.txt,text/plain,text/csv,audio/x-mpegurl">A list from a file</label>${optionFields(chosen)}</div></form>`;
  }

  render() {
    const { fetches, user } = room.store.state;
    if (!this.may) return html`<div class="page"><header class="page-head"><h1>Downloads</h1></header>${notForYou('Who looks after the library fetches new music.')}</div>`;
    if (fetches === false) {
      return html`<div class="page"><header class="page-head"><h1>Downloads</h1></header>${empty({ icon: 'download', title: 'Music comes from your folders',
        text: 'This station does not fetch music from elsewhere. Files copied into its music folders appear in the library by themselves.',
        actions: seesFiles(user) ? html`<a class="button button-main" href="#/you/folders">See your music folders</a>` : '' })}</div>`;
    }
    if (this.failure && !this.stats) return this.problem();
    if (!this.stats) return html`<div class="page"><header class="page-head"><h1>Downloads</h1></header></div>`;
    if (this.group) return this.#together();
    const running = room.downloads.running();
    const waiting = this.#count('waiting');
    // The figures are a moment older than the events: what was there once keeps its place.
    this.#any ||= running.length > 0 || KINDS.some(([kind]) => this.#count(kind));
    const nothing = !this.#any;
    return html`<div class="page page-downloads">
      <header class="page-head page-head-row"><div><h1>Downloads</h1><p class="quiet count">${[running.length ? `${count(running.length)} on the way` : '', waiting ? `${count(waiting)} waiting` : '', this.stats.today?.completed ? `${count(this.stats.today.completed)} arrived today` : ''].filter(Boolean).join(' · ') || html`&nbsp;`}</p></div>
        <nav class="page-tools" aria-label="More about downloads"><a class="button button-small" href="#/downloads/watches">${icon('history')} Kept up with</a><a class="button button-small" href="#/downloads/sources">${icon('wifi')} Sources</a></nav></header>
      ${this.#ask()}
      ${this.#notes()}
      ${nothing ? empty({ icon: 'download', title: 'Nothing on its way', text: 'Paste a link above, or look for something in Search. It comes in here, and then stands in your library.', actions: html`<a class="button" href="#/search">${icon('search')} Search</a>` }) : ''}
      ${running.length ? html`<section data-key="running" aria-label="On the way"><h2 class="section-title">On the way</h2><div class="comings" role="list">${running.map((/** @type {any} */ d) => downloadRow(d, { whose: owns(user) }))}</div></section>` : ''}
      ${nothing ? '' : html`<section data-key="others" aria-label="Others">
        <div class="chips kinds" role="group" aria-label="Which to show">${KINDS.map(([kind, words]) => html`<button class="chip" data-do="kind" data-kind="${kind}" aria-pressed="${kind === this.kind ? 'true' : 'false'}">${words}${this.#count(kind) ? html`<span class="chip-count">${count(this.#count(kind))}</span>` : ''}</button>`)}</div>
        ${this.#count(this.kind) ? html`<div class="bulk" data-key="bulk">${(BULK[this.kind] ?? []).filter(([action]) => this.#fits(action)).map(([action, words]) => html`<button class="link-button" data-do="bulk" data-action="${action}">${words}</button>`)}</div>` : html`<p class="quiet none" data-key="none">${KINDS.find(([kind]) => kind === this.kind)?.[2] ?? ''}</p>`}
        ${this.list.failure && this.list.total < 0 ? html`<p class="wrong">This list could not be shown. <button class="link-button" data-do="again">Try again</button></p>` : html`<sb-list data-key="list-${this.kind}"></sb-list>`}</section>`}
    </div>`;
  }

  /** @param {string} action */
  #fits(action) { return (action !== 'pause' || this.stats.waiting) && (action !== 'resume' || this.stats.paused); }

  #together() {
    const first = this.list.total > 0 ? room.downloads.get(this.list.at(0) ?? '') : null;
    const here = this.list.known.map((/** @type {string} */ id) => room.downloads.get(id)).filter(Boolean);
    const of = (/** @type {string} */ status) => here.filter((/** @type {any} */ d) => d.status === status).length;
    return html`<div class="page"><a class="back" href="#/downloads">${icon('chevron-left')} Downloads</a>
      <header class="page-head page-head-row"><div><h1>${first?.album ?? 'Asked for together'}</h1><p class="quiet count">${this.list.total > 0 ? [`${count(of('completed'))} of ${count(this.list.total)} in your library`, of('failed') ? `${count(of('failed'))} did not work` : ''].filter(Boolean).join(' · ') : html`&nbsp;`}</p></div>
        <div class="page-tools">${of('failed') ? html`<button class="button button-small" data-do="bulk" data-action="retry">${icon('refresh-cw')} Try the failed ones again</button>` : ''}${here.some((/** @type {any} */ d) => !isOver(d)) ? html`<button class="button button-small" data-do="bulk" data-action="cancel">Stop all</button>` : ''}</div></header>
      ${this.list.total === 0 ? empty({ icon: 'download', title: 'Nothing of it is listed any more', text: 'What arrived is in your library.' }) : html`<sb-list data-key="together"></sb-list>`}</div>`;
  }

  painted() {
    const el = /** @type {any} */ (this.querySelector('sb-list'));
    if (!el) return;
    const { list } = this;
    const kind = this.group ? null : STATES[this.kind];
    el.show({
      source: list, mode: 'rows', rowHeight: ROW,
      draw: (/** @type {string | undefined} */ id, /** @type {number} */ index) => {
        const one = id === undefined ? undefined : room.downloads.get(id);
        if (!one) return downloadToCome(index);
        // What has moved on since leaves with the next look; until then it says where it is.
        const around = (/** @type {number} */ at) => room.downloads.get(list.at(at) ?? '')?.group;
        const heads = !this.group && Boolean(one.group) && around(index - 1) !== one.group && around(index + 1) === one.group;
        return downloadRow(one, { heads: heads && (!kind || !isRunning(one)), whose: owns(room.store.state.user) });
      },
    });
  }
}
customElements.define('view-downloads', Downloads);
