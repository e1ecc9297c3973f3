"""One question to one outside service: bounded in time and size, its faults told as Failures.

For services that the owner configured (their address is the owner's word). They may not redirect us elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from shared.model.download import Failure
from shared.outbound import retry_after, user_agent

if TYPE_CHECKING:
    import requests

TIMEOUT_S = (5.0, 10.0)         # to connect; between two pieces of an answer
DEADLINE_S = 20.0               # for a whole answer
LIMIT_BYTES = 8 * 1024 * 1024   # of an answer; the largest release of MusicBrainz is about a tenth of it


class Breakers(Protocol):
    """What is used of odst.breaker.Breakers."""

    def guard(self, name: str, operation: str) -> AbstractContextManager[Any]:
        ...


def guarded(breakers: Breakers | None, name: str, operation: str) -> AbstractContextManager[Any]:
    """The circuit breaker around one question, where there is one."""
    return nullcontext() if breakers is None else breakers.guard(name, operation)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def session(contact: str) -> requests.Session:
    """A session that says who asks, in the form that MusicBrainz and LRCLIB want."""
    import requests

    made = requests.Session()
    made.headers["User-Agent"] = user_agent(contact)
    return made


def ask(
    session: requests.Session, method: str, url: str, *, provider: str, name: str,
    headers: Mapping[str, str] | None = None, params: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None, limit_bytes: int = LIMIT_BYTES, timeout_s: tuple[float, float] = TIMEOUT_S,
    deadline_s: float = DEADLINE_S,
) -> Answer:
    """What the service answers, when that is of any use: 2xx, 400 or 404.

    `provider` is the service's name for programs, `name` for people. Raises Failure: refused, timed_out,
    connection_lost, service_error (5xx), rate_limited (429, or 503 with a Retry-After), no_permission (401, 403),
    garbage (too large, a redirect, any other status).
    """
    import requests

    ends_at = time.monotonic() + deadline_s
    try:
        with session.request(method, url, headers=dict(headers or {}), params=params, data=data, timeout=timeout_s,
                             stream=True, allow_redirects=False) as response:
            body = bytearray()
            for piece in response.iter_content(65_536):
                body += piece
                if len(body) > limit_bytes:
                    raise Failure("garbage", f"{name} sent an answer without end.", provider=provider)
                if time.monotonic() > ends_at:
                    raise Failure("timed_out", f"{name} took too long to answer.", provider=provider)
            answer = Answer(response.status_code, dict(response.headers), bytes(body))
            said = retry_after(response.headers)
    except requests.Timeout as error:
        raise Failure("timed_out", f"{name} does not answer in time.", provider=provider) from error
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
        raise Failure("connection_lost", f"{name}'s answer broke off.", provider=provider) from error
    except requests.RequestException as error:
        raise Failure("refused", f"{name} cannot be reached.", provider=provider) from error
    status = answer.status
    if 200 <= status < 300 or status in (400, 404):
        return answer
    if status == 429 or (status == 503 and said is not None):
        raise Failure("rate_limited", f"{name} asks to be left alone for a while.", provider=provider,
                      retry_after_s=said if said is not None else 1.0)
    if status >= 500:
        raise Failure("service_error", f"{name} has a fault of its own (HTTP {status}).", provider=provider)
    if status in (401, 403):
        raise Failure("no_permission", f"{name} does not let us in (HTTP {status}).", provider=provider)
    raise Failure("garbage", f"{name} answered in a way nobody expects (HTTP {status}).", provider=provider)
