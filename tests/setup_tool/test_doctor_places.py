"""`doctor` on storages, keys, clock, cache, backups and what was cut off: each trouble with its remedy."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from setup_tool import doctor_places
from setup_tool.rooms import rooms
from shared import settings
from shared.database import driver_cursor
from shared.model.errand import Selection
from shared.records.errands import Errands
from shared.records.journal import JournalRecords
from shared.records.notes import BACKUP, SELF_CHECK, Notes
from shared.station import Station
from tests.records.songs import Music
from tests.s3_server import FaultProxy, server
from tests.setup_tool.conftest import Tool

DAY_S = 86_400.0


@pytest.fixture
def library(tool: Tool, tmp_path: Path) -> Tool:
    """A library of one track, as a scan would have made it."""
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "1.flac").write_bytes(b"")
    with rooms(settings.load(), make=True) as station:
        Music(station.database, str(tmp_path / "music")).add("1.flac")
    return tool


def looked(what: str, **more: Any) -> list[doctor_places.Check]:
    """What one of the checks finds in the library of this home."""
    with rooms(settings.load()) as station:
        return list(getattr(doctor_places, what)(station, **more))


def write(deed: Any) -> None:
    with rooms(settings.load()) as station:
        deed(station)


def execute(query: str, *values: object) -> None:
    def deed(station: Station) -> None:
        with station.database.transaction() as conn:
            driver_cursor(conn).execute(query, values)

    write(deed)


def test_a_storage_that_answers_is_told_and_only_written_to_when_asked(library: Tool, home: Path) -> None:
    provider = server().add_to(home)
    said = library("doctor", "--json")
    (found,) = [one for one in said.document["checks"] if one["name"] == "storage"]
    assert said.code == 0 and found["state"] == "ok" and provider.bucket in found["message"]
    with FaultProxy(server().url) as proxy:
        server().add_to(home, server().provider("through", endpoint=proxy.url))
        assert [one.state for one in looked("storages", write=False)] == ["ok", "ok"]
        assert {one.method for one in proxy.requests} <= {"GET", "HEAD"}
        assert [one.state for one in looked("storages", write=True)] == ["ok", "ok"]
        assert "PUT" in {one.method for one in proxy.requests}


@pytest.mark.parametrize(("fault", "word"), [
    ({"error": "InvalidAccessKeyId"}, "key"), ({"error": "AccessDenied"}, "may"), ({"error": "NoSuchBucket"}, "bucket"),
    ({"error": "RequestTimeTooSkewed", "skew_s": 3600.0}, "clock"), ({"drop": True}, "cut"),
])
def test_a_storage_in_trouble_is_told_with_what_to_do(library: Tool, home: Path, fault: dict[str, Any], word: str
                                                      ) -> None:
    with FaultProxy(server().url) as proxy:
        server().add_to(home, server().provider(endpoint=proxy.url))
        proxy.fault("", **fault)
        (found,) = [one for one in looked("storages", write=False) if one.name == "storage"]
    assert found.state == "fail" and word in found.message and found.remedy and "storage test r2" in found.remedy


@pytest.mark.parametrize(("ahead_s", "state", "side"), [(1800.0, "fail", "behind"), (-300.0, "warn", "ahead of")])
def test_a_clock_that_differs_from_a_storages_is_found(library: Tool, home: Path, ahead_s: float, state: str,
                                                       side: str) -> None:
    with FaultProxy(server().url) as proxy:
        server().add_to(home, server().provider(endpoint=proxy.url))
        proxy.fault("", skew_s=ahead_s)
        (found,) = [one for one in looked("storages", write=False) if one.name == "clock"]
    assert found.state == state and side in found.message and found.remedy


def test_a_clock_behind_what_the_library_has_seen_is_found(library: Tool) -> None:
    assert [one.state for one in looked("clock")] == ["ok"]
    execute("UPDATE tracks SET added_at = ?", time.time() + 5 * DAY_S)
    (found,) = looked("clock")
    assert found.state == "fail" and found.remedy


def test_a_storage_sealed_on_another_machine_says_how_to_enter_its_key(library: Tool, home: Path) -> None:
    server().add_to(home)
    (home / "config" / "vault.key").write_bytes(os.urandom(32))
    (found,) = looked("storages", write=False)
    assert found.state == "fail" and "storage secret r2" in (found.remedy or "")
    assert [one.state for one in doctor_places.keys(settings.load())] == ["ok"]
    (home / "config" / "vault.key").chmod(0o644)
    assert [one.state for one in doctor_places.keys(settings.load())] == ["warn"]
    (home / "config" / "vault.key").unlink()
    (found,) = doctor_places.keys(settings.load())
    assert found.state == "fail" and "vault.key" in (found.remedy or "")


def test_copies_in_a_storage_that_is_not_set_up_and_those_that_do_not_count_are_told(
    library: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, broken in (("a", None), ("b", "gone")):
        execute(
            "INSERT INTO copies (track_id, provider, key, size_bytes, stored_bytes, sha256, format, mime_type, "
            "source_sha256, source_size_bytes, source_mtime_ns, etag, verified_at, broken, added_at) SELECT id, "
            "'attic', ?, 1, 1, 's', 'flac', 'audio/flac', 's', 1, 1, 'e', 1.0, ?, 1.0 FROM tracks", key, broken)
    found = looked("storages", write=False)
    assert [(one.name, one.state) for one in found] == [("copies", "warn"), ("copies", "warn")]
    assert "--name attic" in (found[0].remedy or "") and "tool upload" in (found[1].remedy or "")
    monkeypatch.setenv("SOUNDSIBLE_CLOUD_PROVIDER", "cellar")
    monkeypatch.setenv("SOUNDSIBLE_CLOUD_COPY", "all")
    assert [one.state for one in looked("storages", write=False)] == ["fail", "warn", "warn", "warn"]


@pytest.mark.parametrize(("note", "states"), [
    ({}, []),
    ({"ok": True, "checked_at": time.time()}, ["ok"]),
    ({"ok": True, "checked_at": time.time() - 5 * DAY_S}, ["warn"]),
    ({"ok": False, "checked_at": time.time(), "problems": [{"message": "m", "remedy": "r"}]}, ["fail"]),
])
def test_the_last_self_check_is_told(library: Tool, note: dict[str, Any], states: list[str]) -> None:
    write(lambda station: Notes(database=station.database).put(SELF_CHECK, note))
    found = [one for one in looked("upkeep") if one.name == "check"]
    assert [one.state for one in found] == states
    assert all(one.remedy for one in found if one.state != "ok")


@pytest.mark.parametrize(("every", "to", "note", "states"), [
    ("off", "", {}, ["note"]),
    ("daily", "", {}, ["warn"]),
    ("daily", "/b", {"at": time.time(), "place": "/b"}, ["ok"]),
    ("daily", "/b", {"at": time.time() - 4 * DAY_S, "place": "/b"}, ["warn"]),
    ("weekly", "/b", {"at": time.time() - 4 * DAY_S, "place": "/b"}, ["ok"]),
    ("daily", "/b", {"at": time.time() - DAY_S, "failed_at": time.time(), "message": "full", "place": "/b"},
     ["fail", "ok"]),
])
def test_the_last_backup_is_told(library: Tool, monkeypatch: pytest.MonkeyPatch, every: str, to: str,
                                 note: dict[str, Any], states: list[str]) -> None:
    monkeypatch.setenv("SOUNDSIBLE_BACKUP_EVERY", every)
    monkeypatch.setenv("SOUNDSIBLE_BACKUP_TO", to)
    write(lambda station: Notes(database=station.database).put(BACKUP, note))
    found = [one for one in looked("upkeep") if one.name == "backup"]
    assert [one.state for one in found] == states
    assert all(one.remedy for one in found if one.state != "ok")


def test_what_was_cut_off_or_failed_is_told(library: Tool) -> None:
    def leave(station: Station) -> None:
        journal = JournalRecords(database=station.database)
        journal.note(journal.begin("cleanup", ""), [{"do": "rows", "rows": []}])
        errands = Errands(database=station.database)
        errand, _ = errands.add("upload", Selection(everything=True), None)
        errands.take(time.time())
        errands.end(errand.id, "failed", message="The bucket is full.")

    write(leave)
    found = {one.name: one for one in looked("upkeep")}
    assert found["upkeep"].state == "warn" and "cleanup --undo" in (found["upkeep"].remedy or "")
    assert found["errands"].state == "warn" and "The bucket is full." in found["errands"].message


def test_a_cache_that_cannot_be_written_or_grow_is_told(library: Tool, home: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    assert looked("cache") == []
    server().add_to(home)
    assert [one.state for one in looked("cache")] == ["ok"]
    monkeypatch.setenv("SOUNDSIBLE_TRACK_CACHE_BYTES", "9000TB")
    assert [one.state for one in looked("cache")] == ["note", "ok"]
    (home / "cache" / "tracks").mkdir()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode, **more: "tracks" not in str(path) and real(path, mode, **more))
    assert [one.state for one in looked("cache")] == ["warn"]


def test_services_that_did_not_answer_are_remarked(library: Tool) -> None:
    execute("INSERT INTO breakers (name, operation, state, failure_count, last_failure, last_error) "
            "VALUES ('musicbrainz', 'fetch', 'open', 5, ?, 'time-out')", time.time())
    (found,) = looked("services")
    assert found.state == "note" and "musicbrainz" in found.message


def test_without_certificate_authorities_nobody_outside_can_be_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    (found,) = doctor_places.certificates()
    assert found.state == "fail" and "SSL_CERT_FILE" in (found.remedy or "")
    monkeypatch.delenv("SSL_CERT_FILE")
    assert list(doctor_places.certificates()) == []


@pytest.mark.parametrize(("endpoint", "near"), [
    ("http://192.168.1.5:9000", True), ("http://nas:9000", True), ("http://nas.local", True), ("http://[::1]", True),
    ("http://s3.example.com", False), ("http://8.8.8.8", False),
])
def test_plain_http_is_only_remarked_on_far_away(endpoint: str, near: bool) -> None:
    assert doctor_places._is_near(endpoint) is near


def test_the_self_check_reads_all_and_is_kept(library: Tool, home: Path) -> None:
    said = library("doctor", "--self-check", "--json")
    assert (said.code, said.document["ok"], said.document["problems"]) == (0, True, [])
    assert "whole" in library("doctor", "--self-check").out
    assert [one.state for one in looked("upkeep") if one.name == "check"] == ["ok"]
    execute("DELETE FROM track_words WHERE rowid = (SELECT min(rowid) FROM track_words)")
    said = library("doctor", "--self-check", "--json")
    assert said.code == 1 and said.document["problems"][0]["remedy"]
    found = [one for one in library("doctor", "--json").document["checks"] if one["name"] == "check"]
    assert json.dumps(found) and found[0]["state"] == "fail"
