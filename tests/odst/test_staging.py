"""Each download's own folder, and nothing outside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from odst.staging import Staging
from shared.model.download import Failure


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "staging").mkdir()
    return tmp_path / "staging"


@pytest.fixture
def staging(root: Path) -> Staging:
    return Staging(root=lambda: root)


def test_a_folder_is_made_for_its_download_alone(staging: Staging, root: Path) -> None:
    folder = staging.folder("abc")
    assert folder == root / "abc" and folder.stat().st_mode & 0o777 == 0o700
    assert staging.part("abc", "cand1") == folder / "cand1"
    assert staging.part("abc", "../..") == folder / "own"


@pytest.mark.parametrize("uid", ["", "..", "a/b", "A", "a\0", "../x"])
def test_only_ids_name_folders(staging: Staging, uid: str) -> None:
    with pytest.raises(ValueError):
        staging.folder(uid)


def test_a_file_outside_is_not_believed(staging: Staging, root: Path) -> None:
    folder = staging.folder("abc")
    (folder / "song").write_bytes(b"x")
    assert staging.confined("abc", folder / "song") == folder / "song"
    (root / "secret").write_bytes(b"x")
    (folder / "link").symlink_to(root / "secret")
    staging.folder("abcd")
    (root / "abcd" / "song").write_bytes(b"x")
    for path in (root / "secret", folder / "link", folder / ".." / "secret", root / "abcd" / "song", folder):
        with pytest.raises(Failure):
            staging.confined("abc", path)


def test_what_is_no_file_is_refused(staging: Staging) -> None:
    folder = staging.folder("abc")
    (folder / "folder").mkdir()
    with pytest.raises(Failure):
        staging.confined("abc", folder / "folder")
    with pytest.raises(Failure):
        staging.confined("abc", folder / "gone")


def test_clearing_removes_all_of_one_and_nothing_of_others(staging: Staging, root: Path) -> None:
    (staging.part("abc", "c1") / "x").write_bytes(b"x")
    (staging.part("abc", "c2") / "x").write_bytes(b"x")
    staging.folder("other")
    staging.clear_part("abc", "c1")
    assert sorted(path.name for path in (root / "abc").iterdir()) == ["c2"]
    staging.clear("abc")
    staging.clear("abc")
    assert [path.name for path in root.iterdir()] == ["other"]


def test_a_link_in_place_of_a_folder_is_removed_and_not_followed(staging: Staging, root: Path, tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "song").write_bytes(b"x")
    (root / "abc").symlink_to(tmp_path / "music")
    with pytest.raises(Failure):
        staging.folder("abc")
    staging.clear("abc")
    assert not (root / "abc").is_symlink() and (tmp_path / "music" / "song").exists()


def test_leftovers_of_downloads_that_are_over_go(staging: Staging, root: Path) -> None:
    for uid in ("going", "over1", "over2"):
        (staging.folder(uid) / "part").write_bytes(b"x")
    (root / ".hidden").mkdir()
    assert staging.keep_only({"going"}) == 2
    assert sorted(path.name for path in root.iterdir()) == [".hidden", "going"]


def test_a_music_folder_that_is_away_stops_nothing() -> None:
    def away() -> Path:
        raise Failure("library_offline", "The disk is away.")

    staging = Staging(root=away)
    staging.clear("abc")
    assert staging.keep_only(set()) == 0
