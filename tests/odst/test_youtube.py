"""The real yt-dlp, in real children: pages, HLS, choice of format, and what its errors mean."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yt_dlp
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError, UnsupportedError

from odst.deeds import transfer, youtube, ytdlp
from odst.nursery import Nursery
from odst.providers.direct import Direct
from odst.providers.youtube import YouTube, key_of
from shared.model.download import Cancelled, Candidate, Failure, Options, Wanted
from tests.builders import make_picture
from tests.media_server import MediaServer, audio
from tests.odst.test_direct import Fetching, bring, candidate, failing, left
from tests.odst.test_nursery import running, settings


@pytest.fixture(scope="module")
def server() -> Iterator[MediaServer]:
    with MediaServer() as one:
        one.add_usual()
        yield one


@pytest.fixture(scope="module")
def nursery(server: MediaServer) -> Iterator[Nursery]:
    one = Nursery(settings=settings(), allowed=[server.allow])
    yield one
    one.stop()


@pytest.fixture
def site(nursery: Nursery) -> YouTube:
    return YouTube(nursery=nursery, settings=settings())


@pytest.fixture
def direct(nursery: Nursery) -> Direct:
    return Direct(nursery=nursery, settings=settings())


# ---- pages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "title"), [("page.html", "The Page's Song"), ("jsonld.html", "Linked")])
def test_a_page_gives_what_is_to_be_heard_on_it(direct: Direct, server: MediaServer, tmp_path: Path, path: str,
                                               title: str) -> None:
    fetched, content = bring(direct, server.url(path), tmp_path)
    assert Path(fetched.path).name == "media.mp3"
    assert content == audio(tags={"title": "A Song", "artist": "The Builders", "album": "Served"})
    assert (fetched.said.title, fetched.said.source) == (title, "direct")
    assert fetched.said.artist is None      # a host's name is nobody's


def test_a_page_resolves_to_its_track_and_the_track_can_be_fetched(direct: Direct, server: MediaServer, tmp_path: Path
                                                                  ) -> None:
    offer = direct.resolve(server.url("page.html"))
    assert (offer.kind, offer.title, len(offer.tracks)) == ("track", "The Page's Song", 1)
    found = direct.find(offer.tracks[0], Options(), limit=3)
    fetched = direct.fetch(found[0], Fetching(tmp_path))
    assert Path(fetched.path).stat().st_size > 10_000


def test_a_page_with_several_resolves_to_all_of_them(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    offer = direct.resolve(server.url("elements.html"))
    assert (offer.kind, offer.track_count) == ("playlist", 2)
    assert [one.fetch_url for one in offer.tracks] == [server.url("song.mp3"), server.url("song.flac")]
    assert failing(direct, server.url("elements.html"), tmp_path).code == "not_audio"


def test_a_page_with_nothing_to_hear_is_not_audio(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    failure = failing(direct, server.url("nothing.html"), tmp_path)
    assert (failure.code, failure.retryable) == ("not_audio", False)
    with pytest.raises(Failure) as caught:
        direct.resolve(server.url("nothing.html"))
    assert caught.value.code == "not_audio"
    assert [name for name in left(tmp_path) if name != "source.json"] == []


def test_a_page_whose_audio_is_gone_says_so(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    server.add_page("stale.html", og_audio=server.url("nowhere.mp3"))
    assert failing(direct, server.url("stale.html"), tmp_path).code == "not_found"


def test_a_page_whose_audio_is_a_page_is_not_audio(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    server.add_page("round.html", og_audio=server.url("nothing.html"))
    assert failing(direct, server.url("round.html"), tmp_path).code == "not_audio"


def test_audio_behind_a_page_is_gone_on_with_and_never_spliced(direct: Direct, server: MediaServer, tmp_path: Path
                                                              ) -> None:
    """The trap of yt-dlp's own downloader: an old part is completed with the new file's rest, silently."""
    first, then = audio(seconds=20.0), audio(seconds=20.0, tone_hz=880.0)
    server.add("behind.mp3", first, slow=300_000)
    server.add_page("behind.html", og_audio=server.url("behind.mp3"))
    for change in (None, then):
        with pytest.raises(Cancelled):
            direct.fetch(candidate(server.url("behind.html")), Fetching(tmp_path, stop_at=50_000))
        have = (tmp_path / "media.part").stat().st_size
        server.change("behind.mp3", change, slow=None)
        assert bring(direct, server.url("behind.html"), tmp_path)[1] == (change or first)
        if change is None:
            assert server.asked("behind.mp3")[-1].headers["range"] == f"bytes={have}-"
        (tmp_path / "media.mp3").unlink()
        (tmp_path / "source.json").unlink()
        server.change("behind.mp3", first, slow=300_000)


def test_the_picture_of_a_page_comes_along(site: YouTube, server: MediaServer, tmp_path: Path) -> None:
    server.add("pictured.html", (
        '<!doctype html><html><head><meta property="og:title" content="With Picture">'
        f'<meta property="og:image" content="{server.url("cover.jpg")}">'
        f'<meta property="og:audio" content="{server.url("song.mp3")}"></head></html>').encode())
    fetched = site.fetch(Candidate(provider="youtube", locator={"url": server.url("pictured.html")}, title="",
                                   artist=""), Fetching(tmp_path))
    assert fetched.cover is not None and Path(fetched.cover).read_bytes() == make_picture()
    assert fetched.said.source == "youtube"


def test_a_picture_that_is_none_or_lies_inside_is_left(site: YouTube, server: MediaServer, tmp_path: Path) -> None:
    pictures = (server.url("nothing.html"), "http://169.254.169.254/x.jpg", server.url("broken"))
    for number, picture in enumerate(pictures):
        server.add(f"unpictured{number}.html", (
            f'<html><head><meta property="og:title" content="x"><meta property="og:image" content="{picture}">'
            f'<meta property="og:audio" content="{server.url("song.mp3")}"></head></html>').encode(), mime="text/html")
        folder = tmp_path / str(number)
        folder.mkdir()
        fetched = site.fetch(Candidate(provider="youtube", locator={"url": server.url(f"unpictured{number}.html")},
                                       title="", artist=""), Fetching(folder))
        assert fetched.cover is None and fetched.path.endswith("media.mp3")


def test_a_title_that_climbs_stays_a_title(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    staging = tmp_path / "a" / "staging"
    staging.mkdir(parents=True)
    for number, title in enumerate(("..", "../../up", "x" * 300, "🎵" * 80, "a/b\\c:d*e?", "CON", "-rf")):
        server.add_page(f"title{number}.html", title=title, og_audio=server.url("song.mp3"))
        fetched, _ = bring(direct, server.url(f"title{number}.html"), staging)
        assert Path(fetched.path).name == "media.mp3"
    assert left(tmp_path) == ["a"] and left(tmp_path / "a") == ["staging"]
    assert left(staging) == ["media.mp3", "source.json"]


# ---- HLS ---------------------------------------------------------------------------------------------------------


def test_hls_becomes_one_m4a_as_long_as_it_should_be(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    import av

    fetched, _ = bring(direct, server.url("hls/index.m3u8"), tmp_path)
    assert Path(fetched.path).name == "media.m4a"
    with av.open(fetched.path) as made:
        assert made.streams.audio[0].codec_context.name == "aac" and not made.streams.video
        assert 5.5 < (made.duration or 0) / 1_000_000 < 6.6
    assert left(tmp_path) == ["media.m4a", "source.json"]


def test_hls_with_a_key_that_is_none_fails_at_once(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    """What yt-dlp does not call an error of its own ends the work as well, and does not keep a processor busy."""
    server.add_hls("locked")
    url = server.add("locked/index.m3u8", (
        b'#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXT-X-KEY:METHOD=AES-128,URI="data:;base64,SUQz"\n'
        b"#EXTINF:2,\n0.ts\n#EXT-X-ENDLIST\n"))
    failure = failing(direct, url, tmp_path, limit_s=20.0)
    assert (failure.code, failure.retryable) == ("internal", False)


def test_hls_that_never_ends_is_live(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    assert failing(direct, server.url("live/index.m3u8"), tmp_path).code == "live"
    assert server.asked("live/0.ts") == []


def test_hls_goes_on_after_the_last_whole_piece(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    link = server.add_hls("long", seconds=20.0, parts=10)
    last = server.url("long/9.ts")
    server.change("long/9.ts", hang=True)
    fetching = Fetching(tmp_path)
    thread_outcome: list[BaseException | None] = []

    def run() -> None:
        try:
            direct.fetch(candidate(link), fetching)
        except BaseException as error:
            thread_outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    until = time.monotonic() + 30
    while not server.asked("long/9.ts") and time.monotonic() < until:
        time.sleep(0.02)
    fetching.stopped.set()
    thread.join(30)
    assert isinstance(thread_outcome[0], Cancelled), last
    server.change("long/9.ts", hang=False)
    server.forget()
    fetched, _ = bring(direct, link, tmp_path)
    assert len(server.asked("long/0.ts")) == 0 and len(server.asked("long/9.ts")) == 1
    import av

    with av.open(fetched.path) as made:
        assert (made.duration or 0) > 19_000_000


def test_hls_that_has_changed_begins_anew(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    link = server.add_hls("other", seconds=10.0, parts=5)
    text = server._things["other/index.m3u8"].content
    (tmp_path / "media.mp4.part").write_bytes(b"x" * 5000)
    (tmp_path / "media.mp4.ytdl").write_text(json.dumps({"downloader": {"current_fragment": {"index": 3}}}))
    transfer.write_note(tmp_path, transfer.Source("Generic:index:0", etag="another"))
    bring(direct, link, tmp_path)
    assert len(server.asked("other/0.ts")) == 1 and text.startswith(b"#EXTM3U")


def test_hls_with_a_piece_that_is_gone_is_no_whole_thing(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    link = server.add_hls("holes", seconds=6.0, parts=3)
    server.change("holes/1.ts", status=404)
    failure = failing(direct, link, tmp_path)
    assert failure.code in ("not_found", "connection_lost")
    assert not (tmp_path / "media.m4a").exists()


def test_cancelling_hls_leaves_no_process(direct: Direct, nursery: Nursery, server: MediaServer, tmp_path: Path
                                          ) -> None:
    link = server.add_hls("slowly", seconds=20.0, parts=10, slow=10_000)
    fetching, seen = Fetching(tmp_path), []

    def report(progress: Any) -> None:
        seen.extend(run.child.pid for run in nursery._running)      # type: ignore[attr-defined]
        fetching.stopped.set()

    fetching.report = report        # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        direct.fetch(candidate(link), fetching)
    assert seen and not [pid for pid in seen if running(pid)]


def test_hls_is_bounded_in_size(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    link = server.add_hls("wide", seconds=20.0, parts=10)
    assert failing(direct, link, tmp_path, limit_bytes=100_000).code == "too_large"


# ---- the child's own ways ----------------------------------------------------------------------------------------


def test_cookies_are_sent_and_the_persons_file_is_not_written_to(server: MediaServer, nursery: Nursery, tmp_path: Path
                                                                 ) -> None:
    jar = tmp_path / "cookies.txt"
    jar.write_text(f"# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t{int(time.time()) + 9999}\tid\tme\n")
    before = jar.read_bytes(), jar.stat().st_mtime_ns
    server.add("set.html", server._things["page.html"].content, mime="text/html",
               headers={"Set-Cookie": "more=1; Max-Age=9999"})
    staging = tmp_path / "staging"
    staging.mkdir()
    one = YouTube(nursery=nursery, settings=settings(download_cookies=jar))
    one.fetch(Candidate(provider="youtube", locator={"url": server.url("set.html")}, title="", artist=""),
              Fetching(staging))
    assert any("id=me" in asked.headers.get("cookie", "") for asked in server.asked("set.html"))
    assert (jar.read_bytes(), jar.stat().st_mtime_ns) == before
    assert "cookies.txt" not in str(list(staging.rglob("*")))


def test_the_preview_streams_a_file_and_what_is_behind_a_page(nursery: Nursery, server: MediaServer) -> None:
    content = audio(tags={"title": "A Song", "artist": "The Builders", "album": "Served"})
    for path, title in (("song.mp3", "song"), ("page.html", "The Page's Song")):
        with nursery.open({"deed": "preview", "url": server.url(path)}) as stream:
            assert (stream.said["mime"], stream.said["title"]) == ("audio/mpeg", title)
            assert b"".join(stream) == content
    with nursery.open({"deed": "preview", "url": server.url("hls/index.m3u8")}) as stream:
        assert stream.said["mime"] == "audio/mp4" and b"ftyp" in b"".join(stream)[:16]


@pytest.mark.parametrize(("path", "code"), [("missing", "not_found"), ("inside", "forbidden_address"),
                                            ("nothing.html", "not_audio"), ("cover.jpg", "not_audio")])
def test_a_preview_of_nothing_has_its_reason(nursery: Nursery, server: MediaServer, path: str, code: str) -> None:
    with pytest.raises(Failure) as caught:
        nursery.open({"deed": "preview", "url": server.url(path)})
    assert caught.value.code == code


def test_the_javascript_engine_runs_inside_the_limits(tmp_path: Path) -> None:
    """YouTube needs one; memory and writing are bounded for it as well."""
    deeds = tmp_path / "deeds"
    deeds.mkdir()
    (deeds / "script.py").write_text(
        "def run(job, talk):\n"
        "    import subprocess\n"
        "    from yt_dlp.utils._jsruntime import DenoJsRuntime\n"
        "    info = DenoJsRuntime().info\n"
        "    done = subprocess.run([info.path, 'run', '--ext=js', '--no-prompt', '--no-remote', '-'],\n"
        "                          input=b'console.log([1, 2, 3].map(n => n * n).join())', capture_output=True)\n"
        "    return {'out': done.stdout.decode(), 'err': done.stderr.decode()[-300:], 'ok': bool(info.supported)}\n")
    one = Nursery(settings=settings(), deeds={"test.script": "script:run"}, folders=[str(deeds)])
    try:
        said = one.run({"deed": "test.script"})
    finally:
        one.stop()
    assert said == {"out": "1,4,9\n", "err": "", "ok": True}


# ---- choice of format --------------------------------------------------------------------------------------------

_FORMATS = [
    {"format_id": "139", "ext": "m4a", "acodec": "mp4a.40.5", "vcodec": "none", "abr": 48},
    {"format_id": "140", "ext": "m4a", "acodec": "mp4a.40.2", "vcodec": "none", "abr": 129},
    {"format_id": "249", "ext": "webm", "acodec": "opus", "vcodec": "none", "abr": 51},
    {"format_id": "250", "ext": "webm", "acodec": "opus", "vcodec": "none", "abr": 67},
    {"format_id": "251", "ext": "webm", "acodec": "opus", "vcodec": "none", "abr": 135},
    {"format_id": "18", "ext": "mp4", "acodec": "mp4a.40.2", "vcodec": "avc1.42001E", "height": 360},
]
_FLAC = {"format_id": "flac", "ext": "flac", "acodec": "flac", "vcodec": "none", "abr": 900}


def chosen(quality: str, formats: list[dict[str, Any]]) -> str:
    """What the real yt-dlp picks."""
    told = [{"url": f"http://127.0.0.1/{one['format_id']}", "protocol": "http", **one} for one in formats]
    with yt_dlp.YoutubeDL({"quiet": True, "format": youtube.FORMATS[quality]}) as ydl:
        info = ydl.process_ie_result({"id": "x", "title": "x", "extractor": "x", "extractor_key": "X",
                                      "webpage_url": "http://127.0.0.1/", "formats": told}, download=False)
    return str(youtube._chosen(info)["format_id"])


@pytest.mark.parametrize(("quality", "formats", "expected"), [
    ("lossless", _FORMATS, "251"), ("320", _FORMATS, "251"), ("192", _FORMATS, "251"), ("128", _FORMATS, "251"),
    ("smallest", _FORMATS, "249"), ("lossless", [*_FORMATS, _FLAC], "flac"), ("320", [*_FORMATS, _FLAC], "251"),
    ("lossless", _FORMATS[:2], "140"), ("128", _FORMATS[:2], "140"), ("lossless", _FORMATS[5:], "18"),
    ("smallest", _FORMATS[5:], "18"), ("128", [_FLAC], "flac"),
])
def test_quality_chooses_the_format(quality: str, formats: list[dict[str, Any]], expected: str) -> None:
    assert chosen(quality, formats) == expected


def test_a_link_that_is_good_only_in_a_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """YouTube refuses its links before; yt-dlp's own downloader waits, so must we."""
    slept: list[float] = []
    monkeypatch.setattr(youtube.time, "sleep", slept.append)
    talk: Any = SimpleNamespace(log=lambda *_: None)
    for at in (time.time() + 5, time.time() - 5, None, time.time() + 10**6):
        youtube.ready({"available_at": at}, talk)
    assert len(slept) == 2 and 4 < slept[0] <= 5 and slept[1] == youtube.MOST_PATIENCE_S


