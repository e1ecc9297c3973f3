"""Ask for music, see how it comes, and have a say in it: the queue, one download, the manager's figures and events."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints
from urllib.parse import urlsplit

import msgspec
from flask import Response, request

from odst import reports
from odst.search import is_link
from shared.model.download import (
    ACTIVE,
    ON_THE_WAY,
    OVER,
    Download,
    Options,
    Request,
    ShownCandidate,
    Status,
    Wanted,
)
from shared.model.errors import BadInput, NotFound, Unprocessable
from shared.model.person import Person
from shared.model.track import Page
from shared.records.downloads import ReportRow
from shared.records.origins import Origin
from shared.routes.guard import token_of_request
from shared.routes.hanging_up import Watched, entered
from shared.routes.library import Offset, Text
from shared.routes.operation import Body, Door, Query
from shared.routes.respond import json_of

if TYPE_CHECKING:
    from odst.service import Service
    from shared.feed import Feed
    from shared.records.albums import Albums
    from shared.records.downloads import Downloads
    from shared.records.origins import Origins
    from shared.records.tracks import Tracks
    from shared.security.open_streams import OpenStreams
    from shared.settings import Settings

Link = Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=50)]
Quality = Literal["lossless", "320", "192", "128", "smallest", 320, 192, 128]
Format = Literal["mp3", "opus", "aac", "flac"]
Level = Literal["tags", "audio", "off"]
Duplicates = Literal["skip", "upgrade", "keep"]
Priority = Annotated[int, msgspec.Meta(ge=0, le=100)]
Bitrate = Annotated[int, msgspec.Meta(ge=32, le=512)]
Number = Annotated[int, msgspec.Meta(ge=0, le=100_000)]
Duration = Annotated[int, msgspec.Meta(ge=0, le=2**40)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Names = Annotated[list[Text], msgspec.Meta(max_length=100)]
NO_SUCH_TRACK = "There is no such track in the library."
MOST_IN_A_BODY = 10_000         # downloads, ids; a text is bounded by the body's own limit and the setting

_URI = re.compile(r"spotify:(track|album|playlist|artist):[A-Za-z0-9]{1,64}")
#: Words that stand for several statuses in a list.
_SEVERAL = {"active": ACTIVE, "running": ON_THE_WAY, "over": OVER}


class How(Body):
    """How a download is to be done; what is left out is as the settings say."""

    quality: Quality | None = None
    format: Format | None = None
    bitrate_kbps: Bitrate | None = None
    level: Level | None = None
    trim: bool | None = None
    duplicates: Duplicates = "upgrade"
    provider: Name | None = None

    def options(self, settings: Settings) -> Options:
        """Raises BadInput for a provider that this station does not have."""
        if self.provider is not None and self.provider not in settings.download_providers:
            raise BadInput(
                f"There is no provider {self.provider!r} here, but {', '.join(settings.download_providers)}.",
                field="provider",
            )
        return Options(
            quality=str(self.quality or settings.download_quality), format=self.format, bitrate_kbps=self.bitrate_kbps,
            level=self.level, trim=self.trim, duplicates=self.duplicates, provider=self.provider,
        )


class When(How):
    """`priority`: larger is sooner, 50 is usual. `not_before`: RFC 3339. `nightly`: only in the settings' window."""

    priority: Priority = 50
    not_before: Moment | None = None
    nightly: bool = False

    def request(self, settings: Settings, **what: Any) -> Request:
        return Request(
            options=self.options(settings), priority=self.priority, nightly=self.nightly,
            not_before=None if self.not_before is None else self.not_before.timestamp(), **what,
        )


