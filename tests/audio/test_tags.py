"""Reading every format, refusing every broken file with the right word, writing without touching the music."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import mutagen
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutagen import id3

from shared.audio import tags
from shared.model.errors import BadInput, Conflict, DiskFull, UnreadableFile
from shared.model.track import LOSSLESS, Credit
from tests.builders import BAD_KINDS, FORMATS, make_audio, make_bad, make_picture
from tests.patience import often

ROOT = Path(__file__).resolve().parents[2]
A, B, C, D, E = (f"0123abcd-0123-4abc-8abc-0123456789a{n}" for n in "12345")
FULL: dict[str, Any] = {
    "title": "Rain", "artist": ["Ann", "Bøb"], "album": "Weather", "album_artist": "Ann", "track_number": 3,
    "track_total": 9, "disc_number": 1, "disc_total": 2, "disc_title": "Side One", "date": "2001-02-03",
    "original_date": "1999", "genre": ["Rock", "Pop"], "compilation": True, "isrc": "USRC17607839", "bpm": 120,
    "comment": "hello", "composer": "Dee", "conductor": "Flo", "performers": [("guitar", "Carl")],
    "title_sort": "Rain, the", "album_sort": "Weather, the", "artist_sort": "A, Ann; B, Bøb",
    "artist_mbid": [A, B], "album_artist_mbid": [A], "recording_mbid": C, "release_mbid": D, "release_group_mbid": E,
    "replaygain": {"track_gain_db": -6.5, "track_peak": 0.9, "album_gain_db": -5.25, "album_peak": 0.95},
}
EVERY = {name: dict(options) for name, options in FORMATS.items()}
MORE = EVERY | {"mp3 with ID3v2.3": {"suffix": ".mp3", "version": 3}, "adts": {"suffix": ".aac"},
                "flac in ogg": {"suffix": ".ogg", "codec": "flac"},
                "wav with ID3v2.3": {"suffix": ".wav", "version": 3}}


def make(folder: Path, kind: str, tags: dict[str, Any] | None = None, **options: Any) -> Path:
    wish = dict(MORE[kind])
    suffix = wish.pop("suffix")
    version = wish.pop("version", None)
    if version and tags is not None:
        tags = tags | {"id3_version": version}
    return make_audio(folder, f"{kind}{suffix}", tags=tags, **(wish | options))


def decoded(path: Path) -> str:
    """A hash of all the samples."""
    digest = hashlib.sha256()
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            digest.update(frame.to_ndarray().tobytes())
    return digest.hexdigest()


def reason_of(path: Path) -> str | None:
    try:
        tags.read(str(path))
    except UnreadableFile as error:
        return error.reason
    return None


# ---- reading


@pytest.mark.parametrize("kind", MORE)
def test_every_format_tells_all_of_its_tags(tmp_path: Path, kind: str) -> None:
    found = tags.read(str(make(tmp_path, kind, FULL))).metadata
    old = "2.3" in kind        # has no places of its own for some of them
    assert found.credits == (
        Credit("Ann", "artist", A, None if old else "A, Ann"), Credit("Bøb", "artist", B, None if old else "B, Bøb"),
        Credit("Ann", "albumartist", A), Credit("Dee", "composer"), Credit("Flo", "conductor"),
        Credit("Carl", "performer"))
    assert (found.title, found.artist, found.album, found.album_artist) == ("Rain", found.artist, "Weather", "Ann")
    assert found.artist in ("Ann, Bøb", "Ann/Bøb")
    assert (found.track_number, found.track_total, found.disc_number, found.disc_total) == (3, 9, 1, 2)
    assert (found.year, found.date, found.original_date) == (2001, "2001-02-03", "1999")
    assert found.genres == ("Rock", "Pop")
    assert found.compilation
    assert (found.isrc, found.bpm, found.comment) == ("USRC17607839", 120.0, "hello")
    assert (found.recording_mbid, found.release_mbid, found.release_group_mbid) == (C, D, E)
    gain = found.replaygain
    assert (gain.track_gain_db, gain.track_peak, gain.album_gain_db, gain.album_peak) == (-6.5, 0.9, -5.25, 0.95)
    if not old:
        assert (found.disc_title, found.title_sort, found.album_sort) == ("Side One", "Rain, the", "Weather, the")


@pytest.mark.parametrize("kind", EVERY)
def test_every_format_tells_its_audio_facts(tmp_path: Path, kind: str) -> None:
    facts = tags.read(str(make(tmp_path, kind))).facts
    assert facts.format == kind
    assert 1990 <= facts.duration_ms <= 2060
    assert facts.sample_rate_hz == (48000 if kind == "opus" else 44100)
    assert facts.channels == 2
    assert facts.bit_depth == (16 if kind in LOSSLESS else None)
    assert kind == "ape" or 40 <= (facts.bitrate_kbps or 0) <= 1500       # silence weighs nothing
    assert facts.mime_type.startswith("audio/")


@pytest.mark.parametrize("kind", EVERY)
def test_the_front_cover_s_size_is_known_and_no_picture_is_none(tmp_path: Path, kind: str) -> None:
    picture = make_picture()
    assert tags.read(str(make(tmp_path, kind, {"title": "x"}, picture=picture))).picture_bytes == len(picture)
    assert tags.read(str(make(tmp_path, kind, {"title": "x"}))).picture_bytes == 0


@pytest.mark.parametrize("kind", EVERY)
def test_lyrics_plain_and_timed(tmp_path: Path, kind: str) -> None:
    plain, = tags.read(str(make(tmp_path, kind, {"lyrics": "one\ntwo"}))).lyrics
    assert (plain.text, plain.synced) == ("one\ntwo", False)
    timed, = tags.read(str(make(tmp_path, kind, {"synced_lyrics": [(0, "one"), (61_500, "two")]}))).lyrics
    assert timed.synced
    assert timed.text.replace("] ", "]") == "[00:00.00]one\n[01:01.50]two"


@pytest.mark.parametrize("kind", MORE)
def test_a_file_without_tags_is_fine(tmp_path: Path, kind: str) -> None:
    found = tags.read(str(make(tmp_path, kind))).metadata
    assert (found.title, found.artist, found.credits, found.genres) == (None, None, (), ())


def test_the_content_decides_where_the_name_lies(tmp_path: Path) -> None:
    for kind in EVERY:
        path = make(tmp_path, kind, {"title": "x"})
        lying = path.with_name(f"{kind} in disguise.mp3")
        path.rename(lying)
        assert tags.read(str(lying)).facts.format == kind


def test_a_flac_carries_its_checksum(tmp_path: Path) -> None:
    reading = tags.read(str(make(tmp_path, "flac")))
    assert reading.audio_md5 is not None
    assert len(reading.audio_md5) == 32


@pytest.mark.parametrize("values", [
    {"sample_rate": 96000}, {"channels": 1}, {"channels": 6, "sample_rate": 48000}, {"seconds": 0.05}, {"seconds": 7.3},
    {"tone_hz": 20.0}, {"seconds": 0.01},
])
@pytest.mark.parametrize("kind", ["flac", "wavpack", "alac", "wav", "vorbis", "opus"])
def test_no_whole_file_is_taken_for_a_cut_one(tmp_path: Path, kind: str, values: dict[str, Any]) -> None:
    assert reason_of(make(tmp_path, kind, {"title": "x"}, **values)) is None


def test_a_flac_that_ends_in_silence_is_whole(tmp_path: Path) -> None:
    import numpy as np

    loud = (np.random.default_rng(1).normal(0, 3000, (1, 200_000))).astype("<i2")
    quiet = np.zeros((1, 400_004), dtype="<i2")
    path = tmp_path / "quiet.flac"
    with av.open(str(path), "w") as sink:
        stream = sink.add_stream("flac", rate=44100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.concatenate((loud, quiet), axis=1), format="s16", layout="stereo")
        frame.sample_rate = 44100
        for part in av.AudioResampler("s16", "stereo", 44100, frame_size=4608).resample(frame):
            sink.mux(stream.encode(part))
        sink.mux(stream.encode(None))
    assert reason_of(path) is None
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert reason_of(path) == "truncated"


def test_old_tags_at_the_end_of_an_mp3_fill_what_is_missing(tmp_path: Path) -> None:
    path = make(tmp_path, "mp3")
    old = b"TAG" + b"Old title".ljust(30, b"\0") + b"Old artist".ljust(30, b"\0") + b"Old album".ljust(30, b"\0")
    path.write_bytes(path.read_bytes() + old + b"1979" + b"x".ljust(28, b"\0") + b"\0\x07" + b"\x11")
    found = tags.read(str(path)).metadata
    assert (found.title, found.artist, found.album, found.year) == ("Old title", "Old artist", "Old album", 1979)
    assert (found.track_number, found.genres) == (7, ("Rock",))


def test_gain_that_mp3gain_left_behind_is_found(tmp_path: Path) -> None:
    from mutagen.apev2 import APEv2

    path = make(tmp_path, "mp3", {"title": "x"})
    gain = APEv2()
    gain["REPLAYGAIN_TRACK_GAIN"] = "-3.21 dB"
    gain.save(path)
    found = tags.read(str(path)).metadata
    assert (found.title, found.replaygain.track_gain_db) == ("x", -3.21)


def test_unusual_id3_is_read_as_well(tmp_path: Path) -> None:
    """Version 2.2, unsynchronised, with a byte order for each value: the way that is quick hands these on."""
    audio = make(tmp_path, "mp3").read_bytes()
    path = tmp_path / "odd.mp3"

    def frame(name: bytes, content: bytes) -> bytes:
        return name + len(content).to_bytes(4, "big") + b"\0\0" + content

    def tag(version: int, flags: int, content: bytes) -> bytes:
        size = [len(content) >> shift & 127 for shift in (21, 14, 7, 0)]
        return b"ID3" + bytes([version, 0, flags, *size]) + content

    path.write_bytes(tag(2, 0, b"TT2\0\0\x05\0Rain") + audio)
    assert tags.read(str(path)).metadata.title == "Rain"
    path.write_bytes(tag(3, 0x80, frame(b"TIT2", b"\x01\xff\x00\xfeR\0a\0i\0n\0")) + audio)
    assert tags.read(str(path)).metadata.title == "Rain"
    both = b"\x01" + "A".encode("utf-16") + b"\0\0" + b"\xfe\xff" + "B".encode("utf-16-be")
    path.write_bytes(tag(3, 0, frame(b"TPE1", both)) + audio)
    assert [c.name for c in tags.read(str(path)).metadata.credits] == ["A", "B"]
    utf8_called_latin = b"\x00" + "Bøb".encode()
    path.write_bytes(tag(3, 0, frame(b"TPE1", utf8_called_latin)) + audio)
    assert tags.read(str(path)).metadata.artist == "Bøb"


def test_year_and_day_of_the_old_id3_make_a_date(tmp_path: Path) -> None:
    path = make(tmp_path, "mp3", {"title": "x", "id3_version": 3, "raw": {
        "year": id3.TYER(encoding=0, text="1999"), "day": id3.TDAT(encoding=0, text="3112")}})
    assert tags.read(str(path)).metadata.date == "1999-12-31"


def test_the_tags_that_mutagen_finds_are_those_found_here(tmp_path: Path) -> None:
    """The quick readers against mutagen's own, on real files."""
    for kind in ("mp3", "flac", "vorbis", "opus", "aac", "wav", "aiff"):
        path = make(tmp_path, kind, FULL, picture=make_picture())
        quick = tags.read(str(path))
        file = mutagen.File(path)
        assert abs(quick.facts.duration_ms - file.info.length * 1000) < 2
        if kind in ("mp3", "wav", "aiff"):
            assert [quick.metadata.title] == file.tags["TIT2"].text
        elif kind == "aac":
            assert [quick.metadata.title] == file.tags["\xa9nam"]
        else:
            assert [quick.metadata.title] == file.tags["title"]


