"""What happened, told to whoever listens: a small synchronous event bus and its events."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.model.download import Download
from shared.model.errand import Errand

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LibraryChanged:
    """The library (or somebody's listening) moved on to `revision`."""

    revision: int


@dataclass(frozen=True, slots=True)
class ScanMoved:
    """A scan went on; `progress` has the public scan's fields."""

    progress: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DevicesChanged:
    user_id: int


@dataclass(frozen=True, slots=True)
class SessionsEnded:
    """Tokens that no longer count: open sockets and streams of theirs must end."""

    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PersonChanged:
    """What somebody may do or see changed: whoever remembers the person asks anew who it is."""

    user_id: int


@dataclass(frozen=True, slots=True)
class PlaybackMoved:
    """One device's player state, for the same person's other devices."""

    user_id: int
    state: dict[str, Any]


@dataclass(frozen=True, slots=True)
class JukeboxMoved:
    """A person's jukebox was told something; `turn` counts what it was told."""

    user_id: int
    turn: int


@dataclass(frozen=True, slots=True)
class NowPlayingMoved:
    """An app of a person's told what it plays. `kind`: track | episode; `state`: starting playing paused stopped;
    `news`: that it is another thing or another state than it told before, not merely where it is; `began_at`: when this
    listening began (Unix seconds), the same until it is over."""

    user_id: int
    client: str
    uid: str
    kind: str
    state: str
    position_ms: int
    news: bool = True
    began_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for people. `level`: info | warning | error; `user_id` None means everybody; `of_files`: it names
    files or folders, and is for who sees them alone."""

    level: str
    message: str
    user_id: int | None = None
    of_files: bool = False


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """Somebody listens: background work may want to step aside."""

    track_id: str


@dataclass(frozen=True, slots=True)
class StreamEnded:
    track_id: str
    bytes_sent: int


@dataclass(frozen=True, slots=True)
class DownloadMoved:
    """A download changed: its status, its progress, its candidates. `user_id`: who asked for it."""

    user_id: int
    download: Download


@dataclass(frozen=True, slots=True)
class DownloadLogged:
    user_id: int
    id: str
    level: str              # debug info warning error
    at: str                 # RFC 3339
    message: str


@dataclass(frozen=True, slots=True)
class DownloadRemoved:
    """A download left the list for good."""

    user_id: int
    id: str


@dataclass(frozen=True, slots=True)
class ErrandMoved:
    """The station's long work went on: an errand began, got further, or is over."""

    errand: Errand


@dataclass(frozen=True, slots=True)
class PodcastsChanged:
    """A podcast, or (named) one episode of it, is no longer as it was. `podcast_id` "": several."""

    podcast_id: str
    episode_id: str | None = None


@dataclass(frozen=True, slots=True)
class RadioMoved:
    """A radio says that it plays something else now. `at`: RFC 3339."""

    radio_id: str
    title: str
    artist: str
    at: str


Listener = Callable[[Any], None]


class EventBus:
    """Calls listeners in the publisher's thread, in the order they subscribed.

    A listener must be quick and must not raise; one that does is logged and the others still hear.
    """

    def __init__(self) -> None:
        self._listeners: dict[type, tuple[Listener, ...]] = {}
        self._lock = threading.Lock()

    def subscribe(self, kind: type, listener: Listener) -> Callable[[], None]:
        """Hear every event of exactly `kind`. Returns the deed that ends it."""
        with self._lock:
            self._listeners[kind] = (*self._listeners.get(kind, ()), listener)

        def unsubscribe() -> None:
            with self._lock:
                kept = tuple(one for one in self._listeners.get(kind, ()) if one is not listener)
                self._listeners[kind] = kept

        return unsubscribe

    def publish(self, event: object) -> None:
        for listener in self._listeners.get(type(event), ()):
            try:
                listener(event)
            except Exception:  # the edge between rooms: one deaf ear must not silence the rest
                log.exception("a listener of %s failed", type(event).__name__)
