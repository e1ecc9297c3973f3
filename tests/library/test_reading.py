"""What lies beside music files, put there by anybody who can write to the folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.library import covers, reading
from shared.library.reading import lyrics_beside, read_many, write
from shared.model.track import Reading
from tests.builders import make_audio


def ended_in_time(code: str, *arguments: Path) -> str:
    """What `code` prints, in a process of its own: what it does could hold for ever."""
    done = subprocess.run([sys.executable, "-c", f"import sys; {code}", *map(str, arguments)], text=True, timeout=30,
                          capture_output=True, cwd=Path(__file__).resolve().parents[2])
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_lyrics_beside_are_read_also_through_a_link_to_lyrics(tmp_path: Path) -> None:
    (tmp_path / "words.lrc").write_text("la la")
    (tmp_path / "a.lrc").symlink_to(tmp_path / "words.lrc")
    for name in ("a.flac", "words.flac"):
        found = lyrics_beside(str(tmp_path / name))
        assert found is not None and found.text == "la la"


@pytest.mark.parametrize("target", ["/etc/passwd", "/proc/self/environ", "/dev/zero"])
def test_lyrics_that_are_a_link_to_something_else_are_none(tmp_path: Path, target: str) -> None:
    (tmp_path / "a.lrc").symlink_to(target)
    assert lyrics_beside(str(tmp_path / "a.flac")) is None


def test_a_fifo_in_the_place_of_lyrics_holds_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.lrc")
    code = "from shared.library.reading import lyrics_beside; print(lyrics_beside(sys.argv[1]))"
    assert ended_in_time(code, tmp_path / "a.flac") == "None"


def test_a_fifo_in_the_place_of_a_picture_holds_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cover.jpg")
    code = ("from shared.library.covers import draw\n"
            "try: draw('sidecar', sys.argv[1], 64, sys.argv[2])\n"
            "except OSError as error: print('refused')")
    assert ended_in_time(code, tmp_path / "cover.jpg", tmp_path) == "refused"


def test_a_picture_that_is_a_link_to_something_else_is_none(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "cover.jpg").symlink_to(tmp_path / "secret")
    with pytest.raises(PermissionError):
        covers.draw("sidecar", str(tmp_path / "cover.jpg"), 64, str(tmp_path))


def test_a_good_file_with_a_fifo_beside_it_is_read(tmp_path: Path) -> None:
    file = make_audio(tmp_path, "a.flac", seconds=0.3, tags={"title": "A"})
    os.mkfifo(tmp_path / "a.lrc")
    code = "from shared.library.reading import read_many; print(read_many([(sys.argv[1], True)])[0].metadata.title)"
    assert ended_in_time(code, file) == "A"


def test_what_lies_beside_is_looked_at_before_the_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = make_audio(tmp_path, "a.flac", seconds=0.3, tags={"title": "Before"})

    def fails(_: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(reading, "lyrics_beside", fails)
    with pytest.raises(RuntimeError):
        write(str(file), {"title": "After"})
    [now] = read_many([(str(file), False)])
    assert isinstance(now, Reading) and now.metadata.title == "Before"
