"""What goes wrong in servers like this one: each line of docs/security.md's table names tests that attack and fail.

Those that had no test in the room concerned stand here.
"""

from __future__ import annotations

import ast
import re
import socket
import zlib
from pathlib import Path
from typing import Any

import pytest

from shared.api import create_app
from shared.model.download import Failure
from shared.outbound import Outbound
from shared.routes.operation import BODY_LIMIT_BYTES, OPEN_BODY_LIMIT_BYTES
from shared.settings import Settings
from tests.holding.whole import PAGE, Whole, filled

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
ROW = re.compile(r"^\| (?!Kind|-)(?P<kind>[^|]*) \| (?P<seen>[^|]+) \| (?P<held>[^|]+) \| (?P<tests>[^|]+) \|$", re.M)


def rows() -> list[re.Match[str]]:
    text = PAGE.read_text("utf-8")
    return list(ROW.finditer(text[text.index("## What goes wrong"):text.index("## Limits")]))


def attacks() -> list[tuple[str, str]]:
    return [named for row in rows() for named in NAMED.findall(row["tests"])]


def test_every_known_attack_is_tried_by_a_test_that_exists() -> None:
    assert len(rows()) >= 30
    for row in rows():
        named = NAMED.findall(row["tests"])
        assert named, f"nothing attacks: {row['seen']}"
        for file, name in named:
            text = (ROOT / "tests" / file).read_text("utf-8")
            assert re.search(rf"^(?:async )?def {name}\(", text, re.M), f"{file}::{name}"


def test_the_page_counts_its_attacks_truly() -> None:
    text = PAGE.read_text("utf-8")
    found = re.search(r"(\d+) known attacks, tried by (\d+) tests", text)
    assert found is not None
    assert (int(found[1]), int(found[2])) == (len(rows()), len(set(attacks())))


# ---- open by default ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.168.1.2", "10.0.0.1", "172.17.0.1", "fd00::1"])
@pytest.mark.parametrize("headers", [
    {}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1"},
    {"Remote-User": "owner", "X-Forwarded-User": "owner", "Tailscale-User-Login": "owner"},
    {"X-Forwarded-Host": "localhost", "X-Original-URL": "/api/health", "X-HTTP-Method-Override": "GET"},
])
def test_no_address_and_no_header_makes_somebody_an_owner(made: Whole, address: str, headers: dict[str, str]) -> None:
    for one in made.operations:
        if one.allows != "open":
            answer = made.ask(one.method, filled(one.path), address=address, headers=headers,
                              **({} if one.method == "GET" else {"json": {}}))
            assert answer.status_code in (401, 421), (one.method, one.path)


def test_a_fresh_station_belongs_to_nobody_without_the_code_of_its_terminal(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, scan_on_start=False, watch=False, mdns=False, https=False)
    for folder in (settings.config_dir, settings.data_dir, settings.cache_dir):
        folder.mkdir(parents=True)
    fresh = Whole(create_app(settings))
    fresh.station.database.prepare()
    for code in ("", "0000", "AAAA-AAAA-AAAA", "' OR 1=1 --"):
        answer = fresh.ask("POST", "/api/setup", address="192.168.1.2",
                           json={"code": code, "username": "mallory", "password": "correct horse battery"})
        assert answer.status_code in (400, 403), code
    assert fresh.station.people.count_owners() == 0
    assert all(fresh.ask("GET", filled(one.path)).status_code == 401 for one in fresh.operations
               if one.method == "GET" and one.allows != "open")


def test_no_key_that_signs_anything_stands_in_the_source(made: Whole) -> None:
    assert made.app.secret_key is None
    for path in [*(ROOT / "shared").rglob("*.py"), *(ROOT / "odst").rglob("*.py")]:
        text = path.read_text("utf-8")
        assert not re.search(r"-----BEGIN [A-Z ]*PRIVATE KEY", text), path
        assert not re.search(r"""(?i)\b(?:secret_key|signing_key|jwt_secret)\s*=\s*["'][^"']{4,}""", text), path


