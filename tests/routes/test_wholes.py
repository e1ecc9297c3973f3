"""Large answers: one of a person, few of all, until they have been taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask import Response

from shared.model.errors import Overloaded
from shared.routes import playlists
from shared.routes.wholes import Wholes
from tests.routes.fakes import ANN, BEN, KID
from tests.routes.houses import Front


def test_a_large_answer_keeps_its_place_until_it_was_taken() -> None:
    wholes = Wholes(at_once=2, large=100, patience_s=0.01)
    mine = wholes.answer(ANN, lambda: Response(b"x" * 100))
    with pytest.raises(Overloaded):
        wholes.answer(replace(ANN, token_id=9), lambda: Response(b"x"))
    wholes.answer(BEN, lambda: Response(b"x" * 200))
    with pytest.raises(Overloaded):
        wholes.answer(KID, lambda: Response(b"x"))
    mine.close()
    assert wholes.answer(KID, lambda: Response(b"y")).data == b"y"


def test_a_small_answer_and_one_that_fails_keep_none() -> None:
    wholes = Wholes(at_once=1, large=100, patience_s=0.01)

    def fail() -> Response:
        raise KeyError

    for _ in range(3):
        wholes.answer(ANN, lambda: Response(b"x" * 99))
        with pytest.raises(KeyError):
            wholes.answer(ANN, fail)


def test_a_long_playlist_waits_for_the_one_before_it_and_a_short_one_does_not(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(Wholes, "answer", lambda self, person, make: (asked.append(person.username), make())[1])
    monkeypatch.setattr(playlists, "LARGE", 2)
    ids = [one["id"] for one in front.tracks("limit=3")]
    for count, told in ((2, []), (3, ["ann"])):
        made = front.ask("POST", "/api/library/playlists", {"name": "P", "track_ids": ids[:count]}).json
        whole = front.get(f"/api/library/playlists/{made['id']}")
        assert ([one["id"] for one in whole["tracks"]], asked) == (ids[:count], told)
    assert front.ask("GET", "/api/library/playlists/none").status == 404
    assert front.ask("GET", f"/api/library/playlists/{made['id']}", who="ben").status == 404
