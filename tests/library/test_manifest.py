"""library.json: written whole, and what other programs write into it is taken up."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from shared.audio.pool import WorkerPool
from shared.database import Database
from shared.events import EventBus, LibraryChanged, Notice
from shared.library import manifest_work
from shared.library.manifest import Manifest
from shared.model.errors import SoundsibleError, Unprocessable
from shared.model.person import Person
from shared.model.scan import Batch, ChangedFile, Found, NewFile
from shared.model.track import AudioFacts, Credit, Metadata, Reading
from shared.records import manifest as records
from shared.records import revisions, tables
from shared.records.copies import Copies
from shared.records.listening import Listening
from shared.records.people import People
from shared.records.playlists import Playlists
from shared.records.scans import Scans
from tests.records.songs import copy_of


class Here:
    """Workers that work in this process."""

    def __init__(self):
        self.done = []

    def run(self, deed, /, *args, timeout_s=30.0, **kwargs):
        self.done.append(deed.rpartition(":")[2])
        module, _, name = deed.partition(":")
        return getattr(importlib.import_module(module), name)(*args, **kwargs)


class Library:
    """A real database with a few tracks; `edit` is what a person or a scan does to one."""

    def __init__(self, folder, count=3):
        self.database = Database(folder / "library.db")
        self.database.prepare()
        self.scans = Scans(database=self.database)
        self.root = self.scans.add_root("/music")
        self.readings = {}
        new = []
        for number in range(1, count + 1):
            metadata = Metadata(
                title=f"Song {number}", artist="Ann", album="Songs", album_artist="Ann", track_number=number, year=2001,
                genres=("Folk", "Rock"), credits=(Credit("Ann"), Credit("Ann", "albumartist")),
            )
            reading = Reading(metadata, AudioFacts("flac", "audio/flac", 180_000))
            found = Found(f"Ann/Songs/{number:06}.flac", 10, 10, "1", str(number))
            self.readings[found.path] = found, reading
            new.append(NewFile(found, reading))
        self.scans.apply(Batch(root_id=self.root.id, new=new))
        with records.snapshot(str(self.database.path)) as library:
            self.ids = {one["path"]: one["id"] for one in records.tracks(library)}

    def id(self, number):
        return self.ids[f"Ann/Songs/{number:06}.flac"]

    def edit(self, uid, fields):
        path = next(path for path, one in self.ids.items() if one == uid)
        found, reading = self.readings[path]
        fields = {name: tuple(value) if name == "genres" else value for name, value in fields.items()}
        reading = replace(reading, metadata=replace(reading.metadata, **fields))
        if "artist" in fields:
            reading = replace(reading, metadata=replace(reading.metadata, credits=(Credit(fields["artist"]),)))
        self.readings[path] = found, reading
        file_id = self.scans.known(self.root.id)[path][0]
        self.scans.apply(Batch(root_id=self.root.id, changed=[ChangedFile(file_id, found, reading)]))

    def track(self, number):
        with records.snapshot(str(self.database.path)) as library:
            return records.some_tracks(library, [self.id(number)])[self.id(number)][0]

    def revision(self):
        with self.database.read() as connection:
            return revisions.current(connection)


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def library(home):
    one = Library(home)
    yield one
    one.database.close()


@pytest.fixture
def keep(home, library):
    """Makes Manifests that are quick, and ends them. `.notices` is what people were told."""
    running = []

    def make(**changed):
        events = EventBus()
        notices = []
        events.subscribe(Notice, lambda notice: notices.append(notice))
        workers = changed.pop("workers", None) or Here()
        told = {"look_every_s": 0.01, "start_after_s": 0.0, "quiet_s": 0.0, "settled_s": 0.05, "longest_s": 0.05}
        one = Manifest(database=library.database, events=events, folder=home, workers=workers,
                       **{"apply": library.edit, **told, **changed})
        one.notices, one.bus, one.workers = notices, events, workers
        one.start()
        running.append(one)
        return one

    yield make
    for one in running:
        one.stop()


def until(condition):
    for _ in range(1500):
        if condition():
            return True
        time.sleep(0.01)
    return False


def read(home):
    return json.loads((home / "library.json").read_text("utf-8"))


def export(home, library):
    return manifest_work.export(str(library.database.path), str(home), manifest_work.look(home))


def compare(home, library, **told):
    told = {"heard": (), "unknown_at": time.time() - 1000, **told}
    return manifest_work.compare(str(library.database.path), str(home), expected=manifest_work.look(home), **told)


def rewrite(home, change, **dumped):
    """As another program would: read, change, write anew under another name, rename."""
    whole = read(home)
    changed = change(whole) or whole
    (home / "their.tmp").write_text(json.dumps(changed, **dumped), "utf-8")
    os.replace(home / "their.tmp", home / "library.json")


# ---- the file -----------------------------------------------------------------------------------------------------


def test_the_file_tells_tracks_playlists_and_each_persons_listening(home, library):
    ann = People(database=library.database).make_user("ann", "secret-hash", "owner")
    person = Person(user_id=ann.id, id=ann.uid, username="ann", role="owner")
    mine = Playlists(database=library.database).make(person, "Mine", [library.id(2), library.id(1)], "private")
    listening = Listening(database=library.database)
    listening.favourite(person, library.id(3), True)
    listening.rate(person, library.id(3), 4)
    assert export(home, library)["status"] == "written"
    whole = read(home)
    first = whole["tracks"][0]
    assert first == {
        "id": library.id(1), "title": "Song 1", "artist": "Ann", "album": "Songs", "album_artist": "Ann",
        "track_number": 1, "disc_number": first["disc_number"], "year": 2001, "genres": ["Folk", "Rock"],
        "duration_ms": 180_000, "format": "flac", "folder": "/music", "path": "Ann/Songs/000001.flac",
    }
    assert [one["title"] for one in whole["tracks"]] == ["Song 1", "Song 2", "Song 3"]
    assert whole["playlists"] == [{"id": mine.id, "name": "Mine", "owner": "ann", "visibility": "private",
                                   "track_ids": [library.id(2), library.id(1)]}]
    assert whole["people"] == [{"username": "ann", "favourites": [library.id(3)], "ratings": {library.id(3): 4}}]
    assert "secret-hash" not in (home / "library.json").read_text()
    assert (home / "library.json").stat().st_mode & 0o777 == 0o600
    assert len([line for line in (home / "library.json").read_text().splitlines() if '"title"' in line]) == 3


def test_a_library_that_says_the_same_is_not_written_again(home, library):
    first = export(home, library)
    with library.database.transaction() as connection:
        revisions.bump(connection)
    assert export(home, library) == {"status": "unchanged", "look": first["look"]}
    assert manifest_work.state_of(home)["revision"] == library.revision()
    assert [one for one in os.listdir(home) if one.endswith(".part")] == []


def test_an_empty_library_is_a_whole_file(tmp_path):
    home = tmp_path / "empty"
    home.mkdir()
    empty = Library(home, count=0)
    export(home, empty)
    assert read(home)["tracks"] == []
    empty.database.close()


def test_edits_that_nobody_has_read_are_never_overwritten(home, library):
    export(home, library)
    seen = manifest_work.look(home)
    rewrite(home, lambda whole: whole["tracks"][0].update(title="Theirs"))
    library.edit(library.id(2), {"title": "Ours"})
    assert manifest_work.export(str(library.database.path), str(home), seen) == {"status": "edited"}
    assert read(home)["tracks"][0]["title"] == "Theirs"


def test_trashed_tracks_are_not_told_and_missing_ones_and_those_in_the_cloud_say_so(home, library):
    with library.database.transaction() as connection:
        connection.execute(tables.tracks.update().where(tables.tracks.c.uid == library.id(1)).values(trashed_at=1.0))
        connection.execute(tables.files.update().where(tables.files.c.track_id == 2).values(missing_since=1.0))
    export(home, library)

    def told():
        return [(one["title"], one.get("missing", False), one.get("cloud", False)) for one in read(home)["tracks"]]

    assert told() == [("Song 2", True, False), ("Song 3", False, False)]
    Copies(database=library.database).put([copy_of(library.id(2))])
    export(home, library)
    assert told() == [("Song 2", False, True), ("Song 3", False, False)]


# ---- what others made of it ---------------------------------------------------------------------------------------


def test_what_only_they_changed_is_told_as_edits_however_they_laid_it_out(home, library):
    export(home, library)
    assert compare(home, library) == {"status": "ours"}
    rewrite(home, lambda whole: whole["tracks"][1].update(title="Neu", genres=["Jazz"], year=None), indent=4)
    found = compare(home, library)
    assert found["edits"] == [(library.id(2), {"title": "Neu", "year": None, "genres": ["Jazz"]})]
    assert not found["conflicts"] and not found["wrong"] and not found["removed"] and found["following"] is None


def test_where_both_changed_the_newer_one_wins(home, library):
    for newer, edits in ((True, [(library.id(1), {"title": "Theirs"})]), (False, [])):
        export(home, library)
        rewrite(home, lambda whole: whole["tracks"][0].update(title="Theirs"))
        library.edit(library.id(1), {"title": f"Ours {newer}"})
        written = (home / "library.json").stat().st_mtime
        found = compare(home, library, heard=[(library.revision(), written + (-1 if newer else 1))])
        assert found["edits"] == edits
        assert found["conflicts"] == [(f"Ours {newer}", "title", "theirs" if newer else "ours")]


def test_unknown_removed_doubled_and_senseless_entries_are_told_and_the_rest_goes_on(home, library):
    export(home, library)

    def change(whole):
        first, second, third = whole["tracks"]
        whole["tracks"] = [
            {**first, "id": "nobody"}, {**second, "year": "soon", "title": "Good", "path": "../x"},
            {**second, "title": "Twice"}, 7, {"title": "no id"}, {"id": ["x"]},
        ]
        whole["people"] = [{"username": "eve", "favourites": [], "ratings": {}}]
        assert third

    rewrite(home, change)
    found = compare(home, library)
    assert found["edits"] == [(library.id(2), {"title": "Good"})]
    assert found["unknown"] == ["nobody"]
    assert found["removed"] == 2
    assert len(found["wrong"]) == 5
    assert found["ignored"] == ["people", "path of “Song 2”"]


@pytest.mark.parametrize("content", [
    b"", b"{", b"[]", b"null", b'{"tracks": 7}', b'{"tracks": {}}', b"\xff\xfe{\x00}\x00", b'{"tracks": [}',
    b"[" * 100_000, b"{}",
])
def test_what_is_no_library_is_broken(home, library, content):
    export(home, library)
    (home / "library.json").write_bytes(content)
    assert compare(home, library)["status"] == "broken"


def test_a_byte_order_mark_and_bad_letters_in_one_entry_do_not_spoil_the_file(home, library):
    export(home, library)
    raw = (home / "library.json").read_bytes()
    raw = raw.replace(b"Song 1", b"So\xffng").replace(b"Song 2", b"New")
    (home / "library.json").write_bytes(b"\xef\xbb\xbf" + raw)
    found = compare(home, library)
    assert found["edits"] == [(library.id(2), {"title": "New"})]
    assert found["wrong"] == ["entry 1 is no track with an id"]


def test_without_its_base_an_older_file_changes_nothing_and_a_newer_one_wins(home, library):
    export(home, library)
    rewrite(home, lambda whole: whole["tracks"][0].update(title="Theirs"))
    (home / ".library.base.gz").write_bytes(b"damaged")
    (home / ".library.state.json").unlink()
    assert compare(home, library, unknown_at=time.time() + 9)["edits"] == []
    assert compare(home, library, unknown_at=0.0)["edits"] == [(library.id(1), {"title": "Theirs"})]


def test_many_edits_are_told_in_slices(home, library, monkeypatch):
    other = home.parent / "other"
    other.mkdir()
    large = Library(other, count=1700)
    monkeypatch.setattr(manifest_work, "SLICE", 400)
    export(other, large)

    def change(whole):
        for one in whole["tracks"]:
            one["genres"] = ["New"]

    rewrite(other, change)
    found, edits, slices = compare(other, large), [], 0
    while True:
        slices += 1
        edits += found["edits"]
        if found["following"] is None:
            break
        found = compare(other, large, after=found["following"])
    assert slices == 4
    assert sorted(uid for uid, _ in edits) == sorted(large.ids.values())
    assert all(fields == {"genres": ["New"]} for _, fields in edits)
    large.database.close()


# ---- the thread ---------------------------------------------------------------------------------------------------


def test_changes_of_the_library_reach_the_file(home, library, keep):
    manifest = keep()
    assert until(lambda: (home / "library.json").exists())
    library.edit(library.id(1), {"title": "Renamed"})
    manifest.bus.publish(LibraryChanged(library.revision()))
    assert until(lambda: read(home)["tracks"][0]["title"] == "Renamed")
    assert not manifest.notices


def test_edits_by_other_programs_are_taken_up_while_running(home, library, keep):
    manifest = keep()
    assert until(lambda: manifest_work.state_of(home))
    rewrite(home, lambda whole: whole["tracks"][2].update(title="Edited", artist="Ben"))
    assert until(lambda: manifest.notices)
    assert library.track(3)["title"] == "Edited" and library.track(3)["artist"] == "Ben"
    assert manifest.notices[0].level == "info" and "1 track" in manifest.notices[0].message
    assert until(lambda: manifest_work.state_of(home).get("look") == list(manifest_work.look(home)))
    assert read(home)["tracks"][2]["title"] == "Edited"
    assert len(manifest.notices) == 1


def test_edits_made_while_the_station_was_away_are_taken_up_at_its_start(home, library, keep):
    export(home, library)
    rewrite(home, lambda whole: whole["tracks"][0].update(album="Other"))
    manifest = keep()
    assert until(lambda: library.track(1)["album"] == "Other")
    assert until(lambda: manifest.notices)


def test_a_start_with_nothing_new_asks_no_worker(home, library, keep):
    export(home, library)
    manifest = keep()
    assert until(lambda: manifest._written[0] == library.revision())
    time.sleep(0.1)
    assert manifest.workers.done == []


def test_a_conflict_is_told(home, library, keep):
    export(home, library)
    rewrite(home, lambda whole: whole["tracks"][0].update(title="Theirs"))
    os.utime(home / "library.json", (1, 1))
    library.edit(library.id(1), {"title": "Ours"})
    manifest = keep()
    assert until(lambda: manifest.notices)
    assert manifest.notices[0].level == "warning" and "title of “Ours”" in manifest.notices[0].message
    assert library.track(1)["title"] == "Ours"
    assert until(lambda: read(home)["tracks"][0]["title"] == "Ours")


def test_a_broken_file_is_set_aside_told_and_written_anew(home, library, keep):
    manifest = keep()
    assert until(lambda: manifest_work.state_of(home))
    (home / "library.json").write_text('{"tracks": [')
    assert until(lambda: manifest.notices)
    aside = [one for one in os.listdir(home) if one.startswith("library.json.broken-")]
    assert len(aside) == 1 and (home / aside[0]).read_text() == '{"tracks": ['
    assert until(lambda: (home / "library.json").exists() and len(read(home)["tracks"]) == 3)
    assert manifest.notices[0].level == "error" and aside[0] in manifest.notices[0].message


def test_removing_entries_or_the_file_removes_no_track(home, library, keep):
    manifest = keep()
    assert until(lambda: manifest_work.state_of(home))
    rewrite(home, lambda whole: whole["tracks"].clear())
    assert until(lambda: manifest.notices and len(read(home)["tracks"]) == 3)
    assert "stay in the library" in manifest.notices[0].message
    (home / "library.json").unlink()
    assert until(lambda: (home / "library.json").exists() and len(read(home)["tracks"]) == 3)


def test_an_edit_that_the_library_refuses_is_told_and_the_others_are_taken(home, library, keep):
    def apply(uid, fields):
        if fields.get("title") == "Never":
            raise Unprocessable("The file of “Song 1” is read-only.")
        library.edit(uid, fields)

    manifest = keep(apply=apply)
    assert until(lambda: manifest_work.state_of(home))

    def change(whole):
        whole["tracks"][0]["title"], whole["tracks"][1]["title"] = "Never", "Always"

    rewrite(home, change)
    assert until(lambda: manifest.notices)
    assert "read-only" in manifest.notices[0].message
    assert library.track(2)["title"] == "Always" and library.track(1)["title"] == "Song 1"
    assert until(lambda: read(home)["tracks"][0]["title"] == "Song 1")


def test_worker_processes_do_the_same(home, library, keep):
    pool = WorkerPool(size=1, name="test")
    try:
        manifest = keep(workers=pool)
        assert until(lambda: manifest_work.state_of(home))
        rewrite(home, lambda whole: whole["tracks"][2].update(title="Edited"))
        assert until(lambda: manifest.notices and read(home)["revision"] == library.revision())
        assert library.track(3)["title"] == "Edited"
        with pytest.raises(SoundsibleError, match="cannot be read"):
            pool.run("shared.library.manifest_work:export", str(home / "none.db"), str(home),
                     manifest_work.look(home))
    finally:
        manifest.stop()
        pool.stop()


KILLED = """
import sys
from shared.library import manifest_work
database, home = sys.argv[1:]
print("ready", flush=True)
number = 0
while True:
    manifest_work.export(database, home, manifest_work.look(home))
    import os; os.unlink(home + "/.library.state.json")     # so that it is written again and again
