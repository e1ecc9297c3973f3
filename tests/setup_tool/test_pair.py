"""`pair`: a sync token for who has the machine; devices listed, revoked, and waited for."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from setup_tool.rooms import rooms
from shared import settings
from shared.security import sync_token
from shared.station import Station
from tests.running import free_port
from tests.setup_tool.conftest import Tool

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ann(tool: Tool) -> Tool:
    """The tool of a station that ann owns, with ben in it."""
    assert tool("users", "add", "ann", "--role", "owner").code == 0
    assert tool("users", "add", "ben").code == 0
    return tool


@contextmanager
def the_station() -> Iterator[Station]:
    with rooms(settings.load(given={})) as station:
        yield station


def claim(token: str, name: str = "Pixel") -> str:
    """Pair; the new device's own token."""
    with the_station() as station:
        return station.pairing.claim(token, name=name).token


def works(token: str) -> bool:
    with the_station() as station:
        return station.accounts.who(token) is not None


def test_json_tells_the_token_and_when_it_ends(ann: Tool) -> None:
    said = ann("pair", "--name", "Kitchen", "--scope", "add", "--json")
    assert said.code == 0 and {"token", "expires", "link"} <= set(said.document)
    assert said.document["link"].endswith("#" + said.document["token"])
    found = sync_token.read(said.document["token"])
    assert found.endpoints and found.endpoints[0].startswith(("http://127.0.0.1:", "https://127.0.0.1:"))
    with the_station() as station:
        assert station.identity.fingerprint == found.fingerprint
        granted = station.pairing.claim(said.document["token"])
    assert (granted.device.name, granted.device.scope, granted.person.username) == ("Kitchen", "add", "ann")


def test_it_is_for_whoever_is_named_and_listens_unless_told(ann: Tool) -> None:
    said = ann("pair", "--user", "BEN", "--json")
    with the_station() as station:
        person = station.pairing.claim(said.document["token"]).person
    assert (person.username, person.scope) == ("ben", "listen")
    wrong = ann("pair", "--user", "eve", "--json")
    assert wrong.code == 1 and "There is no user 'eve'" in wrong.err


def test_without_a_terminal_it_prints_link_and_text_and_does_not_wait(ann: Tool) -> None:
    said = ann("pair")
    assert said.code == 0 and "/pair#sb1." in said.out and "█" not in said.out
    assert "does not run" in said.err


def test_nobody_to_pair_for_is_told_with_the_remedy(tool: Tool) -> None:
    assert tool("users", "add", "ben").code == 0
    said = tool("pair", "--json")
    assert said.code == 1 and "users add" in said.err


def test_devices_are_listed_and_revoked_by_name_or_id(ann: Tool) -> None:
    phone = claim(ann("pair", "--json").document["token"], "Pixel")
    tablet = claim(ann("pair", "--user", "ben", "--json").document["token"], "Tablet")
    listed = ann("pair", "--list", "--json").document
    assert {(one["name"], one["user"]) for one in listed["items"]} == {("Pixel", "ann"), ("Tablet", "ben")}
    assert [one["name"] for one in ann("pair", "--list", "--user", "ben", "--json").document["items"]] == ["Tablet"]
    assert "Pixel" in ann("pair", "--list").out
    assert ann("pair", "--revoke", "pixel").code == 0
    assert (works(phone), works(tablet)) == (False, True)
    uid = next(one["id"] for one in listed["items"] if one["name"] == "Tablet")
    assert ann("pair", "--revoke", uid, "--json").document["id"] == uid
    assert not works(tablet)
    gone = ann("pair", "--revoke", uid)
    assert gone.code == 1 and "--list" in gone.err
    assert "No device" in ann("pair", "--list").out


def test_of_two_with_one_name_the_id_decides(ann: Tool) -> None:
    tokens = [claim(ann("pair", "--json").document["token"], "Pixel") for _ in range(2)]
    said = ann("pair", "--revoke", "Pixel")
    assert said.code == 1 and "by id" in said.err
    assert all(map(works, tokens))


def test_a_token_that_waits_is_listed_without_its_secret_and_withdrawn(ann: Tool) -> None:
    made = ann("pair", "--name", "Kitchen", "--json").document
    listed = ann("pair", "--list", "--json")
    assert [one["id"] for one in listed.document["waiting"]] == [made["id"]] and made["token"] not in listed.out
    assert "Kitchen" in ann("pair", "--list").out
    assert ann("pair", "--revoke", "Kitchen").code == 0
    with the_station() as station, pytest.raises(sync_token.TokenExpired):
        station.pairing.claim(made["token"])


