"""Listen to a thing before it is fetched: its bytes streamed through, nothing kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from odst.deeds import direct, media, transfer
from odst.deeds.talk import Talk
from shared.model.download import Failure
from shared.outbound import Session

_MIMES = {"mp3": "audio/mpeg", "flac": "audio/flac", "opus": "audio/ogg", "vorbis": "audio/ogg", "wav": "audio/wav",
          "aiff": "audio/aiff", "m4a": "audio/mp4", "aac": "audio/aac", "mp4": "audio/mp4", "matroska": "audio/webm",
          "mpegts": "video/mp2t"}
_FORMAT = ("bestaudio[ext=m4a][protocol^=http][protocol!*=dash]/bestaudio[ext=mp3][protocol^=http]"
           "/bestaudio[protocol^=http][protocol!*=dash]/best[protocol^=http]/bestaudio/best")
_CHUNK = 64 * 1024


def warm() -> None:
    """See odst.fetch_process."""
    direct.warm()


def preview(job: Mapping[str, Any], talk: Talk) -> dict[str, Any]:
    """{"url", "site": a page for yt-dlp?, "cookies"?}: the stream's bytes go to `talk.data`, after its description
    {"mime", "size_bytes", "title", "artist", "duration_ms"} was said."""
    with direct_session(talk) as session:
        if not job.get("site"):
            kind, answer, head = transfer.look(session, job["url"])
            if kind not in ("html", "hls"):
                transfer._only_media(kind, answer, head)
                said = {"title": transfer.title_hint(job["url"], None), "artist": None, "duration_ms": None}
                return _pour(talk, answer, kind, head, said)
            answer.close()
        return _through_ytdlp(job, session, talk)


def direct_session(talk: Talk) -> Session:
    return talk.outbound.session(context=direct.tls())


def _through_ytdlp(job: Mapping[str, Any], session: Session, talk: Talk) -> dict[str, Any]:
    talk.say({"soon": "youtube"})       # the next one shall find it loaded
    from odst.deeds import youtube, ytdlp

    url = job["url"]
    with ytdlp.open_ytdlp(talk, cookies=job.get("cookies"), format=_FORMAT) as ydl:
        try:
            info = ydl.extract_info(url, download=False)
            while info and info.get("_type") in ("playlist", "multi_video"):
                info = next((one for one in info.get("entries") or () if one), None)
            if not info:
                raise Failure("not_audio", "There is nothing to hear at this link.")
        except Exception as error:      # whatever an extractor may raise
            failure = ytdlp.failure_of(error, talk, urlsplit(url).hostname or "the site")
            if failure is error:
                raise
            raise failure from error
        youtube._alive(info)
        said = ytdlp.said_of(info, source="youtube")
        chosen = youtube._chosen(info)
        if chosen.get("protocol") not in ("http", "https"):
            return _whole(job, talk, said)
        youtube.ready(chosen, talk)
        headers = {name: value for name, value in (chosen.get("http_headers") or {}).items()
                   if name.lower() not in ("accept-encoding", "range", "cookie")}
        cookie = ydl.cookiejar.get_cookie_header(chosen["url"])
        if cookie:
            headers["Cookie"] = cookie
        kind, answer, head = transfer.look(session, chosen["url"], headers)
        transfer._only_media(kind, answer, head)
    return _pour(talk, answer, kind, head, said)


def _whole(job: Mapping[str, Any], talk: Talk, said: Mapping[str, Any]) -> dict[str, Any]:
    """What comes in pieces no browser plays by itself is put together first."""
    from odst.deeds import youtube

    done = youtube.fetch({**job, "quality": "128"}, talk)
    path = talk.folder / done["file"]
    kind = {suffix: kind for kind, suffix in media.PLAIN.items()}.get(path.suffix, "unknown")
    _describe(talk, kind, said, path.stat().st_size)
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            _write(talk, part)
    return {}


def _pour(talk: Talk, answer: Any, kind: str, head: bytes, said: Mapping[str, Any]) -> dict[str, Any]:
    live = any(name.lower().startswith("icy-") for name in answer.headers)
    size = None if live else transfer._length(answer)
    _describe(talk, kind, said, size)
    _write(talk, head)
    for part in transfer._raw(answer):
        talk.pace(len(part))
        _write(talk, part)
    return {}


def _describe(talk: Talk, kind: str, said: Mapping[str, Any], size: int | None) -> None:
    if kind not in _MIMES:
        raise Failure("not_audio", "A browser cannot play this.")
    talk.say({"answer": {"mime": _MIMES[kind], "size_bytes": size, "title": said.get("title"),
                         "artist": said.get("artist"), "duration_ms": said.get("duration_ms")}})


def _write(talk: Talk, part: bytes) -> None:
    assert talk.data is not None
    view = memoryview(part)
    try:
        while view:
            view = view[os.write(talk.data, view):]
    except BrokenPipeError:
        os._exit(0)             # nobody listens any more
