"""Playlists: a person's own, and those others share. Whose they are is checked here and nowhere else.

private         only its owner knows of it; to others it is not there
shared          everybody may read it
collaborative   everybody may read it and change its tracks
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from shared.database import Database, driver_cursor
from shared.model.errors import BadInput, Forbidden, NotFound, Unprocessable
from shared.model.person import Person
from shared.model.track import Page, Playlist, PlaylistWhole
from shared.records import folding, revisions, visible
from shared.records.moments import make_uid, shown
from shared.records.pages import Counts, Listed, Order, Sort, page_ids, parse_sort
from shared.records.settling import remember_removed
from shared.records.showing import show_tracks
from shared.records.tables import playlist_entries, playlists, tracks, users
from shared.records.tracks import recount_playlists, track_ids_of

VISIBILITIES = ("private", "shared", "collaborative")
MOST_ENTRIES = 100_000
LONGEST_COMMENT = 5_000  # characters
MOST_OF_PERSON, MOST_ENTRIES_OF_PERSON = 10_000, 1_000_000  # playlists of one person, and places in them together

SORTS: dict[str, Sort] = {"name": Order((playlists.c.sort_key,)), "updated": Order((playlists.c.updated_at,))}

_SHOWN = select(
    playlists.c.uid,
    playlists.c.name,
    playlists.c.visibility,
    users.c.username,
    playlists.c.track_count,
    playlists.c.duration_ms,
    playlists.c.created_at,
    playlists.c.updated_at,
    playlists.c.comment,
    playlists.c.id,
    playlists.c.user_id,
).join(users, users.c.id == playlists.c.user_id)


@dataclass(frozen=True, slots=True)
class _Held:
    """A playlist as its rows have it."""

    id: int
    user_id: int
    visibility: str
    track_count: int


class Playlists:
    """Everybody's playlists, each person seeing what is theirs to see."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._counts = Counts()

    # ---- looking

    def list(
        self,
        person: Person,
        *,
        sort: str = "name",
        limit: int = 100,
        cursor: str | None = None,
        offset: int | None = None,
    ) -> Page[Playlist]:
        """A page of the playlists that `person` may read. Raises BadInput."""
        order, name, descending = parse_sort(sort, SORTS)
        with self._database.read(person) as conn:
            revision = revisions.current(conn)
            readable = or_(playlists.c.user_id == person.user_id, playlists.c.visibility != "private")
            listed = Listed("playlists", playlists.c.id, (readable,), person.user_id, (person.user_id,), revision)
            found, following = page_ids(
                conn,
                listed,
                sort=order,
                name=name,
                descending=descending,
                limit=limit,
                cursor=cursor,
                offset=offset,
                seed=None,
            )
            rows = {row.id: _playlist(row) for row in conn.execute(_SHOWN.where(playlists.c.id.in_(found)))}
            return Page(
                items=[rows[one] for one in found],
                next_cursor=following,
                total=self._counts.total(conn, listed),
                revision=revision,
            )

    def every(self, person: Person, *, owner: str | None = None) -> Sequence[Playlist]:
        """All that `person` may read, by name; `owner`: only those of the account with that user name."""
        readable = or_(playlists.c.user_id == person.user_id, playlists.c.visibility != "private")
        query = _SHOWN.where(readable).order_by(playlists.c.sort_key, playlists.c.id)
        if owner is not None:
            query = query.where(users.c.folded == folding.same(owner))
        with self._database.read(person) as conn:
            return [_playlist(row) for row in conn.execute(query)]

    def contents(self, person: Person, uid: str) -> tuple[Playlist, Sequence[str]]:
        """One playlist, and the ids of its tracks as `person` sees them, in order. Raises NotFound."""
        with self._database.read(person) as conn:
            held = _readable(conn, person, uid)
            rows = conn.execute(
                select(tracks.c.uid)
                .select_from(playlist_entries)
                .join(tracks, tracks.c.id == playlist_entries.c.track_id)
                .where(playlist_entries.c.playlist_id == held.id, tracks.c.trashed_at.is_(None))
                .order_by(playlist_entries.c.position)
            )
            return _shown(conn, held.id), list(rows.scalars())

    def get(self, person: Person, uid: str) -> PlaylistWhole:
        """One playlist with its tracks; what is in the trash is left out. Raises NotFound."""
        with self._database.read(person) as conn:
            held = _readable(conn, person, uid)
            playlist = _shown(conn, held.id)
            ids = (
                conn.execute(
                    select(playlist_entries.c.track_id)
                    .join(tracks, tracks.c.id == playlist_entries.c.track_id)
                    .where(playlist_entries.c.playlist_id == held.id, tracks.c.trashed_at.is_(None))
                    .order_by(playlist_entries.c.position)
                )
                .scalars()
                .all()
            )
            return PlaylistWhole(
                **{one.name: getattr(playlist, one.name) for one in fields(Playlist)},
                tracks=show_tracks(conn, person, ids),
            )

    def length(self, person: Person, uid: str) -> int:
        """How many tracks one playlist has for `person`, about. Raises NotFound."""
        with self._database.read(person) as conn:
            return _readable(conn, person, uid).track_count

    # ---- changing

    def make(self, person: Person, name: str, track_uids: Sequence[str] = (), visibility: str = "private") -> Playlist:
        """A new playlist. Raises BadInput, NotFound for a track that is not there."""
        _check(name, visibility)
        now = time.time()
        with self._database.transaction() as conn:
            ids = _tracks(conn, person, track_uids)
            _must_have_room(conn, person.user_id, len(ids), lists=1)
            revision = revisions.bump(conn, library_too=False)
            playlist_id = conn.execute(
                insert(playlists)
                .values(
                    uid=make_uid(),
                    user_id=person.user_id,
                    name=name,
                    sort_key=folding.sort_key(name),
                    visibility=visibility,
                    created_at=now,
                    updated_at=now,
                    added_rev=revision,
                    changed_rev=revision,
                )
                .returning(playlists.c.id)
            ).scalar_one()
            _append(conn, playlist_id, ids, 0)
            recount_playlists(conn, [playlist_id], revision)
            return _shown(conn, playlist_id)

    def edit(
        self,
        person: Person,
        uid: str,
        *,
        name: str | None = None,
        visibility: str | None = None,
        track_uids: Sequence[str] | None = None,
        comment: str | None = None,
        without: Sequence[int] = (),
        more: Sequence[str] = (),
    ) -> Playlist:
        """Change what is given; `track_uids` is the whole new order. Or of the order as it is: `without` the tracks at
        these places (as `contents` tells them to this person), then with `more` at the end. Others change only the
        tracks, and only of a collaborative one; tracks that a limited person does not see stay where they are.

        Raises NotFound, Forbidden, BadInput.
        """
        return self._seen_by(person, self._edit(person, uid, name, visibility, track_uids, comment, without, more))

    def _edit(
        self,
        person: Person,
        uid: str,
        name: str | None,
        visibility: str | None,
        track_uids: Sequence[str] | None,
        comment: str | None,
        without: Sequence[int],
        more: Sequence[str],
    ) -> Playlist:
        _check(name, visibility)
        if comment is not None and len(comment) > LONGEST_COMMENT:
            raise BadInput(f"A comment has at most {LONGEST_COMMENT} characters.", field="comment")
        with self._database.transaction() as conn:
            held = _readable(conn, person, uid)
            said = (name, visibility, comment)
            if held.user_id != person.user_id and said != (None, None, None):
                raise Forbidden("Only the owner of a playlist renames or shares it.")
            if said == (None, None, None) and track_uids is None and not without and not more:
                return _shown(conn, held.id)
            _may_change_tracks(person, held)
            ids = None if track_uids is None else _tracks(conn, person, track_uids)
            if ids is not None and person.limited:
                ids = _around_unseen(conn, person, held.id, ids)
            if without or more:
                ids = [*_left(conn, person, held.id, without), *_tracks(conn, person, more)]
                if len(ids) > MOST_ENTRIES:
                    raise Unprocessable(f"A playlist holds at most {MOST_ENTRIES} tracks.")
            _must_have_room(conn, held.user_id, len(ids or ()) - held.track_count)
            revision = revisions.bump(conn, library_too=False)
            changes: dict[str, Any] = {"updated_at": time.time(), "changed_rev": revision}
            if name is not None:
                changes.update(name=name, sort_key=folding.sort_key(name))
            if comment is not None:
                changes["comment"] = comment
            if visibility is not None and visibility != held.visibility:
                changes["visibility"] = visibility
                if visibility == "private":  # for everybody else it is gone
                    remember_removed(driver_cursor(conn), "playlist", [uid], revision)
                elif held.visibility == "private":
                    driver_cursor(conn).execute("DELETE FROM removed WHERE kind = 'playlist' AND uid = ?", (uid,))
                    changes["added_rev"] = revision
            conn.execute(update(playlists).where(playlists.c.id == held.id).values(**changes))
            if ids is not None:
                conn.execute(delete(playlist_entries).where(playlist_entries.c.playlist_id == held.id))
                _append(conn, held.id, ids, 0)
                recount_playlists(conn, [held.id], revision)
            return _shown(conn, held.id)

    def append(self, person: Person, uid: str, track_uids: Sequence[str]) -> Playlist:
        """Tracks at the end; costs as much as is appended. Raises NotFound, Forbidden, Unprocessable."""
        return self._seen_by(person, self._append_to(person, uid, track_uids))

    def _append_to(self, person: Person, uid: str, track_uids: Sequence[str]) -> Playlist:
        with self._database.transaction() as conn:
            held = _readable(conn, person, uid)
            _may_change_tracks(person, held)
            ids = _tracks(conn, person, track_uids)
            if not ids:
                return _shown(conn, held.id)
            if held.track_count + len(ids) > MOST_ENTRIES:
                raise Unprocessable(f"A playlist holds at most {MOST_ENTRIES} tracks.")
            _must_have_room(conn, held.user_id, len(ids))
            revision = revisions.bump(conn, library_too=False)
            last = conn.execute(
                select(func.max(playlist_entries.c.position)).where(playlist_entries.c.playlist_id == held.id)
            ).scalar_one()
            _append(conn, held.id, ids, 0 if last is None else last + 1)
            driver_cursor(conn).execute(
                "UPDATE playlists SET track_count = track_count + ?, duration_ms = duration_ms + ?, updated_at = ?, "
                "changed_rev = ? WHERE id = ?",
                (len(ids), _duration(conn, ids), time.time(), revision, held.id),
            )
            return _shown(conn, held.id)

    def _seen_by(self, person: Person, playlist: Playlist) -> Playlist:
        """Counted anew for who does not see all of it."""
        if not person.limited:
            return playlist
        with self._database.read(person) as conn:
            return _shown(conn, _readable(conn, person, playlist.id).id)

    def delete(self, person: Person, uid: str) -> None:
        """Remove a playlist; its tracks stay. Raises NotFound, Forbidden for somebody else's."""
        with self._database.transaction() as conn:
            held = _readable(conn, person, uid)
            if held.user_id != person.user_id:
                raise Forbidden("Only the owner of a playlist deletes it.")
            revision = revisions.bump(conn, library_too=False)
            conn.execute(delete(playlists).where(playlists.c.id == held.id))
            known_to = held.user_id if held.visibility == "private" else None
            cursor = driver_cursor(conn)
            if cursor.execute("SELECT 1 FROM removed WHERE kind = 'playlist' AND uid = ?", (uid,)).fetchone():
                known_to = None  # it was shared once: others may still wait to hear that it is gone
            remember_removed(cursor, "playlist", [uid], revision, known_to)


