"""What taggers write becomes what a person would have meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audio import fields
from shared.audio.fields import Raw, clean, date_of, decimal_of, genres_of, isrc_of, lyrics_of, metadata, number_of
from shared.model.track import Credit

A, B, C = (f"0123abcd-0123-4abc-8abc-0123456789a{n}" for n in "123")


def raw(**values: str | list[str]) -> Raw:
    made = Raw()
    for name, value in values.items():
        made.add(name, [value] if isinstance(value, str) else value)
    return made


def artists(one: Raw, role: str = "artist") -> list[tuple[str, str | None, str | None]]:
    return [(c.name, c.mbid, c.sort_name) for c in metadata(one).credits if c.role == role]


# ---- text


@pytest.mark.parametrize(("written", "meant"), [
    ("  Rain  ", "Rain"), ("Nul\0in\x01it", "Nul in it"), ("two\nlines\r\n", "two lines"),
    ("Bjo\u0308rk", "Björk"), ("\ufeffBOM", "BOM"), ("a\u202eb", "a b"), ("a\u00a0b", "a b"),
    ("👨‍👩‍👧 family", "👨‍👩‍👧 family"), ("\0\0", ""), ("lone \ud83d here", "lone here"),
])
def test_text_is_trimmed_composed_and_without_controls(written: str, meant: str) -> None:
    assert clean(written) == meant


@given(st.text(alphabet=st.characters(), max_size=300))
def test_clean_text_can_be_kept_shown_and_cleaned_again(text: str) -> None:
    cleaned = clean(text, 100)
    cleaned.encode("utf-8")
    assert len(cleaned) <= 100
    assert cleaned == cleaned.strip()
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in cleaned)
    assert clean(cleaned, 100) == cleaned


def test_a_megabyte_of_title_is_cut() -> None:
    assert len(clean("long " * 200_000)) <= fields.LONGEST_TEXT


# ---- numbers and dates


@pytest.mark.parametrize(("written", "meant"), [
    ("3", (3, None)), ("03/12", (3, 12)), (" 3 of 12 ", (3, 12)), ("0", (None, None)), ("-3", (None, None)),
    ("1000000000", (None, None)), ("A1", (None, None)), ("", (None, None)), ("3/0", (3, None)), ("/9", (None, None)),
    ("1" * 5000, (None, None)),
])
def test_track_numbers(written: str, meant: tuple[int | None, int | None]) -> None:
    assert number_of(written) == meant


@pytest.mark.parametrize(("written", "meant"), [
    ("2001", "2001"), ("2001-02", "2001-02"), ("2001-02-03", "2001-02-03"), ("2001-02-03T08:00:00Z", "2001-02-03"),
    ("2001/2/3", "2001-02-03"), ("20010203", "2001-02-03"), ("3.2.2001", "2001"), ("Feb 2001", "2001"),
    ("2001-00-00", "2001"), ("2001-13-01", "2001"), ("2001-02-31", "2001-02"), ("99999", None), ("99999-99-99", None),
    ("0000", None), ("-44", None), ("-2001", None), ("nineteen", None), ("", None),
])
def test_dates(written: str, meant: str | None) -> None:
    assert date_of(written) == meant


@given(st.text(max_size=60))
def test_no_text_makes_a_date_or_number_out_of_bounds(text: str) -> None:
    date = date_of(text)
    assert date is None or (1000 <= int(date[:4]) <= 2100 and len(date) in (4, 7, 10))
    assert all(number is None or 0 < number <= fields.HIGHEST_NUMBER for number in number_of(text))
    value = decimal_of(text, -80, 80)
    assert value is None or -80 <= value <= 80


def test_the_year_is_the_release_s_and_else_the_original_s() -> None:
    both = metadata(raw(DATE="2011-05", ORIGINALDATE="1973-03-01"))
    assert (both.year, both.date, both.original_date) == (2011, "2011-05", "1973-03-01")
    assert metadata(raw(ORIGINALYEAR="1973")).year == 1973


@pytest.mark.parametrize(("written", "meant"), [
    ("US-RC1-76-07839", "USRC17607839"), ("usrc17607839", "USRC17607839"), ("USRC1760783", None), ("x" * 500, None),
])
def test_isrcs(written: str, meant: str | None) -> None:
    assert isrc_of(written) == meant


# ---- genres


@pytest.mark.parametrize(("written", "meant"), [
    (["Rock", "Pop"], ("Rock", "Pop")), (["Rock; Pop"], ("Rock", "Pop")), (["Rock/Pop"], ("Rock", "Pop")),
    (["Hip-Hop/Rap"], ("Hip-Hop/Rap",)), (["Drum & Bass, Liquid"], ("Drum & Bass, Liquid",)), (["AC/DC-like"],
    ("AC/DC-like",)), (["Folk / Chamber"], ("Folk", "Chamber")), (["17"], ("Rock",)), (["(17)"], ("Rock",)),
    (["(17)Rock"], ("Rock",)), (["(31)(39)"], ("Trance", "Noise")), (["(4)Eurodisco"], ("Eurodisco",)), (["(999)"], ()),
    (["(RX)"], ("Remix",)), (["Rock", "Rock", " "], ("Rock",)), (["A\\\\B"], ("A", "B")), (["(Not) A Number"],
    ("(Not) A Number",)),
])
def test_genres(written: list[str], meant: tuple[str, ...]) -> None:
    assert genres_of(written) == meant


# ---- names


def test_several_artist_values_are_several_artists() -> None:
    one = raw(ARTIST=["Ann", "Bob"], MUSICBRAINZ_ARTISTID=[A, B])
    assert artists(one) == [("Ann", A, None), ("Bob", B, None)]
    assert metadata(one).artist == "Ann, Bob"


def test_the_artists_tag_says_who_is_in_the_artist_that_is_shown() -> None:
    one = raw(ARTIST="Ann feat. Bob", ARTISTS=["Ann", "Bob"], MUSICBRAINZ_ARTISTID=[A, B])
    assert metadata(one).artist == "Ann feat. Bob"
    assert artists(one) == [("Ann", A, None), ("Bob", B, None)]


@pytest.mark.parametrize("name", ["AC/DC", "Simon & Garfunkel", "Earth, Wind & Fire", "Ann feat. Bob"])
def test_a_name_that_looks_like_two_stays_one(name: str) -> None:
    assert artists(raw(ARTIST=name, MUSICBRAINZ_ARTISTID=A)) == [(name, A, None)]


@pytest.mark.parametrize("joined", ["Ann/Bob", "Ann; Bob", "Ann & Bob", "Ann, Bob"])
def test_as_many_ids_as_parts_split_a_name(joined: str) -> None:
    assert artists(raw(ARTIST=joined, MUSICBRAINZ_ARTISTID=f"{A}/{B}")) == [("Ann", A, None), ("Bob", B, None)]


def test_ids_that_nobody_can_match_are_left_out() -> None:
    assert artists(raw(ARTIST=["Ann", "Bob"], MUSICBRAINZ_ARTISTID=[A, B, C])) == [("Ann", None, None),
                                                                                   ("Bob", None, None)]


def test_sort_names_go_to_their_artists() -> None:
    assert artists(raw(ARTIST=["Ann Ash", "Bob Beech"], ARTISTSORT="Ash, Ann; Beech, Bob")) == [
        ("Ann Ash", None, "Ash, Ann"), ("Bob Beech", None, "Beech, Bob")]


def test_album_artists_are_credits_of_their_own() -> None:
    one = raw(ARTIST="Ann", ALBUMARTIST="Various Artists", COMPILATION="1")
    assert metadata(one).album_artist == "Various Artists"
    assert artists(one, "albumartist") == [("Various Artists", None, None)]
    assert metadata(one).compilation


def test_every_role_is_credited_once() -> None:
    one = raw(ARTIST="Ann", COMPOSER=["Dee; Eve", "Dee"], PERFORMER="Carl (guitar)", CONDUCTOR="Flo")
    one.people += [("producer", "Gus"), ("DJ-mix", "Hal"), ("guitar", "Carl"), ("", "")]
    assert [c for c in metadata(one).credits if c.role != "artist"] == [
        Credit("Dee; Eve", "composer"), Credit("Dee", "composer"), Credit("Flo", "conductor"),
        Credit("Carl", "performer"), Credit("Gus", "producer"), Credit("Hal", "djmixer")]


# ---- loudness, lyrics


def test_r128_gain_is_moved_to_the_replaygain_reference() -> None:
    gain = metadata(raw(R128_TRACK_GAIN="-256", R128_ALBUM_GAIN="0")).replaygain
    assert (gain.track_gain_db, gain.album_gain_db) == (4.0, 5.0)


def test_replaygain_wins_over_r128_and_absurd_gain_is_none() -> None:
    gain = metadata(raw(REPLAYGAIN_TRACK_GAIN="-6.50 dB", R128_TRACK_GAIN="0", REPLAYGAIN_ALBUM_GAIN="1e30",
                        REPLAYGAIN_TRACK_PEAK="0,98")).replaygain
    assert (gain.track_gain_db, gain.album_gain_db, gain.track_peak) == (-6.5, None, 0.98)


@pytest.mark.parametrize(("text", "synced"), [
    ("[00:01.00]one\n[00:02.50]two", True), ("[00:01]one\n[00:02]two\n", True), ("[Chorus]\nla\nla", False),
    ("one\ntwo", False), ("[ar:Ann]\n[00:01.00]one\n[00:02.00]two\n[00:03.00]", True),
    ("[00:01.00]only this\nb\nc", False),
])
def test_lyrics_with_times_are_synced(text: str, synced: bool) -> None:
    lyrics = lyrics_of(text)
    assert lyrics is not None
    assert lyrics.synced is synced


def test_lyrics_keep_their_lines_and_are_bounded() -> None:
    lyrics = lyrics_of("one\r\n\r\n two \x00\n", "ENG")
    assert lyrics is not None
    assert (lyrics.text, lyrics.language) == ("one\n\n two", "eng")
    long = lyrics_of("la\n" * 1_000_000)
    assert long is not None
    assert len(long.text) <= fields.LONGEST_LYRICS
    assert lyrics_of(" \n ") is None


@given(st.dictionaries(st.sampled_from(sorted(set(fields.CANONICAL.values()))),
                       st.lists(st.text(alphabet=st.characters(), max_size=40), max_size=4), max_size=12))
def test_whatever_stands_in_the_fields_becomes_metadata(values: dict[str, list[str]]) -> None:
    found = metadata(Raw(fields=values))
    assert all(credit.name == clean(credit.name) and credit.name for credit in found.credits)
    assert len(found.credits) <= fields.MOST_CREDITS
    for text in (found.title, found.artist, found.album, found.album_artist, found.comment):
        assert text is None or text.strip()


def test_a_sign_that_looks_like_a_number_is_a_genre_like_any_other() -> None:
    assert fields.genres_of(["²", "(17)", "٣"])[:2] == ("²", "Rock")
