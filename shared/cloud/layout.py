"""Where things lie in a bucket, below the provider's prefix.

    music/<aa>/<sha256 of the file>.flac            the file, bit for bit
    music/<aa>/<sha256 of the file>.mp3-320.mp3     made smaller
    covers/<sha256>.jpg                             pictures of albums
    catalogue/<UTC>-<chance>.json.gz                what the station tells of them
    backups/<name>, trash/<UTC date>/<former key>

An object is called by what is in it: the same file leads to the same key, whatever became of the database. Where
objects are sealed, names are a keyed hash of these (and end in .sealed), so that nobody can ask the bucket whether a
certain recording is in it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from shared.model.cloud import Provider
from shared.model.track import EXTENSIONS
from shared.storage.sealing import Sealer

MUSIC, COVERS, CATALOGUE, BACKUPS, TRASH = "music/", "covers/", "catalogue/", "backups/", "trash/"

_SUFFIX = {
    "mp3": ".mp3", "flac": ".flac", "vorbis": ".ogg", "opus": ".opus", "aac": ".m4a", "alac": ".m4a", "wav": ".wav",
    "aiff": ".aiff", "wavpack": ".wv", "ape": ".ape", "wma": ".wma",
}


def suffix_of(path: str, format: str) -> str:
    """The end of a music file's name, in lower case; that of its format where the name has none that is known."""
    own = os.path.splitext(path)[1].lower()
    return own if own in EXTENSIONS else _SUFFIX.get(format, "")


def compressed_suffix(compression: str) -> str:
    """What a copy made smaller to `compression` (mp3:320) is called at its end: .mp3-320.mp3"""
    format, _, kbps = compression.partition(":")
    return f".{format}-{kbps}{_SUFFIX[format]}"


def music_key(provider: Provider, source_sha256: str, *, suffix: str, compression: str = "") -> str:
    """The whole key of a copy of the file with this hash. `suffix`: of the file itself; not used when compressed."""
    name = f"{source_sha256}{compressed_suffix(compression) if compression else suffix}"
    if provider.seal_key is not None:
        name = Sealer(provider.seal_key).name(name)
    return f"{provider.prefix}{MUSIC}{name[:2]}/{name}"


def cover_key(provider: Provider, sha256: str) -> str:
    """The whole key of the picture with this hash."""
    name = f"{sha256}.jpg"
    return f"{provider.prefix}{COVERS}{name if provider.seal_key is None else Sealer(provider.seal_key).name(name)}"


def segment_key(provider: Provider, at: float, chance: str) -> str:
    """The whole key of a piece of the catalogue written at `at` (Unix time); they sort by time."""
    return f"{provider.prefix}{CATALOGUE}{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}-{chance}.json.gz"


def relative(provider: Provider, key: str) -> str:
    """A whole key without the provider's prefix."""
    return key.removeprefix(provider.prefix)

