"""Where a track's original lies, as it is now."""

import os
import threading

import pytest

from shared.model.errors import StorageOffline
from shared.model.filepath import to_text
from shared.model.source import LocalFile, TrackFile
from shared.storage.access import Access
from shared.storage.local import LocalStorage


@pytest.fixture
def access():
    one = Access(probe_after_s=60)
    yield one
    one.stop()


@pytest.fixture
def music(tmp_path):
    folder = tmp_path / "music"
    folder.mkdir()
    (folder / "1.flac").write_bytes(b"flac")
    return folder


def a_file(root, path, **facts):
    told = {"size_bytes": 1, "mtime_ns": 1, "mime_type": "audio/flac", "format": "flac", "duration_ms": 1000}
    return TrackFile(track_id="t", root=str(root), path=path, **{**told, **facts})


def test_a_file_is_told_as_it_is_now_not_as_the_scan_saw_it(access, music):
    found = LocalStorage(access=access).locate(a_file(music, "1.flac", missing=True))
    facts = os.stat(music / "1.flac")
    assert found == LocalFile(str(music / "1.flac"), 4, facts.st_mtime_ns, "audio/flac")


def test_names_that_are_no_text_are_found(access, music):
    name = os.fsdecode(b"caf\xe9.flac")
    (music / name).write_bytes(b"x")
    found = LocalStorage(access=access).locate(a_file(music, to_text(name)))
    assert found is not None and os.path.exists(found.path)


def test_a_file_that_is_not_there_is_no_copy_and_so_is_what_is_no_file(access, music):
    storage = LocalStorage(access=access)
    os.mkfifo(music / "pipe.flac")
    (music / "folder.flac").mkdir()
    for path in ("2.flac", "none/2.flac", "1.flac/2.flac", "pipe.flac", "folder.flac", "../music/1.flac"):
        assert storage.locate(a_file(music, path)) is None


def test_of_a_folder_that_is_gone_empty_or_hanging_the_answer_is_unknown(access, music, tmp_path):
    storage = LocalStorage(access=access)
    (tmp_path / "empty").mkdir()
    for root in (tmp_path / "gone", tmp_path / "empty"):
        with pytest.raises(StorageOffline):
            storage.locate(a_file(root, "1.flac"))
    gate = threading.Event()
    with pytest.raises(StorageOffline):
        access.call(str(music), gate.wait, deadline_s=0.02)
    with pytest.raises(StorageOffline):
        storage.locate(a_file(music, "1.flac"))
    gate.set()


def test_a_folder_that_went_a_moment_ago_is_not_remembered_as_there(access, music):
    storage = LocalStorage(access=access)
    assert access.probe(str(music)) == "online"
    music.rename(music.with_name("unplugged"))
    with pytest.raises(StorageOffline, match="gone"):
        storage.locate(a_file(music, "1.flac"))


def test_a_file_without_the_right_to_read_it_says_so(access, music, monkeypatch):
    monkeypatch.setattr("shared.storage.access.os.access", lambda *_: False)    # root may read everything
    with pytest.raises(StorageOffline, match="right to read"):
        LocalStorage(access=access).locate(a_file(music, "1.flac"))
