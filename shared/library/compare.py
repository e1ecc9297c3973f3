"""Hold what a walk finds against what the library knows. Pure: it asks nobody and changes nothing outside.

A file that is as it was costs one dict look-up and three comparisons. What differs becomes *new*, *changed* or
*returned*; what was not met is *gone*. `recognise` then tells which of the gone files are new ones under another
name, as far as the file system can tell; where only the tags can, the records are asked after reading.
"""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.library.walk import Folder, found_file
from shared.model.scan import Found, Known, Picture
from shared.model.track import Reading

MISSING, TRASHED, LYRICS, OFFLOADED = 1, 2, 4, 8    # bits of the flags in what is known of a file

KnownFile = tuple[int, int, int, int]       # file id, size_bytes, mtime_ns, flags
Key = tuple[Any, ...]
_NO_INODE = (None, "", "0")                 # some file systems number nothing


def is_there(row: KnownFile) -> bool:
    """Whether the library holds the file to lie in its place."""
    return not row[3] & (MISSING | TRASHED)


@dataclass(slots=True)
class Differences:
    """What one folder holds that the library does not know, or knows otherwise."""

    new: list[Found] = field(default_factory=list)
    changed: list[tuple[int, Found]] = field(default_factory=list)      # (file id, as it is now)
    again: list[tuple[int, Found]] = field(default_factory=list)        # as it was, but with other lyrics beside it
    returned: list[int] = field(default_factory=list)                   # file ids: were missing, are as they were
    pictures: list[Picture] = field(default_factory=list)
    lyrics: dict[str, str] = field(default_factory=dict)    # path → stamp of the .lrc beside it, for those to be read

    def __len__(self) -> int:
        return len(self.new) + len(self.changed) + len(self.again) + len(self.returned) + len(self.pictures)


