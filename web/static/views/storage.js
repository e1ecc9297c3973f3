// @ts-check
/** Where the music lies: this machine, the station's cache, the cloud; and the long work between them. */
import { flag, html } from '../core/html.js';
import { cover, icon, notForYou, withCommands } from './parts.js';
import { words } from '../core/deeds.js';
import { count, plural, size } from '../core/format.js';
import { ADD_STORAGE, copyingWords, errandIcon, errandLine, errandName, errandPercent, errandTrouble, storageState } from '../core/places.js';
import { edits, owns, seesFiles } from '../core/rights.js';
import { room } from '../core/room.js';
import { to } from '../core/router.js';
import { View } from './view.js';

const AFRESH_MS = 4000; // between two looks at the figures while much happens: they cost the station something
const LATELY = 12;
const CLOCK_MS = 15000;

class Storage extends View {
  /** @type {any} */ data = null;
  /** @type {any[]} */ pins = [];
  busy = false;
  #all = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #soon;
  #over = '';

  opened() {
    this.named('Storage');
    this.follow(room.store, 'pins');
    this.until(room.errands.watch(() => { this.#moved(); this.update(); }));
    this.until(room.store.watch(['pins', 'live'], () => this.#afresh()));
    this.deeds['cache-empty'] = () => this.#empty();
    this.deeds['lately-all'] = () => { this.#all = true; this.update(); };
    // "3 minutes ago", "tried again in 40 s"
    const clock = setInterval(() => { if (!document.hidden) this.update(); }, CLOCK_MS);
    this.until(() => { clearInterval(clock); clearTimeout(this.#soon); });
  }

  get may() { return seesFiles(room.store.state.user); }

  async fetch() {
    if (!this.may) return;
    const { api, errands, store } = room;
    const since = errands.now();
    const [data, pins, active, lately] = await Promise.all([
      api.get('/storage'), api.get('/storage/pins'), api.get('/storage/errands', { state: 'waiting,running', limit: 200 }), api.get('/storage/errands', { state: 'done,failed,cancelled', limit: 50 }),
    ]);
    this.data = data;
    this.pins = pins.items;
    errands.remember([...active.items, ...lately.items], since);
    store.set({ pins: pins.items, storages: data.providers.filter((/** @type {any} */ p) => ['ready', 'trouble'].includes(p.state)).map((/** @type {any} */ p) => p.name) });
    const unseen = pins.items.filter((/** @type {any} */ p) => p.kind === 'album' && !room.library.album(p.id)).map((/** @type {any} */ p) => p.id);
    if (unseen.length) room.library.some('albums', { ids: unseen.slice(0, 200).join(','), limit: Math.min(200, unseen.length) }).then(() => this.update(), () => {});
  }
  /** @param {any} changes */
  changed(changes) {
    if (changes.everything) this.ask();
    else if (!changes.arrived) this.#afresh();
  }

  /** Figures are asked for again when one is over, and now and then while one runs. */
  #moved() {
    const over = room.errands.over().map((/** @type {any} */ one) => one.id).join();
    if (over === this.#over) return;
    this.#over = over;
    this.#afresh(150);
  }
  #afresh(ms = AFRESH_MS) {
    if (this.#soon && ms === AFRESH_MS) return;
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => { this.#soon = undefined; if (this.isConnected) this.ask(); }, ms);
  }

  async #empty() {
    const before = this.data.cache.bytes;
    this.busy = true;
    this.update();
    try {
      this.data = { ...this.data, cache: await room.api.post('/storage/cache/clear') };
      room.ui.toast({ message: `${size(Math.max(0, before - this.data.cache.bytes))} are free again. What is played from the cloud fills it anew.` });
    } catch (error) {
      room.ui.toast({ tone: 'problem', message: words(error) });
    }
    this.busy = false;
    this.ask();
  }

  render() {
    const inside = !this.may ? notForYou('Who looks after the station sees where its music lies.') : this.failure && !this.data ? this.problem() : !this.data ? '' : this.#page();
    return html`<div class="page page-narrow"><a class="back" href="#/you">${icon('chevron-left')} You</a><header class="page-head"><h1>Storage</h1></header>${inside}</div>`;
  }

  #page() {
    const active = room.errands.active();
    return html`${this.#lies()}
      ${active.length ? html`<section class="group" aria-label="Under way" data-key="active"><h2 class="section-title">Under way</h2><ul class="things">${active.map((/** @type {any} */ one) => this.#errand(one))}</ul></section>` : ''}
      ${this.#storages()}${this.#cache()}${this.#kept()}${this.#lately()}`;
  }

  #lies() {
    const { local, cloud_only: cloud, missing, offloadable } = this.data;
    const both = local.bytes > 0 && cloud.bytes > 0;
    const row = (/** @type {string} */ symbol, /** @type {string} */ name, /** @type {any} */ amount, /** @type {string} */ cls) => html`<div class="amount"><dt>${both ? html`<i class="dot ${cls}"></i>` : icon(symbol)}${name}</dt><dd class="count">${plural(amount.tracks, 'track')} · ${size(amount.bytes)}</dd></div>`;
    return html`<section class="group" aria-label="Where your music lies" data-key="lies">
      ${both ? html`<div class="lies" aria-hidden="true"><span class="lies-local" data-css="flex-grow:${local.bytes}"></span><span class="lies-cloud" data-css="flex-grow:${cloud.bytes}"></span></div>` : ''}
      <dl class="amounts">${row('hard-drive', 'On this machine', local, 'lies-local')}${cloud.tracks || this.data.providers.length ? row('cloud', 'Only in the cloud', cloud, 'lies-cloud') : ''}
        ${missing ? html`<div class="amount"><dt>${icon('file-question-mark')}<a class="quiet-link" href="#/you/missing">Missing</a></dt><dd class="count">${plural(missing, 'track')}</dd></div>` : ''}</dl>
      ${offloadable.tracks ? html`<p class="quiet">${size(offloadable.bytes)} of what lies here ${offloadable.tracks === 1 ? 'is' : 'are'} in the cloud as well, and could leave at once.</p>` : ''}
      ${edits(room.store.state.user) && this.data.providers.length && local.tracks ? html`<div class="actions storage-actions"><button class="button" data-do="cloud-copy-all">${icon('cloud-upload')} Copy everything</button><button class="button" data-do="cloud-free-all">${icon('cloud')} Free up space</button></div>` : ''}
    </section>`;
  }

  #storages() {
    const { providers, copying } = this.data;
    if (!providers.length) {
      return html`<section class="group" aria-label="In the cloud" data-key="storages"><h2 class="section-title">In the cloud</h2>
        <p class="lead storage-lead">No storage is set up yet. With a bucket at Cloudflare R2, Backblaze B2, Amazon S3 or anything that speaks S3, your music can lie there and play like any other. Run this on the station’s machine:</p>
        <p class="command"><code>${ADD_STORAGE}</code></p><p class="quiet">It asks, tries everything, and says what is wrong. Instead of r2 also b2, s3 or other.</p></section>`;
    }
    return html`<section class="group" aria-label="In the cloud" data-key="storages"><h2 class="section-title">In the cloud</h2>
      <ul class="things">${providers.map((/** @type {any} */ p) => {
        const state = storageState(p);
        return html`<li class="thing thing-top" data-key="${p.name}">${icon('cloud')}<div class="thing-words"><p class="thing-title" title="${p.name}">${p.name}${p.default && providers.length > 1 ? html` <span class="mark">New copies go here</span>` : ''}</p>
          <p class="quiet"><span class="${state.wrong ? 'wrong' : ''}">${state.words}</span> · ${[p.title, p.bucket, p.sealed ? 'encrypted' : ''].filter(Boolean).join(' · ')}</p>
          <p class="quiet count">${p.tracks ? `${plural(p.tracks, 'track')} · ${size(p.bytes)}` : 'Nothing in it yet'}</p>
          ${state.remedy ? html`<p class="quiet storage-remedy">${withCommands(state.remedy)}</p>` : ''}</div></li>`;
      })}</ul>
      ${copyingWords(copying) ? html`<p class="quiet">${copyingWords(copying)}</p>` : ''}</section>`;
  }

  #cache() {
    const { bytes, files, limit_bytes: limit } = this.data.cache;
    if (!files && !this.data.providers.length) return '';
    const share = limit ? Math.min(100, (bytes / limit) * 100) : 0;
    return html`<section class="group" aria-label="Cache" data-key="cache"><h2 class="section-title">Cache</h2>
      <div class="setting"><div class="setting-words"><p class="count">${files ? html`${size(bytes)} <span class="quiet">of ${size(limit)} at most</span>` : 'Nothing in it yet'}</p><p class="quiet">${files ? `${plural(files, 'track')} from the cloud, ready to play without it. The least recently played leave first.` : `What is played from the cloud is kept here for a while, up to ${size(limit)}.`}</p>
        ${files ? html`<div class="meter" role="meter" aria-label="How full the cache is" aria-valuemin="0" aria-valuemax="100" aria-valuenow="${Math.round(share)}" data-css="--share:${share}%"></div>` : ''}</div>
        ${owns(room.store.state.user) && files ? html`<button class="button button-small" data-do="cache-empty" ${flag('disabled', this.busy)}>Empty</button>` : ''}</div></section>`;
  }

  #kept() {
    if (!this.pins.length) return '';
    const may = edits(room.store.state.user);
    return html`<section class="group" aria-label="Kept on this machine" data-key="kept"><h2 class="section-title">Kept on this machine</h2>
      <ul class="things">${this.pins.map((p) => {
        const thing = p.kind === 'album' ? room.library.album(p.id) : room.library.track(p.id);
        const away = p.track_count - p.local_count;
        return html`<li class="thing" data-key="${p.kind}-${p.id}">${cover(thing ?? { id: p.id, title: p.title }, { size: 128 })}<div class="thing-words"><p class="thing-title" title="${p.title}">${p.kind === 'album' ? html`<a class="quiet-link" href="${to`/album/${p.id}`}">${p.title}</a>` : p.title}</p>
          <p class="quiet">${[p.artist, p.kind === 'album' ? plural(p.track_count, 'track') : 'Track', away ? `${count(away)} not here yet` : ''].filter(Boolean).join(' · ')}</p></div>
          ${may ? html`<button class="icon-button" data-do="keep-no-longer" data-kind="${p.kind}" data-id="${p.id}" data-title="${p.title}" aria-label="No longer keep ${p.title} here" title="No longer keep it here">${icon('pin-off')}</button>` : ''}</li>`;
      })}</ul></section>`;
  }

  #lately() {
    const over = room.errands.over().filter((/** @type {any} */ one) => one.kind !== 'check' || one.state === 'failed');
    if (!over.length) return '';
    const some = this.#all ? over : over.slice(0, LATELY);
    return html`<section class="group" aria-label="Lately" data-key="lately"><h2 class="section-title">Lately</h2><ul class="things">${some.map((/** @type {any} */ one) => this.#errand(one))}</ul>
      ${some.length < over.length ? html`<button class="link-button" data-do="lately-all">Show all</button>` : ''}</section>`;
  }

  /** @param {any} one */
  #errand(one) {
    const running = one.state === 'running';
    const percent = errandPercent(one);
    const trouble = errandTrouble(one);
    const may = edits(room.store.state.user);
    const stays = [...(one.report?.failed ?? []), ...(one.report?.kept ?? [])];
    const name = errandName(one);
    return html`<li class="thing thing-top errand" data-key="${one.id}" data-state="${one.state}">${icon(one.state === 'failed' ? 'circle-alert' : errandIcon(one), one.state === 'failed' ? 'bad' : '')}
      <div class="thing-words"><p class="thing-title" title="${name}">${name}</p><p class="quiet count" title="${running ? one.progress?.now ?? '' : ''}">${errandLine(one).split(' · ').map((piece, i) => html`${i ? ' · ' : ''}<span class="piece">${piece}</span>`)}</p>
        ${running ? html`<div class="meter ${percent === null ? 'meter-open' : ''}" role="progressbar" aria-label="${name}" aria-valuemin="0" aria-valuemax="100" ${percent === null ? '' : html`aria-valuenow="${Math.round(percent)}"`} data-css="--share:${percent ?? 0}%"></div>` : ''}
        ${trouble ? html`<p class="quiet storage-remedy">${withCommands(trouble)}</p>` : ''}
        ${may && one.state === 'failed' && ['upload', 'offload', 'fetch'].includes(one.kind) ? html`<button class="button button-small" data-do="errand-again" data-id="${one.id}" aria-label="Try again: ${name}">Try again</button>` : ''}
        ${stays.length && (stays.length > 1 || !trouble) ? html`<details class="stays"><summary>${icon('chevron-right')}${one.report.failed?.length ? 'What did not work' : 'What stays, and why'}</summary><ul>${stays.slice(0, 50).map((/** @type {any} */ s) => html`<li><p class="path" title="${s.path}">${s.path}</p><p class="quiet">${s.message ?? s.reason}</p></li>`)}</ul></details>` : ''}</div>
      ${may && (running || one.state === 'waiting') ? html`<button class="button button-small" data-do="errand-stop" data-id="${one.id}" aria-label="Stop: ${name}">Stop</button>` : ''}</li>`;
  }
}
customElements.define('view-storage', Storage);
