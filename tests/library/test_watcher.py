from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.events import EventBus, Notice
from shared.library import watcher as watching
from shared.library.watch_process import Watch, concerns
from shared.library.watcher import Watcher
from shared.model.scan import ScanReport
from shared.storage.access import Access


def until(true: Callable[[], Any], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


@pytest.mark.parametrize(("path", "does"), [
    ("/m/a.mp3", True), ("/m/A/cover.JPG", True), ("/m/A/song.lrc", True), ("/m/New Album", True),
    ("/m/Vol. 4", True), ("/m/.soundsible/trash/x/a.mp3", False), ("/m/A/.hidden.flac", False),
    ("/m/a.mp3.part", False), ("/m/notes.txt", False), ("/m/log.db", False), ("/m", True),
])
def test_only_changes_that_a_scan_would_see_concern_it(path: str, does: bool) -> None:
    assert concerns("/m", path) is does


# ---- one folder, watched in this process ----------------------------------------------------------------------------


WATCHES: dict[str, Watch] = {}


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    root = tmp_path / "music"
    root.mkdir()
    said: list[dict[str, Any]] = []
    watch = WATCHES[str(root)] = Watch(str(root), said.append, quiet_ms=60, longest_ms=2000, look_ms=60)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    until(lambda: {"watching": str(root)} in said)
    yield root, said
    watch.ended = True
    thread.join(10)
    WATCHES.clear()


def changes(said: list[dict[str, Any]]) -> int:
    return sum(1 for one in said if "changed" in one)


def test_a_burst_of_changes_is_told_once(watched: tuple[Path, list[dict[str, Any]]]) -> None:
    root, said = watched
    (root / "album").mkdir()
    for number in range(20):
        (root / "album" / f"{number}.mp3").write_bytes(b"x")
    until(lambda: changes(said))
    time.sleep(0.3)
    assert changes(said) <= 3


def test_what_does_not_concern_a_scan_is_not_told(watched: tuple[Path, list[dict[str, Any]]]) -> None:
    root, said = watched
    (root / "notes.txt").write_bytes(b"x")
    (root / ".soundsible").mkdir()
    time.sleep(0.3)
    assert changes(said) == 0
    (root / "a.mp3").write_bytes(b"x")
    until(lambda: changes(said))


def test_a_folder_that_goes_and_comes_back_is_told_and_watched_again(
    watched: tuple[Path, list[dict[str, Any]]],
) -> None:
    root, said = watched
    aside = root.rename(root.parent / "aside")
    until(lambda: changes(said))
    time.sleep(0.3)
    gone = len(said)
    aside.rename(root)
    until(lambda: said[gone:] == [{"changed": str(root)}, {"watching": str(root)}])
    (root / "a.mp3").write_bytes(b"x")
    until(lambda: said[gone + 2:] == [{"changed": str(root)}])


def test_a_refusal_is_told_with_its_reason_and_does_not_outlast_a_replug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("OS file watch limit reached.")

    monkeypatch.setattr("watchfiles._rust_notify.RustNotify", refuse)
    root = tmp_path / "music"
    root.mkdir()
    said: list[dict[str, Any]] = []
    watch = Watch(str(root), said.append, quiet_ms=60, longest_ms=2000, look_ms=60)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    refused = {"refused": str(root), "why": "OS file watch limit reached."}
    until(lambda: said == [refused])
    monkeypatch.undo()
    aside = root.rename(tmp_path / "aside")
    until(lambda: said == [refused, {"changed": str(root)}])
    aside.rename(root)
    until(lambda: said[2:] == [{"changed": str(root)}, {"watching": str(root)}])
    watch.ended = True
    thread.join(10)


def test_a_folder_is_watched_anew_and_told_when_asked(watched: tuple[Path, list[dict[str, Any]]]) -> None:
    root, said = watched
    said.clear()
    WATCHES[str(root)].again()
    until(lambda: said == [{"changed": str(root)}, {"watching": str(root)}])


def test_a_name_that_is_not_text_is_a_change_like_others_and_the_folder_stays_watched(
    watched: tuple[Path, list[dict[str, Any]]],
) -> None:
    root, said = watched
    (root / os.fsdecode(b"\xff\xfe.mp3")).write_bytes(b"x")
    until(lambda: changes(said))
    time.sleep(0.2)
    before = changes(said)
    (root / "a.mp3").write_bytes(b"x")
    until(lambda: changes(said) > before)
    assert not any("refused" in one for one in said)


# ---- the whole ------------------------------------------------------------------------------------------------------


class Scanned:
    """Stands in for library.scanning: remembers what was wished for."""

    def __init__(self) -> None:
        self.starts: list[set[str]] = []

    def start(self, roots: Sequence[str] | None = None, deep: bool = False) -> ScanReport:
        self.starts.append(set(roots or ()))
        return ScanReport(id="x", state="running")

    def is_running(self) -> bool:
        return False


class Kinds:
    """A mount table that says what it was told."""

    def __init__(self, **kinds: str) -> None:
        self._kinds = kinds

    def kind(self, folder: str) -> str:
        return self._kinds.get(Path(folder).name, "fixed")


class Watching:
    def __init__(self, roots: list[str], poll_s: int = 3600, mounts: Kinds | None = None,
                 catch_up: bool = False, access: Any = None, lost: Any = None) -> None:
        self.roots = roots
        self.scanning = Scanned()
        self.events = EventBus()
        self.notices: list[Notice] = []
        self.events.subscribe(Notice, self.notices.append)
        self.watcher = Watcher(
            roots=lambda: self.roots, scanning=self.scanning,  # type: ignore[arg-type]
            settings=SimpleNamespace(watch_poll_s=poll_s, scan_on_start=catch_up), events=self.events,
            mounts=mounts or Kinds(), access=access, lost=lost)  # type: ignore[arg-type]
        self.watcher.start()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Watching]]:
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0.05)
    made: list[Watching] = []

    def make(*roots: Path, **options: Any) -> Watching:
        made.append(Watching([str(root) for root in roots], **options))
        return made[-1]

    yield make
    for one in made:
        one.watcher.stop()


