"""Health, addresses, settings."""

from __future__ import annotations

import json

import pytest

from shared import __version__
from shared.routes.system import worst
from tests.routes.houses import PASSWORD, Front


def test_strangers_learn_only_that_it_is_well(front: Front) -> None:
    assert front.get("/api/health", who=None) == {"status": "ok", "version": __version__}
    assert front.get("/api/health", who=None, Authorization="Bearer wrong") == {"status": "ok", "version": __version__}


def test_who_is_logged_in_learns_more(front: Front) -> None:
    health = front.get("/api/health")
    assert health["library"]["tracks"] == 17
    assert health["scan"]["state"] == "idle"
    assert [(one["path"], one["state"], one["track_count"]) for one in health["storage"]] == [
        (str(front.house.music), "online", 17)]
    assert health["providers"] == [{"name": "direct", "state": "closed"}]
    child = front.get("/api/health", who="kid")
    assert child["storage"] == [] and child["scan"]["bad"] == [] and child["providers"] == []


def test_a_provider_is_as_well_as_the_worst_of_its_circuits() -> None:
    circuits = [{"name": name, "state": state} for name, state in (
        ("direct", "closed"), ("youtube", "half_open"), ("direct", "open"), ("youtube", "closed"),
        ("direct", "half_open"))]
    assert worst(circuits) == [{"name": "direct", "state": "open"}, {"name": "youtube", "state": "half_open"}]
    assert worst([]) == []


def test_every_address_is_listed(front: Front) -> None:
    answer = front.get("/api/endpoints")
    assert answer["items"]
    for one in answer["items"]:
        assert set(one) == {"url", "kind", "reachable", "secure", "name"}
        assert one["url"].startswith("https:" if one["secure"] else "http:")
        assert one["kind"] in ("this_machine", "home", "vpn", "public")
    assert answer["station"] == {"id": "f" * 43, "name": "attic", "fingerprint": "f" * 43}
    assert answer["updated_at"].endswith("Z")


def test_where_somebody_came_in_is_remembered_of_those_who_are_logged_in(
        front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[str] = []
    monkeypatch.setattr(front.house.finding, "came", came.append)
    front.ask("GET", "/api/health", who=None)
    front.ask("GET", "/api/settings", who="kid")
    assert came == []
    front.get("/api/endpoints")
    assert came == ["localhost"]


def test_a_trial_of_an_address_is_known_by_the_word_it_brings(front: Front) -> None:
    words: list[str | None] = []
    front.house.finding.arrived = words.append  # type: ignore[method-assign]
    front.get("/api/health", who=None, **{"Soundsible-Trial": "a word"})
    front.get("/api/health", who=None)
    assert words == ["a word", None]


def test_settings_are_for_owners_and_hide_secrets(front: Front) -> None:
    answer = front.ask("GET", "/api/settings")
    items = {one["name"]: one for one in answer.json["items"]}
    assert items["port"] == {"name": "port", "env": "SOUNDSIBLE_PORT", "value": 5005, "default": 5005, "unit": None,
                             "help": items["port"]["help"]}
    assert items["owner"]["value"] == "***"
    assert PASSWORD not in json.dumps(answer.json)
    assert front.ask("GET", "/api/settings", who="ben").status == 403


def test_an_address_is_drawn_as_a_code(front: Front) -> None:
    drawn = front.ask("POST", "/api/qr", {"text": "http://192.168.1.20:5005/#/invite/abc"})
    assert drawn.status == 200 and drawn.json["qr"].startswith("<svg") and "script" not in drawn.json["qr"]
    assert drawn.json["qr"] != front.ask("POST", "/api/qr", {"text": "http://192.168.1.21:5005"}).json["qr"]
    for text in ("", "x" * 701, 7):
        assert front.ask("POST", "/api/qr", {"text": text}).status == 400
    assert front.ask("POST", "/api/qr", {"text": "x"}, who=None).status == 401