class WantedTrack(Body):
    """The recording that is meant, as far as it is known: as a search's or a link's offer tells it."""

    title: Text | None = None
    artist: Text | None = None
    artists: Names = []
    album: Text | None = None
    album_artist: Text | None = None
    isrc: Annotated[str, msgspec.Meta(max_length=20)] | None = None
    duration_ms: Duration | None = None
    track_number: Number | None = None
    track_total: Number | None = None
    disc_number: Number | None = None
    disc_total: Number | None = None
    date: Annotated[str, msgspec.Meta(max_length=32)] | None = None
    genres: Names = []
    explicit: bool | None = None
    recording_mbid: Annotated[str, msgspec.Meta(max_length=36)] | None = None
    release_mbid: Annotated[str, msgspec.Meta(max_length=36)] | None = None
    cover_url: Link | None = None
    lyrics: Annotated[str, msgspec.Meta(max_length=100_000)] | None = None
    source: Name = "words"
    source_url: Link | None = None
    source_id: Key | None = None
    fetch_url: Link | None = None

    def wanted(self) -> Wanted:
        """Raises BadInput when it does not say what is meant, or names a link that is none."""
        if not (self.title or self.isrc or self.fetch_url or self.recording_mbid):
            raise BadInput("A track needs a title (or an ISRC, a recording's MBID, a link to fetch).", field="track")
        for name in ("cover_url", "source_url", "fetch_url"):
            url = getattr(self, name)
            if url is not None:
                check_link(url, name)
        said = msgspec.structs.asdict(self)
        return Wanted(**{**said, "artists": tuple(self.artists), "genres": tuple(self.genres)})


class NewDownload(When):
    """Exactly one of `url`, `query` and `track` says what is wanted. `track`: a library track's id, to fetch it anew
    and better, or the recording that is meant. The same `idempotency_key` answers the same download."""

    url: Link | None = None
    query: Words | None = None
    track: Key | WantedTrack | None = None
    idempotency_key: Key | None = None

    def what(self) -> dict[str, Any]:
        """The request's one of url, query, track_id, wanted. Raises BadInput."""
        return one_of(self.url, self.query, self.track)


class Item(Body):
    """One of a batch: exactly one of `url`, `query` and `track`."""

    url: Link | None = None
    query: Words | None = None
    track: Key | WantedTrack | None = None


class NewAlbum(When):
    """An album or playlist by its link, or by `source` (a catalogue's name) and that one's own `album_id`."""

    url: Link | None = None
    album_id: Key | None = None
    source: Name | None = None


class Batch(When):
    """`text`: an M3U playlist, a CSV (Spotify, Apple Music, Exportify), or lines of links or "Artist - Title"; or
    `items`. One of the two."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=4 * 1024 * 1024)] | None = None
    items: Annotated[list[Item], msgspec.Meta(min_length=1, max_length=MOST_IN_A_BODY)] | None = None


class Bulk(Body):
    """`ids`, or all with this `status` (or `active`, `running`, `over`)."""

    action: Literal["cancel", "retry", "pause", "resume", "dismiss"]
    ids: Annotated[list[Key], msgspec.Meta(min_length=1, max_length=MOST_IN_A_BODY)] | None = None
    status: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class Change(Body):
    priority: Priority


class Listing(Query):
    """`status`: one or several, separated by commas; `active`, `running` and `over` stand for several. `group`: what
    was asked for together. The newest stand first. `limit` is clamped to 1-500; the next page is asked for with its
    `cursor`, or jump with `offset`."""

    status: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    group: Key | None = None
    limit: int = 100
    cursor: Text | None = None
    offset: Offset | None = None


class Turning(Query):
    """`limit` is clamped to 1-500. The next page is asked for with its `cursor`."""

    limit: int = 100
    cursor: Text | None = None


class Span(Query):
    """From `from` until before `to`: RFC 3339, or a date (UTC); left out: without bound."""

    from_: Annotated[str, msgspec.Meta(max_length=40)] | None = msgspec.field(default=None, name="from")
    to: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    format: Literal["json", "csv"] = "json"


# ---- answers -----------------------------------------------------------------------------------------------------


class DownloadAnswer(msgspec.Struct, kw_only=True):
    download: Download


class DownloadMove(msgspec.Struct, kw_only=True):
    """One step of its history."""

    at: str
    from_: str | None = msgspec.field(name="from")
    to: str
    reason: str | None
    stage: str | None


def _with(name: str, **more: Any) -> Any:
    """A download's fields, and `more`."""
    hints = get_type_hints(Download)
    return msgspec.defstruct(name, [(one.name, hints[one.name]) for one in fields(Download)] + list(more.items()),
                             kw_only=True, module=__name__)


WholeDownload: Any = _with("WholeDownload", history=list[DownloadMove], candidates=list[ShownCandidate],
                           stage_ms=dict[str, int])
#: Its fields, and the same once more under `download`, the form in which a new one is answered.
ChangedDownload: Any = _with("ChangedDownload", download=Download)


class Skipped(msgspec.Struct, kw_only=True):
    """Not queued: it is in the library already."""

    title: str | None = None
    artist: str | None = None
    track_id: str | None = None
    reason: str | None = None