class Comparison:
    """One root's comparison: give it every folder of a walk, then ask what is left over.

    known       path → (file id, size_bytes, mtime_ns, flags of these bits); it is used up
    bad         path → (size_bytes, mtime_ns) of files that could not be read; not read again while they look so
    lyrics      asked once at most: path → "size-mtime_ns" of the .lrc beside it when it was read, of those files
                whose flags say that there was one
    pictures    folder → (path, size_bytes, mtime_ns)
    """

    def __init__(self, known: dict[str, KnownFile], *, bad: Mapping[str, tuple[int, int]] | None = None,
                 lyrics: Callable[[], Mapping[str, str]] = dict,
                 pictures: Mapping[str, tuple[str, int, int]] | None = None) -> None:
        self.known = known
        self.found = 0
        self._bad = bad or {}
        self._met_bad: set[str] = set()         # still as bad as they were, or about to be read
        self._ask_lyrics = lyrics
        self._known_lyrics: Mapping[str, str] | None = None
        self._pictures = pictures or {}
        self._doubtful: set[str] = set()

    def folder(self, folder: Folder) -> Differences | None:
        """What differs in `folder`; None when nothing does."""
        files = folder.files
        self.found += len(files)
        take = self.known.pop
        odd: list[tuple[KnownFile | None, str, os.stat_result]] = []
        if folder.lyrics:
            for path, looked in files:
                row = take(path, None)
                if (row is None or row[2] != looked.st_mtime_ns or row[1] != looked.st_size or row[3]
                        or path[:path.rfind(".")] in folder.lyrics):
                    odd.append((row, path, looked))
        else:
            for path, looked in files:
                row = take(path, None)
                if row is None or row[2] != looked.st_mtime_ns or row[1] != looked.st_size or row[3]:
                    odd.append((row, path, looked))
        if not odd and folder.picture is None and not self._pictures and not folder.doubtful:
            return None
        differences = Differences()
        for row, path, looked in odd:
            self._judge(differences, folder, row, found_file(path, looked))
            if folder.lyrics and (stamp := folder.lyrics.get(path[:path.rfind(".")])):
                differences.lyrics[path] = stamp
        self._doubtful.update(folder.doubtful)
        if folder.picture is not None or self._pictures:
            self._compare_picture(differences, folder)
        return differences if differences else None

    def was_bad(self, path: str) -> bool:
        """Whether `path` stands in the list of bad files."""
        return path in self._bad

    def gone(self, unreadable: Iterable[str] = ()) -> list[int]:
        """After the walk: ids of the files that were there and are not, but for those in `unreadable` folders."""
        unsure = self._unsure(unreadable)
        return [row[0] for path, row in self.known.items() if is_there(row) and not unsure(path)]

    def cured(self, unreadable: Iterable[str] = ()) -> list[str]:
        """After the walk: bad files that are gone, or are again what the library knows."""
        unsure = self._unsure(unreadable)
        return [path for path in self._bad if path not in self._met_bad and not unsure(path)]

    # ---- inside ---------------------------------------------------------------------------------------------------

    def _judge(self, differences: Differences, folder: Folder, row: KnownFile | None, found: Found) -> None:
        if row is not None:
            if row[3] & TRASHED:
                return  # it could not be moved to the trash; it stays where it is, and out of the library
            if row[1] == found.size_bytes and row[2] == found.mtime_ns:
                if row[3] & MISSING:
                    differences.returned.append(row[0])
                if self._other_lyrics(folder, row, found.path):
                    differences.again.append((row[0], found))
                return
        if found.path in self._bad:
            self._met_bad.add(found.path)
            if self._bad[found.path] == (found.size_bytes, found.mtime_ns):
                return
        if row is None:
            differences.new.append(found)
        else:
            differences.changed.append((row[0], found))

    def _other_lyrics(self, folder: Folder, row: KnownFile, path: str) -> bool:
        was = None
        if row[3] & LYRICS:
            if self._known_lyrics is None:
                self._known_lyrics = self._ask_lyrics()
            was = self._known_lyrics.get(path)
        return folder.lyrics.get(path[:path.rfind(".")]) != was

    def _compare_picture(self, differences: Differences, folder: Folder) -> None:
        was, now = self._pictures.get(folder.path), folder.picture
        if now is not None:
            if was is None or tuple(was) != (now.path, now.size_bytes, now.mtime_ns):
                differences.pictures.append(now)
        elif was is not None:
            differences.pictures.append(Picture(folder.path, "", 0, 0))

    def _unsure(self, unreadable: Iterable[str]) -> Callable[[str], bool]:
        """Whether a path lies in a folder that could not be listed, or could not be looked at itself."""
        prefixes = tuple(f"{folder}/" for folder in unreadable)
        doubtful = self._doubtful
        return lambda path: path.startswith(prefixes) or path in doubtful


# ---- files that moved --------------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class Arrival:
    """A file that is not what the library knows under its path. `file_id`: of the one it knows there, or None."""

    root_id: int
    found: Found
    file_id: int | None = None


@dataclass(slots=True)
class Recognition:
    """What became of the arrivals: each stands in exactly one list. The path of one that moved may be another's."""

    moved: list[tuple[Arrival, int]] = field(default_factory=list)      # the known file under another name, as it was
    renamed: list[tuple[Arrival, int]] = field(default_factory=list)    # certainly that known file, but to be read
    suspects: list[tuple[Arrival, int]] = field(default_factory=list)   # perhaps: its tags must agree
    changed: list[Arrival] = field(default_factory=list)                # the file known at this path, to be read
    new: list[Arrival] = field(default_factory=list)


