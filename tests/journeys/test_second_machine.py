"""A machine is lost. On another one everything comes back: from its backup and the bucket, or from the bucket alone;
and it plays. Over the command line and real HTTP; what goes to the bucket is encrypted."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.model.cloud import Provider
from tests.builders import make_album, make_picture
from tests.running import ROOT, RunningStation, clean_environment, start_station
from tests.s3_server import server

QUIET = {"SOUNDSIBLE_WATCH": "false"}
LATER = "Afterwards"        # the album that came when the backup was made already


def tool(home: Path, *words: str, **environ: str) -> Any:
    """What a command answers with --json."""
    done = subprocess.run(
        [sys.executable, "-m", "setup_tool", *words, "--json"], cwd=ROOT, env=clean_environment(home, **environ),
        capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return json.loads(done.stdout)


@dataclass
class Lost:
    """The first machine, as far as anybody remembers it: its music, home and station are gone."""

    provider: Provider
    recovery_key: str
    contents: dict[str, bytes]          # track's id → the file
    titles: dict[str, str]
    album: dict[str, str]               # track's id → its album's title
    playlist: tuple[str, list[str]]
    favourite: str
    cover: str                          # an album's id
    music: str

    def add_to(self, home: Path) -> None:
        """As a person does who has the key, the secret, and the recovery key on paper."""
        tool(home, "storage", "add", "other", "--name", "attic", "--endpoint", self.provider.endpoint, "--region",
             self.provider.region, "--bucket", self.provider.bucket, "--key-id", self.provider.key_id, "--recovery-key",
             self.recovery_key, "--no-test", SOUNDSIBLE_STORAGE_SECRET=self.provider.secret)


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    base = tmp_path_factory.mktemp("first")
    music, home = base / "music", base / "home"
    make_album(music, artist="Björk", album="Début", count=3, picture=make_picture(600))
    provider = server().provider("attic")
    station = start_station(home, [music], environ=QUIET)
    try:
        station.wait_for_scan()
        added = tool(home, "storage", "add", "other", "--name", "attic", "--endpoint", provider.endpoint, "--region",
                     provider.region, "--bucket", provider.bucket, "--key-id", provider.key_id, "--encrypt",
                     SOUNDSIBLE_STORAGE_SECRET=provider.secret)
        tracks = station.call("GET", "/api/library/tracks?sort=title")[1]["items"]
        names = [one["id"] for one in tracks][::-1]
        station.call("POST", "/api/library/playlists", {"name": "Évening", "track_ids": names})
        station.call("PUT", f"/api/library/favourites/{names[0]}")
        assert tool(home, "upload")["uploaded"] == 3
        assert tool(home, "backup", "attic")["name"].endswith(".sealed")
        make_album(music, artist="Ann", album=LATER, count=2, picture=make_picture(500, (20, 90, 60)))
        station.call("POST", "/api/library/scan", {})
        station.wait_for_scan()
        assert tool(home, "upload")["uploaded"] == 2
        tracks = station.call("GET", "/api/library/tracks")[1]["items"]
        known = Lost(
            provider=provider, recovery_key=added.get("recovery_key") or tool(
                home, "storage", "key", "attic")["recovery_key"],
            contents={one["id"]: (music / one["path"]).read_bytes() for one in tracks},
            titles={one["id"]: one["title"] for one in tracks}, album={one["id"]: one["album"] for one in tracks},
            playlist=("Évening", names), favourite=names[0], music=str(music),
            cover=next(one["album_id"] for one in tracks if one["album"] == "Début"),
        )
    finally:
        station.stop()
    assert len(known.contents) == 5
    shutil.rmtree(base)
    yield known


def plays(station: RunningStation, lost: Lost, ids: list[str]) -> None:
    """Each track, whole and in part, as it was."""
    for id in ids:
        status, body = station.call("GET", f"/api/stream/{id}")
        assert status == 200 and hashlib.sha256(body).digest() == hashlib.sha256(lost.contents[id]).digest()
    status, body = station.call("GET", f"/api/stream/{ids[0]}", headers={"Range": "bytes=1000-1999"})
    assert (status, body) == (206, lost.contents[ids[0]][1000:2000])


def test_everything_comes_back_from_the_backup_and_the_bucket_and_plays(lost: Lost, tmp_path: Path) -> None:
    home = tmp_path / "home"
    lost.add_to(home)
    would = tool(home, "restore", "--from", "attic", "--dry-run")
    assert would["contents"]["people"] == ["ann"] and would["secrets"] == []
    [folder] = would["folders"]
    assert (folder["path"], folder["state"], folder["tracks"], folder["in_cloud"]) == (lost.music, "absent", 5, 5)
    assert any("2 tracks came to attic after this backup" in one for one in would["remarks"])
    tool(home, "restore", "--from", "attic", "--folder", f"{lost.music}={tmp_path / 'Music'}", "--yes")
    station = start_station(home, [], environ=QUIET)
    try:
        assert station.call("GET", "/api/session")[1]["user"]["role"] == "owner"    # the old password opens
        tracks = station.call("GET", "/api/library/tracks")[1]["items"]
        assert {one["id"]: one["title"] for one in tracks} == lost.titles
        assert {one["place"] for one in tracks} <= {"cloud", "local"}
        [playlist] = station.call("GET", "/api/library/playlists")[1]["items"]
        whole = station.call("GET", f"/api/library/playlists/{playlist['id']}")[1]
        assert (whole["name"], [one["id"] for one in whole["tracks"]]) == lost.playlist
        assert [one["id"] for one in station.call("GET", "/api/library/favourites")[1]["items"]] == [lost.favourite]
        plays(station, lost, list(lost.contents))
        status, picture = station.call("GET", f"/api/covers/{lost.cover}?size=300")
        assert status == 200 and picture[8:12] == b"WEBP"
        later = next(one["album_id"] for one in tracks if one["album"] == LATER)
        assert station.call("GET", f"/api/covers/{later}?size=300")[0] == 200
    finally:
        assert station.stop() == 0


def test_the_music_comes_back_from_the_bucket_alone_and_plays(lost: Lost, tmp_path: Path) -> None:
    home = tmp_path / "home"
    lost.add_to(home)
    report = tool(home, "restore", "--rebuild", "--from", "attic", "--music", str(tmp_path / "Music"), "--yes")
    assert report["contents"]["tracks"] == 5 and any("There is a backup of" in one for one in report["remarks"])
    station = start_station(home, [], environ=QUIET)
    try:
        tracks = station.call("GET", "/api/library/tracks")[1]["items"]
        assert {one["id"]: (one["title"], one["album"]) for one in tracks} == {
            id: (title, lost.album[id]) for id, title in lost.titles.items()}
        assert {one["place"] for one in tracks} == {"cloud"}
        plays(station, lost, list(lost.contents)[:2])
        album = next(one["album_id"] for one in tracks if one["album"] == "Début")
        assert station.call("GET", f"/api/covers/{album}?size=300")[0] == 200
    finally:
        assert station.stop() == 0
