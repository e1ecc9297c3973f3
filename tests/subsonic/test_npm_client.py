"""The npm client `subsonic-api`, which Substreamer is built on, asks a running station for nearly every call it has.

It comes from the npm registry when it is first needed and is kept in a temporary folder. Where the registry cannot be
reached these tests are skipped, and say so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import RunningStation, start_station
from tests.subsonic.house import make_music

PACKAGE = "npm:subsonic-api@3.3.1"
SCRIPT = Path(__file__).with_name("npm_client.mjs")
KEPT = Path(tempfile.gettempdir()) / f"soundsible-deno-{os.getuid()}"
PLAIN = ["--no-config", "--no-lock", "--quiet"]
OUT_OF_REACH = ("error sending request", "client error (connect)", "dns error", "tcp connect error", "timed out",
                "connection refused", "connection reset", "network is unreachable", "certificate")
# Need a feed, as test_py_opensonic has one; or are films.
NOT_ASKED = {"createPodcastChannel", "deletePodcastChannel", "deletePodcastEpisode", "downloadPodcastEpisode",
             "getPodcastEpisode", "getCaptions", "hls"}


def deno(*arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    found = shutil.which("deno", path=str(Path(sys.executable).parent)) or shutil.which("deno")
    if found is None:
        pytest.skip("deno is not installed: nothing runs the npm client subsonic-api here")
    return subprocess.run([found, *arguments], capture_output=True, text=True, timeout=timeout_s, check=False,
                          env={**os.environ, "DENO_DIR": str(KEPT), "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"})


@pytest.fixture(scope="module")
def package() -> None:
    fetched = deno("cache", *PLAIN, PACKAGE)
    if fetched.returncode and any(words in fetched.stderr.lower() for words in OUT_OF_REACH):
        pytest.skip("the npm registry cannot be reached, and so the npm client subsonic-api 3.3.1 was not asked: "
                    f"{fetched.stderr.strip()[-300:]}")
    assert fetched.returncode == 0, fetched.stderr


@pytest.fixture(scope="module")
def station(package: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStation]:
    base = tmp_path_factory.mktemp("npm")
    running = start_station(base / "home", [make_music(base / "music")], environ={
        "SOUNDSIBLE_HTTPS": "false", "SOUNDSIBLE_MDNS": "false"})
    try:
        running.wait_for_scan()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def told(station: RunningStation) -> dict[str, Any]:
    status, made = station.call("POST", "/api/app-passwords", {"name": "npm"})
    assert status == 201
    given = {"url": station.url, "username": made["username"], "password": made["app_password"]}
    ran = deno("run", *PLAIN, "--cached-only", "--allow-net=127.0.0.1", str(SCRIPT), json.dumps(given))
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


def test_the_npm_client_has_every_call_answered(told: dict[str, Any]) -> None:
    assert set(told["missing"]) == NOT_ASKED
    assert len(told["asked"]) >= 70


def test_what_the_npm_client_reads_is_what_there_is(told: dict[str, Any]) -> None:
    asked = told["asked"]
    assert [one["title"] for one in asked["getAlbum"]["album"]["song"]] == ["Señorita", "Für Elise", "Hoppípolla"]
    assert len(asked["search3"]["searchResult3"]["song"]) == 10
    assert asked["getLyricsBySongId"]["lyricsList"]["structuredLyrics"][0]["line"][0]["value"] == "one & only"
    assert [len(asked["getStarred2"]["starred2"][kind]) for kind in ("artist", "album", "song")] == [1, 1, 1]
    assert asked["getPlaylist"]["playlist"]["comment"] == "c & d"
    assert [one["title"] for one in asked["getPlaylist"]["playlist"]["entry"]] == ["Hoppípolla"]
    assert asked["getPlayQueue"]["playQueue"]["position"] == 900
    assert asked["getBookmarks"]["bookmarks"]["bookmark"][0]["position"] == 1200
    assert asked["getShares"]["shares"]["share"][0]["description"] == "for all"
    assert "passing" in [one["username"] for one in asked["getUsers"]["users"]["user"]]


def test_moments_are_dates_to_the_npm_client(told: dict[str, Any]) -> None:
    """It makes dates of them; what is none comes out of that as null."""
    asked = told["asked"]
    for one in (*asked["getAlbum"]["album"]["song"], *asked["getAlbumList2"]["albumList2"]["album"],
                asked["getPlaylist"]["playlist"], *asked["getShares"]["shares"]["share"]):
        assert one["created"] and one["created"].endswith("Z"), one
    assert asked["getStarred2"]["starred2"]["song"][0]["starred"]
    assert asked["getPlayQueue"]["playQueue"]["changed"]


def test_sound_and_pictures_come_to_the_npm_client(told: dict[str, Any]) -> None:
    asked = told["asked"]
    for call in ("stream", "download"):
        assert asked[call] == {"status": 200, "type": "audio/flac", "bytes": told["bytes"]}
    for call in ("getCoverArt", "getAvatar"):
        assert asked[call]["type"].startswith("image/") and asked[call]["bytes"] > 100
