"""Files come onto the shelf whole, once, and over nobody; better ones take the place of worse ones."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.audio import tags
from shared.audio.integrity import sha256 as hash_of
from shared.audio.pool import WorkerPool
from shared.database import Database
from shared.library import admission as way
from shared.library.admission import Admission, Admitted
from shared.library.scanner import scan
from shared.model.download import Failure, Options, Wanted
from shared.model.errors import BadSetting, StorageOffline
from shared.model.person import Person
from shared.model.scan import ScanReport
from shared.model.track import AudioFacts, Filters, Metadata, Track
from shared.records.admission import Shelving
from shared.records.copies import Copies
from shared.records.listening import Listening
from shared.records.origins import Origins
from shared.records.people import People
from shared.records.playlists import Playlists
from shared.records.recall import Recall
from shared.records.scans import Scans
from shared.records.tracks import Tracks
from shared.storage.access import Access
from tests.builders import make_audio
from tests.records.songs import copy_of

SONG = {"title": "Rain", "artist": "Ann", "album": "Weather", "album_artist": "Ann", "track_number": 3}


@pytest.fixture(scope="module")
def workers() -> Iterator[WorkerPool]:
    pool = WorkerPool(size=1, name="admission tests")
    yield pool
    pool.stop()


class House:
    """A music folder and the way into it; every part is the real one."""

    def __init__(self, base: Path, workers: WorkerPool, **settings: Any) -> None:
        self.music = base / "music"
        self.music.mkdir(exist_ok=True)
        self.database = Database(base / "library.db")
        self.database.prepare()
        self.tracks = Tracks(database=self.database)
        self.scans = Scans(database=self.database)
        self.access = Access()
        self.workers = workers
        self.root = next(iter(self.scans.roots()), None) or self.scans.add_root(str(self.music))
        wishes = SimpleNamespace(**{"download_template": "{album_artist}/{album}/{track:02} {title}"} | settings)
        self.admission = Admission(records=Shelving(database=self.database), scans=self.scans, access=self.access,
                                   workers=workers, settings=wishes)
        people = People(database=self.database)
        row = people.find_user("ann") or people.make_user("ann", "x", "owner")
        self.ann = Person(user_id=row.id, id=row.uid, username="ann", role="owner")

    def scan(self) -> ScanReport:
        return scan(self.scans.roots(), scans=self.scans, recall=Recall(database=self.database), pool=self.workers)

    def staged(self, name: str = "a.flac", uid: str = "one", *, seconds: float = 2.0, tone_hz: float = 440.0,
               said: dict[str, Any] | None = None, **wish: Any) -> Path:
        return make_audio(self.admission.staging() / uid, name, seconds=seconds, tone_hz=tone_hz,
                          tags=SONG if said is None else said, **wish)

    def admit(self, path: Path, *, options: Options | None = None, replace: str | None = None,
              origin: dict[str, Any] | None = None, sha256: str | None = None) -> Admitted:
        reading = tags.read(str(path)) if path.exists() else None
        return self.admission.admit(
            path, reading.metadata if reading else None, reading.facts if reading else None,  # type: ignore[arg-type]
            sha256=sha256 or (hash_of(str(path)) if path.exists() else "gone"), options=options or Options(),
            replace=replace, origin={"provider": "direct", "upsampled": False} | (origin or {}), cover=None,
            lyrics=None, review=None)

    def all(self) -> dict[str, Track]:
        return {one.path or "": one for one in self.tracks.list(self.ann, filters=Filters()).items}

    def files(self) -> dict[str, bytes]:
        """Of the whole music folder, the station's own among them."""
        return {str(path.relative_to(self.music)): path.read_bytes()
                for path in sorted(self.music.rglob("*")) if path.is_file() and not path.is_symlink()}

    def music_files(self) -> list[str]:
        return [name for name in self.files() if not name.startswith(".soundsible/")]

    def nothing_to_do(self) -> bool:
        report = self.scan()
        return (report.read, report.added, report.changed, report.moved, report.missing, report.bad) == (
            0, 0, 0, 0, 0, [])

    def close(self) -> None:
        self.access.stop()
        self.database.close()


