"""What is asked for outside comes home: a real station, with every service outside pretended and every file real.

Links of Spotify and Deezer, words and search results; bytes from a pretended Soulseek; names, covers and lyrics from
a pretended MusicBrainz, Cover Art Archive and LRCLIB. tests/fakes tell where the shape of each answer comes from.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import mutagen
import pytest
import socketio

from tests.builders import make_picture
from tests.fakes import deezer, lrclib, musicbrainz, spotify
from tests.fakes.answering import Answering, Asked, Reply
from tests.fakes.coverart import FakeCoverArt
from tests.fakes.slskd import FakeSlskd, Peer
from tests.journeys.downloading import NOWHERE, SERVICES, ask, look, nothing_staged, start, tracks, until_over
from tests.media_server import MediaServer, audio
from tests.running import ROOT, RunningStation, clean_environment

SECONDS = 6
BAND = "The Testers"
COVER = make_picture(700, (20, 120, 90))

# ---- what there is in this small world ---------------------------------------------------------------------------


def recording(title: str, number: int) -> musicbrainz.Recording:
    return musicbrainz.Recording(title, artists=[BAND], length_ms=SECONDS * 1000, isrcs=[isrc(number)],
                                 tags=[("ambient", 5), ("post-rock", 3)])


def isrc(number: int) -> str:
    return f"GBAAA01{number:05}"


SIGNALS = ["First Light", "Second Wind", "Third Rail", "Fourth Wall"]
WEATHER = ["Drizzle", "Thunder"]
SINGLES = ["Paper Boats", "Night Bus", "Lone Star", "Broken Wings"]
EVERY = SIGNALS + WEATHER + SINGLES
NUMBER = {title: place for place, title in enumerate(EVERY, 1)}
RELEASE = musicbrainz.Release("Signals", [[recording(one, NUMBER[one]) for one in SIGNALS]], artists=[BAND],
                              date="2011-04-02", tags=[("ambient", 4)])
SINGLE = musicbrainz.Release("Paper Boats", [[recording("Paper Boats", NUMBER["Paper Boats"])]], artists=[BAND],
                             date="2019-06-01", type="Single")
SPOTIFY_ALBUM = "6akEvsycLGftJxYudPjmqK"


class Spotify(spotify.FakeSpotify):
    """Without pictures, which would lie on a host outside."""

    def _album(self, one: spotify.Album) -> dict[str, Any]:
        return {**super()._album(one), "images": []}


class Deezer(deezer.FakeDeezer):
    def _album_row(self, one: deezer.Album) -> dict[str, Any]:
        return {name: value for name, value in super()._album_row(one).items() if not name.startswith("cover")}


class Hook(Answering):
    """Whoever wants to be told."""

    def answer(self, asked: Asked) -> Reply:
        return Reply(200, b"{}")

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(one.body) for one in self.asked]


def song(title: str, suffix: str = ".flac", **tags: Any) -> bytes:
    return audio(suffix, seconds=SECONDS, tone_hz=300 + 70 * NUMBER.get(title, len(title) + 12), tags={
        "title": title, "artist": BAND, "isrc": isrc(NUMBER[title]) if title in NUMBER else None} | tags)


@dataclass
class World:
    station: RunningStation
    media: MediaServer
    hook: Hook
    slskd: FakeSlskd
    spotify: Spotify
    deezer: Deezer
    environ: dict[str, str]

    @property
    def music(self) -> Path:
        return self.station.music

    def call(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.station.call(method, path, body)
        assert status < 300, (status, answer)
        return answer

    def track(self, id: str) -> dict[str, Any]:
        return dict(self.call("GET", f"/api/library/tracks/{id}"))

    def file(self, track: dict[str, Any]) -> Path:
        return self.music / track["path"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    base = tmp_path_factory.mktemp("acquisition")
    music = base / "music"
    # What is there before: one song of each album, and two that are worth a better file.
    for folder, name, content in (
        ("Signals", "04 Fourth Wall.flac", song("Fourth Wall", album="Signals", album_artist=BAND, track_number=4,
                                                date="2011-04-02")),
        ("Weather", "01 Drizzle.flac", song("Drizzle", album="Weather", album_artist=BAND, track_number=1,
                                            date="2015-01-01")),
        ("Demos", "Old Tape.mp3", song("Old Tape", ".mp3", album="Demos")),
        ("Demos", "Bright Idea.mp3", song("Bright Idea", ".mp3", album="Demos")),
    ):
        (music / BAND / folder).mkdir(parents=True, exist_ok=True)
        (music / BAND / folder / name).write_bytes(content)

    good = {title: song(title) for title in EVERY}
    broken = bytearray(good["Broken Wings"])
    broken[len(broken) // 2:len(broken) // 2 + 4000] = bytes(4000)
    ann = Peer(files={rf"@@ann\Music\{BAND}\{album}\{place:02} - {title}.flac": good[title]
                      for album, titles in (("Signals (2011)", SIGNALS), ("Weather", WEATHER))
                      for place, title in enumerate(titles, 1)}
               | {rf"@@ann\Music\{BAND}\Singles\{one}.flac": good[one] for one in SINGLES[:3]})
    bob = Peer(files={rf"mp3s\{BAND} - {title}.mp3": song(title, ".mp3") for title in SIGNALS[:3]})
    peers = {
        "ann": ann, "bob": bob,
        "first": Peer(files={rf"m\{BAND}\Singles\{BAND} - Broken Wings.flac": bytes(broken)}, upload_speed=9_000_000),
        "second": Peer(files={rf"n\{BAND}\Singles\{BAND} - Broken Wings.flac": song("Broken Wings", comment="never")},
                       upload_speed=5_000_000, stops_at=0.2),
        "third": Peer(files={rf"o\{BAND}\Singles\{BAND} - Broken Wings.flac": good["Broken Wings"]},
                      upload_speed=20_000, free_slot=False, queue_length=3),
    }
    for peer in peers.values():
        peer.facts = {name: {"length": SECONDS} | ({"bitRate": 128} if name.endswith("mp3") else
                                                   {"bitDepth": 16, "sampleRate": 44100}) for name in peer.files}

    with contextlib.ExitStack() as open_things:
        media = open_things.enter_context(MediaServer())
        slskd = open_things.enter_context(FakeSlskd(base / "slskd", peers))
        hook = open_things.enter_context(Hook())
        names = open_things.enter_context(musicbrainz.FakeMusicBrainz(releases=[RELEASE, SINGLE]))
        covers = open_things.enter_context(FakeCoverArt({RELEASE.id: COVER}))
        words = open_things.enter_context(lrclib.FakeLrcLib([
            lrclib.Song("First Light", BAND, SECONDS, "Signals", synced="[00:01.00] Light\n[00:03.50] First")]))
        spot = open_things.enter_context(Spotify(albums=[spotify.Album(
            SPOTIFY_ALBUM, "Signals", [BAND], [spotify.Track(f"{n:022}", title, SECONDS * 1000, isrc(n))
                                               for n, title in enumerate(SIGNALS, 1)], date="2011-04-02")]))
        deez = open_things.enter_context(Deezer(
            albums=[deezer.Album(302, "Weather", BAND, [deezer.Track(NUMBER[one], one, SECONDS, isrc(NUMBER[one]))
                                                        for one in WEATHER], date="2015-01-01"),
                    *(deezer.Album(310 + NUMBER[one], one, BAND, [deezer.Track(
                        NUMBER[one], one, SECONDS, isrc(NUMBER[one]))], type="single") for one in SINGLES[:3])],
            playlists=[deezer.Playlist(77, "Mixed", [NUMBER[one] for one in ("Drizzle", "Paper Boats", "Night Bus")])]))
        settings = {
            "allow_private_hosts": ",".join([media.allow, hook.host, covers.host]),
            "download_providers": "soulseek,direct", "download_catalogues": "spotify,deezer,musicbrainz,local",
            "spotify_client_id": spot.id, "spotify_client_secret": spot.secret, "spotify_url": spot.url,
            "deezer_url": deez.url, "musicbrainz_url": names.url, "coverart_url": covers.url, "lrclib_url": words.url,
            "slskd_url": slskd.url, "slskd_api_key": slskd.api_key, "webhook_urls": f"json://{hook.host}/hook",
            "contact": "tests@localhost",
        }
        station = start(base / "home", music, media, **settings)
        try:
            station.wait_for_scan()
            yield World(station, media, hook, slskd, spot, deez,
                        {f"SOUNDSIBLE_{name.upper()}": value for name, value in settings.items()})
        finally:
            station.stop()


def until(there: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := there()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def named(world: World, title: str) -> dict[str, Any]:
    return next(one for one in tracks(world.station) if one["title"] == title)


# ---- what is asked for -------------------------------------------------------------------------------------------


def test_an_album_of_spotify_comes_whole_with_its_names_cover_words_and_loudness(world: World) -> None:
    owned = named(world, "Fourth Wall")
    answer = world.call("POST", "/api/downloads/album", {"url": f"https://open.spotify.com/album/{SPOTIFY_ALBUM}"})
    assert [one["title"] for one in answer["downloads"]] == SIGNALS[:3] and answer["failed"] == []
    assert [(one["title"], one["track_id"]) for one in answer["skipped"]] == [("Fourth Wall", owned["id"])]
    assert answer["skipped"][0]["reason"]

    done = until_over(world.station, *[one["id"] for one in answer["downloads"]])
    assert [one["status"] for one in done] == ["completed"] * 3, [(one["error"], one["note"]) for one in done]
    for one in done:        # lossless first, and it says why
        chosen = next(it for it in one["candidates"] if it["chosen"])
        assert chosen["provider"] == "soulseek" and chosen["format"] == "flac" and chosen["parts"]["duration"] == 100
        assert max(it["score"] for it in one["candidates"] if it["format"] == "mp3") < chosen["score"]
        assert one["quality_got"] == "flac 44.1 kHz 16 bit"

    came = [world.track(one["track_id"]) for one in done]
    assert len({one["album_id"] for one in [*came, owned]}) == 1
    album = world.call("GET", f"/api/library/albums/{owned['album_id']}")
    assert [one["title"] for one in album["tracks"]] == SIGNALS and album["artist"] == BAND
    for number, track in enumerate(came, 1):
        assert (track["album_artist"], track["track_number"], track["disc_number"]) == (BAND, number, 1)
        assert track["recording_mbid"] == RELEASE.recordings[number - 1].id and track["isrc"] == isrc(number)
        assert set(track["genres"]) >= {"Ambient"} and track["fetched_by"] == "soulseek"
        assert track["replaygain"]["track_gain_db"] is not None
        assert world.file(track).relative_to(world.music).parts == (
            BAND, "Signals", f"{number:02} {track['title']}.flac")
        kept = mutagen.File(world.file(track))
        assert kept["musicbrainz_trackid"] == [RELEASE.recordings[number - 1].id] and kept["replaygain_track_gain"]
        picture = kept.pictures[0]
        assert picture.mime == "image/jpeg" and len(picture.data) < 500_000 and (picture.width or 700) <= 1200
        assert world.call("GET", f"/api/covers/{track['id']}?size=300")[:3] in (b"\xff\xd8\xff", b"RIF")
        played = world.call("GET", f"/api/stream/{track['id']}")
        assert played == world.file(track).read_bytes()
    assert came[0]["has_lyrics"] and "[00:03.50] First" in str(mutagen.File(world.file(came[0])).get("lyrics"))

    origin = world.call("GET", f"/api/downloads/origins/{came[0]['id']}")
    told = origin["content"] if isinstance(origin.get("content"), dict) else origin
    assert "open.spotify.com" in json.dumps(origin) and "soulseek" in json.dumps(origin)
    assert told["quality_asked"] == "lossless" and told["quality_got"] == "flac 44.1 kHz 16 bit"
    assert set(told["stage_ms"]) >= {"find", "fetch", "inspect", "identify", "process", "dress"}
    assert told["sources"]["catalogue"]["source"] == "spotify"
    assert told["sources"]["chosen"]["title"]["value"] == "First Light"
    assert nothing_staged(world.music) and world.slskd.shown("ann") == []     # nothing is left behind, there or here


def test_a_playlist_of_deezer_becomes_a_download_a_track_and_what_an_album_lacks_is_fetched(world: World) -> None:
    drizzle = named(world, "Drizzle")
    lacking = world.call("GET", f"/api/acquire/album?source=local&id={drizzle['album_id']}")
    assert [one["title"] for one in lacking["tracks"]] == ["Thunder"] and lacking["track_count"] == 2
    answer = world.call("POST", "/api/downloads/album", {"source": "local", "album_id": drizzle["album_id"]})
    assert [one["title"] for one in answer["downloads"]] == ["Thunder"]
    (thunder,) = until_over(world.station, answer["downloads"][0]["id"])
    assert thunder["status"] == "completed", thunder["error"]
    assert world.track(thunder["track_id"])["album_id"] == drizzle["album_id"]
    assert world.track(thunder["track_id"])["track_number"] == 2

    link = ask(world.station, "https://www.deezer.com/playlist/77")
    (done,) = until_over(world.station, link["id"])
    told = world.call("GET", f"/api/downloads/{done['id']}/log")["items"]
    assert any("1 of its 3 tracks are in your library" in line["message"] for line in told)
    (sibling,) = world.call("GET", f"/api/downloads?group={done['id']}")["items"]
    done, sibling = until_over(world.station, done["id"], sibling["id"])
    assert [(one["title"], one["status"]) for one in (done, sibling)] == [
        ("Paper Boats", "completed"), ("Night Bus", "completed")], (done["error"], sibling["error"])
    assert sum(one["title"] in ("Drizzle", "Paper Boats", "Night Bus") for one in tracks(world.station)) == 3
    kept = mutagen.File(world.file(world.track(done["track_id"])))
    assert kept["musicbrainz_albumid"] == [SINGLE.id] and kept["musicbrainz_releasegroupid"] == [SINGLE.group_id]


def test_words_and_search_results_are_as_good_as_links(world: World) -> None:
    offers = world.call("GET", "/api/acquire/search?q=Testers%20Drizzle")
    found = next(one for one in offers["items"] if one["kind"] == "track" and one["title"] == "Drizzle")
    assert found["track_id"] == named(world, "Drizzle")["id"]       # there already: the player shows it
    meant = {name: found[name] for name in ("title", "artist", "album", "isrc", "duration_ms", "source")}
    status, answer = world.station.call("POST", "/api/downloads", {"track": meant | {"source_id": found["id"]}})
    assert status == 202
    (owned,) = until_over(world.station, answer["download"]["id"])
    assert owned["status"] == "completed" and owned["duplicate_of"] == found["track_id"] and owned["note"]
    status, answer = world.station.call("POST", "/api/downloads", {"query": f"{BAND} - Lone Star"})
    assert status == 202
    (came,) = until_over(world.station, answer["download"]["id"])
    assert came["status"] == "completed" and came["source"] == "soulseek", came["error"]
    assert world.track(came["track_id"])["isrc"] == isrc(NUMBER["Lone Star"])       # Deezer knew what was meant


def test_a_damaged_candidate_and_one_that_a_person_refuses_give_way_to_the_next(world: World) -> None:
    status, answer = world.station.call("POST", "/api/downloads", {"track": {
        "title": "Broken Wings", "artist": BAND, "artists": [BAND], "duration_ms": SECONDS * 1000,
        "isrc": isrc(NUMBER["Broken Wings"])}})
    assert status == 202
    uid = answer["download"]["id"]

    def second() -> dict[str, Any] | None:
        one = look(world.station, uid)
        return next((it for it in one["candidates"] if it["chosen"] and one["status"] == "downloading"
                     and any(other["rejected"] for other in one["candidates"])), None)

    hanging = until(second)
    rejected = [it["rejected"] for it in look(world.station, uid)["candidates"] if it["rejected"]]
    assert len(rejected) == 1 and ("damaged" in rejected[0] or "checksum" in rejected[0])
    world.call("POST", f"/api/downloads/{uid}/candidates/{hanging['id']}/block")
    (done,) = until_over(world.station, uid)
    assert done["status"] == "completed", done["error"]
    chosen = next(it for it in done["candidates"] if it["chosen"])
    refused = next(it for it in done["candidates"] if it["id"] == hanging["id"])
    assert chosen["id"] != hanging["id"] and refused["rejected"] and not chosen["rejected"]
    assert sum(bool(it["rejected"]) for it in done["candidates"]) == 2
    assert [one["title"] for one in tracks(world.station)].count("Broken Wings") == 1 and nothing_staged(world.music)


# ---- better files ------------------------------------------------------------------------------------------------


def test_a_better_file_takes_the_place_of_a_worse_one_and_its_plays_stay(world: World) -> None:
    tape = named(world, "Old Tape")
    world.call("POST", "/api/library/plays", {"track_id": tape["id"]})
    world.call("PUT", f"/api/library/favourites/{tape['id']}")
    playlist = world.call("POST", "/api/library/playlists", {"name": "Kept", "track_ids": [tape["id"]]})
    better = world.media.add("old/tape.flac", song("Old Tape", album="Demos"))
    (done,) = until_over(world.station, ask(world.station, better)["id"])
    assert done["status"] == "completed" and done["track_id"] == tape["id"], done
    now = world.track(tape["id"])
    assert now["format"] == "flac" and now["play_count"] == 1 and now["favourite"]
    kept = world.call("GET", f"/api/library/playlists/{playlist['id']}")
    assert [one["id"] for one in kept["tracks"]] == [tape["id"]]
    assert not world.file(tape).exists() and world.file(now).exists()

    worse = world.media.add("old/tape.mp3", song("Old Tape", ".mp3", album="Demos", comment="another"))
    (done,) = until_over(world.station, ask(world.station, worse)["id"])
    assert done["status"] == "completed" and done["duplicate_of"] == tape["id"]
    assert world.track(tape["id"])["format"] == "flac"
    assert [one["title"] for one in tracks(world.station)].count("Old Tape") == 1


def test_lossless_files_that_were_lossy_before_are_found_out_and_replace_nothing(world: World) -> None:
    idea = named(world, "Bright Idea")
    fake = world.media.add("fake.flac", upsampled({"title": "Bright Idea", "artist": BAND, "album": "Demos"}))
    (done,) = until_over(world.station, ask(world.station, fake)["id"])
    assert done["status"] == "completed" and any("lossy before" in one for one in done["warnings"]), done
    assert done["duplicate_of"] == idea["id"] and world.track(idea["id"])["format"] == "mp3"


def upsampled(tags: dict[str, Any]) -> bytes:
    """Noise through an MP3 of 128 kbit/s, kept as FLAC."""
    import io
    import tempfile

    import av
    import numpy as np

    def encode(frames: list[av.AudioFrame], codec: str, container: str, **options: Any) -> bytes:
        out = io.BytesIO()
        with av.open(out, "w", format=container) as sink:
            stream: Any = sink.add_stream(codec, rate=44100)
            stream.layout = "stereo"
            for name, value in options.items():
                setattr(stream, name, value)
            for frame in frames:
                frame.pts = None
                sink.mux(stream.encode(frame))
            sink.mux(stream.encode(None))
        return out.getvalue()

    noise = np.random.default_rng(4).normal(0, 3000, (2, 44100 * SECONDS)).astype(np.int16)
    frames = []
    for at in range(0, noise.shape[1], 1152):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(noise[:, at:at + 1152]), format="s16p", layout="stereo")
        frame.sample_rate = 44100
        frames.append(frame)
    lossy = encode(frames, "libmp3lame", "mp3", bit_rate=128_000)
    resampler = av.AudioResampler("s16", "stereo", 44100)
    with av.open(io.BytesIO(lossy)) as source:
        again = [one for frame in source.decode(audio=0) for one in resampler.resample(frame)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.flac")
        path.write_bytes(encode(again, "flac", "flac"))
        kept = mutagen.File(path)
        kept.update({name: [value] for name, value in tags.items()})
        kept.save()
        return path.read_bytes()


# ---- seen as it happens ------------------------------------------------------------------------------------------


class Listening:
    """A Server-Sent Events connection."""

    def __init__(self, station: RunningStation, last: str | None = None) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(station.url).netloc, timeout=20)
        headers = {"Authorization": f"Bearer {station.login()}"} | ({"Last-Event-ID": last} if last else {})
        self.connection.request("GET", "/api/downloads/manager/events", headers=headers)
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200 and self.answer.headers["Content-Type"].startswith("text/event-stream")

    def __iter__(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        one: dict[str, str] = {}
        while line := self.answer.readline().decode():
            if line == "\n" and "event" in one:
                yield one["id"], one["event"], json.loads(one["data"])
                one = {}
            elif not line.startswith(":"):
                name, _, value = line.rstrip("\n").partition(": ")
                one[name] = value

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def test_the_stream_of_events_goes_on_exactly_where_it_broke_off(world: World) -> None:
    link = world.media.add("seen.mp3", audio(".mp3", seconds=2, tone_hz=1100, tags={"title": "Seen", "artist": BAND}))
    listening = Listening(world.station)
    events = iter(listening)
    id, name, data = next(events)
    assert name == "snapshot" and {"revision", "scan", "downloads"} <= data.keys()
    uid = ask(world.station, link)["id"]
    seen = [(id, name, data)]
    for one in events:
        seen.append(one)
        if one[1] == "download:changed" and one[2]["download"]["status"] == "completed":
            break
    listening.close()
    statuses = [data["download"]["status"] for _, name, data in seen if name == "download:changed"
                and data["download"]["id"] == uid]
    order = ["waiting", "pending", "queued", "downloading", "processing", "completed"]
    assert statuses[-1] == "completed" and statuses == sorted(statuses, key=order.index)     # two a second at most
    assert any(name == "download:log" and data["id"] == uid for _, name, data in seen)

    again = Listening(world.station, last=seen[1][0])
    for expected, (id, name, data) in zip(seen[2:], again, strict=False):
        assert (id, name, data) == expected
    again.close()


def test_open_players_and_a_webhook_are_told(world: World) -> None:
    heard: list[tuple[str, Any]] = []
    client = socketio.Client(reconnection=False)
    for name in ("download:changed", "download:log", "library:changed", "download:removed"):
        client.on(name, lambda data, name=name: heard.append((name, data)))
    client.connect(world.station.url, auth={"token": world.station.login()}, transports=["websocket"])
    try:
        link = world.media.add("told.mp3", audio(".mp3", seconds=2, tone_hz=1300, tags={
            "title": "Told", "artist": BAND}))
        (done,) = until_over(world.station, ask(world.station, link)["id"])
        (missing,) = until_over(world.station, ask(world.station, world.media.url("no/such.mp3"))["id"])
        until(lambda: {"download:changed", "download:log", "library:changed"} <= {name for name, _ in heard})
        world.call("POST", f"/api/downloads/{missing['id']}/dismiss")
        until(lambda: any(name == "download:removed" and data["id"] == missing["id"] for name, data in heard))
        sequence = [data["seq"] for _, data in heard]
        assert sequence == sorted(sequence)
    finally:
        client.disconnect()
    assert done["status"] == "completed" and missing["status"] == "failed"
    until(lambda: any("Told" in json.dumps(one) for one in world.hook.told()))
    until(lambda: any(missing["error"]["message"] in json.dumps(one, ensure_ascii=False) for one in world.hook.told()))
    assert {one["event"] for one in world.hook.told()} <= {"download.completed", "download.failed", "downloads.over"}


def test_reports_count_what_came_and_what_failed_as_json_and_csv(world: World) -> None:
    (failed,) = until_over(world.station, ask(world.station, world.media.url("also/missing.mp3"))["id"])
    report = world.call("GET", "/api/downloads/reports")
    assert report["completed"] >= 1 and report["failures"][failed["error"]["code"]]["count"] >= 1
    assert report["bytes"] > 0 and report["stages"]["fetch"]["p50_ms"] is not None
    status, text = world.station.call("GET", "/api/downloads/reports?format=csv")
    lines = text.decode("utf-8-sig").splitlines()
    assert status == 200 and len(lines) == len(report["items"]) + 1 and any("missing.mp3" in line for line in lines)
    assert world.call("GET", "/api/downloads/reports?from=2001-01-01&to=2001-01-02")["completed"] == 0
    stats = world.call("GET", "/api/downloads/manager/stats")
    assert stats["today"]["failed"] >= 1 and stats["failed"] >= 1


# ---- the command line --------------------------------------------------------------------------------------------


def tool(home: Path, *arguments: str, **environ: str) -> tuple[int, Any]:
    ran = subprocess.run([sys.executable, "-m", "setup_tool", "download", *arguments, "--json"], cwd=ROOT,
                         env=clean_environment(home, **environ), capture_output=True, timeout=60, check=False)
    assert ran.stdout, ran.stderr.decode()
    return ran.returncode, json.loads(ran.stdout)


def test_the_command_line_hands_its_wishes_to_a_station_that_runs(world: World) -> None:
    link = world.media.add("typed.mp3", audio(".mp3", seconds=2, tone_hz=1500, tags={"title": "Typed", "artist": BAND}))
    code, told = tool(world.station.home, link, **world.environ)
    assert code == 0 and [one["status"] for one in told["downloads"]] == ["completed"]
    assert told["downloads"][0]["track_id"] == named(world, "Typed")["id"]
    assert look(world.station, told["downloads"][0]["id"])["title"] == "Typed"      # the owner sees it


# ---- a small house: one worker, direct links only ----------------------------------------------------------------


class Names(Answering):
    """A MusicBrainz that knows nothing, and says so when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()

    def answer(self, asked: Asked) -> Reply:
        self.gate.wait(20)
        return Reply(404, b'<?xml version="1.0"?><error><text>Not Found</text></error>', "application/xml")


