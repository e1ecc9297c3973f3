"""What lies in the bucket, told in the bucket: so that a library can be had again from it alone.

After an upload a *segment* is written: the tracks whose copies are new or whose tags changed, with all that the
library knows of them. Segments are read in the order in which they were written, what is later wins; when there are
many they are folded into one. Covers of albums go up beside them, each once.

How far the catalogue goes is asked of the tables (records.telling), so a process that dies between an object and its
segment leaves nothing untold: the next one tells it. What is told twice does no harm.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import logging
import secrets
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.cloud import layout, plausible
from shared.model.cloud import CloudFailure, Copy, Provider
from shared.model.errors import SoundsibleError
from shared.model.units import MIB, Bytes
from shared.model.work import Moved, Stopped
from shared.ports import Work
from shared.records.copies import Copies
from shared.records.telling import Telling, Told, ToldTrack
from shared.storage.sealing import Sealer

log = logging.getLogger(__name__)

VERSION = 1
TOGETHER = 1000             # tracks in one segment
MOST_SEGMENTS = 40          # more are folded into one
LARGEST: Bytes = 512 * MIB  # of a segment, unpacked
LARGEST_PACKED: Bytes = 128 * MIB
DENSEST = 50                # hashes pack badly: what is packed more densely than so is made to fill memory …
ALWAYS_READ: Bytes = 16 * MIB   # … unless it is this small
_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A copy and the track that it is of."""

    copy: Copy
    track: ToldTrack
    cover: str | None       # sha256 of the picture it shows, which lies at layout.cover_key
    at: float               # when this was told, Unix time


@dataclass(slots=True, kw_only=True)
class Library:
    """A library as a bucket tells of it."""

    entries: list[Entry] = field(default_factory=list)
    stations: set[str] = field(default_factory=set)             # ids of those that told it
    segments: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)    # (key, why) of segments that tell nothing


class _Line(msgspec.Struct, kw_only=True):
    """One copy in a segment. Keys are without the provider's prefix."""

    key: str
    size_bytes: int
    stored_bytes: int
    sha256: str
    format: str
    mime_type: str
    bitrate_kbps: int | None
    compression: str
    source_sha256: str
    source_size_bytes: int
    source_mtime_ns: int
    etag: str
    sealed: bool
    verified_at: float
    added_at: float
    track: ToldTrack
    cover: str | None = None
    at: float = 0.0


class _Segment(msgspec.Struct, kw_only=True):
    version: int
    station: str
    at: float
    tracks: list[_Line]
    removed: list[str] = []
    folded: bool = False


_COPY = [name for name in _Line.__struct_fields__ if name not in ("track", "cover", "at")]


