"""Listening before fetching: through real children from real servers, bounded, nothing kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from odst.catalogues.deezer import Deezer
from odst.nursery import Nursery
from odst.preview import Previews
from odst.providers.direct import Direct
from odst.search import AcquireSearch
from shared.model.download import Candidate, Failure, Offer, Wanted
from shared.model.errors import BadInput, Overloaded
from shared.settings import Settings
from tests.fakes.deezer import Album, FakeDeezer, Track
from tests.media_server import MediaServer, audio

SONG, CLIP = audio(".mp3", seconds=2), audio(".mp3", seconds=1)
ALBUM = Album(302127, "Discovery", "Daft Punk", [Track(3135553, "One More Time", 320, "GBDUW0000053")])


@pytest.fixture(scope="module")
def server() -> Iterator[MediaServer]:
    with MediaServer() as running:
        running.add("song.mp3", SONG)
        running.add("clip.mp3", CLIP)
        running.add("page.html", b"<!doctype html><html><body>nothing to hear</body></html>")
        yield running


@pytest.fixture(scope="module")
def nursery(server: MediaServer) -> Iterator[Nursery]:
    made = Nursery(settings=Settings(allow_private_hosts=(server.allow,)))
    yield made
    made.stop()


class Catalogue:
    """Knows links of catalogue.example; has no sound."""

    name = "spotify"

    def understands(self, url: str) -> bool:
        return url.startswith(("https://catalogue.example/", "https://open.spotify.com/"))

    def resolve(self, url: str) -> Offer:
        wanted = Wanted(title="One More Time", artist="Daft Punk", isrc="GBDUW0000053", duration_ms=320_000,
                        source="spotify")
        tracks = () if url.endswith("/empty") else (wanted,)
        return Offer(kind="track", source="spotify", id="1", title="One More Time", tracks=tracks)

    def album(self, id: str) -> Offer:
        raise AssertionError

    def search(self, words: str, *, limit: int) -> list[Offer]:
        return []


class Videos:
    """A searching provider whose candidates are files of the server."""

    name = "youtube"
    slots = 1

    def __init__(self, *candidates: Candidate, fails: Failure | None = None) -> None:
        self.candidates, self.fails = candidates, fails

    def understands(self, url: str) -> bool:
        return False

    def find(self, wanted: Wanted, options: Any, *, limit: int) -> list[Candidate]:
        if self.fails:
            raise self.fails
        return list(self.candidates)


class Clips:
    def __init__(self, url: str | None) -> None:
        self.url = url

    def preview_url(self, wanted: Wanted) -> str | None:
        return self.url


class Told:
    """A nursery that says what it was asked and sends two pieces."""

    said = {"mime": "audio/mpeg"}

    def __init__(self, fails: dict[str, Failure] | None = None) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.fails, self.closed = fails or {}, 0

    def open(self, job: dict[str, Any], **limits: Any) -> Any:
        assert 0 < limits["limit_s"] <= 3600 and 0 < limits["limit_bytes"] <= 1 << 30
        self.jobs.append(job)
        if job["url"] in self.fails:
            raise self.fails[job["url"]]
        return self

    def __iter__(self) -> Iterator[bytes]:
        yield from (b"one", b"two")

    def close(self) -> None:
        self.closed += 1


def previews(nursery: Any, *providers: Any, clips: Any = None, **given: Any) -> Previews:
    search = AcquireSearch(catalogues=[Catalogue()], providers=providers)
    return Previews(nursery=nursery, search=search, providers=providers, clips=clips, **given)


def candidate(url: str, title: str = "One More Time", **more: Any) -> Candidate:
    return Candidate(**({"provider": "youtube", "locator": {"key": url, "url": url}, "title": title,
                         "artist": "Daft Punk", "duration_ms": 320_000} | more))


# ---- really ------------------------------------------------------------------------------------------------------


def test_a_link_is_heard_bit_for_bit_and_nothing_stays(nursery: Nursery, server: MediaServer) -> None:
    direct = Direct(nursery=nursery, settings=Settings())
    with previews(nursery, direct).open(url=server.url("song.mp3")) as heard:
        assert heard.mime_type == "audio/mpeg"
        assert b"".join(heard.chunks()) == SONG


def test_a_listener_who_leaves_frees_the_place(nursery: Nursery, server: MediaServer) -> None:
    direct = Direct(nursery=nursery, settings=Settings())
    listening = previews(nursery, direct, at_once=1)
    heard = listening.open(url=server.url("song.mp3"))
    with pytest.raises(Overloaded) as full:
        listening.open(url=server.url("song.mp3"))
    assert full.value.http_status == 503
    heard.close()
    heard.close()
    with listening.open(url=server.url("song.mp3")) as again:
        assert next(again.chunks())


@pytest.mark.parametrize(("link", "code"), [
    ("missing.mp3", "not_found"), ("page.html", "not_audio"), ("http://192.168.1.1/a.mp3", "forbidden_address"),
])
def test_what_cannot_be_heard_is_told_and_frees_the_place(nursery: Nursery, server: MediaServer, link: str,
                                                          code: str) -> None:
    direct = Direct(nursery=nursery, settings=Settings())
    listening = previews(nursery, direct, at_once=1)
    for _ in range(2):
        with pytest.raises(Failure) as failed:
            listening.open(url=link if "://" in link else server.url(link))
        assert failed.value.code in (code, "unsupported")


def test_a_track_of_deezer_is_heard_for_thirty_seconds(nursery: Nursery, server: MediaServer,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeDeezer(albums=[ALBUM]) as fake:
        deezer = Deezer(settings=Settings(deezer_url=fake.url))
        inner = fake._row
        monkeypatch.setattr(fake, "_row", lambda at, **more: inner(at, **more) | {"preview": server.url("clip.mp3")})
        search = AcquireSearch(catalogues=[deezer])
        listening = Previews(nursery=nursery, search=search, providers=[], clips=deezer)
        for asked in ({"url": "https://www.deezer.com/track/3135553"}, {"source": "deezer", "id": "3135553"},
                      {"url": "https://www.deezer.com/album/302127"}):
            with listening.open(**asked) as heard:
                assert b"".join(heard) == CLIP


# ---- what is chosen ----------------------------------------------------------------------------------------------


def test_a_recording_of_a_catalogue_is_its_clip_else_the_best_candidate() -> None:
    good, live = candidate("https://v.example/good"), candidate("https://v.example/live", "One More Time (Live)")
    told = Told()
    with previews(told, Videos(live, good), clips=Clips("https://clip.example/1")).open(url="https://catalogue.example/1"):
        assert [job["url"] for job in told.jobs] == ["https://clip.example/1"]
    told = Told()
    with previews(told, Videos(live, good), clips=Clips(None)).open(source="spotify", id="x"):
        assert [(job["url"], job["site"]) for job in told.jobs] == [("https://v.example/good", True)]


def test_what_fails_gives_way_to_the_next() -> None:
    gone = Failure("removed", "gone")
    told = Told({"https://clip.example/1": gone, "https://v.example/a": gone})
    videos = Videos(candidate("https://v.example/a"), candidate("https://v.example/b"))
    with previews(told, videos, clips=Clips("https://clip.example/1")).open(url="https://catalogue.example/1") as heard:
        assert b"".join(heard) == b"onetwo"
    assert told.jobs[-1]["url"] == "https://v.example/b"


def test_nothing_to_hear_is_told() -> None:
    for listening in (previews(Told()), previews(Told(), Videos()), previews(Told(), Videos(candidate("u", "Other")))):
        with pytest.raises(Failure) as failed:
            listening.open(url="https://catalogue.example/1")
        assert failed.value.code == "no_candidates"
    with pytest.raises(Failure) as failed:
        previews(Told(), Videos(fails=Failure("timed_out", "slow"))).open(url="https://catalogue.example/1")
    assert failed.value.code == "timed_out"
    with pytest.raises(Failure) as failed:
        previews(Told()).open(url="https://catalogue.example/empty")
    assert failed.value.code == "no_candidates"


@pytest.mark.parametrize("asked", [{}, {"source": "napster", "id": "1"}, {"source": "deezer"}])
def test_what_names_nothing_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        previews(Told()).open(**asked)


def test_a_stream_that_breaks_off_ends_and_frees_the_place() -> None:
    class Breaks(Told):
        def __iter__(self) -> Iterator[bytes]:
            yield b"one"
            raise Failure("connection_lost", "broke off")

    breaks = Breaks()
    listening = previews(breaks, clips=Clips("https://clip.example/1"), at_once=1)
    for _ in range(2):
        assert b"".join(listening.open(url="https://catalogue.example/1")) == b"one"
    assert breaks.closed == 2
