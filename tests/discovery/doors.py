"""Small stations for these tests: a server of its own on loopback that answers /api/health as a station does."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

from shared.discovery.trials import HEADER

Thing = TypeVar("Thing")


@contextmanager
def door(arrived: Callable[[str | None], None], *, status: int = 200, host: str = "127.0.0.1", port: int = 0,
         hosts: list[str] | None = None, certificate: tuple[Path, Path] | None = None) -> Iterator[int]:
    """A port that hands each trial's word to `arrived`, and notes the Host headers in `hosts`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if hosts is not None:
                hosts.append(self.headers["Host"])
            if self.path == "/api/health":
                arrived(self.headers.get(HEADER))
            self.send_response(status if self.path == "/api/health" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: Any) -> None: ...

    server = Quiet((host, port), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """(certificate, key) that nobody trusts."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody")])
    now = datetime.datetime.now(datetime.UTC)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
            .sign(key, hashes.SHA256()))
    (folder / "leaf.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "leaf.key").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return folder / "leaf.crt", folder / "leaf.key"


def eventually(look: Callable[[], Thing], within_s: float = 20.0) -> Thing:
    """What `look` returns as soon as that is something; asked again and again until then."""
    deadline = time.monotonic() + within_s
    while True:
        with suppress(StopIteration):
            if seen := look():
                return seen
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
