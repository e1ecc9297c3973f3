"""The client of slskd: what it asks, and what every wrong answer becomes."""

from __future__ import annotations

import io
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from odst.slskd import Slskd, peer_failure
from shared.model.download import Failure
from tests.fakes.slskd import FakeSlskd, Peer
from tests.patience import often

SONG = "Music\\Oasis\\03 - Wonderwall.flac"


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeSlskd]:
    people = {"ann": {SONG: b"f" * 1000}, "a/b ?#%": {SONG: b"g" * 900}, "gone": Peer(files={SONG: b""}, online=False)}
    with FakeSlskd(tmp_path / "slskd", library=people) as fake:
        yield fake


@pytest.fixture
def slskd(fake: FakeSlskd) -> Slskd:
    return Slskd(url=fake.url, api_key=fake.api_key)


def failure_of(deed: object, *args: object) -> Failure:
    with pytest.raises(Failure) as caught:
        deed(*args)  # type: ignore[operator]
    assert caught.value.provider == "soulseek"
    return caught.value


def test_it_knows_the_version_and_asks_for_it_once(fake: FakeSlskd, slskd: Slskd) -> None:
    slskd.check()
    assert slskd.version() == slskd.version() == (0, 26, 1)
    assert len(fake.asked("GET", "/application")) == 2


def test_a_search_has_responses_only_when_it_is_complete(fake: FakeSlskd, slskd: Slskd) -> None:
    fake.search_s = 3600
    id = slskd.start_search("oasis wonderwall")
    before = slskd.search(id, responses=True)
    slskd.stop_search(id)
    after = slskd.search(id, responses=True)

    assert before["state"] == "InProgress" and before["responses"] == []
    assert before["responseCount"] == 2
    assert after["isComplete"] and {it["username"] for it in after["responses"]} == {"ann", "a/b ?#%"}

    slskd.delete_search(id)
    slskd.delete_search(id)  # twice is no fault
    assert fake.searches == {}


@pytest.mark.parametrize("version", ["0.26.1", "0.24.4"])
@pytest.mark.parametrize("username", ["ann", "a/b ?#%"])
def test_a_file_is_asked_for_the_way_the_version_wants(
    fake: FakeSlskd, slskd: Slskd, version: str, username: str
) -> None:
    fake.version = version
    row = slskd.enqueue(username, SONG, 1000, folder="soundsible/x")

    assert row is not None and row["filename"] == SONG
    assert slskd.transfer(username, row["id"]) is not None
    assert [it["id"] for it in slskd.transfers(username)] == [row["id"]]
    batches = fake.asked("POST", "/batches")
    assert bool(batches) == (version == "0.26.1")
    if batches:
        assert batches[0]["options"] == {"destination": "soundsible/x"}


def test_a_transfer_that_runs_cannot_be_removed_only_cancelled(fake: FakeSlskd, slskd: Slskd) -> None:
    fake.peers["ann"].transfer_s = 3600
    row = slskd.enqueue("ann", SONG, 1000)
    assert row is not None
    slskd.cancel("ann", row["id"], remove=True)
    assert slskd.transfer("ann", row["id"]) is not None

    while not (now := slskd.transfer("ann", row["id"]) or {})["state"].startswith("Completed"):
        time.sleep(0.01)
    assert now["state"] == "Completed, Cancelled"
    slskd.cancel("ann", row["id"], remove=True)
    assert slskd.transfer("ann", row["id"]) is None
    assert slskd.transfers("ann") == []
    slskd.cancel("ann", "no-such-id", remove=True)


def test_the_event_tells_where_the_file_is(fake: FakeSlskd, slskd: Slskd) -> None:
    fake.peers["ann"].transfer_s = 0
    slskd.enqueue("ann", SONG, 1000)
    slskd.transfers("ann")
    (event,) = slskd.events()

    assert Path(json.loads(event["data"])["localFilename"]).read_bytes() == b"f" * 1000
    assert slskd.events(offset=1) == []


@pytest.mark.parametrize("version", ["0.26.1", "0.24.4"])
@pytest.mark.parametrize("username", ["gone", "nobody"])
def test_somebody_who_is_offline_may_be_asked_again_later(
    fake: FakeSlskd, slskd: Slskd, version: str, username: str
) -> None:
    fake.version = version
    failure = failure_of(slskd.enqueue, username, SONG, 1000)

    assert (failure.code, failure.retryable, failure.service_fault) == ("offline_peer", True, False)


