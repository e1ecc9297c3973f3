"""Lyrics from LRCLIB (https://lrclib.net/docs): by title, artist, album and length; timed lines before plain ones.

Its documentation lets a length be two seconds off; its service has taken only the exact second at times
(github.com/tranxuanthang/lrclib, issue 92). What is not found so is searched for, and the length compared here.
"""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

from shared.audio.fields import LONGEST_LYRICS, clean_lines
from shared.metadata.asking import Breakers, ask, guarded, session
from shared.metadata.harmonise import alike
from shared.model.download import Failure
from shared.model.units import Milliseconds

if TYPE_CHECKING:
    from shared.ports import Lookups
    from shared.settings import Settings

SERVICE = "lrclib"
NAME = "LRCLIB"
OPERATION = "lyrics"
KEPT_S = 30 * 86_400.0
NOTHING_KEPT_S = 86_400.0
TOLERANCE_S = 2.0               # LRCLIB's own: lyrics of another length are of another recording
SAME_NAME = 85.0                # of 100: less alike is another song
_LIMIT_BYTES = 1024 * 1024
_TIMED = re.compile(r"^\s*\[\d{1,3}:\d{1,2}(?:[.:]\d{1,3})?\]", re.MULTILINE)


class LrcLib:
    def __init__(self, *, settings: Settings, lookups: Lookups | None = None, breakers: Breakers | None = None) -> None:
        self._url = f"{settings.lrclib_url}/api/get"
        self._search_url = f"{settings.lrclib_url}/api/search"
        self._contact = settings.contact
        self._lookups = lookups
        self._breakers = breakers
        self._local = threading.local()

    def lyrics(self, *, title: str, artist: str, album: str | None, duration_ms: Milliseconds) -> str | None:
        """LRC, or plain lines; None when it has none (or the song has no words). Costs a request or two, the answer
        is kept. Raises Failure(provider="lrclib")."""
        asked = {"track_name": title, "artist_name": artist, "duration": str(round(duration_ms / 1000))}
        if album:
            asked["album_name"] = album
        key = json.dumps([self._url, asked], sort_keys=True, ensure_ascii=False)
        if self._lookups is not None:
            kept = self._lookups.get(SERVICE, key, max_age_s=KEPT_S)
            if isinstance(kept, dict) and kept.get("lyrics"):
                return str(kept["lyrics"])
            if self._lookups.get(SERVICE, key, max_age_s=NOTHING_KEPT_S) is not None:
                return None
        with guarded(self._breakers, SERVICE, OPERATION):
            answer = ask(self._session(), "GET", self._url, provider=SERVICE, name=NAME, params=asked,
                         limit_bytes=_LIMIT_BYTES)
            if answer.status in (400, 404):
                answer = ask(self._session(), "GET", self._search_url, provider=SERVICE, name=NAME,
                             params={"track_name": title, "artist_name": artist}, limit_bytes=_LIMIT_BYTES)
                found = None if answer.status in (400, 404) else _lyrics_among(answer.body, title, artist, duration_ms)
            else:
                found = _lyrics_of(_decoded(answer.body, dict), duration_ms)
        if self._lookups is not None:
            self._lookups.put(SERVICE, key, {"lyrics": found})
        return found

    def _session(self) -> Any:
        if not hasattr(self._local, "session"):     # sessions are not made for several threads
            self._local.session = session(self._contact)
        return self._local.session


def _decoded(body: bytes, kind: type) -> Any:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, kind):
        raise Failure("garbage", "LRCLIB sent something that is not its format.", provider=SERVICE)
    return value


def _lyrics_among(body: bytes, title: str, artist: str, duration_ms: Milliseconds) -> str | None:
    """The lyrics of the nearest record of the same name and length, timed ones first."""
    found: list[tuple[bool, float, str]] = []
    for record in _decoded(body, list):
        if not isinstance(record, dict) or not isinstance(record.get("duration"), int | float):
            continue
        same = (alike(title, _word(record.get("trackName"))) >= SAME_NAME
                and alike(artist, _word(record.get("artistName"))) >= SAME_NAME)
        if same and (lyrics := _lyrics_of(record, duration_ms)):
            far = abs(float(record["duration"]) - duration_ms / 1000)
            found.append((not _TIMED.search(lyrics), far, lyrics))
    return min(found)[2] if found else None


def _lyrics_of(record: dict[str, Any], duration_ms: Milliseconds) -> str | None:
    length = record.get("duration")
    far = isinstance(length, int | float) and not abs(length - duration_ms / 1000) <= TOLERANCE_S + 0.5
    if far or record.get("instrumental") is True:
        return None
    synced, plain = _word(record.get("syncedLyrics")), _word(record.get("plainLyrics"))
    chosen = synced if _TIMED.search(synced) else plain
    return clean_lines(chosen, LONGEST_LYRICS).strip() or None


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""
