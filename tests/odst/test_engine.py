"""What drives downloads: the whole way, failing and trying again, services that are down, full disks, restarts."""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from odst.breaker import OPEN_S
from shared.events import Notice
from shared.model.download import Failure, Request, Status, Wanted
from shared.model.errors import StorageOffline, UnreadableFile
from tests.odst.standins import SONG, House, Shop, held, until

WAY = ["waiting", "pending", "queued", "downloading", "processing", "completed"]
AGAIN = ["failed", "waiting", "pending", "queued", "downloading"]
DOWN = Failure("timed_out", "The shop does not answer.")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "home")


def hurry(house: House) -> None:
    """No second is waited for between tries: time is set forward as soon as something waits for it."""
    house.clock.ahead += 5.0


def test_a_link_passes_through_every_status_and_comes_to_the_shelf(house: House) -> None:
    with house.running():
        uid = house.ask(house.shop.has("http://shop/One"))
        done = house.until(uid)
    assert house.path_of(uid) == WAY
    assert done.track_id == "track-One" and done.error is None and done.attempt == 1
    assert done.quality_got == "flac 44.1 kHz 16 bit"
    assert done.progress.bytes == done.progress.total_bytes == len(SONG)
    assert set(done.stage_ms) == {"understand", "find", "fetch", "inspect", "identify", "process", "dress", "admit"}
    assert house.shelf.tracks == {"One": SONG}
    assert list((house.folder / "music" / "staging").iterdir()) == []
    assert house.records.job(uid).parcel is None


def test_every_status_is_told_in_order_to_whoever_asked(house: House) -> None:
    with house.running():
        house.until(house.ask(house.shop.has("http://shop/One")))
    told = [download.status for _, download in house.moved]
    assert [one for at, one in enumerate(told) if at == 0 or told[at - 1] != one] == WAY
    assert {user_id for user_id, _ in house.moved} == {house.ann.user_id}


def test_priority_goes_before_age(house: House) -> None:
    house = House(house.folder / "small", download_workers=1)
    uids = [house.ask(house.shop.has(f"http://shop/{name}"), priority=priority)
            for name, priority in (("First", 50), ("Second", 50), ("Urgent", 90))]
    with house.running():
        for uid in uids:
            house.until(uid)
    assert house.shelf.admitted == ["Urgent", "First", "Second"]


# ---- failing ------------------------------------------------------------------------------------------------------


def test_a_passing_failure_is_tried_again_three_times_and_then_it_is_over(house: House) -> None:
    link = house.shop.has("http://shop/One", Failure("connection_lost", "It broke off."))
    with house.running():
        uid = house.ask(link)
        for tries in (2, 3, 4):
            until(lambda: house.records.job(uid).not_before is not None)
            waiting = house.whole(uid)
            assert waiting.status == "waiting" and waiting.error is not None and waiting.not_before is not None
            assert waiting.note is not None
            hurry(house)
            house.dispatcher.offer("nobody", priority=0, created_at=0)      # the queue looks at the clock
            until(lambda tries=tries: len(house.shop.fetched) >= tries)
        done = house.until(uid)
    assert len(house.shop.fetched) == 4
    assert house.path_of(uid) == [*WAY[:4], *AGAIN * 3, "failed"]
    assert done.error is not None and done.error.code == "connection_lost" and done.attempt == 4
    assert list((house.folder / "music" / "staging").iterdir()) == []


def test_it_comes_in_the_second_try_and_nothing_of_the_failure_stays(house: House) -> None:
    link = house.shop.has("http://shop/One", Failure("connection_lost", "It broke off."), SONG)
    with house.running():
        uid = house.ask(link)
        until(lambda: house.records.job(uid).not_before is not None)
        hurry(house)
        house.dispatcher.offer("nobody", priority=0, created_at=0)
        done = house.until(uid)
    assert house.path_of(uid) == [*WAY[:4], *AGAIN, "processing", "completed"]
    assert done.error is None and done.attempt == 2


@pytest.mark.parametrize("code", ["private", "removed", "region", "age", "needs_login", "not_audio", "drm"])
def test_what_cannot_be_helped_fails_at_once_with_its_reason(house: House, code: str) -> None:
    with house.running():
        uid = house.ask(house.shop.has("http://shop/One", Failure(code, "No.")))
        done = house.until(uid)
    assert done.status == "failed" and done.error is not None and done.error.code == code
    assert not done.error.retryable and len(house.shop.fetched) == 1
    assert done.candidates[0].rejected == "No."