# ---- refusing


@pytest.mark.parametrize("kind", BAD_KINDS)
def test_a_bad_file_is_refused_with_its_reason_or_read_with_sane_values(tmp_path: Path, kind: str) -> None:
    path = make_bad(tmp_path, kind)
    assert reason_of(path) == BAD_KINDS[kind]
    if BAD_KINDS[kind] is None:
        found = tags.read(str(path)).metadata
        assert found.year is None or 1000 <= found.year <= 2100
        assert found.track_number is None or 0 < found.track_number < 10_000
        assert len(found.title or "") <= 1000
        assert len(found.credits) <= 200
        repr(found).encode("utf-8")


@pytest.mark.parametrize("kind", [kind for kind in EVERY if kind != "ape"])
def test_a_file_cut_in_the_middle_is_truncated(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind, {"title": "x"}, seconds=5.0)
    content = path.read_bytes()
    for part in (0.02, 0.1, 0.3, 0.5):
        path.write_bytes(content[: int(len(content) * part)])
        assert reason_of(path) == "truncated", part


def test_what_is_not_there_or_not_a_file_or_not_allowed(tmp_path: Path) -> None:
    assert reason_of(tmp_path / "nothing.mp3") == "vanished"
    assert reason_of(tmp_path) == "not_audio"
    os.mkfifo(tmp_path / "pipe.mp3")
    assert reason_of(tmp_path / "pipe.mp3") == "not_audio"
    denied = tags.blame_system(PermissionError(errno.EACCES, "denied"))
    assert denied.reason == "no_permission"


