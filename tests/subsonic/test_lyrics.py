"""The words of songs at /rest: plain, by line, and by word as enhanced LRC has them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.track import Lyrics
from shared.subsonic.lyrics import plain, structured
from tests.builders import make_audio

TRACK = SimpleNamespace(artist="Björk", title="Jóga")
KARAOKE = """[ti:Jóga]
[offset:+100]
[00:01.10]<00:01.10>All <00:01.60>þessi <00:02.10>or-<00:02.30>ð<00:02.90>
[00:03.10]without stamps
[00:04.10]Emo<00:04.60>tion
"""
DUET = """[00:01.00]v1: <00:01.00>I <00:01.50>sing
[bg:<00:01.60>(he <00:01.90>does)<00:02.40>]
[00:03.00]v2: <00:03.00>So <00:03.50>do <00:03.80>I
[00:05.00]v1000:<00:05.00>We <00:05.50>all
[00:07.00]plain
"""


def told(text, *, synced=True, enhanced=True, language=None):
    return structured(Lyrics(text, synced, language), TRACK, enhanced=enhanced)


def said(cue_line):
    """The words as their bytes in the line say them."""
    value = cue_line["value"].encode()
    return [value[cue["byteStart"]:cue["byteEnd"] + 1].decode() for cue in cue_line["cue"]]


# ---- by word --------------------------------------------------------------------------------------------------------


def test_words_have_their_times_and_their_bytes():
    found = told(KARAOKE)
    assert (found["kind"], found["synced"], found["offset"], found["lang"]) == ("main", True, 0, "und")
    assert found["line"] == [{"start": 1000, "value": "All þessi or-ð"}, {"start": 3000, "value": "without stamps"},
                             {"start": 4000, "value": "Emotion"}]
    assert "agents" not in found
    first, last = found["cueLine"]
    assert first == {"index": 0, "start": 1000, "end": 2800, "value": "All þessi or-ð", "cue": [
        {"start": 1000, "end": 1500, "byteStart": 0, "byteEnd": 2, "value": "All"},
        {"start": 1500, "end": 2000, "byteStart": 4, "byteEnd": 9, "value": "þessi"},
        {"start": 2000, "end": 2200, "byteStart": 11, "byteEnd": 13, "value": "or-"},
        {"start": 2200, "end": 2800, "byteStart": 14, "byteEnd": 15, "value": "ð"},
    ]}
    assert said(first) == ["All", "þessi", "or-", "ð"]
    # Where its end is not told, no word of the line has one.
    assert last == {"index": 2, "start": 4000, "value": "Emotion", "cue": [
        {"start": 4000, "byteStart": 0, "byteEnd": 2, "value": "Emo"},
        {"start": 4500, "byteStart": 3, "byteEnd": 6, "value": "tion"}]}


def test_a_chorus_has_its_words_at_each_of_its_times():
    first, again = told("[00:01.00][01:01.00]<00:01.00>la <00:01.50>la<00:02.00>")["cueLine"]
    assert (first["index"], again["index"]) == (0, 1)
    assert [cue["start"] for cue in again["cue"]] == [61_000, 61_500] and again["end"] == 62_000


def test_voices_are_agents_and_the_background_is_a_layer_of_its_line():
    found = told(DUET)
    assert found["agents"] == [{"id": "v1", "role": "main"}, {"id": "v1000", "role": "group"},
                               {"id": "v2", "role": "voice"}, {"id": "bg", "role": "bg"}]
    assert [line["value"] for line in found["line"]] == ["I sing (he does)", "So do I", "We all", "plain"]
    assert [(one["index"], one["agentId"], one["value"]) for one in found["cueLine"]] == [
        (0, "v1", "I sing"), (0, "bg", "(he does)"), (1, "v2", "So do I"), (2, "v1000", "We all")]
    assert said(found["cueLine"][1]) == ["(he", "does)"] and found["cueLine"][1]["end"] == 2400


def test_a_background_alone_has_a_main_voice_beside_it():
    found = told("[00:01.00]<00:01.00>I\n[bg:<00:01.50>oh]")
    assert found["agents"] == [{"id": "main", "role": "main"}, {"id": "bg", "role": "bg"}]
    assert [one["agentId"] for one in found["cueLine"]] == ["main", "bg"]


def test_without_enhanced_there_are_lines_alone():
    for text in (KARAOKE, DUET):
        assert set(told(text, enhanced=False)) == {"displayArtist", "displayTitle", "lang", "synced", "offset", "line"}
    assert "cueLine" not in told("[00:01.00]v1: no times of words") and "agents" not in told("[00:01.00]v1: none")


def test_lines_without_times_have_none():
    found = told("one\n\n  two\n", synced=False, language="deu")
    assert (found["lang"], found["synced"], found["line"]) == (
        "deu", False, [{"value": "one"}, {"value": ""}, {"value": "two"}])
    # What calls itself timed and has no time is not.
    assert told("one\ntwo")["synced"] is False and told("one\ntwo")["line"] == [{"value": "one"}, {"value": "two"}]


STAMPED = st.text(alphabet="[]<>0123456789:.v bg-ðx\n\u3000", max_size=120)
SUNG = st.lists(st.tuples(st.integers(0, 59), st.sampled_from(["", "v1: ", "v2:", "v1000: "]), st.lists(
    st.tuples(st.integers(0, 59), st.text(alphabet="aþ本 ", max_size=4)), max_size=4), st.booleans()), max_size=5)


@given(STAMPED | SUNG.map(lambda song: "\n".join(
    f"[00:{second:02}]{voice}" + "".join(f"<00:{at:02}>{word}" for at, word in words)
    + ("\n[bg:<00:01>oh]" if background else "") for second, voice, words, background in song)))
def test_whatever_a_file_says_the_promises_of_the_extension_hold(text):
    found = told(text)
    starts = [line.get("start", 0) for line in found["line"]]
    assert starts == sorted(starts) and all(("start" in line) == found["synced"] for line in found["line"])
    ids = [agent["id"] for agent in found.get("agents", [])]
    assert len(set(ids)) == len(ids) and ("agents" not in found or "cueLine" in found)
    assert [agent["role"] for agent in found.get("agents", [])].count("main") == bool(ids)
    for one in found.get("cueLine", []):
        assert one["cue"] and one["index"] < len(found["line"]) and one["value"] in found["line"][one["index"]]["value"]
        assert (one["agentId"] in ids) if ids else "agentId" not in one
        assert said(one) == [cue["value"] for cue in one["cue"]] and all(said(one))
        assert len({"end" in cue for cue in one["cue"]}) == 1
    indexes = [(one["index"], one.get("agentId") == "bg") for one in found.get("cueLine", [])]
    assert indexes == sorted(indexes)


def test_plain_words_have_no_times():
    assert plain(Lyrics(DUET, True)) == "I sing (he does)\nSo do I\nWe all\nplain"
    assert plain(Lyrics("a\nb", False)) == "a\nb"
    assert plain(Lyrics("a\nb", True)) == "a\nb"


# ---- asked for ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def house(house):
    """With a song that has words in three forms."""
    file = make_audio(house.music / "Jóga", "Jóga.mp3", seconds=2, tone_hz=333, tags={
        "title": "Jóga", "artist": "Björk feat. Nobody", "album": "Homogenic", "lyrics": "Plain words\nof it"})
    file.with_suffix(".lrc").write_text(KARAOKE, "utf-8")
    house.rescan()
    return house


def test_all_words_of_a_song_come_by_its_id(house):
    uid = house.track("Jóga")
    found = house.ask("getLyricsBySongId", id=uid, enhanced="true")["lyricsList"]["structuredLyrics"]
    assert sorted(one["synced"] for one in found) == [False, True]
    timed = next(one for one in found if one["synced"])
    assert len(timed["cueLine"]) == 2 and timed["displayTitle"] == "Jóga"
    assert all("kind" not in one and "cueLine" not in one for one in house.ask(
        "getLyricsBySongId", id=uid)["lyricsList"]["structuredLyrics"])
    assert house.ask("getLyricsBySongId", id=house.track("Run"))["lyricsList"] == {"structuredLyrics": []}
    assert house.refused("getLyricsBySongId", id="nothing") == 70
    assert house.refused("getLyricsBySongId") == 10
    xml = house.raw("getLyricsBySongId", id=uid, enhanced="true", f="xml").data.decode()
    assert '<line start="1000">All þessi or-ð</line>' in xml and 'byteStart="4"' in xml


@pytest.mark.parametrize(("artist", "title", "value"), [
    ("Björk feat. Nobody", "Jóga", "Plain words\nof it"), ("bjork feat nobody", "joga", "Plain words\nof it"),
    ("", "Jóga", "Plain words\nof it"), ("The Pair", "Side 1.1", "one & only\ntwo"), ("The Pair", "Side 1.2", ""),
    ("Somebody", "Jóga", ""), ("Björk", "", ""), ("", "", ""), ("x" * 5000, "\0", ""),
])
def test_words_are_found_by_artist_and_title(house, artist, title, value):
    assert house.ask("getLyrics", artist=artist, title=title)["lyrics"]["value"] == value
