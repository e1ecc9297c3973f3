"""Soulseek, through slskd: people's own collections, often lossless.

A search asks the whole network and costs patience: rapid searching earns a ban of half an hour, so this process runs
one at a time, some seconds apart, and few in some minutes. A transfer is begun at a person, waits in that person's
queue, and is retried by slskd itself; it is followed until it has ended for good. slskd puts the file into its own
download folder: only its event tells where. From there it is copied, byte by byte and without looking inside.

slskd's download speed is a line of its own configuration file; its API has nothing to change it by while somebody
listens. A transfer that runs cannot be slowed from here: it is for the engine to begin no new one meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from odst.matching import rank, read_path, search_words
from odst.slskd import NAME, Slskd, peer_failure
from shared.model.download import Cancelled, Candidate, Failure, Fetched, Offer, Options, Progress, Wanted
from shared.model.units import MIB, Seconds
from shared.ports import Fetching
from shared.settings import Settings

_FORMATS = {"mp3": "mp3", "flac": "flac", "ogg": "vorbis", "oga": "vorbis", "opus": "opus", "m4a": "aac", "mp4": "aac",
            "m4b": "aac", "aac": "aac", "wav": "wav", "wave": "wav", "aif": "aiff", "aiff": "aiff", "wv": "wavpack",
            "ape": "ape", "wma": "wma"}
_FOLDER = "soundsible"          # in slskd's download folder, when it can be told (0.26)
_NOTE = "source.json"
_COPY = "soulseek.part"
_A_USER = 3                     # candidates of one person: who is gone is gone with all of them
_WALK = 20_000                  # files that are looked at when the event is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient it is; seconds. Shorter in tests only."""

    between_searches: Seconds = 2.5
    many_searches: int = 30             # at most so many …
    many_within: Seconds = 220.0        # … in so long
    turn: Seconds = 60.0                # for the turn, behind others
    search: Seconds = 8.0               # without another response, a search is over
    search_at_most: Seconds = 25.0
    look: Seconds = 1.0                 # between two looks at a search or a transfer
    queued: Seconds = 600.0             # in somebody's queue, without coming nearer
    stalled: Seconds = 120.0            # while not a byte comes
    settle: Seconds = 20.0              # until a failed transfer is believed: slskd tries again by itself
    moved: Seconds = 30.0               # until a whole file has its place
    away: Seconds = 30.0                # while slskd itself does not answer
    vanished: Seconds = 5.0             # until a transfer that is gone is believed to be
    cancelled: Seconds = 1.5            # to see a cancelled one end; what remains is swept up later


ENOUGH_FILES = 150                      # a search that has found so many is stopped
USUAL_PACE = Pace()