def _must_have_room(conn: Connection, user_id: int, more: int, *, lists: int = 0) -> None:
    """Raises Unprocessable when a person's playlists would be too many, or too long together, by this."""
    if more <= 0 and not lists:
        return
    row = driver_cursor(conn).execute(
        "SELECT count(*), coalesce(sum(track_count), 0) FROM playlists WHERE user_id = ?", (user_id,)
    ).fetchone()  # fmt: skip
    must_fit(row[0] + lists, row[1] + max(more, 0))


def must_fit(lists: int, places: int) -> None:
    """Raises Unprocessable for more than one person may have: a disk is nobody's alone."""
    if lists > MOST_OF_PERSON:
        raise Unprocessable(f"One person has at most {MOST_OF_PERSON:,} playlists: delete some first.")
    if places > MOST_ENTRIES_OF_PERSON:
        raise Unprocessable(f"One person's playlists hold at most {MOST_ENTRIES_OF_PERSON:,} tracks together.")


def _check(name: str | None, visibility: str | None) -> None:
    if name is not None and not name.strip():
        raise BadInput("A playlist needs a name.", field="name")
    if visibility is not None and visibility not in VISIBILITIES:
        raise BadInput(f"A playlist is {', '.join(VISIBILITIES)}.", field="visibility")


