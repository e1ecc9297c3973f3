// @ts-check
/** You: the account, how the player behaves, and the care of the library. */
import { flag, html } from '../core/html.js';
import { cover, empty, icon, notForYou } from './parts.js';
import { ago, count, plural, size, span } from '../core/format.js';
import { words } from '../core/deeds.js';
import { SCOPES, scopeName } from '../core/devices.js';
import { roleName } from '../core/people.js';
import { deletes, edits, ownAccount, owns, seesFiles, shares } from '../core/rights.js';
import { room } from '../core/room.js';
import { View } from './view.js';

/** @type {Record<string, string>} */
const TITLES = { folders: 'Music folders', missing: 'Missing tracks', trash: 'Trash', password: 'Change password', bad: 'Files that cannot be read' };
/** @type {Record<string, string>} */
const ROOT_STATES = { online: 'There', offline: 'Does not answer', empty: 'Suddenly empty', absent: 'Not there now', hanging: 'Does not answer' };
/** @type {Record<string, string>} */
const PHASES = { walk: 'Looking through the folders', read: 'Reading tags', settle: 'Putting it in order', hash: 'Checking every byte' };

/** Parts that are not for everybody. @type {Record<string, [(user: any) => boolean, string]>} */
const RIGHTS = {
  folders: [seesFiles, 'Who looks after the station sees its music folders.'], missing: [edits, 'Who looks after the library sees what is missing.'],
  bad: [edits, 'Who looks after the library sees these files.'], trash: [deletes, 'Who looks after the library empties its trash.'],
  password: [ownAccount, 'This device may listen, and leaves the account as it is.'],
};

/** Why a file cannot be read, in words. @type {Record<string, string>} */
const REASONS = {
  empty: 'The file is empty', not_audio: 'There is no music in it', too_large: 'It claims more than any music file holds', truncated: 'It is cut off',
  damaged: 'It is damaged', timed_out: 'Reading it took too long', reader_crashed: 'It could not be read safely', vanished: 'It was gone while reading',
  no_permission: 'The station may not read it', unknown: 'It could not be read',
};

class You extends View {
  page = '';
  /** @type {any} */ data = null;
  wrong = '';
  busy = false;
  /** @type {{name: string, connected: boolean} | null} a provider that vouches for people */ elsewhere = null;