@pytest.fixture
def house(tmp_path: Path, workers: WorkerPool) -> Iterator[House]:
    house = House(tmp_path, workers)
    yield house
    house.close()


# ---- new ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".flac", ".mp3", ".m4a", ".opus", ".wav"])
def test_a_file_becomes_a_track_and_the_next_scan_finds_nothing_to_do(house: House, suffix: str) -> None:
    path = house.staged(f"raw{suffix}")
    content = path.read_bytes()
    done = house.admit(path, origin={"url": "http://x.example/a", "source": "direct", "quality": "lossless"})
    assert done == Admitted(done.track_id, f"Ann/Weather/03 Rain{suffix}", None, False)
    assert (house.music / done.path).read_bytes() == content
    assert not path.exists()
    track = house.all()[done.path]
    assert (track.id, track.title, track.artist, track.album, track.place) == (
        done.track_id, "Rain", "Ann", "Weather", "local")
    assert house.tracks.file_of(done.track_id).sha256 == hash_of(str(house.music / done.path))
    origin = Origins(database=house.database).of(done.track_id)
    assert origin is not None
    assert (origin.provider, origin.url, origin.content["quality"]) == ("direct", "http://x.example/a", "lossless")
    assert house.nothing_to_do()
    assert [one.id for one in house.all().values()] == [done.track_id]


def test_the_database_moves_on_so_that_players_hear_of_it(house: House) -> None:
    heard = []
    path = house.staged()
    house.database.on_commit(lambda: heard.append(house.tracks.stats().tracks))
    house.admit(path)
    assert heard[-1] == 1


def test_another_song_of_the_same_name_stands_beside(house: House) -> None:
    first = house.admit(house.staged(seconds=2.0))
    before = (house.music / first.path).read_bytes()
    second = house.admit(house.staged(uid="two", seconds=9.0))
    assert (second.path, second.duplicate_of) == ("Ann/Weather/03 Rain (2).flac", None)
    assert (house.music / first.path).read_bytes() == before
    assert len(house.all()) == 2
    assert house.nothing_to_do()


def test_a_file_nobody_knows_of_is_never_written_over(house: House) -> None:
    folder = house.music / "Ann" / "Weather"
    folder.mkdir(parents=True)
    (folder / "03 RAIN.FLAC").write_text("somebody's")
    done = house.admit(house.staged())
    assert done.path == "Ann/Weather/03 Rain (2).flac"
    assert (folder / "03 RAIN.FLAC").read_text() == "somebody's"


def test_folders_are_used_as_they_are_there_whatever_their_case(house: House) -> None:
    (house.music / "ANN" / "weather").mkdir(parents=True)
    assert house.admit(house.staged()).path == "ANN/weather/03 Rain.flac"


