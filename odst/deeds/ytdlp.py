"""yt-dlp, set up as it is needed here, and its errors in the station's words."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yt_dlp
import yt_dlp.extractor
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import GeoRestrictedError, UnavailableVideoError, UnsupportedError, YoutubeDLError

from odst.deeds.talk import Talk
from odst.deeds.transfer import LOCAL
from shared.model.download import Failure
from shared.outbound import causes, failure_of_status

RETRIES = 3
TIMEOUT_S = 20

# What its messages mean, the first that fits. Its extractors know no codes.
_MESSAGES = tuple((re.compile(pattern, re.IGNORECASE), code, told) for pattern, code, told in (
    (r"not a bot|unusual traffic|captcha|too many requests|rate.?limit", "rate_limited",
     "The site takes this station for a robot for now; cookies of a browser (setting download_cookies) may help."),
    (r"private (?:video|track|playlist|album)|(?:video|track|this) is private|is private\b", "private",
     "It is private."),
    (r"age.?restrict|confirm your age|inappropriate for some users|age.?gate|age verification", "age",
     "It is for adults only, and the site wants a login to prove it."),
    (r"not (?:made )?(?:this video )?available (?:in|from) your (?:country|location|region)|geo.?restrict"
     r"|not available in your|blocked (?:it )?in your country", "region", "It may not be heard in this country."),
    (r"\bDRM\b|widevine|drm.protected", "drm", "It is copy-protected (DRM) and cannot be fetched."),
    (r"live event|is live\b|premieres? (?:in|will)|is_upcoming|livestream|not currently live|is not yet available"
     r"|offline\.?$", "live", "It is a live stream, or has not begun yet."),
    (r"members?.only|join this channel|premium|subscribers? only|purchas|only available to paying|requires payment",
     "no_permission", "It is only for members or for those who pay."),
    (r"log.?in|sign in|registered users|authentication|account credentials|use --cookies|cookies", "needs_login",
     "The site wants a login for this; cookies of a browser (setting download_cookies) may help."),
    (r"has been (?:removed|deleted|terminated)|no longer (?:available|exists)|was removed|account.{0,40}terminated"
     r"|(?:video|content|track|this) (?:is )?(?:unavailable|not available|isn't available)|taken down|copyright",
     "removed", "It is not there any more."),
    (r"ffmpeg", "unsupported", "It is sent in a way that cannot be fetched here."),
    (r"unsupported url|no video formats|no media|requested format is not available|no formats|unable to extract"
     r" .*(?:video|audio|media) url", "not_audio", "There is nothing to hear at this link."),
    (r"does not exist|not found|no such", "not_found", "There is nothing at this link."),
    (r"timed out|timeout", "timed_out", "The site does not answer in time."),
    (r"refused|name resolution|unreachable|failed to resolve|getaddrinfo", "refused", "The site cannot be reached."),
    (r"reset|broken pipe|bytes read|more expected|incomplete|remote end closed|connection aborted|fragment",
     "connection_lost", "The connection to the site broke off."),
    (r"\bJSON\b|\bXML\b|unable to extract|unable to parse|unexpected", "garbage",
     "The site answers something that is not understood; a newer yt-dlp may help."),
))


class _Ear:
    """What yt-dlp says, into the download's log. Errors are raised anyway."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    def debug(self, message: str) -> None:
        if not message.startswith("[debug]"):
            self._talk.log("debug", plain(message))

    def info(self, message: str) -> None:
        self._talk.log("debug", plain(message))

    def warning(self, message: str) -> None:
        # ffmpeg is not missed: nothing is encoded or merged here. Pages without a name are what `direct` sends.
        if "ffmpeg" not in message and "Falling back on generic" not in message:
            self._talk.log("warning", plain(message))

    def error(self, message: str) -> None:
        self._talk.log("debug", plain(message))


def warm() -> None:
    """Compile what tells 1,750 sites apart, once, before processes are forked that would each do it (0.3 s)."""
    for extractor in yt_dlp.extractor.gen_extractor_classes():
        extractor.suitable("http://warm.invalid/")


