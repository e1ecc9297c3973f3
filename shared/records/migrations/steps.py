"""Go from one schema to another with Alembic. Imported only when there is something to migrate: Alembic is large."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    # Config treats % as the beginning of a value's name.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def head() -> str | None:
    """The newest revision there is."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def knows(revision: str) -> bool:
    try:
        return ScriptDirectory.from_config(_config()).get_revision(revision) is not None
    except CommandError:
        return False


def upgrade(connection: Connection, revision: str) -> None:
    """Inside `connection`'s transaction: all steps, or none."""
    command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Inside `connection`'s transaction; "base" takes everything away."""
    command.downgrade(_config(connection), revision)
