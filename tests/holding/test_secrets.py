"""A real station that was given a secret wherever one can be: it uses them, and nowhere do they come to light.

Not in its log, its answers, the command lines and environments of its processes, its database or its config.json.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from shared import settings as settings_room
from shared.model.cloud import Provider
from shared.settings import Settings
from shared.storage.providers import Providers
from tests.running import OWNER, PASSWORD, RunningStation, make_music, start_station

GIVEN = {       # by the environment
    "SOUNDSIBLE_SLSKD_API_KEY": "slskd-key-5e1f", "SOUNDSIBLE_ACOUSTID_KEY": "acoustid-key-77aa",
    "SOUNDSIBLE_OIDC_CLIENT_SECRET": "oidc-secret-c0de",
    "SOUNDSIBLE_WEBHOOK_URLS": "json://hook:webhook-secret-91b3@127.0.0.1:9/",
}
SAVED = {"spotify_client_secret": "spotify-secret-d00d"}
STORAGE, SEAL = "storage-secret-f00f", b"\x5e" * 32
OTHERS = "another-password-beef"


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStation]:
    base = tmp_path_factory.mktemp("secrets")
    bare = Settings(home=base / "home")
    for name, text in SAVED.items():
        settings_room.save(bare, name, text)
    Providers(settings=bare).add(Provider(
        name="r2", kind="other", endpoint="http://127.0.0.1:9", region="auto", bucket="music", key_id="key-id",
        secret=STORAGE, prefix="", path_style=True, seal_key=SEAL))
    running = start_station(base / "home", [make_music(base / "music")], environ={
        **GIVEN, "SOUNDSIBLE_SLSKD_URL": "http://127.0.0.1:9", "SOUNDSIBLE_LOG_LEVEL": "debug",
        "SOUNDSIBLE_LISTENBRAINZ_URL": "http://127.0.0.1:9",
        "SOUNDSIBLE_SPOTIFY_CLIENT_ID": "client"}, as_people_do=True)
    try:
        running.wait_for_scan()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def used(station: RunningStation) -> tuple[list[str], list[bytes]]:
    """(secrets, answers) after a while of using it, also wrongly."""
    answers: list[bytes] = []
    secrets = [*GIVEN.values(), *SAVED.values(), STORAGE, SEAL.hex(), PASSWORD, OTHERS, "webhook-secret-91b3"]

    def ask(method: str, path: str, body: Any = None, **named: Any) -> Any:
        status, said = station.call(method, path, body, **named)
        assert status < 500, (method, path, said)
        answers.append(said if isinstance(said, bytes) else repr(said).encode())
        return said

    token = station.login()
    secrets.append(token)
    ask("POST", "/api/users", {"username": "ben", "password": OTHERS, "role": "adult"})
    secrets.append(station.login("ben", OTHERS))
    for body in ({"username": OWNER, "password": "wrong-" + OTHERS}, {"username": OTHERS, "password": "x" * 12},
                 {"username": OWNER, "password": PASSWORD, "more": OTHERS}, {"password": PASSWORD}):
        ask("POST", "/api/session", body, token="")
    for path in ("settings", "storage", "users", "audit", "me", "health", "devices", "sessions", "downloads",
                 "downloads/manager/health", "acquire/search?q=love", "library/tracks", "nothing", "invitations"):
        ask("GET", f"/api/{path}")
        ask("GET", f"/api/{path}", token="")
        ask("GET", f"/api/{path}", token=token[:-1])
    paired = ask("POST", "/api/pairing/tokens", {"name": "phone"})
    if isinstance(paired, dict) and "token" in paired:      # told to who made it, this once
        answers.pop()
        secrets.append(paired["token"])
        claimed = ask("POST", "/api/pairing/claim", {"token": paired["token"], "name": "phone"}, token="")
        answers.pop()
        secrets.append(claimed["token"])
        ask("POST", "/api/pairing/claim", {"token": paired["token"], "name": "phone"}, token="")
        ask("GET", "/api/devices")
    made = ask("POST", "/api/app-passwords", {"name": "app"})
    answers.pop()                                           # told to who made it, this once
    key = made["app_password"]
    secrets += [key, key.replace("-", "")]
    digest = hashlib.md5(f"{key}salt-and-pepper".encode()).hexdigest()
    for login in (f"apiKey={key}", f"u={OWNER}&p={key}", f"u={OWNER}&p=enc:{key.encode().hex()}", f"apiKey={key}x",
                  f"u={OWNER}&t={digest}&s=salt-and-pepper", f"u={OTHERS}&p={quote(PASSWORD)}",
                  f"u={OWNER}&p={OTHERS}"):
        for call in ("ping", "getUser", "stream", "nothing", "getCoverArt"):
            status, said = station.call("GET", f"/rest/{call}?f=json&id=x&username={OWNER}&{login}", token="")
            assert status < 500
            answers.append(said if isinstance(said, bytes) else repr(said).encode())
    secrets += [digest, key.encode().hex()]
    ask("GET", "/api/app-passwords")
    ask("PUT", "/api/scrobblers/listenbrainz", {"token": OTHERS})
    ask("GET", "/api/scrobblers")
    ask("POST", "/api/downloads", {"url": f"http://user:{OTHERS}@127.0.0.1:9/song.mp3?token={OTHERS}"})
    ask("POST", "/api/storage/errands", {"kind": "upload"})
    ask("GET", f"/api/stream/{OTHERS}?token={token}")
    tracks = ask("GET", "/api/library/tracks")["items"]
    ask("GET", f"/api/covers/{tracks[0]['id']}?size=200")
    ask("POST", "/api/me/password", {"current": OTHERS, "new": "short"})
    return secrets, answers


def test_no_answer_holds_one(used: tuple[list[str], list[bytes]]) -> None:
    secrets, answers = used
    assert len(answers) > 40
    for answer in answers:
        for secret in secrets:
            assert secret.encode() not in answer, answer[:500]
        assert b"$argon2" not in answer and b"Traceback" not in answer


def test_no_log_holds_one(station: RunningStation, used: tuple[list[str], list[bytes]]) -> None:
    logs = [station.home / "station.log", *(station.home / "data" / "logs").rglob("*")]
    text = b"".join(path.read_bytes() for path in logs if path.is_file())
    assert text
    for secret in used[0]:
        assert secret.encode() not in text, secret


def test_no_file_of_the_station_holds_one_as_it_is(station: RunningStation,
                                                   used: tuple[list[str], list[bytes]]) -> None:
    """Passwords are hashed, tokens too, what must be known again is sealed; all is for this user alone."""
    seen = 0
    for path in station.home.rglob("*"):
        if path.is_file() and path.name != "station.log":
            seen += 1
            content = path.read_bytes()
            for secret in used[0]:
                assert secret.encode() not in content, (path, secret)
            certificate = path.suffix == ".crt"     # everybody is shown those
            private = path.parent.name in ("config", "identity") and not certificate
            if private or path.name.startswith("library.db"):
                assert path.stat().st_mode & 0o077 == 0, path
    assert seen > 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc")
def test_no_process_shows_one(station: RunningStation, used: tuple[list[str], list[bytes]]) -> None:
    """Command lines are for every user of a machine, environments of children for whoever takes one over."""
    found = _family(station.process.pid)
    assert len(found) >= 2
    for pid in found:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            shown = Path(f"/proc/{pid}/cmdline").read_bytes()
            given = Path(f"/proc/{pid}/environ").read_bytes() if b"shared.api" not in shown else b""
            for secret in used[0]:
                assert secret.encode() not in shown + given, (shown, secret)
            assert b"SOUNDSIBLE_OWNER" not in given


def test_what_somebody_types_in_the_wrong_field_is_not_written_down(station: RunningStation,
                                                                    used: tuple[list[str], list[bytes]]) -> None:
    status, told = station.call("GET", "/api/audit?limit=200")
    if status == 200:
        assert [one for one in told["items"] if one["deed"] == "login_failed"]
        assert OTHERS not in repr(told)


def _family(pid: int) -> list[int]:
    found = [pid]
    with contextlib.suppress(FileNotFoundError):
        for task in os.listdir(f"/proc/{pid}/task"):
            text = Path(f"/proc/{pid}/task/{task}/children").read_text()
            found += [one for child in text.split() for one in _family(int(child))]
    return found
