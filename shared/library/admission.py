"""The way onto the shelf: a finished file moves into its music folder and into the library (ports.Intake).

Each admission keeps a small journal beside the staged file and goes in steps that can be done again: choose a place
and write it down, bring the file there under a name that was free, write the row by a scan's own code, remove the
staged name. A kill at any moment leaves the library whole; admitting again finishes and adds nothing twice. When a
better file replaces a worse one, the worse is kept in the trash folder before anything else happens, and the track
keeps its id, and with it plays, favourites and playlists.

No call follows a link that lies in the music folder (library.moves), and each has a deadline.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import stat
import threading
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from shared.durable import sync_folder
from shared.library import moves
from shared.library.naming import MOST_BYTES, Template
from shared.library.placing import NO_LINKS as _NO_LINKS
from shared.library.placing import copy_between as _copy_between
from shared.library.placing import put as _put
from shared.library.placing import put_over as _put_over
from shared.library.placing import sync_at as _sync_at
from shared.library.walk import found_file
from shared.model.download import QUALITIES, Failure, Options, Wanted
from shared.model.errors import DiskFull, NotFound, StorageOffline, UnreadableFile
from shared.model.filepath import to_path, to_text
from shared.model.scan import Found
from shared.model.track import LOSSLESS, AudioFacts, Metadata, Reading
from shared.ports import FileAccess, Workers

log = logging.getLogger(__name__)

STAGING = f"{moves.HOME}/staging"
REPLACED = f"{moves.TRASH}/replaced"        # <track id>/<name>: what better files took the place of
DEADLINE_S = 10.0
COPY_DEADLINE_S = 300.0                     # fsync, or a copy to a folder on another disk
READ_TIMEOUT_S = 60.0
EXAMINE_TIMEOUT_S = 600.0
SAME_LENGTH_MS = 3000
SAME_ISRC_LENGTH_MS = 10_000                # one ISRC, another master: its pauses differ
SHORT_NAME_BYTES = 130                      # for the few file systems that take no longer ones (eCryptfs)

#: How much of the sound a kbit/s of each format keeps, MP3 being 1.
_WORTH = {"mp3": 1.0, "aac": 1.25, "vorbis": 1.3, "opus": 2.0, "wma": 0.9}
_WHOLE = 10_000.0
#: Below this worth a file is worse than what was asked for.
_ASKED = {"lossless": _WHOLE, "320": 280.0, "192": 170.0, "128": 110.0, "smallest": 0.0}
_BETTER = 1.15                              # less than that is no reason to replace anything
_SUFFIXES = {"mp3": ".mp3", "flac": ".flac", "vorbis": ".ogg", "opus": ".opus", "aac": ".m4a", "alac": ".m4a",
             "wav": ".wav", "aiff": ".aiff", "wavpack": ".wv", "ape": ".ape", "wma": ".wma"}


@dataclass(frozen=True, slots=True)
class Admitted:
    """ports.Admitted."""

    track_id: str
    path: str                       # relative to its music folder, as text
    duplicate_of: str | None        # it was there already; nothing was added
    replaced: bool                  # a worse file of the same track went to the trash for it
    note: str | None = None         # a sentence, when there is something to say


class Wishes(Protocol):
    @property
    def download_template(self) -> str: ...


class Folders(FileAccess, Protocol):
    """storage.access.Access."""

    def state(self, root: str) -> Any: ...
    def probe(self, root: str) -> Any: ...


class Admission:
    """Safe to call from many threads; what touches the shelf is done one after the other.

    records     records.admission.Shelving
    scans       records.scans.Scans, for the music folders
    """

    def __init__(self, *, records: Any, scans: Any, access: Folders, workers: Workers, settings: Wishes) -> None:
        self._records, self._scans, self._access, self._workers = records, scans, access, workers
        self._template = Template(settings.download_template)
        self._lock = threading.Lock()

    # ---- ports.Intake ---------------------------------------------------------------------------------------------

    def staging(self) -> Path:
        """The folder for downloads under way, on the file system of the first music folder that is there.

        Raises Failure: no_music_folder, library_offline, read_only, disk_full.
        """
        self.ready()
        roots = list(self._scans.roots())
        for root in roots:
            folder = to_path(root.path)
            state = self._state(folder)
            if state == "empty" and self._scans.expects_files(root.id):
                continue        # perhaps the empty place of an unmounted disk
            if state in ("online", "empty"):
                with self._failures(folder):
                    try:
                        self._access.call(folder, partial(_make_staging, folder, make=False), deadline_s=DEADLINE_S)
                    except FileNotFoundError:
                        # New here; or the disk went a moment ago, and what is remembered of it is no longer true.
                        if str(self._access.probe(folder)) not in ("online", "empty") or self._bare(root, folder):
                            continue
                        self._access.call(folder, partial(_make_staging, folder), deadline_s=DEADLINE_S)
                return Path(folder) / STAGING
        raise Failure("library_offline", "No music folder answers: is its disk plugged in? The download goes on when "
                      "it is back.")

    def ready(self) -> None:
        """See ports.Intake."""
        if not list(self._scans.roots()):
            raise Failure("no_music_folder", "There is no music folder yet. Add one, and downloads go there.")

    def owned(self, wanted: Wanted) -> str | None:
        """See ports.Intake. A track whose file is gone for good is not owned; one whose disk is away is, and one
        that lies in the cloud."""
        held = self._owned(wanted)
        return held.track_id if held is not None else None

    def worth_replacing(self, track_id: str, options: Options) -> bool:
        """Whether the file of a track is worse than what `options.quality` asks for, or gone."""
        held = self._records.held(track_id)
        if held is None:
            return False
        return (held.missing and not held.copied) or _worth(held.format, held.bitrate_kbps) < _ASKED[
            options.quality if options.quality in QUALITIES else "lossless"]

    def admit(self, path: Path, metadata: Metadata, facts: AudioFacts, *, sha256: str, options: Options,
              replace: str | None, origin: dict[str, Any], cover: bytes | None = None, lyrics: str | None = None,
              review: str | None = None) -> Admitted:
        """See ports.Intake. `path` lies in `staging()`, its tags are written (`cover` and `lyrics` among them).

        sha256      of what was fetched, before anything was done to it: kept with the origin
        replace     also honoured without being asked when `options.duplicates` is "upgrade"; never by a worse file,
                    or by a lossless one that was lossy before (origin["upsampled"], or a look at it)
        """
        root = self._root_of(path)
        folder = to_path(root.path)
        said = {"sha256": sha256, "review": review} | origin
        with self._failures(folder):
            journal = _Journal.read(path)
            if journal is not None:
                with self._lock:
                    done = self._go_on(root, path, journal, said)
                if done is not None:
                    return done
            staged = self._look(root, path)
            self._access.call(folder, lambda: _sync(path), deadline_s=COPY_DEADLINE_S)
            reading = self._read(str(path))
            content = str(self._workers.run("shared.audio.integrity:sha256", str(path), timeout_s=EXAMINE_TIMEOUT_S))
            with self._lock:
                same = self._same(metadata, reading, {content, sha256}, options, replace)
                if same is not None and not self._may_replace(same, reading, path, options, replace, origin):
                    return Admitted(same.track_id, same.path, same.track_id, False,
                                    f"Already in your library, {_quality(same)}.")
                journal = self._place(root, path, metadata, reading, same, content, staged)
                return self._enter(path, journal, said)

    def _bare(self, root: Any, folder: str) -> bool:
        """Whether a folder that should hold tracks holds nothing: the empty place of an unmounted disk."""
        return str(self._access.state(folder)) == "empty" and bool(self._scans.expects_files(root.id))

    # ---- what is there --------------------------------------------------------------------------------------------

    def _owned(self, wanted: Wanted) -> Any | None:
        def fits(one: Any, within_ms: int) -> bool:
            return not wanted.duration_ms or not one.duration_ms or (
                abs(one.duration_ms - wanted.duration_ms) <= within_ms)

        if wanted.isrc:
            isrc = "".join(one for one in wanted.isrc.upper() if one.isalnum())
            if found := self._present([one for one in self._records.by_isrc(isrc) if fits(one, SAME_ISRC_LENGTH_MS)]):
                return found
        if wanted.recording_mbid and (found := self._present(
                [one for one in self._records.by_recording(wanted.recording_mbid.lower())
                 if fits(one, SAME_ISRC_LENGTH_MS)])):
            return found
        artist = wanted.artists[0] if wanted.artists else wanted.artist
        if not (wanted.title and artist):
            return None
        alike = [one for one in self._records.by_name(wanted.title, artist) if fits(one, SAME_LENGTH_MS)]
        if not wanted.duration_ms and len(alike) > 1:
            return None     # which of them is meant?
        return self._present(alike)

    def _present(self, held: list[Any]) -> Any | None:
        """The best of them; one that is missing only when its folder does not answer or it lies in the cloud."""
        for one in sorted(held, key=lambda one: -_worth(one.format, one.bitrate_kbps)):
            if not one.missing or one.copied or self._state(one.root) != "online":
                return one
        return None

    def _same(self, metadata: Metadata, reading: Reading, hashes: set[str], options: Options,
              replace: str | None) -> Any | None:
        """The track that the staged file is, too."""
        if replace is not None and (held := self._records.held(replace)) is not None:
            return held
        if found := self._present(self._records.by_content(sorted(hashes))):
            return found        # the very same bytes are never had twice
        if options.duplicates == "keep":
            return None
        if reading.audio_md5 and (found := self._present(self._records.by_content([], reading.audio_md5))):
            return found
        wanted = Wanted(
            title=metadata.title, artist=metadata.artist,
            artists=tuple(credit.name for credit in metadata.credits if credit.role == "artist"),
            isrc=metadata.isrc, recording_mbid=metadata.recording_mbid, duration_ms=reading.facts.duration_ms or None)
        if found := self._owned(wanted):
            return found
        return self._lost(wanted)

    def _lost(self, wanted: Wanted) -> Any | None:
        """A track of the same recording whose file is gone for good: this one takes its place."""
        for held in (self._records.by_isrc(wanted.isrc) if wanted.isrc else []) + (
                self._records.by_recording(wanted.recording_mbid) if wanted.recording_mbid else []):
            if held.missing and abs(held.duration_ms - (wanted.duration_ms or 0)) <= SAME_LENGTH_MS:
                return held
        return None

    def _may_replace(self, same: Any, reading: Reading, path: Path, options: Options, replace: str | None,
                     origin: Mapping[str, Any]) -> bool:
        if same.missing and not same.copied:
            return self._state(same.root) == "online"
        if replace is None and options.duplicates != "upgrade":
            return False
        facts = reading.facts
        if _worth(facts.format, facts.bitrate_kbps) < _worth(same.format, same.bitrate_kbps) * _BETTER:
            return False
        if facts.format in LOSSLESS:
            fake = origin.get("upsampled")
            if fake is None:
                answer = self._workers.run("shared.audio.inspect:inspect", str(path), timeout_s=EXAMINE_TIMEOUT_S)
                fake = answer["upsampled"]
            return not fake
        return True

    # ---- where to -------------------------------------------------------------------------------------------------

    def _root_of(self, path: Path) -> Any:
        """The music folder in whose staging `path` lies, also when that is called by its real name."""
        if ".." not in path.parts:
            for root in self._scans.roots():
                folder = to_path(root.path)
                if path.is_relative_to(Path(folder) / STAGING):
                    return root
                with contextlib.suppress(StorageOffline):
                    real = self._access.call(folder, partial(os.path.realpath, folder), deadline_s=DEADLINE_S)
                    if path.is_relative_to(Path(real) / STAGING):
                        return root
        raise Failure("internal", "What is to be admitted does not lie in the staging folder.")

    def _place(self, root: Any, path: Path, metadata: Metadata, reading: Reading, same: Any | None, content: str,
               staged: os.stat_result) -> _Journal:
        """Choose where the file goes, write that down, bring it there."""
        folder, suffix = to_path(root.path), _suffix(path, reading.facts)
        journal = _Journal(root_id=root.id, root=folder, path="", sha256=content, size=staged.st_size,
                           inode=f"{staged.st_dev}:{staged.st_ino}", track=same.track_id if same else None)
        most = MOST_BYTES
        for _ in range(20):
            if same is None or same.missing:
                wanted = self._template.path(_named_by(metadata, reading), suffix, most_bytes=most)
                journal = replace(journal, path=str(
                    self._access.call(folder, partial(self._free, root, wanted), deadline_s=DEADLINE_S)))
            else:
                journal = replace(journal, root_id=same.root_id, root=same.root, old=same.path,
                                  path=self._place_beside(same, suffix))
            self._access.call(folder, partial(journal.write, path), deadline_s=DEADLINE_S)
            try:
                self._bring(path, journal)
                return journal
            except FileExistsError:     # somebody was quicker
                continue
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG or most == SHORT_NAME_BYTES:
                    raise
                most = SHORT_NAME_BYTES
        raise Failure("internal", "Other programs keep taking the names that this file could have.")

    def _free(self, root: Any, wanted: str) -> str:
        folder = to_path(root.path)
        *parts, name = wanted.split("/")
        at = ""
        for part in parts:
            at = f"{at}/{_as_it_is_there(folder, at, part)}".lstrip("/")
        stem, ending = os.path.splitext(name)
        there = {_same_name(one) for one in moves.names(folder, at)} if at else {
            _same_name(to_text(one)) for one in os.listdir(folder)}
        number = 1
        while True:
            named = name if number == 1 else f"{stem} ({number}){ending}"
            place = f"{at}/{named}".lstrip("/")
            if _same_name(named) not in there:
                known = self._records.at(root.id, place)
                if known is None or not known[1]:
                    return place
            number += 1

    def _place_beside(self, same: Any, suffix: str) -> str:
        """Where the better file of a track goes: where the worse one lies, with its own ending."""
        stem, ending = os.path.splitext(same.path)
        if ending.lower() == suffix:
            return str(same.path)
        return str(self._access.call(same.root, lambda: moves.free_name(same.root, f"{stem}{suffix}"),
                                     deadline_s=DEADLINE_S))

    # ---- the steps ------------------------------------------------------------------------------------------------

    def _bring(self, path: Path, journal: _Journal) -> None:
        """The staged file lies at its place as well; what it replaces lies in the trash folder as well."""
        root, target, old = journal.root, journal.path, journal.old

        def bring() -> None:
            if old is not None:
                _keep_replaced(root, old, str(journal.track))
            if old == target:
                _put_over(str(path), root, target)
                return
            _put(str(path), root, target)

        self._access.call(root, bring, deadline_s=COPY_DEADLINE_S)

    def _enter(self, path: Path, journal: _Journal, said: Mapping[str, Any]) -> Admitted:
        """The row, then what is left over."""
        root, target = journal.root, journal.path
        found, beside = self._access.call(root, lambda: _seen(root, target), deadline_s=DEADLINE_S)
        reading = self._read(os.path.join(root, to_path(target)), with_lyrics=beside is not None)
        written = {"sha256": journal.sha256, "origin": said, "lyrics": beside}
        uid = journal.track
        if uid is not None:
            try:
                self._records.put_in_place(uid, journal.root_id, found, reading, **written)
            except NotFound:    # somebody removed it just now
                uid = None
        if uid is None:
            uid = self._records.put(journal.root_id, found, reading, **written)
        done = replace(journal, done=uid)
        self._access.call(root, lambda: self._clear(path, done), deadline_s=DEADLINE_S)
        if journal.old is not None and journal.old != target:
            self._records.forget_at(journal.root_id, journal.old, but=uid)
        return Admitted(uid, target, None, journal.old is not None)

    def _clear(self, path: Path, done: _Journal) -> None:
        if done.old is not None and done.old != done.path:
            moves.remove(done.root, done.old)
        with contextlib.suppress(OSError):      # a cut-off move would be done again, and find all of it done
            done.write(path)
            if os.path.lexists(path):
                os.unlink(path)

    def _go_on(self, root: Any, path: Path, journal: _Journal, said: Mapping[str, Any]) -> Admitted | None:
        """What an admission that was cut off left to do; None when it had not begun anything that counts."""
        folder, target = journal.root, journal.path
        if journal.done is not None:
            held = self._records.held(journal.done)
            if held is not None:
                self._access.call(folder, lambda: self._clear(path, journal), deadline_s=DEADLINE_S)
                return Admitted(held.track_id, held.path, None, journal.old is not None)
        there = self._access.call(folder, lambda: _is_ours(folder, target, journal), deadline_s=COPY_DEADLINE_S)
        if there:
            return self._enter(path, journal, said)
        if there is None:
            # The name was claimed, and nothing more happened.
            self._access.call(folder, lambda: moves.remove(folder, target), deadline_s=DEADLINE_S)
        return None

    # ---- calls out ------------------------------------------------------------------------------------------------

    def _look(self, root: Any, path: Path) -> os.stat_result:
        folder = to_path(root.path)
        looked: os.stat_result = self._access.call(folder, lambda: os.lstat(path), deadline_s=DEADLINE_S)
        if not stat.S_ISREG(looked.st_mode) or not looked.st_size:
            raise Failure("damaged", "What was to be admitted is no longer a file with something in it.")
        return looked

    def _read(self, path: str, *, with_lyrics: bool = False) -> Reading:
        answer = self._workers.run("shared.library.reading:read_many", [(path, with_lyrics)],
                                   timeout_s=READ_TIMEOUT_S)[0]
        if isinstance(answer, UnreadableFile):
            raise answer
        reading: Reading = answer
        return reading

    def _state(self, folder: str) -> str:
        """How a music folder is now; what is remembered of it counts only while that is good."""
        state = str(self._access.state(folder))
        return state if state in ("online", "hanging") else str(self._access.probe(folder))

    @contextlib.contextmanager
    def _failures(self, folder: str) -> Iterator[None]:
        """Foreign errors in the words of downloads."""
        name = os.path.basename(folder.rstrip("/")) or folder
        try:
            yield
        except Failure:
            raise
        except StorageOffline as error:
            raise Failure("library_offline", f"The music folder {name} does not answer. The download goes on when it "
                          "does.") from error
        except UnreadableFile as error:
            code = {"empty": "empty", "not_audio": "not_audio", "timed_out": "timed_out", "reader_crashed": "damaged"}
            raise Failure(code.get(error.reason, "damaged"), error.message) from error
        except DiskFull as error:
            raise Failure("disk_full", error.message) from error
        except OSError as error:
            raise _failure(error, name) from error


# ---- in the folder's own thread ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Journal:
    """What an admission is about to do, beside the staged file."""

    root_id: int
    root: str           # as the file system wants it
    path: str           # the place, relative, as text
    sha256: str
    inode: str
    size: int
    track: str | None = None    # whose file it shall be
    old: str | None = None      # the path of the worse file
    done: str | None = None     # the track, when the row is written

    @staticmethod
    def beside(path: Path) -> Path:
        return path.with_name(f".{hashlib.blake2b(os.fsencode(path.name), digest_size=8).hexdigest()}.admission")

    @classmethod
    def read(cls, path: Path) -> _Journal | None:
        try:
            said = json.loads(cls.beside(path).read_text("utf-8", "surrogateescape"))
            return cls(**said)
        except (OSError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        place = self.beside(path)
        part = place.with_suffix(".part")
        said = {name: getattr(self, name) for name in self.__slots__}
        with open(part, "w", encoding="utf-8", errors="surrogateescape") as file:
            json.dump(said, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, place)
        sync_folder(place.parent)


def _make_staging(root: str, *, make: bool = True) -> None:
    os.lstat(root)      # so that the place of an unmounted disk is never written to
    with moves.spot(root, f"{STAGING}/-", make=make) as (folder, name):
        within = os.path.dirname(name) if folder is None else "."
        if not os.access(within, os.W_OK | os.X_OK, dir_fd=folder):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), STAGING)


def _keep_replaced(root: str, old: str, uid: str) -> None:
    """The file at `old` lies in the trash folder as well; as a second name where links are to be had, else a copy."""
    name = old.rpartition("/")[2]
    place = moves.free_name(root, f"{REPLACED}/{uid}/{name}")
    with moves.spot(root, old) as (here, old_name), moves.spot(root, place, make=True) as (there, new_name):
        for other in moves.names(root, f"{REPLACED}/{uid}"):
            kept = os.stat(other, dir_fd=there, follow_symlinks=False) if there is not None else os.lstat(
                os.path.join(os.path.dirname(new_name), other))
            if os.path.samestat(kept, os.stat(old_name, dir_fd=here, follow_symlinks=False)):
                return      # an admission that was cut off did it
        try:
            os.link(old_name, new_name, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _copy_between(here, old_name, there, new_name)
        _sync_at(there, new_name)


def _is_ours(root: str, target: str, journal: _Journal) -> bool | None:
    """Whether the file that was to be admitted lies at `target`; None: only its name was claimed."""
    try:
        with moves.spot(root, target) as (folder, name):
            looked = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(looked.st_mode):
                return False
            if looked.st_size == 0 and journal.size:
                return None
            if f"{looked.st_dev}:{looked.st_ino}" == journal.inode:
                return True
            if looked.st_size != journal.size:
                return False
            with open(os.open(name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0), dir_fd=folder), "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == journal.sha256
    except (FileNotFoundError, NotADirectoryError):
        return False


def _seen(root: str, path: str) -> tuple[Found, str | None]:
    """The file at `path` as a scan would find it, and the stamp of the .lrc beside it."""
    whole = os.path.join(root, to_path(path))
    found = found_file(path, os.stat(whole))
    try:
        beside = os.stat(os.path.splitext(whole)[0] + ".lrc")
    except OSError:
        return found, None
    return found, f"{beside.st_size}-{beside.st_mtime_ns}" if stat.S_ISREG(beside.st_mode) else None


def _as_it_is_there(root: str, at: str, part: str) -> str:
    """`part`, or the folder in `at` that is called so in another case; beside it when a link or a file is."""
    try:
        names = moves.names(root, at) if at else [to_text(one) for one in os.listdir(root)]
    except OSError:
        return part
    alike = [one for one in names if _same_name(one) == _same_name(part)]
    alike.sort(key=lambda one: one != part)
    for one in alike:
        if stat.S_ISDIR(os.lstat(os.path.join(root, to_path(at), to_path(one))).st_mode):
            return one
    if not alike:
        return part
    number, taken = 2, {_same_name(one) for one in names}
    while _same_name(f"{part} ({number})") in taken and not stat.S_ISDIR(
            os.lstat(os.path.join(root, to_path(at), f"{part} ({number})")).st_mode):
        number += 1
    return f"{part} ({number})"


def _same_name(name: str) -> str:
    """Equal for names that one file system or another takes for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


