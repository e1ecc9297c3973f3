"""Last.fm as its documentation has it (https://www.last.fm/api/authspec, /api/show/track.scrobble, /api/errorcodes):
auth.getToken, auth.getSession, track.updateNowPlaying, track.scrobble, user.getRecentTracks, with signatures checked.
Answers are XML in `lfm`; errors come with HTTP 400 or 403; a scrobble is taken or ignored on its own (ignoredMessage).
`times`: how often each play came, for the documentation promises nothing about those that come twice."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from tests.fakes.answering import Answering, Asked, Reply

KEY, SECRET = "a-key-of-lastfm", "its-secret"
TOO_OLD_S = 14 * 86_400


class FakeLastfm(Answering):
    """`sessions`: session key → user name. `allow(token)`: what the person does on Last.fm's page."""

    def __init__(self, now: float) -> None:
        super().__init__()
        self.now = now
        self.tokens: dict[str, bool] = {}           # whether the person has said yes
        self.sessions: dict[str, str] = {}
        self.scrobbles: dict[tuple[str, int, str, str], dict[str, str]] = {}
        self.times: dict[tuple[str, int, str, str], int] = {}
        self.batches: list[int] = []
        self.playing: dict[str, dict[str, str]] = {}
        self.most_a_day = 10_000

    @property
    def address(self) -> str:
        return f"{self.url}/2.0/"

    def allow(self, token: str) -> None:
        self.tokens[token] = True

    def answer(self, asked: Asked) -> Reply:
        given = dict(parse_qsl(asked.body.decode(), keep_blank_values=True))
        if asked.method != "POST" or asked.path != "/2.0/":
            return _error(3, "Invalid Method - No method with that name in this package", 400)
        if given.get("api_key") != KEY:
            return _error(10, "Invalid API key - You must be granted a valid key by last.fm", 403)
        if given.pop("api_sig", None) != signature(given):
            return _error(13, "Invalid method signature supplied", 403)
        method = given["method"]
        if method == "auth.getToken":
            token = f"token{len(self.tokens)}"
            self.tokens[token] = False
            return _ok(f"<token>{token}</token>")
        if method == "auth.getSession":
            return self._session(given.get("token", ""))
        user = self.sessions.get(given.get("sk", ""))
        if user is None:
            return _error(9, "Invalid session key - Please re-authenticate", 403)
        if method == "track.updateNowPlaying":
            self.playing[user] = given
            return _ok('<nowplaying><ignoredMessage code="0"></ignoredMessage></nowplaying>')
        if method == "user.getRecentTracks":
            return self._recent(given)
        if method == "track.scrobble":
            return self._scrobble(user, given)
        return _error(3, "Invalid Method", 400)

    def _session(self, token: str) -> Reply:
        if token not in self.tokens:
            return _error(4, "Invalid authentication token supplied", 403)
        if not self.tokens.pop(token):
            self.tokens[token] = False
            return _error(14, "This token has not been authorized", 403)
        key = f"session-key-{len(self.sessions)}"
        self.sessions[key] = "lastlister"
        return _ok(f"<session><name>lastlister</name><key>{key}</key><subscriber>0</subscriber></session>")

    def _recent(self, given: dict[str, str]) -> Reply:
        found = [one for one in self.scrobbles
                 if one[0] == given["user"] and int(given["from"]) < one[1] < int(given["to"])]
        tracks = "".join(f'<track><artist mbid="">{escape(artist)}</artist><name>{escape(track)}</name><mbid></mbid>'
                         f'<album mbid=""></album><date uts="{moment}">once</date></track>'
                         for _, moment, artist, track in sorted(found, key=lambda one: -one[1]))
        playing = '<track nowplaying="true"><artist mbid="">Now</artist><name>Playing</name></track>'
        return _ok(f'<recenttracks user="{given["user"]}" page="1" perPage="200" totalPages="1" total="{len(found)}">'
                   f"{playing}{tracks}</recenttracks>")

    def _scrobble(self, user: str, given: dict[str, str]) -> Reply:
        numbers = sorted(int(found[1]) for name in given if (found := re.fullmatch(r"track\[(\d+)\]", name)))
        if not numbers or len(numbers) > 50 or any(not given.get(f"artist[{one}]") for one in numbers):
            return _error(6, "Invalid parameters - Your request is missing a required parameter", 400)
        self.batches.append(len(numbers))
        told, taken = [], 0
        for one in numbers:
            moment, artist, track = int(given[f"timestamp[{one}]"]), given[f"artist[{one}]"], given[f"track[{one}]"]
            code = 0
            if artist == "Unknown Artist":
                code = 1
            elif moment < self.now - TOO_OLD_S:
                code = 3
            elif moment > self.now + 60:
                code = 4
            elif len(self.scrobbles) >= self.most_a_day:
                code = 5
            else:
                taken += 1
                self.times[user, moment, artist, track] = self.times.get((user, moment, artist, track), 0) + 1
                self.scrobbles[user, moment, artist, track] = {
                    name.partition("[")[0]: value for name, value in given.items() if name.endswith(f"[{one}]")}
            told.append(f'<scrobble><track corrected="0">{escape(track)}</track><artist corrected="0">{escape(artist)}'
                        f'</artist><timestamp>{moment}</timestamp><ignoredMessage code="{code}"></ignoredMessage>'
                        "</scrobble>")
        return _ok(f'<scrobbles accepted="{taken}" ignored="{len(numbers) - taken}">{"".join(told)}</scrobbles>')


def signature(given: dict[str, str]) -> str:
    """https://www.last.fm/api/authspec#8: names and values in order, and the secret, as MD5."""
    text = "".join(name + given[name] for name in sorted(given) if name not in ("format", "callback"))
    return hashlib.md5((text + SECRET).encode()).hexdigest()


def _ok(content: str) -> Reply:
    return Reply(200, f'<?xml version="1.0" encoding="UTF-8"?>\n<lfm status="ok">{content}</lfm>'.encode(), "text/xml")


def _error(code: int, words: str, status: int) -> Reply:
    return Reply(status, f'<?xml version="1.0" encoding="UTF-8"?>\n<lfm status="failed"><error code="{code}">{words}'
                         f"</error></lfm>".encode(), "text/xml")
