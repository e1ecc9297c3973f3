"""Words for long work that the station does by itself or for a person: uploads, offloads, backups, checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared.model.work import Moved

KINDS = ("upload", "offload", "fetch", "backup", "check")
STATES = ("waiting", "running", "done", "failed", "cancelled")
OVER = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What an errand is about: albums and tracks by their public ids, or everything; and which storage."""

    provider: str | None = None             # by name; None: the default one, or whichever has it
    everything: bool = False
    album_ids: tuple[str, ...] = ()
    track_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSelection:
    """A selection for people: of very many ids the first ones, with how many there are."""

    provider: str | None
    everything: bool
    album_ids: list[str]
    album_count: int
    track_ids: list[str]
    track_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """As it is shown."""

    id: str
    kind: str                               # one of KINDS
    state: str                              # one of STATES
    title: str | None                       # of the one album or track it is about
    selection: ShownSelection
    progress: Moved | None
    report: dict[str, Any] | None           # what the command answered, its long lists cut
    message: str | None                     # a sentence: why it failed, what it waits for
    attempt: int                            # how often it was begun and failed
    username: str | None                    # None: the station itself asked
    not_before: str | None                  # when it is tried again
    created_at: str
    started_at: str | None
    finished_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An errand as whoever runs it needs it."""

    id: str
    kind: str
    attempt: int
    user_id: int | None
    selection: Selection = field(default_factory=Selection)
