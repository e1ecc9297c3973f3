"""A restore is rehearsed, sets aside what is there, and is all or nothing wherever it is killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.database import Database, first_state
from shared.library.kept_covers import KeptCovers
from shared.library.presence import Presence
from shared.model.errors import Conflict, NotFound, Unprocessable
from shared.model.person import Person
from shared.model.work import Stopped
from shared.records import tables, transplant
from shared.records.migrations import steps
from shared.records.playlists import Playlists
from shared.settings import load, save_section
from shared.storage.access import Access
from shared.upkeep import archive, switch
from shared.upkeep.restore import Rehearsal, Restore, RestoreReport, Staged
from shared.vault import Vault
from tests.records.songs import Music, inconsistencies, metadata
from tests.upkeep.libraries import KEPT_JPEG, Following, Home, NoStorages, home, no_bucket, titles

ROOT = Path(__file__).resolve().parents[2]


def restoring(place: Home, **changes: Any) -> Restore:
    kept = KeptCovers(records=None, access=None, workers=None, folder=place.data / "covers")  # type: ignore[arg-type]
    given: dict[str, Any] = {"providers": NoStorages(), "buckets": no_bucket, "access": Access(), "kept": kept,
                             **changes}
    return Restore(settings=place.settings, **given)


def restored(place: Home, source: Path | str, **options: Any) -> RestoreReport:
    restore = restoring(place)
    return restore.apply(restore.rehearse(str(source), work=Following(), **options), work=Following())


def rehearsed(restore: Restore, source: Path | str, **options: Any) -> tuple[Staged, Rehearsal]:
    staged = restore.rehearse(str(source), work=Following(), **options)
    assert staged.rehearsal is not None
    return staged, staged.rehearsal


@pytest.fixture
def filled(tmp_path: Path) -> Home:
    return home(tmp_path / "home").fill()


@pytest.fixture
def backups(filled: Home, tmp_path: Path) -> Path:
    with filled.backup() as backup:
        backup.run(str(tmp_path / "backups"), work=Following())
    return tmp_path / "backups"


def spoil(place: Home) -> None:
    """What happened since the backup: one more track."""
    with place.library() as database:
        Music(database, str(place.music)).add("later.flac", metadata("Later", "Eve", "Later", "Eve"))


def test_what_was_backed_up_comes_back_and_what_was_there_is_set_aside(filled: Home, backups: Path) -> None:
    before = filled.titles()
    spoil(filled)
    save_section(filled.settings, "theme", "another")
    shutil.rmtree(filled.data / "covers")
    report = restored(filled, backups)
    assert filled.titles() == before and filled.config()["theme"] == "kept as it is"
    assert [path.read_bytes() for path in (filled.data / "covers").glob("*/*.jpg")] == [KEPT_JPEG]
    aside = Path(report.set_aside or "")
    assert "Later" in titles(aside / "library.db")
    assert json.loads((aside / "config.json").read_text())["theme"] == "another"
    with filled.library() as database:
        assert inconsistencies(database) == []
    assert not (filled.data / switch.STAGING).exists() and not (filled.data / switch.JOURNAL).exists()


def test_people_playlists_and_the_own_secrets_are_as_they_were(filled: Home, backups: Path) -> None:
    spoil(filled)
    report = restored(filled, backups)
    assert report.secrets == []
    assert load(environ={"SOUNDSIBLE_HOME": str(filled.settings.home)}).acoustid_key == "hush"
    with filled.library() as database:
        ann = Person(user_id=1, id="", username="ann", role="owner")
        assert [one.name for one in Playlists(database=database).list(ann).items] == ["ann's / évening"]


def test_a_rehearsal_says_all_and_changes_nothing(filled: Home, backups: Path) -> None:
    spoil(filled)
    before, config = filled.files(), filled.config()
    restore = restoring(filled)
    _, told = rehearsed(restore, backups)
    restore.discard()
    assert filled.files() == before and filled.config() == config
    assert (told.contents.tracks, told.contents.people) == (6, ["ann", "bob"])
    assert told.present is not None and told.present.tracks == 7 and told.same_station
    assert [(one.path, one.state, one.tracks, one.in_cloud) for one in told.folders] == [
        (str(filled.music), "absent", 6, 0)]
    assert told.running is None and told.settings == "backup" and told.covers == 1 and told.upgraded_from is None


def test_players_that_know_the_old_library_load_the_new_one_anew(filled: Home, backups: Path) -> None:
    from shared.model.errors import RevisionTooOld
    from shared.records.changes import Changes

    ann = Person(user_id=1, id="", username="ann", role="owner")
    for _ in range(3):
        spoil_more(filled)
    with filled.library() as database:
        known = Changes(database=database).current()
    restored(filled, backups)
    with filled.library() as database:
        assert Changes(database=database).current() > known
        with pytest.raises(RevisionTooOld):
            Changes(database=database).since(ann, known)


def spoil_more(place: Home) -> None:
    with place.library() as database:
        music = Music(database, str(place.music))
        music.add(f"more {os.urandom(3).hex()}.flac", metadata("More"))


def test_on_a_new_machine_secrets_are_told_with_their_commands_and_the_station_starts_without_them(
        filled: Home, backups: Path, tmp_path: Path) -> None:
    row = {"name": "r2", "kind": "r2", "endpoint": "https://x.example", "region": "auto", "bucket": "b", "prefix": "m/",
           "key_id": "K", "path_style": True, "secret": {"sealed": Vault(filled.settings.config_dir).seal("s3")},
           "seal_key": {"sealed": Vault(filled.settings.config_dir).seal("00")}}
    save_section(filled.settings, "storages", [row, {**row, "name": "b2"}])
    with filled.backup() as backup:
        report = backup.run(str(backups), work=Following())
    second = home(tmp_path / "second" / "home")
    own = {**row, "secret": {"sealed": Vault(second.settings.config_dir).seal("entered here")},
           "seal_key": {"sealed": Vault(second.settings.config_dir).seal("01")}}
    save_section(second.settings, "storages", [{**own, "name": "b2"}, {**own, "name": "only here"}])
    done = restored(second, backups / report.name)
    assert [(one.name, one.command) for one in done.secrets] == [
        ("acoustid_key", "python3 run.py tool settings set acoustid_key"),
        ("storage r2", "python3 run.py tool storage secret r2 --recovery-key KEY")]
    config = second.config()
    assert "acoustid_key" not in config and config["theme"] == "kept as it is"
    assert [one["name"] for one in config["storages"]] == ["r2", "b2", "only here"]
    assert Vault(second.settings.config_dir).open(config["storages"][1]["secret"]["sealed"]) == "entered here"
    assert load(environ={"SOUNDSIBLE_HOME": str(second.settings.home)}).acoustid_key == ""
    assert done.set_aside is None and second.titles() == filled.titles()
    assert oct(second.settings.config_path.stat().st_mode & 0o777) == "0o600"


def test_music_folders_can_lie_elsewhere(filled: Home, backups: Path, tmp_path: Path) -> None:
    second = home(tmp_path / "second" / "home")
    new = tmp_path / "second" / "Müsik"
    new.mkdir(parents=True)
    restore = restoring(second)
    _, told = rehearsed(restore, backups, folders={str(filled.music): str(new)})
    restore.discard()
    assert [(one.path, one.was, one.state) for one in told.folders] == [(str(new), str(filled.music), "empty")]
    restored(second, backups, folders={str(filled.music): str(new)})
    with second.library() as database:
        assert [one.path for one in Music(database, str(new)).scans.roots()] == [str(new)]
    assert second.config()["music"] == [str(new)]
    with pytest.raises(Unprocessable, match=r"not one of the music folders.*those are"):
        restoring(second).rehearse(str(backups), folders={"/nowhere": "/else"}, work=Following())


def test_the_settings_of_this_machine_can_stay(filled: Home, backups: Path) -> None:
    save_section(filled.settings, "theme", "mine")
    restore = restoring(filled)
    staged, told = rehearsed(restore, backups, keep_settings=True)
    assert told.settings == "kept"
    restore.apply(staged, work=Following())
    assert filled.config()["theme"] == "mine"


def test_what_belongs_to_the_other_machine_stays_there(filled: Home, backups: Path) -> None:
    with filled.library() as database, database.transaction() as conn:
        from sqlalchemy import text

        conn.execute(text("INSERT INTO cached VALUES ('aa', 1, 1, 1, 1)"))
        conn.execute(text("INSERT INTO uploads (provider, key, upload_id, sha256, part_bytes, updated_at) VALUES "
                          "('p', 'k', 'u', 'aa', 1, 1)"))
        conn.execute(text("INSERT INTO errands (uid, kind, arguments, state, created_at) VALUES "
                          "('e', 'upload', '{}', 'waiting', 1)"))
    with filled.backup() as backup:
        name = backup.run(str(backups), work=Following()).name
    restored(filled, backups / name)
    connection = sqlite3.connect(filled.settings.database_path)
    assert connection.execute("SELECT (SELECT count(*) FROM cached), (SELECT count(*) FROM uploads)"
                              ).fetchall() == [(0, 0)]
    assert connection.execute("SELECT state FROM errands").fetchall() == [("cancelled",)]
    connection.close()


def test_a_library_that_cannot_be_read_any_more_is_replaced_and_kept(filled: Home, backups: Path) -> None:
    good = filled.titles()
    filled.settings.database_path.write_bytes(b"this is no database" * 1000)
    restore = restoring(filled)
    staged, told = rehearsed(restore, backups)
    assert told.present is None and told.present_trouble
    report = restore.apply(staged, work=Following())
    assert filled.titles() == good
    assert (Path(report.set_aside or "") / "library.db").read_bytes().startswith(b"this is no database")


def test_not_while_a_station_runs_on_this_home(filled: Home, backups: Path) -> None:
    spoil(filled)
    before = filled.titles()
    presence = Presence(filled.data)
    presence.claim()
    presence.tell("127.0.0.1", 5123)
    try:
        restore = restoring(filled)
        staged, told = rehearsed(restore, backups)
        assert told.running is not None and "5123" in told.running and "Stop it" in told.running
        with pytest.raises(Conflict, match="Stop it first"):
            restore.apply(staged, work=Following())
    finally:
        presence.leave()
    assert filled.titles() == before


def test_not_while_another_program_has_the_library_open(
        filled: Home, backups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(filled)
    monkeypatch.setattr(transplant.retire, "__kwdefaults__", {"patience_s": 0.2})
    with filled.library() as database, database.read() as conn:
        conn.exec_driver_sql("SELECT 1 FROM tracks").fetchall()
        with pytest.raises(Conflict, match="in use"):
            restored(filled, backups)
    assert "Later" in filled.titles()
    restored(filled, backups)
    assert "Later" not in filled.titles()


def test_two_restores_at_once_are_one_too_many(filled: Home, backups: Path) -> None:
    first = restoring(filled)
    rehearsed(first, backups)
    with pytest.raises(Conflict):
        restoring(filled).rehearse(str(backups), work=Following())
    first.discard()


@pytest.mark.parametrize("phase", ["unpacking", "checking the library", "keeping covers"])
def test_stopped_it_leaves_all_as_it_was(filled: Home, backups: Path, phase: str) -> None:
    spoil(filled)
    before = filled.files()
    restore = restoring(filled)
    with pytest.raises(Stopped):
        restore.apply(restore.rehearse(str(backups), work=Following(stop_at=phase)), work=Following(stop_at=phase))
        if phase == "checking the library":     # it is short: looked at between two phases
            raise Stopped
    if phase != "checking the library":
        assert filled.files() == before


def test_a_damaged_backup_changes_nothing(filled: Home, backups: Path) -> None:
    path = next(backups.iterdir())
    whole = path.read_bytes()
    before = filled.files()
    for bad in (whole[:len(whole) // 2], whole[len(whole) // 2:], b""):
        path.write_bytes(bad)
        with pytest.raises(Unprocessable, match=r"damaged|no backup"):
            restoring(filled).rehearse(str(path), work=Following())
    assert filled.files() == before


def foreign(backups: Path, *statements: str, config: dict[str, Any] | None = None) -> Path:
    """The backup, its library or settings changed by somebody else, its manifest fitting."""
    (path,) = backups.glob("*.tar.gz")
    folder = backups.parent / "foreign"
    folder.mkdir()
    manifest = archive.unpack(path, folder, [archive.DATABASE, archive.CONFIG], Following())
    connection = sqlite3.connect(folder / archive.DATABASE)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    if config is not None:
        (folder / archive.CONFIG).write_text(json.dumps(config))
    members = [(name, folder / name) for name in (archive.DATABASE, archive.CONFIG)]
    measured = archive.measure(members, Following(), "reading")
    archive.write(backups.parent / path.name, msgspec.structs.replace(manifest, members=measured),
                  [member for _, member in members], Following())
    return backups.parent / path.name


ENDLESS = "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c)"


@pytest.mark.parametrize("statements", [
    ["CREATE TRIGGER t AFTER UPDATE ON state BEGIN DELETE FROM tracks; END"],
    ["CREATE VIEW more AS SELECT 1"],
    ["ALTER TABLE roots RENAME TO r2", f"CREATE VIEW roots AS SELECT r2.* FROM r2, {ENDLESS}"],
    ["ALTER TABLE alembic_version RENAME TO v2", f"CREATE VIEW alembic_version AS SELECT v2.* FROM v2, {ENDLESS}"],
    ["ALTER TABLE plays RENAME TO p2", "CREATE VIRTUAL TABLE plays USING fts5(a)"],
    ["ALTER TABLE tracks ADD COLUMN more GENERATED ALWAYS AS (hex(zeroblob(1000000000)))"],
    ["DROP TABLE plays"], ["ALTER TABLE tracks DROP COLUMN comment"], ["UPDATE tracks SET added_at = 'soon'"],
    ["UPDATE tracks SET added_at = 1e300"], ["UPDATE tracks SET title = x'ff00'"],
    ["UPDATE files SET size_bytes = 9223372036854775807"], ["UPDATE albums SET uid = '../' || uid"],
    ["UPDATE state SET value = '../../x' WHERE name = 'station_id'"],
], ids=lambda found: found[-1][:40])
def test_a_library_that_does_more_than_ours_or_cannot_be_is_not_taken(
        filled: Home, backups: Path, statements: list[str]) -> None:
    before = filled.files()
    restore = restoring(filled)
    with pytest.raises(Unprocessable, match=r"not made by Soundsible alone|damaged"):
        rehearsed(restore, foreign(backups, *statements))
    assert filled.files() == before


def test_settings_that_reach_out_are_said_and_those_that_cannot_be_are_left_out(filled: Home, backups: Path) -> None:
    save_section(filled.settings, "storages", [row("attic", "http://attic.local", filled.settings.config_dir)])
    elsewhere = row("attic", "http://elsewhere.example", filled.settings.config_dir)
    changed = {"storages": [elsewhere, row("new", "http://new.example", filled.settings.config_dir)], "theme": "mine",
               "musicbrainz_url": "http://10.0.0.1", "webhook_urls": ["json://10.0.0.2/x"], "port": "abc",
               "threads": {"a": 1}, "owner": "eve:long enough a word", "demo": {"sealed": "x"}}
    restore = restoring(filled)
    _, told = rehearsed(restore, foreign(backups, config=changed))
    restore.discard()
    said = "\n".join(told.remarks)
    assert "musicbrainz_url becomes http://10.0.0.1" in said and "webhook_urls becomes json://10.0.0.2/x" in said
    assert "storage new is set up: music at http://new.example" in said and "elsewhere" not in said
    assert "left out: port, threads, demo" in said
    restored(filled, backups.parent / next(backups.glob("*.tar.gz")).name)
    config = filled.config()
    assert [one["endpoint"] for one in config["storages"]] == ["http://attic.local", "http://new.example"]
    assert config["theme"] == "mine" and not {"port", "threads", "demo", "owner"} & set(config)
    load(environ={"SOUNDSIBLE_HOME": str(filled.settings.home)})


def row(name: str, endpoint: str, config: Path) -> dict[str, Any]:
    return {"name": name, "kind": "other", "endpoint": endpoint, "region": "us-east-1", "bucket": "music", "prefix": "",
            "key_id": "key", "path_style": True, "secret": {"sealed": Vault(config).seal("hush")}}


def test_what_is_not_there_is_said(filled: Home, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match="There is no backup in"):
        restoring(filled).rehearse(str(tmp_path / "empty"), work=Following())
    with pytest.raises(NotFound, match="There is no backup"):
        restoring(filled).rehearse(str(tmp_path / "soundsible-a-20260101T000000Z.tar.gz"), work=Following())
    with pytest.raises(Unprocessable, match="no storage called"):
        restoring(filled).rehearse("b3", work=Following())


def test_a_library_of_an_older_version_is_brought_to_this_one(filled: Home, backups: Path, tmp_path: Path) -> None:
    """As version 0.2 left it: made by its own migrations, packed as a backup."""
    old = tmp_path / "old.db"
    database = Database(old)
    with database.transaction() as conn:
        steps.upgrade(conn, "0002")
        conn.execute(tables.state.insert(), first_state())
    database.close()
    members = archive.measure([("library.db", old)], Following(), "reading")
    manifest = archive.Manifest(1, "0.2", "abc", "2026-01-02T03:04:05.000Z", {}, [], members)
    archive.write(tmp_path / "soundsible-abc-20260102T030405Z.tar.gz", manifest, [old], Following())
    restore = restoring(filled)
    _, told = rehearsed(restore, tmp_path / "soundsible-abc-20260102T030405Z.tar.gz")
    restore.discard()
    assert told.upgraded_from == "0002" and told.settings == "none"


# ---- killed ------------------------------------------------------------------------------------------------------

KILLED = """
import json, os, shutil, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from shared.upkeep import switch
from tests.upkeep.libraries import Following, home
from tests.upkeep.test_restore import restored, restoring

