"""A process that decodes media was taken over: it reads no secret, changes nothing of the station, tells nobody."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared import confine
from shared.audio.pool import WorkerPool
from shared.confine import Bounds, for_media, for_reading, inside
from shared.model.errors import UnreadableFile
from tests.running import ROOT, RunningStation, make_music, start_station

pytestmark = pytest.mark.skipif(os.name != "posix", reason="workers are limited on POSIX alone")
landlocked = pytest.mark.skipif(not confine.landlock_version(), reason="this kernel has no Landlock")
filtered = pytest.mark.skipif(not sys.platform.startswith("linux") or os.uname().machine not in ("x86_64", "aarch64"),
                              reason="the filter of system calls knows two kinds of machines")
DEEDS = "tests.holding.deeds"


class Home:
    """A station's folders with what is in them, and music beside them."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.settings = SimpleNamespace(config_dir=base / "home" / "config", data_dir=base / "home" / "data",
                                        cache_dir=base / "home" / "cache")
        self.secrets = [self.settings.config_dir / "vault.key", self.settings.config_dir / "config.json",
                        self.settings.config_dir / "identity" / "station.key", self.settings.data_dir / "library.db",
                        self.settings.data_dir / "library.db-wal"]
        for path in self.secrets:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"secret")
        self.settings.cache_dir.mkdir()
        self.music = base / "music"
        self.music.mkdir()
        (self.music / "song").write_bytes(b"sound")

    def bounds(self) -> Bounds:
        return for_media(self.settings, [str(self.music)])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def pool_for(bounds: Any, **more: Any) -> WorkerPool:
    return WorkerPool(size=1, bounds=bounds, packages=("tests.holding",), folders=[str(ROOT)], **more)


@pytest.fixture
def pool(home: Home) -> Iterator[WorkerPool]:
    made = pool_for(home.bounds)
    yield made
    made.stop()


def ask(pool: WorkerPool, deed: str, *args: Any) -> Any:
    return pool.run(f"{DEEDS}:{deed}", *(str(one) if isinstance(one, Path) else one for one in args))


@landlocked
def test_no_secret_of_the_station_is_read(home: Home, pool: WorkerPool) -> None:
    assert [ask(pool, "read", path) for path in home.secrets] == ["PermissionError"] * len(home.secrets)
    for number, path in enumerate(home.secrets):
        assert ask(pool, "link", path, home.music / f"copy{number}") != "done"


@landlocked
def test_nothing_of_the_station_is_changed(home: Home, pool: WorkerPool) -> None:
    for path in home.secrets:
        assert ask(pool, "write", path) == ask(pool, "remove", path) == ask(pool, "replace", path) == "PermissionError"
    assert [path.read_bytes() for path in home.secrets] == [b"secret"] * len(home.secrets)
    for path in (home.settings.config_dir / ".env", home.settings.data_dir / "new", ROOT / "shared" / "evil.py",
                 ROOT / "run.py"):
        assert ask(pool, "write", path) == "PermissionError", path
    assert not (ROOT / "shared" / "evil.py").exists()
    assert (ROOT / "run.py").read_bytes() != b"mine"


@landlocked
def test_music_is_read_and_written_as_before(home: Home, pool: WorkerPool) -> None:
    assert ask(pool, "read", home.music / "song") == "done"
    assert ask(pool, "replace", home.music / "song") == "done"
    assert (home.music / "song").read_bytes() == b"new"
    for place in (home.settings.cache_dir / "x", home.settings.data_dir / "covers" / "x"):
        assert ask(pool, "write", place) == "done"
    assert ask(pool, "temporary").startswith(str(home.settings.cache_dir))


@landlocked
def test_a_link_in_a_music_folder_leads_to_no_secret(home: Home, pool: WorkerPool) -> None:
    (home.music / "odd").symlink_to(home.secrets[0])
    (home.music / "elsewhere").symlink_to(home.base / "elsewhere")
    (home.base / "elsewhere").mkdir()
    assert ask(pool, "read", home.music / "odd") == "PermissionError"


