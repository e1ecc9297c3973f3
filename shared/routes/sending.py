"""Send sound: a track's file bit for bit with ranges, or a transcode of it. Both doors, /api and /rest, send with this.

A track comes from the first place that gives it (see storage.playing); what lies in a file of the station's own, an
episode, comes from there. The request writes nothing.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from flask import Response, request

from shared.audio.mp3_silence import HEADER_BYTES, silence
from shared.events import EventBus, StreamEnded, StreamStarted
from shared.library.transcodes import MIME_TYPES
from shared.model.cloud import CloudFailure
from shared.model.errors import BadInput, NotFound, SoundsibleError, StorageOffline, TrackMissing
from shared.model.person import Person
from shared.model.source import CloudFile, LocalFile, SignedUrl, Source, TrackFile
from shared.model.units import Bytes, Kbps, Milliseconds
from shared.routes.conditional import Validators, precondition
from shared.routes.hanging_up import entered
from shared.routes.respond import OpenFile, audio
from shared.storage.playing import Playing, Sound, place_of

if TYPE_CHECKING:
    from shared.library.transcodes import Transcode, Transcodes
    from shared.security.open_streams import OpenStreams

log = logging.getLogger(__name__)

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a transcode shall be. `length`: told to the client before it is made; what is sent is brought to it, with
    silence at the end."""

    format: str             # one of library.transcodes.SUFFIXES
    bitrate_kbps: Kbps
    start_ms: Milliseconds = 0
    length: Bytes | None = None


class Sending:
    """Answers the request at hand with sound."""

    def __init__(self, *, playing: Playing, transcodes: Transcodes, events: EventBus, streams: OpenStreams,
                 redirect: Callable[[CloudFile], SignedUrl | None] = lambda _: None) -> None:
        """redirect: the signed address players are sent to, where that is wanted and can be had."""
        self._playing = playing
        self._transcodes = transcodes
        self._events = events
        self._streams = streams
        self._redirect = redirect

    def track(self, person: Person, track: TrackFile, conversion: Conversion | None = None, *,
              redirects: bool = True) -> Response:
        """From the first place that gives it: the file, or, when it is not to be sent from here, 302 to where it is.

        Raises TrackMissing, BadInput (a start behind the end), and as transcodes do.
        """

        def send(source: Source) -> Response:
            if conversion is not None:
                return self._transcoded(person, track, source, conversion)
            return self._sent(person, track, source, redirects)

        return self._from_somewhere(person, track, send)

    def open(self, person: Person, track: TrackFile) -> OpenFile:
        """The track's bytes as they are, ready to be read, for who sends several in one answer. Raises TrackMissing."""

        def ready(source: Source) -> OpenFile:
            file = opened(self._playing.open(track, source))
            try:
                file.prime()
            except BaseException:
                file.close()
                raise
            return file

        return self._from_somewhere(person, track, ready)

    def file(self, person: Person, id: str, path: Path, mime_type: str, duration_ms: Milliseconds,
             conversion: Conversion | None = None, held: AbstractContextManager[object] | None = None) -> Response:
        """What lies at `path`, a file of the station's own; `held` is entered as long as somebody hears it.

        Raises NotFound, BadInput, and as transcodes do.
        """
        try:
            if conversion is None:
                file = OpenFile(open(path, "rb", buffering=0))  # noqa: SIM115  (the answer closes it)
                return audio(self._heard(person, id, file, held), mime_type, request)
            facts = os.stat(path)
        except FileNotFoundError:
            raise NotFound("Its file is gone.") from None
        track = TrackFile(id, str(path.parent), path.name, facts.st_size, facts.st_mtime_ns, mime_type, "", duration_ms)
        source = LocalFile(str(path), facts.st_size, facts.st_mtime_ns, mime_type)
        return self._transcoded(person, track, source, conversion, held)

    def begun(self, person: Person, id: str, held: AbstractContextManager[object] | None = None
              ) -> Callable[[int], None]:
        """Tell that somebody listens (background work steps aside). Returns the deed of its end."""
        over = ExitStack()
        if held is not None:
            over.enter_context(held)
        over.callback(entered(self._streams, person))
        self._events.publish(StreamStarted(id))

        def ended(size_bytes: int) -> None:
            over.close()
            self._events.publish(StreamEnded(id, size_bytes))

        return ended

    # ---- inside ---------------------------------------------------------------------------------------------------

    def _from_somewhere(self, person: Person, track: TrackFile, send: Callable[[Source], Made]) -> Made:
        """What `send` makes of the first place that gives it. Raises TrackMissing."""
        without: frozenset[str] = frozenset()
        failed: frozenset[str] = frozenset()
        refused: CloudFailure | None = None
        silent: StorageOffline | OSError | None = None
        other: CloudFile | None = None
        while True:
            try:
                source = other or self._playing.find(track, without=without)
            except TrackMissing as missing:
                if refused is not None:
                    raise out_of_reach(track, refused, person) from missing
                if silent is not None:
                    raise unreadable(track, silent) from missing
                raise
            other = None
            try:
                return send(source)
            except (StorageOffline, OSError) as problem:
                silent = silent or problem
                without |= {place_of(source)}
            except CloudFailure as problem:
                refused = refused or problem
                without |= {"cloud"}
                failed |= {getattr(source, "sha256", "")}
                other = self._playing.other(track, failed)

    def _sent(self, person: Person, track: TrackFile, source: Source, redirects: bool) -> Response:
        if redirects and isinstance(source, CloudFile):
            elsewhere = self._redirected(track, source)
            if elsewhere is not None:
                return elsewhere
        sound = self._playing.open(track, source)
        return audio(self._heard(person, track.track_id, opened(sound)), source.mime_type, request)

    def _redirected(self, track: TrackFile, source: CloudFile) -> Response | None:
        """302 to where the client can get it itself; None: not wanted, or there is something to say here.

        The address is signed for GET alone, so HEAD is answered by the station.
        """
        if request.method != "GET":
            return None
        if precondition(request.method, request.headers, validators_of(track, source.sha256)) is not None:
            return None
        url = self._redirect(source)
        if url is None:
            return None
        return Response(status=302, headers={"Location": url.url, "Cache-Control": "no-store"})

    def _heard(self, person: Person, id: str, file: OpenFile, held: AbstractContextManager[object] | None = None
               ) -> OpenFile:
        if request.method != "HEAD":
            file.on_close = self.begun(person, id, held)
        return file

    def _transcoded(self, person: Person, track: TrackFile, source: Source, wish: Conversion,
                    held: AbstractContextManager[object] | None = None) -> Response:
        if wish.start_ms and wish.start_ms >= track.duration_ms:
            raise BadInput(f"The track is only {track.duration_ms} ms long.", field="start")
        mime_type = MIME_TYPES[wish.format]
        promised = {} if wish.length is None else {"Content-Length": str(wish.length)}
        if request.method == "HEAD":    # not worth starting a transcode
            return Response(None, 200, {"Content-Type": mime_type, "Cache-Control": "private, no-cache", **promised})

        def make() -> Transcode:
            return self._transcodes.open(track, source, wish.format, wish.bitrate_kbps, wish.start_ms,
                                         lend=lambda: self._playing.open(track, source).raw)

        made = make()
        raw = unless_swept(made.finished)
        if made.finished is not None and raw is None:
            made = make()
            raw = unless_swept(made.finished)
        if raw is not None:
            return audio(self._heard(person, track.track_id, OpenFile(raw), held), made.mime_type, request)
        body = _Growing(made.chunks(), length=wish.length, on_close=self.begun(person, track.track_id, held))
        return Response(body, 200, {"Content-Type": made.mime_type, "Accept-Ranges": "none",
                                    "Cache-Control": "no-store", **promised}, direct_passthrough=True)


