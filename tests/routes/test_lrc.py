"""LRC texts as they lie beside music files."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.routes.lrc import Line, lines, timed


def test_lines_come_in_the_order_of_time() -> None:
    assert lines("[00:12.50]second\n[00:01.00]first") == [(1000, "first"), (12500, "second")]


def test_fractions_of_one_two_and_three_digits() -> None:
    assert [start for start, _ in lines("[0:01]a\n[0:02.5]b\n[0:03.25]c\n[0:04.125]d\n[0:05:50]e")] == [
        1000, 2500, 3250, 4125, 5500]


def test_a_chorus_has_several_stamps() -> None:
    assert lines("[00:10.00][00:30.00]la la") == [(10000, "la la"), (30000, "la la")]


def test_tags_and_lines_without_a_stamp_are_no_lyrics() -> None:
    assert lines("[ar:Somebody]\n[length:03:00]\nno stamp\n[00:01.00]words") == [(1000, "words")]


def test_stamps_of_single_words_are_left_out() -> None:
    assert lines("[00:01.00]<00:01.00>one <00:01.50>two") == [(1000, "one two")]


def test_an_offset_moves_all_lines_and_none_before_the_beginning() -> None:
    assert lines("[offset:500]\n[00:01.00]a\n[00:00.10]b") == [(0, "b"), (500, "a")]
    assert lines("[offset:-500]\n[00:01.00]a") == [(1500, "a")]
    assert lines("[offset:x]\n[00:01.00]a") == [(1000, "a")]


def test_an_empty_line_stays_as_a_pause() -> None:
    assert lines("[00:01.00]\n[00:02.00]on") == [(1000, ""), (2000, "on")]


@given(st.text(alphabet="[]0123456789:.<> \nabcofset-", max_size=200))
def test_no_text_whatever_breaks_it(text: str) -> None:
    found = lines(text)
    assert [start for start, _ in found] == sorted(start for start, _ in found)
    assert all(start >= 0 for start, _ in found)


def test_words_and_voices_are_told_and_shown_lines_are_without_their_marks() -> None:
    text = "[00:01.00]v2: <00:01.00>one <00:01.50>two<00:02.00>\n[bg:<00:01.60>(three)]\n[bg:again]"
    assert lines(text) == [(1000, "one two (three)")]
    (line,) = timed(text)
    assert (line.voice, line.text, line.end_ms) == ("v2", "one two", 2000)
    assert [(word.start_ms, line.text[word.begin:word.end]) for word in line.words] == [(1000, "one"), (1500, "two")]
    assert line.background is not None and line.background.text == "(three)"


def test_a_background_before_any_line_belongs_to_none() -> None:
    assert timed("[bg:oh]\n[00:01.00]a") == [Line(1000, "a")]
