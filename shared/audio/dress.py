"""Write into a fetched file what is known of it: names, numbers, MBIDs, cover, lyrics, ReplayGain.

The file's own pens do the writing (shared/audio/pens.py), the sound stays bit for bit. Imported by worker processes
only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from typing import Any

from shared.audio import artwork, fields, tags
from shared.model.errors import DiskFull, SoundsibleError, UnreadableFile
from shared.model.track import AudioFacts, Credit, Metadata, ReplayGain

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
    artists = [credit for credit in metadata.credits if credit.role == "artist"]
    album_artists = [credit for credit in metadata.credits if credit.role == "albumartist"]
    found: dict[str, list[Any]] = {
        "TITLE": [metadata.title], "ARTIST": [metadata.artist or _joined(artists)], "ALBUM": [metadata.album],
        "ALBUMARTIST": [metadata.album_artist or _joined(album_artists)],
        "ARTISTS": _several(artists), "ALBUMARTISTS": _several(album_artists),
        "ARTISTSORT": _all_of(credit.sort_name for credit in artists),
        "ALBUMARTISTSORT": _all_of(credit.sort_name for credit in album_artists),
        "ARTISTSSORT": [],
        "MUSICBRAINZ_ARTISTID": _all_of(credit.mbid for credit in artists),
        "MUSICBRAINZ_ALBUMARTISTID": _all_of(credit.mbid for credit in album_artists),
        "TRACKNUMBER": [_counted(metadata.track_number, metadata.track_total)], "TRACKTOTAL": [],
        "DISCNUMBER": [_counted(metadata.disc_number, metadata.disc_total)], "DISCTOTAL": [],
        "DISCSUBTITLE": [metadata.disc_title],
        "YEAR": [], "RELEASEDATE": [], "ORIGINALYEAR": [],      # first: some formats keep the date where these stand
        "DATE": [metadata.date or (f"{metadata.year:04d}" if metadata.year else None)],
        "ORIGINALDATE": [metadata.original_date],
        "GENRE": list(metadata.genres), "COMPILATION": ["1"] if metadata.compilation else [],
        "ISRC": [metadata.isrc], "MUSICBRAINZ_TRACKID": [metadata.recording_mbid],
        "MUSICBRAINZ_ALBUMID": [metadata.release_mbid], "MUSICBRAINZ_RELEASEGROUPID": [metadata.release_group_mbid],
        "TITLESORT": [metadata.title_sort], "ALBUMSORT": [metadata.album_sort], "COMMENT": [metadata.comment],
    }
    if metadata.bpm is not None:
        found["BPM"] = [f"{metadata.bpm:g}"]
    others: dict[str, list[Any]] = {}
    for credit in metadata.credits:
        if credit.role not in ("artist", "albumartist"):
            others.setdefault(credit.role.upper(), []).append(credit.name)
    return {name: [text for value in values if value and (text := fields.clean(
        str(value), fields.LONGEST_COMMENT if name == "COMMENT" else fields.LONGEST_TEXT))]
        for name, values in (found | others).items()}


def _joined(credits: list[Credit]) -> str | None:
    return ", ".join(credit.name for credit in credits) or None


def _several(credits: list[Credit]) -> list[str]:
    """One name stands in the single field as it is."""
    return [credit.name for credit in credits] if len(credits) > 1 else []


def _all_of(values: Iterable[str | None]) -> list[str]:
    """Nobody could tell whose they are when some are missing."""
    every = list(values)
    return [value for value in every if value] if all(every) else []


def _counted(number: int | None, total: int | None) -> str | None:
    if not number:
        return None
    return f"{number}/{total}" if total else str(number)


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
