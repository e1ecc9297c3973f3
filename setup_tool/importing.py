"""`import`: take over what an export of this or another station holds, for one person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from setup_tool.cli import Context, command, shared_options

if TYPE_CHECKING:
    from shared.library.belongings import ImportReport

KINDS = ("playlists", "favourites", "ratings", "plays")     # shared.library.belongings.KINDS, which costs an import
SHOWN = 20


@command("import ann.soundsible.json --user ann --dry-run\nimport ann.soundsible.json --user ann --what playlists")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--user", required=True, metavar="NAME", help="Whose things they become.")
@click.option("--what", "kinds", multiple=True, type=click.Choice(KINDS, case_sensitive=False),
              help="Only these; may be given several times.")
@click.option("--dry-run", is_flag=True, help="Say what would come of it; change nothing.")
@shared_options
def run(file: Path, user: str, kinds: tuple[str, ...], dry_run: bool, *, context: Context) -> None:
    """Take over playlists, favourites, ratings and plays from a file that `export listening`, or the player, wrote.

    Tracks are found by their id, ISRC or MusicBrainz recording, else by title, artist and length. What is there already
    stays: a second time changes nothing.
    """
    import msgspec

    from setup_tool import show
    from setup_tool.export import people
    from setup_tool.rooms import rooms
    from shared.library.belongings import DOCUMENT_BYTES, read
    from shared.model.errors import BadInput, SoundsibleError

    try:
        with file.open("rb") as opened:
            text = opened.read(DOCUMENT_BYTES + 1)
    except OSError as error:
        raise SoundsibleError(f"{file} cannot be read: {error.strerror}.") from error
    if len(text) > DOCUMENT_BYTES:
        raise BadInput(f"{file} is larger than {show.size(DOCUMENT_BYTES)}; that is no export of one person's things.")
    document = read(text)
    with rooms(context.load_settings()) as station:
        (person,) = people(station, user)
        report = station.belongings.take(person, document, what=kinds or KINDS, dry_run=dry_run)
    if context.json:
        show.document(msgspec.to_builtins(report))
        return
    tell(report, user)


def tell(report: ImportReport, user: str) -> None:
    from setup_tool import show

    console = show.out()
    made = report.playlists
    console.print(show.mark("note" if report.dry_run else "ok"), show.text(
        f"{user} {'would get' if report.dry_run else 'got'} {show.count(made.made, 'playlist')} "
        f"({made.updated:,} more filled up, {made.same:,} the same), {show.count(report.ratings, 'rating')}, "
        f"{show.count(report.favourites, 'favourite')} and {show.count(report.plays, 'play')}."))
    if report.missing:
        console.print(show.mark("warn"), show.text(
            f"{show.count(report.missing, 'track')} of the document {'is' if report.missing == 1 else 'are'} not in "
            "this library:"))
        for one in report.not_found[:SHOWN]:
            console.print(show.text(f"  {one.artist or '?'} – {one.title or one.id or '?'}", show.QUIET))
        if report.missing > SHOWN:
            console.print(show.text(f"  and {report.missing - SHOWN:,} more", show.QUIET))