class Refused(msgspec.Struct, kw_only=True):
    """What could not be queued, and why. `line` of a text or place in a list, counted from 1."""

    title: str | None = None
    artist: str | None = None
    line: int | None = None
    reason: str


class AlbumAnswer(msgspec.Struct, kw_only=True):
    downloads: list[Download]
    skipped: list[Skipped]
    failed: list[Refused]


class BatchAnswer(msgspec.Struct, kw_only=True):
    """`added`: how many are new; `repeated`: how many were asked for before; `downloads`: the first hundred of both.
    All new ones are listed by `group`."""

    group: str | None
    added: int
    repeated: int
    downloads: list[Download]
    failed: list[Refused]


class NotDone(msgspec.Struct, kw_only=True):
    id: str
    code: str
    message: str


class BulkAnswer(msgspec.Struct, kw_only=True):
    done: list[str]
    failed: list[NotDone]


class Active(msgspec.Struct, kw_only=True):
    items: list[Download]


class Today(msgspec.Struct, kw_only=True):
    completed: int
    failed: int


class QueueState(msgspec.Struct, kw_only=True):
    """`reason`: why nothing new is begun, when it is paused as a whole. How many wait and run, of how many workers."""

    paused: bool
    reason: str | None = None
    waiting: int = 0
    running: int = 0
    workers: int = 0


class Stats(msgspec.Struct, kw_only=True):
    """How many there are of each status; bytes fetched; what was over today; the queue of everybody."""

    waiting: int
    pending: int
    queued: int
    downloading: int
    processing: int
    paused: int
    completed: int
    failed: int
    cancelled: int
    bytes: int
    today: Today
    queue: QueueState | None = None


class CircuitState(msgspec.Struct, kw_only=True):
    """One provider's or service's circuit breaker for one operation."""

    name: str
    operation: str
    state: Literal["closed", "open", "half_open"]
    failure_count: int
    last_success: str | None = None
    last_failure: str | None = None
    last_error: str | None = None
    opens_at: str | None = None


class ManagerHealth(msgspec.Struct, kw_only=True):
    providers: list[CircuitState]
    queue: QueueState
    throttle: dict[str, Any] = {}


class LogLine(msgspec.Struct, kw_only=True):
    at: str
    level: str
    message: str


class LogAnswer(msgspec.Struct, kw_only=True):
    items: list[LogLine]


class FailuresOfAKind(msgspec.Struct, kw_only=True):
    count: int
    message: str | None


class Spread(msgspec.Struct, kw_only=True):
    p50_ms: int | None
    p95_ms: int | None


class Report(msgspec.Struct, kw_only=True):
    """Successes, failures by reason, bytes and durations of what was over in a span. `bytes` and `duration_ms` add up
    what was completed; `durations` is the whole way's p50 and p95, `stages` each stage's."""

    from_: str | None = msgspec.field(name="from")
    to: str | None
    completed: int
    failed: int
    cancelled: int
    duplicates: int
    bytes: int
    duration_ms: int
    failures: dict[str, FailuresOfAKind]
    by_provider: dict[str, dict[str, int]]
    durations: Spread
    stages: dict[str, Spread]
    items: list[ReportRow]


# ---- the door ----------------------------------------------------------------------------------------------------


