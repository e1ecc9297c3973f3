"""The table of every call of /rest with its tests, for docs/opensubsonic.md.

Run as `python -m tests.subsonic.table` it writes the tables there. A test of a call is one that names it.
"""

from __future__ import annotations

import ast
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from shared.subsonic.calls import Call
from shared.subsonic.system import EXTENSIONS

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "opensubsonic.md"
BEGIN, END = "<!-- written by python -m tests.subsonic.table -->", "<!-- end -->"
MOST = 2            # tests named beside the one that asks every call
EVERY = "test_conformance.py"
# What proves an extension that is no call of its own, or is more than its calls.
PROOFS = {
    "formPost": ("test_conformance.py", "test_what_goes_well_is_as_the_document_has_it"),
    "apiKeyAuthentication": ("test_py_opensonic.py", "test_it_logs_in_in_each_of_its_ways"),
    "transcodeOffset": ("test_media.py", "test_an_offset_begins_there"),
    "indexBasedQueue": ("test_queue.py", "test_a_queue_keeps_what_stands_in_it_twice"),
    "playbackReport": ("test_annotation.py", "test_what_an_app_reports_is_shown_and_heard_once"),
    "transcoding": ("test_media.py", "test_a_transcode_that_was_decided_comes_as_it_was_decided"),
    "topSongsByArtistId": ("test_likeness.py", "test_top_songs_are_asked_for_by_name_or_by_id"),
}
WORDS = {
    "formPost": "every call may come as a form",
    "apiKeyAuthentication": "an app password alone is the key",
    "transcodeOffset": "`stream` begins at `timeOffset`",
    "songLyrics": "lyrics by song, version 2 with the cues of words",
    "indexBasedQueue": "a queue may hold a song twice",
    "playbackReport": "what plays, is paused, and where",
    "transcoding": "the station says whether a program must have it converted, and how",
    "sonicSimilarity": "which tracks sound alike; named once four fifths of the library have been listened to",
    "topSongsByArtistId": "`getTopSongs` takes an artist's id",
    "getPodcastEpisode": "one episode by its id",
}


def all_calls() -> dict[str, Call]:
    """As a station builds them."""
    from tests.holding.whole import whole

    with tempfile.TemporaryDirectory() as folder:
        return dict(whole(Path(folder)).app.extensions["calls"])


def tests_by_call(names: set[str]) -> dict[str, list[tuple[str, str]]]:
    """Call → (file, test) that has its name as a text, the fewest other calls first."""
    found: defaultdict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for path in sorted(HERE.glob("test_*.py")):
        if path.name == EVERY:
            continue
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                words = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)
                         and isinstance(one.value, str)} & names
                for word in words:
                    found[word].append((len(words), path.name, node.name))
    return {name: [(file, test) for _, file, test in sorted(some)] for name, some in found.items()}


def tables() -> str:
    calls = all_calls()
    proofs = tests_by_call(set(calls))
    lines = [BEGIN, "", "## Extensions", "", "| extension | versions | what it is | test |", "|---|---|---|---|"]
    for name, versions in EXTENSIONS.items():
        its = sorted(call.name for call in calls.values() if call.extension == name)
        proof = PROOFS.get(name) or next((proofs[one][0] for one in [*its, name] if one in proofs), None)
        if proof is None:
            raise SystemExit(f"no test proves the extension {name}")
        lines.append(f"| {name} | {', '.join(map(str, versions))} | {WORDS[name]} | {link(*proof)} |")
    by_room: defaultdict[str, list[Call]] = defaultdict(list)
    for call in calls.values():
        by_room[call.room].append(call)
    every = f"[every call](../tests/subsonic/{EVERY})"
    lines += ["", "## Calls", "", f"Beside the tests that are named, {every} is asked as the document has it and with "
              "nonsense, and its XML is compared with its JSON.", ""]
    for room, some in by_room.items():
        lines += [f"### {room.capitalize()}", "", "| call | what it does | tests |", "|---|---|---|"]
        for call in sorted(some, key=lambda one: one.name):
            what = f"{'*Declined.* ' if call.declined else ''}{call.summary}"
            proven = [link(*one) for one in proofs.get(call.name, ())[:MOST]]
            lines.append(f"| `{call.name}` | {what} | {', '.join(proven) or every} |")
        lines.append("")
    return "\n".join([*lines, END])


def link(file: str, test: str) -> str:
    words = test.removeprefix("test_").replace("_", " ")
    return f"[{words}](../tests/subsonic/{file})"


def main() -> None:
    text = PAGE.read_text("utf-8")
    before, found, rest = text.partition(BEGIN)
    if not found:
        sys.exit(f"{PAGE.name} has no place for it: {BEGIN} … {END}")
    PAGE.write_text(before + tables() + rest.partition(END)[2], "utf-8")


if __name__ == "__main__":
    main()
