from __future__ import annotations

import pytest

from shared.database import Database
from shared.model.errors import BadInput, Conflict, NotFound
from shared.model.person import Person
from shared.model.podcast import Feed, FeedEpisode
from shared.records import podcasts as records
from shared.records.podcasts import Podcasts

URL = "http://feeds.example/show"
DAY = 86_400.0


@pytest.fixture
def podcasts(database: Database) -> Podcasts:
    return Podcasts(database=database)


def feed(*numbers: int, title: str = "The Show", **more: object) -> Feed:
    return Feed(title=title, episodes=tuple(entry(number) for number in numbers), **more)  # type: ignore[arg-type]


def entry(number: int, **more: object) -> FeedEpisode:
    told: dict[str, object] = {"guid": f"g{number}", "title": f"Episode {number}", "url": f"http://x/{number}.mp3",
                               "published_at": DAY * number, "duration_ms": 60_000, **more}  # fmt: skip
    return FeedEpisode(**told)  # type: ignore[arg-type]


def take(podcasts: Podcasts, uid: str, said: Feed, now: float = 1e6) -> records.TakenIn:
    return podcasts.take_in(uid, said, now=now, next_at=now + 100, etag='"e"', modified="m")


@pytest.fixture
def show(podcasts: Podcasts, owner: Person) -> str:
    uid = podcasts.add(owner.user_id, URL, keep=2, now=5.0)
    take(podcasts, uid, feed(3, 2, 1))
    return uid


def ids(podcasts: Podcasts, person: Person, uid: str) -> dict[str, str]:
    return {one.title: one.id for one in podcasts.page(person, uid, limit=100)[0]}


def fetched(podcasts: Podcasts, uid: str, size_bytes: int = 10) -> None:
    podcasts.mark(uid, "downloading", only=("new",), download="d" + uid)
    podcasts.kept(uid, path=f"p/{uid}.mp3", format="mp3", mime_type="audio/mpeg", duration_ms=61_000,
                  size_bytes=size_bytes, bitrate_kbps=128, sample_rate_hz=44_100, channels=2, mtime_ns=1, sha256="s",
                  download="d" + uid)  # fmt: skip


def test_a_feed_is_followed_once_and_is_due_at_once(podcasts: Podcasts, owner: Person) -> None:
    uid = podcasts.add(owner.user_id, URL, now=5.0)
    assert uid == records.podcast_uid(URL) and len(uid) == 16
    with pytest.raises(Conflict) as refused:
        podcasts.add(None, URL)
    assert refused.value.details["id"] == uid
    assert [one.uid for one in podcasts.due(5.0)] == [uid] and podcasts.due(4.0) == []
    assert podcasts.get(owner, uid).status == "new"
    with pytest.raises(NotFound):
        podcasts.get(owner, "nothing")


def test_a_clock_that_went_wrong_leaves_no_feed_alone(podcasts: Podcasts, owner: Person) -> None:
    ahead = 10 * 365 * 86_400.0
    uid = podcasts.add(owner.user_id, URL, now=ahead)
    podcasts.take_in(uid, Feed(title="The Show", episodes=()), now=ahead, next_at=ahead + 3600)
    assert [one.uid for one in podcasts.due(1000.0)] == [uid]
    podcasts.looked(uid, now=ahead, next_at=ahead + 3600)
    podcasts.hurry(1000.0)
    assert podcasts.next_at() == 1000.0


def test_what_a_feed_says_is_taken_in_and_told(podcasts: Podcasts, owner: Person, show: str) -> None:
    told = podcasts.get(owner, show)
    assert (told.title, told.status, told.episode_count, told.keep, told.checked_at) == (
        "The Show", "completed", 3, 2, "1970-01-12T13:46:40.000Z")  # fmt: skip
    items, cursor, total = podcasts.page(owner, show, limit=2)
    assert [one.title for one in items] == ["Episode 3", "Episode 2"] and total == 3
    rest, end, _ = podcasts.page(owner, show, limit=2, cursor=cursor)
    assert [one.title for one in rest] == ["Episode 1"] and end is None
    with pytest.raises(BadInput):
        podcasts.page(owner, None, limit=2, cursor=cursor)
    assert podcasts.one(show).etag == '"e"'


