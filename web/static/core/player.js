// @ts-check
/**
 * Playing: two audio elements, one heard, one holding the next track ready so that it follows without a gap.
 *
 * State goes to the store as `queue`, `status` (`idle loading playing paused`) and `waiting` (the sound has
 * stopped for want of bytes); the position is asked for (`positionMs`), since it changes all the time.
 */
import { coverUrl, streamUrl } from './api.js';
import { resumeAt } from './items.js';
import { createTally } from './listening.js';
import * as Q from './queue.js';

// A press of "previous" after this much starts the track again.
const RESTART_AFTER_MS = 3000;
const PRELOAD_BEFORE_END_MS = 40000;
const FAILURES_IN_A_ROW = 3;
const LINE_BREAKS = 3; // in a row, after which the file is asked for in another way

/** @param {any} track @param {string} mode @returns {number} factor 0-1: ReplayGain, attenuating only, never clipping */
export const levelFactor = (track, mode) => {
  if (mode === 'off' || !track?.replaygain) return 1;
  const { track_gain_db: tg, album_gain_db: ag } = track.replaygain;
  const gain = mode === 'album' ? ag ?? tg : tg ?? ag;
  return Number.isFinite(gain) ? Math.min(1, 10 ** (gain / 20)) : 1;
};

/** Which transcode a browser that cannot play the file itself understands. @param {(type: string) => string} canPlay */
export const fallbackFormat = (canPlay) =>
  (canPlay('audio/ogg; codecs="opus"') ? 'opus' : canPlay('audio/mpeg') ? 'mp3' : 'aac');

export class Player {
  #store; #library; #audios; #report; #heard; #explain; #unseekable; #notify; #session;
  #active = 0;
  /** What each element holds. @type {{key: string | null, baseMs: number, coded: boolean}[]} */
  #held = [{ key: null, baseMs: 0, coded: false }, { key: null, baseMs: 0, coded: false }];
  /** @type {ReturnType<typeof createTally> | null} */
  #tally = null;
  /** A position to start from once the element knows its file. */
  #startMs = 0;
  /** Where an episode was left that begins anew, since no place in it can be asked for: nothing before it is told. */
  #leftMs = 0;
  #failures = 0;
  #retries = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retryTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #waitTimer;
  /** @type {Set<string>} tracks whose file this browser could not play */
  #foreign = new Set();
  #wanted = false; // whether the listener wants to hear it
  /** What waits while something from outside is tried. @type {{queue: Q.Queue, positionMs: number} | null} */
  #aside = null;

