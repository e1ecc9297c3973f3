"""The library by its tags: music folders, artists, albums, songs, genres."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from shared.model.errors import NotFound
from shared.model.person import Person
from shared.records import folding
from shared.records.choosing import Choosing
from shared.records.entries import Entries
from shared.subsonic.answer import PIECE, Pieces, listed
from shared.subsonic.asking import Asked
from shared.subsonic.calls import Calls
from shared.subsonic.telling import Content, Telling

IGNORED_ARTICLES = "The A An"       # as records.folding.sort_key leaves them out


def calls(*, choosing: Choosing, entries: Entries, telling: Telling) -> Calls:
    calls = Calls("browsing")

    @calls.answers("getMusicFolders")
    def get_music_folders(asked: Asked) -> dict[str, Any]:
        """The music folders that a person sees something of."""
        return {"musicFolders": {"musicFolder": [
            {"id": one.id, "name": one.name} for one in choosing.folders(asked.person)
        ]}}

    @calls.answers("getArtists")
    def get_artists(asked: Asked) -> dict[str, Any]:
        """All artists that albums are by, under their letters."""
        roots = choosing.roots(asked.person, asked.texts("musicFolderId"))
        return {"artists": {"ignoredArticles": IGNORED_ARTICLES,
                            "index": by_letter(choosing, telling, asked.person, roots)}}

    @calls.answers("getArtist")
    def get_artist(asked: Asked) -> dict[str, Any]:
        """One artist with the albums: their own, and those of others that they play on."""
        uid = asked.need("id")
        artist = telling.artist(asked.person, uid)
        keys = choosing.albums_of(asked.person, key_of(entries, asked.person, "artist", uid))
        return {"artist": {**artist, "album": telling.albums_by_key(asked.person, keys)}}

    @calls.answers("getAlbum")
    def get_album(asked: Asked) -> dict[str, Any]:
        """One album with its songs."""
        uid = asked.need("id")
        album = telling.album(asked.person, uid)
        keys = choosing.songs_of(asked.person, key_of(entries, asked.person, "album", uid))
        return {"album": {**album, "song": listed(partial(telling.tracks, asked.person), keys)}}

    @calls.answers("getSong")
    def get_song(asked: Asked) -> dict[str, Any]:
        """One song."""
        return {"song": telling.song(asked.person, asked.need("id"))}

    @calls.answers("getGenres")
    def get_genres(asked: Asked) -> dict[str, Any]:
        """All genres, and how much there is of each."""
        return {"genres": {"genre": [
            {"value": one.name, "songCount": one.track_count, "albumCount": one.album_count}
            for one in choosing.genres(asked.person)
        ]}}

    return calls


def key_of(entries: Entries, person: Person, kind: str, uid: str) -> int:
    """The inner id of a track, album or artist (`kind`). Raises NotFound."""
    key = entries.keys(person, kind, [uid]).get(uid)
    if key is None:
        raise NotFound(f"There is no such {kind} here.")
    return key


def by_letter(choosing: Choosing, telling: Telling, person: Person, roots: tuple[int, ...]) -> list[Content]:
    """[{name, artist: […]}], the artists told as ArtistID3."""
    under: dict[str, list[int]] = {}
    for one in choosing.artists(person, roots):
        under.setdefault(folding.letter(one.sort_key[:1]), []).append(one.key)
    many = sum(map(len, under.values())) > PIECE
    tell = partial(telling.artists_by_key, person)
    return [{"name": letter, "artist": Pieces(tell, keys) if many else tell(keys)} for letter, keys in under.items()]


def under_letters(named: Iterable[tuple[str, Content]]) -> list[Content]:
    """(letter, what stands under it), sorted by name → the index of an answer; a letter comes once."""
    index: dict[str, list[Content]] = {}
    for letter, one in named:
        index.setdefault(letter, []).append(one)
    return [{"name": letter, "artist": its} for letter, its in index.items()]