def recognise(arrivals: Sequence[Arrival], lost: Iterable[Known]) -> Recognition:
    """Find the `lost` files (gone now, missing before, or no longer what lies at their path) among the `arrivals`.

    In this order, and only where both sides are unique: the same inode with the same size and time; the same size
    and time (ties are broken by the name); the same name but for case and Unicode form; the same inode alone, which
    is a suspicion, since file systems use their numbers again. A copy never matches: its original is not lost.
    """
    lost = list(lost)
    known_of = {known.file_id: known for known in lost}
    own = {arrival.file_id for arrival in arrivals}
    rest = dict(enumerate(arrivals))
    pool = dict(known_of)
    exact: dict[int, int] = {}      # index of an arrival → file id
    for key in (_inode_and_stamp, _stamp):
        for index, file_id in _pairs(rest, pool, key, by_name=True):
            exact[index] = file_id
            del rest[index], pool[file_id]
    _let_stay(arrivals, exact, known_of)

    placed = set(exact.values())
    result = Recognition(moved=[(arrivals[index], file_id) for index, file_id in sorted(exact.items())])
    rest = {}
    for index, arrival in enumerate(arrivals):
        if arrival.file_id is not None and arrival.file_id not in placed and index not in exact:
            result.changed.append(arrival)
        elif index not in exact:
            rest[index] = arrival
    pool = {file_id: known for file_id, known in known_of.items() if file_id not in placed and file_id not in own}
    for into, key in ((result.renamed, _plain_name), (result.suspects, _inode)):
        for index, file_id in sorted(_pairs(rest, pool, key, by_name=False)):
            into.append((rest.pop(index), file_id))
            del pool[file_id]
    result.new = list(rest.values())
    return result


def _inode_and_stamp(file: Found | Known) -> Key | None:
    return (file.inode, file.device, file.size_bytes, file.mtime_ns) if file.inode not in _NO_INODE else None


def _inode(file: Found | Known) -> Key | None:
    return (file.inode, file.device) if file.inode not in _NO_INODE else None


def _stamp(file: Found | Known) -> Key | None:
    return file.size_bytes, file.mtime_ns


def _plain_name(file: Found | Known) -> Key | None:
    return (_same(file.path),)


def _pairs(arrivals: Mapping[int, Arrival], pool: Mapping[int, Known], key_of: Callable[[Found | Known], Key | None],
           *, by_name: bool) -> list[tuple[int, int]]:
    """(index of arrival, file id) that share a key nobody else has; with `by_name`, a name may decide between some."""
    lost: dict[Key, list[int]] = defaultdict(list)
    for file_id, known in pool.items():
        if (key := key_of(known)) is not None:
            lost[key].append(file_id)
    met: dict[Key, list[int]] = defaultdict(list)
    for index, arrival in arrivals.items():
        if (key := key_of(arrival.found)) is not None and key in lost:
            met[key].append(index)
    pairs = []
    for key, indexes in met.items():
        ids = lost[key]
        if len(indexes) == 1 and len(ids) == 1:
            pairs.append((indexes[0], ids[0]))
        elif by_name:
            pairs += _by_name({index: arrivals[index].found.path for index in indexes},
                              {file_id: pool[file_id].path for file_id in ids})
    return pairs


def _by_name(met: dict[int, str], lost: dict[int, str]) -> list[tuple[int, int]]:
    """Pairs whose paths end alike as no others do: "Artist/Album/01.mp3" is tried before "01.mp3"."""
    pairs = []
    for depth in (3, 2, 1):
        ends: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for side, paths in enumerate((met, lost)):
            for one, path in paths.items():
                ends["/".join(path.split("/")[-depth:])][side].append(one)
        for indexes, ids in ends.values():
            if len(indexes) == 1 and len(ids) == 1:
                pairs.append((indexes[0], ids[0]))
                del met[indexes[0]], lost[ids[0]]
    return pairs


def _let_stay(arrivals: Sequence[Arrival], exact: dict[int, int], known_of: Mapping[int, Known]) -> None:
    """Undo pairs that would take its path from a known file that has no new place: it was overwritten and keeps it.

    Files that swapped or passed on their names (renumbered tracks) all have new places, and stay paired. A file that
    was missing already makes way.
    """
    while True:
        placed = set(exact.values())
        undone = [index for index in exact
                  if (owner := arrivals[index].file_id) is not None and owner not in placed
                  and not (owner in known_of and known_of[owner].missing)]
        if not undone:
            return
        for index in undone:
            del exact[index]


