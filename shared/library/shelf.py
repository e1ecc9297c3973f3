"""What people do to files on the shelf: edit their tags, put them into the trash and back, add and forget folders.

The trash lies in the music folder itself (`.soundsible/trash/<track id>/`), so that moving a file there is one
rename; library.moves does it, and follows no link. The row is written first and is the truth: when the rename did
not follow (the process was killed, the disk did not answer), `settle` brings the file to where its row says, at the
start of the next scan.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from shared.library import moves
from shared.library.moves import TRASH
from shared.library.walk import found_file
from shared.model.errors import (
    BadInput,
    Conflict,
    SoundsibleError,
    StorageOffline,
    TrackMissing,
    Unprocessable,
    UnreadableFile,
)
from shared.model.filepath import to_path, to_text
from shared.model.person import Person
from shared.model.source import TrackFile
from shared.model.track import Track
from shared.ports import FileAccess, Workers

log = logging.getLogger(__name__)

WORDS = ("title", "artist", "album", "album_artist")
NUMBERS = {"track_number": 9999, "disc_number": 9999, "year": 9999}
EDITABLE = (*WORDS, *NUMBERS, "genres")
LONGEST, MOST_GENRES = 1000, 50
WRITE_TIMEOUT_S = 120.0         # a copy of a large file on a slow disk
MOVE_DEADLINE_S = 10.0

Trashed = tuple[str, str, str, int, int]


class Shelf:
    """tracks: records.tracks.Tracks; scans: records.scans.Scans. Every call on a music folder has a deadline."""

    def __init__(self, *, tracks: Any, access: FileAccess, workers: Workers, scans: Any, settings: Any = None) -> None:
        self._tracks = tracks
        self._access = access
        self._workers = workers
        self._scans = scans
        self._own = [] if settings is None else [settings.config_dir, settings.data_dir, settings.cache_dir]
        self._demo = None if settings is None else settings.data_dir / "demo"

    # ---- editing --------------------------------------------------------------------------------------------------

    def edit(self, person: Person, uid: str, fields: dict[str, Any], write_tags: bool = True) -> Track:
        """Set some of EDITABLE; None takes a value away. The track as it is then.

        With `write_tags` the file's tags are written first and the library says what they then say; without, the
        edit is laid over whatever the file says. Raises BadInput, NotFound, TrackMissing, StorageOffline, and
        Conflict when the file cannot be written. What fails after the file was written (a full disk) says so.
        """
        self.take_up(uid, fields, write_tags=write_tags)
        track: Track = self._tracks.get(person, uid)
        return track

    def take_up(self, uid: str, fields: dict[str, Any], *, write_tags: bool = True) -> None:
        """The same for who needs no answer (library.json)."""
        clean = checked(fields)
        file: TrackFile = self._tracks.file_of(uid)
        if not clean:
            return
        if not write_tags:
            self._tracks.override(uid, clean)
            return
        if self._stat(file) is None:
            raise TrackMissing(f"The file of this track ({file.path}) is not on this machine. Plug in its disk, bring "
                               "it back from the cloud (pin it), or set write_tags to false to change the library "
                               "alone.")
        root, path = to_path(file.root), to_path(file.path)
        whole = os.path.join(root, path)
        real, inside = self._access.call(root, lambda: _real_place(root, whole))
        if not inside:
            raise Conflict(f"The file {file.path} is reached through a link that leads out of its music folder, where "
                           "the station changes nothing. With write_tags false the edit is kept in the library alone.")
        try:
            reading = self._workers.run("shared.library.reading:write", whole, clean, real, timeout_s=WRITE_TIMEOUT_S)
        except UnreadableFile as error:
            raise _unwritable(file, error) from error
        try:
            looked = self._stat(file)
            if looked is None:
                raise TrackMissing("It is no longer there.")
            self._tracks.apply_reading(uid, found_file(to_text(file.path), looked), reading, written=set(clean))
        except SoundsibleError as error:
            error.message = (f"The tags of {file.path} are written, but the library has not taken note of it: "
                             f"{error.message} The next scan makes up for it.")
            raise

    # ---- the trash ------------------------------------------------------------------------------------------------

    def trash(self, uid: str) -> None:
        """Take a track out of the library and its file into the trash. Raises NotFound.

        Where the music folder cannot be written or does not answer, the file stays and the track is only marked; scans
        leave it alone.
        """
        file: TrackFile = self._tracks.file_of(uid)
        root, here = file.root, to_text(file.path)
        there = f"{TRASH}/{uid}/{here.rpartition('/')[2]}"
        try:
            self._access.call(root, lambda: moves.make_trash(root, here, uid), deadline_s=MOVE_DEADLINE_S)
        except (OSError, StorageOffline) as error:
            log.info("track %s is only marked as trashed, its file stays: %s", uid, error)
            self._clear(root, uid)
            self._tracks.trash(uid, trashed_from=here, path=here)
            return
        try:
            self._tracks.trash(uid, trashed_from=here, path=there)
        except SoundsibleError:
            self._clear(root, uid)
            raise
        try:
            self._access.call(root, lambda: moves.move(root, here, there), deadline_s=MOVE_DEADLINE_S)
        except OSError as error:
            log.info("track %s is only marked as trashed, its file stays: %s", uid, error)
            self._clear(root, uid)
            self._tracks.restore(uid, path=here)
            self._tracks.trash(uid, trashed_from=here, path=here)
        except StorageOffline:
            log.warning("the file of track %s goes to the trash when %s answers again", uid, root)

    def restore(self, uid: str) -> None:
        """Bring a track back from the trash, its file to where it was; beside it when that place is taken.

        Raises NotFound when it is not in the trash, TrackMissing when its file is not, StorageOffline, and Conflict
        when a link took the place of a folder on the way.
        """
        place = self._tracks.trash_place(uid)
        root = to_path(place.root)
        path: str = place.path
        home: str = place.trashed_from
        if path == home:
            self._tracks.restore(uid, path=home)
            return

        def free(wanted: str, taken: bool) -> str:
            if not moves.is_there(root, path):
                if moves.is_there(root, home):
                    return home     # it never went to the trash, or came back already
                raise TrackMissing("The file is no longer in the trash; the track can only be removed for ever.")
            return moves.free_name(root, wanted, taken=taken)

        target = home
        for again in range(100):
            try:
                target = str(self._access.call(root, partial(free, target, again > 0), deadline_s=MOVE_DEADLINE_S))
            except NotADirectoryError as error:
                raise Conflict(f"The file cannot go back to {home}: a folder on the way there, or the trash, has "
                               "become a link or a file. Put the folder back and try again.") from error
            try:
                self._tracks.restore(uid, path=target)
                break
            except Conflict:    # another track is known by that name, though its file is not there
                if again == 99:
                    raise
        try:
            self._access.call(root, lambda: moves.move_back(root, uid, path, target), deadline_s=MOVE_DEADLINE_S)
        except (OSError, SoundsibleError) as error:
            log.warning("the file of track %s comes back from the trash at the next scan: %s", uid, error)

    def purge(self, uid: str) -> None:
        """Remove a track in the trash and its file for ever. Raises NotFound, StorageOffline, Conflict."""
        place = self._tracks.trash_place(uid)
        if place.alone:
            self._tracks.purge(uid)
            return
        root, path = to_path(place.root), place.path

        def remove() -> None:
            moves.remove(root, path)    # it may be gone: removed by hand, or by a purge that was cut off
            moves.clear(root, uid)

        try:
            self._access.call(root, remove, deadline_s=MOVE_DEADLINE_S)
        except NotADirectoryError as error:
            raise Conflict(f"The file of this track, {path}, is reached through a link, where the station removes "
                           "nothing. Remove it where it really lies.") from error
        except OSError as error:
            raise Conflict(f"The file of this track cannot be removed ({error.strerror}): {path}. Make its folder "
                           "writable and try again.") from error
        self._tracks.purge(uid)

    # ---- music folders --------------------------------------------------------------------------------------------

    def add_root(self, path: str) -> Any:
        """Remember a music folder; records.scans.Root. Raises Unprocessable (what is wrong with it), Conflict."""
        given = os.path.expanduser(path) if path.startswith("~") else path
        if "\0" in given or not os.path.isabs(given):
            raise Unprocessable(f"{path!r} is no absolute path. Give the whole path, such as /home/ann/Music.")
        folder = os.path.normpath(given)
        real = self._access.call(folder, lambda: _inspected(folder), deadline_s=MOVE_DEADLINE_S)
        if real == os.path.dirname(real):
            raise Unprocessable("The whole file system is no music folder. Choose the folder the music is in.")
        for own in self._own:
            mine = os.path.realpath(own)
            if self._demo is not None and real == os.path.realpath(self._demo):
                break
            if _within(real, mine) or _within(mine, real):
                raise Unprocessable(f"{path} holds the station's own data, or lies in it. Choose another folder.")
        for other in self._scans.roots():
            their = self._real(to_path(other.path))
            if real == their:
                if os.path.normpath(to_path(other.path)) == folder:
                    return other
                raise Conflict(f"{path} is the music folder {other.path} under another name.")
            if _within(real, their):
                raise Conflict(f"{path} lies in the music folder {other.path}, which is scanned with all below it.")
            if _within(their, real):
                raise Conflict(f"{path} contains the music folder {other.path}. Take that out first.")
        return self._scans.add_root(to_text(folder))

    def forget_root(self, path: str) -> None:
        """Take a music folder out of the library; its tracks are missing, no file is touched. Raises NotFound."""
        self._scans.forget_root(path)

    # ---- inside ---------------------------------------------------------------------------------------------------

    def _stat(self, file: TrackFile) -> os.stat_result | None:
        try:
            looked: os.stat_result = self._access.call(file.root, lambda: os.stat(os.path.join(file.root, file.path)))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return looked

    def _clear(self, root: str, uid: str) -> None:
        """Leave no empty folder in the trash."""
        try:
            self._access.call(root, lambda: moves.clear(root, uid), deadline_s=MOVE_DEADLINE_S)
        except StorageOffline:
            log.debug("an empty folder of track %s may be left in the trash of %s", uid, root)

    def _real(self, path: str) -> str:
        try:
            return str(self._access.call(path, lambda: os.path.realpath(path)))
        except (OSError, SoundsibleError):
            return path


def settle(root: str, trashed: Iterable[Trashed], place_of: Callable[[list[str]], Mapping[str, str]]) -> None:
    """Bring files to where their rows say, after a move that was cut off. For the scan, before it walks `root`.

    trashed     what the library holds in this root's trash: (track id, path, trashed_from, size_bytes, mtime_ns)
    place_of    asked for tracks that are not in the trash but whose folder there is: {track id: path}
    Costs a look at the trash's folder and at each file in it.
    """
    known = set()
    for uid, path, home, size_bytes, mtime_ns in trashed:
        known.add(uid)
        try:
            if path == home or moves.is_there(root, path):
                continue
            if moves.stamp(root, home) == (size_bytes, mtime_ns):
                moves.make_trash(root, home, uid)
                moves.move(root, home, path)
        except OSError:
            continue    # it is in neither place
    strange = sorted(set(moves.names(root, TRASH)) - known)
    if not strange:
        return
    for uid, path in place_of(strange).items():     # whose they are not is left alone: another library's, perhaps
        for name in moves.names(root, f"{TRASH}/{uid}"):
            if not moves.is_there(root, path):
                moves.move_back(root, uid, f"{TRASH}/{uid}/{name}", path)


def checked(fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` cleaned. Raises BadInput for a name or a value that a track cannot have."""
    clean: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in EDITABLE:
            raise BadInput(f"{name!r} cannot be edited. Editable are {', '.join(EDITABLE)}.", field=name)
        if name in NUMBERS:
            if value is not None and (type(value) is not int or not 0 <= value <= NUMBERS[name]):
                raise BadInput(f"{name} must be a whole number from 0 to {NUMBERS[name]}, or null.", field=name)
            clean[name] = value or None
        elif name == "genres":
            if value is not None and not (isinstance(value, list | tuple) and len(value) <= MOST_GENRES):
                raise BadInput(f"genres must be a list of at most {MOST_GENRES} texts.", field=name)
            clean[name] = [_words(name, one) for one in value or ()]
        elif value is None:
            if name == "title":
                raise BadInput("A track needs a title; it can be changed but not taken away.", field=name)
            clean[name] = None
        else:
            clean[name] = _words(name, value)
    return clean


