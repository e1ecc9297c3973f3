"""`download`: fetch music by link, by words, or by lists of both; follows the downloads until all are over.

While the station runs it does the work: the rows are written down and it takes them up. Without one, the downloader
runs in this command, and goes on where it was the next time.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setup_tool.cli import PROGRAM, Context, command, shared_options
from shared.model.download import (
    CONVERSIONS,
    DUPLICATES,
    LEVELS,
    ON_THE_WAY,
    OVER,
    PRIORITIES,
    QUALITIES,
    USUAL_PRIORITY,
    Download,
    Options,
    Request,
    Status,
)

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from odst.batches import Unread
    from shared.station import Station

LOOK_S = 0.3
LOOKED_UP = 20          # links that a dry run resolves
LISTS = (".m3u", ".m3u8", ".csv", ".tsv", ".txt")
STAGES = {"understand": "finding out what it is", "find": "looking for it", "fetch": "downloading",
          "inspect": "checking", "identify": "identifying", "process": "converting", "dress": "tagging",
          "admit": "putting it on the shelf"}


@dataclass
class Asked:
    """What the command line asks for."""

    requests: list[Request] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


@command('download https://www.deezer.com/album/302127\ndownload "Queen - Bohemian Rhapsody"\n'
         "download exportify.csv --format opus --bitrate 128")
@click.argument("what", nargs=-1, required=True, metavar="LINK|WORDS|FILE…")
@click.option("--quality", type=click.Choice(QUALITIES), help="What is preferred; else the setting.")
@click.option("--format", "format_", type=click.Choice(CONVERSIONS), help="Convert to this.")
@click.option("--bitrate", type=click.IntRange(32, 512), metavar="KBIT", help="Of a lossy conversion.")
@click.option("--level", type=click.Choice(LEVELS), help="Loudness: tags, the audio itself, or off.")
@click.option("--trim/--no-trim", default=None, help="Cut silence off at both ends.")
@click.option("--duplicates", type=click.Choice(DUPLICATES), help="What is owned: skip, upgrade or keep both.")
@click.option("--provider", metavar="NAME", help="Fetch from this one only (youtube soulseek direct).")
@click.option("--priority", type=click.IntRange(PRIORITIES[0], PRIORITIES[-1]), default=USUAL_PRIORITY,
              show_default=True, help="Larger is sooner.")
@click.option("--nightly", is_flag=True, help="Leave it to the night (setting download_night); only queues.")
@click.option("--wait/--no-wait", default=True, help="Follow until all is over, or only queue.")
@click.option("--dry-run", is_flag=True, help="Say what would be fetched; queue nothing.")
@shared_options
def run(what: tuple[str, ...], quality: str | None, format_: str | None, bitrate: int | None, level: str | None,
        trim: bool | None, duplicates: str | None, provider: str | None, priority: int, nightly: bool, wait: bool,
        dry_run: bool, *, context: Context) -> None:
    """Fetch music: links of songs, albums and playlists, "Artist - Title", or files that list them.

    FILE may be M3U, a CSV of another service (Exportify, Apple Music, Deezer, TuneMyMusic, …) or lines of links and
    titles; - reads them from standard input. What is in the library already is left alone. Ctrl-C stops following; what
    is not over waits.
    """
    from setup_tool.rooms import rooms

    settings = context.load_settings()
    if provider is not None and provider not in settings.download_providers:
        raise click.BadParameter(f"'{provider}' is not among {', '.join(settings.download_providers)}.",
                                 param_hint="--provider")
    usual = Options(quality=settings.download_quality)
    options = Options(
        quality=quality or usual.quality, format=format_, bitrate_kbps=bitrate, level=level, trim=trim,
        duplicates=duplicates or usual.duplicates, provider=provider)
    with rooms(settings) as station:
        asked = read(what, options, priority, settings.download_batch_limit)
        asked.requests = [replace(one, nightly=nightly) for one in asked.requests]
        refuse_unknown(asked, station)
        if dry_run:
            tell_foreseen(foresee(station, asked), asked, context)
            return
        if not station.scans.roots():
            raise click.UsageError(f"There is no music folder yet. Name one: {PROGRAM} scan ~/Music")
        if wait and not nightly:
            followed(station, asked, context)
        else:
            queued(station, asked, context)


# ---- what is asked for -------------------------------------------------------------------------------------------


def read(what: Iterable[str], options: Options, priority: int, limit: int) -> Asked:
    """Links, words and files as requests. Raises UsageError, Failure."""
    from odst import batches
    from odst.search import is_link, whole_link

    asked = Asked()
    for one in what:
        left = limit - len(asked.requests)
        if one == "-" or is_file(one):
            data = sys.stdin.buffer.read(batches.LIMIT_BYTES + 1) if one == "-" else contents(Path(one).expanduser())
            batch = batches.read(data, name=one, options=options, priority=priority, limit=left)
            asked.requests += batch.requests
            asked.unread += batch.unread
        elif one.lower().endswith(LISTS) and not is_link(one):
            raise click.UsageError(f"There is no file {one}.")
        elif is_link(one):
            asked.requests.append(Request(url=whole_link(one.strip()), options=options, priority=priority))
        elif "://" in one or not any(sign.isalnum() for sign in one):
            raise click.UsageError(f"'{one}' is no link that can be followed, no file and no title.")
        else:
            asked.requests.append(Request(query=" ".join(one.split())[:500], options=options, priority=priority))
    return asked


def is_file(what: str) -> bool:
    try:
        return Path(what).expanduser().is_file()
    except (OSError, ValueError):       # too long for a name
        return False


def contents(path: Path) -> bytes:
    from odst import batches

    try:
        with path.open("rb") as file:
            return file.read(batches.LIMIT_BYTES + 1)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}.") from error


def refuse_unknown(asked: Asked, station: Station) -> None:
    """Links that nobody here would know what to do with are told instead of queued."""
    from odst.batches import Unread

    known = []
    for request in asked.requests:
        if request.url is None or station.acquire.understands(request.url):
            known.append(request)
        else:
            asked.unread.append(Unread(line=0, text=request.url[:200], reason="Nobody here knows this kind of link."))
    asked.requests = known


def foresee(station: Station, asked: Asked) -> list[dict[str, Any]]:
    """What each would lead to, as far as that can be known without fetching anything."""
    from shared.model.download import Failure

    found: list[dict[str, Any]] = []
    try:
        looked_up = 0
        for request in asked.requests:
            if request.url is None or looked_up >= LOOKED_UP:
                wanted = request.wanted
                found.append({"asked": request.url or request.query or (f"{wanted.artist} - {wanted.title}" if wanted
                                                                        else None)})
                continue
            looked_up += 1
            try:
                offer = station.acquire.resolve(request.url)
                tracks = [{"title": track.title, "artist": track.artist, "album": track.album, "owned": owned}
                          for track, owned in zip(offer.tracks, station.acquire.tracks_owned(offer), strict=True)]
                found.append({"asked": request.url, "kind": offer.kind, "source": offer.source, "title": offer.title,
                              "artist": offer.artist, "tracks": tracks})
            except Failure as failure:
                found.append({"asked": request.url, "error": {"code": failure.code, "message": failure.message}})
    finally:
        station.nursery.stop()
    return found


# ---- doing it ----------------------------------------------------------------------------------------------------


def submit(station: Station, asked: Asked) -> tuple[str, list[str]]:
    """Write them down; the name of their group and their ids."""
    group = uuid.uuid4().hex
    added = station.download_records.submit_many(None, asked.requests, group=group) if asked.requests else []
    return group, list(dict.fromkeys(uid for uid, _ in added))


def queued(station: Station, asked: Asked, context: Context) -> None:
    """Without waiting for them."""
    from setup_tool import show

    _, uids = submit(station, asked)
    runs = station.presence.address() is not None
    if context.json:
        show.document({"downloads": shown(station, uids), "unread": asked.unread})
    else:
        console = show.out()
        later = "" if runs else " The station fetches them when it runs."
        console.print(show.mark("ok"), show.text(f"{show.count(len(uids), 'download')} queued.{later}"))
        print_unread(asked)
    if asked.unread:
        raise click.exceptions.Exit(1)


def followed(station: Station, asked: Asked, context: Context) -> None:
    """Until all are over. Ctrl-C leaves what is not: it waits."""
    from setup_tool import show

    group, uids = submit(station, asked)
    interrupted = False
    following = Following(station, group, uids, quiet=context.json)
    if uids:
        try:
            with driving(station), following.hearing():
                following.follow()
        except KeyboardInterrupt:
            interrupted = True
    every = following.every()
    downloads = shown(station, every)
    left = [one for one in downloads if one.status not in OVER]
    failed = [one for one in downloads if one.status in (Status.FAILED, Status.CANCELLED)]
    if context.json:
        show.document({"downloads": downloads, "unread": asked.unread})
    else:
        print_summary(downloads, asked)
    if left:
        waits = "the station goes on with it" if station.presence.address() is not None else \
            f"it goes on when the station runs, or with the next {PROGRAM} download"
        show.aside().print(show.mark("note"), show.text(f"{show.count(len(left), 'download')} not over: {waits}."))
    if interrupted or failed or left or asked.unread:
        raise click.exceptions.Exit(1)


@contextmanager
def driving(station: Station) -> Iterator[None]:
    """With the downloader running: the station's, when one runs on this home; else in this process."""
    from shared.model.errors import StartFailed

    if station.presence.address() is None:
        try:
            station.presence.claim()
        except StartFailed:
            pass                # one that is just starting, or another command that drives
        else:
            try:
                station.engine.start()
                station.outside.start()
                try:
                    yield
                finally:
                    station.outside.stop()
                    station.engine.stop()
                    station.download_records.recover("the command was ended")
            finally:
                station.nursery.stop()
                station.craft_workers.stop()
                station.presence.leave()
            return
    yield


