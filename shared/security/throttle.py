"""Slow down guessing: failed logins are counted per account and address, and wait longer and longer.

Ten failures in a row are free; after each further one the pair waits 4 s, 8 s, 16 s … up to five minutes. The same
account from another address is not touched, so nobody can lock an owner out from afar. An address that fails on many
different accounts waits too, but never for an account that has already logged in from there. Everything is in
memory and bounded; what is forgotten under a flood is what counted least.
"""

from __future__ import annotations

import hashlib
import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shared.model.errors import Overloaded, TooOften
from shared.model.units import Seconds
from shared.security.passwords import fold_username

FREE = 10                       # failures in a row, per account and address
FREE_OF_ADDRESS = 100           # failures in a row over all accounts, per address
FIRST_WAIT_S: Seconds = 4.0
LONGEST_WAIT_S: Seconds = 300.0
LONGEST_WAIT_OF_ADDRESS_S: Seconds = 30.0
FORGOTTEN_S: Seconds = 3600.0   # without a further failure
ROOM = 4096                     # entries of each kind
QUEUE_S: Seconds = 15.0         # how long a login waits for others of the same account and address

Key = bytes


@dataclass(slots=True)
class _Count:
    failures: int = 0
    last_at: float = 0.0
    free_at: float = 0.0        # no try before this


@dataclass(slots=True)
class Attempt:
    """One try; call `succeeded` when the password was right."""

    right: bool = False

    def succeeded(self) -> None:
        self.right = True


class Throttle:
    """Bounded counts of failures. `clock` gives seconds that only grow."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, room: int = ROOM) -> None:
        self._clock = clock
        self._room = room
        self._changed = threading.Condition()
        self._counting: OrderedDict[Key, _Count] = OrderedDict()    # pairs with failures left
        self._waiting: OrderedDict[Key, _Count] = OrderedDict()     # pairs that wait; a flood of names leaves them
        self._addresses: OrderedDict[Key, _Count] = OrderedDict()
        self._welcome: OrderedDict[Key, None] = OrderedDict()       # pairs that logged in
        self._under_way: dict[Key, int] = {}

    @contextmanager
    def attempt(self, account: str, address: str) -> Iterator[Attempt]:
        """Stand around one try: raises TooOften (or Overloaded) before it, counts it after it.

        Not more tries run at once than failures are left, so that a hundred parallel guesses are ten; right
        passwords merely queue. A try ended by an exception does not count.
        """
        pair, place = keys(account, address)
        self._enter(pair, place)
        attempt = Attempt()
        ended = False
        try:
            yield attempt
            ended = True
        finally:
            with self._changed:
                left = self._under_way[pair] - 1
                if left:
                    self._under_way[pair] = left
                else:
                    del self._under_way[pair]
                if attempt.right:
                    self._clear(pair)
                elif ended:
                    self._fail(pair, place)
                self._changed.notify_all()

    def __len__(self) -> int:
        """How many entries are held, of all kinds."""
        return (len(self._counting) + len(self._waiting) + len(self._addresses) + len(self._welcome)
                + len(self._under_way))

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _enter(self, pair: Key, place: Key) -> None:
        deadline = time.monotonic() + QUEUE_S
        with self._changed:
            while True:
                wait_s = self._wait_s(pair, place)
                if wait_s > 0:
                    raise too_often(wait_s)
                # Who is over the limit, its wait being over, has one try; others as many as are still free.
                count = self._of(pair)
                allowed = max(1, FREE - (count.failures if count else 0))
                if self._under_way.get(pair, 0) < allowed:
                    self._under_way[pair] = self._under_way.get(pair, 0) + 1
                    return
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise Overloaded("Too many log-ins of one account at once; try again soon.", retry_after_s=2)

    def _wait_s(self, pair: Key, place: Key) -> Seconds:
        now = self._clock()
        count = self._of(pair)
        wait_s = count.free_at - now if count else 0.0
        if pair not in self._welcome:
            of_address = self._addresses.get(place)
            if of_address is not None:
                wait_s = max(wait_s, of_address.free_at - now)
        return wait_s

    def _of(self, pair: Key) -> _Count | None:
        return self._waiting.get(pair) or self._counting.get(pair)

    def _fail(self, pair: Key, place: Key) -> None:
        now = self._clock()
        count = self._waiting.pop(pair, None) or self._counting.pop(pair, None) or _Count()
        _count_one(count, now, FREE, LONGEST_WAIT_S)
        self._keep(self._waiting if count.failures >= FREE else self._counting, pair, count)
        of_address = self._addresses.pop(place, None) or _Count()
        _count_one(of_address, now, FREE_OF_ADDRESS, LONGEST_WAIT_OF_ADDRESS_S)
        self._keep(self._addresses, place, of_address)

    def _clear(self, pair: Key) -> None:
        self._counting.pop(pair, None)
        self._waiting.pop(pair, None)
        self._welcome[pair] = None
        self._welcome.move_to_end(pair)
        while len(self._welcome) > self._room:
            self._welcome.popitem(last=False)

    def _keep(self, shelf: OrderedDict[Key, _Count], key: Key, count: _Count) -> None:
        shelf[key] = count
        while len(shelf) > self._room:
            shelf.popitem(last=False)


def _count_one(count: _Count, now: float, free: int, longest_s: Seconds) -> None:
    if count.last_at and now - count.last_at > FORGOTTEN_S:
        count.failures = 0
    count.failures += 1
    count.last_at = now
    over = count.failures - free
    count.free_at = now + min(longest_s, FIRST_WAIT_S * 2.0 ** min(over, 20)) if over >= 0 else 0.0


def too_often(wait_s: Seconds) -> TooOften:
    whole = max(1, int(-(-wait_s // 1)))
    return TooOften(
        f"Too many failed logins: wait {whole} second{'s' if whole > 1 else ''} and try again.", retry_after_s=whole
    )


def keys(account: str, address: str) -> tuple[Key, Key]:
    """What counts as the same pair and the same address. Sixteen bytes each, however long the name."""
    place = address_of(address)
    name = fold_username(account[:1024]).encode("utf-8", "surrogatepass")
    pair = hashlib.blake2b(name + b"\0" + place.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return pair, hashlib.blake2b(place.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def address_of(address: str) -> str:
    """One household's part of `address`: an IPv4 address itself, of IPv6 the first 64 bits."""
    try:
        ip = ipaddress.ip_address(address.strip().partition("%")[0])
    except ValueError:
        return address[:256]
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(ip) >> 64 << 64, 64)))
    return str(ip)
