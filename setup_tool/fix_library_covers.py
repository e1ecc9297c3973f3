"""`fix-library-covers`: find albums whose cover is missing or small, and put a better one into the tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from setup_tool.albums import album_ids
from setup_tool.cli import PROGRAM, Context, command, shared_options

if TYPE_CHECKING:
    from shared.upkeep.better_covers import CoverReport, CoversUndone, Size

MOST_SHOWN = 30
CALLED = {"coverart": "Cover Art Archive", "deezer": "Deezer", "files": "its own files", "cut_off": "the run cut off"}


@command("fix-library-covers --dry-run\nfix-library-covers --min-size 800 --source coverart\n"
         "fix-library-covers --undo")
@click.option("--min-size", type=click.IntRange(100, 1200), default=600, show_default=True, metavar="PIXELS",
              help="Covers whose longer side is smaller are looked for.")
@click.option("--source", "sources", multiple=True, type=click.Choice(("coverart", "deezer")),
              help="Where to look; may be given several times, then in that order. Else all.")
@click.option("--album", "albums", multiple=True, metavar="ALBUM",
              help="An album by its id or title; may be given several times.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@click.option("--undo", is_flag=False, flag_value="last", metavar="[STEP]",
              help="Give the files of the last run, or of STEP, their old pictures back.")
@shared_options
def run(min_size: int, sources: tuple[str, ...], albums: tuple[str, ...], dry_run: bool, undo: str | None, *,
        context: Context) -> None:
    """Find albums whose cover is missing or small, and put a better one in.

    A better one is larger and of the same shape. It goes into the tags of the album's files; their sound stays, which
    is proved for each file, or the file stays as it was. A small picture in the album's folder stays where it is; the
    files' own is shown from then on. Copies in the cloud are made anew. All of it can be undone. Ctrl-C ends it.
    """
    from setup_tool import show
    from setup_tool.rooms import rooms
    from setup_tool.working import working
    from setup_tool.workshop import Workshop
    from shared.metadata.sleeves import SOURCES
    from shared.model.work import Stopped
    from shared.upkeep.better_covers import CoversStopped

    if undo is not None and dry_run:
        raise click.UsageError("--undo and --dry-run do not go together.")
    with rooms(context.load_settings()) as station:
        albums = album_ids(station, albums)
        better = Workshop(station).better_covers
        stopped = False
        with working("Looking for covers", context) as work:
            try:
                if undo is not None:
                    undone = better.undo(None if undo == "last" else undo, work=work)
                else:
                    plan = better.plan(list(albums) or None, min_size=min_size, sources=sources or SOURCES, work=work)
                    report = better.foreseen(plan) if dry_run else better.run(plan, work=work)
            except CoversStopped as ended:
                report, stopped = ended.report, True
            except Stopped:
                raise click.Abort from None
    if undo is not None:
        show.document(undone) if context.json else tell_undone(undone)
        if undone.failed:
            raise click.exceptions.Exit(1)
        return
    if context.json:
        show.document({"dry_run": dry_run, "stopped": stopped, **as_json(report)})
    else:
        tell(report, dry_run=dry_run, stopped=stopped)
    if stopped or report.failed:
        raise click.exceptions.Exit(1)


def as_json(report: CoverReport) -> dict[str, Any]:
    import msgspec

    made: dict[str, Any] = msgspec.to_builtins(report, str_keys=True)
    return made


def pixels(size: Size | None) -> str:
    return "none" if size is None else f"{size.width} × {size.height}"


def tell(report: CoverReport, *, dry_run: bool, stopped: bool) -> None:
    from setup_tool import show

    console = show.out()
    if report.albums:
        console.print(show.table(
            "album", "artist", "now", "better", "from", wide=("album", "artist"), quiet=("from",), rows=[
                (one.title, one.artist, pixels(one.now), pixels(one.better), CALLED.get(one.source, one.source))
                for one in report.albums[:MOST_SHOWN]]))
        if len(report.albums) > MOST_SHOWN:
            console.print(show.text(f"and {len(report.albums) - MOST_SHOWN:,} more (--json lists all)", show.QUIET))
    reasons: dict[str, int] = {}
    for left in report.left:
        reasons[left.message] = reasons.get(left.message, 0) + 1
    for message, amount in sorted(reasons.items(), key=lambda one: -one[1]):
        console.print(show.mark("note"), show.text(f"{show.count(amount, 'album')} left: {message}"))
    for failure in report.failed[:MOST_SHOWN]:
        console.print(show.mark("fail"), show.text(f"{failure.path}: {failure.message}"))
    if len(report.failed) > MOST_SHOWN:
        console.print(show.text(f"and {len(report.failed) - MOST_SHOWN:,} more files (--json lists all)", show.QUIET))
    tell_cloud(report.cloud)
    looked = show.count(report.looked, "album")
    told = f"{show.count(report.fixed, 'album')}, in {show.count(report.tracks, 'file')}"
    if dry_run:
        console.print(show.mark("note"), show.text(f"{looked} looked at. Without --dry-run: a better cover for "
                                                   f"{told}."))
    else:
        ended = " Ended early; the next run goes on." if stopped else ""
        console.print(show.mark("warn" if stopped else "ok"),
                      show.text(f"{looked} looked at. A better cover for {told}.{ended}"))
        if report.step and report.fixed:
            console.print(show.text(f"To take it back: {PROGRAM} fix-library-covers --undo {report.step}", show.QUIET))


def tell_undone(undone: CoversUndone) -> None:
    from setup_tool import show

    console = show.out()
    for failure in undone.failed[:MOST_SHOWN]:
        console.print(show.mark("fail"), show.text(f"{failure.path}: {failure.message}"))
    tell_cloud(undone.cloud)
    same = f" {show.count(undone.untouched, 'file')} had it already." if undone.untouched else ""
    console.print(show.mark("warn" if undone.failed else "ok"),
                  show.text(f"{show.count(undone.tracks, 'file')} hold their old picture again.{same}"))


def tell_cloud(cloud: dict[str, Any] | None) -> None:
    from setup_tool import show

    if cloud is None:
        return
    if message := cloud.get("message"):
        show.out().print(show.mark("warn"), show.text(f"The copies in the cloud were not made anew: {message}"))
    else:
        show.out().print(show.mark("ok"), show.text(f"{show.count(cloud['tracks'], 'copy', 'copies')} in the cloud "
                                                    f"made anew."))
