"""The one SQLite file: connections, transactions, and the schema's version.

Readers share a few connections that cannot write, each with a small page cache: four hundred threads must not mean
four hundred caches. Writers queue on a lock in this process and wait for other processes with BEGIN IMMEDIATE.

Durability: WAL with synchronous FULL, so that what a person did (a playlist, a rating, an edit) outlives a power
cut; a scan asks for NORMAL, which can lose its last batches but never the file's wholeness: the next scan finds the
same files again.
"""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event, exc, text
from sqlalchemy.pool import QueuePool

from shared.model.errors import BadInput, DiskFull, Overloaded, SoundsibleError, StartFailed
from shared.model.person import Person
from shared.records import search_index, tables
from shared.records.moments import make_uid
from shared.records.sights import Sights

log = logging.getLogger(__name__)

HEAD = "0005"  # the newest revision under records/migrations/versions; a test holds it true
_READERS = 8  # at once; a query takes milliseconds, so more would only cost memory
_CACHE_KIB = 2048  # of pages, each connection
_BULK = ("cache_size = -49152", "wal_autocheckpoint = 8000")  # 48 MiB; a scan has a process of its own
_PATIENCE_S = 30.0  # for another process's transaction, or for a free reader
_OLDEST_SQLITE = (3, 35, 0)


