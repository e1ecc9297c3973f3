"""Podcasts in a whole station: feeds of a real server, read in a real worker, episodes through the real downloader."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.model.download import Failure
from shared.model.errors import Conflict, NotFound, UnreadableFile
from shared.model.person import Person
from shared.podcasts import podcasts as module
from tests.holding.whole import Whole
from tests.media_server import Asked, MediaServer, Thing, audio
from tests.podcasts.feeds_made import item, minding_tags, rss, station, until


@pytest.fixture
def owner(made: Whole) -> Person:
    found: Person = made.station.accounts.who(made.tokens["owner", "own"], "127.0.0.1")
    return found


@pytest.fixture
def podcasts(made: Whole, owner: Person) -> Iterator[Any]:
    """As they are when nothing is followed."""
    yield made.station.podcasts
    for one in made.station.podcasts.records.every(owner):
        made.station.podcasts.remove(one.id)


def follow(podcasts: Any, owner: Person, server: MediaServer, name: str, *items: str, keep: int = 0, **how: Any) -> str:
    server.add(name, rss(items, **how))
    return str(podcasts.add(owner, server.url(name), keep=keep).id)


def episodes(podcasts: Any, owner: Person, uid: str) -> dict[str, Any]:
    return {one.title: one for one in podcasts.records.page(owner, uid, limit=100)[0]}


def until_status(podcasts: Any, owner: Person, uid: str, *statuses: str) -> Any:
    def seen() -> Any:
        found = podcasts.records.whole(owner, uid)
        return found if found.shown.status in statuses else None

    return until(seen)


def folder(made: Whole) -> Path:
    return Path(made.station.settings.data_dir, "podcasts")


# ---- feeds


def test_a_feed_is_followed_by_its_address_or_by_a_page_that_names_it(podcasts: Any, owner: Person,
                                                                      server: MediaServer) -> None:
    server.add("show.xml", rss([item(1, server.url("one.mp3"))]))
    server.add("page.html", b'<html><head><link type="application/rss+xml" href="/show.xml"></head></html>')
    told = podcasts.add(owner, server.url("page.html"), keep=0)
    assert (told.title, told.url, told.episode_count, told.status) == (
        "The Show", server.url("show.xml"), 1, "completed")
    with pytest.raises(Conflict):
        podcasts.add(owner, server.url("show.xml"))


@pytest.mark.parametrize(("written", "meant"), [
    ("feeds.example/show", "https://feeds.example/show"), (" feeds.example:8080/a?b=c:d ",
                                                           "https://feeds.example:8080/a?b=c:d"),
    ("//feeds.example/show", "https://feeds.example/show"), ("http://feeds.example/show", "http://feeds.example/show"),
    ("ftp://feeds.example/show", "ftp://feeds.example/show"), ("javascript:alert(1)", "javascript:alert(1)"), ("", ""),
])
def test_an_address_without_a_scheme_is_one_of_the_web(podcasts: Any, owner: Person, monkeypatch: pytest.MonkeyPatch,
                                                       written: str, meant: str) -> None:
    asked: list[str] = []

    def found_at(url: str) -> None:
        asked.append(url)
        raise Conflict("that is all")

    monkeypatch.setattr(podcasts._feeds, "found_at", found_at)
    with pytest.raises(Conflict):
        podcasts.add(owner, written)
    assert asked == [meant]


@pytest.mark.parametrize(("path", "code"), [
    ("nothing.html", "not_audio"), ("missing.xml", "not_found"), ("garbage", "garbage"), ("broken", "service_error"),
    ("hugeness", "too_large"), ("inside", "forbidden_address"),
])
def test_what_is_no_feed_is_refused_with_its_reason(podcasts: Any, owner: Person, server: MediaServer, path: str,
                                                    code: str) -> None:
    server.add("nothing.html", b"<html><body>Nothing</body></html>")
    server.add("garbage", garbage=b"\x00\x01 what\r\n\r\n")
    server.add("broken", b"no", status=500)
    server.add("hugeness", b"<rss>" + b" " * 1_000_000, endless=True)
    server.add("inside", status=302, headers={"Location": "http://10.0.0.1/feed"})
    with pytest.raises(Failure) as failure:
        podcasts.add(owner, server.url(path))
    assert failure.value.code == code
    assert podcasts.records.every(owner) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/feed", "http://169.254.169.254/", "file:///etc/passwd",
                                 "http://user:secret@example.org/feed", "gopher://x/"])
def test_a_feed_leads_to_no_address_inside(podcasts: Any, owner: Person, url: str) -> None:
    with pytest.raises(Failure) as failure:
        podcasts.add(owner, url)
    assert failure.value.code in ("forbidden_address", "bad_link")


def test_a_feed_is_asked_for_its_news_alone(podcasts: Any, owner: Person, server: MediaServer) -> None:
    state = {"tag": '"1"', "items": [item(1, server.url("one.mp3"))]}
    server.add("tagged.xml", act=minding_tags(lambda: rss(state["items"]), lambda: str(state["tag"])))
    uid = podcasts.add(owner, server.url("tagged.xml")).id
    assert podcasts.look(uid) is None
    assert server.asked("tagged.xml")[-1].headers["if-none-match"] == '"1"'
    state |= {"tag": '"2"', "items": [item(2, server.url("one.mp3")), *state["items"]]}
    taken = podcasts.look(uid)
    assert len(taken.new) == 1 and taken.changed == []
    assert list(episodes(podcasts, owner, uid)) == ["Episode 2", "Episode 1"]


def test_a_feed_that_fails_is_left_alone_longer_and_longer(podcasts: Any, owner: Person, server: MediaServer,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    uid = follow(podcasts, owner, server, "failing.xml", item(1, server.url("one.mp3")))
    monkeypatch.setattr(module, "SPREAD", 0.0)
    monkeypatch.setattr(podcasts, "_clock", lambda: 1000.0)
    server.add("failing.xml", b"no", status=503)
    waits = []
    for _ in range(7):
        assert podcasts.look(uid) is None
        waits.append(round((podcasts.records.next_at() - 1000.0) / 3600))
    assert waits == [1, 2, 4, 8, 16, 24, 24]
    assert podcasts.records.get(owner, uid).status == "error"
    assert podcasts.records.get(owner, uid).episode_count == 1
    server.add("failing.xml", rss([item(1, server.url("one.mp3"))]))
    podcasts.look(uid)
    assert podcasts.records.get(owner, uid).error is None
    assert round((podcasts.records.next_at() - 1000.0) / 3600) == 6


def test_one_looks_at_a_feed_at_a_time(podcasts: Any, owner: Person, server: MediaServer) -> None:
    uid = follow(podcasts, owner, server, "slowly.xml", item(1, server.url("one.mp3")))
    entered, leave = threading.Event(), threading.Event()

    def act(asked: Asked) -> Thing | None:
        entered.set()
        leave.wait(10)
        return None

    server.change("slowly.xml", act=act)
    server.forget()
    other = threading.Thread(target=podcasts.look, args=(uid,))
    other.start()
    assert entered.wait(10)
    assert podcasts.look(uid) is None
    leave.set()
    other.join()
    assert len(server.asked("slowly.xml")) == 1


def test_the_thread_looks_at_what_is_due(podcasts: Any, owner: Person, server: MediaServer,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    uid = follow(podcasts, owner, server, "due.xml", item(1, server.url("one.mp3")))
    server.add("due.xml", rss([item(2, server.url("one.mp3")), item(1, server.url("one.mp3"))]))
    monkeypatch.setattr(podcasts, "_first_s", 0.0)
    podcasts.start()
    try:
        podcasts.records.hurry(podcasts._clock(), least_s=-1.0)
        podcasts._wake.set()
        until(lambda: podcasts.records.get(owner, uid).episode_count == 2)
    finally:
        podcasts.stop()


# ---- OPML


def test_feeds_go_out_and_come_in_as_opml(podcasts: Any, owner: Person, server: MediaServer) -> None:
    follow(podcasts, owner, server, "a.xml", item(1, server.url("one.mp3")), title='Quotes " & <tags>')
    text = podcasts.opml(owner)
    (known,) = podcasts.take_opml(owner, text)
    assert (known["status"], known["title"]) == ("there", 'Quotes " &')
    told = podcasts.take_opml(owner, f"""<opml><body><outline text="Group">
        <outline xmlUrl="{server.url('b.xml')}" text="B"/><outline xmlUrl="{server.url('b.xml')}" text="B again"/>
        </outline><outline xmlUrl="file:///etc/passwd"/><outline xmlUrl="ftp://x/"/></body></opml>""")
    assert [(one["status"], one["title"]) for one in told] == [("added", "B"), ("failed", ""), ("failed", "")]
    assert podcasts.records.get(owner, told[0]["id"]).status == "new"
    server.add("b.xml", rss([item(1, server.url("one.mp3"))], title="B itself"))
    podcasts.look(told[0]["id"])
    assert podcasts.records.get(owner, told[0]["id"]).title == "B itself"
    with pytest.raises(UnreadableFile):
        podcasts.take_opml(owner, "no")


# ---- episodes


def test_an_episode_is_fetched_through_the_queue_and_never_into_the_music(made: Whole, podcasts: Any, owner: Person,
                                                                          server: MediaServer) -> None:
    uid = follow(podcasts, owner, server, "fetch.xml", item(1, server.url("one.mp3")))
    episode = episodes(podcasts, owner, uid)["Episode 1"].id
    with pytest.raises(NotFound):
        podcasts.sound_of(episode)
    podcasts.download(owner, episode)
    whole = until_status(podcasts, owner, episode, "completed", "error")
    assert whole.shown.error is None
    sound = podcasts.sound_of(episode)
    assert sound.path == folder(made) / uid / f"{episode}.mp3"
    assert sound.path.read_bytes() == server_bytes(server, "one.mp3")
    assert (sound.format, sound.mime_type, sound.title) == ("mp3", "audio/mpeg", "Episode 1")
    assert whole.shown.size_bytes == sound.size_bytes and 1900 < whole.shown.duration_ms < 2200
    jobs = made.station.download_records
    job = until(lambda: (one := jobs.as_shown(whole.download)[1]).status == "completed" and one)
    assert (job.track_id, job.title, job.artist) == (None, "Episode 1", "The Show")
    assert made.station.tracks.list(owner, limit=5).total == 0
    music = Path(made.station.scans.roots()[0].path)
    until(lambda: not [name for _, _, names in os.walk(music) for name in names])   # staging is cleared in the end
    podcasts.episodes.drop(episode)
    assert podcasts.records.whole(owner, episode).shown.status == "deleted"
    assert not sound.path.exists()
    podcasts.download(owner, episode)
    until_status(podcasts, owner, episode, "completed")
    podcasts.remove(uid)
    assert not (folder(made) / uid).exists()


def server_bytes(server: MediaServer, path: str) -> bytes:
    return server._things[path].content


def test_what_is_no_sound_is_refused_and_can_be_tried_again(made: Whole, podcasts: Any, owner: Person,
                                                            server: MediaServer) -> None:
    server.add("two.mp3", bytes(range(256)) * 40, mime="audio/mpeg")
    uid = follow(podcasts, owner, server, "bad.xml", item(1, server.url("two.mp3")), item(2, server.url("gone.mp3")))
    named = episodes(podcasts, owner, uid)
    for title in ("Episode 1", "Episode 2"):
        podcasts.download(owner, named[title].id)
        assert until_status(podcasts, owner, named[title].id, "error", "completed").shown.error
    server.add("two.mp3", audio(".mp3", seconds=1))
    one = podcasts.records.whole(owner, named["Episode 1"].id)
    made.station.downloads.retry(owner, one.download)
    assert until_status(podcasts, owner, named["Episode 1"].id, "completed")
    assert list((folder(made) / uid).iterdir()) == [podcasts.sound_of(named["Episode 1"].id).path]


def test_a_fetch_that_is_cancelled_says_so(made: Whole, podcasts: Any, owner: Person, server: MediaServer) -> None:
    server.add("long.mp3", audio(".mp3", seconds=20), slow=20_000)
    uid = follow(podcasts, owner, server, "slow.xml", item(1, server.url("long.mp3")), item(2, server.url("long.mp3")))
    first, second = (episodes(podcasts, owner, uid)[f"Episode {number}"].id for number in (1, 2))
    podcasts.download(owner, first)
    podcasts.download(owner, second)
    assert until_status(podcasts, owner, first, "downloading")
    until(lambda: server.asked("long.mp3"))
    podcasts.episodes.drop(first)
    made.station.downloads.cancel(owner, podcasts.records.whole(owner, second).download)
    for one in (first, second):
        assert until_status(podcasts, owner, one, "deleted").path is None
    assert not (folder(made) / uid).exists() or list((folder(made) / uid).iterdir()) == []


def test_the_newest_come_by_themselves(podcasts: Any, owner: Person, server: MediaServer) -> None:
    links = [item(number, server.url(f"one.mp3?{number}")) for number in (3, 2, 1)]
    uid = follow(podcasts, owner, server, "kept.xml", *links, keep=2)
    named = episodes(podcasts, owner, uid)
    for title in ("Episode 3", "Episode 2"):
        assert until_status(podcasts, owner, named[title].id, "completed")
    assert named["Episode 1"].status == "new"
    podcasts.episodes.drop(named["Episode 3"].id)
    server.add("kept.xml", rss([item(4, server.url("one.mp3?4")), *links]))
    podcasts.look(uid)
    assert until_status(podcasts, owner, episodes(podcasts, owner, uid)["Episode 4"].id, "completed")
    assert podcasts.records.whole(owner, named["Episode 3"].id).shown.status == "deleted"


def test_what_was_heard_makes_room_and_what_is_being_heard_never(made: Whole, podcasts: Any, owner: Person,
                                                                 server: MediaServer,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(server_bytes(server, "one.mp3"))
    uid = follow(podcasts, owner, server, "room.xml", *(
        item(number, server.url(f"one.mp3?{number}")) for number in (5, 4, 3, 2, 1)))
    named = {title[-1]: one.id for title, one in episodes(podcasts, owner, uid).items()}
    for number in "123":
        podcasts.download(owner, named[number])
        assert until_status(podcasts, owner, named[number], "completed")
    monkeypatch.setattr(podcasts.episodes, "_limit_bytes", 3 * size)
    podcasts.records.set_position(owner, named["1"], 1500)                      # in the middle of it
    podcasts.records.set_position(owner, named["3"], 0, finished=True)
    podcasts.download(owner, named["4"])
    assert until_status(podcasts, owner, named["4"], "completed", "error").shown.error is None
    status = {number: podcasts.records.whole(owner, one).shown.status for number, one in named.items()}
    assert status == {"1": "completed", "2": "completed", "3": "skipped", "4": "completed", "5": "new"}
    podcasts.records.set_favourite(owner, named["4"], True)
    with podcasts.episodes.heard(named["2"]):                                   # it sounds just now
        podcasts.download(owner, named["5"])
        assert "no room" in until_status(podcasts, owner, named["5"], "completed", "error").shown.error
    podcasts.download(owner, named["5"])
    assert until_status(podcasts, owner, named["5"], "completed")
    assert podcasts.records.whole(owner, named["2"]).shown.status == "skipped"
    assert {one.name for one in (folder(made) / uid).iterdir()} == {f"{named[number]}.mp3" for number in "145"}


def test_nobody_puts_another_file_in_an_episode_s_place(made: Whole, podcasts: Any, owner: Person,
                                                        server: MediaServer) -> None:
    server.add("evil.mp3", audio(".mp3", seconds=1, tone_hz=990))
    uid = follow(podcasts, owner, server, "safe.xml", item(1, server.url("one.mp3")))
    episode = episodes(podcasts, owner, uid)["Episode 1"].id
    podcasts.download(owner, episode)
    until_status(podcasts, owner, episode, "completed")
    answer = made.ask("POST", "/api/downloads", token=made.tokens["owner", "own"], json={"track": {
        "title": "x", "source": "podcast", "source_id": episode, "fetch_url": server.url("evil.mp3")}})
    assert answer.status_code == 202
    job = until(lambda: (one := made.station.download_records.as_shown(answer.json["download"]["id"])[1]).status in (
        "failed", "completed") and one)
    assert job.status == "failed"
    assert podcasts.sound_of(episode).path.read_bytes() == server_bytes(server, "one.mp3")


# ---- after a crash


def test_after_a_crash_rows_downloads_and_files_agree(made: Whole, podcasts: Any, owner: Person, server: MediaServer
                                                      ) -> None:
    records = podcasts.records
    uid = follow(podcasts, owner, server, "crash.xml", *(
        item(number, server.url(f"one.mp3?c{number}")) for number in range(6, 0, -1)))
    named = {title[-1]: one.id for title, one in episodes(podcasts, owner, uid).items()}
    records.mark(named["1"], "downloading", only=("new",))                              # before there was a download
    records.mark(named["2"], "downloading", only=("new",), download="gone")             # its download's row is lost
    podcasts.download(owner, named["3"])
    until_status(podcasts, owner, named["3"], "completed")
    podcasts.sound_of(named["3"]).path.unlink()                                         # somebody removed the file
    podcasts.download(owner, named["4"])
    four = until_status(podcasts, owner, named["4"], "completed")
    until(lambda: made.station.download_records.as_shown(four.download)[1].status == "completed")
    records.let_go(named["4"], "new")                                                   # done, and not written down
    records.mark(named["4"], "downloading", only=("new",), download=four.download)
    strange = folder(made) / uid / "strange.mp3.part"
    strange.write_bytes(b"left over")
    podcasts.episodes.recover()
    assert until_status(podcasts, owner, named["1"], "completed")
    assert records.whole(owner, named["2"]).shown.status == "error"
    assert records.whole(owner, named["3"]).shown.status == "deleted"
    assert records.whole(owner, named["4"]).shown.status == "error"
    assert not strange.exists()
    podcasts.download(owner, named["4"])
    assert until_status(podcasts, owner, named["4"], "completed")


def test_a_station_that_was_ended_amid_a_fetch_goes_on_with_it(tmp_path: Path, server: MediaServer) -> None:
    server.add("resumed.mp3", audio(".mp3", seconds=20), slow=60_000)
    first = station(tmp_path, server)
    one = first.station
    owner = one.accounts.who(first.tokens["owner", "own"], "127.0.0.1")
    one.engine.start()
    uid = follow(one.podcasts, owner, server, "resumed.xml", item(1, server.url("resumed.mp3")), keep=1)
    episode = episodes(one.podcasts, owner, uid)["Episode 1"].id
    until(lambda: server.asked("resumed.mp3"))
    one.engine.stop()
    one.nursery.stop()
    one.craft_workers.stop()
    one.database.close()
    server.change("resumed.mp3", slow=None)

    from shared.station import Station

    again = Station(one.settings)
    again.database.prepare()
    again.engine.start()
    again.podcasts.episodes.recover()
    try:
        assert until_status(again.podcasts, owner, episode, "completed", "error").shown.error is None
        assert again.podcasts.sound_of(episode).path.read_bytes() == server_bytes(server, "resumed.mp3")
        until(lambda: len(again.download_records.ids(owner, statuses=["completed"])) == 1)
    finally:
        again.engine.stop()
        again.nursery.stop()
        again.craft_workers.stop()
        again.database.close()