def test_only_what_changed_is_told_as_changed(podcasts: Podcasts, owner: Person, show: str) -> None:
    before = ids(podcasts, owner, show)
    taken = take(podcasts, show, Feed(title="Another name", episodes=(
        entry(4), entry(3, title="Renamed"), entry(2), entry(1), entry(1, title="twice"))))  # fmt: skip
    after = ids(podcasts, owner, show)
    assert taken == records.TakenIn([after["Episode 4"]], [before["Episode 3"]], [])
    assert after["Renamed"] == before["Episode 3"]
    assert podcasts.get(owner, show).title == "Another name"


def test_ids_stay_the_same_for_ever(podcasts: Podcasts, owner: Person, show: str) -> None:
    before = ids(podcasts, owner, show)
    podcasts.remove(show)
    assert podcasts.add(owner.user_id, URL) == show
    take(podcasts, show, feed(3, 2, 1))
    assert ids(podcasts, owner, show) == before


def test_feeds_that_show_their_latest_alone_lose_nothing(podcasts: Podcasts, owner: Person, show: str) -> None:
    assert take(podcasts, show, feed(5, 4)).removed == []
    assert podcasts.get(owner, show).episode_count == 5


def test_what_is_withdrawn_goes_unless_somebody_has_it(podcasts: Podcasts, owner: Person, show: str) -> None:
    named = ids(podcasts, owner, show)
    assert take(podcasts, show, feed(3, 1)).removed == [named["Episode 2"]]
    fetched(podcasts, named["Episode 3"])
    assert take(podcasts, show, feed(1)).removed == []
    take(podcasts, show, feed(4, 1))
    podcasts.set_position(owner, ids(podcasts, owner, show)["Episode 4"], 5_000)
    assert take(podcasts, show, feed(1)).removed == []
    assert take(podcasts, show, feed(5, 1)).new
    assert take(podcasts, show, feed(1, cut=True)).removed == []


def test_what_has_no_date_stands_in_the_feeds_order_and_keeps_its_place(podcasts: Podcasts, owner: Person) -> None:
    uid = podcasts.add(owner.user_id, URL)
    said = Feed(title="T", episodes=tuple(entry(number, published_at=None) for number in (3, 2, 1)))
    take(podcasts, uid, said)
    first = podcasts.page(owner, uid, limit=9)[0]
    assert [one.title for one in first] == ["Episode 3", "Episode 2", "Episode 1"]
    assert take(podcasts, uid, said, now=2e6) == records.TakenIn([], [], [])
    assert podcasts.page(owner, uid, limit=9)[0] == first


def test_each_person_is_somewhere_else(podcasts: Podcasts, owner: Person, guest: Person, show: str) -> None:
    uid = ids(podcasts, owner, show)["Episode 3"]
    podcasts.set_position(owner, uid, 30_000)
    podcasts.set_favourite(owner, uid, True)
    podcasts.set_rating(owner, uid, 9)
    mine, theirs = podcasts.whole(owner, uid), podcasts.whole(guest, uid)
    assert (mine.shown.position_ms, mine.shown.finished, mine.rating, mine.play_count) == (30_000, False, 5, 0)
    assert mine.favourite_at and mine.last_played_at
    assert (theirs.shown.position_ms, theirs.favourite_at, theirs.rating) == (0, None, 0)
    assert set(podcasts.positions(owner)) == {uid} and podcasts.positions(guest) == {}


def test_the_end_is_a_play_and_hearing_it_again_is_a_new_beginning(podcasts: Podcasts, owner: Person, show: str
                                                                     ) -> None:  # fmt: skip
    uid = ids(podcasts, owner, show)["Episode 3"]

    def after(position_ms: int, finished: bool | None = None) -> tuple[bool, int]:
        podcasts.set_position(owner, uid, position_ms, finished=finished)
        whole = podcasts.whole(owner, uid)
        return whole.shown.finished, whole.play_count

    assert [after(59_000, True), after(60_000, True), after(0), after(20_000), after(60_000, True)] == [
        (True, 1), (True, 1), (True, 1), (False, 1), (True, 2)]  # fmt: skip


