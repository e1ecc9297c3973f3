"""Names that every file system takes, whatever the tags say."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.library.naming import MOST_UNITS, Template, cut, safe_name
from shared.model.errors import BadSetting
from shared.model.track import Metadata

USUAL = Template("{album_artist}/{album}/{track:02} {title}")
RAIN = Metadata(title="Rain", artist="Ann feat. Bob", album="Weather", album_artist="Ann", track_number=3, year=1999,
                genres=("Jazz", "Soul"), disc_number=1, disc_total=1)


def with_(**changes: object) -> Metadata:
    from dataclasses import replace

    return replace(RAIN, **changes)  # type: ignore[arg-type]


def test_artist_album_number_and_title() -> None:
    assert USUAL.path(RAIN, ".flac") == "Ann/Weather/03 Rain.flac"


def test_of_several_discs_the_number_says_which() -> None:
    assert USUAL.path(with_(disc_number=2, disc_total=2), ".mp3") == "Ann/Weather/2-03 Rain.mp3"
    assert USUAL.path(with_(disc_number=2, disc_total=None), ".mp3") == "Ann/Weather/2-03 Rain.mp3"
    assert USUAL.path(with_(disc_number=1, disc_total=2), ".mp3") == "Ann/Weather/1-03 Rain.mp3"
    own = Template("{artist}/CD {disc}/{title}")
    assert own.path(with_(disc_number=2, disc_total=2), ".mp3") == "Ann feat. Bob/CD 2/Rain.mp3"


@pytest.mark.parametrize(("changes", "path"), [
    ({"album": None}, "Ann feat. Bob/03 Rain.flac"),
    ({"album": None, "track_number": None}, "Ann feat. Bob/Rain.flac"),
    ({"album_artist": None}, "Ann feat. Bob/Weather/03 Rain.flac"),
    ({"album_artist": None, "compilation": True}, "Various Artists/Weather/03 Rain.flac"),
    ({"album_artist": None, "artist": None}, "Unknown Artist/Weather/03 Rain.flac"),
    ({"title": None}, "Ann/Weather/03 Untitled.flac"),
    ({"title": "..", "track_number": None}, "Ann/Weather/Untitled.flac"),
    ({"album": ".."}, "Ann/03 Rain.flac"),
    ({"album_artist": "AC/DC"}, "AC-DC/Weather/03 Rain.flac"),
    ({"album_artist": "../../etc"}, "-..-etc/Weather/03 Rain.flac"),
    ({"album": "What? *now*: \"here\" <or> there|"}, "Ann/What _now_- 'here' (or) there-/03 Rain.flac"),
    ({"title": "...Baby", "track_number": None}, "Ann/Weather/Baby.flac"),
    ({"title": "Etc. . ."}, "Ann/Weather/03 Etc.flac"),
    ({"album_artist": "CON", "album": "nul.x", "title": "AUX", "track_number": None}, "CON_/nul_.x/AUX_.flac"),
    ({"album_artist": "COM¹", "album": "LPT9"}, "COM¹_/LPT9_/03 Rain.flac"),
    ({"album_artist": "lost+found", "album": "@eaDir"}, "lost+found_/@eaDir_/03 Rain.flac"),
    ({"album": "song.mp3"}, "Ann/song.mp3_/03 Rain.flac"),
    ({"title": "R\u202eain\u200b \x00\n2"}, "Ann/Weather/03 Rain 2.flac"),
    ({"title": "Bjo\u0308rk"}, "Ann/Weather/03 Björk.flac"),
    ({"title": "\udc80\U0010dc80x"}, "Ann/Weather/03 x.flac"),
    ({"title": "👍🏽 ok"}, "Ann/Weather/03 👍🏽 ok.flac"),
])
def test_names_from_strange_tags(changes: dict[str, object], path: str) -> None:
    assert USUAL.path(with_(**changes), ".flac") == path


def test_what_stood_around_a_missing_word_goes_with_it() -> None:
    template = Template("{genre}/{year} - {album} ({disc})/{track:2}. {title} - {artist}")
    assert template.path(with_(disc_number=None), ".mp3") == "Jazz/1999 - Weather/03. Rain - Ann feat. Bob.mp3"
    bare = with_(year=None, disc_number=None, genres=())
    assert template.path(bare, ".mp3") == "Weather/03. Rain - Ann feat. Bob.mp3"
    assert template.path(with_(track_number=None, title="-x-"), ".mp3").rpartition("/")[2] == "x- - Ann feat. Bob.mp3"


@pytest.mark.parametrize("text", [
    "", "/{title}", "{title}/", "{artist}//{title}", "{artist}", "{nothing}/{title}", "{title!r}", "{title:02}",
    "{track:x} {title}", "{title.upper}", "{title[0]}", "{}", "{0}/{title}", "{title", "a:b/{title}", "../{title}",
    "./{title}", "{artist}/.../{title}", "{track:099} {title}", "{artist}\\{title}", ".soundsible/{title}",
])
def test_a_template_that_cannot_be_used_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(BadSetting, match="download_template"):
        Template(text)


def test_the_ending_may_stand_in_the_template() -> None:
    assert Template("{ext}/{title}.{ext}").path(RAIN, ".opus") == "opus/Rain.opus"


@pytest.mark.parametrize("tail", ["e\u0301" * 300, "👨‍👩‍👧" * 90, "🇩🇪" * 90, "नी" * 200, "x" * 999])
def test_long_names_are_cut_between_characters_and_keep_their_ending(tail: str) -> None:
    name = safe_name(tail, ".flac")
    assert name.endswith(".flac")
    assert len(name.encode()) <= 240
    assert len(name.encode()) > 200
    stem = unicodedata.normalize("NFC", tail).replace("\u200d", "")
    assert stem.startswith(name.removesuffix(".flac"))


def test_a_cut_never_parts_what_is_seen_as_one() -> None:
    assert cut("x" + "🇩🇪", 8) == "x"
    assert cut("q\u0323\u0307x", 3) == ""
    assert cut("👍🏽a", 6) == ""
    assert cut("abc", 2) == "ab"


anything = st.one_of(st.none(), st.text(max_size=400), st.sampled_from(["..", ".", "CON", "a/b", "\u202e", "nul "]))


@given(title=anything, artist=anything, album=anything, album_artist=anything, track=st.none() | st.integers(1, 9999),
       disc=st.none() | st.integers(1, 99), genre=anything,
       text=st.sampled_from(["{album_artist}/{album}/{track:02} {title}", "{genre}/{artist}/{album}/{disc}-{title}",
                             "{title}", "{year} {album}/{track}"]))
@example("CON.tar", "COM1 ", "aux .", "lost+found", None, None, None, "{album_artist}/{album}/{track:02} {title}")
def test_whatever_the_tags_say_the_path_is_safe(
    title: str | None, artist: str | None, album: str | None, album_artist: str | None, track: int | None,
    disc: int | None, genre: str | None, text: str
) -> None:
    metadata = Metadata(title=title, artist=artist, album=album, album_artist=album_artist, track_number=track,
                        disc_number=disc, genres=(genre,) if genre else ())
    path = Template(text).path(metadata, ".flac")
    assert path.endswith(".flac")
    assert path == unicodedata.normalize("NFC", path)
    assert len(path.encode("utf-16-le")) // 2 <= MOST_UNITS or all(len(p.encode()) <= 40 for p in path.split("/"))
    for part in path.split("/"):
        assert part not in ("", ".", "..")
        assert 0 < len(part.encode("utf-8")) <= 255
        assert not set(part) & set('\\:*?"<>|')
        assert part[0] not in ". "
        assert part[-1] not in ". "
        assert part.partition(".")[0].strip().upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9"}
        assert all(unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Co") for one in part)
