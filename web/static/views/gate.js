// @ts-check
/** What the doors share: a calm card in the middle with the mark above it. */
import { flag, html } from '../core/html.js';
import { LEAST } from '../core/people.js';

/** @param {any} inside */
export const gate = (inside) => html`<div class="gate-card">
  <svg class="gate-mark" viewBox="0 0 32 32" aria-hidden="true"><path d="M21.5 10.5a6 6 0 1 0-5.5 8.4"/><path d="M10.5 21.5a6 6 0 1 0 5.5-8.4"/></svg>
  ${inside}</div>`;

/** Asks for a name and a password. @param {{label: string, length: number, wrong: string, busy: boolean, button: string}} parts length: of the password as typed so far */
export const accountForm = ({ label, length, wrong, busy, button }) => {
  const left = LEAST - length;
  return html`<form class="gate-form" novalidate><label class="field"><span>${label}</span><input name="username" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64"></label>
      <label class="field"><span>Password</span><input name="password" type="password" autocomplete="new-password" aria-describedby="least"></label>
      <p class="quiet hint" id="least">${length && left > 0 ? `${left} more ${left === 1 ? 'character' : 'characters'}.` : left <= 0 ? 'Long enough.' : 'Ten characters or more. A short sentence is easy to remember.'}</p>
      ${wrong ? html`<p class="wrong" role="alert">${wrong}</p>` : ''}
      <button class="button button-main button-whole" ${flag('disabled', busy)}>${busy ? 'One moment…' : button}</button></form>`;
};
