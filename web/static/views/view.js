// @ts-check
/** What all views share: they ask for what they show, draw what is known at once, and follow changes. */
import { words } from '../core/deeds.js';
import { Element } from '../core/element.js';
import { room } from '../core/room.js';
import { problem } from './parts.js';

export class View extends Element {
  /** @type {any} */ failure = null;
  asked = 0;
  /** Kept for as long as the view stands, even when the address moves on. */
  route = room.store?.state.route;

  connected() {
    this.route = room.store.state.route;
    this.follow(room.store, 'queue', 'status', 'user');
    this.until(room.library.watch((/** @type {any} */ changes) => this.changed(changes)));
    this.until(room.store.watch(['reachable'], ({ reachable }) => { if (reachable && this.failure) this.ask(); }));
    this.deeds.again = () => this.ask();
    this.deeds['play-row'] = (data) => this.ifHere(data, (wanted) => this.playRow(wanted));
    this.opened();
    this.ask();
  }

  opened() {}
  /** Does `deed` unless the track of `data` is missing, and says why then. @param {DOMStringMap} data @param {(data: any) => any} deed */
  async ifHere(data, deed) {
    const wanted = { ...data }; // the row may stand for another track by the time the station has answered
    const missing = room.library.track(wanted.id)?.place === 'missing';
    if (!missing || await room.act('seek-missing', { id: wanted.id })) deed(wanted);
  }
  /** Fetches what is shown. */
  async fetch() {}
  /** A row was pressed. @param {any} _data @returns {any} */
  playRow(_data) {}
  /** @param {any} changes */
  changed(changes) {
    if (changes.everything) this.ask();
    else this.update();
  }

  /** Names the page for the tab and for screen readers. @param {string} title */
  named(title) { room.store.set({ page: title ?? '' }); }

  async ask() {
    const mine = (this.asked += 1);
    try {
      await this.fetch();
      if (mine === this.asked) this.failure = null;
    } catch (error) {
      if (mine === this.asked) this.failure = error;
    }
    if (mine === this.asked) this.update();
  }

  /** Does something at the station, says how it went, and asks for what is shown anew. @param {() => Promise<any>} deed @param {string} told */
  async attempt(deed, told) {
    try {
      await deed();
      room.ui.toast({ message: told });
    } catch (error) {
      room.ui.toast({ tone: 'problem', message: words(error) });
    }
    this.ask();
  }

  problem() { return problem(this.failure); }
}
