"""A play on its way to a listening service, and how such a service can answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.model.units import Milliseconds, Seconds

LISTENBRAINZ, LASTFM = "listenbrainz", "lastfm"
SERVICES = (LISTENBRAINZ, LASTFM)

# What becomes of one play that was told; anything else is the reason why the service does not want it.
TAKEN, LATER = "taken", "later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a service is told of one track; "" and None: unknown. `at`: when it began, Unix seconds, 0 for now;
    `client`: the app that it was heard through, as that calls itself."""

    title: str
    artist: str
    album: str = ""
    album_artist: str = ""
    duration_ms: Milliseconds = 0
    track_number: int | None = None
    recording_mbid: str = ""
    release_mbid: str = ""
    isrc: str = ""
    at: float = 0.0
    client: str = ""


class NotNow(Exception):
    """The service cannot be reached, or wants to be left in peace (for so long)."""

    def __init__(self, message: str, retry_after_s: Seconds | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s


class LoginRefused(Exception):
    """What the person connected with counts no more there."""


class NotUnderstood(Exception):
    """The service does not take what it was told, as a whole: one of several may be at fault."""


class Service(Protocol):
    """A listening service. Each may take seconds; all raise NotNow and LoginRefused."""

    at_once: int        # plays that are told together

    def tell(self, secret: str, url: str, plays: Sequence[Told]) -> list[str]:
        """For each play TAKEN, LATER, or why not. Raises NotUnderstood."""
        ...

    def known(self, secret: str, url: str, username: str, plays: Sequence[Told]) -> set[int]:
        """Which of these plays (by their places) it has already: asked of what was tried before, where nobody knows
        how that ended. Empty for a service that keeps by itself what comes twice only once."""
        ...

    def now(self, secret: str, url: str, playing: Told) -> None:
        """What is playing now; the service forgets it by itself."""
        ...
