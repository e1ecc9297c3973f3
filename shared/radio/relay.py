"""Pass radios on to whoever listens here: one connection to each station, however many hear it.

A page over HTTPS may not play HTTP radio, and no player here talks to strangers: the sound comes through the station,
without the lines about what is played, which are told on their own. A listener that does not keep up loses sound, not
the others. A station that sends more than any sound is, in crumbs, or a new title with each of them, is taken no faster
than sound is. Streams that only make sense from their beginning (Ogg) are fetched for each listener.
"""

from __future__ import annotations

import logging
import re
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from shared.events import EventBus, RadioMoved
from shared.model.download import Failure
from shared.model.errors import Overloaded
from shared.model.podcast import OnAir
from shared.model.units import Bytes, Seconds
from shared.outbound import Outbound
from shared.radio.icy import Stream, tune
from shared.radio.playlists import PLAYLIST_BYTES, is_list, streams_in

if TYPE_CHECKING:
    from shared.records.radios import Radios as Records

log = logging.getLogger(__name__)

AT_ONCE = 64                        # listeners; each holds a thread of the server
BURST: Bytes = 64 * 1024            # of the last sound, for who joins
BEHIND: Bytes = 1024 * 1024         # that a listener may be behind
OPEN_S: Seconds = 40.0              # after that nothing more is tried to find the stream behind a link
FASTEST: Bytes = 1024 * 1024        # a second; the finest sound has less
CRUMB: Bytes = 4096                 # what is smaller counts as much
AHEAD: Bytes = 4 * 1024 * 1024      # that may come at once: servers begin with what was heard before
TITLE_S: Seconds = 1.0              # between two titles
AGAIN_S = (0.5, 2.0, 5.0)           # before a lost connection is tried again; then its listeners are let go
PATIENCE_S: Seconds = 30.0          # for sound
_SHARED = ("audio/mpeg", "audio/mp3", "audio/x-mpeg", "audio/aac", "audio/aacp", "audio/x-aac")
_SOUND = re.compile(r"audio/[a-z0-9.+-]{1,60}\Z")
_CALLED = {"audio/mp3": "audio/mpeg", "audio/x-mpeg": "audio/mpeg", "audio/aacp": "audio/aac",
           "audio/x-aac": "audio/aac", "application/ogg": "audio/ogg"}