def test_the_newest_are_lacking_until_somebody_took_them_off(podcasts: Podcasts, owner: Person, show: str) -> None:
    named = ids(podcasts, owner, show)
    assert [one.uid for one in podcasts.lacking(show)] == [named["Episode 3"], named["Episode 2"]]
    podcasts.mark(named["Episode 3"], "downloading", only=("new",), download="d")
    podcasts.let_go(named["Episode 2"], "deleted")
    assert podcasts.lacking(show) == []
    assert [one.uid for one in podcasts.under_way()] == [named["Episode 3"]]
    assert podcasts.by_download("d").uid == named["Episode 3"]  # type: ignore[union-attr]
    assert not podcasts.mark(named["Episode 3"], "error", only=("new",))


def test_what_the_file_says_outlives_what_the_feed_says(podcasts: Podcasts, owner: Person, show: str) -> None:
    uid = ids(podcasts, owner, show)["Episode 3"]
    fetched(podcasts, uid)
    take(podcasts, show, Feed(title="T", episodes=(entry(3, title="New", duration_ms=5, size_bytes=7, mime_type="x"),)))
    one = podcasts.whole(owner, uid)
    assert (one.shown.title, one.shown.duration_ms, one.shown.size_bytes, one.mime_type) == (
        "New", 61_000, 10, "audio/mpeg")  # fmt: skip
    assert podcasts.let_go(uid, "deleted") == f"p/{uid}.mp3"
    assert podcasts.let_go(uid, "deleted") is None
    with pytest.raises(NotFound):       # taken off: nothing is put there any more
        podcasts.kept(uid, path="x", format="mp3", mime_type="x", duration_ms=1, size_bytes=1, bitrate_kbps=1,
                      sample_rate_hz=1, channels=1, mtime_ns=1, sha256="s", download="d")  # fmt: skip


def test_who_makes_room_knows_what_is_under_way(podcasts: Podcasts, owner: Person, guest: Person, show: str) -> None:
    named = ids(podcasts, owner, show)
    for uid in named.values():
        fetched(podcasts, uid)
    podcasts.set_position(owner, named["Episode 1"], 1, finished=True)
    podcasts.set_position(guest, named["Episode 2"], 30_000)
    assert [(one.uid, one.finished, one.under_way) for one in podcasts.files()] == [
        (named["Episode 1"], True, False), (named["Episode 2"], False, True), (named["Episode 3"], False, False),
    ]  # fmt: skip


def test_a_podcast_goes_with_all_that_hangs_on_it(podcasts: Podcasts, owner: Person, show: str) -> None:
    uid = ids(podcasts, owner, show)["Episode 3"]
    podcasts.set_position(owner, uid, 30_000)
    podcasts.mark(uid, "downloading", only=("new",), download="dd")
    assert podcasts.remove(show) == ["dd"]
    with pytest.raises(NotFound):
        podcasts.whole(owner, uid)
    assert podcasts.every(owner) == [] and podcasts.page(owner, None, limit=5)[2] == 0
    with pytest.raises(NotFound):
        podcasts.remove(show)


def test_an_error_is_told_until_it_works_again(podcasts: Podcasts, owner: Person, show: str) -> None:
    podcasts.looked(show, now=10.0, next_at=20.0, error="It does not answer.")
    assert (podcasts.get(owner, show).status, podcasts.get(owner, show).error) == ("error", "It does not answer.")
    assert podcasts.one(show).etag == '"e"'
    podcasts.looked(show, now=11.0, next_at=21.0)
    assert (podcasts.get(owner, show).status, podcasts.get(owner, show).error) == ("completed", None)
    assert podcasts.next_at() == 21.0
    podcasts.hurry(30.0)
    assert podcasts.next_at() == 21.0  # it was looked at a moment ago
    podcasts.hurry(300.0)
    assert podcasts.next_at() == 300.0
