"""The library's revision: one number that every write moves once, so that players ask only for what is new."""

from __future__ import annotations

from sqlalchemy import Connection, text

_CURRENT = text("SELECT CAST(value AS INTEGER) FROM state WHERE name = 'revision'")
_LIBRARY = text("SELECT CAST(value AS INTEGER) FROM state WHERE name = 'library_revision'")
_OLDEST = text("SELECT CAST(value AS INTEGER) FROM state WHERE name = 'oldest_revision'")
_MOVE = text("UPDATE state SET value = CAST(value AS INTEGER) + 1 WHERE name = 'revision'")
_FOLLOW = text("UPDATE state SET value = :revision WHERE name = 'library_revision'")


def current(conn: Connection) -> int:
    return int(conn.execute(_CURRENT).scalar_one())


def library(conn: Connection) -> int:
    """The revision at which the library itself (not somebody's listening) last moved: what counts are kept by."""
    return int(conn.execute(_LIBRARY).scalar_one())


def oldest(conn: Connection) -> int:
    """Changes before this revision are forgotten."""
    return int(conn.execute(_OLDEST).scalar_one())


def bump(conn: Connection, *, library_too: bool = True) -> int:
    """Move on by one, inside a transaction; the new revision. Listening leaves the library's own where it is."""
    conn.execute(_MOVE)
    revision = current(conn)
    if library_too:
        conn.execute(_FOLLOW, {"revision": str(revision)})
    return revision
