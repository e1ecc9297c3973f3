from __future__ import annotations

import os
from types import SimpleNamespace
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.library.compare import LYRICS, MISSING, TRASHED, Arrival, Comparison, KnownFile, recognise
from shared.library.walk import Folder
from shared.model.scan import Found, Known, Picture
from tests.patience import often


def looked(size: int = 10, mtime: int = 100, inode: int = 1) -> os.stat_result:
    return cast(os.stat_result, SimpleNamespace(st_size=size, st_mtime_ns=mtime, st_dev=5, st_ino=inode))


def folder(*files: tuple[str, os.stat_result], path: str = "", **more: object) -> Folder:
    return Folder(path, list(files), **more)  # type: ignore[arg-type]


def found(path: str, size: int = 10, mtime: int = 100, inode: int = 1, device: int = 5) -> Found:
    return Found(path, size, mtime, str(device), str(inode))


def known(file_id: int, path: str, size: int = 10, mtime: int = 100, inode: int | None = 1, *,
          missing: bool = False) -> Known:
    return Known(file_id, file_id + 1000, path, size, mtime, "5" if inode is not None else None,
                 str(inode) if inode is not None else None, missing, False)


def row(file_id: int, size: int = 10, mtime: int = 100, flags: int = 0) -> KnownFile:
    return file_id, size, mtime, flags


# ---- one folder against what is known -------------------------------------------------------------------------------


def test_an_unchanged_file_is_no_difference() -> None:
    comparison = Comparison({"a.mp3": row(1)})
    assert comparison.folder(folder(("a.mp3", looked()))) is None
    assert comparison.found == 1
    assert comparison.gone() == []


def test_new_changed_and_gone_files_are_told_apart() -> None:
    comparison = Comparison({"same.mp3": row(1), "larger.mp3": row(2), "later.mp3": row(3), "gone.mp3": row(4)})
    differences = comparison.folder(folder(
        ("same.mp3", looked()), ("larger.mp3", looked(size=11)), ("later.mp3", looked(mtime=101)),
        ("new.mp3", looked())))
    assert differences is not None
    assert [one.path for one in differences.new] == ["new.mp3"]
    assert [(file_id, one.path) for file_id, one in differences.changed] == [(2, "larger.mp3"), (3, "later.mp3")]
    assert comparison.gone() == [4]


def test_a_missing_file_that_is_back_as_it_was_returns_without_being_read() -> None:
    comparison = Comparison({"a.mp3": row(1, flags=MISSING), "b.mp3": row(2, flags=MISSING),
                             "c.mp3": row(3, flags=MISSING)})
    differences = comparison.folder(folder(("a.mp3", looked()), ("b.mp3", looked(size=7))))
    assert differences is not None
    assert differences.returned == [1]
    assert [file_id for file_id, _ in differences.changed] == [2]
    assert comparison.gone() == []      # c was missing before


def test_a_trashed_file_is_left_alone_wherever_it_lies() -> None:
    comparison = Comparison({"a.mp3": row(1, flags=TRASHED), ".soundsible/trash/u/b.mp3": row(2, flags=TRASHED)})
    assert comparison.folder(folder(("a.mp3", looked(size=99)))) is None
    assert comparison.gone() == []


def test_nothing_is_concluded_about_folders_that_could_not_be_listed() -> None:
    comparison = Comparison({"a/1.mp3": row(1), "a/b/2.mp3": row(2), "ab/3.mp3": row(3), "4.mp3": row(4)},
                            bad={"a/x.mp3": (1, 1), "y.mp3": (1, 1)})
    comparison.folder(folder(doubtful=["4.mp3"]))
    assert comparison.gone(unreadable=["a"]) == [3]
    assert comparison.cured(unreadable=["a"]) == ["y.mp3"]


def test_a_bad_file_is_not_read_again_until_it_looks_different() -> None:
    comparison = Comparison({"tracked.mp3": row(1)}, bad={
        "same.mp3": (10, 100), "other.mp3": (10, 100), "gone.mp3": (10, 100), "tracked.mp3": (3, 100)})
    differences = comparison.folder(folder(
        ("same.mp3", looked()), ("other.mp3", looked(mtime=101)), ("tracked.mp3", looked(size=3))))
    assert differences is not None
    assert [one.path for one in differences.new] == ["other.mp3"]
    assert differences.changed == []
    assert comparison.was_bad("other.mp3")
    assert comparison.cured() == ["gone.mp3"]
    assert comparison.gone() == []


def test_a_bad_file_that_is_again_what_the_library_knows_is_cured() -> None:
    comparison = Comparison({"a.mp3": row(1)}, bad={"a.mp3": (3, 100)})
    assert comparison.folder(folder(("a.mp3", looked()))) is None
    assert comparison.cured() == ["a.mp3"]


