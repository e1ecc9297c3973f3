"""A music folder full of hostile files: the station scans, shows, streams and converts them, and lives.

Every file is made here. Whatever they hold, no answer is a 5xx of ours, the honest music beside them plays, and nothing
is written outside the station's own folders.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import make_audio, make_bad, make_picture
from tests.running import RunningStation, start_station

try:
    from tests.builders import BAD_KINDS
except ImportError:     # the builders know them by their names
    import tests.builders

    BAD_KINDS = sorted(name.removeprefix("_bad_") for name in vars(tests.builders) if name.startswith("_bad_"))


def bomb_png(pixels: int = 30_000) -> bytes:
    """A picture of some hundred kilobytes that unfolds into gigabytes."""
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(9)
    row = b"\0" * (pixels * 3 + 1)
    rows = b"".join(packer.compress(row) for _ in range(600)) + packer.flush()
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", pixels, pixels, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def bomb_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("song.mp3", bytes(40 << 20))
    return out.getvalue()


def nested_atoms(depth: int = 20_000) -> bytes:
    """An MP4 whose boxes are in one another, each a little smaller."""
    sizes = range(8 * depth + 8, 8, -8)
    return struct.pack(">I4sI4s", 16, b"ftyp", 0, b"M4A ") + b"".join(struct.pack(">I4s", n, b"moov") for n in sizes)


def lying_mp4() -> bytes:
    return struct.pack(">I4sI4s", 16, b"ftyp", 0, b"M4A ") + struct.pack(">I4sQ", 1, b"mdat", 2**63 - 1) + b"x" * 100


def lying_wav() -> bytes:
    return b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 1, 65535, 2**32 - 1, 2**32 - 1, 1, 1) + (
        b"data\xff\xff\xff\xff" + bytes(64))


def polyglot() -> bytes:
    """A page and a song in one."""
    return b"<!DOCTYPE html><script>fetch('/api/me')</script><!--" + b"\xff\xfb\x90\x00" + bytes(413) + b"-->"


def playlist() -> bytes:
    """What makes ffmpeg open other files and hosts."""
    return (b"#EXTM3U\n#EXTINF:1,x\nfile:///etc/passwd\n#EXTINF:1,x\nhttp://127.0.0.1:9/x\n"
            b"concat:/etc/passwd|/etc/hosts\n")


NAMES = ["-i.mp3", "--help.flac", "-f lavfi.flac", "a\nb.flac", "\x1b[2J.flac", "..flac", "....flac", "con.flac",
         "song'; DROP TABLE tracks;--.flac", "<img src=x onerror=alert(1)>.flac", "%2e%2e%2f.flac", "a" * 250 + ".flac",
         "\u202egnp.flac", "file:etc.flac", "concat:a|b.flac", "pipe:0.flac"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def station(base: Path) -> Iterator[RunningStation]:
    music = base / "music"
    honest = make_audio(music / "Honest", "song.flac", seconds=2, picture=make_picture(300), tags={
        "title": "Honest", "artist": "Somebody", "album": "Honest"})
    content = honest.read_bytes()
    for kind in BAD_KINDS:
        make_bad(music / "bad", kind)
    strange = music / "strange"
    strange.mkdir()
    for name in NAMES:
        (strange / name).write_bytes(content)
    (strange / os.fsdecode(b"\xff\xfe.flac")).write_bytes(content)
    bodies = {"bomb.mp3": bomb_zip(), "nested.m4a": nested_atoms(), "lying.m4a": lying_mp4(), "lying.wav": lying_wav(),
              "page.mp3": polyglot(), "list.mp3": playlist(), "list.flac": playlist(), "list.ogg": playlist(),
              "cut.flac": content[:len(content) // 3], "twice.flac": content + content, "empty.mp3": b"",
              "link.mp3": b"\x80" * 5000}
    for name, body in bodies.items():
        (strange / name).write_bytes(body)
    for number, body in enumerate((bomb_png(), b"\x89PNG\r\n\x1a\n" + bytes(40), b"GIF89a" + b"\xff" * 40)):
        folder = music / f"pictures{number}"
        folder.mkdir()
        (folder / "cover.png").write_bytes(body)
        (folder / "song.flac").write_bytes(content)
    make_audio(music / "embedded", "bomb.flac", seconds=1, picture=bomb_png(), tags={
        "title": "../../../../tmp/owned", "artist": "-i", "album": "..", "genre": ["<script>", "\u0000", "a" * 5000]})
    os.mkfifo(strange / "pipe.flac")
    (strange / "loop").symlink_to(strange)
    (strange / "passwd.flac").symlink_to("/etc/passwd")
    (base / "outside").mkdir()
    (base / "outside" / "witness").write_text("untouched")
    running = start_station(base / "home", [music])
    try:
        running.wait_for_scan(150)
        yield running
    finally:
        running.stop()


def test_the_station_lives_and_the_honest_music_is_there(station: RunningStation) -> None:
    tracks = station.call("GET", "/api/library/tracks?limit=500")[1]["items"]
    assert any(one["title"] == "Honest" for one in tracks)
    assert len(tracks) >= len(NAMES)
    report = station.call("GET", "/api/library/scan")[1]["scan"]
    assert report["state"] == "done"
    assert len(report["bad"]) >= 5
    assert station.process.poll() is None


def test_each_is_shown_streamed_and_converted_or_refused_in_words(station: RunningStation) -> None:
    tracks = station.call("GET", "/api/library/tracks?limit=500")[1]["items"]
    answers: list[tuple[str, int]] = []
    for one in tracks:
        for path in (f"/api/library/tracks/{one['id']}", f"/api/library/tracks/{one['id']}/lyrics",
                     f"/api/covers/{one['id']}?size=100000", f"/api/stream/{one['id']}"):
            status, body = station.call("GET", path)
            answers.append((path, status))
            assert status < 500, (one["title"], path, status, body)
            assert b"root:" not in (body if isinstance(body, bytes) else b""), path
    for one in tracks[::max(1, len(tracks) // 12)]:
        status, body = station.call("GET", f"/api/stream/{one['id']}?format=opus&bitrate=64")
        assert status < 500, (one["title"], status, body)
        answers.append(("converted", status))
    assert {status for _, status in answers} <= {200, 206, 400, 404, 422}
    assert sum(status == 200 for _, status in answers) > len(tracks)


def test_no_page_in_a_file_is_run_by_a_browser(station: RunningStation) -> None:
    import urllib.request

    tracks = station.call("GET", "/api/library/tracks?limit=500")[1]["items"]
    for one in tracks[:10]:
        request = urllib.request.Request(f"{station.url}/api/stream/{one['id']}",
                                         headers={"Authorization": f"Bearer {station.login()}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.headers.get_content_type().startswith(("audio/", "application/octet-stream"))
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_nothing_is_written_outside_and_nothing_of_the_music_is_changed(station: RunningStation, base: Path) -> None:
    assert {one.name for one in base.iterdir()} == {"music", "home", "outside"}
    assert [one.read_text() for one in (base / "outside").iterdir()] == ["untouched"]
    new = {path.relative_to(base / "music").parts[0] for path in (base / "music").rglob("*")}
    assert new - {".soundsible"} <= {"Honest", "bad", "strange", "embedded", *(f"pictures{n}" for n in range(3))}
    assert not Path("/tmp/owned").exists()


def test_the_log_of_it_is_lines_without_commands_for_the_terminal(station: RunningStation) -> None:
    log = (station.home / "station.log").read_text("utf-8", errors="replace")
    assert "\x1b[2J" not in log
    assert "Traceback" not in log, log[log.index("Traceback"):][:3000]
