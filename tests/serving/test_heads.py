"""A request's head is read as the parser reads it, and a body's end is found however it arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.serving.heads import Chunks, head_of, without_expectation


def head(*lines):
    return head_of("\r\n".join([*lines, "", ""]).encode())


def test_half_a_head_is_none():
    assert head_of(b"GET / HTTP/1.1\r\nHost: x\r\n") is None


@pytest.mark.parametrize(("target", "path"), [
    ("/api/session", "/api/session"),
    ("/api/%73ession?x=1", "/api/session"),
    ("http://h:1/api/session", "/api/session"),
    ("https://h/api/session#x", "/api/session"),
    ("/a?b://c", "/a"),
])
def test_no_way_of_writing_a_path_hides_it(target, path):
    said = head(f"POST {target} HTTP/1.1")
    assert (said.method, said.path) == ("POST", path)


@pytest.mark.parametrize(("line", "length"), [
    ("Content-Length: 12", 12), ("content-LENGTH:\t0012 ", 12), ("Content-Length: -1", 0), ("Content-Length: x", 0),
    ("Content-Length: " + "9" * 5000, 0), ("X: 12", 0),
])
def test_the_announced_length(line, length):
    assert head("POST / HTTP/1.1", line).length == length


def test_what_else_a_head_says():
    said = head("GET /socket.io/?EIO=4 HTTP/1.1", "Upgrade: WebSocket", "Expect: 100-Continue")
    assert said.upgrade and said.expects and not said.claims and not said.chunked
    assert not head("GET / HTTP/1.0", "Expect: 100-continue").expects
    assert head("POST / HTTP/1.1", "Transfer-Encoding: gzip, Chunked").chunked


@pytest.mark.parametrize(("target", "line"), [
    ("/", "Cookie: a=b"), ("/", "authorization: Bearer x"), ("/?EIO=4&sid=x", "X: y"),
])
def test_what_may_be_a_login_is_a_claim(target, line):
    assert head(f"GET {target} HTTP/1.1", line).claims


@given(st.binary(max_size=300))
def test_nothing_is_too_strange_to_be_looked_at(data):
    said = head_of(data + b"\r\n\r\n")
    assert said.end <= len(data) + 4 and said.length >= 0


def test_an_answered_expectation_is_taken_out_and_nothing_else():
    lines = b"POST / HTTP/1.1\r\nHost: x\r\nexpect : 100-continue\r\nX-Expect: y"
    assert without_expectation(lines) == b"POST / HTTP/1.1\r\nHost: x\r\nX-Expect: y"


bodies = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
trailers = st.sampled_from([b"", b"A: b\r\n", b"A: b\r\nC: d\r\n"])


@given(bodies, trailers, st.sampled_from([b"", b";x=y"]), st.integers(1, 50), st.binary(max_size=20))
def test_the_end_of_chunks_is_found_however_they_arrive(parts, trailer, extension, step, before):
    body = b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts) + b"0\r\n" + trailer + b"\r\n"
    chunks, came = Chunks(start=len(before)), bytearray(before)
    for at in range(0, len(body), step):
        came += body[at : at + step]
        assert chunks.whole(came) == (at + step >= len(body))


@given(st.lists(st.binary(min_size=1, max_size=12), max_size=30))
def test_a_body_that_is_no_chunks_ends_in_an_answer_and_no_error(pieces):
    chunks, came = Chunks(start=0), bytearray()
    for piece in pieces:
        came += piece
        chunks.whole(came)


@pytest.mark.parametrize("body", [b"x\r\n", b"\r\n", b"-1\r\n", b"0x5\r\n", b"5_0\r\n", b"f" * 9000])
def test_what_is_malformed_is_left_to_the_parser(body):
    assert Chunks(start=0).whole(body)
