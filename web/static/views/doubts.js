// @ts-check
/** Tracks that were fetched and are not certain to be what was meant: somebody should look. */
import { html } from '../core/html.js';
import { cover, empty, icon, notForYou } from './parts.js';
import { words } from '../core/deeds.js';
import { sourceTitle } from '../core/coming.js';
import { ago } from '../core/format.js';
import { adds, deletes, edits } from '../core/rights.js';
import { room } from '../core/room.js';
import { View } from './view.js';

class Doubts extends View {
  /** @type {any[] | null} */ items = null;
  opened() {
    this.named('To look at');
    this.deeds.settle = async ({ id }) => {
      try {
        await room.api.delete(`/downloads/doubtful/${encodeURIComponent(id ?? '')}`);
        this.items = (this.items ?? []).filter((one) => one.track_id !== id);
      } catch (error) { room.ui.toast({ tone: 'problem', message: words(error) }); }
      this.update();
    };
  }
  async fetch() {
    if (!adds(room.store.state.user)) return;
    const { items } = await room.api.get('/downloads/doubtful', { limit: 200 });
    await room.library.tracks(items.map((/** @type {any} */ one) => one.track_id)).catch(() => []);
    this.items = items;
  }
  render() {
    const { user } = room.store.state;
    if (!adds(user)) return html`<div class="page page-narrow">${notForYou('Who looks after the library looks at these.')}</div>`;
    return html`<div class="page page-narrow"><a class="back" href="#/downloads">${icon('chevron-left')} Downloads</a>
      <header class="page-head"><h1>To look at</h1></header>
      ${this.failure ? this.problem() : this.items === null ? '' : !this.items.length ? empty({ icon: 'check', title: 'Nothing in doubt', text: 'When a fetched track cannot be matched with certainty, it is left as it came and shows up here.' })
        : html`<p class="lead">These came in, but nobody is sure they are what was meant. Nothing about them was changed.</p><ul class="things">${this.items.map((one) => {
          const track = room.library.track(one.track_id);
          return html`<li class="thing thing-top" data-key="${one.track_id}">${cover(track ?? { id: one.track_id, title: one.title }, { size: 128 })}<div class="thing-words"><p class="thing-title" title="${one.title}">${one.title}</p><p class="quiet">${[one.artist, sourceTitle(one.provider), ago(one.downloaded_at)].filter(Boolean).join(' · ')}</p><p class="quiet">${one.review}</p>
            <div class="doubt-steps"><button class="button button-small" data-do="play-thing" data-kind="track" data-id="${one.track_id}">${icon('play', 'filled')} Listen</button>${edits(user) ? html`<button class="button button-small" data-do="settle" data-id="${one.track_id}">${icon('check')} It is right</button><button class="button button-small" data-do="edit-tags" data-id="${one.track_id}">${icon('pencil')} Edit</button>` : ''}${deletes(user) ? html`<button class="button button-small" data-do="trash" data-id="${one.track_id}">${icon('trash-2')} Trash</button>` : ''}</div></div></li>`;
        })}</ul>`}
    </div>`;
  }
}
customElements.define('view-doubts', Doubts);
