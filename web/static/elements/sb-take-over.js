// @ts-check
/** Takes one's things over from elsewhere: first what would come of it, then, when it is wanted, the deed. */
import { flag, html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { KINDS, reportWords } from '../core/belongings.js';
import { plural } from '../core/format.js';
import { Modal } from './modal.js';

class TakeOver extends Modal {
  /** @type {Set<string>} */ #what = new Set(KINDS.map(([kind]) => kind));
  /** @type {any} */ #report = null;
  /** @type {any} */ #done = null;

  connected() {
    super.connected();
    this.on(this, 'change', (event) => {
      const { name, value, checked } = event.target;
      if (name !== 'what') return;
      if (checked) this.#what.add(value); else this.#what.delete(value);
      this.#try(true);
    });
    this.#try(true);
  }
  heading() { return this.props.title; }
  submit() { if (!this.busy) this.#try(false); }

  /** @param {boolean} rehearsal */
  async #try(rehearsal) {
    const what = KINDS.map(([kind]) => kind).filter((kind) => this.#what.has(kind));
    const asked = what.join();
    this.wrong = '';
    if (!what.length) { this.#report = null; this.update(); return; }
    this.busy = true;
    this.update();
    try {
      const report = await this.props.take({ what, dry_run: rehearsal });
      if (asked !== KINDS.map(([kind]) => kind).filter((kind) => this.#what.has(kind)).join()) return; // chosen anew meanwhile
      if (rehearsal) this.#report = report; else this.#done = report;
    } catch (error) {
      this.wrong = words(error);
    }
    this.busy = false;
    this.update();
  }

  /** @param {any} report */
  #missing(report) {
    if (!report.missing) return '';
    return html`<details class="missing"><summary>${plural(report.missing, 'track')} ${report.missing === 1 ? 'is' : 'are'} not in this library</summary>
      <ul>${report.not_found.map((/** @type {any} */ one) => html`<li>${one.title}${one.artist ? html` <span class="quiet">${one.artist}</span>` : ''}</li>`)}</ul></details>`;
  }

  body() {
    if (this.#done) {
      const told = reportWords(this.#done);
      return html`<p role="status">${told.length ? `Taken over: ${told.join(', ')}.` : 'Everything was here already.'}</p>${this.#missing(this.#done)}
        <div class="dialog-actions"><button type="button" class="button button-main" data-do="modal-close">Done</button></div>`;
    }
    const told = this.#report ? reportWords(this.#report) : [];
    return html`<fieldset class="choices"><legend>What to take over</legend>${KINDS.map(([kind, name, meaning]) => html`
        <label class="choice"><input type="checkbox" name="what" value="${kind}" ${flag('checked', this.#what.has(kind))}><span><span>${name}</span><span class="quiet">${meaning}</span></span></label>`)}</fieldset>
      <p class="report" role="status" aria-busy="${this.busy ? 'true' : 'false'}">${!this.#what.size ? 'Choose something.' : !this.#report ? (this.wrong ? '' : 'Looking what would come of it…') : told.length ? `It would bring: ${told.join(', ')}.` : 'All of it is here already.'}</p>
      ${this.#report ? this.#missing(this.#report) : ''}
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button button-main" ${flag('disabled', this.busy || !told.length)}>Take over</button></div>`;
  }
}
customElements.define('sb-take-over', TakeOver);
