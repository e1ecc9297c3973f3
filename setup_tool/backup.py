"""`backup`: write the library, settings and covers into one verified archive, in a folder or a bucket."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from setup_tool.cli import PROGRAM, Context, command, shared_options

if TYPE_CHECKING:
    from shared.upkeep.backup import BackupReport
    from shared.upkeep.depots import Stored


@command("backup /mnt/disk/backups\nbackup r2 --keep 14\nbackup --list\nbackup /mnt/disk/backups --dry-run")
@click.argument("to", required=False, metavar="[FOLDER|STORAGE]")
@click.option("--provider", metavar="NAME", help="The same as the name of a storage in place of TO.")
@click.option("--no-covers", is_flag=True, help="Leave the pictures out.")
@click.option("--keep", type=click.IntRange(1, 1000), metavar="N",
              help="How many backups of this station stay there; else the setting backup_keep.")
@click.option("--list", "listing", is_flag=True, help="Only say which backups are there.")
@click.option("--dry-run", is_flag=True, help="Say what would be written and removed; change nothing.")
@shared_options
def run(to: str | None, provider: str | None, no_covers: bool, keep: int | None, listing: bool, dry_run: bool, *,
        context: Context) -> None:
    """Write one archive with everything but the music: the library with people, playlists and listening, the settings
    and the covers.

    It is read back and compared before it counts, and only then do older ones beyond the number kept go. Secrets in the
    settings are sealed: on another machine they are entered again. The station may go on playing meanwhile. Where to
    and how often by itself: settings backup_to and backup_every.
    """
    from setup_tool import show
    from setup_tool.rooms import rooms
    from setup_tool.working import working
    from setup_tool.workshop import Workshop
    from shared.model.work import Stopped

    if to and provider:
        raise click.UsageError("Name one place: a folder, or a storage.")
    place = provider or to or ""
    with rooms(context.load_settings()) as station:
        backup = Workshop(station).backup
        if listing:
            where, there = backup.stored(place)
            tell_stored(where, there, context)
            return
        report = None
        try:
            with working("Backing up", context) as work, suppress(Stopped):
                report = (backup.plan(place, covers=not no_covers, keep=keep) if dry_run else
                          backup.run(place, covers=not no_covers, keep=keep, work=work))
        finally:
            station.covers.stop()   # what it has yet to say of the pictures it drew, before the library is closed
    if report is None:
        show.aside().print(show.text("Stopped: no backup was made, and none was removed."))
        raise click.exceptions.Exit(1)
    if context.json:
        show.document(report)
    else:
        tell(report)


def tell(report: BackupReport) -> None:
    from setup_tool import show

    console = show.out()
    held = report.contents
    said = "would be written to" if report.dry_run else "is in"
    size = f"{'at most ' if report.dry_run else ''}{show.size(report.size_bytes)}"
    console.print(show.mark("note" if report.dry_run else "ok"), show.text(
        f"{report.name} {said} {report.place}: {size}, {show.count(held.get('tracks', 0), 'track')}, "
        f"{show.count(held.get('playlists', 0), 'playlist')}, {show.count(report.covers, 'cover')}."))
    if not report.dry_run:
        console.print(show.mark("ok"), show.text("Read back and compared: it is whole."))
    for name in report.removed:
        console.print(show.mark("note"), show.text(f"{name} {'would go' if report.dry_run else 'was removed'}."))
    for warning in report.warnings:
        console.print(show.mark("warn"), show.text(warning))
    if not report.dry_run:
        console.print(show.text(f"Try it: {PROGRAM} restore --from {report.place} --dry-run", show.QUIET))


def tell_stored(where: str, there: list[Stored], context: Context) -> None:
    from setup_tool import show

    if context.json:
        show.document({"place": where, "items": there})
        return
    console = show.out()
    if not there:
        console.print(show.text(f"There is no backup in {where}.", show.QUIET))
        return
    console.print(show.table("made", "size", "backup", right=("size",), wide=("backup",), rows=[
        (time.strftime("%Y-%m-%d %H:%M", time.localtime(one.made_at)), show.size(one.size_bytes), one.name)
        for one in there
    ]))