# ---- errors ------------------------------------------------------------------------------------------------------

_SILENT = SimpleNamespace(refused=lambda: None)


def meaning(error: BaseException) -> str:
    found = ytdlp.failure_of(error, _SILENT, "youtube.com")     # type: ignore[arg-type]
    assert isinstance(found, Failure), found
    assert "\x1b" not in found.message and "--cookies" not in found.message
    return found.code


@pytest.mark.parametrize(("message", "code"), [
    ("[youtube] abc: Private video. Sign in if you've been granted access to this video", "private"),
    ("[youtube] abc: This video is private", "private"),
    ("[soundcloud] abc: This track is private", "private"),
    ("[youtube] abc: Video unavailable. This video has been removed by the uploader", "removed"),
    ("[youtube] abc: Video unavailable", "removed"),
    ("[youtube] abc: This video is no longer available because the YouTube account associated with this video has "
     "been terminated.", "removed"),
    ("[youtube] abc: Video unavailable. This video contains content from X, who has blocked it on copyright grounds",
     "removed"),
    ("[youtube] abc: The uploader has not made this video available in your country", "region"),
    ("[youtube] abc: Sign in to confirm your age. This video may be inappropriate for some users.", "age"),
    ("[youtube] abc: Sign in to confirm you're not a bot. Use --cookies-from-browser or --cookies for the "
     "authentication. See  https://github.com/yt-dlp/x", "rate_limited"),
    ("[youtube] abc: Join this channel to get access to members-only content like this video", "no_permission"),
    ("[youtube] abc: This video is only available to Music Premium members", "no_permission"),
    ("[youtube] abc: This live event will begin in 3 hours.", "live"),
    ("[youtube] abc: Premieres in 4 hours", "live"),
    ("[twitch:stream] x: The channel is not currently live", "live"),
    ("[x] abc: This video is DRM protected", "drm"),
    ("[x] abc: The requested site is known to use DRM protection. It will NOT be supported.", "drm"),
    ("[vimeo] 1: This video is only available for registered users. Use --cookies", "needs_login"),
    ("[x] abc: No video formats found!; please report this issue on  https://github.com/yt-dlp/x", "not_audio"),
    ("[x] abc: Requested format is not available. Use --list-formats for a list of available formats", "not_audio"),
    ("[youtube] abc: Unable to download API page: The read operation timed out (caused by TransportError())",
     "timed_out"),
    ("[generic] Unable to download webpage: [Errno 111] Connection refused", "refused"),
    ("[x] Failed to resolve 'x.invalid' ([Errno -2] Name or service not known)", "refused"),
    ("[x] abc: Failed to parse JSON (caused by JSONDecodeError())", "garbage"),
    ("[x] abc: Unable to extract uploader id; please report this issue", "garbage"),
    ("[x] something nobody has seen before", "garbage"),
    ("[hlsnative] fragment 1 not found, unable to continue", "not_found"),
    ("m3u8 download detected but ffmpeg could not be found. Please install", "unsupported"),
])
def test_what_a_site_says_has_its_meaning(message: str, code: str) -> None:
    assert meaning(DownloadError(f"ERROR: \x1b[0;31m{message}\x1b[0m")) == code


