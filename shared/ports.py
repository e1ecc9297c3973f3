"""What the upper floors may ask of outside things, as small Protocols.

Written for the reader: each says what is promised, what it costs, and what it raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO, Protocol

from shared.model.source import Source, TrackFile


class Storage(Protocol):
    """A place that may hold a copy of a track."""

    name: str

    def locate(self, file: TrackFile) -> Source | None:
        """Where `file` can be had here, now; None if this place holds no copy.

        Costs one stat or one HEAD; never downloads. Raises StorageOffline when the answer is unknown.
        """


class FileAccess(Protocol):
    """Calls on music folders, each with a deadline: a stale network mount must not hold a request."""

    def call(self, root: str, deed: Callable[[], Any], *, deadline_s: float = 2.0) -> Any:
        """What `deed()` returns, run in a thread of `root`'s own.

        Raises StorageOffline when it does not return in time or `root` is known to hang; what `deed` raises
        goes through.
        """

    def open(self, root: str, path: str) -> BinaryIO:
        """The file at `root`/`path`, open for reading, unbuffered. Raises StorageOffline, OSError."""


class Workers(Protocol):
    """Worker processes with limits on memory and time, where hostile media may be opened."""

    def run(self, deed: str, /, *args: Any, timeout_s: float = 30.0, **kwargs: Any) -> Any:
        """Call the function named "package.module:function" in a worker and return its answer.

        Arguments and answer are pickled. What it raises is raised here; UnreadableFile with reason timed_out or
        reader_crashed when the worker had to be ended or died. Waits for a free worker.
        """
