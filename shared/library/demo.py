"""`--demo`: a small set of pleasant tracks for who has no music at hand, made by the program itself."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shared.model.units import Seconds
from shared.ports import Workers

log = logging.getLogger(__name__)

PIECES = 7                  # of synth.PIECES, which the serving process does not import
PIECE_TIMEOUT_S: Seconds = 180.0


def ensure_demo(folder: Path, workers: Workers) -> Path:
    """`folder` with the demo's tracks in it: made when it is not there, left alone when it is.

    It appears whole or not at all. Costs some 10 s of two cores the first time, nothing later; 20 MB. Raises OSError
    (disk full …), UnreadableFile when a worker fails.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{folder.name}-*.part"):       # of a start that was interrupted
        shutil.rmtree(left, ignore_errors=True)
    partial = folder.parent / f".{folder.name}-{secrets.token_hex(4)}.part"
    partial.mkdir()
    try:
        log.info("making the demo's tracks in %s", folder)
        with ThreadPoolExecutor(4, thread_name_prefix="demo") as threads:
            made = [threads.submit(workers.run, "shared.audio.synth:make_piece", str(partial), number,
                                   timeout_s=PIECE_TIMEOUT_S) for number in range(PIECES)]
            for one in made:
                one.result()
        try:
            os.rename(partial, folder)
        except OSError:
            if not folder.is_dir():         # else another process was quicker
                raise
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(partial)
    return folder