@pytest.mark.parametrize(("status", "code"), [(401, "needs_login"), (403, "no_permission"), (404, "not_found"),
                                              (410, "removed"), (429, "rate_limited"), (451, "region"),
                                              (500, "service_error"), (503, "service_error")])
def test_a_status_inside_has_its_meaning(status: int, code: str) -> None:
    import io

    inner = HTTPError(Response(io.BytesIO(b""), "http://x/", {"Retry-After": "30"}, status=status))
    middle = ExtractorError("Unable to download webpage", cause=inner)
    outer = DownloadError("ERROR: [x] Unable to download webpage: HTTP Error", (ExtractorError, middle, None))
    found = ytdlp.failure_of(outer, _SILENT, "x")       # type: ignore[arg-type]
    assert isinstance(found, Failure) and found.code == code
    assert found.retry_after_s == (30.0 if status in (429, 503) else None)


@pytest.mark.parametrize("message", [
    "[youtube] abc: Unable to download API page: HTTPSConnection(host='www.youtube.com', port=443): Failed to resolve "
    "'www.youtube.com' ([Errno -2] Name or service not known) (caused by TransportError(\"HTTPSConnection(ho…",
    "[x] abc: HTTPSConnection(host='x', port=443): strange (caused by TransportError())",
    "[youtube] abc: Unable to download API page: The read operation timed out (caused by TransportError())"])
