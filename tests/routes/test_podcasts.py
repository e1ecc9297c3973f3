"""Podcasts and radio as the player asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.routes.hanging_up import HANG_UP
from tests.builders import make_picture
from tests.fakes.icy import Icy
from tests.holding.whole import Whole
from tests.media_server import MediaServer, audio
from tests.podcasts.feeds_made import item, rss, station, until


@pytest.fixture(scope="module")
def server() -> Iterator[MediaServer]:
    with MediaServer() as one:
        one.add("one.mp3", audio(".mp3", seconds=2))
        one.add("cover.jpg", make_picture(200))
        one.add("show.xml", rss([item(2, one.url("one.mp3?2")), item(1, one.url("one.mp3"))], extra=(
            f'<itunes:image href="{one.url("cover.jpg")}"/>')))
        yield one


@pytest.fixture(scope="module")
def radio() -> Iterator[Icy]:
    with Icy(titles=["Her Band - A Song"]) as one:
        yield one


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, server: MediaServer, radio: Icy) -> Iterator[Whole]:
    one = station(tmp_path_factory.mktemp("station"), server)
    one.station.radios._outbound._allowed |= {(radio.host.split(":")[0], int(radio.host.split(":")[1]))}
    one.station.engine.start()
    yield one
    one.station.engine.stop()
    one.station.nursery.stop()
    one.station.radios.stop()
    one.station.craft_workers.stop()
    one.station.workers.stop()
    one.station.database.close()


@pytest.fixture
def show(made: Whole, server: MediaServer) -> Iterator[dict[str, Any]]:
    answer = ask(made, "POST", "/api/podcasts", json={"url": server.url("show.xml")})
    assert answer.status_code == 201
    yield answer.json
    ask(made, "DELETE", f"/api/podcasts/{answer.json['id']}")


def ask(made: Whole, method: str, path: str, role: str = "owner", scope: str = "own", **given: Any) -> Any:
    return made.ask(method, path, token=made.tokens[role, scope], buffered=True, **given)


def newest(made: Whole, show: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = ask(made, "GET", f"/api/podcasts/{show['id']}/episodes?limit=1").json["items"][0]
    return found


def test_a_podcast_is_followed_listed_changed_and_left(made: Whole, server: MediaServer, show: dict[str, Any]) -> None:
    assert (show["title"], show["episode_count"], show["keep"], show["image"]) == ("The Show", 2, 0, True)
    assert ask(made, "GET", "/api/podcasts", "guest", "listen").json == {"items": [show]}
    assert ask(made, "POST", "/api/podcasts", json={"url": server.url("show.xml")}).status_code == 409
    assert ask(made, "PATCH", f"/api/podcasts/{show['id']}", json={"keep": 0}).json["keep"] == 0
    assert ask(made, "PATCH", f"/api/podcasts/{show['id']}", json={"keep": 1000}).status_code == 400
    assert ask(made, "POST", "/api/podcasts/refresh", json={}).status_code == 202
    for url, status in (("http://127.0.0.1:9/feed", 422), ("file:///etc/passwd", 422), (server.url("none"), 422)):
        assert ask(made, "POST", "/api/podcasts", json={"url": url}).status_code == status, url


@pytest.mark.parametrize(("role", "scope"), [("guest", "own"), ("child", "own"), ("owner", "listen")])
def test_who_may_not_add_music_adds_and_ends_no_podcast(made: Whole, server: MediaServer, show: dict[str, Any],
                                                         role: str, scope: str) -> None:
    episode = newest(made, show)["id"]
    for method, path, body in (
        ("POST", "/api/podcasts", {"url": server.url("show.xml")}), ("DELETE", f"/api/podcasts/{show['id']}", None),
        ("PATCH", f"/api/podcasts/{show['id']}", {"keep": 5}), ("POST", f"/api/episodes/{episode}/download", None),
        ("DELETE", f"/api/episodes/{episode}/download", None), ("POST", "/api/podcasts/opml", {"opml": "x"}),
        ("POST", "/api/radios", {"name": "x", "stream_url": "http://x.example/"}),
    ):
        given = {} if body is None else {"json": body}
        assert ask(made, method, path, role, scope, **given).status_code == 403, path
    heard = ask(made, "PUT", f"/api/episodes/{episode}/position", role, scope, json={"position_ms": 1500})
    assert heard.status_code == 200 and heard.json["position_ms"] == 1500
    again = ask(made, "PUT", f"/api/episodes/{episode}/position", role, scope, json={"position_ms": 0})
    assert again.json["position_ms"] == 0


def test_episodes_come_page_by_page_with_each_person_s_place(made: Whole, show: dict[str, Any]) -> None:
    first = ask(made, "GET", f"/api/podcasts/{show['id']}/episodes?limit=1").json
    assert (first["items"][0]["title"], first["total"]) == ("Episode 2", 2)
    rest = ask(made, "GET", f"/api/podcasts/{show['id']}/episodes?limit=1&cursor={first['next_cursor']}").json
    assert (rest["items"][0]["title"], rest["next_cursor"]) == ("Episode 1", None)
    uid = first["items"][0]["id"]
    told = ask(made, "PUT", f"/api/episodes/{uid}/position", json={"position_ms": 1900, "finished": True}).json
    assert (told["position_ms"], told["finished"]) == (1900, True)
    assert ask(made, "GET", f"/api/episodes/{uid}").json == told
    assert ask(made, "GET", f"/api/episodes/{uid}", "adult").json["finished"] is False
    assert [one["title"] for one in ask(made, "GET", "/api/episodes?latest=1").json["items"]] == ["Episode 2"]
    assert ask(made, "PUT", "/api/episodes/none/position", json={"position_ms": 1}).status_code == 404
    assert ask(made, "PUT", f"/api/episodes/{uid}/position", json={"position_ms": -1}).status_code == 400


def test_an_episode_sounds_from_its_source_and_then_from_its_file(made: Whole, server: MediaServer,
                                                                  show: dict[str, Any]) -> None:
    uid = newest(made, show)["id"]
    path, sound = f"/api/episodes/{uid}/stream", server._things["one.mp3"].content
    server.forget()
    for _ in range(2):
        answer = ask(made, "GET", path, "guest", "listen")
        assert (answer.status_code, answer.data, answer.mimetype) == (200, sound, "audio/mpeg")
        part = ask(made, "GET", path, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.data) == (206, sound[10:20])
        assert part.headers["Content-Range"] == f"bytes 10-19/{len(sound)}"
        assert ask(made, "HEAD", path).status_code == 200
        assert ask(made, "GET", path, headers={"Range": "bytes=99999999-"}).status_code == 416
        if newest(made, show)["status"] == "new":
            assert len(server.asked("one.mp3")) == 4
            assert ask(made, "POST", f"/api/episodes/{uid}/download").json["status"] in ("downloading", "completed")
            until(lambda: newest(made, show)["status"] == "completed")
            server.forget()
    assert server.asked("one.mp3") == []
    assert ask(made, "DELETE", f"/api/episodes/{uid}/download").json["status"] == "deleted"


def test_its_picture_is_drawn_here(made: Whole, show: dict[str, Any]) -> None:
    answer = ask(made, "GET", f"/api/podcasts/{show['id']}/cover?size=150", "guest")
    assert (answer.status_code, answer.mimetype) == (200, "image/webp")
    again = ask(made, "GET", f"/api/podcasts/{show['id']}/cover?size=150",
                headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert ask(made, "GET", "/api/podcasts/none/cover").status_code == 404


def test_feeds_are_taken_along_as_opml(made: Whole, show: dict[str, Any], server: MediaServer) -> None:
    answer = ask(made, "GET", "/api/podcasts/opml", "guest")
    assert answer.mimetype == "text/x-opml" and "attachment" in answer.headers["Content-Disposition"]
    report = ask(made, "POST", "/api/podcasts/opml", json={"opml": answer.text}).json
    assert (report["added"], report["known"], report["failed"]) == (0, 1, 0)
    assert report["items"][0]["id"] == show["id"]
    assert ask(made, "POST", "/api/podcasts/opml", json={"opml": "<!DOCTYPE x []><x/>"}).status_code == 422


def test_a_radio_is_noted_heard_and_forgotten(made: Whole, radio: Icy) -> None:
    noted = ask(made, "POST", "/api/radios", json={"name": " A  Radio ", "stream_url": radio.url})
    assert (noted.status_code, noted.json["name"], noted.json["homepage_url"]) == (201, "A Radio", "")
    uid = noted.json["id"]
    assert ask(made, "GET", "/api/radios", "guest", "listen").json == {"items": [noted.json]}
    assert ask(made, "GET", f"/api/radios/{uid}/now").json == {"title": "", "artist": "", "at": None}
    client = made.app.test_client(use_cookies=False)
    answer = client.get(f"/api/radios/{uid}/stream",
                        headers={"Authorization": f"Bearer {made.tokens['guest', 'listen']}"})
    assert (answer.status_code, answer.mimetype) == (200, "audio/mpeg")
    pieces = answer.iter_encoded()
    heard = b""
    while len(heard) < 2000:
        heard += next(pieces)
    assert b"StreamTitle" not in heard and heard in radio.sound * 3
    until(lambda: ask(made, "GET", f"/api/radios/{uid}/now").json["title"] == "A Song")
    assert ask(made, "GET", f"/api/radios/{uid}/now").json["artist"] == "Her Band"
    changed = ask(made, "PATCH", f"/api/radios/{uid}", json={"homepage_url": "http://home.example/"})
    assert changed.json["homepage_url"] == "http://home.example/"
    for wrong in ({"name": "\n"}, {"homepage_url": "javascript:alert(1)"}, {"stream_url": "file:///x"}, {}):
        assert ask(made, "PATCH", f"/api/radios/{uid}", json=wrong).status_code in (400, 422), wrong
    assert ask(made, "DELETE", f"/api/radios/{uid}").status_code == 204
    answer.close()
    until(lambda: not radio.open)
    assert ask(made, "GET", f"/api/radios/{uid}/stream").status_code == 404


def test_a_radio_is_among_the_streams_that_end_with_a_login(made: Whole, radio: Icy) -> None:
    uid = ask(made, "POST", "/api/radios", json={"name": "A", "stream_url": radio.url}).json["id"]
    client = made.app.test_client(use_cookies=False)
    ended: list[bool] = []
    answer = client.get(f"/api/radios/{uid}/stream", environ_overrides={HANG_UP: lambda: ended.append(True)},
                        headers={"Authorization": f"Bearer {made.tokens['adult', 'listen']}"})
    next(answer.iter_encoded())
    made.station.open_streams.end([made.station.accounts.who(made.tokens["adult", "listen"], "127.0.0.1").token_id])
    until(lambda: ended)
    answer.close()
    assert len(made.station.open_streams) == 0
    ask(made, "DELETE", f"/api/radios/{uid}")


def test_players_are_told_of_podcasts_and_radios(made: Whole, show: dict[str, Any]) -> None:
    from shared.events import PodcastsChanged, RadioMoved

    told: list[tuple[str, bytes]] = []
    listeners = made.station.events._listeners
    assert listeners[PodcastsChanged] and listeners[RadioMoved]
    feed = listeners[RadioMoved][0].__self__
    feed.attach(lambda one: told.append((one.event, one.body)))
    feed.begin()
    made.station.events.publish(PodcastsChanged(show["id"], "e"))
    made.station.events.publish(RadioMoved("r", "A Song", "Her Band", "2026-01-01T00:00:00Z"))
    until(lambda: len(told) >= 2)
    assert [event for event, _ in told] == ["podcasts:changed", "radio:now"]
    assert b"A Song" in told[1][1] and show["id"].encode() in told[0][1]
