// @ts-check
/** Connects a service that plays are told to: ListenBrainz by a token, Last.fm by a yes on its own page. */
import { flag, html } from '../core/html.js';
import { words } from '../core/deeds.js';
import { SERVICES } from '../core/scrobbling.js';
import { room } from '../core/room.js';
import { Modal } from './modal.js';

class TellPlays extends Modal {
  /** Where Last.fm asks. @type {{address: string, token: string} | null} */ #asked = null;
  #own = false;

  connected() {
    super.connected();
    this.on(this, 'change', (event) => { if (event.target.name === 'own') { this.#own = event.target.checked; this.update(); } });
    this.deeds['lastfm-done'] = () => this.#send({ token: this.#asked?.token });
    if (this.props.service === 'lastfm') this.#begin();
  }
  get #name() { return SERVICES[this.props.service]?.name ?? this.props.service; }
  heading() { return `Connect ${this.#name}`; }

  async #begin() {
    try {
      this.#asked = await room.api.post('/scrobblers/lastfm/begin');
    } catch (error) {
      this.wrong = words(error);
    }
    this.update();
  }

  /** @param {any} body */
  async #send(body) {
    if (this.busy) return;
    this.busy = true;
    this.wrong = '';
    this.update();
    try {
      const one = await room.api.put(`/scrobblers/${this.props.service}`, body);
      room.ui.toast({ message: `${this.#name} is told what you hear${one?.username ? `, as ${one.username}` : ''}.` });
      this.close(one ?? true);
      return;
    } catch (error) {
      this.wrong = words(error);
    }
    this.busy = false;
    this.update();
  }

  /** @param {FormData} form */
  submit(form) {
    if (this.props.service === 'lastfm') return;
    const token = String(form.get('token') ?? '').trim();
    const url = String(form.get('url') ?? '').trim();
    if (!token) { this.wrong = 'Paste the token first.'; this.update(); return; }
    this.#send({ token, ...(this.#own && url ? { url } : {}) });
  }

  body() {
    if (this.props.service === 'lastfm') {
      return html`<ol class="steps"><li>Open Last.fm, log in there, and allow this station.</li><li>Come back here and say so.</li></ol>
        <div class="dialog-actions">${this.#asked ? html`<a class="button ${this.busy ? '' : 'button-main'}" href="${this.#asked.address}" target="_blank" rel="noopener noreferrer">Open Last.fm</a><button type="button" class="button" data-do="lastfm-done" ${flag('disabled', this.busy)}>I have allowed it</button>` : ''}</div>`;
    }
    return html`<div class="dialog-fields"><div><label class="field"><span>User token</span><input name="token" autocomplete="off" autocapitalize="none" spellcheck="false" autofocus></label>
      <p class="quiet hint">It stands on <a class="plain-link" href="https://listenbrainz.org/settings/" target="_blank" rel="noopener noreferrer">listenbrainz.org/settings</a>.</p></div>
      <label class="check"><input type="checkbox" name="own" ${flag('checked', this.#own)}><span>I use another server that speaks like it</span></label>
      ${this.#own ? html`<label class="field"><span>Its address</span><input name="url" type="url" placeholder="https://maloja.example/apis/listenbrainz" autocomplete="off" spellcheck="false"></label>` : ''}</div>
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close">Cancel</button><button class="button button-main" ${flag('disabled', this.busy)}>Connect</button></div>`;
  }
}
customElements.define('sb-tell-plays', TellPlays);
