"""A backup as one file: a compressed tar whose first member tells size and sha256 of all others.

    manifest.json                   what is in it, written by which version
    library.db                      the whole library: tracks, people, listening, copies in the cloud
    config.json                     settings; secrets in it are sealed and open on the machine they were sealed on alone
    library.json                    the library for people and other programs
    playlists/<person>/<name>.m3u8  and .json: likewise
    covers/kept/<aa>/<sha256>.jpg   pictures that the station keeps for good
    covers/shown/<id>.webp          600 pixels of what else is shown, by the id of its album (or track)

Any program that knows tar opens it. What is read here is believed only as far as the manifest's hashes go, and written
only where its names may lie.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from shared.model.errors import DiskFull, NotFound, SoundsibleError, Unprocessable
from shared.model.units import MIB, Bytes
from shared.model.work import Moved, Stopped
from shared.ports import Work

VERSION = 1
MANIFEST, DATABASE, CONFIG, LIBRARY = "manifest.json", "library.db", "config.json", "library.json"
PLAYLISTS, KEPT, SHOWN = "playlists", "covers/kept", "covers/shown"
PIECE = 1 * MIB
LARGEST_MANIFEST = 256 * MIB
COMPRESSION = 4         # pictures do not shrink, and the rest does at the first levels
ROOM: Bytes = 64 * MIB  # left free on the disk, whatever is written

_NAME = re.compile(r"soundsible-([a-z0-9]{1,40})-(\d{8}T\d{6}Z)\.tar\.gz(\.sealed)?")
_MEMBER = re.compile(r"(?:[^/\\\x00-\x1f]{1,255}/){0,4}[^/\\\x00-\x1f]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveName:
    """What the name of a backup tells."""

    name: str
    station: str
    made_at: float      # Unix time
    sealed: bool


class Member(msgspec.Struct, frozen=True):
    name: str
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """The first member. `contents`: records.transplant.Contents as JSON."""

    version: int
    program: str        # the version of Soundsible that made it
    station: str
    made_at: str        # RFC 3339 UTC
    contents: dict[str, Any]
    notes: list[str]    # for people: what to know before using it
    members: list[Member]


def name_for(station: str, now: float) -> str:
    return f"soundsible-{station}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}.tar.gz"


def parse_name(name: str) -> ArchiveName | None:
    """None: it is no backup's name."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        made = datetime.strptime(found[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return ArchiveName(name=name, station=found[1], made_at=made.timestamp(), sealed=bool(found[3]))


# ---- writing -----------------------------------------------------------------------------------------------------


def measure(members: Sequence[tuple[str, Path]], work: Work, phase: str) -> list[Member]:
    """Size and hash of each. Raises OSError, Stopped."""
    total, done = sum(path.stat().st_size for _, path in members), 0
    told: list[Member] = []
    for name, path in members:
        digest, size = hashlib.sha256(), 0
        with open(path, "rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
                size += len(piece)
                done += len(piece)
                _go_on(work, Moved(phase, len(told), len(members), done, total, name))
        told.append(Member(name, size, digest.hexdigest()))
    return told


def write(target: Path, manifest: Manifest, paths: Sequence[Path], work: Work) -> None:
    """All of it into `target` (made anew, for this user alone), on the disk when this returns.

    `paths` are the manifest's members in their order. Raises DiskFull, Unprocessable when one has changed since it was
    measured, Stopped; `target` is then not to be used.
    """
    total, done = sum(one.size_bytes for one in manifest.members), 0
    head = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    made = int(datetime.fromisoformat(manifest.made_at.replace("Z", "+00:00")).timestamp())
    target.unlink(missing_ok=True)
    try:
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=COMPRESSION, format=tarfile.PAX_FORMAT) as tar:
                tar.addfile(_header(MANIFEST, len(head), made), io.BytesIO(head))
                for number, (member, path) in enumerate(zip(manifest.members, paths, strict=True)):
                    if path.stat().st_size != member.size_bytes:
                        raise _changed(path)
                    with open(path, "rb") as file:
                        def tell(count: int, at: int = number, name: str = member.name) -> None:
                            nonlocal done
                            done += count
                            _go_on(work, Moved("packing", at, len(paths), done, total, name))

                        tar.addfile(_header(member.name, member.size_bytes, made), _Followed(file, tell))
            raw.flush()
            os.fsync(raw.fileno())
    except OSError as error:
        raise no_room(error, target) from error


def no_room(error: OSError, where: Path) -> SoundsibleError:
    """What went wrong with writing, in words."""
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"The disk that holds {where.parent} is full. Nothing was lost; make room and try again.")
    return SoundsibleError(f"{where.parent} cannot be written to: {error.strerror or error}. Choose another folder, or "
                           "change its permissions.")


def require_room(folder: Path, wanted: Bytes) -> None:
    """Raises DiskFull when `folder`'s disk has not so much left, and some to spare."""
    import shutil

    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise no_room(error, folder / "x") from error
    if free < wanted + ROOM:
        raise DiskFull(f"The disk that holds {folder} has {free // MIB:,} MiB left; about {(wanted + ROOM) // MIB:,} "
                       "MiB are needed. Make room and try again.")


# ---- reading -----------------------------------------------------------------------------------------------------


