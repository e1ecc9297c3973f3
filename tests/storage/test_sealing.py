"""Sealed objects: what comes out is what went in, from any place, and nothing else ever does."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.cloud import CloudFailure
from shared.model.errors import BadInput
from shared.storage.sealing import (
    CHUNK,
    HEADER,
    TAG,
    Sealer,
    parse_recovery_key,
    recovery_key,
)
from tests.patience import often

KEY = bytes(range(32))
SEALER = Sealer(KEY)
BODY = hashlib.shake_128(b"some music").digest(3 * CHUNK + 100)
SHA = hashlib.sha256(BODY).hexdigest()
SEALED = SEALER.seal_bytes(BODY)


def cut(body: bytes, at: int) -> list[bytes]:
    return [body[start:start + at] for start in range(0, len(body), at)] if at else [body]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7])
def test_what_was_sealed_opens_to_itself_and_has_the_size_that_was_told(size: int) -> None:
    body = os.urandom(size)
    sealed = SEALER.seal_bytes(body)
    assert len(sealed) == SEALER.stored_size(size)
    assert SEALER.plain_size(len(sealed)) == size
    assert SEALER.open_bytes(sealed) == body
    assert body[:64] not in sealed or size < 16


@given(size=st.integers(0, 10**12))
def test_sizes_are_told_both_ways(size: int) -> None:
    assert Sealer.plain_size(Sealer.stored_size(size)) == size


@given(stored=st.integers(-5, 10**7))
def test_a_size_that_no_sealed_object_has_is_refused(stored: int) -> None:
    try:
        plain = Sealer.plain_size(stored)
    except CloudFailure as failure:
        assert failure.reason == "corrupted"
    else:
        assert Sealer.stored_size(plain) == stored


def test_the_same_bytes_are_sealed_alike_and_others_with_another_key() -> None:
    assert SEALER.seal_bytes(BODY) == SEALED
    other = SEALER.seal_bytes(BODY[:-1] + b"!")
    assert other[:HEADER] != SEALED[:HEADER]
    assert other[HEADER:HEADER + 64] != SEALED[HEADER:HEADER + 64]      # although the first chunks are the same


def test_nothing_of_the_content_or_its_hash_stands_in_the_object() -> None:
    assert bytes.fromhex(SHA) not in SEALED
    assert SEALER.name(f"{SHA}.flac").endswith(".sealed")
    assert SHA[:16] not in SEALER.name(f"{SHA}.flac")
    assert SEALER.name(f"{SHA}.flac") != Sealer(bytes(32)).name(f"{SHA}.flac")


@settings(max_examples=often(30), deadline=None)
@given(data=st.data())
def test_any_range_opens_from_the_bytes_of_its_span_alone(data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(BODY) - 1))
    last = data.draw(st.integers(first, len(BODY) - 1))
    begin, end = SEALER.span(first, last, len(BODY))
    assert end - begin < last - first + 2 * (CHUNK + TAG) + 1
    pieces = cut(SEALED[begin:end + 1], data.draw(st.sampled_from([0, 999, 65_536, 100_000])))
    assert b"".join(SEALER.opening(pieces, SHA, first, last, len(BODY))) == BODY[first:last + 1]


@settings(max_examples=often(30), deadline=None)
@given(data=st.data())
def test_a_reader_gives_the_same_bytes_from_anywhere(data: st.DataObject) -> None:
    reader = SEALER.reader(io.BytesIO(BODY), SHA)
    assert reader.size == len(reader) == len(SEALED)
    for _ in range(3):
        at = data.draw(st.integers(0, len(SEALED)))
        want = data.draw(st.integers(0, len(SEALED)))
        assert reader.seek(at) == at
        assert reader.read(want) == SEALED[at:at + want]
        assert reader.tell() == min(len(SEALED), at + want)


@settings(max_examples=often(30), deadline=None)
@given(at=st.integers(0, len(SEALED) - 1), bit=st.integers(0, 7))
def test_a_single_changed_bit_is_noticed(at: int, bit: int) -> None:
    changed = bytearray(SEALED)
    changed[at] ^= 1 << bit
    try:
        opened = SEALER.open_bytes(bytes(changed))
    except CloudFailure as failure:
        assert failure.reason == "corrupted"
    else:
        assert opened == BODY           # the seven bytes of the header that mean nothing yet
        assert 9 <= at < 16


def refused(body: bytes) -> None:
    with pytest.raises(CloudFailure) as caught:
        SEALER.open_bytes(body)
    assert caught.value.reason == "corrupted"


def test_chunks_cannot_be_left_out_moved_or_cut_off() -> None:
    stored = CHUNK + TAG
    chunks = [SEALED[HEADER + at * stored:HEADER + (at + 1) * stored] for at in range(4)]
    head = SEALED[:HEADER]
    refused(head + chunks[0] + chunks[1] + chunks[3])                   # left out
    refused(head + chunks[1] + chunks[0] + chunks[2] + chunks[3])       # moved
    refused(head + chunks[0] + chunks[1] + chunks[2])                   # cut off between two
    refused(SEALED[:-1])
    refused(SEALED + b"x")
    refused(SEALED[:HEADER])
    refused(b"")
    refused(BODY)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(CloudFailure, match="another key"):
        Sealer(bytes(32)).open_bytes(SEALED)
    with pytest.raises(CloudFailure):
        list(SEALER.opening([SEALED[HEADER:]], "00" * 32, 0, 10, len(BODY)))


def test_what_was_given_out_before_a_damaged_chunk_is_right() -> None:
    changed = bytearray(SEALED)
    changed[HEADER + (CHUNK + TAG) * 2 + 5] ^= 1
    got = b""
    with pytest.raises(CloudFailure):
        for piece in SEALER.opening([bytes(changed[HEADER:])], SHA, 0, len(BODY) - 1, len(BODY)):
            got += piece
    assert got == BODY[:2 * CHUNK]


def test_an_end_that_comes_too_early_is_no_end() -> None:
    with pytest.raises(CloudFailure, match="too early"):
        list(SEALER.opening([SEALED[HEADER:HEADER + 1000]], SHA, 0, 10, len(BODY)))


def test_a_file_that_changes_while_it_is_read_is_noticed_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(BODY)
    reader = SEALER.reader(path.open("rb"), SHA)
    assert reader.read(HEADER + CHUNK)
    with path.open("r+b") as file:
        file.seek(2 * CHUNK)
        file.write(b"changed")
    with pytest.raises(CloudFailure, match="changed while it was read"), reader:
        reader.read()


def test_a_whole_file_opens_into_another(tmp_path: Path) -> None:
    (tmp_path / "sealed").write_bytes(SEALED)
    assert SEALER.open_file(tmp_path / "sealed", tmp_path / "open") == SHA
    assert (tmp_path / "open").read_bytes() == BODY


def test_an_object_of_a_newer_kind_says_so() -> None:
    with pytest.raises(CloudFailure, match="newer Soundsible"):
        SEALER.open_bytes(SEALED[:8] + b"\x02" + SEALED[9:])


@given(key=st.binary(min_size=32, max_size=32))
def test_a_recovery_key_comes_back_however_it_is_typed(key: bytes) -> None:
    text = recovery_key(key)
    assert [len(group) for group in text.split("-")] == [4] * 14
    assert parse_recovery_key(text) == key
    assert parse_recovery_key(f"  {text.lower().replace('-', ' ')}\n") == key
    assert parse_recovery_key(text.replace("O", "0").replace("I", "1").replace("B", "8")) == key


@given(key=st.binary(min_size=32, max_size=32), at=st.integers(0, 55), letter=st.sampled_from("ABCDEFGHIJKLMNOPQRST"))
def test_a_slip_in_a_recovery_key_is_noticed(key: bytes, at: int, letter: str) -> None:
    letters = list(recovery_key(key).replace("-", ""))
    if letters[at] == letter:
        letter = "7"
    if letters[at] == letter:
        return
    letters[at] = letter
    with pytest.raises(BadInput, match="slip"):
        parse_recovery_key("".join(letters))


@pytest.mark.parametrize("text", ["", "hello", "äöü", "A" * 56, "=" * 56, recovery_key(KEY)[:-1]])
def test_what_is_no_recovery_key_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_recovery_key(text)