@dataclass
class House:
    station: RunningStation
    media: MediaServer
    names: Names
    begin: Callable[[], RunningStation]

    @property
    def music(self) -> Path:
        return self.station.music

    def song(self, name: str, **ways: Any) -> str:
        """The link of a song of its own."""
        chance = random.Random(name)
        return self.media.add(f"{name}.mp3", audio(".mp3", seconds=4, tone_hz=chance.uniform(300, 3000), tags={
            "title": name.capitalize(), "artist": BAND}), **ways)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    base = tmp_path_factory.mktemp("house")
    far = datetime.now() + timedelta(hours=12)      # the night of this house is not now
    night = f"{far:%H}:00-{far:%H}:30"
    with MediaServer() as media, Names() as names:

        def begin() -> RunningStation:
            return start(base / "home", base / "music", media, musicbrainz_url=names.url, download_workers="1",
                         download_night=night)

        house = House(begin(), media, names, begin)
        try:
            yield house
        finally:
            names.gate.set()
            house.station.stop()


def status_of(house: House, uid: str) -> str:
    return str(look(house.station, uid)["status"])


def at_stage(house: House, stage: str) -> tuple[str, Callable[[], None]]:
    """A download that stands still at `stage` now, and what lets it go on."""
    name = f"at-{stage}-{len(house.media.asked())}"
    if stage == "waiting":
        return str(ask(house.station, house.song(name), not_before="2099-01-01T00:00:00Z")["id"]), lambda: None
    gate = threading.Event()
    if stage == "pending":

        def held(asked: Any) -> None:
            gate.wait(20)

        link = house.song(name, act=held)
        go = gate.set
    elif stage == "downloading":
        link = house.song(name, slow=4_000)
        go = partial(house.media.change, f"{name}.mp3", slow=None)
    else:
        link, go = house.song(name), house.names.gate.set
        house.names.gate.clear()
    uid = str(ask(house.station, link)["id"])
    until(lambda: status_of(house, uid) == stage)
    if stage == "processing":
        until(lambda: look(house.station, uid)["stage"] == "identify")
    return uid, go


