"""A fetched file dressed in every format: what is written is what is read, and the sound stays as it was."""

from __future__ import annotations

import hashlib
import io
import os
import zlib
from dataclasses import replace
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from shared.audio import artwork, tags
from shared.audio.dress import dress
from shared.model.errors import UnreadableFile
from shared.model.track import Credit, Metadata, ReplayGain
from tests.builders import FORMATS, make_audio, make_bad, make_picture
from tests.patience import often

ANN, BOB = "a74b1b7f-71a5-4011-9441-d0b5e4122711", "b10bbbfc-cf9e-42e0-be17-e2c3e1d2600d"
WHOLE = Metadata(
    title="Rain — Ляля", artist="Ann feat. Bob", album="Weather", album_artist="Ann",
    credits=(Credit("Ann", "artist", ANN, "Ann"), Credit("Bob", "artist", BOB, "Bob"),
             Credit("Ann", "albumartist", ANN, "Ann"), Credit("Carl", "composer")),
    track_number=3, track_total=12, disc_number=2, disc_total=2, disc_title="Night", year=1999, date="1999-04-01",
    original_date="1998", genres=("Jazz", "Soul"), compilation=True, isrc="USRC17607839", recording_mbid=ANN,
    release_mbid=BOB, release_group_mbid=ANN, bpm=120.0, title_sort="Rain", album_sort="Weather", comment="Live")
GAIN = ReplayGain(track_gain_db=-6.5, track_peak=0.987654)
LRC = "[00:01.00] One\n[00:02.00] Two\n[00:03.00] Three"


def made(folder: Path, kind: str, **wish: object) -> Path:
    with_suffix = dict(FORMATS[kind])
    return make_audio(folder, f"a{with_suffix.pop('suffix')}", seconds=1.0, **with_suffix, **wish)  # type: ignore[arg-type]


def sound(path: Path) -> str:
    """A hash of all that is decoded."""
    digest = hashlib.sha256()
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            digest.update(frame.to_ndarray().tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_written_is_what_is_read_and_the_sound_stays(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path, kind, tags={"title": "Uploaded by XYZ", "artist": "Channel", "comment": "Subscribe!",
                                      "recording_mbid": BOB, "album": "Old"}, picture=make_picture(64))
    before = sound(path)
    assert dress(str(path), WHOLE, cover=make_picture(600), lyrics=LRC, replaygain=GAIN) == {"warnings": []}
    found = tags.read(str(path))
    gain = found.metadata.replaygain
    assert gain.track_gain_db == pytest.approx(-6.5, abs=0.01)
    assert gain.track_peak == (None if kind == "opus" else 0.987654)
    read = replace(found.metadata, replaygain=ReplayGain())
    assert set(read.credits) == set(WHOLE.credits)
    assert [c for c in read.credits if c.role != "composer"] == [c for c in WHOLE.credits if c.role != "composer"]
    assert replace(read, credits=()) == replace(WHOLE, credits=())
    assert (found.lyrics[0].text, found.lyrics[0].synced) == (LRC, True)
    assert artwork.embedded(str(path)) == make_picture(600)
    assert sound(path) == before
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_not_said_is_taken_away_but_cover_lyrics_and_gain(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path, kind)
    dress(str(path), WHOLE, cover=make_picture(600), lyrics=LRC, replaygain=GAIN)
    dress(str(path), Metadata(title="Rain", artist="Ann"))
    found = tags.read(str(path))
    rest = replace(found.metadata, replaygain=ReplayGain(), bpm=None, credits=())
    assert rest == Metadata(title="Rain", artist="Ann")
    assert [credit for credit in found.metadata.credits if credit.role != "composer"] == [Credit("Ann")]
    assert (found.lyrics[0].text, found.picture_bytes > 1000) == (LRC, True)
    assert found.metadata.replaygain.track_gain_db == pytest.approx(-6.5, abs=0.01)


def test_a_large_cover_is_drawn_smaller(tmp_path: Path) -> None:
    noise = Image.effect_noise((3000, 2000), 90).convert("RGB")
    out = io.BytesIO()
    noise.save(out, "PNG")
    path = made(tmp_path, "flac")
    assert dress(str(path), WHOLE, cover=out.getvalue()) == {"warnings": []}
    embedded = artwork.embedded(str(path))
    assert embedded is not None
    assert len(embedded) <= 500_000
    with Image.open(io.BytesIO(embedded)) as image:
        assert image.format == "JPEG"
        assert max(image.size) <= 1200
        assert abs(image.width / image.height - 1.5) < 0.02


@pytest.mark.parametrize("cover", [b"<html>404</html>", b"\xff\xd8\xff" + bytes(100), make_picture(600)[:2000],
                                   b"\x89PNG\r\n\x1a\n" + b"\xff" * 50])
def test_a_cover_that_is_no_picture_is_left_out_with_a_warning(tmp_path: Path, cover: bytes) -> None:
    path = made(tmp_path, "mp3")
    answer = dress(str(path), WHOLE, cover=cover)
    assert answer["warnings"][0].startswith("The cover was left out")
    found = tags.read(str(path))
    assert (found.metadata.title, found.picture_bytes) == (WHOLE.title, 0)


def test_a_picture_bomb_is_left_out(tmp_path: Path) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    side = (20_000).to_bytes(4, "big")
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", side + side + b"\x01\x00\x00\x00\x00") + chunk(
        b"IDAT", zlib.compress(bytes(2501 * 2000))) + chunk(b"IEND", b"")
    path = made(tmp_path, "opus")
    assert "too large" in dress(str(path), WHOLE, cover=bomb)["warnings"][0]


def test_what_is_no_music_is_not_touched(tmp_path: Path) -> None:
    path = make_bad(tmp_path, "html")
    before = path.read_bytes()
    with pytest.raises(UnreadableFile):
        dress(str(path), WHOLE)
    assert path.read_bytes() == before


words = st.text(max_size=40)


@settings(max_examples=often(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=words, artist=words, album=words, comment=words, genres=st.lists(words, max_size=3).map(tuple),
       kind=st.sampled_from(["mp3", "flac", "opus", "aac", "wav", "wavpack"]))
def test_any_text_can_be_written_and_the_file_stays_readable(
    tmp_path: Path, title: str, artist: str, album: str, comment: str, genres: tuple[str, ...], kind: str
) -> None:
    path = made(tmp_path, kind)
    dress(str(path), Metadata(title=title, artist=artist, album=album, comment=comment, genres=genres), lyrics=comment)
    found = tags.read(str(path)).metadata
    from shared.audio.fields import clean

    assert found.title == (clean(title) or None)
    assert found.album == (clean(album) or None)
