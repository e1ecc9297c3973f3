"""The watcher's own process: `python -m shared.library.watch_process`, started and followed by library.watcher.

Setting up watches goes through every folder and holds Python's lock meanwhile, and on a stale mount for ever; so it
is done here, where nobody waits (17 MB, of which watchfiles is 8). Standard input: one JSON line `{"parent": pid,
"roots": [path …]}`, then lines `{"again": path}` (watch it anew); its end is the end. Standard output, JSON lines:
`{"watching": root}`, `{"changed": root}`, `{"refused": root, "why": text}`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from shared.library.parenthood import die_with
from shared.model.track import EXTENSIONS
from shared.storage.bounds import LYRICS, PICTURE_EXTENSIONS

QUIET_MS = 1500             # without a change, before changes are told
LONGEST_MS = 10_000         # while they go on, they are told so often
LOOK_MS = 2000              # at the music folder itself: is it still the same one?
RETRY_MS = 30_000           # after a refusal (too many open files may be others'), then twice as long each time
_LONGEST_RETRY_MS = 3_600_000

_INTERESTING = EXTENSIONS | {LYRICS, *PICTURE_EXTENSIONS}
_UNTELLABLE = "Unable to decode path"
_UNFINISHED = (".part", ".tmp", ".crdownload", ".partial", "~")


def concerns(root: str, path: str) -> bool:
    """Whether a change of `path` can change what a scan of `root` finds. Touches no file."""
    parts = path[len(root):].strip(os.sep).split(os.sep)
    name = parts[-1].lower()
    if any(part.startswith(".") for part in parts) or name.endswith(_UNFINISHED):
        return False
    ending = os.path.splitext(name)[1]
    # What has no known ending may be a folder that came or went as a whole, unless it looks very much like a file.
    return ending in _INTERESTING or not (1 < len(ending) <= 5 and ending[1:].isalpha())


class Watch:
    """One music folder, watched by a thread of its own."""

    def __init__(self, root: str, say: Callable[[dict[str, Any]], None], *, quiet_ms: int = QUIET_MS,
                 longest_ms: int = LONGEST_MS, look_ms: int = LOOK_MS, retry_ms: int = RETRY_MS) -> None:
        self._root = root
        self._say = say
        self._quiet_ms, self._longest_ms, self._look_ms = quiet_ms, longest_ms, look_ms
        self._retry_ms = retry_ms
        self._again = False
        self.ended = False

    def again(self) -> None:
        """Watch anew, within a look: the folder may have been away unseen."""
        self._again = True

    def run(self) -> None:
        """Until `ended`. A refusal is told and tried again, at once when the folder is another one."""
        here = _identity(self._root)
        missed = False              # something changed that the watching did not live to tell
        pause_ms = self._quiet_ms
        patience_ms = self._retry_ms
        while not self.ended:
            left = False
            began = time.monotonic()
            if here is None:
                time.sleep(self._look_ms / 1000)
            else:
                try:
                    self._watch(here, missed)
                    missed = False
                    left = True
                except FileNotFoundError:
                    pass    # it vanished while it was set up
                except Exception as error:  # the edge of a thread: a limit is reached, the file system cannot
                    if not str(error).startswith(_UNTELLABLE):
                        self._say({"refused": self._root, "why": str(error)})
                        self._pause(here, patience_ms)
                        patience_ms = min(2 * patience_ms, _LONGEST_RETRY_MS)
                    else:       # it ends at a name that is not UTF-8: watched anew, less often while such news goes on
                        missed = True
                        steady = time.monotonic() - began > self._longest_ms / 1000
                        pause_ms = self._quiet_ms if steady else min(2 * pause_ms, self._longest_ms)
                        time.sleep(pause_ms / 1000)
            now = _identity(self._root)
            if (left or now != here) and not self.ended:    # left: another one for a moment, though it be back
                here = now
                self._say({"changed": self._root})

    def _pause(self, here: tuple[int, int], patience_ms: int) -> None:
        """So long; no longer than the folder is the same one."""
        self._again = False
        until = time.monotonic() + patience_ms / 1000
        while not (self.ended or self._again) and time.monotonic() < until and _identity(self._root) == here:
            time.sleep(self._look_ms / 1000)

    def _watch(self, here: tuple[int, int], missed: bool) -> None:
        """Until the folder is no longer the same one."""
        from watchfiles._rust_notify import RustNotify  # the rest of watchfiles wants an event loop

        self._again = False
        watcher = RustNotify([self._root], False, False, 0, True, True)
        try:
            self._say({"changed" if missed else "watching": self._root})
            while not (self.ended or self._again) and _identity(self._root) == here:
                changes = watcher.watch(self._longest_ms, self._quiet_ms, self._look_ms, None)
                if isinstance(changes, str):
                    if changes != "timeout":
                        return
                elif any(concerns(self._root, path) for _, path in changes):
                    self._say({"changed": self._root})
        finally:
            watcher.close()


def _identity(root: str) -> tuple[int, int] | None:
    try:
        looked = os.stat(root)
    except OSError:
        return None
    return looked.st_dev, looked.st_ino


def main(lines: TextIO, say: Callable[[dict[str, Any]], None]) -> None:
    """Watch what the first of `lines` names, until there are no more lines."""
    order = json.loads(lines.readline())
    die_with(int(order["parent"]))
    roots: Iterable[str] = order["roots"]
    watches = {root: Watch(root, say) for root in roots}
    for root, watch in watches.items():
        threading.Thread(target=watch.run, daemon=True, name=f"watch {root}").start()
    for line in lines:
        if (named := watches.get(json.loads(line).get("again"))) is not None:
            named.again()


if __name__ == "__main__":
    out = threading.Lock()

    def to_output(what: dict[str, Any]) -> None:
        with out, contextlib.suppress(OSError, ValueError):
            sys.stdout.write(json.dumps(what) + "\n")
            sys.stdout.flush()

    with contextlib.suppress(OSError):
        os.nice(5)
    main(sys.stdin, to_output)
    os._exit(0)     # threads may be held by a mount that does not answer
