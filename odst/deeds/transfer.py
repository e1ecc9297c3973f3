"""Bring one file over HTTP, going on where an earlier try stopped when that is certain to be the same thing.

Beside the part that is there lies `source.json`: of which link it is, and the ETag, date and size its server told.
Only when they still hold is the rest asked for; otherwise it begins anew.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
import urllib3

from odst.deeds import media
from odst.deeds.talk import Talk
from shared.model.download import Failure
from shared.model.units import Bytes, Seconds
from shared.outbound import Session, failure_of, failure_of_status

PART, NOTE = "media.part", "source.json"
HEAD_BYTES = 4096
MOST_RESUMES = 5            # within one try
SMALLEST_BYTES = 128        # no music is that short
LOCAL = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE})
DRIP_S: Seconds = 60.0      # of waiting, in which at least so much must come
LEAST_BYTES_PER_S = 256
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """What `source.json` holds."""

    key: str                            # the link, or the site's own name for the thing
    etag: str | None = None             # strong ones only
    modified: str | None = None
    size: int | None = None
    short_at: int | None = None         # it ended here, before the size it had told

    @property
    def validator(self) -> str | None:
        return self.etag or self.modified


@dataclass(frozen=True, slots=True)
class Brought:
    path: Path
    kind: str                           # see media.kind_of
    size: Bytes
    content_type: str
    name: str | None                    # what the server calls it: a hint for a title, never a path
    resumed_at: Bytes


class Leads(Exception):
    """The link leads to a page, feed or playlist, not to a file. `answer` is open still; `head` was read of it."""

    def __init__(self, kind: str, answer: requests.Response, head: bytes) -> None:
        super().__init__(kind)
        self.kind, self.answer, self.head = kind, answer, head

    def read(self, limit_bytes: Bytes) -> bytes:
        """The whole of it."""
        parts = [self.head]
        size = len(self.head)
        host = _host(self.answer.url)
        try:
            for part in self.answer.iter_content(_CHUNK):
                parts.append(part)
                size += len(part)
                if size > limit_bytes:
                    raise Failure("too_large", f"{host} sends a list of more than {limit_bytes} bytes.")
        except requests.RequestException as error:
            raise failure_of(error, host) from error
        finally:
            self.answer.close()
        return b"".join(parts)


def read_note(folder: Path) -> Source | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        said = Source(**json.loads((folder / NOTE).read_text("utf-8")))
        texts, numbers = (said.key, said.etag or "", said.modified or ""), (said.size or 0, said.short_at or 0)
        if all(isinstance(one, str) for one in texts) and all(isinstance(one, int) for one in numbers):
            return said
    return None


def write_note(folder: Path, source: Source) -> None:
    fresh = folder / f"{NOTE}.new"
    fresh.write_text(json.dumps(asdict(source)), "utf-8")
    fresh.replace(folder / NOTE)


def forget(folder: Path) -> None:
    """Throw away what an earlier try left."""
    for path in folder.iterdir():
        if path.name.startswith(("media.", NOTE)) and not path.is_dir():
            path.unlink()


def look(session: Session, url: str, headers: Mapping[str, str] | None = None) -> tuple[str, requests.Response, bytes]:
    """(kind, answer, its first bytes) of a link, without reading on. The answer is open. Raises Failure."""
    answer = session.get(url, headers={"Accept-Encoding": "identity", **(headers or {})})
    host = _host(answer.url)
    failure = failure_of_status(answer.status_code, answer.headers, host)
    if failure is not None:
        answer.close()
        raise failure
    head = _head(answer, host)
    return media.kind_of(head, answer.headers.get("Content-Type", "")), answer, head


def bring(session: Session, url: str, talk: Talk, *, key: str | None = None, headers: Mapping[str, str] | None = None,
          chunk_bytes: Bytes | None = None) -> Brought:
    """The file behind `url` as `talk.folder`/media.part. `chunk_bytes`: asked for in pieces of that size, which some
    servers send faster. Raises Failure; Leads when it is a page or a list."""
    return _Bringing(session, url, talk, key or url, headers or {}, chunk_bytes).bring()


class _Bringing:
    def __init__(self, session: Session, url: str, talk: Talk, key: str, headers: Mapping[str, str],
                 chunk_bytes: Bytes | None) -> None:
        self._session, self._url, self._talk = session, url, talk
        self._headers = {"Accept-Encoding": "identity", **headers}
        self._piece = chunk_bytes
        self._host = _host(url)
        self._part = talk.folder / PART
        self._source = Source(key)
        self._known: Source | None = None       # of the part that lies there
        self._kind = ""
        self._type = ""
        self._name: str | None = None
        self._resumes = 0
        self._ranges = False                    # the server has said that it knows them

    def bring(self) -> Brought:
        have = self._left_over()
        resumed_at = have
        while True:
            at = have
            have, end = self._once(have)
            if end == "whole":
                break
            if end == "piece":
                self._known = self._source
                continue
            # It broke off. Once more from there, as long as that leads on; else the next try may.
            total = self._source.size
            before = self._source.short_at
            self._source = replace(self._source, short_at=have)
            write_note(self._talk.folder, self._source)
            if total is not None and before == have:
                raise Failure("lies_about_size", f"{self._host} says that it is {total} bytes, but always ends after "
                              f"{have}.")
            self._resumes += 1
            if self._resumes > MOST_RESUMES or (have <= at and self._resumes > 1):
                raise Failure("connection_lost", f"The connection to {self._host} broke off after {have} bytes.")
            self._talk.log("info", f"The connection broke off after {have} bytes; going on.")
            self._known = self._source
            if not (self._source.validator and self._ranges):
                have = 0
        self._talk.report(have, have, now=True)
        if not have:
            raise Failure("empty", f"{self._host} sends nothing: the file is empty.")
        if have < SMALLEST_BYTES:
            raise Failure("not_audio", f"Only {have} bytes came; that is no music.")
        return Brought(self._part, self._kind, have, self._type, self._name, resumed_at)

    def _left_over(self) -> int:
        """How many bytes of it lie there and may be gone on from."""
        note = read_note(self._talk.folder)
        if note is not None and note.key == self._source.key:
            self._source = replace(self._source, short_at=note.short_at)
            with contextlib.suppress(OSError):
                size = self._part.lstat().st_size
                if note.validator and size >= SMALLEST_BYTES and (note.size is None or size <= note.size):
                    self._known = note
                    with self._part.open("rb") as file:
                        self._kind = media.kind_of(file.read(HEAD_BYTES))
                    self._ranges = True
                    return size
        return 0        # what lies there may be what a page at this link leads to: let it lie until that is known

    def _once(self, have: int) -> tuple[int, str]:
        """One request from `have` on, or from the beginning, when the server so decides: (bytes there now, "whole",
        "piece" or "broken")."""
        headers = dict(self._headers)
        if have and self._known is not None and self._known.validator:
            headers["If-Range"] = self._known.validator
            headers["Range"] = f"bytes={have}-{'' if self._piece is None else have + self._piece - 1}"
        elif self._piece is not None:
            headers["Range"] = f"bytes=0-{self._piece - 1}"
        with self._session.get(self._url, headers=headers) as answer:
            self._host = _host(answer.url)
            if answer.status_code == 416 and have:
                total = _total(answer)
                if self._known is not None and total == have and self._known.size in (None, have):
                    return have, "whole"
                if self._known is not None and self._known.size is not None and total is not None \
                        and self._source.short_at == have:
                    raise Failure("lies_about_size", f"{self._host} said that it is {self._known.size} bytes and has "
                                  f"{total}.")
                return self._anew(0)
            failure = failure_of_status(answer.status_code, answer.headers, self._host)
            if failure is not None:
                raise failure
            if answer.status_code == 204:
                raise Failure("empty", f"{self._host} sends nothing.")
            if answer.status_code not in (200, 206):
                raise Failure("garbage", f"{self._host} answers {answer.status_code}, which makes no sense here.")
            return self._take(answer, have)

    def _anew(self, have: int) -> tuple[int, str]:
        """What lies there is of no use any more."""
        self._talk.log("info", "The source has changed; beginning anew.")
        short_at = self._source.short_at
        forget(self._talk.folder)
        self._known, self._kind = None, ""
        self._source = Source(self._source.key, short_at=short_at)
        self._resumes += 1
        if self._resumes > MOST_RESUMES:
            raise Failure("garbage", f"{self._host} sends something else every time.")
        return self._once(have)

    def _take(self, answer: requests.Response, have: int) -> tuple[int, str]:
        partial = answer.status_code == 206
        etag = answer.headers.get("ETag")
        etag = None if etag is None or etag.startswith("W/") else etag[:200]
        fresh = Source(self._source.key, etag, (answer.headers.get("Last-Modified") or "")[:100] or None,
                       _total(answer) if partial else _length(answer), self._source.short_at)
        if answer.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            fresh = replace(fresh, etag=None, modified=None, size=None)     # what is counted is not what is kept
        if have:
            if not partial:
                have = 0                                # the server prefers to send it all: it has changed
                self._known = None
            elif self._known is None or _start(answer) != have or _differ(self._known, fresh):
                answer.close()
                return self._anew(0)
        elif partial and _start(answer) not in (0, None):
            raise Failure("garbage", f"{self._host} sends another part than was asked for.")
        self._type = answer.headers.get("Content-Type", "")
        self._name = _disposition(answer.headers.get("Content-Disposition", "")) or self._name
        self._ranges = partial or answer.headers.get("Accept-Ranges", "").lower() == "bytes"
        live = fresh.size is None and any(name.lower().startswith("icy-") for name in answer.headers)
        if live:
            raise Failure("live", f"{self._host} sends a live stream; that has no end to wait for.")
        limit = self._talk.limit_bytes
        if fresh.size is not None and fresh.size > limit:
            raise Failure("too_large", f"It is {_mb(fresh.size)} large; one download may be {_mb(limit)}.")
        if not have:
            head = _head(answer, self._host)
            self._kind = media.kind_of(head, self._type)
            _only_media(self._kind, answer, head)
            forget(self._talk.folder)
        else:
            head = b""
        self._source = fresh
        write_note(self._talk.folder, fresh)
        with self._part.open("ab" if have else "wb") as file:
            return self._write(file, answer, head, have, fresh, limit)

    def _write(self, file: Any, answer: requests.Response, head: bytes, have: int, source: Source, limit: int
               ) -> tuple[int, str]:
        talk = self._talk
        encoded = answer.headers.get("Content-Encoding", "identity").lower() not in ("", "identity")
        pieces = answer.iter_content(_CHUNK) if encoded else _raw(answer)
        broken: BaseException | None = None
        began = have
        try:
            if head:
                file.write(head)
                have += len(head)
            for part in unless_dripping(pieces, self._host):
                file.write(part)
                have += len(part)
                if have > limit:
                    if source.size is None:
                        raise Failure("live", f"{self._host} does not stop sending: more than {_mb(limit)} came, and "
                                      "it never told a size.")
                    raise Failure("too_large", f"More than {_mb(limit)} came.")
                talk.report(have, source.size)
                talk.pace(len(part))
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            if isinstance(error, OSError) and error.errno in LOCAL:    # of the disk, not of the line
                raise
            broken = error
        file.flush()
        if broken is None and source.size is None:
            return have, "whole"
        if source.size is not None and have >= source.size:
            return have, "whole"
        if self._piece is not None and answer.status_code == 206 and have > began and broken is None:
            return have, "piece"
        if have <= began and broken is not None and not self._resumes:
            failure = failure_of(broken, self._host)
            if failure.code != "connection_lost":
                raise failure from broken
        return have, "broken"


def unless_dripping(parts: Iterable[bytes], host: str, *, clock: Callable[[], float] = time.monotonic
                    ) -> Iterator[bytes]:
    """`parts`, as long as they come faster than LEAST_BYTES_PER_S; time that the taker spends does not count.

    A server that sends a byte every few seconds never times out by itself. Raises Failure timed_out.
    """
    waited, came = 0.0, 0
    source = iter(parts)
    while True:
        asked_at = clock()
        part = next(source, None)
        waited += clock() - asked_at
        if part is None:
            return
        came += len(part)
        if waited > DRIP_S:
            if came < LEAST_BYTES_PER_S * waited:
                raise dripping(host, came)
            waited, came = 0.0, 0
        yield part


def dripping(host: str, came: int) -> Failure:
    return Failure("timed_out", f"{host} sends almost nothing: {came} bytes in more than {DRIP_S:.0f} s.")


def _only_media(kind: str, answer: requests.Response, head: bytes) -> None:
    """Raises Leads and Failure when `head` does not begin a media file."""
    if kind in media.PAGES:
        raise Leads(kind, answer, head)
    sort = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("picture", "document", "archive", "program", "text"):
        answer.close()
        raise Failure("not_audio", f"The link leads to something else than music ({kind}).")
    if kind == "unknown" and len(head) >= SMALLEST_BYTES and not sort.startswith(("audio/", "video/")) and sort not in (
            "", "application/octet-stream", "binary/octet-stream", "application/ogg", "application/force-download"):
        answer.close()
        raise Failure("not_audio", f"The link leads to something else than music ({sort}).")


def title_hint(url: str, name: str | None) -> str | None:
    """A title out of what the server calls the file, or of the link's last part. Never a path."""
    text = name or unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])
    text = re.split(r"[/\\\x00]", text)[-1]
    text = re.sub(r"\.[A-Za-z0-9]{2,5}$", "", text).replace("_", " ")
    text = re.sub(r"^\s*\d{1,3}\s*[-.)]?\s+(?=\S)", "", text)      # a track number
    text = " ".join(text.split()).strip(". ")
    return text[:300] or None


