"""What must not hurt: hostile links, broken files, services that lie, disks that are full. Each ends with a reason in
words and a code, and leaves the library and the staging folder as they were.

One real station, fed by a server that behaves badly. Ten thousand links at once are in test_downloads.py.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from shared import outbound
from shared.model.download import Failure
from shared.outbound import Outbound
from tests.fakes.answering import Answering, Asked, Reply
from tests.fakes.slskd import FakeSlskd, Peer
from tests.journeys.downloading import ask, look, nothing_staged, staged, start, tracks, until_over
from tests.media_server import MediaServer, audio
from tests.running import RunningStation, start_station

BAND = "The Testers"
LIMIT_BYTES = 3_000_000
MOST_AT_ONCE = 700


class Catalogue(Answering):
    """A Deezer that answers with whatever it is told to."""

    def answer(self, asked: Asked) -> Reply:
        return Reply(200, b"<html>We are moving house</html>", "text/html")


@dataclass
class Home:
    station: RunningStation
    media: MediaServer
    shaky: MediaServer          # a host of its own: what is wrong with it is not held against the other
    slskd: FakeSlskd
    catalogue: Catalogue
    early: dict[str, str] = field(default_factory=dict)     # downloads that take their time, asked for at once

    @property
    def music(self) -> Path:
        return self.station.music

    def over(self, body: dict[str, Any]) -> dict[str, Any]:
        """What becomes of a request."""
        status, answer = self.station.call("POST", "/api/downloads", body)
        assert status in (200, 202), answer
        (done,) = until_over(self.station, answer["download"]["id"], timeout_s=45)
        return done

    def left(self) -> list[str]:
        """What lies in staging a moment after a download is over, but for those that take their time."""
        deadline = time.monotonic() + 5.0
        while (left := [one for one in staged(self.music) if not one.startswith(tuple(self.early.values()))]
               ) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.music)) for path in self.music.rglob("*")
                      if path.is_file() and ".soundsible" not in path.parts)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    base = tmp_path_factory.mktemp("bad")
    good = audio(".flac", seconds=4, tone_hz=2500, tags={"title": "Liar", "artist": BAND})
    liars = {rf"m\{BAND}\{BAND} - Liar.flac": good}
    liar = Peer(files=liars, sizes={name: len(good) * 3 for name in liars},
                facts={name: {"length": 4} for name in liars})
    with (MediaServer() as media, MediaServer(host="localhost") as shaky, Catalogue() as catalogue,
          FakeSlskd(base / "slskd", {"liar": liar}) as slskd):
        media.add_usual()
        station = start(
            base / "home", base / "music", media, allow_private_hosts=f"{media.allow},{shaky.allow}",
            slskd_url=slskd.url, slskd_api_key=slskd.api_key,
            deezer_url=catalogue.url, download_providers="soulseek,direct", download_catalogues="deezer,local",
            download_max_bytes=str(LIMIT_BYTES), download_batch_limit=str(MOST_AT_ONCE))
        home = Home(station, media, shaky, slskd, catalogue)
        home.early["hang"] = ask(station, media.add("hangs/for/ever.mp3", hang=True))["id"]
        status, answer = station.call("POST", "/api/downloads", {"track": {
            "title": "Liar", "artist": BAND, "artists": [BAND], "duration_ms": 4_000}})
        assert status == 202
        home.early["liar"] = answer["download"]["id"]
        try:
            yield home
        finally:
            station.stop()


@pytest.fixture
def adds() -> None:
    """Asked for by tests that leave something in the library."""


@pytest.fixture(autouse=True)
def unchanged(request: pytest.FixtureRequest) -> Iterator[None]:
    """Library and staging are as they were, when a test that uses the station is over."""
    if "home" not in request.fixturenames or "adds" in request.fixturenames:
        yield
        return
    home: Home = request.getfixturevalue("home")
    library, files = [one["id"] for one in tracks(home.station)], home.files()
    yield
    assert [one["id"] for one in tracks(home.station)] == library and home.files() == files
    assert home.left() == []


def refused(done: dict[str, Any], *codes: str) -> None:
    """It failed, for one of these reasons, told in a sentence."""
    assert done["status"] == "failed", done
    assert done["error"]["code"] in codes, done["error"]
    assert len(done["error"]["message"]) > 15 and done["error"]["message"].rstrip()[-1] in ".!?", done["error"]
    assert done["history"][-1]["to"] == "failed" and done["history"][-1]["reason"]


def until(there: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := there()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


# ---- addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", [
    "http://192.168.1.1/a.mp3", "http://10.0.0.1:8080/a.mp3", "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/a.mp3", "http://[::ffff:127.0.0.1]/a.mp3", "http://2130706433/a.mp3", "http://localhost:5005/api/health",
])
def test_an_address_inside_the_home_network_is_refused(home: Home, link: str) -> None:
    done = home.over({"url": link})
    refused(done, "forbidden_address")
    assert done["attempt"] == 1     # for good, at once


@pytest.mark.parametrize("link", ["file:///etc/passwd", "FILE:/etc/passwd", "ftp://127.0.0.1/a.mp3", "data:,x",
                                  "http://ann:secret@127.0.0.1/a.mp3", "http://"])
def test_what_is_no_link_of_the_web_is_not_even_queued(home: Home, link: str) -> None:
    status, answer = home.station.call("POST", "/api/downloads", {"url": link})
    assert status in (400, 422) and answer["error"]["message"]


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/", "http://127.0.0.1:1/x.mp3", "file:///etc/passwd",
                                    "//192.168.0.1/a.mp3"])
def test_a_redirect_into_the_home_network_is_refused(home: Home, target: str) -> None:
    link = home.media.add(f"away/{abs(hash(target))}.mp3", status=302, headers={"Location": target})
    refused(home.over({"url": link}), "forbidden_address", "bad_link")


def test_a_page_that_points_into_the_home_network_is_refused(home: Home) -> None:
    link = home.media.add_page("points.html", og_audio="http://127.0.0.1:1/secret.mp3")
    refused(home.over({"url": link}), "forbidden_address", "not_audio", "unsupported", "not_found")


def test_a_name_that_changes_between_check_and_connect_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answer of the name service is harmless, the second leads inside."""
    with MediaServer() as server:
        answers = ["93.184.216.34", "127.0.0.1"]

        def resolve(host: str, port: int, *rest: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0) if answers else "127.0.0.1", port))]

        monkeypatch.setattr(outbound, "_resolve", resolve)
        one, link = Outbound(), f"http://rebind.test:{server.port}/x"
        one.check(link)
        with one.session() as session, pytest.raises(Failure) as caught:
            session.get(link)
        assert caught.value.code == "forbidden_address" and server.asked() == []


