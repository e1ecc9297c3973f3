// @ts-check
/** The player as an app on this device. */
import { html } from '../core/html.js';
import { room } from '../core/room.js';
import { icon } from './parts.js';
import { View } from './view.js';

class Install extends View {
  opened() {
    this.named('Install');
    this.until(room.installing.watch(() => this.update()));
    this.deeds.install = async () => { if (await room.installing.ask()) room.ui.toast({ message: 'Soundsible is on your home screen now.' }); this.update(); };
  }
  async fetch() {}
  changed() {}

  render() {
    return html`<div class="page page-narrow"><a class="back" href="#/you">${icon('chevron-left')} You</a>
      <header class="page-head"><h1>Install as an app</h1></header>${this.#words()}</div>`;
  }

  #words() {
    const steps = (/** @type {any[]} */ list) => html`<ol class="steps">${list.map((one) => html`<li>${one}</li>`)}</ol>`;
    const way = room.installing.way;
    if (way === 'installed') return html`<p class="lead">It is one already: Soundsible has its place among this device’s apps.</p>`;
    if (way === 'insecure') {
      return html`<p class="lead">This page came over plain HTTP, and browsers install nothing from there. Let this device trust your station once; then its secure address opens, and Soundsible can be installed.</p>
        <div class="actions"><a class="button button-main" href="/trust#/you/install">Trust this station</a></div>`;
    }
    if (way === 'ready') {
      return html`<p class="lead">On the home screen, in a window of its own, and open at once, also when the station sleeps.</p>
        <div class="actions"><button class="button button-main" data-do="install">${icon('download')} Install</button></div>`;
    }
    if (way === 'ios') {
      return html`<p class="lead">Safari puts it on your home screen:</p>
        ${steps([html`Press the share button, the square with an arrow.`, html`Choose “Add to Home Screen”.`, html`Press “Add”, then open Soundsible from there.`])}`;
    }
    return html`<p class="lead">Your browser installs it from its menu:</p>
      ${steps([html`Open the browser’s menu, the three dots or lines.`, html`Choose “Install Soundsible…”, “Install app” or “Add to home screen”.`])}
      <p class="quiet">Firefox on a computer installs no apps; there a bookmark does the same.</p>`;
  }
}
customElements.define('view-install', Install);