def test_other_lyrics_beside_a_file_make_it_be_read_again() -> None:
    known_files = {"a.mp3": row(1, flags=LYRICS), "b.mp3": row(2), "c.mp3": row(3, flags=LYRICS),
                   "d.mp3": row(4, flags=MISSING)}
    comparison = Comparison(known_files, lyrics=lambda: {"a.mp3": "5-5", "c.mp3": "6-6"})
    differences = comparison.folder(folder(
        ("a.mp3", looked()), ("b.mp3", looked()), ("c.mp3", looked()), ("d.mp3", looked()),
        lyrics={"a": "5-5", "b": "7-7", "d": "8-8"}))
    assert differences is not None
    assert [file_id for file_id, _ in differences.again] == [2, 3, 4]
    assert differences.returned == [4]
    assert differences.changed == []


def test_pictures_are_told_when_they_come_change_and_go() -> None:
    comparison = Comparison({}, pictures={"a": ("a/cover.jpg", 1, 1), "b": ("b/cover.jpg", 1, 1),
                                          "c": ("c/cover.jpg", 1, 1)})
    assert comparison.folder(folder(path="a", picture=Picture("a", "a/cover.jpg", 1, 1))) is None
    changed = comparison.folder(folder(path="b", picture=Picture("b", "b/cover.jpg", 1, 2)))
    gone = comparison.folder(folder(path="c"))
    new = comparison.folder(folder(path="d", picture=Picture("d", "d/front.png", 1, 1)))
    assert changed is not None and changed.pictures == [Picture("b", "b/cover.jpg", 1, 2)]
    assert gone is not None and gone.pictures == [Picture("c", "", 0, 0)]
    assert new is not None and new.pictures == [Picture("d", "d/front.png", 1, 1)]


# ---- files that moved -----------------------------------------------------------------------------------------------


def test_a_moved_file_is_known_by_its_inode_size_and_time() -> None:
    result = recognise([Arrival(1, found("new/a.mp3", inode=7)), Arrival(1, found("b.mp3", inode=8))],
                       [known(1, "a.mp3", inode=7)])
    assert [(one.found.path, file_id) for one, file_id in result.moved] == [("new/a.mp3", 1)]
    assert [one.found.path for one in result.new] == ["b.mp3"]


def test_a_file_moved_to_another_disk_is_known_by_its_size_and_time() -> None:
    result = recognise([Arrival(2, found("a.mp3", size=333, mtime=444, inode=70, device=6))],
                       [known(1, "x/a.mp3", size=333, mtime=444, inode=7), known(2, "b.mp3", inode=9)])
    assert [file_id for _, file_id in result.moved] == [1]


def test_of_several_files_alike_the_name_decides_or_nobody_does() -> None:
    lost = [known(1, "A/01.mp3", inode=None), known(2, "A/02.mp3", inode=None)]
    by_name = recognise([Arrival(1, found("B/02.mp3", inode=20)), Arrival(1, found("B/01.mp3", inode=21))], lost)
    assert sorted((one.found.path, file_id) for one, file_id in by_name.moved) == [("B/01.mp3", 1), ("B/02.mp3", 2)]
    ambiguous = recognise([Arrival(1, found("x.mp3", inode=20)), Arrival(1, found("y.mp3", inode=21))], lost)
    assert ambiguous.moved == [] and len(ambiguous.new) == 2


def test_the_same_names_in_two_moved_albums_are_told_apart_by_their_folders() -> None:
    lost = [known(1, "old/A/01.mp3", inode=None), known(2, "old/B/01.mp3", inode=None)]
    arrivals = [Arrival(1, found("new/B/01.mp3", inode=20)), Arrival(1, found("new/A/01.mp3", inode=21))]
    assert sorted((one.found.path, file_id) for one, file_id in recognise(arrivals, lost).moved) == [
        ("new/A/01.mp3", 1), ("new/B/01.mp3", 2)]


def test_a_name_that_differs_in_case_or_unicode_form_is_the_same_file_to_be_read() -> None:
    result = recognise(
        [Arrival(1, found("Bjo\u0308rk/JO\u0301GA.MP3", size=99, inode=50)), Arrival(1, found("other.mp3", 1, 1, 51))],
        [known(1, "bj\u00f6rk/j\u00f3ga.mp3", inode=7)])
    assert [file_id for _, file_id in result.renamed] == [1]
    assert len(result.new) == 1


def test_an_inode_alone_is_a_suspicion() -> None:
    result = recognise([Arrival(1, found("b.mp3", size=99, mtime=999, inode=7))], [known(1, "a.mp3", inode=7)])
    assert [file_id for _, file_id in result.suspects] == [1]
    assert result.moved == [] and result.new == []