# ---- words -------------------------------------------------------------------------------------------------------


def _worth(format: str, bitrate_kbps: int | None) -> float:
    """How much of the sound a file has, for comparing files of one recording."""
    if format in LOSSLESS:
        return _WHOLE
    return (bitrate_kbps or 128) * _WORTH.get(format, 1.0)


def _named_by(metadata: Metadata, reading: Reading) -> Metadata:
    """What the place is named by: what was chosen, or what the file itself says."""
    return metadata if metadata.title else reading.metadata


def _suffix(path: Path, facts: AudioFacts) -> str:
    """By what the file is, not by what it is called; an ending that is right for it stays."""
    own = path.suffix.lower()
    right = _SUFFIXES[facts.format]
    if facts.mime_type == "audio/mp4":
        return own if own in (".m4a", ".m4b", ".mp4") else ".m4a"
    if facts.mime_type == "audio/ogg":
        return own if own in (".ogg", ".oga", ".opus") else ".opus" if facts.format == "opus" else ".ogg"
    if facts.mime_type == "audio/aac":
        return ".aac"
    return own if (own, right) in ((".aif", ".aiff"), (".wave", ".wav"), (".aifc", ".aiff")) else right


def _quality(held: Any) -> str:
    if held.format in LOSSLESS:
        rate = f" {held.sample_rate_hz / 1000:g} kHz" if held.sample_rate_hz else ""
        return f"{held.format}{rate}{f' {held.bit_depth} bit' if held.bit_depth else ''}"
    return f"{held.format}{f' {held.bitrate_kbps} kbit/s' if held.bitrate_kbps else ''}"


def _failure(error: OSError, name: str) -> Failure:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure("disk_full", f"There is no room left in the music folder {name}.")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return Failure("read_only", f"The station may not write to the music folder {name}. Make it writable.")
    if error.errno in (errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT):
        return Failure("library_offline", f"The music folder {name} does not answer ({error.strerror}).")
    return Failure("internal", f"The file could not be brought to its place: {error.strerror or error}.")
