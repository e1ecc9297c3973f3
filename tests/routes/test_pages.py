"""The pages beside the player: open to everybody, and closed to everything else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.routes.houses import Front

WEB = Path(__file__).resolve().parents[2] / "web"


@pytest.mark.parametrize(("path", "file"), [
    ("/connect", "connect/index.html"), ("/connect/connect.js", "connect/connect.js"),
    ("/connect/connect.css", "connect/connect.css"), ("/share/anything", "share/index.html"),
    ("/share/share.js", "share/share.js"), ("/share/share.css", "share/share.css"),
])
def test_they_are_open_to_all_and_load_nothing_from_elsewhere(front: Front, path: str, file: str) -> None:
    answer = front.ask("GET", path, who=None)
    assert (answer.status, answer.data) == (200, (WEB / file).read_bytes())
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert front.ask("GET", path, who=None, If_None_Match=answer.headers["ETag"]).status == 304


@pytest.mark.parametrize("page", ["connect", "share"])
def test_they_hold_nothing_that_their_policy_forbids(page: str) -> None:
    text = (WEB / page / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", text)
    assert set(re.findall(r'(?:src|href)="(?!#|/)([^"]*)"', text)) == set()
    assert "innerHTML" not in (WEB / page / f"{page}.js").read_text("utf-8")


def test_the_page_with_an_apps_password_may_ask_for_nothing(front: Front) -> None:
    assert "connect-src" not in front.ask("GET", "/connect", who=None).headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/connect/index.html", "/connect/../sw.js", "/share", "/connect/connect.txt"])
def test_nothing_else_is_sent(front: Front, path: str) -> None:
    assert front.ask("GET", path, who=None).status == 404
