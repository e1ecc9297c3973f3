"""Take the cover out of a music file and draw it in the sizes that are shown. Imported by worker processes only."""

from __future__ import annotations

import base64
import binascii
import contextlib
import io
import os
import secrets
from collections.abc import Iterable, Iterator
from typing import Any

import mutagen
from PIL import Image, ImageOps

from shared.audio import tags
from shared.model.errors import UnreadableFile
from shared.model.units import MIB, Bytes

SIZES = (64, 128, 200, 300, 512, 800, 1200)     # pixels, the longer side
QUALITY = 82
# Suffix → (Pillow's name, how it is written).
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "webp": ("WEBP", {"quality": QUALITY, "method": 4}),
    "jpg": ("JPEG", {"quality": QUALITY, "optimize": True}),
}
LARGEST_PICTURE = 40 * MIB                      # of encoded bytes
LARGEST_PIXELS = 80_000_000                     # of the decoded picture; a 9000 px cover is a scan for print
_KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


# ---- out of the file --------------------------------------------------------------------------------------------


def embedded(path: str) -> bytes | None:
    """The front cover inside the music file at `path` as it is there (mostly JPEG), else its first picture, else None.

    Raises UnreadableFile.
    """
    best: bytes | None = None
    try:
        for front, data in _pictures(path):
            if 0 < len(data) <= LARGEST_PICTURE:
                if front:
                    return data
                best = best or data
    except UnreadableFile:
        raise
    except OSError as error:
        if isinstance(error, mutagen.MutagenError):
            raise tags.blame(error, 1 << 30, b"") from error
        raise tags.blame_system(error) from error
    except Exception as error:      # mutagen raises whatever a hostile file makes Python raise
        raise tags.blame(error, 1 << 30, b"") from error
    return best


def _pictures(path: str) -> Iterator[tuple[bool, bytes]]:
    """(is a front cover, encoded picture) for each in the file."""
    with tags.whole(path) as file:
        for picture in getattr(file, "pictures", ()):                           # FLAC
            yield picture.type == 3, picture.data
        held: Any = file.tags
        if held is None:
            return
        if hasattr(held, "getall"):                                             # ID3
            for frame in held.getall("APIC"):
                yield frame.type == 3, frame.data
        elif "covr" in held:                                                    # MP4
            for cover in held["covr"]:
                yield True, bytes(cover)
        elif "WM/Picture" in held:                                              # ASF
            for value in held["WM/Picture"]:
                yield value.value[:1] == b"\x03", _behind_asf_header(value.value)
        else:
            for key in held.keys():  # noqa: SIM118 (Vorbis comments are a list that has keys)
                lower = key.lower()
                if lower.startswith("cover art"):                               # APEv2
                    yield "front" in lower, held[key].value.partition(b"\0")[2]
                elif lower in ("metadata_block_picture", "coverart"):           # Ogg
                    for value in held[key]:
                        yield from _in_base64(value, block=lower != "coverart")


def _in_base64(value: str, *, block: bool) -> Iterator[tuple[bool, bytes]]:
    from mutagen.flac import Picture, error

    with contextlib.suppress(binascii.Error, ValueError, error):
        data = base64.b64decode(value)
        if block:
            picture = Picture(data)
            yield picture.type == 3, picture.data
        else:
            yield False, data


def _behind_asf_header(value: bytes) -> bytes:
    """Kind, length, MIME type and description (UTF-16, ended by NUL) stand before the picture."""
    length, at = int.from_bytes(value[1:5], "little"), 5
    for _ in range(2):
        while at + 1 < len(value) and value[at:at + 2] != b"\0\0":
            at += 2
        at += 2
    return value[at:at + length]


# ---- onto the screen --------------------------------------------------------------------------------------------


def render(source: bytes, sizes: Iterable[int], folder: str, stem: str = "", form: str = "webp") -> dict[str, Any]:
    """Draw `source` as `folder`/[`stem`-]<size>.<form> for each of `sizes` (pixels of the longer side). form: of FORMS.

    Never larger than the picture is; turned as EXIF says, transparency on its own colour. Each file appears whole.
    Answers {files {size: path}, width, height, bytes, color}. Raises UnreadableFile (not_audio: it is no picture;
    too_large), OSError when it cannot be written.
    """
    wanted = sorted({int(size) for size in sizes}, reverse=True)
    image, width, height = _decoded(source, wanted[0] if wanted else 1)
    os.makedirs(folder, exist_ok=True)
    files: dict[int, str] = {}
    written = 0
    for size in wanted:
        if max(image.size) > size:
            # Each from the one before: from large to small that costs a third.
            image = image.copy()
            image.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=3.0)
        out = io.BytesIO()
        name, how = FORMS[form]
        image.save(out, name, **how)
        files[size] = os.path.join(folder, f"{stem}-{size}.{form}" if stem else f"{size}.{form}")
        _write(files[size], out.getbuffer())
        written += out.getbuffer().nbytes
    return {"files": files, "width": width, "height": height, "bytes": written, "color": _muted(image)}


