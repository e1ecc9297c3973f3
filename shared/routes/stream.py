"""Send a track: its file bit for bit with ranges, or a transcode on request. The request writes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import msgspec
from flask import Response, request

from shared.events import EventBus, StreamEnded, StreamStarted
from shared.library.transcodes import MIME_TYPES
from shared.model.cloud import CloudFailure
from shared.model.errors import BadInput, SoundsibleError, StorageOffline, TrackMissing
from shared.model.person import Person
from shared.model.source import CloudFile, SignedUrl, Source, TrackFile
from shared.routes.conditional import Validators, precondition
from shared.routes.hanging_up import entered
from shared.routes.operation import Door, Query
from shared.routes.respond import OpenFile, audio
from shared.storage.playing import Playing, Sound, place_of

if TYPE_CHECKING:
    from shared.library.transcodes import Transcode, Transcodes
    from shared.records.tracks import Tracks
    from shared.security.open_streams import OpenStreams

log = logging.getLogger(__name__)

AUDIO = "audio/*"
DEFAULT_KBPS = 128


class Wish(Query):
    """Without `format` the file as it is. `start` in ms, `bitrate` in kbit/s: only with `format`."""

    format: Literal["opus", "mp3", "aac"] | None = None
    bitrate: Annotated[int, msgspec.Meta(ge=16, le=510)] | None = None
    start: Annotated[int, msgspec.Meta(ge=0, le=2**40)] | None = None


def door(
    *, tracks: Tracks, playing: Playing, transcodes: Transcodes, events: EventBus,
    streams: OpenStreams, redirect: Callable[[CloudFile], SignedUrl | None] = lambda _: None,
) -> Door:
    """redirect: the signed address players are sent to, where that is wanted and can be had."""
    door = Door("stream")

    @door.get("/stream/<id>", allows="logged_in", query=Wish, answers={200: AUDIO, 206: AUDIO},
              errors=(302, 304, 404, 412, 416, 503))
    def stream(person: Person, id: str, query: Wish) -> Response:
        """The sound of a track.

        The file bit for bit, with ranges as in RFC 9110 (HEAD ignores them), wherever it lies: on the station, in its
        cache, or in the cloud, from where it comes through the station (or, when the station is set so, 302 to a signed
        address). With `format` it is transcoded; a transcode has ranges once it is finished. A track whose file cannot
        be had now: 404 track_missing.
        """
        if query.format is None and (query.bitrate is not None or query.start is not None):
            name = "start" if query.bitrate is None else "bitrate"
            raise BadInput(f"{name} needs a format: opus, mp3 or aac.", field=name)
        return from_somewhere(person, tracks.file_of(id, person=person), query)

    def from_somewhere(person: Person, track: TrackFile, query: Wish) -> Response:
        """From the first place that gives it. Raises TrackMissing."""
        without: frozenset[str] = frozenset()
        failed: frozenset[str] = frozenset()
        refused: CloudFailure | None = None
        silent: StorageOffline | OSError | None = None
        other: CloudFile | None = None
        while True:
            try:
                source = other or playing.find(track, without=without)
            except TrackMissing as missing:
                if refused is not None:
                    raise out_of_reach(track, refused, person) from missing
                if silent is not None:
                    raise unreadable(track, silent) from missing
                raise
            other = None
            try:
                if query.format is not None:
                    return transcoded(person, track, source, query.format, query)
                return sent(person, track, source)
            except (StorageOffline, OSError) as problem:
                silent = silent or problem
                without |= {place_of(source)}
            except CloudFailure as problem:
                refused = refused or problem
                without |= {"cloud"}
                failed |= {getattr(source, "sha256", "")}
                other = playing.other(track, failed)

    def sent(person: Person, track: TrackFile, source: Source) -> Response:
        if isinstance(source, CloudFile):
            elsewhere = redirected(track, source)
            if elsewhere is not None:
                return elsewhere
        sound = playing.open(track, source)
        return audio(heard(person, track.track_id, opened(sound)), source.mime_type, request)

    def redirected(track: TrackFile, source: CloudFile) -> Response | None:
        """302 to where the client can get it itself; None: not wanted, or there is something to say here.

        The address is signed for GET alone, so HEAD is answered by the station.
        """
        if request.method != "GET":
            return None
        if precondition(request.method, request.headers, validators_of(track, source.sha256)) is not None:
            return None
        url = redirect(source)
        if url is None:
            return None
        return Response(status=302, headers={"Location": url.url, "Cache-Control": "no-store"})

    def begun(person: Person, id: str) -> Callable[[int], None]:
        """Tell that somebody listens (background work steps aside). Returns the deed of its end."""
        leave = entered(streams, person)
        events.publish(StreamStarted(id))

        def ended(size_bytes: int) -> None:
            leave()
            events.publish(StreamEnded(id, size_bytes))

        return ended

    def heard(person: Person, id: str, file: OpenFile) -> OpenFile:
        if request.method == "GET":
            file.on_close = begun(person, id)
        return file

    def transcoded(person: Person, track: TrackFile, source: Source, format: str, query: Wish) -> Response:
        start_ms = query.start or 0
        if start_ms and start_ms >= track.duration_ms:
            raise BadInput(f"The track is only {track.duration_ms} ms long.", field="start")
        mime_type = MIME_TYPES[format]
        if request.method == "HEAD":    # not worth starting a transcode
            return Response(None, 200, {"Content-Type": mime_type, "Cache-Control": "private, no-cache"})

        def make() -> Transcode:
            return transcodes.open(track, source, format, query.bitrate or DEFAULT_KBPS, start_ms,
                                   lend=lambda: playing.open(track, source).raw)

        made = make()
        raw = unless_swept(made.finished)
        if made.finished is not None and raw is None:
            made = make()
            raw = unless_swept(made.finished)
        if raw is not None:
            return audio(heard(person, track.track_id, OpenFile(raw)), made.mime_type, request)
        body = _Growing(made.chunks(), on_close=begun(person, track.track_id))
        return Response(body, 200, {"Content-Type": made.mime_type, "Accept-Ranges": "none",
                                    "Cache-Control": "no-store"}, direct_passthrough=True)

    return door


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
    """A transcode that is still being made, chunk by chunk."""

    def __init__(self, chunks: Iterator[bytes], *, on_close: Callable[[int], None]) -> None:
        self._chunks = chunks
        self._sent_bytes = 0
        self._on_close = on_close

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._chunks:
                self._sent_bytes += len(chunk)
                yield chunk
        except SoundsibleError as problem:
            # The status has long been sent: only a broken connection still tells that this is not the end.
            log.warning("a transcode ended early: %s", problem.message)
            raise BrokenPipeError("the transcode ended early") from problem

    def close(self) -> None:
        deed, self._on_close = self._on_close, _nothing
        stop = getattr(self._chunks, "close", None)
        try:
            if stop is not None:
                stop()
        finally:
            deed(self._sent_bytes)


def _nothing(_: int) -> None: ...