def test_a_retry_after_is_honoured(house: House) -> None:
    link = house.shop.has("http://shop/One", Failure("rate_limited", "Slower, please.", retry_after_s=600))
    with house.running():
        uid = house.ask(link)
        until(lambda: house.records.job(uid).not_before is not None)
        not_before = house.records.job(uid).not_before
    assert not_before is not None and not_before >= time.time() + 590


@pytest.mark.parametrize(("problem", "code"), [
    (UnreadableFile("It is a page.", reason="not_audio"), "not_audio"),
    (UnreadableFile("It ends early.", reason="truncated"), "damaged"),
    (UnreadableFile("It is empty.", reason="empty"), "empty"),
    (UnreadableFile("1:00, and should be 3:00.", reason="wrong_length"), "wrong_length"),
    (UnreadableFile("The reader died.", reason="reader_crashed"), "damaged"),
])
def test_what_is_no_whole_music_never_comes_to_the_shelf(house: House, problem: Exception, code: str) -> None:
    house.crafts.bad[b"bad"] = problem
    with house.running():
        uid = house.ask(house.shop.has("http://shop/One", b"bad"))
        done = house.until(uid)
    assert done.status == "failed" and done.error is not None and done.error.code == code
    assert house.shelf.tracks == {} and list((house.folder / "music" / "staging").iterdir()) == []


def test_a_defect_ends_one_download_and_no_worker(house: House, caplog: pytest.LogCaptureFixture) -> None:
    broken = house.shop.has("http://shop/Broken", RuntimeError("a defect"))
    with house.running():
        uid = house.ask(broken)
        done = house.until(uid)
        house.until(house.ask(house.shop.has("http://shop/One")), "completed")
    assert done.error is not None and done.error.code == "internal" and "a defect" not in done.error.message
    assert "a defect" in caplog.text


# ---- candidates ---------------------------------------------------------------------------------------------------


def candidate(house: House, link: str, *outcomes: object, **more: object) -> None:
    house.shop.offer("Heroes", f"http://shop/{link}", *outcomes, duration_ms=180_000, **more)


def test_a_bad_candidate_leads_to_the_next_one_without_spending_a_try(house: House) -> None:
    house.crafts.bad[b"bad"] = UnreadableFile("1:00, and should be 3:00.", reason="wrong_length")
    candidate(house, "best", b"bad", format="flac")
    candidate(house, "gone", Failure("removed", "It was removed."), format="mp3", bitrate_kbps=320)
    candidate(house, "good", SONG, format="mp3", bitrate_kbps=192)
    with house.running():
        uid = house.want("Heroes", duration_ms=180_000)
        done = house.until(uid)
    assert done.status == "completed" and done.attempt == 1
    assert [one.rejected for one in done.candidates] == ["1:00, and should be 3:00.", "It was removed.", None]
    assert [one.chosen for one in done.candidates] == [False, False, True]
    assert house.path_of(uid) == [*WAY[:5], *AGAIN, "processing", "completed"]
    assert house.shop.fetched == ["http://shop/best", "http://shop/gone", "http://shop/good"]
    assert house.shelf.origins["Heroes"]["score"] > 0


def test_when_all_are_bad_the_best_ones_reason_is_told(house: House) -> None:
    candidate(house, "a", Failure("removed", "It was removed."), format="flac")
    candidate(house, "b", Failure("private", "It is private."), format="mp3", bitrate_kbps=128)
    with house.running():
        done = house.until(house.want("Heroes", duration_ms=180_000))
    assert done.status == "failed" and done.error is not None and "It was removed." in done.error.message


def test_nobody_who_has_it_is_said(house: House) -> None:
    with house.running():
        done = house.until(house.want("Unknown"))
    assert done.error is not None and done.error.code == "no_candidates" and done.attempt == 1


def test_a_blocked_candidate_is_passed_over_for_ever(house: House) -> None:
    candidate(house, "wrong", SONG, format="flac")
    candidate(house, "right", SONG, format="mp3", bitrate_kbps=128)
    gate = threading.Event()
    house.shop.goods["http://shop/wrong"] = [held(gate)]
    with house.running():
        uid = house.want("Heroes", duration_ms=180_000)
        until(lambda: house.shop.running == 1)
        wrong = next(one for one in house.whole(uid).candidates if one.chosen)
        house.service.block(house.ann, uid, wrong.id)
        done = house.until(uid)
        assert done.status == "completed" and house.shop.fetched[-1] == "http://shop/right"
        assert next(one for one in done.candidates if one.id == wrong.id).rejected
        house.shelf.tracks.clear()
        house.until(house.want("Heroes", duration_ms=180_000))
    assert house.shop.fetched == ["http://shop/wrong", "http://shop/right", "http://shop/right"]


