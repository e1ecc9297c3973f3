// @ts-check
/** Episodes in lists, and what can be done with one; the same wherever they are shown. */
import { html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { clock } from '../core/format.js';
import { episodeItem } from '../core/items.js';
import { episodeLine, heardShare, isComing, isHere, podcastLine } from '../core/podcasts.js';
import { shares } from '../core/rights.js';
import { room } from '../core/room.js';
import { to } from '../core/router.js';
import { cover, icon } from './parts.js';

/** @param {any} podcast */
export const podcastCard = (podcast) => html`<article class="card" data-key="${podcast.id}">
  <a class="card-link" href="${to`/podcast/${podcast.id}`}" title="${podcast.title}">
    ${cover({ title: podcast.title, id: podcast.id, cover: podcast.image ? {} : null, picture: `/api/podcasts/${podcast.id}/cover` }, { size: 300 })}
    <span class="card-title">${podcast.title || podcast.url}</span></a>
  <p class="card-sub" title="${podcastLine(podcast)}">${podcastLine(podcast)}</p>
  ${podcast.status === 'error' ? html`<p class="card-sub card-wrong" title="${podcast.error ?? ''}">${podcast.error || 'Cannot be read now'}</p>` : ''}</article>`;

/** @param {any} episode @param {{podcast?: boolean, adds: boolean}} options `podcast`: its name and picture stand beside it */
export const episodeRow = (episode, { podcast = false, adds }) => {
  const current = room.player.entry?.id === `episode:${episode.id}`;
  const playing = current && room.store.state.status === 'playing';
  const share = heardShare(episode);
  const here = isHere(episode);
  return html`<li class="episode ${current ? 'is-current' : ''} ${episode.finished ? 'is-heard' : ''}" data-key="${episode.id}">
    ${podcast ? cover(episodeItem(episode), { size: 128 }) : ''}
    <div class="episode-words">
      <p class="episode-title"><button class="row-play" data-do="episode-play" data-id="${episode.id}" title="${episode.title}" aria-label="${playing ? 'Playing' : 'Play'}: ${episode.title}">${episode.title}</button></p>
      <p class="row-sub">${podcast && episode.podcast_title ? html`<span class="episode-of">${episode.podcast_title}</span><span class="episode-dot"> · </span>` : ''}${here ? html`<span class="fetched" title="Kept at the station">${icon('hard-drive-download')}<span class="sr-only">Kept at the station. </span></span>` : ''}<span>${isComing(episode) ? 'Being fetched' : episodeLine(episode)}</span></p>
      ${episode.status === 'error' && episode.error ? html`<p class="wrong">${episode.error}</p>` : ''}
      ${share > 0 && share < 1 ? html`<div class="meter" role="progressbar" aria-label="Heard" aria-valuemin="0" aria-valuemax="100" aria-valuenow="${Math.round(share * 100)}" data-css="--share:${share * 100}%"></div>` : ''}
    </div>
    ${current ? html`<span class="bars ${playing ? '' : 'bars-still'}" aria-hidden="true"><i></i><i></i><i></i></span>` : ''}
    ${adds && !here ? html`<button class="icon-button" data-do="episode-fetch" data-id="${episode.id}" aria-label="Fetch ${episode.title} to the station" title="Fetch to the station" ${isComing(episode) ? html`disabled` : ''}>${icon(isComing(episode) ? 'refresh-cw' : 'download', isComing(episode) ? 'turning' : '')}</button>` : ''}
    <button class="icon-button row-menu" data-do="episode-menu" data-id="${episode.id}" aria-haspopup="menu" aria-label="More for ${episode.title}" title="More">${icon('ellipsis')}</button>
  </li>`;
};

/**
 * What a view with episodes can do with them.
 * @param {import('./view.js').View} view
 * @param {{find: (id: string) => any, change: (id: string, patch: any) => void, adds: () => boolean}} parts `find`: the episode as it is shown; `change`: shows it otherwise at once
 */
export const livesWithEpisodes = (view, { find, change, adds }) => {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  view.until(() => clearTimeout(timer));
  view.until(room.intents.on('episode-heard', ({ id, ...heard }) => { if (find(id)) change(id, heard); }));
  const tell = async (/** @type {string} */ id, /** @type {any} */ heard) => {
    change(id, heard);
    room.library.amend(`episode:${id}`, heard);
    try {
      await room.api.put(`/episodes/${id}/position`, heard);
    } catch (error) {
      room.ui.toast({ tone: 'problem', message: words(error) });
      view.ask();
    }
  };
  const deeds = {
    'episode-play': ({ id }) => {
      const episode = find(id ?? '');
      if (!episode) return;
      const item = episodeItem(episode);
      if (room.player.entry?.id === item.id) { room.player.toggle(); return; }
      room.player.playTracks([item], { shuffle: false, source: episode.podcast_title ?? '' });
    },
    'episode-fetch': async ({ id }) => {
      change(id ?? '', { status: 'downloading' });
      try {
        await room.api.post(`/episodes/${id}/download`);
      } catch (error) {
        room.ui.toast({ tone: 'problem', message: words(error) });
      }
      view.ask();
    },
    'episode-menu': ({ id }, event, anchor) => {
      const episode = find(id ?? '');
      if (!episode) return;
      const item = episodeItem(episode);
      room.library.remember('tracks', [item]);
      const of = { kind: 'track', id: item.id };
      room.ui.menu({
        anchor, event, title: episode.title, subtitle: episode.podcast_title, cover: item,
        items: [
          { icon: 'play', words: episode.position_ms > 0 && !episode.finished ? `Go on at ${clock(episode.position_ms)}` : 'Play', deed: 'episode-play', data: { id } },
          { icon: 'list-start', words: 'Play next', deed: 'play-next', data: of },
          { icon: 'list-end', words: 'Add to queue', deed: 'add-to-queue', data: of },
          null,
          episode.description && { icon: 'info', words: 'About this episode', deed: 'episode-about', data: { id } },
          (episode.finished || episode.position_ms > 0) && { icon: 'undo-2', words: 'Mark as not played', deed: 'episode-unheard', data: { id } },
          !episode.finished && { icon: 'check', words: 'Mark as played', deed: 'episode-finish', data: { id } },
          view.localName !== 'view-podcast' && { icon: 'podcast', words: 'Go to podcast', href: `#/podcast/${episode.podcast_id}` },
          isHere(episode) && shares(room.store.state.user) && { icon: 'share-2', words: 'Share by a link', deed: 'share', data: { kind: 'episode', id, title: episode.title } },
          ...(isHere(episode) && adds() ? [null, { icon: 'trash-2', words: 'Remove the copy at the station', deed: 'episode-drop', data: { id }, danger: true }] : []),
        ].filter((one, i, all) => one !== null || (i > 0 && all[i - 1] !== null)),
      });
    },
  };
  Object.assign(view.deeds, deeds);
  /** @type {Record<string, (data: any) => void>} */
  const chosen = {
    'episode-play': deeds['episode-play'],
    'episode-about': ({ id }) => { const episode = find(id); if (episode) room.ui.dialog('sb-about', { title: episode.title, text: episode.description }); },
    'episode-finish': ({ id }) => { if (find(id)) tell(id, { position_ms: 0, finished: true }); },
    'episode-unheard': ({ id }) => { if (find(id)) tell(id, { position_ms: 0, finished: false }); },
    'episode-drop': async ({ id }) => {
      if (!find(id)) return;
      await view.attempt(() => room.api.delete(`/episodes/${id}/download`), 'The copy is gone. The episode plays from where it came from.');
    },
  };
  for (const [name, deed] of Object.entries(chosen)) view.until(room.intents.on(name, deed));
  return {
    /** Looks again soon while something is on its way. @param {any[]} episodes */
    watch(episodes) {
      clearTimeout(timer);
      if (episodes.some(isComing)) timer = setTimeout(() => view.ask(), 2000);
    },
  };
};
