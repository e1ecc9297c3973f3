"""Internet radio from servers written by hand: sound without the lines in it, and what the lines say."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.database import Database
from shared.events import EventBus, RadioMoved
from shared.model.download import Failure
from shared.model.errors import NotFound, Overloaded
from shared.model.podcast import OnAir
from shared.outbound import Outbound
from shared.radio import icy, relay
from shared.radio.icy import title_in, tune
from shared.radio.relay import Radios
from shared.records.radios import Radios as Records
from tests.fakes.icy import Icy, line_of
from tests.media_server import MediaServer
from tests.podcasts.feeds_made import until

SOUND = bytes(range(1, 251)) * 40


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Radios]]:
    database = Database(tmp_path_factory.mktemp("radio") / "library.db")
    database.prepare()
    made: list[Radios] = []

    def make(*servers: Any, events: EventBus | None = None, at_once: int = 8) -> Radios:
        allowed = [getattr(one, "host", one) if isinstance(one, Icy) else one.allow for one in servers]
        made.append(Radios(records=Records(database=database), outbound=Outbound(allowed),
                           events=events or EventBus(), now=lambda: "2026-01-01T00:00:00Z", at_once=at_once))
        return made[-1]

    yield make
    for one in made:
        one.stop()
    database.close()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "TITLE_S", 0.2)


def add(radios: Radios, url: str) -> str:
    return radios.records.add(None, name="A Radio", stream_url=url).id


def some_of(listening: Any, size: int) -> bytes:
    found = b""
    for piece in listening:
        found += piece
        if len(found) >= size:
            break
    return found


def is_sound(found: bytes) -> bool:
    return found != b"" and found in SOUND * (len(found) // len(SOUND) + 2)


@pytest.mark.parametrize("first_line", ["ICY 200 OK", "HTTP/1.0 200 OK", "HTTP/1.1 200 OK"])
def test_the_lines_are_taken_out_of_the_sound_and_told(house: Any, first_line: str) -> None:
    told: list[RadioMoved] = []
    events = EventBus()
    events.subscribe(RadioMoved, told.append)
    with Icy(SOUND, titles=["Her Band - A Song", "Just words"], first_line=first_line) as server:
        radios = house(server, events=events)
        uid = add(radios, server.url)
        assert radios.now(uid) == OnAir()
        listening = radios.listen(uid)
        assert listening.kind == "audio/mpeg"
        assert is_sound(some_of(listening, 5000))
        until(lambda: len(told) == 2)
        assert [(one.radio_id, one.artist, one.title) for one in told] == [(uid, "Her Band", "A Song"),
                                                                           (uid, "", "Just words")]
        assert radios.now(uid) == OnAir(title="Just words", at="2026-01-01T00:00:00Z")
        listening.close()
        until(lambda: not server.open)
        until(lambda: radios.now(uid) == OnAir())


def test_many_listeners_are_one_connection(house: Any) -> None:
    with Icy(SOUND) as server:
        radios = house(server, at_once=3)
        uid = add(radios, server.url)
        first = radios.listen(uid)
        some_of(first, 3000)
        others = [radios.listen(uid) for _ in range(2)]
        assert all(is_sound(some_of(one, 3000)) for one in others)
        assert len(server.asked) == 1
        with pytest.raises(Overloaded):
            radios.listen(uid)
        others[0].close()
        assert is_sound(some_of(radios.listen(uid), 2000))
        first.close()
        assert server.open == 1


def test_ogg_is_fetched_from_its_beginning_for_each(house: Any) -> None:
    with Icy(SOUND, kind="application/ogg") as server:
        radios = house(server)
        uid = add(radios, server.url)
        for _ in range(2):
            listening = radios.listen(uid)
            assert listening.kind == "audio/ogg"
            assert some_of(listening, 1000).startswith(SOUND[:200])
        assert len(server.asked) == 2


def test_a_connection_that_breaks_off_is_made_anew(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "AGAIN_S", (0.01, 0.01, 0.01))
    with Icy(SOUND, stops_after=4) as server:
        radios = house(server)
        listening = radios.listen(add(radios, server.url))
        assert len(some_of(listening, 7000)) >= 7000
        assert len(server.asked) >= 3


def test_a_radio_that_has_gone_lets_its_listeners_go(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "AGAIN_S", (0.01, 0.01))
    with Icy(SOUND, stops_after=4) as server:
        radios = house(server)
        uid = add(radios, server.url)
        listening = radios.listen(uid)
        server.__exit__()
        assert len(b"".join(listening)) <= 2000
        until(lambda: radios.now(uid) == OnAir())


def test_one_that_does_not_keep_up_loses_sound_and_the_others_do_not(house: Any,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "BEHIND", 2000)
    with Icy(SOUND, pause_s=0.001) as server:
        radios = house(server)
        uid = add(radios, server.url)
        slow, quick = radios.listen(uid), radios.listen(uid)
        assert is_sound(some_of(quick, 20_000)[-1500:])
        assert slow._waiting <= 2000


@pytest.mark.parametrize(("name", "content"), [
    ("radio.m3u", "#EXTM3U\n#EXTINF:-1,A Radio\n{url}\n"), ("radio.pls", "[playlist]\nFile1={url}\nTitle1=A\n"),
    ("dead.pls", "[playlist]\nFile2={url}\nFile1=http://127.0.0.1:1/\n"),
])
def test_a_playlist_leads_to_its_stream(house: Any, name: str, content: str) -> None:
    with Icy(SOUND) as server, MediaServer() as web:
        radios = house(server, web)
        uid = add(radios, web.add(name, content.format(url=server.url).encode()))
        assert is_sound(some_of(radios.listen(uid), 2000))


def test_what_is_no_radio_is_refused_with_its_reason(house: Any) -> None:
    with MediaServer() as web:
        radios = house(web)
        web.add("circle", status=302, headers={"Location": "/circle"})
        web.add("inside", status=302, headers={"Location": "http://10.0.0.1/x"})
        web.add("page", b"<html></html>", mime="text/html")
        web.add("hls.m3u8", b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:5\na.ts\n")
        web.add("empty.m3u", b"#EXTM3U\n")
        web.add("within.m3u", web.url("within.m3u").encode())
        web.add("garbage", garbage=b"\x00\x01 what\r\n\r\n")
        web.add("long", garbage=b"HTTP/1.0 200 OK\r\n" + b"x: y\r\n" * 10_000)
        told = {}
        for path in ("circle", "inside", "page", "hls.m3u8", "empty.m3u", "within.m3u", "garbage", "long", "missing"):
            with pytest.raises(Failure) as failure:
                radios.listen(add(radios, web.url(path)))
            told[path] = failure.value.code
        assert told == {"circle": "garbage", "inside": "forbidden_address", "page": "not_audio",
                        "hls.m3u8": "unsupported", "empty.m3u": "not_audio", "within.m3u": "not_audio",
                        "garbage": "garbage", "long": "garbage", "missing": "not_found"}
        assert radios._places._value == 8          # nobody keeps a place


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://169.254.169.254/latest", "http://[::1]/", "ftp://x/"])
def test_a_radio_leads_to_no_address_inside(house: Any, url: str) -> None:
    radios = house()
    with pytest.raises(Failure) as failure:
        radios.listen(add(radios, url))
    assert failure.value.code in ("forbidden_address", "bad_link")


def test_a_radio_that_is_removed_ends(house: Any) -> None:
    with Icy(SOUND) as server:
        radios = house(server)
        uid = add(radios, server.url)
        listening = radios.listen(uid)
        some_of(listening, 1000)
        radios.records.remove(uid)
        radios.forget(uid)
        assert len(b"".join(listening)) < 1_000_000
        with pytest.raises(NotFound):
            radios.listen(uid)
        until(lambda: not server.open)


def test_chunked_sound_is_put_together(house: Any) -> None:
    pieces = [SOUND[:700], SOUND[700:1000], SOUND[1000:1003]]
    body = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
    with MediaServer() as web:
        stream = tune(Outbound([web.allow]), web.add("chunked", garbage=head + body))
        assert b"".join(stream.sound()) == SOUND[:1003]
        stream.close()


@pytest.mark.parametrize(("line", "title"), [
    (b"StreamTitle='It's - Don't stop';StreamUrl='';", "It's - Don't stop"), (b"StreamTitle='';", ""),
    (b"StreamTitle='B\xf6rk';\x00\x00", "Börk"), ("StreamTitle='Börk\u202e\n';".encode(), "Börk"),
    (b"StreamUrl='x';", None), (b"", None), (b"StreamTitle='cut", None),
])
def test_titles_are_read_as_they_come(line: bytes, title: str | None) -> None:
    assert title_in(line) == title


@given(some.binary(max_size=4080))
def test_any_line_is_read_or_passed_over(said: bytes) -> None:
    title = title_in(line_of(b"StreamTitle='" + said + b"';")[1:])
    assert title is not None and len(title) <= 500 and not any(sign < " " for sign in title)


def test_listening_again_after_silence_begins_anew(house: Any) -> None:
    with Icy(SOUND) as server:
        radios = house(server)
        uid = add(radios, server.url)
        for count in (1, 2):
            listening = radios.listen(uid)
            assert is_sound(some_of(listening, 1000))
            listening.close()
            until(lambda: not server.open)
            assert len(server.asked) == count


# ---- servers that mean no good


class Drip:
    """Sends `head`, then `drop` for ever."""

    def __init__(self, head: bytes, drop: bytes, pause_s: float = 0.005) -> None:
        self._head, self._drop, self._pause_s = head, drop, pause_s
        self._over = threading.Event()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.allow = f"127.0.0.1:{self._door.getsockname()[1]}"
        self.sent = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plug, _ = self._door.accept()
                threading.Thread(target=self._send, args=(plug,), daemon=True).start()

    def _send(self, plug: socket.socket) -> None:
        with plug, contextlib.suppress(OSError):
            plug.sendall(self._head)
            while not self._over.wait(self._pause_s) if self._pause_s else not self._over.is_set():
                plug.sendall(self._drop)
                self.sent += len(self._drop)

    def __enter__(self) -> Drip:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._door.close()


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: audio/x-mpegurl\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(("head", "drop"), [
    (b"HTTP/1.0 200 OK\r\nContent-Type: audio/x-scpls\r\n\r\n", b"a"), (CHUNKED, b"\r\n"),
    (CHUNKED, b"1\r\na\r\n"), (CHUNKED, b"00000"), (CHUNKED, b"-5\r\n"),
])
def test_a_list_that_drips_for_ever_keeps_no_thread(
    house: Any, head: bytes, drop: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(icy, "FIRST_S", 0.3)
    with Drip(head, drop) as server:
        radios = house(server)
        with pytest.raises(Failure) as failure:
            radios.listen(add(radios, f"http://{server.allow}/list"))
        assert failure.value.code in ("timed_out", "garbage", "not_audio")
        assert radios._places._value == 8


def test_a_list_of_slow_servers_is_not_gone_through_to_its_end(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "OPEN_S", -1.0)
    with Icy(SOUND) as server:
        radios = house(server)
        with pytest.raises(Failure) as failure:
            radios.listen(add(radios, server.url))
        assert failure.value.code == "timed_out" and not server.asked


@pytest.mark.parametrize("said", ["1", "127", "99999999", "-5", "abc"])
def test_lines_between_every_few_bytes_are_no_radio(house: Any, said: str) -> None:
    head = f"ICY 200 OK\r\ncontent-type: audio/mpeg\r\nicy-metaint: {said}\r\n\r\n".encode()
    with Drip(head, b"\x00") as server:
        radios = house(server)
        with pytest.raises(Failure) as failure:
            radios.listen(add(radios, f"http://{server.allow}/"))
        assert failure.value.code == "garbage"


def test_a_title_with_every_crumb_is_told_now_and_then(house: Any) -> None:
    told: list[RadioMoved] = []
    events = EventBus()
    events.subscribe(RadioMoved, told.append)
    titles = [f"Her Band - Song {number}" for number in range(5000)]
    with Icy(SOUND, titles=titles, metaint=128, pause_s=0) as server:
        radios = house(server, events=events)
        listening = radios.listen(add(radios, server.url))
        some_of(listening, 40_000)
        until(lambda: len(told) == 2)       # the latest, not the next
        listening.close()
    assert (told[0].title, told[1].title) == ("Song 0", told[1].title) and int(told[1].title[5:]) > 100


def test_a_flood_is_taken_no_faster_than_sound_is(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits in its own line meanwhile: what is not taken is not sent."""
    monkeypatch.setattr(relay, "AHEAD", 200_000)
    monkeypatch.setattr(relay, "FASTEST", 100_000)
    with Drip(b"ICY 200 OK\r\ncontent-type: audio/mpeg\r\n\r\n", SOUND, pause_s=0) as server:
        radios = house(server)
        listening = radios.listen(add(radios, f"http://{server.allow}/"))
        taken = len(some_of(listening, 150_000))
        slept = radios._on[next(iter(radios._on))]._ahead_s(10**6)
        assert taken >= 150_000 and slept > 5
        listening.close()


def test_an_ogg_radio_that_is_removed_ends_too(house: Any) -> None:
    with Icy(SOUND, kind="application/ogg", metaint=None) as server:
        radios = house(server)
        uid = add(radios, server.url)
        listening = radios.listen(uid)
        some_of(listening, 500)
        radios.records.remove(uid)
        radios.forget(uid)
        until(lambda: not server.open)
        assert len(b"".join(listening)) < 100_000


def test_two_who_begin_at_once_are_one_connection_in_the_end(house: Any) -> None:
    with Icy(SOUND) as server:
        radios = house(server)
        uid = add(radios, server.url)
        streams = [radios.open(server.url) for _ in range(2) if radios._places.acquire()]
        listening = [radios._begin(uid, server.url, one) for one in streams]
        until(lambda: server.open == 1)
        assert all(is_sound(some_of(one, 2000)) for one in listening)
        for one in listening:
            one.close()
        until(lambda: not server.open)
