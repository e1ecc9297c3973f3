"""The command line, run in this process with a home of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from setup_tool.cli import main
from tests.running import free_port

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)


Tool = Callable[..., Said]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, a free port and no settings of this machine."""
    import os

    for name in [name for name in os.environ if name.startswith("SOUNDSIBLE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SOUNDSIBLE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SOUNDSIBLE_HOST", "127.0.0.1")
    monkeypatch.setenv("SOUNDSIBLE_PORT", str(free_port()))
    monkeypatch.setenv("SOUNDSIBLE_PASSWORD", PASSWORD)
    monkeypatch.setenv("SOUNDSIBLE_SCAN_WORKERS", "1")      # enough for a few files
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "home"


@pytest.fixture
def tool(home: Path, capfd: pytest.CaptureFixture[str]) -> Tool:
    def run(*arguments: str) -> Said:
        capfd.readouterr()
        code = main(list(arguments))
        return Said(code, *capfd.readouterr())

    return run
