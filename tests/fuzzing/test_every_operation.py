"""Every operation of the station's own description, asked with all that it allows and all that it does not.

By strangers, owners, adults, children and a device that only listens: nothing breaks (no 5xx), what is answered is as
the description says, and no answer holds a secret or another person's things. With HYPOTHESIS_PROFILE=long far more.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from shared.model.person import ROLES
from shared.model.scan import Batch, Found, NewFile
from shared.model.track import AudioFacts, Credit, Lyrics, Metadata, Reading
from shared.routes.openapi import document
from shared.security.accounts import OPERATOR, new_token
from tests.holding.whole import PASSWORD, Whole, whole
from tests.patience import LONG, often

# A stream without an end, and what answers from outside only.
LEFT_OUT = {"GET /api/downloads/manager/events", "GET /api/acquire/preview", "PUT /api/scrobblers/listenbrainz"}
Who = tuple[str, str] | None
# Each question is put to all of its row, who may do least first.
WHO: list[list[Who]] = [[("owner", "own")], [None, ("owner", "listen"), ("child", "own"), ("adult", "own")]]
EACH = [3, 2]       # questions of each kind: what is allowed, and what is not
MARK = "only-the-owner-may-read-this"
BROAD = (400, 401, 403, 404, 405, 408, 409, 410, 411, 413, 414, 415, 421, 422, 429)

counted: Counter[str] = Counter()


class House:
    """The whole application with some music, and things of each person's own."""

    def __init__(self, folder: Path) -> None:
        self.made: Whole = whole(folder / "home", download_providers=(), download_catalogues=(), https=False)
        station = self.made.station
        report = station.scanning.progress
        station.scanning.start = lambda *_, **__: report()      # no wild path is walked
        station.errands._wake_locked = lambda *_: None          # nobody works
        self.ids = self._music(folder / "music")
        owner = self.made.tokens["owner", "own"]
        self.private = self.made.ask("POST", "/api/library/playlists", token=owner, json={
            "name": MARK, "track_ids": self.ids["track"][:1]}).json["id"]
        self.secrets = [MARK, "$argon2", PASSWORD, *self._hashes()]
        self.tokens = dict(self.made.tokens)
        raw = json.loads(json.dumps(document(self.made.operations)))
        self.schema = schemathesis.openapi.from_dict(raw)
        self.schema.app = self.made.app
        self.labels = sorted(f"{one.method} {one.path}" for one in self.made.operations)

    def _music(self, music: Path) -> dict[str, list[str]]:
        music.mkdir()
        station = self.made.station
        root = station.scans.add_root(str(music))
        new = []
        for number in range(1, 7):
            path = music / f"{number}.flac"
            path.write_bytes(b"fLaC" + bytes([number]) * 500)
            facts = path.stat()
            new.append(NewFile(
                found=Found(path.name, facts.st_size, facts.st_mtime_ns, str(facts.st_dev), str(facts.st_ino)),
                reading=Reading(
                    metadata=Metadata(title=f"Song {number}", artist="Somebody", album="Début", album_artist="Somebody",
                                      credits=(Credit("Somebody"),), track_number=number, genres=("Pop",)),
                    facts=AudioFacts("flac", "audio/flac", 1000, 800, 44_100, 16, 2),
                    lyrics=(Lyrics("[00:01.00]one", True, "eng"),))))
        station.scans.apply(Batch(root_id=root.id, new=new))
        station.scans.finish()
        token = self.made.tokens["owner", "own"]

        def ids(kind: str) -> list[str]:
            return [one["id"] for one in self.made.ask("GET", f"/api/library/{kind}s", token=token).json["items"]]

        return {kind: ids(kind) for kind in ("track", "album", "artist")}

    def _hashes(self) -> list[str]:
        return [user.password_hash for user in self.made.station.people.users()]

    def token(self, who: tuple[str, str]) -> str:
        """One that still counts: what is asked here may end it."""
        accounts, people = self.made.station.accounts, self.made.station.people
        if accounts.who(self.tokens[who]) is None:
            token, digest = new_token()
            people.add_token(user_id=people.find_user(who[0]).id, kind="session", hash=digest, name="x",
                             scope=who[1], expires_at=None, last_address="")
            self.tokens[who] = token
        return self.tokens[who]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("fuzzing"))
    yield made
    made.made.station.workers.stop()
    print(f"\nfuzzing: {len(made.labels)} operations, {sum(counted.values()):,} requests")


