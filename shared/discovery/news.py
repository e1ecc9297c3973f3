"""Wait until something happens to this machine's network: an address came or went, or the machine has slept.

On Linux the kernel tells (netlink); elsewhere, and besides, the list of addresses is looked at every few seconds, which
costs less than a millisecond.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Literal

from shared.model.units import Seconds

LOOK_EVERY_S: Seconds = 5.0
SETTLE_S: Seconds = 1.0         # news comes in showers: one address of a new network after the other
SLEPT_S: Seconds = 10.0         # shorter gaps are a busy machine or a corrected clock
_RTMGRP = 0x1 | 0x10 | 0x100    # links, IPv4 and IPv6 addresses (linux/rtnetlink.h)

What = Literal["moved", "slept", "asked", "quiet"]


def sleep_clock() -> float:
    """Seconds that the machine has slept since some moment. Linux knows exactly; elsewhere the wall clock runs on while
    the monotonic one stands still."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    if boot is not None:
        return time.clock_gettime(boot) - time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.time() - time.monotonic()


class News:
    """One thread waits; others may wake it. `look` returns what is compared: the addresses as they are now."""

    def __init__(self, look: Callable[[], object], *, slept: Callable[[], float] = sleep_clock,
                 look_every_s: Seconds = LOOK_EVERY_S, settle_s: Seconds = SETTLE_S) -> None:
        self._look, self._slept_s = look, slept
        self._look_every_s, self._settle_s = look_every_s, settle_s
        self._known = look()
        self._slept_before = slept()
        self._asked = False
        self._lock = threading.Lock()
        self._bell, self._listener = socket.socketpair()
        self._kernel = _kernel_socket()
        for one in (self._bell, self._listener):
            one.setblocking(False)

    def ask(self) -> None:
        """Wake who waits."""
        with self._lock:
            self._asked = True
            with contextlib.suppress(OSError):
                self._bell.send(b"!")

    def wait(self, timeout_s: Seconds) -> What:
        """What happened, or "quiet" after `timeout_s`."""
        until = time.monotonic() + timeout_s
        while True:
            heard = self._hear(min(self._look_every_s, max(0.0, until - time.monotonic())))
            with self._lock:
                asked, self._asked = self._asked, False
            if heard and not asked:
                self._hear(self._settle_s, kernel=False)     # let the shower pass; the bell still rings
                self._drain()
            slept, self._slept_before = self._slept_s() - self._slept_before, self._slept_s()
            now = self._look()
            moved, self._known = now != self._known, now
            if slept > SLEPT_S:
                return "slept"
            if moved:
                return "moved"
            if asked:
                return "asked"
            if time.monotonic() >= until:
                return "quiet"

    def close(self) -> None:
        for one in (self._bell, self._listener, self._kernel):
            if one is not None:
                one.close()

    def _hear(self, timeout_s: Seconds, *, kernel: bool = True) -> bool:
        """Whether the kernel said something in that time; the bell ends the waiting, too."""
        with selectors.DefaultSelector() as ears:       # not select(): descriptors of a busy station are large
            ears.register(self._listener, selectors.EVENT_READ)
            if kernel and self._kernel is not None:
                ears.register(self._kernel, selectors.EVENT_READ)
            told = any(key.fileobj is self._kernel for key, _ in ears.select(timeout_s))
        self._drain()
        return told

    def _drain(self) -> None:
        for one in (self._listener, self._kernel):
            with contextlib.suppress(OSError):
                while one is not None and one.recv(65536):
                    pass


def _kernel_socket() -> socket.socket | None:
    if not sys.platform.startswith("linux"):
        return None
    with contextlib.suppress(OSError, AttributeError):
        one = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        try:
            one.bind((0, _RTMGRP))
            one.setblocking(False)
            return one
        except OSError:
            one.close()
    return None