class Listening:
    """One listener's share of a radio. Iterate it, and close it."""

    def __init__(self, kind: str, leave: Callable[[Listening], None]) -> None:
        self.kind = kind
        self._leave = leave
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._over = False

    def put(self, piece: bytes) -> None:
        with self._changed:
            self._pieces.append(piece)
            self._waiting += len(piece)
            while self._waiting > BEHIND:
                self._waiting -= len(self._pieces.popleft())
            self._changed.notify()

    def end(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            with self._changed:
                if not self._pieces and not self._over:
                    self._changed.wait(PATIENCE_S)
                if not self._pieces:
                    return
                piece = b"".join(self._pieces)
                self._pieces.clear()
                self._waiting = 0
            yield piece

    def close(self) -> None:
        self.end()
        leave, self._leave = self._leave, _nothing
        leave(self)


class Radios:
    """records: records.radios.Radios. Safe from any thread."""

    def __init__(self, *, records: Records, outbound: Outbound, events: EventBus, now: Callable[[], str],
                 at_once: int = AT_ONCE) -> None:
        self.records = records
        self._outbound = outbound
        self._events = events
        self._now = now
        self._places = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._on: dict[str, _Relay] = {}        # by the radio's id; shared ones alone
        self._alone: set[_Relay] = set()
        self._air: dict[str, OnAir] = {}

    def listen(self, uid: str) -> Listening:
        """Join a radio; its sound comes from the first moment. Raises NotFound, Failure, Overloaded."""
        radio = self.records.get(uid)
        if not self._places.acquire(blocking=False):
            raise Overloaded("Many radios are being heard here at this moment. Try again in a while.",
                             retry_after_s=10)
        try:
            with self._lock:
                relay = self._on.get(uid)
                if relay is not None and relay.url == radio.stream_url and (joined := relay.join(self._left)):
                    return joined
            stream = self.open(radio.stream_url)
            return self._begin(uid, radio.stream_url, stream)
        except BaseException:
            self._places.release()
            raise

    def _begin(self, uid: str, url: str, stream: Stream) -> Listening:
        relay = _Relay(self, uid, url, stream)
        first = relay.join(self._left)
        assert first is not None
        with self._lock:
            other = self._on.get(uid)
            if other is not None and other.url == url and (joined := other.join(self._left)):
                stream.close()      # somebody was quicker
                return joined
            if stream.kind in _SHARED:
                self._on[uid] = relay
            else:
                self._alone.add(relay)
        relay.start()
        return first

    def _left(self, listening: Listening) -> None:
        self._places.release()

    def over(self, relay: _Relay) -> None:
        with self._lock:
            self._alone.discard(relay)
            if self._on.get(relay.uid) is relay:
                del self._on[relay.uid]

    def open(self, url: str) -> Stream:
        """The stream behind a link, which may be a playlist of several. Raises Failure."""
        until = time.monotonic() + OPEN_S
        stream = tune(self._outbound, url, context=lambda: self._context, until=until)
        if not is_list(stream):
            return _sounding(stream)
        try:
            links = streams_in(stream.first(PLAYLIST_BYTES), stream.url)
        finally:
            stream.close()
        failure: Failure | None = None
        for link in links[:4]:
            try:
                stream = tune(self._outbound, link, context=lambda: self._context, until=until)
                if is_list(stream):
                    stream.close()
                    raise Failure("not_audio", "This playlist leads to further playlists, and to no radio.")
                return _sounding(stream)
            except Failure as problem:
                failure = failure or problem
        assert failure is not None
        raise failure

    def now(self, uid: str) -> OnAir:
        """What a radio plays, as it said last; empty while nobody here listens. Raises NotFound."""
        self.records.get(uid)
        with self._lock:
            return self._air.get(uid, OnAir()) if uid in self._on or any(
                one.uid == uid for one in self._alone) else OnAir()

    def said(self, uid: str, line: str) -> None:
        """A radio said what it plays: "Artist - Title", mostly."""
        artist, dash, title = (part.strip() for part in line.partition(" - "))
        found = OnAir(title=title, artist=artist, at=self._now()) if dash and artist and title else OnAir(
            title=line, at=self._now())
        with self._lock:
            before = self._air.get(uid)
            if before is not None and (before.title, before.artist) == (found.title, found.artist):
                return
            self._air[uid] = found
        self._events.publish(RadioMoved(uid, found.title, found.artist, found.at or ""))

    def forget(self, uid: str) -> None:
        """A radio is gone, or lies elsewhere: who listens is let go."""
        with self._lock:
            relays = [one for one in self._alone if one.uid == uid]
            if uid in self._on:
                relays.append(self._on.pop(uid))
            self._air.pop(uid, None)
        for relay in relays:
            relay.end()

    def stop(self) -> None:
        with self._lock:
            relays = [*self._on.values(), *self._alone]
        for relay in relays:
            relay.end()

    @cached_property
    def _context(self) -> ssl.SSLContext:
        """Made once: it costs more than a connection."""
        return ssl.create_default_context()


class _Relay:
    """One connection to a station, and who hears it."""

    def __init__(self, radios: Radios, uid: str, url: str, stream: Stream) -> None:
        self.uid = uid
        self.url = url
        self._radios = radios
        self._stream = stream
        self._kind = _CALLED.get(stream.kind, stream.kind)
        self._lock = threading.Lock()
        self._listeners: list[Listening] = []
        self._latest: deque[bytes] = deque()
        self._latest_bytes = 0
        self._over = False
        self._ending = threading.Event()
        self._line: str | None = None       # not told yet
        self._told_at = -TITLE_S
        self._due_at = 0.0                  # when what came until now would be through at FASTEST

    def start(self) -> None:
        threading.Thread(target=self._run, name="radio", daemon=True).start()

    def join(self, left: Callable[[Listening], None]) -> Listening | None:
        """None: it has ended already."""
        def leave(one: Listening) -> None:
            with self._lock:
                if one in self._listeners:
                    self._listeners.remove(one)
                alone = not self._listeners
                self._over = self._over or alone
            left(one)
            if alone:
                self.end()

        listening = Listening(self._kind, leave)
        with self._lock:
            if self._over:
                return None
            for piece in self._latest:
                listening.put(piece)
            self._listeners.append(listening)
        return listening

    def end(self) -> None:
        self._ending.set()
        self._stream.hang_up()

    def _run(self) -> None:
        try:
            tries = 0
            while not self._ending.is_set():
                try:
                    for piece in self._stream.sound(self._hear):
                        tries = 0
                        self._give(piece)
                        self._tell()
                        if self._ending.wait(self._ahead_s(len(piece))):
                            return
                except Failure as failure:
                    log.info("a radio broke off: %s", failure.message)
                finally:
                    self._stream.close()
                while not self._again(tries):
                    tries += 1
                    if tries >= len(AGAIN_S) or self._ending.is_set():
                        return
                tries += 1
        except Exception:           # the edge of this thread
            log.exception("passing on a radio failed")
        finally:
            self._stream.close()
            self._radios.over(self)
            with self._lock:
                self._over = True
                listeners = list(self._listeners)
            for one in listeners:
                one.end()

    def _hear(self, line: str) -> None:
        self._line = line
        self._tell()

    def _tell(self) -> None:
        """The latest title, once the one before it has stood for a while."""
        now = time.monotonic()
        if self._line is not None and now - self._told_at >= TITLE_S:
            line, self._line, self._told_at = self._line, None, now
            self._radios.said(self.uid, line)

    def _ahead_s(self, size: Bytes) -> Seconds:
        """How long to wait after a piece, so that it comes no faster than sound may."""
        now = time.monotonic()
        self._due_at = max(self._due_at, now) + max(size, CRUMB) / FASTEST
        return max(0.0, self._due_at - now - AHEAD / FASTEST)

    def _again(self, tries: int) -> bool:
        """Whether the station could be had once more, sending the same kind of sound."""
        if tries >= len(AGAIN_S) or self._ending.wait(AGAIN_S[tries]):
            return False
        if self._kind not in (_CALLED.get(one, one) for one in _SHARED):
            return False            # what only makes sense from its beginning cannot be gone on with
        with suppress(Failure):
            stream = self._radios.open(self.url)
            if _CALLED.get(stream.kind, stream.kind) == self._kind:
                self._stream = stream
                if self._ending.is_set():
                    stream.close()
                return True
            stream.close()
        return False

    def _give(self, piece: bytes) -> None:
        with self._lock:
            self._latest.append(piece)
            self._latest_bytes += len(piece)
            while self._latest_bytes > BURST:
                self._latest_bytes -= len(self._latest.popleft())
            listeners = list(self._listeners)
        for one in listeners:
            one.put(piece)


def _sounding(stream: Stream) -> Stream:
    """`stream`, when it says that it is sound. Raises Failure."""
    if not stream.kind or stream.kind in ("application/octet-stream", "video/mp2t"):
        stream.kind = "audio/mpeg"      # what old servers send without saying
    if stream.kind == "application/ogg" or _SOUND.match(stream.kind):
        return stream
    stream.close()
    raise Failure("not_audio", "What this link leads to is no radio: it does not send sound.")


def _nothing(listening: Listening) -> None: ...