class Catalogue:
    """buckets: opens a provider's bucket (storage.s3.Bucket). covers: library.kept_covers.KeptCovers, or None."""

    def __init__(self, *, telling: Telling, copies: Copies, covers: Any,
                 buckets: Callable[[Provider], Any]) -> None:
        self._telling = telling
        self._copies = copies
        self._covers = covers
        self._buckets = buckets
        self._lock = threading.Lock()
        self._lately: dict[str, dict[str, Told]] = {}   # what this process told, by provider and track

    def station(self) -> str:
        """The id of this station, as it stands beside what it uploads."""
        return self._telling.station_id()

    def tell(self, provider: Provider, *, removed: Sequence[str] = (), work: Work | None = None) -> int:
        """Write what is new since the last time, nothing when nothing is; how many tracks were told.

        `removed`: whole keys of objects that were taken away. Costs one request for 1,000 tracks, one or two for each
        album whose cover is not known to be there, one listing. Raises CloudFailure, DiskFull, Stopped.
        """
        with self._lock:
            awaited, reached = self._telling.awaited(provider.name)
            lately = self._lately.setdefault(provider.name, {})
            uids = [uid for uid, state in awaited.items() if lately.get(uid) != state]
            if not uids and not removed:
                return 0
            bucket = self._buckets(provider)
            station = self.station()
            gone = [layout.relative(provider, key) for key in removed]
            told = 0
            for start in range(0, max(1, len(uids)), TOGETHER):
                if work is not None and work.stopped():
                    raise Stopped
                lines = self._lines(provider, bucket, uids[start : start + TOGETHER], work)
                if lines or gone:
                    put(bucket, provider, _Segment(version=VERSION, station=station, at=time.time(), tracks=lines,
                                                   removed=gone))
                told += len({one.track.uid for one in lines})
                gone = []
            self._telling.reached(provider.name, reached)
            lately.update((uid, awaited[uid]) for uid in uids)
            self._fold(provider, bucket, station)
            return told

    def _lines(self, provider: Provider, bucket: Any, uids: Sequence[str], work: Work | None) -> list[_Line]:
        tracks = self._telling.tracks(uids)
        copies = self._copies.of_tracks(tracks)
        covers = self._bring_covers(provider, bucket, list(tracks), work)
        now = time.time()
        return [
            _Line(**{name: getattr(one, name) for name in _COPY if name != "key"},
                  key=layout.relative(provider, one.key), track=track, cover=covers.get(uid), at=now)
            for uid, track in tracks.items() for one in copies.get(uid, ()) if one.provider == provider.name
        ]

    def _bring_covers(self, provider: Provider, bucket: Any, uids: list[str], work: Work | None) -> dict[str, str]:
        """The pictures these tracks show, of which each lies in the bucket now: {track: sha256}. Never fails for a
        picture's sake."""
        if self._covers is None or not uids:
            return {}
        try:
            shown: dict[str, str] = self._covers.keep(uids, work=_Quiet(work))
        except SoundsibleError as error:
            log.warning("covers were not kept: %s", error.message)
            return {}
        there: set[str] = set()
        for sha256 in dict.fromkeys(shown.values()):
            if work is not None and work.stopped():
                raise Stopped
            key = layout.cover_key(provider, sha256)
            if bucket.head(key) is None:
                body = self._covers.read(sha256)
                if body is None:
                    continue
                if provider.seal_key is not None:
                    bucket.put(key, Sealer(provider.seal_key).seal_bytes(body), metadata={"sealed": "1"})
                else:
                    bucket.put(key, body, metadata={"sha256": sha256}, content_type="image/jpeg")
            there.add(sha256)
        return {uid: sha256 for uid, sha256 in shown.items() if sha256 in there}

    def _fold(self, provider: Provider, bucket: Any, station: str) -> None:
        keys = segments(bucket, provider)
        if len(keys) <= MOST_SEGMENTS:
            return
        read_, unreadable = _read_all(bucket, provider, keys)
        if unreadable:
            log.warning("the catalogue of %s is not folded: %s cannot be read", provider.name, unreadable[0][0])
            return
        lines, removed = _merged(read_)
        # It takes the place of the youngest of those it is made of: what others write meanwhile stays the later one.
        folded = _Segment(version=VERSION, station=station, at=max(one.at for _, one in read_),
                          tracks=list(lines.values()), removed=sorted(removed), folded=True)
        put(bucket, provider, folded)
        bucket.delete(keys)
        log.info("%d pieces of the catalogue of %s were folded into one", len(keys), provider.name)


def read(bucket: Any, provider: Provider, work: Work | None = None) -> Library:
    """The library as this bucket tells of it; nothing of it is checked against what lies there.

    Pieces that cannot be read are named, the others count. Raises CloudFailure when the bucket does not answer,
    Stopped.
    """
    keys = segments(bucket, provider, work)
    read_, unreadable = _read_all(bucket, provider, keys, work)
    lines, _ = _merged(read_)
    newest: dict[str, _Line] = {}
    for one in sorted(lines.values(), key=lambda line: line.at):
        newest[one.track.uid] = one
    return Library(
        entries=[
            Entry(copy=Copy(track_id=uid, provider=provider.name, key=provider.prefix + key,
                            **{name: getattr(one, name) for name in _COPY if name != "key"}),
                  track=newest[uid].track, cover=newest[uid].cover or one.cover, at=one.at)
            for (key, uid), one in lines.items()
        ],
        stations={one.station for _, one in read_}, segments=len(read_), unreadable=unreadable,
    )


def segments(bucket: Any, provider: Provider, work: Work | None = None) -> list[str]:
    """Whole keys of the pieces of the catalogue, the oldest first. Raises CloudFailure, Stopped."""
    keys = []
    for number, one in enumerate(bucket.list(provider.prefix + layout.CATALOGUE)):
        if one.key.endswith(".json.gz"):
            keys.append(one.key)
        if number % TOGETHER == 0 and work is not None and work.stopped():
            raise Stopped
    return sorted(keys)


