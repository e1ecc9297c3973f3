"""Make what is measured: folders of small real files, and libraries of rows without files.

Kept in a folder of the system's temporary directory (SOUNDSIBLE_BENCH_DIR chooses another), made once.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

_SYLLABLES = (
    "ka", "lo", "mi", "ra", "ten", "sol", "ve", "nor", "bri", "an", "da", "el", "fi", "gu", "ha", "is", "jo", "ke",
    "lu", "mo", "na", "or", "pe", "qui", "ro", "su", "ti", "ul", "va", "wen", "ya", "zo", "ber", "chi", "dro", "fal",
    "gre", "hin", "kal", "lor", "mar",
)
GENRES = ("Rock", "Pop", "Jazz", "Classical", "Electronic", "Folk", "Metal", "Hip-Hop", "Soul", "Ambient", "Blues",
          "Country", "Reggae", "Latin", "Punk")
SUFFIXES = (".mp3", ".flac", ".ogg", ".m4a", ".opus")


def folder() -> Path:
    chosen = os.environ.get("SOUNDSIBLE_BENCH_DIR")
    made = Path(chosen) if chosen else Path(tempfile.gettempdir()) / "soundsible-bench"
    made.mkdir(parents=True, exist_ok=True)
    return made


def word(dice: random.Random) -> str:
    return "".join(dice.choice(_SYLLABLES) for _ in range(dice.randint(1, 3))).capitalize()


def words(dice: random.Random, most: int = 4) -> str:
    return " ".join(word(dice) for _ in range(dice.randint(1, most)))


def album(number: int) -> dict[str, object]:
    """Album `number` of the corpus, always the same: artist, title, year, genre, track titles."""
    dice = random.Random(number)
    singers = random.Random(number // 5)
    return {"artist": words(singers, 2) + f" {number // 5 % 97}", "title": words(dice),
            "year": dice.randint(1955, 2026), "genre": dice.choice(GENRES), "tracks": [words(dice) for _ in range(10)]}


def music(count: int) -> Path:
    """A folder tree of `count` tagged real files of 0.2 s in five formats, ten an album."""
    target = folder() / f"music-{count}"
    done = target.with_suffix(".done")
    if done.exists():
        return target
    shutil.rmtree(target, ignore_errors=True)
    print(f"  making {count:,} files …", flush=True)
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_make_album, [(str(target), number) for number in range(count // 10)], chunksize=50))
    done.touch()
    return target


def _make_album(what: tuple[str, int]) -> None:
    from tests.builders import make_audio

    target, number = what
    this = album(number)
    suffix = SUFFIXES[number % len(SUFFIXES)]
    place = Path(target) / f"{number % 100:02}" / f"{this['artist']}" / f"{number:06} {this['title']}"
    titles = this["tracks"]
    assert isinstance(titles, list)
    for track, title in enumerate(titles, start=1):
        make_audio(place, f"{track:02} {title}{suffix}", seconds=0.2, tags={
            "title": title, "artist": this["artist"], "album": this["title"], "album_artist": this["artist"],
            "track_number": track, "disc_number": 1, "date": str(this["year"]), "genre": [this["genre"]],
        })


def big_file(size_mb: int = 33) -> Path:
    """A FLAC-named file of random bytes: streaming does not look inside."""
    target = folder() / f"big-{size_mb}.flac"
    if not target.exists() or target.stat().st_size != size_mb * 1_000_000:
        target.write_bytes(random.Random(1).randbytes(size_mb * 1_000_000))
    return target


def real_flac(seconds: float = 190.0) -> Path:
    """A music folder with one real FLAC of about 30 MB (noise does not compress), to be scanned and streamed."""
    target = folder() / "one-big"
    if not list(target.rglob("*.flac")):
        import av
        import numpy

        (target / "Bench").mkdir(parents=True, exist_ok=True)
        path = target / "Bench" / "01 Noise.flac"
        with av.open(str(path), "w") as out:
            stream = out.add_stream("flac", rate=44100)
            noise = numpy.random.default_rng(1)
            for _ in range(int(seconds * 44100 / 4410)):
                block = noise.integers(-30000, 30000, (1, 4410 * 2), dtype=numpy.int16)
                frame = av.AudioFrame.from_ndarray(block, format="s16", layout="stereo")
                frame.sample_rate = 44100
                for packet in stream.encode(frame):
                    out.mux(packet)
            for packet in stream.encode(None):
                out.mux(packet)
    return target


def library(count: int) -> Path:
    """A station's home whose database holds `count` tracks (ten an album) without files; made once."""
    from shared.database import Database
    from shared.model.scan import Batch, Found, NewFile
    from shared.model.track import AudioFacts, Credit, Metadata, Reading
    from shared.records.scans import Scans

    home = folder() / f"library-{count}"
    done = home / "done"
    if done.exists():
        return home
    shutil.rmtree(home, ignore_errors=True)
    (home / "data").mkdir(parents=True)
    (home / "music").mkdir()
    print(f"  inserting {count:,} tracks …", flush=True)
    database = Database(home / "data" / "library.db")
    database.prepare()
    scans = Scans(database=database)
    root = scans.add_root(str(home / "music"))
    batch = Batch(root_id=root.id)
    for number in range(count // 10):
        this = album(number)
        artist, titles = str(this["artist"]), this["tracks"]
        assert isinstance(titles, list)
        for track, title in enumerate(titles, start=1):
            batch.new.append(NewFile(
                Found(f"{artist}/{number:06} {this['title']}/{track:02} {title}.flac", 30_000_000 + track,
                      1_700_000_000_000_000_000 + number, "1", str(number * 10 + track)),
                Reading(Metadata(
                    title=title, artist=artist, album=str(this["title"]), album_artist=artist,
                    credits=(Credit(artist), Credit(artist, "albumartist")), track_number=track, disc_number=1,
                    year=int(str(this["year"])), date=str(this["year"]), genres=(str(this["genre"]),),
                ), AudioFacts("flac", "audio/flac", 180_000 + track, 900, 44_100, 16, 2)),
            ))
        if len(batch.new) >= 2000:
            scans.apply(batch)
            batch = Batch(root_id=root.id)
    if len(batch.new):
        scans.apply(batch)
    scans.finish()
    database.close()
    done.touch()
    return home
