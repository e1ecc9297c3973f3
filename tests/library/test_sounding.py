"""The library is listened to when it may be, a little at a time; nothing twice, and nothing bad again and again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.audio.pool import WorkerPool
from shared.database import Database
from shared.library.likeness import NOT_SUPPORTED, Likeness
from shared.library.sounding import NIGHT_S, TOGETHER, Report, Sounding
from shared.model.errors import NotFound, Overloaded, StorageOffline, UnreadableFile
from shared.model.person import Person
from shared.model.sound import SIZE
from shared.model.source import TrackFile
from shared.model.work import Moved
from shared.records.likeness import Likeness as Records
from shared.records.people import People
from shared.records.sounds import Coverage, Sounds
from tests.audio import ensembles
from tests.audio.sounds import encoded
from tests.records.songs import Music, metadata

OWNER = Person(user_id=1, id="", username="o", role="owner")


class Ears:
    """Workers that hear at once, and remember what; those in `deaf` raise."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.deaf: dict[str, Exception] = {}

    def run(self, deed: str, /, *args: Any, timeout_s: float = 30.0, **kwargs: Any) -> Any:
        assert deed == "shared.audio.timbre:describe"
        self.heard.append(args[0])
        if args[0] in self.deaf:
            raise self.deaf[args[0]]
        return bytes(SIZE)


class Following:
    def __init__(self, most: int = 10**9) -> None:
        self.moved: list[Moved] = []
        self.most = most

    def tell(self, moved: Moved) -> None:
        self.moved.append(moved)

    def log(self, level: str, message: str) -> None:
        raise AssertionError(message)

    def stopped(self) -> bool:
        return len(self.moved) >= self.most


@pytest.fixture
def music(tmp_path: Path) -> Iterator[Music]:
    database = Database(tmp_path / "library.db")
    database.prepare()
    yield Music(database)
    database.close()


@pytest.fixture
def ears() -> Ears:
    return Ears()


def place(file: TrackFile) -> str | None:
    return str(file.path)


def sounding(music: Music, ears: Ears, **given: Any) -> Sounding:
    return Sounding(sounds=Sounds(database=music.database), workers=ears, place=given.pop("place", place),
                    when=given.pop("when", "always"), **given)


def test_all_is_listened_to_once(music: Music, ears: Ears) -> None:
    music.album("a", "Album", "A", TOGETHER + 5)
    one, work = sounding(music, ears), Following()
    assert one.listen(work=work, at_once=2) == Report(heard=TOGETHER + 5)
    assert work.moved[-1].done == work.moved[-1].total == TOGETHER + 5
    assert sorted(ears.heard) == [f"a/{n:02}.flac" for n in range(1, TOGETHER + 6)]
    assert one.listen() == Report() and len(ears.heard) == TOGETHER + 5


def test_a_limit_and_an_end_on_the_way_leave_the_rest_for_later(music: Music, ears: Ears) -> None:
    music.album("a", "Album", "A", 12)
    one = sounding(music, ears)
    assert one.listen(limit=3) == Report(heard=3)
    report = one.listen(work=Following(most=2))
    assert report.stopped and 2 <= report.heard < 9
    assert one.listen().heard == 9 - report.heard
    assert len(set(ears.heard)) == 12


def test_bad_files_are_remembered_and_those_out_of_reach_are_not(music: Music, ears: Ears) -> None:
    music.album("a", "Album", "A", 4)
    ears.deaf = {"a/01.flac": UnreadableFile("It is broken.", reason="damaged"),
                 "a/02.flac": UnreadableFile("It is gone.", reason="vanished")}
    away = {"a/03.flac": True}

    def where(file: TrackFile) -> str | None:
        if away.get(str(file.path)):
            raise StorageOffline("The disk does not answer.")
        return str(file.path)

    one = sounding(music, ears, place=where)
    assert one.listen() == Report(heard=1, unheard=1, away=2)
    assert one.coverage() == Coverage(tracks=4, known=1, unheard=1)
    away.clear()
    ears.deaf.pop("a/02.flac")
    assert one.listen() == Report(heard=2)
    music.retag({"a/01.flac": metadata("mended", "A", "Album", "A", 1)})
    ears.deaf.clear()
    assert one.listen() == Report(heard=1)


