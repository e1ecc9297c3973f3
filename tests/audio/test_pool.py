"""Worker processes: limited, replaced when they die, gone with their parent, never able to hurt it."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.audio import wire
from shared.audio.pool import WorkerPool
from shared.model.errors import NotFound, Overloaded, StartFailed, UnreadableFile
from shared.model.track import Reading
from tests.builders import make_album, make_bad

ROOT = Path(__file__).resolve().parents[2]
MEMORY = 1 << 30


def deed(name: str) -> str:
    return f"tests.audio.deeds:{name}"


def new_pool(**options: Any) -> WorkerPool:
    wish = {"size": 2, "memory_bytes": MEMORY, "nice": 3, "name": "test", "folders": [str(ROOT)],
            "packages": ("shared.audio", "shared.library", "tests.audio")}
    return WorkerPool(**(wish | options))


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    one = new_pool()
    yield one
    one.stop()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def gone_within(pid: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while alive(pid):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


# ---- run


def test_a_deed_is_done_elsewhere_and_its_answer_comes_back(pool: WorkerPool) -> None:
    assert pool.run(deed("echo"), 1, "zwei", key=[3.0, None]) == ((1, "zwei"), {"key": [3.0, None]})
    assert pool.run(deed("pid")) != os.getpid()
    assert pool.run(deed("facts")).duration_ms == 7


def test_what_a_deed_raises_is_raised_with_all_it_says(pool: WorkerPool) -> None:
    with pytest.raises(UnreadableFile) as caught:
        pool.run(deed("refuse"), "it is broken")
    assert (caught.value.message, caught.value.reason, caught.value.details["line"]) == ("it is broken", "damaged", 7)
    with pytest.raises(OSError, match="No space left") as full:
        pool.run(deed("stumble"))
    assert full.value.errno == 28


@pytest.mark.parametrize("name", ["os:system", "shared.audio.tags:_edit", "shared.records.people:People", "nonsense",
                                  "shared.audio.tags:os", "shared.library.nothing:here"])
def test_nothing_but_deeds_of_the_crafts_can_be_asked_for(pool: WorkerPool, name: str) -> None:
    with pytest.raises((ValueError, ModuleNotFoundError)):
        pool.run(name, "true")


def test_a_deed_that_takes_too_long_is_ended_and_the_next_one_is_done(pool: WorkerPool) -> None:
    for name, args in (("nap", (60,)), ("spin", ())):
        with pytest.raises(UnreadableFile) as caught:
            pool.run(deed(name), *args, timeout_s=0.3)
        assert caught.value.reason == "timed_out"
    assert pool.run(deed("nap"), 0) == 0


@pytest.mark.parametrize(("name", "argument"), [("crash", signal.SIGSEGV), ("crash", signal.SIGKILL), ("leave", 3)])
def test_a_worker_that_dies_is_named_and_replaced(pool: WorkerPool, name: str, argument: int) -> None:
    with pytest.raises(UnreadableFile) as caught:
        pool.run(deed(name), int(argument))
    assert caught.value.reason == "reader_crashed"
    assert pool.run(deed("nap"), 0) == 0


def test_memory_is_limited(pool: WorkerPool) -> None:
    assert pool.run(deed("eat"), 50 << 20) == 50 << 20
    with pytest.raises(MemoryError):
        pool.run(deed("eat"), 3 << 30)


def test_a_worker_has_hardly_any_surroundings(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDSIBLE_OWNER", "name:secret")
    one = new_pool(size=1)
    try:
        with open(os.devnull) as kept, open(os.devnull) as inherited:
            os.set_inheritable(inherited.fileno(), True)
            around = one.run(deed("surroundings"))
            assert kept.fileno() != inherited.fileno()
    finally:
        one.stop()
    assert not [name for name in around["environment"] if "SOUNDSIBLE" in name or "HOME" in name]
    assert around["group"] == around["pid"]
    assert around["nice"] >= 3
    assert (around["core"], around["memory"]) == (0, MEMORY)
    assert around["files"] <= 256
    assert len(around["open"]) <= 6     # three, the pipe's two ends, and the listing itself
    assert not {"mutagen", "av", "numpy", "PIL", "flask", "sqlalchemy"} & set(around["modules"])


def test_what_a_deed_prints_does_not_disturb_the_answers(pool: WorkerPool) -> None:
    assert [pool.run(deed("chatter")) for _ in range(3)] == ["done"] * 3


def test_many_threads_share_the_workers(pool: WorkerPool) -> None:
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(pool.run(deed("echo"), n)[0][0])) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == list(range(24))


def test_a_long_question_and_a_long_answer_pass_each_other(pool: WorkerPool) -> None:
    (back,), _ = pool.run(deed("echo"), "x" * 3_000_000)
    assert len(back) == 3_000_000


def test_idle_workers_end(pool: WorkerPool) -> None:
    one = new_pool(size=1, idle_s=0.2)
    try:
        pid = one.run(deed("pid"))
        assert gone_within(pid, 10)
        assert one.run(deed("pid")) != pid
    finally:
        one.stop()


def test_stopping_ends_the_workers_and_tells_who_waits() -> None:
    one = new_pool(size=1)
    pid = one.run(deed("pid"))
    told: list[BaseException] = []

    def wait() -> None:
        try:
            one.run(deed("nap"), 60, timeout_s=60)
        except Overloaded as error:
            told.append(error)

    waiting = [threading.Thread(target=wait) for _ in range(3)]
    for thread in waiting:
        thread.start()
    time.sleep(0.3)
    one.stop()
    for thread in waiting:
        thread.join(10)
    assert len(told) == 3
    assert gone_within(pid, 5)
    with pytest.raises(Overloaded):
        one.run(deed("pid"))


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = ("import sys, threading; sys.path.insert(0, sys.argv[1])\n"
              "from shared.audio.pool import WorkerPool\n"
              "pool = WorkerPool(size=2, packages=('tests.audio',), folders=[sys.argv[1]])\n"
              "print(pool.run('tests.audio.deeds:pid'), flush=True)\n"
              "threading.Thread(target=lambda: pool.run('tests.audio.deeds:nap', 60, timeout_s=60)).start()\n"
              "print(pool.run('tests.audio.deeds:pid'), flush=True)\n"
              "pool.run('tests.audio.deeds:spin', timeout_s=60)\n")
    parent = subprocess.Popen([sys.executable, "-c", script, str(ROOT)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = {int(parent.stdout.readline()), int(parent.stdout.readline())}
    time.sleep(0.3)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert all(gone_within(pid, 10) for pid in pids)


def test_eventlet_s_green_threads_go_on_while_one_waits() -> None:
    script = ("import warnings; warnings.simplefilter('ignore')\n"
              "import eventlet; eventlet.monkey_patch()\n"
              "import sys; sys.path.insert(0, sys.argv[1])\n"
              "from shared.audio.pool import WorkerPool\n"
              "from shared.model.errors import UnreadableFile\n"
              "pool = WorkerPool(size=2, packages=('tests.audio',), folders=[sys.argv[1]])\n"
              "ticks = []\n"
              "def tick():\n"
              "    while True:\n"
              "        ticks.append(1)\n"
              "        eventlet.sleep(0.01)\n"
              "pool.run('tests.audio.deeds:nap', 0)\n"
              "eventlet.spawn(tick)\n"
              "naps = [eventlet.spawn(pool.run, 'tests.audio.deeds:nap', 0.3) for _ in range(3)]\n"
              "assert [nap.wait() for nap in naps] == [0.3] * 3\n"
              "assert len(ticks) > 10, len(ticks)\n"
              "try:\n"
              "    pool.run('tests.audio.deeds:spin', timeout_s=0.3)\n"
              "except UnreadableFile as error:\n"
              "    assert error.reason == 'timed_out', error.reason\n"
              "assert dict(pool.map_batches('tests.audio.deeds:doubled', [[1, 2], [3]])) == {0: [2, 4], 1: [6]}\n"
              "pool.stop()\n")
    done = subprocess.run([sys.executable, "-c", script, str(ROOT)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_workers_that_cannot_start_say_so() -> None:
    one = new_pool(memory_bytes=1 << 20)
    with pytest.raises(StartFailed):
        one.run(deed("pid"))
    one.stop()


def test_a_worker_that_was_taken_over_cannot_run_code_here(pool: WorkerPool, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile) as caught:
        pool.run(deed("evil"), str(tmp_path / "owned"))
    assert caught.value.reason == "reader_crashed"
    assert not (tmp_path / "owned").exists()


def test_warmed_workers_have_done_their_first_deed_before_they_are_asked(tmp_path: Path) -> None:
    pool = new_pool()
    try:
        pool.warm(deed("pid"))
        until = time.monotonic() + 20
        while len(pool._idle) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        started = {worker._process.pid for worker in pool._idle}
        assert len(started) == 2
        assert sorted(pool.map_batches(deed("doubled"), [[1], [2], [3]])) == [(0, [2]), (1, [4]), (2, [6])]
        assert {worker._process.pid for worker in pool._idle} == started
        pool.warm("nonsense")       # is told to nobody, and takes no worker away
        assert pool.run(deed("pid")) in started
    finally:
        pool.stop()


# ---- map_batches


def mapped(pool: WorkerPool, name: str, batches: list[list[Any]], **options: Any) -> dict[int, list[Any]]:
    return dict(pool.map_batches(deed(name), batches, **options))


def test_every_batch_is_answered_under_its_number(pool: WorkerPool) -> None:
    batches = [[n, n + 1, n + 2] for n in range(100, 400, 3)]
    assert mapped(pool, "doubled", batches) == {i: [2 * n for n in batch] for i, batch in enumerate(batches)}
    assert mapped(pool, "doubled", []) == {}
    assert mapped(pool, "doubled", [[], [1]]) == {1: [2]}


def test_only_the_guilty_one_of_a_batch_is_bad(pool: WorkerPool) -> None:
    found = mapped(pool, "doubled", [[1, 2], [3, 13, 4], [5, 6], [7]] * 3)
    for number, answers in found.items():
        if number % 4 == 1:
            assert (answers[0], answers[2]) == (6, 8)
            assert isinstance(answers[1], UnreadableFile)
            assert answers[1].reason == "reader_crashed"
        else:
            assert all(isinstance(answer, int) for answer in answers)
    assert len(found) == 12


def test_one_that_hangs_is_found_without_waiting_for_it_in_each_half(pool: WorkerPool) -> None:
    found = mapped(pool, "doubled", [[20 + n for n in range(30)], [1, 14, 2]], timeout_s=0.4)
    assert found[0] == [40 + 2 * n for n in range(30)]
    assert (found[1][0], found[1][2]) == (2, 4)
    assert found[1][1].reason == "timed_out"


def test_an_innocent_file_gets_a_second_chance(pool: WorkerPool, tmp_path: Path) -> None:
    alone, among = str(tmp_path / "a"), str(tmp_path / "b")
    assert mapped(pool, "once", [[alone], [among, among]]) == {0: [alone], 1: [among, among]}


def test_a_worker_that_ends_of_its_own_will_is_nobody_s_fault(pool: WorkerPool) -> None:
    found = mapped(pool, "doubled", [[1], [16], [2]])
    assert (found[0], found[2]) == ([2], [4])
    assert found[1][0].reason == "reader_crashed"       # unless it does so again and again


def test_an_error_of_the_deed_itself_is_raised(pool: WorkerPool) -> None:
    with pytest.raises(ValueError, match="fifteen"):
        mapped(pool, "doubled", [[1], [15]])
    assert pool.run(deed("nap"), 0) == 0


def test_batches_are_asked_for_only_as_workers_become_free(pool: WorkerPool) -> None:
    asked = 0

    def batches() -> Iterator[list[int]]:
        nonlocal asked
        for n in range(20, 1020):
            asked += 1
            yield [n]

    results = pool.map_batches(deed("doubled"), batches())
    next(results)
    assert asked < 50
    results.close()
    assert pool.run(deed("nap"), 0) == 0


def test_answers_larger_than_a_pipe_do_not_stop_the_flow(pool: WorkerPool) -> None:
    found = mapped(pool, "big", [[300_000] * 4 for _ in range(12)])
    assert all(len(answer) == 300_000 for answers in found.values() for answer in answers)


def test_a_folder_is_read_by_workers(pool: WorkerPool, tmp_path: Path) -> None:
    paths = [str(path) for path in make_album(tmp_path, count=9)] + [str(make_bad(tmp_path, "text"))]
    found = dict(pool.map_batches("shared.audio.tags:read_many", [paths[:5], paths[5:]]))
    readings = [*found[0], *found[1]]
    assert [one.metadata.track_number for one in readings[:9] if isinstance(one, Reading)] == list(range(1, 10))
    assert isinstance(readings[9], UnreadableFile)
    assert readings[9].reason == "not_audio"


# ---- the wire


def test_readings_and_errors_travel_unchanged(tmp_path: Path) -> None:
    from shared.audio import tags

    path, = make_album(tmp_path, count=1)
    reading = tags.read(str(path))
    sent = wire.unpack(memoryview(wire.pack([reading, NotFound("no", id=7), {"a": (1, b"x")}]))[wire.HEADER:])
    assert sent[0] == reading
    assert (type(sent[1]), sent[1].message, sent[1].details) == (NotFound, "no", {"id": 7})
    assert sent[2] == {"a": (1, b"x")}


@pytest.mark.parametrize("bad", [os.system, subprocess.Popen, eval, getattr, wire.pack, Path.unlink, type])
def test_no_function_comes_through_the_wire(bad: Any) -> None:
    with pytest.raises((pickle.UnpicklingError, AttributeError)):
        wire.unpack(pickle.dumps(bad))
