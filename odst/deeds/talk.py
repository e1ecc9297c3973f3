"""What a deed in a child process may say to the station, and what it hears: JSON lines over one socket."""

from __future__ import annotations

import contextlib
import json
import math
import select
import socket
import time
from pathlib import Path
from typing import Any

from shared.model.download import Failure
from shared.model.units import Bytes, Seconds
from shared.outbound import Guard, Outbound

REPORT_EVERY_S = 0.2
LONGEST_LINE = 2000             # characters of a log line
MOST_LOG_LINES = 300
SLICE_S = 0.1                   # no sleep is longer, so that a new rate is heard soon


class Talk:
    """A deed's side of the wire.

    folder, temporary   the only places to write to; the second is thrown away afterwards
    limit_bytes         more is never fetched
    data                file descriptor to write bytes to, when the deed streams
    """

    def __init__(self, channel: socket.socket, *, folder: Path, temporary: Path, limit_bytes: Bytes, limit_s: Seconds,
                 outbound: Outbound, guard: Guard | None, rate: float | None, data: int | None = None) -> None:
        self.folder, self.temporary = folder, temporary
        self.limit_bytes, self.limit_s = limit_bytes, limit_s
        self.outbound, self.guard = outbound, guard
        self.data = data
        self._channel = channel
        self._rate = rate
        self._heard = b""
        self._lines = 0
        self._told_at = 0.0
        self._paced: tuple[float, float] | None = None      # (since when, seconds' worth of bytes since)
        self._speed: tuple[float, int] | None = None        # (when, bytes) the present speed is measured from
        self._bytes_per_second: float | None = None

    def report(self, done: Bytes, total: Bytes | None, *, now: bool = False) -> None:
        """How far it is. Five times a second at most, except `now`."""
        moment = time.monotonic()
        if not now and moment - self._told_at < REPORT_EVERY_S:
            return
        if self._speed is None or done < self._speed[1]:
            self._speed = (moment, done)
        elif moment - self._speed[0] >= 0.5:
            speed = (done - self._speed[1]) / (moment - self._speed[0])
            self._bytes_per_second = (speed if self._bytes_per_second is None
                                      else 0.6 * self._bytes_per_second + 0.4 * speed)
            self._speed = (moment, done)
        self._told_at = moment
        self.say({"progress": {"bytes": int(done), "total_bytes": None if total is None else int(total),
                               "bytes_per_second": self._bytes_per_second}})

    def log(self, level: str, message: str) -> None:
        """A line for the download's log. `level`: debug info warning error."""
        self._lines += 1
        if self._lines <= MOST_LOG_LINES:
            self.say({"log": [level, message[:LONGEST_LINE]]})

    def rate(self) -> float | None:
        """Bytes per second allowed just now; None: all there is."""
        with contextlib.suppress(BlockingIOError, OSError):
            while select.select([self._channel], [], [], 0)[0] and (part := self._channel.recv(4096)):
                self._heard += part
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines[-1:]:
            rate = json.loads(line).get("rate")
            self._rate = None if rate is None else max(1.0, float(rate))
        return self._rate

    def pace(self, amount: Bytes) -> None:
        """Wait as long as `amount` bytes should have taken, in short slices: the rate may change meanwhile."""
        rate = self.rate()
        if rate is None:
            self._paced = None
            return
        moment = time.monotonic()
        since, worth = self._paced or (moment, 0.0)
        if moment - since > worth + 1.0:        # slower than allowed by itself: nothing is saved up
            since, worth = moment, 0.0
        worth += amount / rate
        while (left := since + worth - time.monotonic()) > 0:
            time.sleep(min(SLICE_S, left))
            fresh = self.rate()
            if fresh is None:
                self._paced = None
                return
            if not math.isclose(fresh, rate):
                worth = (time.monotonic() - since) + max(0.0, left - SLICE_S) * rate / fresh
                rate = fresh
        self._paced = (since, worth)

    def say(self, message: dict[str, Any]) -> None:
        self._channel.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def refused(self) -> Failure | None:
        """The connection that the guard refused, if any: libraries wrap what they are told beyond recognition."""
        return self.guard.refused if self.guard else None
