"""Looking through the music folders for what is new."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from shared.model.person import Person
from shared.model.scan import ScanReport
from shared.subsonic.asking import Asked
from shared.subsonic.calls import Calls

if TYPE_CHECKING:
    from shared.library.scanning import Scanning


def calls(*, scanning: Scanning, count: Callable[[Person], int], folders: Callable[[Person], int]) -> Calls:
    """count: the tracks that a person sees; folders: the music folders that they see something of."""
    calls = Calls("scanning")

    @calls.answers("startScan", allows="edits")
    def start_scan(asked: Asked) -> dict[str, Any]:
        """Look through the music folders; joins a scan that is running."""
        return status(asked.person, scanning.start())

    @calls.answers("getScanStatus")
    def get_scan_status(asked: Asked) -> dict[str, Any]:
        """Whether a scan is running, how many files it found, and when the last one ended."""
        return status(asked.person, scanning.progress())

    def status(person: Person, report: ScanReport) -> dict[str, Any]:
        running = report.state == "running"
        told = {
            "scanning": running,
            "count": report.found if running and not person.limited else count(person),
            "folderCount": folders(person),
            "lastScan": report.finished_at,
        }
        if report.state == "failed" and person.sees_files:
            told["error"] = report.message
        return {"scanStatus": told}

    return calls