class Database:
    """The library's database. Safe to use from many threads; other processes may use the same file."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._reading: Engine | None = None
        self._writing: Engine | None = None
        self._engines_lock = threading.Lock()
        self._writer_lock = threading.RLock()
        self._in_transaction = threading.local()
        self._deeds: tuple[Callable[[], None], ...] = ()
        self._data_version = 0
        self._bulky = False
        self._sights = Sights(
            engine=lambda: self._engine(
                1, "BEGIN", query_only=True, busy_ms=int(_PATIENCE_S * 1000), temporary="FILE"
            )
        )

    # ---- using it

    @contextmanager
    def read(self, person: Person | None = None) -> Iterator[Connection]:
        """A connection that sees one snapshot of the library and cannot write. Keep it for milliseconds.

        For a limited `person` the library on it holds only what they see (see records.sights).
        """
        if person is not None and person.limited:
            with _translated(self.path), self._sights.read(person.user_id) as connection:
                yield connection
            return
        with _translated(self.path), self._readers().connect() as connection:
            yield connection

    @contextmanager
    def transaction(self, *, durable: bool = True, bulk: bool = False) -> Iterator[Connection]:
        """A connection that writes: all of it, or nothing when anything is raised.

        `durable`: outlives a power cut. `bulk`: many rows will be written by this process, which from then on keeps
        more of the indexes in memory. Waits for other writers of this process, then for those of others. Not to be
        nested. Raises Overloaded, DiskFull.
        """
        if getattr(self._in_transaction, "now", False):
            raise RuntimeError("a transaction is already open in this thread")
        with self._writer_lock:
            self._in_transaction.now = True
            try:
                with _translated(self.path), self._writers().connect() as connection:
                    driver = _driver(connection)
                    driver.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                    if bulk and not self._bulky:
                        self._bulky = True
                        for pragma in _BULK:
                            driver.execute(f"PRAGMA {pragma}")
                    with connection.begin():
                        yield connection
            finally:
                self._in_transaction.now = False
        for deed in self._deeds:
            try:
                deed()
            except Exception:  # the edge between rooms: the write is done, whoever hears of it
                log.exception("a listener to commits failed")

    def on_commit(self, deed: Callable[[], None]) -> None:
        """Call `deed` after each transaction of this process that was kept, in the thread that made it."""
        self._deeds = (*self._deeds, deed)

    def data_version(self) -> int:
        """A number that moves when another process has committed. While this process writes: the last one known."""
        if self._writer_lock.acquire(blocking=False):
            try:
                if not getattr(self._in_transaction, "now", False):
                    with _translated(self.path), self._writers().connect() as connection:
                        self._data_version = int(_driver(connection).execute("PRAGMA data_version").fetchone()[0])
            finally:
                self._writer_lock.release()
        return self._data_version

    def close(self) -> None:
        """Bring the log into the file and let go of it. May be used again afterwards."""
        self._sights.close()
        with self._writer_lock, self._engines_lock:
            if self._reading is not None:
                self._reading.dispose()
            if self._writing is not None:
                try:
                    with self._writing.connect() as connection:
                        _driver(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)")
                except (exc.SQLAlchemyError, sqlite3.Error) as error:
                    log.warning("the database could not be checkpointed: %s", error)
                self._writing.dispose()
            self._reading = self._writing = None
            self._bulky = False

    # ---- the schema

    def prepare(self) -> None:
        """Make the database, or bring it to this program's version; a copy is kept beside it before that.

        Raises StartFailed with the remedy when the file cannot be used.
        """
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise StartFailed(
                f"SQLite {sqlite3.sqlite_version} is too old; Python with SQLite 3.35 or newer is needed."
            )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Password hashes live in it: nobody else reads it. WAL and shm files take over its mode.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StartFailed(
                f"The database {self.path} cannot be opened: {error.strerror}. "
                "Make its folder writable, or set SOUNDSIBLE_HOME to another one."
            ) from error
        try:
            version = self._version() or self._make()
            if version != HEAD:
                self._migrate(version)
        except StartFailed:
            raise
        except (SoundsibleError, exc.SQLAlchemyError, sqlite3.Error) as error:
            raise StartFailed(
                f"The database {self.path} cannot be used: {_cause(error)}. Put a copy of it (there may "
                "be one beside it) in its place, or move it away to begin anew."
            ) from error

    def _version(self) -> str | None:
        """The revision the file is at; None for an empty file."""
        with self.read() as connection:
            names = set(connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars())
            if "alembic_version" in names:
                return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
        if names:
            raise StartFailed(
                f"{self.path} is a database of some other program. Move it away, or set SOUNDSIBLE_HOME "
                "to another folder."
            )
        return None

    def _make(self) -> str:
        """The newest schema in an empty file, without Alembic: the same as migrating, which a test compares."""
        with self.transaction() as connection:
            already = connection.execute(text("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"))
            if already.scalar_one():  # another process was quicker
                return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
            tables.metadata.create_all(connection)
            for statement in search_index.TABLES:
                connection.execute(text(statement))
            connection.execute(
                text(
                    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
                    "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
                )
            )
            connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": HEAD})
            connection.execute(tables.state.insert(), first_state())
        return HEAD

    def _migrate(self, version: str) -> None:
        from shared.records.migrations import steps  # Alembic is large and seldom needed

        if not steps.knows(version):
            raise StartFailed(
                f"The database {self.path} was made by a newer Soundsible (schema {version}). Update "
                "this one, or put back a copy from before that update."
            )
        copy = self.copy_to(self.path.with_name(f"{self.path.name}.before-{HEAD}-{int(time.time())}"))
        log.info("the database goes from schema %s to %s; a copy is kept at %s", version, HEAD, copy)
        with self.transaction() as connection:
            steps.upgrade(connection, HEAD)

    def copy_to(self, target: Path) -> Path:
        """A whole copy of the database as it is now, while others use it. Costs reading and writing it once."""
        part = target.with_name(target.name + ".part")
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT, 0o600))
        with _translated(self.path), self.read() as connection:
            copy = sqlite3.connect(part)
            try:
                _driver(connection).backup(copy)
            finally:
                copy.close()
        os.replace(part, target)
        return target

    # ---- connections

    def _readers(self) -> Engine:
        if self._reading is None:
            with self._engines_lock:
                if self._reading is None:
                    self._reading = self._engine(_READERS, "BEGIN", query_only=True, busy_ms=int(_PATIENCE_S * 1000))
        return self._reading

    def _writers(self) -> Engine:
        if self._writing is None:
            with self._engines_lock:
                if self._writing is None:
                    # Its waiting is done by _begin_immediate: SQLite's own waits longer and longer between tries,
                    # so that a scan's transactions, one after the other, could keep everybody else out.
                    self._writing = self._engine(1, None, query_only=False, busy_ms=0)
        return self._writing

    def _engine(
        self, size: int, begin: str | None, *, query_only: bool, busy_ms: int, temporary: str = "MEMORY"
    ) -> Engine:
        path = str(self.path)

        def connect() -> sqlite3.Connection:
            driver = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=_PATIENCE_S, cached_statements=256
            )
            try:
                for pragma in (
                    "journal_mode = WAL",
                    "foreign_keys = ON",
                    f"cache_size = -{_CACHE_KIB}",
                    "mmap_size = 0",
                    f"temp_store = {temporary}",
                    "secure_delete = OFF",
                    "wal_autocheckpoint = 2000",
                    "journal_size_limit = 33554432",
                    f"query_only = {int(query_only)}",
                    f"busy_timeout = {busy_ms}",
                ):
                    driver.execute(f"PRAGMA {pragma}")
            except BaseException:
                driver.close()
                raise
            return driver

        engine = sqlalchemy.create_engine(
            "sqlite://",
            creator=connect,
            poolclass=QueuePool,
            pool_size=size,
            max_overflow=0,
            pool_timeout=_PATIENCE_S,
            query_cache_size=400,
        )

        @event.listens_for(engine, "begin")
        def start(connection: Connection) -> None:
            if begin is None:
                _begin_immediate(_driver(connection))
            else:
                _driver(connection).execute(begin)

        return engine


def first_state() -> list[dict[str, str]]:
    return [
        {"name": "revision", "value": "1"},
        {"name": "library_revision", "value": "1"},
        {"name": "oldest_revision", "value": "0"},
        {"name": "station_id", "value": make_uid()},
    ]


def driver_cursor(connection: Connection) -> sqlite3.Cursor:
    """A cursor of the driver itself, inside `connection`'s transaction: for reading and writing many rows at once."""
    return _driver(connection).cursor()


