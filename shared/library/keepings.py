"""Conversions for the shelf, kept by content and settings: the same one is not made twice (shared/audio/keeping.py)."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.library.lru import DiskLru
from shared.model.download import CONVERSIONS
from shared.model.errors import BadInput, DiskFull
from shared.model.track import LOSSLESS, AudioFacts
from shared.model.units import GIB, Bytes, Kbps, Lufs, Seconds
from shared.ports import Workers

VERSION = 1                 # of what the same settings make
HASH_TIMEOUT_S: Seconds = 600.0
PATIENCE_S: Seconds = 120.0 # a conversion may take so long, and as long as the music plays on top
SUFFIXES = {"mp3": ".mp3", "opus": ".opus", "aac": ".m4a", "flac": ".flac"}
#: What a file becomes when it is to be changed, and no format is named (as audio.keeping).
FAMILY = {"mp3": "mp3", "opus": "opus", "aac": "aac", "vorbis": "opus", "wma": "aac", **dict.fromkeys(LOSSLESS, "flac")}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made of a file. Not `needed`: it can stay as it is."""

    needed: bool
    format: str             # one of CONVERSIONS when needed, else the file's own
    suffix: str             # ".mp3"; "" when it stays
    bitrate_kbps: Kbps | None = None
    note: str | None = None     # a sentence, where it is not quite as asked for


def plan(facts: AudioFacts, *, format: str | None = None, bitrate_kbps: Kbps | None = None, level: bool = False,
         trim: bool = False) -> Plan:
    """Whether a file with these `facts` must be encoded anew, and into what. Pure.

    format          one of CONVERSIONS, or None: its own family
    level, trim     whether the sound itself is to be changed
    What is lossy never becomes FLAC, and is not blown up to more kbit/s: it stays, which the note says. Raises
    BadInput for an unknown format.
    """
    if format is not None and format not in CONVERSIONS:
        raise BadInput(f"{format} is no format to keep music in; there are {', '.join(CONVERSIONS)}.", field="format")
    lossless = facts.format in LOSSLESS
    target, note = format or FAMILY[facts.format], None
    if target == "flac" and not lossless:
        note = f"It is {facts.format}, which is lossy: as FLAC it would only be larger."
        target = FAMILY[facts.format]
        format = None
    changed = level or trim
    if not changed and (format is None or format == facts.format) and (
            lossless or format is None or not _much_less(bitrate_kbps, facts.bitrate_kbps)):
        return Plan(False, facts.format, "", facts.bitrate_kbps, note)
    if target == "flac":
        return Plan(True, target, SUFFIXES[target], None, note)
    kbps = bitrate_kbps if format is not None else None
    if format == facts.format and facts.bitrate_kbps and kbps and kbps > facts.bitrate_kbps:
        kbps = None             # about that of the source
    if note is None and format is None and target != facts.format:
        note = f"Its sound is changed, and {facts.format} cannot be written here: it becomes {target}."
    return Plan(True, target, SUFFIXES[target], kbps, note)


class Keepings:
    """At most `limit_bytes` of finished conversions in `folder`, the least recently used leave first.

    workers     niced worker processes (ports.Workers); each conversion takes one
    ffmpeg      path of a system's ffmpeg, which makes MP3 three times as fast; None: there is none
    """

    def __init__(self, *, workers: Workers, folder: Path, limit_bytes: Bytes = 2 * GIB,
                 ffmpeg: str | None = None) -> None:
        self._workers = workers
        self._folder = folder
        self._limit = limit_bytes
        self._ffmpeg = ffmpeg
        self._lru = DiskLru(folder=folder, limit_bytes=limit_bytes)
        self._lock = threading.Lock()
        self._under_way: dict[str, threading.Lock] = {}
        self._swept = False

    plan = staticmethod(plan)

    def keep(self, path: str | Path, target: str | Path, *, format: str | None = None, bitrate_kbps: Kbps | None = None,
             level_lufs: Lufs | None = None, trim: bool = False, sha256: str | None = None,
             duration_ms: int = 0) -> dict[str, Any]:
        """Write the file that is kept instead of the one at `path` to `target`; what audio.keeping:keep answers, and
        `cached`: whether it was there already.

        `sha256` of the file at `path`, when it is known. Two that ask for the same wait for one. Raises what
        audio.keeping:keep raises, and DiskFull.
        """
        path, target = str(path), str(target)
        sha256 = sha256 or str(self._workers.run("shared.audio.integrity:sha256", path, timeout_s=HASH_TIMEOUT_S))
        how: dict[str, Any] = {"format": format, "bitrate_kbps": bitrate_kbps, "level_lufs": level_lufs, "trim": trim}
        words = json.dumps([VERSION, sha256, sorted(how.items())], default=str)
        key = hashlib.blake2b(words.encode(), digest_size=16).hexdigest()
        kept = self._folder / key[:2] / f"{key}{Path(target).suffix}"
        told = kept.with_name(f"{key}.json")
        with self._alone(key), _room():
            answer = self._known(kept, told)
            if answer is not None:
                _copy(str(kept), target)
                return answer | {"cached": True}
            made: dict[str, Any] = self._workers.run(
                "shared.audio.keeping:keep", path, target, ffmpeg=self._ffmpeg,
                timeout_s=PATIENCE_S + duration_ms / 1000, **how)
            self._remember(target, kept, told, made)
            return made | {"cached": False}

    def stop(self) -> None:
        self._lru.stop()

    # ---- inside ---------------------------------------------------------------------------------------------------

    def _known(self, kept: Path, told: Path) -> dict[str, Any] | None:
        found = self._lru.use(str(kept))
        if found is None or self._lru.use(str(told)) is None:
            return None
        try:
            answer: dict[str, Any] = json.loads(told.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return answer if answer.get("bytes") == found.st_size else None

    def _remember(self, target: str, kept: Path, told: Path, answer: dict[str, Any]) -> None:
        """A cache that cannot be written to (a full disk) is no reason to fail."""
        if int(answer["bytes"]) > self._limit // 4:
            return
        part = kept.with_name(f"{kept.name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            if not self._swept:
                self._swept = True
                for left in self._folder.glob("*/*.part"):
                    left.unlink(missing_ok=True)
            kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copyfile(target, part)
            os.replace(part, kept)
            part.write_text(json.dumps(answer), "utf-8")
            os.replace(part, told)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            return
        self._lru.added(int(answer["bytes"]))

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        with self._lock:
            lock = self._under_way.setdefault(key, threading.Lock())
        with lock:
            try:
                yield
            finally:
                with self._lock:
                    self._under_way.pop(key, None)


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("There is no room for the conversion. Make room and try again.") from error
        raise


def _copy(source: str, target: str) -> None:
    part = f"{target}.{os.getpid()}.part"
    try:
        shutil.copyfile(source, part)
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        os.replace(part, target)
    except OSError:
        with suppress(OSError):
            os.unlink(part)
        raise


def _much_less(wanted: Kbps | None, has: Kbps | None) -> bool:
    """Whether encoding anew saves enough to be worth what it loses."""
    return bool(wanted and has and wanted < has * 0.85)
