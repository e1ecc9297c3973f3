"""Pictures over HTTP: sizes, versions, and what stays in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.library.covers import CoverFile
from shared.model.errors import NotFound
from tests.routes.houses import Front


class FakeCovers:
    """One picture, which may be swept away once."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "300.webp"
        self.sizes: list[int] = []
        self.swept = False

    def get(self, id: str, size: int, *, person: object = None) -> CoverFile:
        if id == "none":
            raise NotFound("There is no picture of this.")
        self.sizes.append(size)
        if self.swept:
            self.path.unlink(missing_ok=True)
            self.swept = False
        else:
            self.path.write_bytes(b"RIFFwebp")
        return CoverFile(str(self.path), "v1-300", "image/webp", "v1")


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Front:
    folder = tmp_path_factory.mktemp("house")
    return Front(folder, music=False, covers=FakeCovers(folder))


@pytest.mark.parametrize(("size", "asked"), [
    ("64", 64), ("1200", 1200), ("300", 300), ("0", 64), ("-5", 64), ("100000", 1200), ("9" * 50, 1200), ("", 300),
])
def test_a_size_is_clamped(front: Front, size: str, asked: int) -> None:
    answer = front.ask("GET", f"/api/covers/x?size={size}")
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (200, b"RIFFwebp", "image/webp")
    assert front.house.covers.sizes[-1] == asked


def test_a_cover_of_the_right_version_is_kept_for_ever_and_others_are_asked_for_again(front: Front) -> None:
    assert "immutable" in front.ask("GET", "/api/covers/x?v=v1").headers["Cache-Control"]
    for query in ("", "?v=v0", "?v="):
        assert front.ask("GET", f"/api/covers/x{query}").headers["Cache-Control"] == "private, no-cache"


def test_a_cover_that_the_browser_holds_is_not_sent_again(front: Front) -> None:
    etag = front.ask("GET", "/api/covers/x").headers["ETag"]
    assert etag == '"v1-300"'
    assert front.ask("GET", "/api/covers/x", If_None_Match=etag).status == 304
    head = front.ask("HEAD", "/api/covers/x")
    assert (head.status, head.data, head.headers["Content-Length"]) == (200, b"", "8")


def test_no_picture_is_404(front: Front) -> None:
    answer = front.ask("GET", "/api/covers/none")
    assert (answer.status, answer.json["error"]["code"]) == (404, "not_found")


def test_what_is_no_size_is_refused(front: Front) -> None:
    assert front.ask("GET", "/api/covers/x?size=large").status == 400


def test_a_cover_swept_from_the_cache_meanwhile_is_made_again(front: Front) -> None:
    front.house.covers.swept = True
    answer: Any = front.ask("GET", "/api/covers/x")
    assert (answer.status, answer.data) == (200, b"RIFFwebp")