def test_a_person_may_choose_another_one(house: House) -> None:
    candidate(house, "one", Failure("connection_lost", "x"), format="flac")
    candidate(house, "two", SONG, format="mp3", bitrate_kbps=128)
    gate = threading.Event()
    house.shop.goods["http://shop/one"] = [held(gate)]
    with house.running():
        uid = house.want("Heroes", duration_ms=180_000)
        until(lambda: house.shop.running == 1)
        other = next(one for one in house.whole(uid).candidates if not one.chosen)
        house.service.choose(house.ann, uid, other.id)
        done = house.until(uid)
    assert done.status == "completed" and house.shop.fetched == ["http://shop/one", "http://shop/two"]


# ---- services that are down ---------------------------------------------------------------------------------------


def test_an_open_breaker_keeps_its_downloads_waiting_without_spending_tries(house: House) -> None:
    house = House(house.folder / "one", download_workers=1)
    for name in ("A", "B", "C"):
        house.shop.has(f"http://shop/{name}", DOWN)
    link = house.shop.has("http://shop/Song")
    with house.running():
        for name in ("A", "B", "C"):
            house.ask(f"http://shop/{name}")
        until(lambda: len(house.shop.fetched) == 3)
        uid = house.ask(link)
        until(lambda: house.records.job(uid).not_before is not None)
        waiting = house.whole(uid)
        assert waiting.status == "waiting" and waiting.note is not None and waiting.attempt == 0
        assert link not in house.shop.fetched
        states = {one["operation"]: one["state"] for one in house.service.health()["providers"]}
        assert states["shop"] == "open"
        for name in ("A", "B", "C"):
            house.shop.goods[f"http://shop/{name}"] = [SONG]
        house.clock.ahead += OPEN_S + 1
        house.dispatcher.offer("nobody", priority=0, created_at=0)
        done = house.until(uid)
    assert done.status == "completed" and done.attempt == 1


def test_with_its_candidates_known_it_waits_for_the_breaker_without_a_move(house: House) -> None:
    with house.running():
        link = house.shop.has("http://shop/Song", DOWN)
        uid = house.ask(link)
        until(lambda: house.records.job(uid).not_before is not None)
    for _ in range(3):
        house.breakers.failed("direct", "shop", DOWN)
    before = house.path_of(uid)
    house.again()
    house.clock.ahead += 10
    for _ in range(3):
        house.breakers.failed("direct", "shop", DOWN)
    with house.running():
        until(lambda: (house.records.job(uid).not_before or 0) > house.clock() + 30)
    assert house.path_of(uid) == before


