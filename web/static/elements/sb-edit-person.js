// @ts-check
/** A person of this station: made, renamed, given another role or another password. */
import { html, flag } from '../core/html.js';
import { choices, icon } from '../views/parts.js';
import { words } from '../core/deeds.js';
import { RIGHTS, ROLES, usual, wishOf } from '../core/people.js';
import { room } from '../core/room.js';
import { Modal } from './modal.js';

/** What can be asked, and how. @type {Record<string, {heading: (name: string) => string, button: string}>} */
const ASKS = {
  new: { heading: () => 'Add a person', button: 'Add' },
  name: { heading: () => 'Change name', button: 'Save' },
  role: { heading: (name) => `What ${name} may do`, button: 'Save' },
  rights: { heading: (name) => `What ${name} may do with the library`, button: 'Save' },
  password: { heading: (name) => `New password for ${name}`, button: 'Set password' },
};

class EditPerson extends Modal {
  #role = '';
  connected() {
    super.connected();
    this.#role = this.props.person?.role ?? 'adult';
    this.on(this, 'change', (event) => { if (event.target.name === 'role') this.#role = event.target.value; });
  }
  heading() { return ASKS[this.props.ask].heading(this.props.person?.username ?? ''); }

  /** @param {FormData} form */
  async submit(form) {
    if (this.busy) return;
    const { ask, person } = this.props;
    const { wish, wrong } = wishOf(ask, form, person);
    this.wrong = wrong ?? '';
    this.update();
    if (!wish) return;
    if (!Object.keys(wish).length) { this.close(undefined); return; }
    this.busy = true;
    try {
      this.close(await (person ? room.api.patch(`/users/${person.id}`, wish) : room.api.post('/users', wish)));
    } catch (error) {
      this.busy = false;
      this.wrong = words(error);
      this.update();
    }
  }

  body() {
    const { ask, person } = this.props;
    const has = (/** @type {string} */ name) => ask === 'new' || ask === name;
    return html`<div class="dialog-fields">
      ${has('name') ? html`<label class="field"><span>Name to log in with</span><input name="username" value="${person?.username ?? ''}" maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false" autofocus></label>` : ''}
      ${has('password') ? html`<div><label class="field"><span>${ask === 'new' ? 'First password' : 'New password'}</span><input name="password" maxlength="1000" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="person-hint"></label>
        <p class="quiet hint" id="person-hint">Ten characters or more. Tell it to ${person ? person.username : 'them'}; it can be changed under “You”.${person ? ' All their devices are logged out.' : ''}</p></div>` : ''}
      ${ask === 'rights' ? RIGHTS.map(([right, name, meaning]) => {
        const said = { true: 'yes', false: 'no' }[String(person.said?.[right])] ?? '';
        return html`<label class="setting"><span class="setting-words"><span>${name}</span><span class="quiet">${meaning}</span></span><span class="select"><select name="right-${right}" aria-label="${name}">${[['', usual(person.role) ? 'As usual: yes' : 'As usual: no'], ['yes', 'Yes'], ['no', 'No']].map(([value, words]) => html`<option value="${value}" ${value === said ? html`selected` : ''}>${words}</option>`)}</select>${icon('chevron-down')}</span></label>`;
      }) : ''}
      ${has('role') ? choices({ name: 'role', legend: 'What they may do', chosen: this.#role, options: ROLES, told: ask === 'role' }) : ''}
      </div><div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button button-main" ${flag('disabled', this.busy)}>${ASKS[ask].button}</button></div>`;
  }
}
customElements.define('sb-edit-person', EditPerson);