class Following:
    """The downloads that came of one command, watched."""

    def __init__(self, station: Station, group: str, uids: Sequence[str], *, quiet: bool) -> None:
        from shared.security.accounts import OPERATOR

        self._station, self._group, self._uids = station, group, uids
        self._person = OPERATOR
        self._quiet = quiet
        self._told: set[str] = set()
        self._tasks: dict[str, TaskID] = {}
        self._live: dict[str, Download] = {}
        self._others: list[str] = []        # asked for before, and still under way
        ours = set(self._with(Status))
        self._others = [uid for uid in uids if uid not in ours]

    def every(self) -> list[str]:
        """All of them, with those that links led to."""
        return list(dict.fromkeys([*self._uids, *self._with(Status)]))

    def follow(self) -> None:
        """Until none is on the way or waits; each is told once it is over."""
        from setup_tool import show

        with show.bar() as bar:
            whole = bar.add_task("Downloads", total=None, told="")
            while True:
                waiting = self._with([Status.WAITING])      # first: what leaves it meanwhile is seen below
                under_way = self._with(ON_THE_WAY)
                over = self._with(OVER)
                for uid in over:
                    if uid not in self._told and not self._quiet:
                        print_one(self._shown(uid))
                self._told.update(over)
                self._draw(bar, [self._live.get(uid) or self._shown(uid) for uid in under_way])
                total = len(over) + len({*under_way, *waiting} - {*over})
                bar.update(whole, total=total, completed=len(over), told=f"{len(over):,} of {total:,}")
                if not under_way and not waiting:
                    return
                time.sleep(LOOK_S)

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """With the progress as it happens, where this process drives; a station writes it down every other second."""
        from shared.events import DownloadMoved

        def hear(event: DownloadMoved) -> None:
            self._live[event.download.id] = event.download

        unsubscribe = self._station.events.subscribe(DownloadMoved, hear)
        try:
            yield
        finally:
            unsubscribe()

    def _with(self, statuses: Iterable[Status]) -> list[str]:
        """Those of them that have one of `statuses`."""
        wanted = list(statuses)
        found = self._station.download_records.ids(self._person, statuses=wanted, group=self._group)
        return found + [uid for uid in self._others if self._shown(uid).status in wanted]

    def _shown(self, uid: str) -> Download:
        return self._station.download_records.shown(self._person, uid)

    def _draw(self, bar: Progress, under_way: list[Download]) -> None:
        from setup_tool import show

        for uid in self._tasks.keys() - {one.id for one in under_way}:
            bar.remove_task(self._tasks.pop(uid))
        for one in under_way:
            if one.id not in self._tasks:
                self._tasks[one.id] = bar.add_task("", total=None, told="")
            total = one.progress.total_bytes if one.stage == "fetch" else None
            told = STAGES.get(one.stage or "", "")
            if one.stage == "fetch" and one.progress.bytes:
                told = show.size(one.progress.bytes) + (f" of {show.size(total)}" if total else "")
            bar.update(self._tasks[one.id], description=f"  {named(one)[:44]}", total=total,
                       completed=one.progress.bytes if total else 0, told=told)


