"""The station's rooms, built for one command: the same objects, without its doors and background threads."""

from __future__ import annotations

import http.client
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.model.errors import StartFailed

if TYPE_CHECKING:
    from shared.settings import Settings
    from shared.station import Station

log = logging.getLogger(__name__)

ANSWER_S = 2.0


@contextmanager
def rooms(settings: Settings, *, make: bool = False) -> Iterator[Station]:
    """The rooms with the library open. `make`: begin an empty library where there is none.

    Raises StartFailed when there is none, or it cannot be opened.
    """
    if not make and not settings.database_path.exists():
        raise StartFailed(
            f"There is no library in {settings.data_dir} yet. Start the station once (python3 run.py --music DIR), or "
            f"name its home with --home DIR."
        )
    from shared.station import Station, make_folder

    for folder in (settings.config_dir, settings.data_dir, settings.cache_dir):
        make_folder(folder)
    station = Station(settings)
    station.database.prepare()
    station.audit.at_the_machine()
    try:
        yield station
    finally:
        station.workers.stop()
        station.craft_workers.stop()
        station.clerks.stop()
        station.listeners.stop()
        station.comparers.stop()
        station.database.close()


def written_down(settings: Settings, deed: str, subject: str, **details: Any) -> None:
    """A line in the audit log of the library at this home, when there is one: what was done without its rooms. Never
    raises: what it tells of is done."""
    from shared.database import Database
    from shared.model.audit import BY_TOOL
    from shared.records.audit import Audit

    if not settings.database_path.exists():
        return
    database = Database(settings.database_path)
    try:
        database.prepare()
        Audit(database=database).add(None, "", deed, subject, **details, **BY_TOOL)
    except Exception as error:  # a library that is damaged, or being restored
        log.warning("the audit log could not be written: %s", error)
    finally:
        database.close()


def as_running(settings: Settings) -> Settings:
    """`settings` with the address of the station that runs on this home, which its command line may have moved."""
    from shared.library.presence import Presence

    at = Presence(settings.data_dir).address()
    return settings if at is None else replace(settings, host=at[0], port=at[1])


def running(settings: Settings) -> dict[str, Any] | None:
    """What a station on this machine answers at its port to /api/health; None when none answers there."""
    host = settings.host if settings.host not in ("0.0.0.0", "::", "") else "127.0.0.1"  # nosec B104  # compares
    asking = http.client.HTTPConnection(host, settings.port, timeout=ANSWER_S)
    try:
        asking.request("GET", "/api/health")
        answer = json.loads(asking.getresponse().read(65_536))
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        with suppress(OSError):
            asking.close()
    return answer if isinstance(answer, dict) and answer.get("status") and "version" in answer else None
