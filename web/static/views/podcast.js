// @ts-check
/** One podcast: what it is about, and its episodes, the newest first. */
import { flag, html } from '../core/html.js';
import { ago, paragraphs, plural } from '../core/format.js';
import { colourOf } from '../core/colour.js';
import { KEEPS, heardShare } from '../core/podcasts.js';
import { adds } from '../core/rights.js';
import { room } from '../core/room.js';
import { episodeRow, livesWithEpisodes } from './episode-parts.js';
import { cover, empty, icon } from './parts.js';
import { View } from './view.js';

const PAGE = 50;

class PodcastView extends View {
  /** @type {any} */ podcast = null;
  /** @type {any[]} */ episodes = [];
  /** @type {string | null} where the list goes on */ cursor = null;
  #more = false;
  /** All that it says of itself is in sight. */
  #whole = false;
  /** @type {any} */ #coming = null;

  opened() {
    this.#coming = livesWithEpisodes(this, {
      find: (id) => this.episodes.find((one) => one.id === id), adds: () => this.may,
      change: (id, patch) => { this.episodes = this.episodes.map((one) => (one.id === id ? { ...one, ...patch } : one)); this.update(); },
    });
    this.deeds['episodes-more'] = () => this.#next();
    this.deeds['podcast-about'] = () => room.ui.dialog('sb-about', { title: this.podcast.title, text: this.podcast.description });
    this.deeds['podcast-play'] = () => { const one = this.#wanted(); if (one) this.deeds['episode-play'](/** @type {any} */ ({ id: one.id }), new Event('click'), this); };
    this.deeds['podcast-keep'] = () => this.#keep();
    this.deeds['podcast-menu'] = (_, event, anchor) => room.ui.menu({
      anchor, event, title: this.podcast.title, subtitle: this.podcast.author, items: [
        ...(this.may ? [{ icon: 'refresh-cw', words: 'Look for new episodes', deed: 'podcasts-refresh' },
          { icon: 'hard-drive-download', words: 'What is fetched by itself', deed: 'podcast-keep' }, null, { icon: 'trash-2', words: 'Follow no more', deed: 'podcast-end', danger: true }] : []),
      ],
    });
    this.until(room.intents.on('podcast-keep', () => this.#keep()));
    this.until(room.intents.on('podcasts-refresh', () => this.attempt(() => room.api.post('/podcasts/refresh'), 'The station looks for new episodes.')));
    this.until(room.intents.on('podcast-end', () => this.#end()));
    this.until(room.intents.on('podcasts-changed', () => this.ask()));
  }

  get may() { return adds(room.store.state.user); }
  get #id() { return this.route.params.id; }
  changed() { this.update(); }

  async fetch() {
    const limit = Math.min(500, Math.max(PAGE, this.episodes.length));
    const [podcast, page] = await Promise.all([room.api.get(`/podcasts/${encodeURIComponent(this.#id)}`), room.api.get(`/podcasts/${encodeURIComponent(this.#id)}/episodes`, { limit })]);
    this.podcast = podcast;
    this.episodes = page.items;
    this.cursor = page.next_cursor;
    this.#coming.watch(this.episodes);
  }

  async #next() {
    if (this.#more || !this.cursor) return;
    this.#more = true;
    const page = await room.api.get(`/podcasts/${encodeURIComponent(this.#id)}/episodes`, { limit: PAGE, cursor: this.cursor }).catch(() => null);
    this.#more = false;
    if (page) {
      this.episodes = [...this.episodes, ...page.items];
      this.cursor = page.next_cursor;
    }
    this.update();
  }

  /** What a press of play is for: what was begun, else the newest that was not heard. */
  #wanted() { return this.episodes.find((one) => heardShare(one) > 0 && !one.finished) ?? this.episodes.find((one) => !one.finished) ?? this.episodes[0]; }

  async #keep() {
    const now = await room.ui.dialog('sb-follow-podcast', { podcast: this.podcast });
    if (now) this.ask();
  }

  async #end() {
    const sure = await room.ui.dialog('sb-confirm', { title: `Follow “${this.podcast.title}” no more?`, text: 'For everybody here. Its episodes leave the station, and so do the places where you were in them.', button: 'Follow no more', danger: true });
    if (!sure) return;
    await this.attempt(() => room.api.delete(`/podcasts/${this.#id}`), `“${this.podcast.title}” is followed no more.`);
    room.ui.go('#/podcasts');
  }

  painted() {
    const about = this.querySelector('.podcast-about');
    if (!about) return;
    const whole = paragraphs(this.podcast.description).length < 2 && about.scrollHeight <= about.clientHeight + 1;
    if (whole !== this.#whole) { this.#whole = whole; this.update(); }
  }

  render() {
    const { podcast } = this;
    if (this.failure && (!podcast || this.failure.status === 404)) return this.failure.status === 404 ? empty({ icon: 'podcast', title: 'This podcast is not here', text: 'Perhaps it is followed no more.', actions: html`<a class="button" href="#/podcasts">See the podcasts</a>` }) : this.problem();
    if (!podcast) return html`<div class="page"><div class="hero to-come"><span class="cover hero-cover"></span></div></div>`;
    this.named(podcast.title);
    const wanted = this.#wanted();
    const current = wanted && room.player.entry?.id === `episode:${wanted.id}` && room.store.state.status === 'playing';
    const begun = wanted && heardShare(wanted) > 0 && !wanted.finished;
    const kept = KEEPS.find(([value]) => Number(value) === podcast.keep && podcast.keep > 0)?.[1];
    return html`<div class="page page-thing" data-css="--tint:${colourOf(podcast.title)}">
      <header class="hero">
        ${cover({ title: podcast.title, id: podcast.id, cover: podcast.image ? {} : null, picture: `/api/podcasts/${podcast.id}/cover` }, { size: 600, eager: true, cls: 'hero-cover' })}
        <div class="hero-words">
          <h1 title="${podcast.title}">${podcast.title}</h1>
          ${podcast.author ? html`<p class="hero-author">${podcast.author}</p>` : ''}
          <p class="quiet hero-facts">${[plural(podcast.episode_count ?? this.episodes.length, 'episode'), podcast.checked_at ? `looked at ${ago(podcast.checked_at)}` : '', kept ? `${kept.toLowerCase()} kept here` : ''].filter(Boolean).join(' · ')}</p>
          ${podcast.status === 'error' ? html`<p class="wrong">${podcast.error || 'Its feed cannot be read now.'}</p>` : ''}
          ${podcast.description ? html`<p class="podcast-about quiet">${paragraphs(podcast.description)[0]}</p><button class="link-button" data-do="podcast-about" ${flag('hidden', this.#whole)}>More about it</button>` : ''}
          <div class="actions">
            ${wanted ? html`<button class="button button-main" data-do="podcast-play">${icon(current ? 'pause' : 'play', 'filled')} ${current ? 'Pause' : begun ? 'Go on' : 'Play'}</button>` : ''}
            ${podcast.link && /^https?:/.test(podcast.link) ? html`<a class="button" href="${podcast.link}" target="_blank" rel="noopener noreferrer">Its page</a>` : ''}
            ${this.may ? html`<button class="icon-button" data-do="podcast-menu" aria-haspopup="menu" aria-label="More" title="More">${icon('ellipsis')}</button>` : ''}
          </div>
        </div>
      </header>
      ${this.episodes.length ? html`<ul class="episodes">${this.episodes.map((one) => episodeRow(one, { adds: this.may }))}</ul>
        ${this.cursor ? html`<div class="actions"><button class="button" data-do="episodes-more">Older episodes</button></div>` : ''}`
        : empty({ icon: 'podcast', title: 'No episodes yet', text: 'They show up here as soon as the feed has some.' })}
    </div>`;
  }
}
customElements.define('view-podcast', PodcastView);
