"""The isolated children: what they may do, how they end, and that nothing of them is left."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from odst.nursery import Nursery, read_failure
from shared import confine
from shared.model.download import Cancelled, Failure
from tests.media_server import MediaServer, audio

DEEDS = {f"test.{name}": f"hostile:{name}" for name in (
    "echo", "write", "sleep", "leave_children", "die", "raise_", "eat_memory", "eat_disk", "compute", "say", "paced",
    "connect", "kill_parent", "starve_parent", "stream", "big", "raise_number",
    "raise_from_itself", "lose_folder", "read")}
ROOT = Path(__file__).resolve().parents[2]
HERE = str(Path(__file__).parent)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="how processes end is tested where signals are")


def settings(**more: Any) -> Any:
    return SimpleNamespace(**{
        "allow_private_hosts": (), "contact": "", "download_max_bytes": 50_000_000, "download_max_minutes": 1,
        "worker_memory_bytes": 1 << 30, "download_batch_limit": 10_000, "download_cookies": None,
        "download_providers": ("youtube", "direct"), **more})


def make(**more: Any) -> Nursery:
    return Nursery(**{"settings": settings(), "deeds": DEEDS, "folders": [HERE], **more})


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    one = make()
    yield one
    one.stop()


@pytest.fixture(params=["fork", "fresh"])
def either(request: pytest.FixtureRequest, nursery: Nursery) -> Iterator[Nursery]:
    """With a warm process, and as where there is no fork."""
    if request.param == "fork":
        yield nursery
        return
    one = make(fork=False)
    yield one
    one.stop()


def running(pid: int) -> bool:
    """A zombie does not run."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


class Following:
    """Runs a job in a thread, and knows what it said."""

    def __init__(self, nursery: Nursery, job: dict[str, Any], **more: Any) -> None:
        self.cancelled = threading.Event()
        self.ready = threading.Event()
        self.pids: list[int] = []
        self.outcome: Any = None
        self._thread = threading.Thread(target=self._run, args=(nursery, job), kwargs=more, daemon=True)
        self._thread.start()

    def _run(self, nursery: Nursery, job: dict[str, Any], **more: Any) -> None:
        try:
            self.outcome = nursery.run(job, on_message=self._hear, cancelled=self.cancelled.is_set, **more)
        except BaseException as error:
            self.outcome = error
        self.ready.set()

    def _hear(self, message: dict[str, Any]) -> None:
        text = message.get("log", ["", ""])[1]
        if text.startswith("pid "):
            self.pids.append(int(text[4:]))
        if text == "ready":
            self.ready.set()

    def until_ready(self) -> None:
        assert self.ready.wait(30)

    def end(self) -> Any:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.outcome


# ---- what a child is given ---------------------------------------------------------------------------------------


def test_a_child_answers_from_a_session_and_a_folder_of_its_own(either: Nursery, tmp_path: Path) -> None:
    said = either.run({"deed": "test.echo", "words": ["ä", 1, None]}, folder=tmp_path)
    assert said["job"] == {"words": ["ä", 1, None]}
    assert said["cwd"] == str(tmp_path)
    assert said["session"]
    assert said["umask"] == 0o077


