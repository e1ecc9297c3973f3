"""In a worker process: write library.json, and read what other programs made of it.

Three files lie beside the database. `library.json` is for people and other programs, one track a line.
`.library.base.gz` holds the same track lines as they were written, `.library.state.json` tells how the written file
looked (size, mtime, inode, digest), so that foreign edits are known. They are replaced in this order; a kill in
between leaves an export whose differences to the older base are the library's own, which merge to nothing.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import time
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from shared import durable
from shared.library.merge import EDITABLE, merge
from shared.model.units import MIB
from shared.records import manifest as records
from shared.records.moments import shown
from shared.storage.bounds import open_regular

FILE, BASE, STATE = "library.json", ".library.base.gz", ".library.state.json"
SLICE = 1000                    # edited tracks told at once: the station applies them one by one
LARGEST = 1024 * MIB            # a file that size is no library.json of ours
_TOLD = 5                       # examples in a report
_ABOUT = (
    "The music library as Soundsible knows it. Other programs and people may edit " + ", ".join(EDITABLE)
    + " of a track here; the station takes it up. Everything else is only told; removing a track here removes nothing."
)

Look = tuple[int, int, int]     # size, mtime_ns, inode: how a file looked


class _Theirs(msgspec.Struct):
    tracks: list[msgspec.Raw]
    playlists: msgspec.Raw = msgspec.Raw(b"")
    people: msgspec.Raw = msgspec.Raw(b"")


def look(folder: str | Path) -> Look | None:
    """How library.json looks now; None when there is none. What is no regular file is none: it is written over."""
    try:
        found = os.stat(Path(folder) / FILE)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def state_of(folder: str | Path) -> dict[str, Any]:
    """What is remembered of the last export: look, revision, at, file, body; empty when nothing is."""
    try:
        found = msgspec.json.decode((Path(folder) / STATE).read_bytes())
        return found if isinstance(found, dict) and len(found.get("look", ())) == 3 else {}
    except (OSError, msgspec.DecodeError, TypeError):
        return {}


# ---- writing ------------------------------------------------------------------------------------------------------


def export(database: str, folder: str, expected: Look | None) -> dict[str, Any]:
    """Write the library at `database` to `folder`/library.json, atomically, if that changes anything.

    {status, look}: `written`; `unchanged`: the file says so already; `edited`: somebody wrote to the file since it
    looked as `expected`, nothing was done. Some 0.7 s and 4 MB for 100,000 tracks.
    """
    place = Path(folder)
    part, base_part = place / f".{FILE}.part", place / f"{BASE}.part"
    state = state_of(folder)
    expected = None if expected is None else (expected[0], expected[1], expected[2])
    if look(folder) != expected:
        return {"status": "edited"}
    whole, body = hashlib.blake2b(digest_size=16), hashlib.blake2b(digest_size=16)
    with (
        records.snapshot(database) as library,
        open(part, "wb", opener=_private) as file,
        open(base_part, "wb", opener=_private) as base_file,
        gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=base_file, mtime=0) as base,
    ):
        revision = records.revision(library)

        def write(text: bytes) -> None:
            whole.update(text)
            file.write(text)

        head = {"format": "soundsible library 1", "about": _ABOUT, "written_at": shown(time.time()),
                "revision": revision}
        write(b"{" + b",".join(b"\n  %s: %s" % (_json(name), _json(value)) for name, value in head.items()))
        sections: dict[str, str] = {}
        for name, rows in (("tracks", records.tracks(library)), ("playlists", records.playlists(library)),
                           ("people", records.people(library))):
            write(b",\n  %s: [" % _json(name))
            told = hashlib.blake2b(digest_size=16)
            for chunk, lines in _chunks(rows):
                write(chunk)
                told.update(lines)
                if name == "tracks":
                    base.write(lines)
            write(b"\n  ]")
            sections[name] = told.hexdigest()
            body.update(told.digest())
        write(b"\n}\n")
        file.flush()
        os.fsync(file.fileno())
        facts = os.fstat(file.fileno())
    now = {"look": (facts.st_size, facts.st_mtime_ns, facts.st_ino), "revision": revision, "at": time.time(),
           "file": whole.hexdigest(), "body": body.hexdigest(), "sections": sections}
    try:
        if look(folder) != expected:
            return {"status": "edited"}
        if expected is not None and state and tuple(state["look"]) == expected and state.get("body") == now["body"]:
            _remember(place, {**state, "revision": revision, "at": now["at"]})
            return {"status": "unchanged", "look": expected}
        if expected is not None:
            os.chmod(part, os.stat(place / FILE).st_mode & 0o777)
        os.replace(part, place / FILE)
        durable.sync_folder(place)
        os.replace(base_part, place / BASE)
        _remember(place, now)
        return {"status": "written", "look": now["look"]}
    finally:
        part.unlink(missing_ok=True)
        base_part.unlink(missing_ok=True)


def _chunks(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[bytes, bytes]]:
    """Some rows at a time: as a piece of the array, and as plain lines."""
    lines: list[bytes] = []
    first = True
    for row in rows:
        lines.append(_json(row))
        if len(lines) == 500:
            yield (b"\n    " if first else b",\n    ") + b",\n    ".join(lines), b"\n".join(lines) + b"\n"
            lines.clear()
            first = False
    if lines:
        yield (b"\n    " if first else b",\n    ") + b",\n    ".join(lines), b"\n".join(lines) + b"\n"


_json = msgspec.json.Encoder().encode


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _remember(place: Path, state: dict[str, Any]) -> None:
    part = place / f"{STATE}.part"
    with open(part, "wb", opener=_private) as file:
        file.write(_json(state))
    os.replace(part, place / STATE)


# ---- reading ------------------------------------------------------------------------------------------------------


def compare(
    database: str, folder: str, *, expected: Look, heard: Sequence[tuple[int, float]], unknown_at: float,
    after: int = 0,
) -> dict[str, Any]:
    """What other programs changed in library.json, merged with what the library says now.

    expected    how the file must look, else the answer is {status: "moved"}.
    heard       (revision, when it was heard of), rising; `unknown_at` is taken for revisions never heard of.
    after       entries to pass over: those of earlier slices.

    {status: "ours"}: nobody edited it. {status: "broken", reason}: it cannot be read. {status: "edited", edits
    [(id, fields)], conflicts [(title, field, kept)], wrong [text], unknown [id], removed (a number), ignored
    [text], following: int | None}: about SLICE edits; go on with `after=following`.
    """
    if expected[0] > LARGEST:
        return {"status": "broken", "reason": f"it is larger than {LARGEST // MIB} MiB"}
    try:
        with open_regular(str(Path(folder) / FILE)) as file:
            raw = file.readall()
    except OSError:
        return {"status": "moved"}
    if look(folder) != tuple(expected) or len(raw) != expected[0]:
        return {"status": "moved"}
    state = state_of(folder)
    if state.get("file") == hashlib.blake2b(raw, digest_size=16).hexdigest():
        return {"status": "ours"}
    try:
        theirs = msgspec.json.decode(raw.removeprefix(b"\xef\xbb\xbf"), type=_Theirs)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return {"status": "broken", "reason": str(error)}

    base = _Base(folder)
    answer: dict[str, Any] = {"status": "edited", "edits": [], "conflicts": [], "wrong": [], "unknown": [],
                              "ignored": [], "removed": 0, "following": None}
    if not after:
        answer["removed"] = base.count_missing_from(theirs.tracks)
        answer["ignored"] += _edited_sections(theirs, state)
    newest = min(expected[1] / 1e9, time.time())
    revisions = [revision for revision, _ in heard]

    def changed_at(revision: int) -> float:
        if revision <= state.get("revision", -1):
            return float(state["at"])
        first = bisect_left(revisions, revision)
        return heard[first][1] if first < len(heard) else unknown_at

    seen: set[str] = set()
    with records.snapshot(database) as library:
        for batch in _batches(theirs.tracks, base, after, answer["wrong"]):
            ours = records.some_tracks(library, {entry["id"] for _, entry in batch})
            for _, entry in batch:
                uid = entry["id"]
                if uid in seen:
                    answer["wrong"].append(f"{uid} stands there twice")
                    continue
                seen.add(uid)
                if uid not in ours:
                    answer["unknown"].append(uid)
                    continue
                track, revision = ours[uid]
                before = base.track(uid)
                merged = merge(before, entry, track, theirs_newer=newest > changed_at(revision))
                if merged.take:
                    answer["edits"].append((uid, merged.take))
                title = track["title"]
                answer["conflicts"] += [(title, name, kept) for name, kept in merged.conflicts]
                answer["wrong"] += [f"{name} of “{title}” holds what no {name} can be" for name in merged.wrong]
                answer["ignored"] += [
                    f"{name} of “{title}”" for name, value in (before or {}).items()
                    if name not in EDITABLE and name in entry and entry[name] != value
                ]
            if len(answer["edits"]) >= SLICE:
                answer["following"] = batch[-1][0] + 1
                break
    return answer


class _Base:
    """The track lines as last written; nothing when they are lost."""

    def __init__(self, folder: str) -> None:
        try:
            with gzip.open(Path(folder) / BASE, "rb") as file:
                self._lines = file.read().splitlines()
        except (OSError, EOFError, zlib.error):
            self._lines = []
        self._hashes = {hash(line) for line in self._lines}
        self._at = {_id_in(line): at for at, line in enumerate(self._lines)}

    def holds(self, raw: msgspec.Raw) -> bool:
        """Whether this entry is, byte for byte, as it was written."""
        return hash(bytes(raw)) in self._hashes

    def track(self, uid: str) -> dict[str, Any] | None:
        at = self._at.get(uid.encode("utf-8", "surrogatepass"))
        if at is None:
            return None
        found = msgspec.json.decode(self._lines[at])
        return found if isinstance(found, dict) else None

    def count_missing_from(self, entries: Iterable[msgspec.Raw]) -> int:
        there = set()
        for raw in entries:
            if self.holds(raw):
                there.add(_id_in(bytes(raw)))
                continue
            try:
                there.add(msgspec.json.decode(raw, type=_Identified).id.encode("utf-8", "surrogatepass"))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
        return len(self._at.keys() - there)


def _id_in(line: bytes) -> bytes:
    """The id in a track line as it is written here: its first value."""
    start = len(b'{"id":"')
    return line[start:line.find(b'"', start)]


class _Identified(msgspec.Struct):
    id: str


def _batches(
    entries: Sequence[msgspec.Raw], base: _Base, after: int, wrong: list[str]
) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """Edited entries with their places, some at a time; what is no entry goes to `wrong`."""
    batch: list[tuple[int, dict[str, Any]]] = []
    for at in range(after, len(entries)):
        raw = entries[at]
        if base.holds(raw):
            continue
        try:
            entry = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            entry = None
        if not (isinstance(entry, dict) and isinstance(entry.get("id"), str)):
            wrong.append(f"entry {at + 1} is no track with an id")
            continue
        batch.append((at, entry))
        if len(batch) == 500:
            yield batch
            batch = []
    if batch:
        yield batch


def _edited_sections(theirs: _Theirs, state: dict[str, Any]) -> list[str]:
    """Sections that are only told, but were edited."""
    edited = []
    for name in ("playlists", "people"):
        raw = bytes(getattr(theirs, name))
        try:
            rows = msgspec.json.decode(raw) if raw else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            rows = None
        told = hashlib.blake2b(digest_size=16)
        if isinstance(rows, list):
            for _, lines in _chunks(rows):
                told.update(lines)
        if rows is not None and told.hexdigest() != state.get("sections", {}).get(name, told.hexdigest()):
            edited.append(name)
    return edited


def some(texts: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    told = ", ".join(texts[:_TOLD])
    return told if len(texts) <= _TOLD else f"{told} and {len(texts) - _TOLD} more"