def _readable(conn: Connection, person: Person, uid: str) -> _Held:
    row = conn.execute(
        select(playlists.c.id, playlists.c.user_id, playlists.c.visibility, playlists.c.track_count).where(
            playlists.c.uid == uid
        )
    ).first()
    if row is None or (row.user_id != person.user_id and row.visibility == "private"):
        raise NotFound("There is no such playlist.")
    return _Held(*row)


def _may_change_tracks(person: Person, held: _Held) -> None:
    if held.user_id != person.user_id and held.visibility != "collaborative":
        raise Forbidden("This playlist is shared for listening; its owner can make it collaborative.")


def _tracks(conn: Connection, person: Person, uids: Sequence[str]) -> list[int]:
    if len(uids) > MOST_ENTRIES:
        raise Unprocessable(f"A playlist holds at most {MOST_ENTRIES} tracks.")
    by_uid = track_ids_of(conn, uids, person)
    unknown = [uid for uid in uids if uid not in by_uid]
    if unknown:
        raise NotFound(f"{len(unknown)} of these tracks are not in the library.", track_ids=unknown[:20])
    return [by_uid[uid] for uid in uids]


def _left(conn: Connection, person: Person, playlist_id: int, without: Sequence[int]) -> list[int]:
    """The tracks as they are without those at these places, which count what the person is shown alone. Raises
    BadInput for a place that there is not."""
    rows = (
        driver_cursor(conn)
        .execute(
            "SELECT e.track_id, t.trashed_at IS NULL FROM playlist_entries e JOIN tracks t ON t.id = e.track_id "
            "WHERE e.playlist_id = ? ORDER BY e.position",
            (playlist_id,),
        )
        .fetchall()
    )
    seen = visible.seen_of(conn, person, {row[0] for row in rows})
    places = [i for i, (track_id, there) in enumerate(rows) if there and track_id in seen]
    for one in without:
        if not 0 <= one < len(places):
            raise BadInput(f"The playlist has no track {one}; the first one is 0, the last one {len(places) - 1}.")
    gone = {places[one] for one in without}
    return [track_id for i, (track_id, _) in enumerate(rows) if i not in gone]


