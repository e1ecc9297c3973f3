"""Lists of albums and songs: new, often heard, by year or genre, by chance, and what a person likes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from shared.records.choosing import ALBUM_LISTS, Choosing, Which
from shared.subsonic.answer import listed
from shared.subsonic.asking import Asked, Refused
from shared.subsonic.calls import Calls
from shared.subsonic.telling import Content, Telling, album_child

MOST = 500          # albums or songs in one answer


def calls(*, choosing: Choosing, telling: Telling) -> Calls:
    calls = Calls("lists")

    def chosen_albums(asked: Asked) -> list[dict[str, Any]]:
        kind = asked.need("type")
        if kind not in ALBUM_LISTS:
            raise Refused(Refused.GENERIC, f"type is one of {', '.join(ALBUM_LISTS)}, not {kind[:40]!r}.")
        genre, first, last = None, None, None
        if kind == "byYear":
            asked.need("fromYear")
            asked.need("toYear")
            first, last = _year(asked, "fromYear"), _year(asked, "toYear")
        elif kind == "byGenre":
            genre = asked.need("genre")
        which = Which(genre=genre, from_year=first, to_year=last,
                      roots=choosing.roots(asked.person, asked.texts("musicFolderId")))
        keys = choosing.albums(asked.person, kind, limit=asked.number("size", 10, most=MOST),
                               offset=asked.number("offset", 0), which=which)
        return telling.albums_by_key(asked.person, keys)

    @calls.answers("getAlbumList")
    def get_album_list(asked: Asked) -> dict[str, Any]:
        """A list of albums, as folders."""
        return {"albumList": {"album": [album_child(one) for one in chosen_albums(asked)]}}

    @calls.answers("getAlbumList2")
    def get_album_list2(asked: Asked) -> dict[str, Any]:
        """A list of albums."""
        return {"albumList2": {"album": chosen_albums(asked)}}

    @calls.answers("getRandomSongs")
    def get_random_songs(asked: Asked) -> dict[str, Any]:
        """Songs by chance, of a genre, of some years, of a music folder."""
        which = Which(genre=asked.text("genre") or None, from_year=_year(asked, "fromYear"),
                      to_year=_year(asked, "toYear"),
                      roots=choosing.roots(asked.person, asked.texts("musicFolderId")))
        keys = choosing.random_songs(asked.person, asked.number("size", 10, most=MOST), which)
        return {"randomSongs": {"song": listed(partial(telling.tracks, asked.person), keys)}}

    @calls.answers("getSongsByGenre")
    def get_songs_by_genre(asked: Asked) -> dict[str, Any]:
        """Songs of a genre, page by page."""
        keys = choosing.songs_in_genre(
            asked.person, asked.need("genre"), limit=asked.number("count", 10, most=MOST),
            offset=asked.number("offset", 0), roots=choosing.roots(asked.person, asked.texts("musicFolderId")))
        return {"songsByGenre": {"song": listed(partial(telling.tracks, asked.person), keys)}}

    @calls.answers("getStarred")
    def get_starred(asked: Asked) -> dict[str, Any]:
        """What the person starred; albums as folders."""
        return {"starred": favourites(asked, album_child)}

    @calls.answers("getStarred2")
    def get_starred2(asked: Asked) -> dict[str, Any]:
        """What the person starred."""
        return {"starred2": favourites(asked)}

    def favourites(asked: Asked, album: Callable[[Content], Content] = lambda album: album) -> dict[str, Any]:
        """album: what an AlbumID3 becomes."""
        person, roots = asked.person, choosing.roots(asked.person, asked.texts("musicFolderId"))
        artists, albums, songs = (choosing.starred(person, kind, roots) for kind in ("artist", "album", "track"))
        return {
            "artist": listed(partial(telling.artists_by_key, person), artists),
            "album": listed(lambda some: [album(one) for one in telling.albums_by_key(person, some)], albums),
            "song": listed(partial(telling.tracks, person), songs),
        }

    return calls


def _year(asked: Asked, name: str) -> int | None:
    return asked.number(name, 0, least=-9999, most=9999) if asked.text(name) else None