place, pristine, backups = home(Path(sys.argv[1])), sys.argv[2], sys.argv[3]

def deadly(function):
    def call(*arguments, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return call

killed_at = int(sys.argv[4]) - 3
while True:
    killed_at += 3
    shutil.rmtree(sys.argv[1])
    shutil.copytree(pristine, sys.argv[1])
    child = os.fork()
    if not child:
        left = killed_at
        for name in ("rename", "replace", "unlink", "fsync", "mkdir", "copyfile", "rmtree"):
            for module in (os, shutil):
                if hasattr(module, name):
                    setattr(module, name, deadly(getattr(module, name)))
        restore = restoring(place)
        restore.apply(restore.rehearse(backups, work=Following()), work=Following())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        print(json.dumps({{"ended": os.waitstatus_to_exitcode(status)}}))
        break
    finished = switch.settle(place.data)
    told = {{"finished": finished, "titles": place.titles(), "theme": place.config()["theme"],
             "journal": (place.data / switch.JOURNAL).exists(), "aside": len(list(place.data.glob("before-*")))}}
    if not told["aside"]:
        restored(place, backups)        # nothing was lost: the next call does it
        told["then"] = place.titles()
    print(json.dumps(told), flush=True)
"""


def test_kill_9_anywhere_in_a_restore_leaves_the_old_library_or_the_new_one_whole(tmp_path: Path) -> None:
    """Killed before every third of its writing calls, others in each run; whoever comes next finishes it or takes it
    back."""
    first = home(tmp_path / "home").fill()
    with first.backup() as backup:
        backup.run(str(tmp_path / "backups"), work=Following())
    of_backup = first.titles()
    spoil(first)
    save_section(first.settings, "theme", "newer")
    of_before = first.titles()
    shutil.copytree(tmp_path / "home", tmp_path / "pristine")
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(root=str(ROOT)), *(str(tmp_path / one) for one in (
            "home", "pristine", "backups")), str(random.randint(1, 3))],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    *kills, end = [json.loads(line) for line in done.stdout.splitlines()]
    assert end == {"ended": 0} and len(kills) > 8
    states = []
    for number, told in enumerate(kills, 1):
        restored_already = told["titles"] == of_backup
        states.append(restored_already)
        assert told["titles"] in (of_backup, of_before), f"killed before call {number}"
        assert told["theme"] == ("kept as it is" if restored_already else "newer"), f"killed before call {number}"
        assert told["aside"] == restored_already and not told["journal"], f"killed before call {number}"
        assert restored_already or told["then"] == of_backup, f"killed before call {number}"
    assert states == sorted(states), "once it is decided it stays so"
    assert True in states and False in states and any(told["finished"] for told in kills)


def test_the_next_start_finishes_a_switch_whatever_step_it_was_cut_off_at(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "staging").mkdir(parents=True)
    names = ("library.db-wal", "library.json", "library.db", "config.json")

    def set_up() -> list[switch.Piece]:
        shutil.rmtree(data)
        (data / switch.STAGING).mkdir(parents=True)
        for name in names:
            (data / name).write_text(f"old {name}")
        for name in names[2:]:
            (data / switch.STAGING / name).write_text(f"new {name}")
        aside = data / "aside"
        return [switch.Piece(live=data / names[0], aside=aside / names[0], staged=None),
                switch.Piece(live=data / names[1], aside=aside / names[1], staged=None),
                switch.Piece(live=data / names[2], aside=aside / names[2], staged=data / switch.STAGING / names[2]),
                switch.Piece(live=data / names[3], aside=None, staged=data / switch.STAGING / names[3])]

    class Cut(BaseException):
        pass

    steps = 0
    while True:
        pieces, left = set_up(), steps

        def cut(function: Any) -> Any:
            def call(*arguments: Any) -> Any:
                nonlocal left
                if left == 0:
                    raise Cut
                left -= 1
                return function(*arguments)
            return call

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(switch.os, "rename", cut(os.rename))
            patch.setattr(switch.os, "replace", cut(os.replace))
            try:
                switch.decide(data, pieces)
            except Cut:
                pass
            else:
                break
        decided = (data / switch.JOURNAL).exists()
        assert switch.settle(data) is decided
        if decided:
            assert (data / "library.db").read_text() == "new library.db"
            assert (data / "config.json").read_text() == "new config.json"
            assert (data / "aside" / "library.db-wal").read_text() == "old library.db-wal"
            assert not (data / "library.db-wal").exists() and not (data / "library.json").exists()
        else:
            assert (data / "library.db").read_text() == "old library.db"
        assert not switch.settle(data)
        steps += 1
    assert steps == 6


def test_nothing_to_settle_costs_nothing(tmp_path: Path) -> None:
    assert switch.settle(tmp_path / "no home yet") is False and list(tmp_path.iterdir()) == []
