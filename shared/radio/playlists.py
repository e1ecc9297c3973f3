"""Find the stream behind a playlist file: M3U or PLS, as most stations hand out instead of their stream."""

from __future__ import annotations

import re
from urllib.parse import urljoin

from shared.model.download import Failure
from shared.model.units import Bytes
from shared.radio.icy import Stream

PLAYLIST_BYTES: Bytes = 64 * 1024
_KINDS = ("audio/x-mpegurl", "audio/mpegurl", "application/x-mpegurl", "application/vnd.apple.mpegurl",
          "application/mpegurl", "audio/x-scpls", "application/pls+xml", "application/pls", "audio/scpls")


def is_list(stream: Stream) -> bool:
    """Whether what answers is a list of streams and no stream: by its type, or by its name where that says nothing."""
    if stream.kind in _KINDS:
        return True
    ending = stream.url.partition("?")[0].lower().rpartition(".")[2]
    return ending in ("m3u", "m3u8", "pls") and not stream.kind.startswith("audio/")


def streams_in(content: bytes, base: str) -> list[str]:
    """The links of a playlist, in its order. Raises Failure when it names none, or is HLS."""
    text = content.decode("utf-8-sig", "replace")
    if "#EXT-X-" in text:
        raise Failure("unsupported", "This radio sends HLS, which is not passed on here. Most stations have an MP3 or "
                      "AAC stream as well.")
    if re.search(r"(?mi)^\s*\[playlist\]", text):
        found = [link for _, link in sorted(((int(number), link) for number, link in re.findall(
            r"(?mi)^\s*File(\d{1,4})\s*=\s*(\S+)\s*$", text)))]
    else:
        found = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    links = [urljoin(base, one) for one in found[:20]]
    if not links:
        raise Failure("not_audio", "This link leads to no radio.")
    return links