def idle(house: House) -> bool:
    return bool(house.station.call("GET", "/api/downloads/manager/stats")[1]["queue"]["running"] == 0)


@pytest.mark.parametrize("stage", ["waiting", "pending", "downloading", "processing"])
def test_cancelling_at_any_stage_leaves_nothing(house: House, stage: str) -> None:
    before = len(tracks(house.station))
    uid, go = at_stage(house, stage)
    status, answer = house.station.call("DELETE", f"/api/downloads/{uid}")
    assert status == 200 and answer["download"]["status"] == "cancelled"
    go()
    until(lambda: idle(house))
    assert nothing_staged(house.music) and len(tracks(house.station)) == before
    assert look(house.station, uid)["history"][-1]["to"] == "cancelled"


@pytest.mark.parametrize("stage", ["waiting", "downloading", "processing"])
def test_pausing_at_any_stage_and_going_on_ends_in_the_library(house: House, stage: str) -> None:
    uid, go = at_stage(house, stage)
    status, answer = house.station.call("POST", f"/api/downloads/{uid}/pause")
    assert status == 200 and answer["status"] == "paused"
    go()
    until(lambda: idle(house))
    assert status_of(house, uid) == "paused"
    house.station.call("POST", f"/api/downloads/{uid}/resume")
    if stage == "waiting":      # its time has not come when it goes on, either
        assert status_of(house, uid) == "waiting"
        assert house.station.call("DELETE", f"/api/downloads/{uid}")[0] == 200
        return
    (done,) = until_over(house.station, uid)
    assert done["status"] == "completed" and nothing_staged(house.music), done
    assert [row["to"] for row in done["history"]].count("paused") == 1


