// @ts-check
/** The transport's buttons, the same in the bar and in now playing. */
import { html, flag } from '../core/html.js';
import { nextIndex } from '../core/queue.js';
import { icon } from '../views/parts.js';

/** @param {any} state */
export const playButton = ({ status, waiting, queue }) => html`
  <button class="play-button ${waiting ? 'is-waiting' : ''}" data-do="toggle" aria-label="${status === 'playing' ? 'Pause' : 'Play'}" title="${status === 'playing' ? 'Pause' : 'Play'} (Space)" ${flag('disabled', !queue.entries.length)}>${icon(status === 'playing' ? 'pause' : 'play', 'filled')}</button>`;

/** Some seconds back or on, which talk wants more than the next thing. @param {'back' | 'on'} way */
export const jumpButton = (way) => html`<button class="icon-button jump" data-do="jump-${way}" aria-label="${way === 'back' ? '15 seconds back' : '30 seconds on'}" title="${way === 'back' ? '15 seconds back' : '30 seconds on'}">${icon(way === 'back' ? 'rotate-ccw' : 'rotate-cw')}<span aria-hidden="true">${way === 'back' ? '15' : '30'}</span></button>`;

/** @param {any} state @param {any} [track] what plays */
export const transport = (state, track) => {
  const { queue } = state;
  const none = !queue.entries.length;
  const previous = html`<button class="icon-button step" data-do="previous" aria-label="Previous" title="Previous (P)" ${flag('disabled', none)}>${icon('skip-back', 'filled')}</button>`;
  const next = html`<button class="icon-button step" data-do="next" aria-label="Next" title="Next (N)" ${flag('disabled', none || (track?.kind && nextIndex(queue) < 0))}>${icon('skip-forward', 'filled')}</button>`;
  if (track?.kind === 'radio') return html`<div class="transport transport-few" role="group" aria-label="Playing">${queue.entries.length > 1 ? previous : ''}${playButton(state)}${queue.entries.length > 1 ? next : ''}</div>`;
  if (track?.kind === 'episode') return html`<div class="transport" role="group" aria-label="Playing"><sb-speed></sb-speed>${jumpButton('back')}${playButton(state)}${jumpButton('on')}${next}</div>`;
  const repeat = { off: 'Repeat', all: 'Repeat: all', one: 'Repeat: this track' }[/** @type {'off'} */ (queue.repeat)];
  return html`<div class="transport" role="group" aria-label="Playing">
    <button class="icon-button toggle" data-do="shuffle" aria-pressed="${queue.shuffle ? 'true' : 'false'}" aria-label="Shuffle" title="Shuffle (S)">${icon('shuffle')}</button>
    ${previous}
    ${playButton(state)}
    ${next}
    <button class="icon-button toggle" data-do="repeat" aria-pressed="${queue.repeat === 'off' ? 'false' : 'true'}" aria-label="${repeat}" title="${repeat} (R)">${icon(queue.repeat === 'one' ? 'repeat-1' : 'repeat')}</button>
  </div>`;
};
