"""Direct links, fetched by real children from a server that does what servers do."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from odst.deeds import media, transfer
from odst.nursery import Nursery
from odst.providers import file_in, read_offer, read_wanted
from odst.providers.direct import Direct
from shared.model.download import Cancelled, Candidate, Failure, Fetched, Options, Progress, Wanted
from tests.builders import BAD_KINDS, make_bad
from tests.media_server import MediaServer, audio, in_container
from tests.odst.test_nursery import running, settings


class Fetching:
    """Implements ports.Fetching."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.folder = folder
        self.options: Options = more.get("options", Options())
        self.limit_bytes: int = more.get("limit_bytes", 20_000_000)
        self.limit_s: float = more.get("limit_s", 45.0)
        self.reports: list[Progress] = []
        self.lines: list[tuple[str, str]] = []
        self.bytes_per_second: float | None = more.get("rate")
        self.stop_at: int | None = more.get("stop_at")
        self.stopped = threading.Event()

    def report(self, progress: Progress) -> None:
        self.reports.append(progress)
        if self.stop_at is not None and progress.bytes >= self.stop_at:
            raise Cancelled

    def log(self, level: str, message: str) -> None:
        self.lines.append((level, message))

    def rate(self) -> float | None:
        return self.bytes_per_second

    def cancelled(self) -> bool:
        return self.stopped.is_set()


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
def direct(nursery: Nursery) -> Direct:
    return Direct(nursery=nursery, settings=settings())


def candidate(url: str) -> Candidate:
    return Candidate(provider="direct", locator={"url": url}, title="x", artist="y")


def bring(direct: Direct, url: str, folder: Path, **more: Any) -> tuple[Fetched, bytes]:
    fetched = direct.fetch(candidate(url), Fetching(folder, **more))
    assert Path(fetched.path).parent == folder
    return fetched, Path(fetched.path).read_bytes()


def failing(direct: Direct, url: str, folder: Path, **more: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        direct.fetch(candidate(url), Fetching(folder, **more))
    assert caught.value.provider == "direct"
    return caught.value


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".m4a", ".opus", ".wav"])
def test_a_file_is_brought_bit_for_bit_under_a_name_of_ours(
        direct: Direct, server: MediaServer, tmp_path: Path, suffix: str) -> None:
    fetched, content = bring(direct, server.url(f"song{suffix}"), tmp_path)
    assert content == audio(suffix, tags={"title": "A Song", "artist": "The Builders", "album": "Served"})
    assert Path(fetched.path).name == f"media{suffix}"
    assert (fetched.said.title, fetched.said.source, fetched.said.source_url) == (
        "song", "direct", server.url(f"song{suffix}"))


