"""What is offered outside, asked through the doors."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.events import StreamEnded, StreamStarted
from shared.model.download import Failure, Offer, Wanted
from shared.model.errors import NotFound
from shared.serving.admission import kind_of
from tests.routes.houses import Front

HEROES = Offer(
    kind="track", source="deezer", id="7", title="Heroes", artist="David Bowie", track_id="t1",
    tracks=(Wanted(title="Heroes", source="deezer", source_id="7"),),
)


class Search:
    def __init__(self) -> None:
        self.asked: list[Any] = []

    def search(self, words: str, limit: int = 20) -> dict[str, Any]:
        self.asked.append((words, limit))
        return {"items": [HEROES],
                "failures": [{"source": "spotify", "code": "timed_out", "message": "Spotify has not answered yet."}]}

    def album(self, source: str, id: str) -> Offer:
        self.asked.append((source, id))
        return Offer(kind="album", source=source, id=id, title="Low", tracks=HEROES.tracks)

    def resolve(self, url: str) -> Offer:
        self.asked.append(url)
        if "gone" in url:
            raise Failure("removed", "This video was removed.", provider="youtube")
        if "hangs" in url:
            raise Failure("refused", "youtube is left alone.", retry_after_s=40)
        return HEROES

    def tracks_owned(self, offer: Offer) -> list[str | None]:
        return ["t1" for _ in offer.tracks]


class Previews:
    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.closed = 0
        self.mime_type = "audio/mpeg"

    def open(self, **wish: Any) -> Any:
        self.asked.append(wish)
        if wish["url"] and "gone" in wish["url"]:
            raise Failure("not_found", "It is not there.")
        return SimpleNamespace(mime_type=self.mime_type, chunks=lambda: iter((b"one", b"two")), close=self._close)

    def _close(self) -> None:
        self.closed += 1


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Front:
    folder: Path = tmp_path_factory.mktemp("acquire")
    return Front(folder, music=False, acquire=Search(), previews=Previews())


def test_a_search_answers_what_came_and_names_who_failed(front: Front) -> None:
    found = front.get("/api/acquire/search?q=%20David%20%20Bowie%20&limit=900")
    assert front.house.acquire.asked[-1] == ("David Bowie", 50)
    assert [(one["kind"], one["source"], one["title"], one["track_id"]) for one in found["items"]] == [
        ("track", "deezer", "Heroes", "t1")]
    assert found["failures"] == [
        {"source": "spotify", "code": "timed_out", "message": "Spotify has not answered yet."}]


def test_no_words_find_nothing_and_ask_nobody(front: Front) -> None:
    before = list(front.house.acquire.asked)
    for query in ("", "?q=", "?q=%20"):
        assert front.get(f"/api/acquire/search{query}") == {"items": [], "failures": []}
    assert front.house.acquire.asked == before
    assert front.ask("GET", f"/api/acquire/search?q={'x' * 501}").status == 400


def test_a_link_is_resolved_with_its_tracks(front: Front) -> None:
    found = front.get("/api/acquire/resolve?url=https://x/1")
    assert (found["title"], found["tracks"][0]["source_id"]) == ("Heroes", "7")


def test_it_is_told_which_tracks_of_a_link_are_owned_unless_they_are_very_many(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert front.get("/api/acquire/resolve?url=https://x/1")["owned"] == ["t1"]
    monkeypatch.setattr("shared.routes.acquire.LOOKED_UP", 0)
    assert front.get("/api/acquire/resolve?url=https://x/1")["owned"] == []


@pytest.mark.parametrize(("url", "code"), [
    ("https://x/gone", "removed"), ("https://x/hangs", "refused"), ("file:///etc/passwd", "unprocessable"),
    ("nonsense", "unprocessable"),
])
def test_what_cannot_be_resolved_says_why(front: Front, url: str, code: str) -> None:
    answer = front.ask("GET", f"/api/acquire/resolve?url={url}")
    assert (answer.status, answer.json["error"]["code"]) == (422, code)
    assert front.ask("GET", "/api/acquire/resolve").status == 400


def test_an_album_is_known_by_its_catalogues_own_id(front: Front) -> None:
    assert len(front.get("/api/acquire/album?source=local&id=a1")["tracks"]) == 1
    assert front.house.acquire.asked[-1] == ("local", "a1")
    assert front.ask("GET", "/api/acquire/album?source=local").status == 400


def test_a_picture_from_outside_is_sent_small_and_may_be_kept(front: Front, tmp_path: Path) -> None:
    drawn = tmp_path / "128.webp"
    drawn.write_bytes(b"RIFF....WEBP")
    asked: list[Any] = []

    def get(url: str, size: int) -> Any:
        asked.append((url, size))
        if "none" in url:
            raise NotFound("This picture cannot be had.")
        return SimpleNamespace(path=str(drawn), mime_type="image/webp", etag="abc-128", version="1")

    front.house.outside_covers.get = get
    answer = front.ask("GET", "/api/acquire/cover?url=https://covers/1.jpg&size=9000")
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (200, b"RIFF....WEBP", "image/webp")
    assert "max-age" in answer.headers["Cache-Control"]
    assert asked == [("https://covers/1.jpg", 1200)]
    again = front.ask("GET", "/api/acquire/cover?url=https://covers/1.jpg", If_None_Match='"abc-128"')
    assert again.status == 304
    assert front.ask("GET", "/api/acquire/cover?url=https://covers/none").status == 404
    assert front.ask("GET", "/api/acquire/cover?url=file:///etc/passwd").status == 422
    drawn.unlink()
    assert front.ask("GET", "/api/acquire/cover?url=https://covers/1.jpg").status == 404


def test_a_preview_is_streamed_through_and_closed(front: Front) -> None:
    told: list[Any] = []
    ends = [front.house.events.subscribe(kind, told.append) for kind in (StreamStarted, StreamEnded)]
    answer = front.ask("GET", "/api/acquire/preview?url=https://x/1")
    for end in ends:
        end()
    assert (answer.status, answer.data) == (200, b"onetwo")
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == ("audio/mpeg", "no-store")
    assert front.house.previews.closed == 1
    assert told == [StreamStarted("preview"), StreamEnded("preview", 6)]
    front.ask("GET", "/api/acquire/preview?source=deezer&id=7")
    assert front.house.previews.asked[-1] == {"url": None, "source": "deezer", "id": "7"}


def test_a_preview_is_sound_whatever_its_server_calls_it(front: Front) -> None:
    front.house.previews.mime_type = "text/html"
    try:
        answer = front.ask("GET", "/api/acquire/preview?url=https://x/1")
    finally:
        front.house.previews.mime_type = "audio/mpeg"
    assert answer.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(("query", "status"), [
    ("", 400), ("url=https://x/1&id=7&source=deezer", 400), ("id=7", 400), ("url=file:///x", 422),
    ("url=https://x/gone", 422),
])
def test_a_preview_needs_something_that_can_be_heard(front: Front, query: str, status: int) -> None:
    assert front.ask("GET", f"/api/acquire/preview?{query}").status == status


def test_asking_about_a_preview_starts_none(front: Front) -> None:
    before = len(front.house.previews.asked)
    assert front.ask("HEAD", "/api/acquire/preview?url=https://x/1").status == 200
    assert len(front.house.previews.asked) == before


def test_a_preview_holds_a_place_among_streams() -> None:
    assert kind_of("GET", "/api/acquire/preview") == "stream"
    assert kind_of("HEAD", "/api/acquire/preview") == "quick"