def test_what_is_more_urgent_comes_first_and_then_what_is_older(house: House) -> None:
    blocker, _ = at_stage(house, "downloading")
    wishes = [("low", 10), ("usual", 50), ("urgent", 90), ("usual-too", 50)]
    uids = {name: ask(house.station, house.song(f"order-{name}"), priority=priority)["id"]
            for name, priority in wishes}
    status, _ = house.station.call("PATCH", f"/api/downloads/{uids['low']}", {"priority": 95})
    assert status == 200
    house.station.call("DELETE", f"/api/downloads/{blocker}")
    done = until_over(house.station, *uids.values())
    began = {name: next(row["at"] for row in one["history"] if row["to"] == "pending")
             for name, one in zip(uids, done, strict=True)}
    assert sorted(began, key=began.__getitem__) == ["low", "urgent", "usual", "usual-too"]


def test_asking_twice_asks_once(house: House) -> None:
    link = house.song("once")
    body = {"url": link, "idempotency_key": "a-key", "not_before": "2099-01-01T00:00:00Z"}
    status, first = house.station.call("POST", "/api/downloads", body)
    again, second = house.station.call("POST", "/api/downloads", body)
    assert (status, again) == (202, 200) and first["download"]["id"] == second["download"]["id"]
    status, refused = house.station.call("POST", "/api/downloads", {**body, "url": link + "?other"})
    assert status == 409 and refused["error"]["code"] == "idempotency_conflict"
    house.station.call("DELETE", f"/api/downloads/{first['download']['id']}")


