"""A file in chunks is exactly the promised part of it."""

import io

from hypothesis import given
from hypothesis import strategies as st

from shared.serving.files import CHUNK_BYTES, ChunkedFile, Cut, with_files


class SmallReads(ChunkedFile):
    def read(self):
        return self._file.read(7)


@given(st.binary(max_size=60), st.integers(0, 70), st.integers(0, 70))
def test_a_range_is_cut_where_it_ends(content, first, length):
    file = io.BytesIO(content)
    file.seek(first)
    assert b"".join(Cut(SmallReads(file), length)) == content[first : first + length]


def answer(method, headers):
    opened = []

    def app(environ, start_response):
        file = io.BytesIO(b"x" * (CHUNK_BYTES + 10))
        opened.append(file)
        start_response("200 OK", headers)
        return environ["wsgi.file_wrapper"](file)

    body = with_files(app)({"REQUEST_METHOD": method}, lambda status, headers: None)
    length = sum(len(chunk) for chunk in body)
    body.close()
    return length, opened[0].closed


def test_the_promised_length_is_kept_and_the_file_closed():
    assert answer("GET", [("content-length", "11")]) == (11, True)
    assert answer("GET", []) == (CHUNK_BYTES + 10, True)


def test_nothing_is_read_for_head():
    assert answer("HEAD", [("Content-Length", "11")]) == (0, True)


def test_other_bodies_pass_untouched():
    body = [b"as it is"]
    assert with_files(lambda environ, start: body)({"REQUEST_METHOD": "GET"}, None) is body
