from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared import durable


def test_a_file_is_written_whole_for_its_user_alone_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    durable.write(tmp_path / "one", b"first")
    durable.write(tmp_path / "one", b"second")
    assert (tmp_path / "one").read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["one"]
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600


def test_what_is_there_is_not_written_over_unless_that_is_meant(tmp_path: Path) -> None:
    durable.write(tmp_path / "one", b"first", over=False)
    with pytest.raises(FileExistsError):
        durable.write(tmp_path / "one", b"second", over=False)
    assert (tmp_path / "one").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["one"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    durable.write(tmp_path / "one", b"first")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        durable.write(tmp_path / "one", b"second")
    assert (tmp_path / "one").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["one"]
