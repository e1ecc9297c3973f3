"""What was added, changed and removed since a revision, so that a player fetches only that."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
    and_,
    bindparam,
    literal_column,
    or_,
    select,
    union,
)

from shared.database import Database, driver_cursor
from shared.model.errors import BadInput, RevisionTooOld
from shared.model.person import Person
from shared.model.track import Changes as Changed
from shared.model.track import ChangeSet
from shared.records import revisions, sights, visible
from shared.records.tables import (
    album_listening,
    albums,
    artist_listening,
    artists,
    playlists,
    removed,
    track_listening,
    tracks,
)

MOST_CHANGES = 250_000  # of one kind; beyond that, loading anew is the quicker way

_SINCE: BindParameter[Any] = bindparam("since")
_USER: BindParameter[Any] = bindparam("user_id")


def _moved(table: Table, visible: ColumnElement[bool], heard: Table | None) -> Select[Any]:
    """(uid, added since?) of what is shown and moved, on its own or by what the person did with it."""
    ids: Any = select(table.c.id).where(table.c.changed_rev > _SINCE)
    if heard is not None:
        thing = heard.c[f"{table.name[:-1]}_id"]
        ids = union(ids, select(thing).where(and_(heard.c.user_id == _USER, heard.c.changed_rev > _SINCE)))
    some: FromClause = ids.subquery()
    return (
        select(table.c.uid, table.c.added_rev > _SINCE)
        .join(some, some.c[0] == table.c.id)
        .where(visible)
        .limit(MOST_CHANGES + 1)
    )


_TRACKS = _moved(tracks, tracks.c.trashed_at.is_(None), track_listening)
_ALBUMS = _moved(albums, albums.c.track_count > literal_column("0"), album_listening)
_ARTISTS = _moved(artists, or_(artists.c.track_count > 0, artists.c.album_count > 0), artist_listening)
_PLAYLISTS = _moved(playlists, or_(playlists.c.user_id == _USER, playlists.c.visibility != "private"), None)
_REMOVED = (
    select(removed.c.uid)
    .where(
        removed.c.kind == bindparam("kind"),
        removed.c.rev > _SINCE,
        or_(removed.c.user_id.is_(None), removed.c.user_id == _USER),
    )
    .order_by(removed.c.rev)
    .limit(MOST_CHANGES)
)
_STILL_READABLE = (  # a playlist that was taken back from the others is not gone for its owner
    select(playlists.c.uid).where(
        playlists.c.uid.in_(bindparam("uids", expanding=True)),
        or_(playlists.c.user_id == _USER, playlists.c.visibility != "private"),
    )
)
# On a connection of records.sights: what is in the trash, and what ceased to be seen.
_SEEN_REMOVED = (
    "SELECT r.uid FROM removed r JOIN main.tracks t ON t.uid = r.uid JOIN temp.seen s ON s.id = t.id "
    "WHERE r.kind = :kind AND r.kind = 'track' AND r.rev > :since "
    "UNION SELECT uid FROM temp.gone WHERE kind = :kind AND rev > :since"
)
_SEEN_CAME = "SELECT uid FROM temp.came WHERE kind = :kind AND rev > :since"
_LEFT = (  # whether anything may have left the library, or a part of it, after :since
    "SELECT EXISTS (SELECT 1 FROM removed WHERE kind <> 'playlist' AND rev > :since) "
    "OR EXISTS (SELECT 1 FROM main.tracks WHERE changed_rev > :since AND added_rev <= :since)"
)


class Changes:
    """The library's memory of its own movements, as one person sees them."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def current(self) -> int:
        """The revision now."""
        with self._database.read() as conn:
            return revisions.current(conn)

    def since(self, person: Person, revision: int) -> Changed:
        """What moved after `revision` until now. Raises RevisionTooOld when that is too long ago (or never was) to
        tell; the player then loads everything anew. So does a limited person's after a change of their folders, and
        where something left the library before this station was asked for them for the first time since its start:
        whether they saw it can no longer be told."""
        if revision < 0:
            raise BadInput("A revision is not negative.", field="since")
        with self._database.read(person) as conn:
            now = revisions.current(conn)
            if revision > now or revision < visible.oldest_for(conn, person.user_id):
                raise _too_old()
            asked: dict[str, Any] = {"since": revision, "user_id": person.user_id}
            told = _set
            if person.limited:
                told = _seen_set
                if revision < sights.base_of(conn) and driver_cursor(conn).execute(_LEFT, asked).fetchone()[0]:
                    raise _too_old()
            return Changed(
                revision=now,
                tracks=told(conn, _TRACKS, "track", asked),
                albums=told(conn, _ALBUMS, "album", asked),
                artists=told(conn, _ARTISTS, "artist", asked),
                playlists=_set(conn, _PLAYLISTS, "playlist", asked),
            )


def _set(conn: Connection, query: Select[Any], kind: str, asked: dict[str, Any]) -> ChangeSet:
    added: list[str] = []
    changed: list[str] = []
    for uid, is_new in conn.execute(query, asked):
        (added if is_new else changed).append(uid)
    if len(added) + len(changed) > MOST_CHANGES:
        raise _too_old()
    gone = list(conn.execute(_REMOVED, {**asked, "kind": kind}).scalars())
    if kind == "playlist" and gone:
        readable: set[str] = set()
        for start in range(0, len(gone), 500):
            readable.update(conn.execute(_STILL_READABLE, {**asked, "uids": gone[start : start + 500]}).scalars())
        gone = [uid for uid in gone if uid not in readable]
    return ChangeSet(added=added, changed=changed, removed=gone)


def _seen_set(conn: Connection, query: Select[Any], kind: str, asked: dict[str, Any]) -> ChangeSet:
    """The same for a limited person: what came into their folders is new, what left them is removed."""
    cursor, news = driver_cursor(conn), {**asked, "kind": kind}
    came = dict.fromkeys(row[0] for row in cursor.execute(_SEEN_CAME, news))
    added: list[str] = list(came)
    changed: list[str] = []
    for uid, is_new in conn.execute(query, asked):
        if uid not in came:
            (added if is_new else changed).append(uid)
    if len(added) + len(changed) > MOST_CHANGES:
        raise _too_old()
    gone = [row[0] for row in cursor.execute(f"{_SEEN_REMOVED} LIMIT {MOST_CHANGES}", news)]
    return ChangeSet(added=added, changed=changed, removed=gone)


def _too_old() -> RevisionTooOld:
    return RevisionTooOld("That revision is too long ago: load the library anew.")
