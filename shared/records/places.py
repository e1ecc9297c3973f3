"""Where tracks are, as SQL: here, in the cache, in the cloud, or nowhere any more.

A file that was not found (`missing_since`) is only missing when no copy of it is known: neither a row of `copies`
that is not broken, nor its content in `cached`. `files` stands for the row's table in each of these conditions.
"""

from __future__ import annotations

ABSENT = "files.missing_since IS NOT NULL"  # its file is not on this machine, or its folder is out of reach

_COPIED = "EXISTS (SELECT 1 FROM copies k WHERE k.track_id = files.track_id AND k.broken IS NULL)"
_CACHED = (
    "(EXISTS (SELECT 1 FROM cached c WHERE c.sha256 = files.sha256) OR EXISTS (SELECT 1 FROM copies k "
    "JOIN cached c ON c.sha256 = k.sha256 WHERE k.track_id = files.track_id AND k.broken IS NULL))"
)

LOCAL = "files.missing_since IS NULL"
CACHE = f"{ABSENT} AND {_CACHED}"
CLOUD = f"{ABSENT} AND {_COPIED} AND NOT {_CACHED}"
NOWHERE = f"{ABSENT} AND NOT {_COPIED} AND NOT {_CACHED}"
