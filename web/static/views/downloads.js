// @ts-check
/** What is on its way into the library. */
import { html } from '../core/html.js';
import { empty, icon } from './parts.js';
import { ago, size } from '../core/format.js';
import { adds, seesFiles } from '../core/rights.js';
import { room } from '../core/room.js';
import { View } from './view.js';

/** @type {Record<string, string>} */
const STATES = { waiting: 'Waiting', pending: 'Looking for it', queued: 'Next', downloading: 'Coming in', processing: 'Getting it ready', completed: 'In your library', paused: 'Paused', failed: 'Did not work', cancelled: 'Stopped' };

class Downloads extends View {
  here = false; // whether this station fetches music
  opened() {
    this.named('Downloads');
    this.follow(room.store, 'downloads');
    this.deeds['download-again'] = async ({ id }) => { await room.api.post(`/downloads/${id}/retry`).catch((/** @type {any} */ e) => room.ui.toast({ tone: 'problem', message: e.message })); this.ask(); };
  }
  async fetch() {
    const { providers } = await room.api.get('/health');
    this.here = Object.keys(providers ?? {}).length > 0;
    if (this.here) room.store.set({ downloads: (await room.api.get('/downloads', { limit: 100 })).items });
  }
  render() {
    const { downloads } = room.store.state;
    return html`<div class="page">
      <header class="page-head"><h1>Downloads</h1></header>
      ${this.failure && !downloads.length ? this.problem() : !downloads.length ? empty({ icon: 'download', title: this.here ? 'Nothing on its way' : 'Music comes from your folders',
        text: this.here ? 'What you ask for shows up here while it comes in, and then in your library.' : 'This station does not fetch music from elsewhere. Files copied into its music folders appear in the library by themselves.',
        actions: seesFiles(room.store.state.user) ? html`<a class="button button-main" href="#/you/folders">See your music folders</a>` : '' })
      : html`<ul class="downloads">${downloads.map((/** @type {any} */ d) => html`<li class="download" data-key="${d.id}">
          <span class="cover cover-list">${icon(d.status === 'completed' ? 'check' : d.status === 'failed' ? 'circle-alert' : 'download')}</span>
          <div class="download-words"><p class="download-title">${d.title ?? d.query ?? d.url ?? 'Something'}</p>
            <p class="quiet">${[d.artist, STATES[d.status] ?? d.status, d.progress?.bytes ? size(d.progress.bytes) : '', ago(d.updated_at)].filter(Boolean).join(' · ')}</p>
            ${d.error ? html`<p class="wrong">${d.error.message}</p>` : ''}
            ${d.progress?.percent && d.status !== 'completed' ? html`<progress max="100" value="${Math.round(d.progress.percent)}"></progress>` : ''}</div>
          ${d.status === 'failed' && adds(room.store.state.user) ? html`<button class="button button-small" data-do="download-again" data-id="${d.id}">Try again</button>` : ''}
        </li>`)}</ul>`}
    </div>`;
  }
}
customElements.define('view-downloads', Downloads);
