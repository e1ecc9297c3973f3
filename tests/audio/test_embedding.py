"""Pictures put into files and taken out again: in every format the sound and all other tags stay as they were."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import mutagen
import pytest

from shared.audio import artwork, embedding, tags
from shared.model.errors import UnreadableFile
from shared.model.track import Reading
from tests.builders import FORMATS, make_audio, make_bad, make_picture

OLD, NEW = make_picture(64, (10, 120, 10), kind="PNG"), make_picture(700)
TAGS = {"title": "Rain", "artist": ["Ann", "Bob"], "album": "Weather", "comment": "Wet", "genre": "Jazz",
        "recording_mbid": "a74b1b7f-71a5-4011-9441-d0b5e4122711", "track_number": 3, "track_total": 9}


def made(folder: Path, kind: str, picture: bytes | None = OLD) -> str:
    how = dict(FORMATS[kind])
    return str(make_audio(folder, f"a{how.pop('suffix')}", seconds=1.0, tags=TAGS, picture=picture, **how))


def said(path: str) -> Reading:
    return replace(tags.read(path), picture_bytes=0, facts=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_goes_in_and_the_old_one_comes_back(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path, kind)
    words, sound, old = said(path), embedding.sound(path), embedding.fronts(path)
    assert artwork.embedded(path) == OLD
    reading = embedding.embed(path, NEW)
    assert artwork.embedded(path) == NEW and reading == tags.read(path)
    assert embedding.sound(path) == sound and said(path) == words
    embedding.put_back(path, old)
    assert artwork.embedded(path) == OLD and embedding.fronts(path) == old
    assert embedding.sound(path) == sound and said(path) == words
    assert os.listdir(tmp_path) == [os.path.basename(path)]


@pytest.mark.parametrize("kind", FORMATS)
def test_where_there_was_none_there_is_none_again(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path, kind, picture=None)
    assert embedding.fronts(path) == []
    embedding.embed(path, NEW)
    assert artwork.embedded(path) == NEW
    embedding.put_back(path, [])
    assert artwork.embedded(path) is None


def test_pictures_that_are_no_front_stay(tmp_path: Path) -> None:
    path = made(tmp_path, "flac")
    file = mutagen.File(path)
    back = mutagen.flac.Picture()
    back.type, back.mime, back.data = 4, "image/jpeg", make_picture(80)
    file.add_picture(back)
    file.save()
    old = embedding.fronts(path)
    embedding.embed(path, NEW)
    assert [(one.type, one.data) for one in mutagen.File(path).pictures] == [(3, NEW), (4, back.data)]
    embedding.put_back(path, old)
    assert [(one.type, one.data) for one in mutagen.File(path).pictures] == [(3, OLD), (4, back.data)]


def test_two_fronts_of_an_mp3_come_back_with_their_descriptions(tmp_path: Path) -> None:
    path = made(tmp_path, "mp3", picture=None)
    file = mutagen.File(path)
    for kind, words, data in ((3, "Vorne – größer", OLD), (0, "other", make_picture(70))):
        file.tags.add(mutagen.id3.APIC(encoding=3, mime="image/png", type=kind, desc=words, data=data))
    file.save()
    old = embedding.fronts(path)
    embedding.embed(path, NEW)
    assert len(embedding.fronts(path)) == 1
    embedding.put_back(path, old)
    assert sorted((int(one.type), one.desc, one.data) for one in mutagen.File(path).tags.getall("APIC")) == [
        (0, "other", make_picture(70)), (3, "Vorne – größer", OLD)]


@pytest.mark.parametrize("kind", ["flac", "mp3", "vorbis", "opus", "aac", "wav"])
def test_another_sound_has_another_hash(tmp_path: Path, kind: str) -> None:
    how = dict(FORMATS[kind])
    suffix = how.pop("suffix")
    one, other = (make_audio(tmp_path, f"{hz}{suffix}", seconds=1.0, tone_hz=hz, **how) for hz in (440.0, 441.0))
    assert embedding.sound(str(one)) != embedding.sound(str(other))


def test_a_copy_whose_sound_differs_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path, "mp3")
    before = Path(path).read_bytes()
    whole = tags.pen_for

    def careless(partial: str, facts: object) -> object:
        pen = whole(partial, facts)     # type: ignore[arg-type]
        save = pen.save

        def saved() -> None:
            save()
            data = bytearray(Path(partial).read_bytes())
            data[-600] ^= 0xff
            Path(partial).write_bytes(data)

        pen.save = saved                # type: ignore[method-assign]
        return pen

    monkeypatch.setattr(tags, "pen_for", careless)
    with pytest.raises(UnreadableFile, match="very same sound"):
        embedding.embed(path, NEW)
    assert Path(path).read_bytes() == before and len(os.listdir(tmp_path)) == 1


def test_a_copy_whose_other_tags_differ_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path, "flac")
    before = Path(path).read_bytes()
    whole = tags.pen_for

    def careless(partial: str, facts: object) -> object:
        pen = whole(partial, facts)     # type: ignore[arg-type]
        pen.set("TITLE", ["Sun"])
        return pen

    monkeypatch.setattr(tags, "pen_for", careless)
    with pytest.raises(UnreadableFile, match="not say the same"):
        embedding.embed(path, NEW)
    assert Path(path).read_bytes() == before


@pytest.mark.parametrize("kind", ["truncated_mp3", "text", "huge_id3", "truncated"])
def test_what_is_no_music_is_not_touched(tmp_path: Path, kind: str) -> None:
    path = make_bad(tmp_path, kind)
    before = path.read_bytes()
    with pytest.raises(UnreadableFile):
        embedding.embed(str(path), NEW)
    assert path.read_bytes() == before and len(os.listdir(tmp_path)) == 1
