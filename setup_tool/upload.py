"""`upload`: copy music to a bucket, in parallel, never twice; cut off anywhere, the next one goes on there."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setup_tool.albums import album_ids
from setup_tool.cli import PROGRAM, Context, command, shared_options
from shared.model.errors import NotFound, SoundsibleError
from shared.model.filepath import to_text

if TYPE_CHECKING:
    from shared.cloud.plan import Plan
    from shared.cloud.uploads import UploadReport, Uploads
    from shared.model.cloud import Provider
    from shared.station import Station

MOST_SHOWN = 20


@command("upload\nupload ~/Music/Jazz --provider r2 --dry-run\nupload --compress opus:128 --workers 8")
@click.argument("paths", nargs=-1, metavar="[PATH]…", type=click.Path(path_type=Path))
@click.option("--album", "albums", multiple=True, metavar="ALBUM",
              help="An album by its id or title; may be given several times.")
@click.option("--track", "tracks", multiple=True, metavar="ID", help="A track by its id; likewise.")
@click.option("--all", "everything", is_flag=True, help="The whole library; so too when nothing is named.")
@click.option("--provider", metavar="NAME", help="Which storage; else the setting cloud_provider, else the first.")
@click.option("--compress", metavar="KIND", help="Make copies smaller: mp3:320, opus:128 …; none: bit for bit, "
              "whatever the setting cloud_compress says.")
@click.option("--workers", type=click.IntRange(1, 32), metavar="N",
              help="Files, or parts of large ones, at the same time; else the setting upload_workers.")
@click.option("--dry-run", is_flag=True, help="Say what would be uploaded; change nothing.")
@shared_options
def run(paths: tuple[Path, ...], albums: tuple[str, ...], tracks: tuple[str, ...], everything: bool,
        provider: str | None, compress: str | None, workers: int | None, dry_run: bool, *, context: Context) -> None:
    """Copy music to a bucket.

    PATH is a file or a folder of the library. What lies there already is not sent again, also when the library was
    lost; a file that changed since takes the place of its older copy. Each copy is compared with what was sent before
    it counts. Ctrl-C ends it; the next one goes on where it was.
    """
    from setup_tool import show
    from setup_tool.rooms import rooms
    from setup_tool.working import working
    from setup_tool.workshop import Workshop
    from shared.cloud.uploads import UploadStopped
    from shared.model.work import Stopped

    with rooms(context.load_settings()) as station:
        uploads = Workshop(station).uploads
        settings = station.settings
        to = storage(uploads, provider)
        smaller = kind(compress, settings.cloud_compress)
        albums = album_ids(station, albums)
        wanted, whole = named(station, paths, albums, tracks, everything)
        stopped, missing, plan, report = False, 0, None, None
        with working("Looking", context) as work:
            try:
                plan = uploads.plan(wanted, provider=to, compress=smaller, work=work)
                if whole:
                    plan, missing = without_missing(plan)
                report = uploads.foreseen(plan) if dry_run else uploads.run(plan, work=work, workers=workers)
            except UploadStopped as ended:
                stopped, report = True, ended.report
            except Stopped:
                stopped = True
    if report is None or plan is None:
        raise click.Abort
    if context.json:
        show.document(document(report, plan, missing=missing, stopped=stopped))
    else:
        tell(report, missing=missing, stopped=stopped)
    if stopped or report.failed or report.not_tried:
        raise click.exceptions.Exit(1)


def storage(uploads: Uploads, name: str | None) -> Provider:
    """The storage that is meant. Raises NotFound, SealedElsewhere."""
    if name:
        return uploads.providers.named(name)    # type: ignore[no-any-return]
    found: Provider | None = uploads.providers.default()
    if found is not None:
        return found
    for _, why in uploads.providers.broken():
        raise SoundsibleError(why)
    wanted = uploads.settings.cloud_provider
    if wanted:
        return uploads.providers.named(wanted)  # type: ignore[no-any-return]
    raise NotFound(f"There is no storage yet. Add one: {PROGRAM} storage add r2|b2|s3|other")


def kind(given: str | None, setting: str) -> str:
    """What copies are made smaller to; "" for nothing. Raises click.BadParameter."""
    from shared.settings import rows

    if given is None:
        return setting
    if given.strip().lower() in ("", "none", "no"):
        return ""
    parse = next(row.metadata["parse"] for row in rows() if row.name == "cloud_compress")
    try:
        return str(parse(given))
    except ValueError:
        raise click.BadParameter(f"{given} is not known; it is {parse.__doc__}.", param_hint="--compress") from None


def named(station: Station, paths: tuple[Path, ...], albums: tuple[str, ...], tracks: tuple[str, ...],
          everything: bool) -> tuple[list[str], bool]:
    """The tracks that are meant, in the library's order, and whether that is all of it. Raises NotFound."""
    copies = station.copies
    if everything or not (paths or albums or tracks):
        return copies.track_uids(everything=True), True
    found: list[str] = []
    for path in paths:
        whole = os.path.normpath(path.expanduser().absolute())
        there = copies.track_uids(paths=[whole]) or copies.track_uids(paths=[os.path.realpath(whole)])
        if not there:
            raise NotFound(f"No track of the library lies at {to_text(whole)}. Look it through first: "
                           f"{PROGRAM} scan {to_text(str(path))}")
        found += there
    for album in albums:
        found += copies.track_uids(album=album)
    known = {one.track_id for one in copies.sources(tracks)}
    for track in tracks:
        if track not in known:
            raise NotFound(f"There is no track {track} in the library.")
        found.append(track)
    return list(dict.fromkeys(found)), False


