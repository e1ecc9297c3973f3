"""The rules of the player, those that need no browser: web/static/core is tried in Node."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_rules_of_the_player_hold_in_node() -> None:
    if shutil.which("node") is None:
        if os.environ.get("CI"):
            pytest.fail("node is needed to try web/static/core")
        pytest.skip("node is not installed; web/static/core is tried where it is")
    tests = sorted(str(one) for ending in ("js", "mjs") for one in (ROOT / "tests").rglob(f"*.test.{ending}"))
    assert tests
    run = subprocess.run(["node", "--test", *tests], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout[-6000:]
