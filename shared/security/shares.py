"""Shares: a person gives away a link with which others hear a few things, without an account and nothing else.

The link's code is 128 random bits. It is looked up by its hash, and stands sealed (vault) for whose it is alone. Each
time somebody comes with it, the station looks anew whether it is good: it is there and not over, and who made it has an
account here and may share. What is heard is what that person sees at that moment. With the end of a share, what is on
its way to who has the link ends, too.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shared.events import EventBus, PersonChanged, SessionsEnded
from shared.model.errors import BadInput, Forbidden, Gone, NotFound, SoundsibleError, Unprocessable
from shared.model.person import Person
from shared.records.moments import shown
from shared.records.shares import KINDS, MOST_ENTRIES, Entry, Item, not_here
from shared.security.accounts import person_of
from shared.security.audit import NO_AUDIT
from shared.vault import SealedElsewhere

if TYPE_CHECKING:
    from shared.records.people import People
    from shared.records.shares import ShareRow
    from shared.records.shares import Shares as Records
    from shared.security.audit import AuditLog
    from shared.security.open_streams import OpenStreams
    from shared.vault import Vault

log = logging.getLogger(__name__)

CODE_BYTES = 16             # 128 bits; 26 letters and digits
LONGEST_DESCRIPTION = 1_000
LATE_S, LONGEST_WAIT_S = 0.05, 86_400.0     # after the end of a share; when it is looked again at the latest
LAST_S = 253_402_300_800.0  # Unix seconds of what can be told as a date
REMEMBERED = 64             # shares whose items are known as they are now
_OFF = "This station shares nothing by links: the setting shares is off."
_WRONG = "This link leads to nothing here, or no more. Whoever sent it can make a new one."
_OVER = "The time of this link is over. Whoever sent it can make a new one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """As whose it is sees it."""

    id: str
    link: str = field(repr=False)   # "": it was sealed on another machine, and can only be ended
    title: str                      # what is in it, in words
    description: str
    entries: list[dict[str, str]]   # {kind, id, title}, of what is there
    items: list[str]                # ids of all that is heard
    created_at: str                 # RFC 3339 UTC
    expires_at: str | None
    visited_at: str | None
    visit_count: int
    over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a link leads to. `person`: as whom it is heard; may listen to what the sharing person sees, nothing else."""

    id: int
    uid: str
    person: Person
    title: str
    description: str
    expires_at: str | None
    items: Sequence[Item]

    def item(self, n: str) -> Item:
        """By its name in addresses (see `name_of`), or by its place. Raises NotFound."""
        found = next((one for one in self.items if self.name_of(one) == n), None)
        if found is None and n.isascii() and n.isdigit() and len(n) < 5 and int(n) < len(self.items):
            found = self.items[int(n)]
        if found is None:
            raise NotFound("This is not, or no more, in what was shared.")
        return found

    def name_of(self, item: Item) -> str:
        """Stays the same while other things come and go, and tells nothing of the library's ids."""
        return hashlib.blake2b(item.uid.encode(), key=self.uid.encode(), digest_size=9).hexdigest()


