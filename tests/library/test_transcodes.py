"""Transcodes are followed while they are made, shared, bounded, and kept."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

import av
import pytest

from shared.audio.pool import WorkerPool
from shared.library import transcodes
from shared.library.transcodes import Transcodes, convert_while_wanted
from shared.model.errors import BadInput, Overloaded, UnreadableFile
from shared.model.source import LocalFile, TrackFile
from tests.builders import make_audio, make_bad


class Bench:
    """Workers whose one deed writes what the test says, when it says so."""

    def __init__(self):
        self.jobs = []
        self.started = threading.Semaphore(0)

    def run(self, deed, path, part, /, *, timeout_s, format, bitrate_kbps, start_ms):
        assert deed == "shared.library.transcodes:convert_while_wanted"
        job = Job(path, part, timeout_s, format, bitrate_kbps, start_ms)
        self.jobs.append(job)
        self.started.release()
        while not job.over.wait(0.005):
            if not os.path.exists(part):
                return None
        if job.trouble:
            raise job.trouble
        return {}

    def job(self, number=-1):
        self.started.acquire(timeout=10)
        return self.jobs[number]


class Job:
    def __init__(self, path, part, *wish):
        self.path, self.part, self.wish = path, part, wish
        self.over = threading.Event()
        self.trouble = None

    def write(self, data):
        with open(self.part, "r+b") as file:
            file.seek(0, os.SEEK_END)
            file.write(data)

    def finish(self, trouble=None):
        self.trouble = trouble
        self.over.set()


@pytest.fixture
def bench():
    one = Bench()
    yield one
    for job in one.jobs:
        job.finish()


@pytest.fixture
def made(tmp_path, bench):
    one = Transcodes(workers=bench, folder=tmp_path / "transcodes", at_once=2, limit_bytes=10**9)
    yield one
    one.stop()


def track(number=1, **facts):
    told = {"size_bytes": 100, "mtime_ns": 5, "duration_ms": 8000, **facts}
    return TrackFile(track_id=f"t{number}", root="/m", path="1.flac", mime_type="audio/flac", format="flac", **told)


def begin(made, bench, *wish, number=1, first=b"first", **facts):
    """A transcode whose first bytes are there: (Transcode, Job)."""
    answer = []
    wish = wish or ("opus", 128, 0)
    caller = threading.Thread(target=lambda: answer.append(made.open(track(number, **facts), "/m/1.flac", *wish)))
    caller.start()
    job = bench.job()
    job.write(first)
    caller.join(20)
    return answer[0], job


def until(condition):
    for _ in range(1500):
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_a_listener_gets_each_piece_as_it_is_written_and_the_end_when_it_ends(made, bench):
    transcode, job = begin(made, bench)
    assert transcode.finished is None and transcode.mime_type == "audio/ogg"
    chunks = transcode.chunks()
    assert next(chunks) == b"first"
    job.write(b"second")
    assert next(chunks) == b"second"
    job.write(b"last")
    job.finish()
    assert b"".join(chunks) == b"last"


def test_all_who_ask_for_the_same_share_one_worker(made, bench):
    one, job = begin(made, bench)
    others = [made.open(track(), "/m/1.flac", "opus", 128, 0) for _ in range(20)]
    heard = [[] for _ in range(21)]
    threads = [threading.Thread(target=lambda told=told, it=it: told.extend(it.chunks()))
               for told, it in zip(heard, [one, *others], strict=True)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        job.write(b"x" * 10_000)
    job.finish()
    for thread in threads:
        thread.join(20)
    assert {b"".join(told) for told in heard} == {b"first" + b"x" * 500_000}
    assert len(bench.jobs) == 1


def test_a_finished_one_is_a_file_from_then_on_also_after_a_restart(made, bench, tmp_path):
    transcode, job = begin(made, bench)
    job.finish()
    assert b"".join(transcode.chunks()) == b"first"
    assert until(lambda: not made._jobs)
    again = made.open(track(), "/m/1.flac", "opus", 128, 0)
    assert again.finished is not None and again.finished.read_bytes() == b"first"
    other = Transcodes(workers=bench, folder=tmp_path / "transcodes", at_once=1, limit_bytes=10**9)
    assert other.open(track(), "/m/1.flac", "opus", 128, 0).finished == again.finished
    assert len(bench.jobs) == 1
    with pytest.raises(ValueError):
        again.chunks()


def test_another_wish_or_another_content_is_another_transcode(made, bench):
    seen = []
    for wish, facts in ((("opus", 128, 0), {}), (("mp3", 128, 0), {}), (("opus", 64, 0), {}), (("opus", 128, 9), {}),
                        (("opus", 128, 0), {"mtime_ns": 6}), (("opus", 128, 0), {"size_bytes": 101})):
        transcode, job = begin(made, bench, *wish, **facts)
        job.finish()
        list(transcode.chunks())
        assert until(lambda: not made._jobs)
        seen.append(made.open(track(**facts), "/m/1.flac", *wish).finished)
    assert len(set(seen)) == 6
    assert {path.suffix for path in seen} == {".opus", ".mp3"}
    now = LocalFile("/m/1.flac", 101, 5, "audio/flac")     # as the resolver sees it now, not as the scan did
    assert made.open(track(), now, "opus", 128, 0).finished == seen[5]


def test_beyond_the_bound_a_listener_is_told_to_come_again(made, bench):
    heard = [begin(made, bench, number=number)[0] for number in (1, 2)]
    with pytest.raises(Overloaded) as full:
        made.open(track(3), "/m/1.flac", "opus", 128, 0)
    assert full.value.retry_after_s == 5
    joined = made.open(track(1), "/m/1.flac", "opus", 128, 0)     # one that is running costs nothing
    joined.chunks().close()
    for transcode in heard:
        transcode.chunks().close()


def test_one_that_nobody_hears_makes_room_for_the_next(made, bench):
    first, left_job = begin(made, bench, number=1)
    second, heard_job = begin(made, bench, number=2)
    first.chunks().close()
    third, _ = begin(made, bench, number=3)
    assert until(lambda: not os.path.exists(left_job.part)) and os.path.exists(heard_job.part)
    assert next(third.chunks()) == b"first"
    second.chunks().close()
    third.chunks().close()


def test_a_transcode_left_by_all_is_ended_unless_more_than_half_is_done(made, bench, monkeypatch):
    monkeypatch.setattr(transcodes, "ABANDONED_AFTER_S", 0.05)
    little, small = begin(made, bench, number=1)                            # 5 of 128,000 bytes
    much, large = begin(made, bench, number=2, first=b"x" * 70_000)
    little.chunks().close()
    much.chunks().close()
    assert until(lambda: not os.path.exists(small.part))
    assert os.path.exists(large.part)
    large.finish()
    assert until(lambda: not made._jobs)
    assert made.open(track(2), "/m/1.flac", "opus", 128, 0).finished is not None


def test_a_failure_before_the_first_byte_is_an_error_and_one_on_the_way_breaks_the_stream(made, bench):
    caught = []

    def ask():
        try:
            made.open(track(), "/m/1.flac", "opus", 128, 0)
        except UnreadableFile as error:
            caught.append(error)

    caller = threading.Thread(target=ask)
    caller.start()
    bench.job().finish(UnreadableFile("It is no audio.", reason="not_audio"))
    caller.join(20)
    assert caught[0].details["reason"] == "not_audio"

    transcode, job = begin(made, bench)
    chunks = transcode.chunks()
    assert next(chunks) == b"first"
    job.finish(UnreadableFile("The reader died.", reason="reader_crashed"))
    with pytest.raises(UnreadableFile):
        next(chunks)
    assert until(lambda: not made._jobs)
    assert not [one for one in Path(made._folder).rglob("*") if one.is_file()]


def test_nothing_written_is_no_transcode(made, bench):
    caught = []

    def ask():
        with contextlib.suppress(UnreadableFile):
            made.open(track(), "/m/1.flac", "opus", 128, 0)
            return
        caught.append(True)

    caller = threading.Thread(target=ask)
    caller.start()
    bench.job().finish()
    caller.join(20)
    assert caught == [True]


def test_one_that_is_over_before_anybody_looked_is_served_as_a_file(made, bench):
    answer = []
    caller = threading.Thread(target=lambda: answer.append(made.open(track(), "/m/1.flac", "mp3", 128, 0)))
    caller.start()
    job = bench.job()
    job.write(b"all of it")
    job.finish()
    caller.join(20)
    (transcode,) = answer
    data = transcode.finished.read_bytes() if transcode.finished else b"".join(transcode.chunks())
    assert data == b"all of it"


def test_what_a_killed_station_left_half_done_is_removed(tmp_path, bench):
    folder = tmp_path / "transcodes"
    (folder / "ab").mkdir(parents=True)
    (folder / "ab" / "abc.opus.7-7.part").write_bytes(b"half")
    made = Transcodes(workers=bench, folder=folder, at_once=1, limit_bytes=10**9)
    transcode, job = begin(made, bench)
    assert [one.name for one in folder.rglob("*.part")] == [Path(job.part).name]
    transcode.chunks().close()
    made.stop()


def test_finished_ones_leave_when_there_are_too_many_bytes(tmp_path, bench):
    made = Transcodes(workers=bench, folder=tmp_path / "t", at_once=1, limit_bytes=25_000)
    for number in range(4):
        transcode, job = begin(made, bench, number=number, first=b"x" * 10_000)
        job.finish()
        list(transcode.chunks())
        assert until(lambda: not made._jobs)
        made._lru.wait()
    assert sum(one.stat().st_size for one in (tmp_path / "t").rglob("*.opus")) <= 25_000
    assert made.open(track(3), "/m/1.flac", "opus", 128, 0).finished is not None
    made.stop()


def test_stopping_ends_listeners_and_refuses_new_ones(made, bench):
    transcode, job = begin(made, bench)
    chunks = transcode.chunks()
    next(chunks)
    made.stop()
    with pytest.raises(Overloaded):
        list(chunks)
    with pytest.raises(Overloaded):
        made.open(track(9), "/m/1.flac", "opus", 128, 0)
    assert not os.path.exists(job.part)


def test_a_format_nobody_knows_is_refused(made):
    with pytest.raises(BadInput):
        made.open(track(), "/m/1.flac", "exe", 128, 0)


def test_listeners_that_are_never_read_or_forgotten_do_not_count(made, bench):
    transcode, _ = begin(made, bench)
    job = next(iter(made._jobs.values()))
    assert job.listeners == 1
    del transcode
    assert until(lambda: job.listeners == 0)


def test_a_worker_notices_that_nobody_wants_its_file_any_more(tmp_path, monkeypatch):
    part = tmp_path / "x.part"
    part.touch()
    rounds = []

    def endless(path, target, **wish):
        for number in range(100_000):
            rounds.append(number)
            if number == 2:
                os.unlink(target)
            time.sleep(0.01)
        return {}

    monkeypatch.setattr("shared.audio.convert.transcode", endless)
    assert convert_while_wanted("/m/1.flac", str(part), format="opus", bitrate_kbps=64, start_ms=0) is None
    assert 3 <= len(rounds) < 100_000


# ---- real workers, real audio -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pool():
    one = WorkerPool(size=2, name="test")
    yield one
    one.stop()


@pytest.fixture
def real(pool, tmp_path):
    one = Transcodes(workers=pool, folder=tmp_path / "real", at_once=2, limit_bytes=10**9)
    yield one
    one.stop()


def duration_s(path):
    with av.open(str(path)) as sound:
        return sum(frame.samples for frame in sound.decode(audio=0)) / sound.streams.audio[0].rate


@pytest.mark.parametrize("format", ["opus", "mp3", "aac"])
def test_real_music_is_heard_while_it_is_made_and_kept_byte_for_byte(real, tmp_path, format):
    path = make_audio(tmp_path, "long.flac", seconds=20)
    file = track(duration_ms=20_000)
    first = real.open(file, str(path), format, 96, 5_000)
    heard = first.finished.read_bytes() if first.finished else b"".join(first.chunks())
    assert until(lambda: not real._jobs)
    kept = real.open(file, str(path), format, 96, 5_000).finished
    assert kept.read_bytes() == heard
    assert 14.8 < duration_s(kept) < 15.3


def test_a_real_worker_stops_when_nobody_listens_and_works_on(real, tmp_path):
    path = make_audio(tmp_path, "minute.flac", seconds=60)
    transcode = real.open(track(duration_ms=60_000), str(path), "mp3", 320, 0)
    for job in list(real._jobs.values()):   # none when the machine is quicker than we
        job.end()
        with contextlib.suppress(Overloaded):
            list(transcode.chunks())
        assert until(lambda: not real._jobs)
        assert not list((tmp_path / "real").rglob("*.mp3"))
    short = make_audio(tmp_path, "short.flac", seconds=1)
    again = real.open(track(5, duration_ms=1000), str(short), "mp3", 128, 0)
    assert again.finished or b"".join(again.chunks())


@pytest.mark.parametrize("kind", ["text", "truncated", "empty"])
def test_real_damage_is_told_or_skipped_but_never_a_hang(real, tmp_path, kind):
    path = make_bad(tmp_path, kind)
    try:
        made = real.open(track(), str(path), "opus", 96, 0)
        data = made.finished.read_bytes() if made.finished else b"".join(made.chunks())
        assert kind == "truncated" and data
    except UnreadableFile as error:
        assert error.message
