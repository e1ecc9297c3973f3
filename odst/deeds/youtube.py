"""Ask and fetch through yt-dlp: YouTube, YouTube Music, SoundCloud, Bandcamp, the Internet Archive, pages with audio …

yt-dlp says what there is and where its bytes lie. Plain files are brought by odst.deeds.transfer, which resumes only
what is certain to be the same; HLS and other streams by yt-dlp's own downloaders.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import av  # noqa: F401  (here, so that the warm process has it loaded: nearly every job of this kind needs it)
import yt_dlp.extractor
from yt_dlp.utils import YoutubeDLError

from odst.deeds import media, transfer, ytdlp
from odst.deeds.direct import tls
from odst.deeds.talk import Talk
from shared.model.download import Failure
from shared.model.units import MIB
from shared.outbound import read_bytes

PICTURE_BYTES = 10 * MIB
MOST_PATIENCE_S = 60.0
_LOSSLESS = "bestaudio[acodec=flac]/bestaudio[acodec=alac]/bestaudio[ext=flac]/bestaudio[ext=wav]/bestaudio[ext=aiff]/"
#: quality → which format of a thing; nothing is encoded anew here
FORMATS: Mapping[str, str] = {
    "lossless": _LOSSLESS + "bestaudio[acodec=opus]/bestaudio/best",
    "320": "bestaudio[acodec=opus]/bestaudio/best",
    "192": "bestaudio[acodec=opus][abr<=200]/bestaudio[abr<=224]/bestaudio[acodec=opus]/bestaudio/best",
    "128": "bestaudio[acodec=opus][abr<=140]/bestaudio[abr<=140]/bestaudio[acodec=opus]/bestaudio/best",
    "smallest": "worstaudio[acodec=opus][abr>=45]/worstaudio[abr>=60]/worstaudio/worst",
}


def warm() -> None:
    """See odst.fetch_process: done once, before the first of these jobs is forked."""
    ytdlp.warm()


def warm_pages() -> None:
    """Load all that yt-dlp tries on an unknown page: 0.5 s and 70 MB, which each child would need by itself."""
    ytdlp.warm()
    for extractor in yt_dlp.extractor.gen_extractor_classes():
        getattr(extractor, "real_class", None)


def resolve(job: Mapping[str, Any], talk: Talk) -> dict[str, Any]:
    """{"url", "limit", "cookies"?, "source"?} → {"offer": what it leads to}."""
    url, source = job["url"], job.get("source", "youtube")
    info = _ask(talk, url, job.get("cookies"), extract_flat="in_playlist", playlistend=job["limit"])
    if info.get("_type") in ("playlist", "multi_video"):
        return {"offer": _playlist(info, url, source, job["limit"])}
    _alive(info)
    _not_itself(info, url, job)
    said = ytdlp.said_of(info, source=source)
    said["fetch_url"] = url if info.get("extractor_key") == "Generic" else info.get("webpage_url") or url
    said["source_url"] = said["fetch_url"]
    return {"offer": {**_offer(said, "track"), "tracks": [said]}}


def search(job: Mapping[str, Any], talk: Talk) -> dict[str, Any]:
    """{"words", "limit", "cookies"?} → {"candidates": […]}, YouTube Music's songs first."""
    words, limit = " ".join(job["words"].split())[:200], job["limit"]
    _hear_more()
    found: dict[str, dict[str, Any]] = {}
    failure: BaseException | None = None
    asked = 0
    for kind, url in (("songs", f"https://music.youtube.com/search?q={quote(words)}#songs"),
                      ("videos", f"ytsearch{limit}:{words}")):
        try:
            info = _ask(talk, url, job.get("cookies"), extract_flat=True, playlistend=limit)
        except (Failure, YoutubeDLError) as error:
            failure = failure or error
            talk.log("debug", f"searching {kind}: {error}")
            continue
        asked += 1
        for place, entry in enumerate(info.get("entries") or ()):
            one = candidate_of(entry, kind, place) if entry else None
            if one is not None:
                kept = found.setdefault(one["locator"]["key"], one)
                for name in ("duration_ms", "artist", "album", "explicit"):
                    kept[name] = kept[name] or one[name]
                kept["extra"] = {**one["extra"], **kept["extra"]}
    if not asked and failure is not None:
        raise failure
    return {"candidates": [one for one in found.values() if one["duration_ms"]][:limit]}


