// @ts-check
/** Where a track came from: who had it, when, and what was asked for and got. */
import { html } from '../core/html.js';
import { sourceTitle, spentWords, took } from '../core/coming.js';
import { ago, size } from '../core/format.js';
import { Modal } from './modal.js';

const FACTS = /** @type {[string, string][]} */ ([['quality_asked', 'Asked for'], ['quality_got', 'Got'], ['quality', 'Quality']]);

class OriginDialog extends Modal {
  heading() { return 'Where it came from'; }
  get wide() { return true; }
  body() {
    const { origin, track } = this.props;
    const { content = {} } = origin;
    const row = (/** @type {string} */ name, /** @type {any} */ value) => (value === null || value === undefined || value === '' ? '' : html`<div class="fact"><dt>${name}</dt><dd>${value}</dd></div>`);
    const times = Object.entries(content.stage_ms ?? content.stages ?? {}).filter(([, ms]) => Number(ms) >= 50);
    const link = /^https?:\/\//.test(origin.url ?? '') ? html`<a class="plain-link" href="${origin.url}" target="_blank" rel="noopener noreferrer">${origin.url}</a>` : origin.url;
    return html`<p class="lead">${track?.title ?? origin.title} · ${track?.artist ?? origin.artist}</p><dl class="facts-list">
      ${row('Fetched', ago(origin.downloaded_at))}${row('From', sourceTitle(origin.provider))}${row('Named by', origin.source && origin.source !== origin.provider ? sourceTitle(origin.source) : '')}${row('Link', link)}
      ${FACTS.map(([key, name]) => row(name, typeof content[key] === 'string' ? content[key] : ''))}
      ${row('Size', content.size_bytes || content.bytes ? size(content.size_bytes ?? content.bytes) : '')}${row('To look at', origin.review)}
      ${times.length ? row('Took', times.map(([stage, ms]) => `${spentWords(stage)} ${took(Number(ms))}`).join(' · ')) : ''}</dl>
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close" autofocus>Close</button></div>`;
  }
}
customElements.define('sb-origin', OriginDialog);