  /**
   * @param {object} parts
   * @param {import('./store.js').Store} parts.store with `queue status waiting volume muted levelling saver speed`
   * @param {any} parts.library
   * @param {HTMLAudioElement[]} parts.audios two
   * @param {(play: {track_id: string, played_at: string, played_ms: number}) => void} parts.report
   * @param {(episode: any, positionMs: number, more?: {finished?: boolean, soon?: boolean}) => void} [parts.heard] how far an episode was heard
   * @param {(trackId: string, url?: string) => Promise<string>} parts.explain why the station will not give a file (or what is at `url`), in words
   * @param {(episode: any, positionMs?: number) => void} [parts.unseekable] an episode comes from where no place in it can be asked for; `positionMs` was wanted
   * @param {(notice: any) => void} parts.notify
   * @param {MediaSession | undefined} parts.session
   */
  constructor({ store, library, audios, report, heard, explain, unseekable, notify, session }) {
    this.#store = store;
    this.#library = library;
    this.#audios = audios;
    this.#report = report;
    this.#heard = heard;
    this.#explain = explain;
    this.#unseekable = unseekable;
    this.#notify = notify;
    this.#session = session;
    for (const [i, audio] of audios.entries()) {
      const mine = (/** @type {() => void} */ deed) => () => { if (this.#active === i) deed(); };
      audio.addEventListener('timeupdate', mine(() => this.#onTime()));
      audio.addEventListener('ended', mine(() => this.#onEnded()));
      audio.addEventListener('playing', mine(() => this.#onPlaying()));
      audio.addEventListener('pause', mine(() => this.#onPause()));
      audio.addEventListener('waiting', mine(() => this.#onWaiting()));
      audio.addEventListener('error', mine(() => this.#onError()));
      audio.addEventListener('loadedmetadata', mine(() => this.#onMetadata()));
      audio.addEventListener('progress', mine(() => this.#preload()));
      audio.addEventListener('durationchange', mine(() => this.#position()));
    }
    store.watch(['volume', 'muted', 'levelling'], () => this.#level());
    store.watch(['queue'], () => this.#preload());
    store.watch(['speed'], () => { this.#pace(); this.#position(); });
    this.#level();
    this.#bindSession();
  }

  get #audio() { return this.#audios[this.#active]; }
  get #queue() { return /** @type {Q.Queue} */ (this.#store.state.queue); }
  set #queue(queue) { this.#store.set({ queue }); }

  /** The entry that plays. @returns {Q.Entry | null} */
  get entry() { return Q.current(this.#queue); }
  /** @returns {any} the track that plays, if it is known here */
  get track() { return this.entry ? this.#library.track(this.entry.id) : null; }
  /** A radio plays: there is no position, and what is paused is past. */
  get live() { return this.track?.kind === 'radio'; }

  get positionMs() {
    const held = this.#held[this.#active];
    if (!this.entry || held.key !== this.entry.key) return this.#startMs;
    if (this.live) return 0;
    if (this.#startMs && this.#audio.readyState < 1) return this.#startMs;
    return held.baseMs + this.#audio.currentTime * 1000;
  }

  get durationMs() {
    if (this.live) return 0;
    const known = this.track?.duration_ms;
    const own = this.#audio.duration * 1000;
    const held = this.#held[this.#active];
    if (!held.coded && held.key === this.entry?.key && Number.isFinite(own) && own > 0) return own;
    return known ?? 0;
  }

  /** How far the file is here, 0-1. */
  get bufferedShare() {
    const { buffered, currentTime } = this.#audio;
    for (let i = 0; i < buffered.length; i += 1) {
      if (buffered.start(i) <= currentTime + 0.5 && buffered.end(i) >= currentTime) {
        return Math.min(1, (this.#held[this.#active].baseMs + buffered.end(i) * 1000) / (this.durationMs || 1));
      }
    }
    return 0;
  }

  /* ---- what the listener can want -------------------------------------------------------------- */

  /** @param {any[]} tracks @param {{start?: number | null, shuffle?: boolean, source?: string}} [options] */
  playTracks(tracks, options = {}) {
    if (!tracks.length) return;
    this.#library.remember('tracks', tracks);
    this.#aside = null;
    this.#queue = Q.load(this.#queue, tracks.map((t) => t.id), options);
    this.#failures = 0;
    this.#begin({ play: true });
  }

  /** Something that is not in the library is tried. @type {boolean} */
  get previewing() { return this.#aside !== null; }

  /**
   * Lets something be heard that is not in the library; afterwards the queue stands where it stood.
   * @param {any} track with `preview`, the address of its sound
   */
  preview(track) {
    const queue = this.#aside?.queue ?? this.#queue;
    const positionMs = this.#aside?.positionMs ?? this.positionMs;
    this.#library.remember('tracks', [track]);
    const tried = Q.load({ ...Q.EMPTY, made: Math.max(queue.made, this.#queue.made) }, [track.id], { source: 'outside your library' });
    this.#aside = { queue: { ...queue, made: tried.made }, positionMs };
    this.#queue = tried;
    this.#failures = 0;
    this.#begin({ play: true });
  }

  /** Back to the queue, which waits to be played on. */
  endPreview() {
    const aside = this.#aside;
    if (!aside) return;
    this.pause();
    for (const i of [0, 1]) this.#drop(i);
    this.#startMs = 0;
    this.#queue = aside.queue;
    this.#aside = null;
    if (this.entry) this.#begin({ play: false, startMs: aside.positionMs });
    else {
      this.#store.set({ status: 'idle' });
      if (this.#session) this.#session.metadata = null;
    }
  }

  /** @param {Q.Queue} queue a queue from another visit or device @param {number} positionMs */
  restore(queue, positionMs) {
    this.#queue = queue;
    this.#begin({ play: false, startMs: positionMs });
  }

  toggle() { if (this.#wanted) this.pause(); else this.play(); }

  play() {
    if (!this.entry) return;
    this.#wanted = true;
    this.#retries = 0;
    if (this.#held[this.#active].key !== this.entry.key || this.#audio.error) {
      this.#begin({ play: true, startMs: this.positionMs });
      return;
    }
    this.#store.set({ status: 'playing' });
    this.#sound();
  }

  pause() {
    this.#wanted = false;
    clearTimeout(this.#retryTimer);
    this.#audio.pause();
    this.#store.set({ status: this.entry ? 'paused' : 'idle', waiting: false });
    this.#tally?.lift();
    this.#tell({ soon: true });
    if (this.live) this.#drop(this.#active);
    this.#position();
  }

  next() {
    const queue = Q.next(this.#queue);
    if (!queue) { this.#finish(); return; }
    this.#queue = queue;
    this.#begin({ play: true });
  }

  previous() {
    // A place in a long talk is not lost by a slip of the thumb.
    if (this.track?.kind === 'episode' && this.#queue.index === 0) { this.nudge(-15); return; }
    if ((!this.track?.kind && this.positionMs > RESTART_AFTER_MS) || this.#queue.index === 0) { this.seek(0); return; }
    this.#queue = Q.previous(this.#queue);
    this.#begin({ play: true });
  }

  /** @param {number} index in the queue */
  jump(index) {
    this.#queue = Q.jump(this.#queue, index);
    this.#begin({ play: true });
  }

  /** @param {number} ms */
  seek(ms) {
    if (!this.entry || this.live) return;
    const target = Math.max(0, Math.min(ms, Math.max(0, this.durationMs - 50)));
    const held = this.#held[this.#active];
    this.#tally?.lift();
    if (held.key !== this.entry.key || this.#audio.readyState < 1) {
      this.#startMs = target;
      if (held.key !== this.entry.key) this.#begin({ play: this.#wanted, startMs: target });
    } else if (this.#stuck(target)) {
      this.#unseekable?.(this.track, target);
    } else if (held.coded && !this.#reaches((target - held.baseMs) / 1000)) {
      this.#begin({ play: this.#wanted, startMs: target, again: true });
    } else {
      this.#audio.currentTime = (target - held.baseMs) / 1000;
    }
    this.#store.set({ sought: this.#store.state.sought + 1 });
    this.#tell();
    this.#position();
  }

  /** Loads what plays once more, and goes on at a place in it. @param {number} ms */
  anew(ms) { this.#begin({ play: this.#wanted, startMs: ms, again: true }); }

  /** @param {number} seconds may be negative */
  nudge(seconds) { this.seek(this.positionMs + seconds * 1000); }

  /** @param {boolean} on */
  shuffle(on) { this.#queue = Q.setShuffle(this.#queue, on); }
  repeat() { this.#queue = Q.cycleRepeat(this.#queue); }

  /** Changes to what comes, made by `deed`. If what plays was taken out, the one in its place begins. @param {(queue: Q.Queue) => Q.Queue} deed */
  edit(deed) {
    if (this.#aside) { this.#aside.queue = deed(this.#aside.queue); return; }
    const before = this.entry?.key;
    this.#queue = deed(this.#queue);
    if (!this.entry) { this.#finish(); return; }
    if (this.entry.key !== before) this.#begin({ play: this.#wanted && before !== undefined });
  }

  stop() {
    this.#aside = null;
    this.pause();
    for (const i of [0, 1]) this.#drop(i);
    this.#queue = { ...Q.EMPTY, made: this.#queue.made };
    this.#store.set({ status: 'idle' });
    if (this.#session) this.#session.metadata = null;
  }

  /** iOS lets an element play by itself only after it was loaded within a touch. */
  unlock() {
    const idle = this.#audios[1 - this.#active];
    if (!idle.src) idle.load();
  }

  /* ---- how it is done -------------------------------------------------------------------------- */

  /** @param {any} id */
  #address(id, startMs = 0) {
    const track = this.#library.track(id);
    if (track?.preview ?? track?.stream) return { url: track.preview ?? track.stream, coded: false };
    const test = this.#audio;
    const foreign = this.#foreign.has(id)
      || (track?.mime_type && test.canPlayType(track.mime_type) === '' && !['flac', 'wav', 'mp3'].includes(track.format));
    const saver = this.#store.state.saver && (track?.bitrate_kbps ?? 0) > 160;
    if (!foreign && !saver) return { url: streamUrl(id), coded: false };
    const format = fallbackFormat((type) => test.canPlayType(type));
    return { url: streamUrl(id, { format, bitrate: saver ? 128 : 192, start: startMs ? Math.round(startMs) : undefined }), coded: true };
  }

  /** @param {{play: boolean, startMs?: number, again?: boolean}} options startMs: where an episode was left, if it is not told */
  #begin({ play, startMs = resumeAt(this.track), again = false }) {
    const { entry } = this;
    clearTimeout(this.#retryTimer);
    if (!entry) return;
    this.#wanted = play;
    this.#startMs = startMs;
    this.#leftMs = 0;
    const other = 1 - this.#active;
    this.#audio.pause();
    if (!again && this.#held[other].key === entry.key && !this.#audios[other].error) {
      this.#drop(this.#active);
      this.#active = other;
      if (this.#audio.currentTime) this.#audio.currentTime = 0;
    } else if (again || this.#held[this.#active].key !== entry.key || this.#audio.error) {
      this.#fill(this.#active, entry, startMs);
    } else if (!startMs) {
      this.#audio.currentTime = 0;
    }
    if (this.#startMs && this.#audio.readyState >= 1) this.#onMetadata();
    if (!again) this.#count(entry.id);
    this.#level();
    this.#pace();
    this.#store.set({ status: play ? 'playing' : 'paused', waiting: false, sought: this.#store.state.sought + 1 });
    if (play) this.#sound();
    this.#announce();
    if (!this.track) {
      this.#library.tracks([entry.id]).then(() => {
        if (this.entry === entry) {
          if (this.track?.stream) this.#begin({ play: this.#wanted, again: true }); // it is no track, and comes from elsewhere
          this.#count(entry.id);
          this.#announce();
          this.#store.set({ queue: { ...this.#queue } });
        }
      }, () => {});
    }
  }

  /** @param {number} i @param {Q.Entry} entry @param {number} startMs */
  #fill(i, entry, startMs) {
    const { url, coded } = this.#address(entry.id, startMs);
    this.#held[i] = { key: entry.key, baseMs: coded ? startMs : 0, coded };
    if (coded && i === this.#active) this.#startMs = 0;
    const audio = this.#audios[i];
    audio.preload = 'auto';
    audio.src = url;
    audio.load();
  }

  /** @param {number} i */
  #drop(i) {
    this.#held[i] = { key: null, baseMs: 0, coded: false };
    if (this.#audios[i].hasAttribute('src')) {
      this.#audios[i].removeAttribute('src');
      this.#audios[i].load();
    }
  }

  /** @param {string} id */
  #count(id) {
    this.#tally = null;
    if (this.#aside || this.track?.kind) return; // trying is not playing, and talk and radio are no plays of tracks
    const began = new Date().toISOString();
    this.#tally = createTally({
      durationMs: this.#library.track(id)?.duration_ms ?? 0,
      onPlay: (playedMs) => this.#report({ track_id: id, played_at: began, played_ms: playedMs }),
    });
  }

  #sound() {
    const audio = this.#audio;
    audio.play()?.catch((error) => {
      if (audio !== this.#audio || error.name === 'AbortError') return;
      if (error.name === 'NotAllowedError') {
        this.#wanted = false;
        this.#store.set({ status: 'paused', waiting: false });
      }
      // Everything else comes as the element's own error event.
    });
  }

  /** @param {number} seconds of the element */
  #reaches(seconds) {
    const { seekable, buffered } = this.#audio;
    // A transcode still being made has no end: then only what is here can be reached.
    const whole = seekable.length > 0 && Number.isFinite(seekable.end(seekable.length - 1));
    const ranges = whole ? seekable : buffered;
    for (let i = 0; i < ranges.length; i += 1) {
      if (seconds >= ranges.start(i) && seconds <= ranges.end(i)) return true;
    }
    return false;
  }

  /** Whether an episode cannot be heard from there: it is not fetched, and its server sends it from the beginning alone. @param {number} ms */
  #stuck(ms) {
    const { seekable } = this.#audio;
    return this.track?.kind === 'episode' && ms / 1000 > (seekable.length ? seekable.end(seekable.length - 1) : 0) + 1;
  }

  #preload() {
    const next = Q.peek(this.#queue, { auto: true });
    const other = 1 - this.#active;
    if (!this.entry || this.#held[this.#active].key !== this.entry.key) return;
    if (!next || next === this.entry || this.live || this.#library.track(next.id)?.kind === 'radio') { if (this.#held[other].key) this.#drop(other); return; }
    if (this.#held[other].key === next.key) return;
    const left = this.durationMs - this.positionMs;
    if (!this.#wanted || left > PRELOAD_BEFORE_END_MS || this.#audio.readyState < 3) {
      if (this.#held[other].key) this.#drop(other);
      return;
    }
    this.#library.need([next.id]);
    this.#fill(other, next, 0);
  }

  #level() {
    const { volume, muted, levelling } = this.#store.state;
    for (const [i, audio] of this.#audios.entries()) {
      const track = i === this.#active ? this.track : null;
      // The ear hears loudness roughly as the square of the slider.
      audio.volume = Math.min(1, volume ** 2 * levelFactor(track, levelling));
      audio.muted = muted;
    }
  }

  /** Talk may be faster than music. A file that is loaded begins at the usual speed, so it is told of this one, too. */
  #pace() {
    const rate = this.track?.kind === 'episode' ? this.#store.state.speed ?? 1 : 1;
    this.#audio.defaultPlaybackRate = rate;
    this.#audio.playbackRate = rate;
  }

  /** @param {{finished?: boolean, soon?: boolean}} [more] */
  #tell(more) {
    const { track } = this;
    if (this.positionMs < this.#leftMs && !more?.finished) return;
    if (track?.kind === 'episode' && this.#held[this.#active].key === this.entry?.key && (more?.finished || this.#audio.readyState >= 1)) this.#heard?.(track, this.positionMs, more);
  }

  /* ---- what the elements say ------------------------------------------------------------------- */

  #onTime() {
    if (!this.#audio.paused) {
      this.#tally?.at(this.positionMs);
      this.#tell();
    }
    this.#preload();
  }

  #onMetadata() {
    if (this.#startMs && this.#stuck(this.#startMs)) {
      this.#leftMs = this.#startMs;
      this.#startMs = 0;
      this.#unseekable?.(this.track);
    } else if (this.#startMs) {
      this.#audio.currentTime = Math.max(0, (this.#startMs - this.#held[this.#active].baseMs) / 1000);
      this.#startMs = 0;
    }
    this.#position();
  }

  #onPlaying() {
    clearTimeout(this.#waitTimer);
    this.#failures = 0;
    this.#retries = 0;
    this.#store.set({ status: 'playing', waiting: false });
    this.#position();
  }

  #onPause() {
    this.#tally?.lift();
    // Headphones unplugged, or the system: it is not us who paused. The end of a track pauses too.
    if (this.#wanted && !this.#audio.ended && this.#audio.readyState > 2 && !this.#audio.seeking) {
      setTimeout(() => {
        if (this.#wanted && this.#audio.paused && !this.#audio.ended && this.#audio.readyState > 2) this.pause();
      }, 60);
    }
  }

  #onWaiting() {
    clearTimeout(this.#waitTimer);
    this.#waitTimer = setTimeout(() => {
      if (this.#wanted && this.#audio.readyState < 3) this.#store.set({ waiting: true });
    }, 300);
  }

  #onEnded() {
    if (this.live) { this.#retry(0); return; } // the line broke: a radio has no end
    this.#tally?.at(this.durationMs);
    this.#tell({ finished: true });
    const queue = Q.next(this.#queue, { auto: true });
    if (!queue) { this.#finish(); return; }
    this.#queue = queue;
    this.#begin({ play: true });
  }

  /** The queue came to its end: stand at its last track's beginning, silent. */
  #finish() {
    if (this.#aside) { this.endPreview(); return; }
    this.#wanted = false;
    this.#audio.pause();
    this.#startMs = 0;
    if (this.#audio.readyState >= 1) this.#audio.currentTime = 0;
    this.#store.set({ status: this.entry ? 'paused' : 'idle', waiting: false, sought: this.#store.state.sought + 1 });
    if (!this.entry) {
      for (const i of [0, 1]) this.#drop(i);
      if (this.#session) this.#session.metadata = null;
    }
  }

  async #onError() {
    const { entry } = this;
    const held = this.#held[this.#active];
    if (!entry || held.key !== entry.key || !this.#audio.error) return;
    const at = this.positionMs;
    const { code } = this.#audio.error;
    const lost = code === 2 || !navigator.onLine;
    if (!this.#wanted) return; // told when the listener presses play
    if (lost && !this.#aside && this.#retries === 0) { this.#retry(at); return; }
    const reason = await this.#explain(entry.id, held.coded ? this.#audio.src : undefined);
    if (this.entry !== entry || !this.#wanted) return;
    // The line breaks again and again though the station is there: sent on to a storage that this browser cannot reach.
    if (lost && !this.#aside && !reason && (held.coded || this.#retries < LINE_BREAKS)) { this.#retry(at); return; }
    if (this.#aside) {
      this.#notify({ tone: 'problem', topic: 'unplayable', message: `“${this.track?.title ?? 'This'}” cannot be listened to beforehand. ${reason === 'unreachable' ? 'The station does not answer.' : reason}`.trim() });
      this.endPreview();
      return;
    }
    if (reason === 'unreachable') { this.#retry(at); return; }
    if (!reason && !held.coded && !this.track?.stream) {
      this.#foreign.add(entry.id); // the file is there, but not in this browser's language
      this.#begin({ play: true, startMs: at, again: true });
      return;
    }
    this.#failures += 1;
    const title = this.track?.title ?? 'This track';
    this.#notify({
      tone: 'problem', topic: 'unplayable',
      message: `“${title}” cannot be played. ${reason || (this.live ? 'It sends nothing that this browser understands.' : 'Its file seems to be damaged.')}`,
      action: { words: 'Try again', deed: 'retry-play' },
    });
    const queue = Q.next(this.#queue);
    if (queue && queue.index !== this.#queue.index && this.#failures < FAILURES_IN_A_ROW && !this.live) {
      this.#queue = queue;
      this.#begin({ play: true });
    } else {
      this.pause();
    }
  }

  /** @param {number} at ms */
  #retry(at) {
    this.#store.set({ waiting: true });
    if (this.#retries === 1) {
      this.#notify({ tone: 'problem', message: this.live ? 'The radio is not to be heard just now. It goes on when it is back.' : 'The station does not answer. The music goes on when it is back.', action: { words: 'Try now', deed: 'retry-play' } });
    }
    const delay = Math.min(15000, 1000 * 2 ** this.#retries);
    this.#retries += 1;
    clearTimeout(this.#retryTimer);
    this.#startMs = at;
    this.#retryTimer = setTimeout(() => this.#begin({ play: true, startMs: at, again: true }), delay);
  }

  /* ---- the system's own controls --------------------------------------------------------------- */

  /** Says anew what plays: a radio's title is another one. */
  announce() { this.#announce(); }

  #announce() {
    const { track } = this;
    if (!this.#session || !track) return;
    const cover = track.cover !== null ? [128, 256, 512].map((size) => ({
      src: new URL(track.picture ? `${track.picture}?size=${size}` : coverUrl(track.album_id ?? track.id, size, track.cover?.version), location.href).href,
      sizes: `${size}x${size}`,
    })) : [{ src: new URL('/static/icons/icon-512.png', location.href).href, sizes: '512x512', type: 'image/png' }];
    this.#session.metadata = new MediaMetadata({ title: track.title, artist: track.artist, album: track.album ?? '', artwork: cover });
    this.#position();
  }

  #position() {
    if (!this.#session || !this.entry) return;
    this.#session.playbackState = this.#wanted ? 'playing' : 'paused';
    const duration = this.durationMs / 1000;
    try {
      if (this.live) this.#session.setPositionState();
      if (!(duration > 0)) return;
      this.#session.setPositionState({ duration, playbackRate: this.#audio.playbackRate || 1, position: Math.min(Math.max(0, this.positionMs / 1000), duration) });
    } catch { /* an older browser */ }
  }

  #bindSession() {
    /** @type {[string, (details: any) => void][]} */
    const deeds = [
      ['play', () => this.play()],
      ['pause', () => this.pause()],
      ['stop', () => this.pause()],
      ['previoustrack', () => this.previous()],
      ['nexttrack', () => this.next()],
      ['seekbackward', (d) => this.nudge(-(d.seekOffset || (this.track?.kind ? 15 : 10)))],
      ['seekforward', (d) => this.nudge(d.seekOffset || (this.track?.kind ? 30 : 10))],
      ['seekto', (d) => { if (d.seekTime !== undefined) this.seek(d.seekTime * 1000); }],
    ];
    for (const [name, deed] of deeds) {
      try {
        this.#session?.setActionHandler(/** @type {any} */ (name), deed);
      } catch { /* this browser has no such button */ }
    }
  }
}
