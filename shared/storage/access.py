"""Reach music folders without ever being held by them: every call has a deadline.

A stale network mount stalls the kernel call itself, and no time-out reaches into the kernel. So calls run in a
few threads that belong to their folder; the caller waits as long as its deadline and no longer. A folder whose
call overran is *hanging*: further calls fail at once, no thread piles up, and one probe waits until it answers
again.

Files on a fixed disk of this machine are opened and looked at directly (7 to 15 µs instead of 30 to 70; figures in
docs/decisions/0002-music-folders-by-deadline.md). A stall there is still noticed: while a
direct call is older than its deadline, all others go through the folder's threads. Disks on USB, FUSE, network
and unknown file systems, and paths through symbolic links, always go through the threads.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Literal, cast

from shared.model.errors import NotFound, StorageOffline
from shared.storage.bounds import Bounds, beneath, real_path
from shared.storage.mounts import Kind, Mounts

log = logging.getLogger(__name__)

State = Literal["online", "empty", "absent", "offline", "hanging"]
# online   answers, has entries          empty    answers, has none: perhaps the empty place of an unmounted disk
# absent   is not there                  offline  answers with a device error (unplugged, stale handle, no right)
# hanging  does not answer in time
ChangeListener = Callable[[str, State], None]

DEADLINE_S = 2.0
SPIN_UP_S = 10.0                # a sleeping USB disk needs 5-10 s; that is no fault
_STATE_HOLDS_S = 3.0
_LOST_LIMIT = 16                # threads given up for one folder; beyond, it stays hanging until some come back
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_PATH = getattr(os, "O_PATH", None)     # to look at a file without opening it; Linux
_DEVICE_ERRORS = frozenset({
    errno.EIO, errno.ENOTCONN, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ETIMEDOUT, errno.EHOSTDOWN,
    errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH, errno.ECONNRESET, errno.ECONNABORTED,
    getattr(errno, "EREMOTEIO", errno.EIO), getattr(errno, "ESHUTDOWN", errno.EIO),
})


class Access:
    """Calls on music folders, each with a deadline (ports.FileAccess).

    closed_folders  where links in a music folder may never lead: the station's own config, data and cache.
    probe_after_s   a hanging folder is asked again after so long, even if the stuck call has not come back.
    """

    def __init__(
        self,
        *,
        closed_folders: Sequence[str | os.PathLike[str]] = (),
        mounts: Mounts | None = None,
        threads_per_root: int = 4,
        idle_s: float = 30.0,
        probe_after_s: float = 15.0,
    ) -> None:
        self._mounts = mounts or Mounts()
        self._threads_per_root = threads_per_root
        self._idle_s = idle_s
        self._probe_after_s = probe_after_s
        self._bounds = Bounds(closed_folders)
        self._places: dict[str, _Place] = {}
        self._lock = threading.Lock()
        self._listeners: tuple[ChangeListener, ...] = ()
        self._stopped = False

    # ---- asking ---------------------------------------------------------------------------------------------------

    def call(self, root: str, deed: Callable[[], Any], *, deadline_s: float = DEADLINE_S) -> Any:
        """What `deed()` returns, run in a thread of `root`'s own; 15 to 50 µs dearer than calling it.

        Raises StorageOffline when it does not return in time or `root` is known to hang; what `deed` raises
        goes through. A deed that overran goes on in its thread: let it touch nothing that others share.
        """
        place = self._place(root)
        if place.hanging:
            raise _silent(root)
        job = _Job(deed, deadline_s)
        with place.lock:
            if place.idle:
                worker = place.idle.pop()
                worker.job = place.begin(job)
                worker.wake.release()
            elif place.count < self._threads_per_root:
                threading.Thread(
                    target=self._work, args=(place, place.begin(job)), daemon=True, name=f"access {root}"
                ).start()
                place.count += 1
            else:
                place.queue.append(job)
        if not job.done.acquire(timeout=deadline_s):
            self._overrun(place, job)
            raise _silent(root)
        if job.error is not None:
            try:
                raise job.error
            finally:
                job.error = None  # its traceback holds this frame: no cycle
        return job.result

    def stat(
        self, root: str, path: str, *, readable: bool = False, deadline_s: float = DEADLINE_S
    ) -> os.stat_result:
        """Of the file at `root`/`path`, links followed as `open` does. Raises StorageOffline, NotFound, OSError.

        With `readable` a file that this process may not read raises PermissionError.
        """
        parts = _parts(root, path)
        whole = os.path.join(root, path)
        place = self._place(root)
        try:
            if self._is_direct(place, deadline_s):
                found = self._directly(place, lambda: self._plain_stat(root, parts, whole, readable), deadline_s)
                if found is not None:
                    return cast(os.stat_result, found)
            deadline_s = place.stretch(deadline_s)
            return cast(os.stat_result, self.call(
                root, lambda: self._linked_stat(root, whole, readable), deadline_s=deadline_s))
        except OSError as error:
            self._judge(place, error)
            raise

    def open(self, root: str, path: str, *, deadline_s: float = DEADLINE_S) -> BinaryIO:
        """The regular file at `root`/`path`, open for reading, unbuffered; never a device, FIFO or folder.

        Symbolic links are followed as the scan follows them, also out of `root` (people keep music so) to what is
        called as the link is, but not into the station's own folders or the kernel's (see `bounds`); its own files
        are not served under second names either. Raises StorageOffline, NotFound, OSError.
        """
        parts = _parts(root, path)
        whole = os.path.join(root, path)
        place = self._place(root)
        try:
            if self._is_direct(place, deadline_s):
                file = self._directly(place, lambda: self._plain_open(place, parts, whole), deadline_s)
                if file is not None:
                    return cast(BinaryIO, file)
            opening = _Opening(root, whole, self._within_bounds)
            try:
                return cast(BinaryIO, self.call(root, opening, deadline_s=place.stretch(deadline_s)))
            except StorageOffline:
                opening.give_up()
                raise
        except OSError as error:
            self._judge(place, error)
            raise

    def may_hang(self, root: str) -> bool:
        """Whether `root` lies on something that may stop answering (a network, USB, FUSE), or hangs just now."""
        return not self._is_direct(self._place(root), DEADLINE_S)

    # ---- states ---------------------------------------------------------------------------------------------------

    def state(self, root: str) -> State:
        """How `root` is now; at most three seconds old, at once when it hangs, else after one deadline at most."""
        place = self._place(root)
        if place.hanging:
            return "hanging"
        if time.monotonic() - place.probed_at > _STATE_HOLDS_S:
            return self.probe(root)
        return place.state

    def probe(self, root: str, *, deadline_s: float = DEADLINE_S) -> State:
        """Look at `root` now: is it there, does it answer, has it any entry that is not hidden?"""
        place = self._place(root)
        try:
            state: State = self.call(root, lambda: _look(root), deadline_s=place.stretch(deadline_s))
        except StorageOffline:
            return "hanging" if place.hanging else place.state
        self._settle(place, state)
        return state

    def states(self) -> dict[str, State]:
        """Of every folder asked about so far, as known: costs nothing and waits for nothing."""
        return {root: "hanging" if place.hanging else place.state for root, place in list(self._places.items())}

    def on_change(self, listener: ChangeListener) -> Callable[[], None]:
        """Call `listener(root, state)` when a folder's state moved, in the thread that noticed.

        Returns the deed that ends it.
        """
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def end() -> None:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)

        return end

    def stop(self) -> None:
        """End the idle threads. Those that are stuck in the kernel are daemons and end with the process."""
        self._stopped = True
        for place in list(self._places.values()):
            with place.lock:
                idle, place.idle = place.idle, []
                place.count -= len(idle)
            for worker in idle:
                worker.job = None
                worker.wake.release()
            place.recovered.set()

    # ---- inside ---------------------------------------------------------------------------------------------------

    def _place(self, root: str) -> _Place:
        place = self._places.get(root)
        if place is None:
            with self._lock:
                place = self._places.setdefault(root, _Place(root))
        return place

    def _is_direct(self, place: _Place, deadline_s: float) -> bool:
        if place.hanging:
            return False
        version = self._mounts.refresh()
        if version != place.mounts_version:
            try:  # resolving a path touches it: not in this thread
                real = self.call(place.root, lambda: os.path.realpath(place.root), deadline_s=deadline_s)
                place.real, place.kind = real, self._mounts.kind(real)
            except (StorageOffline, OSError):
                place.kind = "foreign"
                return False
            place.mounts_version = version
        return place.kind == "fixed"

    def _directly(self, place: _Place, deed: Callable[[], Any], deadline_s: float) -> Any:
        """What `deed` returns; None when the folder's threads must do it because somebody is stuck in there."""
        under_way = place.direct
        now = time.monotonic()
        if under_way and now - min(under_way.copy().values(), default=now) > deadline_s:
            return None
        me = threading.get_ident()
        under_way[me] = now
        try:
            return deed()
        finally:
            del under_way[me]

    def _plain_stat(self, root: str, parts: list[str], whole: str, readable: bool) -> os.stat_result | None:
        """None when a link is on the way."""
        if not _plain_folder(root, parts):
            return None
        found = os.lstat(whole)
        if stat.S_ISLNK(found.st_mode):
            return None
        self._not_own(found, whole)
        _may_read(whole, readable)
        return found

    def _linked_stat(self, root: str, whole: str, readable: bool) -> os.stat_result:
        if _PATH is None:
            found, real = os.stat(whole), os.path.realpath(whole)
        else:
            descriptor = os.open(whole, _PATH)
            try:
                found, real = os.fstat(descriptor), real_path(descriptor, whole)
            finally:
                os.close(descriptor)
        self._not_astray(root, whole, real, found)
        _may_read(whole, readable)
        return found

    def _plain_open(self, place: _Place, parts: list[str], whole: str) -> BinaryIO | None:
        """None when a link is on the way."""
        if not _plain_folder(place.root, parts):
            return None
        try:
            descriptor = os.open(whole, _OPEN_FLAGS | _NOFOLLOW)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK):
                return None
            raise
        file = _regular(descriptor, whole)
        try:
            self._not_own(os.fstat(descriptor), whole)
            if not beneath(real_path(descriptor, whole), place.real):   # a folder became a link in this very moment
                file.close()
                return None
        except BaseException:
            file.close()
            raise
        return file

    def _within_bounds(self, root: str, whole: str, file: BinaryIO) -> None:
        descriptor = file.fileno()
        self._not_astray(root, whole, real_path(descriptor, whole), os.fstat(descriptor))

    def _not_astray(self, root: str, whole: str, real: str, found: os.stat_result) -> None:
        self._not_own(found, whole)
        if self._bounds.is_astray(whole, real, os.path.realpath(root)):
            log.warning("%s leads to %s, from where music is never served", whole, real)
            raise NotFound("This file is a link to a place that music is never served from.")

    def _not_own(self, found: os.stat_result, whole: str) -> None:
        if self._bounds.is_own(found):
            log.warning("%s is one of the station's own files", whole)
            raise NotFound("This is a file of the station, no music.")

    def _work(self, place: _Place, first: _Job) -> None:
        """A thread of `place`: one job after the other, until there was none for a while."""
        worker = _Worker()
        job: _Job | None = first
        while job is not None:
            self._do(job)
            following = None
            with place.lock:
                place.running.remove(job)
                if job.lost:
                    place.lost -= 1
                elif self._stopped:
                    place.count -= 1
                elif place.queue:
                    following = place.begin(place.queue.popleft())
                else:
                    place.idle.append(worker)
            job.done.release()
            if job.lost:
                self._came_back(place)
                return
            if following is None and not self._stopped:
                following = self._wait(place, worker)
            job = following

    def _do(self, job: _Job) -> None:
        try:
            job.result = job.deed()
        except BaseException as error:  # the edge of a worker: the caller gets it
            job.error = error

    def _wait(self, place: _Place, worker: _Worker) -> _Job | None:
        """The next job handed to `worker`; None when the thread may end."""
        if not worker.wake.acquire(timeout=self._idle_s):
            with place.lock:
                if worker in place.idle:
                    place.idle.remove(worker)
                    place.count -= 1
                    return None
            worker.wake.acquire()  # a job was handed over in this very moment
        job, worker.job = worker.job, None
        return job

    def _overrun(self, place: _Place, job: _Job) -> None:
        """`job` did not come in time: is it stuck, or did it only wait behind others that are within their time?"""
        now = time.monotonic()
        with place.lock:
            if job in place.queue:
                place.queue.remove(job)
            stuck = [one for one in place.running if not one.lost and now - one.started > one.deadline_s - 0.01]
            for one in stuck:
                one.lost = True
            place.lost += len(stuck)
            place.count -= len(stuck)
            if not stuck or place.hanging:
                return
            place.hanging = True
            place.recovered = threading.Event()
            for one in place.queue:
                one.error = _silent(place.root)
                one.done.release()
            place.queue.clear()
        log.warning("The music folder %s does not answer. Its files are out of reach until it does.", place.root)
        threading.Thread(target=self._await_answer, args=(place,), daemon=True, name=f"probe {place.root}").start()
        self._tell(place.root, "hanging")

    def _came_back(self, place: _Place) -> None:
        """A call that was given up has returned, in this thread. When it was the last one, look at the folder."""
        if place.hanging and not place.lost:
            self._look_again(place)

    def _await_answer(self, place: _Place) -> None:
        """The one thread that asks a hanging folder again, though its stuck call may never come back."""
        patience = self._probe_after_s * 2 ** min(place.setbacks, 5)
        while not place.recovered.wait(patience) and not self._stopped:
            if place.lost < _LOST_LIMIT:
                place.setbacks += 1
                self._look_again(place)
                return

    def _look_again(self, place: _Place) -> None:
        job = _Job(lambda: _look(place.root), 0.0)
        self._do(job)
        with place.lock:
            if not place.hanging:
                return
            place.hanging = False
            place.state = "offline" if job.error else job.result
            place.probed_at = time.monotonic()
            place.recovered.set()
            if not place.lost:
                place.setbacks = 0
        log.info("The music folder %s answers again (%s).", place.root, place.state)
        self._tell(place.root, place.state)

    def _settle(self, place: _Place, state: State) -> None:
        with place.lock:
            moved = state != place.state and not place.hanging
            place.state, place.probed_at = state, time.monotonic()
        if moved:
            log.info("The music folder %s is %s.", place.root, state)
            self._tell(place.root, state)

    def _judge(self, place: _Place, error: OSError) -> None:
        """Translate what a device says when it is gone; what concerns one file alone is left to the caller."""
        if error.errno in _DEVICE_ERRORS:
            self.probe(place.root)
            raise StorageOffline(
                f"The music folder “{_name(place.root)}” cannot be read ({os.strerror(error.errno or 0)}). "
                "Check its disk or network share; nothing is removed from the library."
            ) from error

    def _tell(self, root: str, state: State) -> None:
        for listener in self._listeners:
            try:
                listener(root, state)
            except Exception:  # the edge between rooms
                log.exception("a listener to the state of %s failed", root)