def test_what_went_wrong_is_one_short_sentence(message: str) -> None:
    found = ytdlp.failure_of(DownloadError(f"ERROR: {message}"), _SILENT, "www.youtube.com")  # type: ignore[arg-type]
    assert isinstance(found, Failure) and found.message.startswith("www.youtube.com ") and len(found.message) < 80
    assert "HTTPS" not in found.message and "caused" not in found.message


def test_errors_of_their_own_kind_have_their_meaning() -> None:
    wrap = lambda inner: DownloadError("ERROR: x", (type(inner), inner, None))      # noqa: E731
    assert meaning(wrap(GeoRestrictedError("x", countries=["DE"]))) == "region"
    assert meaning(wrap(UnsupportedError("http://x/"))) == "not_audio"
    full = OSError(28, "No space left on device")
    assert ytdlp.failure_of(wrap(full), _SILENT, "x") is full       # type: ignore[arg-type]
    refused = Failure("forbidden_address", "no")
    told = SimpleNamespace(refused=lambda: refused)
    assert ytdlp.failure_of(wrap(OSError("x")), told, "x") is refused       # type: ignore[arg-type]


# ---- what is said of a thing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("title", "cleaned"), [
    ("Artist - Song (Official Video)", "Artist - Song"), ("Song [Official Music Video]", "Song"),
    ("Song (Official Audio) [HD]", "Song"), ("Song (Lyrics)", "Song"), ("Song (Lyric Video)", "Song"),
    ("Song (Official Visualizer)", "Song"), ("Song [4K]", "Song"), ("Song (Live)", "Song (Live)"),
    ("Song (Radio Edit) (Official Video)", "Song (Radio Edit)"), ("Song (Someone Remix)", "Song (Someone Remix)"),
    ("Song (feat. Other)", "Song (feat. Other)"), ("(Official Video)", "(Official Video)"),
    ("Song | Official Video", "Song"), ("Audio", "Audio"),
    ("Video Killed the Radio Star", "Video Killed the Radio Star"),
    ("Song (M/V)", "Song"), ("Song (Acoustic Video)", "Song (Acoustic Video)"), ("", ""),
])
def test_titles_lose_their_noise_and_keep_what_tells_recordings_apart(title: str, cleaned: str) -> None:
    assert ytdlp.clean_title(title) == cleaned