def test_a_change_starts_a_scan_of_its_folder_alone(tmp_path: Path, watch: Callable[..., Watching]) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    whole = watch(one, two)
    until(lambda: whole.watcher.ways() == {str(one): "watched", str(two): "watched"})
    (two / "a.mp3").write_bytes(b"x")
    until(lambda: whole.scanning.starts)
    assert whole.scanning.starts == [{str(two)}]
    whole.roots = [str(one)]
    until(lambda: whole.watcher.ways() == {str(one): "watched"})


def test_what_came_before_a_folder_was_watched_is_scanned_once_it_is(
    tmp_path: Path, watch: Callable[..., Watching],
) -> None:
    (tmp_path / "music").mkdir()
    whole = watch(tmp_path / "music", catch_up=True)
    until(lambda: whole.scanning.starts == [{str(tmp_path / "music")}])
    assert whole.watcher.ways() == {str(tmp_path / "music"): "watched"}


def test_folders_on_a_network_are_looked_through_from_time_to_time(
    tmp_path: Path, watch: Callable[..., Watching],
) -> None:
    (tmp_path / "nas").mkdir()
    whole = watch(tmp_path / "nas", poll_s=0, mounts=Kinds(nas="foreign"))
    until(lambda: len(whole.scanning.starts) >= 2)
    assert whole.scanning.starts[0] == {str(tmp_path / "nas")}
    assert whole.watcher.ways() == {str(tmp_path / "nas"): "polled"}
    assert whole.notices == []


