"""Downloads that another process writes down are noticed and queued, each once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from odst.outside import Outside
from shared.database import Database
from shared.model.download import Request, Status
from shared.model.errors import StorageOffline
from shared.records.downloads import Downloads
from shared.security.accounts import OPERATOR


@pytest.fixture
def records(tmp_path: Path) -> Downloads:
    database = Database(tmp_path / "library.db")
    database.prepare()
    return Downloads(database=database)


def outside(records: Downloads, announced: list[str], **given: float) -> Outside:
    return Outside(version=records._database.data_version, announce=announced.extend,
                   waiting=lambda: records.ids(OPERATOR, statuses=[Status.WAITING]), **given)


def another_process(records: Downloads) -> Downloads:
    """The same database, as another process has it."""
    database = Database(records._database.path)
    database.prepare()
    return Downloads(database=database)


def test_a_row_of_another_process_is_queued_once(records: Downloads) -> None:
    announced: list[str] = []
    before, _ = records.submit(None, Request(query="known"))
    watching = outside(records, announced, look_s=3600)
    watching.start()
    uid, _ = another_process(records).submit(None, Request(query="new"))
    assert watching.look() == [uid] and watching.look() == [] and announced == [uid]
    records.move(uid, (Status.PENDING, None))
    other, _ = another_process(records).submit(None, Request(query="newer"))
    assert watching.look() == [other] and before not in announced
    watching.stop()


def test_it_looks_by_itself(records: Downloads) -> None:
    came = threading.Event()

    def announce(uids: Sequence[str]) -> None:
        came.set()

    watching = Outside(version=records._database.data_version, announce=announce, look_s=0.05,
                       waiting=lambda: records.ids(OPERATOR, statuses=[Status.WAITING]))
    watching.start()
    another_process(records).submit(None, Request(query="new"))
    assert came.wait(20)
    watching.stop()
    assert watching._thread is not None and not watching._thread.is_alive()


def test_what_could_not_be_looked_at_or_queued_is_looked_at_again(records: Downloads) -> None:
    troubles, announced = [StorageOffline("busy"), StorageOffline("busy")], list[str]()

    def announce(uids: Sequence[str]) -> None:
        if troubles:
            raise troubles.pop()
        announced.extend(uids)

    watching = Outside(version=records._database.data_version, announce=announce, look_s=0.02,
                       waiting=lambda: records.ids(OPERATOR, statuses=[Status.WAITING]))
    watching.start()
    uid, _ = another_process(records).submit(None, Request(query="new"))
    waited = threading.Event()
    for _ in range(500):
        if announced or waited.wait(0.02):
            break
    watching.stop()
    assert announced == [uid]
