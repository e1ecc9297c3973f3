"""`fix-library-covers`: what it shows, that it does what it said, and that it takes it back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.audio import artwork
from tests.builders import make_album
from tests.fakes.coverart import FakeCoverArt
from tests.fakes.deezer import FakeDeezer
from tests.fakes.musicbrainz import FakeMusicBrainz, Recording, Release
from tests.here import take_up
from tests.s3_server import server
from tests.setup_tool.conftest import Tool
from tests.upkeep.covers_house import drawn

LOW = Release("Low", [[Recording("Speed of Life", ["David Bowie"])]], ["David Bowie"])


@pytest.fixture
def files(tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Two albums, of which one has a better cover outside."""
    made = make_album(tmp_path / "music", artist="David Bowie", album="Low", count=2, picture=drawn(100),
                      release_mbid=LOW.id)
    make_album(tmp_path / "music", artist="David Bowie", album="Unknown", count=1)
    with (FakeMusicBrainz(releases=[LOW]) as brainz, FakeCoverArt({LOW.id: drawn(800)}) as archive,
          FakeDeezer() as deezer):
        monkeypatch.setenv("SOUNDSIBLE_MUSICBRAINZ_URL", brainz.url)
        monkeypatch.setenv("SOUNDSIBLE_COVERART_URL", archive.url)
        monkeypatch.setenv("SOUNDSIBLE_DEEZER_URL", deezer.url)
        take_up(tmp_path / "music")
        yield made


def held(files: list[Path]) -> list[bytes | None]:
    return [artwork.embedded(str(one)) for one in files]


def test_a_dry_run_says_what_the_run_then_does(tool: Tool, files: list[Path]) -> None:
    would = tool("fix_library_covers", "--dry-run", "--json")
    assert would.code == 0 and held(files) == [drawn(100)] * 2
    did = tool("fix-library-covers", "--json")
    assert did.code == 0 and held(files) == [drawn(800)] * 2
    one, other = would.document, did.document
    assert {name: one[name] for name in ("looked", "albums", "left", "fixed", "tracks", "failed")} == {
        name: other[name] for name in ("looked", "albums", "left", "fixed", "tracks", "failed")}
    assert (other["looked"], other["fixed"], other["tracks"]) == (2, 1, 2)
    assert other["albums"][0]["better"] == {"width": 800, "height": 800} and other["albums"][0]["source"] == "coverart"
    assert [(left["title"], left["reason"]) for left in other["left"]] == [("Unknown", "nothing_found")]
    again = tool("fix-library-covers", "--json").document
    assert (again["fixed"], again["step"]) == (0, None)


def test_the_copies_in_the_cloud_hold_the_better_cover_too(tool: Tool, files: list[Path], home: Path) -> None:
    r2 = server().add_to(home, name="r2")
    assert tool("upload", "--json").document["uploaded"] == 3
    before = set(server().keys(r2, "music/"))
    report = tool("fix-library-covers", "--json").document
    assert report["cloud"]["tracks"] == 2 and report["cloud"]["report"]["failed"] == []
    after = set(server().keys(r2, "music/"))
    assert len(after) == 3 and len(after - before) == 2
    for path in files:
        assert any(hashlib.sha256(path.read_bytes()).hexdigest() in key for key in after)
    tool("fix-library-covers", "--undo")
    for path in files:
        assert any(hashlib.sha256(path.read_bytes()).hexdigest() in key for key in server().keys(r2, "music/"))


def test_it_is_told_and_can_be_taken_back(tool: Tool, files: list[Path]) -> None:
    said = tool("fix-library-covers")
    assert said.code == 0 and "Low" in said.out and "800 × 800" in said.out and "--undo" in said.out
    assert "1 album left: Nobody has a cover of it." in " ".join(said.out.split())
    undone = tool("fix-library-covers", "--undo")
    assert undone.code == 0 and "2 files hold their old picture again" in undone.out
    assert held(files) == [drawn(100)] * 2
    nothing = tool("fix-library-covers", "--undo", "--json")
    assert nothing.code == 1 and nothing.document["error"]["code"] == "not_found"


def test_one_album_one_source_and_another_size(tool: Tool, files: list[Path]) -> None:
    assert tool("fix-library-covers", "--source", "deezer", "--json").document["fixed"] == 0
    assert tool("fix-library-covers", "--album", "nobody", "--json").document["error"]["code"] == "not_found"
    assert tool("fix-library-covers", "--album", "unknown", "--json").document["looked"] == 1
    assert tool("fix-library-covers", "--min-size", "100", "--json").document["fixed"] == 0
    assert tool("fix-library-covers", "--min-size", "20").code == 2
    assert tool("fix-library-covers", "--undo", "--dry-run").code == 2
    assert held(files) == [drawn(100)] * 2


def test_a_file_that_cannot_be_written_makes_the_run_fail(tool: Tool, files: list[Path]) -> None:
    files[1].write_bytes(files[1].read_bytes()[:300])
    said = tool("fix-library-covers", "--json")
    assert said.code == 1
    assert [one["reason"] for one in said.document["failed"]] == ["truncated"] and said.document["tracks"] == 1
