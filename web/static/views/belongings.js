// @ts-check
/** One's own things, to keep or to take along to another station. */
import { flag, html } from '../core/html.js';
import { KINDS, documentIn } from '../core/belongings.js';
import { ownAccount } from '../core/rights.js';
import { room } from '../core/room.js';
import { icon } from './parts.js';
import { View } from './view.js';

class Belongings extends View {
  /** @type {Set<string>} */ what = new Set(KINDS.map(([kind]) => kind));
  wrong = '';

  opened() {
    this.named('Your things');
    this.deeds['import-choose'] = () => /** @type {HTMLInputElement | null} */ (this.querySelector('input[type="file"]'))?.click();
    this.on(this, 'change', (event) => {
      const { name, value, checked, files } = event.target;
      if (name === 'kind') {
        if (checked) this.what.add(value); else this.what.delete(value);
        this.update();
      } else if (name === 'file' && files?.length) {
        this.#take(files[0]);
        event.target.value = ''; // the same file may be chosen again
      }
    });
  }
  async fetch() {}
  changed() {}

  /** @param {File} file */
  async #take(file) {
    this.wrong = '';
    try {
      const document = documentIn(await file.text());
      this.update(); // what was wrong with another file is past
      await room.ui.dialog('sb-take-over', { title: 'Take over', take: (/** @type {any} */ wish) => room.api.post('/import', { document, ...wish }) });
      for (const kind of ['playlists', 'albums', 'artists', 'tracks']) room.library.refresh(kind);
    } catch (error) {
      this.wrong = /** @type {any} */ (error).message;
    }
    this.update();
  }

  render() {
    const chosen = KINDS.map(([kind]) => kind).filter((kind) => this.what.has(kind));
    return html`<div class="page page-narrow"><a class="back" href="#/you">${icon('chevron-left')} You</a><header class="page-head"><h1>Your things</h1></header>
      <p class="lead">What you made and thought of here, as one file: to keep, or for another library. The music itself stays where it is; tracks are found again by what they are.</p>
      <section class="group"><h2 class="section-title">Save</h2>
        <fieldset class="choices choices-tight"><legend class="sr-only">What to save</legend>${KINDS.map(([kind, name, meaning]) => html`
          <label class="choice"><input type="checkbox" name="kind" value="${kind}" ${flag('checked', this.what.has(kind))}><span><span>${name}</span><span class="quiet">${meaning}</span></span></label>`)}</fieldset>
        <div class="actions">${chosen.length ? html`<a class="button button-main" href="/api/export?what=${chosen.join(',')}" download="soundsible-export.json">${icon('download')} Save as a file</a>` : html`<button class="button" disabled>${icon('download')} Save as a file</button>`}</div></section>
      ${ownAccount(room.store.state.user) ? html`<section class="group"><h2 class="section-title">Take over</h2>
        <p class="quiet">From a file that was saved here or at another station. You see first what would change; taking it over twice changes nothing.</p>
        <input class="sr-only" type="file" name="file" accept="application/json,.json" tabindex="-1" aria-label="File to take over">
        ${this.wrong ? html`<p class="wrong" role="alert">${this.wrong}</p>` : ''}
        <div class="actions"><button class="button" data-do="import-choose">${icon('folder')} Choose a file</button><a class="button" href="#/you/stations">${icon('users-round')} From another station</a></div></section>` : ''}
    </div>`;
  }
}
customElements.define('view-belongings', Belongings);
