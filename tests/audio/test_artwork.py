"""Covers out of every format, drawn in every size, and no picture that hurts."""

from __future__ import annotations

import base64
import io
import os
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from shared.audio import artwork
from shared.model.errors import UnreadableFile
from tests.builders import FORMATS, make_audio, make_bad, make_picture
from tests.patience import often


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def opened(path: str) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


@pytest.mark.parametrize("kind", [*FORMATS, "adts", "flac in ogg"])
def test_the_cover_of_every_format_comes_out_as_it_went_in(tmp_path: Path, kind: str) -> None:
    more = {"adts": {"suffix": ".aac"}, "flac in ogg": {"suffix": ".ogg", "codec": "flac"}}
    wish = dict((FORMATS | more)[kind])
    picture = make_picture(300)
    name = f"a{wish.pop('suffix')}"
    assert artwork.embedded(str(make_audio(tmp_path, name, tags={"title": "x"}, picture=picture, **wish))) == picture
    assert artwork.embedded(str(make_audio(tmp_path, name, tags={"title": "x"}, **wish))) is None
    assert artwork.embedded(str(make_audio(tmp_path, name, **wish))) is None


def test_the_front_is_preferred_to_what_stands_before_it(tmp_path: Path) -> None:
    from mutagen.flac import FLAC, Picture

    path = make_audio(tmp_path, "a.flac")
    file = FLAC(path)
    for kind, data in ((4, b"back"), (3, b"front"), (0, b"other")):
        block = Picture()
        block.type, block.data = kind, data
        file.add_picture(block)
    file.save()
    assert artwork.embedded(str(path)) == b"front"


@pytest.mark.parametrize("kind", ["empty", "truncated", "text", "huge_mp4", "huge_vorbis"])
def test_bad_files_give_no_picture_but_a_reason(tmp_path: Path, kind: str) -> None:
    path = str(make_bad(tmp_path, kind))
    try:
        assert artwork.embedded(path) is None
    except UnreadableFile as error:
        assert error.reason in UnreadableFile.REASONS


def test_a_cover_that_is_no_base64_is_no_cover(tmp_path: Path) -> None:
    path = make_audio(tmp_path, "a.ogg", tags={"raw": {"METADATA_BLOCK_PICTURE": ["no base64!"], "COVERART": ["%%%"]}})
    assert artwork.embedded(str(path)) is None
    path = make_audio(tmp_path, "b.ogg", tags={"raw": {"COVERART": [base64.b64encode(make_picture(64)).decode()]}})
    assert artwork.embedded(str(path)) == make_picture(64)


def test_it_is_drawn_in_all_sizes_and_never_larger_than_it_is(tmp_path: Path) -> None:
    done = artwork.render(make_picture(700), artwork.SIZES, str(tmp_path), "x")
    assert (done["width"], done["height"]) == (700, 700)
    for size, path in done["files"].items():
        assert path == str(tmp_path / f"x-{size}.webp")
        drawn = opened(path)
        assert (drawn.format, drawn.size) == ("WEBP", (min(size, 700),) * 2)
    assert done["bytes"] == sum(os.path.getsize(path) for path in done["files"].values())
    assert sorted(os.listdir(tmp_path)) == sorted(f"x-{size}.webp" for size in artwork.SIZES)


MODES = {"PNG": ("RGB", "L", "P", "RGBA", "LA", "1", "I;16"), "JPEG": ("RGB", "L", "CMYK", "1"),
         "WEBP": ("RGB", "L", "P", "RGBA", "LA"), "GIF": ("RGB", "L", "P", "RGBA", "LA", "1"),
         "TIFF": ("RGB", "L", "P", "RGBA", "LA", "CMYK", "1", "I;16"), "BMP": ("RGB", "L", "P", "1")}


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind, modes in MODES.items() for mode in modes])
def test_every_kind_of_picture_is_drawn(tmp_path: Path, kind: str, mode: str) -> None:
    image = Image.new("RGB", (200, 100), (200, 40, 40))
    image = image.convert("L").convert("I;16") if mode == "I;16" else image.convert(mode)
    done = artwork.render(encoded(image, kind), [64], str(tmp_path))
    assert opened(done["files"][64]).size == (64, 32)


def test_it_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (200, 100), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 100, 100))
    done = artwork.render(encoded(image, "JPEG", exif=exif), [100], str(tmp_path))
    assert (done["width"], done["height"]) == (100, 200)
    red, _, blue = opened(done["files"][100]).convert("RGB").getpixel((25, 10))
    assert red > 200 > 60 > blue


def test_what_is_transparent_gets_the_picture_s_own_ground(tmp_path: Path) -> None:
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    image.paste((220, 160, 60, 255), (20, 20, 80, 80))
    drawn = opened(artwork.render(encoded(image), [100], str(tmp_path))["files"][100])
    assert drawn.mode == "RGB"
    corner = drawn.getpixel((3, 3))
    assert all(abs(part - meant) < 40 for part, meant in zip(corner, (220, 160, 60), strict=True))


def _huge_png(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("source", "reason"), [
    (_huge_png(60_000, 60_000), "too_large"), (_huge_png(2**31 - 1, 1), "too_large"), (b"", "not_audio"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_audio"), (b"\x89PNG\r\n\x1a\nnonsense", "not_audio"),
    (make_picture(300)[:2000], "not_audio"), (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not_audio"), (bytes(1000), "not_audio"),
])
def test_a_picture_that_would_hurt_is_refused(tmp_path: Path, source: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        artwork.render(source, [64], str(tmp_path / "new"))
    assert caught.value.reason == reason
    assert not (tmp_path / "new").exists()


@given(st.sampled_from([make_picture(40), make_picture(40, kind="PNG"), make_picture(40, kind="WEBP"),
                        make_picture(40, kind="GIF")]), st.integers(0, 2000), st.binary(min_size=1, max_size=6))
@settings(max_examples=often(40), deadline=None)
def test_no_damaged_picture_raises_anything_but_unreadable_file(source: bytes, at: int, patch: bytes) -> None:
    damaged = bytearray(source)
    damaged[at % len(source):at % len(source) + len(patch)] = patch
    try:
        assert artwork.color(bytes(damaged)).startswith("#")
    except UnreadableFile as error:
        assert error.reason in UnreadableFile.REASONS


def test_the_colour_is_that_of_the_picture_toned_down() -> None:
    image = Image.new("RGB", (100, 100), (250, 250, 250))
    image.paste((200, 30, 30), (30, 10, 70, 90))
    value = artwork.color(encoded(image))
    red, green, blue = (int(value[i:i + 2], 16) for i in (1, 3, 5))
    assert red > 120
    assert red - max(green, blue) > 60
    assert red - max(green, blue) < 170     # less than in the picture
