"""Open players: who is let in, what they hear, in which order, and what slow or silent ones cost the others."""

from __future__ import annotations

import json
import logging
import socket as net
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import socketio
import websocket
from werkzeug.serving import WSGIRequestHandler, make_server

from shared import sockets as room
from shared.events import (
    DevicesChanged,
    LibraryChanged,
    Notice,
    PersonChanged,
    PlaybackMoved,
    ScanMoved,
    SessionsEnded,
)
from shared.sockets import Message, Outbox, Sockets
from tests.routes.fakes import ANN, BEN, FakeStation, make_app


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *args: Any) -> None: ...


class Front:
    """The real doors and sockets on a threaded server, with fakes behind."""

    def __init__(self, folder: Path) -> None:
        self.station = FakeStation(folder)
        app = make_app(self.station)
        self.feed = self.station.feed
        self.sockets = Sockets(
            events=self.station.events, accounts=self.station.accounts, feed=self.feed, settings=self.station.settings,
        )
        self.sockets.init_app(app)
        self.server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def publish(self, event: object) -> None:
        self.station.events.publish(event)

    def open(self, token: str | None = "ann-token", **options: Any) -> Player:
        return Player(self.port, token, **options)

    def stop(self) -> None:
        self.sockets.stop()
        self.feed.stop()
        self.server.shutdown()
        self.server.server_close()