def test_progress_is_told_to_the_last_byte(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    fetching = Fetching(tmp_path)
    fetched = direct.fetch(candidate(server.url("song.flac")), fetching)
    size = os.path.getsize(fetched.path)
    assert (fetching.reports[-1].bytes, fetching.reports[-1].total_bytes) == (size, size)
    assert [one.bytes for one in fetching.reports] == sorted(one.bytes for one in fetching.reports)


def test_a_name_of_the_servers_is_a_title_and_never_a_path(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    staging = tmp_path / "a" / "b" / "staging"
    staging.mkdir(parents=True)
    fetched, _ = bring(direct, server.url("named"), staging)
    assert fetched.said.title == "evil"
    assert left(tmp_path) == ["a"] and left(tmp_path / "a" / "b") == ["staging"]


@pytest.mark.parametrize(("path", "title"), [
    ("a%2F..", None), ("..%2F..%2Fetc%2Fpasswd.mp3", "passwd"), ("%00.mp3", None), ("x" * 3000 + ".mp3", "x" * 300),
    ("%F0%9F%8E%B5%F0%9F%8E%B6.mp3", "🎵🎶"), ("01%20-%20The_Song.mp3", "The Song"), ("CON.mp3", "CON"),
    ("%E2%80%AEgnp.mp3", "gnp"),
])
def test_titles_of_every_kind_stay_titles(direct: Direct, server: MediaServer, tmp_path: Path, path: str,
                                          title: str | None) -> None:
    """`..`, 300 characters, emoji: the file is ours to name."""
    from urllib.parse import unquote

    staging = tmp_path / "staging"
    staging.mkdir()
    server.add(unquote(path), audio())
    fetched, _ = bring(direct, server.url(path), staging)
    assert Path(fetched.path).name == "media.mp3"
    assert fetched.said.title == title
    assert left(tmp_path) == ["staging"]


def test_a_video_gives_its_sound_as_it_is(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    import av

    fetched, content = bring(direct, server.url("video.mp4"), tmp_path)
    assert Path(fetched.path).name == "media.m4a"
    with av.open(io.BytesIO(content)) as made, av.open(io.BytesIO(audio(".m4a"))) as source:
        assert not made.streams.video
        assert [bytes(packet) for packet in made.demux() if packet.size] == [
            bytes(packet) for packet in source.demux() if packet.size]


def test_opus_is_taken_out_of_webm_as_it_is(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    import av

    fetched, content = bring(direct, server.url("song.webm"), tmp_path)
    assert Path(fetched.path).name == "media.opus" and content.startswith(b"OggS")
    with av.open(io.BytesIO(content)) as made, av.open(io.BytesIO(audio(".opus"))) as source:
        assert made.streams.audio[0].codec_context.name in ("opus", "libopus")
        assert [bytes(packet) for packet in made.demux() if packet.size] == [
            bytes(packet) for packet in source.demux() if packet.size]


def test_a_container_without_sound_is_not_audio(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    import av
    import numpy as np

    path = tmp_path / "made.mp4"
    with av.open(str(path), "w") as sink:
        stream = sink.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        sink.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), "uint8"), format="rgb24")))
        sink.mux(stream.encode(None))
    server.add("silent.mp4", path.read_bytes())
    path.unlink()
    assert failing(direct, server.url("silent.mp4"), tmp_path).code == "not_audio"


def test_ffmpeg_is_not_led_to_other_files_or_hosts(tmp_path: Path) -> None:
    """A file of pieces that is a list in truth: FFmpeg by itself would open what it names, past every guard."""
    with MediaServer() as inner:
        inner.add("a.mp3", audio())
        (tmp_path / "inner.mp3").write_bytes(audio())
        for text in (f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{inner.url('a.mp3')}\n#EXT-X-ENDLIST\n",
                     "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\ninner.mp3\n#EXT-X-ENDLIST\n",
                     "ffconcat version 1.0\nfile inner.mp3\n",
                     f"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio {inner.port} RTP/AVP 0\n"):
            (tmp_path / "media.whole").write_text(text)
            with pytest.raises(Failure) as caught:
                media.settle(tmp_path / "media.whole", "unknown", joined=True)
            assert caught.value.code == "not_audio"
        assert inner.asked() == []


def test_audio_of_an_unknown_beginning_is_looked_at(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    server.add("late.mp3", bytes(2000) + audio(seconds=5.0), mime="audio/mpeg")
    fetched, _ = bring(direct, server.url("late.mp3"), tmp_path)
    assert Path(fetched.path).name == "media.mp3"
    server.add("noise.mp3", make_bad(tmp_path / "x", "noise").read_bytes(), mime="audio/mpeg")
    (tmp_path / "y").mkdir()
    assert failing(direct, server.url("noise.mp3"), tmp_path / "y").code == "not_audio"


# ---- what the server says ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "code", "retryable"), [
    ("missing", "not_found", False), ("nowhere", "not_found", False), ("gone", "removed", False),
    ("forbidden", "no_permission", False), ("login", "needs_login", False), ("legal", "region", False),
    ("busy", "rate_limited", True), ("broken", "service_error", True), ("unavailable", "service_error", True),
    ("garbage", "garbage", True), ("circle", "garbage", True), ("radio", "live", False), ("icy", "live", False),
    ("inside", "forbidden_address", False), ("file", "bad_link", False), ("empty.mp3", "empty", False),
    ("tiny.mp3", "not_audio", False), ("cover.jpg", "not_audio", False), ("feed.xml", "not_audio", False),
])
def test_every_refusal_has_its_reason(direct: Direct, server: MediaServer, tmp_path: Path, path: str, code: str,
                                      retryable: bool) -> None:
    for what in ("fetch", "resolve"):
        if what == "fetch":
            failure = failing(direct, server.url(path), tmp_path)
        elif path == "feed.xml":
            continue
        else:
            with pytest.raises(Failure) as caught:
                direct.resolve(server.url(path))
            failure = caught.value
        assert (failure.code, failure.retryable) == (code, retryable), what
        assert failure.message.endswith(".") or failure.message.endswith(")")
        if path == "busy":
            assert failure.retry_after_s == 7.0
    assert not [name for name in left(tmp_path) if name not in ("media.part", "source.json")]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1025/x.mp3", "http://localhost:1025/", "http://169.254.169.254/x",
                                 "http://[::1]:1025/x", "http://2130706433:1025/x", "http://0x7f.1:1025/x"])