def test_a_folder_that_does_not_say_where_it_lies_is_polled(
    tmp_path: Path, watch: Callable[..., Watching], monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()
    monkeypatch.setattr(watching, "PROBE_S", 0.05)
    monkeypatch.setattr(watching.os.path, "realpath", lambda path: release.wait(30))
    try:
        whole = watch(tmp_path / "stale")
        until(lambda: whole.watcher.ways() == {str(tmp_path / "stale"): "polled"})
    finally:
        release.set()


def test_a_refused_folder_is_polled_and_people_are_told_once_what_to_do(
    tmp_path: Path, watch: Callable[..., Watching],
) -> None:
    root = tmp_path / "music"
    root.mkdir()
    whole = watch(root, poll_s=0)
    until(lambda: whole.watcher.ways() == {str(root): "watched"})
    process = whole.watcher._process
    assert process is not None
    whole.watcher._heard(process, {str(root): str(root)}, {"refused": str(root), "why": "file watch limit reached"})
    until(lambda: len(whole.scanning.starts) >= 2)
    assert whole.watcher.ways() == {str(root): "polled"}
    assert len(whole.notices) == 1
    assert "max_user_watches" in whole.notices[0].message


def test_a_watching_process_that_dies_is_noticed_and_its_folder_polled(
    tmp_path: Path, watch: Callable[..., Watching],
) -> None:
    root = tmp_path / "music"
    root.mkdir()
    whole = watch(root, poll_s=0)
    until(lambda: whole.watcher.ways() == {str(root): "watched"})
    process = whole.watcher._process
    assert process is not None
    process.kill()
    until(lambda: whole.watcher.ways() == {str(root): "polled"})
    until(lambda: whole.scanning.starts)


def test_a_folder_that_is_online_again_is_scanned_and_watched_anew(
    tmp_path: Path, watch: Callable[..., Watching],
) -> None:
    root = tmp_path / "nas"
    (root / "album").mkdir(parents=True)
    access = Access()
    whole = watch(root, mounts=Kinds(nas="foreign"), access=access)
    until(lambda: whole.watcher.ways() == {str(root): "polled"})
    aside = root.rename(tmp_path / "aside")
    until(lambda: access.states() == {str(root): "absent"})
    assert whole.scanning.starts == []
    root.mkdir()
    until(lambda: access.states() == {str(root): "empty"})
    root.rmdir()
    aside.rename(root)
    until(lambda: whole.scanning.starts == [{str(root)}])
    access.stop()


def test_a_folder_that_has_entries_while_all_its_tracks_are_missing_is_scanned(
    tmp_path: Path, watch: Callable[..., Watching],
) -> None:
    full, empty = tmp_path / "full", tmp_path / "empty"
    (full / "album").mkdir(parents=True)
    empty.mkdir()
    whole = watch(full, empty, access=Access(), lost=lambda: [str(full), str(empty)])
    until(lambda: whole.scanning.starts)
    time.sleep(0.3)
    assert all(roots == {str(full)} for roots in whole.scanning.starts)


def test_the_watcher_outlives_a_database_that_fails(tmp_path: Path, watch: Callable[..., Watching],
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "music"
    root.mkdir()
    whole = watch(root)
    until(lambda: whole.watcher.ways() == {str(root): "watched"})
    start = whole.scanning.start
    failed = threading.Event()

    def fail(**_: Any) -> ScanReport:
        failed.set()
        raise RuntimeError("locked")

    monkeypatch.setattr(whole.scanning, "start", fail)
    (root / "a.mp3").write_bytes(b"x")
    until(failed.is_set)
    monkeypatch.setattr(whole.scanning, "start", start)
    (root / "b.mp3").write_bytes(b"x")
    until(lambda: whole.scanning.starts == [{str(root)}])


def test_stopping_ends_the_watching_process(tmp_path: Path, watch: Callable[..., Watching]) -> None:
    (tmp_path / "music").mkdir()
    whole = watch(tmp_path / "music")
    until(lambda: "watched" in whole.watcher.ways().values())
    process = whole.watcher._process
    assert process is not None
    whole.watcher.stop()
    assert process.wait(5) is not None
    shutil.rmtree(tmp_path / "music")