def test_hosts_that_are_allowed_are_reached(home: Home) -> None:
    """The same loopback address that is refused above: this port of it stands in SOUNDSIBLE_ALLOW_PRIVATE_HOSTS."""
    refused(home.over({"url": home.media.url("missing")}), "not_found")     # it was asked, and said so itself
    assert home.media.asked("missing")


# ---- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "codes"), [
    ("tiny.mp3", ("not_audio", "empty", "damaged")), ("empty.mp3", ("not_audio", "empty")),
    ("html.mp3", ("not_audio",)), ("nothing.html", ("not_audio", "unsupported", "not_found")),
])
def test_what_is_no_music_is_recognised(home: Home, path: str, codes: tuple[str, ...]) -> None:
    refused(home.over({"url": home.media.url(path)}), *codes)


def test_half_a_file_is_no_file(home: Home) -> None:
    whole = audio(".flac", seconds=4, tone_hz=777)
    refused(home.over({"url": home.media.add("half.flac", whole[:len(whole) // 2])}), "damaged")


def test_a_file_of_the_wrong_length_is_another_recording(home: Home) -> None:
    link = home.media.add("long.mp3", audio(".mp3", seconds=3, tone_hz=640))
    done = home.over({"track": {"title": "Long", "artist": BAND, "duration_ms": 240_000, "source": "deezer",
                                "fetch_url": link}})
    refused(done, "wrong_length")
    assert "0:03" in done["error"]["message"] and "4:00" in done["error"]["message"]


@pytest.mark.parametrize("path", ["endless.mp3", "radio"])
def test_an_endless_stream_is_cut(home: Home, path: str) -> None:
    refused(home.over({"url": home.media.url(path)}), "live", "too_large")


def test_more_than_the_limit_is_not_fetched(home: Home) -> None:
    link = home.media.add("huge.wav", audio(".wav", seconds=LIMIT_BYTES / 170_000))
    refused(home.over({"url": link}), "too_large")


@pytest.mark.parametrize("path", ["liar.mp3"])
def test_a_server_that_lies_about_sizes_is_not_believed(home: Home, path: str) -> None:
    """It promises twice as much as it sends, time after time."""
    refused(home.over({"url": home.media.url(path)}), "lies_about_size", "connection_lost", "damaged")


def test_a_playlist_of_five_thousand_is_queued_up_to_the_limit_and_none_of_it_runs_wild(home: Home) -> None:
    home.media.add("each.mp3", hang=True)
    uid = ask(home.station, home.media.add_playlist_page("many.xml", 5_000, each="each.mp3"))["id"]
    group = until(lambda: (found := home.station.call("GET", f"/api/downloads?group={uid}&limit=1")[1])["total"]
                  and found)
    until(lambda: home.station.call("GET", f"/api/downloads?group={uid}&limit=1")[1]["total"] >= MOST_AT_ONCE - 1)
    assert home.station.call("GET", f"/api/downloads?group={uid}&limit=1")[1]["total"] <= MOST_AT_ONCE, group["total"]
    said = home.station.call("GET", f"/api/downloads/{uid}/log")[1]["items"]
    assert any("download_batch_limit" in line["message"] and line["level"] == "warning" for line in said)
    stats = home.station.call("GET", "/api/downloads/manager/stats")[1]
    assert stats["queue"]["running"] <= stats["queue"]["workers"]
    ids = [uid, *(one["id"] for page in (0, 500) for one in home.station.call(
        "GET", f"/api/downloads?group={uid}&limit=500&offset={page}")[1]["items"])]
    status, answer = home.station.call("POST", "/api/downloads/bulk", {"action": "cancel", "ids": ids})
    assert status == 200 and len(answer["done"]) == len(set(ids)) >= MOST_AT_ONCE - 1, answer["failed"]


# ---- names -------------------------------------------------------------------------------------------------------


NAMES = [
    ("..", "..", ".."), ("../../../../etc/cron.d/x", "/etc", "a/../../b"), ("x" * 300, "y" * 300, "z" * 300),
    ("💿🎧 émojis 🎶", "👩‍👩‍👧‍👦", "日本語のアルバム"), ("CON", "aux.", "nul"),
    ("a\u202egnp.mp3", "tab\there", "line\nbreak"),
]


@pytest.mark.usefixtures("adds")
def test_titles_of_every_kind_stay_in_the_music_folder(home: Home) -> None:
    files = home.files()
    uids = []
    for number, (title, artist, album) in enumerate(NAMES):
        sound = audio(".flac", seconds=2, tone_hz=1000 + 90 * number, tags={
            "title": title, "artist": artist, "album": album})
        uids.append(ask(home.station, home.media.add(f"named/{number}.flac", sound))["id"])
    done = until_over(home.station, *uids)
    assert [one["status"] for one in done] == ["completed"] * len(NAMES), [one["error"] for one in done]
    known = {one["id"]: one for one in tracks(home.station)}
    came = [known[one["track_id"]] for one in done]
    assert set(home.files()) - set(files) == {one["path"] for one in came} and len({one["id"] for one in came}) == 6
    for track in came:
        kept = (home.music / track["path"]).resolve()
        assert kept.is_relative_to(home.music.resolve()) and kept.is_file()
        for part in track["path"].split("/"):
            assert part not in ("", ".", "..") and len(part.encode()) <= 255 and part == part.strip(" .")
            assert not set(part) & set('\\:*?"<>|\t\n') and part.split(".")[0].upper() not in ("CON", "AUX", "NUL")
        assert home.station.call("GET", f"/api/stream/{track['id']}")[1] == kept.read_bytes()
    assert home.left() == []


# ---- services ----------------------------------------------------------------------------------------------------


def test_a_server_that_answers_garbage_is_left_alone_after_three_times(home: Home) -> None:
    uid = ask(home.station, home.shaky.add("noise.mp3", garbage=b"\x00\xff\x00 what is this\r\n\r\n"))["id"]

    def left_alone() -> dict[str, Any] | None:
        health = home.station.call("GET", "/api/downloads/manager/health")[1]
        return next((one for one in health["providers"] if one["operation"] == "localhost"
                     and one["state"] == "open"), None)

    breaker = until(left_alone)
    assert breaker["failure_count"] == 3 and breaker["last_error"] and breaker["opens_at"]
    waits = until(lambda: (one := look(home.station, uid))["status"] == "waiting" and one["note"] and one)
    assert waits["error"]["code"] in ("garbage", "refused") and waits["error"]["message"]
    status, _ = home.station.call("DELETE", f"/api/downloads/{uid}")
    assert status == 200


def test_a_catalogue_that_answers_garbage_is_named_and_the_others_are_heard(home: Home) -> None:
    status, answer = home.station.call("GET", "/api/acquire/search?q=anything")
    assert status == 200
    told = {one["source"]: one for one in answer["failures"]}
    assert told["deezer"]["code"] in ("garbage", "refused") and told["deezer"]["message"]
    status, answer = home.station.call("POST", "/api/downloads/album", {"url": "https://www.deezer.com/album/1"})
    assert status == 422 and answer["error"]["message"]


def test_a_soulseek_daemon_that_answers_garbage_fails_the_search_and_nothing_else(home: Home) -> None:
    home.slskd.answers = [("POST", "/searches", 200, b"<html>") for _ in range(20)]
    uid = None
    try:
        status, answer = home.station.call("POST", "/api/downloads", {"query": f"{BAND} - Anything", "provider":
                                                                      "soulseek"})
        assert status == 202
        uid = answer["download"]["id"]
        tried = until(lambda: (one := look(home.station, uid))["error"] and one)
        assert tried["error"]["code"] == "garbage" and tried["error"]["retryable"]
    finally:
        home.slskd.answers = []
        if uid:
            home.station.call("DELETE", f"/api/downloads/{uid}")


# ---- disks -------------------------------------------------------------------------------------------------------


def test_too_little_disk_keeps_everything_waiting_and_says_so(tmp_path: Path) -> None:
    with MediaServer() as media:
        link = media.add("a.mp3", audio(".mp3", seconds=2))
        station = start(tmp_path / "home", tmp_path / "music", media, download_min_free_bytes="900T")
        try:
            uid = ask(station, link)["id"]
            queue = until(lambda: (found := station.call("GET", "/api/downloads/manager/health")[1]["queue"])["paused"]
                          and found)
            assert "disk" in queue["reason"] and "go on" in queue["reason"]
            waits = until(lambda: (one := look(station, uid))["status"] == "waiting" and one, 40)
            assert waits["attempt"] == 0 and waits["error"] is None
            files = [one for one in (tmp_path / "music").rglob("*") if one.is_file()]
            assert files == [] and tracks(station) == [] and waits["progress"]["bytes"] == 0
        finally:
            station.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eighty megabytes; needs the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with contextlib.suppress(OSError):
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "none", str(folder)], capture_output=True,
                              check=False)
        if made.returncode == 0:
            try:
                yield folder
            finally:
                subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)
            return
    pytest.skip("nothing can be mounted here; the engine's own tests fill disks that are made up")


def test_a_disk_that_fills_up_meanwhile_keeps_the_part_and_goes_on_when_there_is_room(
        tmp_path: Path, small_disk: Path) -> None:
    sound = audio(".wav", seconds=12, tone_hz=880, tags={"title": "Squeezed", "artist": BAND})     # some two megabytes
    with MediaServer() as media:
        link = media.add("squeezed.wav", sound, slow=400_000)
        station = start(tmp_path / "home", small_disk / "music", media, download_min_free_bytes="0")
        try:
            uid = ask(station, link)["id"]
            until(lambda: look(station, uid)["progress"]["bytes"] > 0)
            filler = small_disk / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(65_536))
            full = until(lambda: (one := look(station, uid))["status"] == "waiting" and one)
            assert full["error"] is None and "disk" in full["note"].lower() and full["attempt"] == 0, full
            assert staged(station.music) and tracks(station) == []
            filler.unlink()
            media.change("squeezed.wav", slow=None)
            (done,) = until_over(station, uid)
            assert done["status"] == "completed" and done["attempt"] == 1, done
            assert any(one.headers.get("range", "bytes=0-") != "bytes=0-" for one in media.asked("squeezed.wav"))
            assert nothing_staged(station.music)
        finally:
            station.stop()


@pytest.mark.usefixtures("adds")
def test_a_staging_folder_that_cannot_be_made_is_told_and_a_retry_helps(home: Home) -> None:
    """A file stands where the staging folder should be: nobody's rights help against that, not even root's."""
    link = home.media.add("unwritable.mp3", audio(".mp3", seconds=2, tone_hz=1234, tags={"title": "x", "artist": BAND}))
    place = home.music / ".soundsible" / "staging"
    aside = place.with_name("aside")
    before = home.files()
    place.rename(aside)
    place.write_text("in the way")
    try:
        uid = ask(home.station, link)["id"]
        (done,) = until_over(home.station, uid)
        refused(done, "read_only", "library_offline", "internal")
        assert home.files() == before
    finally:
        place.unlink()
        aside.rename(place)
    assert home.station.call("POST", f"/api/downloads/{uid}/retry")[0] == 200
    (done,) = until_over(home.station, uid)
    assert done["status"] == "completed", done["error"]


def test_a_read_only_disk_is_told_and_a_retry_helps(tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    root = os.geteuid() == 0
    if root:        # whose rights no mode takes away: a read-only mount does
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "none", str(music)], capture_output=True,
                              check=False)
        if made.returncode:
            pytest.skip("root may write everywhere, and nothing can be mounted here")

    def writable(is_so: bool) -> None:
        if root:
            subprocess.run(["mount", "-o", "remount,rw" if is_so else "remount,ro", str(music)], check=True)
        else:
            music.chmod(0o755 if is_so else 0o555)

    try:
        with MediaServer() as media:
            link = media.add("a.mp3", audio(".mp3", seconds=2, tags={"title": "Kept", "artist": BAND}))
            station = start(tmp_path / "home", music, media, download_min_free_bytes="0")
            try:
                writable(False)
                (done,) = until_over(station, ask(station, link)["id"])
                refused(done, "read_only")
                assert not done["error"]["retryable"] and tracks(station) == []
                assert [one for one in music.rglob("*") if one.is_file()] == []
                writable(True)
                status, _ = station.call("POST", f"/api/downloads/{done['id']}/retry")
                assert status == 200
                (done,) = until_over(station, done["id"])
                assert done["status"] == "completed" and nothing_staged(music)
            finally:
                station.stop()
    finally:
        writable(True)
        if root:
            subprocess.run(["umount", "-l", str(music)], check=False, capture_output=True)


