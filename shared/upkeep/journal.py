"""What maintenance did, so that it can be taken back: each deed is on the disk before it is done.

A step is one run of one command, with an entry for every deed. An entry holds what is needed to take its deed back,
and says nothing of whether it happened: the process may have been killed between the note and the deed, or between
the deed and its tick. Whoever undoes looks. Entries are taken back newest first.

One run of a command at a time, and no undoing meanwhile: both hold a lock that the system releases when its holder
dies. So a step that is open while nobody holds its command's lock was cut off, and can be undone like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from shared.library.scan_lock import ScanLock
from shared.model.errors import Conflict
from shared.records.journal import Entry, JournalRecords, StepInfo

LOCK_PATIENCE_S = 0.3


class Step:
    """One run of a command. Used with `with`, it ends however the block is left; only a kill leaves it open."""

    def __init__(self, *, records: JournalRecords, uid: str, lock: ScanLock) -> None:
        self.id = uid
        self._records = records
        self._lock = lock
        self._open = True

    def note(self, entry: dict[str, Any]) -> int:
        """Write a deed down before doing it; its number. `entry`: what JSON can hold. Costs one write to the disk."""
        return self._records.note(self.id, [entry])[0]

    def note_all(self, entries: Sequence[dict[str, Any]]) -> list[int]:
        """The same for many at the cost of one; they are taken back from the last to the first."""
        return self._records.note(self.id, entries)

    def did(self, *numbers: int) -> None:
        """These deeds have happened."""
        self._records.did(numbers)

    def did_not(self, *numbers: int) -> None:
        """These deeds were refused and left nothing behind: there is nothing to take back."""
        self._records.drop(numbers)

    def end(self, summary: str | None = None) -> None:
        """The run is over; `summary` in place of the one it began with. A step without a deed leaves no trace."""
        if not self._open:
            return
        self._open = False
        try:
            if self._records.get(self.id).entries:
                self._records.set_state(self.id, "done", summary=summary)
            else:
                self._records.forget(self.id)
        finally:
            self._lock.release()

    def __enter__(self) -> Step:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.end()


class Journal:
    """folder    where the locks of the commands lie (settings.data_dir)"""

    def __init__(self, *, records: JournalRecords, folder: Path) -> None:
        self._records = records
        self._folder = folder
        self._undoing: dict[str, ScanLock] = {}

    # ---- doing

    def begin(self, command: str, summary: str) -> Step:
        """Open a step. Raises Conflict when the same command runs already, in whatever process."""
        lock = self._held(command)
        try:
            return Step(records=self._records, uid=self._records.begin(command, summary), lock=lock)
        except BaseException:
            lock.release()
            raise

    def busy(self, command: str) -> bool:
        """Whether a run of `command`, or an undoing of one, goes on at this moment."""
        return not self._lock(command).is_free()

    # ---- looking

    def get(self, uid: str) -> StepInfo:
        """Raises NotFound."""
        return self._records.get(uid)

    def list(self, command: str | None = None, *, limit: int = 100) -> list[StepInfo]:
        """Newest first, those taken back too."""
        return self._records.list(command=command, limit=limit)

    def last(self, command: str) -> StepInfo | None:
        """The newest step that can be undone: done, or cut off."""
        found = self._records.list(command=command, states=("open", "done", "undoing"), limit=1)
        return found[0] if found else None

    def entries(self, uid: str) -> Iterator[Entry]:
        """What a step wrote down, newest first. The entries may be ticked and dropped meanwhile."""
        return self._records.entries(uid)

    def cut_off(self, command: str | None = None) -> Sequence[StepInfo]:
        """Steps whose run, or undoing, was killed; newest first."""
        found = self._records.list(command=command, states=("open", "undoing"))
        busy = {name: self.busy(name) for name in {one.command for one in found}}
        return [one for one in found if not busy[one.command]]

    # ---- undoing

    def undoing(self, uid: str) -> StepInfo:
        """Begin to take a step back; the step. End with `undone` or `leave`.

        Raises NotFound, Conflict when it was undone already, or when its command runs at this moment.
        """
        step = self._records.get(uid)
        if step.state == "undone":
            raise Conflict("This step was undone already.")
        lock = self._held(step.command)
        try:
            self._records.set_state(uid, "undoing", expected=("open", "done", "undoing"))
        except BaseException:
            lock.release()
            raise
        self._undoing[uid] = lock
        return step

    def undone(self, uid: str) -> None:
        """All of it is taken back."""
        self._let_go(uid, "undone")

    def leave(self, uid: str) -> None:
        """Not all could be taken back: it counts as done, and undoing may be tried again."""
        self._let_go(uid, "done")

    @contextmanager
    def taking_back(self, uid: str) -> Iterator[StepInfo]:
        """`undoing`, then `undone`; what the block raises leaves it instead."""
        step = self.undoing(uid)
        try:
            yield step
        except BaseException:
            self.leave(uid)
            raise
        self.undone(uid)

    def forget(self, uid: str) -> None:
        """A step that can no longer be taken back leaves the journal."""
        self._records.forget(uid)

    # ---- inside

    def _let_go(self, uid: str, state: str) -> None:
        try:
            self._records.set_state(uid, state)
        finally:
            lock = self._undoing.pop(uid, None)
            if lock is not None:
                lock.release()

    def _held(self, command: str) -> ScanLock:
        lock = self._lock(command)
        if not lock.acquire(patience_s=LOCK_PATIENCE_S):
            raise Conflict(f"{command} runs already. Try again when it is done.")
        return lock

    def _lock(self, command: str) -> ScanLock:
        return ScanLock(self._folder, f"{command}.lock")
