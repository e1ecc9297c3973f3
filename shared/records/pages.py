"""Pages of long lists: sorted by an index, asked for by cursor (stable while things are added) or by offset.

A page is found as ids first, from an index alone; what is shown of them is fetched after. A cursor holds the last
item's place in the order; it counts only for the list it came from.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, bindparam, func, literal, not_, select, tuple_
from sqlalchemy.types import Float, Integer, Text

from shared.database import Database
from shared.model.errors import BadInput
from shared.model.person import Person
from shared.model.track import Filters, Page
from shared.records import revisions

MOST_ITEMS = 500
_MOST_OFFSET = 2**31


def clamp(limit: int) -> int:
    return min(max(int(limit), 1), MOST_ITEMS)


@dataclass(frozen=True, slots=True)
class Order:
    """A sort by columns that are never NULL; ties go by id."""

    columns: tuple[ColumnElement[Any], ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """A sort by something a person did with it (plays, ratings …): kept in `table` for few of all things. The rest
    follow (or, ascending, come before) by id."""

    table: Table
    thing: ColumnElement[int]
    value: ColumnElement[Any]
    there: ColumnElement[bool]  # whether the value says anything


@dataclass(frozen=True, slots=True)
class Shuffled:
    """A random order that a seed brings back."""


Sort = Order | Heard | Shuffled


@dataclass(frozen=True, slots=True)
class Listed:
    """What a page is taken from."""

    kind: str
    id: ColumnElement[int]
    where: tuple[ColumnElement[bool], ...]
    user_id: int
    scope: tuple[Any, ...]  # what tells this list from others of its kind: for cursors and counts
    counted_by: int  # the revision that its count holds for


class Counts:
    """Totals, kept while the library stays as it is."""

    def __init__(self, most: int = 512) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[Any, ...], tuple[int, int]] = OrderedDict()
        self._lock = threading.Lock()

    def total(self, conn: Connection, listed: Listed) -> int:
        key = (listed.kind, *listed.scope)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept[0] == listed.counted_by:
                self._kept.move_to_end(key)
                return kept[1]
        total = int(conn.execute(select(func.count()).select_from(listed.id.table).where(*listed.where)).scalar_one())
        with self._lock:
            self._kept[key] = (listed.counted_by, total)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return total


def parse_sort(sort: str, sorts: dict[str, Sort]) -> tuple[Sort, str, bool]:
    """(the sort, its name, whether descending). Raises BadInput."""
    name = sort.removeprefix("-")
    if name not in sorts:
        raise BadInput(f"This list is not sorted by {name!r}, but by {', '.join(sorts)}.", field="sort")
    return sorts[name], name, sort.startswith("-")


def page_ids(
    conn: Connection,
    listed: Listed,
    *,
    sort: Sort,
    name: str,
    descending: bool,
    limit: int,
    cursor: str | None,
    offset: int | None,
    seed: int | None,
) -> tuple[list[int], str | None]:
    """The ids on a page, and the cursor of the next one (None: this is the last). Raises BadInput."""
    limit = clamp(limit)
    if offset is not None and not 0 <= offset <= _MOST_OFFSET:
        raise BadInput("The offset lies outside of every list.", field="offset")
    signature = (listed.kind, name, descending, *listed.scope)
    place = _open_cursor(cursor, signature) if cursor else None
    if isinstance(sort, Heard):
        rows = _heard_page(conn, listed, sort, descending, limit + 1, place, offset or 0)
    elif isinstance(sort, Shuffled):
        if place is not None:
            if len(place) != 3 or not isinstance(place[0], int):
                raise _bad_cursor()
            seed, place = place[0], place[1:]
        if seed is None:
            seed = secrets.randbelow(2**31)
        rows = _ordered_page(conn, listed, (_shuffle(listed.id, seed),), descending, limit + 1, place, offset or 0)
        rows = [(row[0], seed, row[1]) for row in rows]
    else:
        rows = _ordered_page(conn, listed, sort.columns, descending, limit + 1, place, offset or 0)
    more = len(rows) > limit
    rows = rows[:limit]
    # A row is (id, values…); the cursor keeps (values…, id).
    following = _make_cursor((*rows[-1][1:], rows[-1][0]), signature) if more else None
    return [row[0] for row in rows], following


def _ordered_page(
    conn: Connection,
    listed: Listed,
    columns: Sequence[ColumnElement[Any]],
    descending: bool,
    limit: int,
    place: list[Any] | None,
    offset: int,
) -> list[tuple[Any, ...]]:
    query: Select[Any] = select(listed.id, *columns).where(*listed.where)
    keys = (*columns, listed.id)
    if place is not None:
        query = query.where(_beyond(keys, place, descending))
    query = query.order_by(*(key.desc() if descending else key.asc() for key in keys)).limit(limit).offset(offset)
    return [tuple(row) for row in conn.execute(query)]


def _beyond(keys: Sequence[ColumnElement[Any]], place: list[Any], descending: bool) -> ColumnElement[bool]:
    if len(place) != len(keys):
        raise _bad_cursor()
    values = []
    for key, value in zip(keys, place, strict=True):
        kind: type = str if isinstance(key.type, Text) else int if isinstance(key.type, Integer) else float
        if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else kind):
            raise _bad_cursor()
        if isinstance(value, int) and abs(value) >= 2**63:
            raise _bad_cursor()
        values.append(literal(value, key.type if isinstance(key.type, (Text, Integer, Float)) else None))
    if len(keys) == 1:
        return keys[0] < values[0] if descending else keys[0] > values[0]
    left, right = tuple_(*keys), tuple_(*values)
    # The first column alone as well: older SQLites find the start in the index by it.
    first = keys[0] <= values[0] if descending else keys[0] >= values[0]
    return and_(first, left < right if descending else left > right)


def _heard_page(
    conn: Connection, listed: Listed, sort: Heard, descending: bool, limit: int, place: list[Any] | None, offset: int
) -> list[tuple[Any, ...]]:
    """Two parts: what the person has something to say about, and the rest. A place is (part, value, id)."""
    mine = and_(sort.table.c.user_id == bindparam("heard_by", listed.user_id), sort.there)
    heard = (
        select(listed.id, literal(1), sort.value)
        .join_from(listed.id.table, sort.table, sort.thing == listed.id)
        .where(mine, *listed.where)
    )
    rest = select(listed.id, literal(0), literal(0)).where(
        not_(listed.id.in_(select(sort.thing).where(mine))), *listed.where
    )
    part, value, last = 1 if descending else 0, None, None
    if place is not None:
        if (
            len(place) != 3
            or place[0] not in (0, 1)
            or not all(
                isinstance(one, (int, float)) and not isinstance(one, bool) and abs(one) < 2**63 for one in place
            )
        ):
            raise _bad_cursor()
        part, value, last = place
    rows: list[tuple[Any, ...]] = []
    while len(rows) < limit:
        query = heard if part else rest
        keys: tuple[ColumnElement[Any], ...] = (sort.value, listed.id) if part else (listed.id,)
        if last is not None:
            query = query.where(_beyond(keys, [value, last] if part else [last], descending))
        found = conn.execute(
            query.order_by(*(key.desc() if descending else key.asc() for key in keys))
            .limit(limit - len(rows))
            .offset(offset)
        ).all()
        rows.extend(tuple(row) for row in found)
        if len(rows) >= limit or part == (0 if descending else 1):
            break
        if offset and not found:
            offset -= int(conn.execute(select(func.count()).select_from(query.subquery())).scalar_one())
        else:
            offset = 0
        part, value, last = 1 - part, None, None
    return rows


def _shuffle(thing: ColumnElement[int], seed: int) -> ColumnElement[int]:
    """A number for each id that looks random; the same for the same seed. Integer arithmetic only, no overflow."""
    digest = hashlib.blake2s(str(seed).encode()).digest()
    a, b, c, d = (int.from_bytes(digest[i : i + 4], "big") % 2**30 + 1 for i in (0, 4, 8, 12))
    one = (thing % (2**31) * a + b) % 2147483647
    two = (thing % (2**31) * c + d) % 2147483629
    return ((one * two) % 2305843009213693951 % 2147483587).label("shuffled").element


# ---- a kind's lists ----------------------------------------------------------------------------------------------

Shown = TypeVar("Shown")


def scope_of(person: Person, filters: Filters) -> tuple[Any, ...]:
    """What tells one filtered list from another; a person only where it matters."""
    given = tuple(
        (one.name, getattr(filters, one.name)) for one in fields(filters) if getattr(filters, one.name) is not None
    )
    given += sight_of(person)
    return (*given, ("person", person.user_id)) if filters.favourite is not None else given


def sight_of(person: Person) -> tuple[Any, ...]:
    """The part of a list's scope that tells what a limited person sees from what others do."""
    return (("seen by", person.user_id),) if person.limited else ()


