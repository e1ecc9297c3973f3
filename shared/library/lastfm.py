"""Last.fm, told by pylast what is heard; and how a person connects it: by a yes on Last.fm's own page.

pylast makes and signs what is sent and reads what comes back. What carries it is ours (`_Carrier`): it goes to the
address that the settings name, with limits of time and size, and keeps the answer to a scrobble, of which pylast does
not tell which plays were ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared.model.download import Failure
from shared.model.errors import BadInput, Unprocessable
from shared.model.scrobble import LATER, TAKEN, LoginRefused, NotNow, NotUnderstood, Told
from shared.model.units import MIB, Seconds
from shared.outbound import Outbound, retry_after

if TYPE_CHECKING:
    from pylast import LastFMNetwork

TIMEOUT_S: tuple[Seconds, Seconds] = (5.0, 15.0)
LIMIT_BYTES = MIB
KEY_PAUSE_S: Seconds = 3600.0
MOST_LOOKED_AT = 1000       # of what it has, to see whether a play is among it
# https://www.last.fm/api/scrobbling and /api/errorcodes
_LOGIN = frozenset({4, 9, 14, 15, 17})          # the session (or the token to get one) does not count
_KEY = frozenset({10, 13, 26})                  # the station's own key does not
_AWAY = frozenset({8, 11, 16, 29, 500, 502, 503, 504})
_IGNORED = {1: "Last.fm filters this artist.", 2: "Last.fm filters this track.",
            3: "The play is older than Last.fm takes.", 4: "The play is in the future, says Last.fm."}
_DAILY_LIMIT = 5
_IGNORED_CODE = re.compile(rb"<ignoredMessage\b[^>]*\bcode=[\"'](\d+)[\"']")


class LastfmService:
    """`key`, `secret`: of the station's API account there; without them nobody can connect it."""

    at_once = 50        # the most that it takes together

    def __init__(self, *, key: str, secret: str, url: str, outbound: Callable[[], Outbound]) -> None:
        self._key = key
        self._secret = secret
        self._url = url.rstrip("/") + "/"      # what a setting says ends without one
        self._outbound = outbound

    @property
    def available(self) -> bool:
        return bool(self._key and self._secret)

    def begin(self) -> tuple[str, str]:
        """(where the person says yes, the token that counts then). Raises Unprocessable, LoginRefused, NotNow."""
        import pylast

        network, _ = self._network("")
        with _translated():
            generator = pylast.SessionKeyGenerator(network)
            address = generator.get_web_auth_url()
            return address, str(generator.web_auth_tokens[address])

    def finish(self, token: str) -> tuple[str, str]:
        """(session key, user name), once the person has said yes. Raises BadInput, LoginRefused, NotNow."""
        import pylast

        if not re.fullmatch(r"[\w-]{1,100}", token):
            raise BadInput("This is no token of Last.fm.", field="token")
        network, _ = self._network("")
        with _translated():
            key, username = pylast.SessionKeyGenerator(network).get_web_auth_session_key_username(None, token)
            return str(key), str(username)

    def tell(self, secret: str, url: str, plays: Sequence[Told]) -> list[str]:
        """Each on its own: Last.fm takes some and ignores others. Raises NotNow, LoginRefused, NotUnderstood."""
        network, carrier = self._network(secret)
        with _translated():
            network.scrobble_many([
                {"artist": one.artist, "title": one.title, "timestamp": int(one.at), "album": one.album or None,
                 "album_artist": _other(one), "track_number": one.track_number, "mbid": one.recording_mbid or None,
                 "duration": one.duration_ms // 1000 or None} for one in plays
            ])
        codes = [int(code) for code in _IGNORED_CODE.findall(carrier.answer)]
        if len(codes) != len(plays):        # it said ok, and not more
            return [TAKEN] * len(plays)
        return [TAKEN if not code else LATER if code == _DAILY_LIMIT
                else _IGNORED.get(code, f"Last.fm ignores it ({code}).") for code in codes]

    def known(self, secret: str, url: str, username: str, plays: Sequence[Told]) -> set[int]:
        """By their moments: nobody hears two things begin in one second. Last.fm does not say that it keeps once what
        comes twice. Raises NotNow, LoginRefused, NotUnderstood."""
        network, _ = self._network(secret)
        moments = [int(one.at) for one in plays]
        with _translated():
            there = {int(one.timestamp) for one in network.get_user(username).get_recent_tracks(
                limit=MOST_LOOKED_AT, cacheable=False, time_from=min(moments) - 1, time_to=max(moments) + 1)}
        return {place for place, moment in enumerate(moments) if moment in there}

    def now(self, secret: str, url: str, playing: Told) -> None:
        network, _ = self._network(secret)
        with _translated():
            network.update_now_playing(
                artist=playing.artist, title=playing.title, album=playing.album or None, album_artist=_other(playing),
                duration=playing.duration_ms // 1000 or None, track_number=playing.track_number,
                mbid=playing.recording_mbid or None)

    def _network(self, session_key: str) -> tuple[LastFMNetwork, Any]:
        if not self.available:
            raise Unprocessable("Last.fm is not set up at this station: its owner enters the settings lastfm_api_key "
                                "and lastfm_api_secret (https://www.last.fm/api/account/create).")
        import pylast

        carrier = _carrier(self._url, self._outbound())
        network = pylast.LastFMNetwork(api_key=self._key, api_secret=self._secret, session_key=session_key,
                                       proxy={"all://": carrier})
        return network, carrier


def _other(told: Told) -> str | None:
    """The album's artist where that is another one: only then Last.fm wants to hear of it."""
    return told.album_artist if told.album_artist not in ("", told.artist) else None


@contextmanager
def _translated() -> Iterator[None]:
    """What goes wrong in pylast, in our words."""
    import pylast

    try:
        yield
    except pylast.WSError as problem:
        code = str(problem.status)
        raise _meant(int(code) if code.isdecimal() else 0, str(problem)) from None
    except pylast.NetworkError as problem:
        cause = problem.underlying_error
        if isinstance(cause, Failure):
            raise NotNow(cause.message, cause.retry_after_s) from None
        raise NotNow("Last.fm cannot be reached.") from None
    except (pylast.PyLastError, IndexError, AttributeError, ValueError):
        raise NotNow("Last.fm answers something that is not understood.") from None


def _meant(code: int, said: str) -> Exception:
    said = said.strip()[:200]
    if code in _LOGIN:
        return LoginRefused("Last.fm does not let the station in any more. Connect it again." if code != 14 else
                            "Last.fm has not heard your yes yet: open its page and allow the station.")
    if code in _KEY:
        return NotNow(f"Last.fm does not take the station's own key ({said}). Its owner looks after the settings "
                      "lastfm_api_key and lastfm_api_secret.", KEY_PAUSE_S)
    if code in _AWAY:
        return NotNow("Last.fm is overloaded or away." if code != 29 else "Last.fm wants fewer requests.")
    return NotUnderstood(f"Last.fm does not take it: {said} ({code}).")


def _carrier(url: str, outbound: Outbound) -> Any:
    """Carries what pylast asks to `url`; `answer`: the last that came back."""
    import httpx2

    class Carrier(httpx2.BaseTransport):
        answer = b""

        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            with outbound.session(timeout_s=TIMEOUT_S, limit_bytes=LIMIT_BYTES) as session:
                answer = session.request("POST", url, data=request.read(), allow_redirects=False, headers={
                    "Content-Type": "application/x-www-form-urlencoded", "Accept-Charset": "utf-8"})
                if answer.status_code == 429:
                    answer.close()
                    raise Failure("rate_limited", "Last.fm wants fewer requests.",
                                  retry_after_s=retry_after(answer.headers, most_s=KEY_PAUSE_S))
                status, self.answer = answer.status_code, session.read_bytes(answer)
            if b"<!DOCTYPE" in self.answer or b"<!ENTITY" in self.answer:
                raise Failure("garbage", "Last.fm answers something that is not understood.")
            return httpx2.Response(status, content=self.answer)

    return Carrier()
