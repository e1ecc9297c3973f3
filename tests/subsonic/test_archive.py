"""Several files as one ZIP that any program opens, made piece by piece, so many at once."""

from __future__ import annotations

import io
import zipfile
from types import SimpleNamespace

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from shared.model.errors import NotFound, Overloaded, TrackMissing
from shared.subsonic import archive


def entries(files):
    return [(name, lambda content=content: SimpleNamespace(mtime_ns=0, content=content)) for name, content in files]


def opened(track):
    file = io.BytesIO(track.content)
    file.size_bytes = len(track.content)
    return file


def made(folder, files):
    return zipfile.ZipFile(io.BytesIO(b"".join(archive.chunks(opened, folder, entries(files)))))


@given(st.text(max_size=20), st.lists(st.tuples(st.text(max_size=12), st.binary(max_size=50)), max_size=6))
def test_whatever_things_are_called_all_of_them_are_in_one_folder(folder, files):
    found = made(folder, files)
    assert found.testzip() is None
    names = found.namelist()
    assert len({name.lower() for name in names}) == len(files)
    assert [found.read(name) for name in names] == [content for _, content in files]
    for name in names:
        parts = name.split("/")
        assert len(parts) == 2 and not {"", ".", ".."} & set(parts) and "\\" not in name


def test_it_comes_in_pieces_while_files_are_read():
    content = bytes(3 * archive.CHUNK_BYTES)
    pieces = list(archive.chunks(opened, "a", entries([("b", content)])))
    assert len(pieces) >= 3 and max(map(len, pieces)) < 2 * archive.CHUNK_BYTES


def test_what_is_missing_is_told_and_files_are_closed():
    def gone():
        raise NotFound("It is in the trash.")

    opens = []

    def open_some(track):
        if track.content == b"away":
            raise TrackMissing("Its disk is not there.")
        opens.append(opened(track))
        return opens[-1]

    listed = [*entries([("a", b"1"), ("b", b"away")]), ("c", gone)]
    found = zipfile.ZipFile(io.BytesIO(b"".join(archive.chunks(open_some, "x", listed))))
    assert found.namelist() == ["x/a", "x/missing.txt"]
    told = found.read("x/missing.txt").decode()
    assert "b: Its disk is not there." in told and "c: It is in the trash." in told
    assert all(file.closed for file in opens)


def test_only_so_many_are_on_their_way_and_a_place_is_free_again_when_one_is_left():
    ended = []
    sending = SimpleNamespace(begun=lambda *_: ended.append, open=lambda person, track: opened(track))
    archives = archive.Archives(sending=sending, at_once=1)
    with Flask("t").test_request_context("/"):
        first = archives.answer(None, "id", "a", entries([("b", b"1" * 10)]))
        with pytest.raises(Overloaded):
            archives.answer(None, "id", "a", [])
        assert next(iter(first.response))
        first.close()
        first.close()
        assert len(ended) == 1
        second = archives.answer(None, "id", "a", [])
        second.close()      # before anything of it was sent
        third = archives.answer(None, "id", "a", entries([("b", b"1" * 10)]))
        assert zipfile.ZipFile(io.BytesIO(b"".join(third.response))).namelist() == ["a/b"]
        third.close()
        assert ended[1] == 0 and ended[2] > 10