# ---- guessing ----------------------------------------------------------------------------------------------------


def test_no_secret_is_compared_letter_by_letter() -> None:
    """`==` tells by its time how far two texts agree. Hashes are looked up, the rest is compared by compare_digest."""
    secret = re.compile(r"(?:^|_)(?:token|secret|proof|password|signature|mac|otp|nonce)$")
    odd = []
    for path in [*(ROOT / "shared" / "security").rglob("*.py"), *(ROOT / "shared" / "routes").rglob("*.py"),
                 ROOT / "shared" / "sockets.py"]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Compare) and any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops):
                sides = [node.left, *node.comparators]
                if any(isinstance(one, ast.Constant) for one in sides):
                    continue
                names = [one.id if isinstance(one, ast.Name) else one.attr for one in sides
                         if isinstance(one, ast.Name | ast.Attribute)]
                if any(secret.search(name) for name in names):
                    odd.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
    assert not odd


# ---- exhaustion --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["limit=1000000", "limit=99999999999999999999", "limit=-1", "limit=1e9",
                                   "limit=500&offset=9223372036854775808", "ids=" + ",".join(["x"] * 5000)])
def test_no_list_is_longer_than_its_page(made: Whole, query: str) -> None:
    for kind in ("tracks", "albums", "artists", "genres", "playlists"):
        answer = made.ask("GET", f"/api/library/{kind}?{query}", token=made.tokens["owner", "own"])
        assert answer.status_code in (200, 400), (kind, answer.data)
        assert len(answer.json.get("items", [])) <= 500


def test_a_packed_body_is_not_unpacked(made: Whole) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = packer.compress(b'{"username": "' + b"a" * (32 << 20)) + packer.flush()
    assert len(bomb) < 64 * 1024
    answer = made.ask("POST", "/api/library/playlists", token=made.tokens["owner", "own"], data=bomb,
                      headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})
    assert answer.status_code == 400


@pytest.mark.parametrize(("who", "most"), [(None, OPEN_BODY_LIMIT_BYTES), (("owner", "own"), BODY_LIMIT_BYTES)])
def test_no_body_is_longer_than_its_limit(made: Whole, who: Any, most: int) -> None:
    token = None if who is None else made.tokens[who]
    path = "/api/session" if who is None else "/api/library/playlists"
    body = b'{"name": "' + b"a" * most + b'"}'
    answer = made.ask("POST", path, token=token, data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"name":' * 20_000 + b"1" + b"}" * 20_000, b"1" * 100_000,
                                  b'{"name": 1e999999}', b'{"name": "\\ud800"}', b"\xff\xfe", b"{}" * 1000])
