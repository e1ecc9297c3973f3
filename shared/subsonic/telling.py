"""Tracks, albums and artists in the words of the protocol: the one place where its entries are made.

Plain dicts, ready for JSON and XML (see answer). None never stands in them. What this station keeps is told even when
it is empty, but for what clients would take for a value: names and numbers of the old protocol that are not known
(artist, album, genre, track, year …), pictures that are not there, and moments that never were.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from shared.model.errors import NotFound
from shared.model.person import Person
from shared.records.entries import AlbumRow, AlbumRows, ArtistRow, ArtistRows, Entries, TrackRows
from shared.records.moments import shown

LONG, LONG_AT_ONCE = 100, 2     # entries in a list, and how many of such are made at once

Content = dict[str, Any]
Episodes = Callable[[Person, Sequence[str]], Mapping[str, Content]]

# Where a track's file has no name: what its format is usually called.
_SUFFIXES = {"vorbis": "ogg", "aac": "m4a", "alac": "m4a", "wavpack": "wv"}
_NO_NAME = re.compile(r'[\x00-\x1f/\\:*?"<>|]+')
_NAMELESS = "Unknown"       # an empty name crashes clients


class Entry(dict[str, Any]):
    """A dict that is known to hold no None anywhere: the envelope does not look through it (answer.without_none)."""


class Telling:
    """What is shown of the library at /rest. What a person does not see is not there for them.

    episodes: those of these public ids that are podcast episodes, as entries.
    """

    def __init__(self, *, entries: Entries, episodes: Episodes = lambda person, uids: {}) -> None:
        self._entries = entries
        self._episodes = episodes
        self._long = threading.BoundedSemaphore(LONG_AT_ONCE)

    # ---- by public ids

    def songs(self, person: Person, uids: Sequence[str]) -> list[Content]:
        """Child: tracks and episodes, in that order; repeats are kept, what is gone is left out."""
        keys = self._entries.keys(person, "track", uids)
        told = {one["id"]: one for one in self.tracks(person, list(keys.values()))}
        if others := [uid for uid in dict.fromkeys(uids) if uid not in told]:
            told.update(self._episodes(person, others))
        return [told[uid] for uid in uids if uid in told]

    def song(self, person: Person, uid: str) -> Content:
        """Child. Raises NotFound."""
        if not (found := self.songs(person, [uid])):
            raise NotFound("There is no such song here.")
        return found[0]

    def albums(self, person: Person, uids: Sequence[str]) -> list[Content]:
        """AlbumID3, in that order; what is gone is left out."""
        keys = self._entries.keys(person, "album", uids)
        return self.albums_by_key(person, [keys[uid] for uid in uids if uid in keys])

    def album(self, person: Person, uid: str) -> Content:
        """AlbumID3. Raises NotFound."""
        if not (found := self.albums(person, [uid])):
            raise NotFound("There is no such album here.")
        return found[0]

    def artists(self, person: Person, uids: Sequence[str]) -> list[Content]:
        """ArtistID3, in that order; what is gone is left out."""
        keys = self._entries.keys(person, "artist", uids)
        return self.artists_by_key(person, [keys[uid] for uid in uids if uid in keys])

    def artist(self, person: Person, uid: str) -> Content:
        """ArtistID3. Raises NotFound."""
        if not (found := self.artists(person, [uid])):
            raise NotFound("There is no such artist here.")
        return found[0]

    def album_children(self, person: Person, uids: Sequence[str]) -> list[Content]:
        """Albums as the folders (Child) they are to programs that know no albums."""
        return [album_child(one) for one in self.albums(person, uids)]

    def artist_children(self, person: Person, uids: Sequence[str]) -> list[Content]:
        """Artists as folders (Child)."""
        return [artist_child(one) for one in self.artists(person, uids)]

    # ---- by inner ids

    def tracks(self, person: Person, keys: Sequence[int]) -> list[Content]:
        """Child, in that order, by the inner ids of tracks; about 30 µs each."""
        with self._turn(keys):
            return _songs(self._entries.tracks(person, keys), with_paths=person.sees_files)

    def albums_by_key(self, person: Person, keys: Sequence[int]) -> list[Content]:
        with self._turn(keys):
            return _albums(self._entries.albums(person, keys))

    def artists_by_key(self, person: Person, keys: Sequence[int]) -> list[Content]:
        with self._turn(keys):
            return _artists(self._entries.artists(person, keys))

    def _turn(self, keys: Sequence[int]) -> AbstractContextManager[object]:
        """What makes a long list waits until few others are made: fifty apps that copy the whole library at once leave
        memory, and readers of the library, to who asks for little."""
        return self._long if len(keys) > LONG else nullcontext()


# ---- as folders --------------------------------------------------------------------------------------------------


def album_child(album: Content) -> Content:
    """An AlbumID3 as a folder. Name and count of songs stay beside: some clients read them here as well."""
    child = Entry(album, parent=album.get("artistId", ""), isDir=True, title=album["name"], album=album["name"],
                  isVideo=False, mediaType="album")
    if not child["parent"]:
        del child["parent"]
    return child


def artist_child(artist: Content) -> Content:
    """An ArtistID3 as a folder."""
    return Entry(artist, isDir=True, title=artist["name"], artist=artist["name"], isVideo=False, mediaType="artist")


def seconds(duration_ms: int) -> int:
    return (duration_ms + 500) // 1000


# ---- one kind each -----------------------------------------------------------------------------------------------


def _songs(found: TrackRows, *, with_paths: bool) -> list[Content]:
    credits, genres, averages = found.credits, found.genres, found.averages
    album_artists = {key: [{"id": uid, "name": name or _NAMELESS} for uid, name in its]
                     for key, its in found.album_artists.items()}
    told: list[Content] = []
    for (key, uid, title, artist, sort_key, number, disc, year, duration_ms, bpm, isrc, mbid, comment, track_gain,
         track_peak, album_gain, album_peak, added_at, album_key, album_uid, album, album_artist, size, mime_type,
         format, path, kbps, hertz, depth, channels, artwork, favourite_at, rating, play_count, played_at,
         bookmark_ms) in found.rows:
        artists: list[Content] = []
        others: list[Content] = []
        composers: list[str] = []
        for _, role, its_uid, name in credits.get(key, ()):
            one = {"id": its_uid, "name": name or _NAMELESS}
            if role == "artist":
                artists.append(one)
            else:
                others.append({"role": role, "artist": one})
                if role == "composer":
                    composers.append(name)
        gains: Content = {}
        if track_gain is not None:
            gains["trackGain"] = track_gain
        if track_peak is not None and track_peak >= 0:
            gains["trackPeak"] = track_peak
        if album_gain is not None:
            gains["albumGain"] = album_gain
        if album_peak is not None and album_peak >= 0:
            gains["albumPeak"] = album_peak
        its_genres = genres.get(key, ())
        suffix = _suffix(path, format)
        song = Entry(
            id=uid, isDir=False, title=title or _NAMELESS, size=size or 0, contentType=mime_type or "audio/mpeg",
            suffix=suffix, duration=(duration_ms + 500) // 1000, bitDepth=depth or 0, samplingRate=hertz or 0,
            channelCount=channels or 0, isVideo=False, playCount=play_count or 0, created=shown(added_at),
            type="music", mediaType="song", bpm=int(bpm + 0.5) if bpm else 0, comment=comment or "", sortName=sort_key,
            musicBrainzId=mbid or "", isrc=[isrc] if isrc else [], genres=[{"name": one} for one in its_genres],
            artists=artists, displayArtist=artist or "", albumArtists=album_artists.get(album_key, []),
            displayAlbumArtist=album_artist or "", contributors=others, displayComposer=", ".join(composers),
            replayGain=gains,
        )
        if album_uid is not None:
            song["parent"] = song["albumId"] = album_uid
            if album:
                song["album"] = album
        elif artists:
            song["parent"] = artists[0]["id"]
        if artist:
            song["artist"] = artist
        if artists:
            song["artistId"] = artists[0]["id"]
        if number is not None:
            song["track"] = number
        if disc is not None:
            song["discNumber"] = disc
        if year is not None:
            song["year"] = year
        if its_genres:
            song["genre"] = its_genres[0]
        if artwork is not None:
            song["coverArt"] = album_uid or uid
        if kbps:
            song["bitRate"] = kbps
        song["path"] = path if with_paths and path else _path(album_artist or artist, album, disc, number, title,
                                                              suffix)
        if rating:
            song["userRating"] = rating
        if key in averages:
            song["averageRating"] = round(averages[key], 2)
        if favourite_at is not None:
            song["starred"] = shown(favourite_at)
        if played_at is not None:
            song["played"] = shown(played_at)
        if bookmark_ms:
            song["bookmarkPosition"] = bookmark_ms // 1000
        told.append(song)
    return told


def _suffix(path: str | None, format: str | None) -> str:
    if path:
        _, dot, last = path.rpartition(".")
        if dot and 0 < len(last) <= 5 and last.isalnum():
            return last.lower()
    return _SUFFIXES.get(format or "mp3", format or "mp3")


def _path(artist: str | None, album: str | None, disc: int | None, number: int | None, title: str, suffix: str) -> str:
    """A path as it might be: programs name what they keep by it. For who may not know the real one."""
    name = f"{number:02} {title}" if number is not None else title
    if disc is not None and disc > 1:
        name = f"{disc}-{name}"
    parts = (artist or _NAMELESS, album or _NAMELESS, f"{name}.{suffix}")
    return "/".join(_NO_NAME.sub("_", part).strip(" .") or "_" for part in parts)


def _albums(found: AlbumRows) -> list[Content]:
    told: list[Content] = []
    for row in map(AlbumRow._make, found.rows):
        artists = found.artists.get(row.key, ())
        genres = found.genres.get(row.key, ())
        album = Entry(
            id=row.uid, name=row.title or _NAMELESS, songCount=row.track_count, duration=seconds(row.duration_ms),
            playCount=row.play_count or 0, created=shown(row.added_at), musicBrainzId=row.mbid or "",
            genres=[{"name": one} for one in genres],
            artists=[{"id": uid, "name": name or _NAMELESS} for uid, name in artists], displayArtist=row.artist,
            releaseTypes=["Compilation"] if row.compilation else [], sortName=row.sort_key,
            originalReleaseDate=_date(row.original_date), releaseDate=_date(row.date),
            isCompilation=bool(row.compilation),
            discTitles=[{"disc": number, "title": title} for number, title in found.discs.get(row.key, ())],
        )
        if row.artist:
            album["artist"] = row.artist
        if artists:
            album["artistId"] = artists[0][0]
        if row.artwork_key is not None:
            album["coverArt"] = row.uid
        if row.year is not None:
            album["year"] = row.year
        if genres:
            album["genre"] = genres[0]
        if row.rating:
            album["userRating"] = row.rating
        if row.key in found.averages:
            album["averageRating"] = round(found.averages[row.key], 2)
        if row.favourite_at is not None:
            album["starred"] = shown(row.favourite_at)
        if row.last_played_at is not None:
            album["played"] = shown(row.last_played_at)
        told.append(album)
    return told


def _date(date: str | None) -> Content:
    """YYYY, YYYY-MM or YYYY-MM-DD as {year, month, day}; what is not known is absent."""
    parts = (date or "").split("-")
    return {name: int(part) for name, part in zip(("year", "month", "day"), parts, strict=False)
            if part.isascii() and part.isdigit()}


def _artists(found: ArtistRows) -> list[Content]:
    told: list[Content] = []
    for row in map(ArtistRow._make, found.rows):
        artist = Entry(id=row.uid, name=row.name or _NAMELESS, albumCount=row.album_count, musicBrainzId=row.mbid or "",
                       sortName=row.sort_name, roles=found.roles.get(row.key, []))
        if row.pictured:
            artist["coverArt"] = row.uid
        if row.favourite_at is not None:
            artist["starred"] = shown(row.favourite_at)
        if row.rating:
            artist["userRating"] = row.rating
        if row.key in found.averages:
            artist["averageRating"] = round(found.averages[row.key], 2)
        told.append(artist)
    return told