@pytest.mark.skipif(confine.landlock_version() < 4, reason="this kernel does not keep connections in")
def test_nobody_is_called_and_nobody_can_call(pool: WorkerPool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert ask(pool, "call", server.getsockname()[1]) == "PermissionError"
    assert ask(pool, "listen") == "PermissionError"


@pytest.mark.skipif(confine.landlock_version() < 6, reason="this kernel does not keep signals in")
def test_nobody_else_is_signalled(pool: WorkerPool) -> None:
    assert ask(pool, "hit", os.getpid()) == "PermissionError"


@filtered
def test_the_kernel_gives_no_process_no_network_and_nothing_of_another(home: Home) -> None:
    """Landlock knows of TCP alone; and as root it kept nobody from another's environment."""
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as station:
        pool = pool_for(home.bounds)
        try:
            told = ask(pool, "ask_of_the_kernel", station.pid)
            assert ask(pool, "threads") == 3
        finally:
            pool.stop()
        assert station.stdin is not None
        station.stdin.close()
    if not confine.landlock_version():
        del told["environment of the station"], told["memory of the station"]
    assert told == dict.fromkeys(told, "PermissionError")


@filtered
def test_who_needs_a_program_may_begin_it_and_has_no_network_all_the_same(home: Home) -> None:
    pool = pool_for(lambda: for_media(home.settings, [str(home.music)], programs=["/usr/bin/ffmpeg"]))
    try:
        told = ask(pool, "ask_of_the_kernel", os.getpid())
    finally:
        pool.stop()
    assert (told.pop("process"), told.pop("program")) == ("done", "done")
    assert told["of a file"] == told["datagram"] == told["six"] == told["limit"] == "PermissionError"


@filtered
def test_what_is_lent_to_a_worker_comes_through_a_file_and_through_nothing_else(home: Home) -> None:
    pool = pool_for(lambda: for_media(home.settings, [str(home.music)], sockets=True))
    try:
        told = ask(pool, "ask_of_the_kernel", os.getpid())
    finally:
        pool.stop()
    assert told.pop("of a file") == "done"
    assert told["datagram"] == told["six"] == told["netlink"] == told["process"] == "PermissionError"


@landlocked
def test_a_reader_changes_nothing_of_the_station_and_reads_the_demo(home: Home) -> None:
    demo = home.settings.data_dir / "demo"
    demo.mkdir()
    (demo / "song").write_bytes(b"sound")
    closed = [str(one) for one in (home.settings.config_dir, home.settings.data_dir, home.settings.cache_dir)]
    pool = pool_for(lambda: for_reading(closed))
    try:
        assert [ask(pool, "read", path) for path in home.secrets] == ["PermissionError"] * len(home.secrets)
        assert ask(pool, "write", home.settings.cache_dir / "x") == "PermissionError"
        assert ask(pool, "read", home.music / "song") == ask(pool, "read", demo / "song") == "done"
    finally:
        pool.stop()


@landlocked
def test_a_folder_that_comes_later_is_seen_by_a_fresh_worker(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Landlock can only narrow: a worker from before does not see it, says so by ending, and nobody notices."""
    pool = pool_for(home.bounds)
    try:
        ask(pool, "sleep", 0)
        later = home.base / "later"
        later.mkdir()
        (later / "song").write_text("sound")
        answers = [ask(pool, "read_each", [str(later / "song")])[0]]
        assert isinstance(answers[0], UnreadableFile)      # so young a worker is not doubted
        assert ask(pool, "sleep", confine._YOUNG_S + 0.1)
        assert ask(pool, "read_each", [str(later / "song")]) == ["sound"]
    finally:
        pool.stop()


@landlocked
def test_music_around_the_station_s_own_folders_is_still_written_to(tmp_path: Path) -> None:
    home = Home(tmp_path)
    pool = pool_for(lambda: for_media(home.settings, [str(tmp_path)]))
    try:
        (tmp_path / "song").write_bytes(b"sound")
        assert ask(pool, "replace", tmp_path / "song") == "done"
        assert ask(pool, "read", home.secrets[0]) == "PermissionError"
    finally:
        pool.stop()


def test_a_folder_of_a_similar_name_is_another_folder() -> None:
    assert inside("/music/a", "/music") and inside("/music", "/music") and inside("/a", "/")
    assert not inside("/music-private/a", "/music")


def test_a_worker_s_environment_holds_nothing_of_the_station_s(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDSIBLE_OWNER", "ann:secret words here")
    monkeypatch.setenv("HTTP_PROXY", "http://user:secret@proxy")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    pool = pool_for(home.bounds)
    try:
        seen = ask(pool, "environment")
    finally:
        pool.stop()
    assert not [name for name in seen if name.startswith(("SOUNDSIBLE_", "AWS_", "HTTP"))]
    assert "secret" not in repr(seen)


# ---- how much one may take ---------------------------------------------------------------------------------------


def test_what_a_worker_may_take_is_bounded(home: Home) -> None:
    pool = pool_for(home.bounds, memory_bytes=400 << 20)
    try:
        told = ask(pool, "limits")
        assert told["memory"] == 400 << 20
        assert (told["core"], told["files"], told["file"]) == (0, 256, 16 << 30)
        assert 0 < told["cpu"] < 120
        assert ask(pool, "hold_open", 300) == "OSError"
        assert ask(pool, "fill", home.settings.cache_dir / "big", 17 << 30) == "OSError"
        with pytest.raises(UnreadableFile) as stopped:
            pool.run(f"{DEEDS}:spin", timeout_s=0.5)
        assert stopped.value.details.get("reason") or "timed_out" in repr(stopped.value.__dict__)
    finally:
        pool.stop()


# ---- the station itself ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStation]:
    base = tmp_path_factory.mktemp("confined")
    station = start_station(base / "home", [make_music(base / "music")], as_people_do=True)
    try:
        station.wait_for_scan()
        yield station
    finally:
        station.stop()


LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's prctl")
# Whoever runs this, root too, gives up what root may, as do its children.
PEEK = """
import ctypes, struct, subprocess, sys
libc = ctypes.CDLL(None)
for capability in range(64):
    libc.prctl(24, capability, 0, 0, 0)
libc.capset(struct.pack("=II", 0x20080522, 0), bytes(24))
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
for name in ("environ", "mem"):
    try:
        open(f"/proc/{child.pid}/{name}", "rb").close()
        print("open")
    except OSError as error:
        print(type(error).__name__)
child.stdin.close()
child.wait()
"""


@LINUX
@pytest.mark.parametrize(("word", "seen"), [("0", "PermissionError"), ("1", "open")])
def test_no_process_of_the_same_user_reads_one_that_keeps_to_itself(word: str, seen: str) -> None:
    script = f"import ctypes; ctypes.CDLL(None).prctl(4, {word}, 0, 0, 0); print('x', flush=True); input()"
    done = subprocess.run([sys.executable, "-c", PEEK, script], capture_output=True, text=True, timeout=30)
    assert done.stdout.split()[:2] == [seen, seen], done.stderr


@LINUX
def test_station_and_command_line_keep_to_themselves_before_they_know_a_secret(tmp_path: Path) -> None:
    asked = "ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)"
    station = ("import ctypes, shared.settings, shared.server, shared.api\n"
               "load = shared.settings.load\n"
               f"shared.settings.load = lambda **given: (print({asked}), load(**given))[1]\n"
               f"shared.server.serve = lambda **given: print({asked})\n"
               f"shared.api.main(['--home', {str(tmp_path / 'home')!r}])\n")
    tool = ("import ctypes, sys, setup_tool.cli\n"
            f"setup_tool.cli.main = lambda: print({asked})\n"
            "sys.argv = ['tool']\n"
            "import runpy\n"
            "try: runpy.run_module('setup_tool', run_name='__main__')\n"
            "except SystemExit: pass\n")
    for script, told in ((station, ["0", "0"]), (tool, ["0"])):
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=30)
        assert done.stdout.split() == told, done.stderr


@landlocked
def test_a_real_station_s_workers_are_shut_off(running: RunningStation) -> None:
    """A cover wakes a craft worker; the kernel says that it is shut in and has no new rights to gain."""
    tracks = running.call("GET", "/api/library/tracks")[1]["items"]
    assert running.call("GET", f"/api/covers/{tracks[0]['id']}?size=333")[0] == 200

    def told() -> list[str]:
        """Of each worker; one that begins just now says so a moment later."""
        return [Path(f"/proc/{pid}/status").read_text() for pid in _children(running.process.pid, deep=True)
                if b"shared.audio.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    for _ in range(100):
        with contextlib.suppress(FileNotFoundError):    # one that ended meanwhile
            if (found := told()) and all("NoNewPrivs:\t1" in one for one in found):
                return
        time.sleep(0.05)
    raise AssertionError(told())


def test_a_station_that_keeps_to_itself_still_stops_when_told(tmp_path: Path) -> None:
    station = start_station(tmp_path / "home", [], as_people_do=True)
    assert station.stop() == 0


@LINUX
def test_a_process_that_keeps_to_itself_writes_no_core_and_is_still_killed_with_its_parent() -> None:
    script = ("import os, sys, resource; from shared import confine\n"
              "assert confine.keep_to_oneself()\n"
              "import ctypes; assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0\n"
              "read, write = os.pipe()\n"
              "child = os.fork()\n"
              "if not child:\n"
              "    parent = os.getppid(); confine.die_with_parent(parent)\n"
              "    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0\n"
              "    os.write(write, b'x'); import time; time.sleep(60)\n"
              "os.read(read, 1); print(child, flush=True)\n"
              "os._exit(0)\n")
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    for _ in range(100):
        try:
            os.kill(int(done.stdout), 0)
        except ProcessLookupError:
            return
        status = Path(f"/proc/{int(done.stdout)}/status")
        if not status.exists() or "State:\tZ" in status.read_text():
            return
        signal.sigtimedwait([], 0.05)
    raise AssertionError("the child lived on")


def _children(pid: int, *, deep: bool = False) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(one) for one in (task / "children").read_text().split()]
    return [*found, *(one for child in found for one in _children(child, deep=True))] if deep else found
