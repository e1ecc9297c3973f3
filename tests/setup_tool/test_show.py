"""How things look: nothing in a name steers the terminal, numbers read as people say them."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from setup_tool import show


def printed(thing: object, width: int = 80) -> str:
    file = io.StringIO()
    Console(file=file, width=width, highlight=False, markup=False).print(thing)
    return file.getvalue()


@given(st.text())
def test_no_name_steers_the_terminal(name: str) -> None:
    said = printed(show.table("name", rows=[(name,)], wide=("name",)), width=2000)
    assert all(one.isprintable() or one == "\n" for one in said)
    assert said.count("\n") == 3


def test_markup_in_a_name_stays_text() -> None:
    assert "[red]x[/red]" in printed(show.table("name", rows=[("[red]x[/red]",)]))
    assert "[bold]" in printed(show.facts([("name", "[bold]")]))


def test_a_long_path_takes_several_lines_and_loses_nothing() -> None:
    path = "/".join(f"folder-{number}" for number in range(30))
    said = printed(show.table("why", "file", rows=[("empty", path)], wide=("file",)))
    assert max(map(len, said.splitlines())) <= 80
    assert "".join(line[7:].strip() for line in said.splitlines()[2:]) == path


@pytest.mark.parametrize(("count", "said"), [
    (0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (1_700_000, "1.7 MB"), (340_000_000, "340 MB"),
    (3_400_000_000, "3.4 GB"), (5_000_000_000_000, "5.0 TB"),
])
def test_sizes(count: int, said: str) -> None:
    assert show.size(count) == said


@pytest.mark.parametrize(("duration_ms", "said"), [
    (0, "0 min"), (240_000, "4 min"), (3_600_000 * 3 + 60_000 * 5, "3 h 05 min"), (86_400_000 * 12, "12.0 days"),
])
def test_lengths(duration_ms: int, said: str) -> None:
    assert show.length(duration_ms) == said


def test_counts() -> None:
    assert [show.count(n, "track") for n in (0, 1, 1234)] == ["0 tracks", "1 track", "1,234 tracks"]


def test_what_the_work_is_at_stands_below_the_bar_and_fits() -> None:
    with show.bar() as bar:
        bar.add_task("Uploading", total=3, told="")
        bar.now = "a" * 300 + "\x1b[2J"
        lines = printed(bar.get_renderable()).splitlines()
    assert len(lines) == 2 and lines[1].startswith("  aaa") and max(map(len, lines)) <= 80 and "\x1b" not in lines[1]
