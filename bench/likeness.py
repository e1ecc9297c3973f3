"""What goes with what among 100,000 tracks, by tags and by sound, and how fast the library is listened to.

The sounds are random numbers in clusters: comparing costs the same whatever they are. Plays are made up: two people,
20,000 of them. The files that are listened to are real ones, four minutes long.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import corpus
from bench.measure import Table, percentile

COUNT = 100_000
TIMES = 40
PLAYS = 20_000


def run(table: Table) -> None:
    from shared.audio.pool import WorkerPool
    from shared.database import Database
    from shared.library.likeness import Likeness
    from shared.model.person import Person
    from shared.records.likeness import Likeness as Records
    from shared.records.sounds import Sounds

    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "library.db"
        shutil.copy(corpus.library(COUNT) / "data" / "library.db", path)
        database = Database(path)
        database.prepare()
        sounds = Sounds(database=database)
        person = _fill(database, sounds)
        workers = WorkerPool(size=1, name="comparer")
        likeness = Likeness(records=Records(database=database), sounds=sounds, workers=workers, database=path,
                            folder=Path(place) / "sounds")
        try:
            tracks, albums, artists = (_some(database, kind) for kind in ("tracks", "albums", "artists"))
            at = f"{COUNT:,} tracks, p95"
            records = Records(database=database)

            def by_tags(uid: str) -> Any:
                return records.similar(person, records.seed(person, uid), 50)

            for kind, uids in (("a track", tracks), ("an album", albums), ("an artist", artists)):
                _measure(table, f"50 tracks that go with {kind}, by tags and plays", at, by_tags, uids, 100)
            begun = time.perf_counter()
            likeness.sounding_like(person, tracks[0], 50)
            table.add("the first question by sound: worker started, matrix made", f"{COUNT:,} tracks",
                      1000 * (time.perf_counter() - begun), "ms")
            near = [(one, 50) for one in tracks]
            _measure(table, "50 tracks that sound like one", at, lambda one: likeness.sounding_like(person, *one), near,
                     100)
            pairs = list(zip(tracks, reversed(tracks), strict=True))[:TIMES // 2 - 1]
            _measure(table, "a way by sound of 25 tracks", at, lambda one: likeness.path(person, *one, 25), pairs, 150)
            _measure(table, "50 tracks that go with a track, sound and tags", at,
                     lambda uid: likeness.similar(person, uid, 50), tracks, 150)
            limited = Person(user_id=person.user_id, id=person.id, username="olga", role="child", limited=True)
            with database.transaction() as conn:
                conn.exec_driver_sql(
                    "INSERT INTO user_folders (user_id, root_id, path) SELECT ?, id, '' FROM roots", (person.user_id,))
            _measure(table, "50 tracks that sound like one, for a limited person who sees all", at,
                     lambda one: likeness.sounding_like(limited, *one), near, 150)
            Table.add(table, "numpy in this process", "", float("numpy" in sys.modules), "", aim="0",
                      met="numpy" not in sys.modules)
        finally:
            workers.stop()
            database.close()
    _listening(table)


def _fill(database: Any, sounds: Any) -> Any:
    """Descriptions of all tracks, and plays; who they are of."""
    from shared.model.person import Person
    from shared.model.sound import SIZE
    from shared.records.people import People
    from shared.records.sounds import Heard

    dice = random.Random(1)
    clusters = [[dice.gauss(0, 14) for _ in range(SIZE)] for _ in range(400)]
    heard = []
    for one in sounds.due(limit=COUNT):
        middle = clusters[dice.randrange(400)]
        noise = dice.randbytes(SIZE)
        vector = bytes(int(max(-127, min(127, at + (wide - 128) / 8))) & 255
                       for at, wide in zip(middle, noise, strict=True))
        heard.append(Heard(one.id, one.source, vector))
    sounds.put(heard)
    people = [People(database=database).make_user(name, "hash", "owner") for name in ("olga", "peter")]
    at = 1_700_000_000.0
    rows = []
    for _ in range(PLAYS):
        at += dice.choice((200, 240, 300, 20_000))
        rows.append((people[dice.randrange(2)].id, dice.randrange(1, COUNT), at))
    with database.transaction(bulk=True) as conn:
        conn.exec_driver_sql("INSERT INTO plays (user_id, track_id, played_at) VALUES (?, ?, ?)", rows)
    return Person(user_id=people[0].id, id=people[0].uid, username="olga", role="owner")


def _some(database: Any, table: str) -> list[str]:
    where = {"tracks": "trashed_at IS NULL"}.get(table, "track_count > 0")
    with database.read() as conn:
        uids = [row[0] for row in conn.exec_driver_sql(f"SELECT uid FROM {table} WHERE {where}")]
    return random.Random(2).sample(uids, TIMES)


def _measure(table: Table, what: str, at: str, deed: Callable[[Any], Any], given: Sequence[Any], aim_ms: float) -> None:
    taken = []
    for one in given:
        begun = time.perf_counter()
        answer = deed(one)
        taken.append(1000 * (time.perf_counter() - begun))
        assert answer, what
    figure = percentile(taken, 0.95)
    table.add(what, at, figure, "ms", aim=f"≤ {aim_ms:g} ms", met=figure <= aim_ms)


def _listening(table: Table) -> None:
    """One niced worker, as in the background."""
    from shared.audio.pool import WorkerPool

    folder = corpus.folder() / "four-minutes"
    if not folder.exists():     # NumPy stays out of this process
        subprocess.run([sys.executable, "-c", "from bench.likeness import make; import sys; make(sys.argv[1])",
                        str(folder)], check=True, cwd=Path(__file__).resolve().parents[1])
    workers = WorkerPool(size=1, nice=19, name="listeners")
    try:
        for path in sorted(folder.iterdir()):
            workers.run("shared.audio.timbre:describe", str(path), 240_000)
            taken = []
            for _ in range(5):
                begun = time.perf_counter()
                workers.run("shared.audio.timbre:describe", str(path), 240_000)
                taken.append(1000 * (time.perf_counter() - begun))
            table.add("listening to one track of four minutes", path.suffix[1:], percentile(taken, 0.5), "ms")
    finally:
        workers.stop()


def make(folder: str) -> None:
    """Four minutes of made-up rock in four formats."""
    from tests.audio import ensembles
    from tests.audio.sounds import encoded

    place = Path(folder)
    part = place.with_suffix(".part")
    part.mkdir(parents=True, exist_ok=True)
    piece = ensembles.piece("rock", 1, 240.0)
    for codec, container, kbps, at in (("flac", "flac", None, None), ("libmp3lame", "mp3", 192, None),
                                       ("libopus", "ogg", 128, 48_000), ("aac", "ipod", 192, None)):
        suffix = {"ogg": "opus", "ipod": "m4a"}.get(container, container)
        (part / f"rock.{suffix}").write_bytes(
            encoded(piece, ensembles.RATE, codec, container, kbps=kbps, at=at))
    part.rename(place)