  opened() {
    this.deeds.connect = async () => { if (await room.ui.dialog('sb-connect', this.elsewhere)) { room.ui.toast({ message: 'Your password alone lets you in now.' }); this.ask(); } };
    this.page = this.route.params.part ?? '';
    this.named(TITLES[this.page] ?? 'You');
    this.follow(room.store, 'scan', 'theme', 'levelling', 'saver', 'stats', 'user', 'updateReady');
    this.until(room.errands.watch(() => this.update()));
    this.deeds.theme = ({ value }) => room.store.set({ theme: value });
    this.deeds['purge-missing'] = () => this.#purge();
    this.deeds['trash-restore'] = async ({ id }) => { await room.act('restore', { id }); this.ask(); };
    this.deeds['trash-purge'] = ({ id, title }) => this.#forever(id ?? '', title ?? '');
    this.deeds['root-remove'] = ({ path }) => this.#removeRoot(path ?? '');
    this.on(this, 'change', (event) => {
      const { name, value, checked } = event.target;
      if (name === 'levelling') room.store.set({ levelling: value });
      if (name === 'saver') room.store.set({ saver: checked });
    });
    this.on(this, 'submit', (event) => { event.preventDefault(); this.#submit(event.target); });
  }

  /** Why this part is not for who is here; '' when it is. */
  get closed() { const [may, why] = RIGHTS[this.page] ?? []; return may && !may(room.store.state.user) ? why ?? '' : ''; }

  async fetch() {
    const { api } = room;
    if (this.closed) return;
    if (this.page === 'folders') this.data = (await api.get('/library/roots')).items;
    else if (this.page === 'trash') { const answer = await api.get('/library/trash', { limit: 200 }); this.data = answer.items; room.library.remember('tracks', []); }
    else if (this.page === 'missing') this.data = await api.get('/library/tracks', { place: 'missing', sort: 'artist', limit: 200 });
    else if (this.page === 'bad') this.data = (await api.get('/library/scan'));
    else if (!this.page) {
      const [stats, scan, health] = await Promise.all([api.get('/library/stats'), api.get('/library/scan').catch(() => null), api.get('/health').catch(() => null)]);
      room.store.set({ stats, ...(scan ? { scan: scan.scan ?? scan } : {}) });
      this.data = health;
      await this.#lookElsewhere();
    }
  }
  changed(changes) { if (!changes.arrived) this.ask(); }

  /** Whether a provider can vouch for this account, and does. */
  async #lookElsewhere() {
    const { api, store } = room;
    const { oidc } = await api.get('~/login/ways').catch(() => ({ oidc: null }));
    this.elsewhere = oidc && ownAccount(store.state.user) ? { name: oidc.name, connected: (await api.get('/me')).identity } : null;
  }

  /** @param {HTMLFormElement} form */
  async #submit(form) {
    const data = new FormData(form);
    this.busy = true;
    this.wrong = '';
    this.update();
    try {
      if (form.dataset.form === 'root') {
        const path = String(data.get('path')).trim();
        if (!path) throw new Error('Type the folder’s path first.');
        await room.api.post('/library/roots', { path });
        form.reset();
        room.ui.toast({ message: 'The folder is being read.' });
        await this.fetch();
      } else {
        if (String(data.get('fresh')).length < 10) throw new Error('The new password needs ten characters or more.');
        await room.api.post('/me/password', { current: data.get('current'), new: data.get('fresh') });
        form.reset();
        room.ui.toast({ message: 'Your password is changed. Other browsers are logged out; paired devices stay.', action: { words: 'Devices', run: () => room.ui.go('#/you/devices') } });
        room.ui.go('#/you');
      }
    } catch (error) {
      this.wrong = words(error);
    }
    this.busy = false;
    this.update();
  }