def said(**info: Any) -> tuple[str | None, str | None]:
    found = ytdlp.said_of(info, source="youtube")
    return found["artist"], found["title"]


def test_a_sites_own_fields_come_first() -> None:
    assert said(title="x - y", track="Song", artists=["A", "B"], channel="C") == ("A, B", "Song")
    assert said(title="Song", channel="A - Topic") == ("A", "Song")
    assert said(title="A - Song (Official Video)", channel="Label") == ("A", "Song")
    assert said(title="Song", uploader="ArtistVEVO") == ("Artist", "Song")
    assert said(title="A – Song", uploader="Label") == ("A", "Song")
    assert said(title="Song") == (None, "Song")
    found = ytdlp.said_of({"title": "x", "duration": 200.4, "release_date": "20240229", "genre": "Pop"}, source="y")
    assert (found["duration_ms"], found["date"], found["genres"]) == (200400, "2024-02-29", ["Pop"])


def test_the_best_picture_is_square_and_no_webp() -> None:
    assert ytdlp.picture_of({"thumbnails": [
        {"url": "https://i/a.webp", "width": 1920, "height": 1080},
        {"url": "https://i/b.jpg", "width": 1280, "height": 720},
        {"url": "https://i/c.jpg", "width": 500, "height": 500}]}) == "https://i/c.jpg"
    assert ytdlp.picture_of({"thumbnail": "file:///etc/passwd"}) is None
    plain = [{"url": "https://i/1.jpg"}, {"url": "https://i/2.jpg"}]
    assert ytdlp.picture_of({"thumbnails": plain}) == "https://i/2.jpg"