def put(bucket: Any, provider: Provider, segment: _Segment) -> str:
    body = gzip.compress(msgspec.json.encode(segment), 6, mtime=0)
    if provider.seal_key is not None:
        body = Sealer(provider.seal_key).seal_bytes(body)
    key = layout.segment_key(provider, segment.at, secrets.token_hex(4))
    bucket.put(key, body, metadata={}, content_type="application/octet-stream")
    return key


def _read_all(bucket: Any, provider: Provider, keys: Sequence[str], work: Work | None = None
              ) -> tuple[list[tuple[str, _Segment]], list[tuple[str, str]]]:
    """Segments in the order in which they were written, and those that could not be read."""
    found, unreadable = [], []
    for number, key in enumerate(keys, 1):
        if work is not None:
            if work.stopped():
                raise Stopped
            work.tell(Moved("reading the catalogue", number, len(keys)))
        try:
            segment = _opened(_body(bucket, key), provider)
            told = len(segment.tracks)
            segment.tracks = [line for line in segment.tracks if plausible.line(line)]
            if len(segment.tracks) < told:
                unreadable.append((key, f"{told - len(segment.tracks):,} of its tracks cannot be as it tells."))
            found.append((key, segment))
        except CloudFailure as error:
            if error.reason not in ("corrupted", "not_there"):
                raise
            unreadable.append((key, error.message))
        except (ValueError, EOFError, OSError, RecursionError, zlib.error, msgspec.MsgspecError) as error:
            unreadable.append((key, str(error)))
    return sorted(found, key=lambda one: (one[1].at, one[0])), unreadable


def _body(bucket: Any, key: str) -> bytes:
    """All of a segment. Raises ValueError when it is larger than any of ours, CloudFailure."""
    pieces, size = [], 0
    with contextlib.closing(bucket.read(key)) as reading:
        for piece in reading:
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_PACKED:
                raise ValueError("It is too large.")
    return b"".join(pieces)


def _opened(body: bytes, provider: Provider) -> _Segment:
    """Raises CloudFailure corrupted, ValueError … when it is no segment of ours."""
    if provider.seal_key is not None:
        if body.startswith(_MAGIC):     # anybody who may write there could have made it
            raise ValueError("It is not sealed, and what this station tells there is.")
        body = Sealer(provider.seal_key).open_bytes(body)
    elif not body.startswith(_MAGIC):
        raise ValueError("It is sealed, and this storage was added without its recovery key.")
    largest = min(LARGEST, max(ALWAYS_READ, len(body) * DENSEST))
    with gzip.open(io.BytesIO(body)) as file:
        text = file.read(largest + 1)
    if len(text) > largest:
        raise ValueError("It is too large.")
    if int(msgspec.json.decode(text, type=_Version).version) > VERSION:
        raise ValueError("It was written by a newer Soundsible. Bring this one up to date.")
    segment = msgspec.json.decode(text, type=_Segment)
    if not (plausible.station(segment.station) and plausible.moment(segment.at)):
        raise ValueError("It is none that a station wrote.")
    return segment


class _Version(msgspec.Struct):
    version: int


def _merged(read_: Iterable[tuple[str, _Segment]]) -> tuple[dict[tuple[str, str], _Line], set[str]]:
    """All lines by (key, track), the later one wins; and the keys that were taken away since they were told.

    Those that a fold says were taken away are not said again by the next one.
    """
    lines: dict[tuple[str, str], _Line] = {}
    removed: set[str] = set()
    for _, segment in read_:
        gone = set(segment.removed)
        if gone:
            lines = {at: one for at, one in lines.items() if at[0] not in gone or one.at > segment.at}
        if not segment.folded:
            removed |= gone
        for one in segment.tracks:
            one.at = one.at or segment.at
            known = lines.get((one.key, one.track.uid))
            if known is None or one.at >= known.at:
                lines[one.key, one.track.uid] = one
            removed.discard(one.key)
    return lines, removed


class _Quiet:
    """Passes on only that it is to end: its bar belongs to the upload."""

    def __init__(self, work: Work | None) -> None:
        self._work = work

    def tell(self, moved: Moved) -> None:
        """Not said."""

    def log(self, level: str, message: str) -> None:
        if self._work is not None:
            self._work.log(level, message)

    def stopped(self) -> bool:
        return self._work is not None and self._work.stopped()


