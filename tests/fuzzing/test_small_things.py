"""What strangers can put into single fields: tokens, cursors, ranges, hosts. Refused in words, never a 5xx."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.routes import ranges
from shared.security.hosts import host_named, split_host
from shared.security.origin import same_origin
from tests.holding.whole import Whole, whole

HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=200)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return whole(tmp_path_factory.mktemp("small"))


@given(HEADER)
def test_no_made_up_session_is_one(made: Whole, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".encode("latin-1").decode("latin-1")}
    assert made.ask("GET", "/api/me", headers=headers).status_code == 401
    assert made.ask("GET", "/api/me", headers={"Cookie": f"soundsible_session={token}"}).status_code == 401


@given(st.integers(0, 200), st.integers(0, 255))
def test_no_changed_session_is_one(made: Whole, at: int, change: int) -> None:
    token = made.tokens["owner", "own"]
    at %= len(token)
    changed = token[:at] + chr(33 + (ord(token[at]) - 33 + 1 + change % 90) % 94) + token[at + 1:]
    if changed != token:
        assert made.ask("GET", "/api/me", token=changed).status_code == 401


@given(st.text(max_size=300))
def test_any_cursor_is_a_page_or_a_refusal(made: Whole, cursor: str) -> None:
    for path in ("/api/library/tracks", "/api/library/albums", "/api/library/artists", "/api/library/playlists",
                 "/api/downloads", "/api/storage/errands"):
        answer = made.ask("GET", path, token=made.tokens["owner", "own"], query_string={"cursor": cursor})
        assert answer.status_code in (200, 400, 410), (path, answer.data)


@given(st.one_of(st.integers(), st.floats(), st.text(max_size=40)), st.one_of(st.integers(), st.text(max_size=40)))
def test_any_size_of_a_page_is_bounded(made: Whole, limit: Any, offset: Any) -> None:
    answer = made.ask("GET", "/api/library/tracks", token=made.tokens["owner", "own"],
                      query_string={"limit": limit, "offset": offset})
    assert answer.status_code in (200, 400), answer.data
    if answer.status_code == 200:
        assert len(answer.json["items"]) <= 500


@given(HEADER, st.integers(0, 2**40))
def test_any_range_lies_in_the_file(text: str, size: int) -> None:
    for header in (text, f"bytes={text}"):
        spans = ranges.parse(header, size)
        assert spans is None or all(0 <= first <= last < size for first, last in spans)


@given(st.lists(st.tuples(st.integers(0, 2**65), st.integers(0, 2**65)), max_size=50), st.integers(1, 2**40))
def test_many_ranges_send_no_more_than_a_few_times_the_file(pairs: list[tuple[int, int]], size: int) -> None:
    spans = ranges.parse("bytes=" + ",".join(f"{first}-{last}" for first, last in pairs), size)
    assert spans is None or sum(last - first + 1 for first, last in spans) <= 4 * size


@given(st.text(max_size=80))
def test_any_host_is_ours_or_refused(text: str) -> None:
    if host_named(text, {"localhost"}):
        assert split_host(text) is not None
    same_origin(text, "localhost:5005")
    assert not same_origin(f"https://{text}.evil.example", "localhost")


@given(st.binary(max_size=300), st.sampled_from(["/api/session", "/api/setup"]))
def test_any_body_of_a_stranger_is_refused_in_words(made: Whole, body: bytes, path: str) -> None:
    answer = made.ask("POST", path, data=body, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert answer.json["error"]["message"]
