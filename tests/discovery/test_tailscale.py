"""Tailscale's program is asked for the machine's name, and never trusted with more."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.discovery import tailscale

STATUS = {"BackendState": "Running", "Self": {"DNSName": "Attic.example.ts.net.", "TailscaleIPs": ["100.64.0.7"]}}


def test_the_name_is_without_its_last_dot() -> None:
    assert tailscale.name_in(json.dumps(STATUS).encode()) == "attic.example.ts.net"


@pytest.mark.parametrize("status", [
    b"", b"[]", b"null", b"{", b'{"BackendState": "Running"}', b'{"BackendState": "Running", "Self": null}',
    json.dumps({**STATUS, "BackendState": "Stopped"}).encode(),
    json.dumps({**STATUS, "Self": {"DNSName": ""}}).encode(),
    json.dumps({**STATUS, "Self": {"DNSName": "evil name.example"}}).encode(),
    json.dumps({**STATUS, "Self": {"DNSName": "localhost"}}).encode(),
    b"[" * 100_000,
])
def test_anything_else_is_no_name(status: bytes) -> None:
    assert tailscale.name_in(status) is None


@given(st.binary(max_size=200))
def test_no_answer_breaks_it(status: bytes) -> None:
    tailscale.name_in(status)


def _program(folder: Path, text: str) -> str:
    program = folder / "tailscale"
    program.write_text(f"#!{sys.executable}\n{text}\n")
    program.chmod(0o755)
    return str(program)


def test_the_program_is_asked_for_this_machine_alone(tmp_path: Path) -> None:
    program = _program(tmp_path, "import sys, json\n"
                       "assert sys.argv[1:] == ['status', '--json', '--peers=false']\n"
                       f"print(json.dumps({STATUS!r}))")
    assert tailscale.dns_name(program) == "attic.example.ts.net"


def test_a_program_that_fails_or_hangs_gives_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tailscale, "PATIENCE_S", 0.3)
    assert tailscale.dns_name(_program(tmp_path, f"print('''{json.dumps(STATUS)}''')\nraise SystemExit(1)")) is None
    assert tailscale.dns_name(_program(tmp_path, "import time\ntime.sleep(60)")) is None
    assert tailscale.dns_name(str(tmp_path / "none")) is None
