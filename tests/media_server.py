"""A web server of the tests' own on 127.0.0.1 that sends real audio in every way servers do, good and bad.

    with MediaServer() as server:
        server.url("song.mp3")                              http://127.0.0.1:<port>/song.mp3
        server.allow                                        "127.0.0.1:<port>", for SOUNDSIBLE_ALLOW_PRIVATE_HOSTS
        server.add("a.flac", audio(".flac", seconds=3))     a file; the ways of sending it are keywords of `add`
        server.add("b.mp3", content, drop_after=5000)       breaks off there, the first time
        server.asked("b.mp3")                               the requests that came for it
        server.change("b.mp3", content)                     other bytes under the same link, another ETag
        server.add_hls("live"), add_feed("feed.xml", […]), add_page("page.html", …), add_playlist_page("list", 5000)

`add_usual()` fills it with one of each; its docstring lists the links. A thread for each connection; `stop()` waits for
none of those that hang.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.builders import make_audio, make_picture

MIMES = {".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg", ".opus": "audio/ogg", ".m4a": "audio/mp4",
         ".wav": "audio/wav", ".aac": "audio/aac", ".webm": "video/webm", ".mp4": "video/mp4", ".html": "text/html",
         ".m3u8": "application/vnd.apple.mpegurl", ".ts": "video/mp2t", ".xml": "application/rss+xml",
         ".m3u": "audio/x-mpegurl", ".pls": "audio/x-scpls", ".jpg": "image/jpeg", ".xspf": "application/xspf+xml"}


def audio(suffix: str = ".mp3", *, seconds: float = 2.0, **options: Any) -> bytes:
    """A real audio file's bytes (tests.builders.make_audio: tags=, picture=, tone_hz=, bitrate= …)."""
    with tempfile.TemporaryDirectory() as folder:
        return make_audio(folder, f"a{suffix}", seconds=seconds, **options).read_bytes()


def in_container(content: bytes, container: str, *, video: bool = False, suffix: str = "") -> bytes:
    """The audio of `content` in another container ("webm", "mp4", "mpegts", "matroska"), with a tiny picture stream
    beside it when `video`."""
    import av
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        source_path, path = Path(folder, f"source{suffix}"), Path(folder, "made")
        source_path.write_bytes(content)
        with av.open(str(source_path)) as source, av.open(str(path), "w", format=container) as sink:
            stream = source.streams.audio[0]
            picture = None
            if video:
                picture = sink.add_stream("mpeg4" if container != "webm" else "libvpx", rate=5)
                picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
            copy = sink.add_stream_from_template(stream)
            if picture is not None:
                for _ in range(3):
                    frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), "uint8"), format="rgb24")
                    sink.mux(picture.encode(frame))
                sink.mux(picture.encode(None))
            for packet in source.demux(stream):
                if packet.dts is not None:
                    packet.stream = copy
                    sink.mux(packet)
        return path.read_bytes()


@dataclass
class Asked:
    """One request that came."""

    method: str
    path: str                           # decoded, without the first slash and the query
    headers: dict[str, str]             # names in lower case
    at: float
    sent: int = 0                       # bytes of the body


@dataclass
class Thing:
    """How one path is answered. See MediaServer.add."""

    content: bytes = b""
    mime: str = "application/octet-stream"
    ranges: bool = True
    etag: bool = True
    modified: str | None = None
    claim: int | None = None            # Content-Length that is told instead of the true one
    no_length: bool = False
    slow: int | None = None             # bytes per second
    drop_after: int | None = None
    drops: int = 1
    endless: bool = False
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    garbage: bytes | None = None        # sent instead of HTTP
    ignore_if_range: bool = False
    act: Callable[[Asked], Thing | None] | None = None


