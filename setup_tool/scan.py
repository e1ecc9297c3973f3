"""`scan`: look through the music folders; follows the scan that is running when the station scans already."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from setup_tool.cli import PROGRAM, Context, command, shared_options

if TYPE_CHECKING:
    from shared.model.scan import ScanReport
    from shared.records.scans import Root
    from shared.station import Station

LOOK_S = 0.15
PHASES = {"walk": "Looking through the folders", "read": "Reading tags", "settle": "Putting things in order",
          "hash": "Reading every byte"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldChange:
    """What a scan of one folder would find, going by names, sizes and times."""

    root: str
    state: str              # online, or why nothing can be said
    found: int = 0
    new: int = 0
    changed: int = 0
    missing: int = 0
    returned: int = 0


@command("scan\nscan ~/Music --deep\nscan --dry-run")
@click.argument("roots", nargs=-1, metavar="[FOLDER]…", type=click.Path(path_type=Path))
@click.option("--deep", is_flag=True, help="Read every byte: find duplicates and damaged files. Takes long.")
@click.option("--dry-run", is_flag=True, help="Say what is new, changed or gone; read no tags, write nothing.")
@shared_options
def run(roots: tuple[Path, ...], deep: bool, dry_run: bool, *, context: Context) -> None:
    """Look through the music folders and take up what is new, changed, moved or gone.

    Without FOLDER all of them. A folder that is not yet one of the music folders becomes one. Ctrl-C ends the scan;
    the next one goes on where it was.
    """
    from setup_tool import show
    from setup_tool.rooms import rooms
    from shared.model.filepath import to_text

    given = [os.path.normpath(root.expanduser().absolute()) for root in roots]
    wanted = [to_text(path) for path in given]
    with rooms(context.load_settings(), make=bool(roots) and not dry_run) as station:
        known = {root.path for root in station.scans.roots()}
        if dry_run:
            would = list(foresee(station, wanted))
            if context.json:
                show.document({"dry_run": True, "items": would})
            else:
                print_foreseen(would)
            return
        for number, path in enumerate(given):
            if wanted[number] not in known:
                wanted[number] = station.shelf.add_root(path).path
                station.audit.write("folders_changed", subject=wanted[number], what="added")
                show.aside().print(show.mark("ok"), show.text(f"{wanted[number]} is one of the music folders now."))
        if not wanted and not known:
            raise click.UsageError(f"There is no music folder yet. Name one: {PROGRAM} scan ~/Music")
        report = follow(station, wanted, deep)
    if context.json:
        show.document(report)
    else:
        print_report(report)
    if report.state != "done":
        raise click.exceptions.Exit(1)


def follow(station: Station, roots: list[str], deep: bool) -> ScanReport:
    """Start a scan, or join the one that runs, and show it until it ends. Ctrl-C stops it, when it is this one's."""
    from setup_tool import show

    try:
        report: ScanReport = station.scanning.start(roots=roots or None, deep=deep)
        with show.bar() as bar:
            task = bar.add_task(PHASES["walk"], total=None, told="")
            while report.state == "running":
                time.sleep(LOOK_S)
                report = station.scanning.progress()
                walking = report.phase in (None, "walk")
                bar.update(
                    task, description=PHASES.get(report.phase or "walk", "Scanning"),
                    total=None if walking or not report.found else report.found,
                    completed=report.found if walking else min(report.read, report.found),
                    told=show.count(report.found, "file") if walking else f"{report.read:,} of {report.found:,}",
                )
    finally:
        station.scanning.stop()
    return report


