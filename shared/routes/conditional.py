"""Decide about If-Match, If-None-Match, If-Modified-Since … and If-Range (RFC 9110, section 13): pure, no I/O."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from typing import Protocol

_TAG = re.compile(r'(?:[ \t,]*)((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")')


class Headers(Protocol):
    """A request's headers; finds names in any case."""

    def get(self, name: str, /) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one state of a thing from another. `etag` with its quotes; `modified` Unix seconds."""

    etag: str
    modified: float | None = None

    @property
    def last_modified(self) -> str | None:
        return None if self.modified is None else formatdate(int(self.modified), usegmt=True)


def precondition(method: str, headers: Headers, now: Validators) -> int | None:
    """The status that ends the request early: 304, 412, or None to go on."""
    if_match = headers.get("If-Match")
    if if_match is not None:
        if not _matches(if_match, now.etag, weak=False):
            return 412
    else:
        since = _date(headers.get("If-Unmodified-Since"))
        if since is not None and now.modified is not None and int(now.modified) > since:
            return 412
    if_none_match = headers.get("If-None-Match")
    if if_none_match is not None:
        if _matches(if_none_match, now.etag, weak=True):
            return 304 if method in ("GET", "HEAD") else 412
    elif method in ("GET", "HEAD"):
        since = _date(headers.get("If-Modified-Since"))
        if since is not None and now.modified is not None and int(now.modified) <= since:
            return 304
    return None


def range_allowed(if_range: str | None, now: Validators, *, clock: float | None = None) -> bool:
    """Whether a Range header counts, given If-Range: only when the client's part is of the file as it is now.

    An entity tag must match strongly. A date must be Last-Modified itself, and so old that the file cannot
    have changed twice within that second.
    """
    if if_range is None:
        return True
    wanted = if_range.strip(" \t")
    if wanted.startswith(('"', "W/")):
        return wanted == now.etag and not wanted.startswith("W/")
    date = _date(wanted)
    if date is None or now.modified is None:
        return False
    return date == int(now.modified) and (time.time() if clock is None else clock) - date >= 2


def _matches(header: str, etag: str, *, weak: bool) -> bool:
    if header.strip(" \t") == "*":
        return True
    tags = _TAG.findall(header)
    if weak:
        return etag.removeprefix("W/") in (tag.removeprefix("W/") for tag in tags)
    return not etag.startswith("W/") and etag in tags


def _date(text: str | None) -> int | None:
    """An HTTP date as Unix seconds; None when it is none."""
    if not text:
        return None
    try:
        parsed = parsedate_to_datetime(text)
        if parsed.tzinfo is None:       # the oldest of the three forms names no zone; HTTP's is always GMT
            parsed = parsed.replace(tzinfo=UTC)
        return int(parsed.timestamp())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
