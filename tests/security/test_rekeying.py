"""Another key for the secrets at rest: all of them, killed anywhere, nothing lost and nothing left with the old one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from shared import settings as settings_room
from shared.database import Database
from shared.model.cloud import Provider
from shared.records.sealed import COLUMNS, Sealed
from shared.security.rekeying import Rekeyed, Rekeying
from shared.settings import Settings
from shared.storage.providers import Providers
from shared.vault import KEY_FILE, NEXT_KEY_FILE, SealedElsewhere, Vault
from tests.patience import some

ROOT = Path(__file__).resolve().parents[2]
SETTING, STORAGE, FACTOR, TOKEN = "spotify words", "storage-words", "JBSWY3DPEHPK3PXP", "token of theirs"
APP, LISTENING = "app password", "session key there"


@dataclass
class House:
    """A home with a secret in every place where one can be."""

    settings: Settings
    database: Database

    @property
    def vault(self) -> Vault:
        return Vault(self.settings.config_dir)

    def rekeying(self) -> Rekeying:
        return Rekeying(settings=self.settings, records=Sealed(database=self.database))

    def secrets(self) -> tuple[str, ...]:
        """What each opens to now, by a process that has just begun."""
        sealed = settings_room.section(self.settings, "spotify_client_secret")["sealed"]
        storage = Providers(settings=self.settings).named("r2")
        return (self.vault.open(sealed), storage.secret, storage.seal_key.hex() if storage.seal_key else "",
                *(self.vault.open(one) for one in Sealed(database=self.database).texts()))

    def everything_sealed(self) -> list[str]:
        found: list[str] = []
        settings_room.sealed_anew(self.settings, lambda one: (found.append(one), one)[1], dry_run=True)
        return [*found, *Sealed(database=self.database).texts()]


WHOLE = (SETTING, STORAGE, "07" * 32, FACTOR, TOKEN, APP, LISTENING)


def furnish(home: Path) -> House:
    settings = Settings(home=home)
    for folder in (settings.config_dir, settings.data_dir):
        folder.mkdir(parents=True)
    database = Database(settings.database_path)
    database.prepare()
    house = House(settings, database)
    settings_room.save(settings, "spotify_client_secret", SETTING)
    Providers(settings=settings).add(Provider(
        name="r2", kind="r2", endpoint="https://r2.example", region="auto", bucket="music", key_id="id",
        secret=STORAGE, prefix="", path_style=True, seal_key=b"\7" * 32))
    with database.transaction() as conn:
        conn.execute(text(
            "INSERT INTO users (id, uid, username, folded, password_hash, role, created_at, second_factor) VALUES "
            "(1, 'u1', 'ann', 'ann', 'x', 'owner', 0, :factor), (2, 'u2', 'ben', 'ben', 'x', 'adult', 0, NULL)"
        ), {"factor": house.vault.seal(FACTOR)})
        conn.execute(text(
            "INSERT INTO stations (uid, user_id, fingerprint, name, endpoints, token, created_at) VALUES "
            "('s1', 1, 'f', 'other', '[]', :token, 0)"), {"token": house.vault.seal(TOKEN)})
        conn.execute(text("INSERT INTO tokens (id, uid, user_id, kind, hash, created_at) VALUES "
                          "(7, 't7', 1, 'app', x'07', 0)"))
        conn.execute(text("INSERT INTO app_secrets (token_id, secret) VALUES (7, :one)"),
                     {"one": house.vault.seal(APP)})
        conn.execute(text("INSERT INTO scrobblers (user_id, service, secret, connected_at) VALUES "
                          "(1, 'lastfm', :one, 0)"), {"one": house.vault.seal(LISTENING)})
    return house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = furnish(tmp_path / "home")
    yield made
    made.database.close()


def test_every_secret_is_sealed_anew_and_the_old_key_opens_none(house: House, tmp_path: Path) -> None:
    config, before = house.settings.config_dir, house.everything_sealed()
    old = tmp_path / "old"
    old.mkdir()
    (old / KEY_FILE).write_bytes((config / KEY_FILE).read_bytes())
    assert house.rekeying().run() == Rekeyed(settings=3, database=4, closed=0)
    assert house.secrets() == WHOLE
    after = house.everything_sealed()
    assert len(after) == 7 and not set(after) & set(before)
    for one in after:
        with pytest.raises(SealedElsewhere):
            Vault(old).open(one)
    for one in before:
        with pytest.raises(SealedElsewhere):
            house.vault.open(one)
    assert not (config / NEXT_KEY_FILE).exists()
    assert (config / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_looking_ahead_changes_nothing(house: House) -> None:
    before = house.everything_sealed(), (house.settings.config_dir / KEY_FILE).read_bytes()
    assert house.rekeying().foresee() == Rekeyed(settings=3, database=4, closed=0)
    assert (house.everything_sealed(), (house.settings.config_dir / KEY_FILE).read_bytes()) == before


def test_a_process_that_knows_the_old_key_notices_the_new_one(house: House) -> None:
    running = house.vault
    sealed = running.seal("before")
    house.rekeying().run()
    with pytest.raises(SealedElsewhere):
        running.open(sealed)
    assert Vault(house.settings.config_dir).open(running.seal("after")) == "after"


def test_what_no_key_here_opens_stays_as_it_is_and_is_counted(house: House, tmp_path: Path) -> None:
    foreign = Vault(tmp_path / "elsewhere").seal("theirs")
    with house.database.transaction() as conn:
        conn.execute(text("UPDATE users SET second_factor = :one WHERE id = 2"), {"one": foreign})
    assert house.rekeying().run().closed == 1
    assert foreign in house.everything_sealed()
    assert [one for one in house.everything_sealed() if one != foreign]


def test_every_sealed_column_of_the_database_is_known() -> None:
    source = (ROOT / "shared" / "records" / "tables.py").read_text("utf-8")
    assert source.count("sealed (vault)") == len(COLUMNS)


KILLED = """
import os, sys
from pathlib import Path
from shared.database import Database
from shared.records.sealed import Sealed
from shared.security.rekeying import Rekeying
from shared.settings import Settings

