from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.records import folding


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Björk", "bjork"),
        ("Sigur Rós", "sigur ros"),
        ("Straße", "strasse"),
        ("Mø", "mo"),
        ("Łódź", "lodz"),
        ("Æther", "aether"),
        ("ĐẠI", "dai"),
        ("İstanbul ılık", "istanbul ilik"),
        ("ＡＢＣ　１２", "abc 12"),
        ("Don't Stop", "dont stop"),
        ("Don’t Stop", "dont stop"),
        ("AC/DC", "ac dc"),
        ("P!nk", "p nk"),
        ("R.E.M.", "r e m"),
        ("!!!", "!!!"),
        ("÷", "÷"),
        ("( )", "()"),
        ("", ""),
        ("  \t ", ""),
        ("が", "が"),
        ("カタカナ", "カタカナ"),
        ("ｶﾞ", "ガ"),
        ("한국어", "한국어"),
        ("हिन्दी", "हिन्दी"),
        ("Ёлка", "елка"),
        ("\x00a\x1fb", "a b"),
    ],
)
def test_folding_forgives_what_people_do_not_type(text: str, folded: str) -> None:
    assert folding.fold(text) == folded


@given(st.text(max_size=80))
def test_folding_what_is_folded_changes_nothing(text: str) -> None:
    once = folding.fold(text)
    assert folding.fold(once) == once


@given(st.text(max_size=80))
def test_a_text_with_a_letter_in_it_never_folds_to_nothing(text: str) -> None:
    if any(one.isalpha() and one.isascii() for one in text):
        assert folding.fold(text)


@given(st.text(max_size=80))
def test_two_names_that_are_the_same_also_fold_the_same(text: str) -> None:
    assert folding.same(folding.same(text)) == folding.same(text)
    assert folding.same(text.upper().lower()) == folding.same(folding.same(text.upper().lower()))


def test_accents_make_another_name_but_quotes_case_and_width_do_not() -> None:
    assert folding.same("Mø") != folding.same("Mo")
    assert folding.same("Don’t  Stop") == folding.same("don't stop")
    assert folding.same("ＡＢＣ") == folding.same("abc")


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("The Beatles", "Cat Power"),
        ("A Tribe Called Quest", "Underworld"),
        ("Vol. 2", "Vol. 10"),
        ("10cc", "Abba"),
    ],
)
def test_names_sort_without_their_article_and_by_the_value_of_numbers(name: str, before: str) -> None:
    assert folding.sort_key(name) < folding.sort_key(before)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("AC/DC", {"ac", "dc", "acdc"}),
        ("P!nk", {"p", "nk", "pink"}),
        ("R.E.M.", {"r", "e", "m", "rem"}),
        ("Ke$ha", {"kesha", "ke", "ha"}),
        ("東京事変", {"東京", "京事", "事変", "変"}),
        ("Hello!", {"hello"}),
    ],
)
def test_a_name_is_indexed_under_every_way_it_is_typed(text: str, words: set[str]) -> None:
    assert words <= set(folding.index_words(text))


@given(st.text(max_size=60))
def test_index_and_question_agree_on_every_text(text: str) -> None:
    indexed = folding.index_words(text)
    for word, begins in folding.query_words(text):
        assert any(one.startswith(word) if begins else one == word for one in indexed)


@given(st.text(max_size=300))
@example("-ʼ")
def test_tokens_never_hold_what_the_index_reads_as_an_operator(text: str) -> None:
    for word in (*folding.index_words(text), *(word for word, _ in folding.query_words(text))):
        assert not set(word) & set("\"*^:()-+' \x00")
        assert len(word) <= 40


@given(st.text(alphabet="abcdefgh", min_size=4, max_size=12), st.data())
def test_a_word_with_one_slip_shares_a_number_with_the_right_one(word: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(word) - 2))
    slipped = data.draw(
        st.sampled_from(
            [
                word[:place] + word[place + 1 :],  # left out
                word[:place] + "z" + word[place:],  # one too many
                word[:place] + "z" + word[place + 1 :],  # another one
                word[:place] + word[place + 1] + word[place] + word[place + 2 :],  # the wrong way round
            ]
        )
    )
    if len(slipped) >= 4:
        assert folding.slips(word) & folding.slips(slipped)


def test_words_that_sound_alike_share_their_key() -> None:
    assert folding.sound("metalika") == folding.sound("metallica")
    assert folding.sound("tchaikovsky") == folding.sound("tchaikovski")