def test_an_album_of_a_site_is_an_album_and_a_playlist_is_none() -> None:
    """Shapes as yt-dlp's flat playlists have them."""
    entries = [{"_type": "url", "ie_key": "Youtube", "id": f"{n:011}", "title": f"Song {n}", "duration": 100 + n,
                "url": f"https://www.youtube.com/watch?v={n:011}", "channel": "Artist - Topic"} for n in (1, 2)]
    live = {**entries[0], "id": "l" * 11, "live_status": "is_upcoming"}
    info = {"id": "OLAK5uy_x", "title": "Album - The Record", "extractor_key": "YoutubeTab",
            "entries": [*entries, live], "webpage_url": "https://www.youtube.com/playlist?list=OLAK5uy_x"}
    offer = youtube._playlist(info, info["webpage_url"], "youtube", 100)
    assert (offer["kind"], offer["title"], offer["artist"]) == ("album", "The Record", "Artist")
    assert offer["track_count"] == 2
    assert [(one["title"], one["album"], one["track_number"], one["artist"]) for one in offer["tracks"]] == [
        ("Song 1", "The Record", 1, "Artist"), ("Song 2", "The Record", 2, "Artist")]
    assert offer["tracks"][0]["fetch_url"] == "https://www.youtube.com/watch?v=00000000001"
    offer = youtube._playlist({**info, "id": "PLx", "title": "Mixed"}, "https://x/", "youtube", 1)
    assert (offer["kind"], offer["title"], len(offer["tracks"]), offer["tracks"][0]["album"]) == (
        "playlist", "Mixed", 1, None)
    with pytest.raises(Failure):
        youtube._playlist({**info, "entries": [live]}, "https://x/", "youtube", 9)


