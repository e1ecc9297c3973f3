"""A home for a browser, with a list of authorities of its own: an empty one, or one with a station's in it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from tests.running import RunningStation


def home_of_browser(home: Path, trusted: RunningStation | None = None) -> dict[str, str]:
    """The environment for a browser that lives in `home`, and trusts that station as its page says it. certutil is
    needed (libnss3-tools)."""
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    certutil = ["certutil", "-d", f"sql:{store}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True)
    if trusted is not None:
        status, text = trusted.call("GET", "/trust/authority.pem", token="")
        assert status == 200
        (home / "soundsible.pem").write_bytes(text)
        subprocess.run([*certutil, "-A", "-t", "C,,", "-n", "Soundsible", "-i", home / "soundsible.pem"], check=True)
    return {"HOME": str(home)}


def secure(station: RunningStation, host: str = "127.0.0.1") -> str:
    return f"https://{host}:{urlsplit(station.url).port}"


def plain(station: RunningStation, host: str = "127.0.0.1") -> str:
    return f"http://{host}:{urlsplit(station.url).port}"
