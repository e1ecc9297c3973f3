"""What came and what failed in a span of time: a summary for programs, a table for spreadsheets.

Both are made of records.downloads.ReportRow, one a download that is over. Pure.
"""

from __future__ import annotations

import csv as tables
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

COLUMNS = (
    "id", "status", "title", "artist", "album", "source", "quality", "quality_got", "bytes", "attempt", "duration_ms",
    "error_code", "error_message", "track_id", "duplicate_of", "url", "query", "username", "created_at", "finished_at",
)
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")


def summary(rows: Iterable[Any]) -> dict[str, Any]:
    """Numbers, and the downloads they are made of.

    `bytes` and `duration_ms` add up what was completed; `failures` is code → {count, message} with the most frequent
    first; `duplicates` were in the library already; `by_provider` tells each source's share; `durations` is the whole
    way's p50 and p95, `stages` each stage's, in ms.
    """
    listed = list(rows)
    done = [one for one in listed if one.status == "completed"]
    counts = Counter(one.status for one in listed)
    failures: dict[str, dict[str, Any]] = {}
    for code, count in Counter(one.error_code or "internal" for one in listed if one.status == "failed").most_common():
        said = next((one.error_message for one in reversed(listed)
                     if one.status == "failed" and (one.error_code or "internal") == code and one.error_message), None)
        failures[code] = {"count": count, "message": said}
    stages: dict[str, list[int]] = defaultdict(list)
    for one in done:
        for stage, took_ms in (one.stage_ms or {}).items():
            stages[stage].append(int(took_ms))
    return {
        "completed": counts["completed"], "failed": counts["failed"], "cancelled": counts["cancelled"],
        "duplicates": sum(1 for one in done if one.duplicate_of),
        "bytes": sum(one.bytes or 0 for one in done), "duration_ms": sum(one.duration_ms or 0 for one in done),
        "failures": failures,
        "by_provider": _by_provider(listed),
        "durations": _spread([one.duration_ms for one in done if one.duration_ms is not None]),
        "stages": {stage: _spread(took) for stage, took in stages.items()},
        "items": listed,
    }


def csv(rows: Iterable[Any]) -> str:
    """A table with a heading (RFC 4180, with the mark that tells spreadsheets it is UTF-8). No cell can be taken for a
    formula: titles come from strangers."""
    out = io.StringIO()
    out.write("\ufeff")
    table = tables.writer(out, lineterminator="\r\n")
    stages = ("understand", "find", "fetch", "inspect", "identify", "process", "dress", "admit")
    table.writerow([*COLUMNS, *(f"{stage}_ms" for stage in stages)])
    for one in rows:
        took: Mapping[str, Any] = one.stage_ms or {}
        table.writerow([*(_cell(getattr(one, name)) for name in COLUMNS),
                        *(_cell(took.get(stage)) for stage in stages)])
    return out.getvalue()


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` (0-1) of `values` do not exceed. `values` must not be empty."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -(-len(ordered) * round(share * 1000) // 1000) - 1))]


def _spread(values: Sequence[int]) -> dict[str, int | None]:
    if not values:
        return {"p50_ms": None, "p95_ms": None}
    return {"p50_ms": int(percentile(values, 0.5)), "p95_ms": int(percentile(values, 0.95))}


def _by_provider(rows: Iterable[Any]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for one in rows:
        sums = found.setdefault(one.source or "unknown", {"completed": 0, "failed": 0, "cancelled": 0, "bytes": 0})
        if one.status in sums:
            sums[one.status] += 1
        if one.status == "completed":
            sums["bytes"] += one.bytes or 0
    return dict(sorted(found.items(), key=lambda pair: (-pair[1]["completed"], pair[0])))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = "".join(one if one.isprintable() else " " for one in str(value))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
