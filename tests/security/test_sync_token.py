"""The text that a new device is given: what it says, what it hides, and that strangers' texts cost nothing."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.errors import BadInput
from shared.security import sync_token
from shared.security.sync_token import (
    LONGEST_TEXT,
    MARK,
    MOST_ENDPOINTS,
    SECRET_BYTES,
    SyncToken,
    WrongToken,
    b64,
    make,
    read,
    unb64,
)

ID, FINGERPRINT, SECRET = "abcdefgh23456789", "Fp_-" + "x" * 39, bytes(range(SECRET_BYTES))
HOME = ("http://192.168.1.20:5005", "https://192.168.1.20:5005", "http://[fd00::1]:5005")


def a_token(**changes: object) -> str:
    said = {"id": ID, "fingerprint": FINGERPRINT, "secret": SECRET, "name": "Attic", "endpoints": HOME, **changes}
    return make(**said)  # type: ignore[arg-type]


MADE = a_token()


def packed(value: object) -> str:
    """A text as anybody could write one."""
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return MARK + b64(packer.compress(text) + packer.flush())


def said(**changes: object) -> dict[str, object]:
    """The JSON of a good token, with changes."""
    inner = sync_token.seal(sync_token.endpoints_key(SECRET), unb64(packed(list(HOME))[len(MARK):]))
    return {"v": 1, "i": ID, "f": FINGERPRINT, "s": b64(SECRET), "n": "Attic", "e": b64(inner), **changes}


def test_what_is_put_in_comes_out() -> None:
    assert read(a_token()) == SyncToken(id=ID, fingerprint=FINGERPRINT, secret=SECRET, name="Attic", endpoints=HOME)
    assert read(packed(said())).endpoints == HOME


def test_it_is_read_from_its_link_and_from_a_text_broken_by_a_mail_program() -> None:
    text = a_token()
    assert read(sync_token.link(text, HOME[0])) == read(text)
    assert sync_token.link(text, HOME[0] + "/").startswith("http://192.168.1.20:5005/pair#sb1.")
    assert read("  " + text[:50] + "\r\n " + text[50:] + "\n") == read(text)


def test_the_addresses_are_told_to_nobody_who_lacks_the_secret() -> None:
    text = a_token(endpoints=["http://10.1.2.3:5005"])
    inside = zlib.decompress(unb64(text[len(MARK):]), -15)
    assert b"10.1.2.3" not in inside
    without = json.loads(inside) | {"s": b64(bytes(SECRET_BYTES))}
    with pytest.raises(WrongToken):
        read(packed(without))


def test_a_token_hides_its_secret_when_it_is_shown() -> None:
    assert b64(SECRET) not in repr(read(a_token())) and repr(SECRET) not in repr(read(a_token()))


@given(st.lists(st.from_regex(r"\Ahttp://[a-z0-9]{1,150}\.lan:[1-9][0-9]{0,3}\Z"), max_size=12), st.text(max_size=100))
def test_it_is_never_too_long_to_scan_and_keeps_the_best_addresses(endpoints: list[str], name: str) -> None:
    text = a_token(endpoints=endpoints, name=name)
    found = read(text)
    assert len(text) <= LONGEST_TEXT
    assert list(found.endpoints) == endpoints[:len(found.endpoints)] and len(found.endpoints) <= MOST_ENDPOINTS
    assert len(found.name) <= 40 and found.name.isprintable()


@pytest.mark.parametrize("endpoint", [
    "javascript:alert(1)", "file:///etc/passwd", "http://", "http://a b", "http://user:pw@host", "http://h/path",
    "http://h?q", "http://h#f", "ftp://h", "//h", "http://[::1", "http://h:99999", "http://h:x", "http://h\n", 5, None,
    "http://" + "h" * 300, "http://h\u202e",
])
def test_only_plain_addresses_are_told_or_believed(endpoint: object) -> None:
    assert read(a_token(endpoints=[one for one in [endpoint] if isinstance(one, str)])).endpoints == ()
    sealed = sync_token.seal(sync_token.endpoints_key(SECRET), unb64(packed([endpoint])[len(MARK):]))
    with pytest.raises(WrongToken):
        read(packed(said(e=b64(sealed))))


@pytest.mark.parametrize("text", [
    "", "sb1.", "sb1", "sb1.!!!!", "sb2." + a_token()[4:], a_token()[4:], "sb1.ü", "x" * 5000, "sb1." + "A" * 1999,
    "#" * 100, "\0", "\ud800", a_token() + "=", a_token()[:-1], "sb1." + b64(b"\x00" * 50),
])
def test_what_is_no_token_is_told_to_be_none(text: str) -> None:
    with pytest.raises(WrongToken) as refusal:
        read(text)
    assert isinstance(refusal.value, BadInput) and refusal.value.http_status == 400


@pytest.mark.parametrize("value", [
    [], "x", None, 1, {}, said(v=2), said(v="1"), said(i=5), said(i="../x"), said(i="A" * 16), said(i=""), said(f="x"),
    said(f=None), said(s=""), said(s=b64(b"x" * 15)), said(s=5), said(s=b64(SECRET) + "="), said(n=5), said(e=""),
    said(e=5), said(e=b64(b"x" * 40)), b"{", b"\xff", b"[" * 4000, b"1" * 4000,
    {name: one for name, one in said().items() if name != "e"},
])
def test_a_token_with_anything_wrong_in_it_is_none(value: object) -> None:
    with pytest.raises(WrongToken):
        read(packed(value))


def test_a_bomb_is_not_unpacked() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(b'{"v":1,' + b" " * 1_300_000) + packer.flush()
    text = MARK + b64(bomb)
    assert len(text) <= sync_token.LONGEST_READ, "it must come as far as being unpacked"
    inner = sync_token.seal(sync_token.endpoints_key(SECRET), bomb[:1100])
    bombs = (text, packed(said(e=b64(inner))))
    read(MADE)      # imports what it needs
    tracemalloc.start()
    try:
        for one in bombs:
            with pytest.raises(WrongToken):
                read(one)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


@given(st.text(max_size=300))
def test_any_text_is_a_token_or_is_refused(text: str) -> None:
    for one in (text, MARK + text, MARK + b64(text.encode("utf-8", "replace"))):
        with pytest.raises(WrongToken):
            read(one)


@given(st.data())
def test_a_changed_token_is_refused_or_differs_in_what_proves_nothing(data: st.DataObject) -> None:
    text = MADE
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_ ."))
    changed = text[:at] + other + text[at + 1:]
    try:
        found = read(changed)
    except WrongToken:
        return
    if other != " " and changed != text:    # deflate has no checksum: a name may change, sealed addresses may not
        assert found.endpoints == HOME


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=20),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
                    max_leaves=8), st.sampled_from("vifsne"))
def test_any_json_in_any_field_is_a_token_or_is_refused(value: object, field: str) -> None:
    try:
        found = read(packed(said(**{field: value})))
    except WrongToken:
        return
    assert found.endpoints == HOME and found.secret == SECRET


# ---- proofs ----------------------------------------------------------------------------------------------------------


def test_a_proof_holds_for_one_claim_alone() -> None:
    key = sync_token.pairing_key(SECRET)
    one = {"id": ID, "nonce": "n" * 22, "name": "phone", "fingerprint": FINGERPRINT}
    proofs = {sync_token.proof_of(key, **one)}
    for field in one:
        proofs.add(sync_token.proof_of(key, **{**one, field: "other"}))
    proofs.add(sync_token.proof_of(sync_token.pairing_key(bytes(16)), **one))
    assert len(proofs) == 6


def test_the_keys_of_one_secret_have_nothing_in_common() -> None:
    key = sync_token.pairing_key(SECRET)
    grants = {sync_token.grant_key(key, b64(bytes([one]) * 16), b64(b"s" * 16)) for one in range(3)}
    assert len({key, sync_token.endpoints_key(SECRET), SECRET, *grants}) == 6


def test_what_is_sealed_opens_with_its_key_alone_and_only_as_it_was() -> None:
    key = sync_token.pairing_key(SECRET)
    sealed = sync_token.seal(key, b"hello")
    assert sync_token.unseal(key, sealed) == b"hello"
    assert sync_token.seal(key, b"hello") != sealed
    for wrong in (sealed[:-1], b"", bytes([sealed[0] ^ 1]) + sealed[1:], sealed[:-1] + bytes([sealed[-1] ^ 1])):
        with pytest.raises(ValueError):
            sync_token.unseal(key, wrong)
    with pytest.raises(ValueError):
        sync_token.unseal(sync_token.pairing_key(bytes(16)), sealed)


@pytest.mark.parametrize("text", ["", "short", "A" * 21, "ü" * 30, b64(b"x" * 65),
                                  base64.b64encode(b"\xff" * 18).decode()])
def test_a_nonce_of_the_wrong_size_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        sync_token.nonce_of(text)
    assert len(sync_token.nonce_of(sync_token.new_nonce())) == 16
