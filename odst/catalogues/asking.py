"""Ask a configured web service: to its own address only, bounded in time and bytes, its errors told as Failure.

The address is the owner's word, so it may lie in the home network; a redirect to anywhere else is not followed.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import requests

from shared.model.download import Failure
from shared.model.units import Bytes, Seconds
from shared.outbound import failure_of, retry_after, user_agent

TIMEOUT_S = (4.0, 8.0)                  # to connect, and between two bytes
WHOLE_ANSWER_S = 15.0
LIMIT_BYTES: Bytes = 8 * 1024 * 1024    # an album with all its pictures' links is a few hundred kB


class ServiceSession(requests.Session):
    """A requests session that speaks with `bases` alone and raises Failure for whatever is not a good answer.

    `provider` is the name that failures carry, `label` the one for people. Calls of several threads are fine.
    """

    def __init__(self, *bases: str, provider: str, label: str, contact: str = "") -> None:
        super().__init__()
        self._bases = tuple(base.rstrip("/") + "/" for base in bases)
        self._provider, self._label = provider, label
        self.headers["User-Agent"] = user_agent(contact)
        self.headers["Accept"] = "application/json"

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        """The answer with its body read. Raises Failure: refused, timed_out, connection_lost, garbage (too large),
        rate_limited, not_found, no_permission, service_error, forbidden_address; details hold `status`.
        """
        address = url.decode() if isinstance(url, bytes) else url
        if not address.startswith(self._bases):
            raise self.failure("forbidden_address", f"{self._label} points to another address ({_host(address)}).")
        options |= {"allow_redirects": False, "stream": True, "timeout": TIMEOUT_S}
        try:
            response = super().request(method, address, *args, **options)
            try:
                response._content = self._read(response)    # what Response.content does, within limits
            finally:
                response.close()
        except requests.RequestException as error:
            failure = failure_of(error, self._label)
            failure.provider = self._provider
            raise failure from error
        if not response.ok or response.is_redirect:
            raise self._told(response)
        return response

    def ask(self, url: str, *, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """GET a JSON object. Raises Failure; garbage when it is none."""
        response = self.get(url, params=params)
        try:
            answer = json.loads(response.content)
        except ValueError as error:
            raise self.failure("garbage", f"{self._label} answered something that is not JSON.") from error
        if not isinstance(answer, dict):
            raise self.failure("garbage", f"{self._label} answered something unexpected.")
        return answer

    def failure(self, code: str, message: str, **details: Any) -> Failure:
        return Failure(code, message, provider=self._provider, **details)

    def _read(self, response: requests.Response) -> bytes:
        ends_at = time.monotonic() + WHOLE_ANSWER_S
        pieces, size = [], 0
        for piece in response.iter_content(64 * 1024):
            pieces.append(piece)
            size += len(piece)
            if size > LIMIT_BYTES:
                raise self.failure("garbage", f"{self._label} answered more than {LIMIT_BYTES >> 20} MB.")
            if time.monotonic() > ends_at:
                raise self.failure("timed_out", f"{self._label} takes too long to answer.")
        return b"".join(pieces)

    def _told(self, response: requests.Response) -> Failure:
        status = response.status_code
        if status == 429:
            return self.failure("rate_limited", f"{self._label} asks to be left alone for a while.",
                                retry_after_s=retry_after(response.headers), status=status)
        if status in (404, 410):
            return self.failure("not_found", f"{self._label} knows no such thing.", status=status)
        if status in (401, 403):
            return self.failure("no_permission", f"{self._label} does not give this to this station.", status=status)
        if status == 408:
            return self.failure("timed_out", f"{self._label} gave up waiting.", status=status)
        if 400 <= status < 500:
            return self.failure("not_found", f"{self._label} does not understand this (error {status}).", status=status)
        return self.failure("service_error", f"{self._label} answers with {status}.", status=status)


class Pace:
    """At most `count` asks in any `window_s`; a further one waits for its turn."""

    def __init__(self, count: int, window_s: Seconds, *, clock: Callable[[], float] = time.monotonic,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        self._window_s, self._clock, self._sleep = window_s, clock, sleep
        self._at: deque[float] = deque(maxlen=count)
        self._lock = threading.Lock()

    def wait(self) -> None:
        with self._lock:
            now = self._clock()
            begin = now if len(self._at) < (self._at.maxlen or 1) else max(now, self._at[0] + self._window_s)
            self._at.append(begin)
        if begin > now:
            self._sleep(begin - now)


class Budget:
    """A time that optional further asks may take together."""

    def __init__(self, seconds: Seconds) -> None:
        self._ends_at = time.monotonic() + seconds

    @property
    def left(self) -> bool:
        return time.monotonic() < self._ends_at


# ---- taking answers apart: what is not of the right kind is None, never an error ----------------------------------


def text(value: Any, most: int = 1000) -> str | None:
    """One line of `value`, or None when it is no text or an empty one."""
    if not isinstance(value, str):
        return None
    clean = " ".join(value.split())[:most].strip()
    return clean or None


def whole(value: Any, lowest: int = 1, highest: int = 2**31) -> int | None:
    """A whole number, also from digits in a text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    with contextlib.suppress(ValueError, OverflowError):
        number = int(value)
        return number if lowest <= number <= highest else None
    return None


def key(value: Any) -> str:
    """An id as text; "" when there is none."""
    return str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""


def part(value: Any, *names: str) -> dict[str, Any]:
    """The object below `names`; an empty one when there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def rows(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; everything else in it is left out."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def web(value: Any) -> str | None:
    """A link that a browser may open or a picture may be fetched from."""
    link = text(value, 2000)
    return link if link and link.startswith(("https://", "http://")) else None


def isrc(value: Any) -> str | None:
    """Twelve letters and digits, however they were written."""
    clean = "".join(one for one in value if one.isalnum()).upper() if isinstance(value, str) else ""
    return clean if len(clean) == 12 and clean.isascii() and clean[:2].isalpha() and clean[5:].isdigit() else None


def date(value: Any) -> str | None:
    """YYYY, YYYY-MM or YYYY-MM-DD; an unknown part ("0000-00-00") is left out."""
    pieces: list[str] = []
    for digits, piece in zip((4, 2, 2), (text(value, 40) or "").split("T")[0].split("-"), strict=False):
        if len(piece) != digits or not piece.isascii() or not piece.isdigit() or int(piece) == 0:
            break
        pieces.append(piece)
    return "-".join(pieces) or None


def names(found: Iterable[Any]) -> tuple[str, ...]:
    """Names in order, each once."""
    return tuple(dict.fromkeys(one for one in map(text, found) if one))


def _host(url: str) -> str:
    with contextlib.suppress(ValueError):
        return urlsplit(url).hostname or "?"
    return "?"