"""


def test_a_kill_at_any_moment_leaves_a_whole_file_and_no_edit_of_ours_undone(home, library):
    for pause in (0.0, 0.001, 0.002, 0.003, 0.005, 0.008):
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(library.database.path), str(home)],
                                 stdout=subprocess.PIPE, cwd=os.getcwd())
        child.stdout.readline()
        time.sleep(0.05 + pause)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert len(read(home)["tracks"]) == 3
        library.edit(library.id(1), {"title": f"After {pause}"})
        found = compare(home, library, unknown_at=time.time() + 1)
        assert found["status"] == "ours" or found["edits"] == []
    assert re.fullmatch(r"After .*", library.track(1)["title"])


def test_a_fifo_in_the_place_of_library_json_holds_nobody_and_is_written_over(home, library, keep):
    os.mkfifo(home / "library.json")
    assert manifest_work.look(home) is None
    code = "import sys; from shared.library.manifest_work import compare\n" \
           "print(compare('', sys.argv[1], expected=(0, 0, 0), heard=(), unknown_at=0.0)['status'])"
    done = subprocess.run([sys.executable, "-c", code, str(home)], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == "moved", done.stderr
    keep()
    assert until(lambda: (home / "library.json").is_file())
    assert len(json.loads((home / "library.json").read_text())["tracks"]) == 3


def test_files_set_aside_are_private_and_few(home, library, keep):
    for number in range(7):
        (home / f"library.json.broken-20200101-00000{number}").write_text("old")
    (home / "library.json").write_text("no library")
    (home / "library.json").chmod(0o666)
    one = keep()
    assert until(lambda: one.notices)
    aside = sorted(name for name in os.listdir(home) if name.startswith("library.json.broken-"))
    assert len(aside) == 5
    assert (home / aside[-1]).read_text() == "no library"
    assert (home / aside[-1]).stat().st_mode & 0o777 == 0o600