def _around_unseen(conn: Connection, person: Person, playlist_id: int, track_ids: Sequence[int]) -> list[int]:
    """The new order of what a limited person sees, with what they do not see in its old places."""
    held = [
        row[0]
        for row in driver_cursor(conn).execute(
            "SELECT track_id FROM playlist_entries WHERE playlist_id = ? ORDER BY position", (playlist_id,)
        )
    ]
    seen = visible.seen_of(conn, person, set(held))
    rest = iter(track_ids)
    order: list[int] = []
    for one in held:
        if one not in seen:
            order.append(one)
        elif (following := next(rest, None)) is not None:
            order.append(following)
    order.extend(rest)
    if len(order) > MOST_ENTRIES:
        raise Unprocessable(f"A playlist holds at most {MOST_ENTRIES} tracks.")
    return order


def _append(conn: Connection, playlist_id: int, track_ids: Sequence[int], position: int) -> None:
    driver_cursor(conn).executemany(
        "INSERT INTO playlist_entries (playlist_id, position, track_id) VALUES (?, ?, ?)",
        [(playlist_id, i, track_id) for i, track_id in enumerate(track_ids, position)],
    )


def _duration(conn: Connection, track_ids: Sequence[int]) -> int:
    durations: dict[int, int] = {}
    every = list(dict.fromkeys(track_ids))
    for start in range(0, len(every), 500):
        durations.update(
            (one, duration)
            for one, duration in conn.execute(
                select(tracks.c.id, tracks.c.duration_ms).where(tracks.c.id.in_(every[start : start + 500]))
            )
        )
    return sum(durations[one] for one in track_ids)


def _shown(conn: Connection, playlist_id: int) -> Playlist:
    return _playlist(conn.execute(_SHOWN.where(playlists.c.id == playlist_id)).one())


def _playlist(row: Any) -> Playlist:
    uid, name, visibility, owner, track_count, duration_ms, created_at, updated_at, comment = row[:9]
    return Playlist(
        id=uid,
        name=name,
        visibility=visibility,
        owner=owner,
        track_count=track_count,
        duration_ms=duration_ms,
        created_at=shown(created_at),
        updated_at=shown(updated_at),
        comment=comment,
    )
