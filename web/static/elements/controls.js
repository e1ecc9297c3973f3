// @ts-check
/** The transport's buttons, the same in the bar and in now playing. */
import { html, flag } from '../core/html.js';
import { icon } from '../views/parts.js';

/** @param {any} state */
export const playButton = ({ status, waiting, queue }) => html`
  <button class="play-button ${waiting ? 'is-waiting' : ''}" data-do="toggle" aria-label="${status === 'playing' ? 'Pause' : 'Play'}" title="${status === 'playing' ? 'Pause' : 'Play'} (Space)" ${flag('disabled', !queue.entries.length)}>${icon(status === 'playing' ? 'pause' : 'play', 'filled')}</button>`;

/** @param {any} state */
export const transport = (state) => {
  const { queue } = state;
  const none = !queue.entries.length;
  const repeat = { off: 'Repeat', all: 'Repeat: all', one: 'Repeat: this track' }[/** @type {'off'} */ (queue.repeat)];
  return html`<div class="transport" role="group" aria-label="Playing">
    <button class="icon-button toggle" data-do="shuffle" aria-pressed="${queue.shuffle ? 'true' : 'false'}" aria-label="Shuffle" title="Shuffle (S)">${icon('shuffle')}</button>
    <button class="icon-button step" data-do="previous" aria-label="Previous" title="Previous (P)" ${flag('disabled', none)}>${icon('skip-back', 'filled')}</button>
    ${playButton(state)}
    <button class="icon-button step" data-do="next" aria-label="Next" title="Next (N)" ${flag('disabled', none)}>${icon('skip-forward', 'filled')}</button>
    <button class="icon-button toggle" data-do="repeat" aria-pressed="${queue.repeat === 'off' ? 'false' : 'true'}" aria-label="${repeat}" title="${repeat} (R)">${icon(queue.repeat === 'one' ? 'repeat-1' : 'repeat')}</button>
  </div>`;
};