def _hear_more() -> None:
    """Have yt-dlp keep what YouTube Music's rows say beside the title. It drops artist, album and length there, and a
    title alone tells no recording. Without them, should its insides change, a row is no candidate."""
    from yt_dlp.extractor.youtube._tab import YoutubeTabBaseInfoExtractor as Rows

    plain = getattr(Rows, "_music_reponsive_list_entry", None)
    if plain is None or getattr(plain, "hears_more", False):
        return

    def entry(self: Any, renderer: Any) -> Any:
        found = plain(self, renderer)
        with contextlib.suppress(Exception):    # an extra: never in the way
            if found and found.get("ie_key") == "Youtube":
                found.update(song_of(renderer))
        return found

    entry.hears_more = True     # type: ignore[attr-defined]
    Rows._music_reponsive_list_entry = entry


def song_of(renderer: Mapping[str, Any]) -> dict[str, Any]:
    """Artists, album, length (s) and whether it is explicit, of a row of YouTube Music (musicResponsiveListItem-
    Renderer): texts "Artist", " & ", "Artist", " • ", "Album", " • ", "3:21", most with the kind of page behind."""
    artists: list[str] = []
    said: dict[str, Any] = {}
    loose: list[str] = []
    columns = [*(renderer.get("flexColumns") or ())[1:], *(renderer.get("fixedColumns") or ())]
    for column in columns:
        inner: Mapping[str, Any] = next(iter(column.values()), {})
        for run in (inner.get("text") or {}).get("runs") or ():
            text = str(run.get("text") or "").strip()
            browse = ((run.get("navigationEndpoint") or {}).get("browseEndpoint") or {})
            page = str(((browse.get("browseEndpointContextSupportedConfigs") or {}).get(
                "browseEndpointContextMusicConfig") or {}).get("pageType") or "")
            if "ARTIST" in page or "USER_CHANNEL" in page:
                artists.append(text)
            elif "ALBUM" in page:
                said["album"] = text
            elif re.fullmatch(r"\d{1,2}(?::\d\d){1,2}", text):
                seconds = 0
                for part in text.split(":"):
                    seconds = seconds * 60 + int(part)
                said["duration"] = seconds
            elif len(text) > 1 and text not in ("Song", "Video"):
                loose.append(text)
    if artists or loose:
        said["artists"] = artists or loose[:1]
    if any("EXPLICIT" in str(badge) for badge in renderer.get("badges") or ()):
        said["explicit"] = True
    return said


def candidate_of(entry: Mapping[str, Any], kind: str, place: int) -> dict[str, Any] | None:
    """A search result as a Candidate's fields; None for what is no single, finished recording."""
    identity = str(entry.get("id") or "")
    if not re.fullmatch(r"[A-Za-z0-9_-]{11}", identity):
        return None
    if entry.get("live_status") in ("is_live", "is_upcoming", "post_live") or not entry.get("title"):
        return None
    uploader = str(entry.get("channel") or entry.get("uploader") or "")
    said = ytdlp.said_of(entry, source="youtube")
    extra: dict[str, Any] = {"uploader": uploader[:200], "place": place, "kind": kind,
                             "topic": uploader.endswith(" - Topic"), "whole_title": str(entry["title"])[:500]}
    views = entry.get("view_count")
    if isinstance(views, int | float):
        extra["views"] = int(views)
    if entry.get("channel_is_verified"):
        extra["verified"] = True
    return {"locator": {"key": identity, "url": f"https://www.youtube.com/watch?v={identity}"},
            "title": said["title"] or entry["title"], "artist": said["artist"] or "", "album": said["album"],
            "duration_ms": said["duration_ms"], "explicit": entry.get("explicit"), "extra": extra}


