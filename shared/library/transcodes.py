"""Turn tracks into smaller ones while they are listened to, and keep the finished ones.

A transcode is written by a worker process into a growing .part file; whoever listens follows that file, several
at once if they ask for the same. When it is whole it is renamed into the cache and has ranges from then on.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from shared.library.lending import Lending, Loan, borrowed
from shared.library.lru import DiskLru
from shared.model.cloud import CloudFailure
from shared.model.errors import BadInput, Overloaded, SoundsibleError, UnreadableFile
from shared.model.source import CloudFile, Source, TrackFile
from shared.model.units import GIB, KIB, Bytes, Kbps, Milliseconds
from shared.ports import Workers

log = logging.getLogger(__name__)

SUFFIXES = {"opus": ".opus", "mp3": ".mp3", "aac": ".aac"}
MIME_TYPES = {"opus": "audio/ogg", "mp3": "audio/mpeg", "aac": "audio/aac"}
CHUNK_BYTES = 64 * KIB
FIRST_BYTES_S = 10.0        # within which a transcode begins, or the listener is told to try again
LOOK_AGAIN_S = 0.05         # a listener who is faster than the worker looks so often whether there is more
ABANDONED_AFTER_S = 30.0    # without a listener; then it is ended, unless more than half is done
WORTH_FINISHING = 0.5
PATIENCE_S = 60.0           # a transcode may take so long, and as long as the music plays on top


@dataclass(frozen=True, slots=True)
class Transcode:
    """`finished`: the whole file, for ranges; else None, and `chunks()` follows the making of it."""

    mime_type: str
    finished: Path | None
    _following: _Following | None = None

    def chunks(self) -> _Following:
        """The bytes as they come, once. Close it when the listener goes.

        Raises UnreadableFile when the worker fails on the way, Overloaded when it was ended from outside.
        """
        if self._following is None:
            raise ValueError("a finished transcode is a file: open it")
        return self._following


class Transcodes:
    """At most `at_once` running; finished ones at most `limit_bytes` together."""

    def __init__(self, *, workers: Workers, folder: Path, at_once: int = 2, limit_bytes: Bytes = 4 * GIB) -> None:
        self._workers = workers
        self._folder = folder
        self._at_once = at_once
        self._lru = DiskLru(folder=folder, limit_bytes=limit_bytes)
        self._lock = threading.Lock()
        self._jobs: dict[str, _Job] = {}
        self._warden: threading.Thread | None = None
        self._swept = False
        self._stopped = threading.Event()

    def open(
        self, track_file: TrackFile, path: str | Source, format: str, bitrate_kbps: Kbps, start_ms: Milliseconds = 0,
        *, lend: Callable[[], Any] | None = None,
    ) -> Transcode:
        """A transcode of `track_file`, whose bytes are at `path` (a Source tells their size and time as of now).

        lend    opens what lies in the cloud, like an unbuffered file with `size_bytes`: it is lent to the worker
        Returns when its first bytes are there. Raises Overloaded (as many as allowed are running and heard),
        UnreadableFile (it cannot be decoded), BadInput (an unknown format), CloudFailure.
        """
        if format not in SUFFIXES:
            raise BadInput(f"{format} is no format to transcode to; there are {', '.join(SUFFIXES)}.", field="format")
        where: str | Callable[[], Any]
        if isinstance(path, CloudFile):
            if lend is None:
                raise ValueError("what lies in the cloud has to be lent")
            where = lend
        else:
            where = path if isinstance(path, str) else path.path
        facts = track_file if isinstance(path, str) else path
        known = getattr(facts, "sha256", None)      # the same bytes are the same wherever they are
        state = known or (facts.size_bytes, getattr(facts, "mtime_ns", 0))
        words = (track_file.track_id, state, format, bitrate_kbps, start_ms)
        key = hashlib.blake2b(repr(words).encode(), digest_size=12).hexdigest()
        final = self._folder / key[:2] / f"{key}{SUFFIXES[format]}"
        while True:
            if self._lru.use(str(final)) is not None:
                return Transcode(MIME_TYPES[format], final)
            with self._lock:
                job = self._jobs.get(key)
                if job is None or job.unwanted:
                    job = self._begin(key, final, where, track_file, format, bitrate_kbps, start_ms)
                job.join()
            try:
                if job.wait_for_bytes(FIRST_BYTES_S):
                    following = _Following.begin(job)
                    if following is not None:
                        return Transcode(MIME_TYPES[format], None, following)
                elif not job.ended.is_set():
                    raise _full()
                job.ended.wait(FIRST_BYTES_S)   # it is being renamed in this very moment, or it failed
                if job.error is not None:
                    raise job.failure()
            finally:
                job.leave()

    def stop(self) -> None:
        """End what is running; listeners are told. Returns at once: the workers are ended with their pool."""
        self._stopped.set()
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.end()
        self._lru.stop()

    # ---- inside ---------------------------------------------------------------------------------------------------

    def _begin(
        self, key: str, final: Path, path: str | Callable[[], Any], file: TrackFile, format: str, bitrate_kbps: Kbps,
        start_ms: Milliseconds,
    ) -> _Job:
        """Start a transcode; the lock is held."""
        if self._stopped.is_set():
            raise Overloaded("The station is stopping.", retry_after_s=5)
        running = [one for one in self._jobs.values() if not one.unwanted]
        if len(running) >= self._at_once:
            # Who seeks leaves one transcode and asks for another: the one nobody hears makes room.
            deserted = [one for one in running if not one.listeners]
            if not deserted:
                raise _full()
            min(deserted, key=lambda one: one.progress()).end()
        if not self._swept:
            self._sweep()
        final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        length_ms = max(0, file.duration_ms - start_ms)
        job = _Job(final.with_name(f"{final.name}.{os.getpid()}-{time.monotonic_ns()}.part"),
                   expected_bytes=max(1, length_ms * bitrate_kbps // 8))
        self._jobs[key] = job
        threading.Thread(
            target=self._run, args=(key, job, final, path), daemon=True, name=f"transcode {file.track_id}",
            kwargs={"format": format, "bitrate_kbps": bitrate_kbps, "start_ms": start_ms,
                    "timeout_s": PATIENCE_S + length_ms / 1000},
        ).start()
        if self._warden is None:
            self._warden = threading.Thread(target=self._watch, daemon=True, name="transcodes")
            self._warden.start()
        return job

    def _run(self, key: str, job: _Job, final: Path, path: str | Callable[[], Any], *, timeout_s: float,
             **wish: Any) -> None:
        """Wait for the worker, in a thread of this transcode's own."""
        lending: Lending | None = None
        where = path if isinstance(path, str) else "a copy in the cloud"
        try:
            if job.unwanted:
                raise _ended()
            final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)     # a clean-up may have removed it just now
            job.part.touch(0o600)
            if not isinstance(path, str):
                lending = Lending(path())
            self._workers.run(
                "shared.library.transcodes:convert_while_wanted", path if lending is None else lending.loan,
                str(job.part), timeout_s=timeout_s, **wish
            )
            if job.unwanted:
                raise _ended()
            size = job.part.stat().st_size
            if not size:
                raise UnreadableFile("There is nothing to hear from there on.", reason="truncated")
            os.replace(job.part, final)
            self._lru.added(size)
        except SoundsibleError as error:
            problem = lending.failure if lending is not None and lending.failure is not None else error
            if not job.unwanted:
                log.warning("track file %s could not be transcoded: %s", where, problem.message)
            job.error = _ended() if job.unwanted else problem
        except Exception as error:  # the edge of a thread: listeners must hear of it
            if not job.unwanted:
                log.exception("track file %s could not be transcoded", where)
            job.error = _ended() if job.unwanted else (lending.failure if lending is not None else None) or (
                UnreadableFile(f"It could not be transcoded ({error}).", reason="unknown"))
        finally:
            if lending is not None:
                lending.close()
            job.part.unlink(missing_ok=True)
            with self._lock:
                if self._jobs.get(key) is job:
                    del self._jobs[key]
            job.ended.set()

    def _watch(self) -> None:
        """While transcodes are running: end those that nobody has heard for a while."""
        while True:
            self._stopped.wait(1.0)
            with self._lock:
                if not self._jobs or self._stopped.is_set():
                    self._warden = None
                    return
                jobs = list(self._jobs.values())
            now = time.monotonic()
            for job in jobs:
                if not job.listeners and now - job.left_at > ABANDONED_AFTER_S and job.progress() < WORTH_FINISHING:
                    job.end()

    def _sweep(self) -> None:
        """Remove what an earlier process left half done."""
        self._swept = True
        for left in self._folder.glob("*/*.part"):
            left.unlink(missing_ok=True)