def test_what_lies_in_a_bucket_alone_is_left_out(music: Music, ears: Ears) -> None:
    music.add("a.flac")
    assert sounding(music, ears, place=lambda file: None).listen() == Report(away=1)
    assert ears.heard == []


def test_nothing_is_done_while_somebody_listens_or_by_day(music: Music, ears: Ears) -> None:
    music.album("a", "Album", "A", 3)
    busy, now = [True], [100_000.0]
    one = sounding(music, ears, busy=lambda: busy[0], clock=lambda: now[0], when="night", night=lambda now: 50_000.0)
    now[0] = 50_000.0 + NIGHT_S + 1
    assert one.turn() > 60 and ears.heard == [], "it is day"
    now[0] = 50_000.0 + NIGHT_S - 1
    assert 5 < one.turn() <= 60 and ears.heard == [], "somebody listens"
    busy[0] = False
    one.turn()
    assert len(ears.heard) == 3
    assert not sounding(music, ears, when="off").may()


def test_it_steps_aside_between_two_tracks_and_goes_on_where_it_was(music: Music, ears: Ears) -> None:
    music.album("a", "Album", "A", 5)
    answers = iter([False, False, False, True, False] + [False] * 20)
    one = sounding(music, ears, busy=lambda: next(answers))
    one.turn()
    assert len(ears.heard) == 2 and one.coverage().known == 2
    one.turn()
    assert len(ears.heard) == len(set(ears.heard)) == 5


def test_what_was_away_has_its_next_chance_in_the_next_round(music: Music, ears: Ears) -> None:
    music.album("a", "Album", "A", 3)
    there: list[str] = []
    one = sounding(music, ears, place=lambda file: str(file.path) if there else None)
    one.turn()
    assert one.turn() > 60 and ears.heard == []     # that round is over
    there.append("yes")
    one.turn()
    assert len(ears.heard) == 3


def test_what_was_heard_is_kept_when_the_workers_end(music: Music, ears: Ears) -> None:
    music.album("a", "Album", "A", 3)
    ears.deaf = {"a/03.flac": Overloaded("The station is stopping.", retry_after_s=5)}
    one = sounding(music, ears)
    with pytest.raises(Overloaded):
        one.turn()
    assert one.coverage().known == 2


def test_a_track_that_is_asked_for_is_listened_to_at_once_unless_that_is_off(music: Music, ears: Ears) -> None:
    uid = music.add("a.flac")
    assert not sounding(music, ears, when="off").hear_now(uid) and ears.heard == []
    assert sounding(music, ears).hear_now(uid) and ears.heard == ["a.flac"]
    other = music.add("b.flac")
    ears.deaf = {"b.flac": UnreadableFile("Too slow.", reason="timed_out")}
    assert not sounding(music, ears).hear_now(other)
    assert sounding(music, ears).coverage().unheard == 0, "who waits is not the one to say that it cannot be heard"