def plain(message: str) -> str:
    """Without colours and the advice for the command line."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", message)
    return re.split(r"; please report this issue|\. Use --|See +https://github", text)[0].strip()


def open_ytdlp(talk: Talk, *, cookies: str | None = None, **more: Any) -> yt_dlp.YoutubeDL:
    """A YoutubeDL that asks, retries, waits and writes as the station wants it. `cookies`: a cookies.txt, of which a
    copy is used: yt-dlp writes to it."""
    copy: Path | None = None
    if cookies:
        copy = talk.temporary / "cookies.txt"
        try:
            shutil.copyfile(cookies, copy)
        except OSError as error:
            talk.log("warning", f"The cookies cannot be read ({error.strerror}); going on without.")
            copy = None
    options = {
        "quiet": True, "noprogress": True, "logger": _Ear(talk), "color": "never",
        "retries": RETRIES, "fragment_retries": RETRIES, "extractor_retries": 2, "file_access_retries": 1,
        "socket_timeout": TIMEOUT_S, "noplaylist": True, "cachedir": False, "ignoreerrors": False, "proxy": "",
        "usenetrc": False, "enable_file_urls": False, "cookiefile": str(copy) if copy else None,
        "paths": {"home": str(talk.folder), "temp": str(talk.folder)},
        "outtmpl": {"default": "media.%(ext)s"},    # a fixed name: a title could lead out of the folder
        "overwrites": True, "windowsfilenames": True, "continuedl": True, "hls_prefer_native": True,
        "external_downloader": {"default": "native"}, "ffmpeg_location": str(talk.temporary / "none"),
        "fixup": "never", "check_formats": None, "allow_unplayable_formats": False, "plugin_dirs": [],
        "http_headers": {}, "updatetime": False, "writethumbnail": False, "skip_unavailable_fragments": False,
        "concurrent_fragment_downloads": 1, "geo_bypass": False, "postprocessors": [],
        **more,
    }
    return yt_dlp.YoutubeDL(options)    # type: ignore[arg-type, unused-ignore]


def failure_of(error: BaseException, talk: Talk, host: str) -> Failure | BaseException:
    """`error` of yt-dlp as a Failure; as it is when it means this machine (disk, memory) or is unknown."""
    refused = talk.refused()
    if refused is not None:
        return refused
    chain = list(causes(error, _carried))
    for one in chain:
        if isinstance(one, Failure | MemoryError):
            return one
        if isinstance(one, OSError) and one.errno in LOCAL:
            return one
    text = plain(str(error)).removeprefix("ERROR: ")
    text = re.sub(r"^\[[^\]]+\] +(?:[^\s:]+: +)?", "", text)
    for one in chain:
        if isinstance(one, GeoRestrictedError):
            return Failure("region", "It may not be heard in this country.")
        if isinstance(one, UnsupportedError):
            return Failure("not_audio", f"There is nothing to hear on this page of {host}.")
    short = re.split(r" *\(caused by |(?:^|: )HTTPS?Connection", text)[0]     # the log has it all
    told = short[:200].rstrip(".") or type(error).__name__
    for pattern, code, sentence in _MESSAGES[:8]:       # a site's own words say more than the status it sends
        if pattern.search(text):
            return Failure(code, f"{sentence} ({host}: {told})")
    for one in chain:
        if isinstance(one, HTTPError):
            failure = failure_of_status(one.status, one.response.headers, host)
            if failure is not None:
                return failure
    for one in chain:
        if isinstance(one, TimeoutError):
            return Failure("timed_out", f"{host} does not answer in time.")
        if isinstance(one, ConnectionRefusedError):
            return Failure("refused", f"{host} refuses the connection.")
    for pattern, code, sentence in _MESSAGES[8:]:
        if pattern.search(text):
            return Failure(code, sentence.replace("The site", host, 1).replace("the site", host, 1))
    if any(isinstance(one, UnavailableVideoError) for one in chain):
        return Failure("connection_lost", f"It could not be fetched from {host}: {told}.")
    if any(isinstance(one, YoutubeDLError) for one in chain):
        return Failure("garbage", f"{host} answers something that is not understood: {told}.")
    return error


def _carried(error: BaseException) -> tuple[Any, ...]:
    """What an error of yt-dlp's holds of others."""
    told = getattr(error, "exc_info", None)
    return (getattr(error, "cause", None), getattr(error, "orig_error", None),
            told[1] if isinstance(told, tuple) and len(told) > 1 else None)