def without_missing(plan: Plan) -> tuple[Plan, int]:
    """`plan` without the tracks that the library knows to be missing: when all of it is meant, they are no failure.
    And how many they are."""
    kept = tuple(one for one in plan.items if not (one.reason == "missing" and one.file.missing))
    return replace(plan, items=kept), len(plan.items) - len(kept)


def document(report: UploadReport, plan: Plan, *, missing: int, stopped: bool) -> dict[str, Any]:
    import msgspec

    told: dict[str, Any] = msgspec.to_builtins(report)
    told |= {"compress": plan.compress, "missing": missing, "stopped": stopped}
    if report.dry_run:
        told["items"] = [
            {"track_id": one.file.track_id, "path": to_text(one.file.path), "action": one.action, "bytes": one.bytes,
             "compression": one.compression} for one in plan.items if one.sends]
    return told


def tell(report: UploadReport, *, missing: int, stopped: bool) -> None:
    from setup_tool import show

    console = show.out()
    about = "about " if report.about else ""
    size = f" ({about}{show.size(report.bytes)})" if report.bytes else ""
    did = "would be uploaded" if report.dry_run else "uploaded"
    parts = [f"{show.count(report.uploaded, 'track')} {did} to {report.provider}{size}"]
    if report.skipped:
        parts.append(f"{report.skipped:,} there already")
        if not report.uploaded and not report.replaced and not report.failed and not report.not_tried:
            parts = [f"Nothing to upload to {report.provider}: {report.skipped:,} there already"]
    if report.replaced:
        parts.append(f"{report.replaced:,} in the place of an older copy")
    console.print(show.mark("ok"), show.text(", ".join(parts) + "."))
    if missing:
        console.print(show.mark("note"), show.text(f"{show.count(missing, 'track')} of the library are not on this "
                                                   "machine."))
    if report.failed:
        console.print(show.mark("fail"), show.text(f"{show.count(len(report.failed), 'track')} cannot go:"
                                                   if report.dry_run else
                                                   f"{show.count(len(report.failed), 'track')} did not go:"))
        console.print(show.table("why", "file", wide=("why", "file"), quiet=("why",), rows=[
            (one.message, one.path) for one in report.failed[:MOST_SHOWN]]))
        if len(report.failed) > MOST_SHOWN:
            console.print(show.text(f"and {len(report.failed) - MOST_SHOWN:,} more", show.QUIET))
    if report.ended_by:
        console.print(show.mark("fail"), show.text(f"Ended early: {report.ended_by}"))
    if report.not_tried:
        console.print(show.mark("note"), show.text(
            f"{show.count(report.not_tried, 'track')} not tried{' (stopped)' if stopped else ''}; the next upload goes "
            "on there."))