def opened(sound: Sound) -> OpenFile:
    if sound.size_bytes is None or sound.sha256 is None:
        return OpenFile(sound.raw)
    return OpenFile(sound.raw, size_bytes=sound.size_bytes,
                    validators=Validators(etag_of(sound.sha256), sound.modified))


def etag_of(sha256: str) -> str:
    """The same for the same bytes, wherever they come from: a player goes on when they come from elsewhere."""
    return f'"{sha256[:32]}"'


def validators_of(track: TrackFile, sha256: str) -> Validators:
    return Validators(etag_of(sha256), track.mtime_ns / 1e9 if sha256 == track.sha256 else None)


def unreadable(track: TrackFile, problem: StorageOffline | OSError) -> TrackMissing:
    return TrackMissing(
        "The folder this track lies in does not answer right now, and there is no other copy of it. Check its disk or "
        "network share." if isinstance(problem, StorageOffline) else
        "The file of this track cannot be read. Check that it is there and may be read.", id=track.track_id,
    )


def out_of_reach(track: TrackFile, problem: CloudFailure, person: Person) -> TrackMissing:
    """What a provider said is for who may see files; it names accounts and buckets."""
    said = f" {problem.message}" if person.sees_files else ""
    return TrackMissing(f"This track lies in the cloud alone and cannot be had from there right now.{said}",
                        id=track.track_id, reason=problem.reason)


def unless_swept(path: Path | None) -> BinaryIO | None:
    """A finished transcode, open; None when it just left the cache, or there is none."""
    try:
        return None if path is None else open(path, "rb", buffering=0)
    except FileNotFoundError:
        return None


class _Growing:
    """A transcode that is still being made, chunk by chunk; brought to `length` where that was promised."""

    def __init__(self, chunks: Iterator[bytes], *, on_close: Callable[[int], None],
                 length: Bytes | None = None) -> None:
        self._chunks = chunks
        self._length = length
        self._sent_bytes = 0
        self._begin = b""
        self._on_close = on_close

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._chunks:
                if self._length is not None:
                    chunk = chunk[:self._length - self._sent_bytes]
                    if not chunk:
                        return
                self._sent_bytes += len(chunk)
                if len(self._begin) < HEADER_BYTES:
                    self._begin += chunk[:HEADER_BYTES]
                yield chunk
        except SoundsibleError as problem:
            # The status has long been sent: only a broken connection still tells that this is not the end.
            log.warning("a transcode ended early: %s", problem.message)
            raise BrokenPipeError("the transcode ended early") from problem
        if self._length is not None:
            for piece in silence(self._begin, self._length - self._sent_bytes):
                self._sent_bytes += len(piece)
                yield piece

    def close(self) -> None:
        deed, self._on_close = self._on_close, _none
        stop = getattr(self._chunks, "close", None)
        try:
            if stop is not None:
                stop()
        finally:
            deed(self._sent_bytes)


def _none(_: int) -> None: ...
