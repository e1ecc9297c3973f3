"""An AcoustID: POST /v2/lookup as https://acoustid.org/webservice describes it, and an fpcalc to go with it.

With `meta=recordings`: `{"status": "ok", "results": [{"id", "score", "recordings": [{"id", "title", "duration",
"artists": [{"id", "name"}]}]}]}`; errors are `{"status": "error", "error": {"code": 4, "message": "invalid API key"}}`
with HTTP 400. The fake fpcalc prints what Chromaprint's `fpcalc -json` does: `{"duration": 12.34, "fingerprint": …}`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.answering import Answering, Asked, Reply

KEY = "an-application-key"


@dataclass(frozen=True)
class Sounding:
    fingerprint: str
    recording: str              # MBID
    title: str | None = None
    artist: str | None = None
    score: float = 0.97


class FakeAcoustId(Answering):
    def __init__(self, known: list[Sounding] | None = None) -> None:
        super().__init__()
        self.known = known or []

    def answer(self, asked: Asked) -> Reply:
        if asked.path != "/v2/lookup":
            return Reply(404)
        form = asked.form or asked.query
        if form.get("client") != KEY:
            return _error(4, "invalid API key")
        if not form.get("fingerprint") or not form.get("duration"):
            return _error(2, 'missing required parameter "fingerprint"')
        results = []
        for number, one in enumerate(self.known):
            if one.fingerprint == form["fingerprint"]:
                recording = {"id": one.recording}
                if one.title:
                    recording |= {"title": one.title, "duration": int(form["duration"]),
                                  "artists": [{"id": "0" * 8, "name": one.artist}]}
                results.append({"id": f"9ff43b6a-4f16-427c-93c2-{number:012}", "score": one.score,
                                "recordings": [recording]})
        return Reply(200, json.dumps({"status": "ok", "results": results}).encode())


def _error(code: int, message: str) -> Reply:
    return Reply(400, json.dumps({"status": "error", "error": {"code": code, "message": message}}).encode())


FINGERPRINT = "AQADtEmUaEkSRZ"


def make_fpcalc(folder: Path, body: str = "") -> str:
    """A program that answers like fpcalc; `body` is Python in which `sys.argv` holds its arguments."""
    program = folder / "fpcalc"
    body = body or f"print(json.dumps({{'duration': 200.0, 'fingerprint': {FINGERPRINT!r}}}))"
    program.write_text(f"#!{sys.executable} -S\nimport json, sys, time\n{body}\n")
    program.chmod(0o755)
    return str(program)