def door(
    *, downloads: Service, records: Downloads, origins: Origins, tracks: Tracks, albums: Albums, feed: Feed,
    settings: Settings,
    streams: OpenStreams,
) -> Door:
    """downloads does things to them, records lists them; whose each is, they know and hold."""
    door = Door("downloads")

    @door.post("/downloads", allows="adds", body=NewDownload, answers={202: DownloadAnswer, 200: DownloadAnswer},
               errors=(404, 409, 422, 507))
    def ask_for_download(person: Person, body: NewDownload) -> Response:
        """Ask for music: a link, words, or a recording.

        202 when it is queued; 200 with the same download when it was asked for before (by its `idempotency_key`, or
        while the same is still under way).
        """
        wish = body.request(settings, idempotency_key=body.idempotency_key, **body.what())
        if wish.track_id is not None:
            tracks.get(person, wish.track_id)       # raises NotFound
        download, created = downloads.submit(person, wish)
        return json_of({"download": download}, 202 if created else 200)

    @door.post("/downloads/album", allows="adds", body=NewAlbum, answers={202: AlbumAnswer}, errors=(404, 422, 507))
    def ask_for_album(person: Person, body: NewAlbum) -> Any:
        """Ask for an album or playlist: one download a track; what is in the library already is skipped."""
        if (body.url is None) is (body.album_id is None):
            raise BadInput("Say which album: by its url, or by album_id with source.", field="url")
        if body.album_id is not None and body.source is None:
            raise BadInput("Whose id is it? Name the source (deezer, spotify, musicbrainz, local).", field="source")
        url = None if body.url is None else check_link(body.url)
        if body.album_id is not None and body.source == "local":
            albums.must_see(person, body.album_id)
        asked = body.request(settings)
        told = downloads.submit_album(
            person, url=url, album_id=body.album_id, source=body.source, options=asked.options,
            priority=asked.priority, not_before=asked.not_before, nightly=asked.nightly,
        )
        return {**told, "skipped": seen_only(told["skipped"], person, tracks)}

    @door.post("/downloads/batch", allows="adds", body=Batch, answers={202: BatchAnswer}, errors=(422, 507))
    def ask_for_many(person: Person, body: Batch) -> Any:
        """Ask for much at once: what can be understood is queued, what cannot is named."""
        if (body.text is None) is (body.items is None):
            raise BadInput("A batch is either a text or a list of items.", field="text")
        asked = body.request(settings)
        if body.items is None:
            return downloads.submit_text(person, body.text or "", asked)
        requests, failed = of_items(body.items, asked)
        if person.limited:
            seen = tracks.seen(person, [one.track_id for one in requests if one.track_id is not None])
            if strange := [one.track_id for one in requests if one.track_id is not None and one.track_id not in seen]:
                failed += [{"line": None, "title": one, "artist": None, "reason": NO_SUCH_TRACK} for one in strange]
                requests = [one for one in requests if one.track_id is None or one.track_id in seen]
        return downloads.submit_batch(person, requests, failed=failed)

    @door.post("/downloads/bulk", allows="adds", body=Bulk, answers={200: BulkAnswer})
    def change_many_downloads(person: Person, body: Bulk) -> Any:
        """Cancel, retry, pause, resume or dismiss many at once."""
        if (body.ids is None) is (body.status is None):
            raise BadInput("Say which: ids, or a status.", field="ids")
        ids = body.ids if body.ids is not None else records.ids(person, statuses=statuses_of(body.status) or ())
        return downloads.bulk(person, body.action, ids=list(dict.fromkeys(ids)))

    @door.get("/downloads", allows="adds", query=Listing, answers={200: Page[Download]})
    def list_downloads(person: Person, query: Listing) -> Page[Download]:
        """The own downloads; an owner sees everybody's."""
        return records.page(
            person, status=statuses_of(query.status), group=query.group, limit=min(max(query.limit, 1), 500),
            cursor=query.cursor, offset=query.offset,
        )

    # ---- the manager

    @door.get("/downloads/manager/active", allows="adds", answers={200: Active})
    def active_downloads(person: Person) -> dict[str, Any]:
        """What is under way, waits or is paused: the nearest to its end first, a thousand at most."""
        return {"items": records.active(person)}

    @door.get("/downloads/manager/stats", allows="adds", answers={200: Stats})
    def download_stats(person: Person) -> Any:
        """How many there are of each status, and what came today."""
        return downloads.stats(person)

    @door.get("/downloads/manager/health", allows="adds", answers={200: ManagerHealth})
    def manager_health(person: Person) -> Any:
        """The circuit breakers of all providers and services, the queue, and what is kept for who listens."""
        return downloads.health()

    @door.get("/downloads/manager/events", allows="adds", answers={200: "text/event-stream"}, errors=(503,))
    def download_events(person: Person) -> Response:
        """The same as over Socket.IO, as Server-Sent Events.

        `id`, `event` (a Socket.IO event's name) and `data` (its JSON). Without `Last-Event-ID` a `snapshot` comes
        first; with it exactly what followed that id (a `snapshot` when that is too long ago). A comment every 15 s.
        """
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        if request.method == "HEAD":
            return Response(None, headers=headers, content_type="text/event-stream")
        token, _ = token_of_request()
        stream = feed.stream(person, token or "", request.remote_addr or "", request.headers.get("Last-Event-ID"))
        body = Watched(stream, entered(streams, person))
        return Response(body, headers=headers, content_type="text/event-stream", direct_passthrough=True)

    @door.get("/downloads/reports", allows="adds", query=Span, answers={200: Report})
    def download_report(person: Person, query: Span) -> Any:
        """What came and what failed in a span of time; `format=csv` has a row a download."""
        since, until = moment(query.from_, "from"), moment(query.to, "to")
        if since is not None and until is not None and until < since:
            raise BadInput("The report ends before it begins.", field="to")
        rows = records.report(person, since, until)
        if query.format == "csv":
            return Response(reports.csv(rows), headers={
                "Content-Type": "text/csv; charset=utf-8", "Cache-Control": "no-store",
                "Content-Disposition": 'attachment; filename="downloads.csv"',
            })
        return {"from": query.from_, "to": query.to, **reports.summary(rows)}

    # ---- doubts

    @door.get("/downloads/doubtful", allows="adds", query=Turning, answers={200: Page[Origin]})
    def doubtful_tracks(person: Person, query: Turning) -> Page[Origin]:
        """Downloaded tracks that a person should look at, with the reason."""
        return origins.doubtful(person, limit=min(max(query.limit, 1), 500), cursor=query.cursor)

    @door.delete("/downloads/doubtful/<track_id>", allows="edits", answers={204: None}, errors=(404,))
    def settle_doubt(person: Person, track_id: str) -> None:
        """I have looked: this track is as it should be."""
        tracks.must_see(person, track_id)
        origins.settle(track_id)

    @door.get("/downloads/origins/<track_id>", allows="adds", answers={200: Origin}, errors=(404,))
    def origin_of_track(person: Person, track_id: str) -> Origin:
        """Where a downloaded track came from."""
        found = origins.of(track_id, person=person)
        if found is None:
            raise NotFound("This track was not downloaded by the station.")
        return found

    # ---- one download

    @door.get("/downloads/<id>", allows="adds", answers={200: WholeDownload}, errors=(404,))
    def one_download(person: Person, id: str) -> Any:
        """One with its history, its candidates and why each was chosen or not."""
        whole = records.whole(person, id)
        told = {one.name: getattr(whole, one.name) for one in fields(whole)}
        told["history"] = [{"at": row.at, "from": row.from_, "to": row.to, "reason": row.reason, "stage": row.stage}
                           for row in whole.history]
        return told

    @door.delete("/downloads/<id>", allows="adds", answers={200: ChangedDownload}, errors=(404, 409))
    def cancel_download(person: Person, id: str) -> Any:
        """Cancel it: whatever runs ends, nothing is left behind."""
        return changed(downloads.cancel(person, id))

    @door.post("/downloads/<id>/retry", allows="adds", answers={200: ChangedDownload}, errors=(404, 409))
    def retry_download(person: Person, id: str) -> Any:
        """Try a failed one anew."""
        return changed(downloads.retry(person, id))

    @door.post("/downloads/<id>/pause", allows="adds", answers={200: ChangedDownload}, errors=(404, 409))
    def pause_download(person: Person, id: str) -> Any:
        """Pause it; what was fetched so far is kept."""
        return changed(downloads.pause(person, id))

    @door.post("/downloads/<id>/resume", allows="adds", answers={200: ChangedDownload}, errors=(404, 409))
    def resume_download(person: Person, id: str) -> Any:
        """Go on with a paused one."""
        return changed(downloads.resume(person, id))

    @door.patch("/downloads/<id>", allows="adds", body=Change, answers={200: ChangedDownload}, errors=(404,))
    def change_download(person: Person, id: str, body: Change) -> Any:
        """Change its priority."""
        return changed(downloads.set_priority(person, id, body.priority))

    @door.post("/downloads/<id>/dismiss", allows="adds", answers={204: None}, errors=(404, 409))
    def dismiss_download(person: Person, id: str) -> None:
        """Take one that is over off the list; reports still count it."""
        downloads.remove(person, id)

    @door.get("/downloads/<id>/log", allows="adds", answers={200: LogAnswer}, errors=(404,))
    def download_log(person: Person, id: str) -> Any:
        """What was noted while it was worked on, the earliest first."""
        return {"items": downloads.logs(person, id)}

    @door.post("/downloads/<id>/candidates/<candidate_id>/block", allows="adds", answers={200: ChangedDownload},
               errors=(404, 409))
    def block_candidate(person: Person, id: str, candidate_id: str) -> Any:
        """Not this: it is not the recording that is meant, and is never taken for it again."""
        return changed(downloads.block(person, id, candidate_id))

    @door.post("/downloads/<id>/candidates/<candidate_id>/choose", allows="adds", answers={200: ChangedDownload},
               errors=(404, 409))
    def choose_candidate(person: Person, id: str, candidate_id: str) -> Any:
        """Take this one."""
        return changed(downloads.choose(person, id, candidate_id))

    return door