# ---- what took its time ------------------------------------------------------------------------------------------


def test_a_peer_that_lies_about_a_size_is_not_believed(home: Home) -> None:
    """It announced three times as much as it sent."""
    (done,) = until_over(home.station, home.early.pop("liar"), timeout_s=60)
    refused(done, "lies_about_size")
    assert done["candidates"][0]["rejected"]


def test_who_hangs_holds_nobody_else_and_is_left_when_its_time_is_up(home: Home) -> None:
    """It was asked for before all else here, and everything above went on meanwhile."""
    uid = home.early.pop("hang")
    tried = until(lambda: (one := look(home.station, uid))["error"] and one, 60)
    assert tried["error"]["code"] in ("timed_out", "out_of_time") and tried["error"]["retryable"], tried["error"]
    status, _ = home.station.call("DELETE", f"/api/downloads/{uid}")
    assert status == 200
    assert home.left() == []


def test_without_a_music_folder_nothing_is_taken_on(tmp_path: Path) -> None:
    station = start_station(tmp_path / "home", [])
    try:
        for path, body in (("", {"url": "http://example.org/a.mp3"}), ("/batch", {"text": "One - Two"}),
                           ("/album", {"album_id": "1", "source": "deezer"})):
            status, answer = station.call("POST", f"/api/downloads{path}", body)
            assert (status, answer["error"]["code"]) == (422, "no_music_folder"), path
            assert "Add one" in answer["error"]["message"]
        assert station.call("GET", "/api/downloads")[1]["total"] == 0
    finally:
        station.stop()