def peek(path: Path) -> Manifest:
    """What `path` says of itself; only its beginning is read. Raises NotFound, Unprocessable."""
    with _opened(path) as tar:
        return _manifest(tar, path)


def verify(path: Path, work: Work) -> Manifest:
    """Read `path` to its end: every member is there once, and is what the manifest says. Raises Unprocessable."""
    manifest, _ = _through(path, None, (), work, "verifying")
    return manifest


def unpack(path: Path, folder: Path, wanted: Sequence[str], work: Work) -> Manifest:
    """Verify all of `path`, and write those members below `folder` that are called, or lie below, one of `wanted`.

    Raises NotFound, Unprocessable, DiskFull, Stopped; what lies in `folder` then is not to be used.
    """
    manifest, _ = _through(path, folder, wanted, work, "unpacking")
    return manifest


def _through(path: Path, folder: Path | None, wanted: Sequence[str], work: Work, phase: str) -> tuple[Manifest, int]:
    with _opened(path) as tar:
        manifest = _manifest(tar, path)
        expected = {one.name: one for one in manifest.members}
        chosen = {name for name in expected
                  if folder and any(name == one or name.startswith(f"{one}/") for one in wanted)}
        if folder is not None:
            require_room(folder, sum(expected[name].size_bytes for name in chosen))
        total, done, number = sum(one.size_bytes for one in manifest.members), 0, 0
        try:
            while (info := tar.next()) is not None:
                member = expected.pop(info.name, None)
                if member is None or not info.isreg() or info.size != member.size_bytes:
                    raise _damaged(path, f"{info.name!r} is not what its manifest tells of")
                file = tar.extractfile(info)
                assert file is not None
                target = _place(folder, member.name) if folder is not None and member.name in chosen else None
                digest = hashlib.sha256()
                for piece in _pieces(file, target):
                    digest.update(piece)
                    done += len(piece)
                    _go_on(work, Moved(phase, number, len(manifest.members), done, total, member.name))
                if digest.hexdigest() != member.sha256:
                    raise _damaged(path, f"the checksum of {member.name} does not fit")
                number += 1
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise _damaged(path, str(error) or "it ends too early") from error
        except OSError as error:
            if folder is not None and error.errno is not None:
                raise no_room(error, folder / "x") from error
            raise _damaged(path, str(error)) from error
    if expected:
        raise _damaged(path, f"{next(iter(expected))} is missing")
    return manifest, done


def _pieces(file: IO[bytes], target: Path | None) -> Iterator[bytes]:
    if target is None:
        while piece := file.read(PIECE):
            yield piece
        return
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        while piece := file.read(PIECE):
            out.write(piece)
            yield piece
        out.flush()
        os.fsync(out.fileno())


def _place(folder: Path, name: str) -> Path:
    return folder.joinpath(*name.split("/"))


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """Unpacked piece by piece: tarfile's own "r|gz" keeps all that a piece of the packed file becomes in memory."""
    if not path.is_file():
        raise NotFound(f"There is no backup {path}.")
    with ExitStack() as held:
        try:
            packed = held.enter_context(gzip.open(path))
            tar = held.enter_context(tarfile.open(fileobj=packed, mode="r|", bufsize=PIECE))
        except PermissionError as error:
            raise Unprocessable(f"{path} cannot be read: {error.strerror}.") from error
        except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
            raise _damaged(path, "it is no compressed tar") from error
        yield tar


def _manifest(tar: tarfile.TarFile, path: Path) -> Manifest:
    try:
        info = tar.next()
        if info is None or info.name != MANIFEST or not info.isreg() or info.size > LARGEST_MANIFEST:
            raise Unprocessable(f"{path} is no backup of Soundsible.")
        file = tar.extractfile(info)
        assert file is not None
        raw = json.loads(file.read())
        if isinstance(raw, dict) and isinstance(raw.get("version"), int) and raw["version"] > VERSION:
            raise Unprocessable(f"{path} was made by a newer Soundsible ({raw.get('program')}). Update this one first.")
        manifest = msgspec.convert(raw, Manifest)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise _damaged(path, str(error) or "it ends too early") from error
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise _damaged(path, f"its manifest cannot be read: {error}") from error
    names = [one.name for one in manifest.members]
    if len(set(names)) != len(names) or any(one.size_bytes < 0 for one in manifest.members) or any(
            not _MEMBER.fullmatch(name) or any(part in (".", "..") for part in name.split("/")) for name in names):
        raise _damaged(path, "its manifest names what cannot be")
    return manifest


def _header(name: str, size: int, made: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, made, 0o600
    return info


class _Followed:
    """A file whose reading is told of."""

    def __init__(self, file: IO[bytes], tell: Any) -> None:
        self._file = file
        self._tell = tell

    def read(self, count: int = -1) -> bytes:
        piece = self._file.read(count)
        self._tell(len(piece))
        return piece


def _go_on(work: Work, moved: Moved) -> None:
    work.tell(moved)
    if work.stopped():
        raise Stopped


def _changed(path: Path) -> SoundsibleError:
    return Unprocessable(f"{path} changed while it was backed up. Try again.")


def _damaged(path: Path, why: str) -> Unprocessable:
    return Unprocessable(f"The backup {path.name} is damaged or incomplete ({why}). Take another one: nothing was "
                         "changed.")
