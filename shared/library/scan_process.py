"""The scan's own process: `python -m shared.library.scan_process`, started and followed by library.scanning.

Standard input: one JSON line with the order, then lines `{"scan": {"roots": …, "deep": …}}` (a further pass, or a
further scan) and `{"stop": true}`. Standard output: JSON lines `{"scan": report}`, `{"busy": true}` when another
process scans this library. When nothing is left to do it waits a little for the next wish, so that scans in a row
need no new process. It ends when told to, when its standard input ends, and when the process that began it dies.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from shared import logs
from shared.library.parenthood import die_with
from shared.library.scan_lock import ScanLock
from shared.library.scanner import Scan, as_fields
from shared.model.errors import SoundsibleError

log = logging.getLogger("soundsible.scan")

STOP_LIMIT_S = 3.0          # after being told to stop, the process ends whatever holds it
LINGER_S = 30.0


class Orders:
    """What is wished from outside, read from standard input by a thread."""

    def __init__(self) -> None:
        self.stopped = False
        self._wishes: list[dict[str, Any]] = []
        self._changed = threading.Condition()

    def follow(self, lines: TextIO) -> None:
        """Until the end of `lines`; that is a stop too: nobody is left to hear the answer."""
        with contextlib.suppress(OSError, ValueError):
            for line in lines:
                order = json.loads(line)
                if order.get("stop"):
                    break
                with self._changed:
                    self._wishes.append(order["scan"])
                    self._changed.notify_all()
        self.stop()

    def stop(self) -> None:
        with self._changed:
            if self.stopped:
                return
            self.stopped = True
            self._changed.notify_all()
        timer = threading.Timer(STOP_LIMIT_S, os._exit, (4,))
        timer.daemon = True
        timer.start()

    def take(self, wait_s: float = 0.0) -> dict[str, Any] | None:
        """All wishes so far as one; None when there is none within `wait_s`."""
        with self._changed:
            if wait_s:
                self._changed.wait_for(lambda: self._wishes or self.stopped, wait_s)
            if self.stopped or not self._wishes:
                return None
            wish = merge(self._wishes)
            self._wishes.clear()
            return wish


def merge(wishes: list[dict[str, Any]]) -> dict[str, Any]:
    """One scan that does what all of `wishes` ask; `roots` None means all."""
    roots: list[str] | None = []
    for wish in wishes:
        if wish.get("roots") is None:
            roots = None
        elif roots is not None:
            roots += [root for root in wish["roots"] if root not in roots]
    return {"id": wishes[0].get("id"), "roots": roots, "deep": any(wish.get("deep") for wish in wishes)}


def main(lines: TextIO, say: Callable[[dict[str, Any]], None]) -> int:
    """Follow the order that is the first of `lines`. The process's exit code."""
    first = lines.readline()
    if not first:
        return 2
    order = json.loads(first)
    die_with(int(order["parent"]))
    with contextlib.suppress(OSError):
        os.nice(int(order.get("nice", 10)))
    logs.configure(str(order.get("log_level", "info")).upper())
    orders = Orders()
    signal.signal(signal.SIGTERM, lambda *_: orders.stop())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=orders.follow, args=(lines,), daemon=True, name="orders").start()

    lock = ScanLock(Path(order["data_dir"]))
    if not lock.acquire(patience_s=1.0):
        say({"busy": True})
        return 0
    work = _Work(order, say)
    try:
        wish: dict[str, Any] | None = order["scan"]
        while wish is not None:
            work.do(wish, orders)
            lock.release()
            gc.collect()
            wish = orders.take(LINGER_S)
            if wish is not None and not lock.acquire(patience_s=1.0):
                say({"busy": True})
                return 0
    finally:
        work.close()
    return 0


class _Work:
    """The parts that scan after scan is done with."""

    def __init__(self, order: dict[str, Any], say: Callable[[dict[str, Any]], None]) -> None:
        # After the orders are followed and the lock is held: these imports take a while.
        from shared import confine
        from shared.audio.pool import WorkerPool

        self._pool = WorkerPool(
            size=int(order["workers"]), memory_bytes=int(order["memory_bytes"]), name="scan", nice=0,
            bounds=lambda: confine.for_reading(order.get("closed", [])))
        if order.get("fresh"):
            self._pool.warm("shared.library.reading:read_many", [])     # readers start while this process does
        from shared.database import Database
        from shared.records.recall import Recall
        from shared.records.scans import Scans

        self._say = say
        self._data_dir = Path(order["data_dir"])
        self._database = Database(Path(order["database"]))
        self._scans = Scans(database=self._database)
        self._recall = Recall(database=self._database)
        self._recall.make_room()
        gc.freeze()     # what is loaded by now stays
        gc.disable()    # a scan makes hardly any cycles; looking for them among all it holds took a tenth of its time
        self._hang_s = float(order.get("hang_s", 20.0))
        self._closed: list[str] = order.get("closed", [])

    def do(self, wish: dict[str, Any], orders: Orders) -> None:
        """One scan, with the passes that are wished for while it runs."""
        one: Scan | None = None
        try:
            one = Scan(
                scans=self._scans, recall=self._recall, pool=self._pool, uid=wish.get("id"), deep=wish["deep"],
                progress=lambda report: self._say({"scan": as_fields(report)}), stop=lambda: orders.stopped,
                hang_s=self._hang_s, closed=self._closed, marks=self._data_dir / "deep-scan.json")
            following: dict[str, Any] | None = wish
            while following is not None and not orders.stopped:
                every = self._scans.roots()
                some = [root for root in every if following["roots"] is None or root.path in following["roots"]]
                one.go_through(some, deep=following["deep"], every=every)
                following = orders.take()
            one.end()
        except SoundsibleError as error:
            log.error("the scan failed: %s", error.message)
            self._fail(one, error.message)
        except Exception as error:  # the edge of a worker
            log.exception("the scan failed")
            told = f"{type(error).__name__}: {error}"
            self._fail(one, f"The scan ended with an error ({told}). What it had read is kept.")

    def close(self) -> None:
        self._pool.stop()
        self._database.close()

    def _fail(self, one: Scan | None, message: str) -> None:
        report: dict[str, Any] = {"state": "failed", "message": message}
        try:
            if one is not None:
                report = as_fields(one.fail(message))
        except SoundsibleError:
            pass    # the database itself is what fails
        self._say({"scan": report})


def _sayer() -> Callable[[dict[str, Any]], None]:
    """Standard output for JSON lines alone; whatever else prints goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="surrogatepass")
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    def say(what: dict[str, Any]) -> None:
        with contextlib.suppress(OSError, ValueError):     # nobody listens any more: the end of input says so
            out.write(json.dumps(what) + "\n")
            out.flush()

    return say


if __name__ == "__main__":
    begun = time.monotonic()
    code = main(sys.stdin, _sayer())
    log.debug("the scan's process ends after %.1f s", time.monotonic() - begun)
    logging.shutdown()
    os._exit(code)  # threads that a stale mount holds are left behind