def for_embedding(source: bytes, *, longest: int = 1200, limit_bytes: Bytes = 500_000) -> bytes:
    """`source` as a JPEG of at most `longest` pixels and `limit_bytes`; the very same bytes when it is one already.

    Raises UnreadableFile as `render` does.
    """
    image, width, height = _decoded(source, longest)
    if len(source) <= limit_bytes and max(width, height) <= longest and source[:3] == b"\xff\xd8\xff":
        return source
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=3.0)
    while True:
        for quality in (90, 82, 74):
            out = io.BytesIO()
            image.save(out, "JPEG", quality=quality, optimize=True)
            if out.tell() <= limit_bytes:
                return out.getvalue()
        image = image.resize((max(1, image.width * 3 // 4), max(1, image.height * 3 // 4)), Image.Resampling.LANCZOS)


def measured(source: bytes) -> tuple[int, int]:
    """(width, height) of a picture in pixels, turned as EXIF says. Costs a decode: what cannot be shown counts for
    nothing. Raises UnreadableFile as `render` does."""
    _, width, height = _decoded(source, 1)
    return width, height


def small(source: bytes, size: int) -> Any:
    """The lightness of a picture on a square grid of `size` pixels (a Pillow image). Raises UnreadableFile."""
    return _decoded(source, size)[0].convert("L").resize((size, size), Image.Resampling.BOX)


def color(source: bytes) -> str:
    """The muted main colour of a picture, #rrggbb. Raises UnreadableFile."""
    return _muted(_decoded(source, 64)[0])


def _decoded(source: bytes, size: int) -> tuple[Image.Image, int, int]:
    """(RGB picture that is at least `size` or as large as it is, its own width and height)."""
    if len(source) > LARGEST_PICTURE:
        raise UnreadableFile("The picture is too large.", reason="too_large")
    # Pillow's own guard would only warn up to twice this.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(io.BytesIO(source), formats=_KINDS) as image:
            width, height = image.size
            if width * height > LARGEST_PIXELS or not width or not height:
                raise UnreadableFile(f"A picture of {width} × {height} pixels is too large.", reason="too_large")
            # JPEG can be decoded at an eighth, a quarter or half of its size for nothing.
            image.draft("RGB", (size, size))
            image.load()
            turned = ImageOps.exif_transpose(image)
            if image.getexif().get(0x0112) in (5, 6, 7, 8):
                width, height = height, width
            return _flat(turned), width, height
    except UnreadableFile:
        raise
    except MemoryError as error:
        raise UnreadableFile("The picture is too large.", reason="too_large") from error
    except Exception as error:      # Pillow raises whatever a hostile picture makes Python raise
        raise UnreadableFile(f"It is no picture that can be shown ({type(error).__name__}).",
                             reason="not_audio") from error


def _flat(image: Image.Image) -> Image.Image:
    """RGB; what is transparent gets the picture's own mean colour, which suits it in dark and light."""
    if image.mode in ("RGB", "L", "CMYK", "YCbCr", "1", "I", "F", "I;16") and "transparency" not in image.info:
        return image.convert("RGB")
    image = image.convert("RGBA")
    small = image.resize((16, 16), Image.Resampling.BOX)
    seen = [(r, g, b) for r, g, b, a in _pixels(small) if a > 127] or [(24, 22, 20)]
    mean = tuple(sum(part) // len(seen) for part in zip(*seen, strict=True))
    ground = Image.new("RGBA", image.size, (*mean, 255))
    return Image.alpha_composite(ground, image).convert("RGB")


def _pixels(image: Image.Image) -> list[tuple[int, ...]]:
    data = image.tobytes()
    bands = len(image.getbands())
    return [tuple(data[i:i + bands]) for i in range(0, len(data), bands)]


def _muted(image: Image.Image) -> str:
    """The colour that tells most of the picture: of eight, the one with the most area and saturation, toned down."""
    small = image.resize((48, 48), Image.Resampling.BOX).quantize(8, Image.Quantize.MEDIANCUT)
    palette = small.getpalette() or [40, 36, 32]
    best, best_weight = (40, 36, 32), -1.0
    colors: Any = small.getcolors() or []       # (how many pixels, which of the palette)
    for count, index in colors:
        r, g, b = palette[index * 3:index * 3 + 3]
        most, least = max(r, g, b), min(r, g, b)
        saturation = (most - least) / most if most else 0.0
        light = (most + least) / 510
        # Near black and near white are frames and paper more often than the picture's colour.
        weight = count * (0.25 + saturation) * (0.3 if light < 0.08 or light > 0.92 else 1.0)
        if weight > best_weight:
            best, best_weight = (r, g, b), weight
    grey = sum(best) / 3
    return "#{:02x}{:02x}{:02x}".format(*(round(grey + (part - grey) * 0.7) for part in best))


def _write(path: str, data: memoryview) -> None:
    partial = f"{path}.{secrets.token_hex(4)}.part"
    try:
        with open(partial, "wb") as file:
            file.write(data)
        os.replace(partial, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(partial)
