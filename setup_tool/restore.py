"""`restore`: bring a library back from a backup, or from what a bucket tells of itself. Rehearsed first, always."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setup_tool.cli import PROGRAM, Context, command, shared_options

if TYPE_CHECKING:
    from shared.settings import Settings
    from shared.upkeep.rebuild import Rebuild
    from shared.upkeep.restore import FolderPlan, Rehearsal, Restore, RestoreReport

STATES = {"online": "", "empty": "is there, and empty", "absent": "is not on this machine",
          "offline": "does not answer", "hanging": "does not answer in time"}


@command("restore --from /mnt/disk/backups --dry-run\nrestore --from r2\n"
         "restore --from r2:NAME --folder /old/Music=~/Music\n"
         "restore --from r2 --list\nrestore --rebuild --from r2 --music ~/Music")
@click.option("--from", "source", metavar="PLACE", help="A backup's file; a folder, or a storage by its name: the "
              "newest there; STORAGE:BACKUP; else the setting backup_to.")
@click.option("--list", "listing", is_flag=True, help="Only say which backups are there.")
@click.option("--folder", "folders", multiple=True, metavar="OLD=NEW",
              help="A music folder that lies elsewhere now; may be given several times.")
@click.option("--keep-settings", is_flag=True, help="Leave this machine's settings as they are.")
@click.option("--backup-only", is_flag=True, help="Leave tracks that came to the storages after the backup was made.")
@click.option("--rebuild", is_flag=True, help="Without a backup: make the library anew from what lies in a bucket.")
@click.option("--music", metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
              help="With --rebuild: the music folder that tracks belong to, and come back to when they are fetched.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="End after the rehearsal; change nothing.")
@shared_options
def run(source: str | None, listing: bool, folders: tuple[str, ...], keep_settings: bool, backup_only: bool,
        rebuild: bool, music: Path | None, yes: bool, dry_run: bool, *, context: Context) -> None:
    """Bring a library back from a backup.

    First it is rehearsed: the backup is read to its end, its library opened and checked, and it is said what would
    come, what would be replaced and which secrets are to be entered again. Then it asks. What is here now is set aside,
    not deleted. The station must not run meanwhile; a restore that is cut off is finished by the next start, or was not
    begun. Music that is not on this machine plays from the cloud.
    """
    from setup_tool import show
    from setup_tool.working import working
    from shared.model.errors import Conflict
    from shared.model.work import Stopped

    settings = context.load_settings()
    place = source or settings.backup_to
    if not place:
        raise click.UsageError("Say where the backup is: --from FILE, --from FOLDER, or --from STORAGE.")
    if music is not None and not rebuild:
        raise click.UsageError("--music goes with --rebuild; to say where a music folder lies now: --folder OLD=NEW.")
    if rebuild and music is None:
        raise click.UsageError("Say which folder the tracks belong to: --music DIR. It may be empty.")
    moved = pairs(folders)
    with Rooms(settings) as (restore, rebuilding):
        if listing:
            from setup_tool.backup import tell_stored

            tell_stored(*restore.stored(place), context)
            return
        staged = None
        with working("Rehearsing", context) as work, suppress(Stopped):
            staged = (
                restore.rehearse(place, folders=moved, keep_settings=keep_settings, backup_only=backup_only, work=work)
                if music is None else
                rebuilding.rehearse(place, music=music.expanduser().absolute(), folders=moved, work=work))
        if staged is None or staged.rehearsal is None:
            raise stopped(show)
        try:
            told = staged.rehearsal
            if not context.json:
                tell(told)
            if dry_run:
                if context.json:
                    show.document({"dry_run": True, **asdict(told)})
                return
            if told.running:
                raise Conflict(told.running)
            ask(told, yes, context)
            report = None
            with working("Restoring", context) as work, suppress(Stopped):
                report = restore.apply(staged, work=work)
            if report is None:
                raise stopped(show)
        finally:
            restore.discard()
    if context.json:
        show.document({"dry_run": False, **asdict(report)})
    else:
        tell_done(report)


def stopped(show: Any) -> click.exceptions.Exit:
    show.aside().print(show.text("Stopped: all is as it was."))
    return click.exceptions.Exit(1)


class Rooms:
    """The rooms of a restore: nothing of the library that is here is opened, for it is to be replaced."""

    def __init__(self, settings: Settings) -> None:
        from shared import confine
        from shared.audio.pool import WorkerPool
        from shared.cloud.buckets import Buckets
        from shared.library.kept_covers import KeptCovers
        from shared.storage.access import Access
        from shared.storage.providers import Providers
        from shared.upkeep.rebuild import Later, Rebuild, folders_here
        from shared.upkeep.restore import Restore

        self._workers = WorkerPool(
            size=2, memory_bytes=settings.worker_memory_bytes, name="restore",
            bounds=lambda: confine.for_media(settings, folders_here(settings)))
        self._buckets = Buckets()
        providers, access = Providers(settings=settings), Access()
        kept = KeptCovers(records=NoRecords(), access=access, workers=self._workers,
                          folder=settings.data_dir / "covers")
        later = Later(providers=providers, buckets=self._buckets, here=lambda: folders_here(settings))
        self.restore = Restore(settings=settings, providers=providers, buckets=self._buckets, access=access, kept=kept,
                               workers=self._workers, later=later)
        self.rebuild = Rebuild(settings=settings, providers=providers, buckets=self._buckets, restore=self.restore,
                               workers=self._workers)

    def __enter__(self) -> tuple[Restore, Rebuild]:
        return self.restore, self.rebuild

    def __exit__(self, *_: object) -> None:
        self.restore.discard()
        self._workers.stop()
        self._buckets.close()


class NoRecords:
    """Pictures are put into a folder here; whose they are is written into the library that comes."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a restore asks no library for {name}")


