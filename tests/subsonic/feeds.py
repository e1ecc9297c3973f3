"""A podcast's own server: a feed and its episodes, over real HTTP on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.builders import make_audio


@dataclass(frozen=True)
class Feed:
    url: str
    episode: bytes      # the sound of the first episode


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...


@contextmanager
def feed(folder: Path, *, episodes: int = 2) -> Iterator[Feed]:
    """A feed with so many episodes of three seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [make_audio(folder, f"{number}.mp3", seconds=3, tone_hz=300 + 50 * number)
            for number in range(1, episodes + 1)]
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    base = f"http://127.0.0.1:{server.server_port}"
    items = "".join(
        f"<item><title>Episode {number}</title><guid>ep-{number}</guid><description>About {number}</description>"
        f"<pubDate>{formatdate(1_700_000_000 + 86_400 * number, usegmt=True)}</pubDate>"
        f'<enclosure url="{base}/{path.name}" length="{path.stat().st_size}" type="audio/mpeg"/></item>'
        for number, path in enumerate(made, start=1))
    (folder / "feed.xml").write_text(
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>A show</title><link>{base}/</link>'
        f"<description>Talk &amp; more</description>{items}</channel></rss>", "utf-8")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield Feed(f"{base}/feed.xml", made[0].read_bytes())
    finally:
        server.shutdown()
        server.server_close()
