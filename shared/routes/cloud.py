"""The three places: which storages there are, what lies where, what is pinned, and the long work between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from shared.model.cloud import KINDS
from shared.model.errand import Errand, Selection
from shared.model.errors import BadInput, Forbidden, StorageOffline
from shared.model.filepath import to_text
from shared.model.person import Person
from shared.model.source import LocalFile, TrackFile
from shared.model.track import Page, Track
from shared.records.moments import shown
from shared.records.pins import Pin
from shared.routes.library import Text
from shared.routes.operation import Body, Door, Query

if TYPE_CHECKING:
    from shared.cloud.errands import Errands
    from shared.cloud.pins import Pins
    from shared.model.cloud import Copy
    from shared.ports import Storage
    from shared.records.copies import Copies
    from shared.records.tracks import Tracks
    from shared.settings import Settings
    from shared.storage.cache import Cache
    from shared.storage.providers import Providers

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Ids = Annotated[list[Id], msgspec.Meta(max_length=10_000)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
PinKind = Literal["album", "track"]


# ---- what a request brings ---------------------------------------------------------------------------------------


class NewErrand(Body):
    """`upload` copies to a storage, `offload` copies and then makes room here, `fetch` brings back. What it is about:
    `album_ids` and `track_ids`, or `everything`. `provider`: a storage's name; left out: the default one, for `fetch`
    whichever has it."""

    kind: Literal["upload", "offload", "fetch"]
    album_ids: Ids = []
    track_ids: Ids = []
    everything: bool = False
    provider: Name | None = None

    def selection(self) -> Selection:
        """Raises BadInput."""
        if self.everything == bool(self.album_ids or self.track_ids):
            raise BadInput("Say what it is about: album_ids and track_ids, or everything.", field="everything")
        return Selection(
            provider=self.provider, everything=self.everything, album_ids=tuple(dict.fromkeys(self.album_ids)),
            track_ids=tuple(dict.fromkeys(self.track_ids)),
        )


class ErrandTurning(Query):
    """`state`: one or several of waiting, running, done, failed, cancelled, separated by commas. `limit` is clamped to
    1-500. The next page is asked for with its `cursor`."""

    state: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    limit: int = 100
    cursor: Text | None = None


# ---- answers -----------------------------------------------------------------------------------------------------


class ErrandAnswer(msgspec.Struct, kw_only=True):
    errand: Errand


class ShownStorage(msgspec.Struct, kw_only=True):
    """A bucket. `state`: ready, trouble (it did not answer lately), locked (its secret cannot be opened on this
    machine; `message` tells what to do), unknown (copies are recorded, but it is not set up here)."""

    name: str
    kind: str
    title: str
    bucket: str
    endpoint: str
    sealed: bool
    default: bool
    state: Literal["ready", "trouble", "locked", "unknown"]
    message: str | None
    copies: int
    tracks: int
    bytes: int
    broken: int


class CacheTotals(msgspec.Struct, kw_only=True):
    files: int
    bytes: int
    limit_bytes: int


class Amount(msgspec.Struct, kw_only=True):
    tracks: int
    bytes: int


class Places(msgspec.Struct, kw_only=True):
    """`local`: tracks with their file on this machine; `cloud_only`: those without, with a copy; `offloadable`: what
    could be taken off this machine at once; `missing`: tracks that are nowhere. `copying`: what is copied to the cloud
    by itself (the setting cloud_copy)."""

    providers: list[ShownStorage]
    cache: CacheTotals
    local: Amount
    cloud_only: Amount
    offloadable: Amount
    missing: int
    copying: Literal["off", "downloads", "all"]


class PinList(msgspec.Struct, kw_only=True):
    items: list[Pin]


class TrackPlace(msgspec.Struct, kw_only=True):
    """One place of a track. `state`: here, changed (the file is not as the library knows it), gone, unknown (it does
    not answer; `message` tells), broken (the copy does not count; `message` tells why). `provider` and what follows it
    for copies in the cloud alone."""

    kind: Literal["local", "cache", "cloud"]
    state: Literal["here", "changed", "gone", "unknown", "broken"]
    message: str | None = None
    path: str | None = None
    size_bytes: int | None = None
    format: str | None = None
    bitrate_kbps: int | None = None
    provider: str | None = None
    compression: str | None = None
    sealed: bool | None = None
    verified_at: str | None = None


class TrackPlaces(msgspec.Struct, kw_only=True):
    """`place`: the one it is played from now, as the track's own says; `places`: the local file, then the cache, then
    the copies."""

    track_id: str
    place: str
    pinned: bool
    places: list[TrackPlace]


def door(
    *,
    errands: Errands,
    pins: Pins,
    copies: Copies,
    cache: Cache,
    providers: Providers,
    tracks: Tracks,
    local: Storage,
    settings: Settings,
    circuit: Callable[[str], str] = lambda name: "closed",
) -> Door:
    """local: the music folders (storage.local); circuit: how a storage answers, by its name (closed: well)."""
    door = Door("cloud")

    @door.get("/storage", allows="sees_files", answers={200: Places})
    def places() -> Places:
        """The storages, the cache, and how much lies where."""
        totals = copies.totals()
        return Places(
            providers=_storages(providers, totals["providers"], circuit),
            cache=_cache_totals(cache), copying=settings.cloud_copy,    # type: ignore[arg-type]
            local=Amount(tracks=totals["local"], bytes=totals["local_bytes"]),
            cloud_only=Amount(tracks=totals["only_in_cloud"], bytes=totals["only_in_cloud_bytes"]),
            offloadable=Amount(tracks=totals["offloadable"], bytes=totals["offloadable_bytes"]),
            missing=totals["missing"],
        )

    @door.post("/storage/errands", allows="edits", body=NewErrand, answers={202: ErrandAnswer}, errors=(404, 409, 422))
    def ask_for_errand(person: Person, body: NewErrand) -> Any:
        """Have music copied to the cloud, moved there, or brought back; joins an errand that waits for the same."""
        _sees_all(person)
        return {"errand": errands.submit(body.kind, body.selection(), person)}

    @door.get("/storage/errands", allows="sees_files", query=ErrandTurning, answers={200: Page[Errand]})
    def list_errands(person: Person, query: ErrandTurning) -> Page[Errand]:
        """The station's long work, the newest first: what runs and waits, and the latest that is over."""
        states = [one.strip() for one in (query.state or "").split(",") if one.strip()]
        return errands.list(person, states=states, limit=query.limit, cursor=query.cursor)

    @door.get("/storage/errands/<id>", allows="sees_files", answers={200: Errand}, errors=(404,))
    def one_errand(id: str) -> Errand:
        """One errand, with how far it is and what it reported."""
        return errands.get(id)

    @door.delete("/storage/errands/<id>", allows="edits", answers={200: Errand}, errors=(404,))
    def cancel_errand(person: Person, id: str) -> Errand:
        """End an errand at its next safe point, or do not begin it. What is done stays done."""
        _sees_all(person)
        return errands.cancel(id)

    @door.post("/storage/errands/<id>/retry", allows="edits", answers={202: ErrandAnswer}, errors=(404, 409, 422))
    def repeat_errand(person: Person, id: str) -> Any:
        """Have the same done once more, as a new errand."""
        _sees_all(person)
        return {"errand": errands.again(id, person)}

    @door.get("/storage/pins", allows="sees_files", answers={200: PinList})
    def list_pins() -> Any:
        """Albums and tracks that shall lie on this machine, by title."""
        return {"items": pins.all()}

    @door.put("/storage/pins/<kind>/<id>", allows="edits", answers={204: None}, errors=(404,))
    def pin(person: Person, kind: str, id: str) -> None:
        """Keep an album or a track on this machine, and bring back what of it lies in the cloud alone.

        An album's later tracks are kept, too."""
        _sees_all(person)
        pins.pin(kind, id)
        waiting = pins.wanting(kind, id)
        if waiting:
            errands.submit("fetch", Selection(track_ids=tuple(waiting)), person)

    @door.delete("/storage/pins/<kind>/<id>", allows="edits", answers={204: None})
    def unpin(person: Person, kind: str, id: str) -> None:
        """It may be taken off this machine again; nothing is removed by this."""
        _sees_all(person)
        pins.unpin(kind, id)

    @door.post("/storage/cache/clear", allows="owns", answers={200: CacheTotals})
    def clear_cache() -> CacheTotals:
        """Empty the cache of cloud tracks; what is being played stays."""
        cache.clear()
        return _cache_totals(cache)

    @door.get("/storage/places/<track_id>", allows="sees_files", answers={200: TrackPlaces}, errors=(404,))
    def places_of_track(person: Person, track_id: str) -> TrackPlaces:
        """Every place of one track, as it is now. No storage is asked; a music folder is, for two seconds at most."""
        track: Track = tracks.get(person, track_id)
        file = tracks.file_of(track_id)
        found = [_local(local, file, track)]
        in_cache = cache.locate(file)
        if in_cache is not None:
            found.append(TrackPlace(kind="cache", state="here", size_bytes=in_cache.size_bytes))
        found += [_copy(one) for one in copies.of(track_id, broken=True)]
        return TrackPlaces(track_id=track_id, place=track.place, pinned=bool(pins.pinned([track_id])), places=found)

    return door