# ---- telling -----------------------------------------------------------------------------------------------------


def shown(station: Station, uids: Iterable[str]) -> list[Download]:
    from shared.security.accounts import OPERATOR

    return [station.download_records.shown(OPERATOR, uid) for uid in uids]


def named(one: Download) -> str:
    from setup_tool import show

    words = f"{one.artist} - {one.title}" if one.artist and one.title else one.title or one.query or one.url or one.id
    return show.plain(words)


def print_one(one: Download) -> None:
    """A download that is over, on a line."""
    from setup_tool import show

    console = show.out()
    if one.status == Status.COMPLETED:
        told = "already in the library" if one.duplicate_of else one.quality_got
        note = show.text(f"· {told}" if told else "", show.QUIET)
        console.print(show.mark("note" if one.duplicate_of else "ok"), show.text(named(one)), note)
        for warning in one.warnings:
            console.print(" ", show.mark("warn"), show.text(warning))
    else:
        why = one.error.message if one.error else one.status
        console.print(show.mark("fail"), show.text(named(one)), show.text(f"· {why}", show.QUIET))


def print_summary(downloads: list[Download], asked: Asked) -> None:
    from setup_tool import show

    came = sum(one.status == Status.COMPLETED and not one.duplicate_of for one in downloads)
    had = sum(one.status == Status.COMPLETED and bool(one.duplicate_of) for one in downloads)
    failed = sum(one.status in (Status.FAILED, Status.CANCELLED) for one in downloads)
    told = [f"{amount:,} {word}" for amount, word in ((came, "downloaded"), (had, "there already"), (failed, "failed"))
            if amount]
    show.out().print(show.text(f"{', '.join(told) or 'Nothing was downloaded'}."))
    print_unread(asked)