def test_a_dry_run_changes_nothing(ann: Tool) -> None:
    phone = claim(ann("pair", "--json").document["token"], "Pixel")
    assert "would" in ann("pair", "--dry-run").out
    assert ann("pair", "--dry-run", "--json").document["dry_run"] is True
    assert "would" in ann("pair", "--revoke", "Pixel", "--dry-run").out
    assert works(phone) and ann("pair", "--list", "--json").document["waiting"] == []


@pytest.mark.parametrize("arguments", [
    ["--list", "--revoke", "x"], ["--with", "sb1.x", "--list"], ["--scope", "all"], ["TOKEN"],
])
def test_wrong_usage_is_2(ann: Tool, arguments: list[str]) -> None:
    assert ann("pair", *arguments).code == 2


def test_another_stations_token_is_read_from_standard_input_too(ann: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    token = sync_token.make(id="x", fingerprint="y" * 43, secret=bytes(16), name="Cellar", endpoints=["http://h:1"])
    for given in (token, "-"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(token + "\n"))
        said = ann("pair", "--with", given, "--dry-run", "--json")
        assert said.code == 0 and said.document["name"] == "Cellar" and said.document["endpoints"] == ["http://h:1"]
    assert ann("pair", "--with", "sb1.nonsense").code == 1


def test_a_station_that_is_nowhere_is_not_paired(ann: Tool) -> None:
    token = sync_token.make(id="x", fingerprint="y" * 43, secret=bytes(16), name="Cellar",
                            endpoints=[f"http://127.0.0.1:{free_port()}"])
    said = ann("pair", "--with", token)
    assert said.code == 1 and "Cellar cannot be reached" in said.err and token not in said.err


# ---- on a terminal ---------------------------------------------------------------------------------------------------


class Terminal:
    """The command with a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        leader, follower = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "setup_tool", "pair", *arguments], cwd=ROOT, stdin=follower, stdout=follower,
            stderr=follower, start_new_session=True, env={**os.environ, "COLUMNS": "120", "TERM": "xterm"})
        os.close(follower)
        self.leader, self.said = leader, ""
        self.more = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.leader, 4096)
            except OSError:     # the other end is closed
                data = b""
            with self.more:
                self.said += data.decode("utf-8", "replace")
                self.more.notify_all()
            if not data:
                return

    def until(self, there: Callable[[str], Any]) -> Any:
        with self.more:
            assert self.more.wait_for(lambda: there(self.said), 60), self.said
            return there(self.said)

    def token(self) -> str:
        def found(said: str) -> str:
            lines = [one.strip() for one in said.splitlines() if one.strip().startswith("sb1.")]
            return lines[0] if lines and "Waiting" in said else ""

        return str(self.until(found))

    def end(self) -> int:
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            os.close(self.leader)


def test_on_a_terminal_it_shows_a_code_and_says_who_paired(ann: Tool) -> None:
    terminal = Terminal()
    token = terminal.token()
    assert "█" in terminal.said or "▄" in terminal.said
    claim(token, "Ann's \x1b[31mPixel")
    terminal.until(lambda said: "is paired" in said)
    assert "Ann's  [31mPixel is paired" in terminal.said
    assert terminal.end() == 0


def test_ctrl_c_withdraws_the_token(ann: Tool) -> None:
    terminal = Terminal()
    token = terminal.token()
    terminal.process.send_signal(signal.SIGINT)
    terminal.until(lambda said: "withdrawn" in said)
    assert terminal.end() == 1
    with the_station() as station, pytest.raises(sync_token.TokenExpired):
        station.pairing.claim(token)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_ended_while_it_waits_leaves_no_token(ann: Tool, number: signal.Signals) -> None:
    ours, theirs = pty.openpty()
    waiting = subprocess.Popen([sys.executable, str(ROOT / "run.py"), "tool", "pair"], stdin=theirs, stdout=theirs,
                               stderr=theirs, env={**os.environ, "TERM": "xterm"}, start_new_session=True)
    os.close(theirs)
    try:
        said = b""
        while b"Waiting for the device" not in said:
            said += os.read(ours, 65_536)
        assert len(ann("pair", "--list", "--json").document["waiting"]) == 1
        waiting.send_signal(number)
        assert waiting.wait(20) == 128 + number
    finally:
        waiting.kill()
        waiting.wait()
        os.close(ours)
    assert ann("pair", "--list", "--json").document["waiting"] == []