def test_links_to_a_host_that_is_left_alone_wait_without_moves(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand of them would write ten thousand moves a minute."""
    def shut(url: str) -> Any:
        with house.breakers.guard("direct", "shop"):
            raise DOWN

    monkeypatch.setattr(house.shop, "resolve", shut)
    for _ in range(3):
        house.breakers.failed("direct", "shop", DOWN)
    uids = [house.ask(f"http://shop/{number}") for number in range(60)]
    with house.running():
        until(lambda: all(house.records.job(uid).not_before for uid in uids))
    moved = [uid for uid in uids if len(house.path_of(uid)) > 1]
    assert 1 <= len(moved) <= 3 * house.settings.download_workers
    assert all(house.records.job(uid).attempt == 0 for uid in uids)


def test_a_provider_bears_only_so_many_fetches_at_once(tmp_path: Path) -> None:
    house = House(tmp_path / "home", shops=(Shop(slots=2),), download_workers=4)
    gate = threading.Event()
    uids = [house.ask(house.shop.has(f"http://shop/{n}", held(gate))) for n in range(4)]
    with house.running():
        until(lambda: house.shop.running == 2)
        until(lambda: sorted(house.whole(uid).status for uid in uids) == ["downloading"] * 2 + ["queued"] * 2)
        gate.set()
        for uid in uids:
            house.until(uid, "completed")
    assert house.shop.most_running == 2


# ---- this station's own trouble -----------------------------------------------------------------------------------


def test_a_full_disk_pauses_the_queue_keeps_the_partial_and_spends_no_try(house: House) -> None:
    notices: list[Notice] = []
    house.events.subscribe(Notice, notices.append)

    def full(fetching: object) -> bytes:
        (fetching.folder / "part").write_bytes(b"half")     # type: ignore[attr-defined]
        house.free = 0
        raise OSError(errno.ENOSPC, "No space left on device")

    def rest(fetching: object) -> bytes:
        return (fetching.folder / "part").read_bytes() + b" rest"       # type: ignore[attr-defined]

    with house.running():
        uid = house.ask(house.shop.has("http://shop/One", full, rest))
        other = house.ask(house.shop.has("http://shop/Two"), priority=1, not_before=time.time() + 1.0)
        until(lambda: house.engine.state()["paused"])
        until(lambda: house.whole(uid).status == "waiting")
        assert "disk" in house.service.health()["queue"]["reason"]
        assert any(notice.level == "warning" for notice in notices)
        house.clock.ahead += 60
        house.dispatcher.offer("nobody", priority=0, created_at=0)
        time.sleep(0.2)
        assert house.whole(other).status == "waiting"
        house.free = 10**12
        done = house.until(uid)
        house.until(other, "completed")
    assert done.status == "completed" and done.attempt == 1
    assert house.shelf.tracks["One"] == b"half rest"


def test_what_is_too_large_for_the_disk_is_not_begun(house: House) -> None:
    house.free = house.settings.download_min_free_bytes + 1000
    house.shop.offer("Heroes", "http://shop/x", duration_ms=180_000, format="flac", size_bytes=10**9)
    with house.running():
        uid = house.want("Heroes", duration_ms=180_000)
        until(lambda: house.engine.state()["paused"])
        until(lambda: house.whole(uid).status == "waiting")
    assert house.shop.fetched == []


@pytest.mark.parametrize(("error", "code"), [
    (OSError(errno.EROFS, "Read-only file system"), "read_only"), (PermissionError(errno.EACCES, "no"), "read_only")])
def test_a_library_that_cannot_be_written_is_told(house: House, error: OSError, code: str) -> None:
    with house.running():
        done = house.until(house.ask(house.shop.has("http://shop/One", error)))
    assert done.status == "failed" and done.error is not None and done.error.code == code


def test_a_music_folder_that_is_away_is_waited_for(house: House) -> None:
    def away() -> None:
        house.shelf.during = None
        raise StorageOffline("The folder does not answer.")

    house.shelf.during = away
    with house.running():
        uid = house.ask(house.shop.has("http://shop/One"))
        until(lambda: house.records.job(uid).not_before is not None)
        house.clock.ahead += 60
        house.dispatcher.offer("nobody", priority=0, created_at=0)
        done = house.until(uid)
    assert done.status == "completed" and done.attempt == 1
    assert house.shop.fetched == ["http://shop/One"]      # what was fetched is not fetched again


# ---- owned --------------------------------------------------------------------------------------------------------


def test_what_is_in_the_library_walks_through_all_statuses_and_is_not_fetched(house: House) -> None:
    house.shelf.tracks["One"] = b"mine"
    with house.running():
        done = house.until(house.ask(house.shop.has("http://shop/One")))
    assert [row.to for row in done.history] == WAY
    assert done.track_id == done.duplicate_of == "track-One" and "library" in (done.note or "")
    assert done.candidates[0].provider == "library" and done.candidates[0].chosen
    assert house.shop.fetched == [] and house.shelf.tracks == {"One": b"mine"}


def test_a_worse_file_is_replaced_when_a_better_one_is_wished_for(house: House) -> None:
    house.shelf.tracks["One"] = b"mine"
    house.shelf.better.add("track-One")
    with house.running():
        done = house.until(house.ask(house.shop.has("http://shop/One")))
    assert done.status == "completed" and done.duplicate_of is None and house.shelf.tracks["One"] == SONG


def test_a_duplicate_found_after_fetching_is_told_and_adds_nothing(house: House) -> None:
    def meanwhile() -> None:
        house.shelf.tracks["One"] = b"mine"

    house.shelf.during = meanwhile
    with house.running():
        done = house.until(house.ask(house.shop.has("http://shop/One")))
    assert done.status == "completed" and done.duplicate_of == "track-One"
    assert house.shelf.tracks == {"One": b"mine"}
    assert list((house.folder / "music" / "staging").iterdir()) == []


# ---- links with many tracks ---------------------------------------------------------------------------------------


def tracks(count: int) -> list[Wanted]:
    return [Wanted(title=f"T{n}", artist="Band", source="direct", source_url="http://shop/list",
                   fetch_url=f"http://shop/T{n}") for n in range(count)]


def test_a_link_with_many_tracks_becomes_one_download_each_without_those_owned(house: House) -> None:
    house.shop.lists["http://shop/list"] = tracks(5)
    house.shelf.tracks |= {"T0": b"mine", "T3": b"mine"}
    with house.running():
        uid = house.ask("http://shop/list")
        house.until(uid, "completed")
        until(lambda: house.records.stats(house.ann)["completed"] == 3)
        said = " ".join(line["message"] for line in house.service.logs(house.ann, uid))
    assert sorted(house.shelf.admitted) == ["T1", "T2", "T4"]
    assert house.whole(uid).title == "T1"
    assert "2 of its 5 tracks are in your library already" in said
    assert len(house.records.page(house.ann, group=uid).items) == 2


def test_no_more_are_queued_than_the_setting_allows(tmp_path: Path) -> None:
    house = House(tmp_path / "home", download_batch_limit=3)
    house.shop.lists["http://shop/list"] = tracks(10)
    with house.running():
        house.until(house.ask("http://shop/list"), "completed")
        until(lambda: house.records.stats(house.ann)["completed"] == 3)
    assert len(house.shelf.admitted) == 3


# ---- stopping and starting ----------------------------------------------------------------------------------------


def test_stopping_leaves_rows_as_they_are_and_starting_goes_on_with_the_partial(house: House) -> None:
    gate = threading.Event()

    def resumed(fetching: object) -> bytes:
        return (fetching.folder / "part").read_bytes()      # type: ignore[attr-defined]

    link = house.shop.has("http://shop/One", held(gate), resumed)
    with house.running():
        uid = house.ask(link)
        until(lambda: house.shop.running == 1)
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    assert house.whole(uid).status == "downloading"
    house.again()
    with house.running():
        done = house.until(uid)
    assert done.status == "completed" and house.shelf.tracks["One"] == b"half"
    assert house.path_of(uid) == [*WAY[:4], "paused", "waiting", *WAY[1:]]
    assert done.attempt == 1


def killed_in(house: House, craft: str) -> str:
    """A download that was in the middle of `craft` when the station ended; its row stays as it was."""
    def kill() -> None:
        house.running_ones.end_all()
        raise RuntimeError("killed")

    house.crafts.before[craft] = kill
    with house.running():
        uid = house.ask(house.shop.has("http://shop/One"))
        until(lambda: house.crafts.did(craft) and house.running_ones.count() == 0)
    return uid


def test_after_a_crash_while_processing_nothing_is_fetched_again(house: House) -> None:
    uid = killed_in(house, "dress")
    assert house.whole(uid).status == "processing"
    inspected = len(house.crafts.did("inspect:inspect"))
    house.again()
    with house.running():
        done = house.until(uid)
    assert done.status == "completed" and house.shop.fetched == ["http://shop/One"]
    assert len(house.crafts.did("inspect:inspect")) == inspected
    assert house.shelf.admitted == ["One"]


def test_a_staged_file_that_changed_meanwhile_is_fetched_again(house: House) -> None:
    uid = killed_in(house, "dress")
    (staged,) = (house.folder / "music" / "staging" / uid).rglob("song.flac")
    staged.write_bytes(b"something else")
    house.again()
    with house.running():
        house.until(uid, "completed")
    assert len(house.shop.fetched) == 2 and house.shelf.tracks["One"] == SONG


def test_leftovers_in_staging_go_at_the_start_and_folders_of_what_waits_stay(house: House) -> None:
    uid = house.ask(house.shop.has("http://shop/One"), not_before=time.time() + 3600)
    staging = house.shelf.staging()
    (staging / uid).mkdir()
    (staging / "aaaaaaaa").mkdir()
    with house.running():
        assert [path.name for path in staging.iterdir()] == [uid]


def test_a_nightly_download_waits_for_the_night(house: House) -> None:
    now = time.localtime(time.time() - 7200)
    early = f"{now.tm_hour:02}:{now.tm_min:02}"
    past = time.localtime(time.time() - 3600)
    house = House(house.folder / "night", download_night=f"{early}-{past.tm_hour:02}:{past.tm_min:02}")
    with house.running():
        uid, _ = house.service.submit(house.ann, Request(url=house.shop.has("http://shop/One"), nightly=True))
        until(lambda: house.dispatcher.waiting() == 1)
        assert house.whole(uid.id).status == Status.WAITING
        assert house.whole(uid.id).note == "Waits for the night."
        house.service.pause(house.ann, uid.id)
        assert house.service.resume(house.ann, uid.id).note == "Waits for the night."
        assert house.engine.not_before(None, True) is not None
        house.clock.ahead += 22.2 * 3600       # into the window of the next day
        house.dispatcher.offer("nobody", priority=0, created_at=0)
        house.until(uid.id, "completed")