def test_a_search_result_is_a_candidate_and_what_cannot_be_had_is_none() -> None:
    """Shapes as yt-dlp's flat search results have them (extractor/youtube, _extract_video)."""
    entry = {"_type": "url", "ie_key": "Youtube", "id": "dQw4w9WgXcQ",
             "url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
             "title": "Artist - Song (Official Video)", "duration": 213, "channel": "Artist - Topic",
             "view_count": 1234, "channel_is_verified": True, "live_status": None}
    one = youtube.candidate_of(entry, "videos", 0)
    assert one is not None
    assert (one["title"], one["artist"], one["duration_ms"]) == ("Artist - Song", "Artist", 213_000)
    assert one["locator"] == {"key": "dQw4w9WgXcQ", "url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ"}
    assert one["extra"] == {"uploader": "Artist - Topic", "place": 0, "kind": "videos", "topic": True, "views": 1234,
                            "verified": True, "whole_title": "Artist - Song (Official Video)"}
    for wrong in ({"id": "UCxxxxxxxxxxxxxxxxxxxxxx"}, {"live_status": "is_live"}, {"title": None}, {"id": None},
                  {"live_status": "is_upcoming"}):
        assert youtube.candidate_of({**entry, **wrong}, "videos", 0) is None


def _run(text: str, page: str | None = None) -> dict[str, Any]:
    if page is None:
        return {"text": text}
    return {"text": text, "navigationEndpoint": {"browseEndpoint": {"browseId": "x", (
        "browseEndpointContextSupportedConfigs"): {"browseEndpointContextMusicConfig": {
            "pageType": f"MUSIC_PAGE_TYPE_{page}"}}}}}


def _row(*runs: dict[str, Any], **more: Any) -> dict[str, Any]:
    """As InnerTube's web_music client sends rows of the songs section."""
    def column(*texts: dict[str, Any]) -> dict[str, Any]:
        return {"musicResponsiveListItemFlexColumnRenderer": {"text": {"runs": list(texts)}}}

    return {"playlistItemData": {"videoId": "dQw4w9WgXcQ"}, "flexColumns": [column(_run("A Song")), column(*runs)],
            **more}


def test_a_row_of_youtube_music_tells_artist_album_and_length() -> None:
    row = _row(_run("One", "ARTIST"), _run(" & "), _run("Two", "ARTIST"), _run(" • "), _run("The Album", "ALBUM"),
               _run(" • "), _run("1:03:21"), badges=[{"musicInlineBadgeRenderer": {"icon": {
                   "iconType": "MUSIC_EXPLICIT_BADGE"}}}])
    assert youtube.song_of(row) == {"artists": ["One", "Two"], "album": "The Album", "duration": 3801, "explicit": True}
    assert youtube.song_of(_row(_run("Song"), _run(" • "), _run("Nobody"), _run(" • "), _run("3:21"))) == {
        "artists": ["Nobody"], "duration": 201}
    assert youtube.song_of({}) == {} and youtube.song_of({"flexColumns": None}) == {}


