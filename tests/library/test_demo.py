"""The demo appears whole or not at all, once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from shared.audio import synth
from shared.library import demo
from shared.model.errors import UnreadableFile
from tests.builders import make_audio


def visible(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if not path.name.startswith(".")]


class Musicians:
    """Workers that play something short instead."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.fail_at = fail_at
        self.asked: list[int] = []
        self.seen: list[bool] = []
        self._lock = threading.Lock()

    def run(self, deed: str, /, *args: Any, timeout_s: float = 30.0, **kwargs: Any) -> Any:
        folder, number = args
        with self._lock:
            self.asked.append(number)
            self.seen.append(visible(Path(folder).parent) != [])
        if number == self.fail_at:
            raise UnreadableFile("no", reason="timed_out")
        return str(make_audio(Path(folder) / "Soundsible", f"{number}.flac", tags={"title": str(number)}))


def test_it_is_made_once_and_left_alone_afterwards(tmp_path: Path) -> None:
    workers = Musicians()
    assert demo.ensure_demo(tmp_path / "demo", workers) == tmp_path / "demo"
    assert sorted(workers.asked) == list(range(len(synth.PIECES)))
    next((tmp_path / "demo").rglob("*.flac")).unlink()
    demo.ensure_demo(tmp_path / "demo", workers)
    assert len(workers.asked) == demo.PIECES == len(synth.PIECES)
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["Soundsible"]


def test_it_is_made_in_a_folder_that_is_there_and_empty(tmp_path: Path) -> None:
    (tmp_path / "demo" / ".soundsible").mkdir(parents=True)      # the station's own trash, say
    demo.ensure_demo(tmp_path / "demo", Musicians())
    assert visible(tmp_path / "demo") == ["Soundsible"]


def test_it_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    workers = Musicians()
    demo.ensure_demo(tmp_path / "demo", workers)
    assert not any(workers.seen)


def test_a_failure_leaves_nothing_and_the_next_start_makes_it(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        demo.ensure_demo(tmp_path / "demo", Musicians(fail_at=3))
    assert list((tmp_path / "demo").iterdir()) == []
    (tmp_path / "demo" / ".making-12345678").mkdir()    # of a start that was killed
    demo.ensure_demo(tmp_path / "demo", Musicians())
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["Soundsible"]
