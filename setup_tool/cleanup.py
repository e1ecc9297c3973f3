"""`cleanup`: find what nothing refers to any more, move it to the trash; take that back; empty the trash."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from setup_tool.cli import PROGRAM, Context, command, confirm, shared_options
from shared.upkeep.leftovers import KINDS

if TYPE_CHECKING:
    from shared.station import Station
    from shared.upkeep.cleanup import CleanedUp, Cleanup, Undone
    from shared.upkeep.leftovers import Leftover
    from shared.upkeep.trash import Emptied, OldTrash, Trash

MOST_SHOWN = 20
_MANY = 100         # steps that --list shows


@command("cleanup --dry-run\ncleanup --only rows --only covers --yes\ncleanup --undo\ncleanup --empty-trash")
@click.option("--only", "kinds", multiple=True, type=click.Choice(list(KINDS)), metavar="KIND",
              help=f"Only this kind; may be given several times: {', '.join(KINDS)}.")
@click.option("--dry-run", is_flag=True, help="Say what would be moved; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--undo", is_flag=False, flag_value="last", metavar="[STEP]",
              help="Bring back what the last clean-up, or STEP, moved.")
@click.option("--list", "listing", is_flag=True, help="Only say which clean-ups can be undone.")
@click.option("--empty-trash", is_flag=True, help="Remove for ever what has been in the trash long enough.")
@click.option("--days", type=click.IntRange(0, 3650), metavar="N",
              help="With --empty-trash: how long that is; else the setting trash_days.")
@shared_options
def run(kinds: tuple[str, ...], dry_run: bool, yes: bool, undo: str | None, listing: bool, empty_trash: bool,
        days: int | None, *, context: Context) -> None:
    """Find what nothing refers to any more, and move it to the trash.

    That is: tracks whose file is in none of the three places, cached tracks and covers that nothing refers to,
    left-overs of downloads and uploads, and objects in buckets without a track. A music folder that is offline, or a
    storage that does not answer, is never a reason to remove anything.
    What came lately may be in the making still, and stays, which is said.

    All of it can be undone (--undo) until the trash is emptied. --empty-trash cannot be undone.
    """
    from setup_tool.rooms import rooms
    from setup_tool.workshop import Workshop

    if sum((undo is not None, empty_trash, listing)) > 1:
        raise click.UsageError("--undo, --list and --empty-trash do not go together.")
    if kinds and (undo is not None or empty_trash):
        raise click.UsageError("--only is for finding: it does not go with --undo or --empty-trash.")
    if days is not None and not empty_trash:
        raise click.UsageError("--days is for --empty-trash.")
    with rooms(context.load_settings()) as station:
        if listing:
            tell_steps(station, context)
        elif undo is not None:
            take_back(Workshop(station).cleanup, undo, dry_run, context)
        elif empty_trash:
            wanted = station.settings.trash_days if days is None else days
            empty(Workshop(station).trash, wanted, dry_run, yes, context)
        else:
            clean(station, kinds or tuple(KINDS), dry_run, yes, context)


# ---- cleaning up -------------------------------------------------------------------------------------------------


def clean(station: Station, kinds: Sequence[str], dry_run: bool, yes: bool, context: Context) -> None:
    from setup_tool import show
    from setup_tool.working import working
    from setup_tool.workshop import Workshop
    from shared.model.work import Stopped
    from shared.upkeep.cleanup import said

    cleanup = Workshop(station).cleanup
    with working("Looking for left-overs", context) as work:
        try:
            found = cleanup.find(kinds, work=work)
        except Stopped:
            raise click.Abort from None
    if dry_run:
        if context.json:
            show.document({"dry_run": True, **document(station, found)})
        else:
            tell_found(station, found)
        return
    if not context.json:
        tell_found(station, found)
    if not len(found):
        if context.json:
            show.document({"step": None, **document(station, found), "left": []})
        return
    if not yes:
        confirm(f"Move {said(found)} to the trash?" if said(found) != "nothing" else "Put this in order?")
    with working("Moving to the trash", context) as work:
        try:
            done = cleanup.run(found, work=work)
        except Stopped:
            show.aside().print(show.text(f"Stopped. What was moved comes back with: {PROGRAM} cleanup --undo"))
            raise click.exceptions.Exit(1) from None
    if context.json:
        show.document({"step": done.step, **document(station, done.moved), "left": done.left})
    else:
        tell_done(done)
    if done.left:
        raise click.exceptions.Exit(1)


def document(station: Station, found: Leftover) -> dict[str, Any]:
    """What outside programs read; paths are whole."""
    own = {"data": station.settings.data_dir, "cache": station.settings.cache_dir}
    return {
        "rows": found.rows,
        "files": [{"kind": one.kind, "path": f"{own.get(one.place, one.place)}/{one.path}",
                   "size_bytes": one.size_bytes, "why": one.why} for one in found.files],
        "objects": [{"provider": one.provider, "key": one.key, "size_bytes": one.size_bytes, "why": one.why}
                    for one in found.objects],
        "bytes": found.bytes,
        "copies": found.copies,
        "uploads": [{"provider": one.provider, "key": one.key} for one in found.uploads],
        "spared": found.spared,
    }


def tell_found(station: Station, found: Leftover) -> None:
    from setup_tool import show

    console = show.out()
    rows: list[tuple[object, ...]] = []
    if found.rows:
        rows.append((show.number(len(found.rows)), "", KINDS["rows"]))
    for kind in ("cache", "covers", "staging"):
        its = [one for one in found.files if one.kind == kind]
        if its:
            rows.append((show.number(len(its)), show.size(sum(one.size_bytes for one in its)), KINDS[kind]))
    if found.uploads:
        rows.append((show.number(len(found.uploads)), "", "uploads in parts that nothing will finish; they are ended"))
    if found.objects:
        rows.append((show.number(len(found.objects)), show.size(sum(one.size_bytes for one in found.objects)),
                     "objects in buckets that nothing refers to"))
    if found.copies:
        rows.append((show.number(len(found.copies)), "", "copies whose object is gone; they no longer count"))
    if found.stale:
        rows.append((show.number(len(found.stale)), "", "cached tracks whose file is gone; they are forgotten"))
    if rows:
        console.print(show.table("found", "size", "what", right=("found", "size"), wide=("what",), rows=rows))
    else:
        console.print(show.mark("ok"), show.text("Nothing is left over."))
    examples = [f"{one.root}/{one.path}" for one in found.rows] + [one.path for one in found.files] + [
        f"{one.provider}:{one.key}" for one in found.objects]
    for example in examples[:MOST_SHOWN]:
        console.print(show.text(f"  {example}", show.QUIET))
    if len(examples) > MOST_SHOWN:
        console.print(show.text(f"  and {len(examples) - MOST_SHOWN:,} more ({PROGRAM} cleanup --dry-run --json lists "
                                "all)", show.QUIET))
    for spared in found.spared:
        console.print(show.mark("note"), show.text(f"{spared.what}: {spared.why}"))


def tell_done(done: CleanedUp) -> None:
    from setup_tool import show
    from shared.upkeep.cleanup import said

    console = show.out()
    moved = done.moved
    if done.step is not None:
        size = f" ({show.size(moved.bytes)})" if moved.bytes else ""
        told = said(moved)
        console.print(show.mark("ok"), show.text(f"{told[0].upper()}{told[1:]} moved to the trash{size}."))
        console.print(show.text(f"Take it back: {PROGRAM} cleanup --undo", show.QUIET))
        if moved.bytes:
            console.print(show.text(f"The room is free once the trash is emptied: {PROGRAM} cleanup --empty-trash",
                                    show.QUIET))
    else:
        console.print(show.mark("ok"), show.text("Put in order."))
    tell_left(done.left, "was left")


def tell_left(left: list[dict[str, str]], what: str) -> None:
    from setup_tool import show

    console = show.out()
    for one in left[:MOST_SHOWN]:
        console.print(show.mark("warn"), show.text(f"{one['what']} {what}: {one['why']}"))
    if len(left) > MOST_SHOWN:
        console.print(show.text(f"and {len(left) - MOST_SHOWN:,} more", show.QUIET))


# ---- taking it back ----------------------------------------------------------------------------------------------


def take_back(cleanup: Cleanup, wanted: str, dry_run: bool, context: Context) -> None:
    from setup_tool import show
    from setup_tool.working import working
    from shared.model.errors import NotFound
    from shared.model.work import Stopped

    last = cleanup.last()
    if wanted == "last" and last is None:
        raise NotFound("There is no clean-up that could be undone.")
    step = last.id if wanted == "last" and last is not None else wanted
    if dry_run:
        info = cleanup.step(step)
        if context.json:
            show.document({"dry_run": True, "step": info})
        else:
            show.out().print(show.mark("note"), show.text(f"Would be brought back: {info.summary}."))
        return
    with working("Bringing back", context) as work:
        try:
            undone = cleanup.undo(step, work=work)
        except Stopped:
            show.aside().print(show.text(f"Stopped on the way. Go on with: {PROGRAM} cleanup --undo {step}"))
            raise click.exceptions.Exit(1) from None
    if context.json:
        show.document(undone)
    else:
        tell_undone(undone)
    if undone.left:
        raise click.exceptions.Exit(1)


def tell_undone(undone: Undone) -> None:
    from setup_tool import show

    told = [show.count(amount, word, many) for amount, word, many in (
        (undone.rows, "track", None), (undone.files, "file", None), (undone.objects, "object", None),
        (undone.copies, "copy", "copies")) if amount]
    show.out().print(show.mark("ok"), show.text(f"{', '.join(told) or 'Nothing'} brought back."))
    tell_left(undone.left, "did not come back")
    if undone.left:
        show.out().print(show.text(f"Try again: {PROGRAM} cleanup --undo {undone.step}", show.QUIET))


def tell_steps(station: Station, context: Context) -> None:
    from setup_tool import show
    from setup_tool.workshop import Workshop
    from shared.upkeep.cleanup import COMMAND

    steps = [one for one in Workshop(station).journal.list(COMMAND, limit=_MANY) if one.state != "undone"]
    if context.json:
        show.document({"items": steps})
    elif not steps:
        show.out().print(show.text("There is no clean-up that could be undone.", show.QUIET))
    else:
        show.out().print(show.table("step", "when", "moved", wide=("moved",), rows=[
            (one.id, time.strftime("%Y-%m-%d %H:%M", time.localtime(one.created_at)),
             f"{one.summary}{'' if one.state == 'done' else ' (cut off)'}") for one in steps]))


# ---- emptying ----------------------------------------------------------------------------------------------------


def empty(trash: Trash, days: int, dry_run: bool, yes: bool, context: Context) -> None:
    from setup_tool import show
    from setup_tool.working import working
    from shared.model.work import Stopped

    with working("Looking through the trash", context) as work:
        try:
            found = trash.find(days, work=work)
        except Stopped:
            raise click.Abort from None
    if dry_run and context.json:
        show.document({"dry_run": True, **emptied_document(found)})
    elif not context.json:
        tell_trash(found, days)
    if dry_run:
        return
    if not len(found):
        if context.json:
            show.document({**emptied_document(found), "left": []})
        return
    if not yes:
        confirm("Remove this for ever? It cannot be undone.")
    with working("Emptying the trash", context) as work:
        try:
            done = trash.empty(found, work=work)
        except Stopped:
            show.aside().print(show.text("Stopped. What was not reached is still in the trash."))
            raise click.exceptions.Exit(1) from None
    if context.json:
        show.document({**emptied_document(done.gone), "left": done.left})
    else:
        tell_emptied(done)
    if done.left:
        raise click.exceptions.Exit(1)


def emptied_document(found: OldTrash) -> dict[str, Any]:
    return {"rows": found.rows, "files": found.files, "objects": found.objects, "bytes": found.bytes,
            "steps": found.steps, "spared": found.spared}


def tell_trash(found: OldTrash, days: int) -> None:
    from setup_tool import show

    console = show.out()
    if len(found):
        told = ", ".join(show.count(len(them), word) for them, word in (
            (found.rows, "track"), (found.files, "folder"), (found.objects, "object")) if them)
        console.print(show.text(f"In the trash for {show.count(days, 'day')} or longer: {told}, "
                                f"{show.size(found.bytes)}."))
        if found.steps:
            console.print(show.mark("warn"), show.text(
                f"{show.count(len(found.steps), 'step')} of maintenance can no longer be undone then."))
    else:
        console.print(show.mark("ok"), show.text(f"Nothing has been in the trash for {show.count(days, 'day')}."))
    for spared in found.spared:
        console.print(show.mark("note"), show.text(f"{spared.what}: {spared.why}"))


def tell_emptied(done: Emptied) -> None:
    from setup_tool import show

    show.out().print(show.mark("ok"), show.text(f"{show.size(done.gone.bytes)} are free again."))
    tell_left(done.left, "could not be removed")
