"""The Cover Art Archive, LRCLIB and AcoustID: bounded, kept, their faults told as what they are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from shared.metadata import acoustid, coverart
from shared.metadata.acoustid import AcoustId
from shared.metadata.client import Pace
from shared.metadata.coverart import CoverArt, is_picture
from shared.metadata.lrclib import LrcLib
from shared.model.download import Cancelled, Failure
from shared.settings import Settings
from tests.fakes.acoustid import FINGERPRINT, KEY, FakeAcoustId, Sounding, make_fpcalc
from tests.fakes.answering import Reply
from tests.fakes.coverart import FakeCoverArt
from tests.fakes.lrclib import FakeLrcLib, Song
from tests.fakes.musicbrainz import mbid

JPEG = b"\xff\xd8\xff\xe0" + b"a picture" * 50
ONE, GROUP = mbid("one"), mbid("group")


class Kept(dict[tuple[str, str], Any]):
    """ports.Lookups in memory."""

    def get(self, service: str, key: str, *, max_age_s: float) -> Any | None:  # type: ignore[override]
        return super().get((service, key))

    def put(self, service: str, key: str, answer: Any) -> None:
        self[service, key] = answer


def never() -> bool:
    return False


# ---- covers ------------------------------------------------------------------------------------------------------


def covers(fake: FakeCoverArt, **given: Any) -> CoverArt:
    return CoverArt(settings=Settings(coverart_url=fake.url), **given)


def test_the_front_is_fetched_through_the_archives_redirect() -> None:
    with FakeCoverArt({ONE: JPEG}) as fake:
        assert covers(fake).front(ONE, GROUP) == JPEG
        assert fake.paths[0] == f"/release/{ONE}/front-1200" and fake.paths[1].endswith("_thumb1200.jpg")
        assert fake.asked[0].headers["user-agent"].startswith("Soundsible/")


def test_a_smaller_picture_and_the_groups_stand_in() -> None:
    with FakeCoverArt({GROUP: JPEG}, sizes=(250, 500)) as fake:
        assert covers(fake).front(ONE, GROUP) == JPEG
        assert fake.paths[-2] == f"/release-group/{GROUP}/front-500"


def test_no_cover_is_remembered_for_a_day() -> None:
    with FakeCoverArt() as fake:
        kept = Kept()
        assert covers(fake, lookups=kept).front(ONE) is None
        asked = len(fake.asked)
        assert covers(fake, lookups=kept).front(ONE) is None
        assert len(fake.asked) == asked == 2


@pytest.mark.parametrize("reply", [
    Reply(200, b"<html>no picture</html>", "image/jpeg"), Reply(200, b""), Reply(200, b"\xff"), Reply(404), Reply(403),
])
def test_what_is_no_picture_is_none(reply: Reply) -> None:
    with FakeCoverArt() as fake:
        fake.always(reply)
        assert covers(fake).at(f"{fake.url}/a.jpg") is None


@pytest.mark.parametrize(("reply", "code"), [
    (Reply(500), "service_error"), (Reply(429), "rate_limited"),
    (Reply(307, headers={"Location": "http://127.0.0.1:8/x"}), "forbidden_address"),
    (Reply(307, headers={"Location": "file:///etc/passwd"}), "bad_link"),
    (Reply(200, JPEG, break_off_after=50), "connection_lost"),
])
def test_a_fault_is_told(reply: Reply, code: str) -> None:
    with FakeCoverArt() as fake:
        fake.always(reply)
        with pytest.raises(Failure) as caught:
            covers(fake).at(f"{fake.url}/a.jpg")
        assert caught.value.code == code


def test_a_picture_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverart, "LIMIT_BYTES", 1000)
    with FakeCoverArt() as fake:
        fake.always(Reply(200, b"\xff\xd8\xff" + b"\x00" * 5000))
        with pytest.raises(Failure) as caught:
            covers(fake).at(f"{fake.url}/a.jpg")
        assert caught.value.code == "too_large"


def test_only_a_few_megabytes_of_pictures_are_remembered() -> None:
    with FakeCoverArt() as fake:
        asked = covers(fake)
        for number in range(6):
            fake.covers[str(number)] = JPEG + b"\x00" * 2 * 1024 * 1024
            assert asked.at(f"{fake.url}/download/mbid-{number}/x.jpg")
        assert sum(map(len, asked._kept.values())) <= 6 * 1024 * 1024
        before = len(fake.asked)
        asked.at(f"{fake.url}/download/mbid-5/x.jpg")
        assert len(fake.asked) == before


@pytest.mark.parametrize(("data", "yes"), [
    (JPEG, True), (b"\x89PNG\r\n\x1a\n", True), (b"RIFF\x00\x00\x00\x00WEBP", True), (b"GIF89a", True),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", False), (b"RIFF\x00\x00\x00\x00WAVE", False), (b"", False),
])
def test_a_picture_is_known_by_its_first_bytes(data: bytes, yes: bool) -> None:
    assert is_picture(data) is yes


# ---- lyrics ------------------------------------------------------------------------------------------------------


def lyrics(fake: FakeLrcLib, title: str = "Song", duration_ms: int = 200_000, **given: Any) -> str | None:
    return LrcLib(settings=Settings(lrclib_url=fake.url), **given).lyrics(
        title=title, artist="Band", album="Album", duration_ms=duration_ms)


@pytest.mark.parametrize(("song", "found"), [
    (Song("Song", "Band"), "[00:01.00] La la la\n[00:05.50] La la"),
    (Song("Song", "Band", synced=None), "La la la\nLa la"),
    (Song("Song", "Band", synced="no times in it"), "La la la\nLa la"),
    (Song("Song", "Band", plain=None, synced=None), None),
    (Song("Song", "Band", instrumental=True), None),
    (Song("Song", "Band", duration_s=260.0), None),
    (Song("Song", "Another"), None),
])
def test_timed_lines_before_plain_ones_and_none_of_another_recording(song: Song, found: str | None) -> None:
    with FakeLrcLib([song]) as fake:
        assert lyrics(fake) == found
        assert fake.asked[0].query == {
            "track_name": "Song", "artist_name": "Band", "album_name": "Album", "duration": "200"}


def test_a_length_that_is_a_second_off_is_found_by_searching() -> None:
    songs = [Song("Song", "Band", 201.0, synced=None), Song("Song", "Band", 202.0), Song("Song", "Band", 240.0),
             Song("Song", "Another Band", 200.0, synced="[00:09.00] wrong"), Song("Other", "Band", 200.0)]
    with FakeLrcLib(songs, exact=True) as fake:
        assert lyrics(fake) == "[00:01.00] La la la\n[00:05.50] La la", "timed before nearer"
        assert fake.paths == ["/api/get", "/api/search"]
        fake.songs = songs[2:]
        assert lyrics(fake) is None


@pytest.mark.parametrize("body", [b"{}", b"<html>", b"null"])
def test_a_search_that_answers_garbage_is_told(body: bytes) -> None:
    with FakeLrcLib() as fake:
        fake.next(Reply(404), Reply(200, body))
        with pytest.raises(Failure) as caught:
            lyrics(fake)
        assert caught.value.code == "garbage"


def test_strange_records_of_a_search_are_passed_over() -> None:
    with FakeLrcLib() as fake:
        fake.next(Reply(404), Reply(200, b'[null, 3, {}, {"duration": "x"}, {"duration": 200, "trackName": 1}]'))
        assert lyrics(fake) is None


def test_a_record_of_another_length_is_not_believed() -> None:
    with FakeLrcLib() as fake:
        fake.always(Reply(200, b'{"duration": 300.0, "syncedLyrics": "[00:01.00] a", "plainLyrics": "a"}'))
        assert lyrics(fake) is None


def test_lyrics_are_kept_and_so_is_that_there_are_none() -> None:
    with FakeLrcLib([Song("Song", "Band")]) as fake:
        kept = Kept()
        for title in ("Song", "Other"):
            assert lyrics(fake, title, lookups=kept) == lyrics(fake, title, lookups=kept)
        assert len(fake.asked) == 3


@pytest.mark.parametrize(("reply", "code"), [
    (Reply(500), "service_error"), (Reply(200, b"<html>"), "garbage"), (Reply(200, b"[]"), "garbage"),
    (Reply(429, headers={"Retry-After": "7"}), "rate_limited"), (Reply(302, headers={"Location": "/x"}), "garbage"),
])
def test_faults_of_lrclib_are_told(reply: Reply, code: str) -> None:
    with FakeLrcLib() as fake:
        fake.always(reply)
        with pytest.raises(Failure) as caught:
            lyrics(fake)
        assert (caught.value.code, caught.value.provider) == (code, "lrclib")


def test_control_characters_in_lyrics_go() -> None:
    with FakeLrcLib([Song("Song", "Band", synced=None, plain="a\x1b[2Jb\r\nc\x00")]) as fake:
        found = lyrics(fake)
        assert found is not None and "\x1b" not in found and "\x00" not in found and found.count("\n") == 1


# ---- fingerprints ------------------------------------------------------------------------------------------------


def listener(fake: FakeAcoustId, program: str | None, key: str = KEY) -> AcoustId:
    return AcoustId(settings=Settings(acoustid_url=fake.url, acoustid_key=key), pace=Pace(0.0), find=lambda _: program)


def test_what_a_file_sounds_like_is_told_likeliest_first(tmp_path: Path) -> None:
    with FakeAcoustId([Sounding(FINGERPRINT, mbid("b"), "B", "X", 0.5), Sounding(FINGERPRINT, mbid("a"), "A", "X", 0.9),
                       Sounding("other", mbid("c"))]) as fake:
        heard = listener(fake, make_fpcalc(tmp_path)).listen(str(tmp_path / "a.mp3"), cancelled=never)
        assert [(one.mbid, one.title, one.artist, one.score) for one in heard] == [
            (mbid("a"), "A", "X", 0.9), (mbid("b"), "B", "X", 0.5)]
        assert fake.asked[0].form["meta"] == "recordings" and fake.asked[0].form["duration"] == "200"


def test_without_key_or_program_it_is_not_ready(tmp_path: Path) -> None:
    with FakeAcoustId() as fake:
        assert not listener(fake, None).ready
        assert not listener(fake, make_fpcalc(tmp_path), key="").ready
        assert listener(fake, make_fpcalc(tmp_path)).ready


def test_the_program_gets_no_environment_and_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDSIBLE_SECRET", "x")
    told = tmp_path / "told"
    program = make_fpcalc(
        tmp_path, f"import os\nopen({str(told)!r}, 'w').write(json.dumps([dict(os.environ), sys.argv]))")
    monkeypatch.chdir(tmp_path)
    with FakeAcoustId() as fake:
        assert listener(fake, program).listen("-version", cancelled=never) == []
    text = told.read_text()
    assert "SOUNDSIBLE_SECRET" not in text and str(tmp_path / "-version") in text


@pytest.mark.parametrize("how", ["cancelled", "too slow"])
def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path, how: str,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "pid"
    program = make_fpcalc(tmp_path, f"import os\nos.fork()\nopen({str(told)!r} + str(os.getpid()), 'w').close()\n"
                                    "time.sleep(60)")
    if how == "too slow":
        monkeypatch.setattr(acoustid, "FPCALC_S", 0.5)

    def cancelled() -> bool:
        return how == "cancelled" and len(list(tmp_path.glob("pid*"))) == 2

    with FakeAcoustId() as fake:
        asked = listener(fake, program)
        if how == "cancelled":
            with pytest.raises(Cancelled):
                asked.listen(str(tmp_path / "a.mp3"), cancelled=cancelled)
        else:
            assert asked.listen(str(tmp_path / "a.mp3"), cancelled=cancelled) == []
    pids = [int(one.name.removeprefix("pid")) for one in tmp_path.glob("pid*")]
    for _ in range(100):
        if not any(map(_alive, pids)):
            break
        time.sleep(0.02)
    assert not any(map(_alive, pids))


def _alive(pid: int) -> bool:
    """Running, and not merely waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(("reply", "code"), [
    (Reply(400, b'{"status": "error", "error": {"code": 4, "message": "invalid API key"}}'), "not_configured"),
    (Reply(400, b'{"status": "error", "error": {"code": 14, "message": "rate limit exceeded"}}'), "rate_limited"),
    (Reply(200, b'{"status": "error", "error": {"code": 5, "message": "internal error"}}'), "service_error"),
    (Reply(200, b'{"status": "ok", "results": [{"score": "x"}]}'), "garbage"),
    (Reply(200, b'{"status": "ok", "results": [{"recordings": [{}]}]}'), "garbage"),
    (Reply(200, b"[]"), "garbage"), (Reply(502), "service_error"),
])
def test_faults_of_acoustid_are_told(tmp_path: Path, reply: Reply, code: str) -> None:
    with FakeAcoustId() as fake:
        fake.always(reply)
        with pytest.raises(Failure) as caught:
            listener(fake, make_fpcalc(tmp_path)).listen(str(tmp_path / "a.mp3"), cancelled=never)
        assert (caught.value.code, caught.value.provider) == (code, "acoustid")
        assert KEY not in caught.value.message
