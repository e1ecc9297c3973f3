"""`refresh-metadata`: what it shows, that it does what it said, and that it takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.audio import tags
from tests.builders import make_audio
from tests.fakes.answering import Reply
from tests.fakes.musicbrainz import FakeMusicBrainz, Recording, Release
from tests.here import take_up
from tests.setup_tool.conftest import Tool

SONGS = [Recording(title, ["David Bowie"], length_ms=1000) for title in ("Speed of Life", "Breaking Glass")]
LOW = Release("Low", [SONGS], ["David Bowie"], date="1977-01-14")


@pytest.fixture
def brainz(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMusicBrainz]:
    with FakeMusicBrainz(releases=[LOW]) as fake:
        monkeypatch.setenv("SOUNDSIBLE_MUSICBRAINZ_URL", fake.url)
        yield fake


@pytest.fixture
def music(tool: Tool, brainz: FakeMusicBrainz, tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    for number, title in enumerate(["speed of life", "breaking glass", "Nobody Knows This"], 1):
        make_audio(folder / "low", f"{number}.flac", seconds=1.0, tags={
            "title": title, "artist": "David Bowie", "album": "low", "track_number": number})
    take_up(folder)
    return folder


def titles(music: Path) -> list[str | None]:
    return [tags.read(str(one)).metadata.title for one in sorted(music.rglob("*.flac"))]


def test_what_it_shows_is_what_it_then_writes(tool: Tool, music: Path) -> None:
    would = tool("refresh_metadata", "--all", "--json")
    assert would.code == 0 and titles(music) == ["speed of life", "breaking glass", "Nobody Knows This"]
    dry = tool("refresh-metadata", "--apply", "--dry-run", "--json").document
    did = tool("refresh-metadata", "--apply", "--json")
    assert did.code == 0 and titles(music) == ["Speed of Life", "Breaking Glass", "Nobody Knows This"]
    one, other = would.document, did.document
    same = ("looked", "same", "changes", "left", "failed", "changed", "fields")
    assert {name: one[name] for name in same} == {name: other[name] for name in same}
    assert dry == one and one["dry_run"] and not other["dry_run"] and other["step"]
    assert (other["looked"], other["changed"], other["fields"]["title"]) == (3, 2, 2)
    assert [(left["title"], left["reason"]) for left in other["left"]] == [("Nobody Knows This", "unknown")]
    change = other["changes"][0]
    assert change["score"] >= 80 and {"field": "album", "old": "low", "new": "Low"} in change["differences"]
    again = tool("refresh-metadata", "--apply", "--json").document
    assert (again["changed"], again["same"], again["step"]) == (0, 2, None)


def test_it_is_told_field_by_field_and_can_be_taken_back(tool: Tool, music: Path) -> None:
    said = tool("refresh-metadata", str(music / "low" / "1.flac"))
    text = " ".join(said.out.split())
    assert said.code == 0 and "title speed of life → Speed of Life" in text
    assert "artist ids – → " in text and "of 100 by search" in text
    assert "1 track would be changed; --apply writes it." in text
    said = tool("refresh-metadata", "--apply")
    assert "2 tracks changed." in " ".join(said.out.split()) and "--undo" in said.out
    undone = tool("refresh-metadata", "--undo")
    assert undone.code == 0 and "2 files say again what they said" in undone.out
    assert titles(music) == ["speed of life", "breaking glass", "Nobody Knows This"]
    assert tool("refresh-metadata", "--undo").code == 1


def test_one_album_or_track_may_be_named(tool: Tool, music: Path) -> None:
    changes = tool("refresh-metadata", "--json").document["changes"]
    track = changes[1]["track_id"]
    found = tool("refresh-metadata", "--track", track, "--json").document["changes"]
    assert [one["track_id"] for one in found] == [track]
    assert tool("refresh-metadata", "--track", "nobody", "--json").document["error"]["code"] == "not_found"
    assert tool("refresh-metadata", "--undo", "--all").code == 2
    assert tool("refresh-metadata", "--min-score", "20").code == 2


def test_a_musicbrainz_that_is_down_fails_and_writes_nothing(tool: Tool, music: Path, brainz: FakeMusicBrainz) -> None:
    brainz.always(Reply(500))
    said = tool("refresh-metadata", "--apply", "--json")
    assert said.code == 1 and len(said.document["failed"]) == 3 and said.document["changed"] == 0
    assert titles(music)[0] == "speed of life"