  /** @param {string} path */
  async #removeRoot(path) {
    const sure = await room.ui.dialog('sb-confirm', { title: 'Stop looking in this folder?', text: `No file in ${path} is touched. Its tracks stay listed as missing until you remove them.`, button: 'Stop looking there', danger: true });
    if (!sure) return;
    await room.api.delete('/library/roots', { path }).catch((/** @type {any} */ error) => room.ui.toast({ tone: 'problem', message: words(error) }));
    this.ask();
  }

  async #purge() {
    const sure = await room.ui.dialog('sb-confirm', { title: 'Remove all missing tracks?', text: 'Their plays, ratings and places in playlists go with them. If a drive is only unplugged, plug it in instead.', button: 'Remove for ever', danger: true });
    if (!sure) return;
    const answer = await room.api.post('/library/missing/purge').catch((/** @type {any} */ error) => { room.ui.toast({ tone: 'problem', message: words(error) }); });
    if (answer) room.ui.toast({ message: `${plural(answer.removed, 'track')} removed.` });
    this.ask();
  }

  /** @param {string} id @param {string} title */
  async #forever(id, title) {
    const sure = await room.ui.dialog('sb-confirm', { title: `Delete “${title}” for ever?`, text: 'The file leaves the station’s disk. This cannot be undone.', button: 'Delete for ever', danger: true });
    if (!sure) return;
    await room.api.delete(`/library/trash/${id}`).catch((/** @type {any} */ error) => room.ui.toast({ tone: 'problem', message: words(error) }));
    this.ask();
  }

  render() {
    if (!this.page) return this.#main();
    const inside = this.closed ? notForYou(this.closed) : this.failure ? this.problem() : this.page === 'password' ? this.#password() : this.data === null ? '' : this.#part();
    return html`<div class="page page-narrow"><a class="back" href="#/you">${icon('chevron-left')} You</a><header class="page-head"><h1>${TITLES[this.page] ?? 'You'}</h1></header>${inside}</div>`;
  }

  #part() {
    const { user } = room.store.state;
    if (this.page === 'folders') {
      return html`<p class="lead">The station reads these folders and keeps up with them. It changes nothing in them by itself.</p>
        <ul class="things">${this.data.map((/** @type {any} */ r) => html`<li class="thing" data-key="${r.path}">${icon('folder')}<div class="thing-words"><p class="path" title="${r.path}">${r.path}</p><p class="quiet"><span class="state state-${r.state}">${ROOT_STATES[r.state] ?? r.state}</span> · ${plural(r.track_count ?? 0, 'track')}${r.note ? ` · ${r.note}` : ''}</p></div>
          ${owns(user) ? html`<button class="icon-button" data-do="root-remove" data-path="${r.path}" aria-label="Stop looking in ${r.path}" title="Stop looking there">${icon('x')}</button>` : ''}</li>`)}</ul>
        ${this.data.length ? '' : empty({ icon: 'folder-plus', title: 'No folder yet', text: owns(user) ? 'Add the folder that holds your music.' : 'The station’s owner adds the folder that holds the music.' })}
        ${room.store.state.scan?.state === 'running' ? this.#scan() : ''}
        ${owns(user) ? html`<form class="inline-form" data-form="root"><label class="field"><span>Add a folder on the station’s own disk</span><input name="path" placeholder="/home/you/Music" autocomplete="off" spellcheck="false"></label><button class="button button-main" ${flag('disabled', this.busy)}>${icon('plus')} Add</button></form>` : this.data.length ? html`<p class="quiet">The station’s owner adds and removes folders.</p>` : ''}
        ${this.wrong ? html`<p class="wrong" role="alert">${this.wrong}</p>` : ''}`;
    }
    if (this.page === 'trash') {
      if (!this.data.length) return empty({ icon: 'trash-2', title: 'The trash is empty', text: 'Tracks you move to the trash wait here until you bring them back or delete them for ever.' });
      return html`<ul class="things">${this.data.map((/** @type {any} */ t) => html`<li class="thing" data-key="${t.id}">${cover(t, { size: 128 })}<div class="thing-words"><p class="thing-title" title="${t.title}">${t.title}</p><p class="quiet">${t.artist} · ${ago(t.trashed_at)}</p></div>
        <button class="button button-small" data-do="trash-restore" data-id="${t.id}">${icon('undo-2')} Bring back</button><button class="icon-button" data-do="trash-purge" data-id="${t.id}" data-title="${t.title}" aria-label="Delete ${t.title} for ever" title="Delete for ever">${icon('trash-2')}</button></li>`)}</ul>`;
    }
    if (this.page === 'missing') {
      if (!this.data.items.length) return empty({ icon: 'check', title: 'Everything is there', text: 'When a file or a whole drive goes away, its tracks wait here until it comes back. Nothing is forgotten by itself.' });
      return html`<p class="lead">Their files are not there now: moved away, or on a drive that is not plugged in. They come back by themselves.</p>
        <ul class="things">${this.data.items.map((/** @type {any} */ t) => html`<li class="thing" data-key="${t.id}">${cover(t, { size: 128 })}<div class="thing-words"><p class="thing-title" title="${t.title}">${t.title}</p><p class="quiet path" title="${t.path ?? ''}">${t.artist}${t.path ? ` · ${t.path}` : ''}</p></div></li>`)}</ul>
        ${this.data.total > this.data.items.length ? html`<p class="quiet">and ${count(this.data.total - this.data.items.length)} more</p>` : ''}
        <div class="actions"><button class="button" data-do="scan">${icon('refresh-cw')} Look again</button>${owns(user) ? html`<button class="button button-danger" data-do="purge-missing">Remove all ${count(this.data.total)} for ever</button>` : ''}</div>`;
    }
    if (this.page === 'bad') {
      const bad = (this.data.scan ?? this.data).bad ?? [];
      if (!bad.length) return empty({ icon: 'check', title: 'Every file can be read', text: 'Damaged files would be named here, with the reason.' });
      return html`<ul class="things">${bad.map((/** @type {any} */ b) => html`<li class="thing" data-key="${b.path}">${icon('file-question-mark')}<div class="thing-words"><p class="path" title="${b.path}">${b.path}</p><p class="quiet">${REASONS[b.reason] ?? b.reason}</p></div></li>`)}</ul>`;
    }
    return empty({ icon: 'music', title: 'There is no such page', text: '' });
  }

  #password() {
    return html`<form class="gate-form" data-form="password"><input type="text" name="username" value="${room.store.state.user?.username ?? ''}" autocomplete="username" hidden>
      <label class="field"><span>Password now</span><input name="current" type="password" autocomplete="current-password" required></label>
      <label class="field"><span>New password</span><input name="fresh" type="password" autocomplete="new-password" minlength="10" required></label>
      <p class="quiet hint">Ten characters or more. Other browsers are logged out; devices that are paired stay, until you show them out under <a class="link-button" href="#/you/devices">Devices</a>.</p>
      ${this.wrong ? html`<p class="wrong" role="alert">${this.wrong}</p>` : ''}
      <button class="button button-main" ${flag('disabled', this.busy)}>Change password</button></form>`;
  }

  #scan() {
    const { scan } = room.store.state;
    const running = scan?.state === 'running';
    const done = scan?.finished_at ? `Last looked ${ago(scan.finished_at)}${scan.added ? `, ${count(scan.added)} new` : ''}` : 'Not looked yet';
    const share = running && scan.found ? Math.min(1, (scan.read || 0) / scan.found) : 0;
    return html`<div class="setting"><div class="setting-words"><p>Look for new music</p><p class="quiet">${running ? `${PHASES[scan.phase] ?? 'Looking'}${scan.found ? ` · ${count(scan.read || 0)} of ${count(scan.found)}` : ''}` : scan?.state === 'failed' ? scan.message || 'The last look did not finish' : done}</p>
      ${running ? html`<div class="meter" role="progressbar" aria-label="Looking for new music" aria-valuemin="0" aria-valuemax="100" aria-valuenow="${Math.round(share * 100)}" data-css="--share:${share * 100}%"></div>` : ''}</div>
      <button class="button button-small" data-do="scan" ${flag('disabled', running)}>${icon('refresh-cw', running ? 'turning' : '')} ${running ? 'Looking…' : 'Look now'}</button></div>`;
  }

  #main() {
    const { user, theme, levelling, saver, stats, scan, updateReady } = room.store.state;
    const link = (/** @type {string} */ href, /** @type {string} */ symbol, /** @type {string} */ name, /** @type {any} */ note = '') => html`<a class="setting setting-link" href="${href}">${icon(symbol)}<span class="setting-words">${name}</span><span class="quiet">${note}</span>${icon('chevron-right', 'chevron')}</a>`;
    const bad = scan?.bad?.length ?? 0;
    // Less than the account may, on a device that was paired so.
    const device = ownAccount(user) ? null : SCOPES.find(([scope]) => scope === user?.scope);
    const role = user?.role === 'owner' ? 'Owner of this station' : roleName(user?.role);
    return html`<div class="page page-narrow">
      <header class="you-head"><span class="avatar" aria-hidden="true">${(user?.username ?? '?').slice(0, 1).toUpperCase()}</span><div><h1>${user?.username ?? ''}</h1><p class="quiet">${role}</p>${device ? html`<p class="quiet">This device: ${scopeName(device[0])}. ${device[2]}.</p>` : ''}</div></header>
      ${updateReady ? html`<div class="calm-note">${icon('sparkles')}<span>A newer player is ready.</span><button class="link-button" data-do="reload">Use it</button></div>` : ''}
      <section class="group" aria-label="Listening"><h2 class="section-title">Listening</h2>
        <div class="setting"><div class="setting-words"><p>Appearance</p></div><div class="segments" role="group" aria-label="Appearance">${[['system', 'monitor', 'System'], ['light', 'sun', 'Light'], ['dark', 'moon', 'Dark']].map(([value, symbol, name]) => html`<button class="segment" data-do="theme" data-value="${value}" aria-pressed="${theme === value ? 'true' : 'false'}">${icon(symbol)} ${name}</button>`)}</div></div>
        <div class="setting"><div class="setting-words"><p>Even loudness</p><p class="quiet">Loud records play softer, if their files say how loud they are</p></div><label class="select"><span class="sr-only">Even loudness</span><select name="levelling">${[['off', 'Off'], ['track', 'Each track'], ['album', 'Each album']].map(([value, name]) => html`<option value="${value}" ${levelling === value ? html`selected` : ''}>${name}</option>`)}</select></label></div>
        <label class="setting"><span class="setting-words"><span>Save data on this device</span><span class="quiet">Smaller files on their way here; the originals stay as they are</span></span><input class="switch" type="checkbox" role="switch" name="saver" ${flag('checked', saver)}></label>
        ${room.installing.way === 'installed' ? '' : link('#/you/install', 'smartphone', 'Install as an app')}
        <button class="setting setting-link needs-keys" data-do="shortcuts">${icon('keyboard')}<span class="setting-words">Keyboard</span><kbd>?</kbd></button>
      </section>
      <section class="group" aria-label="Library"><h2 class="section-title">Library</h2>
        ${stats ? html`<p class="facts">${[plural(stats.tracks, 'track'), plural(stats.albums, 'album'), plural(stats.artists, 'artist'), span(stats.duration_ms), size(stats.size_bytes)].join(' · ')}</p>` : ''}
        ${edits(user) ? this.#scan() : ''}
        ${seesFiles(user) ? html`${link('#/you/folders', 'folder', 'Music folders')}
        ${link('#/you/storage', 'hard-drive', 'Storage', room.errands.active().length ? 'At work' : '')}` : ''}
        ${edits(user) ? html`${link('#/you/missing', 'file-question-mark', 'Missing tracks', stats?.missing ? count(stats.missing) : '')}
        ${bad ? link('#/you/bad', 'circle-alert', 'Files that cannot be read', count(bad)) : ''}` : ''}
        ${deletes(user) ? link('#/you/trash', 'trash-2', 'Trash') : ''}
      </section>
      <section class="group" aria-label="Account"><h2 class="section-title">Account</h2>
        ${link('#/you/devices', 'smartphone', 'Devices')}
        ${ownAccount(user) ? link('#/you/apps', 'key-round', 'Apps') : ''}
        ${link('#/you/addresses', 'wifi', 'Where this station answers')}
        ${ownAccount(user) ? html`${link('#/you/password', 'lock', 'Change password')}
        ${link('#/you/second-factor', 'shield-check', 'Second factor')}
        ${this.elsewhere ? html`<button class="setting setting-link" data-do="connect">${icon('users-round')}<span class="setting-words">Log in with ${this.elsewhere.name}</span><span class="quiet">${this.elsewhere.connected ? 'Connected' : ''}</span>${icon('chevron-right', 'chevron')}</button>` : ''}` : ''}
        ${ownAccount(user) ? link('#/you/scrobbling', 'audio-lines', 'Scrobbling') : ''}
        ${shares(user) ? link('#/you/shares', 'share-2', 'Shares') : ''}
        ${link('#/you/things', 'archive', 'Your things')}
        ${ownAccount(user) ? link('#/you/stations', 'radio-tower', 'Other stations') : ''}
        <button class="setting setting-link" data-do="log-out">${icon('log-out')}<span class="setting-words">Log out</span></button>
      </section>
      ${owns(user) ? html`<section class="group" aria-label="Station"><h2 class="section-title">Station</h2>
        ${link('#/you/people', 'users-round', 'People')}
        ${link('#/you/log', 'history', 'What was done')}
      </section>` : ''}
      <footer class="about quiet"><p>Soundsible${this.data?.version ? ` ${this.data.version}` : ''}</p><p>A framework for personal media. What you keep in it is yours to answer for.</p></footer>
    </div>`;
  }
}
customElements.define('view-you', You);
