"""What matters is written down: who logged in, paired, was invited, was given or lost a right, and from where.

Writing never raises and never waits for the database: lines go into a queue of bounded length, which a thread of its
own empties once a moment; stopping writes the rest. A flood of failed log-ins becomes a few lines that say how many
there were. Without the thread (the command line) a line is written at once.

No secret ever stands here: details that are called like one are hidden, and the name that somebody failed to log in
with is written only when it is an account's, since people type their password there, too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.model.audit import BY_TOOL, DEEDS
from shared.model.units import Seconds
from shared.records.audit import Entry

if TYPE_CHECKING:
    from shared.model.person import Person
    from shared.records.audit import Audit

log = logging.getLogger(__name__)

ROUND_S: Seconds = 0.5
WAITING = 2000                  # lines that wait for the database; beyond, they are counted only
FOLDED = frozenset({"login_failed", "login_locked"})    # of these, many are told as one
FOLD_S: Seconds = 60.0
FOLDS = 200                     # (deed, name, address) told one by one in that time; the rest together
LONGEST = 200                   # characters of a text
MOST_DETAILS = 30
_SECRET = ("password", "secret", "token", "code", "hash", "key", "cookie", "authorization")
_PLAIN = ("recovery_codes_left", "fingerprint")     # called a bit like a secret, and none


@dataclass(slots=True)
class _Fold:
    """Deeds like one that was written: told together when their time is over."""

    entry: Entry
    until: float
    count: int = 0
    subjects: set[str] = field(default_factory=set)


class AuditLog:
    """`records` keeps the lines. `start` and `stop` belong to the station's."""

    def __init__(self, *, records: Audit | None, clock: Callable[[], float] = time.time, days: int = 365) -> None:
        self._records = records
        self._clock = clock
        self._days = days
        self._lock = threading.Lock()
        self._queue: deque[Entry] = deque()
        self._folds: dict[tuple[str, str, str], _Fold] = {}
        self._lost = 0
        self._at_the_machine = False
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def at_the_machine(self) -> None:
        """From now on everything is done with the command line: whoever may use it is no account, whomever it is for.
        """
        self._at_the_machine = True

    def write(self, deed: str, *, person: Person | None = None, username: str = "", address: str = "",
              subject: str = "", **details: Any) -> None:
        """One line: `person` (or somebody called `username`) did `deed` (a word of model.audit.DEEDS) from `address`,
        to `subject`. Never raises, and waits for nothing while the station runs."""
        if self._records is None:
            return
        try:
            if deed not in DEEDS:
                log.error("%r is no deed of the audit log", deed)
                return
            if self._at_the_machine:
                of = username or (person.username if person else "")
                person, username = None, ""
                details = {**({"of": of} if of else {}), **details, **BY_TOOL}
            entry = Entry(
                at=self._clock(), user_id=person.user_id if person else 0,
                username=_text(username or (person.username if person else "")), address=_text(address), deed=deed,
                subject=_text(subject), details=_clean(details),
            )
            with self._lock:
                self._take(entry)
            if self._thread is None:
                self.flush(all_of_it=False)
        except Exception:  # whoever logs in shall not fail because of what is written about it
            log.exception("the audit log could not take a line")

    def _take(self, entry: Entry) -> None:
        if entry.deed not in FOLDED:
            self._put(entry)
            return
        key = (entry.deed, entry.username, entry.address)
        fold = self._folds.get(key)
        if fold is None and len(self._folds) >= FOLDS:
            key = (entry.deed, "", "")
            fold = self._folds.get(key)
        if fold is not None and entry.at < fold.until:
            fold.count += 1
            return
        if fold is not None:
            self._tell(fold)
        self._folds[key] = _Fold(entry, entry.at + FOLD_S)
        self._put(entry)

    def _put(self, entry: Entry) -> None:
        if len(self._queue) >= WAITING:
            self._lost += 1
        else:
            self._queue.append(entry)

    def _tell(self, fold: _Fold) -> None:
        """The line that says how often more it was, if it was."""
        if fold.count:
            first = fold.entry
            self._put(Entry(at=self._clock(), user_id=first.user_id, username=first.username, address=first.address,
                            deed=first.deed, subject=first.subject, details={**first.details, "times": fold.count}))

    def flush(self, *, all_of_it: bool = True) -> None:
        """Write what waits; with `all_of_it` also the counts of floods that are not over. Never raises."""
        if self._records is None:
            return
        now = self._clock()
        with self._lock:
            for key, fold in list(self._folds.items()):
                if all_of_it or now >= fold.until:
                    self._tell(fold)
                    del self._folds[key]
            due = list(self._queue)
            self._queue.clear()
            lost, self._lost = self._lost, 0
        if lost:
            log.error("%d lines of the audit log were lost: too many came while the database was busy", lost)
        if not due:
            return
        try:
            self._records.add_all(due)
        except Exception as error:  # a locked database, a full disk: they wait for the next round
            log.warning("the audit log could not be written: %s", error)
            with self._lock:
                self._queue.extendleft(reversed(due[: max(0, WAITING - len(self._queue))]))

    def trim(self) -> int:
        """Remove what is older than it is kept. How many lines."""
        return 0 if self._records is None else self._records.trim(self._clock() - self._days * 86_400.0)

    # ---- the background --------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._ending.clear()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join(2)
            self._thread = None
        self.flush()

    def _run(self) -> None:
        while not self._ending.wait(ROUND_S):
            self.flush(all_of_it=False)


NO_AUDIT = AuditLog(records=None)       # keeps nothing: for who has no station


def _text(text: str) -> str:
    """Printable, one line, short."""
    return "".join(one if one.isprintable() else " " for one in str(text)[:LONGEST]).strip()


def _clean(details: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """What may stand in the log: short, plain, and nothing that is called like a secret."""
    clean: dict[str, Any] = {}
    for name, value in list(details.items())[:MOST_DETAILS]:
        name = _text(str(name))
        secret = name not in _PLAIN and any(word in name.lower() for word in _SECRET)
        clean[name] = "***" if secret and value else _plain(value, depth)
    return clean


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict) and depth < 3:
        return _clean(value, depth + 1)
    if isinstance(value, list | tuple | set | frozenset) and depth < 3:
        return [_plain(one, depth + 1) for one in list(value)[:MOST_DETAILS]]
    return _text(str(value))
