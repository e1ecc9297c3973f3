"""Lyrics from LRCLIB (https://lrclib.net/docs): by title, artist, album and length; timed lines before plain ones."""

from __future__ import annotations

import json
import math
import re
import threading
from typing import TYPE_CHECKING, Any

from shared.audio.fields import LONGEST_LYRICS, clean_lines
from shared.metadata.asking import Breakers, ask, guarded, session
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
_LIMIT_BYTES = 1024 * 1024
_TIMED = re.compile(r"^\s*\[\d{1,3}:\d{1,2}(?:[.:]\d{1,3})?\]", re.MULTILINE)


class LrcLib:
    def __init__(self, *, settings: Settings, lookups: Lookups | None = None, breakers: Breakers | None = None) -> None:
        self._url = f"{settings.lrclib_url}/api/get"
        self._contact = settings.contact
        self._lookups = lookups
        self._breakers = breakers
        self._local = threading.local()

    def lyrics(self, *, title: str, artist: str, album: str | None, duration_ms: Milliseconds) -> str | None:
        """LRC, or plain lines; None when it has none (or the song has no words). Costs one request, its answer is
        kept. Raises Failure(provider="lrclib")."""
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
            found = None if answer.status in (400, 404) else _lyrics_in(answer.body, duration_ms)
        if self._lookups is not None:
            self._lookups.put(SERVICE, key, {"lyrics": found})
        return found

    def _session(self) -> Any:
        if not hasattr(self._local, "session"):     # sessions are not made for several threads
            self._local.session = session(self._contact)
        return self._local.session


def _lyrics_in(body: bytes, duration_ms: Milliseconds) -> str | None:
    try:
        record = json.loads(body)
        if not isinstance(record, dict):
            raise TypeError
        length = record.get("duration")
        far = isinstance(length, int | float) and math.isfinite(length) and \
            abs(length - duration_ms / 1000) > TOLERANCE_S + 0.5
        if far or record.get("instrumental") is True:
            return None
        synced, plain = record.get("syncedLyrics"), record.get("plainLyrics")
    except (ValueError, TypeError) as error:
        raise Failure("garbage", "LRCLIB sent something that is not its format.", provider=SERVICE) from error
    if isinstance(synced, str) and _TIMED.search(synced):
        return clean_lines(synced, LONGEST_LYRICS).strip() or None
    return clean_lines(plain, LONGEST_LYRICS).strip() or None if isinstance(plain, str) else None
