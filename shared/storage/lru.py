"""The ledger of a cache with a limit: what is in it, what is promised room, what may leave, and in which order.

Nothing here touches a disk, a clock or a thread: the cache asks, and does what it is told. At every moment
`used + reserved` is within the limit; only what was loaded may pass it, until it is trimmed.
"""

from __future__ import annotations

import heapq
from collections import Counter

from shared.model.units import Bytes

_SLACK = 64     # outdated places in the order that are borne besides one for each entry


class Ledger:
    """Entries by name (a content hash), each with its size and when it was last used. The oldest use leaves first.

    Costs O(log n) a deed. Not safe from several threads: its owner has a lock.
    """

    def __init__(self, limit: Bytes) -> None:
        self._limit = limit
        self._entries: dict[str, tuple[Bytes, float]] = {}
        self._promised: dict[str, Bytes] = {}
        self._held: Counter[str] = Counter()
        self._order: list[tuple[float, str]] = []   # a heap; places that are outdated stay in it until they come up
        self._used = self._reserved = 0

    # ---- looking

    @property
    def limit(self) -> Bytes:
        return self._limit

    @property
    def used(self) -> Bytes:
        return self._used

    @property
    def reserved(self) -> Bytes:
        return self._reserved

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def names(self) -> list[str]:
        return list(self._entries)

    def is_reserved(self, name: str) -> bool:
        return name in self._promised

    def is_held(self, name: str) -> bool:
        return self._held[name] > 0

    def held(self) -> list[str]:
        """Names that may not leave, whether they are there or not."""
        return list(self._held)

    def holders(self, name: str) -> int:
        return self._held[name]

    # ---- coming and going

    def reserve(self, name: str, size: Bytes, *, at_least: Bytes = 0) -> list[str] | None:
        """Promise room for a new entry: the names that had to leave for it, which are no entries any more. They free
        `at_least` so many bytes, also when the limit would not ask for it.

        None, and nothing has changed, when it cannot be had: too large, or what is in the way is held. Raises
        ValueError for one that is there or promised already.
        """
        if name in self._entries or name in self._promised or size < 0:
            raise ValueError(f"{name} cannot be reserved")
        if size > self._limit:
            return None
        leaving = self.evict(max(at_least, self._used + self._reserved + size - self._limit))
        if leaving is not None:
            self._promised[name] = size
            self._reserved += size
        return leaving

    def commit(self, name: str, size: Bytes, used_at: float) -> None:
        """What was promised room is there now. Raises ValueError when it was not, or is larger than was said."""
        if size > self._promised.get(name, -1):
            raise ValueError(f"{name} has no room of {size} bytes")
        self._reserved -= self._promised.pop(name)
        self._add(name, size, used_at)

    def release(self, name: str) -> None:
        """A promise is taken back, or an entry is gone. One that is neither is no matter."""
        if name in self._promised:
            self._reserved -= self._promised.pop(name)
        elif name in self._entries:
            self._used -= self._entries.pop(name)[0]

    def load(self, name: str, size: Bytes, used_at: float) -> None:
        """An entry that was there before: the limit may be passed by it until `trim`."""
        if name in self._entries or name in self._promised or size < 0:
            raise ValueError(f"{name} cannot be loaded")
        self._add(name, size, used_at)

    def trim(self) -> list[str]:
        """The names that have to leave for the limit to be kept, as far as they may."""
        over = self._used + self._reserved - self._limit
        return self._leave(over) if over > 0 else []

    def evict(self, at_least: Bytes) -> list[str] | None:
        """The names that leave to free so many bytes; None, and nothing has changed, when those that may are fewer."""
        if at_least <= 0:
            return []
        if at_least > self._used - sum(self._entries[name][0] for name in self._held if name in self._entries):
            return None
        return self._leave(at_least)

    # ---- use

    def touch(self, name: str, at: float) -> None:
        """It was used. One that is not there is no matter."""
        entry = self._entries.get(name)
        if entry is not None and entry[1] != at:
            self._entries[name] = entry[0], at
            self._enqueue(at, name)

    def hold(self, name: str) -> None:
        """From now on it may not leave, whether it is there yet or not; as often as it is held, it is to be let go."""
        self._held[name] += 1

    def let_go(self, name: str) -> None:
        """Raises ValueError when nobody holds it."""
        if not self._held[name]:
            raise ValueError(f"nobody holds {name}")
        self._held[name] -= 1
        if not self._held[name]:
            del self._held[name]

    # ---- inside

    def _add(self, name: str, size: Bytes, used_at: float) -> None:
        self._entries[name] = size, used_at
        self._used += size
        self._enqueue(used_at, name)

    def _enqueue(self, at: float, name: str) -> None:
        if len(self._order) > 2 * len(self._entries) + _SLACK:
            self._order = [(used_at, one) for one, (_, used_at) in self._entries.items()]
            heapq.heapify(self._order)
        heapq.heappush(self._order, (at, name))

    def _leave(self, at_least: Bytes) -> list[str]:
        """Let entries go that nobody holds, the oldest use first, until so many bytes are free or none is left."""
        leaving: list[str] = []
        kept: list[tuple[float, str]] = []
        while at_least > 0 and self._order:
            at, name = heapq.heappop(self._order)
            entry = self._entries.get(name)
            if entry is None or entry[1] != at:
                continue
            if self._held[name]:
                kept.append((at, name))
                continue
            del self._entries[name]
            self._used -= entry[0]
            at_least -= entry[0]
            leaving.append(name)
        for place in kept:
            heapq.heappush(self._order, place)
        return leaving