def _words(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{name} must be a text.", field=name)
    text = value.strip()
    if not text or len(text) > LONGEST:
        raise BadInput(f"{name} must have 1 to {LONGEST} characters.", field=name)
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in text):
        raise BadInput(f"{name} must not hold control characters.", field=name)
    return text


def _unwritable(file: TrackFile, error: UnreadableFile) -> SoundsibleError:
    rest = "The library is as it was; with write_tags false the edit is kept there alone."
    if error.reason in ("timed_out", "reader_crashed"):
        rest = "Whether they were written before that is not known; the next scan tells."
    if error.reason == "vanished":
        return TrackMissing(f"The file of this track ({file.path}) went away while it was written.")
    if error.reason == "no_permission":
        return Conflict(f"The file {file.path} cannot be written: it, its folder or its disk is read-only. {rest}")
    why = error.message.rstrip(".")
    return Conflict(f"The tags of {file.path} cannot be written ({why}). {rest}", reason=error.reason)


def _real_place(root: str, whole: str) -> tuple[str, bool]:
    """Where the file at `whole` really lies, and whether that is in `root`."""
    real = os.path.realpath(whole)
    return real, _within(real, os.path.realpath(root))


def _inspected(folder: str) -> str:
    """Its real path. Raises Unprocessable when it is no folder that can be read."""
    try:
        with os.scandir(folder) as entries:
            next(entries, None)
    except FileNotFoundError:
        raise Unprocessable(f"There is no folder {folder}. Check the path, or plug in and mount its disk.") from None
    except NotADirectoryError:
        raise Unprocessable(f"{folder} is a file. Choose the folder it is in.") from None
    except OSError as error:
        raise Unprocessable(f"The folder {folder} cannot be read ({error.strerror}). Give the station's user the right "
                            "to read it.") from None
    return os.path.realpath(folder)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)