def test_a_child_gets_hardly_any_environment(either: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDSIBLE_SLSKD_API_KEY", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    environment = either.run({"deed": "test.echo"}, folder=tmp_path)["environment"]
    assert not [name for name in environment if name.startswith("SOUNDSIBLE") or "PROXY" in name.upper()]
    for name in ("HOME", "TMPDIR", "DENO_DIR", "XDG_CACHE_HOME"):
        assert environment[name].startswith(str(tmp_path))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told by /proc")
def test_a_forked_child_holds_none_of_the_others_sockets(nursery: Nursery, tmp_path: Path) -> None:
    # 0 1 2, its channel, and the folder being listed
    assert len(nursery.run({"deed": "test.echo"}, folder=tmp_path)["files"]) <= 5


def test_what_is_temporary_is_gone_afterwards_and_the_rest_stays(either: Nursery, tmp_path: Path) -> None:
    inside = tmp_path / "kept"
    assert either.run({"deed": "test.write", "paths": [str(inside), str(tmp_path / ".tmp" / "x")]},
                      folder=tmp_path)["went"] == [str(inside), str(tmp_path / ".tmp" / "x")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]


@pytest.mark.skipif(not confine.landlock_version(), reason="this kernel has no Landlock")
def test_a_child_writes_nowhere_else(either: Nursery, tmp_path: Path) -> None:
    staging, outside = tmp_path / "staging", tmp_path / "outside"
    staging.mkdir()
    outside.mkdir()
    there = outside / "there"
    there.write_bytes(b"as it was")
    (staging / "link").symlink_to(outside)
    (staging / "mine").write_bytes(b"mine")
    paths = [str(outside / "new"), str(there), str(staging / ".." / "up"), str(staging / "link" / "through"),
             "/dev/shm/soundsible-test", str(Path.home() / "soundsible-test")]
    said = either.run({"deed": "test.write", "paths": [*paths, os.devnull],
                       "moves": [(str(staging / "mine"), str(outside / "mine")),
                                 (str(there), str(staging / "stolen"))]},
                      folder=staging)
    assert said["went"] == [os.devnull]
    assert there.read_bytes() == b"as it was"
    assert sorted(path.name for path in outside.iterdir()) == ["there"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "staging"]


@pytest.mark.skipif(not confine.landlock_version(), reason="this kernel has no Landlock")
def test_a_child_reads_nothing_of_the_stations_own(tmp_path: Path) -> None:
    """No keys, no hashes of passwords; but its own folder and the cookies, wherever they lie."""
    home, other = tmp_path / "home", tmp_path / "other"
    staging = home / "data" / "music" / "staging"
    for folder in (staging, home / "config", other):
        folder.mkdir(parents=True)
    secret, database = home / "config" / "config.json", home / "data" / "library.db"
    cookies, mine, song = home / "config" / "cookies.txt", staging / "media.part", other / "song.mp3"
    for path in (secret, database, cookies, mine, song):
        path.write_bytes(b"x")
    (other / "way").symlink_to(home)
    nursery = make(settings=settings(config_dir=home / "config", data_dir=home / "data", cache_dir=home / "cache"))
    try:
        paths = [str(secret), str(database), str(other / "way" / "config" / "config.json"), str(cookies), str(mine),
                 str(song), str(Path(os.__file__))]
        said = nursery.run({"deed": "test.read", "paths": paths, "cookies": str(cookies)}, folder=staging)
    finally:
        nursery.stop()
    assert said["went"] == [str(cookies), str(mine), str(song), str(Path(os.__file__))]


@pytest.mark.skipif(confine.landlock_version() < 6, reason="this kernel does not keep signals in")
def test_a_child_kills_nobody_outside(nursery: Nursery, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as victim:
        with pytest.raises(Failure) as caught:
            nursery.run({"deed": "test.kill_parent", "pid": victim.pid}, folder=tmp_path)
        assert caught.value.code == "internal"
        assert victim.poll() is None
        victim.kill()


@pytest.mark.skipif(confine.landlock_version() < 1 or os.uname().machine not in ("x86_64", "aarch64"),
                    reason="the filter of system calls knows two kinds of machines")
def test_a_child_starves_nobody_outside(nursery: Nursery, tmp_path: Path) -> None:
    """The kernel ends who has no processor time left: that would be a way around the signals."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as victim:
        try:
            assert nursery.run({"deed": "test.starve_parent", "pid": victim.pid}, folder=tmp_path)["went"] == []
            assert victim.poll() is None
        finally:
            victim.kill()


def test_no_library_in_a_child_reaches_an_inner_address(either: Nursery, tmp_path: Path) -> None:
    listening = socket.socket(socket.AF_UNIX)
    path = str(tmp_path / "door")
    with listening, MediaServer() as server:
        listening.bind(path)
        listening.listen()
        said = either.run({"deed": "test.connect", "url": server.url("x"), "unix": path}, folder=tmp_path)
        assert not [name for name, came in said["came"].items() if came == "connected"]
        assert said["refused"] == "forbidden_address"
        assert server.asked() == []


def test_an_allowed_address_is_reached(tmp_path: Path) -> None:
    with MediaServer() as server:
        server.add("x", b"hello")
        one = make(allowed=[server.allow])
        try:
            came = one.run({"deed": "test.connect", "url": server.url("x"), "unix": "/none"}, folder=tmp_path)["came"]
        finally:
            one.stop()
    assert {name for name, how in came.items() if how == "connected"} == {
        "socket", "connect_ex", "http", "urllib", "requests", "datagram"}


# ---- limits ------------------------------------------------------------------------------------------------------


def failing(nursery: Nursery, job: dict[str, Any], **more: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        nursery.run(job, **more)
    return caught.value


def test_too_much_memory_is_out_of_memory(nursery: Nursery, tmp_path: Path) -> None:
    assert failing(nursery, {"deed": "test.eat_memory"}, folder=tmp_path, memory_bytes=400 << 20
                   ).code == "out_of_memory"


def test_too_large_a_file_is_too_large(either: Nursery, tmp_path: Path) -> None:
    assert failing(either, {"deed": "test.eat_disk"}, folder=tmp_path, limit_bytes=1 << 20).code == "too_large"
    assert (tmp_path / "big").stat().st_size <= 20 << 20


def test_too_long_is_out_of_time_and_may_be_tried_again(either: Nursery, tmp_path: Path) -> None:
    following = Following(either, {"deed": "test.sleep"}, folder=tmp_path, limit_s=1.0)
    failure = following.end()
    assert (failure.code, failure.retryable) == ("out_of_time", True)
    assert not running(following.pids[0])


def test_a_child_that_only_computes_is_out_of_time(nursery: Nursery, tmp_path: Path) -> None:
    assert failing(nursery, {"deed": "test.compute"}, folder=tmp_path, limit_s=0.5).code == "out_of_time"


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT"])
def test_a_child_that_dies_has_crashed(nursery: Nursery, tmp_path: Path, name: str) -> None:
    failure = failing(nursery, {"deed": "test.die", "signal": name}, folder=tmp_path)
    assert (failure.code, failure.retryable) == ("crashed", True)
    assert name in failure.message


def test_the_kernels_own_limits_have_their_names(nursery: Nursery, tmp_path: Path) -> None:
    assert failing(nursery, {"deed": "test.die", "signal": "SIGXCPU"}, folder=tmp_path).code == "out_of_time"


def test_an_error_of_its_own_is_internal(either: Nursery, tmp_path: Path) -> None:
    failure = failing(either, {"deed": "test.raise_"}, folder=tmp_path)
    assert (failure.code, failure.retryable) == ("internal", False)
    assert "RuntimeError" in failure.message


def test_an_error_that_is_its_own_cause_is_told_like_any_other(nursery: Nursery, tmp_path: Path) -> None:
    failure = failing(nursery, {"deed": "test.raise_from_itself"}, folder=tmp_path, limit_s=10.0)
    assert (failure.code, failure.retryable) == ("internal", False)
    assert "RuntimeError" in failure.message


@pytest.mark.parametrize(("number", "code"), [
    (errno.ENOSPC, "disk_full"), (errno.EDQUOT, "disk_full"), (errno.EFBIG, "too_large"), (errno.EROFS, "read_only"),
    (errno.ENOMEM, "out_of_memory"), (errno.EIO, "library_offline"), (errno.EBADF, "internal"),
])
def test_what_the_system_refuses_has_its_reason(nursery: Nursery, tmp_path: Path, number: int, code: str) -> None:
    """A full disk, a read-only library …"""
    assert failing(nursery, {"deed": "test.raise_number", "number": number}, folder=tmp_path).code == code


def test_a_staging_folder_that_is_gone_is_told(either: Nursery, tmp_path: Path) -> None:
    assert failing(either, {"deed": "test.echo"}, folder=tmp_path / "none").code == "library_offline"
    assert list(tmp_path.iterdir()) == []


def test_a_staging_folder_that_goes_meanwhile_is_told(either: Nursery, tmp_path: Path) -> None:
    folder = tmp_path / "staging"
    folder.mkdir()
    failure = failing(either, {"deed": "test.lose_folder"}, folder=folder, limit_s=20.0,
                      on_message=lambda _: folder.rename(tmp_path / "elsewhere"))
    assert failure.code == "library_offline"


def test_a_deed_that_nobody_knows_is_internal(nursery: Nursery, tmp_path: Path) -> None:
    assert failing(nursery, {"deed": "no.such"}, folder=tmp_path).code == "internal"


def test_a_deed_that_cannot_be_loaded_is_internal_and_harms_nobody(nursery: Nursery, tmp_path: Path) -> None:
    one = make(deeds={"bad": "no_such_module:f", **DEEDS})
    try:
        assert failing(one, {"deed": "bad"}, folder=tmp_path).code == "internal"
        assert one.run({"deed": "test.echo"}, folder=tmp_path)["session"]
    finally:
        one.stop()


# ---- what a child says -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [
    "this is no JSON", "[1, 2]", '"x"', "NaN", "[" * 5000, '{"failure": {"code": "made_up", "message": "x"}}',
    '{"failure": {"code": "removed"}}', '{"failure": 3}', '{"progress": {"bytes": []}, "log": 3}'[:-1] + "x",
    '{"progress": {"bytes": 1%s}}' % ("0" * 400), '{"log": ["info", "%s"]}' % ("x" * 100_000),
    '{"progress": 7}', "\x00\xff",
])
def test_a_child_that_talks_nonsense_is_ended(nursery: Nursery, tmp_path: Path, line: str) -> None:
    assert failing(nursery, {"deed": "test.say", "lines": [line], "wait": 60}, folder=tmp_path).code == "crashed"


@pytest.mark.parametrize("way", ["flood", "endless"])
def test_a_child_that_does_not_stop_talking_is_ended(nursery: Nursery, tmp_path: Path, way: str) -> None:
    assert failing(nursery, {"deed": "test.say", "lines": [], way: True}, folder=tmp_path).code == "crashed"


def test_what_a_child_says_is_made_harmless(nursery: Nursery, tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = []
    nursery.run({"deed": "test.say", "lines": [
        '{"progress": {"bytes": -5, "total_bytes": 1e400, "bytes_per_second": "x"}}',
        '{"log": ["info", "one\\u001b[31m\\nline\\ud800"]}', '{"log": ["shout", "x"]}', '{"other": 1}',
    ]}, folder=tmp_path, on_message=heard.append)
    assert heard == [{"progress": {"bytes": 0, "total_bytes": 0, "bytes_per_second": None}},
                     {"log": ["info", "one [31m line"]}]


def test_an_answer_of_ten_thousand_tracks_arrives(nursery: Nursery) -> None:
    said = nursery.run({"deed": "test.big", "count": 10_000})
    assert len(said["tracks"]) == 10_000


def test_a_failure_is_taken_as_it_was_meant() -> None:
    failure = read_failure({"code": "rate_limited", "message": "Slow\ndown.", "retry_after_s": 1e9, "retryable": True})
    assert (failure.code, failure.message, failure.retry_after_s) == ("rate_limited", "Slow down.", 86400.0)
    for wrong in ({}, {"code": "removed", "message": 3}, {"code": "x", "message": ""}, []):
        with pytest.raises((ValueError, TypeError, KeyError)):
            read_failure(wrong)


def test_what_the_listener_raises_ends_the_job(nursery: Nursery, tmp_path: Path) -> None:
    pids: list[int] = []

    def hear(message: dict[str, Any]) -> None:
        text = message["log"][1]
        if text.startswith("pid "):
            pids.append(int(text[4:]))
        if text == "ready":
            raise Cancelled

    with pytest.raises(Cancelled):
        nursery.run({"deed": "test.sleep"}, folder=tmp_path, on_message=hear)
    assert pids and not running(pids[0])


# ---- the rate ----------------------------------------------------------------------------------------------------


def test_a_child_keeps_to_the_rate_and_hears_when_it_changes(nursery: Nursery, tmp_path: Path) -> None:
    """A hundred pieces at first slowly; would take 100 s at that rate. They are soon through when it is lifted."""
    heard: list[int] = []
    slow = {"until": time.monotonic() + 60.0}

    def rate() -> float | None:
        return 1000.0 if time.monotonic() < slow["until"] else None

    def hear(message: dict[str, Any]) -> None:
        heard.append(message["progress"]["bytes"])
        if len(heard) == 2:         # two seconds' worth has come
            slow["until"] = 0.0

    said = nursery.run({"deed": "test.paced", "pieces": 100, "size": 300}, folder=tmp_path, on_message=hear, rate=rate,
                       limit_s=45)
    assert said["rate"] is None
    assert heard[-1] == 30_000


def test_a_held_back_child_is_cancelled_at_once(nursery: Nursery, tmp_path: Path) -> None:
    following = Following(nursery, {"deed": "test.paced", "pieces": 10, "size": 10_000}, folder=tmp_path,
                          rate=lambda: 1.0)
    following.cancelled.set()
    assert isinstance(following.end(), Cancelled)


# ---- ends --------------------------------------------------------------------------------------------------------


def test_cancel_leaves_nothing_running_and_keeps_what_was_fetched(either: Nursery, tmp_path: Path) -> None:
    following = Following(either, {"deed": "test.sleep"}, folder=tmp_path)
    following.until_ready()
    following.cancelled.set()
    assert isinstance(following.end(), Cancelled)
    assert following.pids and not any(running(pid) for pid in following.pids)
    assert [path.name for path in tmp_path.iterdir()] == ["partial"]


def test_cancel_ends_grandchildren_even_those_that_are_deaf_or_ran_away(nursery: Nursery, tmp_path: Path) -> None:
    following = Following(nursery, {"deed": "test.sleep", "deaf": True, "children": True}, folder=tmp_path)
    following.until_ready()
    following.cancelled.set()
    assert isinstance(following.end(), Cancelled)
    assert len(following.pids) == 3
    if sys.platform.startswith("linux"):
        assert not [pid for pid in following.pids if running(pid)]
    else:
        assert not [pid for pid in following.pids[:2] if running(pid)]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="orphans are adopted on Linux")
def test_what_a_finished_child_left_behind_is_ended_before_its_answer_is_given(nursery: Nursery, tmp_path: Path
                                                                              ) -> None:
    said = nursery.run({"deed": "test.leave_children"}, folder=tmp_path)
    assert not [pid for pid in said["pids"] if running(pid)]


def test_one_that_is_cancelled_before_it_began_never_begins(nursery: Nursery, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        nursery.run({"deed": "test.sleep"}, folder=tmp_path, cancelled=lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_the_others_go_on_when_one_is_cancelled(nursery: Nursery, tmp_path: Path) -> None:
    folders = [tmp_path / str(n) for n in range(4)]
    for folder in folders:
        folder.mkdir()
    jobs = [Following(nursery, {"deed": "test.sleep", "seconds": 600 if n else 1}, folder=folder)
            for n, folder in enumerate(folders)]
    for job in jobs:
        job.until_ready()
    jobs[1].cancelled.set()
    assert isinstance(jobs[1].end(), Cancelled)
    assert jobs[0].end() == {}
    assert running(jobs[2].pids[0]) and running(jobs[3].pids[0])
    for job in jobs[2:]:
        job.cancelled.set()
        assert isinstance(job.end(), Cancelled)


def test_stopping_ends_all_at_once_and_who_waits_is_told(tmp_path: Path) -> None:
    one = make()
    job = Following(one, {"deed": "test.sleep", "deaf": True}, folder=tmp_path)
    job.until_ready()
    one.stop()
    assert isinstance(job.end(), Cancelled)
    assert not running(job.pids[0])
    with pytest.raises(Cancelled):
        one.run({"deed": "test.echo"}, folder=tmp_path)


def test_when_the_warm_process_dies_the_job_crashed_and_the_next_one_works(tmp_path: Path) -> None:
    one = make()
    try:
        job = Following(one, {"deed": "test.sleep"}, folder=tmp_path)
        job.until_ready()
        assert one._warm is not None
        os.kill(one._warm._process.pid, signal.SIGKILL)
        failure = job.end()
        assert isinstance(failure, Failure) and failure.code == "crashed" and failure.retryable
        gone = time.monotonic() + 10
        while running(job.pids[0]) and time.monotonic() < gone:
            time.sleep(0.01)
        assert not running(job.pids[0])
        assert one.run({"deed": "test.echo"}, folder=tmp_path)["session"]
    finally:
        one.stop()


def test_the_warm_process_ends_when_idle_and_comes_again(tmp_path: Path) -> None:
    one = make(idle_s=0.2)
    try:
        one.run({"deed": "test.echo"}, folder=tmp_path)
        assert one._warm is not None
        first = one._warm._process
        assert first.wait(20) == 0
        assert one.run({"deed": "test.echo"}, folder=tmp_path)["session"]
    finally:
        one.stop()


def test_nothing_outlives_a_station_that_is_killed(tmp_path: Path) -> None:
    """A process with a nursery and a running job is killed with SIGKILL."""
    script = (
        "import sys, threading; sys.path[:0] = [sys.argv[1], sys.argv[2]]\n"
        "from tests.odst.test_nursery import make\nfrom pathlib import Path\n"
        "def hear(m):\n    print(m['log'][1], flush=True)\n"
        "make().run({'deed': 'test.sleep', 'deaf': True, 'children': True}, folder=Path(sys.argv[3]), on_message=hear)")
    station = subprocess.Popen([sys.executable, "-c", script, str(ROOT), HERE, str(tmp_path)], stdout=subprocess.PIPE,
                               text=True)
    assert station.stdout is not None
    pids = []
    for line in station.stdout:
        if line.startswith("pid "):
            pids.append(int(line[4:]))
        if line == "ready\n":
            break
    assert len(pids) == 3 and all(running(pid) for pid in pids)
    station.kill()
    station.wait(10)
    station.stdout.close()
    until = time.monotonic() + 15
    kept = pids if sys.platform.startswith("linux") else pids[:2]
    while any(running(pid) for pid in kept) and time.monotonic() < until:
        time.sleep(0.02)
    assert not [pid for pid in kept if running(pid)]


# ---- streams -----------------------------------------------------------------------------------------------------


def test_a_stream_says_what_it_is_and_sends_it_all(either: Nursery) -> None:
    with either.open({"deed": "test.stream", "size": 1_000_000}) as stream:
        assert stream.said == {"mime": "audio/mpeg", "size_bytes": 1_000_000, "title": None, "artist": None,
                               "duration_ms": None}
        assert sum(map(len, stream)) == 1_000_000


@pytest.mark.parametrize("mime", ["text/html", "audio/x\r\nSet-Cookie: a=b", "image/svg+xml", 7, None, "audio/"])
def test_a_stream_is_never_called_what_a_browser_would_run(nursery: Nursery, mime: Any) -> None:
    said = {"mime": mime, "title": "a\nb", "duration_ms": 1e300, "size_bytes": "x", "other": 1}
    with nursery.open({"deed": "test.stream", "size": 10, "said": said}) as stream:
        assert stream.said == {"mime": "application/octet-stream", "size_bytes": None, "title": "a b", "artist": None,
                               "duration_ms": 2**53}


def test_a_stream_ends_at_its_limit(nursery: Nursery) -> None:
    with nursery.open({"deed": "test.stream", "size": 10_000_000}, limit_bytes=300_000) as stream:
        assert sum(map(len, stream)) == 300_000


def test_a_stream_that_nobody_listens_to_any_more_leaves_nothing(nursery: Nursery) -> None:
    stream = nursery.open({"deed": "test.stream", "size": 10_000_000})
    pieces = iter(stream)
    next(pieces)
    pid, place = stream._run.child.pid, stream._place      # type: ignore[attr-defined]
    assert running(pid)
    stream.close()
    stream.close()
    assert not running(pid)
    assert not place.exists()


def test_a_stream_whose_child_dies_raises(nursery: Nursery) -> None:
    with pytest.raises(Failure) as caught:
        nursery.open({"deed": "test.die", "signal": "SIGKILL"})
    assert caught.value.code == "crashed"
    with nursery.open({"deed": "test.stream", "size": 100_000, "die": True}) as stream:
        got = 0
        try:
            for part in stream:
                got += len(part)
        except Failure as failure:
            assert failure.code == "crashed"
        assert got == 100_000


# ---- the serving process stays light -----------------------------------------------------------------------------


def test_the_serving_process_loads_nothing_heavy_for_it(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tests.odst.test_nursery import make, settings\n"
        "from odst.providers.youtube import YouTube\nfrom odst.providers.direct import Direct\n"
        "from pathlib import Path\n"
        "one = make(); one.run({'deed': 'test.echo'}, folder=Path(sys.argv[2])); one.stop()\n"
        "YouTube(nursery=one, settings=settings()).understands('https://youtu.be/abc')\n"
        "print(sorted({'yt_dlp', 'av', 'mutagen', 'feedparser'} & {n.split('.')[0] for n in sys.modules}))")
    done = subprocess.run([sys.executable, "-c", script, str(ROOT), str(tmp_path)], capture_output=True, text=True,
                          timeout=60)
    assert done.stdout == "[]\n", done.stderr


def test_many_threads_at_once_each_get_their_own_answer(nursery: Nursery, tmp_path: Path) -> None:
    answers: dict[int, Any] = {}

    def run(n: int) -> None:
        folder = tmp_path / str(n)
        folder.mkdir()
        answers[n] = nursery.run({"deed": "test.echo", "n": n}, folder=folder)["job"]["n"]

    threads = [threading.Thread(target=run, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == {n: n for n in range(24)}


def test_no_descriptor_is_lost(nursery: Nursery, tmp_path: Path) -> None:
    def count() -> int:
        return len(os.listdir("/dev/fd"))

    nursery.run({"deed": "test.echo"}, folder=tmp_path)
    before = count()
    for _ in range(10):
        nursery.run({"deed": "test.echo"}, folder=tmp_path)
        with contextlib.suppress(Failure):
            nursery.run({"deed": "test.raise_"}, folder=tmp_path)
        nursery.open({"deed": "test.stream", "size": 10}).close()
    assert count() == before


def test_a_real_file_is_brought_by_a_fresh_process_too(tmp_path: Path) -> None:
    with MediaServer() as server:
        content = audio()
        server.add("a.mp3", content)
        one = make(fork=False, allowed=[server.allow])
        try:
            said = one.run({"deed": "direct.fetch", "url": server.url("a.mp3")}, folder=tmp_path)
        finally:
            one.stop()
    assert (tmp_path / said["file"]).read_bytes() == content