def print_report(report: ScanReport) -> None:
    from setup_tool import show

    console = show.out()
    if report.state == "failed":
        console.print(show.mark("fail"), show.text(report.message or "The scan failed; the station's log tells why."))
    else:
        told = [f"{getattr(report, word):,} {word}" for word in ("added", "changed", "moved", "missing")
                if getattr(report, word)]
        console.print(show.mark("ok"), show.text(f"{show.count(report.found, 'file')}: "
                                                 f"{', '.join(told) or 'nothing new'}."))
    for path in report.offline:
        console.print(show.mark("warn"), show.text(f"{path} does not answer or is empty; its tracks are kept."))
    if report.duplicates:
        console.print(show.mark("note"), show.text(f"{show.count(len(report.duplicates), 'group')} of tracks have the "
                                                   f"same content."))
    if report.damaged:
        console.print(show.mark("warn"), show.text(f"{show.count(len(report.damaged), 'FLAC file')} do not fit their "
                                                   f"own checksum."))
    print_bad(report)


def print_bad(report: ScanReport, most: int = 20) -> None:
    """The files that cannot be read, with their reasons."""
    from setup_tool import show

    if not report.bad:
        return
    console = show.out()
    console.print(show.mark("warn"), show.text(f"{show.count(len(report.bad), 'file')} cannot be read:"))
    console.print(show.table("why", "file", wide=("file",), quiet=("why",), rows=[
        (one.reason.replace("_", " "), one.path) for one in report.bad[:most]
    ]))
    if len(report.bad) > most:
        console.print(show.text(f"and {len(report.bad) - most:,} more ({PROGRAM} status --json lists all)", show.QUIET))


# ---- without changing anything -----------------------------------------------------------------------------------


def foresee(station: Station, wanted: list[str]) -> Iterable[WouldChange]:
    """Walk and compare, as a scan does, without reading tags or writing."""
    from shared.records.scans import Root

    known = station.scans.roots()
    for root in known:
        if not wanted or root.path in wanted:
            yield foresee_one(station, root, [one.path for one in known if one.path != root.path])
    for path in wanted:
        if path not in {root.path for root in known}:
            yield foresee_one(station, Root(-1, path, len(known)), [root.path for root in known])


def foresee_one(station: Station, root: Root, others: list[str]) -> WouldChange:
    from setup_tool import show
    from shared.library.compare import Comparison
    from shared.library.walk import Walk
    from shared.model.filepath import to_path

    state = station.access.probe(to_path(root.path))
    if state != "online":
        return WouldChange(root=root.path, state=state)
    comparison = Comparison(
        station.scans.known(root.id), bad=station.scans.bad(root.id), pictures=station.scans.pictures(root.id)
    )
    own = station.settings
    walk = Walk(to_path(root.path), others=[to_path(one) for one in others],
                closed=[own.config_dir, own.data_dir, own.cache_dir])
    new = changed = returned = 0
    with show.bar() as bar:
        task = bar.add_task(f"Looking through {show.plain(root.path)}", total=None, told="")
        for folder in walk:
            if differences := comparison.folder(folder):
                new += len(differences.new)
                changed += len(differences.changed)
                returned += len(differences.returned)
            bar.update(task, told=show.count(comparison.found, "file"))
    return WouldChange(root=root.path, state=state, found=comparison.found, new=new, changed=changed,
                       returned=returned, missing=len(comparison.gone(walk.unreadable)))


def print_foreseen(would: list[WouldChange]) -> None:
    from setup_tool import show

    console = show.out()
    if not would:
        console.print(show.text(f"There is no music folder yet. Name one: {PROGRAM} scan ~/Music", show.QUIET))
        return
    console.print(show.table(
        "folder", "files", "new", "changed", "gone", right=("files", "new", "changed", "gone"), wide=("folder",),
        rows=[
            (one.root, show.number(one.found), show.number(one.new + one.returned), show.number(one.changed),
             show.number(one.missing))
            if one.state == "online" else (show.text(f"{one.root} ({one.state})", show.UNSURE), "–", "–", "–", "–")
            for one in would
        ],
    ))
    if any(one.new and one.missing for one in would):
        console.print(show.text("Moved files count as new and gone here; a scan recognises them.", show.QUIET))
