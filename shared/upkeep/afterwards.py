"""What comes after files were written: their copies in the cloud are made anew, runs that were cut off are closed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from shared.model.errors import SoundsibleError
from shared.model.work import Stopped
from shared.ports import Work
from shared.records.upkeep import Upkeep
from shared.upkeep.journal import Journal


class Refreshing(Protocol):
    """What of cloud.uploads.Uploads is needed here."""

    def refresh(self, uids: Sequence[str], work: Work) -> Any: ...


def renew_copies(uploads: Refreshing | None, records: Upkeep, uids: Sequence[str], work: Work) -> dict[str, Any] | None:
    """Make the copies anew of those of these tracks that have one: {tracks, report}, or {tracks, message} where that
    failed; None when there was nothing to do. Raises nothing: the files are written, and what the cloud holds still
    plays."""
    stored = [file.track_id for file in records.files(uids) if file.in_cloud] if uids else []
    if uploads is None or not stored:
        return None
    try:
        return {"tracks": len(stored), "report": uploads.refresh(stored, work)}
    except Stopped:
        return {"tracks": len(stored), "message": "Ended before all copies in the cloud were made anew."}
    except SoundsibleError as error:
        work.log("warning", f"The copies in the cloud are the old ones still: {error.message}")
        return {"tracks": len(stored), "message": error.message}


def close_cut_off(journal: Journal, command: str) -> None:
    """A run has gone on where others were cut off: they can be undone, but nobody need wonder about them."""
    for step in journal.cut_off(command):
        if step.state == "open":
            journal.undoing(step.id)
            journal.leave(step.id)