# ---- where only the tags can tell --------------------------------------------------------------------------------


class Remembrance:
    """The tags of vanished files, to know one again that was moved and retagged, or came back in another shape.

    vanished    rows with file_id, title, artist, album, track_number, duration_ms, format, isrc, recording_mbid and
                audio_md5 (records.recall.Vanished)
    """

    def __init__(self, vanished: Iterable[Any]) -> None:
        self._of = {one.file_id: one for one in vanished}
        self._by: dict[Key, list[int]] = defaultdict(list)
        for one in self._of.values():
            for key in _tag_keys(one.recording_mbid, one.audio_md5, one.isrc, one.title, one.artist, one.album,
                                 one.track_number):
                self._by[key].append(one.file_id)

    def __len__(self) -> int:
        return len(self._of)

    def take(self, reading: Reading, *, suspect: int | None = None) -> int | None:
        """The file id of the vanished file that `reading` is, or None. It is given once.

        Told by recording MBID, ISRC, or title, artist, album and number together, each with the same length to a
        second and nobody else fitting. Half the tags are enough where the audio's own checksum is the same, and for
        `suspect`, a file id that had the same inode.
        """
        tags = reading.metadata
        if suspect not in self._of or not _may_be(self._of[suspect], reading):
            suspect = None
        for key in _tag_keys(tags.recording_mbid, reading.audio_md5, tags.isrc, tags.title, tags.artist, tags.album,
                             tags.track_number):
            fitting = [file_id for file_id in self._by.get(key, ()) if file_id in self._of
                       and abs(self._of[file_id].duration_ms - reading.facts.duration_ms) <= 1000
                       and (key[0] != "md5" or _half_fits(self._of[file_id], reading))]
            if len(fitting) == 1 or suspect in fitting:
                return self._give(fitting[0] if len(fitting) == 1 else suspect)
        if suspect is not None and _half_fits(self._of[suspect], reading):
            return self._give(suspect)
        return None

    def _give(self, file_id: int | None) -> int | None:
        if file_id is not None:
            del self._of[file_id]
        return file_id


def _tag_keys(recording_mbid: str | None, audio_md5: str | None, isrc: str | None, title: str | None,
              artist: str | None, album: str | None, number: int | None) -> list[Key]:
    keys: list[Key] = []
    if recording_mbid:
        keys.append(("mbid", recording_mbid, _same(album)))
        keys.append(("mbid", recording_mbid))
    if audio_md5 and audio_md5.strip("0"):
        keys.append(("md5", audio_md5, _same(album)))
        keys.append(("md5", audio_md5))
    if isrc:
        keys.append(("isrc", isrc, _same(album)))
        keys.append(("isrc", isrc))
    if title and artist:
        keys.append(("tags", _same(title), _same(artist), _same(album), number))
    return keys


def _may_be(known: Any, reading: Reading) -> bool:
    """Whether a file with the same inode can hold the same sound."""
    facts = reading.facts
    if known.format != facts.format or abs(known.duration_ms - facts.duration_ms) > 50:
        return False
    return not (known.audio_md5 and reading.audio_md5 and known.audio_md5 != reading.audio_md5)


def _half_fits(known: Any, reading: Reading) -> bool:
    tags = reading.metadata
    if _same(known.title) == _same(tags.title):
        return True
    if None not in (known.track_number, tags.track_number) and known.track_number != tags.track_number:
        return False
    return bool(tags.artist and tags.album and _same(known.artist) == _same(tags.artist)
                and _same(known.album) == _same(tags.album))


def _same(text: str | None) -> str | None:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).strip() if text else None