def _driver(connection: Connection) -> sqlite3.Connection:
    driver: Any = connection.connection.driver_connection
    return driver  # type: ignore[no-any-return]


def _begin_immediate(driver: sqlite3.Connection) -> None:
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            driver.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) and "busy" not in str(error):
                raise
            if time.monotonic() > until:
                raise Overloaded(
                    f"Another program has been writing to the library for {_PATIENCE_S:.0f} s. Try again "
                    "when it is done.",
                    retry_after_s=10,
                ) from error
        time.sleep(random.uniform(0.0005, 0.003))  # nosec B311  # spreads load; guards nothing


def _cause(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Foreign errors in the station's own words."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise BadInput("This text is not Unicode: it holds half of a character.") from error
    except exc.TimeoutError as error:
        raise Overloaded("Too many questions to the library at once.", retry_after_s=2) from error
    except (exc.DBAPIError, sqlite3.Error) as error:
        cause = _cause(error)
        if "disk is full" in cause:
            log.error("the disk that holds %s is full", path)
            raise DiskFull(
                "The station's disk is full: the library could not take this up; nothing that was there is lost. "
                "Make room and try again."
            ) from error
        if "locked" in cause or "busy" in cause:
            raise Overloaded("The library is in use by another program.", retry_after_s=5) from error
        if "readonly" in cause or "read-only" in cause:
            raise SoundsibleError(
                f"The database {path} cannot be written to. Give its folder back to the user that runs the station."
            ) from error
        if "malformed" in cause or "not a database" in cause or "disk I/O" in cause:
            raise SoundsibleError(
                f"The database {path} cannot be read ({cause}). Stop the station and put a copy of "
                "the database in its place."
            ) from error
        raise