class _Job:
    __slots__ = ("deadline_s", "deed", "done", "error", "lost", "result", "started")

    def __init__(self, deed: Callable[[], Any], deadline_s: float) -> None:
        self.deed, self.deadline_s = deed, deadline_s
        self.done = threading.Lock()
        self.done.acquire()
        self.started = 0.0
        self.result: Any = None
        self.error: BaseException | None = None
        self.lost = False               # overran; its thread is no longer counted


class _Worker:
    __slots__ = ("job", "wake")

    def __init__(self) -> None:
        self.job: _Job | None = None
        self.wake = threading.Lock()
        self.wake.acquire()


class _Place:
    """What is known of one music folder."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.lock = threading.Lock()
        self.state: State = "online"    # until somebody looked
        self.probed_at = float("-inf")
        self.hanging = False
        self.recovered = threading.Event()
        self.setbacks = 0               # times it was thought well while a call was still stuck
        self.kind: Kind = "foreign"
        self.real = root                # without links; holds as long as `kind` does
        self.mounts_version = -1
        self.direct: dict[int, float] = {}      # thread → since when it is inside the kernel
        self.count = 0                  # threads at work or idle, without the lost ones
        self.lost = 0
        self.idle: list[_Worker] = []
        self.running: list[_Job] = []
        self.queue: deque[_Job] = deque()

    def begin(self, job: _Job) -> _Job:
        job.started = time.monotonic()
        self.running.append(job)
        return job

    def stretch(self, deadline_s: float) -> float:
        return max(deadline_s, SPIN_UP_S) if self.kind == "removable" else deadline_s


class _Opening:
    """Opens a file in another thread, and closes it again when nobody waits for it any more."""

    def __init__(self, root: str, whole: str, check: Callable[[str, str, BinaryIO], None]) -> None:
        self._root, self._whole, self._check = root, whole, check
        self._lock = threading.Lock()
        self._given_up = False
        self._file: BinaryIO | None = None

    def __call__(self) -> BinaryIO:
        file = _regular(os.open(self._whole, _OPEN_FLAGS), self._whole)
        try:
            self._check(self._root, self._whole, file)
        except BaseException:
            file.close()
            raise
        with self._lock:
            if self._given_up:
                file.close()
            self._file = file
        return file

    def give_up(self) -> None:
        with self._lock:
            self._given_up = True
            if self._file is not None:
                self._file.close()


def _silent(root: str) -> StorageOffline:
    return StorageOffline(
        f"The music folder “{_name(root)}” does not answer in time. Check its disk or network share; "
        "nothing is removed from the library."
    )


def _name(root: str) -> str:
    """For people: guests may read it, so not the whole path; the log has that."""
    return os.path.basename(root.rstrip("/")) or root


def _parts(root: str, path: str) -> list[str]:
    """The names in `path`. Raises NotFound when it is not plainly beneath `root`."""
    parts = path.split("/")
    if not root or "\0" in path or ".." in parts or "." in parts or "" in parts or (
        os.sep != "/" and (os.path.isabs(path) or ".." in path.split(os.sep))
    ):
        raise NotFound(f"{path!r} is not a path inside a music folder.")
    return parts


def _plain_folder(root: str, parts: list[str]) -> bool:
    """Whether no folder on the way is a symbolic link, which could lead to another file system."""
    at = root
    for part in parts[:-1]:
        at = f"{at}/{part}"
        if stat.S_ISLNK(os.lstat(at).st_mode):
            return False
    return True


def _may_read(whole: str, readable: bool) -> None:
    if readable and not os.access(whole, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), whole)


def _regular(descriptor: int, whole: str) -> BinaryIO:
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotFound("This is no regular file.")
        return open(descriptor, "rb", buffering=0)
    except BaseException:
        os.close(descriptor)
        raise


def _look(root: str) -> State:
    try:
        if hasattr(os, "statvfs"):
            os.statvfs(root)  # asks the server, where a look at the folder may be answered from what is remembered
        with os.scandir(root) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.name != "lost+found":
                    return "online"
        return "empty"
    except (FileNotFoundError, NotADirectoryError):
        return "absent"
    except OSError:
        return "offline"
