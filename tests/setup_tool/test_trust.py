"""`trust` and what `doctor` says of HTTPS: what to compare, what is wrong, what to do, and nothing made or repaired."""

from __future__ import annotations

import os
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from setup_tool import doctor_certificates
from shared import settings
from shared.security.identity import Identity
from tests.security.paper import Signed, sign
from tests.setup_tool.conftest import Tool


def https(tool: Tool) -> list[dict[str, Any]]:
    return [one for one in tool("doctor", "--json").document["checks"] if one["name"] == "https"]


@pytest.fixture
def started(home: Path) -> Path:
    """A station that ran; its identity's folder."""
    doctor_certificates.certificates_of(settings.load()).look()
    return home / "config" / "identity"


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mode) for path in folder.iterdir()}


def test_trust_shows_the_page_and_what_to_compare(tool: Tool, started: Path) -> None:
    told = tool("trust", "--json").document
    assert told["page"].endswith(f":{os.environ['SOUNDSIBLE_PORT']}/trust") and len(told["authority_sha256"]) == 95
    assert told["fingerprint"] == Identity(folder=started).fingerprint
    said = tool("trust")
    words = said.out.split()
    assert said.code == 0 and told["page"] in words and told["fingerprint"] in words
    pairs = told["authority_sha256"].split(":")
    assert any(words[at:at + 16] == pairs[:16] for at in range(len(words)))


def test_trust_before_the_first_start_says_what_to_do_and_makes_nothing(tool: Tool, home: Path) -> None:
    said = tool("trust")
    assert said.code == 1 and "first start" in said.err and not home.exists()


def test_trust_without_https_says_how_to_turn_it_on(tool: Tool, started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDSIBLE_HTTPS", "no")
    said = tool("trust")
    assert said.code == 1 and "settings unset https" in said.err
    assert https(tool)[0]["state"] == "note"


def test_a_station_that_ran_is_well(tool: Tool, started: Path) -> None:
    before = state(started)
    found = https(tool)
    assert [one["state"] for one in found] == ["ok"] and tool("trust", "--json").document["authority_sha256"] in (
        found[0]["message"])
    assert state(started) == before


def test_doctor_explains_a_lost_key_and_leaves_everything_as_it_is(tool: Tool, started: Path) -> None:
    (started / "station.key").unlink()
    before = state(started)
    found = https(tool)
    assert [one["state"] for one in found] == ["fail"] and "is gone" in found[0]["message"]
    assert "paired again" in found[0]["message"] and "rm -r" in found[0]["remedy"]
    assert state(started) == before and tool("trust").code == 1


def test_doctor_explains_a_damaged_key(tool: Tool, started: Path) -> None:
    (started / "station.key").write_text("damaged")
    (started / "station.key").chmod(0o600)
    assert "damaged" in https(tool)[0]["message"] and (started / "station.key").read_text() == "damaged"


def test_a_backup_holds_neither_the_key_nor_the_certificates(tool: Tool, started: Path, tmp_path: Path) -> None:
    tool("users", "add", "ann", "--role", "owner")
    assert tool("backup", str(tmp_path / "backups")).code == 0
    secrets = [(started / name).read_bytes().splitlines()[1] for name in ("station.key", "leaf.key")]
    archives = list((tmp_path / "backups").glob("*.tar.gz"))
    assert len(archives) == 1
    with tarfile.open(archives[0]) as archive:
        held = b"".join(archive.extractfile(one).read() for one in archive if one.isfile())  # type: ignore[union-attr]
    assert b"config/identity" in held and not any(secret in held for secret in secrets)


def test_doctor_finds_damaged_certificates(tool: Tool, started: Path) -> None:
    (started / "leaf.crt").write_text("damaged")
    found = https(tool)
    assert found[0]["state"] == "warn" and "makes them anew" in found[0]["remedy"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")
@pytest.mark.parametrize("name", ["station.key", "leaf.key"])
def test_doctor_finds_keys_that_others_can_read_and_repairs_nothing(tool: Tool, started: Path, name: str) -> None:
    (started / name).chmod(0o644)
    found = https(tool)
    assert found[0]["state"] == "warn" and found[0]["remedy"] == f"chmod 600 '{started / name}'"
    assert (started / name).stat().st_mode & 0o777 == 0o644


def test_doctor_finds_a_certificate_whose_time_is_over(tool: Tool, home: Path) -> None:
    made = doctor_certificates.certificates_of(settings.load())
    made._clock = lambda: (datetime.now(UTC) + timedelta(days=500)).timestamp()
    made.look()
    found = https(tool)
    assert found[0]["state"] == "warn" and "makes a new one by itself" in found[0]["remedy"]


def test_doctor_finds_a_public_address_that_no_certificate_covers(
    tool: Tool, started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUNDSIBLE_PUBLIC_URL", "https://music.example.org")
    assert "music.example.org" in https(tool)[0]["message"]
    monkeypatch.setenv("SOUNDSIBLE_TRUSTED_PROXIES", "127.0.0.1")
    assert [one["state"] for one in https(tool)] == ["ok"]


# ---- the owner's certificate -----------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    certificate, key = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
    monkeypatch.setenv("SOUNDSIBLE_CERTIFICATE", str(certificate))
    monkeypatch.setenv("SOUNDSIBLE_CERTIFICATE_KEY", str(key))
    return certificate, key


def bring(own: tuple[Path, Path], *, days: float = 60, chain: bool = True) -> Signed:
    begins = datetime.now(UTC) - timedelta(days=20)
    outside = sign(None, name="outside", ca=True, days=900, begins=begins)
    made = sign(outside, "music.example.org", begins=begins, days=20 + days)
    own[0].write_bytes(made.pem + (outside.pem if chain else b""))
    own[1].touch(0o600)
    own[1].write_bytes(made.key_pem())
    return made


def test_doctor_is_content_with_a_good_certificate(tool: Tool, own: tuple[Path, Path]) -> None:
    bring(own)
    found = https(tool)
    assert [one["state"] for one in found] == ["ok"] and "music.example.org" in found[0]["message"]
    said = tool("trust")
    assert said.code == 0 and "nothing to install" in " ".join(said.out.split())


@pytest.mark.parametrize(("days", "chain", "state", "words"), [
    (5, True, "warn", "runs out in"), (-3, True, "fail", "ran out on"), (60, False, "warn", "not complete"),
])
def test_doctor_finds_what_will_fail_browsers(
    tool: Tool, own: tuple[Path, Path], days: float, chain: bool, state: str, words: str
) -> None:
    bring(own, days=days, chain=chain)
    found = https(tool)
    assert [one["state"] for one in found] == [state] and words in found[0]["message"] and found[0]["remedy"]


def test_doctor_finds_a_key_that_is_not_the_certificates(tool: Tool, own: tuple[Path, Path]) -> None:
    bring(own)
    own[1].write_bytes(sign(None, "music.example.org").key_pem())
    found = https(tool)
    assert found[0]["state"] == "fail" and "not the key" in found[0]["message"] and "unset" in found[0]["remedy"]
    own[0].unlink()
    assert "no file" in https(tool)[0]["message"]


def test_doctor_finds_a_certificate_for_another_name(
    tool: Tool, own: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(own)
    monkeypatch.setenv("SOUNDSIBLE_PUBLIC_URL", "https://other.example.org")
    found = https(tool)
    assert found[0]["state"] == "warn" and "other.example.org" in found[0]["message"]