def pairs(folders: tuple[str, ...]) -> dict[str, str]:
    moved: dict[str, str] = {}
    for one in folders:
        old, equals, new = one.partition("=")
        if not (equals and old and new):
            raise click.UsageError(f"--folder takes OLD=NEW, not {one!r}.")
        moved[os.path.normpath(old)] = os.path.abspath(os.path.expanduser(new))
    return moved


def ask(told: Rehearsal, yes: bool, context: Context) -> None:
    """Raises Abort when the answer is no, UsageError when nobody sits there."""
    if yes:
        return
    what = "replaces the library that is here (it is set aside)" if told.set_aside else "makes it this home's library"
    if context.json or not sys.stdin.isatty():
        raise click.UsageError(f"This {what}. Say --yes to go on, or --dry-run to only look.")
    click.confirm(f"This {what}. Go on?", abort=True, err=True)


def tell(told: Rehearsal) -> None:
    from setup_tool import show

    console = show.out()
    held = told.contents
    console.print(show.text(told.name, show.STRONG))
    console.print(show.facts([
        ("made", f"{show.moment(told.made_at)}, by Soundsible {told.program}" if told.made_at else "now"),
        ("holds", ", ".join([show.count(held.tracks, "track"), show.count(held.albums, "album"),
                             show.count(held.playlists, "playlist"), show.count(held.plays, "play"),
                             show.count(told.covers, "cover")])),
        ("people", ", ".join(held.people) or "nobody: the first start makes the owner"),
        ("settings", {"backup": "those of the backup", "kept": "stay as they are here",
                      "none": "stay as they are here; it holds none"}[told.settings]),
        *([("version", f"brought from schema {told.upgraded_from} to {held.schema}")] if told.upgraded_from else []),
        ("replaces", replaced(told)),
        *([("set aside", told.set_aside)] if told.set_aside else []),
    ]))
    console.print(show.mark("ok"), show.text("Read to its end, opened and checked: it is whole."))
    tell_folders(told.folders)
    for one in told.secrets:
        console.print(show.mark("warn"), show.text(f"{one.name} was sealed on another machine; afterwards: "
                                                   f"{one.command}"))
    for remark in told.remarks:
        console.print(show.mark("warn"), show.text(remark))
    if told.running:
        console.print(show.mark("warn"), show.text(told.running))


def replaced(told: Rehearsal) -> str:
    from setup_tool import show

    if told.present_trouble:
        return f"a library that cannot be read ({told.present_trouble})"
    if told.present is None:
        return "nothing: there is no library here yet"
    whose = "" if told.same_station else ", of another station"
    return (f"{show.count(told.present.tracks, 'track')}, {show.count(told.present.playlists, 'playlist')}, "
            f"{show.count(len(told.present.people), 'person', 'people')}{whose}")


def tell_folders(folders: list[FolderPlan]) -> None:
    from setup_tool import show

    console = show.out()
    for one in folders:
        was = f" (was {one.was})" if one.was else ""
        if one.state == "online":
            console.print(show.mark("ok"), show.text(f"{one.path}{was}: {show.count(one.tracks, 'track')}"))
            continue
        lost = one.tracks - one.in_cloud
        rest = f"; {show.count(lost, 'track')} will be missing until it is here" if lost else ""
        console.print(show.mark("warn" if lost else "note"), show.text(
            f"{one.path}{was} {STATES.get(one.state, one.state)}: {one.in_cloud:,} of {one.tracks:,} tracks play from "
            f"the cloud{rest}"))


def tell_done(report: RestoreReport) -> None:
    from setup_tool import show

    console = show.out()
    console.print(show.mark("ok"), show.text(f"{report.restored} is this home's library now."))
    if report.set_aside:
        console.print(show.mark("note"), show.text(f"What was here is in {report.set_aside}; remove it when all is "
                                                   f"well."))
    for one in report.secrets:
        console.print(show.mark("warn"), show.text(f"Enter again: {one.command}"))
    console.print(show.text(f"Start the station, then look: {PROGRAM} doctor", show.QUIET))
