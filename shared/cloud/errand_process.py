"""An errand's own process: `python -m shared.cloud.errand_process`, started and followed by shared.cloud.errands.

It runs one command of the maintenance tool, as `python -m setup_tool` would, after everything that a listener waits
for, and does not outlive the station: when its standard input ends the station is gone, and the command is asked to end
at its next safe point. Only one runs on a home at a time, also while one of an earlier station is still ending.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import sys
import threading
from pathlib import Path

from shared.library.parenthood import die_with
from shared.library.scan_lock import ScanLock

NICENESS = 10
STOP_LIMIT_S = 20.0         # after being told to stop, the process ends whatever holds it
OTHERS_S = 30.0             # for an errand of a station that is gone
BUSY = 5                    # the exit code when that one does not end


def main(arguments: list[str]) -> int:
    """`arguments`: the station's process, its data folder, the module to run, and what the module is told."""
    parent, data_dir, module, *rest = arguments
    die_with(int(parent))
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICENESS)
    lock = ScanLock(Path(data_dir), "errand.lock")
    if not lock.acquire(patience_s=OTHERS_S):
        return BUSY
    threading.Thread(target=_end_with, args=(sys.stdin.fileno(),), daemon=True, name="leash").start()
    sys.argv = [module, *rest]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        lock.release()
    return 0


def _end_with(leash: int) -> None:
    """Nothing is ever said on it. Its end: the station stopped, or died."""
    with contextlib.suppress(OSError):
        while os.read(leash, 1):    # not through a buffer, whose lock would be in the way of the process's own end
            pass
    timer = threading.Timer(STOP_LIMIT_S, os._exit, (4,))
    timer.daemon = True
    timer.start()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
