"""Plays that wait to be told to the listening services a person connected."""

from __future__ import annotations

from sqlalchemy import Connection


def enqueue(conn: Connection, user_id: int, play_id: int) -> None:
    """A play is on record: whoever is to hear of it will. Within the transaction that wrote it."""
