"""What runs right now, and how it is told to stop."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Literal

from shared.model.download import Cancelled
from shared.model.units import Seconds

Reason = Literal["cancel", "pause", "again", "stop"]


class Token:
    """One running download's own: whether it should go on. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._left = threading.Event()
        self._committed = False
        self.reason: Reason | None = None

    def end(self, reason: Reason) -> bool:
        """It shall stop. False when that comes too late: it is being put on the shelf and will be done in a moment."""
        with self._lock:
            if self._committed:
                return False
            if self.reason is None or reason in ("cancel", "stop"):
                self.reason = reason
        self._ended.set()
        return True

    def commit(self) -> None:
        """From here on it goes to its end. Raises Cancelled when it was told to stop before."""
        with self._lock:
            if self.reason is not None:
                raise Cancelled
            self._committed = True

    def uncommit(self) -> None:
        """It did not come to its end after all."""
        with self._lock:
            self._committed = False

    def ended(self) -> bool:
        return self._ended.is_set()

    def check(self) -> None:
        if self._ended.is_set():
            raise Cancelled

    def wait(self, seconds: Seconds) -> None:
        """Sleep, unless it is told to stop. Raises Cancelled."""
        if self._ended.wait(seconds):
            raise Cancelled

    def leave(self) -> None:
        """Nothing of it runs any more."""
        self._left.set()

    def wait_left(self, timeout_s: Seconds) -> bool:
        return self._left.wait(timeout_s)


class Running:
    """The tokens of all downloads that run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[str, Token] = {}

    @contextlib.contextmanager
    def entered(self, uid: str) -> Iterator[Token]:
        token = Token()
        with self._lock:
            before = self._tokens.get(uid)
        if before is not None:      # its last run is on its way out
            before.wait_left(60.0)
        with self._lock:
            self._tokens[uid] = token
        try:
            yield token
        finally:
            with self._lock:
                if self._tokens.get(uid) is token:
                    del self._tokens[uid]
            token.leave()

    def token(self, uid: str) -> Token | None:
        with self._lock:
            return self._tokens.get(uid)

    def end_all(self) -> None:
        with self._lock:
            tokens = list(self._tokens.values())
        for token in tokens:
            token.end("stop")

    def count(self) -> int:
        with self._lock:
            return len(self._tokens)


class Slots:
    """How many fetches at the same time each provider bears (ports.Provider.slots)."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._changed = threading.Condition()
        self._free = dict(sizes)

    @contextlib.contextmanager
    def at(self, name: str, token: Token) -> Iterator[None]:
        """Wait for a free place at provider `name` and hold it. Raises Cancelled."""
        with self._changed:
            while self._free.setdefault(name, 1) < 1:
                token.check()
                self._changed.wait(0.25)
            self._free[name] -= 1
        try:
            yield
        finally:
            with self._changed:
                self._free[name] += 1
                self._changed.notify_all()
