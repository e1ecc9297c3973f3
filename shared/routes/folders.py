"""The music folders as people see them: which there are, whether they answer, adding and taking out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from shared.model.errors import NotFound
from shared.model.filepath import to_path
from shared.records.visible import plain

if TYPE_CHECKING:
    from shared.library.scanning import Scanning
    from shared.library.shelf import Shelf
    from shared.records import scans as records
    from shared.storage.access import Access

_SHOWN: dict[str, Literal["online", "offline", "empty", "absent"]] = {
    "online": "online", "empty": "empty", "absent": "absent", "offline": "offline", "hanging": "offline",
}
_NOTES = {
    "empty": "The folder is there but empty: is its disk mounted? Nothing is removed from the library.",
    "absent": "The folder is gone: is its disk plugged in? Nothing is removed from the library.",
    "offline": "The folder cannot be read: is its disk or network share well? Nothing is removed from the library.",
    "hanging": "The folder does not answer: is its network share well? Nothing is removed from the library.",
}


class Root(msgspec.Struct, kw_only=True):
    """A music folder. `note`: what to do when it is not online."""

    path: str
    state: Literal["online", "offline", "empty", "absent"]
    track_count: int
    note: str | None = None


class FolderBelow(msgspec.Struct, kw_only=True):
    """A folder beneath a music folder; `path` leads there from it. `track_count`: in it or deeper."""

    name: str
    path: str
    track_count: int


class Folders:
    def __init__(self, *, scans: records.Scans, shelf: Shelf, access: Access, scanning: Scanning) -> None:
        self._scans = scans
        self._shelf = shelf
        self._access = access
        self._scanning = scanning
        self._lock = threading.Lock()
        self._looking = False

    def all(self) -> list[Root]:
        """Each with its state now; waits for one that does not answer, up to its deadline."""
        counts = self._scans.track_counts()
        return [self._shown(root, counts) for root in self._scans.roots()]

    def known(self) -> list[Root]:
        """Each with its state as last known, waiting for nothing; a look at them begins, for the next who asks."""
        counts = self._scans.track_counts()
        roots = self._scans.roots()
        states = self._access.states()
        with self._lock:
            if not self._looking:
                self._looking = True
                threading.Thread(target=self._look, args=(roots,), name="folders", daemon=True).start()
        return [self._shown(root, counts, states.get(to_path(root.path), "online")) for root in roots]

    def _look(self, roots: Sequence[records.Root]) -> None:
        try:
            for root in roots:
                self._access.state(to_path(root.path))
        finally:
            with self._lock:
                self._looking = False

    def below(self, root: str, path: str) -> list[FolderBelow]:
        """The folders right beneath `path` in the music folder `root`, as the library knows them. Raises NotFound for
        another root, BadInput for a path that leaves it."""
        known = next((one for one in self._scans.roots() if one.path == root), None)
        if known is None:
            raise NotFound(f"{root} is no music folder of this station.")
        above = plain(path)
        return [FolderBelow(name=name, path=f"{above}/{name}" if above else name, track_count=count)
                for name, count in self._scans.folders_in(known.id, above)]

    def add(self, path: str) -> Root:
        """Remember a folder of this machine and scan it. Raises Unprocessable, Conflict."""
        root = self._shelf.add_root(path)
        self._scanning.start(roots=[root.path])
        return self._shown(root, {})

    def forget(self, path: str) -> None:
        """Take a folder out of the library. Raises NotFound."""
        if path not in {root.path for root in self._scans.roots()}:
            raise NotFound(f"{path} is no music folder of this station.")
        self._shelf.forget_root(path)

    def _shown(self, root: records.Root, counts: dict[int, int], state: str | None = None) -> Root:
        state = state or self._access.state(to_path(root.path))
        return Root(path=root.path, state=_SHOWN[state], track_count=counts.get(root.id, 0), note=_NOTES.get(state))
