"""Several files as one ZIP, made while it is sent: not compressed (music is already), and never on the disk."""

from __future__ import annotations

import io
import re
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import Response, request

from shared.model.errors import NotFound, Overloaded, TrackMissing
from shared.model.person import Person
from shared.model.source import TrackFile
from shared.model.units import KIB
from shared.routes.sending import Sending

if TYPE_CHECKING:
    from shared.routes.respond import OpenFile

MOST_TRACKS = 2_000
CHUNK_BYTES = 256 * KIB
MISSING = "missing.txt"     # in the archive: what of it could not be had

Entry = tuple[str, Callable[[], TrackFile]]     # its name without folders, and the file (raises NotFound)

_NO_NAME = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')


class Archives:
    """At most `at_once` are on their way: each holds a thread of the server for as long as it takes."""

    def __init__(self, *, sending: Sending, at_once: int) -> None:
        self._sending = sending
        self._free = threading.BoundedSemaphore(at_once)

    def answer(self, person: Person, id: str, folder: str, entries: Sequence[Entry]) -> Response:
        """The files in `folder`, in that order. What cannot be had is named in a text file. Raises Overloaded."""
        headers = {"Content-Type": "application/zip", "Cache-Control": "no-store", "Accept-Ranges": "none"}
        if request.method == "HEAD":
            return Response(None, 200, headers)
        if not self._free.acquire(blocking=False):
            raise Overloaded("As many archives are being downloaded as this station makes at once. Try again in a "
                             "minute.", retry_after_s=60)
        try:
            ended = self._sending.begun(person, id)
        except BaseException:
            self._free.release()
            raise
        body = _Archive(chunks(lambda file: self._sending.open(person, file), folder, entries), ended, self._free)
        return Response(body, 200, headers, direct_passthrough=True)


class _Archive:
    """The chunks, and what is due at their end."""

    def __init__(self, chunks: Iterator[bytes], ended: Callable[[int], None], free: threading.BoundedSemaphore) -> None:
        self._chunks = chunks
        self._ended = ended
        self._free = free
        self._sent_bytes = 0
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._sent_bytes += len(chunk)
            yield chunk

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            getattr(self._chunks, "close", lambda: None)()
        finally:
            self._free.release()
            self._ended(self._sent_bytes)


def chunks(open: Callable[[TrackFile], OpenFile], folder: str, entries: Sequence[Entry]) -> Iterator[bytes]:
    """The archive's bytes."""
    sink = _Sink()
    used: set[str] = set()
    missing: list[str] = []
    folder = clean(folder)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as made:
        for name, find in entries:
            name = _unlike(clean(name), used)
            try:
                track = find()
                file = open(track)
            except (NotFound, TrackMissing) as problem:
                missing.append(f"{name}: {problem.message}")
                continue
            try:
                facts = zipfile.ZipInfo(f"{folder}/{name}", _moment(track.mtime_ns))
                facts.file_size = file.size_bytes
                facts.external_attr = 0o644 << 16
                with made.open(facts, "w") as entry:
                    while data := file.read(CHUNK_BYTES):
                        entry.write(data)
                        yield sink.taken()
            finally:
                file.close()
        if missing:
            made.writestr(f"{folder}/{MISSING}", "Not in this archive:\n\n" + "\n".join(missing) + "\n")
    yield sink.taken()


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def clean(name: str) -> str:
    """A name that is one on every system, without folders."""
    return _NO_NAME.sub("_", name).strip(" .")[:150] or "_"


def _unlike(name: str, used: set[str]) -> str:
    stem, dot, suffix = name.rpartition(".")
    number, made = 1, name
    while made.lower() in used:
        number += 1
        made = f"{stem} ({number}){dot}{suffix}"
    used.add(made.lower())
    return made


def _moment(mtime_ns: int) -> tuple[int, int, int, int, int, int]:
    """In UTC, within what a ZIP can say."""
    when = datetime.fromtimestamp(min(max(mtime_ns / 1e9, 315_532_800.0), 4_354_819_199.0), UTC)
    return when.year, when.month, when.day, when.hour, when.minute, when.second