class _Job:
    """One transcode that is running."""

    def __init__(self, part: Path, *, expected_bytes: int) -> None:
        self.part = part
        self.ended = threading.Event()
        self.error: SoundsibleError | None = None
        self.unwanted = False
        self.listeners = 0
        self.left_at = time.monotonic()
        self._expected = expected_bytes
        self._lock = threading.Lock()

    def progress(self) -> float:
        """From 0 to about 1, by its size."""
        return self.size() / self._expected

    def size(self) -> int:
        try:
            return os.stat(self.part).st_size
        except OSError:
            return 0

    def wait_for_bytes(self, patience_s: float) -> bool:
        """Whether there are any; False also when it ended (successfully, or not at all) meanwhile."""
        until = time.monotonic() + patience_s
        while not self.ended.is_set() and time.monotonic() < until:
            if self.size():
                return True
            self.ended.wait(LOOK_AGAIN_S)
        return False

    def join(self) -> None:
        with self._lock:
            self.listeners += 1

    def leave(self) -> None:
        with self._lock:
            self.listeners -= 1
            self.left_at = time.monotonic()

    def end(self) -> None:
        """Nobody wants it any more: the worker sees that its file is gone."""
        self.unwanted = True
        self.part.unlink(missing_ok=True)

    def failure(self) -> SoundsibleError:
        error = self.error
        assert error is not None
        if isinstance(error, Overloaded):
            return _ended()
        if isinstance(error, UnreadableFile):   # each listener gets one of their own: a traceback is not shared
            return UnreadableFile(error.message, reason=error.details["reason"])
        if isinstance(error, CloudFailure):
            return CloudFailure(error.message, reason=error.reason, provider=error.provider)
        return error


