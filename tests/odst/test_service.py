"""What people may do with downloads, and whose they are."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from shared.events import DownloadRemoved
from shared.model.download import Failure, IllegalMove, Offer, Options, Request, Wanted
from shared.model.errors import BadInput, Conflict, NotFound
from tests.odst.standins import SONG, House, held, until


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "home")


def staged(house: House) -> list[Path]:
    return list((house.folder / "music" / "staging").rglob("*"))


# ---- asking -------------------------------------------------------------------------------------------------------


def test_asking_writes_a_row_and_asks_nobody(house: House) -> None:
    download, created = house.service.submit(house.ann, Request(url="http://shop/One"))
    assert created and download.status == "waiting" and house.shop.resolved == []
    assert [row.to for row in house.whole(download.id).history] == ["waiting"]


def test_the_same_key_is_the_same_download_and_another_wish_under_it_a_conflict(house: House) -> None:
    first, _ = house.service.submit(house.ann, Request(url="http://shop/One", idempotency_key="k"))
    again, created = house.service.submit(house.ann, Request(url="http://shop/One", idempotency_key="k"))
    assert again.id == first.id and not created
    with pytest.raises(Conflict):
        house.service.submit(house.ann, Request(url="http://shop/Two", idempotency_key="k"))
    other, created = house.service.submit(house.ben, Request(url="http://shop/One", idempotency_key="k"))
    assert created and other.id != first.id


@pytest.mark.parametrize("request_", [
    Request(), Request(url="http://shop/a", query="a"), Request(query=" "), Request(query="x" * 501),
    Request(query=".."),
    Request(url="http://shop/a", priority=101), Request(url="http://shop/a", priority=-1)])
def test_wishes_that_make_no_sense_are_refused(house: House, request_: Request) -> None:
    with pytest.raises(BadInput):
        house.service.submit(house.ann, request_)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://shop/a", "", "http" + "x" * 5000, "nothing"])
def test_links_that_cannot_be_followed_are_refused(house: House, url: str) -> None:
    with pytest.raises(Failure) as refused:
        house.service.submit(house.ann, Request(url=url))
    assert refused.value.code == "bad_link" and refused.value.http_status == 422
    assert house.records.ids(house.ann) == []


@pytest.mark.parametrize("words", ["ftp://shop/a.mp3", "file:///etc/passwd", "javascript:alert(1)", "magnet:?xt=1"])
def test_links_nobody_follows_are_no_words_to_look_for(house: House, words: str) -> None:
    with pytest.raises(Failure, match="are not followed") as refused:
        house.service.submit(house.ann, Request(query=words))
    assert refused.value.code == "bad_link"
    shown, _ = house.service.submit(house.ann, Request(query="Ratatat: Loud Pipes"))
    assert house.records.ids(house.ann) == [shown.id]


def album() -> Offer:
    tracks = [Wanted(title=f"T{n}", artist="Band", source="deezer", source_id=str(n)) for n in range(3)]
    return Offer(kind="album", source="deezer", id="7", title="Disc", tracks=(*tracks, Wanted(source="deezer")))


def test_an_album_becomes_a_download_a_track_and_says_what_is_owned(house: House) -> None:
    house.search.albums["7"] = album()
    house.shelf.tracks["T1"] = b"mine"
    answer = house.service.submit_album(house.ann, album_id="7", source="deezer", priority=70)
    assert [one.title for one in answer["downloads"]] == ["T0", "T2"]
    assert {one.priority for one in answer["downloads"]} == {70}
    assert len({one.group for one in answer["downloads"]}) == 1
    assert [(one["title"], one["track_id"]) for one in answer["skipped"]] == [("T1", "track-T1")]
    assert len(answer["failed"]) == 1 and answer["failed"][0]["reason"]
    again = house.service.submit_album(house.ann, album_id="7", source="deezer", priority=70)
    assert [one.id for one in again["downloads"]] == [one.id for one in answer["downloads"]]


def test_a_batch_names_what_makes_no_sense_and_queues_the_rest(house: House) -> None:
    answer = house.service.submit_batch(house.ann, [
        Request(url="http://shop/A"), Request(url="file:///x"), Request(query="Band - Song"),
        Request(url="http://shop/A")])
    assert (answer["added"], answer["repeated"]) == (2, 1)
    assert [one["title"] for one in answer["failed"]] == ["file:///x"]
    assert house.dispatcher.waiting() == 2


def test_a_text_of_links_and_lines_is_a_batch(house: House) -> None:
    answer = house.service.submit_text(
        house.ann, "http://shop/A\nDavid Bowie - Heroes\n", Request(query="x", options=Options(quality="320")))
    assert answer["added"] == 2 and {one.quality for one in answer["downloads"]} == {"320"}


# ---- commands -----------------------------------------------------------------------------------------------------


def test_cancelling_what_runs_ends_it_and_leaves_nothing(house: House) -> None:
    gate = threading.Event()
    with house.running():
        uid = house.ask(house.shop.has("http://shop/One", held(gate)))
        until(lambda: house.shop.running == 1 and staged(house))
        cancelled = house.service.cancel(house.ann, uid)
        assert cancelled.status == "cancelled" and house.shop.running == 0 and staged(house) == []
        assert house.running_ones.token(uid) is None
    assert house.path_of(uid) == ["waiting", "pending", "queued", "downloading", "cancelled"]
    assert house.shelf.tracks == {}


@pytest.mark.parametrize("what", ["resolve", "find"])
def test_cancelling_does_not_wait_for_a_source_that_hangs(house: House, monkeypatch: pytest.MonkeyPatch,
                                                         what: str) -> None:
    asked, gate = threading.Event(), threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        asked.set()
        gate.wait(30)
        return []

    monkeypatch.setattr(house.search if what == "resolve" else house.shop, what, hang)
    house._build()      # the engine keeps what it was given
    with house.running():
        uid = house.ask("http://shop/One") if what == "resolve" else house.want("Heroes")
        assert asked.wait(10)
        assert house.service.cancel(house.ann, uid).status == "cancelled"
        assert house.running_ones.token(uid) is None
        gate.set()


def test_cancelling_what_waits_keeps_it_from_running(house: House) -> None:
    uid = house.ask(house.shop.has("http://shop/One"))
    house.service.cancel(house.ann, uid)
    with house.running():
        house.until(house.ask(house.shop.has("http://shop/Two")))
    assert house.shop.fetched == ["http://shop/Two"]
    with pytest.raises(IllegalMove):
        house.service.cancel(house.ann, uid)


def test_what_is_on_its_way_onto_the_shelf_is_not_cancelled_any_more(house: House) -> None:
    entered, gate = threading.Event(), threading.Event()

    def slowly() -> None:
        entered.set()
        gate.wait(10)

    house.shelf.during = slowly
    refused: list[BaseException] = []

    def cancel(uid: str) -> None:
        try:
            house.service.cancel(house.ann, uid)
        except IllegalMove as error:
            refused.append(error)

    with house.running():
        uid = house.ask(house.shop.has("http://shop/One"))
        assert entered.wait(10)
        asking = threading.Thread(target=cancel, args=(uid,))
        asking.start()
        gate.set()
        asking.join(10)
        assert house.until(uid).status == "completed"
    assert refused and house.shelf.tracks == {"One": SONG}


def test_pausing_keeps_what_came_and_resuming_goes_on(house: House) -> None:
    gate = threading.Event()
    link = house.shop.has("http://shop/One", held(gate),
                          lambda fetching: (fetching.folder / "part").read_bytes() + b" and the rest")
    with house.running():
        uid = house.ask(link)
        until(lambda: house.shop.running == 1 and staged(house))
        assert house.service.pause(house.ann, uid).status == "paused"
        assert house.shop.running == 0 and staged(house)
        assert house.service.resume(house.ann, uid).status == "waiting"
        house.until(uid, "completed")
    assert house.shelf.tracks == {"One": b"half and the rest"}
    with pytest.raises(IllegalMove):
        house.service.resume(house.ann, uid)


def test_retrying_begins_anew_with_all_candidates(house: House) -> None:
    link = house.shop.has("http://shop/One", Failure("removed", "It was removed."), SONG)
    with house.running():
        uid = house.ask(link)
        assert house.until(uid).status == "failed"
        with pytest.raises(IllegalMove):
            house.service.resume(house.ann, uid)
        house.service.retry(house.ann, uid)
        done = house.until(uid, "completed")
    assert done.attempt == 1 and done.error is None and done.candidates[0].rejected is None


def test_a_changed_priority_counts(tmp_path: Path) -> None:
    house = House(tmp_path / "home", download_workers=1)
    first = house.ask(house.shop.has("http://shop/A"))
    second = house.ask(house.shop.has("http://shop/B"))
    assert house.service.set_priority(house.ann, second, 80).priority == 80
    with house.running():
        house.until(first)
        house.until(second)
    assert house.shelf.admitted == ["B", "A"]
    with pytest.raises(Conflict):
        house.service.set_priority(house.ann, first, 10)
    with pytest.raises(BadInput):
        house.service.set_priority(house.ann, first, 101)


def test_removing_takes_off_the_list_what_is_over_and_nothing_else(house: House) -> None:
    told: list[DownloadRemoved] = []
    house.events.subscribe(DownloadRemoved, told.append)
    uid = house.ask(house.shop.has("http://shop/One"))
    with pytest.raises(Conflict):
        house.service.remove(house.ann, uid)
    with house.running():
        house.until(uid)
    house.service.remove(house.ann, uid)
    assert house.records.ids(house.ann) == [] and [one.id for one in told] == [uid]


def test_many_are_cancelled_at_once_and_what_cannot_be_is_named(house: House) -> None:
    uids = [house.ask(house.shop.has(f"http://shop/{n}"), not_before=2e9) for n in range(20)]
    gone = house.ask(house.shop.has("http://shop/gone"))
    house.service.cancel(house.ann, gone)
    answer = house.service.bulk(house.ann, "cancel", ids=[*uids, gone, "nobody"])
    assert sorted(answer["done"]) == sorted(uids)
    assert {one["id"]: one["code"] for one in answer["failed"]} == {gone: "illegal_move", "nobody": "not_found"}
    assert house.dispatcher.waiting() == 0
    with pytest.raises(BadInput):
        house.service.bulk(house.ann, "explode", ids=uids)


# ---- whose ---------------------------------------------------------------------------------------------------------


def test_somebody_elses_downloads_are_not_there_but_an_owner_commands_all(house: House) -> None:
    theirs, _ = house.service.submit(house.ann, Request(url="http://shop/One"))
    mine, _ = house.service.submit(house.ben, Request(url="http://shop/Two"))
    deeds = [house.service.cancel, house.service.pause, house.service.resume, house.service.retry,
             house.service.remove, house.service.logs, lambda who, uid: house.service.set_priority(who, uid, 1),
             lambda who, uid: house.service.block(who, uid, "x"), lambda who, uid: house.service.choose(who, uid, "x")]
    for deed in deeds:
        with pytest.raises(NotFound):
            deed(house.ben, theirs.id)
    answer = house.service.bulk(house.ben, "cancel", ids=[theirs.id, mine.id])
    assert answer["done"] == [mine.id] and len(answer["failed"]) == 1
    assert house.whole(theirs.id).status == "waiting"
    assert [one.id for one in house.service.snapshot(house.ben)] == []
    assert house.service.cancel(house.ann, theirs.id).status == "cancelled"


def test_health_tells_of_breakers_queue_and_throttle(house: House) -> None:
    house.breakers.know("direct", "resolve")
    health = house.service.health()
    assert [(one["name"], one["state"]) for one in health["providers"]] == [("direct", "closed")]
    assert health["queue"]["paused"] is False and health["throttle"]["listening"] is False


def test_the_log_of_a_download_is_kept_without_secrets(house: House) -> None:
    uid = house.ask(house.shop.has("http://shop/One"))
    house.ledger.log(uid, "info", "asked http://shop/One?token=verysecret")
    lines = house.service.logs(house.ann, uid)
    assert lines[-1]["level"] == "info" and "verysecret" not in lines[-1]["message"]
    for number in range(500):
        house.ledger.log(uid, "debug", f"line {number}")
    assert len(house.service.logs(house.ann, uid)) == 200