class Shares:
    """endpoints(): where the station is reached from elsewhere, best first; current(): the library's revision."""

    def __init__(
        self, *, records: Records, people: People, vault: Vault, events: EventBus, streams: OpenStreams,
        current: Callable[[], int], enabled: bool = True, endpoints: Callable[[], Sequence[str]] = tuple,
        audit: AuditLog = NO_AUDIT, clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._people = people
        self._vault = vault
        self._streams = streams
        self._current = current
        self.enabled = enabled
        self._endpoints = endpoints
        self._audit = audit
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, int, bool], tuple[str, Sequence[Item]]] = OrderedDict()
        self._heard: OrderedDict[str, int] = OrderedDict()      # uid → id of shares that were heard lately
        self._next: tuple[float, threading.Timer] | None = None     # when the first of these is over
        events.subscribe(PersonChanged, lambda event: self._look_again())
        events.subscribe(SessionsEnded, lambda event: self._look_again())      # an account that is removed

    # ---- for whose they are ----------------------------------------------------------------------------------------

    def make(self, person: Person, entries: Iterable[Entry], *, description: str = "",
             expires_at: float | None = None, address: str = "", here: str = "") -> Share:
        """A new one. `expires_at`: Unix seconds; None: never. `here`: the address that the person came to.

        Raises Forbidden, BadInput, NotFound for what is not there, Unprocessable for too many and for episodes that are
        not fetched.
        """
        self._must(person)
        wanted = list(dict.fromkeys(entries))
        if not 0 < len(wanted) <= MOST_ENTRIES:
            raise BadInput(f"A share is of at least one thing, and at most {MOST_ENTRIES}.", field="entries")
        if any(kind not in KINDS for kind, _ in wanted):
            raise BadInput(f"Shared are {', '.join(KINDS)}.", field="entries")
        if expires_at is not None and expires_at <= self._clock():
            raise BadInput("The end of a share lies in the future.", field="expires_at")
        _must_be_told(expires_at)
        names = self._records.names(person, wanted)
        missing = [uid for kind, uid in wanted if (kind, uid) not in names]
        if missing:
            raise not_here(missing, len(wanted))
        unfetched = self._records.unfetched(wanted)
        if unfetched:
            some = f"“{unfetched[0]}”" if len(unfetched) == 1 else f"{len(unfetched)} of these episodes"
            raise Unprocessable(f"The station has not fetched {some} yet: nobody would hear it by a link. Have it "
                                "fetched first, then share it.")
        code = base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode("ascii").rstrip("=").lower()
        row = self._records.add(
            person.user_id, hash=hash_of(code), sealed=self._vault.seal(code), entries=wanted,
            description=_described(description), expires_at=expires_at,
        )
        log.info("share %s was made", row.uid)
        made = self._shown(person, row, here)
        self._audit.write("share_made", person=person, address=address, subject=made.title, id=row.uid)
        return made

    def make_of(self, person: Person, uids: Iterable[str], **more: Any) -> Share:
        """The same of whatever has these ids."""
        self._must(person)
        return self.make(person, self._records.kinds_of(person, uids), **more)

    def list(self, person: Person, *, here: str = "") -> Sequence[Share]:
        """The person's own, the newest first; also those whose time is over. Raises Forbidden where it is off."""
        self._must_be_on()
        return [self._shown(person, row, here) for row in self._records.list(person.user_id)]

    def change(self, person: Person, uid: str, *, here: str = "", **values: Any) -> Share:
        """Set `description`, or `expires_at` (Unix seconds; None: never). Raises NotFound, Forbidden, BadInput."""
        self._must(person)
        if "description" in values:
            values["description"] = _described(values["description"])
        _must_be_told(values.get("expires_at"))
        row = self._records.change(person.user_id, uid, values)
        self._look_again()
        return self._shown(person, row, here)

    def end(self, person: Person, uid: str, address: str = "") -> None:
        """The link leads to nothing any more. Raises NotFound, Forbidden."""
        if person.scope == "listen":    # who may share no more can still take back
            raise Forbidden("This device may listen, and end nothing.")
        row = self._records.remove(person.user_id, uid)
        with self._lock:
            self._heard.pop(uid, None)
        self._streams.end([_pseudo(row.id)])
        self._audit.write("share_ended", person=person, address=address, id=uid)

    # ---- for who has a link ----------------------------------------------------------------------------------------

    def open(self, code: str) -> Opened:
        """What a link leads to now. Raises NotFound; Gone when its time is over."""
        row = self._records.find(hash_of(code)) if self.enabled else None
        person = None if row is None else self._behind(row)
        if row is None or person is None:
            raise NotFound(_WRONG)
        if self._is_over(row):
            raise Gone(_OVER)
        title, items = self._now(person, row)
        with self._lock:
            self._heard[row.uid] = row.id       # ids are given anew, uids never
            self._heard.move_to_end(row.uid)
            while len(self._heard) > REMEMBERED * 16:
                self._heard.popitem(last=False)
        self._wake_at(row.expires_at)
        return Opened(
            id=row.id, uid=row.uid, person=person, title=title, description=row.description,
            expires_at=None if row.expires_at is None else shown(row.expires_at), items=items,
        )

    def visited(self, opened: Opened) -> None:
        """Somebody looked at what it leads to."""
        self._records.visited(opened.id, self._clock())

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _must_be_on(self) -> None:
        if not self.enabled:
            raise Forbidden(_OFF)

    def _must(self, person: Person) -> None:
        self._must_be_on()
        if not person.shares:
            raise Forbidden("You may not share by links here: owners and adults do, with devices that may add.")

    def _behind(self, row: ShareRow) -> Person | None:
        """Who shares, with no more than a listener's rights; None when they may not (any more)."""
        user = self._people.get_user(row.user_uid)
        if user is None or not person_of(user, scope="own", token_id=0).shares:
            return None
        return replace(person_of(user, scope="listen", token_id=_pseudo(row.id)), rights=frozenset())

    def _is_over(self, row: ShareRow) -> bool:
        return row.expires_at is not None and row.expires_at <= self._clock()

    def _now(self, person: Person, row: ShareRow) -> tuple[str, Sequence[Item]]:
        """Title and items, as the person sees them at this revision."""
        key = (row.uid, self._current(), person.limited)
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
        names = self._records.names(person, row.entries)
        there = [names[one] for one in row.entries if one in names]
        title = there[0] if len(there) == 1 else ", ".join(there[:3]) + (", …" if len(there) > 3 else "")
        found = title, self._records.items(person, [one for one in row.entries if one in names])
        with self._lock:
            self._known[key] = found
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found

    def _look_again(self) -> None:
        """Somebody's rights changed, or an account is gone: hang up on who listens by links that count no more."""
        with self._lock:
            heard = dict(self._heard)
        if not heard:
            return
        there = self._records.there(list(heard))
        ended = [one for one in heard if one not in there or self._behind(there[one]) is None
                 or self._is_over(there[one])]
        with self._lock:
            for one in ended:
                self._heard.pop(one, None)
        self._streams.end(_pseudo(heard[one]) for one in ended)
        for one in set(there) - set(ended):
            self._wake_at(there[one].expires_at)

    def _wake_at(self, at: float | None) -> None:
        """Look again when a share that was heard is over."""
        if at is None:
            return
        with self._lock:
            if self._next is not None:
                if self._next[0] <= at:
                    return
                self._next[1].cancel()
            timer = threading.Timer(min(max(at - self._clock(), 0.0) + LATE_S, LONGEST_WAIT_S), self._wake)
            timer.daemon = True
            self._next = at, timer
            timer.start()

    def _wake(self) -> None:
        with self._lock:
            self._next = None
        try:
            self._look_again()
        except SoundsibleError as error:    # the edge of this thread; who comes next has it looked again
            log.warning("shares that are over cannot be looked for now: %s", error.message)

    def _shown(self, person: Person, row: ShareRow, here: str) -> Share:
        title, items = self._now(person, row)
        names = self._records.names(person, row.entries)
        try:
            link = f"{self._address(here)}/share/{self._vault.open(row.code)}"
        except SealedElsewhere:
            link = ""
        return Share(
            id=row.uid, link=link, title=title, description=row.description,
            entries=[{"kind": kind, "id": uid, "title": names[kind, uid]}
                     for kind, uid in row.entries if (kind, uid) in names],
            items=[one.uid for one in items], created_at=shown(row.created_at),
            expires_at=None if row.expires_at is None else shown(row.expires_at),
            visited_at=None if row.visited_at is None else shown(row.visited_at), visit_count=row.visit_count,
            over=self._is_over(row),
        )

    def _address(self, here: str) -> str:
        return (next(iter(self._endpoints()), "") or here).rstrip("/")


def hash_of(code: str) -> bytes:
    # As for tokens: nobody guesses 128 random bits, and the look-up by hash tells nothing by its time.
    return hashlib.sha256(code.strip().lower()[:256].encode("utf-8", "surrogatepass")).digest()


def _pseudo(share_id: int) -> int:
    """What stands for a share among the tokens of open streams, where no token can be."""
    return -share_id


def _must_be_told(at: float | None) -> None:
    """Raises BadInput for a moment that no date tells."""
    if at is not None and not 0 <= at < LAST_S:
        raise BadInput("A share ends before the year 10000, or never.", field="expires_at")


def _described(text: str) -> str:
    text = text.strip()
    if len(text) > LONGEST_DESCRIPTION:
        raise BadInput(f"A description has at most {LONGEST_DESCRIPTION} characters.", field="description")
    return text
