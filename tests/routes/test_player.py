"""The player's files: all of them, nothing else, and not twice."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from shared.model.cloud import Provider
from shared.model.errors import BadSetting, NotFound
from shared.routes.player import POLICY, Files, blueprint, sounding_from
from tests.routes.houses import Front

WEB = Path(__file__).resolve().parents[2] / "web"


@pytest.mark.parametrize(("path", "file", "kind"), [
    ("/", "index.html", "text/html; charset=utf-8"),
    ("/sw.js", "sw.js", "text/javascript; charset=utf-8"),
    ("/manifest.webmanifest", "manifest.webmanifest", "application/manifest+json"),
    ("/static/app.js", "static/app.js", "text/javascript; charset=utf-8"),
    ("/static/core/store.js", "static/core/store.js", "text/javascript; charset=utf-8"),
    ("/static/app.css", "static/app.css", "text/css; charset=utf-8"),
])
def test_its_files_are_open_to_all_with_the_right_kind(front: Front, path: str, file: str, kind: str) -> None:
    answer = front.ask("GET", path, who=None)
    assert (answer.status, answer.data) == (200, (WEB / file).read_bytes())
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["Cache-Control"] == "no-cache"
    packed = front.ask("GET", path, who=None, Accept_Encoding="gzip, br")
    if packed.headers.get("Content-Encoding"):
        assert gzip.decompress(packed.data) == answer.data
    assert front.ask("GET", path, who=None, If_None_Match=answer.headers["ETag"]).status == 304
    head = front.ask("HEAD", path, who=None)
    assert (head.status, head.data, head.headers["Content-Length"]) == (200, b"", str(len(answer.data)))


def test_the_service_worker_may_serve_the_whole_player(front: Front) -> None:
    assert front.ask("GET", "/sw.js", who=None).headers["Service-Worker-Allowed"] == "/"


def test_the_old_address_of_the_downloads_leads_there(front: Front) -> None:
    answer = front.ask("GET", "/download-manager", who=None)
    assert (answer.status, answer.headers["Location"]) == (302, "/#/downloads")


@pytest.mark.parametrize("path", [
    "/static/../index.html", "/static/..%2findex.html", "/static/%2e%2e/index.html", "/static/....//index.html",
    "/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/core", "/static/core/", "/static/none.js",
    "/static/a%00.js", "/static/..\\index.html", "/static/..%5cindex.html", "/static/" + "x" * 5000,
    "/static/core/../../../run.py", "/index.html", "/package.json", "/node_modules/x", "/static",
])
def test_nothing_else_is_sent(front: Front, path: str) -> None:
    answer = front.ask("GET", path, who=None)
    assert (answer.status, answer.json["error"]["code"]) == (404, "not_found")


def test_a_file_written_anew_is_seen_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    files = Files(tmp_path)
    first = files.get("a.js")
    assert files.get("a.js") is first
    (tmp_path / "a.js").write_text("22")
    assert (files.get("a.js").body, files.get("a.js").etag != first.etag) == (b"22", True)
    (tmp_path / "a.js").unlink()
    with pytest.raises(NotFound):
        files.get("a.js")


def test_what_is_kept_in_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.routes.player.KEPT_BYTES", 1000)
    monkeypatch.setattr("shared.routes.player.KEPT_FILE_BYTES", 400)
    files = Files(tmp_path)
    for number in range(20):
        (tmp_path / f"{number}.txt").write_bytes(b"x" * 300)
        assert files.get(f"{number}.txt").body == b"x" * 300
    (tmp_path / "large.txt").write_bytes(b"x" * 500)
    assert len(files.get("large.txt").body) == 500
    assert "large.txt" not in files._kept
    assert sum(len(one.body) for one in files._kept.values()) <= 1500


def test_a_player_that_is_not_built_is_an_error_and_no_defect(tmp_path: Path) -> None:
    from shared.routes.guard import Guard

    app = Flask("test", static_folder=None)
    app.register_blueprint(blueprint(folder=tmp_path))
    Guard(who=lambda token, address: None, host_named=lambda host: True, same_site=lambda headers: True,
          operations=[]).install(app)
    assert app.test_client().get("/").status_code == 404


def storage(name: str = "attic", **more: Any) -> Provider:
    return Provider(**{"name": name, "kind": "s3", "endpoint": "https://s3.eu-west-1.amazonaws.com", "bucket": "music",
                       "region": "eu-west-1", "key_id": "k", "secret": "hush", **more})


def test_the_policy_names_where_players_are_sent_and_nothing_more() -> None:
    told = sounding_from([
        storage(), storage("other", path_style=False), storage("nas", endpoint="http://nas.local:9000"),
        storage("closed", endpoint="https://closed.example", seal_key=b"x" * 32),
        storage("odd", endpoint="https://a.example; script-src *"), storage("six", endpoint="http://[::1]:9000"),
    ])
    media = next(one for one in told.split("; ") if one.startswith("media-src"))
    assert media == ("media-src 'self' blob: http://nas.local:9000 https://music.s3.eu-west-1.amazonaws.com "
                     "https://s3.eu-west-1.amazonaws.com")
    assert told.replace(media, "media-src 'self' blob:") == POLICY
    assert sounding_from([]) == POLICY


def test_another_policy_is_another_page_to_the_browser_and_its_files_stay_as_they_are() -> None:
    storages: list[Provider] = []
    app = Flask("test", static_folder=None)
    app.register_blueprint(blueprint(folder=WEB, storages=lambda: storages))
    ask = app.test_client().get
    before = ask("/")
    assert before.headers["Content-Security-Policy"] == POLICY
    storages.append(storage())
    now = ask("/", headers={"If-None-Match": before.headers["ETag"]})
    assert (now.status_code, now.data) == (200, before.data)
    assert "amazonaws.com" in now.headers["Content-Security-Policy"]
    again = ask("/", headers={"If-None-Match": now.headers["ETag"]})
    assert (again.status_code, again.headers["ETag"]) == (304, now.headers["ETag"])
    assert ask("/static/app.js").headers["Content-Security-Policy"] == POLICY


def test_the_player_opens_when_the_storages_cannot_be_read() -> None:
    def unreadable() -> list[Provider]:
        raise BadSetting("config.json cannot be read")

    app = Flask("test", static_folder=None)
    app.register_blueprint(blueprint(folder=WEB, storages=unreadable))
    assert app.test_client().get("/").headers["Content-Security-Policy"] == POLICY