def known(house: House) -> list[str]:
    """Ids of what is there; somebody is there to be changed and removed."""
    found = [one for kind in house.ids.values() for one in kind[:2]]
    people = house.made.station.people
    spare = [user.uid for user in people.users() if user.username not in ROLES]
    if not spare:
        spare = [house.made.station.accounts.make_user(OPERATOR, "spare", PASSWORD, "guest").id]
    return [*found, house.private, *spare[:1]]


@pytest.mark.parametrize("row", range(len(WHO)), ids=["owner", "all-others"])
def test_every_operation_stands_whatever_it_is_asked(house: House, row: int) -> None:
    asked, wrong = set(), []
    for number, found in enumerate(house.schema.get_all_operations()):
        operation = found.ok()
        label = f"{operation.method.upper()} {operation.path}"
        asked.add(re.sub(r"\{(\w+)\}", r"<\1>", label))
        if re.sub(r"\{(\w+)\}", r"<\1>", label) in LEFT_OUT:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if mode is GenerationMode.NEGATIVE and not (takes_anything(operation) and (LONG or (number + row) % 2)):
                continue    # what is not allowed is asked by turns, of the owner and of the others
            try:
                _ask_around(house, operation, label, mode, row)
            except (AssertionError, BaseExceptionGroup) as found_wrong:     # all of them are told, not the first
                wrong.append(f"{label}: {str(found_wrong)[:1500]}")
    assert not wrong, "\n\n".join(wrong[:20])
    assert {re.sub(r"<\w+:", "<", one) for one in house.labels} == asked


def takes_anything(operation: Any) -> bool:
    """Nothing can be wrong about what takes nothing."""
    raw = operation.definition.raw
    return bool(raw.get("parameters") or raw.get("requestBody"))


def _ask_around(house: House, operation: Any, label: str, mode: GenerationMode, row: int) -> None:
    ids = st.none() | st.sampled_from(known(house))

    @seed(20261121)
    @settings(max_examples=often(EACH[row]), database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        for name in list(case.path_parameters or {}):
            real = data.draw(ids)
            if real is not None:
                case.path_parameters[name] = real
        case.headers = {name: value for name, value in dict(case.headers or {}).items()
                        if name.lower() not in ("authorization", "cookie", "host")}
        for who in WHO[row]:
            headers = {"Accept-Encoding": "identity"}
            if who is not None:
                headers["Authorization"] = f"Bearer {house.token(who)}"
            answer = case.call(headers=headers)
            counted["asked"] += 1
            judge(house, operation, case, answer, who)

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, label   # nothing can be wrong about what takes nothing


def judge(house: House, operation: Any, case: Any, answer: Any, who: Who) -> None:
    label = f"{operation.method.upper()} {case.formatted_path} as {who}"
    assert answer.status_code < 500, (label, case.body, case.query, answer.text[:500])
    if answer.status_code >= 400:
        assert answer.status_code in BROAD, (label, answer.status_code)
        error = json.loads(answer.content)["error"]
        assert error["code"] and error["message"], label
    else:
        assert str(answer.status_code) in operation.definition.raw["responses"], (label, answer.status_code)
        case.validate_response(answer, checks=[not_a_server_error, response_schema_conformance,
                                               content_type_conformance])
    if who is None and operation.definition.raw.get("security") != []:
        assert answer.status_code in (400, 401, 404, 405, 421), label
    told = answer.content
    for secret in house.secrets:
        if secret == MARK and who is not None and who[0] == "owner":
            continue
        assert secret.encode() not in told, (label, secret)
    for other, token in house.tokens.items():
        assert other == who or token.encode() not in told, (label, other)


def test_the_description_is_what_is_fuzzed(house: House) -> None:
    """A route that is left out of the description would be left out here, too."""
    described = {f"{method.upper()} {path}" for path, methods in house.schema.raw_schema["paths"].items()
                 for method in methods}
    assert len(described) == len(house.labels) >= 100
    assert {one.replace("{", "<").replace("}", ">") for one in described} == set(house.labels)
    assert len(LEFT_OUT & set(house.labels)) == len(LEFT_OUT)


def test_enough_was_asked(house: House) -> None:
    assert counted["asked"] >= (10_000 if LONG else 2500)