def fetch(job: Mapping[str, Any], talk: Talk) -> dict[str, Any]:
    """{"url", "quality", "cookies"?, "source"?} → {"file", "said", "format_note", "cover"}; files by name, in the
    staging folder."""
    url = job["url"]
    host = urlsplit(url).hostname or "the site"
    with _ytdlp(talk, job.get("cookies"), format=FORMATS.get(job.get("quality", ""), FORMATS["lossless"]),
                progress_hooks=[_Hook(talk)]) as ydl:
        try:
            info = ydl.extract_info(url, download=False)
            if info and info.get("_type") in ("playlist", "multi_video"):
                entries = [one for one in list(info.get("entries") or ())[:2] if one]
                if len(entries) != 1:
                    raise Failure("not_audio", "There is nothing to hear at this link." if not entries else
                                  "The link leads to several recordings, not to one.")
                info = entries[0]
            if not info:
                raise Failure("not_audio", "There is nothing to hear at this link.")
            _alive(info)
            _not_itself(info, url, job)
            chosen = _chosen(info)
            key = f"{info.get('extractor_key')}:{info.get('id')}:{chosen.get('format_id')}"
            talk.log("info", f"Format: {chosen.get('format') or chosen.get('ext')}")
            ready(chosen, talk)
            if chosen.get("protocol") in ("http", "https") and not chosen.get("request_data"):
                path, note = _bring(ydl, chosen, key, talk)
            else:
                path, note = _stream(ydl, info, chosen, key, talk)
        except Exception as error:      # whatever an extractor may raise
            failure = ytdlp.failure_of(error, talk, host)
            if failure is error:
                raise
            raise failure from error
    said = ytdlp.said_of(info, source=job.get("source", "youtube"))
    return {"file": path.name, "said": said, "format_note": _note(chosen, note),
            "cover": fetch_cover(said.get("cover_url"), talk)}


def fetch_cover(url: str | None, talk: Talk) -> str | None:
    """The picture as a file in the staging folder: its name; None when there is none to be had."""
    if not url:
        return None
    with contextlib.suppress(Failure), talk.outbound.session(timeout_s=(4.0, 8.0), context=tls()) as session:
        answer = session.get(url)
        if answer.status_code != 200:
            answer.close()
            return None
        content = read_bytes(answer, PICTURE_BYTES, limit_s=20.0)
        for start, suffix in ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG", ".png"), (b"RIFF", ".webp"), (b"GIF8", ".gif")):
            if content.startswith(start):
                (talk.folder / f"cover{suffix}").write_bytes(content)
                return f"cover{suffix}"
    return None


# ---- inside ------------------------------------------------------------------------------------------------------


