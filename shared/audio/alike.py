"""Give a copy that was made smaller the tags and the cover of the file it was made of. Imported by worker processes."""

from __future__ import annotations

import logging

from shared.audio import artwork, tags
from shared.audio import dress as dressing
from shared.model.errors import UnreadableFile

log = logging.getLogger(__name__)


def dress(source: str, target: str) -> dict[str, str]:
    """Write what `source` says of itself into `target`, so that the copy tells what it is without a database.

    A picture or lyrics that cannot be read are left out. Answers {"title", "artist"}. Raises UnreadableFile, DiskFull.
    """
    reading = tags.read(source)
    try:
        cover = artwork.embedded(source)
    except UnreadableFile as error:
        log.info("a cover was left out: %s", error.message)
        cover = None
    words = next((one.text for one in reading.lyrics), None)
    dressing.dress(target, reading.metadata, cover=cover, lyrics=words, replaygain=reading.metadata.replaygain)
    return {"title": reading.metadata.title or "", "artist": reading.metadata.artist or ""}