class _Gate:
    """One search at a time in this process, and not too many."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._begun: deque[float] = deque()

    @contextlib.contextmanager
    def turn(self, pace: Pace) -> Iterator[None]:
        """Waits for the turn; Failure rate_limited when too many wait already."""
        if not self._lock.acquire(timeout=pace.turn):
            raise Failure("rate_limited", "Too many searches wait for their turn at Soulseek.", provider=NAME,
                          retry_after_s=pace.turn)
        try:
            now = self._clock()
            while self._begun and now - self._begun[0] > pace.many_within:
                self._begun.popleft()
            # The first third may come close together; then so that nobody has to wait for minutes at the end.
            few = len(self._begun) < pace.many_searches // 3
            steady = max(pace.between_searches, pace.many_within / pace.many_searches)
            apart = pace.between_searches if few else steady
            waits = [self._begun[-1] + apart - now] if self._begun else []
            if len(self._begun) >= pace.many_searches:
                waits.append(self._begun[0] + pace.many_within - now)
            if (wait := max(waits, default=0.0)) > 0:
                self._sleep(wait)
            self._begun.append(self._clock())
            yield
        finally:
            self._lock.release()


_GATE = _Gate()


class Soulseek:
    """A ports.Provider. Failures are those of Slskd, and of a transfer: offline_peer, removed, no_permission,
    connection_lost (all but the second and third may be tried again), too_large, lies_about_size, disk_full, and
    not_configured when the file lies where this machine does not see it.
    """

    name = NAME
    slots = 4

    def __init__(self, *, slskd: Slskd, settings: Settings, pace: Pace = USUAL_PACE) -> None:
        self._slskd = slskd
        self._settings = settings
        self._pace = pace
        self._left: deque[tuple[str, str]] = deque(maxlen=1000)     # cancelled transfers that had not ended yet

    # ---- links: there are none that people exchange ----------------------------------------------------------------

    def understands(self, url: str) -> bool:
        return False

    def resolve(self, url: str) -> Offer:
        raise Failure("unsupported", "Soulseek has no links; search for the music instead.", provider=NAME)

    def operation(self, candidate: Candidate) -> str:
        return "fetch"

    # ---- find ------------------------------------------------------------------------------------------------------

    def find(self, wanted: Wanted, options: Options, *, limit: int) -> list[Candidate]:
        """What people share of `wanted`, likely ones first; 3 to 30 s for each of at most two searches."""
        self._sweep()
        found: dict[str, Candidate] = {}
        for text in search_words(wanted)[:2]:
            for candidate in self._candidates(self._search(text)):
                found.setdefault(candidate.key, candidate)
            if any(judged.rejected is None for judged in rank(wanted, found.values(), options)):
                break
        best: list[Candidate] = []
        of_one: dict[Any, int] = {}
        for judged in rank(wanted, found.values(), options):
            username = judged.locator["username"]
            of_one[username] = of_one.get(username, 0) + 1
            if of_one[username] <= _A_USER and len(best) < limit:
                best.append(found[judged.key])
        return best

    def _search(self, text: str) -> list[dict[str, Any]]:
        """The responses to one search, which is deleted afterwards."""
        pace, slskd = self._pace, self._slskd
        with _GATE.turn(pace):
            until = time.monotonic() + pace.search_at_most
            while True:
                try:
                    id = slskd.start_search(text, timeout_ms=max(1000, int(pace.search * 1000)))
                    break
                except Failure as failure:          # somebody else just posts one
                    if failure.code != "rate_limited" or time.monotonic() > until:
                        raise
                    time.sleep(pace.look)
            try:
                stopped = False
                until = time.monotonic() + pace.search_at_most
                while True:
                    state = slskd.search(id)
                    if state.get("isComplete") or state.get("endedAt"):
                        break
                    enough = (_whole(state.get("fileCount")) or 0) >= ENOUGH_FILES
                    if not stopped and (enough or time.monotonic() > until):
                        slskd.stop_search(id)
                        stopped, until = True, time.monotonic() + 5 * pace.look
                    elif stopped and time.monotonic() > until:
                        raise Failure("timed_out", "slskd does not end a search.", provider=NAME)
                    time.sleep(pace.look if not stopped else pace.look / 5)
                if "Errored" in str(state.get("state")):
                    raise Failure("service_error", "slskd could not search. Is it connected to Soulseek?",
                                  provider=NAME)
                responses = slskd.search(id, responses=True).get("responses")
            finally:
                with contextlib.suppress(Failure):
                    slskd.delete_search(id)
        return [response for response in responses if isinstance(response, dict)] if isinstance(responses, list) else []

    def _candidates(self, responses: list[dict[str, Any]]) -> Iterator[Candidate]:
        for response in responses:
            username, files = response.get("username"), response.get("files")
            if not isinstance(username, str) or not username.strip(".") or not isinstance(files, list):
                continue                            # a person called ".." would lead elsewhere in slskd's addresses
            rows = [row for row in files if isinstance(row, dict) and isinstance(row.get("filename"), str)]
            in_folder: dict[str, int] = {}
            for row in rows:
                if _format(row["filename"]):
                    folder = _split(row["filename"])[0]
                    in_folder[folder] = in_folder.get(folder, 0) + 1
            for row in rows:
                if candidate := self._candidate(username, row, response, in_folder):
                    yield candidate

    def _candidate(self, username: str, row: dict[str, Any], response: dict[str, Any],
                   in_folder: dict[str, int]) -> Candidate | None:
        filename, size = row["filename"], _whole(row.get("size"))
        form = _format(filename)
        if form is None or not size or row.get("isLocked") or size > self._settings.download_max_bytes:
            return None
        seconds, depth = _whole(row.get("length")), _whole(row.get("bitDepth"))
        if form == "aac" and depth:
            form = "alac"                           # slskd tells the depth of lossless files only
        folder = _split(filename)[0]
        read = read_path(filename)
        speed = _whole(response.get("uploadSpeed")) or 0
        extra = {"path": filename, "name": read.stem, "folder": _split(folder)[1], "folder_files": in_folder[folder],
                 "username": username, "free_slot": bool(response.get("hasFreeUploadSlot")),
                 "queue_length": _whole(response.get("queueLength")) or 0, "upload_kbps": speed * 8 // 1000,
                 "bit_depth": depth, "sample_rate_hz": _whole(row.get("sampleRate")),
                 "track_number": read.track_number}
        return Candidate(
            provider=NAME, title=read.title, artist=read.artist or "", album=read.album, format=form,
            duration_ms=seconds * 1000 if seconds else None, bitrate_kbps=_whole(row.get("bitRate")), size_bytes=size,
            locator={"key": f"{username}/{filename}", "username": username, "filename": filename, "size": size},
            extra={name: value for name, value in extra.items() if value is not None})

    # ---- fetch -----------------------------------------------------------------------------------------------------

    def fetch(self, candidate: Candidate, fetching: Fetching) -> Fetched:
        """Begin it at its owner, follow it to its end, and copy it into `fetching.folder`."""
        try:
            username, filename = str(candidate.locator["username"]), str(candidate.locator["filename"])
            size = int(candidate.locator["size"])
        except (KeyError, TypeError, ValueError):
            raise Failure("not_found", "This candidate does not say who shares it.", provider=NAME) from None
        if size > fetching.limit_bytes:
            raise Failure("too_large", f"The file has {size} bytes; more than {fetching.limit_bytes} are not fetched.",
                          provider=NAME)
        self._sweep()
        transfer = _Following(self._slskd, self._settings, self._pace, fetching, username, filename, size)
        target = fetching.folder / f"soulseek{_ending(filename)}"
        if not (transfer.noted and _size_of(target) == size):       # else it was copied before a crash
            try:
                local = transfer.follow()
                _copy(local, target, size, fetching)
            except Cancelled:
                if transfer.id and transfer.ours and not transfer.cancel():
                    self._left.append((username, transfer.id))
                raise
            except Failure as failure:
                # With slskd away, or the disk full, the next try goes on with the same transfer.
                if transfer.id and transfer.ours and not failure.service_fault and failure.code != "disk_full" and (
                        not transfer.cancel()):
                    self._left.append((username, transfer.id))
                raise
            transfer.clean_up(local)
        fetching.report(Progress(bytes=size, total_bytes=size))
        said = Wanted(title=candidate.title or None, artist=candidate.artist or None, album=candidate.album,
                      track_number=_whole(candidate.extra.get("track_number")), source=NAME,
                      source_id=f"{username}/{filename}")
        return Fetched(path=str(target), said=said, format_note=_note(candidate))

    def _sweep(self) -> None:
        """Take those off slskd's list that had not ended when they were cancelled."""
        for _ in range(len(self._left)):
            try:
                username, id = self._left.popleft()
                row = self._slskd.transfer(username, id)
                if row is not None:
                    self._slskd.cancel(username, id, remove=True)
                    if not _state(row).startswith("Completed"):
                        self._left.append((username, id))
            except (IndexError, Failure):
                return


