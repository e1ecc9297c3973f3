"""Words for long work (an upload, a backup, a clean-up): how far it is, and how it is ended early."""

from __future__ import annotations

from dataclasses import dataclass

from shared.model.units import Bytes


@dataclass(frozen=True, slots=True)
class Moved:
    """How far a piece of work is. Totals are None as long as they are not known."""

    phase: str = ""                     # a word or two for people: "looking", "uploading"
    done: int = 0
    total: int | None = None
    bytes_done: Bytes = 0
    bytes_total: Bytes | None = None
    now: str = ""                       # what it is at: a title, a path
    failed: int = 0


class Stopped(Exception):
    """Work was asked to end and did: what is done is done, what is not can be taken up again."""
