"""ListenBrainz, and whatever speaks like it (Maloja, …): told by liblistenbrainz what is heard.

The library makes what is sent. Its transport is replaced: its own has no time limit, tries five times by itself, sleeps
as long as it is told to, and follows a person's link to wherever that leads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared import __version__
from shared.model.download import Failure
from shared.model.scrobble import TAKEN, LoginRefused, NotNow, NotUnderstood, Told
from shared.model.units import MIB, Seconds
from shared.outbound import Outbound, retry_after

if TYPE_CHECKING:
    from liblistenbrainz import Listen, ListenBrainz

TIMEOUT_S: tuple[Seconds, Seconds] = (5.0, 15.0)
LIMIT_BYTES = MIB
LONGEST_PAUSE_S: Seconds = 3600.0
LONGEST_PLAYER = 100                # characters of an app's name
_FIRST_LISTEN = 1_033_410_600       # older ones ListenBrainz does not take: nothing was told to anybody before 2002


class ListenBrainzService:
    """`url`: where it answers when a person names no other; `outbound` has that among what may be reached."""

    at_once = 50

    def __init__(self, *, url: str, outbound: Callable[[], Outbound]) -> None:
        self._url = url
        self._outbound = outbound

    def check(self, url: str) -> None:
        """Raises Failure for a link that is not followed. Asks the resolver."""
        self._outbound().check(url)

    def username(self, token: str, url: str = "") -> str:
        """Whose token it is. Raises LoginRefused, NotNow."""
        answer = self._client(token, url)._get("/1/validate-token")
        if not isinstance(answer, dict) or not answer.get("valid"):
            raise LoginRefused("ListenBrainz does not know this token.")
        return str(answer.get("user_name") or "")[:200]

    def tell(self, secret: str, url: str, plays: Sequence[Told]) -> list[str]:
        """All of them, or none: ListenBrainz answers for all at once. A listen that it has (same moment, same track) it
        leaves as it is. Raises NotNow, LoginRefused, NotUnderstood."""
        told = [one for one in plays if one.at >= _FIRST_LISTEN]
        if told:
            client = self._client(secret, url)
            listens = [_listen(one) for one in told]
            if len(listens) == 1:
                client.submit_single_listen(listens[0])
            else:
                client.submit_multiple_listens(listens)
        return [TAKEN if one.at >= _FIRST_LISTEN else "The play is older than ListenBrainz takes." for one in plays]

    def known(self, secret: str, url: str, username: str, plays: Sequence[Told]) -> set[int]:
        """It keeps a listen once by itself."""
        return set()

    def now(self, secret: str, url: str, playing: Told) -> None:
        self._client(secret, url).submit_playing_now(_listen(playing, now=True))

    def _client(self, token: str, url: str) -> ListenBrainz:
        client: ListenBrainz = _library()(url or self._url, self._outbound())
        client.set_auth_token(token, check_validity=False)
        return client


def _listen(told: Told, *, now: bool = False) -> Listen:
    from liblistenbrainz import Listen

    more: dict[str, Any] = {"submission_client": "Soundsible", "submission_client_version": __version__,
                            "media_player": _player(told.client)}
    if told.duration_ms:
        more["duration_ms"] = told.duration_ms
    return Listen(
        track_name=told.title, artist_name=told.artist, listened_at=None if now else int(told.at),
        release_name=told.album or None, recording_mbid=told.recording_mbid or None,
        release_mbid=told.release_mbid or None, tracknumber=told.track_number, isrc=told.isrc or None,
        additional_info=more)


def _player(client: str) -> str:
    """The station's own player is a page: what its browser is called, on which machine, is nobody's to know."""
    return "Soundsible" if not client.strip() or client.startswith("Mozilla/") else client.strip()[:LONGEST_PLAYER]


_made: type[ListenBrainz] | None = None
_making = threading.Lock()


def _library() -> Callable[[str, Outbound], ListenBrainz]:
    """liblistenbrainz's client with a transport of ours; imported when somebody uses it."""
    global _made
    with _making:
        if _made is None:
            _made = _with_our_transport()
    made: Any = _made
    return made     # type: ignore[no-any-return]


def _with_our_transport() -> type[ListenBrainz]:
    from liblistenbrainz import ListenBrainz

    class Ours(ListenBrainz):   # type: ignore[misc]
        def __init__(self, url: str, outbound: Outbound) -> None:
            super().__init__(url)
            self._outbound = outbound

        def _get(self, endpoint: str, params: Any = None, headers: Any = None) -> Any:
            return self._ask("GET", endpoint, params=params)

        def _post(self, endpoint: str, data: Any = None, headers: Any = None) -> Any:
            return self._ask("POST", endpoint, data=data)

        def _ask(self, method: str, endpoint: str, **given: Any) -> Any:
            # Not urljoin: others answer beneath a path of theirs.
            link = self.api_base_url.rstrip("/") + endpoint
            name = urlsplit(link).hostname or "the service"
            headers = {"Authorization": f"Token {self._auth_token}", "Content-Type": "application/json"}
            try:
                with self._outbound.session(timeout_s=TIMEOUT_S, limit_bytes=LIMIT_BYTES) as session:
                    answer = session.request(method, link, headers=headers, allow_redirects=False, **given)
                    status, asked = answer.status_code, answer.headers
                    pause_s = retry_after(asked, most_s=LONGEST_PAUSE_S)
                    if pause_s is None and asked.get("X-RateLimit-Reset-In", "").isdecimal():
                        pause_s = min(float(asked["X-RateLimit-Reset-In"]), LONGEST_PAUSE_S)
                    if status < 300:
                        return session.read_json(answer)
                    answer.close()
            except Failure as problem:
                raise NotNow(problem.message, problem.retry_after_s) from None
            if status == 401:
                raise LoginRefused(f"{name} does not take the token any more. Connect it again with a new one.")
            if status in (400, 413):
                raise NotUnderstood(f"{name} does not take it ({status}).")
            if status == 429:
                raise NotNow(f"{name} wants fewer requests.", pause_s)
            raise NotNow(f"{name} answers {status}.", pause_s if status == 503 else None)

    return Ours
