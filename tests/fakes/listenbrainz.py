"""ListenBrainz as its documentation has it (https://listenbrainz.readthedocs.io/en/latest/users/api/core.html):
`/1/validate-token` and `/1/submit-listens`. Like the real one it takes a batch whole or not at all, limits its size,
and keeps a listen once that comes twice (same user, moment and track)."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.answering import Answering, Asked, Reply

MOST = 1000         # MAX_LISTENS_PER_REQUEST
FIRST = 1_033_410_600


class FakeListenBrainz(Answering):
    """`tokens`: token → user name. `base`: the path beneath which it answers, as others that speak like it do."""

    def __init__(self, base: str = "") -> None:
        super().__init__()
        self.base = base
        self.tokens = {"right-token": "lister"}
        self.listens: dict[tuple[str, int, str, str], dict[str, Any]] = {}
        self.submissions: list[dict[str, Any]] = []     # as they came
        self.playing: dict[str, dict[str, Any]] = {}

    @property
    def address(self) -> str:
        return self.url + self.base

    def answer(self, asked: Asked) -> Reply:
        if not asked.path.startswith(self.base):
            return Reply(404, b"{}")
        path = asked.path.removeprefix(self.base)
        user = self.tokens.get(asked.headers.get("authorization", "").removeprefix("Token "))
        if (asked.method, path) == ("GET", "/1/validate-token"):
            return _json(200, {"code": 200, "message": f"Token {'' if user else 'in'}valid.", "valid": bool(user),
                               **({"user_name": user} if user else {})})
        if (asked.method, path) != ("POST", "/1/submit-listens"):
            return _json(404, {"code": 404, "error": "Not found"})
        if user is None:
            return _json(401, {"code": 401, "error": "Invalid authorization token."})
        told = json.loads(asked.body)
        self.submissions.append(told)
        problem = _wrong(told)
        if problem:
            return _json(400, {"code": 400, "error": problem})
        for one in told["payload"]:
            facts = one["track_metadata"]
            if told["listen_type"] == "playing_now":
                self.playing[user] = facts
            else:
                self.listens[user, one["listened_at"], facts["artist_name"], facts["track_name"]] = facts
        return _json(200, {"status": "ok"})


def _wrong(told: dict[str, Any]) -> str:
    kind, payload = told.get("listen_type"), told.get("payload")
    if kind not in ("single", "import", "playing_now") or not isinstance(payload, list) or not payload:
        return "JSON document is malformed."
    if len(payload) > (MOST if kind == "import" else 1):
        return "JSON document must not contain more listens."
    for one in payload:
        if (kind == "playing_now") == ("listened_at" in one):
            return "JSON document should contain the key listened_at, and only where it belongs."
        if kind != "playing_now" and (type(one["listened_at"]) is not int or one["listened_at"] < FIRST):
            return "listened_at is not a timestamp that is taken."
        facts = one.get("track_metadata", {})
        if not all(isinstance(facts.get(name), str) and facts[name].strip() for name in ("artist_name", "track_name")):
            return "JSON document does not contain required track_metadata.artist_name, track_name."
    return ""


def _json(status: int, content: Any) -> Reply:
    return Reply(status, json.dumps(content).encode(), headers={
        "X-RateLimit-Limit": "30", "X-RateLimit-Remaining": "29", "X-RateLimit-Reset-In": "9"})