def test_being_logged_out_of_soulseek_is_a_fault_of_the_service_with_its_remedy(fake: FakeSlskd, slskd: Slskd) -> None:
    fake.logged_in = False
    for deed in (slskd.check, lambda: slskd.start_search("oasis")):
        failure = failure_of(deed)
        assert failure.service_fault and "logged in" in failure.message


def test_a_wrong_key_says_so_and_is_not_tried_again(fake: FakeSlskd) -> None:
    failure = failure_of(Slskd(url=fake.url, api_key="wrong").application)

    assert (failure.code, failure.retryable) == ("not_configured", False)
    assert "API key" in failure.message


def test_without_address_or_key_nothing_is_asked() -> None:
    for url, key in (("", "k"), ("http://127.0.0.1:9", "")):
        assert failure_of(Slskd(url=url, api_key=key).application).code == "not_configured"


def test_nobody_there_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plug:
        url = f"http://127.0.0.1:{plug.getsockname()[1]}"
    assert failure_of(Slskd(url=url, api_key="k").application).code == "refused"


def test_one_who_hangs_is_timed_out(fake: FakeSlskd) -> None:
    fake.hang_s = 0.6
    assert failure_of(Slskd(url=fake.url, api_key=fake.api_key, timeout_s=(1, 0.1)).application).code == "timed_out"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, b"<html>welcome to the router</html>", "garbage"),
        (200, b"[1, 2]", "garbage"),
        (200, b'{"a": ' * 50_000, "garbage"),
        (302, b"", "not_configured"),
        (403, b"", "not_configured"),
        (404, b"", "not_configured"),
        (429, b'"Only one concurrent operation is permitted"', "rate_limited"),
        (500, b'"Object reference not set"', "service_error"),
        (500, b"", "service_error"),
        (502, b"<html>nginx</html>", "service_error"),
        (503, b"", "service_error"),
    ],
)
def test_what_is_wrong_with_an_answer_gets_its_name(
    fake: FakeSlskd, slskd: Slskd, status: int, body: bytes, code: str
) -> None:
    fake.answers.append(("GET", "/application", status, body))
    failure = failure_of(slskd.application)

    assert failure.code == code
    assert "<html>" not in failure.message and fake.api_key not in failure.message


def test_an_endless_answer_is_cut_off(fake: FakeSlskd, slskd: Slskd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("odst.slskd.ANSWER_BYTES", 10_000)
    fake.answers.append(("GET", "/events", 200, b"[" + b"1," * 500_000 + b"1]"))

    assert failure_of(slskd.events).code == "garbage"


@pytest.mark.parametrize(
    ("words", "code", "again"),
    [
        ("File not shared.", "removed", False),
        ("Banned", "no_permission", False),
        ("Too many files", "offline_peer", True),
        ("User ann appears to be offline", "offline_peer", True),
        ("", "offline_peer", True),
    ],
)
def test_a_persons_refusal_is_understood(words: str, code: str, again: bool) -> None:
    failure = peer_failure(words, "ann")
    assert (failure.code, failure.retryable) == (code, again)


@settings(max_examples=often(30), deadline=None)
@given(st.binary(max_size=200), st.sampled_from([200, 201, 400, 401, 404, 409, 418, 429, 500, 503]))
def test_any_answer_at_all_is_an_answer_or_a_failure(content: bytes, status: int) -> None:
    with _one_answer(status, content) as url:
        slskd = Slskd(url=url, api_key="k")
        for deed in (slskd.application, slskd.check, slskd.events, lambda: slskd.transfers("x")):
            try:
                deed()
            except Failure as failure:
                assert failure.message.endswith(".") or failure.message.endswith("?") or "says:" in failure.message


class _one_answer:
    """A session in place of a server: every request gets these bytes."""

    def __init__(self, status: int, content: bytes) -> None:
        self.status, self.content = status, content

    def __enter__(self) -> str:
        def request(session: object, method: str, url: str, **given: object) -> requests.Response:
            answer = requests.Response()
            answer.status_code, answer.raw, answer.url = self.status, io.BytesIO(self.content), url
            return answer

        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(requests.Session, "request", request)
        return "http://127.0.0.1:1"

    def __exit__(self, *exc: object) -> None:
        self.patch.undo()
