"""`storage`: adding, trying out, listing, entering keys again and removing, against a real S3 server."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from setup_tool import storage
from shared.model.cloud import Copy, Provider
from shared.settings import Settings
from shared.storage.providers import Providers
from shared.storage.sealing import parse_recovery_key
from tests.here import take_up
from tests.s3_server import FaultProxy, server
from tests.setup_tool.conftest import Tool


@pytest.fixture
def place() -> Provider:
    return server().provider()


@pytest.fixture
def options(place: Provider, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What names the place on the command line; its secret is in the environment."""
    monkeypatch.setenv(storage.SECRET_VARIABLE, place.secret)
    return ["--endpoint", place.endpoint, "--region", place.region, "--bucket", place.bucket, "--key-id", place.key_id]


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy(server().url) as made:
        yield made


def there(home: Path) -> Providers:
    return Providers(settings=Settings(home=home))


def typing(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Somebody at the terminal, who answers so; what was asked."""
    questions: list[str] = []
    waiting = list(answers)

    def prompt(text: str, **_: Any) -> str:
        questions.append(text)
        return waiting.pop(0)

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(storage.click, "prompt", prompt)
    return questions


# ---- add ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["r2", "b2", "s3", "other"])
def test_a_storage_of_any_kind_is_added_unattended(kind: str, tool: Tool, home: Path, place: Provider,
                                                   options: list[str]) -> None:
    said = tool("storage", "add", kind, "--name", "Attic", *options, "--json")
    assert said.code == 0, said.err
    told = said.document
    assert (told["name"], told["kind"], told["saved"], told["sealed"]) == ("attic", kind, True, False)
    assert [(one["step"], one["ok"]) for one in told["steps"]] == [
        (step, True) for step in ("write", "read", "range", "signed URL", "list", "delete")]
    assert there(home).named("attic") == replace(place, name="attic", kind=kind)
    assert place.secret not in said.out + said.err + (home / "config" / "config.json").read_text("utf-8")
    assert server().keys(place) == []


def test_people_see_each_step_and_what_to_do_next(tool: Tool, options: list[str]) -> None:
    said = tool("storage", "add", "other", *options)
    assert said.code == 0
    assert said.out.count("✓") == 7
    assert "signed URL" in said.out and "tool upload --provider other" in " ".join(said.out.split())
    assert "Plain HTTP" in said.out


def test_a_person_is_asked_for_what_is_missing_and_the_secret_is_not_shown(
        tool: Tool, home: Path, place: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = typing(monkeypatch, place.endpoint, place.bucket, place.key_id, place.secret)
    said = tool("storage", "add", "other")
    assert said.code == 0, said.out + said.err
    assert asked == ["Endpoint (https://host:port)", "Bucket", "Access key ID", "Secret access key"]
    assert there(home).named("other") == replace(place, name="other")
    assert place.secret not in said.out + said.err


def test_for_r2_the_account_is_enough_and_its_whole_endpoint_too(tool: Tool, home: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    account = "0123456789abcdef0123456789abcdef"
    monkeypatch.setenv(storage.SECRET_VARIABLE, "secret")
    rest = ["--key-id", "k", "--no-test"]
    assert tool("storage", "add", "r2", "--account", account, "--bucket", "music", *rest).code == 0
    shown = f"https://{account}.eu.r2.cloudflarestorage.com/other-bucket"
    assert tool("storage", "add", "r2", "--name", "eu", "--endpoint", shown, *rest).code == 0
    typing(monkeypatch, "short", f"https://{account}.r2.cloudflarestorage.com")
    assert tool("storage", "add", "r2", "--name", "asked", "--bucket", "b-3", *rest).code == 0
    assert [(one.endpoint, one.region, one.bucket, one.path_style) for one in there(home).all()] == [
        (f"https://{account}.r2.cloudflarestorage.com", "auto", "music", True),
        (f"https://{account}.eu.r2.cloudflarestorage.com", "auto", "other-bucket", True),
        (f"https://{account}.r2.cloudflarestorage.com", "auto", "b-3", True)]
    assert tool("storage", "add", "r2", "--name", "x", "--account", "short", "--bucket", "b-4", *rest).code == 2


def test_region_and_endpoint_of_b2_and_s3_follow_from_each_other(tool: Tool, home: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(storage.SECRET_VARIABLE, "secret")
    rest = ["--bucket", "music", "--key-id", "k", "--no-test"]
    assert tool("storage", "add", "b2", "--endpoint", "s3.us-west-004.backblazeb2.com", *rest).code == 0
    assert tool("storage", "add", "b2", "--name", "b3", "--region", "eu-central-003", *rest).code == 0
    assert tool("storage", "add", "s3", "--region", "eu-central-1", *rest).code == 0
    assert tool("storage", "add", "s3", "--name", "dots", "--region", "eu-central-1", "--bucket", "my.music",
                "--key-id", "k", "--no-test").code == 0
    assert [(one.endpoint, one.region, one.path_style) for one in there(home).all()] == [
        ("https://s3.us-west-004.backblazeb2.com", "us-west-004", True),
        ("https://s3.eu-central-003.backblazeb2.com", "eu-central-003", True),
        ("https://s3.eu-central-1.amazonaws.com", "eu-central-1", False),
        ("https://s3.eu-central-1.amazonaws.com", "eu-central-1", True)]
    said = tool("storage", "add", "s3", "--name", "nowhere", *rest)
    assert (said.code, "--region" in said.err) == (2, True)


@pytest.mark.parametrize(("changes", "words"), [
    (["--bucket", "no-such-bucket-here"], "There is no bucket"), (["--key-id", "AKIAWRONG"], "does not know the key"),
])
def test_what_does_not_work_is_said_and_not_written_down(changes: list[str], words: str, tool: Tool, home: Path,
                                                         options: list[str]) -> None:
    said = tool("storage", "add", "r2", *options, *changes, "--json")
    assert said.code == 1
    assert said.document["saved"] is False
    assert words in said.document["steps"][0]["message"]
    assert there(home).all() == []
    said = tool("storage", "add", "r2", *options, *changes)
    assert (said.code, words in " ".join(said.out.split()), "nothing was written" in said.out) == (1, True, True)
    assert tool("storage", "add", "r2", *options, *changes, "--no-test").code == 0


def test_answers_that_did_not_work_need_not_be_given_again(tool: Tool, place: Provider,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    typing(monkeypatch, place.endpoint, "no-such-bucket-here", place.key_id, place.secret)
    said = tool("storage", "add", "other")
    [again] = [line for line in said.out.splitlines() if line.startswith("python3 run.py tool storage add other ")]
    assert said.code == 1 and place.secret not in said.out
    monkeypatch.setenv(storage.SECRET_VARIABLE, place.secret)
    words = again.replace("no-such-bucket-here", place.bucket).split()[3:]
    assert tool(*words).code == 0


def test_a_step_that_failed_is_not_called_by_its_object(tool: Tool, options: list[str]) -> None:
    said = tool("storage", "add", "r2", *options, "--endpoint", "http://127.0.0.1:1")
    assert said.code == 1 and "Tried to" not in said.out and "the same." in said.out


def test_a_wrong_secret_is_told_apart(tool: Tool, options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(storage.SECRET_VARIABLE, "wrong")
    steps = tool("storage", "add", "r2", *options, "--json").document["steps"]
    assert steps[0]["reason"] == "wrong_secret"
    assert steps[0]["message"].endswith("Enter it again.")      # "storage secret r2" has nothing to change yet


def test_a_bucket_with_a_library_in_it_is_told_of(tool: Tool, options: list[str], place: Provider) -> None:
    server().put(place, "catalogue/20261121T000000Z-00000000.json.gz", b"x")
    said = tool("storage", "add", "r2", *options, "--json")
    assert (said.code, said.document["library_there"]) == (0, True)
    tool("storage", "remove", "r2", "--yes")
    said = tool("storage", "add", "r2", *options)
    assert "tool restore --from r2" in " ".join(said.out.split()) and "--prefix" in said.out
    tool("storage", "remove", "r2", "--yes")
    assert tool("storage", "add", "r2", *options, "--prefix", "mine", "--json").document["library_there"] is False


def test_a_key_that_may_only_read_is_found_out(tool: Tool, options: list[str], proxy: FaultProxy, home: Path) -> None:
    proxy.fault(r"^PUT", error="AccessDenied")
    said = tool("storage", "add", "r2", *options, "--endpoint", proxy.url, "--json")
    assert [(one["step"], one["ok"]) for one in said.document["steps"]] == [("write", False), ("list", True)]
    assert there(home).all() == []


def test_a_clock_that_is_off_is_found_out(tool: Tool, options: list[str], proxy: FaultProxy) -> None:
    proxy.fault("", error="RequestTimeTooSkewed", skew_s=7200)
    said = tool("storage", "add", "r2", *options, "--endpoint", proxy.url)
    assert said.code == 1
    assert "This machine's clock is 2 h 00 min behind" in " ".join(said.out.split())


def test_a_dry_run_changes_nothing_here_or_there(tool: Tool, home: Path, options: list[str],
                                                 proxy: FaultProxy) -> None:
    said = tool("storage", "add", "r2", *options, "--endpoint", proxy.url, "--dry-run", "--json")
    assert (said.code, said.document["saved"], said.document["dry_run"]) == (0, False, True)
    assert {one.method for one in proxy.requests} == {"GET"}
    assert not (home / "config" / "config.json").exists()


def test_the_secret_may_come_on_standard_input_and_must_come_somehow(tool: Tool, home: Path, options: list[str],
                                                                     place: Provider,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(storage.SECRET_VARIABLE)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    said = tool("storage", "add", "r2", *options)
    assert (said.code, storage.SECRET_VARIABLE in said.err) == (2, True)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{place.secret}\n"))
    assert tool("storage", "add", "r2", *options).code == 0
    assert there(home).named("r2").secret == place.secret


@pytest.mark.parametrize("arguments", [["gdrive"], ["other", "--bucket", "b"], ["r2", "--bucket", "b"], []])
def test_what_is_missing_or_unknown_is_wrong_usage(arguments: list[str], tool: Tool,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert tool("storage", "add", *arguments).code == 2


def test_the_same_name_twice_is_refused_with_what_to_do(tool: Tool, options: list[str]) -> None:
    assert tool("storage", "add", "r2", *options).code == 0
    said = tool("storage", "add", "r2", *options)
    assert said.code == 1
    assert "storage secret r2" in said.err


# ---- encryption --------------------------------------------------------------------------------------------------


def test_an_encrypted_storage_shows_its_recovery_key_once_and_again_when_asked(tool: Tool, home: Path,
                                                                              options: list[str]) -> None:
    said = tool("storage", "add", "r2", *options, "--encrypt", "--json")
    key = said.document["recovery_key"]
    assert parse_recovery_key(key) == there(home).named("r2").seal_key
    assert tool("storage", "key", "R2", "--json").document["recovery_key"] == key
    shown = tool("storage", "key", "r2").out
    assert "".join(key.split("-")) in "".join(shown.split()).replace("-", "")
    assert "Write it down" in shown
    assert tool("storage", "list", "--json").document["items"][0]["sealed"] is True


def test_a_storage_that_is_not_encrypted_has_no_key_to_write_down(tool: Tool, options: list[str]) -> None:
    tool("storage", "add", "r2", *options)
    assert tool("storage", "key", "r2").code == 1
    assert tool("storage", "key", "gone").code == 1


def test_an_existing_recovery_key_is_taken_over_and_a_slip_in_it_noticed(tool: Tool, home: Path, options: list[str],
                                                                         place: Provider) -> None:
    key = tool("storage", "add", "r2", *options, "--encrypt", "--json").document["recovery_key"]
    tool("storage", "remove", "r2", "--yes")
    again = tool("storage", "add", "r2", "--name", "again", *options, "--recovery-key", key.lower().replace("-", " "))
    assert again.code == 0
    assert key not in again.out
    assert there(home).recovery_key("again") == key
    slip = key[:-1] + ("A" if key[-1] != "A" else "C")
    said = tool("storage", "add", "r2", "--name", "third", *options, "--recovery-key", slip)
    assert (said.code, "slip" in said.err) == (1, True)


# ---- another machine ---------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(tool: Tool, home: Path, options: list[str], tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """config.json on another machine: an encrypted storage "r2" and a plain one "plain"; the recovery key."""
    key = tool("storage", "add", "r2", *options, "--encrypt", "--json").document["recovery_key"]
    assert tool("storage", "add", "r2", "--name", "plain", "--prefix", "p", *options).code == 0
    other = tmp_path / "other machine"
    (other / "config").mkdir(parents=True)
    shutil.copy(home / "config" / "config.json", other / "config" / "config.json")
    yield other, key


def test_on_another_machine_every_command_says_which_one_enters_the_key_again(tool: Tool,
                                                                              elsewhere: tuple[Path, str]) -> None:
    other, _ = elsewhere
    said = tool("storage", "test", "--home", str(other))
    assert said.code == 1
    assert "tool storage secret plain" in " ".join(said.out.split())
    said = tool("storage", "key", "r2", "--home", str(other))
    assert (said.code, "tool storage secret r2" in said.err, "recovery key" in said.err) == (1, True, True)
    listed = tool("storage", "list", "--home", str(other), "--json").document["items"]
    assert [(one["name"], one["opens"], one["default"]) for one in listed] == [("r2", False, False),
                                                                               ("plain", False, False)]


@pytest.mark.parametrize("command", ["secret", "add"])
def test_the_key_entered_again_opens_it(command: str, tool: Tool, elsewhere: tuple[Path, str], options: list[str],
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    other, key = elsewhere
    again = (["secret", "r2"] if command == "secret" else ["add", "r2", *options])
    refused = tool("storage", *again, "--home", str(other), "--json")
    assert (refused.code, "--recovery-key" in refused.err) == (2, True)
    assert tool("storage", *again, "--home", str(other), "--recovery-key", key).code == 0
    plain = ["secret", "plain"] if command == "secret" else [
        "add", "r2", "--name", "plain", "--prefix", "p", *options]
    assert tool("storage", *plain, "--home", str(other)).code == 0
    opened = there(other)
    assert [one.name for one in opened.all()] == ["r2", "plain"]
    assert opened.recovery_key("r2") == key
    assert json.loads((other / "config" / "config.json").read_text("utf-8"))["storages"][1]["name"] == "plain"


def test_a_changed_key_is_entered_without_losing_the_encryption(tool: Tool, home: Path, options: list[str],
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    key = tool("storage", "add", "r2", *options, "--encrypt", "--json").document["recovery_key"]
    monkeypatch.setenv(storage.SECRET_VARIABLE, "another-secret")
    said = tool("storage", "secret", "r2", "--json")
    assert (said.code, said.document["steps"][0]["reason"]) == (1, "wrong_secret")
    assert there(home).named("r2").secret != "another-secret"
    said = tool("storage", "secret", "r2", "--no-test", "--key-id", "new")
    assert said.code == 0 and "The new key of r2 is written down." in said.out
    found = there(home).named("r2")
    assert (found.secret, found.key_id, there(home).recovery_key("r2")) == ("another-secret", "new", key)
    assert tool("storage", "secret", "gone").code == 1


# ---- test, list, remove ------------------------------------------------------------------------------------------


def test_all_or_one_are_tried_out_and_the_exit_code_tells(tool: Tool, options: list[str], proxy: FaultProxy) -> None:
    tool("storage", "add", "r2", *options)
    tool("storage", "add", "other", *options, "--endpoint", proxy.url)
    said = tool("storage", "test", "--json")
    assert (said.code, said.document["ok"]) == (0, True)
    assert [len(one["steps"]) for one in said.document["items"]] == [6, 6]
    proxy.fault("^DELETE", error="AccessDenied")
    said = tool("storage", "test", "--json")
    assert (said.code, [one["ok"] for one in said.document["items"]]) == (1, [True, False])
    assert tool("storage", "test", "r2").code == 0
    assert tool("storage", "test", "other", "--read-only").code == 0
    assert tool("storage", "test", "gone").code == 1


def test_without_a_storage_it_is_said_how_to_add_one(tool: Tool, home: Path) -> None:
    assert tool("storage", "list", "--json").document == {"items": []}
    assert "storage add" in tool("storage", "list").out
    assert tool("storage", "test").code == 1
    assert not home.exists()


@pytest.fixture
def library(home: Path, tool: Tool, options: list[str], place: Provider, tmp_path: Path) -> str:
    """A library of two tracks with a copy at "r2" each, one of them only there; the bucket holds both objects."""
    from setup_tool.rooms import rooms
    from shared.records.copies import Copies
    from tests.running import make_music

    music = make_music(tmp_path / "music")
    assert tool("storage", "add", "r2", *options).code == 0
    take_up(music)
    with rooms(Settings(home=home)) as station:
        copies = Copies(database=station.database)
        uids = copies.track_uids(everything=True)[:2]
        for number, uid in enumerate(uids):
            copies.put([Copy(
                track_id=uid, provider="r2", key=f"music/{number}", size_bytes=9, stored_bytes=9,
                sha256=f"{number:064}", format="flac", mime_type="audio/flac", bitrate_kbps=None, compression="",
                source_sha256=f"{number:064}", source_size_bytes=9, source_mtime_ns=1, etag="e", sealed=False,
                verified_at=1.0)])
            server().put(place, f"music/{number}", b"some flac")
        copies.offloaded(uids[0], 1.0)
    return str(uids[0])


def test_what_lies_there_is_listed_and_named_before_it_is_forgotten(library: str, tool: Tool, home: Path,
                                                                    place: Provider,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    [item] = tool("storage", "list", "--json").document["items"]
    assert (item["name"], item["copies"], item["bytes"], item["default"]) == ("r2", 2, 18, True)
    told = tool("storage", "remove", "r2", "--dry-run", "--json").document
    assert told == {"name": "r2", "copies": 2, "bytes": 18, "only_there": 1, "dry_run": True}
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    said = tool("storage", "remove", "r2")
    assert (said.code, "1 track lies nowhere else" in said.err, "--yes" in said.err) == (2, True, True)
    assert there(home).all() != []
    assert tool("storage", "remove", "r2", "--yes").code == 0
    assert there(home).all() == []
    assert server().keys(place) == ["music/0", "music/1"]


def test_another_bucket_under_a_name_that_has_copies_is_refused(library: str, tool: Tool, home: Path,
                                                                options: list[str]) -> None:
    tool("storage", "remove", "r2", "--yes")
    empty = server().provider()
    said = tool("storage", "add", "r2", *options, "--bucket", empty.bucket)
    assert (said.code, "not in this bucket" in said.err) == (1, True)
    assert tool("storage", "add", "r2", *options).code == 0
    assert [one.name for one in there(home).all()] == ["r2"]