def print_unread(asked: Asked, most: int = 20) -> None:
    from setup_tool import show

    if not asked.unread:
        return
    console = show.out()
    console.print(show.mark("warn"), show.text(f"{show.count(len(asked.unread), 'line')} cannot be read:"))
    console.print(show.table("line", "why", "text", right=("line",), wide=("why", "text"), quiet=("line",), rows=[
        (one.line or "", one.reason, one.text) for one in asked.unread[:most]]))


def tell_foreseen(found: list[dict[str, Any]], asked: Asked, context: Context) -> None:
    from setup_tool import show

    if context.json:
        show.document({"dry_run": True, "items": found, "unread": asked.unread})
    else:
        console = show.out()
        for one in found:
            if "error" in one:
                why = show.text(f"· {one['error']['message']}", show.QUIET)
                console.print(show.mark("fail"), show.text(one["asked"]), why)
            elif "tracks" not in one:
                console.print(show.mark("note"), show.text(one["asked"]), show.text("would be looked for", show.QUIET))
            else:
                lacking = [track for track in one["tracks"] if not track["owned"]]
                console.print(show.mark("note"), show.text(one["title"]), show.text(
                    f"{one['kind']} of {one['source']}: {len(lacking):,} of {show.count(len(one['tracks']), 'track')} "
                    "would be fetched", show.QUIET))
        print_unread(asked)
    if asked.unread or any("error" in one for one in found):
        raise click.exceptions.Exit(1)