def test_a_batch_for_later_is_one_group_of_which_nothing_runs_and_which_goes_at_once(house: House) -> None:
    """Ten thousand at once are in test_downloads.py."""
    items = [{"url": house.media.url(f"later.mp3?{number}")} for number in range(600)]
    status, answer = house.station.call("POST", "/api/downloads/batch", {
        "items": [*items, {"url": "file:///etc/passwd"}], "not_before": "2099-01-01T00:00:00Z"})
    assert status == 202 and answer["added"] == 600 and [one["line"] for one in answer["failed"]] == [601]
    stats = house.station.call("GET", "/api/downloads/manager/stats")[1]
    assert stats["waiting"] == 600 and stats["queue"]["running"] == 0 and house.media.asked("later.mp3") == []
    page = house.station.call("GET", f"/api/downloads?group={answer['group']}&limit=500")[1]
    assert page["total"] == 600 and len(page["items"]) == 500 and page["next_cursor"]
    status, answer = house.station.call("POST", "/api/downloads/bulk", {"action": "cancel", "status": "waiting"})
    assert status == 200 and len(answer["done"]) == 600 and answer["failed"] == []
    assert house.station.call("GET", "/api/downloads/manager/stats")[1]["waiting"] == 0


def test_what_is_new_in_a_watched_feed_is_fetched_by_itself_and_what_was_there_is_not(house: House) -> None:
    old, new = house.song("episode-one"), house.song("episode-two")
    feed = house.media.add_feed("watched.xml", [("Episode one", old)], title="Watched")
    status, watch = house.station.call("POST", "/api/watches", {"url": feed, "quality": "320"})
    assert status == 201 and (watch["kind"], watch["name"]) == ("feed", "Watched")
    assert house.station.call("POST", f"/api/watches/{watch['id']}/check")[1]["queued"] == 0
    house.media.add_feed("watched.xml", [("Episode two", new), ("Episode one", old)], title="Watched")
    status, found = house.station.call("POST", f"/api/watches/{watch['id']}/check")
    assert status == 200 and found["queued"] == 1
    known = until(lambda: [one for one in tracks(house.station) if one["title"].lower().startswith("episode")])
    assert len(known) == 1 and "two" in known[0]["title"].lower()
    assert house.station.call("POST", f"/api/watches/{watch['id']}/check")[1]["queued"] == 0
    assert house.station.call("DELETE", f"/api/watches/{watch['id']}")[0] == 204


