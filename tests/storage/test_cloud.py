"""Which copies there are, and whom to ask first."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.model.cloud import CloudFailure
from shared.model.errors import StorageOffline
from shared.model.source import CachedFile, CloudFile, LocalFile
from shared.storage.circuits import FAULTS_TO_OPEN
from shared.storage.cloud import CloudStorage
from shared.storage.providers import Providers
from tests.storage.places import Places, noise, read, until

SONG = noise(100_000)
SMALL = noise(30_000, 2)


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    made = Places(tmp_path, ("r2", "b2"))
    yield made
    made.close()


def silence(places: Places, name: str) -> None:
    for _ in range(FAULTS_TO_OPEN):
        places.circuits.failed(name, CloudFailure("nothing", reason="no_answer"))


def test_exact_copies_come_first_and_all_have_the_same_bytes(places: Places) -> None:
    file = places.song(SONG, at=("b2",))
    places.copy(file.track_id, SMALL, "r2", compression="opus:128", mime_type="audio/ogg", source_sha256=file.sha256)
    found = places.cloud.locate(file)
    assert found is not None
    assert (found.sha256, found.size_bytes, [one.provider for one in found.copies]) == (file.sha256, 100_000, ["b2"])


def test_a_smaller_copy_is_better_than_a_provider_that_is_silent(places: Places) -> None:
    file = places.song(SONG, at=("b2",))
    places.copy(file.track_id, SMALL, "r2", compression="opus:128", mime_type="audio/ogg", source_sha256=file.sha256)
    silence(places, "b2")
    found = places.cloud.locate(file)
    assert found is not None and found.mime_type == "audio/ogg" and found.size_bytes == len(SMALL)


def test_a_silent_provider_comes_last(places: Places) -> None:
    file = places.song(SONG)
    assert [one.provider for one in places.cloud.locate(file).copies] == ["r2", "b2"]     # type: ignore[union-attr]
    silence(places, "r2")
    assert [one.provider for one in places.cloud.locate(file).copies] == ["b2", "r2"]     # type: ignore[union-attr]
    assert {one["name"]: one["state"] for one in places.cloud.states()} == {"r2": "open", "b2": "closed"}


def test_copies_at_providers_that_are_not_known_here_do_not_count(places: Places) -> None:
    file = places.song(SONG, at=("b2",))
    places.providers.remove("b2")
    assert places.cloud.locate(file) is None


def test_what_was_refused_can_be_left_out(places: Places) -> None:
    file = places.song(SONG)
    assert places.cloud.locate(file, without=frozenset({str(file.sha256)})) is None


def test_settings_that_cannot_be_read_are_no_answer_rather_than_no_copy(places: Places) -> None:
    file = places.song(SONG)
    places.settings.config_path.write_text("{")
    cloud = CloudStorage(copies=places.copies, providers=Providers(settings=places.settings))
    with pytest.raises(StorageOffline):
        cloud.locate(file)
    assert cloud.states() == []


def test_a_track_is_found_here_then_in_the_cache_then_in_the_cloud(places: Places) -> None:
    file = places.song(SONG)
    here = places.resolver.resolve(file)
    assert isinstance(here, LocalFile) and here.sha256 == file.sha256
    places.unplug()
    assert isinstance(places.resolver.resolve(file), CloudFile)
    read(places.open(file))
    until(lambda: isinstance(places.resolver.resolve(file), CachedFile))
    assert isinstance(places.resolver.resolve(file, without=("cache",)), CloudFile)


def test_a_file_that_was_written_anew_is_not_told_to_hold_what_it_held(places: Places) -> None:
    file = places.song(SONG)
    (places.music / "song.flac").write_bytes(SMALL)
    here = places.resolver.resolve(file)
    assert isinstance(here, LocalFile) and here.sha256 is None
    assert places.local.open_same(file, str(file.sha256)) is None


def test_whoever_plays_goes_on_from_the_cloud_when_the_cached_file_is_gone(places: Places) -> None:
    file = places.song(SONG)
    places.unplug()
    read(places.open(file))
    cached = until(lambda: places.cache.locate(file))
    sound = places.playing.open(file, cached)
    sound.raw.seek(0)
    assert sound.raw.read(10) == SONG[:10]
    Path(cached.path).write_bytes(SONG[:50])            # in place, as a bad disk would
    assert read(sound.raw, 10) == SONG[10:]
    assert places.proxies["r2"].count("^GET .*/music/") >= 2


def test_whoever_plays_a_file_on_a_network_reads_it_with_a_deadline(
        places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    file = places.song(SONG)
    monkeypatch.setattr(places.access, "may_hang", lambda root: True)
    sound = places.playing.open(file, places.resolver.resolve(file))
    assert not hasattr(sound.raw._now, "fileno")
    assert read(sound.raw) == SONG
    alone = places.song(SMALL, at=(), name="alone")     # it is nowhere else: the kernel may send it
    sound = places.playing.open(alone, places.resolver.resolve(alone))
    assert sound.raw.fileno() > 0
    sound.raw.close()


def test_a_folder_that_hangs_plays_from_the_cloud_and_keeps_nobody(places: Places) -> None:
    file = places.song(SONG)
    os.mkfifo(places.music / "pipe")
    with pytest.raises(StorageOffline):     # opening it waits for its other end, in the kernel
        places.access.call(str(places.music), lambda: open(places.music / "pipe", "rb").close(), deadline_s=0.05)
    found = places.playing.find(file)
    assert isinstance(found, CloudFile)
    assert read(places.playing.open(file, found).raw) == SONG
    with contextlib.suppress(OSError):
        os.close(os.open(places.music / "pipe", os.O_WRONLY | os.O_NONBLOCK))
