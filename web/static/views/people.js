// @ts-check
/** The people of this station: an owner lets them in, says what they may do, and shows them out. */
import { html } from '../core/html.js';
import { icon, notForYou } from './parts.js';
import { words } from '../core/deeds.js';
import { ago, initial } from '../core/format.js';
import { roleName } from '../core/people.js';
import { owns } from '../core/rights.js';
import { room } from '../core/room.js';
import { View } from './view.js';

class People extends View {
  /** @type {any[] | null} */ people = null;

  opened() {
    this.named('People');
    this.deeds['person-menu'] = ({ id }, event, anchor) => this.#menu(this.#person(id), event, anchor);
    this.deeds['person-new'] = () => this.#ask('new');
    for (const ask of ['name', 'role', 'password']) this.until(room.intents.on(`person-${ask}`, ({ id }) => this.#ask(ask, this.#person(id))));
    this.until(room.intents.on('person-remove', ({ id }) => this.#remove(this.#person(id))));
  }

  get may() { return owns(room.store.state.user); }
  async fetch() { if (this.may) this.people = (await room.api.get('/users')).items; }
  changed() {} // nothing in the library tells of people

  /** @param {string | undefined} id */
  #person(id) { return this.people?.find((one) => one.id === id); }

  /** @param {any} person @param {Event} event @param {HTMLElement} anchor */
  #menu(person, event, anchor) {
    if (!person) return;
    const data = { id: person.id };
    const self = person.id === room.store.state.user?.id;
    room.ui.menu({
      anchor, event, title: person.username, subtitle: roleName(person.role),
      items: [
        { icon: 'pencil', words: 'Change name', deed: 'person-name', data },
        // Nobody locks themselves out: the own role and account are another owner's business.
        ...(self ? [{ icon: 'lock', words: 'Change password', href: '#/you/password' }] : [
          { icon: 'users-round', words: 'Change what they may do', deed: 'person-role', data },
          { icon: 'lock', words: 'Set a new password', deed: 'person-password', data },
          null,
          { icon: 'trash-2', words: 'Remove', deed: 'person-remove', data, danger: true }]),
      ],
    });
  }

  /** @param {string} ask what the dialog asks @param {any} [person] */
  async #ask(ask, person) {
    const now = await room.ui.dialog('sb-edit-person', { ask, person });
    if (!now) return;
    const { user } = room.store.state;
    if (now.id === user?.id && now.username !== user.username) {
      room.store.set({ user: { ...user, username: now.username } });
      room.library.refresh('playlists'); // they carry their owner's name
    }
    const told = { new: `${now.username} can log in now.`, name: `The new name is ${now.username}.`, role: `${now.username} is now: ${roleName(now.role)}.`, password: `${now.username} has a new password.` };
    room.ui.toast({ message: /** @type {any} */ (told)[ask] });
    this.ask();
  }

  /** @param {any} person */
  async #remove(person) {
    if (!person) return;
    const sure = await room.ui.dialog('sb-confirm', { title: `Remove ${person.username}?`, text: 'Their playlists, favourites, ratings and plays go with them, for ever. No music is touched.', button: 'Remove for ever', danger: true });
    if (!sure) return;
    try {
      await room.api.delete(`/users/${person.id}`);
      room.ui.toast({ message: `${person.username} is no longer a person of this station.` });
    } catch (error) {
      room.ui.toast({ tone: 'problem', message: words(error) });
    }
    this.ask();
  }

  render() {
    const { user } = room.store.state;
    return html`<div class="page page-narrow"><a class="back" href="#/you">${icon('chevron-left')} You</a>
      <header class="page-head page-head-row"><h1>People</h1>${this.may && this.people ? html`<button class="button button-small" data-do="person-new">${icon('user-round-plus')} Add a person</button>` : ''}</header>
      ${!this.may ? notForYou('Only an owner of this station looks after its people.') : this.failure ? this.problem() : html`
        <p class="lead">Everybody here hears the same music and has their own playlists, favourites and plays.</p>
        <ul class="things">${(this.people ?? []).map((one) => html`<li class="thing" data-key="${one.id}"><span class="avatar avatar-small" aria-hidden="true">${initial(one.username)}</span>
          <div class="thing-words"><p class="thing-title" title="${one.username}">${one.username}${one.id === user?.id ? html` <span class="quiet">(you)</span>` : ''}</p><p class="quiet">${roleName(one.role)} · joined ${ago(one.created_at)}</p></div>
          <button class="icon-button" data-do="person-menu" data-id="${one.id}" aria-haspopup="menu" aria-label="More for ${one.username}" title="More">${icon('ellipsis')}</button></li>`)}</ul>`}
    </div>`;
  }
}
customElements.define('view-people', People);
