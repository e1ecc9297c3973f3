"""The words of songs: plain, by line and by word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.model.person import Person
from shared.model.track import Filters, Lyrics, Track
from shared.records import folding
from shared.routes import lrc
from shared.subsonic.asking import Asked
from shared.subsonic.calls import Calls

if TYPE_CHECKING:
    from shared.records.tracks import Tracks

UNKNOWN_LANGUAGE = "und"
LOOKED_AT = 50          # tracks that might be meant by an artist and a title
MAIN = "main"
_EVERYBODY = "v1000"    # as the programs call it from which enhanced LRC comes


def calls(*, tracks: Tracks) -> Calls:
    calls = Calls("lyrics")

    @calls.answers("getLyrics")
    def get_lyrics(asked: Asked) -> dict[str, Any]:
        """The words of the song of that artist and title, plain; empty where there is none or it has none."""
        track = meant(asked.person, asked.text("artist").strip(), asked.text("title").strip())
        if track is None:
            return {"lyrics": {"value": ""}}
        words = tracks.lyrics(track.id, person=asked.person)
        best = next((one for one in words if not one.synced), words[0] if words else None)
        return {"lyrics": {"artist": track.artist, "title": track.title, "value": "" if best is None else plain(best)}}

    @calls.answers("getLyricsBySongId", extension="songLyrics")
    def get_lyrics_by_song_id(asked: Asked) -> dict[str, Any]:
        """All words of a track, in every language it has, with the time of each line.

        With `enhanced=true` also of each word, and who sings it, where its enhanced LRC says so. Times are as they are
        to be shown: an `[offset:]` is already reckoned with, and `offset` is 0.
        """
        uid = asked.need("id")
        enhanced = asked.flag("enhanced")
        words = tracks.lyrics(uid, person=asked.person)
        track = tracks.get(asked.person, uid) if words else None
        return {"lyricsList": {"structuredLyrics": [
            structured(one, track, enhanced=enhanced) for one in words if track is not None]}}

    def meant(person: Person, artist: str, title: str) -> Track | None:
        """The track of that name, rather one with words. Without an artist the title alone counts."""
        if not title:
            return None
        for query in dict.fromkeys((f"{artist} {title}".strip(), title)):
            page = tracks.list(person, filters=Filters(q=query), limit=LOOKED_AT)
            named = [one for one in page.items if _same(one.title, title) and (not artist or _is_by(one, artist))]
            if named:
                return next((one for one in named if one.has_lyrics), named[0])
        return None

    return calls


def plain(lyrics: Lyrics) -> str:
    """The words without any times."""
    if lyrics.synced and (found := lrc.lines(lyrics.text)):
        return "\n".join(words for _, words in found)
    return lyrics.text


def structured(lyrics: Lyrics, track: Track, *, enhanced: bool) -> dict[str, Any]:
    """StructuredLyrics."""
    found = lrc.timed(lyrics.text) if lyrics.synced else []
    told: dict[str, Any] = {
        "displayArtist": track.artist, "displayTitle": track.title, "lang": lyrics.language or UNKNOWN_LANGUAGE,
        "synced": bool(found), "offset": 0,
    }
    if enhanced:
        told["kind"] = "main"
    if not found:
        told["line"] = [{"value": line.strip()} for line in lyrics.text.strip("\r\n").splitlines()]
        return told
    told["line"] = [{"start": line.start_ms, "value": lrc.whole(line)} for line in found]
    if enhanced:
        agents = _agents(found)
        if cues := _cue_lines(found, agents):
            if agents:
                told["agents"] = [{"id": id, "role": role} for id, role in agents.items()]
            told["cueLine"] = cues
    return told


def _agents(lines: list[lrc.Line]) -> dict[str, str]:
    """Who sings where words have times: id → role, the main one first. Empty where nobody is told apart."""
    voices = dict.fromkeys(line.voice for line in lines if line.words)
    background = any(line.background is not None and line.background.words for line in lines)
    named = [voice for voice in voices if voice]
    if not named and not background:
        return {}
    main = "v1" if "v1" in named else next((voice for voice in named if voice != _EVERYBODY), MAIN)
    agents = {main: "main"}
    agents |= {voice: "group" if voice == _EVERYBODY else "voice" for voice in sorted(named) if voice != main}
    if background:
        agents[lrc.BACKGROUND] = "bg"
    return agents


def _cue_lines(lines: list[lrc.Line], agents: dict[str, str]) -> list[dict[str, Any]]:
    found = []
    for index, line in enumerate(lines):
        layers = [one for one in (line, line.background) if one is not None and one.words]
        for layer in layers:
            found.append(_cue_line(index, layer, agents))
    return found


def _cue_line(index: int, line: lrc.Line, agents: dict[str, str]) -> dict[str, Any]:
    cues: list[dict[str, Any]] = []
    for at, word in enumerate(line.words):
        cue: dict[str, Any] = {"start": word.start_ms}
        if line.end_ms is not None:     # all of them have an end, or none
            after = line.words[at + 1].start_ms if at + 1 < len(line.words) else line.end_ms
            cue["end"] = max(word.start_ms, after)
        cues.append(cue | {
            "byteStart": len(line.text[:word.begin].encode()), "byteEnd": len(line.text[:word.end].encode()) - 1,
            "value": line.text[word.begin:word.end],
        })
    told: dict[str, Any] = {"index": index, "start": line.words[0].start_ms}
    if line.end_ms is not None:
        told["end"] = max(line.end_ms, line.words[0].start_ms)
    told["value"] = line.text
    if agents:
        told["agentId"] = line.voice or next(iter(agents))
    return told | {"cue": cues}


def _same(one: str, other: str) -> bool:
    """Whether people write one for the other: accents and punctuation do not count."""
    return folding.fold(one) == folding.fold(other)


def _is_by(track: Track, artist: str) -> bool:
    return _same(track.artist, artist) or any(_same(credit.name, artist) for credit in track.artists)
