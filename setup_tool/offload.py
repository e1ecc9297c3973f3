"""`offload`: make room on this machine; a file goes when its copy in a bucket was proved a moment ago."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setup_tool.albums import album_ids
from setup_tool.cli import Context, command, confirm, shared_options

if TYPE_CHECKING:
    from shared.cloud.offload import OffloadReport

MOST_SHOWN = 20


@command("offload --album ID\noffload ~/Music/Jazz --dry-run\noffload --all --provider r2 --yes")
@click.argument("paths", nargs=-1, metavar="[PATH]…", type=click.Path(path_type=Path))
@click.option("--album", "albums", multiple=True, metavar="ALBUM",
              help="An album by its id or title; may be given several times.")
@click.option("--track", "tracks", multiple=True, metavar="ID", help="A track by its id; likewise.")
@click.option("--all", "everything", is_flag=True, help="The whole library.")
@click.option("--provider", metavar="NAME", help="Only copies in this storage count, and what has none goes there; "
              "else any counts, and what has none goes to the default one.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would leave; change nothing.")
@shared_options
def run(paths: tuple[Path, ...], albums: tuple[str, ...], tracks: tuple[str, ...], everything: bool,
        provider: str | None, yes: bool, dry_run: bool, *, context: Context) -> None:
    """Take music off this machine that is safe in a bucket; it still plays, and `pin` brings it back.

    What has no exact copy yet is uploaded first. Then each file is compared with its copy: the provider is asked
    whether it is there as it was uploaded, and the file itself is read. What is pinned stays.
    """
    from setup_tool import show
    from setup_tool.rooms import rooms
    from setup_tool.upload import named
    from setup_tool.working import working
    from setup_tool.workshop import Workshop
    from shared.cloud.offload import OffloadStopped

    if not (paths or albums or tracks or everything):
        raise click.UsageError("Say what may leave this machine: PATH, --album, --track, or --all.")
    with rooms(context.load_settings()) as station:
        to = station.storages.named(provider) if provider else None
        albums = album_ids(station, albums)
        wanted, _ = named(station, paths, albums, tracks, everything)
        room = Workshop(station).offload
        if not (yes or dry_run):
            with working("Looking", context) as work:
                would = room.run(wanted, provider=to, work=work, dry_run=True)
            tell(would, aside=context.json)
            if not would.offloaded:
                raise click.exceptions.Exit(1 if would.failed else 0)
            confirm("Remove these files from this machine?")
        stopped = False
        with working("Looking", context) as work:
            try:
                report = room.run(wanted, provider=to, work=work, dry_run=dry_run)
            except OffloadStopped as ended:
                stopped, report = True, ended.report
    if context.json:
        show.document({**document(report), "stopped": stopped})
    else:
        tell(report, stopped=stopped)
    if stopped or report.failed or report.ended_by:
        raise click.exceptions.Exit(1)


def document(report: OffloadReport) -> dict[str, Any]:
    import msgspec

    told: dict[str, Any] = msgspec.to_builtins(report)
    return told


def tell(report: OffloadReport, *, stopped: bool = False, aside: bool = False) -> None:
    from setup_tool import show

    console = show.aside() if aside else show.out()
    would = "would leave" if report.dry_run else "left"
    parts = [f"{show.count(report.offloaded, 'file')} {would} this machine ({show.size(report.bytes)})"]
    if report.uploaded:
        first = "to be uploaded first" if report.dry_run else "were uploaded first"
        parts.append(f"{report.uploaded:,} {first} ({show.size(report.uploaded_bytes)})")
    if report.skipped:
        parts.append(f"{report.skipped:,} not here before")
    console.print(show.mark("ok"), show.text(", ".join(parts) + "."))
    for mark, what, rows in (("note", "stay", report.kept), ("fail", "could not leave", report.failed)):
        if rows:
            console.print(show.mark(mark), show.text(f"{show.count(len(rows), 'file')} {what}:"))
            console.print(show.table("why", "file", wide=("why", "file"), quiet=("why",), rows=[
                (one.message, one.path) for one in rows[:MOST_SHOWN]]))
            if len(rows) > MOST_SHOWN:
                console.print(show.text(f"and {len(rows) - MOST_SHOWN:,} more", show.QUIET))
    if report.ended_by:
        console.print(show.mark("fail"), show.text(f"The upload ended early: {report.ended_by}"))
    if stopped:
        console.print(show.mark("note"), show.text("Stopped; the next one goes on there."))
