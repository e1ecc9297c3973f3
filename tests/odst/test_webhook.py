"""Webhook: told once, in the shapes that the services want, to hosts that are allowed, without holding anybody up."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from odst import webhook as module
from odst.webhook import Webhook
from shared.events import DownloadMoved, EventBus
from shared.model.download import Download, Options, ShownFailure, ShownProgress
from shared.settings import Settings
from tests.fakes.answering import Answering, Asked, Reply


class Receiver(Answering):
    """Any service that takes a message."""

    def answer(self, asked: Asked) -> Reply:
        return Reply(200, b'{"id": "1"}')


def download(**given: Any) -> Download:
    whole: dict[str, Any] = {
        "id": "d1", "status": "completed", "stage": None, "title": "Blue Monday", "artist": "New Order",
        "album": "Power, Corruption & Lies", "cover_url": None, "url": "http://host/x.flac?token=hidden", "query": None,
        "source": "direct", "quality": "lossless", "options": Options(), "priority": 50,
        "progress": ShownProgress(bytes=100, total_bytes=100, percent=100.0, bytes_per_second=None, eta_s=None),
        "attempt": 1, "error": None, "note": None, "track_id": "t1", "duplicate_of": None,
        "quality_got": "flac 44.1 kHz 16 bit", "warnings": [], "group": None, "username": "anna", "not_before": None,
        "created_at": "2026-11-21T05:00:00.000Z", "updated_at": "2026-11-21T05:00:09.000Z",
        "finished_at": "2026-11-21T05:00:09.000Z",
    }
    return Download(**{**whole, **given})


def failed(**given: Any) -> Download:
    return download(status="failed", track_id=None, **{"error": ShownFailure(
        code="removed", message="It was removed.", retryable=False), **given})


@contextmanager
def telling(receiver: Receiver, *schemes: str, allowed: bool = True, **given: Any
            ) -> Iterator[Callable[[Download], None]]:
    """A webhook to `receiver` that is told of downloads by the function given."""
    events = EventBus()
    urls = tuple(f"{scheme}{receiver.host}{rest}" for scheme, rest in (
        one.partition("|")[::2] for one in schemes or ("json://|/hook",)))
    settings = Settings(webhook_urls=urls, allow_private_hosts=(receiver.host,) if allowed else ())
    given = {"quiet_s": 0.15, "waits_s": (0.05, 0.05), **given}
    told = Webhook(settings=settings, events=events, **given)
    told.start()
    try:
        yield lambda one: events.publish(DownloadMoved(1, one))
    finally:
        told.stop()


def until(there: Callable[[], Any], limit_s: float = 15.0) -> None:
    ends = time.monotonic() + limit_s
    while not there() and time.monotonic() < ends:
        time.sleep(0.02)
    assert there()


def test_json_gets_words_for_people_and_facts_for_programs() -> None:
    with Receiver() as receiver, telling(receiver) as tell:
        tell(download(status="downloading"))
        tell(download())
        tell(download())        # announced again
        until(lambda: receiver.asked)
        asked = receiver.asked[0]
        said = json.loads(asked.body)
        assert asked.method == "POST" and asked.path.rstrip("/") == "/hook"
        assert said["title"] == "Downloaded" and "New Order – Blue Monday" in said["message"]
        assert said["type"] == "success" and "flac 44.1 kHz" in said["message"]
        assert said["event"] == "download.completed"
        assert said["download"]["track_id"] == "t1" and said["download"]["error"] is None
        assert "hidden" not in asked.body.decode()
        tell(failed(id="d2"))
        until(lambda: len(receiver.asked) == 2)
        said = json.loads(receiver.asked[1].body)
        assert said["type"] == "failure" and "It was removed." in said["message"]
        assert said["download"]["error"]["code"] == "removed"


def test_gotify_and_ntfy_get_what_they_want() -> None:
    with Receiver() as receiver, telling(receiver, "gotify://|/Atoken", "ntfy://|/topic") as tell:
        tell(download())
        until(lambda: len(receiver.asked) == 2)
        gotify, ntfy = (next(one for one in receiver.asked if part in one.path) for part in ("/message", "/"))
        assert gotify.headers["x-gotify-key"] == "Atoken" and json.loads(gotify.body)["title"] == "Downloaded"
        ntfy = next(one for one in receiver.asked if one is not gotify)
        assert "topic" in ntfy.path + ntfy.body.decode() and "Blue Monday" in ntfy.body.decode()


def test_discord_gets_what_it_wants() -> None:
    """Its host is fixed, so that what would go there is caught in the process that sends."""
    script = """
import json, sys
import apprise.plugins.discord as discord
from odst.webhook_process import send
class Answer:
    status_code, content, headers = 204, b"", {}
caught = []
def post(url, data=None, **how):
    caught.append([url, json.loads(data), how["allow_redirects"]])
    return Answer()
discord.requests.post = post
sent = send({"urls": ["discord://1234567890/a-token"], "messages": [
    {"title": "Downloaded", "body": "New Order", "type": "success", "more": {"event": "x"}}]})
print(json.dumps([sent, caught]))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(module.__file__).parent.parent, capture_output=True,
                          text=True, timeout=60)
    sent, [[url, payload, redirects]] = json.loads(done.stdout)
    assert sent == {"sent": [[True]]} and not redirects
    assert url == "https://discord.com/api/webhooks/1234567890/a-token"
    assert "New Order" in json.dumps(payload) and "Downloaded" in json.dumps(payload)