def test_a_link_in_a_folders_place_is_not_followed(house: House, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (house.music / "Ann").symlink_to(outside)
    done = house.admit(house.staged())
    assert done.path == "Ann (2)/Weather/03 Rain.flac"
    assert list(outside.iterdir()) == []


def test_the_ending_is_what_the_file_is(house: House) -> None:
    path = house.staged("a.flac")
    lying = path.rename(path.with_name("a.mp3"))
    assert house.admit(lying).path == "Ann/Weather/03 Rain.flac"


@pytest.mark.parametrize("title", [
    "..", "../../../etc/passwd", "x" * 300, "👨‍👩‍👧" * 80, "CON", " . ", "a\x00b", "\u202eevil"])
def test_a_hostile_title_stays_in_the_music_folder(house: House, title: str) -> None:
    done = house.admit(house.staged(said={"title": title, "artist": "..", "album": "../.."}))
    place = (house.music / done.path).resolve()
    assert place.is_relative_to(house.music)
    assert place.is_file()
    assert house.nothing_to_do()


def test_lyrics_that_lie_beside_its_place_are_its_own(house: House) -> None:
    folder = house.music / "Ann" / "Weather"
    folder.mkdir(parents=True)
    (folder / "03 Rain.lrc").write_text("[00:01.00] One\n[00:02.00] Two")
    done = house.admit(house.staged())
    assert house.tracks.lyrics(done.track_id)[0].source == "sidecar"
    assert house.nothing_to_do()


def test_others_may_read_the_file_as_they_may_its_folder(house: House) -> None:
    path = house.staged()
    path.chmod(0o600)
    (house.music / "Ann" / "Weather").mkdir(parents=True)
    (house.music / "Ann" / "Weather").chmod(0o755)
    assert (house.music / house.admit(path).path).stat().st_mode & 0o777 == 0o644


def test_a_file_system_without_hard_links_works_as_well(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    worse = house.admit(house.staged("a.mp3"))
    assert house.nothing_to_do()
    better = house.admit(house.staged("a.flac", "two"))
    assert (better.track_id, better.replaced, better.path) == (worse.track_id, True, "Ann/Weather/03 Rain.flac")
    louder = house.admit(house.staged("b.mp3", "three", said=SONG | {"title": "Sun"}, bitrate=64_000))
    again = house.admit(house.staged("b.mp3", "four", said=SONG | {"title": "Sun"}, bitrate=320_000))
    assert (again.track_id, again.replaced, again.path) == (louder.track_id, True, louder.path)
    assert sorted(house.music_files()) == ["Ann/Weather/03 Rain.flac", "Ann/Weather/03 Sun.mp3"]
    assert house.nothing_to_do()


def test_a_folder_on_another_disk_gets_a_copy(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk mounted inside the music folder: nothing can be linked or renamed there from the staging folder."""
    rename = os.replace

    def no_links(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.EXDEV, "another disk")

    def not_across(source: Any, target: Any, **kwargs: Any) -> None:
        if str(source).endswith((".flac", ".mp3")) and ".soundsible-" not in str(source):
            raise OSError(errno.EXDEV, "another disk")
        rename(source, target, **kwargs)

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(os, "replace", not_across)
    path = house.staged("a.mp3", bitrate=64_000)
    content = path.read_bytes()
    done = house.admit(path)
    assert (house.music / done.path).read_bytes() == content
    assert house.admit(house.staged("b.mp3", "two", bitrate=320_000)).replaced
    assert house.admit(house.staged("c.flac", "three")).replaced
    assert house.music_files() == ["Ann/Weather/03 Rain.flac"]
    assert len([one for one in house.files() if "/trash/" in one]) == 2
    assert not list((house.music / "Ann").rglob(".*"))
    assert house.nothing_to_do()


def test_a_better_file_goes_to_the_music_folder_of_the_worse_one(house: House, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make_audio(other, "Mine/rain.mp3", tags=SONG)
    house.staged()      # the first folder is there
    house.scans.add_root(str(other))
    house.scan()
    uid = house.all()["Mine/rain.mp3"].id
    done = house.admit(house.staged("a.flac", "two"))
    assert (done.track_id, done.path, done.replaced) == (uid, "Mine/rain.flac", True)
    assert sorted(path.name for path in other.rglob("*.*") if path.is_file()) == ["rain.flac", "rain.mp3"]
    assert not (other / "Mine" / "rain.mp3").exists()
    assert house.nothing_to_do()


def test_downloads_go_to_the_first_music_folder_that_is_there(house: House, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    house.scans.add_root(str(other))
    assert house.admission.staging() == house.music / ".soundsible" / "staging"
    shutil.rmtree(house.music)
    house.access.probe(str(house.music))
    assert house.admission.staging() == other / ".soundsible" / "staging"
    assert house.admit(house.staged()).path == "Ann/Weather/03 Rain.flac"
    assert (other / "Ann").exists()


def test_a_music_folder_that_is_a_link_itself_is_one(tmp_path: Path, workers: WorkerPool) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "music").symlink_to(tmp_path / "real")
    house = House(tmp_path, workers)
    path = house.staged()
    assert house.admit(path.resolve()).path == "Ann/Weather/03 Rain.flac"
    assert (tmp_path / "real" / "Ann" / "Weather" / "03 Rain.flac").exists()
    house.close()


def test_a_template_of_ones_own(tmp_path: Path, workers: WorkerPool) -> None:
    house = House(tmp_path, workers, download_template="new/{title}")
    assert house.admit(house.staged()).path == "new/Rain.flac"
    house.close()
    with pytest.raises(BadSetting, match="nope"):
        House(tmp_path / "music", workers, download_template="{nope}")


# ---- what is owned --------------------------------------------------------------------------------------------------


def test_what_is_owned_is_known_by_isrc_recording_and_name(house: House) -> None:
    mbid = "a74b1b7f-71a5-4011-9441-d0b5e4122711"
    uid = house.admit(house.staged(said={"title": "Ræin (feat. Bob)", "artist": "The Änn", "isrc": "USRC17607839",
                                         "recording_mbid": mbid}, seconds=4.0)).track_id
    owned = house.admission.owned
    assert owned(Wanted(isrc="us-rc1-76-07839")) == uid
    assert owned(Wanted(isrc="USRC17607839", duration_ms=60_000)) is None
    assert owned(Wanted(recording_mbid=mbid.upper())) == uid
    assert owned(Wanted(title="raein", artist="the ann", duration_ms=6_500)) == uid
    assert owned(Wanted(title="Raein ft. Carl", artist="x", artists=("THE ANN", "Bob"), duration_ms=4_000)) == uid
    assert owned(Wanted(title="raein", artist="the ann")) == uid
    assert owned(Wanted(title="raein", artist="the ann", duration_ms=7_500)) is None
    assert owned(Wanted(title="raein (live)", artist="the ann", duration_ms=4_000)) is None
    assert owned(Wanted(title="raein", artist="somebody", duration_ms=4_000)) is None
    assert owned(Wanted(title="raein")) is None
    assert owned(Wanted()) is None


def test_what_is_in_the_trash_is_not_owned(house: House) -> None:
    done = house.admit(house.staged())
    house.tracks.trash(done.track_id, trashed_from=done.path, path=done.path)
    assert house.admission.owned(Wanted(title="Rain", artist="Ann")) is None


def test_a_track_whose_file_is_gone_is_not_owned_and_gets_the_new_one(house: House) -> None:
    said = SONG | {"isrc": "USRC17607839"}
    done = house.admit(house.staged(said=said))
    (house.music / "other.txt").write_text("the folder is online")
    (house.music / done.path).unlink()
    assert house.scan().missing == 1
    assert house.admission.owned(Wanted(isrc="USRC17607839")) is None
    again = house.admit(house.staged("a.mp3", "two", said=said))
    assert again.track_id == done.track_id
    assert [one.place for one in house.all().values()] == ["local"]
    assert house.nothing_to_do()


def test_a_track_whose_disk_is_away_is_still_owned(house: House) -> None:
    uid = house.admit(house.staged()).track_id
    aside = house.music.with_name("aside")
    house.music.rename(aside)
    house.scan()
    house.access.probe(str(house.music))
    assert house.admission.owned(Wanted(title="Rain", artist="Ann")) == uid
    with pytest.raises(Failure) as caught:
        house.admission.staging()
    assert (caught.value.code, caught.value.retryable) == ("library_offline", True)
    aside.rename(house.music)


@pytest.mark.parametrize("kind", ["content", "checksum", "name"])
def test_the_same_song_is_not_had_twice(house: House, kind: str) -> None:
    first = house.admit(house.staged(), sha256="ab" * 32)
    path = house.staged(uid="two", said=SONG if kind == "name" else SONG | {"title": "Other", "artist": "Other"},
                        seconds=3.0 if kind == "name" else 2.0)
    before = house.music_files()
    second = house.admit(path, sha256="ab" * 32 if kind == "content" else None)
    assert (second.track_id, second.duplicate_of, second.replaced, second.path) == (
        first.track_id, first.track_id, False, first.path)
    assert second.note == "Already in your library, flac 44.1 kHz 16 bit."
    assert house.music_files() == before
    assert len(house.all()) == 1


def test_who_wants_both_gets_both(house: House) -> None:
    house.admit(house.staged())
    second = house.admit(house.staged("a.mp3", "two"), options=Options(duplicates="keep"))
    assert (second.duplicate_of, second.path) == (None, "Ann/Weather/03 Rain.mp3")
    third = house.admit(house.staged("a.mp3", "three"), options=Options(duplicates="keep"))
    assert third.duplicate_of == second.track_id        # but never the very same bytes


# ---- better files ---------------------------------------------------------------------------------------------------


def test_a_better_file_takes_the_place_of_a_worse_one_and_keeps_its_plays(house: House) -> None:
    worse = house.admit(house.staged("a.mp3"))
    old = (house.music / worse.path).read_bytes()
    listening = Listening(database=house.database)
    listening.favourite(house.ann, worse.track_id, True)
    listening.play(house.ann, worse.track_id)
    playlists = Playlists(database=house.database)
    list_id = playlists.make(house.ann, "Mine", [worse.track_id]).id
    house.tracks.override(worse.track_id, {"title": "Rain (mine)"})
    added = house.all()[worse.path].added_at
    assert house.admission.worth_replacing(worse.track_id, Options(quality="lossless"))

    better = house.admit(house.staged("a.flac", "two"), replace=worse.track_id)
    assert (better.track_id, better.replaced, better.duplicate_of) == (worse.track_id, True, None)
    assert better.path == "Ann/Weather/03 Rain.flac"
    track = house.tracks.get(house.ann, worse.track_id)
    assert (track.format, track.favourite, track.play_count, track.added_at, track.title, track.place) == (
        "flac", True, 1, added, "Rain (mine)", "local")
    assert [one.id for one in playlists.get(house.ann, list_id).tracks] == [worse.track_id]
    assert house.music_files() == ["Ann/Weather/03 Rain.flac"]
    kept = [path for path in (house.music / ".soundsible" / "trash").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in kept] == [old]
    assert house.nothing_to_do()
    assert len(house.all()) == 1
    assert not house.admission.worth_replacing(worse.track_id, Options(quality="lossless"))


def test_a_better_file_of_the_same_kind_lies_where_the_worse_one_lay(house: House) -> None:
    worse = house.admit(house.staged("a.mp3", bitrate=64_000))
    old = (house.music / worse.path).read_bytes()
    path = house.staged("a.mp3", "two", bitrate=320_000)
    new = path.read_bytes()
    better = house.admit(path)
    assert (better.track_id, better.path, better.replaced) == (worse.track_id, worse.path, True)
    assert (house.music / better.path).read_bytes() == new
    assert old in house.files().values()
    assert house.tracks.get(house.ann, better.track_id).bitrate_kbps == 320
    assert house.nothing_to_do()


@pytest.mark.parametrize(("have", "come"), [("a.flac", "b.mp3"), ("a.mp3", "b.mp3"), ("a.opus", "b.mp3"),
                                            ("a.flac", "b.wav")])
def test_nothing_is_ever_replaced_by_what_is_not_better(house: House, have: str, come: str) -> None:
    first = house.admit(house.staged(have))
    before = house.files()
    path = house.staged(come, "two", tone_hz=441.0)
    second = house.admit(path, replace=first.track_id)
    assert (second.track_id, second.duplicate_of, second.replaced) == (first.track_id, first.track_id, False)
    path.unlink()
    assert {k: v for k, v in house.files().items() if "staging" not in k} == {
        k: v for k, v in before.items() if "staging" not in k}


def test_nothing_is_replaced_by_a_lossless_file_that_was_lossy_before(house: House) -> None:
    first = house.admit(house.staged("a.mp3"))
    second = house.admit(house.staged("a.flac", "two"), origin={"upsampled": True})
    assert (second.duplicate_of, second.replaced) == (first.track_id, False)
    # Where nobody has looked, it is looked at.
    third = house.admit(house.staged("a.flac", "three"), origin={"upsampled": None})
    assert third.replaced


def test_who_does_not_want_better_files_keeps_what_is_there(house: House) -> None:
    first = house.admit(house.staged("a.mp3"))
    second = house.admit(house.staged("a.flac", "two"), options=Options(duplicates="skip"))
    assert second.duplicate_of == first.track_id


@pytest.mark.parametrize(("quality", "worth"), [("lossless", True), ("320", True), ("192", True), ("128", False),
                                                ("smallest", False)])
def test_what_is_worth_replacing_depends_on_what_is_asked_for(house: House, quality: str, worth: bool) -> None:
    uid = house.admit(house.staged("a.mp3", bitrate=128_000)).track_id
    assert house.admission.worth_replacing(uid, Options(quality=quality)) is worth
    assert house.admission.worth_replacing("nobody", Options(quality=quality)) is False


# ---- cut off --------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


ALWAYS = ("_sync", "write", "_seen", "_clear")
STEPS = [(case, step) for case, steps in {
    "new": ("_free", "_put", "put"), "replace": ("_keep_replaced", "_put", "put_in_place", "remove", "forget_at"),
    "over": ("_keep_replaced", "_put_over", "put_in_place")}.items() for step in (*ALWAYS, *steps)]


def kill_at(house: House, monkeypatch: pytest.MonkeyPatch, step: str, *, after: bool) -> None:
    """Once, before or after that step."""
    places: list[Any] = [way, Admission, way._Journal, way.moves, Shelving]
    place = next(one for one in places if step in vars(one))
    real: Callable[..., Any] = vars(place)[step]
    once = iter([True])

    def dying(*args: Any, **kwargs: Any) -> Any:
        now = next(once, False)
        if now and not after:
            raise Killed
        answer = real(*args, **kwargs)
        if now:
            raise Killed
        return answer

    monkeypatch.setattr(place, step, dying)


@pytest.mark.parametrize(("after", "scanned"), [(False, False), (True, False), (True, True)],
                         ids=["before", "after", "after and scanned"])
@pytest.mark.parametrize(("case", "step"), STEPS)
def test_killed_at_any_step_and_admitted_again_all_is_as_if_nothing_had_been(
    house: House, monkeypatch: pytest.MonkeyPatch, case: str, step: str, after: bool, scanned: bool
) -> None:
    worse = None
    if case != "new":
        worse = house.admit(house.staged("a.mp3", bitrate=64_000)).track_id
        shutil.rmtree(house.admission.staging() / "one")
    path = house.staged("b.flac" if case != "over" else "b.mp3", "two", bitrate=None if case != "over" else 320_000)
    content = path.read_bytes()
    kill_at(house, monkeypatch, step, after=after)
    with pytest.raises(Killed):
        house.admit(path, sha256="cd" * 32)
    monkeypatch.undo()
    if scanned:
        house.scan()
    done = house.admit(path, sha256="cd" * 32)
    assert done.replaced is (case != "new")
    assert done.duplicate_of is None
    if worse is not None:
        assert done.track_id == worse
    ending = ".mp3" if case == "over" else ".flac"
    assert house.music_files() == [f"Ann/Weather/03 Rain{ending}"]
    assert (house.music / done.path).read_bytes() == content
    house.scan()
    assert [(one.id, one.path, one.place) for one in house.all().values()] == [(done.track_id, done.path, "local")]
    assert house.nothing_to_do()
    assert house.admit(path, sha256="cd" * 32).track_id == done.track_id     # and once more
    trash = [one for one in house.files() if one.startswith(".soundsible/trash/")]
    assert len(trash) == (0 if case == "new" else 1)
    assert not path.exists()


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from shared.audio.pool import WorkerPool
from tests.library import test_admission as tests
from tests.library.test_admission import House, way
house = House(Path(sys.argv[2]), WorkerPool(size=1))
place, step = {"os": os, "way": way, "records": tests.Shelving}[sys.argv[4]], sys.argv[5]
real = getattr(place, step)
def dying(*args, **kwargs):
    if step == "replace" and ".soundsible-" not in str(args[0]):
        return real(*args, **kwargs)
    if step != "replace":
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(place, step, dying)
house.admit(Path(sys.argv[3]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
@pytest.mark.parametrize(("place", "step"), [
    ("way", "_keep_replaced"), ("os", "replace"), ("way", "_put_over"), ("records", "put_in_place")])
def test_after_a_real_kill_the_next_start_finishes_it(house: House, tmp_path: Path, place: str, step: str) -> None:
    worse = house.admit(house.staged("a.mp3", bitrate=64_000)).track_id
    path = house.staged("b.mp3", "two", bitrate=320_000)
    content = path.read_bytes()
    root = str(Path(__file__).resolve().parents[2])
    child = subprocess.run([sys.executable, "-c", CHILD, root, str(tmp_path), str(path), place, step],
                           capture_output=True, text=True, timeout=60)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert (house.music / "Ann/Weather/03 Rain.mp3").exists()       # at no moment was the track without its file
    done = house.admit(path)
    assert (done.track_id, done.replaced) == (worse, True)
    assert (house.music / done.path).read_bytes() == content
    assert house.nothing_to_do()
    assert [one.id for one in house.all().values()] == [worse]


def test_many_at_once_add_each_song_once(house: House) -> None:
    paths = [house.staged(f"{n}.flac", f"u{n}", tone_hz=300.0 + n % 4) for n in range(8)]
    found: list[Admitted] = []
    threads = [threading.Thread(target=lambda path=path: found.append(house.admit(path))) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.track_id for one in found}) == 1
    assert len(house.all()) == 1
    assert house.nothing_to_do()


# ---- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "code", "retryable"), [
    (OSError(errno.ENOSPC, "full"), "disk_full", True), (OSError(errno.EDQUOT, "quota"), "disk_full", True),
    (OSError(errno.EROFS, "read-only"), "read_only", False), (PermissionError(errno.EACCES, "no"), "read_only", False),
    (OSError(errno.EIO, "gone"), "library_offline", True), (StorageOffline("hangs"), "library_offline", True),
])
def test_what_goes_wrong_has_its_reason_and_leaves_all_as_it_was(
    house: House, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str, retryable: bool
) -> None:
    path = house.staged()

    def failing(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(way, "_put", failing)
    with pytest.raises(Failure) as caught:
        house.admit(path)
    assert (caught.value.code, caught.value.retryable) == (code, retryable)
    assert house.music_files() == []
    assert house.all() == {}
    monkeypatch.undo()
    assert house.admit(path).path == "Ann/Weather/03 Rain.flac"


def test_names_too_long_for_the_file_system_become_shorter(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    real = way._put

    def picky(staged: str, root: str, target: str) -> None:
        if len(target.rpartition("/")[2].encode()) > 143:
            raise OSError(errno.ENAMETOOLONG, "too long")
        real(staged, root, target)

    monkeypatch.setattr(way, "_put", picky)
    done = house.admit(house.staged(said=SONG | {"title": "y" * 200, "album": None, "album_artist": None}))
    assert 100 < len(done.path.rpartition("/")[2]) <= 143


def test_what_is_no_music_is_not_admitted(house: House) -> None:
    path = house.staged()
    path.write_bytes(b"<html>404</html>" * 400)
    with pytest.raises(Failure) as caught:
        house.admission.admit(path, Metadata(), AudioFacts("mp3", "audio/mpeg", 0), sha256="x", options=Options(),
                              replace=None, origin={"provider": "direct"})
    assert caught.value.code == "not_audio"
    assert house.music_files() == []


def test_only_what_is_staged_is_admitted(house: House, tmp_path: Path) -> None:
    path = make_audio(tmp_path, "a.flac")
    with pytest.raises(Failure):
        house.admit(path)
    sneaky = house.admission.staging() / ".." / ".." / ".." / "a.flac"
    with pytest.raises(Failure):
        house.admit(sneaky)
    assert path.exists()


def test_a_link_that_is_staged_is_not_admitted(house: House, tmp_path: Path) -> None:
    path = make_audio(tmp_path, "a.flac")
    link = house.admission.staging() / "one" / "a.flac"
    link.parent.mkdir(parents=True)
    link.symlink_to(path)
    with pytest.raises(Failure) as caught:
        house.admit(link)
    assert caught.value.code == "damaged"


def test_without_a_music_folder_there_is_no_staging(house: House) -> None:
    house.scans.forget_root(str(house.music))
    with pytest.raises(Failure) as caught:
        house.admission.staging()
    assert caught.value.code == "no_music_folder"


def test_the_empty_place_of_an_unmounted_disk_gets_no_staging(house: House) -> None:
    house.admit(house.staged())
    shutil.rmtree(house.music)
    house.music.mkdir()
    house.access.probe(str(house.music))
    with pytest.raises(Failure) as caught:
        house.admission.staging()
    assert caught.value.code == "library_offline"
    assert list(house.music.iterdir()) == []


def test_a_disk_that_went_a_moment_ago_gets_no_staging_in_its_empty_place(house: House) -> None:
    """What is remembered of it still says that it is there."""
    house.admit(house.staged())
    house.access.probe(str(house.music))
    shutil.rmtree(house.music)
    house.music.mkdir()
    with pytest.raises(Failure) as caught:
        house.admission.staging()
    assert caught.value.code == "library_offline"
    assert list(house.music.iterdir()) == []


def test_a_staging_folder_that_is_a_link_is_refused(house: House, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (house.music / ".soundsible").symlink_to(outside)
    with pytest.raises(Failure):
        house.admission.staging()
    assert list(outside.iterdir()) == []


def test_an_admission_says_nothing_of_a_replaced_place_that_is_another_tracks(house: House) -> None:
    """A missing track that was known at the new place keeps its plays, and is no longer known there."""
    other = house.admit(house.staged("x.flac", said={"title": "Other", "artist": "Ann"}, tone_hz=300.0))
    worse = house.admit(house.staged("a.mp3", "two", said={"title": "Rain", "artist": "Ann"}))
    (house.music / other.path).unlink()
    house.scan()
    with house.database.transaction() as conn:
        conn.exec_driver_sql("UPDATE files SET path = ? WHERE missing_since IS NOT NULL", ("Ann/Rain.flac",))
    better = house.admit(house.staged("a.flac", "three", said={"title": "Rain", "artist": "Ann"}))
    assert (better.track_id, better.path) == (worse.track_id, "Ann/Rain.flac")
    assert house.tracks.get(house.ann, other.track_id).place == "missing"
    assert replace(better, note=None) == better


# ---- in the cloud ---------------------------------------------------------------------------------------------------


def offload(house: House, done: Admitted) -> Copies:
    """The file is taken off this machine, as for a copy in the cloud."""
    copies = Copies(database=house.database)
    copies.put([copy_of(done.track_id)])
    copies.offloaded(done.track_id, 5.0)
    (house.music / done.path).unlink()
    return copies


def test_what_lies_in_the_cloud_alone_is_owned_and_not_had_twice(house: House) -> None:
    done = house.admit(house.staged())
    copies = offload(house, done)
    wanted = Wanted(title="Rain", artist="Ann", duration_ms=2000)
    assert house.admission.owned(wanted) == done.track_id
    assert not house.admission.worth_replacing(done.track_id, Options())
    again = house.admit(house.staged(uid="two", tone_hz=880.0))
    assert (again.track_id, again.duplicate_of) == (done.track_id, done.track_id)
    assert house.music_files() == []
    copies.broken("r2", "music/ab/one.flac", "gone")  # now it is nowhere
    assert house.admission.owned(wanted) is None


def test_a_better_file_of_a_track_in_the_cloud_is_put_where_it_is_free(house: House) -> None:
    done = house.admit(house.staged("a.mp3"))
    offload(house, done)
    better = house.admit(house.staged("b.flac", "two"), options=Options(duplicates="upgrade"))
    assert (better.track_id, better.path) == (done.track_id, "Ann/Weather/03 Rain.flac")
    assert house.all()[better.path].place == "local"
    assert house.nothing_to_do()


def test_a_folder_whose_music_was_all_offloaded_still_takes_downloads(house: House) -> None:
    done = house.admit(house.staged())
    offload(house, done)
    shutil.rmtree(house.music)
    house.music.mkdir()
    house.access.probe(str(house.music))
    assert house.admission.staging().is_relative_to(house.music)


def test_a_scan_does_not_call_missing_what_was_offloaded(house: House) -> None:
    done = house.admit(house.staged())
    offload(house, done)
    assert house.scan().missing == 0
    assert house.all()[done.path].place == "cloud"
