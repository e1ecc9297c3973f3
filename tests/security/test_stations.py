"""Two stations know each other, see each other's libraries, and nobody stands between them or in one's place."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import requests

from shared.database import Database
from shared.model.person import Person
from shared.records.people import People
from shared.records.stations import Stations as StationRecords
from shared.security import peer as room
from shared.security import sync_token
from shared.security.identity import Identity
from shared.security.peer import Peer, StationRefuses, StationUnreachable
from shared.security.stations import Stations
from shared.vault import Vault
from tests.running import RunningStation, make_music, start_station


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningStation, RunningStation]]:
    """Two stations with the same music in libraries of their own."""
    folder = tmp_path_factory.mktemp("two")
    music = make_music(folder / "music")
    shutil.copytree(music, folder / "music2")
    made = []
    try:
        for name, of in (("attic", music), ("cabin", folder / "music2")):
            made.append(start_station(folder / name, [of], environ={"SOUNDSIBLE_NAME": name}))
        for one in made:
            one.wait_for_scan()
        yield made[0], made[1]
    finally:
        for one in made:
            one.stop()


def _sync_token(station: RunningStation, scope: str = "listen", **more: Any) -> str:
    status, made = station.call("POST", "/api/pairing/tokens", {"scope": scope, **more})
    assert status == 201, made
    return str(made["token"])


def _titles(station: RunningStation) -> dict[str, str]:
    _, page = station.call("GET", "/api/library/tracks?limit=500")
    return {one["title"]: one["id"] for one in page["items"]}


@pytest.fixture(scope="module")
def paired(pair: tuple[RunningStation, RunningStation]) -> tuple[RunningStation, RunningStation, dict[str, Any]]:
    """The cabin claims a token of the attic; (attic, cabin, the attic as the cabin shows it)."""
    attic, cabin = pair
    status, shown = cabin.call("POST", "/api/stations", {"token": _sync_token(attic)})
    assert status == 201, shown
    return attic, cabin, shown


def test_claiming_a_token_makes_both_know_each_other(paired: tuple[RunningStation, RunningStation, Any]) -> None:
    attic, cabin, shown = paired
    assert shown["name"] == "attic" and attic.url in shown["endpoints"]
    _, at_cabin = cabin.call("GET", "/api/stations")
    _, at_attic = attic.call("GET", "/api/stations")
    assert [one["name"] for one in at_cabin["items"]] == ["attic"]
    assert [one["name"] for one in at_attic["items"]] == ["cabin"]
    for station, other in ((attic, "cabin"), (cabin, "attic")):
        _, devices = station.call("GET", "/api/devices")
        assert [(one["name"], one["scope"]) for one in devices["items"]] == [(other, "listen")]
    assert "token" not in json.dumps([at_cabin, at_attic])


def test_a_library_is_seen_from_the_other_side(paired: tuple[RunningStation, RunningStation, Any]) -> None:
    attic, cabin, shown = paired
    _, seen = cabin.call("GET", f"/api/stations/{shown['id']}/library")
    _, there = attic.call("GET", "/api/library/albums")
    assert [one["title"] for one in seen["albums"]] == [one["title"] for one in there["items"]] and seen["albums"]
    _, found = cabin.call("GET", f"/api/stations/{shown['id']}/library?q=D%C3%A9but")
    assert [one["title"] for one in found["albums"]] == ["Début"] and found["albums"][0] in seen["albums"]
    _, page = cabin.call("GET", f"/api/stations/{shown['id']}/library?of=tracks&limit=2")
    assert len(page["tracks"]) == 2 and page["next_cursor"] and page["total"] == len(_titles(attic))
    assert not any("path" in one for one in page["tracks"])


def test_ones_own_things_are_copied_once(paired: tuple[RunningStation, RunningStation, Any]) -> None:
    attic, cabin, shown = paired
    titles = _titles(attic)
    some = sorted(titles)[:3]
    attic.call("POST", "/api/library/playlists", {"name": "Trip", "track_ids": [titles[one] for one in some],
                                                  "visibility": "shared"})
    attic.call("PUT", f"/api/library/ratings/{titles[some[0]]}", {"rating": 5})
    attic.call("PUT", f"/api/library/favourites/{titles[some[1]]}")
    attic.call("POST", "/api/library/plays", {"track_id": titles[some[2]]})
    path = f"/api/stations/{shown['id']}/copy"
    _, would = cabin.call("POST", path, {"dry_run": True})
    status, done = cabin.call("POST", path, {})
    assert status == 200 and {**done, "dry_run": True} == would
    assert (done["playlists"]["made"], done["ratings"], done["favourites"], done["plays"]) == (1, 1, 1, 1)
    _, lists = cabin.call("GET", "/api/library/playlists")
    assert [(one["name"], one["visibility"], one["track_count"]) for one in lists["items"]] == [("Trip", "private", 3)]
    _, again = cabin.call("POST", path, {"what": ["plays", "playlists"]})
    assert again["playlists"]["same"] == 1 and again["plays"] == 0
    status, _ = cabin.call("POST", path, {"what": ["users"]})
    assert status == 400


def test_a_station_that_moved_is_found_where_it_says_it_is(
    paired: tuple[RunningStation, RunningStation, Any], tmp_path: Path
) -> None:
    attic, _, _ = paired
    database = Database(tmp_path / "library.db")
    database.prepare()
    user = People(database=database).make_user("ann", "hash", "owner")
    person = Person(user_id=user.id, id=user.uid, username="ann", role="owner")
    vault, records = Vault(tmp_path), StationRecords(database=database)
    told = {"items": [{"url": url, "kind": kind, "reachable": reachable} for url, kind, reachable in (
        ("http://192.168.9.9:5005", "home", True), ("http://127.0.0.1:5005", "this_machine", True),
        ("http://10.9.9.9:5005", "vpn", False), ("file:///etc/passwd", "home", True))]}
    token = sync_token.read(_sync_token(attic))

    def elsewhere(method: str, path: str, *rest: Any) -> tuple[int, bytes, dict[str, str]]:
        answers = {"/trust/state": {"fingerprint": token.fingerprint}, "/api/endpoints": told}
        return 200, json.dumps(answers.get(path, {"items": []})).encode(), {}

    with impostor(elsewhere) as (address, _):
        row = records.put(person.user_id, fingerprint=token.fingerprint, name="attic", endpoints=[address],
                          token=vault.seal("t"))
        with database.transaction() as conn:
            conn.exec_driver_sql("UPDATE stations SET last_seen_at = 1")
        stations = Stations(records=records, vault=vault, identity=Identity(folder=tmp_path), people=None,  # type: ignore[arg-type]
                            pairing=None, belongings=None, name=lambda: "x")  # type: ignore[arg-type]
        stations.library(person, row.uid)
    assert records.get(person.user_id, row.uid).endpoints == ("http://192.168.9.9:5005", address)


def test_only_whose_it_is_sees_a_station(paired: tuple[RunningStation, RunningStation, Any]) -> None:
    _, cabin, shown = paired
    cabin.call("POST", "/api/users", {"username": "eve", "password": "correct horse battery", "role": "owner"})
    eve = cabin.login("eve", "correct horse battery")
    assert cabin.call("GET", "/api/stations", token=eve)[1]["items"] == []
    for method, path in (("GET", "library"), ("POST", "copy")):
        status, _ = cabin.call(method, f"/api/stations/{shown['id']}/{path}", {} if method == "POST" else None,
                               token=eve)
        assert status == 404
    assert cabin.call("DELETE", f"/api/stations/{shown['id']}", token=eve)[0] == 404


def test_a_device_that_listens_pairs_no_stations(paired: tuple[RunningStation, RunningStation, Any]) -> None:
    attic, cabin, shown = paired
    _, device = cabin.call("POST", "/api/pairing/claim", {"token": _sync_token(cabin), "name": "TV"}, token="")
    for method, path in (("GET", "/api/stations"), ("POST", "/api/stations"),
                         ("POST", f"/api/stations/{shown['id']}/copy"), ("DELETE", f"/api/stations/{shown['id']}")):
        body = {"token": "sb1.x"} if path == "/api/stations" and method == "POST" else {} if method == "POST" else None
        assert cabin.call(method, path, body, token=device["token"])[0] == 403
    session = cabin.login()
    status, answer = cabin.call("POST", "/api/stations/offer", {"token": _sync_token(attic)}, token=session)
    assert status == 403 and "moment ago" in answer["error"]["message"]


def test_wrong_used_and_own_tokens_are_said_to_be_so(paired: tuple[RunningStation, RunningStation, Any]) -> None:
    attic, cabin, _ = paired
    status, answer = cabin.call("POST", "/api/stations", {"token": "sb1.nonsense"})
    assert (status, answer["error"]["code"]) == (400, "token_wrong")
    status, answer = cabin.call("POST", "/api/stations", {"token": _sync_token(cabin)})
    assert status == 409
    used = _sync_token(attic)
    attic.call("POST", "/api/pairing/claim", {"token": used, "name": "quicker"}, token="")
    status, answer = cabin.call("POST", "/api/stations", {"token": used})
    assert (status, answer["error"]["code"]) == (422, "station_refuses")
    assert "used" in answer["error"]["message"]


# ---- who stands in its place -------------------------------------------------------------------------------------


Seen = list[tuple[str, str, dict[str, str], bytes]]


@contextmanager
def impostor(answer: Callable[[str, str, dict[str, str], bytes], tuple[int, bytes, dict[str, str]]]
             ) -> Iterator[tuple[str, Seen]]:
    """(its address, what it was asked) of somebody who answers as told."""
    seen: Seen = []

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = (self.command, self.path, dict(self.headers), body)
            seen.append(asked)
            status, text, headers = answer(*asked)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = _any

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()


def _forward(to: RunningStation, change: Callable[[dict[str, Any]], dict[str, Any]] = lambda told: told
             ) -> Callable[..., Any]:
    """Stands between: hands everything on, and changes what a claim is answered with."""

    def answer(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes, dict[str, str]]:
        got = requests.request(method, to.url + path, data=body, timeout=20, headers={
            name: value for name, value in headers.items() if name.lower() in ("content-type", "authorization")})
        text = got.content
        if path == "/api/pairing/claim" and got.status_code == 201:
            text = json.dumps(change(got.json())).encode()
        return got.status_code, text, {"Content-Type": "application/json"}

    return answer


def _claim(station: RunningStation, endpoints: list[str]) -> tuple[Peer, sync_token.SyncToken]:
    token = sync_token.read(_sync_token(station))
    return Peer(endpoints=endpoints, fingerprint=token.fingerprint, name="attic"), token


def test_who_stands_between_learns_neither_secret_nor_token(pair: tuple[RunningStation, RunningStation]) -> None:
    attic, _ = pair
    with impostor(_forward(attic)) as (address, seen):
        peer, token = _claim(attic, [address])
        told = peer.claim(token, name="x")
        heard = b"".join(body for *_, body in seen)
        assert sync_token.b64(token.secret).encode() not in heard and told["token"].encode() not in heard
        assert attic.call("GET", "/api/me", token=told["token"])[0] == 200


@pytest.mark.parametrize("change", [
    lambda told: {**told, "sealed": told["sealed"][:-4] + "AAAA"},
    lambda told: {**told, "signature": told["signature"][:-4] + "AAAA"},
    lambda told: {**told, "server_nonce": sync_token.new_nonce()},
    lambda told: {**told, "station": {**told["station"], "public_key": "AAAA"}},
    lambda told: {"token": "made-up", "station": told["station"]},
    lambda told: {}, lambda told: {**told, "station": None}, lambda told: {**told, "sealed": 7},
])
def test_an_answer_that_was_changed_on_the_way_is_not_believed(
    pair: tuple[RunningStation, RunningStation], change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    with impostor(_forward(pair[0], change)) as (address, _):
        peer, token = _claim(pair[0], [address])
        with pytest.raises(StationUnreachable):
            peer.claim(token, name="x")


def test_another_station_in_its_place_gets_no_token(pair: tuple[RunningStation, RunningStation]) -> None:
    attic, cabin = pair
    peer, token = _claim(attic, [cabin.url])
    with pytest.raises(StationRefuses):
        peer.claim(token, name="x")
    with impostor(_forward(cabin)) as (address, seen):
        asking = Peer(endpoints=[address], fingerprint=token.fingerprint, token="a-secret-token")
        with pytest.raises(StationUnreachable):
            asking.ask("GET", "/api/export")
        assert "a-secret-token" not in str(seen) and [path for _, path, *_ in seen] == ["/trust/state"]


def test_the_first_address_that_leads_there_is_taken(pair: tuple[RunningStation, RunningStation]) -> None:
    attic, cabin = pair
    with impostor(lambda *asked: (500, b"{", {})) as (broken, _):
        peer, token = _claim(attic, ["http://127.0.0.1:9", broken, cabin.url, attic.url])
        told = peer.claim(token, name="x")
        asking = Peer(endpoints=["http://127.0.0.1:9", broken, cabin.url, attic.url], fingerprint=token.fingerprint,
                      token=told["token"])
        assert asking.ask_json("GET", "/api/me")["username"] == attic.owner_name


def test_no_redirect_is_followed(pair: tuple[RunningStation, RunningStation]) -> None:
    attic, _ = pair
    told = {"fingerprint": sync_token.read(_sync_token(attic)).fingerprint}
    with impostor(lambda *asked: (200, b"{}", {})) as (elsewhere, seen):
        def astray(method: str, path: str, *rest: Any) -> tuple[int, bytes, dict[str, str]]:
            if path == "/trust/state":
                return 200, json.dumps(told).encode(), {}
            return 307, b"", {"Location": f"{elsewhere}{path}"}

        with impostor(astray) as (address, _):
            peer, token = _claim(attic, [address])
            with pytest.raises(StationUnreachable):
                peer.claim(token, name="x")
            with pytest.raises(StationUnreachable):
                Peer(endpoints=[address], fingerprint=told["fingerprint"], token="t").ask("GET", "/api/export")
        assert seen == []


def test_an_answer_that_never_ends_is_cut_off(pair: tuple[RunningStation, RunningStation],
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    attic, _ = pair
    fingerprint = sync_token.read(_sync_token(attic)).fingerprint

    def endless(method: str, path: str, *rest: Any) -> tuple[int, bytes, dict[str, str]]:
        text = json.dumps({"fingerprint": fingerprint}).encode() if path == "/trust/state" else b"[" * 3_000_000
        return 200, text, {}

    with impostor(endless) as (address, _):
        peer = Peer(endpoints=[address], fingerprint=fingerprint, token="t")
        with pytest.raises(StationUnreachable):
            peer.ask("GET", "/api/export", limit_bytes=1_000_000)
        with pytest.raises(StationUnreachable):
            peer.ask_json("GET", "/api/export")


@contextmanager
def dripping(beginning: bytes) -> Iterator[str]:
    """host:port of somebody who answers `beginning` and then a byte now and then, for ever."""
    ended = threading.Event()

    def drip(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(65536)
            client.sendall(beginning)
            while not ended.wait(0.05):
                client.sendall(b"a")

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("beginning", [
    b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n", b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"])
def test_who_answers_drop_by_drop_holds_nobody_for_long(scheme: str, beginning: bytes,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CLAIM_S", 0.3)
    monkeypatch.setattr(room, "ASK_S", 0.3)
    secret, fingerprint = b"s" * 16, "A" * 43
    with dripping(beginning) as place:
        peer = Peer(endpoints=[f"{scheme}://{place}"] * 8, fingerprint=fingerprint, token="t")
        token = sync_token.SyncToken(id="a", fingerprint=fingerprint, secret=secret, name="x", endpoints=())
        ended = []
        for ask in (lambda: peer.claim(token, name="x"), lambda: peer.ask("GET", "/api/export")):
            asking = threading.Thread(target=lambda ask=ask: ended.append(_fails(ask)), daemon=True)
            asking.start()
            asking.join(10)
        assert ended == [True, True]


def _fails(ask: Callable[[], Any]) -> bool:
    with pytest.raises(StationUnreachable):
        ask()
    return True


def test_over_https_only_the_stations_own_authority_counts(pair: tuple[RunningStation, RunningStation]) -> None:
    attic, _ = pair
    at_attic, at_cabin = (f"https://127.0.0.1:{urlsplit(one.url).port}" for one in pair)
    peer, token = _claim(attic, [at_attic])
    told = peer.claim(token, name="x")
    secure = Peer(endpoints=[attic.url, at_attic], fingerprint=token.fingerprint, token=told["token"])
    assert secure._endpoints[0] == at_attic, "HTTPS comes first where a token is shown"
    assert secure.ask_json("GET", "/api/me")["username"] == attic.owner_name
    with pytest.raises(StationUnreachable):
        Peer(endpoints=[at_cabin], fingerprint=token.fingerprint, token=told["token"]).ask("GET", "/api/me")


def test_an_authority_of_another_key_is_none(pair: tuple[RunningStation, RunningStation]) -> None:
    attic, _ = pair
    its, other = (requests.get(f"{one.url}/trust/authority.pem", timeout=20).text for one in pair)
    fingerprint = sync_token.read(_sync_token(attic)).fingerprint
    assert room._is_authority_of(its, fingerprint)
    for wrong in (other, other + its, its + other, "", "-----BEGIN CERTIFICATE-----\nAAAA\n", "ü"):
        assert not room._is_authority_of(wrong, fingerprint)


@pytest.mark.parametrize("answer", [
    b"[]", b"null", b"7", b'"x"', b'{"albums": 1}', b'{"albums": [[]]}',
    b'{"albums": [{"id": "a", "title": "\\ud800"}]}',
    b'{"items": [], "total": 1e999}', b'{"items": [{"id": "a", "title": "b", "year": ' + b"9" * 400 + b"}]}",
    b'{"items": {}}', b"[" * 100_000, b'{"items": [7]}', b'{"items": [], "next_cursor": {}}', b"\xff\xfe", b"",
])
@pytest.mark.parametrize("words", ["", "abba"])
def test_nothing_that_another_station_answers_is_a_fault_of_ours(
        answer: bytes, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(tmp_path / "library.db")
    database.prepare()
    user = People(database=database).make_user("ann", "hash", "owner")
    person = Person(user_id=user.id, id=user.uid, username="ann", role="owner")
    vault, records = Vault(tmp_path), StationRecords(database=database)
    row = records.put(person.user_id, fingerprint="A" * 43, name="attic", endpoints=["http://127.0.0.1:1"],
                      token=vault.seal("t"))
    stations = Stations(records=records, vault=vault, identity=Identity(folder=tmp_path), people=None,  # type: ignore[arg-type]
                        pairing=None, belongings=None, name=lambda: "x")  # type: ignore[arg-type]
    monkeypatch.setattr(Peer, "ask", lambda *_, **__: answer)
    try:
        seen = stations.library(person, row.uid, words=words)
    except StationUnreachable:
        return
    msgspec.json.encode(seen)


def test_a_station_that_was_removed_gives_its_token_back(pair: tuple[RunningStation, RunningStation]) -> None:
    attic, cabin = pair
    _, shown = cabin.call("POST", "/api/stations", {"token": _sync_token(attic)})
    before = {one["id"] for one in attic.call("GET", "/api/devices")[1]["items"]}
    assert cabin.call("DELETE", f"/api/stations/{shown['id']}")[0] == 204
    assert cabin.call("GET", "/api/stations")[1]["items"] == []
    assert len(before - {one["id"] for one in attic.call("GET", "/api/devices")[1]["items"]}) == 1


def _here(station: RunningStation) -> list[tuple[str, str, str]]:
    """(name, kind, scope) of what the other of the two has here."""
    return [(one["name"], one["kind"], one["scope"]) for one in station.call("GET", "/api/devices")[1]["items"]
            if one["name"] in ("attic", "cabin")]


def test_a_station_that_is_forgotten_looks_in_no_more(pair: tuple[RunningStation, RunningStation]) -> None:
    attic, cabin = pair
    status, shown = cabin.call("POST", "/api/stations", {"token": _sync_token(attic)})
    assert status == 201 and _here(cabin) == [("attic", "station", "listen")]
    of_cabin = next(one for one in attic.call("GET", "/api/stations")[1]["items"] if one["name"] == "cabin")
    assert attic.call("GET", f"/api/stations/{of_cabin['id']}/library")[0] == 200
    assert cabin.call("DELETE", f"/api/stations/{shown['id']}")[0] == 204
    assert _here(cabin) == [] and _here(attic) == []
    status, answer = attic.call("GET", f"/api/stations/{of_cabin['id']}/library")
    assert (status, answer["error"]["code"]) == (422, "station_refuses")


def test_pairing_again_takes_the_place_of_what_was_given_before(pair: tuple[RunningStation, RunningStation]) -> None:
    attic, cabin = pair
    for one, other in ((cabin, attic), (cabin, attic), (attic, cabin)):
        status, shown = one.call("POST", "/api/stations", {"token": _sync_token(other)})
        assert status == 201, shown
        assert _here(cabin) == [("attic", "station", "listen")] and _here(attic) == [("cabin", "station", "listen")]
        for station in pair:
            (known,) = station.call("GET", "/api/stations")[1]["items"]
            assert station.call("GET", f"/api/stations/{known['id']}/library")[0] == 200


def test_another_station_only_listens_whatever_its_token_says(pair: tuple[RunningStation, RunningStation]) -> None:
    attic, cabin = pair
    assert cabin.call("POST", "/api/stations", {"token": _sync_token(attic, "own")})[0] == 201
    assert _here(attic) == [("cabin", "station", "listen")]


def test_a_station_that_is_gone_is_said_to_be_and_remembered(pair: tuple[RunningStation, RunningStation]) -> None:
    attic, cabin = pair
    _, shown = cabin.call("POST", "/api/stations", {"token": _sync_token(attic)})
    attic.stop()
    status, answer = cabin.call("GET", f"/api/stations/{shown['id']}/library")
    assert (status, answer["error"]["code"]) == (422, "station_unreachable")
    _, listed = cabin.call("GET", "/api/stations")
    assert listed["items"][0]["last_error"] == answer["error"]["message"]
