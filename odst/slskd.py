"""A client of slskd, the Soulseek daemon: its HTTP API, version 0, as of slskd 0.26 (0.21 and later are understood).

Only what acquiring needs: search, enqueue, follow, cancel, and the events that tell where a file was put. Every answer
is bounded in size and time; whatever goes wrong becomes a Failure that says what to do. slskd's address is the owner's
own word, so it may lie in the home network; redirects are not followed.

Figures and shapes come from slskd's own published sources and documentation; none of its code is used.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import requests

from shared.model.download import Failure
from shared.model.units import MIB, Bytes, Seconds
from shared.outbound import retry_after, user_agent

NAME = "soulseek"
TIMEOUT_S: tuple[Seconds, Seconds] = (5.0, 20.0)    # to connect, between two bytes
ANSWER_S: Seconds = 60.0                            # for a whole answer
ANSWER_BYTES: Bytes = 64 * MIB                      # 100 people with 100 files each are 3 MB
BATCHES_SINCE = (0, 26)
VERSION_KEPT_S: Seconds = 300.0

Json = Any


class Slskd:
    """url        where slskd answers, with its URL base if it has one: http://nas.local:5030
    api_key    one of its keys with the role readwrite or administrator
    session    for tests; else one of its own, without the environment's proxies

    Every call is one request and raises Failure: not_configured (no address, wrong key), refused, timed_out,
    service_error (slskd's own fault, or it is not logged in to Soulseek), rate_limited, garbage.
    """

    def __init__(self, *, url: str, api_key: str, session: requests.Session | None = None,
                 timeout_s: tuple[Seconds, Seconds] = TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._given = session
        self._sessions = threading.local()
        self._version: tuple[float, tuple[int, ...]] | None = None

    @property
    def configured(self) -> bool:
        return bool(self.url and self._api_key)

    # ---- the daemon ------------------------------------------------------------------------------------------------

    def application(self) -> dict[str, Json]:
        """Its version and whether it is logged in."""
        return _mapping(self._ask("GET", "/application"))

    def check(self) -> None:
        """Raises Failure when slskd cannot search now, with the remedy."""
        server = self.application().get("server")
        if not isinstance(server, dict) or not server.get("isLoggedIn"):
            raise not_logged_in()

    def version(self) -> tuple[int, ...]:
        """(0, 26, 1); () when it does not say. Remembered for some minutes."""
        kept = self._version
        if kept is None or time.monotonic() - kept[0] > VERSION_KEPT_S:
            version = self.application().get("version")
            text = version.get("current") or version.get("full") if isinstance(version, dict) else version
            found = re.match(r"\d+(?:\.\d+)*", str(text or ""))
            kept = (time.monotonic(), tuple(int(part[:6]) for part in found[0].split(".")) if found else ())
            self._version = kept
        return kept[1]

    # ---- searches --------------------------------------------------------------------------------------------------

    def start_search(self, text: str, *, timeout_ms: int = 8000, response_limit: int = 100,
                     file_limit: int = 5000) -> str:
        """Begins a search and returns its id. `timeout_ms` counts from the last response that came in.

        429 (another search is just being posted) is Failure rate_limited; 409 says that slskd is not logged in.
        """
        body = {"id": str(uuid.uuid4()), "searchText": text, "searchTimeout": timeout_ms,
                "responseLimit": response_limit, "fileLimit": file_limit, "filterResponses": True,
                "minimumResponseFileCount": 1}
        answer = _mapping(self._ask("POST", "/searches", body=body, conflict=not_logged_in))
        return str(answer.get("id") or body["id"])

    def search(self, id: str, *, responses: bool = False) -> dict[str, Json]:
        """A search's state; its responses are there once it is complete, and only when asked for."""
        return _mapping(self._ask("GET", f"/searches/{_part(id)}",
                                  query={"includeResponses": "true" if responses else "false"}))

    def stop_search(self, id: str) -> None:
        """What was found so far is kept."""
        self._ask("PUT", f"/searches/{_part(id)}", missing_is_fine=True)

    def delete_search(self, id: str) -> None:
        self._ask("DELETE", f"/searches/{_part(id)}", missing_is_fine=True)

    # ---- transfers -------------------------------------------------------------------------------------------------

    def enqueue(self, username: str, filename: str, size: Bytes, *,
                folder: str | None = None) -> dict[str, Json] | None:
        """Ask for one file. The transfer, or None when slskd does not tell it (look it up by user and name then).

        folder   relative to slskd's download folder; only 0.26 and later heed it
        Raises Failure offline_peer when that person is not there or does not give the file now.
        """
        file = {"filename": filename, "size": size}
        if self.version() >= BATCHES_SINCE:
            options = {"destination": folder} if folder else {}
            answer = self._ask("POST", "/transfers/downloads/batches", missing=_offline(username),
                               body={"id": str(uuid.uuid4()), "username": username, "files": [file],
                                     "options": options})
            answer = _mapping(answer)
            batch = answer.get("batch")
            enqueued = batch.get("transfers") if isinstance(batch, dict) else answer.get("transfers")
            refused = answer.get("failures")
        else:
            answer = _mapping(self._ask("POST", f"/transfers/downloads/{_part(username)}", body=[file],
                                        missing=_offline(username)) or {})
            enqueued, refused = answer.get("enqueued"), answer.get("failed")
        for transfer in _rows(enqueued):
            if transfer.get("filename") == filename:
                return transfer
        if isinstance(refused, list) and refused and not enqueued:
            first = refused[0]
            message = first.get("message") if isinstance(first, dict) else first
            raise peer_failure(str(message or ""), username)
        return None

    def transfers(self, username: str) -> list[dict[str, Json]]:
        """All downloads from one person that slskd still lists, the finished ones too."""
        answer = self._ask("GET", f"/transfers/downloads/{_part(username)}", missing_is_fine=True)
        if answer is None:
            return []
        return [file for folder in _rows(_mapping(answer).get("directories")) for file in _rows(folder.get("files"))]

    def transfer(self, username: str, id: str) -> dict[str, Json] | None:
        """One download, or None when slskd does not know it (any more)."""
        answer = self._ask("GET", f"/transfers/downloads/{_part(username)}/{_part(id)}", missing_is_fine=True)
        return None if answer is None else _mapping(answer)

    def place(self, username: str, id: str) -> int | None:
        """Asks that person for the place in their queue; None when they do not say. It then also stands in the
        transfer."""
        with contextlib.suppress(Failure):
            answer = self._ask("GET", f"/transfers/downloads/{_part(username)}/{_part(id)}/position",
                               missing_is_fine=True)
            return answer if isinstance(answer, int) and not isinstance(answer, bool) else None
        return None

    def cancel(self, username: str, id: str, *, remove: bool = False) -> None:
        """Ends a download, some time later; `remove` takes it off the list when it has ended already."""
        self._ask("DELETE", f"/transfers/downloads/{_part(username)}/{_part(id)}", missing_is_fine=True,
                  query={"remove": "true" if remove else "false"})

    def events(self, *, offset: int = 0, limit: int = 100) -> list[dict[str, Json]]:
        """Its last events, the newest first."""
        return _rows(self._ask("GET", "/events", query={"offset": str(offset), "limit": str(limit)}))

    # ---- one request -----------------------------------------------------------------------------------------------

    def _session(self) -> requests.Session:
        if self._given is not None:
            return self._given
        session: requests.Session | None = getattr(self._sessions, "session", None)
        if session is None:                         # one a thread: requests does not promise more
            session = requests.Session()
            session.trust_env = False
            self._sessions.session = session
        return session

    def _ask(self, method: str, path: str, *, body: Json = None, query: Mapping[str, str] | None = None,
             missing_is_fine: bool = False, missing: Failure | None = None,
             conflict: Any = None) -> Json:
        if not self.configured:
            raise Failure("not_configured", "Soulseek needs slskd: set its address and an API key "
                          "(SOUNDSIBLE_SLSKD_URL, SOUNDSIBLE_SLSKD_API_KEY).", provider=NAME)
        try:
            answer = self._session().request(
                method, f"{self.url}/api/v0{path}", params=query, timeout=self._timeout_s, allow_redirects=False,
                stream=True, headers={"X-API-Key": self._api_key, "Accept": "application/json",
                                      "User-Agent": user_agent(), **({"Content-Type": "application/json"}
                                                                     if body is not None else {})},
                data=None if body is None else json.dumps(body).encode())
            with answer:
                content = _content(answer)
                status, headers = answer.status_code, dict(answer.headers)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            if isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
                raise _slow(self.url) from error
            raise Failure("refused", f"slskd does not answer at {self.url}. Is it running?", provider=NAME) from error
        except requests.Timeout as error:
            raise _slow(self.url) from error
        except (requests.RequestException, ValueError) as error:
            raise Failure("not_configured", f"slskd's address {self.url} cannot be used: {type(error).__name__}.",
                          provider=NAME) from error

        if status == 404 and missing_is_fine:
            return None
        if 200 <= status < 300:
            if not content.strip():
                return None
            try:
                return json.loads(content)
            except (ValueError, RecursionError):
                raise _garbage(self.url) from None
        raise self._failure(status, headers, _words(content), missing, conflict)

    def _failure(self, status: int, headers: Mapping[str, str], words: str, missing: Failure | None,
                 conflict: Any) -> Failure:
        said = f" It says: {words}" if words else ""
        if status == 401:
            return Failure("not_configured", "slskd does not accept the API key. Set the one from its configuration "
                           "(web.authentication.api_keys).", provider=NAME)
        if status == 403:
            return Failure("not_configured", "slskd does not allow this with the API key: it needs the role readwrite, "
                           "and this machine's address must be within the key's cidr.", provider=NAME)
        if status == 404:
            return missing or Failure("not_configured", f"slskd's API is not at {self.url}: a URL base may be missing.",
                                      provider=NAME)
        if status == 409 and conflict is not None:
            failure: Failure = conflict()
            return failure
        if status == 429:
            return Failure("rate_limited", "slskd is busy with another request.", provider=NAME,
                           retry_after_s=retry_after(headers) or 5.0)
        if 300 <= status < 400:
            return Failure("not_configured", f"slskd's address {self.url} leads elsewhere ({status}): set the address "
                           "that it leads to.", provider=NAME)
        if status == 500 and words and _PEER.search(words):
            return peer_failure(words, "That person")
        return Failure("service_error", f"slskd has a fault of its own ({status}).{said}", provider=NAME,
                       retry_after_s=retry_after(headers) if status == 503 else None)


# ---- what answers mean -------------------------------------------------------------------------------------------

_PEER = re.compile(r"offline|unreachable|not online|failed to (?:connect|establish)|connection (?:refused|timed|to)|"
                   r"timed out|not shared|too many|banned|cancell?ed|rejected|queue", re.IGNORECASE)


def peer_failure(words: str, username: str) -> Failure:
    """What somebody's refusal, or slskd's word for it, means. Not shared (any more) is for good."""
    low = words.lower()
    if "not shared" in low or "file not found" in low or "no such file" in low:
        return Failure("removed", f"{username} does not share this file any more.", provider=NAME)
    if "banned" in low or "not allowed" in low or "blocked" in low:
        return Failure("no_permission", f"{username} does not give files to this account.", provider=NAME)
    if "too many" in low or "queue" in low:
        return Failure("offline_peer", f"{username} has too many requests at the moment.", provider=NAME)
    return Failure("offline_peer", f"{username} cannot be reached at the moment.", provider=NAME)


def not_logged_in() -> Failure:
    return Failure("service_error", "slskd is not logged in to Soulseek: look at its own page for the reason (name, "
                   "password, connection).", provider=NAME)


def _offline(username: str) -> Failure:
    return Failure("offline_peer", f"{username} is not online at the moment.", provider=NAME)


def _slow(url: str) -> Failure:
    return Failure("timed_out", f"slskd at {url} does not answer in time.", provider=NAME)


def _garbage(url: str) -> Failure:
    return Failure("garbage", f"What answers at {url} is not slskd, or not one that is understood.", provider=NAME)


def _content(answer: requests.Response) -> bytes:
    parts: list[bytes] = []
    size, until = 0, time.monotonic() + ANSWER_S
    for part in answer.iter_content(65536):
        parts.append(part)
        size += len(part)
        if size > ANSWER_BYTES:
            raise Failure("garbage", "slskd answers with more than anybody can read.", provider=NAME)
        if time.monotonic() > until:
            raise requests.Timeout("the answer does not end")
    return b"".join(parts)


def _words(content: bytes) -> str:
    """An error's text: slskd sends a bare JSON string, what stands before it perhaps a page."""
    text = content[:2000].decode("utf-8", "replace").strip()
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(text)
        text = found if isinstance(found, str) else str(found.get("title") or "") if isinstance(found, dict) else ""
    return "" if text.startswith("<") else " ".join(text.split())[:200]


def _mapping(answer: Json) -> dict[str, Json]:
    if not isinstance(answer, dict):
        raise Failure("garbage", "slskd answers something else than it should.", provider=NAME)
    return answer


def _rows(answer: Json) -> list[dict[str, Json]]:
    return [row for row in answer if isinstance(row, dict)] if isinstance(answer, list) else []


def _part(text: str) -> str:
    """As one part of a path: people's names hold slashes, spaces, anything."""
    return quote(text, safe="")