def test_a_link_is_heard_before_it_is_fetched_and_nothing_is_kept(house: House) -> None:
    before = len(tracks(house.station))
    link = house.song("heard")
    status, sound = house.station.call("GET", f"/api/acquire/preview?url={quote(link, safe='')}")
    assert status == 200 and len(sound) > 10_000 and sound[:3] in (b"ID3", b"\xff\xfb", b"\xff\xfa")
    assert nothing_staged(house.music) and len(tracks(house.station)) == before
    assert not [one for one in house.station.call("GET", "/api/downloads?limit=500")[1]["items"]
                if one["url"] == link]


def test_a_download_for_the_night_waits_for_it(house: House) -> None:
    nightly = ask(house.station, house.song("nightly"), nightly=True)["id"]
    now = ask(house.station, house.song("nightly-not"))["id"]
    until_over(house.station, now)      # younger, and its turn came all the same
    assert status_of(house, nightly) == "waiting" and house.media.asked("nightly.mp3") == []
    assert house.station.call("DELETE", f"/api/downloads/{nightly}")[0] == 200


def test_a_service_that_fails_three_times_is_left_alone_and_asked_once_when_its_time_has_come(house: House) -> None:
    links = [house.song(f"shaky-{number}") for number in range(3)]
    paths = [urlsplit(link).path.lstrip("/") for link in links]
    for path in paths:
        house.media.change(path, status=503)
    uids = [ask(house.station, link)["id"] for link in links]

    def opened() -> list[dict[str, Any]]:
        health = house.station.call("GET", "/api/downloads/manager/health")[1]
        return [one for one in health["providers"] if one["state"] == "open" and one["name"] == "direct"]

    (breaker,) = until(opened, 30)
    assert breaker["failure_count"] >= 3 and breaker["last_error"] and breaker["opens_at"]
    assert breaker["operation"] == "127.0.0.1"
    until(lambda: all(status_of(house, uid) == "waiting" and (look(house.station, uid)["note"] or "") for uid in uids))
    asked = len(house.media.asked())
    tries = [look(house.station, uid)["attempt"] for uid in uids]
    patient = ask(house.station, house.song("patient"))["id"]       # another file of the same host waits as well
    until(lambda: look(house.station, patient)["note"])
    waits = look(house.station, patient)
    assert waits["status"] == "waiting" and waits["attempt"] == 0 and waits["error"] is None
    time.sleep(0.5)
    assert len(house.media.asked()) == asked and [look(house.station, uid)["attempt"] for uid in uids] == tries

    # A minute goes by while the station is off: what is written down is a minute older then.
    house.station.stop()
    with contextlib.closing(sqlite3.connect(house.station.home / "data" / "library.db")) as database:
        database.execute("UPDATE breakers SET opened_at = opened_at - 61000 WHERE state = 'open' AND opened_at > 1e11")
        database.execute("UPDATE breakers SET opened_at = opened_at - 61 WHERE state = 'open' AND opened_at < 1e11")
        database.execute("UPDATE downloads SET not_before = NULL WHERE status = 'waiting'")
        database.commit()
    for path in paths:
        house.media.change(path, status=200)
    house.station = house.begin()
    done = until_over(house.station, *uids, patient)
    assert [one["status"] for one in done] == ["completed"] * 4, [(one["status"], one["error"]) for one in done]
    assert opened() == []


def test_the_command_line_downloads_by_itself_while_the_station_is_off(house: House) -> None:
    house.station.stop()
    try:
        environ = {f"SOUNDSIBLE_{name}_URL": NOWHERE for name in SERVICES}
        code, told = tool(house.station.home, house.song("alone"), house.media.url("nothing.mp3"), "--format", "opus",
                          **environ, SOUNDSIBLE_ALLOW_PRIVATE_HOSTS=house.media.allow)
    finally:
        house.station = house.begin()
    assert code == 1 and [one["status"] for one in told["downloads"]] == ["completed", "failed"]
    assert next(one for one in tracks(house.station) if one["title"] == "Alone")["format"] == "opus"
    assert nothing_staged(house.music)
