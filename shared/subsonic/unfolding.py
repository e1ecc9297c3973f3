"""What a directory of the folder view stands for, when an app that knows folders alone stars, rates or shares it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.model.errors import NotFound
from shared.model.person import Person

if TYPE_CHECKING:
    from shared.records.directories import Directories
    from shared.subsonic.telling import Telling

Unfold = Callable[[Person, str], str]


def unfolding(*, directories: Directories, telling: Telling) -> Unfold:
    """The id of the album whose songs lie in a directory, if they are of one; any other id as it is."""

    def unfold(person: Person, uid: str) -> str:
        if not person.walks_folders or not uid.startswith("d"):
            return uid
        try:
            inside = directories.inside(directories.find(uid))
        except NotFound:
            return uid
        albums = {song.get("albumId", "") for song in telling.tracks(person, inside.tracks)}
        return str(next(iter(albums))) or uid if len(albums) == 1 else uid

    return unfold