def seen_only(told: list[dict[str, Any]], person: Person, tracks: Tracks) -> list[dict[str, Any]]:
    """What was skipped, without the ids of tracks that a limited person does not see."""
    seen = tracks.seen(person, [one["track_id"] for one in told if one["track_id"] is not None])
    return [one if one["track_id"] in seen else {**one, "track_id": None} for one in told]


def changed(download: Download) -> dict[str, Any]:
    """Its fields, and the same under `download`."""
    return {**{one.name: getattr(download, one.name) for one in fields(download)}, "download": download}


# ---- what a request says -----------------------------------------------------------------------------------------


def check_link(url: str, field: str = "url") -> str:
    """`url` without the space around it. Raises Unprocessable for what is no link to the outside; where it leads is
    looked at when it is followed."""
    url = url.strip()
    if _URI.fullmatch(url):
        return url
    if "://" not in url and is_link(url):       # youtube.com/watch?v=…
        url = f"https://{url}"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise Unprocessable("This is no link: its address cannot be read.", field=field) from None
    if parts.scheme.lower() not in ("http", "https"):
        raise Unprocessable("Only links that begin with http:// or https:// can be followed.", field=field)
    if not parts.hostname or any(ord(sign) <= 32 for sign in url):
        raise Unprocessable("This is no link: it names no host, or holds spaces.", field=field)
    if parts.username is not None or parts.password is not None:
        raise Unprocessable("A link with a user name or password in it is not followed.", field=field)
    return url


