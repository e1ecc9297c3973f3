"""The station as a whole, its parts wired: what no part can promise alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.model.errors import NotFound, TrackMissing
from shared.model.source import TrackFile
from shared.settings import Settings
from shared.station import Station


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    one = Station(Settings(home=tmp_path / "home", scan_on_start=False, watch=False, manifest=False))
    one.start()
    yield one
    one.stop()


def known(root: Path, name: str) -> TrackFile:
    return TrackFile("id", str(root), name, 1, 1, "audio/flac", "flac", 1000)


@pytest.mark.parametrize("hard", [False, True])
def test_a_song_that_became_a_link_to_the_database_is_not_served(station: Station, tmp_path: Path, hard: bool) -> None:
    music = tmp_path / "music"
    music.mkdir()
    if hard:
        os.link(station.settings.database_path, music / "that.flac")
    else:
        os.symlink(station.settings.database_path, music / "that.flac")
    with pytest.raises(NotFound):
        station.access.open(str(music), "that.flac")
    with pytest.raises(TrackMissing):
        station.resolver.resolve(known(music, "that.flac"))


@pytest.mark.parametrize("folder", ["config", "data", "cache"])
def test_no_link_leads_into_the_stations_own_folders(station: Station, tmp_path: Path, folder: str) -> None:
    music = tmp_path / "music"
    music.mkdir()
    (tmp_path / "home" / folder / "own.flac").write_bytes(b"x")
    os.symlink(tmp_path / "home" / folder / "own.flac", music / "that.flac")
    with pytest.raises(NotFound):
        station.access.open(str(music), "that.flac")


def test_the_demos_own_music_lies_in_the_data_and_plays(station: Station) -> None:
    demo = station.settings.data_dir / "demo"
    demo.mkdir()
    (demo / "1.flac").write_bytes(b"tone")
    station.access.open(str(demo), "1.flac").close()
    assert station.resolver.resolve(known(demo, "1.flac"))
