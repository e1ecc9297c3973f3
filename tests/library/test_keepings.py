"""A conversion for the shelf is made once; what need not be made is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.audio import tags
from shared.audio.pool import WorkerPool
from shared.library.keepings import FAMILY, Keepings, plan
from shared.model.errors import BadInput, DiskFull
from shared.model.track import AudioFacts
from tests.builders import make_audio


class Counting:
    """Real workers, counted."""

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool
        self.made = 0
        self.error: Exception | None = None

    def run(self, deed: str, /, *args: Any, timeout_s: float = 30.0, **kwargs: Any) -> Any:
        if deed == "shared.audio.keeping:keep":
            self.made += 1
            if self.error is not None:
                raise self.error
        return self.pool.run(deed, *args, timeout_s=timeout_s, **kwargs)


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool(size=1, name="keepings tests")
    yield pool
    pool.stop()


@pytest.fixture
def workers(pool: WorkerPool) -> Counting:
    return Counting(pool)


def test_the_same_conversion_is_made_once(tmp_path: Path, workers: Counting) -> None:
    keepings = Keepings(workers=workers, folder=tmp_path / "kept")
    path = make_audio(tmp_path, "a.flac")
    first = keepings.keep(path, tmp_path / "1.opus", format="opus", bitrate_kbps=96)
    again = keepings.keep(path, tmp_path / "2.opus", format="opus", bitrate_kbps=96)
    assert (first["cached"], again["cached"], workers.made) == (False, True, 1)
    assert first | {"cached": True} == again
    assert (tmp_path / "1.opus").read_bytes() == (tmp_path / "2.opus").read_bytes()
    assert tags.read(str(tmp_path / "2.opus")).facts.format == "opus"
    keepings.keep(path, tmp_path / "3.opus", format="opus", bitrate_kbps=64)
    keepings.keep(path, tmp_path / "4.opus", format="opus", bitrate_kbps=96, trim=True)
    keepings.keep(path, tmp_path / "5.opus", format="opus", bitrate_kbps=96, level_lufs=-20.0)
    keepings.keep(make_audio(tmp_path, "b.flac", tone_hz=300), tmp_path / "6.opus", format="opus", bitrate_kbps=96)
    assert workers.made == 5


def test_a_kept_conversion_that_was_damaged_is_made_anew(tmp_path: Path, workers: Counting) -> None:
    keepings = Keepings(workers=workers, folder=tmp_path / "kept")
    path = make_audio(tmp_path, "a.flac")
    keepings.keep(path, tmp_path / "1.flac", format="flac")
    for kept in (tmp_path / "kept").rglob("*.flac"):
        kept.write_bytes(b"short")
    keepings.keep(path, tmp_path / "2.flac", format="flac")
    assert workers.made == 2
    assert (tmp_path / "1.flac").read_bytes() == (tmp_path / "2.flac").read_bytes()


def test_without_a_format_it_stays_in_its_family(tmp_path: Path, workers: Counting) -> None:
    keepings = Keepings(workers=workers, folder=tmp_path / "kept")
    for name in ("a.mp3", "a.ogg", "a.wav"):
        path = make_audio(tmp_path, name)
        for _ in range(2):
            answer = keepings.keep(path, tmp_path / f"to{path.suffix}", trim=True)
        assert answer["cached"]
        assert tags.read(str(tmp_path / f"to{path.suffix}")).facts.format == answer["format"]


def test_two_that_ask_for_the_same_wait_for_one(tmp_path: Path, workers: Counting) -> None:
    keepings = Keepings(workers=workers, folder=tmp_path / "kept")
    path = make_audio(tmp_path, "a.flac", seconds=20.0)
    threads = [threading.Thread(target=keepings.keep, args=(path, tmp_path / f"{n}.mp3"),
                                kwargs={"format": "mp3", "bitrate_kbps": 128}) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert workers.made == 1
    assert len({(tmp_path / f"{n}.mp3").read_bytes() for n in range(3)}) == 1


def test_old_conversions_leave(tmp_path: Path, workers: Counting) -> None:
    keepings = Keepings(workers=workers, folder=tmp_path / "kept", limit_bytes=200_000)
    for n in range(6):
        keepings.keep(make_audio(tmp_path, f"{n}.flac", seconds=3.0, tone_hz=300.0 + n), tmp_path / "x.mp3",
                      format="mp3", bitrate_kbps=128)
    keepings._lru.wait()
    keepings._lru.trim()
    assert 0 < sum(one.stat().st_size for one in (tmp_path / "kept").rglob("*.mp3")) <= 200_000


def test_what_goes_wrong_is_told_and_nothing_is_kept(tmp_path: Path, workers: Counting) -> None:
    keepings = Keepings(workers=workers, folder=tmp_path / "kept")
    with pytest.raises(BadInput):
        keepings.keep(make_audio(tmp_path, "a.mp3"), tmp_path / "b.flac", format="flac")
    workers.error = OSError(28, "No space left on device")
    with pytest.raises(DiskFull):
        keepings.keep(make_audio(tmp_path, "a.flac"), tmp_path / "b.mp3", format="mp3")
    assert not (tmp_path / "b.flac").exists()
    assert not list(tmp_path.rglob("*.part"))


def test_a_cache_that_cannot_be_written_does_not_matter(tmp_path: Path, workers: Counting) -> None:
    (tmp_path / "kept").write_text("a file where the folder would be")
    keepings = Keepings(workers=workers, folder=tmp_path / "kept")
    answer = keepings.keep(make_audio(tmp_path, "a.flac"), tmp_path / "b.opus", format="opus")
    assert not answer["cached"]
    assert (tmp_path / "b.opus").stat().st_size == answer["bytes"]


def facts(format: str, kbps: int | None = None) -> AudioFacts:
    return AudioFacts(format, "x", 1000, kbps, 44100, None, 2)


@pytest.mark.parametrize(("given", "wish", "needed", "format", "kbps"), [
    (facts("flac"), {}, False, "flac", None),
    (facts("flac"), {"format": "flac"}, False, "flac", None),
    (facts("wav", 1411), {"format": "flac"}, True, "flac", None),
    (facts("flac"), {"format": "mp3", "bitrate_kbps": 320}, True, "mp3", 320),
    (facts("mp3", 320), {"format": "mp3", "bitrate_kbps": 128}, True, "mp3", 128),
    (facts("mp3", 192), {"format": "mp3", "bitrate_kbps": 320}, False, "mp3", 192),
    (facts("mp3", 192), {"format": "mp3", "bitrate_kbps": 320, "trim": True}, True, "mp3", None),
    (facts("mp3", 192), {"trim": True}, True, "mp3", None),
    (facts("opus", 160), {"format": "flac"}, False, "opus", 160),
    (facts("opus", 160), {"format": "flac", "level": True}, True, "opus", None),
    (facts("vorbis", 160), {"level": True}, True, "opus", None),
    (facts("ape"), {"level": True}, True, "flac", None),
    (facts("wma", 128), {"format": "aac", "bitrate_kbps": 192}, True, "aac", 192),
])
def test_what_need_not_be_encoded_is_not(given: AudioFacts, wish: dict[str, Any], needed: bool, format: str,
                                         kbps: int | None) -> None:
    made = plan(given, **wish)
    assert (made.needed, made.format, made.bitrate_kbps) == (needed, format, kbps)
    assert (made.suffix != "") is needed
    assert (made.note is not None) is ((wish.get("format") == "flac" and given.format == "opus") or
                                       given.format == "vorbis")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(BadInput):
        plan(facts("flac"), format="exe")


def test_both_rooms_agree_what_becomes_of_what() -> None:
    from shared.audio import keeping

    assert keeping.FAMILY == FAMILY