class Lists(Generic[Shown]):
    """The lists of tracks, albums or artists: narrowed by filters, sorted, page by page.

    conditions  (connection, person, filters) → what must hold of a row; None when nothing can
    ids_of      public ids → inner ids, of what is shown
    show        inner ids → what people see, in that order
    """

    def __init__(
        self,
        *,
        database: Database,
        id: ColumnElement[int],
        sorts: dict[str, Sort],
        conditions: Callable[[Connection, Person, Filters], Sequence[ColumnElement[bool]] | None],
        ids_of: Callable[[Connection, Sequence[str]], Mapping[str, int]],
        show: Callable[[Connection, Person, Sequence[int]], list[Shown]],
    ) -> None:
        self._database = database
        self._id = id
        self._sorts = sorts
        self._conditions = conditions
        self._ids_of = ids_of
        self._show = show
        self._counts = Counts()

    def page(
        self,
        person: Person,
        *,
        filters: Filters,
        sort: str,
        limit: int,
        cursor: str | None,
        offset: int | None,
        ids: Sequence[str] | None,
        seed: int | None,
    ) -> Page[Shown]:
        """One page; `ids` asks for these, in that order, and nothing else. Raises BadInput."""
        order, name, descending = parse_sort(sort, self._sorts)
        with self._database.read(person) as conn:
            revision = revisions.current(conn)
            if ids is not None:
                by_uid = self._ids_of(conn, ids)
                items = self._show(conn, person, [by_uid[uid] for uid in ids if uid in by_uid])
                return Page(items=items, next_cursor=None, total=len(items), revision=revision)
            where = self._conditions(conn, person, filters)
            if where is None:
                return Page(items=[], next_cursor=None, total=0, revision=revision)
            # What is listened to, and the cache, move without the library.
            moving = filters.favourite is not None or filters.place is not None
            counted_by = revision if moving else revisions.library(conn)
            kind = str(self._id.table.name)
            listed = Listed(kind, self._id, tuple(where), person.user_id, scope_of(person, filters), counted_by)
            found, following = page_ids(
                conn,
                listed,
                sort=order,
                name=name,
                descending=descending,
                limit=limit,
                cursor=cursor,
                offset=offset,
                seed=seed,
            )
            items = self._show(conn, person, found)
            return Page(items=items, next_cursor=following, total=self._counts.total(conn, listed), revision=revision)


