"""The page of /rest tells of every call and extension, and names a test of each."""

from __future__ import annotations

import re

from shared.subsonic.system import EXTENSIONS
from tests.subsonic import specification, table


def test_the_page_tells_what_is_there() -> None:
    written = table.PAGE.read_text("utf-8")
    assert table.tables() in written, "run python -m tests.subsonic.table"


def test_every_test_that_is_named_is_there() -> None:
    for file, words in {(file, words) for words, file in
                        re.findall(r"\[([^\]]+)\]\(\.\./tests/subsonic/(test_\w+\.py)\)", table.tables())}:
        if words != "every call":
            assert f"def test_{words.replace(' ', '_')}(" in (table.HERE / file).read_text("utf-8"), (file, words)


def test_every_extension_is_told_of() -> None:
    assert EXTENSIONS.keys() == table.WORDS.keys()


def test_every_call_of_the_document_is_answered() -> None:
    if specification.is_there():
        assert set(specification.names()) <= table.all_calls().keys()
