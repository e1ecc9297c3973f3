"""`refresh-metadata`: compare tags with MusicBrainz, show what differs, and take it over when that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setup_tool.albums import album_ids
from setup_tool.cli import PROGRAM, Context, command, shared_options

if TYPE_CHECKING:
    from shared.upkeep.refresh import Change, Comparison, Difference, RefreshReport, RefreshUndone

MOST_SHOWN = 40
MOST_FAILED = 10


@command("refresh-metadata ~/Music/Jazz\nrefresh-metadata --album ID --apply\nrefresh-metadata --all --apply\n"
         "refresh-metadata --undo")
@click.argument("paths", nargs=-1, metavar="[PATH]…", type=click.Path(path_type=Path))
@click.option("--album", "albums", multiple=True, metavar="ALBUM",
              help="An album by its id or title; may be given several times.")
@click.option("--track", "tracks", multiple=True, metavar="ID", help="A track by its id; likewise.")
@click.option("--all", "everything", is_flag=True, help="The whole library; so too when nothing is named.")
@click.option("--min-score", type=click.FloatRange(55, 100), default=80, show_default=True, metavar="SCORE",
              help="Of 100: matches below are only told.")
@click.option("--apply", "apply_", is_flag=True, help="Write what differs into files and library.")
@click.option("--dry-run", is_flag=True, help="Say what would be written; change nothing. So it is without --apply.")
@click.option("--undo", is_flag=False, flag_value="last", metavar="[STEP]",
              help="Have the files of the last run, or of STEP, say again what they said.")
@shared_options
def run(paths: tuple[Path, ...], albums: tuple[str, ...], tracks: tuple[str, ...], everything: bool, min_score: float,
        apply_: bool, dry_run: bool, undo: str | None, *, context: Context) -> None:
    """Compare tags with MusicBrainz: by MBID, then ISRC, then search.

    PATH is a file or a folder of the library. What differs is shown field by field with the match's score; --apply
    writes it, in one step that --undo takes back. Nothing is emptied; genres and what you edited stay. The public
    MusicBrainz is asked once a second, which takes its time; Ctrl-C ends it. Answers are kept: the next run goes on.
    """
    from setup_tool import show
    from setup_tool.rooms import rooms
    from setup_tool.upload import named
    from setup_tool.working import working
    from setup_tool.workshop import Workshop
    from shared.model.work import Stopped
    from shared.upkeep.refresh import RefreshStopped

    if undo is not None and (apply_ or dry_run or paths or albums or tracks or everything):
        raise click.UsageError("--undo takes back a whole step; it goes with nothing else.")
    stopped = False
    with rooms(context.load_settings()) as station:
        albums = album_ids(station, albums)
        refresh = Workshop(station).refresh
        wanted = None if undo is not None else named(station, paths, albums, tracks, everything)[0]
        with working("Comparing", context) as work:
            try:
                if wanted is None:
                    undone = refresh.undo(None if undo == "last" else undo, work=work)
                else:
                    comparison = refresh.compare(wanted, min_score=min_score, work=work, total=len(wanted))
                    report = refresh.apply(comparison.changes, work=work) if apply_ and not dry_run else (
                        refresh.foreseen(comparison))
            except RefreshStopped as ended:
                report, stopped = ended.report, True
            except Stopped:
                raise click.Abort from None
    if wanted is None:
        show.document(undone) if context.json else tell_undone(undone)
        if undone.failed:
            raise click.exceptions.Exit(1)
        return
    applied = apply_ and not dry_run
    if context.json:
        show.document(document(comparison, report, applied=applied, stopped=stopped))
    else:
        tell(comparison, report, applied=applied, stopped=stopped)
    if stopped or comparison.ended or comparison.failed or report.failed:
        raise click.exceptions.Exit(1)


def document(comparison: Comparison, report: RefreshReport, *, applied: bool, stopped: bool) -> dict[str, Any]:
    import msgspec

    return {
        "dry_run": not applied, "stopped": stopped, "step": report.step, "looked": comparison.looked,
        "same": comparison.same, "changes": msgspec.to_builtins(comparison.changes),
        "left": msgspec.to_builtins(comparison.left),
        "failed": msgspec.to_builtins([*comparison.failed, *report.failed]), "ended": comparison.ended,
        "changed": report.changed, "fields": report.fields, "cloud": msgspec.to_builtins(report.cloud),
    }


def tell(comparison: Comparison, report: RefreshReport, *, applied: bool, stopped: bool) -> None:
    from setup_tool import show
    from setup_tool.fix_library_covers import tell_cloud

    console = show.out()
    for change in comparison.changes[:MOST_SHOWN]:
        tell_change(change)
    if len(comparison.changes) > MOST_SHOWN:
        console.print(show.text(f"and {len(comparison.changes) - MOST_SHOWN:,} more tracks (--json lists all)",
                                show.QUIET))
    reasons: dict[str, int] = {}
    for left in comparison.left:
        told = {"doubtful": "No match is sure enough.", "unknown": "MusicBrainz knows nothing like it."}.get(
            left.reason, left.message)
        reasons[told] = reasons.get(told, 0) + 1
    for message, amount in sorted(reasons.items(), key=lambda one: -one[1]):
        console.print(show.mark("note"), show.text(f"{show.count(amount, 'track')} left: {message}"))
    failed = [*comparison.failed, *report.failed]
    for failure in failed[:MOST_FAILED]:
        console.print(show.mark("fail"), show.text(f"{failure.path}: {failure.message}"))
    if len(failed) > MOST_FAILED:
        console.print(show.text(f"and {len(failed) - MOST_FAILED:,} more files (--json lists all)", show.QUIET))
    if comparison.ended:
        console.print(show.mark("fail"), show.text(f"{comparison.ended} Nobody was asked any more. Try again later."))
    tell_cloud(report.cloud)
    looked = f"{show.count(comparison.looked, 'track')} compared, {comparison.same:,} as MusicBrainz has them."
    if not applied:
        console.print(show.mark("note"), show.text(f"{looked} {show.count(report.changed, 'track')} would be changed; "
                                                   f"--apply writes it."))
        return
    ended = " Ended early; the next run goes on." if stopped else ""
    console.print(show.mark("warn" if stopped else "ok"),
                  show.text(f"{looked} {show.count(report.changed, 'track')} changed.{ended}"))
    if report.step and report.changed:
        console.print(show.text(f"To take it back: {PROGRAM} refresh-metadata --undo {report.step}", show.QUIET))


CALLED = {"id": "its MBID", "isrc": "its ISRC", "release": "its album", "words": "search"}


def tell_change(change: Change) -> None:
    from setup_tool import show

    console = show.out()
    console.print(show.text(change.path, show.STRONG))
    console.print(show.text(f"  {change.match}, {change.score:.0f} of 100 by {CALLED.get(change.by, change.by)}",
                            show.QUIET))
    console.print(show.facts(
        (f"  {name}", show.text(f"{old} → {new}"))
        for name, old, new in (words(one) for one in change.differences)))
    console.print()


def words(difference: Difference) -> tuple[str, str, str]:
    """(field, old value, new value) for people. Where only the ids of people differ, these are shown."""
    name, old, new = difference.field.replace("_", " "), shown(difference.old), shown(difference.new)
    if old == new and isinstance(difference.new, list):
        name = f"{name.removesuffix('s')} ids"
        old, new = (shown([one[1] or one[2] or "" for one in value]) for value in (difference.old, difference.new))
    return name, old, new


def shown(value: Any) -> str:
    """A field's value on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = ", ".join(str(one[0]) if isinstance(one, list) else str(one) for one in value)
    return "–" if value in (None, "") else str(value)


def tell_undone(undone: RefreshUndone) -> None:
    from setup_tool import show
    from setup_tool.fix_library_covers import tell_cloud

    console = show.out()
    for failure in undone.failed[:MOST_SHOWN]:
        console.print(show.mark("fail"), show.text(f"{failure.path}: {failure.message}"))
    tell_cloud(undone.cloud)
    same = f" {show.count(undone.untouched, 'file')} said it already." if undone.untouched else ""
    console.print(show.mark("warn" if undone.failed else "ok"),
                  show.text(f"{show.count(undone.changed, 'file')} say again what they said.{same}"))