home, last = Path(sys.argv[1]), int(sys.argv[2])
settings = Settings(home=home)
database = Database(settings.database_path)
database.prepare()
count = 0


def counted(real):
    def call(*args, **named):
        global count
        count += 1
        if count == last:
            os.kill(os.getpid(), 9)
        return real(*args, **named)
    return call


for name in ("fsync", "replace", "rename", "link", "unlink"):
    setattr(os, name, counted(getattr(os, name)))
steps = counted(lambda step: None)
Rekeying(settings=settings, records=Sealed(database=database), on_step=steps).run()
print(count)
"""


def killed(home: Path, at: int) -> Any:
    return subprocess.run([sys.executable, "-c", KILLED, str(home), str(at)], cwd=ROOT, capture_output=True, text=True,
                          timeout=60)


def test_killed_anywhere_nothing_is_lost_and_the_next_run_finishes(tmp_path: Path) -> None:
    """Before and after every write, rename and step."""
    import shutil

    first = tmp_path / "home"
    furnish(first).database.close()
    copy = tmp_path / "copy"
    shutil.copytree(first, copy)
    done = killed(copy, 0)
    assert done.returncode == 0, done.stderr
    moments = int(done.stdout)
    assert moments >= 8
    for at in some(range(1, moments + 1), 7):
        shutil.rmtree(copy)
        shutil.copytree(first, copy)
        assert killed(copy, at).returncode == -9, at
        settings = Settings(home=copy)
        house = House(settings, Database(settings.database_path))
        house.database.prepare()
        try:
            assert house.secrets() == WHOLE, f"killed at {at} of {moments}"
            house.rekeying().run()
            assert house.secrets() == WHOLE, f"killed at {at} of {moments}, then finished"
            assert not house.vault.changing
            assert not [one for one in settings.config_dir.iterdir() if one.name == NEXT_KEY_FILE]
        finally:
            house.database.close()