class _Following:
    """One transfer from asking for it to its file. Known by its id, and by person and name when slskd began anew."""

    def __init__(self, slskd: Slskd, settings: Settings, pace: Pace, fetching: Fetching, username: str, filename: str,
                 size: int) -> None:
        self._slskd, self._settings, self._pace, self._fetching = slskd, settings, pace, fetching
        self._username, self._filename, self._size = username, filename, size
        self.id: str | None = None
        self._note = fetching.folder / _NOTE
        self.noted = self._read_note()
        self.ours = self.noted                      # begun by this download, now or before a crash

    # ---- what is remembered in the staging folder --------------------------------------------------------------------

    def _read_note(self) -> bool:
        with contextlib.suppress(OSError, ValueError, RecursionError):
            note = json.loads(self._note.read_bytes()[:65536])
            return isinstance(note, dict) and (note.get("username"), note.get("filename"), note.get("size")) == (
                self._username, self._filename, self._size)
        return False

    def _write_note(self) -> None:
        try:
            for old in self._fetching.folder.glob("soulseek.*"):    # of somebody else's file
                old.unlink()
            self._note.write_text(json.dumps({"provider": NAME, "username": self._username, "filename": self._filename,
                                              "size": self._size}), "utf-8")
        except OSError as error:
            raise _disk(error) from error

    # ---- follow ------------------------------------------------------------------------------------------------------

    def follow(self) -> Path:
        """Returns the file that slskd has written, whole. Raises Failure; Cancelled at once when told so."""
        row = self._known()
        if row is None or (_state(row).startswith("Completed") and not _succeeded(row)):
            if row is not None:
                self._remove(str(row.get("id")))
            row = self._begin()
        pace, limits = self._pace, _Patience(self._pace)
        away_since: float | None = None
        gone_since: float | None = None
        ended_since: float | None = None
        until = time.monotonic() + self._fetching.limit_s
        told = ""
        while True:
            if self._fetching.cancelled():
                raise Cancelled
            if time.monotonic() > until:
                raise Failure("out_of_time", "The transfer took longer than downloads may take.", provider=NAME)
            if row is None:
                gone_since = gone_since or time.monotonic()
                if time.monotonic() - gone_since > pace.vanished:
                    raise Failure("connection_lost", "slskd does not know the transfer any more.", provider=NAME)
            else:
                gone_since = None
                self.id = str(row.get("id") or "") or self.id
                state = _state(row)
                if state != told:
                    told = state
                    self._fetching.log("debug", f"slskd: {state} ({self._username})")
                if _succeeded(row):
                    return self._local(row)
                self._report(row)
                if state.startswith("Completed"):
                    ended_since = ended_since or time.monotonic()
                    if "Cancelled" in state or "Rejected" in state or time.monotonic() - ended_since > pace.settle:
                        raise self._ended(row)
                else:
                    ended_since = None
                    if late := limits.exhausted(row, self._place):
                        raise Failure("offline_peer", late.format(name=self._username), provider=NAME)
            time.sleep(pace.look)
            try:
                row, away_since = self._look(), None
            except Failure as failure:              # slskd restarts: it comes back, and with it the transfer
                away_since = away_since or time.monotonic()
                if not failure.service_fault or time.monotonic() - away_since > pace.away:
                    raise

    def _begin(self) -> dict[str, Any] | None:
        self._write_note()
        self.ours = True
        folder = f"{_FOLDER}/{hashlib.sha256(f'{self._username}/{self._filename}'.encode()).hexdigest()[:12]}"
        for tries_left in (4, 3, 2, 1, 0):
            try:
                row = self._slskd.enqueue(self._username, self._filename, self._size, folder=folder)
                break
            except Failure as failure:              # two are being asked for already: a moment later
                if failure.code != "rate_limited" or not tries_left:
                    raise
                if self._fetching.cancelled():
                    raise Cancelled from None
                time.sleep(self._pace.look)
        return row or self._known()

    def _look(self) -> dict[str, Any] | None:
        """The transfer as it is now. One that ended by an error is looked for again: a restart gives it another id."""
        row = self._slskd.transfer(self._username, self.id) if self.id else None
        if row is None or (_state(row).startswith("Completed") and not _succeeded(row)):
            return self._known() or row
        return row

    def _known(self) -> dict[str, Any] | None:
        """Of the transfers of this file, the one that has come furthest: whole, or running, or the last to end."""
        rows = [row for row in self._slskd.transfers(self._username) if row.get("filename") == self._filename]
        if not rows:
            return None
        return max(rows, key=lambda row: (_succeeded(row), not _state(row).startswith("Completed"),
                                          str(row.get("requestedAt") or "")))

    def _report(self, row: dict[str, Any]) -> None:
        done = _whole(row.get("bytesTransferred")) or 0
        speed = row.get("averageSpeed")
        self._fetching.report(Progress(
            bytes=min(done, self._size), total_bytes=self._size,
            bytes_per_second=float(speed) if isinstance(speed, (int, float)) and speed > 0 and done else None))

    def _place(self, row: dict[str, Any]) -> int | None:
        if (place := _whole(row.get("placeInQueue"))) is not None:
            return place
        return self._slskd.place(self._username, self.id) if self.id else None

    def _ended(self, row: dict[str, Any]) -> Failure:
        state, why = _state(row), str(row.get("exception") or "")
        if "Cancelled" in state:
            return Failure("no_permission", "The transfer was cancelled in slskd.", provider=NAME)
        if "Rejected" in state:
            failure = peer_failure(why, self._username)
            if failure.code == "offline_peer" and not why:
                return Failure("no_permission", f"{self._username} does not give this file.", provider=NAME)
            return failure
        if "TimedOut" in state:
            return Failure("offline_peer", f"{self._username} does not answer.", provider=NAME)
        failure = peer_failure(why, self._username)
        if failure.code != "offline_peer":
            return failure
        return Failure("connection_lost", f"The transfer from {self._username} broke off"
                       f"{': ' + ' '.join(why.split())[:120] if why else ''}.", provider=NAME)

    # ---- the file ----------------------------------------------------------------------------------------------------

    def _local(self, row: dict[str, Any]) -> Path:
        """Where slskd has put it. The event may come a little after the state."""
        until = time.monotonic() + self._pace.moved
        named: str | None = None
        while True:
            if why := row.get("exception"):
                if self.ours:
                    self._remove(str(row.get("id")))        # else the next try would meet the same
                raise Failure("service_error", "slskd has fetched the file but could not move it to its download "
                              f"folder: {' '.join(str(why).split())[:160]}", provider=NAME)
            named = self._told(row) or named
            if named and (found := self._seen(named)):
                return found
            if time.monotonic() > until:
                break
            if self._fetching.cancelled():
                raise Cancelled
            time.sleep(min(self._pace.look, 0.5))
            row = self._slskd.transfer(self._username, str(row.get("id"))) or row
        if found := self._searched():
            return found
        if named and (other := self._seen(named, exact=False)):
            raise Failure("lies_about_size", f"{self._username} announced {self._size} bytes and sent "
                          f"{other.lstat().st_size}.", provider=NAME)
        if self._settings.slskd_downloads is None:
            raise Failure("not_configured", f"slskd has put the file at {named or 'a place that it does not tell'}, "
                          "which this machine does not see. Set where its download folder is seen from here "
                          "(SOUNDSIBLE_SLSKD_DOWNLOADS).", provider=NAME)
        raise Failure("not_configured", f"What slskd has fetched is not in {self._settings.slskd_downloads}. Is that "
                      "its download folder?", provider=NAME)

    def _told(self, row: dict[str, Any]) -> str | None:
        """The path in the event of this transfer; of another one of the same file and person when there is none."""
        other: str | None = None
        for page in range(3):
            events = self._slskd.events(offset=100 * page)
            for event in events:
                if event.get("type") != "DownloadFileComplete":
                    continue
                with contextlib.suppress(ValueError, RecursionError, TypeError):
                    data = json.loads(event["data"]) if isinstance(event.get("data"), str) else event.get("data")
                    if not isinstance(data, dict):
                        continue
                    transfer, local = data.get("transfer"), data.get("localFilename")
                    if not isinstance(transfer, dict) or not isinstance(local, str) or not local:
                        continue
                    if transfer.get("id") == row.get("id"):
                        return local
                    if (transfer.get("username"), data.get("remoteFilename")) == (self._username, self._filename):
                        other = other or local
            if len(events) < 100:
                break
        return other

    def _seen(self, named: str, *, exact: bool = True) -> Path | None:
        """slskd's path as this machine sees it: as it is, or its end below the folder of the settings."""
        folder = self._settings.slskd_downloads
        if folder is None:
            return self._fits(Path(named), exact=exact)
        steps = (PureWindowsPath(named) if "\\" in named and "/" not in named else PurePosixPath(named)).parts
        steps = tuple(step for step in steps if step not in ("/", "\\", ".", "..") and not step.endswith(":\\"))
        for first in range(len(steps)):
            if found := self._fits(folder.joinpath(*steps[first:]), exact=exact):
                return found
        return None

    def _searched(self) -> Path | None:
        """By name and exact size in the folder of the settings, when no event tells more."""
        folder = self._settings.slskd_downloads
        if folder is None:
            return None
        name, looked = _split(self._filename)[1], 0
        for place, folders, files in os.walk(folder):
            folders[:] = [it for it in folders if not it.startswith(".")] if place.count(os.sep) - str(folder).count(
                os.sep) < 6 else []
            for file in files:
                looked += 1
                if file == name and (found := self._fits(Path(place, file))):
                    return found
            if looked > _WALK:
                break
        return None

    def _fits(self, path: Path, *, exact: bool = True) -> Path | None:
        """`path` when it is a plain file, exactly of the size, below the folder of the settings where there is one."""
        if ".." in path.parts:
            return None     # slskd names no such path: what is removed afterwards would be something else
        with contextlib.suppress(OSError, ValueError):
            folder = self._settings.slskd_downloads
            if folder is not None and not path.resolve().is_relative_to(folder.resolve()):
                return None
            facts = path.lstat()
            if stat.S_ISREG(facts.st_mode) and (facts.st_size == self._size or not exact):
                return path
        return None

    # ---- the end -----------------------------------------------------------------------------------------------------

    def cancel(self) -> bool:
        """End it, wait for that, take it off the list. False when it had not ended in time, or slskd is away."""
        assert self.id is not None
        until = time.monotonic() + self._pace.cancelled
        with contextlib.suppress(Failure):
            self._slskd.cancel(self._username, self.id)
            while True:
                row = self._slskd.transfer(self._username, self.id)
                if row is None:
                    return True
                if _state(row).startswith("Completed"):
                    self._slskd.cancel(self._username, self.id, remove=True)
                    return True
                if time.monotonic() > until:
                    return False
                time.sleep(0.05)
        return False

    def _remove(self, id: str) -> None:
        with contextlib.suppress(Failure):
            self._slskd.cancel(self._username, id, remove=True)

    def clean_up(self, local: Path) -> None:
        """Off slskd's list, and out of its download folder when this download has put it there and that is known to be
        its folder. What cannot be removed stays."""
        if not self.ours:
            return
        if self.id:
            self._remove(self.id)
        folder = self._settings.slskd_downloads
        if folder is not None or _FOLDER in local.parts[:-1]:
            with contextlib.suppress(OSError):
                local.unlink()
                for above in local.parents:
                    if (folder is not None and above == folder) or len(above.parts) < 3:
                        break
                    above.rmdir()                   # only when it is empty
                    if above.name == _FOLDER:
                        break


