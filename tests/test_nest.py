"""A process from the nest is one like another: its command line, environment, output and end are its own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import __version__
from tests.nest import Nest
from tests.running import clean_environment, free_port

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a nest is Linux's")


@pytest.fixture(scope="module")
def nest() -> Iterator[Nest]:
    made = Nest()
    yield made
    made.end()
    assert not made.lives


def test_each_has_its_own_arguments_environment_output_and_exit_code(nest: Nest, tmp_path: Path) -> None:
    said = []
    for arguments, code in ((["--version"], 0), (["--nonsense"], 2), (["--music", str(tmp_path / "never")], 1)):
        with open(tmp_path / "said", "w+b") as file:
            process = nest.begin(arguments, clean_environment(tmp_path / "home"), file.fileno())
            assert (process.wait(30), process.poll()) == (code, code)
            assert not os.path.exists(f"/proc/{process.pid}")
            file.seek(0)
            said.append(file.read().decode())
    assert said[0] == f"Soundsible {__version__}\n" and "--nonsense" in said[1] and str(tmp_path / "never") in said[2]
    assert (tmp_path / "home").exists() and "Traceback" not in "".join(said)


def test_one_that_was_killed_says_so_and_the_others_with_the_nest_end_in_order(tmp_path: Path) -> None:
    nest = Nest()
    with open(tmp_path / "said", "wb") as file:
        first, second = (nest.begin(["--host", "127.0.0.1", "--port", str(free_port())],
                                    clean_environment(tmp_path / name), file.fileno()) for name in ("a", "b"))
    assert first.poll() is None
    first.kill()
    assert first.wait(30) == -signal.SIGKILL
    assert second.poll() is None
    nest.end()
    assert second.wait(30) in (0, -signal.SIGTERM)      # it may not yet have come to where it ends in order