def one_of(url: str | None, query: str | None, track: str | WantedTrack | None) -> dict[str, Any]:
    """The part of a Request that says what. Raises BadInput unless exactly one is given."""
    given = [name for name, value in (("url", url), ("query", query), ("track", track)) if value is not None]
    if len(given) != 1:
        said = " and ".join(given) if given else "none of them"
        raise BadInput(f"Exactly one of url, query and track says what is wanted; here it is {said}.",
                       field=given[1] if given else "url")
    if url is not None:
        return {"url": check_link(url)}
    if query is not None:
        if not query.strip():
            raise BadInput("The query is empty.", field="query")
        if is_link(query):      # pasted where one types words
            return {"url": check_link(query, "query")}
        return {"query": " ".join(query.split())}
    if isinstance(track, WantedTrack):
        return {"wanted": track.wanted()}
    return {"track_id": track}


def of_items(items: Sequence[Item], asked: Request) -> tuple[list[Request], list[dict[str, Any]]]:
    """(what to queue, each done as `asked`; what makes no sense)."""
    requests, failed = [], []
    for place, item in enumerate(items, 1):
        try:
            requests.append(replace(asked, **one_of(item.url, item.query, item.track)))
        except BadInput as problem:
            failed.append({"line": place, "title": item.url or item.query, "artist": None, "reason": problem.message})
    return requests, failed


def statuses_of(text: str | None) -> tuple[str, ...] | None:
    """The statuses that a list's `status` names; None: all. Raises BadInput."""
    if text is None:
        return None
    found: list[str] = []
    for word in text.split(","):
        several: Iterable[Status] | None = _SEVERAL.get(word)
        found += [word] if several is None else [one.value for one in several]
    known = [one.value for one in Status]
    for word in found:
        if word not in known:
            raise BadInput(f"{word!r} is no status of a download; they are {', '.join([*known, *_SEVERAL])}.",
                           field="status")
    return tuple(found)


def moment(text: str | None, field: str) -> float | None:
    """RFC 3339, or a date, as Unix seconds. Raises BadInput."""
    if text is None:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            text += "T00:00:00Z"
        found = datetime.fromisoformat(text.replace(" ", "+"))      # a plus in a query is a space
        if found.tzinfo is None:
            raise ValueError
        return found.timestamp()
    except (ValueError, OverflowError, OSError):
        raise BadInput(f"{field} is a moment like 2026-01-31T12:00:00Z, or a date.", field=field) from None
