"""Pass an episode on from where it lies: ranges as the source has them, and nothing of it but sound.

Whatever the source calls it, it goes out as sound or not at all: a page that came from here would be one of ours.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping

import requests
import urllib3

from shared.model.download import Failure
from shared.model.errors import Overloaded
from shared.outbound import Outbound, failure_of_status

AT_ONCE = 32                # each holds a thread of the server
CHUNK_BYTES = 64 * 1024
_RANGE = re.compile(r"bytes=(?:\d{1,18}-\d{0,18}|-\d{1,18})\Z", re.ASCII)
_CONTENT_RANGE = re.compile(r"bytes (?:\d+-\d+|\*)/(?:\d+|\*)\Z", re.ASCII)
_NAMELESS = ("application/octet-stream", "binary/octet-stream", "application/x-download", "application/ogg", "")


class Relayed:
    """An answer on its way. Iterate it, and close it."""

    def __init__(self, status: int, headers: Mapping[str, str], answer: requests.Response | None,
                 left: Callable[[], None]) -> None:
        self.status = status
        self.headers = dict(headers)
        self._answer = answer
        self._left = left
        self._over = threading.Lock()

    def __iter__(self) -> Iterator[bytes]:
        """Raises BrokenPipeError when the source ends early: a status has been sent, only that tells it."""
        assert self._answer is not None
        try:
            while part := self._answer.raw.read1(CHUNK_BYTES, decode_content=False):
                yield part
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise BrokenPipeError("the source of an episode broke off") from error

    def close(self) -> None:
        if self._over.acquire(blocking=False):
            if self._answer is not None:
                self._answer.close()
            self._left()


class Relays:
    """`open` costs a request to the source."""

    def __init__(self, *, outbound: Outbound, at_once: int = AT_ONCE) -> None:
        self._outbound = outbound
        self._places = threading.BoundedSemaphore(at_once)

    def open(self, url: str, *, range: str | None = None, head: bool = False) -> Relayed:
        """Raises Failure, Overloaded."""
        if not self._places.acquire(blocking=False):
            raise Overloaded("Many episodes are being passed on at this moment. Try again in a while, or fetch the "
                             "episode first.", retry_after_s=10)
        try:
            return self._open(url, range, head)
        except BaseException:
            self._places.release()
            raise

    def _open(self, url: str, range: str | None, head: bool) -> Relayed:
        headers = {"Accept": "audio/*, */*;q=0.5", "Accept-Encoding": "identity"}
        if range is not None and _RANGE.match(range):
            headers["Range"] = range
        session = self._outbound.session()
        answer = session.request("HEAD" if head else "GET", url, headers=headers)

        def left() -> None:
            session.close()
            self._places.release()

        try:
            if answer.status_code != 416:
                failure = failure_of_status(answer.status_code, answer.headers, "The episode's server")
                if failure is not None:
                    raise failure
            said = answer.headers.get("Content-Type", "") if answer.status_code != 416 else ""
            told = {"Content-Type": _sound(said, url), "Cache-Control": "no-store"}
        except BaseException:
            answer.close()
            session.close()
            raise
        length = answer.headers.get("Content-Length", "")
        if length.isdecimal() and len(length) < 19 and "Content-Encoding" not in answer.headers:
            told["Content-Length"] = length
        status = 200
        if answer.status_code in (206, 416):
            span = answer.headers.get("Content-Range", "")
            if _CONTENT_RANGE.match(span):
                told["Content-Range"] = span
                status = answer.status_code
        if status != 200 or "bytes" in answer.headers.get("Accept-Ranges", "").lower():
            told["Accept-Ranges"] = "bytes"
        if head or status == 416:
            answer.close()
            relayed = Relayed(status, told, None, left)
            relayed.close()
            return relayed
        return Relayed(status, told, answer, left)


def _sound(said: str, url: str) -> str:
    """The type it is sent as. Raises Failure when it says that it is no sound."""
    kind = said.partition(";")[0].strip().lower()
    if re.fullmatch(r"audio/[a-z0-9.+-]{1,60}", kind):
        return kind
    if kind in _NAMELESS or re.fullmatch(r"video/[a-z0-9.+-]{1,60}", kind):
        ending = url.partition("?")[0].rpartition(".")[2].lower()
        return {"m4a": "audio/mp4", "m4b": "audio/mp4", "mp4": "audio/mp4", "aac": "audio/aac", "ogg": "audio/ogg",
                "oga": "audio/ogg", "opus": "audio/ogg", "flac": "audio/flac", "wav": "audio/wav"
                }.get(ending, "audio/mpeg")
    raise Failure("not_audio", "What the episode's server sends is no sound.")