class _Hook:
    """yt-dlp's word on how far it is; also where it is held back and where it is stopped."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._before = 0

    def __call__(self, status: Mapping[str, Any]) -> None:
        if status.get("status") != "downloading":
            return
        have = int(status.get("downloaded_bytes") or 0)
        total = status.get("total_bytes") or status.get("total_bytes_estimate")
        if have > self._talk.limit_bytes:
            raise Failure("too_large", "It is larger than one download may be.")
        self._talk.report(have, int(total) if total else None)
        self._talk.pace(max(0, have - self._before))
        self._before = have


def _ytdlp(talk: Talk, cookies: str | None, **more: Any) -> Any:
    return ytdlp.open_ytdlp(talk, cookies=cookies, **more)


def _ask(talk: Talk, url: str, cookies: str | None, **more: Any) -> dict[str, Any]:
    with _ytdlp(talk, cookies, **more) as ydl:
        try:
            info = ydl.extract_info(url, download=False)
            if not info:
                raise Failure("not_audio", "There is nothing to hear at this link.")
            if info.get("_type") in ("playlist", "multi_video"):
                info["entries"] = [one for one in info.get("entries") or () if one]
            return dict(info)
        except Exception as error:      # whatever an extractor may raise
            failure = ytdlp.failure_of(error, talk, urlsplit(url).hostname or "YouTube")
            if failure is error:
                raise
            raise failure from error


def _alive(info: Mapping[str, Any]) -> None:
    if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming", "post_live"):
        raise Failure("live", "It is a live stream, or has not begun yet.")


def _not_itself(info: Mapping[str, Any], url: str, job: Mapping[str, Any]) -> None:
    """A page that is called .mp3 is believed by yt-dlp; but `direct` has seen what it is."""
    if job.get("source") == "direct" and info.get("direct") and info.get("url") == url \
            and info.get("protocol") in ("http", "https"):
        raise Failure("not_audio", "The link leads to a page with nothing to hear on it, whatever it is called.")


def _chosen(info: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one format that was picked. Silent non-results are none of them."""
    formats = info.get("requested_formats")
    if formats:
        with_sound = [one for one in formats if one.get("acodec") != "none"]
        return dict(with_sound[0] if with_sound else formats[0])
    if not info.get("url"):
        raise Failure("not_audio", "There is nothing to hear at this link.")
    return info


def ready(chosen: Mapping[str, Any], talk: Talk) -> None:
    """Wait until the link is good: YouTube's are refused for the first seconds (the time of an advertisement)."""
    at = chosen.get("available_at")
    left = min(float(at) - time.time(), MOST_PATIENCE_S) if isinstance(at, int | float) else 0.0
    if left > 0:
        talk.log("info", f"The site gives it in {left:.0f} s.")
        time.sleep(left)


def _bring(ydl: Any, chosen: Mapping[str, Any], key: str, talk: Talk) -> tuple[Path, str | None]:
    """A plain file."""
    headers = {name: value for name, value in (chosen.get("http_headers") or {}).items()
               if name.lower() not in ("accept-encoding", "range", "if-range", "cookie")}
    cookie = ydl.cookiejar.get_cookie_header(chosen["url"])
    if cookie:
        headers["Cookie"] = cookie
    piece = (chosen.get("downloader_options") or {}).get("http_chunk_size")
    with talk.outbound.session(context=tls()) as session:
        try:
            brought = transfer.bring(session, chosen["url"], talk, key=key, headers=headers, chunk_bytes=piece)
        except transfer.Leads as leads:
            leads.answer.close()
            raise Failure("not_audio", "The link leads to a page, and that to nothing that can be heard.") from None
        except Failure as failure:
            # Its extractor was let in: such links run out, and the next try asks for a new one.
            if failure.code == "no_permission" and chosen.get("extractor_key") != "Generic":
                failure.retryable = True
            raise
    return media.settle(brought.path, brought.kind)


def _stream(ydl: Any, info: dict[str, Any], chosen: Mapping[str, Any], key: str, talk: Talk
            ) -> tuple[Path, str | None]:
    """HLS, DASH and others, by yt-dlp's own downloaders."""
    print_of = _manifest(chosen, talk) if str(chosen.get("protocol", "")).startswith("m3u8") else None
    source = transfer.Source(key, etag=print_of)
    if print_of is None or transfer.read_note(talk.folder) != source:
        transfer.forget(talk.folder)
        transfer.write_note(talk.folder, source)
    done = ydl.process_ie_result(info, download=True)
    files = [one.get("filepath") for one in (done or {}).get("requested_downloads") or ()]
    path = Path(files[0]) if files and files[0] else None
    if path is None or path.resolve().parent != talk.folder.resolve() or not path.is_file():
        raise Failure("not_audio", "Nothing came of it.")       # it raises nothing when a filter refuses
    size = path.stat().st_size
    if size < transfer.SMALLEST_BYTES:
        raise Failure("empty" if not size else "not_audio", f"Only {size} bytes came; that is no music.")
    if size > talk.limit_bytes:
        raise Failure("too_large", "It is larger than one download may be.")
    talk.report(size, size, now=True)
    whole = path.rename(talk.folder / "media.whole")
    with whole.open("rb") as file:
        kind = media.kind_of(file.read(transfer.HEAD_BYTES))
    return media.settle(whole, kind, joined=True)


