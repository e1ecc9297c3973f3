"""What tags say, as plain values that can be written down, compared and stated again: {field: value}, JSON all of it.

Pure, and light: no file is opened here.

    title title_sort artist album album_sort album_artist date original_date isrc disc_title
    recording_mbid release_mbid release_group_mbid        text or None
    artists album_artists                                 [[name, MBID or None, sort name or None], …]
    track_number track_total disc_number disc_total       a number or None
    genres                                                [text, …]
    compilation                                           true or false
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared.audio import fields
from shared.model.track import Metadata

PLAIN = ("title", "title_sort", "artist", "album", "album_sort", "album_artist", "date", "original_date", "isrc",
         "disc_title", "recording_mbid", "release_mbid", "release_group_mbid", "track_number", "track_total",
         "disc_number", "disc_total", "compilation")
ROLES = {"artists": "artist", "album_artists": "albumartist"}
FIELDS = (*PLAIN, *ROLES, "genres")
#: What stands in one field of the tags, and so is stated together.
TOGETHER = (("track_number", "track_total"), ("disc_number", "disc_total"))

_CANONICAL = {
    "title": "TITLE", "title_sort": "TITLESORT", "artist": "ARTIST", "album": "ALBUM", "album_sort": "ALBUMSORT",
    "album_artist": "ALBUMARTIST", "isrc": "ISRC", "disc_title": "DISCSUBTITLE",
    "recording_mbid": "MUSICBRAINZ_TRACKID", "release_mbid": "MUSICBRAINZ_ALBUMID",
    "release_group_mbid": "MUSICBRAINZ_RELEASEGROUPID",
}


def values_of(metadata: Metadata) -> dict[str, Any]:
    """All FIELDS of `metadata`."""
    found: dict[str, Any] = {name: getattr(metadata, name) for name in PLAIN}
    found["date"] = metadata.date or (f"{metadata.year:04d}" if metadata.year else None)
    for name, role in ROLES.items():
        found[name] = [[one.name, one.mbid, one.sort_name] for one in metadata.credits if one.role == role]
    found["genres"] = list(metadata.genres)
    return found


def canonical(values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Canonical tag field → its values, for those fields that are in `values`; an empty list takes a field away.

    In the order in which they are to be set: some formats keep the date where older fields of it stand.
    """
    found: dict[str, list[Any]] = {}
    for name, field in _CANONICAL.items():
        if name in values:
            found[field] = [values[name]]
    for name, field in (("artists", "ARTIST"), ("album_artists", "ALBUMARTIST")):
        if name in values:
            people = values[name] or []
            found[f"{field}S"] = [one[0] for one in people] if len(people) > 1 else []
            found[f"{field}SORT"] = _all_of(one[2] for one in people)
            if name == "artists":
                found["ARTISTSSORT"] = []
            found[f"MUSICBRAINZ_{field}ID"] = _all_of(one[1] for one in people)
    for thing in ("track", "disc"):
        if f"{thing}_number" in values:
            field = thing.upper()
            found[f"{field}NUMBER"] = [_counted(values[f"{thing}_number"], values.get(f"{thing}_total"))]
            found[f"{field}TOTAL"] = []
    if "date" in values:
        found |= {"YEAR": [], "RELEASEDATE": [], "DATE": [values["date"]]}
    if "original_date" in values:
        found |= {"ORIGINALYEAR": [], "ORIGINALDATE": [values["original_date"]]}
    if "genres" in values:
        found["GENRE"] = list(values["genres"] or ())
    if "compilation" in values:
        found["COMPILATION"] = ["1"] if values["compilation"] else []
    return {field: [text for value in held if value and (text := fields.clean(str(value), fields.LONGEST_TEXT))]
            for field, held in found.items()}


def _all_of(values: Iterable[str | None]) -> list[str]:
    """Nobody could tell whose they are when some are missing."""
    every = list(values)
    return [value for value in every if value] if all(every) else []


def _counted(number: int | None, total: int | None) -> str | None:
    if not number:
        return None
    return f"{number}/{total}" if total else str(number)