# ---- what it says of a thing -------------------------------------------------------------------------------------

_NOISE = re.compile(
    r"""\s*[(\[{|]\s*(?:the\s+)?(?:official\s*)?(?:(?:hd|hq|4k|uhd|full\s*hd|1080p|720p)|(?:(?:music|lyrics?|audio|
        visuali[sz]er|video|promo|album)\s*)+(?:video|clip|audio|visuali[sz]er|hd|hq|4k)?|official|m/?v|
        (?:with\s+)?lyrics?|visuali[sz]er|video\s*clip|clip\s*officiel|videoclip\s*oficial|audio)\s*
        (?:hd|hq|4k)?\s*[)\]}]?(?=$|\s|[(\[])""", re.IGNORECASE | re.VERBOSE)


def clean_title(title: str) -> str:
    """Without "(Official Video)" and the like; what tells recordings apart (live, remix …) stays."""
    cleaned = _NOISE.sub("", title).strip(" -–—|")
    return cleaned or title


def said_of(info: Mapping[str, Any], *, source: str) -> dict[str, Any]:
    """What a site says of one thing, as the fields of a Wanted."""
    uploader = _word(info.get("channel") or info.get("uploader") or info.get("creator"))
    if uploader and info.get("extractor_key") == "Generic" and uploader in str(info.get("webpage_url")):
        uploader = None                 # only the host's name
    topic = bool(uploader and uploader.endswith(" - Topic"))
    artists = [name for name in map(_word, _list(info.get("artists")) or _list(info.get("artist"))) if name]
    if not artists and info.get("creators"):
        artists = [name for name in map(_word, _list(info.get("creators"))) if name]
    title = _word(info.get("track")) or clean_title(_word(info.get("title")) or "") or None
    if not artists and topic and uploader:
        artists = [uploader.removesuffix(" - Topic")]
    if not artists and title and not info.get("track"):
        before, dash, after = re.sub(r"\s+[–—]\s+", " - ", title).partition(" - ")
        if dash and before.strip() and after.strip():
            artists, title = [before.strip()], after.strip()
        elif uploader:
            artists = [re.sub(r"(?:VEVO|\s*Official)$", "", uploader).strip() or uploader]
    duration = info.get("duration")
    date = info.get("release_date") or info.get("release_year") or None
    return {
        "title": title, "artist": ", ".join(artists) or None, "artists": artists, "album": _word(info.get("album")),
        "album_artist": _word(", ".join(map(str, _list(info.get("album_artists")))) or info.get("album_artist")),
        "track_number": info.get("track_number"), "disc_number": info.get("disc_number"),
        "date": _date(date), "genres": [name for name in map(_word, _list(info.get("genres") or info.get("genre")))
                                        if name][:10],
        "duration_ms": round(duration * 1000) if isinstance(duration, int | float) else None,
        "cover_url": picture_of(info), "source": source, "source_url": info.get("webpage_url") or info.get("url"),
        "source_id": _word(info.get("id")), "isrc": _word(info.get("isrc")),
    }


def picture_of(info: Mapping[str, Any]) -> str | None:
    """The link of the best picture of a thing; JPEG before others, square before wide."""
    def worth(one: Mapping[str, Any]) -> tuple[bool, bool, float]:
        width, height = one.get("width") or 0, one.get("height") or 0
        return width > 0 and width == height, ".webp" not in str(one.get("url")), width * height

    pictures = [one for one in _list(info.get("thumbnails")) if isinstance(one, dict) and
                str(one.get("url", "")).startswith(("http://", "https://"))]
    if pictures and any(one.get("width") for one in pictures):
        return str(max(pictures, key=worth)["url"])
    found = info.get("thumbnail") or (pictures[-1]["url"] if pictures else None)
    return str(found) if found and str(found).startswith(("http://", "https://")) else None


def _word(value: Any) -> str | None:
    return (" ".join(str(value).split())[:500] or None) if value is not None and not isinstance(value, dict) else None


def _list(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _date(value: Any) -> str | None:
    text = str(value or "")
    if re.fullmatch(r"\d{8}", text):
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return text if re.fullmatch(r"\d{4}(?:-\d\d(?:-\d\d)?)?", text) else None
