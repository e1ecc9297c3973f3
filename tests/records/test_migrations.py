from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.database import HEAD, Database
from shared.model.errors import StartFailed
from shared.records.migrations import steps
from tests.records.songs import Music, inconsistencies


def schema(path: Path) -> dict[str, list[str]]:
    """Each thing's statement, as its parts in no order: Alembic names constraints in another order than SQLAlchemy."""
    with sqlite3.connect(path) as driver:
        rows = driver.execute("SELECT name, sql FROM sqlite_master").fetchall()
    return {
        name: sorted(
            re.sub(r"[\s\"'()]+", "", part)
            for part in (sql or "").replace("WITHOUT ROWID", ",WITHOUT ROWID").split(",")
        )
        for name, sql in rows
    }


def test_the_newest_schema_is_the_one_a_fresh_database_gets() -> None:
    assert steps.head() == HEAD


def test_a_fresh_database_is_the_same_as_one_that_went_all_the_steps(tmp_path: Path) -> None:
    fresh, stepped = Database(tmp_path / "fresh.db"), Database(tmp_path / "stepped.db")
    fresh.prepare()
    with stepped.transaction() as conn:
        steps.upgrade(conn, "head")
    assert schema(tmp_path / "fresh.db") == schema(tmp_path / "stepped.db")
    with stepped.transaction() as conn:
        steps.downgrade(conn, "base")
    assert set(schema(tmp_path / "stepped.db")) == {"alembic_version", "sqlite_autoindex_alembic_version_1"}
    fresh.close()
    stepped.close()


def test_a_database_of_a_newer_program_is_left_alone_with_a_remedy(tmp_path: Path) -> None:
    database = Database(tmp_path / "library.db")
    database.prepare()
    with database.transaction() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StartFailed, match="newer"):
        database.prepare()
    database.close()


def test_before_a_migration_a_whole_copy_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shared.database as module

    database = Database(tmp_path / "library.db")
    database.prepare()
    uid = Music(database).add("a/1.flac")
    monkeypatch.setattr(module, "HEAD", "9999")
    taken: list[str] = []
    monkeypatch.setattr(steps, "upgrade", lambda connection, revision: taken.append(revision))
    database.prepare()
    (copy,) = tmp_path.glob("library.db.before-*")
    assert taken == ["9999"]
    kept = Database(copy)
    assert Music(kept).uid("a/1.flac") == uid
    assert inconsistencies(kept) == []
    kept.close()
    database.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shared.database as module

    database = Database(tmp_path / "library.db")
    database.prepare()
    before = schema(database.path)

    def half(connection: object, revision: str) -> None:
        connection.execute(text("DROP TABLE plays"))  # type: ignore[attr-defined]
        connection.execute(text("CREATE TABLE plays (nonsense)"))  # type: ignore[attr-defined]
        raise sqlite3.OperationalError("no such thing")

    monkeypatch.setattr(module, "HEAD", "9999")
    monkeypatch.setattr(steps, "upgrade", half)
    with pytest.raises(StartFailed, match="no such thing"):
        database.prepare()
    assert schema(database.path) == before
    database.close()


def test_alembic_is_not_loaded_where_there_is_nothing_to_migrate(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from shared.database import Database; "
        "database = Database(Path(sys.argv[1])); database.prepare(); database.prepare(); database.close(); "
        "print([name for name in sys.modules if name.split('.')[0] in ('alembic', 'mako', 'av', 'PIL', 'numpy')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "library.db")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"