class _Patience:
    """How long a transfer may wait without coming nearer, or stand still."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._moved = time.monotonic()
        self._asked = time.monotonic()
        self._bytes = -1
        self._place: int | None = None
        self._ran = False

    def exhausted(self, row: dict[str, Any], place: Callable[[dict[str, Any]], int | None]) -> str | None:
        """A sentence, with {name}, when it is enough."""
        now, pace = time.monotonic(), self._pace
        done = _whole(row.get("bytesTransferred")) or 0
        if _state(row) == "InProgress":
            if done != self._bytes or not self._ran:
                self._moved, self._bytes, self._ran = now, done, True
            return "Nothing comes from {name} any more." if now - self._moved > pace.stalled else None
        if self._ran:                               # it runs no more: it waits anew
            self._ran, self._moved = False, now
        if now - self._asked > pace.queued / 5:     # asking costs that person's patience too
            self._asked = now
            at = place(row)
            if at is not None and (self._place is None or at < self._place):
                self._moved = now if self._place is not None else self._moved
                self._place = at
        return "{name} has not begun to send: the queue there is too long." if now - self._moved > pace.queued else None


# ---- small things ------------------------------------------------------------------------------------------------


def _state(row: dict[str, Any]) -> str:
    return str(row.get("state") or "")


def _succeeded(row: dict[str, Any]) -> bool:
    state = _state(row)
    return state.startswith("Completed") and "Succeeded" in state


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**53:
        return None
    return int(value)


def _split(filename: str) -> tuple[str, str]:
    """(folder, name) of a remote name: backslashes mostly, whatever its owner's system is."""
    folder, _, name = filename.replace("/", "\\").rpartition("\\")
    return folder, name