def test_no_nesting_and_no_number_breaks_the_reader(made: Whole, body: bytes) -> None:
    answer = made.ask("POST", "/api/library/playlists", token=made.tokens["owner", "own"], data=body,
                      headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.data


# ---- links into the own network ----------------------------------------------------------------------------------

INNER = [
    "127.0.0.1", "127.1", "127.0.1", "0x7f.1", "0x7f000001", "0177.0.0.1", "017700000001", "2130706433", "0", "0.0.0.0",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[fe80::1]", "[fc00::1]", "[fd12:3456::1]", "localhost", "LOCALHOST", "localhost.", "10.1",
    "192.168.257", "169.254.169.254", "[::ffff:169.254.169.254]", "100.100.100.200", "168.63.129.16", "172.16.0.1",
    "①②⑦.⓪.⓪.①", "127。0。0。1",
]


@pytest.mark.parametrize("host", INNER)
@pytest.mark.parametrize("form", ["http://{}/song.mp3", "https://{}:443/x", "http://{}:80", "HTTP://{}/x"])
def test_no_spelling_leads_into_the_own_network(host: str, form: str) -> None:
    with pytest.raises(Failure) as refused:
        Outbound().check(form.format(host))
    assert refused.value.code in ("forbidden_address", "bad_link", "refused")


@pytest.mark.parametrize("url", [
    "file:///etc/passwd", "ftp://example.org/x", "gopher://127.0.0.1:6379/_FLUSHALL", "http://evil@127.0.0.1/",
    "http://127.0.0.1\\@example.org/", "http://example.org\t@127.0.0.1/", "http:///127.0.0.1/", "//127.0.0.1/x",
    "http://example.org:6379/", "http://[::1", "data:audio/mp3;base64,AAAA", "dict://127.0.0.1:11211/stats",
])
def test_no_other_scheme_or_trick_is_followed(url: str) -> None:
    with pytest.raises(Failure):
        Outbound().check(url)


def test_an_address_that_was_good_when_it_was_checked_is_checked_again_when_it_is_called(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """The name server says something public first, and something of ours then."""
    asked: list[str] = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr("shared.outbound._resolve", resolve)
    with socket.create_server(("127.0.0.1", 0)) as inner:
        inner.settimeout(0.2)
        out = Outbound()
        out.check(f"http://rebinding.example:{inner.getsockname()[1]}/x")
        with pytest.raises(Failure) as refused, out.session() as session:
            session.get(f"http://rebinding.example:{inner.getsockname()[1]}/x")
        assert refused.value.code == "forbidden_address"
        with pytest.raises(TimeoutError):
            inner.accept()
    assert len(asked) == 2


# ---- paths -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [
    "/static/../index.html", "/static/..%2f..%2frun.py", "/static/%2e%2e/%2e%2e/run.py", "/static//etc/passwd",
    "/static/....//....//run.py", "/static/..%5c..%5crun.py", "/static/app.js%00.css", "/static/%c0%ae%c0%ae/run.py",
    "/../run.py", "/static/C:/Windows/win.ini", "/static/.", "/static/%2fetc%2fpasswd",
])
def test_no_path_leads_out_of_the_player_s_files(made: Whole, path: str) -> None:
    answer = made.ask("GET", path)
    assert answer.status_code in (400, 404), path
    assert b"root:" not in answer.data and b"def main" not in answer.data


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", "a\x00b", "C:\\x", "\u202e", "x" * 400])
def test_a_playlist_s_name_is_never_a_path(made: Whole, name: str) -> None:
    token = made.tokens["adult", "own"]
    answer = made.ask("POST", "/api/library/playlists", token=token, json={"name": name})
    assert answer.status_code in (201, 400)
    if answer.status_code == 201:
        assert "/" not in answer.json["id"] and "." not in answer.json["id"]
        made.ask("DELETE", f"/api/library/playlists/{answer.json['id']}", token=token)


@pytest.mark.parametrize("words", ["'; DROP TABLE tracks; --", '" OR 1=1 --', "%' UNION SELECT password_hash",
                                   "a* NEAR(b", '"unclosed', "{}", "\\", "\x00", "AND OR NOT", "col:val^2"])
def test_no_words_are_understood_as_sql(made: Whole, words: str) -> None:
    token = made.tokens["owner", "own"]
    for path in (f"/api/library/search?{_query(q=words)}", f"/api/library/tracks?{_query(genre=words, sort=words)}",
                 f"/api/library/albums?{_query(artist=words)}", f"/api/library/tracks?{_query(ids=words)}"):
        answer = made.ask("GET", path, token=token)
        assert answer.status_code in (200, 400), (path, answer.data)
        assert b"argon2" not in answer.data
    assert made.station.people.count_owners() == 1


def _query(**given: str) -> str:
    from urllib.parse import urlencode

    return urlencode(given)


# ---- sockets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "file://", "*",
                                    "http://localhost:1", "https://127.0.0.1.evil.example"])
def test_no_other_site_opens_a_socket_with_somebody_s_cookie(made: Whole, origin: str) -> None:
    cookie = f"soundsible_session={made.tokens['owner', 'own']}"
    for method in ("GET", "POST"):
        answer = made.ask(method, "/socket.io/?EIO=4&transport=polling", headers={"Cookie": cookie, "Origin": origin})
        assert answer.status_code == 403
        assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]
