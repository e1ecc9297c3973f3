"""`--demo`: a small set of pleasant tracks for who has no music at hand, made by the program itself."""

from __future__ import annotations

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
    """`folder` with the demo's tracks in it: made when there are none, left alone when there are.

    They appear all or not at all: in one folder of the artist's, made inside of it, where workers may write. Costs some
    10 s of two cores the first time, nothing later; 20 MB. Raises OSError (disk full …), UnreadableFile when a worker
    fails.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(not name.startswith(".") for name in os.listdir(folder)):
        return folder
    for left in folder.glob(".making-*"):       # of a start that was interrupted
        shutil.rmtree(left, ignore_errors=True)
    partial = folder / f".making-{secrets.token_hex(4)}"
    partial.mkdir()
    try:
        log.info("making the demo's tracks in %s", folder)
        with ThreadPoolExecutor(4, thread_name_prefix="demo") as threads:
            made = [threads.submit(workers.run, "shared.audio.synth:make_piece", str(partial), number,
                                   timeout_s=PIECE_TIMEOUT_S) for number in range(PIECES)]
            for one in made:
                one.result()
        for artist in partial.iterdir():        # one; synth.ARTIST
            try:
                os.rename(artist, folder / artist.name)
            except OSError:
                if not (folder / artist.name).is_dir():     # else another process was quicker
                    raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