def _manifest(chosen: Mapping[str, Any], talk: Talk) -> str:
    """What tells an HLS playlist from another of the same name. Raises Failure live."""
    headers = {name: value for name, value in (chosen.get("http_headers") or {}).items()}
    with talk.outbound.session(context=tls()) as session:
        text = read_bytes(session.get(chosen["url"], headers=headers), 8 * MIB).decode("utf-8", "replace")
    if "#EXT-X-STREAM-INF" not in text and "#EXT-X-ENDLIST" not in text:
        raise Failure("live", "It is a live stream; that has no end to wait for.")
    lines = [re.sub(r"\?.*", "", line) for line in text.splitlines()]       # signatures change, the parts do not
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _note(chosen: Mapping[str, Any], note: str | None) -> str | None:
    codec = str(chosen.get("acodec") or "").partition(".")[0]
    rate = chosen.get("abr")
    if codec and codec != "none":
        return {"mp4a": "aac"}.get(codec, codec) + (f" {round(rate)} kbit/s" if rate else "")
    return note


def _playlist(info: Mapping[str, Any], url: str, source: str, limit: int) -> dict[str, Any]:
    album = re.sub(r"^Album - ", "", str(info.get("title") or "")) if _is_album(info) else None
    tracks = []
    for number, entry in enumerate(info["entries"][:limit], 1):
        if entry.get("live_status") in ("is_live", "is_upcoming"):
            continue
        said = ytdlp.said_of(entry, source=source)
        link = entry.get("webpage_url") if entry.get("_type") not in ("url", "url_transparent") else entry.get("url")
        link = link or entry.get("url") or entry.get("webpage_url")
        if entry.get("extractor_key") == "Generic" or link == url:
            link = entry.get("url") or next((one.get("url") for one in entry.get("formats") or ()), None) or link
        if not link or not str(link).startswith(("http://", "https://")):
            continue
        said["fetch_url"], said["source_url"] = link, said["source_url"] if said["source_url"] != url else link
        if album:
            said["album"] = said["album"] or album
            said["track_number"] = said["track_number"] or number
            said["track_total"] = len(info["entries"])
        tracks.append(said)
    if not tracks:
        raise Failure("not_audio", "There is nothing to hear at this link.")
    head = ytdlp.said_of({**info, "title": None, "track": info.get("title")}, source=source)
    kind = "album" if album else "playlist"
    if album and not head["artist"] and len({one["artist"] for one in tracks}) == 1:
        head["artist"] = tracks[0]["artist"]
    return {**_offer({**head, "title": album or info.get("title"), "fetch_url": info.get("webpage_url") or url}, kind),
            "track_count": len(tracks), "tracks": tracks}


def _is_album(info: Mapping[str, Any]) -> bool:
    return "album" in str(info.get("extractor_key", "")).lower() or str(info.get("id", "")).startswith("OLAK5uy_")


def _offer(said: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {"kind": kind, "source": said["source"], "id": said.get("source_id") or said["fetch_url"],
            "title": said.get("title") or said["fetch_url"], "url": said["fetch_url"], "artist": said.get("artist"),
            "album": said.get("album"), "date": said.get("date"), "duration_ms": said.get("duration_ms"),
            "cover_url": said.get("cover_url"), "isrc": said.get("isrc")}
