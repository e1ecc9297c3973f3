"""Being the jukebox, over HTTP."""

from __future__ import annotations

import pytest

from tests.routes.houses import Front


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Front:
    return Front(tmp_path_factory.mktemp("front"), music=False)


def test_a_player_becomes_the_jukebox_reports_and_leaves(front: Front) -> None:
    held = front.ask("PUT", "/api/jukebox/player", {"device": "desk"})
    assert held.status == 200 and held.json["held"] is True
    person = front.house.accounts.who(front.house.tokens["ann"], "")
    state = front.house.jukebox.set(person, ["a", "b"])
    where = {"device": "desk", "turn": state.turn, "index": 1, "position_ms": 40, "playing": False}
    told = front.ask("POST", "/api/jukebox/report", where)
    assert (told.status, told.json["index"], told.json["track_ids"]) == (200, 1, ["a", "b"])
    assert front.ask("POST", "/api/jukebox/report", {**where, "device": "wall"}).status == 409
    assert front.get("/api/jukebox", who="ben")["track_ids"] == []
    assert front.ask("DELETE", "/api/jukebox/player?device=desk").status == 204
    assert front.get("/api/jukebox")["held"] is False


@pytest.mark.parametrize("wrong", [{}, {"device": ""}, {"device": "x" * 65}, {"device": 1}])
def test_a_player_without_a_name_is_none(front: Front, wrong: dict[str, object]) -> None:
    assert front.ask("PUT", "/api/jukebox/player", wrong).status == 400


