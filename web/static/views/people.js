// @ts-check
/** The people of this station: an owner lets them in, says what they may do, and shows them out. */
import { html } from '../core/html.js';
import { icon, notForYou } from './parts.js';
import { ago, initial } from '../core/format.js';
import { INVITATION_STATES, exceptions, roleName } from '../core/people.js';
import { owns } from '../core/rights.js';
import { room } from '../core/room.js';
import { View } from './view.js';

class People extends View {
  /** @type {any[] | null} */ people = null;
  /** @type {any[]} those that can still be accepted, or were a moment ago */ invitations = [];

  opened() {
    this.named('People');
    this.deeds['person-menu'] = ({ id }, event, anchor) => this.#menu(this.#person(id), event, anchor);
    this.deeds['person-new'] = () => this.#ask('new');
    this.deeds['person-invite'] = async () => { await room.ui.dialog('sb-invite', {}); this.ask(); };
    this.deeds['invitation-withdraw'] = ({ id }) => this.#withdraw(this.invitations.find((one) => one.id === id));
    // The account that it made stays.
    this.deeds['invitation-clear'] = ({ id }) => this.attempt(() => room.api.delete(`/invitations/${id}`), 'It is off the list.');
    this.until(room.intents.on('person-folders', ({ id }) => this.#folders(this.#person(id))));
    this.until(room.intents.on('person-factor', ({ id }) => this.#factor(this.#person(id))));
    for (const ask of ['name', 'role', 'rights', 'password']) this.until(room.intents.on(`person-${ask}`, ({ id }) => this.#ask(ask, this.#person(id))));
    this.until(room.intents.on('person-remove', ({ id }) => this.#remove(this.#person(id))));
  }

  get may() { return owns(room.store.state.user); }
  async fetch() {
    if (!this.may) return;
    const [people, invitations] = await Promise.all([room.api.get('/users'), room.api.get('/invitations')]);
    this.people = people.items;
    this.invitations = invitations.items;
  }
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
          { icon: 'users-round', words: 'Role', deed: 'person-role', data },
          // An owner may everything, and hears everything.
          ...(person.role === 'owner' ? [] : [
            { icon: 'check', words: 'Rights', deed: 'person-rights', data },
            { icon: 'folder', words: 'What they hear', deed: 'person-folders', data }]),
          { icon: 'lock', words: 'Set a new password', deed: 'person-password', data },
          ...(person.second_factor ? [{ icon: 'smartphone', words: 'Switch off second factor', deed: 'person-factor', data }] : []),
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
    const told = { new: `${now.username} can log in now.`, name: `The new name is ${now.username}.`, role: `${now.username} is now: ${roleName(now.role)}.`, rights: `What ${now.username} may do counts from now on.`, password: `${now.username} has a new password.` };
    room.ui.toast({ message: /** @type {any} */ (told)[ask] });
    this.ask();
  }

  /** @param {any} person */
  async #folders(person) {
    if (!person) return;
    const now = await room.ui.dialog('sb-pick-folders', { name: person.username, limited: person.limited, folders: person.folders, save: (/** @type {any} */ wish) => room.api.patch(`/users/${person.id}`, wish) });
    if (!now) return;
    room.ui.toast({ message: now.limited ? `${now.username} hears what lies in the chosen folders.` : `${now.username} hears everything.` });
    this.ask();
  }

  /** @param {any} person */
  async #factor(person) {
    if (!person) return;
    const sure = await room.ui.dialog('sb-confirm', { title: `Switch off ${person.username}’s second factor?`, text: 'For when the phone is gone: the password alone lets them in then, until they set it up again.', button: 'Switch off', danger: true });
    if (sure) await this.attempt(() => room.api.delete(`/users/${person.id}/second-factor`), `${person.username} logs in with the password alone now.`);
  }

  /** @param {any} invitation */
  async #withdraw(invitation) {
    if (!invitation) return;
    const sure = await room.ui.dialog('sb-confirm', { title: 'Withdraw this invitation?', text: 'Its link lets nobody in any more.', button: 'Withdraw', danger: true });
    if (sure) await this.attempt(() => room.api.delete(`/invitations/${invitation.id}`), 'The invitation is withdrawn.');
  }

  /** @param {any} person */
  async #remove(person) {
    if (!person) return;
    const sure = await room.ui.dialog('sb-confirm', { title: `Remove ${person.username}?`, text: 'Their playlists, favourites, ratings and plays go with them, for ever. No music is touched.', button: 'Remove for ever', danger: true });
    if (!sure) return;
    await this.attempt(() => room.api.delete(`/users/${person.id}`), `${person.username} is no longer a person of this station.`);
  }

  #invitations() {
    const open = this.invitations.filter((one) => one.state !== 'ended');
    if (!open.length) return '';
    const told = (/** @type {any} */ one) => [roleName(one.role), one.limited ? 'some folders' : '', one.state === 'open' ? `made ${ago(one.created_at)}` : one.state === 'used' && one.used_by ? `${one.used_by} came ${ago(one.used_at)}` : INVITATION_STATES[one.state]];
    return html`<section class="group"><h2 class="section-title">Invitations</h2><ul class="things">${open.map((one) => html`<li class="thing ${one.state === 'open' ? '' : 'thing-over'}" data-key="${one.id}">${icon('mail')}
      <div class="thing-words"><p class="thing-title" title="${one.name}">${one.name || 'For whoever has the link'}</p><p class="quiet">${told(one).filter(Boolean).join(' · ')}</p></div>
      ${one.state === 'open' ? html`<button class="button button-small" data-do="invitation-withdraw" data-id="${one.id}" aria-label="Withdraw the invitation${one.name ? ` for ${one.name}` : ''}">Withdraw</button>` : html`<button class="icon-button" data-do="invitation-clear" data-id="${one.id}" aria-label="Take the invitation${one.name ? ` for ${one.name}` : ''} off the list" title="Take off the list">${icon('x')}</button>`}</li>`)}</ul></section>`;
  }

  render() {
    const { user } = room.store.state;
    return html`<div class="page page-narrow"><a class="back" href="#/you">${icon('chevron-left')} You</a>
      <header class="page-head page-head-row"><h1>People</h1>${this.may && this.people ? html`<div class="head-buttons"><button class="button button-small" data-do="person-invite">${icon('mail')} Invite</button><button class="button button-small" data-do="person-new">${icon('user-round-plus')} Add a person</button></div>` : ''}</header>
      ${!this.may ? notForYou('Only an owner of this station looks after its people.') : this.failure ? this.problem() : html`
        <p class="lead">Everybody has their own playlists, favourites and plays, and hears all the music, unless you choose folders for them.</p>
        <ul class="things">${(this.people ?? []).map((one) => html`<li class="thing" data-key="${one.id}"><span class="avatar avatar-small" aria-hidden="true">${initial(one.username)}</span>
          <div class="thing-words"><p class="thing-title" title="${one.username}">${one.username}${one.id === user?.id ? html` <span class="quiet">(you)</span>` : ''}</p><p class="quiet">${[roleName(one.role), ...exceptions(one), `joined ${ago(one.created_at)}`].join(' · ')}</p></div>
          <button class="icon-button" data-do="person-menu" data-id="${one.id}" aria-haspopup="menu" aria-label="More for ${one.username}" title="More">${icon('ellipsis')}</button></li>`)}</ul>
        ${this.#invitations()}`}
    </div>`;
  }
}
customElements.define('view-people', People);
