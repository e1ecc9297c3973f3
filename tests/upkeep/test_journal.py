from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.database import Database
from shared.model.errors import Conflict, NotFound
from shared.records.journal import JournalRecords
from shared.upkeep.journal import Journal

PROJECT = Path(__file__).resolve().parents[2]

KILLED = """
import os, signal, sys
from pathlib import Path
from shared.database import Database
from shared.records.journal import JournalRecords
from shared.upkeep.journal import Journal

folder = Path(sys.argv[1])
journal = Journal(records=JournalRecords(database=Database(folder / "library.db")), folder=folder)
step = journal.begin("cleanup", "Three files")
step.did(step.note({"file": "a"}))
step.note({"file": "b"})
print(step.id, flush=True)
if sys.argv[2] == "wait":
    sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "library.db")
    database.prepare()
    yield database
    database.close()


@pytest.fixture
def journal(database: Database, tmp_path: Path) -> Journal:
    return Journal(records=JournalRecords(database=database), folder=tmp_path)


def begun(tmp_path: Path, how: str) -> tuple[subprocess.Popen[str], str]:
    """A process that has noted two deeds, and the id of its step."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), how], cwd=PROJECT, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_a_step_is_taken_back_once_from_its_last_deed_to_its_first(journal: Journal) -> None:
    with journal.begin("cleanup", "Two files") as step:
        step.did(step.note({"file": "a"}))
        step.did(*step.note_all([{"file": "b"}, {"file": "c"}]))
    last = journal.last("cleanup")
    assert last is not None and (last.id, last.state, last.done) == (step.id, "done", 3)
    with journal.taking_back(step.id) as info:
        assert info.summary == "Two files"
        assert [one.content["file"] for one in journal.entries(step.id)] == ["c", "b", "a"]
        assert journal.busy("cleanup")
    assert journal.get(step.id).state == "undone"
    assert journal.last("cleanup") is None
    with pytest.raises(Conflict):
        journal.undoing(step.id)
    with pytest.raises(NotFound):
        journal.undoing("nothing")


def test_what_could_not_be_taken_back_can_be_tried_again(journal: Journal) -> None:
    with journal.begin("cleanup", "") as step:
        step.note({"file": "a"})
    with pytest.raises(OSError), journal.taking_back(step.id):
        raise OSError("the disk is away")
    assert journal.get(step.id).state == "done"
    assert not journal.busy("cleanup")
    with journal.taking_back(step.id):
        pass
    assert journal.get(step.id).state == "undone"


def test_a_run_that_did_nothing_leaves_no_trace_and_one_that_broke_off_ends(journal: Journal) -> None:
    with journal.begin("cleanup", ""):
        pass
    with journal.begin("cleanup", "") as step:
        step.did_not(step.note({"file": "a"}))
    assert journal.list() == []
    with pytest.raises(RuntimeError), journal.begin("cleanup", "") as step:
        step.note({"file": "a"})
        raise RuntimeError
    assert [one.state for one in journal.list()] == ["done"]
    with journal.begin("cleanup", "before") as step:
        step.note({"file": "b"})
        step.end("One file")
    assert journal.get(step.id).summary == "One file"


def test_one_run_of_a_command_at_a_time_and_no_undoing_meanwhile(journal: Journal, tmp_path: Path,
                                                                 database: Database) -> None:
    with journal.begin("cleanup", "") as earlier:
        earlier.note({})
    other = Journal(records=JournalRecords(database=database), folder=tmp_path)
    with journal.begin("cleanup", "") as step:
        step.note({})
        assert other.busy("cleanup") and not other.busy("covers")
        for deed in (lambda: other.begin("cleanup", ""), lambda: other.undoing(earlier.id)):
            with pytest.raises(Conflict, match="runs already"):
                deed()
        other.begin("covers", "").end()
        assert other.cut_off() == []
    assert other.get(earlier.id).state == "done"
    other.begin("cleanup", "").end()


def test_a_step_whose_process_was_killed_is_found_and_can_be_undone(journal: Journal, tmp_path: Path) -> None:
    process, uid = begun(tmp_path, "now")
    assert process.wait(30) == -signal.SIGKILL
    assert [(one.id, one.state, one.entries, one.done) for one in journal.cut_off()] == [(uid, "open", 2, 1)]
    assert journal.cut_off("covers") == []
    last = journal.last("cleanup")
    assert last is not None and last.id == uid
    with journal.taking_back(uid):
        assert [(one.content["file"], one.done) for one in journal.entries(uid)] == [("b", False), ("a", True)]
    assert journal.cut_off() == []
    assert journal.get(uid).state == "undone"


def test_a_step_that_another_process_is_at_was_not_cut_off(journal: Journal, tmp_path: Path) -> None:
    process, uid = begun(tmp_path, "wait")
    assert journal.cut_off() == [] and journal.busy("cleanup")
    with pytest.raises(Conflict):
        journal.undoing(uid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    assert [one.id for one in journal.cut_off()] == [uid]
