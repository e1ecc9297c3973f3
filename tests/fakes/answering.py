"""A small HTTP server in a thread that the fakes of outside services are made of: answers, keeps what it was asked,
and can be told to be slow, to fail or to talk nonsense."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]           # the last value of each
    headers: dict[str, str]         # names in small letters
    body: bytes
    at: float                       # time.monotonic()

    @property
    def form(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.body.decode("utf-8", "replace")).items()}


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    break_off_after: int | None = None      # sends so many bytes of a body announced whole, then hangs up


class Answering:
    """`with Fake() as fake: fake.url`. A fake overrides `answer`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._faults: deque[Reply] = deque()
        self._always: Reply | None = None
        self._server: ThreadingHTTPServer | None = None
        self._lock = threading.Lock()

    # ---- what a test says ------------------------------------------------------------------------------------------

    def next(self, *replies: Reply) -> None:
        """The next answers, whatever is asked."""
        with self._lock:
            self._faults.extend(replies)

    def always(self, reply: Reply | None) -> None:
        """Every answer from now on; None: well again."""
        self._always = reply

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    @property
    def url(self) -> str:
        assert self._server is not None, "use it in a with statement"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    # ---- what a fake says ------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Reply:
        raise NotImplementedError

    # ---- serving ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True      # head and body are two writes; without it each answer waits 40 ms

            def log_message(self, *_: object) -> None:
                pass

            def _serve(self) -> None:
                split = urlsplit(self.path)
                asked = Asked(
                    self.command, split.path,
                    {name: values[-1] for name, values in parse_qs(split.query, keep_blank_values=True).items()},
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(int(self.headers.get("Content-Length") or 0)), time.monotonic(),
                )
                with fake._lock:
                    fake.asked.append(asked)
                    told = fake._faults.popleft() if fake._faults else fake._always
                reply = told if told is not None else fake.answer(asked)
                if reply.delay_s:
                    time.sleep(reply.delay_s)
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.type)
                self.send_header("Content-Length", str(len(reply.body)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if reply.break_off_after is not None:
                    self.wfile.write(reply.body[:reply.break_off_after])
                    self.close_connection = True
                    return
                if self.command != "HEAD":
                    self.wfile.write(reply.body)

            do_GET = do_POST = do_PUT = do_HEAD = _serve

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:     # a client that hung up
                pass

        self._server = Quiet(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
