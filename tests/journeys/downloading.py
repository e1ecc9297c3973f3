"""A station that downloads from a server of the tests' own, with everything outside of this machine out of reach."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tests.media_server import MediaServer
from tests.running import RunningStation, start_station

#: Nothing listens there: who is asked there is down, at once.
NOWHERE = "http://127.0.0.1:9"
SERVICES = ("MUSICBRAINZ", "COVERART", "DEEZER", "SPOTIFY", "LRCLIB", "ACOUSTID")
OVER = ("completed", "failed", "cancelled")


def start(home: Path, music: Path, server: MediaServer, **settings: str) -> RunningStation:
    """With SOUNDSIBLE_<NAME> for every one of `settings`."""
    music.mkdir(parents=True, exist_ok=True)
    environ = {f"SOUNDSIBLE_{name}_URL": NOWHERE for name in SERVICES}
    environ |= {"SOUNDSIBLE_ALLOW_PRIVATE_HOSTS": server.allow, "SOUNDSIBLE_DOWNLOAD_PROVIDERS": "direct",
                "SOUNDSIBLE_DOWNLOAD_CATALOGUES": "local"}
    environ |= {f"SOUNDSIBLE_{name.upper()}": value for name, value in settings.items()}
    return start_station(home, [music], environ=environ)


def ask(station: RunningStation, url: str, **more: Any) -> dict[str, Any]:
    status, answer = station.call("POST", "/api/downloads", {"url": url, **more})
    assert status in (200, 202), answer
    return dict(answer["download"])


def look(station: RunningStation, uid: str) -> dict[str, Any]:
    status, answer = station.call("GET", f"/api/downloads/{uid}")
    assert status == 200, answer
    return dict(answer.get("download", answer))


def until_over(station: RunningStation, *uids: str, timeout_s: float = 60.0) -> list[dict[str, Any]]:
    deadline = time.monotonic() + timeout_s
    while True:
        found = [look(station, uid) for uid in uids]
        if all(one["status"] in OVER for one in found):
            return found
        assert time.monotonic() < deadline, [(one["status"], one["stage"], one["note"], one["error"]) for one in found]
        time.sleep(0.1)


def tracks(station: RunningStation) -> list[dict[str, Any]]:
    status, page = station.call("GET", "/api/library/tracks?limit=500")
    assert status == 200, page
    return list(page["items"])


def staged(music: Path) -> list[str]:
    """What lies in staging."""
    folder = music / ".soundsible" / "staging"
    return sorted(os.path.relpath(os.path.join(place, name), folder)    # a folder that goes meanwhile is no error
                  for place, folders, files in os.walk(folder) for name in (*folders, *files))


def nothing_staged(music: Path) -> bool:
    """Whether staging is empty, a moment after a download is over."""
    deadline = time.monotonic() + 5.0
    while staged(music) and time.monotonic() < deadline:
        time.sleep(0.05)
    return staged(music) == []
