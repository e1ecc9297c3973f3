"""A whole station in a process of its own, for tests and benchmarks: start it, ask it, stop it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.nest import POSSIBLE, Born, Nest

ROOT = Path(__file__).resolve().parent.parent
OWNER, PASSWORD = "ann", "correct horse battery"


@dataclass
class RunningStation:
    """A station in a process of its own, with its owner and a few albums."""

    url: str
    home: Path
    music: Path
    process: subprocess.Popen[bytes] | Born
    owner_name: str = OWNER
    owner_password: str = PASSWORD
    _tokens: dict[str, str] = field(default_factory=dict)

    def login(self, username: str | None = None, password: str | None = None) -> str:
        """A bearer token (kept, so that tests do not run into limits)."""
        name = username or self.owner_name
        if name not in self._tokens:
            body = {"username": name, "password": password or self.owner_password}
            _, answer = self.call("POST", "/api/session", body, token="")
            self._tokens[name] = answer["token"]
        return self._tokens[name]

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = None,
             headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Ask the station; (status, JSON or bytes). `token` "" asks without login; None as the owner."""
        request = urllib.request.Request(self.url + path, method=method, headers=dict(headers or {}))
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if token is None:
            token = self.login()
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, kind, content = answer.status, answer.headers.get_content_type(), answer.read()
        except urllib.error.HTTPError as error:
            status, kind, content = error.code, error.headers.get_content_type(), error.read()
        return status, json.loads(content) if kind == "application/json" and content else content

    def wait_for_scan(self, timeout_s: float = 90) -> dict[str, Any]:
        """Until no scan is running; the last report."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            _, answer = self.call("GET", "/api/library/scan")
            scan = answer.get("scan", answer)
            if scan["state"] in ("done", "failed"):
                return dict(scan)
            time.sleep(0.1)
        raise AssertionError(f"the scan did not end in {timeout_s} s")

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """This environment without any SOUNDSIBLE_ variable of the machine, then a home and `more`."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SOUNDSIBLE_")}
    return {**environ, "SOUNDSIBLE_HOME": str(home), "PYTHONUNBUFFERED": "1", **more}


def free_port() -> int:
    """A port where nobody listens, and that the system gives to nobody who asks for any: whoever knocks at it because
    a station may be there meets no server of another test."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Quick:
    """Whether stations come from a nest (tests/nest.py), made with the first; tests/conftest.py says so."""

    wanted = False
    nest: Nest | None = None


def begin(arguments: list[str], environ: dict[str, str], output: int, *, as_people_do: bool
          ) -> subprocess.Popen[bytes] | Born:
    """A station's process."""
    if as_people_do or not (Quick.wanted and POSSIBLE):
        return subprocess.Popen([sys.executable, "-m", "shared.api", *arguments], cwd=ROOT, env=environ,
                                stdout=output, stderr=output)
    if Quick.nest is None or not Quick.nest.lives:
        Quick.nest = Nest()
    return Quick.nest.begin(arguments, environ, output)


def start_station(home: Path, music: list[Path], *, environ: dict[str, str] | None = None,
                  as_people_do: bool = False) -> RunningStation:
    """Start a station on a free port and wait until it answers. One process reads its music, unless told otherwise.

    `as_people_do`: by a Python of its own, also where tests have a quicker way.
    """
    port = free_port()
    arguments = ["--host", "127.0.0.1", "--port", str(port)]
    for folder in music:
        arguments += ["--music", str(folder)]
    home.mkdir(parents=True, exist_ok=True)
    log = open(home / "station.log", "ab")  # noqa: SIM115  (the child keeps it)
    with log:
        process = begin(
            arguments, clean_environment(home, **{"SOUNDSIBLE_OWNER": f"{OWNER}:{PASSWORD}",
                                                  "SOUNDSIBLE_SCAN_WORKERS": "1", **(environ or {})}),
            log.fileno(), as_people_do=as_people_do)
    station = RunningStation(f"http://127.0.0.1:{port}", home, music[0] if music else home / "none", process)
    deadline = time.monotonic() + 60
    while True:
        try:
            status, _ = station.call("GET", "/api/health", token="")
            if status == 200:
                return station
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            said = (home / "station.log").read_text("utf-8", errors="replace")
            process.kill()
            raise AssertionError(f"the station did not start:\n{said}")
        time.sleep(0.05)


def make_music(folder: Path) -> Path:
    """Three small albums: one with accents and covers, one with two discs, one without tags to speak of."""
    from tests.builders import make_audio, make_picture

    red, blue = make_picture(600, (150, 60, 50)), make_picture(600, (50, 80, 150))
    for number, title in enumerate(["Señorita", "Für Elise", "Hoppípolla", "Plain"], start=1):
        make_audio(folder / "Björk" / "Début", f"{number:02} {title}.flac", seconds=8, tone_hz=220 + 55 * number,
                   picture=red, tags={
                       "title": title, "artist": "Björk", "album": "Début", "album_artist": "Björk",
                       "track_number": number, "disc_number": 1, "date": "1993", "genre": ["Electronic", "Pop"]})
    for disc in (1, 2):
        for number in (1, 2, 3):
            make_audio(folder / "The Two Sides" / f"CD{disc}", f"{number:02}.mp3", seconds=8, tone_hz=300 + 40 * number,
                       picture=blue, tags={
                           "title": f"Side {disc}, part {number}", "artist": "The Pair", "album": "The Two Sides",
                           "album_artist": "The Pair", "track_number": number, "disc_number": disc,
                           "date": "2001-05-04", "genre": ["Rock"]})
    for number, name in enumerate(["Walk.ogg", "Run.opus", "Rest.m4a"], start=1):
        make_audio(folder / "Various" / "Moving", name, seconds=8, tone_hz=500 + 30 * number, tags={
            "title": name.split(".")[0], "artist": f"Mover {number}", "album": "Moving", "track_number": number})
    return folder
