"""`tool rekey`: what it says, when it refuses, and what doctor says of a change that was cut off."""

from __future__ import annotations

from pathlib import Path

from shared import settings as settings_room
from shared.database import Database
from shared.library.presence import Presence
from shared.records.audit import Audit
from shared.settings import Settings
from shared.vault import KEY_FILE, SealedElsewhere, Vault
from tests.setup_tool.conftest import Tool


def with_secret(home: Path) -> Settings:
    settings = Settings(home=home)
    settings.data_dir.mkdir(parents=True)
    settings_room.save(settings, "spotify_client_secret", "hidden words")
    return settings


def test_it_says_how_many_secrets_were_sealed_anew_and_shows_none(tool: Tool, home: Path) -> None:
    settings = with_secret(home)
    before = (settings.config_dir / KEY_FILE).read_bytes()
    ahead = tool("rekey", "--dry-run")
    assert ahead.code == 0 and "would be sealed" in ahead.out
    assert (settings.config_dir / KEY_FILE).read_bytes() == before
    said = tool("rekey", "--yes", "--json")
    assert (said.code, said.document) == (
        0, {"dry_run": False, "settings": 1, "database": 0, "closed": 0, "resumed": False})
    assert (settings.config_dir / KEY_FILE).read_bytes() != before
    assert settings_room.load(environ={}, given={"home": str(home)}).spotify_client_secret == "hidden words"
    assert "hidden words" not in ahead.out + said.out + said.err


def test_it_is_written_down_for_the_owner(tool: Tool, home: Path) -> None:
    settings = with_secret(home)
    database = Database(settings.database_path)
    database.prepare()
    assert tool("rekey", "--yes").code == 0
    try:
        assert [one.deed for one in Audit(database=database).list(limit=10).items] == ["secrets_rekeyed"]
    finally:
        database.close()


def test_a_running_station_keeps_its_key(tool: Tool, home: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    settings = with_secret(home)
    monkeypatch.setattr("shared.library.presence.PATIENCE_S", 0.1)
    before = (settings.config_dir / KEY_FILE).read_bytes()
    running = Presence(settings.data_dir)
    running.claim()
    try:
        said = tool("rekey", "--yes")
        assert said.code == 1
        assert "runs on this home" in said.err
    finally:
        running.leave()
    assert (settings.config_dir / KEY_FILE).read_bytes() == before


def test_a_change_that_was_cut_off_is_told_and_can_be_finished(tool: Tool, home: Path) -> None:
    settings = with_secret(home)
    Vault(settings.config_dir).begin_change()
    told = tool("doctor")
    assert "rekey --yes" in told.out + told.err
    assert tool("rekey", "--yes", "--json").document["resumed"] is True
    assert "rekey --yes" not in tool("doctor").out


def test_a_lost_key_is_explained(tool: Tool, home: Path) -> None:
    settings = with_secret(home)
    sealed = settings_room.section(settings, "spotify_client_secret")["sealed"]
    (settings.config_dir / KEY_FILE).unlink()
    try:
        Vault(settings.config_dir).open(sealed)
        raise AssertionError("it opened")
    except SealedElsewhere as error:
        assert "is gone" in error.message and "copy of the config folder" in error.message
    told = tool("doctor")
    assert "key" in told.out + told.err and "is gone" in told.out + told.err
