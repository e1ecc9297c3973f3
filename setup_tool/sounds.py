"""`sounds`: listen to the library now, so that what sounds alike can be found."""

from __future__ import annotations

from dataclasses import asdict

import click

from setup_tool.cli import Context, command, shared_options


@command("sounds\nsounds --limit 500\nsounds --dry-run --json")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many tracks; the next run goes on.")
@click.option("--dry-run", is_flag=True, help="Say how much of the library is known by its sound; listen to nothing.")
@shared_options
def run(limit: int | None, dry_run: bool, *, context: Context) -> None:
    """Listen to all tracks that were not listened to yet, or whose files changed.

    The station does the same by itself in the night (setting sonic_analysis). Ctrl-C ends it; what was heard is kept.
    """
    from setup_tool import show
    from setup_tool.rooms import rooms
    from setup_tool.working import working
    from shared.library.sounding import Report

    with rooms(context.load_settings()) as station:
        report = Report()
        if not dry_run:
            with working("Listening", context) as work:
                report = station.sounding.listen(work=work, limit=limit, at_once=station.listeners.size)
        coverage = station.sounding.coverage()
    if context.json:
        show.document({**asdict(report), "dry_run": dry_run, "library": asdict(coverage)})
    else:
        console = show.out()
        if not dry_run:
            told = [f"{show.count(report.heard, 'track')} listened to"]
            if report.unheard:
                told.append(f"{report.unheard:,} cannot be")
            if report.away:
                told.append(f"{report.away:,} not on this machine, or not to be reached now")
            console.print(show.mark("ok"), show.text(", ".join(told) + "."))
        console.print(show.mark("note"), show.text(
            f"{coverage.known:,} of {show.count(coverage.tracks, 'track')} are known by their sound."))
        if report.stopped:
            console.print(show.mark("note"), show.text("Stopped; the next one goes on there."))
    if report.stopped:
        raise click.exceptions.Exit(1)
