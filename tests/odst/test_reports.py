"""Reports: numbers that add up, cells that are no formulas."""

from __future__ import annotations

import csv as tables
import io
import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odst import reports
from shared.records.downloads import ReportRow


def row(**given: Any) -> ReportRow:
    whole: dict[str, Any] = {
        "id": "a", "status": "completed", "title": "Song", "artist": "Band", "album": None, "url": None, "query": "x",
        "source": "direct", "quality": "lossless", "quality_got": "flac", "bytes": 100, "attempt": 1,
        "error_code": None, "error_message": None, "track_id": "t", "duplicate_of": None, "username": "anna",
        "created_at": "2026-11-21T05:00:00.000Z", "finished_at": "2026-11-21T05:00:10.000Z", "duration_ms": 10_000,
        "stage_ms": {"fetch": 8_000, "admit": 20},
    }
    return ReportRow(**{**whole, **given})


def failed(code: str, message: str | None = None, **given: Any) -> ReportRow:
    return row(status="failed", error_code=code, error_message=message, track_id=None, **given)


ROWS = [
    row(), row(bytes=50, duration_ms=30_000, stage_ms={"fetch": 20_000}, source="youtube"),
    row(duplicate_of="t", bytes=0, duration_ms=100, stage_ms={}, source="library"),
    failed("removed", "old"), failed("removed", "It was removed.", source="youtube"), failed("not_audio", bytes=7),
    row(status="cancelled", source=None),
]


def test_the_numbers_add_up() -> None:
    told = reports.summary(ROWS)
    assert (told["completed"], told["failed"], told["cancelled"], told["duplicates"]) == (3, 3, 1, 1)
    assert (told["bytes"], told["duration_ms"]) == (150, 40_100)
    assert told["failures"] == {"removed": {"count": 2, "message": "It was removed."},
                                "not_audio": {"count": 1, "message": None}}
    assert list(told["failures"]) == ["removed", "not_audio"]
    assert told["by_provider"]["youtube"] == {"completed": 1, "failed": 1, "cancelled": 0, "bytes": 50}
    assert told["by_provider"]["unknown"]["cancelled"] == 1
    assert told["durations"] == {"p50_ms": 10_000, "p95_ms": 30_000}
    assert told["stages"]["fetch"] == {"p50_ms": 8_000, "p95_ms": 20_000}
    json.dumps({**told, "items": [asdict(one) for one in told["items"]]})


def test_nothing_is_told_of_nothing() -> None:
    told = reports.summary([])
    assert told["completed"] == told["bytes"] == 0 and told["failures"] == {} and told["items"] == []
    assert told["durations"] == {"p50_ms": None, "p95_ms": None}
    assert len(reports.csv([]).splitlines()) == 1


@pytest.mark.parametrize(("values", "p50", "p95"), [
    ([7], 7, 7), ([1, 2], 1, 2), (list(range(1, 101)), 50, 95), (list(range(1, 21)), 10, 19), ([5, 1, 9], 5, 9),
])
def test_percentiles_are_values_that_occurred(values: list[int], p50: int, p95: int) -> None:
    assert (reports.percentile(values, 0.5), reports.percentile(values, 0.95)) == (p50, p95)


def read(text: str) -> list[dict[str, str]]:
    return list(tables.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_a_table_has_a_row_a_download() -> None:
    told = read(reports.csv(ROWS))
    assert len(told) == len(ROWS)
    assert told[0]["title"] == "Song" and told[0]["fetch_ms"] == "8000" and told[0]["understand_ms"] == ""
    assert told[3]["error_code"] == "removed" and told[3]["track_id"] == ""


@pytest.mark.parametrize("title", [
    "=HYPERLINK(\"http://evil\")", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "  =1", "|cmd", "＝1", "\n@x",
])
def test_a_title_is_never_a_formula(title: str) -> None:
    told = read(reports.csv([row(title=title)]))
    assert told[0]["title"].startswith("'")


@given(st.lists(st.tuples(st.none() | st.text(max_size=20), st.none() | st.text(max_size=20)), max_size=5))
def test_any_text_stays_in_its_cell(texts: list[tuple[str | None, str | None]]) -> None:
    given_rows = [row(title=title, artist=artist) for title, artist in texts]
    told = read(reports.csv(given_rows))
    assert len(told) == len(given_rows)
    for one in told:
        assert one["id"] == "a" and one["username"] == "anna"
        assert one["title"][:1] not in {"=", "+", "-", "@", "\t", "\r", "|"}
