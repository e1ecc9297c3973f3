"""Secrets at rest: sealed for this machine and this user, opened nowhere else."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import settings
from shared.model.errors import BadSetting
from shared.vault import KEY_FILE, SealedElsewhere, Vault, machine_identity

SECRET = "correct horse battery ✓"


def here() -> str:
    return "this machine"


def test_what_is_sealed_is_opened_by_the_same_machine(tmp_path: Path) -> None:
    sealed = Vault(tmp_path, identity=here).seal(SECRET)
    assert SECRET not in sealed and "horse" not in sealed
    assert Vault(tmp_path, identity=here).open(sealed) == SECRET


@given(st.text())
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    vault = Vault(tmp_path_factory.getbasetemp() / "any", identity=here)
    assert vault.open(vault.seal(text)) == text


def test_the_same_text_is_never_sealed_alike(tmp_path: Path) -> None:
    vault = Vault(tmp_path, identity=here)
    assert vault.seal(SECRET) != vault.seal(SECRET)


def test_the_key_is_for_this_user_alone(tmp_path: Path) -> None:
    Vault(tmp_path / "config", identity=here).seal(SECRET)
    key = tmp_path / "config" / KEY_FILE
    assert key.stat().st_mode & 0o777 == 0o600 and len(key.read_bytes()) == 32
    key.chmod(0o644)
    Vault(tmp_path / "config", identity=here).seal(SECRET)
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_copy_on_another_machine_opens_nothing(tmp_path: Path) -> None:
    sealed = Vault(tmp_path, identity=here).seal(SECRET)
    with pytest.raises(SealedElsewhere):
        Vault(tmp_path, identity=lambda: "another machine").open(sealed)


def test_the_machines_name_alone_opens_nothing(tmp_path: Path) -> None:
    sealed = Vault(tmp_path / "a", identity=here).seal(SECRET)
    Vault(tmp_path / "b", identity=here).seal("x")
    with pytest.raises(SealedElsewhere):
        Vault(tmp_path / "b", identity=here).open(sealed)
    with pytest.raises(SealedElsewhere):
        Vault(tmp_path / "c", identity=here).open(sealed)
    assert not (tmp_path / "c" / KEY_FILE).exists(), "opening makes no key"


@pytest.mark.parametrize("sealed", ["", "v1:", "v1:nonsense", "v1:ünsense", "gAAAA", "v2:x", "v1:" + "A" * 200])
def test_what_is_damaged_is_told_as_such(tmp_path: Path, sealed: str) -> None:
    Vault(tmp_path, identity=here).seal(SECRET)
    with pytest.raises(SealedElsewhere):
        Vault(tmp_path, identity=here).open(sealed)


def test_a_damaged_key_is_named(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(BadSetting, match=KEY_FILE):
        Vault(tmp_path, identity=here).seal(SECRET)


def test_many_at_once_make_one_key(tmp_path: Path) -> None:
    sealed: list[str] = []
    threads = [threading.Thread(target=lambda: sealed.append(Vault(tmp_path, identity=here).seal(SECRET)))
               for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [Vault(tmp_path, identity=here).open(one) for one in sealed] == [SECRET] * 8
    assert [one.name for one in tmp_path.iterdir()] == [KEY_FILE]


def test_a_machines_name_is_the_same_twice() -> None:
    assert machine_identity() == machine_identity()


# ---- in config.json ----------------------------------------------------------------------------------------------


def _environ(home: Path) -> dict[str, str]:
    return {"SOUNDSIBLE_HOME": str(home)}


def test_a_secret_is_sealed_in_config_json_and_read_from_it(tmp_path: Path) -> None:
    environ = _environ(tmp_path)
    settings.save(settings.at_home(environ=environ), "slskd_api_key", SECRET)
    text = (tmp_path / "config" / "config.json").read_text("utf-8")
    assert SECRET not in text and set(json.loads(text)["slskd_api_key"]) == {"sealed"}
    assert settings.load(environ=environ).slskd_api_key == SECRET


def test_sealed_webhook_addresses_are_several(tmp_path: Path) -> None:
    environ = _environ(tmp_path)
    settings.save(settings.at_home(environ=environ), "webhook_urls", "discord://1/a json://example.org/b")
    assert settings.load(environ=environ).webhook_urls == ("discord://1/a", "json://example.org/b")


def test_addresses_in_config_json_may_be_a_list(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.json").write_text(json.dumps({"webhook_urls": ["json://a.org", "ntfy://b"]}))
    assert settings.load(environ=_environ(tmp_path)).webhook_urls == ("json://a.org", "ntfy://b")


def test_a_secret_sealed_elsewhere_stops_the_start_and_says_how_to_enter_it_again(tmp_path: Path) -> None:
    environ = _environ(tmp_path)
    settings.save(settings.at_home(environ=environ), "slskd_api_key", SECRET)
    (tmp_path / "config" / KEY_FILE).write_bytes(bytes(32))
    with pytest.raises(BadSetting, match=r"slskd_api_key.*tool settings set slskd_api_key"):
        settings.load(environ=environ)


def test_the_environment_wins_over_a_secret_that_cannot_be_opened(tmp_path: Path) -> None:
    environ = _environ(tmp_path)
    settings.save(settings.at_home(environ=environ), "slskd_api_key", SECRET)
    (tmp_path / "config" / KEY_FILE).unlink()
    assert settings.load(environ={**environ, "SOUNDSIBLE_SLSKD_API_KEY": "other"}).slskd_api_key == "other"


@pytest.mark.parametrize("value", [{"sealed": "v1:x"}, {}, {"sealed": 3}])
def test_only_a_secret_can_be_sealed(tmp_path: Path, value: object) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.json").write_text(json.dumps({"port": value}))
    with pytest.raises(BadSetting, match="port"):
        settings.load(environ=_environ(tmp_path))


def test_saving_keeps_what_else_stands_there_and_is_for_this_user_alone(tmp_path: Path) -> None:
    environ = _environ(tmp_path)
    (tmp_path / "config").mkdir()
    path = tmp_path / "config" / "config.json"
    path.write_text(json.dumps({"storage": [{"name": "r2"}], "port": 1}))
    path.chmod(0o644)
    settings.save(settings.at_home(environ=environ), "port", "5050")
    assert json.loads(path.read_text()) == {"storage": [{"name": "r2"}], "port": "5050"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert settings.load(environ=environ).port == 5050
    settings.save(settings.at_home(environ=environ), "port", None)
    assert settings.load(environ=environ).port == 5005
    assert [one.name for one in path.parent.iterdir()] == ["config.json"]


@pytest.mark.parametrize(("name", "text"), [
    ("watch", "off"), ("music", "/a:/b"), ("download_providers", "youtube, direct"), ("cover_cache_bytes", "5G"),
    ("allow_private_hosts", "127.0.0.1:8099,nas.local"), ("slskd_downloads", "/x"), ("download_level_lufs", "-14"),
])
def test_what_is_saved_is_what_is_read(tmp_path: Path, name: str, text: str) -> None:
    environ = _environ(tmp_path)
    value = settings.save(settings.at_home(environ=environ), name, text)
    assert getattr(settings.load(environ=environ), name) == value


def test_a_value_that_is_not_allowed_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="0 to 65535"):
        settings.save(settings.at_home(environ=_environ(tmp_path)), "port", "many")
    with pytest.raises(BadSetting) as caught:
        settings.save(settings.at_home(environ=_environ(tmp_path)), "owner", "ann:short")
    assert "short" not in caught.value.message
    assert not (tmp_path / "config").exists()


def test_cryptography_is_imported_only_for_who_has_a_sealed_secret(tmp_path: Path) -> None:
    script = ("import sys\nfrom shared import settings\n"
              f"settings.load(environ={{'SOUNDSIBLE_HOME': {str(tmp_path)!r}}})\n"
              "assert not {'cryptography', 'shared.vault'} & set(sys.modules)\n")
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(settings.__file__).parent.parent,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
