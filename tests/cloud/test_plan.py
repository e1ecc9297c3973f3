"""What an upload decides, from facts alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.cloud import layout
from shared.cloud.plan import Case, Looked, about, current, decide, suspects
from shared.model.cloud import Copy, Provider
from shared.model.source import TrackFile
from shared.model.track import AudioFacts

R2 = Provider("r2", "r2", "https://x", "auto", "b", "k", "s", prefix="p/")
SEALED = replace(R2, seal_key=bytes(32))
FACTS = AudioFacts("flac", "audio/flac", 60_000, 900)
SHA = "ab" * 32


def track(uid: str = "t", path: str = "a.flac", **more: Any) -> TrackFile:
    return TrackFile(uid, "/music", path, more.pop("size", 100), more.pop("mtime", 5), "audio/flac", "flac", 60_000,
                     **more)


def case(uid: str = "t", *, size: int = 100, mtime: int = 5, sha: str | None = None, **more: Any) -> Case:
    return Case(file=more.pop("file", track(uid)), facts=FACTS, looked=Looked(size, mtime, sha), **more)


def copy(*, size: int = 100, mtime: int = 5, sha: str = SHA, compression: str = "") -> Copy:
    return Copy("t", "r2", layout.music_key(R2, sha, suffix=".flac"), size, size, sha, "flac", "audio/flac", 900,
                compression, sha, size, mtime, "e", False, 1.0)


def actions(cases: list[Case], there: dict[str, int] | None = None, **more: Any) -> list[str]:
    plan = decide(cases, provider=R2, stored=lambda size: size, there=there, **more)
    return [one.action for one in plan.items]


def test_names_follow_from_what_is_in_a_file() -> None:
    assert layout.music_key(R2, SHA, suffix=".flac") == f"p/music/ab/{SHA}.flac"
    assert layout.music_key(R2, SHA, suffix=".flac", compression="mp3:320") == f"p/music/ab/{SHA}.mp3-320.mp3"
    assert layout.cover_key(R2, SHA) == f"p/covers/{SHA}.jpg"
    assert layout.segment_key(R2, 0.0, "12345678") == "p/catalogue/19700101T000000Z-12345678.json.gz"
    hidden = layout.music_key(SEALED, SHA, suffix=".flac")
    assert SHA not in hidden and hidden.endswith(".sealed")
    assert hidden == layout.music_key(SEALED, SHA, suffix=".flac")
    assert hidden != layout.music_key(replace(SEALED, seal_key=bytes([1] * 32)), SHA, suffix=".flac")
    assert layout.suffix_of("a/B.FLAC", "flac") == ".flac" and layout.suffix_of("noname", "vorbis") == ".ogg"


def test_without_a_copy_it_is_new_and_with_one_it_is_there() -> None:
    assert actions([case(), case("u", copies=(copy(),))]) == ["new", "there"]


def test_another_size_or_time_is_a_change_and_the_same_hash_is_none() -> None:
    assert actions([case(size=101, copies=(copy(),))]) == ["changed"]
    assert actions([case(mtime=6, copies=(copy(),))]) == ["changed"]
    assert actions([case(mtime=6, sha=SHA, copies=(copy(),))]) == ["adopt"]
    assert actions([case(mtime=6, sha="cd" * 32, copies=(copy(),))]) == ["changed"]


def test_what_takes_the_place_of_older_copies_says_so_also_when_its_bytes_lie_there() -> None:
    new = "cd" * 32
    lies = {layout.music_key(R2, new, suffix=".flac"): 101}
    for there, action in (({}, "changed"), (lies, "adopt")):
        plan = decide([case(size=101, sha=new, copies=(copy(),))], provider=R2, stored=lambda size: size, there=there)
        assert [(one.action, one.replaces) for one in plan.items] == [(action, True)]


def test_a_change_the_library_has_not_read_is_left_alone() -> None:
    plan = decide([case(size=101, copies=(copy(),)), case("u", size=7)], provider=R2, stored=lambda size: size,
                  there={}, unread={"t", "u"})
    assert [(one.action, one.reason) for one in plan.items] == [("cannot", "not_scanned"), ("new", "")]


def test_what_is_asked_smaller_is_served_by_the_whole_but_not_by_another_kind() -> None:
    assert actions([case(compression="mp3:320", copies=(copy(),))]) == ["there"]
    assert actions([case(compression="mp3:320", copies=(copy(compression="mp3:320"),))]) == ["there"]
    assert actions([case(compression="mp3:320", copies=(copy(compression="opus:128"),))]) == ["new"]
    assert actions([case(copies=(copy(compression="opus:128"),))]) == ["new"]


def test_a_file_that_is_away_needs_nothing_when_its_copy_is_of_what_was_known() -> None:
    away = replace(case(copies=(copy(),)), looked=None, trouble=("offline", "gone"))
    assert actions([away, replace(away, copies=())]) == ["there", "cannot"]


def test_what_lies_there_or_goes_with_another_track_is_not_sent() -> None:
    key = layout.music_key(R2, SHA, suffix=".flac")
    assert actions([case(sha=SHA)], {key: 100}) == ["adopt"]
    assert actions([case(sha=SHA)], {key: 99}) == ["new"]       # cut off: it is sent again
    assert actions([case(sha=SHA), case("u", sha=SHA)], {}) == ["new", "adopt"]
    assert actions([case(sha=SHA)], None) == ["new"]


def test_only_files_of_a_size_that_occurs_twice_are_hashed() -> None:
    def asked(cases: list[Case], there: dict[str, int]) -> set[str]:
        return suspects(cases, provider=R2, stored=lambda size: size, there=there)

    assert asked([case("t"), case("u", size=101)], {}) == set()
    assert asked([case("t"), case("u")], {}) == {"t", "u"}
    assert asked([case("t", sha=SHA), case("u")], {}) == {"u"}
    assert asked([case("t")], {"p/music/00/x.flac": 100}) == {"t"}
    assert asked([case("t", copies=(copy(),))], {"p/music/00/x.flac": 100}) == set()
    assert asked([case("t", compression="mp3:320")], {"p/music/00/x.flac": 100}) == set()
    assert asked([case("t", compression="mp3:320")], {"p/music/00/x.mp3-320.mp3": 7}) == {"t"}


def test_how_large_it_will_be() -> None:
    assert about(5_000_000, FACTS, "") == 5_000_000
    assert about(5_000_000, FACTS, "mp3:320") == 2_400_000
    assert about(1000, FACTS, "mp3:320") == 1000


SHAS = st.sampled_from([None, "aa" * 32, "bb" * 32, "cc" * 32])


@given(st.lists(st.tuples(SHAS, st.integers(1, 3), st.booleans()), max_size=12),
       st.sets(st.sampled_from(["aa", "bb", "cc"])))
def test_nothing_is_sent_twice_and_nobody_is_forgotten(
        known: list[tuple[str | None, int, bool]], lie: set[str]) -> None:
    sizes = {"aa": 1, "bb": 2, "cc": 3}
    cases = [case(f"t{number}", size=sizes[sha[:2]] if sha else size, sha=sha, file=track(f"t{number}"),
                  copies=(copy(size=9),) if has else ()) for number, (sha, size, has) in enumerate(known)]
    there = {layout.music_key(R2, one * 32, suffix=".flac"): sizes[one] for one in lie}
    plan = decide(cases, provider=R2, stored=lambda size: size, there=there)
    assert [one.file.track_id for one in plan.items] == [one.file.track_id for one in cases]
    sent = [one.looked.sha256 for one in plan.uploads if one.looked and one.looked.sha256]
    assert len(sent) == len(set(sent)) and not {one[:2] for one in sent} & lie
    assert plan.bytes == sum(one.looked.size_bytes for one in plan.uploads if one.looked)
    assert all(current(one) is None for one in cases)
