"""What the stages make of a parcel: words, conversions, warnings, errors in the words of downloads."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from odst import pipeline
from odst.parcel import Parcel, StagedFile
from shared.model.download import STAGES, Failure, Fetched, Offer, Options, Request, Wanted
from shared.model.errors import DiskFull, NotFound, Overloaded, StorageOffline, UnreadableFile
from shared.model.track import AudioFacts, Credit, Metadata, ReplayGain
from tests.odst.standins import SONG, House, until


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "home")


def fetched(house: House, **how: object) -> str:
    with house.running():
        uid = house.ask(house.shop.has("http://shop/One"), options=Options(**how))      # type: ignore[arg-type]
        assert house.until(uid).status == "completed"
    return uid


def test_the_stages_are_those_of_the_model_in_its_order() -> None:
    assert [stage.__name__ for stage in (*pipeline.STAGES, pipeline.OWN_STAGES[-1])] == list(STAGES)
    assert pipeline.OWN_STAGES[:-1] == pipeline.STAGES[:4]


# ---- understand ---------------------------------------------------------------------------------------------------


def asked(house: House, words: str) -> Wanted:
    uid = house.service.submit(house.ann, Request(query=words))[0].id
    with house.running():
        house.until(uid)
    wanted = house.records.job(uid).wanted
    assert wanted is not None
    return wanted


def test_words_with_a_dash_are_artist_and_title(house: House) -> None:
    wanted = asked(house, "David Bowie - Heroes")
    assert (wanted.artist, wanted.title, wanted.source) == ("David Bowie", "Heroes", "words")


def test_words_that_a_catalogue_knows_are_what_it_says(house: House) -> None:
    house.search.offers = [
        Offer(kind="track", source="deezer", id="1", title="Something Else", artist="Nobody"),
        Offer(kind="track", source="deezer", id="2", title="Heroes", artist="David Bowie", isrc="GBAYE7700064",
              duration_ms=371_000)]
    wanted = asked(house, "bowie heroes")
    assert (wanted.title, wanted.isrc, wanted.source_id) == ("Heroes", "GBAYE7700064", "2")


def test_words_that_nobody_knows_are_a_title(house: House) -> None:
    house.search.offers = [Offer(kind="album", source="deezer", id="1", title="heroes bowie", artist="x")]
    assert asked(house, "bowie heroes").title == "bowie heroes"


def test_a_track_of_the_library_is_fetched_anew_and_replaced(house: House) -> None:
    house.shelf.tracks["One"] = b"old"
    house.shop.offer("One", "http://shop/better", duration_ms=180_000)
    uid = house.service.submit(house.ann, Request(track_id="track-One"))[0].id
    with house.running():
        done = house.until(uid)
    assert done.status == "completed" and house.shelf.tracks["One"] == SONG and "worse" in (done.note or "")


# ---- inspect ------------------------------------------------------------------------------------------------------


def test_the_length_is_held_against_what_a_catalogue_said(house: House) -> None:
    house.shop.offer("Heroes", "http://shop/h", duration_ms=180_000)
    with house.running():
        house.until(house.want("Heroes", duration_ms=180_000))
    assert house.crafts.did("inspect:inspect")[0][1:] == (180_000, 9_000)


def test_what_only_the_link_itself_says_is_no_promise(house: House) -> None:
    house.shop.lists["http://shop/One"] = [Wanted(
        title="One", artist="Band", source="direct", fetch_url="http://shop/One", duration_ms=1000)]
    fetched(house)
    assert house.crafts.did("inspect:inspect")[0][1] is None


def test_a_lossless_file_that_was_lossy_before_is_told(house: House) -> None:
    house.crafts.upsampled = True
    uid = fetched(house)
    assert any("lossy before" in one for one in house.whole(uid).warnings)
    assert house.shelf.origins["One"]["upsampled"] is True


# ---- process ------------------------------------------------------------------------------------------------------


def test_by_default_the_sound_is_left_bit_for_bit_and_measured(tmp_path: Path) -> None:
    house = House(tmp_path / "home", download_level="tags")
    fetched(house)
    assert house.kept == [] and house.shelf.tracks["One"] == SONG
    assert house.crafts.calls[-1][2]["replaygain"] == ReplayGain(track_gain_db=-3.0, track_peak=0.9)


def test_levelling_can_be_left_out(house: House) -> None:
    fetched(house, level="off")
    assert house.crafts.did("loudness:measure") == [] and house.kept == []


def test_a_choice_goes_before_the_settings(tmp_path: Path) -> None:
    house = House(tmp_path / "home", download_format="mp3", download_bitrate_kbps=192, download_trim=True)
    fetched(house, format="opus", bitrate_kbps=128, trim=False, level="audio")
    (how,) = house.kept
    assert (how["format"], how["bitrate_kbps"], how["trim"], how["level_lufs"]) == ("opus", 128, False, -14.0)


def test_the_settings_fill_what_is_not_chosen(tmp_path: Path) -> None:
    house = House(tmp_path / "home", download_format="mp3", download_bitrate_kbps=192, download_trim=True)
    uid = fetched(house)
    (how,) = house.kept
    assert (how["format"], how["bitrate_kbps"], how["trim"], how["level_lufs"]) == ("mp3", 192, True, None)
    assert house.whole(uid).quality_got == "mp3 192 kbit/s"


def test_what_is_lossy_is_not_written_into_a_lossless_file(house: House) -> None:
    house.crafts.format = "mp3"
    uid = fetched(house, format="flac")
    assert house.kept == [] and any("lossy" in one for one in house.whole(uid).warnings)


def test_a_conversion_waits_for_the_listener_but_not_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.throttle, "listening", lambda: True)
    monkeypatch.setattr(pipeline, "LISTENER_S", 0.3)
    with house.running():
        uid = house.ask(house.shop.has("http://shop/One"), options=Options(format="opus"))
        until(lambda: any("somebody listens" in line["message"] for line in house.service.logs(house.ann, uid)))
        assert house.kept == []
        house.until(uid, "completed")
    assert len(house.kept) == 1


# ---- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "code"), [
    (Failure("private", "x"), "private"),
    (UnreadableFile("x", reason="too_large"), "too_long"),
    (UnreadableFile("x", reason="timed_out"), "damaged"),
    (DiskFull("x"), "disk_full"),
    (StorageOffline("x"), "library_offline"),
    (Overloaded("x", retry_after_s=1), "crashed"),
    (NotFound("x"), "not_found"),
    (OSError(errno.ENOSPC, "x"), "disk_full"),
    (OSError(errno.EDQUOT, "x"), "disk_full"),
    (OSError(errno.EROFS, "x"), "read_only"),
    (OSError(errno.EIO, "x"), "internal"),
    (ValueError("x"), "internal"),
])
def test_every_error_is_told_in_the_words_of_downloads(error: Exception, code: str) -> None:
    assert pipeline.as_failure(error, "fetch").code == code


# ---- the parcel ---------------------------------------------------------------------------------------------------


def test_a_parcel_that_was_written_down_is_read_again_as_it_was(house: House, tmp_path: Path) -> None:
    import json

    path = tmp_path / "song"
    path.write_bytes(SONG)
    wanted = Wanted(title="Heroes", artist="Bowie", source="deezer")
    uid = house.service.submit(house.ann, Request(wanted=wanted))[0].id
    job = house.records.job(uid)
    parcel = Parcel(
        uid=uid, request=job.request, user_id=house.ann.user_id, done=("understand", "find", "fetch", "inspect"),
        tries_spent=1, stage_ms={"fetch": 12}, warnings=("Careful.",), wanted=wanted,
        fetched=Fetched(path=str(path), said=Wanted(title="x")), source_sha256="ab", fetched_bytes=500,
        file=StagedFile.at(path), facts=AudioFacts("flac", "audio/flac", 1000),
        in_file=Metadata(title="x", credits=(Credit("A"),)), has_picture=True, replaygain=ReplayGain(-1.0, 0.5))
    house.records.update(uid, parcel=json.loads(json.dumps(parcel.kept())), wanted=wanted)
    assert Parcel.taken_up(house.records.job(uid)) == parcel
    path.write_bytes(SONG + b"x")
    again = Parcel.taken_up(house.records.job(uid))
    assert again.done == ("understand", "find") and again.file is None and again.tries_spent == 1


def test_a_parcel_that_makes_no_sense_is_worked_out_anew(house: House) -> None:
    uid = house.ask("http://shop/One")
    house.records.update(uid, parcel={"done": 7, "file": "x"})
    assert Parcel.taken_up(house.records.job(uid)).done == ()