# ---- with real sound, real workers -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Music, Likeness, Sounding, dict[str, str]]]:
    """Twelve real files of three kinds, scanned in as untagged as can be, and listened to by worker processes."""
    folder = tmp_path_factory.mktemp("sounding")
    database = Database(folder / "library.db")
    database.prepare()
    People(database=database).make_user("o", "hash", "owner")
    music, uids = Music(database), {}
    for kind in ("techno", "ambient", "drums"):
        for seed in range(4):
            path = f"{kind} {seed}.flac"
            (folder / path).write_bytes(encoded(ensembles.piece(kind, seed, 6.0), ensembles.RATE, "flac", "flac"))
            uids[f"{kind} {seed}"] = music.add(path, metadata(f"{kind} {seed}", f"by {kind} {seed}", None, None),
                                               duration_ms=6000)
    music.add("broken.flac", metadata("broken", "nobody", None, None), duration_ms=6000)
    (folder / "broken.flac").write_bytes(b"nothing")
    workers = WorkerPool(size=2, memory_bytes=0, name="test")
    sounds = Sounds(database=database)
    sounding = Sounding(sounds=sounds, workers=workers, place=lambda file: str(folder / str(file.path)), when="always")
    likeness = Likeness(records=Records(database=database), sounds=sounds, workers=workers,
                        database=folder / "library.db", folder=folder / "kept", hear_now=sounding.hear_now)
    yield music, likeness, sounding, uids
    workers.stop()
    database.close()


def test_real_files_are_heard_and_compared(played: tuple[Music, Likeness, Sounding, dict[str, str]]) -> None:
    _, likeness, sounding, uids = played
    assert not likeness.known()
    names = {uid: name for name, uid in uids.items()}
    # What nobody listened to yet is listened to when somebody asks.
    assert likeness.sounding_like(OWNER, uids["drums 0"], 5) == [] and sounding.coverage().known == 1
    assert sounding.listen(at_once=2) == Report(heard=11, unheard=1)
    for kind in ("techno", "ambient", "drums"):
        found = likeness.sounding_like(OWNER, uids[f"{kind} 1"], 3)
        assert {names[one.uid].split()[0] for one in found} == {kind}
        assert 1 >= found[0].likeness >= found[-1].likeness > 0.3
    assert uids["techno 1"] not in [one.uid for one in likeness.sounding_like(OWNER, uids["techno 1"], 50)]
    way = likeness.path(OWNER, uids["techno 0"], uids["ambient 0"], 6)
    assert way[0] == (uids["techno 0"], 1.0) and way[-1].uid == uids["ambient 0"] and 3 <= len(way) <= 6
    assert len({one.uid for one in way}) == len(way)
    assert likeness.path(OWNER, uids["drums 2"], uids["drums 2"], 9) == [(uids["drums 2"], 1.0)]
    # Without a tag in common it is the sound that tells.
    assert likeness.known()
    assert [names[one].split()[0] for one in likeness.similar(OWNER, uids["ambient 2"], 3)] == ["ambient"] * 3


def test_what_cannot_be_heard_is_told_without_a_likeness(
        played: tuple[Music, Likeness, Sounding, dict[str, str]]) -> None:
    music, likeness, _, uids = played
    broken = music.uid("broken.flac")
    assert {one.likeness for one in likeness.sounding_like(OWNER, broken, 5)} <= {NOT_SUPPORTED}
    assert likeness.path(OWNER, broken, uids["drums 0"], 5) == [
        (broken, NOT_SUPPORTED), (uids["drums 0"], NOT_SUPPORTED)]
    with pytest.raises(NotFound):
        likeness.sounding_like(OWNER, "nothing", 5)
    with pytest.raises(NotFound):
        likeness.path(OWNER, uids["drums 0"], music.one("SELECT uid FROM artists LIMIT 1"), 5)


def test_limited_people_hear_only_of_what_they_see(played: tuple[Music, Likeness, Sounding, dict[str, str]]) -> None:
    from shared.records.visible import Folders

    music, likeness, sounding, uids = played
    sounding.listen()
    row = People(database=music.database).make_user("kid", "hash", "child")
    kid = Person(user_id=row.id, id=row.uid, username="kid", role="child", limited=True)
    Folders(database=music.database).set(row.id, [(music.root.id, "nowhere")])
    with pytest.raises(NotFound):
        likeness.sounding_like(kid, uids["drums 0"], 5)
    Folders(database=music.database).set(row.id, [(music.root.id, "")])
    assert len(likeness.sounding_like(kid, uids["drums 0"], 50)) == 11
