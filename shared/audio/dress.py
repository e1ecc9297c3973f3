"""Write into a fetched file what is known of it: names, numbers, MBIDs, cover, lyrics, ReplayGain.

The file's own pens do the writing (shared/audio/pens.py), the sound stays bit for bit. Imported by worker processes
only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Any

from shared.audio import artwork, fields, stating, tags
from shared.model.errors import DiskFull, SoundsibleError, UnreadableFile
from shared.model.track import AudioFacts, Metadata, ReplayGain

R128_LUFS = -23.0       # what R128 tags are measured against; ReplayGain 2.0 against -18


def dress(path: str, metadata: Metadata, *, cover: bytes | None = None, lyrics: str | None = None,
          replaygain: ReplayGain | None = None) -> dict[str, Any]:
    """Write `metadata` into the tags of the file at `path`: all of it, so what it does not say is taken away.

    Left as they are where nothing is given: cover, lyrics, ReplayGain, tempo, the roles beside artist and album
    artist, and what the station does not know. A cover is drawn as a JPEG of at most 1200 pixels and 500 kB first; one
    that is no picture is left out, which a warning tells. A copy is changed and takes the file's place. Answers
    {"warnings": [sentence, …]}. Raises UnreadableFile, DiskFull.
    """
    before = tags.read(path)
    warnings: list[str] = []
    picture = None
    if cover:
        try:
            picture = artwork.for_embedding(cover)
        except UnreadableFile as error:
            warnings.append(f"The cover was left out: {error.message}")
    partial = f"{path}.dress"
    try:
        shutil.copyfile(path, partial)
        pen = tags.pen_for(partial, before.facts)
        for name, values in _written(metadata).items():
            pen.set(name, values)
        if lyrics and (text := fields.clean_lines(lyrics, fields.LONGEST_LYRICS)):
            pen.set("SYNCEDLYRICS", [])
            pen.set("LYRICS", [text])
        if replaygain is not None:
            for name, values in _gains(replaygain, before.facts).items():
                pen.set(name, values)
        if picture is not None:
            pen.picture(picture, "image/jpeg")
        pen.save()
        after = tags.read(partial)
        if after.facts.format != before.facts.format or after.audio_md5 != before.audio_md5 or abs(
                after.facts.duration_ms - before.facts.duration_ms) > 500:
            raise UnreadableFile("Written with its tags, the file does not hold the same music.", reason="damaged")
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except SoundsibleError:
        raise
    except OSError as error:
        if error.errno in (28, 122):        # ENOSPC, EDQUOT
            raise DiskFull("There is no room to write this file's tags.") from error
        raise tags.blame(error, 1 << 30, b"") from error
    except Exception as error:              # mutagen raises whatever a strange file makes Python raise
        raise tags.blame(error, 1 << 30, b"") from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(partial)
    return {"warnings": warnings}


def _written(metadata: Metadata) -> dict[str, list[str]]:
    """Canonical field → values; an empty list takes the field away."""
    values = stating.values_of(metadata)
    for one, several in (("artist", "artists"), ("album_artist", "album_artists")):
        values[one] = values[one] or ", ".join(credit[0] for credit in values[several]) or None
    found = stating.canonical(values)
    found["COMMENT"] = [fields.clean(metadata.comment, fields.LONGEST_COMMENT)] if metadata.comment else []
    if metadata.bpm is not None:
        found["BPM"] = [f"{metadata.bpm:g}"]
    for credit in metadata.credits:
        if credit.role not in ("artist", "albumartist") and (name := fields.clean(credit.name)):
            found.setdefault(credit.role.upper(), []).append(name)
    return {name: [value for value in held if value] for name, held in found.items()}


def _gains(gain: ReplayGain, facts: AudioFacts) -> dict[str, list[str]]:
    if facts.format == "opus":
        # RFC 7845: players of Opus look for these, and are confused by the others.
        def r128(value: float | None) -> list[str]:
            if value is None:
                return []
            return [str(max(-32768, min(32767, round((value + R128_LUFS + 18.0) * 256))))]

        return {"R128_TRACK_GAIN": r128(gain.track_gain_db), "R128_ALBUM_GAIN": r128(gain.album_gain_db),
                "REPLAYGAIN_TRACK_GAIN": [], "REPLAYGAIN_TRACK_PEAK": [], "REPLAYGAIN_ALBUM_GAIN": [],
                "REPLAYGAIN_ALBUM_PEAK": []}
    return {
        "REPLAYGAIN_TRACK_GAIN": [f"{gain.track_gain_db:.2f} dB"] if gain.track_gain_db is not None else [],
        "REPLAYGAIN_TRACK_PEAK": [f"{gain.track_peak:.6f}"] if gain.track_peak is not None else [],
        "REPLAYGAIN_ALBUM_GAIN": [f"{gain.album_gain_db:.2f} dB"] if gain.album_gain_db is not None else [],
        "REPLAYGAIN_ALBUM_PEAK": [f"{gain.album_peak:.6f}"] if gain.album_peak is not None else [],
    }
