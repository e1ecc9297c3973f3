"""The table of settings: sources, order, and what a bad value says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import settings
from shared.model.errors import BadSetting


def _home(tmp_path: Path, **config: object) -> dict[str, str]:
    (tmp_path / "config").mkdir(exist_ok=True)
    if config:
        (tmp_path / "config" / "config.json").write_text(json.dumps(config))
    return {"SOUNDSIBLE_HOME": str(tmp_path)}


def test_without_any_source_the_defaults_stand(tmp_path: Path) -> None:
    loaded = settings.load(environ=_home(tmp_path))
    assert (loaded.port, loaded.host, loaded.music) == (5005, "0.0.0.0", ())
    assert loaded.database_path == tmp_path / "data" / "library.db"


def test_the_later_source_wins(tmp_path: Path) -> None:
    environ = _home(tmp_path, port=1001)
    assert settings.load(environ=environ).port == 1001
    (tmp_path / "config" / ".env").write_text("SOUNDSIBLE_PORT=1002\n")
    assert settings.load(environ=environ).port == 1002
    environ["SOUNDSIBLE_PORT"] = "1003"
    assert settings.load(environ=environ).port == 1003
    assert settings.load(environ=environ, given={"port": "1004"}).port == 1004


@pytest.mark.parametrize(("name", "value", "allowed"), [
    ("PORT", "70000", "0 to 65535"),
    ("PORT", "http", "0 to 65535"),
    ("SERVER", "apache", "gunicorn"),
    ("WATCH", "perhaps", "true or false"),
    ("COVER_CACHE_BYTES", "much", "number of bytes"),
    ("COVER_CACHE_BYTES", "inf", "number of bytes"),
    ("OWNER", "ann:short", "ten characters"),
])
def test_a_bad_value_names_setting_value_and_what_is_allowed(
    tmp_path: Path, name: str, value: str, allowed: str
) -> None:
    with pytest.raises(BadSetting) as caught:
        settings.load(environ={**_home(tmp_path), f"SOUNDSIBLE_{name}": value})
    assert f"SOUNDSIBLE_{name}" in caught.value.message and allowed in caught.value.message
    assert (value in caught.value.message) is (name != "OWNER"), "a password must not be repeated"


def test_a_broken_config_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    environ = _home(tmp_path)
    (tmp_path / "config" / "config.json").write_text("{")
    with pytest.raises(BadSetting, match=r"config\.json.*Mend it"):
        settings.load(environ=environ)


def test_sizes_are_read_with_their_units(tmp_path: Path) -> None:
    environ = {**_home(tmp_path), "SOUNDSIBLE_COVER_CACHE_BYTES": "1.5G"}
    assert settings.load(environ=environ).cover_cache_bytes == 3 * 2**29


def test_lists_in_the_config_file_are_lists(tmp_path: Path) -> None:
    loaded = settings.load(environ=_home(tmp_path, allowed_hosts=["a.example", "B.example"], music=["/m/a", "/m/b"]))
    assert loaded.allowed_hosts == ("a.example", "b.example")
    assert loaded.music == (Path("/m/a"), Path("/m/b"))


def test_the_table_shows_every_setting_and_hides_secrets(tmp_path: Path) -> None:
    loaded = settings.load(environ={**_home(tmp_path), "SOUNDSIBLE_OWNER": "ann:a long password"})
    shown = {row["name"]: row for row in loaded.table()}
    assert shown.keys() == {row.name for row in settings.rows()}
    assert shown["owner"]["value"] == "***"
    assert all(row["help"].endswith(".") for row in shown.values())
    json.dumps(loaded.table())


@given(st.text(max_size=40), st.sampled_from([row.name for row in settings.rows()]))
def test_any_text_is_taken_or_refused_with_a_sentence(text: str, name: str) -> None:
    given = {"home": "/nowhere/at/all", name: text} if name != "home" else {"home": "/nowhere/at/all"}
    try:
        settings.load(environ={}, given=given)
    except BadSetting as error:
        assert name in error.message


def test_a_slip_in_a_variables_name_is_noticed() -> None:
    assert settings.unknown({"SOUNDSIBLE_PROT": "1", "SOUNDSIBLE_PORT": "1", "PATH": "/bin"}) == ["SOUNDSIBLE_PROT"]


def test_a_setting_that_is_a_file_says_so() -> None:
    files = {row.name for row in settings.rows() if row.metadata["parse"].__doc__ == "a file"}
    assert files == {"certificate", "certificate_key", "download_cookies"}
