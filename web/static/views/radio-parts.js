// @ts-check
/** Internet radios in lists, and a press of play; the same wherever they are shown. */
import { colourOf } from '../core/colour.js';
import { html } from '../core/html.js';
import { radioItem } from '../core/items.js';
import { room } from '../core/room.js';
import { icon } from './parts.js';

/** One that plays keeps what it says of itself. @param {any[]} radios */
export const rememberRadios = (radios) => room.library.remember('tracks', radios.map((one) => {
  const { artist, ...item } = radioItem(one);
  return room.library.track(item.id) ? item : { ...item, artist };
}));

/** All of `radios` are the queue: next is the next station. @param {any[]} radios @param {string} id @param {string} source */
export const playRadio = (radios, id, source) => {
  if (room.player.entry?.id === `radio:${id}`) { room.player.toggle(); return; }
  room.player.playTracks(radios.map((one) => room.library.track(`radio:${one.id}`) ?? radioItem(one)), { start: radios.findIndex((one) => one.id === id), shuffle: false, source });
};

/** @param {any} radio @param {{menu?: boolean}} [options] */
export const radioRow = (radio, { menu = false } = {}) => {
  const current = room.player.entry?.id === `radio:${radio.id}`;
  const playing = current && room.store.state.status === 'playing' && !room.store.state.waiting;
  const now = current ? room.library.track(`radio:${radio.id}`)?.artist : '';
  const host = /^https?:\/\/([^/:?#]+)/.exec(radio.homepage_url || '')?.[1]?.replace(/^www\./, '') ?? '';
  return html`<div class="row row-radio ${current ? 'is-current' : ''}" role="listitem" data-key="${radio.id}">
    <span class="row-lead"><span class="cover cover-list" data-css="--tint:${colourOf(radio.name)}">${icon('radio')}</span><span class="row-state" aria-hidden="true">${playing ? html`<span class="bars"><i></i><i></i><i></i></span>` : icon('play', 'filled')}</span></span>
    <span class="row-text"><button class="row-play" data-do="radio-play" data-id="${radio.id}" title="${radio.name}">${radio.name}${playing ? html`<span class="sr-only"> (playing)</span>` : ''}</button><span class="row-sub">${now || host || 'Internet radio'}</span></span>
    ${menu ? html`<button class="icon-button row-menu" data-do="radio-menu" data-id="${radio.id}" aria-haspopup="menu" aria-label="More for ${radio.name}" title="More">${icon('ellipsis')}</button>` : ''}
  </div>`;
};