def _raw(answer: requests.Response) -> Any:
    while part := answer.raw.read1(_CHUNK, decode_content=False):
        yield part


def _head(answer: requests.Response, host: str) -> bytes:
    """The first bytes; fewer when there are no more."""
    head = b""
    until = time.monotonic() + DRIP_S
    encoded = answer.headers.get("Content-Encoding", "identity").lower() not in ("", "identity")
    try:
        if encoded:
            return next(answer.iter_content(_CHUNK), b"")
        while len(head) < HEAD_BYTES:
            if time.monotonic() > until:
                raise dripping(host, len(head))
            part = answer.raw.read1(HEAD_BYTES - len(head), decode_content=False)
            if not part:
                break
            head += part
    except (urllib3.exceptions.IncompleteRead, urllib3.exceptions.ProtocolError, http.client.IncompleteRead) as error:
        if not head:
            raise failure_of(error, host) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise failure_of(error, host) from error
    return head


def _length(answer: requests.Response) -> int | None:
    text = answer.headers.get("Content-Length", "")
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _total(answer: requests.Response) -> int | None:
    match = re.fullmatch(r"bytes\s+(?:[0-9]+-[0-9]+|\*)/([0-9]{1,18})", answer.headers.get("Content-Range", "").strip())
    return int(match[1]) if match else None


def _start(answer: requests.Response) -> int | None:
    match = re.match(r"bytes\s+([0-9]{1,18})-", answer.headers.get("Content-Range", "").strip())
    return int(match[1]) if match else None


def _differ(old: Source, new: Source) -> bool:
    return (old.etag != new.etag or (old.etag is None and old.modified != new.modified)
            or (old.size is not None and new.size is not None and old.size != new.size))


def _disposition(text: str) -> str | None:
    """The file name of a Content-Disposition, without any folder."""
    match = re.search(r"filename\*\s*=\s*(?:utf-8|iso-8859-1)''([^;\s]+)", text, re.IGNORECASE)
    name = unquote(match[1]) if match else None
    if name is None:
        match = re.search(r'filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))', text, re.IGNORECASE)
        name = (match[1] or match[2]) if match else None
    return re.split(r"[/\\]", name)[-1][:300] if name else None


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "the server")[:100]


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