def test_a_group_is_told_of_once_when_its_last_is_over() -> None:
    with Receiver() as receiver, telling(receiver) as tell:
        for number in range(3):
            tell(download(id=str(number), title=f"Song {number}", group="g", status="waiting"))
        tell(download(id="0", title="Song 0", group="g"))
        tell(failed(id="1", title="Song 1", group="g"))
        time.sleep(0.4)
        assert not receiver.asked
        tell(download(id="2", title="Song 2", group="g"))
        until(lambda: receiver.asked)
        said = json.loads(receiver.asked[0].body)
        assert said["title"] == "2 downloaded, 1 failed" and said["type"] == "info"
        assert "Song 2" in said["message"] and "Song 1: It was removed." in said["message"]
        assert (said["completed"], said["failed"], len(said["downloads"])) == (2, 1, 3)
        assert len(receiver.asked) == 1


def test_what_is_left_of_a_group_is_asked_of_who_knows() -> None:
    left = [2]
    with Receiver() as receiver, telling(receiver, left=lambda group: left[0]) as tell:
        tell(download(id="0", group="g"))
        time.sleep(0.4)
        assert not receiver.asked
        left[0] = 0
        tell(download(id="1", group="g"))
        until(lambda: receiver.asked)
        assert json.loads(receiver.asked[0].body)["completed"] == 2


def test_a_cancelled_group_is_nothing_to_tell() -> None:
    with Receiver() as receiver, telling(receiver) as tell:
        tell(download(id="0", group="g", status="cancelled", track_id=None))
        tell(download(id="9"))
        until(lambda: receiver.asked)
        time.sleep(0.3)
        assert len(receiver.asked) == 1


def test_a_private_host_is_not_told_unless_it_is_allowed(caplog: pytest.LogCaptureFixture) -> None:
    with Receiver() as receiver, caplog.at_level(logging.WARNING), \
            telling(receiver, "json://user:secret@|/hook?key=hidden", allowed=False) as tell:
        tell(download())
        until(lambda: "could not tell" in caplog.text)
        assert not receiver.asked
        assert "webhook 1 (json)" in caplog.text and "ALLOW_PRIVATE_HOSTS" in caplog.text
        assert "secret" not in caplog.text and "hidden" not in caplog.text and receiver.host not in caplog.text


def test_a_redirect_is_not_followed() -> None:
    with Receiver() as receiver, Receiver() as elsewhere, telling(receiver) as tell:
        receiver.always(Reply(307, headers={"Location": elsewhere.url}))
        tell(download())
        until(lambda: len(receiver.asked) == 3)
        assert not elsewhere.asked


def test_a_service_that_fails_is_tried_again_and_the_others_are_not_told_twice() -> None:
    with Receiver() as receiver, Receiver() as other:
        events = EventBus()
        told = Webhook(settings=Settings(
            webhook_urls=(f"json://{receiver.host}/a", f"json://{other.host}/b"),
            allow_private_hosts=(receiver.host, other.host)), events=events, waits_s=(0.05, 0.05))
        receiver.next(Reply(500))
        told.start()
        try:
            events.publish(DownloadMoved(1, download()))
            until(lambda: len(receiver.asked) == 2)
            until(lambda: told._child is None)
            assert len(other.asked) == 1
        finally:
            told.stop()


def test_an_address_that_is_none_is_named_by_its_place(caplog: pytest.LogCaptureFixture) -> None:
    with Receiver() as receiver, caplog.at_level(logging.WARNING), \
            telling(receiver, "nonsense://|/x", "json://") as tell:
        tell(download())
        until(lambda: receiver.asked)
        until(lambda: "webhook 1 (nonsense) is no address" in caplog.text)


def test_many_at_once_become_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver, telling(receiver) as tell:
        receiver.next(Reply(200, delay_s=0.5))
        tell(download(id="first"))
        until(lambda: receiver.asked)
        for number in range(40):
            tell(download(id=str(number), title=f"Song {number}"))
        tell(failed(id="bad"))
        until(lambda: len(receiver.asked) == 2)
        said = json.loads(receiver.asked[1].body)
        assert said["title"] == "40 downloaded, 1 failed" and len(said["downloads"]) == 41
        assert said["message"].count("\n") <= module.MOST_NAMED


def test_a_full_queue_lets_the_oldest_go_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    events = EventBus()
    told = Webhook(settings=Settings(webhook_urls=("json://127.0.0.1:9/x",)), events=events)
    monkeypatch.setattr(told, "_run", lambda: None)     # a thread that never gets to it
    told.start()
    for number in range(module.MOST_WAITING + 50):
        events.publish(DownloadMoved(1, download(id=str(number))))
    assert len(told._waiting) == module.MOST_WAITING and told._let_go == 50
    told.stop()


def test_without_addresses_nothing_runs() -> None:
    told = Webhook(settings=Settings(), events=EventBus())
    told.start()
    assert told._thread is None
    told.stop()


def test_stopping_ends_a_message_that_hangs() -> None:
    with Receiver() as receiver:
        receiver.always(Reply(200, delay_s=5))
        with telling(receiver) as tell:
            tell(download())
            until(lambda: receiver.asked)
            begun = time.monotonic()
        assert time.monotonic() - begun < 4.0


@pytest.mark.parametrize("title", ["@everyone free", "<@123> <script>", "a\x1b[2J\u202eb"])
def test_a_title_calls_nobody_and_steers_nothing(title: str) -> None:
    body = module._of_one(download(title=title))["body"]
    assert "@everyone" not in body and "<" not in body and "\x1b" not in body and "\u202e" not in body


def test_a_message_about_many_stays_short() -> None:
    many = [download(id=str(n), title="x" * 1000) for n in range(500)]
    message = module._of_many([*many, *(replace(one, status="failed") for one in many)], "g")
    assert len(message["body"]) <= 3600 and len(message["more"]["downloads"]) == 200
    assert message["title"] == "500 downloaded, 500 failed"
