"""A pretended slskd, API version 0, with pretended people who share real files.

Where the shapes come from: slskd's published sources and documentation as of 0.26 (its controllers and data types;
some of it told by its users' threads), noted as facts, not as code: camelCase JSON without null members, enums
as words, errors as bare JSON strings (404 mostly empty); a search has no responses until it is complete; a transfer
tells no local path, only the event DownloadFileComplete does; "Completed, Succeeded" stands before the file is moved
and stays with an `exception` when moving fails; cancelling takes effect later, and `remove` only takes finished
rows away; after a restart running transfers end "Completed, Errored" and come back under new ids; one search may be
posted and two enqueue calls may run at a time (429 for more); before 0.26 there are no batches.

    with FakeSlskd(tmp_path, library={"ann": {"Music\\\\Oasis\\\\03 - Wonderwall.flac": path_or_bytes}}) as fake:
        Settings(slskd_url=fake.url, slskd_api_key=fake.api_key)

Everything happens when it is asked for, by the clock: no thread but the server's. Change its attributes at any time.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

AUDIO = {".mp3", ".flac", ".m4a", ".ogg", ".opus", ".wav", ".aiff", ".wv", ".ape", ".wma"}


@dataclass
class Peer:
    """Somebody who shares. `files`: remote name (backslashes) → its bytes, or a real file that holds them."""

    files: Mapping[str, bytes | Path] = field(default_factory=dict)
    locked: Mapping[str, bytes | Path] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # remote name → bitRate, length, bitDepth …
    free_slot: bool = True
    queue_length: int = 0
    upload_speed: int = 2_000_000  # bytes/s, as responses tell it
    online: bool = True
    queue_s: float = 0.0  # how long a request waits there; a huge number: for ever
    transfer_s: float = 0.05
    stops_at: float | None = None  # share of the file after which nothing comes any more
    fails: int = 0  # so many attempts end "Completed, Errored"
    ends: str = "Succeeded"  # or TimedOut Rejected Aborted Errored …
    why: str | None = None  # the exception of such an end
    sizes: Mapping[str, int] = field(default_factory=dict)  # remote name → what it claims instead


@dataclass
class _Transfer:
    username: str
    filename: str
    size: int
    peer: Peer
    batch: str | None
    folder: str | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    asked_at: float = field(default_factory=time.monotonic)
    asked_time: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_at: float | None = None
    end: str | None = None  # "Completed, …"
    exception: str | None = None
    attempts: int = 1
    removed: bool = False
    moved: bool = False
    cancel_at: float | None = None


class FakeSlskd:
    """folder    its own: downloads land in folder/downloads"""

    def __init__(
        self,
        folder: Path,
        library: Mapping[str, Peer | Mapping[str, bytes | Path]] | None = None,
        *,
        api_key: str = "a-key-for-tests-0123456789",
        version: str = "0.26.1",
    ) -> None:
        self.folder = folder
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True, exist_ok=True)
        self.peers = {name: it if isinstance(it, Peer) else Peer(files=it) for name, it in (library or {}).items()}
        self.api_key = api_key
        self.version = version
        self.logged_in = True
        self.shown_downloads: str | None = None  # what it calls its folder in events: "/app/downloads", in a container
        self.search_s = 0.05
        self.move_s = 0.0  # between "Succeeded" and the file's being there
        self.cancel_s = 0.02
        self.retry_s = 0.1  # until slskd tries a failed attempt again by itself
        self.failing_moves: str | None = None  # the exception of a move that fails
        self.telling_events = True
        self.hang_s = 0.0  # every answer is so late
        self.answers: list[tuple[str, str, int, bytes]] = []  # (method, part of the path, status, body): once each
        self.requests: list[tuple[str, str, Any]] = []  # (method, path with query, body)
        self.searches: dict[str, dict[str, Any]] = {}
        self.transfers: list[_Transfer] = []
        self.events: list[dict[str, Any]] = []
        self._lock = threading.RLock()
        self._server: ThreadingHTTPServer | None = None

    # ---- life ------------------------------------------------------------------------------------------------------

    def __enter__(self) -> FakeSlskd:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args: Any) -> None:
                pass

            def _handle(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                raw = self.rfile.read(length) if length else b""
                status, body = fake._answer(self.command, self.path, raw, self.headers.get("X-API-Key"))
                content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json; charset=utf-8")
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except OSError:
                    pass  # who asked has gone

            do_GET = do_POST = do_PUT = do_DELETE = _handle

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def restart(self) -> None:
        """What was under way ends "Completed, Errored" and comes back under another id."""
        with self._lock:
            for old in list(self.transfers):
                self._tick(old)
                if old.end is None and not old.removed:
                    old.end, old.ended_at = "Completed, Errored", time.monotonic()
                    old.exception = "Application shut down"
                    old.attempts = 99  # never tried again under this id
                    self.transfers.append(
                        _Transfer(old.username, old.filename, old.size, old.peer, old.batch, old.folder)
                    )

    def shown(self, username: str) -> list[dict[str, Any]]:
        """The rows it lists for one person."""
        with self._lock:
            for it in self.transfers:
                self._tick(it)
            return [self._row(it) for it in self.transfers if it.username == username and not it.removed]

    def asked(self, method: str, part: str) -> list[Any]:
        """The bodies of all requests of this method with `part` in the path."""
        return [body for how, path, body in self.requests if how == method and part in path]

    # ---- the API ---------------------------------------------------------------------------------------------------

    def _answer(self, method: str, target: str, raw: bytes, key: str | None) -> tuple[int, Any]:
        if self.hang_s:
            time.sleep(self.hang_s)
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        steps = [unquote(step) for step in url.path.strip("/").split("/")]
        body = json.loads(raw) if raw else None
        with self._lock:
            self.requests.append((method, target, body))
            for place, (how, part, status, content) in enumerate(self.answers):
                if how == method and part in target:
                    del self.answers[place]
                    return status, content
            if steps[:2] != ["api", "v0"]:
                return 404, b""
            if key != self.api_key:
                return 401, b""
            for transfer in self.transfers:
                self._tick(transfer)
            match method, steps[2:]:
                case "GET", ["application"]:
                    return 200, {
                        "version": {"full": f"{self.version}+0", "current": self.version, "isCanary": False},
                        "server": {
                            "address": "vps.slsknet.org:2242",
                            "isConnected": self.logged_in,
                            "isLoggedIn": self.logged_in,
                            "state": "Connected, LoggedIn" if self.logged_in else "Disconnected",
                        },
                    }
                case "POST", ["searches"]:
                    return self._start_search(body)
                case "GET", ["searches", id]:
                    return self._search(id, query.get("includeResponses") == "true")
                case "PUT", ["searches", id]:
                    return self._stop_search(id)
                case "DELETE", ["searches", id]:
                    return (204, None) if self.searches.pop(id, None) else (404, b"")
                case "POST", ["transfers", "downloads", "batches"] if self._batches:
                    return self._enqueue_batch(body)
                case "POST", ["transfers", "downloads", username]:
                    return self._enqueue(username, body)
                case "GET", ["transfers", "downloads"]:
                    names = dict.fromkeys(it.username for it in self.transfers if not it.removed)
                    return 200, [self._of(name) for name in names]
                case "GET", ["transfers", "downloads", username]:
                    if not any(it.username == username and not it.removed for it in self.transfers):
                        return 404, b""
                    return 200, self._of(username)
                case "GET", ["transfers", "downloads", _, id]:
                    found = self._find(id)
                    return (200, self._row(found)) if found else (404, b"")
                case "GET", ["transfers", "downloads", _, id, "position"]:
                    found = self._find(id)
                    return (200, found.peer.queue_length) if found else (404, b"")
                case "DELETE", ["transfers", "downloads", _, id]:
                    return self._cancel(id, query.get("remove") == "true")
                case "GET", ["events"]:
                    offset, limit = int(query.get("offset", "0")), int(query.get("limit", "100"))
                    if offset < 0 or limit <= 0:
                        return 400, "Limit must be greater than zero"
                    return 200, list(reversed(self.events))[offset : offset + limit]
                case _:
                    return 404, b""

    @property
    def _batches(self) -> bool:
        return tuple(int(part) for part in self.version.split(".")[:2]) >= (0, 26)

    # ---- searches --------------------------------------------------------------------------------------------------

    def _start_search(self, body: dict[str, Any]) -> tuple[int, Any]:
        if not self.logged_in:
            return 409, "The server connection must be connected and logged in to perform this operation"
        text = str(body.get("searchText") or "").strip()
        if not text:
            return 400, "Search text may not be null or empty"
        id = body.get("id") or str(uuid.uuid4())
        words = [word.casefold() for word in text.split()]
        responses = []
        for name, peer in self.peers.items():
            if not peer.online:
                continue
            found = [self._file(peer, file, False) for file in peer.files if self._fits(words, file)]
            locked = [self._file(peer, file, True) for file in peer.locked if self._fits(words, file)]
            if found or locked:
                responses.append(
                    {
                        "username": name,
                        "token": 1,
                        "hasFreeUploadSlot": peer.free_slot,
                        "queueLength": peer.queue_length,
                        "uploadSpeed": peer.upload_speed,
                        "fileCount": len(found),
                        "files": found,
                        "lockedFileCount": len(locked),
                        "lockedFiles": locked,
                    }
                )
        limit = int(body.get("responseLimit") or 100)
        self.searches[id] = {
            "text": text,
            "at": time.monotonic(),
            "responses": responses[:limit],
            "end": "ResponseLimitReached" if len(responses) > limit else "TimedOut",
            "stopped": False,
        }
        return 200, self._search(id, False)[1]

    @staticmethod
    def _fits(words: list[str], file: str) -> bool:
        there = file.casefold()
        return all(word[1:] not in there if word.startswith("-") else word in there for word in words)

    def _file(self, peer: Peer, name: str, locked: bool) -> dict[str, Any]:
        dot = name.rfind(".")
        return {
            "filename": name,
            "size": self._size(peer, name),
            "code": 1,
            "extension": name[dot + 1 :].lower() if dot > 0 else "",
            "isLocked": locked,
            **peer.facts.get(name, {}),
        }

    @staticmethod
    def _size(peer: Peer, name: str) -> int:
        if name in peer.sizes:
            return peer.sizes[name]
        data = peer.files.get(name, peer.locked.get(name, b""))
        return len(data) if isinstance(data, bytes) else data.stat().st_size

    def _search(self, id: str, responses: bool) -> tuple[int, Any]:
        search = self.searches.get(id)
        if search is None:
            return 404, b""
        whole = search["stopped"] or time.monotonic() - search["at"] >= self.search_s
        found = search["responses"]
        state = (
            ("Completed, Cancelled" if search["stopped"] else f"Completed, {search['end']}") if whole else "InProgress"
        )
        answer = {
            "id": id,
            "searchText": search["text"],
            "token": 1,
            "state": state,
            "isComplete": whole,
            "startedAt": datetime.now(UTC).isoformat(),
            "responseCount": len(found),
            "fileCount": sum(len(it["files"]) for it in found),
            "lockedFileCount": 0,
            "responses": found if whole and responses else [],
        }
        if whole:
            answer["endedAt"] = datetime.now(UTC).isoformat()
        return 200, answer

    def _stop_search(self, id: str) -> tuple[int, Any]:
        search = self.searches.get(id)
        if search is None:
            return 404, b""
        if time.monotonic() - search["at"] >= self.search_s:
            return 304, b""
        search["stopped"] = True
        return 200, b""

    # ---- transfers -------------------------------------------------------------------------------------------------

    def _enqueue(self, username: str, files: Any) -> tuple[int, Any]:
        if not isinstance(files, list) or not files:
            return 400, b""
        peer = self.peers.get(username)
        if peer is None or not peer.online:
            return 500, f"User {username} appears to be offline"
        return 201, {
            "enqueued": [self._row(self._begin(username, peer, file, None, None)) for file in files],
            "failed": [],
        }

    def _enqueue_batch(self, body: dict[str, Any]) -> tuple[int, Any]:
        username, id = body["username"], body.get("id") or str(uuid.uuid4())
        peer = self.peers.get(username)
        if peer is None or not peer.online:
            return 404, f"User {username} appears to be offline"
        if any(it.batch == id for it in self.transfers):
            return 409, f"A batch with id {id} exists already"
        folder = (body.get("options") or {}).get("destination")
        begun = [self._begin(username, peer, file, id, folder) for file in body["files"]]
        return 201, {
            "batch": {
                "id": id,
                "createdAt": datetime.now(UTC).isoformat(),
                "destination": folder or "",
                "transfers": [self._row(it) for it in begun],
            },
            "failures": [],
        }

    def _begin(
        self, username: str, peer: Peer, file: dict[str, Any], batch: str | None, folder: str | None
    ) -> _Transfer:
        for old in self.transfers:  # what runs already is not begun twice
            if (old.username, old.filename) == (username, file["filename"]) and old.end is None and not old.removed:
                return old
        transfer = _Transfer(username, file["filename"], int(file["size"]), peer, batch, folder)
        self.transfers.append(transfer)
        return transfer

    def _find(self, id: str) -> _Transfer | None:
        return next((it for it in self.transfers if it.id == id and not it.removed), None)

    def _of(self, username: str) -> dict[str, Any]:
        folders: dict[str, list[dict[str, Any]]] = {}
        for it in self.transfers:
            if it.username == username and not it.removed:
                folders.setdefault(it.filename.rpartition("\\")[0], []).append(self._row(it))
        return {
            "username": username,
            "directories": [
                {"directory": name, "fileCount": len(files), "files": files} for name, files in folders.items()
            ],
        }

    def _cancel(self, id: str, remove: bool) -> tuple[int, Any]:
        found = self._find(id)
        if found is not None:
            if found.end is None and found.cancel_at is None:
                found.cancel_at = time.monotonic() + self.cancel_s
            elif found.end is not None and remove:
                found.removed = True
        return 204, None

    def _tick(self, it: _Transfer) -> None:
        now = time.monotonic()
        if it.end is None and it.cancel_at is not None and now >= it.cancel_at:
            it.end, it.ended_at, it.exception = "Completed, Cancelled", now, "The operation was canceled."
        if it.end is None:
            over = it.asked_at + it.peer.queue_s + it.peer.transfer_s
            if now >= over and it.peer.stops_at is None:
                it.ended_at = over
                if it.attempts <= it.peer.fails:
                    it.end, it.exception = "Completed, Errored", it.peer.why or "Connection reset by peer"
                elif it.peer.ends != "Succeeded":
                    it.end, it.exception = f"Completed, {it.peer.ends}", it.peer.why
                    it.attempts = 99
                else:
                    it.end, it.exception = "Completed, Succeeded", None
        elif (
            it.end == "Completed, Errored"
            and it.attempts <= min(3, it.peer.fails)
            and (now >= (it.ended_at or now) + self.retry_s)
        ):
            it.attempts += 1  # slskd tries again by itself
            it.end, it.ended_at, it.exception, it.asked_at = None, None, None, now
        if it.end == "Completed, Succeeded" and not it.moved and now >= (it.ended_at or now) + self.move_s:
            it.moved = True
            if self.failing_moves:
                it.exception = self.failing_moves
            else:
                self._move(it)

    def _move(self, it: _Transfer) -> None:
        *folders, name = it.filename.replace("/", "\\").split("\\")
        folder = self.downloads / (it.folder or (folders[-1] if folders else ""))
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / name
        if target.exists():
            target = target.with_stem(f"{target.stem}_{time.time_ns()}")
        data = it.peer.files.get(it.filename, it.peer.locked.get(it.filename, b""))
        target.write_bytes(data if isinstance(data, bytes) else data.read_bytes())
        local = str(target)
        if self.shown_downloads is not None:
            local = f"{self.shown_downloads}/{target.relative_to(self.downloads).as_posix()}"
        if self.telling_events:
            self.events.append(
                {
                    "id": str(uuid.uuid4()),
                    "timestamp": datetime.now(UTC).isoformat(),
                    "type": "DownloadFileComplete",
                    "data": json.dumps(
                        {"version": 0, "localFilename": local, "remoteFilename": it.filename, "transfer": self._row(it)}
                    ),
                }
            )

    def _row(self, it: _Transfer) -> dict[str, Any]:
        now, began = time.monotonic(), it.asked_at + it.peer.queue_s
        share = 1.0 if it.peer.transfer_s <= 0 else max(0.0, min(1.0, (now - began) / it.peer.transfer_s))
        if it.peer.stops_at is not None:
            share = min(share, it.peer.stops_at)
        if it.end is not None:
            state = it.end
            share = 1.0 if it.end == "Completed, Succeeded" else share
        elif now < began:
            state = "Queued, Remotely"
        else:
            state = "InProgress"
        done = int(it.size * share) if state != "Queued, Remotely" else 0
        row = {
            "id": it.id,
            "username": it.username,
            "direction": "Download",
            "filename": it.filename,
            "size": it.size,
            "startOffset": 0,
            "state": state,
            "requestedAt": it.asked_time.isoformat(),
            "bytesTransferred": done,
            "averageSpeed": it.size / max(0.001, it.peer.transfer_s) if done else 0,
            "bytesRemaining": it.size - done,
            "percentComplete": round(100 * share, 2),
            "attempts": min(it.attempts, 4),
        }
        if it.batch:
            row["batchId"] = it.batch
        if it.exception:
            row["exception"] = it.exception
        if state == "Queued, Remotely" and it.peer.queue_length:
            row["placeInQueue"] = it.peer.queue_length
        return row