def in_pieces(conn: Connection, query: Select[Any], uids: Sequence[str]) -> dict[str, int]:
    """{public id: inner id}, asked for 500 at a time by `query`, which takes `uids`."""
    found: dict[str, int] = {}
    every = list(dict.fromkeys(uids))
    for start in range(0, len(every), 500):
        found.update((uid, one) for uid, one in conn.execute(query, {"uids": every[start : start + 500]}))
    return found


# ---- cursors -----------------------------------------------------------------------------------------------------


def _make_cursor(place: Sequence[Any], signature: tuple[Any, ...]) -> str:
    body = json.dumps(list(place), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_check(body, signature) + body).decode("ascii").rstrip("=")


def _open_cursor(cursor: str, signature: tuple[Any, ...]) -> list[Any]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        if raw[:8] != _check(raw[8:], signature):
            raise _bad_cursor()
        place = json.loads(raw[8:])
    except (ValueError, binascii.Error):
        raise _bad_cursor() from None
    if not isinstance(place, list):
        raise _bad_cursor()
    return place


def _check(body: bytes, signature: tuple[Any, ...]) -> bytes:
    return hashlib.blake2s(repr(signature).encode("utf-8", "surrogatepass") + b"\0" + body, digest_size=8).digest()


def _bad_cursor() -> BadInput:
    return BadInput("This cursor is not one of this list's. Begin again without it.", field="cursor")
