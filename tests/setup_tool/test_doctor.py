"""`doctor`: each trouble is found, named and answered with a remedy."""

from __future__ import annotations

import json
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from setup_tool import doctor
from shared import __version__
from tests.builders import make_audio
from tests.here import take_up
from tests.setup_tool.conftest import Tool


def checks(tool: Tool) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in tool("doctor", "--json").document["checks"]}


@pytest.fixture
def healthy(tool: Tool, tmp_path: Path) -> Tool:
    make_audio(tmp_path / "music", "1.mp3", seconds=0.5, tags={"title": "One"})
    tool("users", "add", "ann", "--role", "owner")
    take_up(tmp_path / "music")
    return tool


def test_a_healthy_station_is_well(healthy: Tool) -> None:
    said = healthy("doctor")
    assert said.code == 0 and said.out.rstrip().endswith("All is well.")
    found = checks(healthy)
    assert {one["state"] for name, one in found.items() if name != "backup"} == {"ok"}
    assert found["backup"]["state"] == "note" and "tool backup" in found["backup"]["remedy"]
    assert {"program", "settings", "config", "data", "cache", "port", "address", "library", "music", "clock"} <= set(
        found)


def test_a_station_that_never_ran_is_no_trouble_and_stays_unmade(tool: Tool, home: Path) -> None:
    assert tool("doctor").code == 0
    assert checks(tool)["library"]["state"] == "note"
    assert not home.exists()


def test_a_bad_setting_is_found(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDSIBLE_THREADS", "none")
    said = tool("doctor", "--json")
    assert said.code == 1 and said.document["ok"] is False
    assert "SOUNDSIBLE_THREADS" in said.document["checks"][-1]["message"]


def test_a_port_that_another_program_uses_is_found(healthy: Tool) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(os.environ["SOUNDSIBLE_PORT"])))
        other.listen(4)

        def hang_up() -> None:
            with other.accept()[0]:
                pass

        answering = threading.Thread(target=hang_up, daemon=True)
        answering.start()
        said = healthy("doctor", "--json")
        answering.join(5)
    port = next(one for one in said.document["checks"] if one["name"] == "port")
    assert said.code == 1 and port["state"] == "fail" and "--port" in port["remedy"]


@pytest.mark.parametrize(("version", "state"), [(__version__, "ok"), ("0.0.1", "warn")])
def test_a_running_station_is_recognised(healthy: Tool, version: str, state: str) -> None:
    class Station(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"status": "ok", "version": version}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", int(os.environ["SOUNDSIBLE_PORT"])), Station)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        assert checks(healthy)["port"]["state"] == state
        status = healthy("status", "--json").document
        assert status["running"] is True and status["running_version"] == version
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_station_without_owner_is_found(tool: Tool, tmp_path: Path) -> None:
    make_audio(tmp_path / "music", "1.mp3", seconds=0.5)
    take_up(tmp_path / "music")
    assert checks(tool)["owner"]["state"] == "warn"
    assert tool("doctor").code == 0


def test_a_vanished_and_an_emptied_music_folder_are_found_and_their_tracks_kept(healthy: Tool, tmp_path: Path) -> None:
    (tmp_path / "music").rename(tmp_path / "away")
    assert checks(healthy)["music"]["state"] == "warn"
    (tmp_path / "music").mkdir()
    music = checks(healthy)["music"]
    assert music["state"] == "warn" and "1 track kept" in music["message"]


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_what_others_can_read_is_found(healthy: Tool, home: Path) -> None:
    (home / "data").chmod(0o755)
    (home / "config" / ".env").write_text("SOUNDSIBLE_PORT=5005\n")
    (home / "config" / ".env").chmod(0o644)
    found = checks(healthy)
    assert found["data"]["state"] == "warn" and "chmod 700" in found["data"]["remedy"]
    assert found["secrets"]["state"] == "warn" and ".env" in found["secrets"]["message"]


def test_a_damaged_database_is_found(healthy: Tool, home: Path) -> None:
    path = home / "data" / "library.db"
    content = bytearray(path.read_bytes())
    assert content[:6] == b"SQLite"
    for start in range(4096, len(content), 4096):
        content[start:start + 64] = b"\xff" * 64
    path.write_bytes(content)
    said = healthy("doctor", "--json")
    assert said.code == 1
    assert any(one["name"] == "library" and one["state"] == "fail" for one in said.document["checks"])


def test_a_file_where_a_folder_should_be_is_found(tool: Tool, home: Path) -> None:
    home.mkdir()
    (home / "data").write_text("in the way")
    assert checks(tool)["data"]["state"] == "fail"
    assert tool("doctor").code == 1


def test_a_check_that_breaks_down_is_a_finding_and_the_others_go_on(
    healthy: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise RuntimeError("a defect")
        yield

    monkeypatch.setattr(doctor, "program", broken)
    found = checks(healthy)
    assert found["program"]["state"] == "fail" and "a defect" in found["program"]["message"]
    assert found["library"]["state"] == "ok"


def test_pins_are_read_as_they_count_here() -> None:
    text = "# words\nFlask==3.1.3\ngunicorn==27.0.1; sys_platform != \"win32\"\nsocketio[client]==5.0\n\nplain\n"
    assert doctor.pinned(text) == [("Flask", "3.1.3"), ("gunicorn", "27.0.1"), ("socketio", "5.0")]