def _sees_all(person: Person) -> None:
    """What lies where is looked after by people who see all of it."""
    if person.limited:
        raise Forbidden("Only people who see all music folders look after where the music lies.")


def _storages(providers: Providers, counted: Mapping[str, Any], circuit: Callable[[str], str]) -> list[ShownStorage]:
    locked = dict(providers.broken())
    default = providers.default()
    nothing = {"copies": 0, "tracks": 0, "bytes": 0, "broken": 0}
    found = []
    for row in providers.rows():
        name, kind = row["name"], row["kind"]
        message = locked.get(name)
        state: Any = "locked" if message is not None else "ready" if circuit(name) == "closed" else "trouble"
        found.append(ShownStorage(
            name=name, kind=kind, title=KINDS[kind].title if kind in KINDS else kind, bucket=row["bucket"],
            endpoint=row["endpoint"], sealed=bool(row["sealed"]),
            default=default is not None and default.name == name,
            state=state, message=message, **counted.get(name, nothing),
        ))
    known = {one.name for one in found}
    found += [
        ShownStorage(name=name, kind="", title="", bucket="", endpoint="", sealed=False, default=False, state="unknown",
                message="It is not set up here. Add it again under this name: python3 run.py tool storage add", **its)
        for name, its in counted.items() if name not in known
    ]
    return found


def _cache_totals(cache: Cache) -> CacheTotals:
    totals = cache.totals()
    return CacheTotals(files=totals["files"], bytes=totals["bytes"], limit_bytes=totals["limit_bytes"])


def _local(local: Storage, file: TrackFile, track: Track) -> TrackPlace:
    place = TrackPlace(kind="local", state="gone", path=to_text(file.path), size_bytes=file.size_bytes,
                       format=track.format, bitrate_kbps=track.bitrate_kbps)
    try:
        found = local.locate(file)
    except StorageOffline as problem:
        place.state, place.message = "unknown", problem.message
    else:
        if isinstance(found, LocalFile):
            as_known = (found.size_bytes, found.mtime_ns) == (file.size_bytes, file.mtime_ns)
            place.state = "here" if as_known else "changed"
    return place


def _copy(copy: Copy) -> TrackPlace:
    return TrackPlace(
        kind="cloud", state="here" if copy.broken is None else "broken", message=copy.broken,
        size_bytes=copy.size_bytes, format=copy.format, bitrate_kbps=copy.bitrate_kbps, provider=copy.provider,
        compression=copy.compression, sealed=copy.sealed, verified_at=shown(copy.verified_at),
    )
