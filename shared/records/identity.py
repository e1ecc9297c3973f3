"""Which album and which artists a reading belongs to, and what it is called when its tags do not say. Pure.

An album's key, the first that applies:
- `mbid:` its MusicBrainz release;
- `by:` its album artist and title (one album over many folders; two artists' albums of one title stay two);
- `in:` its folder and title, when no album artist is told ("loose"): its artist follows from its tracks, and it is a
  compilation of "Various Artists" when they differ. A folder of one disc ("CD 2") counts as the folder above it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.model.track import ROLES, Credit, Metadata
from shared.records.folding import same, sort_key

UNKNOWN_ARTIST = "Unknown artist"
VARIOUS_ARTISTS = "Various Artists"
_VARIOUS = frozenset(
    {
        "various artists",
        "various",
        "va",
        "v.a.",
        "v/a",
        "verschiedene interpreten",
        "verschiedene",
        "artistes divers",
        "varios artistas",
        "vari artisti",
        "varios",
    }
)
_DISC_FOLDER = re.compile(r"(?:cd|dis[ck]|dvd|lp|vinyl|volume|vol\.?|side)[ ._-]*(?:\d{1,3}|[a-f])\b.*", re.IGNORECASE)
_NUMBER_FIRST = re.compile(
    r"^(?:(?P<disc>\d{1,2})[-.](?P<of_disc>\d{1,3})|(?P<number>\d{1,3}))(?:\s*[-._)\]]+\s*|\s+)(?=\S)"
)
_LAST = 99_999  # where tracks without a number stand on their disc


@dataclass(frozen=True, slots=True)
class Identity:
    """What a reading is, with every gap filled."""

    title: str
    artist: str  # as shown
    credits: tuple[Credit, ...]  # at least one artist; in the order of roles, then of the tag
    album: str | None
    album_artist: str | None  # as shown; None: loose, or no album
    album_credits: tuple[Credit, ...]  # of the album artist; () when loose
    key: str | None  # None: no album
    loose: bool
    compilation: bool
    track_number: int | None
    disc_number: int | None


def folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def is_disc_folder(folder: str) -> bool:
    """Whether the last part of `folder` names one disc of an album."""
    return bool(_DISC_FOLDER.fullmatch(folder.rpartition("/")[2]))


def album_folder(path: str) -> str:
    """The folder of the album to which the file `path` belongs: its own, or the one above a disc's."""
    folder = folder_of(path)
    return folder_of(folder) if is_disc_folder(folder) else folder


def loose_key(root_id: int, path: str, album: str) -> str:
    return f"in:{root_id}\x1f{album_folder(path)}\x1f{same(album)}"


def position(disc_number: int | None, track_number: int | None) -> int:
    """Where a track stands in its album, as one number."""
    return min(disc_number or 1, 9999) * 100_000 + min(track_number or _LAST, _LAST)


def album_sort_key(album: str, artist: str) -> str:
    """Sorts tracks by album; unlike albums of one title stay apart."""
    return f"{sort_key(album)}\x1f{sort_key(artist)}"


NO_ALBUM_SORT_KEY = "\U0010fffd"  # after all albums


def is_various(artist: str) -> bool:
    return same(artist) in _VARIOUS


def _named_by_file(path: str) -> tuple[str, int | None, int | None]:
    """Title, disc and track number as a file's name tells them: `1-02 Title.flac`, `03. Title.mp3`."""
    stem = path.rpartition("/")[2]
    dot = stem.rfind(".")
    if dot > 0:
        stem = stem[:dot]
    found = _NUMBER_FIRST.match(stem)
    if found is None:
        return stem.replace("_", " ").strip() or stem, None, None
    title = stem[found.end() :].replace("_", " ").strip()
    if found["of_disc"]:
        return title or stem, int(found["disc"]), int(found["of_disc"])
    return title or stem, None, int(found["number"])


def identify(root_id: int, path: str, metadata: Metadata) -> Identity:
    """`path` is relative to its root, as text."""
    title, artist, album = metadata.title, metadata.artist, metadata.album
    track_number, disc_number = metadata.track_number, metadata.disc_number
    if not title:
        title, disc, number = _named_by_file(path)
        if track_number is None and disc_number is None:
            track_number, disc_number = number, disc
        if not artist and not album and not metadata.credits:
            # Nothing is tagged at all: Artist/Album/NN Title is how people keep such files.
            parts = album_folder(path).split("/")
            if len(parts) >= 2 and parts[-2]:
                artist, album = parts[-2], parts[-1]
    credits = metadata.credits
    artists = [credit for credit in credits if credit.role == "artist"]
    if not artist:
        artist = ", ".join(credit.name for credit in artists) or UNKNOWN_ARTIST
    if not artists:
        credits = (Credit(artist), *credits)
    album_artists = tuple(credit for credit in credits if credit.role == "albumartist")
    album_artist = metadata.album_artist or ", ".join(credit.name for credit in album_artists) or None
    if len(credits) > 1:
        credits = tuple(sorted(credits, key=_rank))
    if not album:
        return Identity(title, artist, credits, None, None, (), None, False, False, track_number, disc_number)
    if album_artist and not album_artists:
        album_artists = (Credit(album_artist, "albumartist"),)
        credits = tuple(sorted((*credits, *album_artists), key=_rank))
    if metadata.release_mbid:
        key = f"mbid:{metadata.release_mbid}"
    elif album_artist:
        key = f"by:{same(album_artist)}\x1f{same(album)}"
    else:
        key = loose_key(root_id, path, album)
    return Identity(
        title,
        artist,
        credits,
        album,
        album_artist,
        album_artists,
        key,
        album_artist is None,
        metadata.compilation or (album_artist is not None and is_various(album_artist)),
        track_number,
        disc_number,
    )


_RANKS = {role: rank for rank, role in enumerate(ROLES)}


def _rank(credit: Credit) -> int:
    return _RANKS.get(credit.role, len(_RANKS))