def test_failures_stand_in_their_places(tmp_path: Path) -> None:
    good = make(tmp_path, "flac", {"title": "x"})
    answers = tags.read_many([str(make_bad(tmp_path, "empty")), str(good), str(tmp_path / "gone.mp3")])
    first, second, third = answers
    assert isinstance(first, UnreadableFile)
    assert first.reason == "empty"
    assert not isinstance(second, UnreadableFile)
    assert second.metadata.title == "x"
    assert isinstance(third, UnreadableFile)


MAGIC = [b"", b"ID3\x04\x00\x00", b"ID3\x03\x00\x00\x00\x00\x02\x00", b"fLaC", b"fLaC\x00\x00\x00\x22",
         b"OggS\x00\x02", b"\x00\x00\x00\x20ftypM4A ", b"RIFF\xff\xff\x00\x00WAVE", b"FORM\x00\x00\xff\xffAIFF",
         b"wvpk", b"MAC \x96\x0f",
         b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c", b"\xff\xfb\x90\x64", b"\xff\xf1\x50\x80"]


@given(st.sampled_from(MAGIC), st.binary(max_size=600), st.sampled_from([".mp3", ".aac", ".flac", ""]))
@settings(max_examples=often(60), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_bytes_raise_anything_but_unreadable_file(tmp_path: Path, head: bytes, rest: bytes, suffix: str) -> None:
    path = tmp_path / f"any{suffix}"
    path.write_bytes(head + rest)
    reason = reason_of(path)
    assert reason is None or reason in UnreadableFile.REASONS


@given(st.sampled_from(sorted(MORE)), st.integers(0, 6000), st.integers(0, 255), st.integers(0, 6000),
       st.binary(min_size=1, max_size=8))
@settings(max_examples=often(60), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_damage_raises_anything_but_unreadable_file(tmp_path: Path, kind: str, at: int, value: int, second: int,
                                                       patch: bytes) -> None:
    whole = tmp_path / kind
    if not whole.exists():
        whole.write_bytes(make(tmp_path, kind, FULL | {"lyrics": "la"}, seconds=0.5).read_bytes())
    content = bytearray(whole.read_bytes())
    content[at % len(content)] = value
    content[second % len(content):second % len(content) + len(patch)] = patch
    path = tmp_path / f"damaged{MORE[kind]['suffix']}"
    path.write_bytes(content)
    reason = reason_of(path)
    assert reason is None or reason in UnreadableFile.REASONS


# ---- writing


@pytest.mark.parametrize("kind", MORE)
def test_edited_tags_are_read_again_and_the_music_is_the_same(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind, FULL, picture=make_picture())
    before, sound = tags.read(str(path)), decoded(path)
    after = tags.write(str(path), {"title": "Ñew", "artist": "Zed", "album_artist": "Zed", "track_number": 7,
                                   "disc_number": 2, "year": 1988, "genres": ["Jazz", "Bebop"]})
    assert after == tags.read(str(path))
    assert decoded(path) == sound
    now = after.metadata
    assert (now.title, now.artist, now.album_artist, now.year) == ("Ñew", "Zed", "Zed", 1988)
    assert now.genres == ("Jazz", "Bebop")
    assert (now.track_number, now.track_total, now.disc_number, now.disc_total) == (7, 9, 2, 2)
    assert now.credits[:2] == (Credit("Zed"), Credit("Zed", "albumartist"))
    was = before.metadata
    for kept in ("album", "isrc", "bpm", "comment", "recording_mbid", "release_mbid", "replaygain", "original_date",
                 "compilation"):
        assert getattr(now, kept) == getattr(was, kept), kept
    assert [c for c in now.credits if c.role == "composer"] == [Credit("Dee", "composer")]
    assert (after.picture_bytes, after.lyrics) == (before.picture_bytes, before.lyrics)
    assert after.audio_md5 == before.audio_md5


@pytest.mark.parametrize("kind", MORE)
def test_fields_are_taken_away_and_added_to_bare_files(tmp_path: Path, kind: str) -> None:
    path, picture = make(tmp_path, kind), make_picture(100)
    sound = decoded(path)
    after = tags.write(str(path), {"title": "A", "artist": "B", "album": "C", "track_number": 1, "year": 2000,
                                   "lyrics": "one\ntwo", "picture": picture})
    assert (after.metadata.title, after.metadata.artist, after.metadata.album) == ("A", "B", "C")
    assert (after.metadata.track_number, after.metadata.year, after.picture_bytes) == (1, 2000, len(picture))
    assert [lyrics.text for lyrics in after.lyrics] == ["one\ntwo"]
    after = tags.write(str(path), {"title": None, "track_number": None, "year": None, "lyrics": "", "picture": None})
    assert (after.metadata.title, after.metadata.track_number, after.metadata.year) == (None, None, None)
    assert (after.lyrics, after.picture_bytes, after.metadata.artist) == ((), 0, "B")
    assert decoded(path) == sound


@pytest.mark.parametrize("version", [3, 4])
def test_an_id3_tag_keeps_its_version(tmp_path: Path, version: int) -> None:
    path = make_audio(tmp_path, "a.mp3", tags={"title": "x", "id3_version": version})
    tags.write(str(path), {"title": "y", "genres": ["A", "B"]})
    assert path.read_bytes()[3] == version
    assert tags.read(str(path)).metadata.genres == ("A", "B")


def test_frames_nobody_here_knows_survive_an_edit(tmp_path: Path) -> None:
    path = make_audio(tmp_path, "a.mp3", tags={"title": "x", "id3_version": 3, "raw": {
        "private": id3.PRIV(owner="someone", data=b"\x01\x02"), "popular": id3.POPM(email="a@b", rating=200, count=7),
        "mood": id3.TXXX(encoding=0, desc="MOOD", text=["calm"])}})
    tags.write(str(path), {"title": "y"})
    kept = id3.ID3(path)
    assert kept["PRIV:someone:\x01\x02"].data == b"\x01\x02"
    assert kept["POPM:a@b"].rating == 200
    assert kept["TXXX:MOOD"].text == ["calm"]


def test_the_rest_of_a_date_stays_when_the_year_does(tmp_path: Path) -> None:
    path = make(tmp_path, "flac", FULL)
    assert tags.write(str(path), {"year": 2001}).metadata.date == "2001-02-03"
    assert tags.write(str(path), {"year": 2002}).metadata.date == "2002"


def test_mode_and_link_are_kept(tmp_path: Path) -> None:
    path = make(tmp_path, "flac", {"title": "x"})
    path.chmod(0o640)
    link = tmp_path / "link.flac"
    link.symlink_to(path)
    os.utime(path, (1, 1))
    tags.write(str(link), {"title": "y"})
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_mtime > 1
    assert tags.read(str(path)).metadata.title == "y"


def test_an_edit_that_fails_leaves_the_file_and_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path, "flac", {"title": "x"})
    content = path.read_bytes()
    for wrong in ({"title": "y", "track_number": 10**9}, {"title": "y", "year": 99999}, {"nonsense": 1}):
        with pytest.raises(BadInput):
            tags.write(str(path), wrong)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(DiskFull):
        tags.write(str(path), {"title": "y"})
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == [path.name]


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path, "flac", {"title": "x"})
    edit = tags._edit

    def edit_while_others_do(*args: Any) -> None:
        edit(*args)
        path.write_bytes(path.read_bytes() + b"\0")

    monkeypatch.setattr(tags, "_edit", edit_while_others_do)
    with pytest.raises(Conflict):
        tags.write(str(path), {"title": "y"})
    assert tags.read(str(path)).metadata.title == "x"


def test_whoever_kills_it_finds_the_old_or_the_new_file_whole(tmp_path: Path) -> None:
    path = make(tmp_path, "flac", {"title": "0"}, seconds=20.0)
    sound = decoded(path)
    script = ("import sys; sys.path.insert(0, sys.argv[1])\n"
              "from shared.audio import tags\n"
              "print('ready', flush=True)\n"
              "for n in range(1, 10**6):\n"
              "    tags.write(sys.argv[2], {'title': str(n) * 50, 'picture': bytes([n % 256]) * 40_000})\n")
    for patience in (0.004, 0.011, 0.017, 0.023, 0.037, 0.053):
        child = subprocess.Popen([sys.executable, "-c", script, str(ROOT), str(path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(patience)
        child.kill()
        child.wait()
        child.stdout.close()
        reading = tags.read(str(path))
        assert (reading.metadata.title or "").isdigit()
        assert decoded(path) == sound


def test_a_copy_left_by_a_crash_is_removed_later(tmp_path: Path) -> None:
    path = make(tmp_path, "flac", {"title": "x"})
    old, young = tmp_path / ".soundsible-old.flac", tmp_path / ".soundsible-young.flac"
    old.write_bytes(b"x")
    young.write_bytes(b"x")
    os.utime(old, (1, 1))
    tags.write(str(path), {"title": "y"})
    assert sorted(os.listdir(tmp_path)) == [young.name, path.name]


def test_a_name_that_is_no_utf_8_is_read_and_written(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.flac")
    os.rename(make(tmp_path, "flac", {"title": "x"}), path)
    assert tags.write(path, {"title": "y"}).metadata.title == "y"
