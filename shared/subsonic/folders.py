"""The library as folders, for programs that know no tags.

Owners and adults who hear all of the music walk real directories, from their roots (or what lies in these) down, with
any app password of theirs. For everybody else artists are the folders, and albums the folders in them. Ids of artists,
albums and music folders lead somewhere for everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from shared.model.errors import NotFound
from shared.model.person import Person
from shared.records import folding
from shared.records.choosing import Choosing, Roots
from shared.records.directories import Directories, Directory
from shared.records.entries import Entries
from shared.subsonic.answer import Pieces, listed
from shared.subsonic.asking import Asked
from shared.subsonic.browsing import IGNORED_ARTICLES, by_letter, under_letters
from shared.subsonic.calls import Calls
from shared.subsonic.telling import Content, Entry, Telling, album_child, artist_child


def calls(*, choosing: Choosing, entries: Entries, directories: Directories, telling: Telling) -> Calls:
    calls = Calls("folders")

    @calls.answers("getIndexes")
    def get_indexes(asked: Asked) -> dict[str, Any]:
        """The topmost folders under their letters; nothing but the time when nothing changed since ifModifiedSince."""
        person = asked.person
        roots = choosing.roots(person, asked.texts("musicFolderId"))
        modified_ms = choosing.modified_ms()
        answer: Content = {"ignoredArticles": IGNORED_ARTICLES, "lastModified": modified_ms, "shortcut": [],
                           "child": [], "index": []}
        if asked.number("ifModifiedSince", -1, least=-1, most=2**53) >= modified_ms:
            return {"indexes": answer}
        if not person.walks_folders:
            answer["index"] = by_letter(choosing, telling, person, roots)
            return {"indexes": answer}
        named: list[tuple[str, Directory]] = []
        for folder in choosing.folders(person):
            if roots and folder.id not in roots:
                continue
            inside = directories.inside(Directory(folder.id, "", folder.name))
            named += [(folding.sort_key(one.name), one) for one in inside.directories]
            top = Directory(folder.id, "", folder.name)
            answer["child"] = listed(partial(_tracks_at, person, top), inside.tracks, answer["child"])
        named.sort(key=lambda one: (one[0], one[1].root_id, one[1].path))
        answer["index"] = under_letters(
            (folding.letter(key[:1]), {"id": one.id, "name": one.name}) for key, one in named)
        return {"indexes": answer}

    @calls.answers("getMusicDirectory")
    def get_music_directory(asked: Asked) -> dict[str, Any]:
        """What lies in a folder: a real one, an artist, an album or a whole music folder."""
        person, uid = asked.person, asked.need("id")
        if uid in {str(one.id) for one in choosing.folders(person)}:
            return {"directory": _whole(person, int(uid))}
        if person.walks_folders and uid.startswith("d"):
            try:
                return {"directory": _directory(person, directories.find(uid))}
            except NotFound:
                pass    # it may be something else, whose id begins so
        if key := entries.keys(person, "album", [uid]).get(uid):
            album = telling.album(person, uid)
            songs = listed(partial(telling.tracks, person), choosing.songs_of(person, key))
            return {"directory": _told(album, songs, album.get("artistId"))}
        if key := entries.keys(person, "artist", [uid]).get(uid):
            children = [album_child(one) for one in telling.albums_by_key(person, choosing.albums_of(person, key))]
            loose = listed(partial(telling.tracks, person), choosing.loose_of(person, key), children)
            return {"directory": _told(telling.artist(person, uid), loose, None)}
        raise NotFound("There is no such folder here.")

    def _whole(person: Person, root_id: int) -> Content:
        name = next(one.name for one in choosing.folders(person) if one.id == root_id)
        if person.walks_folders:
            return _directory(person, Directory(root_id, "", name))
        roots: Roots = choosing.roots(person, [str(root_id)])
        keys = [one.key for one in choosing.artists(person, roots)]
        return {"id": str(root_id), "name": name,
                "child": listed(lambda some: [Entry(artist_child(one), parent=str(root_id))
                                              for one in telling.artists_by_key(person, some)], keys)}

    def _directory(person: Person, directory: Directory) -> Content:
        inside = directories.inside(directory)
        folders: list[Content] = []
        for one in inside.directories:
            child: Content = {"id": one.id, "parent": _id_of(directory), "isDir": True, "title": one.name,
                              "album": one.name, "isVideo": False}
            if one.path in inside.pictures:
                child["coverArt"] = inside.pictures[one.path]
            folders.append(child)
        children = listed(partial(_tracks_at, person, directory), inside.tracks, folders)
        told: Content = {"id": _id_of(directory), "name": directory.name, "child": children}
        if above := directory.parent:
            told["parent"] = _id_of(above)
        return told

    def _tracks_at(person: Person, directory: Directory, keys: Sequence[int]) -> list[Content]:
        return [Entry(one, parent=_id_of(directory)) for one in telling.tracks(person, keys)]

    return calls


def _id_of(directory: Directory) -> str:
    """A root goes by the id of its music folder."""
    return directory.id if directory.path else str(directory.root_id)


def _told(thing: Content, children: list[Content] | Pieces, parent: str | None) -> Content:
    """An album or artist as a directory."""
    told: Content = {"id": thing["id"], "name": thing["name"]}
    told |= {name: thing[name] for name in ("starred", "userRating", "averageRating", "playCount", "coverArt")
             if name in thing}
    if parent:
        told["parent"] = parent
    return {**told, "child": children}
