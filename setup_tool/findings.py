"""What `doctor` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at. `state`: ok | note | warn | fail; a warning or a failure has a remedy."""

    name: str
    state: str
    message: str
    remedy: str | None = None
