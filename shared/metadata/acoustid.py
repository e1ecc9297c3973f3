"""What a file sounds like, for when names leave a doubt: a fingerprint by fpcalc, looked up at AcoustID.

Only with an application key in the settings and the program fpcalc (Chromaprint) installed. fpcalc decodes the file,
so it runs as a process of its own: with a time limit, a memory limit, no environment, in a session that can be ended.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.metadata.asking import Breakers, ask, guarded, session
from shared.metadata.client import Pace
from shared.model.download import Cancelled, Failure

if TYPE_CHECKING:
    from shared.settings import Settings

log = logging.getLogger(__name__)

SERVICE = "acoustid"
NAME = "AcoustID"
OPERATION = "lookup"
INTERVAL_S = 0.34               # at most three requests a second
LISTEN_S = 120                  # of the file's beginning; what AcoustID's own tools use
FPCALC_S = 30.0
_FPCALC_MEMORY = 1024**3
_LIMIT_BYTES = 4 * 1024 * 1024
_PACE = Pace(INTERVAL_S)


@dataclass(frozen=True, slots=True)
class Heard:
    """A recording of MusicBrainz that a file sounds like."""

    mbid: str
    score: float                # 0-1: how alike the fingerprints are
    title: str | None
    artist: str | None


class AcoustId:
    def __init__(self, *, settings: Settings, breakers: Breakers | None = None, pace: Pace = _PACE,
                 find: Callable[[str], str | None] = shutil.which) -> None:
        self._url = f"{settings.acoustid_url}/v2/lookup"
        self._key = settings.acoustid_key
        self._contact = settings.contact
        self._breakers = breakers
        self._pace = pace
        self._find = find
        self._session: Any = None
        self._lock = threading.Lock()

    @property
    def ready(self) -> bool:
        """Whether it can be asked at all."""
        return bool(self._key) and self._find("fpcalc") is not None

    def listen(self, path: str, *, cancelled: Callable[[], bool]) -> list[Heard]:
        """What the file sounds like, the likeliest first; empty when nobody knows, or fpcalc cannot read it.

        Seconds of work. Raises Failure(provider="acoustid"), Cancelled.
        """
        made = self._fingerprint(path, cancelled)
        if made is None:
            return []
        duration, fingerprint = made
        with self._pace.turn(), guarded(self._breakers, SERVICE, OPERATION):
            self._pace.wait()
            with self._lock:
                if self._session is None:
                    self._session = session(self._contact)
            answer = ask(self._session, "POST", self._url, provider=SERVICE, name=NAME, limit_bytes=_LIMIT_BYTES, data={
                "client": self._key, "format": "json", "meta": "recordings", "duration": str(round(duration)),
                "fingerprint": fingerprint,
            })
        return _heard(answer.body)

    def _fingerprint(self, path: str, cancelled: Callable[[], bool]) -> tuple[float, str] | None:
        program = self._find("fpcalc")
        if program is None:
            return None
        child = subprocess.Popen(
            [program, "-json", "-length", str(LISTEN_S), os.path.abspath(path)], env={}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        _limit(child.pid)
        until = time.monotonic() + FPCALC_S
        try:
            while True:
                try:
                    out, _ = child.communicate(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    if cancelled():
                        raise Cancelled from None
                    if time.monotonic() > until:
                        log.info("fpcalc did not end in time")
                        return None
        finally:
            _end(child)
        try:
            said = json.loads(out)
            duration, fingerprint = float(said["duration"]), str(said["fingerprint"])
        except (ValueError, KeyError, TypeError):
            return None
        return (duration, fingerprint) if math.isfinite(duration) and duration >= 1 and fingerprint else None


def _limit(pid: int) -> None:
    with contextlib.suppress(ImportError, AttributeError, OSError, ValueError):
        import resource

        resource.prlimit(pid, resource.RLIMIT_AS, (_FPCALC_MEMORY, _FPCALC_MEMORY))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(child.pid, signal.SIGKILL)
            else:
                child.kill()
        child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _heard(body: bytes) -> list[Heard]:
    try:
        answer = json.loads(body)
        if answer.get("status") != "ok":
            error = answer.get("error") or {}
            code, message = error.get("code"), str(error.get("message", ""))[:200]
            if code == 14:
                raise Failure("rate_limited", "AcoustID asks for fewer questions.", provider=SERVICE, retry_after_s=1.0)
            if code in (4, 6):
                raise Failure("not_configured", "AcoustID does not know the application key.", provider=SERVICE)
            raise Failure("service_error", f"AcoustID could not answer ({message}).", provider=SERVICE)
        found: dict[str, Heard] = {}
        for result in answer.get("results", ()):
            score = float(result.get("score", 0.0))
            for one in result.get("recordings", ()):
                artist = "".join(f"{a.get('name', '')}{a.get('joinphrase', '')}" for a in one.get("artists", ()))
                heard = Heard(str(one["id"]), score, one.get("title"), artist or None)
                if heard.mbid not in found or found[heard.mbid].score < score:
                    found[heard.mbid] = heard
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failure("garbage", "AcoustID sent something that is not its format.", provider=SERVICE) from error
    return sorted(found.values(), key=lambda one: (-one.score, one.title is None, one.mbid))
