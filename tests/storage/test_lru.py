"""The ledger against a simple model of it, and its promises in words."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shared.storage.lru import Ledger
from tests.patience import often

NAMES = st.sampled_from("abcdefghij")
SIZES = st.integers(0, 60)
TIMES = st.integers(0, 30).map(float)
LIMIT = 100


class Ledgers(RuleBasedStateMachine):
    """A ledger, and beside it plain lists that are searched anew for every answer."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(LIMIT)
        self.entries: dict[str, tuple[int, float]] = {}
        self.promised: dict[str, int] = {}
        self.held: list[str] = []

    def total(self) -> int:
        return sum(size for size, _ in self.entries.values()) + sum(self.promised.values())

    def gone(self, leaving: list[str], needed: int) -> None:
        """`leaving` were the right ones to leave for `needed` bytes; they are no entries any more."""
        assert not set(leaving) & set(self.held), "what is held never leaves"
        times = [self.entries[name][1] for name in leaving]
        assert times == sorted(times)
        stayed = [at for name, (_, at) in self.entries.items() if name not in leaving and name not in self.held]
        assert not times or not stayed or times[-1] <= min(stayed), "the least recently used leave first"
        for number, name in enumerate(leaving):
            assert sum(self.entries[one][0] for one in leaving[:number]) < needed, f"{name} left without need"
        for name in leaving:
            del self.entries[name]

    def may_leave(self) -> int:
        return sum(size for name, (size, _) in self.entries.items() if name not in self.held)

    @rule(name=NAMES, size=SIZES, at_least=st.one_of(st.just(0), SIZES))
    def reserve(self, name: str, size: int, at_least: int) -> None:
        if name in self.entries or name in self.promised:
            with pytest.raises(ValueError, match="reserved"):
                self.ledger.reserve(name, size)
            return
        needed = max(at_least, self.total() + size - LIMIT)
        leaving = self.ledger.reserve(name, size, at_least=at_least)
        assert (leaving is None) == (needed > 0 and needed > self.may_leave())
        if leaving is not None:
            self.gone(leaving, needed)
            self.promised[name] = size

    @rule(name=NAMES, at=TIMES, less=st.integers(0, 5))
    def commit(self, name: str, at: float, less: int) -> None:
        size = max(0, self.promised.get(name, 0) - less)
        if name not in self.promised:
            with pytest.raises(ValueError, match="no room"):
                self.ledger.commit(name, size, at)
            return
        self.ledger.commit(name, size, at)
        del self.promised[name]
        self.entries[name] = size, at

    @rule(name=NAMES)
    def release(self, name: str) -> None:
        self.ledger.release(name)
        if self.promised.pop(name, None) is None:
            self.entries.pop(name, None)

    @rule(name=NAMES, at=TIMES)
    def touch(self, name: str, at: float) -> None:
        self.ledger.touch(name, at)
        if name in self.entries:
            self.entries[name] = self.entries[name][0], at

    @rule(name=NAMES)
    def hold(self, name: str) -> None:
        self.ledger.hold(name)
        self.held.append(name)

    @rule(name=NAMES)
    def let_go(self, name: str) -> None:
        if name not in self.held:
            with pytest.raises(ValueError, match="nobody holds"):
                self.ledger.let_go(name)
            return
        self.ledger.let_go(name)
        self.held.remove(name)

    @rule(needed=st.integers(-5, 120))
    def evict(self, needed: int) -> None:
        leaving = self.ledger.evict(needed)
        assert (leaving is None) == (needed > self.may_leave() and needed > 0)
        self.gone(leaving or [], needed)

    @invariant()
    def the_accounts_are_exact(self) -> None:
        assert self.ledger.used == sum(size for size, _ in self.entries.values())
        assert self.ledger.reserved == sum(self.promised.values())
        assert sorted(self.ledger.names()) == sorted(self.entries)
        assert len(self.ledger) == len(self.entries)
        for name in "abcdefghij":
            assert (name in self.ledger, self.ledger.is_reserved(name)) == (name in self.entries, name in self.promised)
            assert self.ledger.holders(name) == self.held.count(name)

    @invariant()
    def the_limit_is_kept(self) -> None:
        assert self.ledger.used + self.ledger.reserved <= LIMIT


TestLedger = Ledgers.TestCase
TestLedger.settings = settings(max_examples=often(50), stateful_step_count=40, deadline=None)


def test_what_was_there_before_may_pass_the_limit_until_it_is_trimmed() -> None:
    ledger = Ledger(10)
    for name, at in (("old", 1.0), ("playing", 0.0), ("new", 2.0)):
        ledger.load(name, 8, at)
    ledger.hold("playing")
    assert ledger.used == 24
    assert ledger.trim() == ["old", "new"]
    assert (ledger.used, ledger.names()) == (8, ["playing"])
    with pytest.raises(ValueError, match="loaded"):
        ledger.load("playing", 1, 0.0)


def test_a_thousand_uses_of_one_entry_leave_no_thousand_places() -> None:
    ledger = Ledger(100)
    ledger.load("a", 1, 0.0)
    for at in range(10_000):
        ledger.touch("a", float(at))
    assert len(ledger._order) < 100
