"""Episodes that are not fetched come through the station from where they lie."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.model.download import Failure
from shared.model.errors import Overloaded
from shared.outbound import Outbound
from shared.podcasts.relaying import Relays
from tests.media_server import MediaServer

SOUND = bytes(range(256)) * 100


@pytest.fixture(scope="module")
def server() -> Iterator[MediaServer]:
    with MediaServer() as one:
        one.add("a.mp3", SOUND)
        one.add("moved.mp3", status=302, headers={"Location": "/a.mp3"})
        one.add("plain.m4a", SOUND, mime="application/octet-stream", ranges=False)
        one.add("page.mp3", b"<html></html>", mime="text/html")
        one.add("picture.mp3", b"<svg/>", mime="image/svg+xml")
        one.add("inside.mp3", status=302, headers={"Location": "http://192.168.0.1/a.mp3"})
        one.add("half.mp3", SOUND, claim=len(SOUND) * 2, ranges=False)
        yield one


@pytest.fixture
def relays(server: MediaServer) -> Relays:
    return Relays(outbound=Outbound([server.allow]), at_once=2)


def test_an_episode_comes_through_bit_for_bit(relays: Relays, server: MediaServer) -> None:
    for path in ("a.mp3", "moved.mp3"):
        found = relays.open(server.url(path))
        assert (found.status, found.headers["Content-Type"], found.headers["Content-Length"]) == (
            200, "audio/mpeg", str(len(SOUND)))
        assert found.headers["Accept-Ranges"] == "bytes" and found.headers["Cache-Control"] == "no-store"
        assert b"".join(found) == SOUND
        found.close()


def test_ranges_are_passed_on_where_the_source_has_them(relays: Relays, server: MediaServer) -> None:
    found = relays.open(server.url("a.mp3"), range="bytes=100-199")
    assert (found.status, found.headers["Content-Range"]) == (206, f"bytes 100-199/{len(SOUND)}")
    assert b"".join(found) == SOUND[100:200]
    found.close()
    behind = relays.open(server.url("a.mp3"), range="bytes=99999999-")
    assert behind.status == 416
    without = relays.open(server.url("plain.m4a"), range="bytes=100-199")
    assert (without.status, without.headers["Content-Type"]) == (200, "audio/mp4")
    assert "Accept-Ranges" not in without.headers
    without.close()
    strange = relays.open(server.url("a.mp3"), range="bytes=0-1,5-6")
    assert strange.status == 200 and "range" not in server.asked("a.mp3")[-1].headers
    strange.close()


def test_head_asks_for_the_head_alone(relays: Relays, server: MediaServer) -> None:
    assert relays.open(server.url("a.mp3"), head=True).headers["Content-Length"] == str(len(SOUND))
    assert server.asked("a.mp3")[-1].method == "HEAD"


@pytest.mark.parametrize(("path", "code"), [("page.mp3", "not_audio"), ("picture.mp3", "not_audio"),
                                            ("missing.mp3", "not_found"), ("inside.mp3", "forbidden_address")])
def test_what_is_no_sound_does_not_come_through(relays: Relays, server: MediaServer, path: str, code: str) -> None:
    for _ in range(3):          # more often than there are places: nobody keeps one
        with pytest.raises(Failure) as failure:
            relays.open(server.url(path))
        assert failure.value.code == code


def test_a_source_that_ends_early_breaks_the_stream(relays: Relays, server: MediaServer) -> None:
    found = relays.open(server.url("half.mp3"))
    with pytest.raises(BrokenPipeError):
        b"".join(found)
    found.close()


def test_so_many_at_once_and_no_more(relays: Relays, server: MediaServer) -> None:
    one, two = relays.open(server.url("a.mp3")), relays.open(server.url("a.mp3"))
    with pytest.raises(Overloaded):
        relays.open(server.url("a.mp3"))
    one.close()
    one.close()                 # twice is once
    three = relays.open(server.url("a.mp3"))
    with pytest.raises(Overloaded):
        relays.open(server.url("a.mp3"))
    two.close()
    three.close()