def test_a_file_system_without_inodes_raises_no_suspicion() -> None:
    result = recognise([Arrival(1, found("b.mp3", size=99, mtime=999, inode=0))], [known(1, "a.mp3", inode=0)])
    assert len(result.new) == 1


def test_renumbered_files_pass_on_their_names_and_keep_their_identity() -> None:
    lost = [known(one, f"0{one}.mp3", mtime=one, inode=one) for one in (1, 2, 3)]
    arrivals = [Arrival(1, found("02.mp3", mtime=1, inode=1), 2), Arrival(1, found("03.mp3", mtime=2, inode=2), 3),
                Arrival(1, found("04.mp3", mtime=3, inode=3)), Arrival(1, found("01.mp3", mtime=9, inode=9), 1)]
    result = recognise(arrivals, lost)
    assert {file_id: one.found.path for one, file_id in result.moved} == {1: "02.mp3", 2: "03.mp3", 3: "04.mp3"}
    assert [one.found.path for one in result.new] == ["01.mp3"]
    assert result.changed == []


def test_two_files_that_swapped_their_names_keep_their_identity() -> None:
    lost = [known(1, "a.mp3", mtime=1, inode=1), known(2, "b.mp3", mtime=2, inode=2)]
    arrivals = [Arrival(1, found("a.mp3", mtime=2, inode=2), 1), Arrival(1, found("b.mp3", mtime=1, inode=1), 2)]
    result = recognise(arrivals, lost)
    assert {file_id: one.found.path for one, file_id in result.moved} == {1: "b.mp3", 2: "a.mp3"}


def test_an_overwritten_file_keeps_its_path_and_what_took_it_is_lost() -> None:
    lost = [known(1, "a.mp3", mtime=1, inode=1), known(2, "b.mp3", mtime=2, inode=2)]
    result = recognise([Arrival(1, found("b.mp3", mtime=1, inode=1), 2)], lost)
    assert result.moved == []
    assert [one.file_id for one in result.changed] == [2]


def test_a_missing_file_makes_way_for_one_that_took_its_name() -> None:
    lost = [known(1, "a.mp3", mtime=1, inode=1), known(2, "b.mp3", mtime=2, inode=2, missing=True)]
    result = recognise([Arrival(1, found("b.mp3", mtime=1, inode=1), 2)], lost)
    assert [file_id for _, file_id in result.moved] == [1]
    assert result.changed == []


NAMES = st.sampled_from(["a", "b", "c", "A", "d", "e"])
STAMPS = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 5))


@settings(max_examples=often(80), deadline=None)
@given(before=st.dictionaries(NAMES, st.tuples(STAMPS, st.booleans())), after=st.dictionaries(NAMES, STAMPS))
def test_whatever_happened_no_identity_is_given_twice_and_no_two_tracks_share_a_path(
    before: dict[str, tuple[tuple[int, int, int], bool]], after: dict[str, tuple[int, int, int]],
) -> None:
    files = {number: known(number, path, *stamp, missing=missing)
             for number, (path, (stamp, missing)) in enumerate(before.items(), start=1)}
    at = {one.path: one for one in files.values()}
    arrivals, unchanged = [], set()
    for path, stamp in after.items():
        holder = at.get(path)
        if holder is not None and (holder.size_bytes, holder.mtime_ns) == stamp[:2]:
            unchanged.add(holder.file_id)
            continue
        arrivals.append(Arrival(1, found(path, *stamp), holder.file_id if holder else None))
    lost = [one for one in files.values() if one.file_id not in unchanged]
    result = recognise(arrivals, lost)

    told = [one for one, _ in result.moved + result.renamed + result.suspects] + result.changed + result.new
    assert sorted(one.found.path for one in told) == sorted(one.found.path for one in arrivals)
    given_ids = [file_id for _, file_id in result.moved + result.renamed + result.suspects]
    given_ids += [one.file_id for one in result.changed if one.file_id is not None]
    assert len(given_ids) == len(set(given_ids))
    assert not unchanged & set(given_ids)

    paths = {one.file_id: one.path for one in files.values()}
    paths.update((file_id, one.found.path) for one, file_id in result.moved + result.renamed + result.suspects)
    there = [paths[file_id] for file_id in {*given_ids, *unchanged}] + [one.found.path for one in result.new]
    assert len(there) == len(set(there))


def test_a_copy_is_new_because_its_original_is_not_lost() -> None:
    comparison = Comparison({"a.mp3": row(1)})
    differences = comparison.folder(folder(("a.mp3", looked(inode=1)), ("copy.mp3", looked(inode=2))))
    assert differences is not None and comparison.gone() == []
    result = recognise([Arrival(1, one) for one in differences.new], [])
    assert [one.found.path for one in result.new] == ["copy.mp3"]
