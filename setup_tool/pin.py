"""`pin`: keep music on this machine, and bring back what lies in a bucket alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setup_tool.albums import album_ids
from setup_tool.cli import PROGRAM, Context, command, shared_options

if TYPE_CHECKING:
    from shared.cloud.pins import FetchReport
    from shared.records.pins import Pin

MOST_SHOWN = 20


@command("pin --album ID\npin --list\npin --album ID --remove\npin ~/Music/Jazz --once")
@click.argument("paths", nargs=-1, metavar="[PATH]…", type=click.Path(path_type=Path))
@click.option("--album", "albums", multiple=True, metavar="ALBUM",
              help="An album by its id or title, with the tracks it will get; may be given several times.")
@click.option("--track", "tracks", multiple=True, metavar="ID", help="A track by its id; likewise.")
@click.option("--all", "everything", is_flag=True, help="With --once: the whole library. Else: what is pinned.")
@click.option("--provider", metavar="NAME", help="Bring it back from this storage; else from whichever has it.")
@click.option("--once", is_flag=True, help="Bring it back without pinning it.")
@click.option("--remove", is_flag=True, help="Pin it no more; what is here stays.")
@click.option("--list", "listing", is_flag=True, help="What is pinned.")
@click.option("--dry-run", is_flag=True, help="Say what would come back; change nothing.")
@shared_options
def run(paths: tuple[Path, ...], albums: tuple[str, ...], tracks: tuple[str, ...], everything: bool,
        provider: str | None, once: bool, remove: bool, listing: bool, dry_run: bool, *, context: Context) -> None:
    """Keep music on this machine: it is not offloaded, and comes back when it lies in a bucket alone.

    PATH is a file or a folder of the library; its tracks are pinned one by one. What comes back is compared with its
    hash, and put to where it was, never over another file. Without anything it brings back all that is pinned.
    """
    from setup_tool import show
    from setup_tool.rooms import rooms
    from setup_tool.upload import named
    from setup_tool.working import working
    from shared.cloud.pins import FetchStopped

    if remove and once:
        raise click.UsageError("--remove and --once do not go together.")
    something = bool(paths or albums or tracks or (everything and once))
    if (remove or once) and not something:
        raise click.UsageError("Say what is meant: PATH, --album, or --track.")
    with rooms(context.load_settings()) as station:
        albums = album_ids(station, albums)
        pins = station.pins
        if listing:
            print_pins(pins.all(), context)
            return
        wanted, _ = named(station, paths, albums, tracks, everything) if something else ([], False)
        if remove or not once:
            things = [("album", one) for one in albums]
            things += [("track", one) for one in tracks]
            things += [("track", one) for one in (named(station, paths, (), (), False)[0] if paths else [])]
            if not dry_run:
                for kind, uid in things:
                    (pins.unpin if remove else pins.pin)(kind, uid)
            if remove:
                if context.json:
                    show.document({"unpinned": len(things), "dry_run": dry_run})
                else:
                    told = ", ".join(show.count(amount, kind) for kind, amount in sorted(
                        Counter(kind for kind, _ in things).items()))
                    show.out().print(show.mark("note" if dry_run else "ok"), show.text(
                        f"{'Would no longer be' if dry_run else 'No longer'} pinned: {told}."))
                return
        if not something:
            wanted = list(pins.wanting())
        stopped = False
        with working("Looking", context) as work:
            try:
                report = pins.fetch_back(wanted, work=work, provider=provider, dry_run=dry_run)
            except FetchStopped as ended:
                stopped, report = True, ended.report
    if context.json:
        show.document({**document(report), "stopped": stopped})
    else:
        tell(report, stopped=stopped)
    if stopped or report.failed:
        raise click.exceptions.Exit(1)


def document(report: FetchReport) -> dict[str, Any]:
    import msgspec

    told: dict[str, Any] = msgspec.to_builtins(report)
    return told


def print_pins(pins: Sequence[Pin], context: Context) -> None:
    from setup_tool import show

    if context.json:
        show.document({"items": pins})
        return
    if not pins:
        show.out().print(show.text(f"Nothing is pinned. Pin an album: {PROGRAM} pin --album ID", show.QUIET))
        return
    show.out().print(show.table(
        "what", "by", "tracks here", "id", wide=("what", "by"), right=("tracks here",), quiet=("id",),
        rows=[(f"{one.title}{'' if one.kind == 'album' else ' (track)'}", one.artist,
               f"{one.local_count:,} of {one.track_count:,}", one.id) for one in pins]))


def tell(report: FetchReport, *, stopped: bool = False) -> None:
    from setup_tool import show

    console = show.out()
    came = "would come back" if report.dry_run else "came back"
    parts = [f"{show.count(report.fetched, 'file')} {came}" + (f" ({show.size(report.bytes)})" if report.bytes else "")]
    if report.skipped:
        parts.append(f"{report.skipped:,} here already")
    console.print(show.mark("ok"), show.text(", ".join(parts) + "."))
    if report.failed:
        console.print(show.mark("fail"), show.text(f"{show.count(len(report.failed), 'file')} did not:"))
        console.print(show.table("why", "file", wide=("why", "file"), quiet=("why",), rows=[
            (one.message, one.path) for one in report.failed[:MOST_SHOWN]]))
        if len(report.failed) > MOST_SHOWN:
            console.print(show.text(f"and {len(report.failed) - MOST_SHOWN:,} more", show.QUIET))
    if stopped:
        console.print(show.mark("note"), show.text("Stopped; the next one goes on there."))
