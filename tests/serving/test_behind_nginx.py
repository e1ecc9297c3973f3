"""The station behind a real nginx, with the very file that docs/https.md shows."""

import http.client
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.running import OWNER, PASSWORD, free_port, make_music, start_station
from tests.serving.certified import Certified
from tests.serving.small import Wire

ROOT = Path(__file__).resolve().parents[2]
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
NAME = "music.example.org"
pytestmark = pytest.mark.skipif(NGINX is None and not os.environ.get("CI"), reason="nginx is not here")


def documented():
    return re.search(r"```nginx\n(.*?)```", (ROOT / "docs" / "https.md").read_text("utf-8"), re.DOTALL)[1]


class Behind:
    """A station and the nginx before it."""

    def __init__(self, folder):
        self.certified = Certified(folder)
        self.station = start_station(folder / "home", [make_music(folder / "music")], environ={
            "SOUNDSIBLE_TRUSTED_PROXIES": "127.0.0.1", "SOUNDSIBLE_PUBLIC_URL": f"https://{NAME}",
            "SOUNDSIBLE_MDNS": "off"})
        self.port = free_port()
        server = documented().replace("listen 443", f"listen 127.0.0.1:{self.port}").replace(
            "http://127.0.0.1:5005", self.station.url)
        for name, path in (("fullchain", self.certified.certificate), ("privkey", self.certified.key)):
            server = server.replace(f"/etc/letsencrypt/live/{NAME}/{name}.pem", str(path))
        places = "\n".join(f"{one}_temp_path {folder}/{one};"
                           for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = folder / "nginx.conf"
        config.write_text(
            f"daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
            f"events {{ }}\nhttp {{\naccess_log off;\n{places}\n{server}\n}}\n")
        self.nginx = subprocess.Popen([NGINX, "-c", str(config), "-e", str(folder / "nginx.log")],
                                      stderr=subprocess.DEVNULL)
        self.station.wait_for_scan()
        until = time.monotonic() + 30
        while True:
            try:
                assert self.ask("GET", "/api/health")[0] == 200
                break
            except OSError:
                assert time.monotonic() < until and self.nginx.poll() is None, (folder / "nginx.log").read_text()
                time.sleep(0.02)

    def ask(self, method, path, body=None, **headers):
        """(status, headers, body) through nginx, over HTTPS, under its public name."""
        wire = http.client.HTTPSConnection("localhost", self.port, context=self.certified.trusting(), timeout=30,
                                           source_address=("127.0.0.9", 0))     # not the proxy's
        try:
            told = {"Host": NAME, **{name.replace("_", "-"): value for name, value in headers.items()}}
            if body is not None:
                told["Content-Type"] = "application/json"
            wire.request(method, path, None if body is None else json.dumps(body), told)
            answer = wire.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            wire.close()

    def stop(self):
        self.nginx.terminate()
        self.nginx.wait(10)
        self.station.stop()


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    one = Behind(tmp_path_factory.mktemp("nginx"))
    yield one
    one.stop()


@pytest.fixture(scope="module")
def cookie(behind):
    """Ann's, as a browser got it through nginx."""
    status, headers, _ = behind.ask("POST", "/api/session", {"username": OWNER, "password": PASSWORD},
                                    Origin=f"https://{NAME}")
    assert status == 200
    return headers["Set-Cookie"]


def test_the_cookie_is_the_one_of_https(cookie):
    assert cookie.startswith("__Host-soundsible=") and "Secure" in cookie


def test_ranges_come_through_as_they_are(behind, cookie):
    name = cookie.partition(";")[0]
    track = json.loads(behind.ask("GET", "/api/library/tracks?limit=1", Cookie=name)[2])["items"][0]
    _, _, whole = behind.ask("GET", f"/api/stream/{track['id']}", Cookie=name)
    assert len(whole) == track["size_bytes"]
    status, headers, part = behind.ask("GET", f"/api/stream/{track['id']}", Cookie=name, Range="bytes=1000-4999")
    assert (status, part) == (206, whole[1000:5000])
    assert headers["Content-Range"] == f"bytes 1000-4999/{len(whole)}"
    etag = headers["ETag"]
    assert behind.ask("GET", f"/api/stream/{track['id']}", Cookie=name, If_None_Match=etag)[0] == 304


def test_a_socket_is_opened_through_it(behind, cookie):
    with Wire(behind.port, tls=behind.certified.trusting()) as wire:
        wire.send("\r\n".join([
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", f"Host: {NAME}", f"Origin: https://{NAME}",
            "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", f"Cookie: {cookie.partition(';')[0]}", "", ""]).encode())
        assert wire.answer()[0] == 101
        wire.send(b"\x81\x82\0\0\0\x0040")      # Socket.IO: connect
        while b"snapshot" not in wire.received:
            assert wire._more()


def test_other_names_and_other_pages_are_refused(behind, cookie):
    name = cookie.partition(";")[0]
    assert behind.ask("GET", "/api/library/tracks", Cookie=name, Host="evil.example")[0] == 421
    for origin in ("https://evil.example", f"http://{NAME}"):
        assert behind.ask("POST", "/api/library/playlists", {"name": "x"}, Cookie=name, Origin=origin)[0] == 403
    assert behind.ask("POST", "/api/library/playlists", {"name": "x"}, Cookie=name, Origin=f"https://{NAME}")[0] == 201


def test_limits_count_the_true_client_whatever_it_claims(behind):
    """Nginx adds the address it sees; what the client wrote before it does not make it another one."""
    statuses = []
    for number in range(14):
        status, _, _ = behind.ask("POST", "/api/session", {"username": "nobody", "password": "guess number one"},
                                  X_Forwarded_For=f"198.51.100.{number}", X_Real_IP=f"198.51.100.{number}")
        statuses.append(status)
        if status == 429:
            break
    assert statuses[-1] == 429
