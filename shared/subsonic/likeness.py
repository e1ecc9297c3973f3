"""Music that goes with other music, and what is known of artists and albums beside their music."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote_plus

from shared.library.likeness import Likeness, Match
from shared.model.errors import NotFound
from shared.model.person import Person
from shared.records.directories import Directories
from shared.subsonic.asking import Asked, Refused
from shared.subsonic.calls import Calls
from shared.subsonic.telling import Content, Telling

LASTFM = "https://www.last.fm/music"
SIZES = (("smallImageUrl", 150), ("mediumImageUrl", 300), ("largeImageUrl", 600))     # pixels
_PLAIN_ARTIST = ("id", "name", "artistImageUrl", "starred", "userRating", "averageRating")
_DEEPEST = 16       # directories that are gone down into


def calls(*, likeness: Likeness, telling: Telling, directories: Directories,
          picture: Callable[[Person, str, int], str]) -> Calls:
    """picture(person, uid, size): a link to the picture of an album or an artist as the person sees it."""
    calls = Calls("likeness")

    # ---- songs

    @calls.answers("getSimilarSongs")
    def get_similar_songs(asked: Asked) -> dict[str, Any]:
        """Songs that go with an artist, an album, a song or a folder: by sound, tags, and what is played together."""
        return {"similarSongs": {"song": similar(asked)}}

    @calls.answers("getSimilarSongs2")
    def get_similar_songs2(asked: Asked) -> dict[str, Any]:
        """The same, for programs that go by tags."""
        return {"similarSongs2": {"song": similar(asked)}}

    def similar(asked: Asked) -> list[Content]:
        uid = meant(asked.person, asked.need("id"))
        found = likeness.similar(asked.person, uid, asked.number("count", 50))
        return telling.songs(asked.person, found)

    @calls.answers("getTopSongs")
    def get_top_songs(asked: Asked) -> dict[str, Any]:
        """An artist's songs, what is played most here first; the artist by name, or by id (topSongsByArtistId)."""
        count = asked.number("count", 50)
        uid = asked.text("id")
        if not uid:
            if not asked.text("artist"):
                raise Refused(Refused.MISSING, "The parameter artist, or id, is missing.")
            uid = likeness.artist_named(asked.person, asked.text("artist")) or ""
            if not uid:
                return {"topSongs": {"song": []}}       # clients ask for names that came from elsewhere
        return {"topSongs": {"song": telling.songs(asked.person, likeness.top(asked.person, uid, count))}}

    # ---- by sound

    @calls.answers("getSonicSimilarTracks", extension="sonicSimilarity")
    def get_sonic_similar_tracks(asked: Asked) -> dict[str, Any]:
        """Songs that sound like a song, with how much they do."""
        found = likeness.sounding_like(asked.person, asked.need("id"), asked.number("count", 10))
        return {"sonicMatch": matches(asked.person, found)}

    @calls.answers("findSonicPath", extension="sonicSimilarity")
    def find_sonic_path(asked: Asked) -> dict[str, Any]:
        """Songs that lead from one to another in small steps, with how much each sounds like the first."""
        found = likeness.path(asked.person, asked.need("startSongId"), asked.need("endSongId"),
                              asked.number("count", 25, least=1))
        return {"sonicMatch": matches(asked.person, found)}

    def matches(person: Person, found: Sequence[Match]) -> list[Content]:
        songs = {one["id"]: one for one in telling.songs(person, [one.uid for one in found])}
        return [{"entry": songs[one.uid], "similarity": one.likeness} for one in found if one.uid in songs]

    # ---- artists and albums

    @calls.answers("getArtistInfo")
    def get_artist_info(asked: Asked) -> dict[str, Any]:
        """What is known of an artist (or of that of an album, a song, a folder), and artists here that go with them."""
        told = artist_info(asked)
        told["similarArtist"] = [{name: one[name] for name in _PLAIN_ARTIST if name in one}
                                 for one in told["similarArtist"]]
        return {"artistInfo": told}

    @calls.answers("getArtistInfo2")
    def get_artist_info2(asked: Asked) -> dict[str, Any]:
        """The same, for programs that go by tags."""
        return {"artistInfo2": artist_info(asked)}

    def artist_info(asked: Asked) -> Content:
        person, uid = asked.person, meant(asked.person, asked.need("id"), artist=True)
        count = asked.number("count", 20)
        facts = likeness.artist_of(person, uid)
        if facts is None:       # a song by nobody
            return {"biography": "", "musicBrainzId": "", "lastFmUrl": "", **pictures(person, None),
                    "similarArtist": []}
        its = telling.artists(person, [facts.id])
        return {"biography": "", "musicBrainzId": facts.mbid or "", "lastFmUrl": lastfm(facts.name),
                **pictures(person, its[0] if its else None),
                "similarArtist": telling.artists(person, likeness.similar_artists(person, facts.id, count))}

    @calls.answers("getAlbumInfo")
    def get_album_info(asked: Asked) -> dict[str, Any]:
        """What is known of an album, or of that of a song or a folder."""
        return {"albumInfo": album_info(asked)}

    @calls.answers("getAlbumInfo2")
    def get_album_info2(asked: Asked) -> dict[str, Any]:
        """The same, for programs that go by tags."""
        return {"albumInfo": album_info(asked)}

    def album_info(asked: Asked) -> Content:
        person, uid = asked.person, meant(asked.person, asked.need("id"))
        facts = likeness.album_of(person, uid)
        if facts is None:
            return {"notes": "", "musicBrainzId": "", "lastFmUrl": "", **pictures(person, None)}
        its = telling.albums(person, [facts.id])
        return {"notes": "", "musicBrainzId": facts.mbid or "", "lastFmUrl": lastfm(facts.artist, facts.title),
                **pictures(person, its[0] if its else None)}

    def pictures(person: Person, thing: Content | None) -> Content:
        """Links, where there is a picture."""
        uid = thing["id"] if thing is not None and "coverArt" in thing else None
        return {name: "" if uid is None else picture(person, uid, size) for name, size in SIZES}

    # ---- folders

    def meant(person: Person, uid: str, *, artist: bool = False) -> str:
        """What a program that walks folders means by one: the album that lies in it; else, or if it asks for the
        artist, the artist of the first song within."""
        if not (uid.startswith("d") and person.walks_folders):
            return uid
        try:
            here = directories.find(uid)
        except NotFound:
            return uid              # it may be something else, whose id begins so
        deep = directories.inside(here)
        below = not deep.tracks
        for _ in range(_DEEPEST):
            if deep.tracks or not deep.directories:
                break
            deep = directories.inside(deep.directories[0])
        songs = telling.tracks(person, deep.tracks[:1])
        if not songs:
            raise NotFound("There is no music in this folder.")
        song = songs[0]
        return str(song.get("artistId" if below or artist else "albumId") or song["id"])

    return calls


def lastfm(*names: str) -> str:
    """Where Last.fm has a page of an artist, or of an album of theirs; made from names alone."""
    return "/".join((LASTFM, *(quote_plus(one) for one in names))) if all(names) else ""
