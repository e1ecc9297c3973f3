"""`export`: playlists and the library as JSON or M3U8 files, people's own things as documents that `import` takes."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setup_tool.cli import Context, command, shared_options
from shared.library import playlist_files
from shared.library.playlist_files import encoded, file_stem, free_name

if TYPE_CHECKING:
    from shared.model.person import Person
    from shared.model.track import PlaylistWhole, Track
    from shared.station import Station

PAGE = 500
WHAT = ("playlists", "library", "listening", "all")
FORMATS = ("m3u8", "json")


@command("export playlists --to ~/Playlists\nexport library --to /backup --format json\n"
         "export listening --user ann --to /backup\n"
         "export all --to /backup --format json --dry-run")
@click.argument("what", type=click.Choice(WHAT, case_sensitive=False))
@click.option("--to", "folder", required=True, metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False),
              help="Where the files go; made when it is not there.")
@click.option("--format", "form", type=click.Choice(FORMATS, case_sensitive=False), default="m3u8", show_default=True)
@click.option("--user", metavar="NAME", help="Only this person's; else everybody's.")
@click.option("--dry-run", is_flag=True, help="Say which files would be written; write nothing.")
@shared_options
def run(what: str, folder: Path, form: str, user: str | None, dry_run: bool, *, context: Context) -> None:
    """Write playlists, listening or the library to files that other programs read.

    `listening` is a person's own playlists, favourites, ratings and plays in one document, for `import` here or on
    another station; one for each person. `all` is playlists and library. M3U8 lists name the music files by their whole
    path. JSON has the fields of the API. Files of the same name are replaced.
    """
    from setup_tool import show
    from setup_tool.rooms import rooms

    folder = folder.expanduser().absolute()
    with rooms(context.load_settings()) as station:
        written = [
            write(folder / name, chunks, dry_run) for name, chunks in files(station, what, form, user)
        ]
    if context.json:
        show.document({"dry_run": dry_run, "folder": str(folder), "files": written})
        return
    console = show.out()
    if not written:
        console.print(show.text("There is nothing to export.", show.QUIET))
        return
    console.print(show.mark("note" if dry_run else "ok"), show.text(
        f"{show.count(len(written), 'file')} {'would go' if dry_run else 'written'} to {folder}"))
    console.print(show.table("file", "size", right=("size",), wide=("file",), rows=[
        (one["name"], show.size(one["size_bytes"])) for one in written
    ]))


def files(station: Station, what: str, form: str, user: str | None) -> Iterator[tuple[str, Iterator[str]]]:
    """(file name, its text piece by piece) of everything that was asked for; names are safe and differ."""
    taken: set[str] = set()
    if what in ("library", "all"):
        taken.add(f"library.{form}")
        yield f"library.{form}", library_json(station) if form == "json" else library_m3u8(station)
    if what == "listening":
        for person in people(station, user):
            yield free_name(file_stem(person.username), ".soundsible.json", taken), listening(station, person)
    if what in ("playlists", "all"):
        for person in people(station, user):
            for playlist in playlists(station, person):
                stem = file_stem(f"{playlist.name} ({playlist.owner})" if user is None else playlist.name)
                name = free_name(stem, f".{form}", taken)
                yield name, playlist_json(playlist) if form == "json" else m3u8(station, playlist.name, playlist.tracks)


# ---- what is exported --------------------------------------------------------------------------------------------


def people(station: Station, user: str | None) -> list[Person]:
    """Everybody, or the one named, seen as somebody who may see files."""
    from setup_tool.users import named
    from shared.model.person import Person

    users = station.people.users() if user is None else [
        one for one in station.people.users() if one.uid == named(station, user).id]
    return [Person(user_id=one.id, id=one.uid, username=one.username, role="owner") for one in users]


def playlists(station: Station, person: Person) -> Iterator[PlaylistWhole]:
    """The person's own, whole."""
    cursor = None
    while True:
        page = station.playlists.list(person, limit=PAGE, cursor=cursor)
        for one in page.items:
            if one.owner == person.username:
                yield station.playlists.get(person, one.id)
        cursor = page.next_cursor
        if cursor is None:
            return


def tracks(station: Station) -> Iterator[Track]:
    """All of the library, page by page."""
    from shared.model.track import Filters
    from shared.security.accounts import OPERATOR

    cursor = None
    while True:
        page = station.tracks.list(OPERATOR, filters=Filters(), sort="artist", limit=PAGE, cursor=cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def library_json(station: Station) -> Iterator[str]:
    import msgspec

    from setup_tool import show
    from shared import __version__

    yield f'{{"soundsible": {json.dumps(__version__)}, "exported_at": {json.dumps(show.now())}, "tracks": ['
    between = "\n"
    for track in tracks(station):
        yield between + msgspec.json.encode(track).decode("utf-8")
        between = ",\n"
    yield "\n]}\n"


def library_m3u8(station: Station) -> Iterator[str]:
    return m3u8(station, "Library", tracks(station))


def playlist_json(playlist: PlaylistWhole) -> Iterator[str]:
    import msgspec

    yield msgspec.json.format(msgspec.json.encode(playlist), indent=2).decode("utf-8") + "\n"


def listening(station: Station, person: Person) -> Iterator[str]:
    """The person's own things as `import` takes them."""
    import msgspec

    yield msgspec.json.format(msgspec.json.encode(station.belongings.document(person)), indent=1).decode("utf-8") + "\n"


def m3u8(station: Station, name: str, listed: Any) -> Iterator[str]:
    """An extended M3U. A track whose file is not known at all is left out."""
    return playlist_files.m3u8(name, entries(station, listed))


def entries(station: Station, listed: Any) -> Iterator[tuple[int, str, str, str]]:
    from shared.model.errors import NotFound

    for track in listed:
        try:
            file = station.tracks.file_of(track.id)
        except NotFound:
            continue
        yield track.duration_ms, track.artist, track.title, os.path.join(file.root, file.path)


# ---- how it is written -------------------------------------------------------------------------------------------


def write(target: Path, chunks: Iterator[str], dry_run: bool) -> dict[str, Any]:
    """All of `chunks` into `target`, or nothing: beside it first, then in its place. `dry_run` only counts."""
    size_bytes = 0
    if dry_run:
        size_bytes = sum(len(encoded(chunk)) for chunk in chunks)
        return {"name": target.name, "size_bytes": size_bytes}
    from shared.model.errors import SoundsibleError

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, beside = tempfile.mkstemp(dir=target.parent, prefix=".export-", suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                for chunk in chunks:
                    size_bytes += file.write(encoded(chunk))
            os.replace(beside, target)
        except BaseException:
            os.unlink(beside)
            raise
    except OSError as error:
        raise SoundsibleError(
            f"{target} cannot be written: {error.strerror}. Choose another folder with --to."
        ) from error
    return {"name": target.name, "size_bytes": size_bytes}
