"""Music whose folder is away: said in words, where it matters, and taken back when the folder returns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.builders import make_audio
from tests.running import make_music, start_station
from tests.web.browsing import HEARD, until

sync_api = pytest.importorskip("playwright.sync_api")


@pytest.fixture
def two_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A station of its own with a second music folder, `Old records`."""
    base = tmp_path_factory.mktemp("away")
    old = base / "Old records"
    for number, title in enumerate(["Needle", "Groove"], start=1):
        make_audio(old / "Dust", f"{number:02}.mp3", seconds=4, tone_hz=200 + 90 * number, tags={
            "title": title, "artist": "Crackle", "album": "Dust", "album_artist": "Crackle", "track_number": number})
    running = start_station(base / "home", [make_music(base / "music"), old])
    try:
        running.wait_for_scan()
        yield running, old
    finally:
        running.stop()


def notices(happened: Callable[[], bool], timeout_s: float = 30) -> None:
    """Waits until the station has seen what happened to its folders."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, "the station never noticed"
        time.sleep(0.1)


def test_a_folder_that_is_away_is_told_of_and_comes_back(two_folders: Any, open_player: Callable[..., Any]) -> None:
    station, old = two_folders
    page = open_player("/", at=station)
    line = page.locator("view-home .away-line")
    page.locator("view-home h2").first.wait_for()
    assert line.count() == 0
    gone = old.rename(old.with_name("unplugged"))
    notices(lambda: station.call("GET", "/api/library/tracks?place=missing")[1]["total"] == 2)
    page.evaluate("location.hash = '/library/albums'")
    card = page.locator("view-library .card", has_text="Dust")
    card.get_by_role("button", name="Play Dust").click(force=True)
    page.get_by_text("cannot be played. Its music folder is away now").wait_for()
    page.get_by_role("button", name="See folders").click()
    page.get_by_text("Not there now").wait_for()
    page.evaluate("location.hash = '/'")
    sync_api.expect(line).to_contain_text("“Old records” is away. 2 tracks wait for it.")
    page.evaluate("location.hash = '/library/tracks'")
    page.locator(".row-play[title='Needle']").click()
    page.get_by_text("“Needle” cannot be played. Its music folder is away now").wait_for()
    gone.rename(old)
    page.evaluate("location.hash = '/'")
    sync_api.expect(line).to_have_count(0, timeout=20_000)
    page.evaluate("location.hash = '/library/tracks'")
    page.locator(".row-play[title='Needle']").click()
    until(page, f"{HEARD} > 0")


def test_a_file_that_has_left_is_told_apart_and_a_child_is_sent_nowhere_it_may_not_go(
        two_folders: Any, open_player: Callable[..., Any]) -> None:
    station, old = two_folders
    told = {"username": "Ben", "password": "a password of his"}
    assert station.call("POST", "/api/users", {**told, "role": "child"})[0] == 201
    (old / "Dust" / "01.mp3").unlink()
    station.call("POST", "/api/library/scan", {})
    station.wait_for_scan()
    page = open_player("/#/library/tracks", at=station, token=station.login("Ben", told["password"]))
    sync_api.expect(page.locator(".row", has_text="Needle")).to_contain_text("File not there now")
    page.locator(".row-play[title='Needle']").click()
    page.get_by_text("“Needle” cannot be played. Its file is no longer in its music folder").wait_for()
    assert page.locator(".toast-button").count() == 0
