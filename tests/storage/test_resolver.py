"""One place after the other."""

import pytest

from shared.model.errors import StorageOffline, TrackMissing
from shared.model.source import CachedFile, TrackFile
from shared.storage.resolver import Resolver

FILE = TrackFile(track_id="t", root="/m", path="1.flac", size_bytes=1, mtime_ns=1, mime_type="audio/flac",
                 format="flac", duration_ms=1000)


class Place:
    """A storage that has `answer`, or raises it."""

    def __init__(self, name, answer):
        self.name, self.answer, self.asked = name, answer, 0

    def locate(self, file):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


COPY = CachedFile("/c/1", 1, 1, "audio/flac")


def test_the_first_place_with_a_copy_is_taken_and_the_others_are_not_asked():
    first, second = Place("local", COPY), Place("cloud", None)
    assert Resolver(storages=[first, second]).resolve(FILE) is COPY
    assert second.asked == 0


def test_a_place_that_does_not_answer_is_passed_over():
    assert Resolver(storages=[Place("local", StorageOffline("hangs")), Place("cache", COPY)]).resolve(FILE) is COPY


def test_no_copy_anywhere_tells_whether_somebody_did_not_answer():
    with pytest.raises(TrackMissing, match=r"no longer in its music folder") as gone:
        Resolver(storages=[Place("local", None), Place("cache", None)]).resolve(FILE)
    assert gone.value.details["reason"] == "not_there"
    with pytest.raises(TrackMissing, match=r"The folder is silent\.") as unknown:
        Resolver(storages=[Place("local", StorageOffline("The folder is silent.")), Place("c", None)]).resolve(FILE)
    assert unknown.value.details["reason"] == "no_answer"


def test_places_can_be_left_out_by_name():
    local, cache = Place("local", COPY), Place("cache", COPY)
    Resolver(storages=[local, cache]).resolve(FILE, without={"local"})
    assert (local.asked, cache.asked) == (0, 1)