class _Following:
    """Reads a file that is still being written, to its end. An iterator that must be closed."""

    def __init__(self, job: _Job, file: BinaryIO) -> None:
        self._job: _Job | None = job
        self._file = file
        job.join()

    @classmethod
    def begin(cls, job: _Job) -> _Following | None:
        """None when the file is no longer under its first name: it is finished, or gone."""
        try:
            return cls(job, open(job.part, "rb", buffering=0))
        except FileNotFoundError:
            return None

    def __iter__(self) -> _Following:
        return self

    def __next__(self) -> bytes:
        job = self._job
        if job is None:
            raise StopIteration
        while True:
            ended = job.ended.is_set()  # asked before reading: what is written until then is read below
            data = self._file.read(CHUNK_BYTES)
            if data:
                return data
            if ended:
                self.close()
                if job.error is not None:
                    raise job.failure()
                raise StopIteration
            job.ended.wait(LOOK_AGAIN_S)

    def close(self) -> None:
        job, self._job = self._job, None
        self._file.close()
        if job is not None:
            job.leave()

    def __del__(self) -> None:
        self.close()


class Unwanted(Exception):
    """In a worker: nobody listens any more."""


def convert_while_wanted(
    path: str | Loan, part: str, *, format: str, bitrate_kbps: Kbps, start_ms: Milliseconds
) -> dict[str, Any] | None:
    """In a worker: transcode into the file `part` until done, or until that file is taken away. What lies in no file
    is a loan."""
    from shared.audio import convert  # FFmpeg: never in the serving process

    done, me = threading.Event(), ctypes.c_ulong(threading.get_ident())
    first = os.stat(part).st_ino

    def watch() -> None:
        while not done.wait(0.25):
            try:
                wanted = os.stat(part).st_ino == first
            except FileNotFoundError:
                wanted = False
            if not wanted:  # the one way to reach into another thread's loop without a word in each loop
                ctypes.pythonapi.PyThreadState_SetAsyncExc(me, ctypes.py_object(Unwanted))
                return

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        source = path if isinstance(path, str) else borrowed(path)
        return convert.transcode(source, part, format=format, bitrate_kbps=bitrate_kbps, start_ms=start_ms)
    except Unwanted:
        return None
    finally:
        done.set()
        watching.join()


def _full() -> Overloaded:
    return Overloaded(
        "As many tracks are being transcoded as this station does at once. Try again in five seconds.", retry_after_s=5
    )


def _ended() -> Overloaded:
    return Overloaded("This transcode was ended before it was whole. Ask for it again.", retry_after_s=1)