def test_yt_dlps_own_reader_of_rows_keeps_what_they_tell() -> None:
    """Its real class, so that a new yt-dlp in which this has moved is noticed."""
    from yt_dlp.extractor.youtube._tab import YoutubeTabBaseInfoExtractor as Rows

    plain = Rows._music_reponsive_list_entry
    try:
        youtube._hear_more()
        youtube._hear_more()
        with yt_dlp.YoutubeDL({"quiet": True}) as ydl:
            reader = Rows(ydl)
            row = _row(_run("One", "ARTIST"), _run(" • "), _run("3:21"))
            entry = reader._music_reponsive_list_entry(row)
            assert (entry["title"], entry["artists"], entry["duration"]) == ("A Song", ["One"], 201)
            odd = reader._music_reponsive_list_entry({**row, "flexColumns": [row["flexColumns"][0], 7]})
            assert odd["title"] == "A Song"
    finally:
        Rows._music_reponsive_list_entry = plain
    one = youtube.candidate_of(entry, "songs", 0)
    assert one is not None and (one["artist"], one["title"], one["duration_ms"]) == ("One", "A Song", 201_000)


# ---- the provider itself -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("url", "known"), [
    ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", True), ("https://youtu.be/dQw4w9WgXcQ", True),
    ("https://music.youtube.com/playlist?list=x", True), ("https://soundcloud.com/a/b", True),
    ("https://artist.bandcamp.com/album/x", True), ("https://archive.org/details/x", True),
    ("https://archive.org/download/x/song.flac", False), ("https://example.org/song.mp3", False),
    ("https://notyoutube.com/watch?v=x", False), ("https://youtube.com.evil.org/", False),
    ("ftp://youtube.com/x", False), ("youtube.com", False), ("http://[::1/", False), ("", False),
])
def test_known_sites_are_understood(site: YouTube, url: str, known: bool) -> None:
    assert site.understands(url) is known


@pytest.mark.parametrize(("url", "key"), [
    ("https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=x", "dQw4w9WgXcQ"),
    ("https://youtu.be/dQw4w9WgXcQ", "dQw4w9WgXcQ"),
    ("https://www.youtube.com/shorts/dQw4w9WgXcQ", "dQw4w9WgXcQ"), ("https://soundcloud.com/a/b", None),
    ("https://www.youtube.com/playlist?list=x", None),
])
def test_a_video_is_known_again_by_its_id(url: str, key: str | None) -> None:
    assert key_of(url) == key


def test_the_persons_own_link_is_the_only_candidate(site: YouTube) -> None:
    mine = Wanted(title="T", artist="A", fetch_url="https://youtu.be/dQw4w9WgXcQ", source="youtube")
    found = site.find(mine, Options(), limit=5)
    assert [(one.certain, one.key) for one in found] == [(True, "youtube:dQw4w9WgXcQ")]
    assert site.find(Wanted(fetch_url="https://example.org/a.mp3"), Options(), limit=5) == []
    assert site.find(Wanted(), Options(), limit=5) == []


class Answering:
    """A nursery that answers a search."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer, self.jobs = answer, []     # type: ignore[var-annotated]

    def run(self, job: dict[str, Any], **more: Any) -> dict[str, Any]:
        self.jobs.append(job)
        return self.answer


def test_a_search_asks_for_artist_and_title_and_believes_only_what_makes_sense() -> None:
    good = {"locator": {"key": "dQw4w9WgXcQ", "url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ"}, "title": "T",
            "artist": "A", "duration_ms": 1000, "extra": {"views": 3, "odd": [1], "place": 0}}
    answering = Answering({"candidates": [good, {"locator": {"key": "x", "url": "file:///etc/passwd"}}, None, 7]})
    one = YouTube(nursery=answering, settings=settings())       # type: ignore[arg-type]
    found = one.find(Wanted(title="T", artist="A"), Options(), limit=5)
    assert answering.jobs[0]["words"] == "A T"
    assert [(each.key, each.extra) for each in found] == [("youtube:dQw4w9WgXcQ", {"views": 3, "place": 0})]
    garbage = YouTube(nursery=Answering({"candidates": "x"}), settings=settings())      # type: ignore[arg-type]
    with pytest.raises(Failure) as caught:
        garbage.find(Wanted(title="T"), Options(), limit=5)
    assert caught.value.code == "garbage"


def test_no_yt_dlp_stands_in_the_serving_process() -> None:
    done = subprocess.run([sys.executable, "-c", "import sys, odst.providers.youtube, odst.providers.direct\n"
                           "print('yt_dlp' in sys.modules, 'av' in sys.modules)"],
                          cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False False\n", done.stderr
