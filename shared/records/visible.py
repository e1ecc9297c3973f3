"""Which folders a limited person sees, and the tracks in them.

`user_folders` names folders by their root and the path beneath it (see model.filepath); "" is the whole root. What
lies in a folder or deeper is seen; folders are told apart by whole names: `Kids` is not the beginning of `Kids2`.

A player keeps what it was told, so a change of folders moves the library's revision, and from before it nothing is
told as changes any more (see `oldest_for`): the player loads everything anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, text

from shared.database import Database, driver_cursor
from shared.model.errors import BadInput
from shared.model.person import Person
from shared.records import revisions
from shared.records.settling import COUNTED, chunks

MOST_FOLDERS = 1_000  # of one person

Folder = tuple[int, str]  # id of its root, path beneath it as text; "" is all of the root

_OLDEST = text(
    "SELECT max(CAST(value AS INTEGER)) FROM state WHERE name IN ('oldest_revision', 'folders:' || :user_id)"
)
_PATH = "coalesce(f.trashed_from, f.path)"
_INSIDE = (  # of the file `f`, for the person :user
    "EXISTS (SELECT 1 FROM user_folders u WHERE u.user_id = :user AND u.root_id = f.root_id AND (u.path = '' "
    f"OR ({_PATH} >= u.path || '/' AND {_PATH} < u.path || '0')))"
)
_SEEN_IN = f"FROM tracks t CROSS JOIN files f ON f.track_id = t.id WHERE t.trashed_at IS NULL AND {_INSIDE}"
_ROLES = ", ".join(f"'{role}'" for role in COUNTED)
_SEES = {
    "track": f"SELECT 1 FROM files f WHERE f.track_id = :thing AND {_INSIDE}",
    "album": f"SELECT 1 {_SEEN_IN} AND t.album_id = :thing LIMIT 1",
    "artist": (
        f"SELECT 1 {_SEEN_IN} AND (t.id IN (SELECT track_id FROM credits WHERE artist_id = :thing AND role IN "
        f"({_ROLES})) OR t.album_id IN (SELECT album_id FROM album_credits WHERE artist_id = :thing)) LIMIT 1"
    ),
}


class Folders:
    """Which folders each limited person sees. That somebody is limited at all, `users` says."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def of(self, user_id: int) -> list[Folder]:
        """Sorted by root and path."""
        with self._database.read() as conn:
            return folders_of(conn, user_id)

    def set(self, user_id: int, folders: Iterable[Folder]) -> None:
        """These and no others. Raises BadInput for a root that is not there or a path that leaves it."""
        with self._database.transaction() as conn:
            write_folders(conn, user_id, folders)


def folders_of(conn: Connection, user_id: int) -> list[Folder]:
    rows = driver_cursor(conn).execute(
        "SELECT root_id, path FROM user_folders WHERE user_id = ? ORDER BY root_id, path", (user_id,)
    )
    return [(root_id, path) for root_id, path in rows]


def write_folders(conn: Connection, user_id: int, folders: Iterable[Folder]) -> None:
    """As `Folders.set`, inside a transaction of the caller's."""
    wanted = outermost({(root_id, plain(path)) for root_id, path in folders})
    if len(wanted) > MOST_FOLDERS:
        raise BadInput(f"At most {MOST_FOLDERS} folders can be named for one person.", field="folders")
    cursor = driver_cursor(conn)
    known = {row[0] for row in cursor.execute("SELECT id FROM roots")}
    if not known.issuperset(root_id for root_id, _ in wanted):
        raise BadInput("This is no music folder of the station.", field="folders")
    if folders_of(conn, user_id) == wanted:
        return
    cursor.execute("DELETE FROM user_folders WHERE user_id = ?", (user_id,))
    cursor.executemany(
        "INSERT INTO user_folders (user_id, root_id, path) VALUES (?, ?, ?)",
        [(user_id, root_id, path) for root_id, path in wanted],
    )
    sees_other_things(conn, user_id)


def sees_other_things(conn: Connection, user_id: int) -> None:
    """What this person sees changed as a whole (their folders, or whether they are limited): the revision moves, and
    their players load everything anew. Inside a transaction."""
    revision = revisions.bump(conn)
    driver_cursor(conn).execute(
        "INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)", (f"folders:{user_id}", str(revision))
    )


def oldest_for(conn: Connection, user_id: int) -> int:
    """Changes before this revision cannot be told to this person."""
    return int(conn.execute(_OLDEST, {"user_id": user_id}).scalar_one())


def plain(path: str) -> str:
    """A path beneath a root without what says nothing. Raises BadInput when it leads elsewhere."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in path:
        raise BadInput("A folder is named by its path beneath the music folder.", field="folders")
    return "/".join(parts)


def outermost(folders: Collection[Folder]) -> list[Folder]:
    """`folders` without those that lie in others of them, sorted."""
    kept: list[Folder] = []
    for root_id, path in sorted(folders):
        above = ["/".join(path.split("/")[:depth]) for depth in range(path.count("/") + 1)] if path else []
        if not any((root_id, one) in kept for one in above):
            kept.append((root_id, path))
    return sorted(kept)


# ---- inside transactions, where the library is whole (for reading see records.sights) ----------------------------


def sees(conn: Connection, person: Person | None, kind: str, thing: int) -> bool:
    """Whether a person sees a track (in the trash or not), an album or an artist, by its inner id; None sees all."""
    if person is None or not person.limited:
        return True
    row = driver_cursor(conn).execute(_SEES[kind], {"user": person.user_id, "thing": thing}).fetchone()
    return row is not None


def seen_of(conn: Connection, person: Person | None, track_ids: Iterable[int]) -> set[int]:
    """Those of the tracks that a person sees; about 3 µs each."""
    if person is None or not person.limited:
        return set(track_ids)
    query = f"SELECT f.track_id FROM files f WHERE {_INSIDE} AND f.track_id IN ".replace(":user", str(person.user_id))
    cursor = driver_cursor(conn)
    return {row[0] for marks, part in chunks(track_ids) for row in cursor.execute(f"{query}({marks})", part)}
