"""The storages in config.json: written by one, read by the other, closed on another machine."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from shared.model.cloud import Provider
from shared.model.errors import BadInput, BadSetting, Conflict, NotFound
from shared.settings import Settings
from shared.storage.providers import LOOK_EVERY_S, Providers, check, clean_prefix, parse_recovery_key
from shared.vault import KEY_FILE, SealedElsewhere, Vault

R2 = Provider(name="r2", kind="r2", endpoint="https://0123.r2.cloudflarestorage.com", region="auto", bucket="music",
              key_id="0123456789abcdef", secret="a/very+secret=key")
ATTIC = replace(R2, name="attic", kind="other", endpoint="http://192.168.1.9:9000", region="us-east-1", prefix="home/",
                seal_key=bytes(range(32)))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def providers(settings: Settings) -> Providers:
    made = Providers(settings=settings)
    made.add(R2)
    made.add(ATTIC)
    return made


def test_what_was_added_comes_back_as_it_was_in_its_order(providers: Providers, settings: Settings) -> None:
    assert Providers(settings=settings).all() == [R2, ATTIC]
    assert providers.named("ATTIC") == ATTIC


def test_no_secret_stands_in_the_file_or_in_what_is_shown(providers: Providers, settings: Settings) -> None:
    text = settings.config_path.read_text("utf-8")
    assert R2.secret not in text
    assert bytes(range(32)).hex() not in text
    assert os.name != "posix" or settings.config_path.stat().st_mode & 0o077 == 0
    for shown in (repr(providers.all()), repr(providers.rows())):
        assert R2.secret not in shown and "x00" not in shown
    assert [row["sealed"] for row in providers.rows()] == [False, True]


def test_settings_beside_them_stay(settings: Settings) -> None:
    settings.config_dir.mkdir(parents=True)
    settings.config_path.write_text('{"port": 5006}')
    Providers(settings=settings).add(R2)
    assert json.loads(settings.config_path.read_text("utf-8"))["port"] == 5006


def test_a_second_of_the_same_name_is_refused_unless_it_shall_replace_it(providers: Providers) -> None:
    with pytest.raises(Conflict, match="already"):
        providers.add(replace(R2, secret="another"))
    providers.add(replace(R2, secret="another"), replace=True)
    assert [(one.name, one.secret) for one in providers.all()] == [("r2", "another"), ("attic", ATTIC.secret)]


@pytest.mark.parametrize(("prefix", "refused"), [("", True), ("music/", True), ("trash/x/", True), ("home/", False),
                                                 ("musical/", False)])
def test_two_names_for_one_place_are_refused(prefix: str, refused: bool, providers: Providers) -> None:
    another = replace(R2, name="another", prefix=prefix)
    if refused:
        with pytest.raises(Conflict, match="'r2' keeps its things"):
            providers.add(another)
    else:
        providers.add(another)
    providers.add(replace(another, bucket="elsewhere"), replace=True)


def test_removing_forgets_one(providers: Providers, settings: Settings) -> None:
    providers.remove("R2")
    assert [one.name for one in Providers(settings=settings).all()] == ["attic"]
    with pytest.raises(NotFound):
        providers.remove("r2")
    providers.remove("attic")
    assert "storages" not in json.loads(settings.config_path.read_text("utf-8"))


def test_an_unknown_name_is_answered_with_those_there_are(providers: Providers) -> None:
    with pytest.raises(NotFound, match="r2, attic"):
        providers.named("b2")


def test_new_copies_go_to_the_one_that_was_chosen_else_to_the_first(providers: Providers, settings: Settings) -> None:
    assert providers.default() == R2
    assert Providers(settings=replace(settings, cloud_provider="Attic")).default() == ATTIC
    assert Providers(settings=replace(settings, cloud_provider="gone")).default() is None     # not to another bucket
    assert Providers(settings=replace(settings, home=settings.data_dir)).default() is None


def test_what_another_process_writes_is_seen_soon_and_the_file_is_not_looked_at_all_the_time(
        settings: Settings) -> None:
    now = [100.0]
    reader = Providers(settings=settings, clock=lambda: now[0])
    assert reader.all() == []
    Providers(settings=settings).add(R2)
    assert reader.all() == []
    now[0] += LOOK_EVERY_S
    assert reader.all() == [R2]


def test_a_config_json_that_is_being_edited_takes_no_storage_away(providers: Providers, settings: Settings) -> None:
    now = [0.0]
    reader = Providers(settings=settings, clock=lambda: now[0])
    assert len(reader.all()) == 2
    whole = settings.config_path.read_text("utf-8")
    settings.config_path.write_text(whole[:100])
    now[0] += LOOK_EVERY_S
    assert len(reader.all()) == 2
    settings.config_path.write_text(whole.replace('"attic"', '"cellar"'))
    now[0] += LOOK_EVERY_S
    assert [one.name for one in reader.all()] == ["r2", "cellar"]


def test_a_config_json_that_could_never_be_read_is_told_of(settings: Settings) -> None:
    settings.config_dir.mkdir(parents=True)
    settings.config_path.write_text("{")
    with pytest.raises(BadSetting, match="cannot be read"):
        Providers(settings=settings).all()


# ---- another machine ---------------------------------------------------------------------------------------------


def test_on_another_machine_nothing_opens_and_it_says_what_to_do(providers: Providers, tmp_path: Path) -> None:
    elsewhere = Settings(home=tmp_path / "elsewhere")
    elsewhere.config_dir.mkdir(parents=True)
    shutil.copy(tmp_path / "config" / "config.json", elsewhere.config_path)
    there = Providers(settings=elsewhere)
    assert there.all() == []
    assert [row["opens"] for row in there.rows()] == [False, False]
    with pytest.raises(SealedElsewhere, match="tool storage secret r2"):
        there.named("r2")
    with pytest.raises(SealedElsewhere, match="recovery key"):
        there.named("attic")
    assert [name for name, _ in there.broken()] == ["r2", "attic"]
    there.add(R2, replace=True)
    assert (there.all(), [name for name, _ in there.broken()]) == ([R2], ["attic"])


def test_the_copied_key_file_alone_opens_nothing_on_another_machine(providers: Providers, tmp_path: Path) -> None:
    elsewhere = Settings(home=tmp_path / "elsewhere")
    elsewhere.config_dir.mkdir(parents=True)
    for name in ("config.json", KEY_FILE):
        shutil.copy(tmp_path / "config" / name, elsewhere.config_dir / name)
    there = Providers(settings=elsewhere)
    there._vault = Vault(elsewhere.config_dir, identity=lambda: "another machine")
    assert (there.all(), len(there.broken())) == ([], 2)


def test_a_damaged_row_is_told_of_and_the_others_work(providers: Providers, settings: Settings) -> None:
    content = json.loads(settings.config_path.read_text("utf-8"))
    content["storages"][0]["bucket"] = 7
    content["storages"].append("nonsense")
    settings.config_path.write_text(json.dumps(content))
    there = Providers(settings=settings)
    assert [one.name for one in there.all()] == ["attic"]
    [(name, why)] = there.broken()
    assert name == "r2" and "damaged" in why and "storage remove r2" in why


# ---- recovery ----------------------------------------------------------------------------------------------------


def test_the_recovery_key_is_the_seal_key(providers: Providers) -> None:
    assert parse_recovery_key(providers.recovery_key("attic")) == ATTIC.seal_key
    with pytest.raises(BadInput, match="not encrypted"):
        providers.recovery_key("r2")


# ---- syntax ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("changes", "words"), [
    ({"name": "My Bucket"}, "name"), ({"name": ""}, "name"), ({"name": "../x"}, "name"), ({"kind": "gdrive"}, "r2, b2"),
    ({"endpoint": "nas.local"}, "https://host"), ({"endpoint": "https://nas.local/path"}, "without a path"),
    ({"endpoint": "https://user:pw@nas.local"}, "https://host"), ({"endpoint": "ftp://nas"}, "https://host"),
    ({"endpoint": "https://nas.local?x=1"}, "https://host"), ({"endpoint": "https://nas\r\nX: y"}, "https://host"),
    ({"bucket": "my bucket"}, "bucket"), ({"bucket": "s3://music"}, "without an address"),
    ({"bucket": "a..b"}, "bucket"),
    ({"bucket": "my.music", "path_style": False}, "--path-style"), ({"region": "eu central"}, "region"),
    ({"key_id": ""}, "key ID"), ({"key_id": "a b"}, "key ID"), ({"key_id": "a/b"}, "key ID"),
    ({"secret": "a b"}, "secret"), ({"secret": ""}, "secret"), ({"prefix": "a"}, "prefix"),
    ({"prefix": "/a/"}, "prefix"),
    ({"prefix": "a/../b/"}, "prefix"), ({"prefix": "a//b/"}, "prefix"), ({"prefix": "a\nb/"}, "prefix"),
    ({"prefix": "x" * 400 + "/"}, "too long"), ({"seal_key": b"short"}, "seal key"),
])
def test_what_cannot_be_is_refused_with_how_it_should_look(changes: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        check(replace(R2, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [
    {"endpoint": "http://[fd00::9]:3900"}, {"endpoint": "http://127.0.0.1:1"}, {"endpoint": "https://MinIO_1.lan"},
    {"prefix": "home/ü music/"}, {"bucket": "Old_Bucket.1"}, {"name": "a"}, {"region": "garage"},
])
def test_what_can_be_is_taken(changes: dict[str, object]) -> None:
    check(replace(R2, **changes))  # type: ignore[arg-type]


def test_prefixes_are_tidied() -> None:
    assert [clean_prefix(one) for one in ("", "/", " music ", "/a/b/", "a/b")] == ["", "", "music/", "a/b/", "a/b/"]