def _ending(filename: str) -> str:
    name = _split(filename)[1]
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    return f".{ending}" if ending in _FORMATS else ""


def _format(filename: str) -> str | None:
    return _FORMATS.get(_ending(filename).removeprefix("."))


def _size_of(path: Path) -> int | None:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return None


def _note(candidate: Candidate) -> str | None:
    rate, depth = _whole(candidate.extra.get("sample_rate_hz")), _whole(candidate.extra.get("bit_depth"))
    pieces = [candidate.format or "",
              f"{candidate.bitrate_kbps} kbit/s" if candidate.bitrate_kbps and not depth else "",
              f"{rate / 1000:g} kHz" if rate and depth else "", f"{depth} bit" if depth else ""]
    return " ".join(piece for piece in pieces if piece) or None


def _disk(error: OSError) -> Failure:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure("disk_full", "There is no room left for the download.")
    if error.errno == errno.EROFS:
        return Failure("read_only", "The library cannot be written to.")
    return Failure("internal", f"The file could not be copied: {error.strerror or type(error).__name__}.")


def _copy(local: Path, target: Path, size: int, fetching: Fetching) -> None:
    """Byte by byte, never more than `size`, no link followed; under its name only when whole."""
    part = target.with_name(_COPY)
    try:
        source = os.open(local, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
                         | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise Failure("not_configured", f"The station may not read what slskd has fetched: {local}. Give it the "
                          "right to (the same group, or a umask of 022 in slskd).", provider=NAME) from error
        raise Failure("service_error", "What slskd has fetched is gone again.", provider=NAME) from error
    copied = 0
    with open(source, "rb", buffering=0) as read:
        try:
            with open(part, "wb") as write:
                while piece := read.read(MIB):
                    if fetching.cancelled():
                        raise Cancelled
                    copied += len(piece)
                    if copied > size:
                        break
                    write.write(piece)
                write.flush()
                os.fsync(write.fileno())
            if copied == size:
                part.replace(target)
                return
        except OSError as error:
            raise _disk(error) from error
        finally:
            if part.exists():
                with contextlib.suppress(OSError):
                    part.unlink()
    raise Failure("lies_about_size", f"The file has {copied} bytes and not the {size} that were announced.",
                  provider=NAME)