class MediaServer:
    """See the module. Everything may be called while it runs."""

    def __init__(self, *, host: str = "127.0.0.1") -> None:
        self._things: dict[str, Thing] = {}
        self._asked: list[Asked] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        server = self

        class Handler(_Handler):
            media = server

        self._server = _Server((host, 0), Handler)
        self.port = self._server.server_address[1]
        self.host = host
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    # ---- use ------------------------------------------------------------------------------------------------------

    @property
    def allow(self) -> str:
        """What the setting allow_private_hosts must name so that it may be reached."""
        return f"{self.host}:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}:{self.port}/{path}"

    def add(self, path: str, content: bytes = b"", **ways: Any) -> str:
        """Answer `path` with `content`; its link.

        mime=  ranges=False (always the whole)  etag=False (no ETag)  modified="Sat, 01 …" (Last-Modified)
        claim=N (a Content-Length that lies; the connection ends after the true bytes)  no_length=True
        slow=bytes per second  drop_after=N, drops=M (breaks off there, the first M times)  endless=True (the content
        over and over, without a length)  status=404, headers={"Retry-After": "7"}  hang=True (never answers)
        garbage=b"…" (instead of HTTP)  ignore_if_range=True (sends the range although the thing has changed)
        act=function(Asked) → Thing or None (None: as told here)
        """
        suffix = Path(path).suffix.lower()
        thing = Thing(content=content, **{"mime": MIMES.get(suffix, "application/octet-stream"), **ways})
        with self._lock:
            self._things[path] = thing
        return self.url(path)

    def change(self, path: str, content: bytes | None = None, **ways: Any) -> None:
        """Other bytes or other ways for a path that is there."""
        with self._lock:
            thing = self._things[path]
            if content is not None:
                thing.content = content
            for name, value in ways.items():
                setattr(thing, name, value)

    def add_hls(self, name: str = "hls", *, seconds: float = 6.0, parts: int = 3, live: bool = False,
                slow: int | None = None) -> str:
        """An HLS stream of AAC in MPEG-TS pieces: the link of its playlist `name`/index.m3u8. `live`: never ends."""
        whole = in_container(audio(".m4a", seconds=seconds), "mpegts", suffix=".m4a")
        step = max(188, len(whole) // parts // 188 * 188)
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{int(seconds / parts) + 1}",
                 "#EXT-X-MEDIA-SEQUENCE:0"]
        for number in range(parts):
            piece = whole[number * step:(number + 1) * step if number < parts - 1 else None]
            self.add(f"{name}/{number}.ts", piece, slow=slow)
            lines += [f"#EXTINF:{seconds / parts:.3f},", f"{number}.ts"]
        if not live:
            lines.append("#EXT-X-ENDLIST")
        return self.add(f"{name}/index.m3u8", ("\n".join(lines) + "\n").encode())

    def add_feed(self, path: str, entries: Iterable[tuple[str, str]], *, title: str = "A Feed",
                 author: str = "The Feeders") -> str:
        """An RSS feed with (title, link of a file) entries."""
        items = "".join(
            f"<item><title>{name}</title><guid>{link}</guid><pubDate>Sat, 01 Aug 2026 10:00:00 GMT</pubDate>"
            f"<itunes:duration>0:02</itunes:duration>"
            f'<enclosure url="{link}" length="1" type="audio/mpeg"/></item>' for name, link in entries)
        return self.add(path, (
            '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" '
            'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel>'
            f"<title>{title}</title><itunes:author>{author}</itunes:author><link>{self.url('')}</link>{items}"
            "</channel></rss>").encode(), mime="application/rss+xml")

    def add_page(self, path: str, *, title: str = "A Page", og_audio: str | None = None,
                 elements: Iterable[str] = (), json_ld: str | None = None) -> str:
        """An HTML page with `og:audio`, `<audio>` elements, or a JSON-LD AudioObject."""
        head = f'<title>{title}</title><meta property="og:title" content="{title}">'
        if og_audio:
            head += f'<meta property="og:audio" content="{og_audio}">'
        if json_ld:
            head += ('<script type="application/ld+json">{"@context":"https://schema.org","@type":"AudioObject",'
                     f'"name":"{title}","contentUrl":"{json_ld}","duration":"PT2S","encodingFormat":"audio/mpeg"}}</script>')
        body = "".join(f'<audio src="{link}" controls></audio>' for link in elements)
        return self.add(path, f"<!doctype html><html><head>{head}</head><body>{body}</body></html>".encode(),
                        mime="text/html; charset=utf-8")

    def add_playlist_page(self, path: str, count: int, *, each: str = "song.mp3") -> str:
        """A feed of `count` entries (a playlist to yt-dlp and to us), each the same file under a link of its own."""
        return self.add_feed(path, [(f"Song {n}", self.url(f"{each}?n={n}")) for n in range(1, count + 1)],
                             title=f"{count} songs")

    def add_usual(self) -> None:
        """song.mp3 song.flac song.m4a song.opus song.wav (2 s, tagged) · cover.jpg · slow.mp3 (20 s at 40 kB/s) ·
        dropped.mp3 (once in the middle) · rangeless.mp3 (the same, knows no ranges) · liar.mp3 (claims more) ·
        endless.mp3 · radio (icy) · html.mp3 · tiny.mp3 (3 bytes) · empty.mp3 · page.html (og:audio) ·
        elements.html (two <audio>) · jsonld.html · nothing.html · feed.xml (3) · list.m3u · list.pls · hls/index.m3u8 ·
        live/index.m3u8 · video.mp4 · song.webm · missing (404) · forbidden (403) · login (401) · gone (410) ·
        legal (451) · busy (429, Retry-After 7) · broken (500) · unavailable (503) · hang · garbage ·
        moved (302 to song.mp3) · circle · inside (302 to 169.254.169.254) · loop (302 to 127.0.0.1:1) · file (302 to
        file:///etc/passwd) · named (Content-Disposition ../../evil.mp3) · icy (ICY 200 OK)"""
        tags = {"title": "A Song", "artist": "The Builders", "album": "Served"}
        for suffix in (".mp3", ".flac", ".m4a", ".opus", ".wav"):
            self.add(f"song{suffix}", audio(suffix, tags=tags))
        mp3, long_mp3 = audio(tags=tags), audio(seconds=20.0, tags=tags)
        self.add("cover.jpg", make_picture())
        self.add("slow.mp3", long_mp3, slow=40_000)
        self.add("dropped.mp3", long_mp3, drop_after=len(long_mp3) // 2)
        self.add("rangeless.mp3", long_mp3, drop_after=len(long_mp3) // 2, ranges=False)
        self.add("liar.mp3", mp3, claim=len(mp3) * 2, ranges=False)
        self.add("endless.mp3", mp3, endless=True)
        self.add("radio", mp3, endless=True, mime="audio/mpeg", headers={"icy-name": "A Radio", "icy-metaint": "16000"})
        self.add("html.mp3", b"<!doctype html><html><body><h1>Not here</h1></body></html>", mime="audio/mpeg")
        self.add("tiny.mp3", b"ID3")
        self.add("empty.mp3", b"")
        self.add_page("page.html", title="The Page's Song", og_audio=self.url("song.mp3"))
        self.add_page("elements.html", elements=[self.url("song.mp3"), self.url("song.flac")])
        self.add_page("jsonld.html", title="Linked", json_ld=self.url("song.mp3"))
        self.add_page("nothing.html")
        self.add_feed("feed.xml", [(f"Episode {n}", self.url(f"song.mp3?episode={n}")) for n in (1, 2, 3)])
        self.add("list.m3u", b"#EXTM3U\n#EXTINF:2,The Builders - One\nsong.mp3\n#EXTINF:2,Two\n/song.flac\n")
        self.add("list.pls", b"[playlist]\nFile1=" + self.url("song.mp3").encode() + b"\nTitle1=One\n"
                 b"File2=" + self.url("song.flac").encode() + b"\nNumberOfEntries=2\nVersion=2\n")
        self.add_hls("hls")
        self.add_hls("live", live=True)
        self.add("video.mp4", in_container(audio(".m4a"), "mp4", video=True, suffix=".m4a"))
        self.add("song.webm", in_container(audio(".opus"), "webm", suffix=".opus"))
        for path, status in (("missing", 404), ("forbidden", 403), ("login", 401), ("gone", 410), ("legal", 451),
                             ("broken", 500), ("unavailable", 503)):
            self.add(path, b"no", status=status, mime="text/plain")
        self.add("busy", b"no", status=429, headers={"Retry-After": "7"})
        self.add("hang", hang=True)
        self.add("garbage", garbage=b"\x00\x01\x02 what is this\r\n\r\n")
        self.add("icy", garbage=b"ICY 200 OK\r\nicy-name: Old Radio\r\n\r\n" + mp3)
        for path, target in (("moved", "/song.mp3"), ("circle", "/circle"), ("inside", "http://169.254.169.254/latest/"),
                             ("loop", "http://127.0.0.1:1/x.mp3"), ("file", "file:///etc/passwd")):
            self.add(path, status=302, headers={"Location": target})
        self.add("named", mp3, mime="audio/mpeg",
                 headers={"Content-Disposition": 'attachment; filename="../../evil.mp3"'})

    def asked(self, path: str | None = None) -> list[Asked]:
        """The requests that came (for `path`), in order."""
        with self._lock:
            return [one for one in self._asked if path is None or one.path == path]

    def forget(self) -> None:
        """Count anew."""
        with self._lock:
            self._asked.clear()

    def stop(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> MediaServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- inside ---------------------------------------------------------------------------------------------------

    def thing(self, asked: Asked) -> Thing | None:
        with self._lock:
            self._asked.append(asked)
            thing = self._things.get(asked.path)
        if thing is not None and thing.act is not None:
            return thing.act(asked) or thing
        return thing

    def take_drop(self, thing: Thing) -> int | None:
        with self._lock:
            if thing.drop_after is None or thing.drops <= 0:
                return None
            thing.drops -= 1
            return thing.drop_after

    def pause(self, seconds: float) -> bool:
        """False when the server is being stopped."""
        return not self._ended.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass                            # clients that hang up are what this is for


class _Handler(BaseHTTPRequestHandler):
    media: MediaServer
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        parts = urlsplit(self.path)
        asked = Asked(self.command, unquote(parts.path).lstrip("/"),
                      {name.lower(): value for name, value in self.headers.items()}, time.monotonic())
        thing = self.media.thing(asked)
        if thing is None:
            thing = Thing(b"There is nothing here.", "text/plain", status=404, etag=False)
        if thing.hang:
            while self.media.pause(0.2):
                pass
            return
        if thing.garbage is not None:
            self.close_connection = True
            self.wfile.write(thing.garbage)
            return
        content, status, extra = self._part(asked, thing)
        self.send_response(status)
        self.send_header("Content-Type", thing.mime)
        for name, value in {**extra, **thing.headers}.items():
            self.send_header(name, value)
        sized = not (thing.no_length or thing.endless)
        if sized:
            self.send_header("Content-Length", str(thing.claim if thing.claim is not None else len(content)))
        else:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        if body:
            with contextlib.suppress(OSError):
                self._send(asked, thing, content)
            if thing.claim is not None:
                self.close_connection = True

    def _part(self, asked: Asked, thing: Thing) -> tuple[bytes, int, dict[str, str]]:
        extra: dict[str, str] = {}
        tag = f'"{hashlib.sha1(thing.content).hexdigest()[:16]}"'
        if thing.etag and thing.status == 200:
            extra["ETag"] = tag
        if thing.modified:
            extra["Last-Modified"] = thing.modified
        if thing.status != 200 or not thing.ranges:
            return thing.content, thing.status, extra
        if not thing.endless:
            extra["Accept-Ranges"] = "bytes"
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("range", ""))
        condition = asked.headers.get("if-range")
        fits = condition is None or thing.ignore_if_range or condition in (
            tag if thing.etag else None, thing.modified)
        if match is None or not fits or thing.endless:
            return thing.content, 200, extra
        first, size = int(match[1]), len(thing.content)
        last = min(int(match[2]) if match[2] else size - 1, size - 1)
        if first >= size:
            return b"", 416, {**extra, "Content-Range": f"bytes */{size}"}
        return thing.content[first:last + 1], 206, {**extra, "Content-Range": f"bytes {first}-{last}/{size}"}

    def _send(self, asked: Asked, thing: Thing, content: bytes) -> None:
        drop = self.media.take_drop(thing)
        step = 16_384 if thing.slow is None else max(256, min(16_384, thing.slow // 10))
        while True:
            for at in range(0, len(content), step):
                piece = content[at:at + step]
                if drop is not None and at + len(piece) > drop:
                    self.wfile.write(piece[:drop - at])
                    asked.sent += drop - at
                    self._break_off()
                    return
                self.wfile.write(piece)
                asked.sent += len(piece)
                if thing.slow is not None and not self.media.pause(len(piece) / thing.slow):
                    return
            if not thing.endless or not self.media.pause(0):
                return

    def _break_off(self) -> None:
        """The connection is gone in the middle, after what was sent has arrived."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
