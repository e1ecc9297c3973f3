"""One fetch for many listeners, from a real S3 server behind proxies that cut, stall, refuse and lie."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.model.cloud import CloudFailure
from shared.model.errors import Overloaded
from shared.storage import inflow, supply, taps
from tests.storage.places import Places, no_threads_left, noise, read, read_on, until

GET = r"^GET .*/music/"
BIG = noise(3_000_000)
SHA = hashlib.sha256(BIG).hexdigest()


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    with no_threads_left():
        made = Places(tmp_path)
        yield made
        made.close()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Places]:
    with no_threads_left():
        made = Places(tmp_path, ("r2", "b2"))
        yield made
        made.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taps, "SILENCE_S", 0.5)
    monkeypatch.setattr(inflow, "HEDGE_S", 0.3)
    monkeypatch.setattr(inflow, "WAIT_S", 3.0)
    monkeypatch.setattr(supply, "BACKOFF_S", 0.02)


def cached(places: Places, sha256: str = SHA) -> bytes:
    found = until(lambda: places.cache.at(sha256))
    return Path(found.path).read_bytes()


# ---- the ordinary way ---------------------------------------------------------------------------------------------


def test_a_listener_gets_every_byte_and_the_cache_has_them_afterwards(places: Places) -> None:
    file = places.song(BIG)
    assert read(places.open(file)) == BIG
    assert cached(places) == BIG
    assert places.proxy.count(GET) == 1
    assert read(places.open(file)) == BIG        # from the cache
    assert places.proxy.count(GET) == 1


def test_one_fetch_serves_many_listeners(places: Places) -> None:
    file = places.song(BIG)
    places.proxy.fault(GET, bytes_per_s=12_000_000)
    with ThreadPoolExecutor(8) as pool:
        heard = list(pool.map(lambda _: hashlib.sha256(read(places.open(file))).hexdigest(), range(8)))
    assert set(heard) == {SHA}
    assert places.proxy.count(GET) == 1


def test_nothing_is_asked_of_a_provider_before_a_byte_is_wanted(places: Places) -> None:
    file = places.song(BIG)
    reader = places.open(file)
    assert (reader.size_bytes, reader.sha256) == (len(BIG), SHA)
    reader.seek(10)
    reader.close()
    assert places.proxy.count() == 0
    assert places.inflows.states()["inflows"] == 0


def test_a_far_seek_does_not_wait_for_what_lies_before_it(places: Places) -> None:
    file = places.song(BIG)
    places.proxy.fault(GET, bytes_per_s=400_000, times=1)      # the first request would need seven seconds
    first = places.open(file)
    assert read_on(first, 0, 1000) == BIG[:1000]
    assert read(places.open(file), 2_900_000) == BIG[2_900_000:]
    assert first._inflow is not None and first._inflow.have.reach(0) < 2_000_000
    first.close()
    assert places.proxy.count(GET) == 2


def test_a_seek_of_the_only_listener_stops_what_nobody_waits_for(places: Places) -> None:
    file = places.song(BIG)
    places.proxy.fault(GET, bytes_per_s=200_000, times=2)
    reader = places.open(file)
    read_on(reader, 0, 1000)
    read_on(reader, 2_000_000, 1000)
    until(lambda: places.inflows.states()["runners"] == 1)
    reader.close()


def test_a_near_seek_waits_for_the_request_that_is_coming_there(places: Places) -> None:
    file = places.song(BIG)
    places.proxy.fault(GET, bytes_per_s=1_000_000)
    reader = places.open(file)
    read_on(reader, 0, 1000)
    assert read(reader, 200_000, 1000) == BIG[200_000:201_000]
    assert places.proxy.count(GET) == 1


def test_ranges_in_any_order_are_completed_into_one_whole_file(places: Places) -> None:
    file = places.song(BIG)
    reader = places.open(file)
    for at in (2_500_000, 1_000_000, 2_000_000, 0, 2_999_990, 1_500_000):
        assert read_on(reader, at, 5000) == BIG[at:at + 5000]
    reader.close()
    assert cached(places) == BIG


def test_what_is_there_is_told_with_its_descriptor_to_who_sends_it(places: Places) -> None:
    file = places.song(BIG)
    with contextlib.closing(places.open(file)) as reader:
        reader.seek(1_000_000)
        reader.prime()
        assert os.lseek(reader.fileno(), 0, os.SEEK_CUR) == 1_000_000
        descriptor, count = reader.stretch(1_000_000, 100)
        assert os.pread(descriptor, count, 1_000_000) == BIG[1_000_000:1_000_000 + count]


def test_a_paused_listener_holds_nothing_up(places: Places) -> None:
    file = places.song(BIG)
    paused = places.open(file)
    read_on(paused, 0, 1)
    assert cached(places) == BIG
    assert read(paused, 1) == BIG[1:]


def test_who_leaves_early_leaves_a_fetch_that_is_finished_when_little_is_missing(places: Places) -> None:
    file = places.song(BIG)
    assert read(places.open(file), 0, 10) == BIG[:10]
    assert cached(places) == BIG


def test_who_leaves_early_leaves_nothing_running_when_much_is_missing(
        places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflow, "SMALL_REST_BYTES", 0)
    monkeypatch.setattr(inflow, "LINGER_S", 0.1)
    file = places.song(BIG)
    places.proxy.fault(GET, bytes_per_s=300_000)
    read(places.open(file), 0, 10)
    until(lambda: places.inflows.states()["runners"] == 0)
    assert places.cache.at(SHA) is None
    places.proxy.heal()
    again = places.open(file)                       # what came before is still there
    assert read_on(again, 0, 10) == BIG[:10]
    assert read(again) == BIG
    assert places.proxy.of(GET)[1].headers["range"] != "bytes=0-2999999"


def test_what_was_left_half_way_goes_after_a_while_and_gives_its_room(
        places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflow, "SMALL_REST_BYTES", 0)
    monkeypatch.setattr(inflow, "LINGER_S", 0.05)
    monkeypatch.setattr(inflow, "KEPT_S", 0.1)
    file = places.song(BIG)
    places.proxy.fault(GET, bytes_per_s=300_000)
    read(places.open(file), 0, 10)
    until(lambda: places.inflows.states()["inflows"] == 0)
    assert not list((places.base / "cache" / "incoming").iterdir())
    assert places.cache.incoming(SHA, len(BIG)) is not None


def test_sealed_copies_are_opened_on_the_way(tmp_path: Path) -> None:
    places = Places(tmp_path, seal_key=bytes(range(32)))
    try:
        file = places.song(BIG)
        reader = places.open(file)
        assert read_on(reader, 1_234_567, 70_000) == BIG[1_234_567:1_304_567]
        assert read(reader) == BIG
        assert cached(places) == BIG
    finally:
        places.close()


# ---- what goes wrong ----------------------------------------------------------------------------------------------


def test_a_cut_connection_goes_on_at_the_same_byte(places: Places) -> None:
    file = places.song(BIG)
    places.proxy.fault(GET, cut_after=1_000_000, times=1)
    assert read(places.open(file)) == BIG
    first, second = places.proxy.of(GET)
    begin = int(second.headers["range"].removeprefix("bytes=").split("-")[0])
    assert 0 < begin <= first.sent


def test_a_provider_that_stops_in_the_middle_is_replaced_by_another(two: Places, impatient: None) -> None:
    file = two.song(BIG)
    two.proxies["r2"].fault(GET, stall_after=500_000)
    assert read(two.open(file)) == BIG
    begin = int(two.proxies["b2"].of(GET)[0].headers["range"].removeprefix("bytes=").split("-")[0])
    assert 0 < begin <= 500_000


def test_a_provider_that_does_not_answer_gets_a_rival(two: Places, impatient: None) -> None:
    file = two.song(BIG)
    two.proxies["r2"].fault(GET, delay_s=30)
    assert read(two.open(file)) == BIG
    assert two.proxies["b2"].count(GET) == 1


@pytest.mark.parametrize("error", ["AccessDenied", "NoSuchKey", "InvalidAccessKeyId", "PermanentRedirect",
                                   "NoSuchBucket", "SlowDown"])
def test_a_provider_that_refuses_is_replaced_by_another(two: Places, error: str) -> None:
    file = two.song(BIG)
    two.proxies["r2"].fault(GET, error=error)
    assert read(two.open(file)) == BIG


def test_an_expired_address_is_signed_anew(places: Places) -> None:
    file = places.song(BIG)
    places.proxy.fault(GET, error="RequestExpired", times=1)
    assert read(places.open(file)) == BIG
    first, second = places.proxy.of(GET)
    assert first.path != second.path or first.status == 403


def test_a_signed_address_is_used_again_until_shortly_before_it_is_over(places: Places) -> None:
    copy = places.copies.of(places.song(BIG).track_id)[0]
    now = [time.time()]
    made = taps.Taps(providers=places.providers, circuits=places.circuits, url_s=600, clock=lambda: now[0])
    first = made.url(copy)
    now[0] += 500
    assert made.url(copy) is first
    now[0] += 60
    assert made.url(copy) is not first


def test_slow_down_is_obeyed_and_then_it_goes_on(places: Places, impatient: None) -> None:
    file = places.song(BIG)
    places.unplug()
    places.proxy.fault(GET, error="SlowDown", times=2)
    assert read(places.open(file)) == BIG
    assert places.proxy.count(GET) == 3


def test_when_nobody_has_it_the_listener_is_told_and_may_ask_again(
        places: Places, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflow, "FORGIVEN_S", 0.0)
    file = places.song(BIG)
    places.unplug()
    places.proxy.fault(GET, error="AccessDenied")
    reader = places.open(file)
    with pytest.raises(CloudFailure) as refused:
        reader.prime()
    assert refused.value.reason == "forbidden"
    places.proxy.heal()
    reader.prime()
    assert read(reader) == BIG


def test_an_object_that_is_gone_counts_no_more(places: Places) -> None:
    file = places.song(BIG)
    places.unplug()
    places.proxy.fault(GET, error="NoSuchKey")
    with pytest.raises(CloudFailure), contextlib.closing(places.open(file)) as reader:
        reader.prime()
    until(lambda: not places.copies.of(file.track_id))
    assert places.copies.of(file.track_id, broken=True)[0].broken == "gone"


def test_what_was_not_there_once_is_looked_at_again_before_it_counts_no_more(places: Places) -> None:
    file = places.song(BIG)
    places.unplug()
    places.proxy.fault(GET, error="NoSuchKey", times=1)
    with pytest.raises(CloudFailure), contextlib.closing(places.open(file)) as reader:
        reader.prime()
    until(lambda: places.proxy.count(GET) >= 2 and places.proxy.of(GET)[1].done)
    assert places.copies.of(file.track_id)


def test_a_corrupted_object_is_not_kept_and_counts_no_more(places: Places) -> None:
    file = places.song(BIG)
    places.proxy.fault(GET, corrupt_at=2_000_000)
    read(places.open(file))
    until(lambda: not places.copies.of(file.track_id))
    assert places.cache.at(SHA) is None
    assert places.copies.of(file.track_id, broken=True)[0].broken == "corrupted"


def test_bytes_that_were_spoiled_on_the_way_once_do_not_cost_the_copy(places: Places) -> None:
    file = places.song(BIG)
    places.proxy.fault(GET, corrupt_at=2_000_000, times=1)
    read(places.open(file))
    until(lambda: places.proxy.count(GET) >= 2 and places.inflows.states()["inflows"] == 0)
    until(lambda: not places.inflows._proving)
    assert places.cache.at(SHA) is None
    assert places.copies.of(file.track_id)
    assert read(places.open(file)) == BIG
    assert cached(places) == BIG


def test_a_shortened_object_is_noticed_before_a_byte_is_sent(two: Places) -> None:
    file = two.song(BIG)
    two.proxies["r2"].fault(GET, truncate=2_000_000)
    assert read(two.open(file)) == BIG
    assert cached(two) == BIG


def test_a_folder_that_is_back_helps_when_no_provider_does(places: Places, impatient: None) -> None:
    file = places.song(BIG)
    places.unplug()
    places.proxy.fault(GET, cut_after=1_000_000, bytes_per_s=2_000_000, times=1)
    places.proxy.fault(GET, error="AccessDenied")
    reader = places.open(file)
    read_on(reader, 0, 10)
    places.plug_in()
    assert read(reader) == BIG


# ---- bounds -------------------------------------------------------------------------------------------------------


def test_without_room_in_the_cache_a_listener_reads_alone(tmp_path: Path) -> None:
    places = Places(tmp_path, limit_bytes=1_000_000)
    try:
        file = places.song(BIG)
        reader = places.open(file)
        assert read_on(reader, 2_000_000, 100_000) == BIG[2_000_000:2_100_000]
        assert reader.stretch(0, 10) is None
        assert places.inflows.states()["alone"] == 1
        places.proxy.fault(GET, cut_after=700_000, times=1)
        assert read(reader) == BIG
        assert places.inflows.states() == {"inflows": 0, "runners": 0, "alone": 0, "readers": 0, "waiting": 0}
    finally:
        places.close()


def test_only_so_many_read_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflow, "ALONE", 1)
    places = Places(tmp_path, limit_bytes=1)
    try:
        file = places.song(BIG)
        with contextlib.closing(places.open(file)) as first, contextlib.closing(places.open(file)) as second:
            first.prime()
            with pytest.raises(Overloaded):
                second.prime()
        assert read(places.open(file), 0, 10) == BIG[:10]
    finally:
        places.close()


def test_runners_are_bounded_and_who_listens_comes_before_who_does_not(
        places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflow, "RUNNERS", 2)
    songs = [noise(1_000_000, seed) for seed in range(4)]
    files = [places.song(content, name=f"s{number}") for number, content in enumerate(songs)]
    places.proxy.fault(GET, bytes_per_s=100_000, times=2)
    for file in files[:2]:
        read(places.open(file), 0, 10)              # two that nobody listens to any more, slowly
    most = []
    for file, content in zip(files[2:], songs[2:], strict=True):
        reader = places.open(file)
        assert read(reader) == content
        most.append(places.inflows.states()["runners"])
    assert max(most) <= 2


def test_a_full_disk_is_no_listeners_trouble(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def write_at(fd: int, data: bytes, at: int) -> None:
        if sum(written) > 1_000_000:
            raise OSError(28, "No space left on device")
        written.append(len(data))
        os.pwrite(fd, data, at)

    monkeypatch.setattr(inflow, "_write_at", write_at)
    file = places.song(BIG)
    assert read(places.open(file)) == BIG
    assert places.cache.at(SHA) is None


def test_what_plays_is_not_evicted(tmp_path: Path) -> None:
    places = Places(tmp_path, limit_bytes=4_000_000, hold_after_s=0)
    try:
        file = places.song(BIG)
        other = places.song(noise(2_000_000, 7), name="other")
        reader = places.open(file)
        read_on(reader, 0)
        cached(places)
        assert len(read(places.open(other))) == 2_000_000      # there is no room for it while the first one plays
        assert places.cache.at(SHA) is not None
        reader.close()
        assert len(read(places.open(other))) == 2_000_000
        until(lambda: places.cache.at(hashlib.sha256(noise(2_000_000, 7)).hexdigest()))
        assert places.cache.at(SHA) is None
    finally:
        places.close()


def test_at_the_stop_everybody_is_told_and_no_thread_stays(tmp_path: Path) -> None:
    places = Places(tmp_path)
    file = places.song(BIG)
    places.proxy.fault(GET, stall_after=100_000)
    reader = places.open(file)
    read_on(reader, 0, 1000)
    heard: list[BaseException] = []

    def listen() -> None:
        try:
            read_on(reader, 2_000_000)
        except CloudFailure as failure:
            heard.append(failure)

    listener = threading.Thread(target=listen)
    listener.start()
    until(lambda: places.inflows.states()["waiting"] == 1)
    places.close()
    listener.join(5)
    assert len(heard) == 1
    reader.close()
    until(lambda: places.inflows.states()["runners"] == 0)
    until(lambda: not [one for one in threading.enumerate() if one.name.startswith("inflow")])
    assert not list((places.base / "cache" / "incoming").iterdir())
