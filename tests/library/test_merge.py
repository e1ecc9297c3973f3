"""Three ways, field by field."""

from hypothesis import given
from hypothesis import strategies as st

from shared.library.merge import EDITABLE, is_valid, merge

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1, max_size=8)
numbers = st.none() | st.integers(0, 9999)


def fields(present=True):
    values = {"title": words, "genres": st.lists(words, max_size=3)}
    values.update({name: st.none() | words for name in ("artist", "album", "album_artist")})
    values.update({name: numbers for name in ("track_number", "disc_number", "year")})
    return st.fixed_dictionaries(values) if present else st.fixed_dictionaries({}, optional=values)


garbage = st.dictionaries(
    st.sampled_from([*EDITABLE, "id", "path", "x"]),
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                 lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=3), one, max_size=2)),
)


@given(base=fields(), ours=fields(), newer=st.booleans())
def test_a_file_that_nobody_touched_changes_nothing(base, ours, newer):
    merged = merge(base, base, ours, theirs_newer=newer)
    assert not merged.take and not merged.conflicts and not merged.wrong


@given(base=fields(), theirs=fields(present=False), newer=st.booleans())
def test_what_only_they_changed_is_taken_whole_and_is_no_conflict(base, theirs, newer):
    merged = merge(base, theirs, base, theirs_newer=newer)
    assert {**base, **merged.take} == {**base, **theirs}
    assert not merged.conflicts and not merged.wrong


@given(base=fields(), both=fields(), newer=st.booleans())
def test_the_same_change_on_both_sides_is_settled(base, both, newer):
    merged = merge(base, both, both, theirs_newer=newer)
    assert not merged.take and not merged.conflicts


@given(base=st.none() | fields(), theirs=fields(), ours=fields())
def test_where_both_changed_the_newer_wins_and_it_is_told(base, theirs, ours):
    kept, lost = merge(base, theirs, ours, theirs_newer=True), merge(base, theirs, ours, theirs_newer=False)
    told = {name for name, _ in kept.conflicts}
    assert told == {name for name, _ in lost.conflicts}
    for name in EDITABLE:
        differs = theirs[name] != ours[name]
        moved = base is None or (theirs[name] != base[name] and ours[name] != base[name])
        assert (name in told) == (differs and moved)
        if name in told:
            assert kept.take[name] == theirs[name] and name not in lost.take


@given(base=st.none() | fields(), theirs=garbage, ours=fields(), newer=st.booleans())
def test_nonsense_is_named_and_never_taken(base, theirs, ours, newer):
    merged = merge(base, theirs, ours, theirs_newer=newer)
    assert all(is_valid(name, value) for name, value in merged.take.items())
    assert not set(merged.wrong) & set(merged.take)
    assert set(merged.take) | set(merged.wrong) <= set(theirs)


@given(base=fields(), theirs=fields(present=False), ours=fields(), newer=st.booleans())
def test_merging_again_after_taking_over_finds_no_more_to_take(base, theirs, ours, newer):
    settled = {**ours, **merge(base, theirs, ours, theirs_newer=newer).take}
    assert not merge(base, theirs, settled, theirs_newer=newer).take


def test_what_is_no_value_of_a_field():
    for name, value in [("title", None), ("title", ""), ("title", "  "), ("title", 7), ("title", "a\nb"),
                        ("title", "x" * 1001), ("year", "2001"), ("year", True), ("year", -1), ("year", 10_000),
                        ("year", 20.0), ("genres", "Rock"), ("genres", [None]), ("genres", None), ("artist", ["A"]),
                        ("artist", "\ud800")]:
        assert not is_valid(name, value), (name, value)
