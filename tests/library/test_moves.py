"""Files move within their music folder, and through no link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.library import moves


@pytest.fixture(params=["held", "looked at"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With folders that are held open, and as on systems that cannot."""
    if request.param == "looked at":
        monkeypatch.setattr(moves, "_HELD", False)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    (tmp_path / "music" / "A").mkdir(parents=True)
    (tmp_path / "music" / "A" / "1.flac").write_bytes(b"music")
    (tmp_path / "outside").mkdir()
    return tmp_path / "music"


def test_a_file_goes_to_the_trash_and_back(music: Path) -> None:
    root, there = str(music), f"{moves.TRASH}/id/1.flac"
    moves.make_trash(root, "A/1.flac", "id")
    moves.move(root, "A/1.flac", there)
    assert moves.names(root, f"{moves.TRASH}/id") == ["1.flac"]
    assert moves.stamp(root, there)[0] == 5
    (music / "A").rmdir()
    moves.move_back(root, "id", there, "A/1.flac")
    assert (music / "A" / "1.flac").read_bytes() == b"music"
    assert moves.names(root, moves.TRASH) == []


def test_a_file_that_is_there_is_never_gone_over(music: Path) -> None:
    (music / "2.flac").write_bytes(b"other")
    with pytest.raises(FileExistsError):
        moves.move_back(str(music), "id", "A/1.flac", "2.flac")
    assert moves.free_name(str(music), "2.flac") == "2 (2).flac"
    assert ((music / "2.flac").read_bytes(), (music / "A" / "1.flac").read_bytes()) == (b"other", b"music")


def test_nothing_moves_through_a_link(music: Path) -> None:
    root, outside = str(music), music.parent / "outside"
    (outside / "9.flac").write_bytes(b"theirs")
    (music / "link").symlink_to(outside)
    for deed in (
        lambda: moves.move(root, "A/1.flac", "link/1.flac"),
        lambda: moves.move_back(root, "id", "A/1.flac", "link/new/1.flac"),
        lambda: moves.move(root, "link/9.flac", "9.flac"),
        lambda: moves.remove(root, "link/9.flac"),
        lambda: moves.make_trash(root, "link/9.flac", "id"),
    ):
        with pytest.raises(NotADirectoryError):
            deed()
    assert moves.names(root, "link") == []
    assert os.listdir(outside) == ["9.flac"]
    assert (music / "A" / "1.flac").exists()


@pytest.mark.parametrize("path", ["../outside/9.flac", "A/../../outside/9.flac", "A//1.flac", "", "A/", "./1.flac"])
def test_paths_that_are_not_plainly_beneath_the_folder_are_refused(music: Path, path: str) -> None:
    with pytest.raises(OSError), moves.spot(str(music), path):
        pass
