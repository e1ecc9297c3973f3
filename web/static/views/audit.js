// @ts-check
/** What was done at this station, by whom and from where, for its owner. */
import { html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { ALARMING, DEEDS, besides, doer, subjectOf } from '../core/audit.js';
import { count } from '../core/format.js';
import { owns } from '../core/rights.js';
import { room } from '../core/room.js';
import { empty, icon, notForYou } from './parts.js';
import { View } from './view.js';

const PAGE = 60;

class Audit extends View {
  /** @type {any[] | null} */ lines = null;
  /** @type {string | null} */ cursor = null;
  /** @type {any[]} */ people = [];
  total = 0;
  deed = '';
  username = '';
  more = false;

  opened() {
    this.named('What was done');
    this.deeds.older = () => this.#older();
    this.on(this, 'change', (event) => {
      const { name, value } = event.target;
      if (name !== 'deed' && name !== 'username') return;
      /** @type {any} */ (this)[name] = value;
      this.ask();
    });
  }

  get may() { return owns(room.store.state.user); }
  changed() {} // nothing in the library tells of it

  /** @param {string | null} [cursor] */
  #page(cursor) { return room.api.get('/audit', { limit: PAGE, cursor, deed: this.deed, username: this.username }); }

  async fetch() {
    if (!this.may) return;
    const [page, people] = await Promise.all([this.#page(), this.people.length ? { items: this.people } : room.api.get('/users')]);
    this.people = people.items;
    this.lines = page.items;
    this.cursor = page.next_cursor;
    this.total = page.total;
  }

  async #older() {
    if (this.more || !this.cursor) return;
    this.more = true;
    const mine = this.asked;
    try {
      const page = await this.#page(this.cursor);
      if (mine !== this.asked) return; // another filter by now
      this.lines = [...this.lines ?? [], ...page.items];
      this.cursor = page.next_cursor;
    } catch (error) {
      room.ui.toast({ tone: 'problem', message: words(error) });
    } finally {
      this.more = false;
      this.update();
    }
  }

  #list() {
    const lines = this.lines ?? [];
    if (!lines.length) return empty({ icon: 'history', title: this.deed || this.username ? 'Nothing of that kind' : 'Nothing yet', text: 'Logging in, pairing, changed accounts and whatever else matters is written down here.' });
    const days = /** @type {Map<string, any[]>} */ (new Map());
    for (const line of lines) {
      const day = new Date(line.at).toLocaleDateString(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
      days.set(day, [...days.get(day) ?? [], line]);
    }
    return html`${[...days].map(([day, those]) => html`<section class="group" data-key="${day}"><h2 class="section-title">${day}</h2>
      <ol class="log">${those.map((line, i) => html`<li class="log-line" data-key="${line.at} ${i}"><time datetime="${line.at}">${new Date(line.at).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })}</time>
        <div><p>${ALARMING.has(line.deed) ? icon('circle-alert', 'bad') : ''}<b>${doer(line)}</b> ${line.words}${line.subject ? html`: <span class="log-subject">${subjectOf(line)}</span>` : ''}</p><p class="quiet">${besides(line).join(' · ')}</p></div></li>`)}</ol></section>`)}
      ${this.cursor ? html`<div class="actions"><button class="button" data-do="older">Show older</button></div>` : ''}`;
  }

  render() {
    return html`<div class="page page-narrow"><a class="back" href="#/you">${icon('chevron-left')} You</a>
      <header class="page-head"><h1>What was done</h1></header>
      ${!this.may ? notForYou('Only an owner of this station reads what was done here.') : this.failure ? this.problem() : this.lines === null ? '' : html`
        <div class="filters"><label class="select"><select name="deed" aria-label="What"><option value="">Everything</option>${DEEDS.map(([group, deeds]) => html`<optgroup label="${group}">${deeds.map(([deed, said]) => html`<option value="${deed}" ${deed === this.deed ? html`selected` : ''}>${said}</option>`)}</optgroup>`)}</select>${icon('chevron-down')}</label>
        <label class="select"><select name="username" aria-label="By whom"><option value="">Everybody</option>${this.people.map((one) => html`<option value="${one.username}" ${one.username === this.username ? html`selected` : ''}>${one.username}</option>`)}</select>${icon('chevron-down')}</label>
        <span class="quiet count">${count(this.total)}</span></div>
        ${this.#list()}`}
    </div>`;
  }
}
customElements.define('view-audit', Audit);