def test_links_into_the_home_network_are_refused(direct: Direct, tmp_path: Path, url: str) -> None:
    assert failing(direct, url, tmp_path).code == "forbidden_address"
    with pytest.raises(Failure) as caught:
        direct.resolve(url)
    assert caught.value.code == "forbidden_address"


def test_a_redirect_to_another_server_of_the_same_machine_is_refused(
        direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    with MediaServer() as inner:
        inner.add("song.mp3", audio())
        server.add("sly", status=302, headers={"Location": inner.url("song.mp3")})
        server.add_page("sly.html", og_audio=inner.url("song.mp3"))
        server.add("sly.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n" + inner.url("song.mp3").encode()
                   + b"\n#EXT-X-ENDLIST\n")
        assert failing(direct, server.url("sly"), tmp_path).code == "forbidden_address"
        assert failing(direct, server.url("sly.html"), tmp_path).code == "forbidden_address"
        assert failing(direct, server.url("sly.m3u8"), tmp_path).code == "forbidden_address"
        assert inner.asked() == []


def test_a_port_where_nobody_listens_is_a_service_fault(nursery: Nursery, tmp_path: Path) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        one = Nursery(settings=settings(), allowed=[f"127.0.0.1:{port}"])
        try:
            failure = failing(Direct(nursery=one, settings=settings()), f"http://127.0.0.1:{port}/a.mp3", tmp_path)
        finally:
            one.stop()
    assert failure.code == "refused" and failure.service_fault


def test_a_server_that_hangs_is_left_when_the_time_is_up(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    assert failing(direct, server.url("hang"), tmp_path, limit_s=1.0).code == "out_of_time"


def test_a_page_called_mp3_is_not_audio(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    failure = failing(direct, server.url("html.mp3"), tmp_path)
    assert (failure.code, failure.retryable) == ("not_audio", False)
    with pytest.raises(Failure) as caught:
        direct.resolve(server.url("html.mp3"))
    assert caught.value.code == "not_audio"


@pytest.mark.parametrize("kind", ["text", "picture", "html"])
def test_what_is_plainly_no_music_is_not_kept(direct: Direct, server: MediaServer, tmp_path: Path, kind: str) -> None:
    assert BAD_KINDS[kind] == "not_audio"
    server.add(f"bad-{kind}.mp3", make_bad(tmp_path / "made", kind).read_bytes())
    (tmp_path / "staging").mkdir()
    assert failing(direct, server.url(f"bad-{kind}.mp3"), tmp_path / "staging").code == "not_audio"


# ---- sizes -------------------------------------------------------------------------------------------------------


def test_too_large_a_file_is_refused_before_it_is_fetched(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    failure = failing(direct, server.url("song.wav"), tmp_path, limit_bytes=100_000)
    assert failure.code == "too_large" and not failure.retryable
    assert left(tmp_path) == []


def test_an_endless_stream_is_cut_and_called_live(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    failure = failing(direct, server.url("endless.mp3"), tmp_path, limit_bytes=1_000_000)
    assert failure.code == "live" and not failure.retryable
    assert (tmp_path / "media.part").stat().st_size < 1_200_000


def test_more_than_was_told_is_not_read(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    content = audio()
    server.add("modest.mp3", content, claim=len(content) - 1000)
    _, got = bring(direct, server.url("modest.mp3"), tmp_path)
    assert got == content[:-1000]


def test_less_than_was_told_every_time_is_a_lie_about_the_size(direct: Direct, server: MediaServer, tmp_path: Path
                                                               ) -> None:
    failure = failing(direct, server.url("liar.mp3"), tmp_path)
    assert (failure.code, failure.retryable) == ("lies_about_size", False)


def test_a_lie_about_the_size_is_found_with_ranges_too(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    content = audio()
    server.add("sly.mp3", content, claim=len(content) + 5000)
    assert failing(direct, server.url("sly.mp3"), tmp_path).code == "lies_about_size"


def test_a_file_without_a_length_is_brought_whole(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    server.add("unsized.mp3", audio(), no_length=True)
    assert bring(direct, server.url("unsized.mp3"), tmp_path)[1] == audio()


def test_a_packed_answer_is_unpacked(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    import gzip

    server.add("packed.wav", gzip.compress(audio(".wav")), headers={"Content-Encoding": "gzip"}, ranges=False)
    assert bring(direct, server.url("packed.wav"), tmp_path)[1] == audio(".wav")


# ---- going on ----------------------------------------------------------------------------------------------------


def big() -> bytes:
    return audio(seconds=20.0)


def test_a_broken_connection_is_gone_on_from_where_it_was(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    content = big()
    server.add("cut.mp3", content, drop_after=100_000, drops=2)
    assert bring(direct, server.url("cut.mp3"), tmp_path)[1] == content
    ranges = [one.headers.get("range") for one in server.asked("cut.mp3")]
    assert ranges[0] is None and ranges[1] == "bytes=100000-" and ranges[2] == "bytes=200000-"
    assert all("if-range" in one.headers for one in server.asked("cut.mp3")[1:])


def test_without_ranges_it_begins_anew(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    content = big()
    server.add("plain.mp3", content, drop_after=100_000, ranges=False)
    assert bring(direct, server.url("plain.mp3"), tmp_path)[1] == content
    assert len(server.asked("plain.mp3")) == 2


def test_a_server_that_always_breaks_off_elsewhere_may_be_tried_later(
        direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    content = big()
    server.add("bad.mp3", content, drop_after=10_000, drops=100)
    failure = failing(direct, server.url("bad.mp3"), tmp_path)
    assert (failure.code, failure.retryable) == ("connection_lost", True)
    assert (tmp_path / "media.part").read_bytes() == content[:(tmp_path / "media.part").stat().st_size]


def stopped_half_way(direct: Direct, url: str, folder: Path) -> int:
    with pytest.raises(Cancelled):
        direct.fetch(candidate(url), Fetching(folder, stop_at=50_000))
    size = (folder / "media.part").stat().st_size
    assert size >= 50_000
    return size


@pytest.mark.parametrize("validator", ["etag", "date"])
def test_a_cancelled_fetch_leaves_its_part_and_the_next_goes_on(
        direct: Direct, server: MediaServer, tmp_path: Path, validator: str) -> None:
    content, name = big(), f"again-{validator}.mp3"
    server.add(name, content, slow=300_000, etag=validator == "etag",
               modified="Sat, 01 Aug 2026 10:00:00 GMT" if validator == "date" else None)
    have = stopped_half_way(direct, server.url(name), tmp_path)
    server.change(name, slow=None)
    assert bring(direct, server.url(name), tmp_path)[1] == content
    assert server.asked(name)[-1].headers["range"] == f"bytes={have}-"
    assert server.asked(name)[-1].sent == len(content) - have


@pytest.mark.parametrize("ways", [
    {}, {"ignore_if_range": True}, {"ranges": False}, {"etag": False}, {"ignore_if_range": True, "etag": False},
], ids=str)
def test_when_the_source_has_changed_it_begins_anew(
        direct: Direct, server: MediaServer, tmp_path: Path, ways: dict[str, Any]) -> None:
    """Never half of the one and half of the other, whatever the server makes of If-Range."""
    name = f"changed-{'-'.join(ways)}.mp3"
    server.add(name, big(), slow=300_000)
    stopped_half_way(direct, server.url(name), tmp_path)
    other = audio(seconds=20.0, tone_hz=880.0)
    assert len(other) == len(big()) and other != big()
    server.change(name, other, slow=None, **ways)
    assert bring(direct, server.url(name), tmp_path)[1] == other


def test_a_source_that_changes_while_it_is_fetched_is_not_spliced(
        direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    first, then = big(), audio(seconds=20.0, tone_hz=880.0)
    server.add("mid.mp3", first, drop_after=150_000, ignore_if_range=True)

    def act(asked: Any) -> None:
        if len(server.asked("mid.mp3")) == 2:
            server.change("mid.mp3", then)

    server.change("mid.mp3", act=act)
    assert bring(direct, server.url("mid.mp3"), tmp_path)[1] == then


def test_a_part_of_which_nothing_is_known_is_not_trusted(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    server.add("fresh.mp3", big())
    (tmp_path / "media.part").write_bytes(b"x" * 100_000)
    assert bring(direct, server.url("fresh.mp3"), tmp_path)[1] == big()
    (tmp_path / "media.mp3").unlink()
    (tmp_path / "media.part").write_bytes(b"x" * 100_000)
    (tmp_path / "source.json").write_text(json.dumps({"key": "http://other/", "etag": '"a"', "size": len(big())}))
    assert bring(direct, server.url("fresh.mp3"), tmp_path)[1] == big()
    for nonsense in ("", "[]", '{"key": 3, "more": 1}', "\x00", '{"key": 1}', json.dumps(
            {"key": server.url("fresh.mp3"), "etag": 7, "size": "x"})):
        (tmp_path / "media.part").write_bytes(b"x" * 100_000)
        (tmp_path / "source.json").write_text(nonsense)
        assert bring(direct, server.url("fresh.mp3"), tmp_path)[1] == big()


def test_a_part_that_was_whole_already_is_taken(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    """Killed between the last byte and the new name."""
    content = big()
    server.add("whole.mp3", content)
    bring(direct, server.url("whole.mp3"), tmp_path)
    (tmp_path / "media.mp3").rename(tmp_path / "media.part")
    assert bring(direct, server.url("whole.mp3"), tmp_path)[1] == content
    assert server.asked("whole.mp3")[-1].sent == 0


def test_a_file_of_three_bytes_from_before_is_not_accepted(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    (tmp_path / "media.mp3").write_bytes(b"ID3")
    assert bring(direct, server.url("song.mp3"), tmp_path)[1] != b"ID3"


def test_cancel_leaves_no_process_and_nothing_outside(direct: Direct, nursery: Nursery, server: MediaServer,
                                                      tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    fetching = Fetching(staging)
    seen: list[int] = []

    def report(progress: Progress) -> None:
        seen.extend(run.child.pid for run in nursery._running)      # type: ignore[attr-defined]
        fetching.stopped.set()

    fetching.report = report        # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        direct.fetch(candidate(server.url("slow.mp3")), fetching)
    assert seen and not [pid for pid in seen if running(pid)]
    assert left(tmp_path) == ["staging"] and left(staging) == ["media.part", "source.json"]


def test_a_fetch_is_held_back_to_its_rate(direct: Direct, server: MediaServer, tmp_path: Path) -> None:
    """At ten bytes a second nothing gets far; it is let go when the first piece has come."""
    server.add("held.mp3", big())
    fetching = Fetching(tmp_path, rate=10.0)
    lifted: list[int] = []

    def report(progress: Progress) -> None:
        lifted.append(progress.bytes)
        fetching.bytes_per_second = None

    fetching.report = report        # type: ignore[method-assign]
    direct.fetch(candidate(server.url("held.mp3")), fetching)
    assert lifted[0] < len(big()) == lifted[-1]


# ---- where links lead --------------------------------------------------------------------------------------------


def test_a_file_resolves_to_one_track(direct: Direct, server: MediaServer) -> None:
    offer = direct.resolve(server.url("song.mp3"))
    assert (offer.kind, offer.source, offer.title, offer.url) == ("track", "direct", "song", server.url("song.mp3"))
    assert [one.fetch_url for one in offer.tracks] == [server.url("song.mp3")]


def test_a_feed_resolves_to_its_entries(direct: Direct, server: MediaServer) -> None:
    offer = direct.resolve(server.url("feed.xml"))
    assert (offer.kind, offer.title, offer.track_count) == ("playlist", "A Feed", 3)
    first = offer.tracks[0]
    assert (first.title, first.artist, first.album, first.duration_ms, first.date) == (
        "Episode 1", "The Feeders", "A Feed", 2000, "2026-08-01")
    assert first.fetch_url == server.url("song.mp3?episode=1")


@pytest.mark.parametrize("path", ["list.m3u", "list.pls"])
def test_a_playlist_file_resolves_to_its_entries(direct: Direct, server: MediaServer, path: str) -> None:
    offer = direct.resolve(server.url(path))
    assert [one.fetch_url for one in offer.tracks] == [server.url("song.mp3"), server.url("song.flac")]
    assert offer.tracks[0].title == "One"


def test_a_playlist_of_five_thousand_is_all_there_and_no_more_than_the_limit(
        nursery: Nursery, direct: Direct, server: MediaServer) -> None:
    offer = direct.resolve(server.add_playlist_page("many.xml", 5000))
    assert offer.track_count == len(offer.tracks) == 5000
    assert len({one.fetch_url for one in offer.tracks}) == 5000
    few = Direct(nursery=nursery, settings=settings(download_batch_limit=2))
    assert len(few.resolve(server.url("feed.xml")).tracks) == len(few.resolve(server.url("elements.html")).tracks) == 2


def test_a_feed_with_nothing_to_hear_is_not_audio(direct: Direct, server: MediaServer) -> None:
    server.add_feed("silent.xml", [])
    server.add_feed("evil.xml", [("x", "file:///etc/passwd"), ("y", "javascript:alert(1)")])
    for path in ("silent.xml", "evil.xml"):
        with pytest.raises(Failure) as caught:
            direct.resolve(server.url(path))
        assert caught.value.code == "not_audio"


def test_a_feed_that_unfolds_into_gigabytes_does_not(direct: Direct, server: MediaServer) -> None:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    server.add("laughs.xml", (f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a0 "ha">{entities}]><rss version="2.0">'
                              "<channel><title>&a11;</title></channel></rss>").encode())
    with pytest.raises(Failure) as caught:
        direct.resolve(server.url("laughs.xml"))
    assert caught.value.code == "not_audio"


def test_its_own_link_is_the_only_and_certain_candidate(direct: Direct) -> None:
    mine = Wanted(title="T", artist="A", fetch_url="http://example.org/a.mp3", source="direct")
    found = direct.find(mine, Options(), limit=5)
    assert [(one.certain, one.locator["url"], one.title) for one in found] == [(True, "http://example.org/a.mp3", "T")]
    assert direct.operation(found[0]) == "example.org"
    assert direct.find(Wanted(title="T", artist="A"), Options(), limit=5) == []
    assert direct.find(Wanted(fetch_url="https://www.youtube.com/watch?v=aaaaaaaaaaa"), Options(), limit=5) == []


def test_only_links_of_the_web_are_understood(direct: Direct) -> None:
    assert direct.understands("https://example.org/x") and direct.understands("http://127.0.0.1/")
    for url in ("file:///etc/passwd", "ftp://a/b", "song.mp3", "", "http://a@b/", "spotify:track:1"):
        assert not direct.understands(url)


# ---- looked at before it is believed -----------------------------------------------------------------------------


@given(some.recursive(some.none() | some.booleans() | some.floats() | some.integers() | some.text(),
                      lambda inner: some.lists(inner, max_size=4) | some.dictionaries(
                          some.sampled_from(["title", "artists", "duration_ms", "kind", "tracks", "cover_url", "date",
                                             "isrc", "source"]), inner, max_size=6)))
def test_whatever_a_child_says_is_a_wanted_or_a_failure(said: Any) -> None:
    wanted = read_wanted(said, source="direct")
    assert wanted.source == "direct"
    assert wanted.title is None or (len(wanted.title) <= 500 and "\n" not in wanted.title)
    assert wanted.duration_ms is None or 0 <= wanted.duration_ms <= 10**9
    assert wanted.cover_url is None or wanted.cover_url.startswith(("http://", "https://"))
    try:
        read_offer(said, source="direct", limit=3)
    except Failure as failure:
        assert failure.code in ("garbage", "not_audio")


def test_only_plain_files_of_the_folder_are_taken(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    secret = tmp_path / "secret.mp3"
    secret.write_bytes(b"x")
    (staging / "good.mp3").write_bytes(b"x")
    (staging / "link.mp3").symlink_to(secret)
    os.link(secret, staging / "hard.mp3")
    (staging / "folder.mp3").mkdir()
    assert file_in(staging, "good.mp3") == staging / "good.mp3"
    for name in ("link.mp3", "hard.mp3", "folder.mp3", "none.mp3", "../secret.mp3", str(secret), "", ".", "..", None,
                 3):
        with pytest.raises(Failure):
            file_in(staging, name)


# ---- kinds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "kind"), [
    (".mp3", "mp3"), (".flac", "flac"), (".ogg", "vorbis"), (".opus", "opus"), (".m4a", "m4a"), (".wav", "wav"),
    (".aiff", "aiff"), (".aac", "aac"), (".wv", "wavpack"), (".wma", "wma"), (".ape", "ape"),
])
def test_a_files_first_bytes_say_what_it_is(suffix: str, kind: str) -> None:
    assert media.kind_of(audio(suffix, seconds=1.0)[:4096]) == kind
    tagged = audio(suffix, seconds=1.0, tags={"title": "T"}) if suffix not in (".ape",) else audio(suffix, seconds=1.0)
    assert media.kind_of(tagged[:4096], "text/html") == ("mp3" if suffix == ".aac" and tagged[:3] == b"ID3" else kind)


@pytest.mark.parametrize(("container", "kind"), [("webm", "matroska"), ("matroska", "matroska"), ("mpegts", "mpegts")])
def test_containers_are_known(container: str, kind: str) -> None:
    suffix = ".m4a" if container == "mpegts" else ".opus"
    assert media.kind_of(in_container(audio(suffix), container, suffix=suffix)[:4096]) == kind


@given(some.binary(max_size=600), some.sampled_from(["", "audio/mpeg", "text/html", "application/octet-stream"]))
def test_any_bytes_have_a_kind(head: bytes, content_type: str) -> None:
    assert isinstance(media.kind_of(head, content_type), str)


@given(some.text(max_size=400))
def test_any_name_makes_a_harmless_title(name: str) -> None:
    title = transfer.title_hint("http://host/", name)
    assert title is None or (len(title) <= 300 and "/" not in title and "\\" not in title and title not in (".", ".."))


def test_a_server_that_only_drips_is_left_after_a_minute_and_a_slow_one_is_not() -> None:
    now = [0.0]

    def sending(size: int, every_s: float, *, pieces: int = 200) -> Iterator[bytes]:
        for _ in range(pieces):
            now[0] += every_s
            yield bytes(size)

    slow = transfer.unless_dripping(sending(4096, 8.0), "slow.example", clock=lambda: now[0])
    assert sum(map(len, slow)) == 200 * 4096
    with pytest.raises(Failure, match="almost nothing") as caught:
        list(transfer.unless_dripping(sending(1, 8.0), "drip.example", clock=lambda: now[0]))
    assert (caught.value.code, caught.value.retryable) == ("timed_out", True)
    # A taker that is slow by itself (it is held back while somebody listens) is not the server's fault.
    for _ in transfer.unless_dripping(sending(10, 0.001), "quick.example", clock=lambda: now[0]):
        now[0] += 30