class Player:
    """A WebSocket that speaks Socket.IO by hand."""

    def __init__(self, port: int, token: str | None, *, headers: dict[str, str] | None = None,
                 origin: str | None = None) -> None:
        options: dict[str, Any] = {"suppress_origin": True} if origin is None else {"origin": origin}
        self.wire = websocket.create_connection(
            f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket", timeout=10, header=headers or {}, **options)
        self.hello = self.wire.recv()
        self.wire.send("40" + (json.dumps({"token": token}) if token is not None else ""))
        self.answer = self.wire.recv()
        self.snapshot: dict[str, Any] = {}
        if self.answer.startswith("40"):
            self.snapshot = self.hear("snapshot")

    @property
    def sid(self) -> str:
        return str(json.loads(self.answer[2:])["sid"])

    def next(self, timeout_s: float = 5) -> tuple[str, dict[str, Any]] | None:
        """The next event; None when the connection ended."""
        self.wire.settimeout(timeout_s)
        while True:
            try:
                text = self.wire.recv()
            except (websocket.WebSocketConnectionClosedException, ConnectionError):
                return None
            if not text or text == "41":
                return None
            if text == "2":
                self.wire.send("3")
            elif text.startswith("42"):
                name, data = json.loads(text[2:])
                return name, data

    def hear(self, name: str) -> dict[str, Any]:
        """The next event, which must be called `name`."""
        event = self.next()
        assert event is not None, f"the connection ended instead of {name}"
        assert event[0] == name, event
        return event[1]

    def hears_nothing(self) -> bool:
        try:
            event = self.next(0.3)
        except websocket.WebSocketTimeoutException:
            return True
        raise AssertionError(f"heard {event}")

    def say(self, event: str, data: Any) -> None:
        self.wire.send("42" + json.dumps([event, data]))

    def close(self) -> None:
        self.wire.close()


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    front = Front(tmp_path)
    try:
        yield front
    finally:
        front.stop()


def until(true: Any, timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


# ---- who is let in ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "", "wrong", 5, {"a": 1}])
def test_without_a_valid_token_nobody_is_let_in(front: Front, token: Any) -> None:
    player = front.open(token)
    assert player.answer.startswith("44")
    assert front.sockets.count == 0
    front.publish(Notice("info", "secret"))
    assert player.hears_nothing()


@pytest.mark.parametrize("headers", [
    {"Cookie": "soundsible_session=ann-token"}, {"Authorization": "Bearer ann-token"},
])
def test_the_cookie_or_a_bearer_token_opens_too(front: Front, headers: dict[str, str]) -> None:
    assert front.open(None, headers=headers).snapshot["revision"] == 7


def test_a_cookie_from_another_sites_page_is_refused(front: Front) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
        front.open(None, origin="http://evil.example", headers={"Cookie": "soundsible_session=ann-token"})
    assert refusal.value.status_code == 403


def test_the_own_page_is_let_in(front: Front) -> None:
    own = f"http://127.0.0.1:{front.port}"
    assert front.open(None, origin=own, headers={"Cookie": "soundsible_session=ann-token"}).snapshot


def ask(front: Front, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=10)
    connection.putrequest("GET", path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_foreign_host_is_misdirected(front: Front) -> None:
    assert ask(front, "/socket.io/?EIO=4&transport=polling", {"Host": "evil.example"})[0] == 421


def test_polling_from_another_sites_page_is_refused(front: Front) -> None:
    path = "/socket.io/?EIO=4&transport=polling"
    assert ask(front, path, {"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert ask(front, path, {})[0] == 200


@pytest.mark.parametrize("query", ["&j=0", "&%6A=0", "&a=1" * 40])
def test_answers_that_a_script_tag_could_read_are_not_given(front: Front, query: str) -> None:
    assert ask(front, "/socket.io/?EIO=4&transport=polling" + query, {})[0] == 400


def test_who_never_logs_in_is_let_go(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    known = front.open()
    monkeypatch.setattr(room, "STRANGER_S", 0.2)
    silent = websocket.create_connection(f"ws://127.0.0.1:{front.port}/socket.io/?EIO=4&transport=websocket",
                                         timeout=10, suppress_origin=True)
    with pytest.raises((websocket.WebSocketConnectionClosedException, ConnectionError)):
        for _ in range(4):              # a word of welcome, if there was time for one, and the end
            if not silent.recv():
                raise ConnectionError
    front.publish(LibraryChanged(8))
    assert known.hear("library:changed")["revision"] == 8


def silent(front: Front, headers: dict[str, str] | None = None) -> websocket.WebSocket:
    """Opens and does not log in."""
    wire = websocket.create_connection(f"ws://127.0.0.1:{front.port}/socket.io/?EIO=4&transport=websocket",
                                       timeout=10, suppress_origin=True, header=headers or {})
    assert wire.recv().startswith("0")
    return wire


def ended(wire: websocket.WebSocket) -> bool:
    """Waits for what comes next; whether it was the end."""
    try:
        return wire.recv() in ("", "1")
    except (websocket.WebSocketConnectionClosedException, ConnectionError):
        return True


def test_the_oldest_stranger_gives_way_and_a_token_may_come_late(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "STRANGERS", 3)
    monkeypatch.setattr(room, "STRANGER_S", 60)
    strangers = [silent(front) for _ in range(5)]
    assert [ended(one) for one in strangers[:2]] == [True, True]
    assert len(front.sockets._server.eio.sockets) == 3
    for one in strangers[2:]:
        one.send('40{"token": "ann-token"}')
        assert one.recv().startswith("40")
    until(lambda: front.sockets.count == 3)
    more = [silent(front) for _ in range(4)]
    assert ended(more[0])
    assert front.sockets.count == 3, "who has logged in makes room for no stranger"


@pytest.mark.parametrize("headers", [
    {"Cookie": "soundsible_session=ann-token"}, {"Authorization": "Bearer ann-token"},
])
def test_who_comes_with_a_valid_token_is_no_stranger(
    front: Front, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "STRANGERS", 1)
    known = silent(front, headers)
    strangers = [silent(front, {"Cookie": "soundsible_session=wrong"}) for _ in range(3)]
    assert ended(strangers[0])
    known.send("40")
    assert known.recv().startswith("40")


def test_a_flood_from_one_address_displaces_nobody_at_another() -> None:
    strangers = room.Strangers()
    assert strangers.sit("a friend", "10.0.0.2", seats=3) is None
    gone = [strangers.sit(str(n), "10.0.0.1", seats=3) for n in range(5)]
    assert gone == [None, None, "0", "1", "2"]
    strangers.rise("a friend")
    assert strangers.sit("5", "10.0.0.3", seats=3) is None


def test_nobody_is_displaced_in_the_moment_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SEAT_S", 60)
    strangers = room.Strangers()
    strangers.sit("first", "", seats=1)
    gone: list[str | None] = []
    waiting = threading.Thread(target=lambda: gone.append(strangers.sit("second", "", seats=1)), daemon=True)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    strangers.rise("first")
    waiting.join(10)
    assert gone == [None]


def test_a_strangers_poll_holds_no_thread(front: Front) -> None:
    path = "/socket.io/?EIO=4&transport=polling"
    sid = json.loads(ask(front, path, {})[1][1:])["sid"]
    assert ask(front, f"{path}&sid={sid}", {}) == (200, b"6")


def test_a_session_has_one_connection(front: Front) -> None:
    path = "/socket.io/?EIO=4&transport=polling"
    sid = json.loads(ask(front, path, {})[1][1:])["sid"]
    url = f"ws://127.0.0.1:{front.port}/socket.io/?EIO=4&transport=websocket&sid={sid}"
    first = websocket.create_connection(url, timeout=10, suppress_origin=True)
    until(lambda: front.sockets._server.eio.sockets[sid].upgrading)
    second = websocket.create_connection(url, timeout=10, suppress_origin=True)
    assert ended(second)
    first.send("2probe")
    assert first.recv() == "3probe"


def test_who_leaves_but_keeps_the_connection_is_let_go(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    player = front.open()
    monkeypatch.setattr(room, "STRANGER_S", 0.2)
    player.wire.send("41")
    while not ended(player.wire):
        pass
    until(lambda: not front.sockets._server.eio.sockets)


# ---- what they hear ----------------------------------------------------------------------------------------------


def test_a_snapshot_comes_first_and_events_follow_in_order(front: Front) -> None:
    player = front.open()
    assert player.snapshot["seq"] == 0
    assert player.snapshot["scan"]["state"] == "idle"
    assert player.snapshot["downloads"] == []
    for revision in (8, 9):
        front.publish(LibraryChanged(revision))
        heard = player.hear("library:changed")
        assert heard == {"seq": revision - 7, "revision": revision}
    front.publish(Notice("warning", "A sentence"))
    assert player.hear("notice") == {"seq": 3, "level": "warning", "message": "A sentence"}
    later = front.open()
    assert later.snapshot["seq"] == 3


def test_many_changes_in_a_row_are_told_as_few(front: Front) -> None:
    player = front.open()
    for revision in range(8, 508):
        front.publish(LibraryChanged(revision))
    heard = [player.hear("library:changed")]
    while heard[-1]["revision"] < 507:
        heard.append(player.hear("library:changed"))
    assert len(heard) <= 5
    assert [one["seq"] for one in heard] == list(range(1, len(heard) + 1))
    assert player.hears_nothing()


def test_a_scans_paths_are_for_who_may_see_files(front: Front) -> None:
    owner, child = front.open("ann-token"), front.open("kid-token")
    assert owner.snapshot["scan"]["bad"]
    assert child.snapshot["scan"]["bad"] == []
    front.publish(ScanMoved({"id": "s", "state": "running", "found": 5, "bad": [{"path": "a", "reason": "empty"}],
                             "offline": ["/x"]}))
    told = owner.hear("scan:progress")
    assert (told["found"], told["bad"], told["offline"]) == (5, [{"path": "a", "reason": "empty"}], ["/x"])
    told = child.hear("scan:progress")
    assert (told["found"], told["bad"], told["offline"]) == (5, [], [])


def test_what_concerns_one_person_is_told_to_nobody_else(front: Front) -> None:
    ann, phone, ben = front.open("ann-token"), front.open("ann-token"), front.open("ben-token")
    front.publish(DevicesChanged(1))
    front.publish(Notice("info", "for Ann", user_id=1))
    front.publish(PlaybackMoved(1, {"playing": True}))
    for player in (ann, phone):
        assert player.hear("devices:changed") == {"seq": 1}
        assert player.hear("notice")["message"] == "for Ann"
        assert player.hear("playback:state") == {"seq": 3, "playing": True}
    assert ben.hears_nothing()
    front.publish(LibraryChanged(9))    # nobody has a gap in the numbers
    assert (ann.hear("library:changed")["seq"], ben.hear("library:changed")["seq"]) == (4, 1)
    assert front.open("ben-token").snapshot["seq"] == 4     # who is new begins beyond all that was told


def test_playback_is_relayed_between_the_same_persons_devices(front: Front) -> None:
    desk, phone, radio, ben = front.open(), front.open(), front.open(), front.open("ben-token")
    desk.say("playback:state", {"track_id": "t", "position_ms": 5, "seq": 99, "from": "me"})
    for player in (phone, radio):
        assert player.hear("playback:state") == {"track_id": "t", "position_ms": 5, "seq": 1, "from": desk.sid}
    phone.say("playback:command", {"to": desk.sid, "command": "pause"})
    assert desk.hear("playback:command") == {"to": desk.sid, "command": "pause", "seq": 1, "from": phone.sid}
    ben.say("playback:command", {"to": desk.sid, "command": "steal"})
    for player in (desk, radio, ben):
        assert player.hears_nothing()


@pytest.mark.parametrize("nonsense", ["x", None, 5, ["a"], {}])
def test_nonsense_from_a_player_harms_nobody(front: Front, nonsense: Any) -> None:
    player, other = front.open(), front.open("ben-token")
    player.say("playback:state", nonsense)
    player.say("no such event", nonsense)
    player.wire.send("42{")
    player.wire.send("99")
    player.wire.send("4" + "[" * 20_000)
    front.publish(LibraryChanged(8))
    assert other.hear("library:changed")["revision"] == 8


def test_a_flood_from_a_player_is_cut(front: Front) -> None:
    player, other = front.open(), front.open()
    for number in range(300):
        player.say("playback:state", {"n": number})
    player.close()
    until(lambda: front.sockets.count == 1)     # all it said has been read
    front.publish(LibraryChanged(8))
    heard = []
    while (event := other.next()) and event[0] != "library:changed":
        heard.append(event)
    assert 0 < len(heard) < 150


def test_a_message_longer_than_allowed_ends_its_connection_alone(front: Front) -> None:
    player, other = front.open(), front.open()
    player.wire.send("42" + json.dumps(["playback:state", {"x": "y" * 200_000}]))
    assert player.next() is None
    front.publish(LibraryChanged(8))
    assert other.hear("library:changed")["revision"] == 8


# ---- ends ----------------------------------------------------------------------------------------------------------


def test_a_socket_ends_with_its_session_and_the_others_stay(front: Front) -> None:
    ann, ben = front.open("ann-token"), front.open("ben-token")
    front.publish(SessionsEnded((1, 77)))
    assert ann.next() is None
    until(lambda: front.sockets.count == 1)
    front.publish(LibraryChanged(8))
    assert ben.hear("library:changed")["revision"] == 8


def test_what_somebody_may_hear_changes_at_once_in_an_open_socket(
        front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.events import DownloadRemoved

    ann, ben = front.open("ann-token"), front.open("ben-token")
    front.publish(DownloadRemoved(2, "d1"))
    assert ben.hear("download:removed")["id"] == ann.hear("download:removed")["id"] == "d1"
    changed = replace(BEN, rights=frozenset(), user_id=2)
    asked: list[str] = []

    def who(token: str, address: str = "") -> Any:
        asked.append(token)
        return changed if token[0] == "b" else ANN

    monkeypatch.setattr(front.station.accounts, "who", who)
    front.publish(PersonChanged(2))
    until(lambda: any(one.person is changed for one in front.sockets._open.values()))
    assert set(asked) == {"ben-token"}


def test_a_session_that_ended_without_a_word_is_noticed(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CHECK_EVERY_S", 0.05)
    monkeypatch.setattr(room, "RECHECK_EVERY_S", 0.1)
    ann, ben = front.open("ann-token"), front.open("ben-token")
    monkeypatch.setattr(front.station.accounts, "who",
                        lambda token, address="": SimpleNamespace(**{
                            "token_id": 2, "user_id": 2, "id": "b", "sees_files": True,
                            "limited": False}) if token[0] == "b" else None)
    assert ann.next() is None
    front.publish(LibraryChanged(8))
    assert ben.hear("library:changed")["revision"] == 8


def test_who_takes_nothing_is_let_go_and_keeps_nobody_waiting(
    front: Front, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(room, "WAITING_LIMIT", 20)
    caplog.set_level(logging.INFO, room.__name__)
    stuck, lively = front.open("ben-token"), front.open("ann-token")
    text = "x" * 100_000
    for number in range(200):
        front.publish(Notice("info", text + str(number)))
        assert lively.hear("notice")["message"].endswith(str(number))
        if front.sockets.count == 1:
            break
    assert front.sockets.count == 1
    assert "does not take what it is told" in caplog.text
    while stuck.next() is not None:
        pass


def test_stopping_closes_every_socket(front: Front) -> None:
    players = [front.open() for _ in range(3)]
    front.sockets.stop()
    assert [player.next() for player in players] == [None, None, None]


def test_a_closed_player_leaves_nothing_behind(front: Front) -> None:
    front.open().close()
    until(lambda: front.sockets.count == 0)
    until(lambda: not front.sockets._server.eio.sockets)
    until(lambda: not front.sockets._server.environ)


def test_an_open_player_costs_two_threads(front: Front) -> None:
    front.open()
    before = threading.active_count()
    players = [front.open() for _ in range(10)]
    assert threading.active_count() - before <= 20
    assert players


# ---- the library that browsers and programs use --------------------------------------------------------------------


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]])
def test_the_usual_client_hears_over_each_transport(front: Front, transports: list[str]) -> None:
    heard: list[tuple[str, Any]] = []
    client = socketio.Client(reconnection=False)
    client.on("*", lambda event, data: heard.append((event, data)))
    client.connect(f"http://127.0.0.1:{front.port}", auth={"token": "ann-token"}, transports=transports)
    try:
        until(lambda: heard)
        assert heard[0][0] == "snapshot"
        for revision in range(8, 13):
            front.publish(LibraryChanged(revision))
            until(lambda: heard[-1][1].get("revision") == revision)  # noqa: B023
        assert [data["seq"] for _, data in heard] == list(range(6))
        if transports[-1] == "websocket":
            assert client.transport() == "websocket"
    finally:
        front.sockets.stop()    # a disconnect by this client waits three seconds for its own reading thread
        until(lambda: not client.connected)


def test_the_usual_client_is_told_that_it_is_refused(front: Front) -> None:
    client = socketio.Client(reconnection=False)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(f"http://127.0.0.1:{front.port}", auth={"token": "no"}, transports=["polling"])


# ---- the short way -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 123, 124, 125, 126, 65_533, 65_534, 65_535, 70_000])
def test_a_frame_of_any_length_reads_as_a_websocket_message(length: int) -> None:
    from wsproto.connection import ConnectionState, ConnectionType
    from wsproto.frame_protocol import FrameProtocol

    assert ConnectionState and ConnectionType
    protocol = FrameProtocol(client=True, extensions=[])
    protocol.receive_bytes(Message("é" * (length // 2)).frame)
    payload = "".join(frame.payload for frame in protocol.received_frames())
    assert payload == "4" + "é" * (length // 2)


def test_a_frame_the_kernel_took_half_of_is_finished_by_the_queue() -> None:
    ours, theirs = net.socketpair()
    ours.setsockopt(net.SOL_SOCKET, net.SO_SNDBUF, 4096)
    outbox = Outbox()
    outbox.attach(ours)
    sent: list[Any] = []

    def writer() -> None:
        while (item := outbox.get()) is not None:
            ours.sendall(item.encode())
            sent.append(item)

    thread = threading.Thread(target=writer, daemon=True)
    thread.start()
    until(lambda: outbox._waiting)
    frame = bytes(range(256)) * 4096
    assert outbox.send_now(frame)
    assert not outbox.send_now(b"too early")
    outbox.put(SimpleNamespace(encode=lambda: b"after"))
    got = b""
    while len(got) < len(frame) + 5:
        got += theirs.recv(65536)
    assert got == frame + b"after"
    assert sent
    outbox.put(None)
    thread.join(5)
    outbox.detach()
    ours.close()
    theirs.close()


def test_a_frame_never_overtakes_what_is_being_sent() -> None:
    ours, theirs = net.socketpair()
    outbox = Outbox()
    outbox.attach(ours)
    assert not outbox.send_now(b"nobody waits, so something may be in the sender's hand")
    outbox.detach()
    assert not outbox.send_now(b"not attached")
    ours.close()
    theirs.close()


def test_an_ended_connection_swallows_frames_and_the_descriptor_is_free() -> None:
    ours, theirs = net.socketpair()
    outbox = Outbox()
    outbox.attach(ours)
    thread = threading.Thread(target=outbox.get, daemon=True)
    thread.start()
    until(lambda: outbox._waiting)
    theirs.close()
    assert outbox.send_now(b"x")
    outbox.hang_up()
    outbox.put(None)
    thread.join(5)
    outbox.detach()
    ours.close()


def test_nothing_is_sent_past_a_close() -> None:
    ours, theirs = net.socketpair()
    with ours, theirs:
        outbox = Outbox()
        outbox.attach(ours)
        writer = threading.Thread(target=outbox.get, daemon=True)   # waits: all before has been sent
        writer.start()
        deadline = time.monotonic() + 10
        while not outbox.send_now(b"a word"):
            assert time.monotonic() < deadline
        outbox.last_word()
        assert outbox.send_now(b"a word too late")
        outbox.put(None)
        writer.join(10)
        outbox.detach()
        ours.close()
        assert b"".join(iter(lambda: theirs.recv(100), b"")) == b"a word"
