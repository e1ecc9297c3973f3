"""How the command line looks: calm text on standard output, progress on standard error, JSON when asked.

Names of files and people are shown as plain text: control characters in them do not reach the terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.box import Box
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

QUIET, STRONG, GOOD, UNSURE, BAD, ACCENT = "dim", "bold", "green", "yellow", "red", "cyan"
MARKS = {"ok": ("✓", GOOD), "note": ("·", QUIET), "warn": ("!", UNSURE), "fail": ("✗", BAD)}

# A heading line and nothing else.
_LINES = Box("    \n    \n ── \n    \n    \n    \n    \n    \n")


def out() -> Console:
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=False)


def aside() -> Console:
    """Standard error: progress and remarks."""
    return Console(file=sys.stderr, highlight=False, markup=False, emoji=False)


def plain(value: object) -> str:
    """`value` on one line without anything that could steer a terminal."""
    return "".join(one if one.isprintable() else "�" for one in str(value))


def text(value: object, style: str = "") -> Text:
    return Text(plain(value), style=style)


def document(value: Any) -> None:
    """The one JSON document of a `--json` run."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=_as_json) + "\n")


def _as_json(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value, str_keys=True)


def table(*columns: str, rows: Iterable[Sequence[object]], right: Sequence[str] = (), quiet: Sequence[str] = (),
          wide: Sequence[str] = ()) -> Table:
    """Rows under quiet headings. `right`: columns of numbers; `wide`: those that may take several lines."""
    made = Table(box=_LINES, show_edge=False, pad_edge=False, header_style=QUIET, border_style=QUIET,
                 padding=(0, 1, 0, 0))
    for name in columns:
        made.add_column(
            name, justify="right" if name in right else "left", style=QUIET if name in quiet else "",
            overflow="fold" if name in wide else "ellipsis", no_wrap=name not in wide,
        )
    for row in rows:
        made.add_row(*(one if isinstance(one, Text) else text("" if one is None else one) for one in row))
    return made


def facts(pairs: Iterable[tuple[str, object]]) -> Table:
    """Name and value, one a line; the names quiet."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(style=QUIET, no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        made.add_row(text(name), value if isinstance(value, Text) else text(value))
    return made


def mark(state: str) -> Text:
    sign, style = MARKS[state]
    return Text(sign, style=style)


class Bar(Progress):
    """With a quiet line below it: what the work is at (`now`), cut to the terminal's width."""

    now = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.now:
            yield Text(f"  {plain(self.now)}", style=QUIET, no_wrap=True, overflow="ellipsis")


def bar() -> Bar:
    """A progress bar on standard error; nothing at all when that is no terminal. Its tasks have a field `told`."""
    console = aside()
    return Bar(
        SpinnerColumn(style=ACCENT, finished_text=Text("✓", style=GOOD)), TextColumn("{task.description}"),
        BarColumn(bar_width=None, style=QUIET, complete_style=ACCENT, finished_style=GOOD, pulse_style=ACCENT),
        TextColumn("{task.fields[told]}", style=QUIET),
        console=console, disable=not console.is_terminal, transient=True, expand=True,
    )


def size(count: int) -> str:
    """Bytes as people read them: 3.4 GB."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit in ("bytes", "kB") or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def length(duration_ms: int) -> str:
    """A duration as people say it: 12 days, 3 h 20 min, 4 min."""
    minutes = round(duration_ms / 60_000)
    if minutes >= 48 * 60:
        return f"{minutes / 60 / 24:.1f} days"
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def number(count: int) -> str:
    return f"{count:,}"


def count(amount: int, one: str, many: str | None = None) -> str:
    """1 track, 1,234 tracks."""
    return f"{amount:,} {one if amount == 1 else many or one + 's'}"


def moment(rfc3339: str | None) -> str:
    """A moment in this machine's own time, to the minute."""
    if not rfc3339:
        return ""
    return datetime.fromisoformat(rfc3339.replace("Z", "+00:00")).astimezone().strftime("%Y-%m-%d %H:%M")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
