"""Names are spelt one way, whoever told of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.metadata.harmonise import (
    alike,
    credit,
    genre,
    genres,
    main_and_guests,
    plain,
    text,
    title_of,
    versions_in,
    wish,
)
from shared.model.download import Wanted
from shared.model.track import Credit, Metadata


@pytest.mark.parametrize(("said", "base", "versions", "featured", "shown"), [
    ("Blue Monday", "Blue Monday", set(), (), "Blue Monday"),
    ("Umbrella (feat. JAY-Z)", "Umbrella", set(), ("JAY-Z",), "Umbrella"),
    ("Umbrella ft. JAY-Z", "Umbrella", set(), ("JAY-Z",), "Umbrella"),
    ("Song [feat. A, B & C] (Live)", "Song", {"live"}, ("A", "B", "C"), "Song (Live)"),
    ("Heroes - 2017 Remaster", "Heroes", set(), (), "Heroes - 2017 Remaster"),
    ("Heroes (Remastered 2011)", "Heroes", set(), (), "Heroes (Remastered 2011)"),
    ("Creep - Live at Glastonbury", "Creep", {"live"}, (), "Creep - Live at Glastonbury"),
    ("Creep (Acoustic Version)", "Creep", {"acoustic"}, (), "Creep (Acoustic Version)"),
    ("(I Can't Get No) Satisfaction", "(I Can't Get No) Satisfaction", set(), (), "(I Can't Get No) Satisfaction"),
    ("Strobe (Original Mix)", "Strobe", set(), (), "Strobe (Original Mix)"),
    ("Strobe (Dimension Remix)", "Strobe", {"remix"}, (), "Strobe (Dimension Remix)"),
    ("Live and Let Die", "Live and Let Die", set(), (), "Live and Let Die"),
    ("Alive", "Alive", set(), (), "Alive"),
    ("!!!", "!!!", set(), (), "!!!"),
])
def test_a_title_is_taken_apart(said: str, base: str, versions: set[str], featured: tuple[str, ...],
                                shown: str) -> None:
    apart = title_of(said)
    assert (apart.base, set(apart.versions), apart.featured, apart.shown) == (base, versions, featured, shown)


@pytest.mark.parametrize("noise", [
    "(Official Video)", "[Official Music Video]", "(Official Audio)", "(Lyrics)", "(Lyric Video)", "[HD]", "(4K)",
    "(Official HD Video)", "[Visualizer]", "(Visualiser)", "(Audio)", "(Clip Officiel)",
    "(4K Remaster)", "(Official Video Remastered)", "[1080p HD]",
])
def test_the_noise_of_video_pages_goes(noise: str) -> None:
    assert title_of(f"Blue Monday {noise}").bare == "Blue Monday"
    assert title_of(f"Blue Monday {noise}").base == "Blue Monday"


@given(st.text(max_size=80))
def test_any_title_can_be_taken_apart_and_none_becomes_nothing(said: str) -> None:
    apart = title_of(said)
    if text(said):
        assert apart.base and apart.shown and apart.bare
    again = title_of(apart.shown)
    assert set(again.featured) <= set(apart.featured) | set(again.featured)
    assert alike(apart.base, apart.base) in (0.0, 100.0)


def test_a_longer_title_that_holds_the_shorter_is_another_song() -> None:
    assert alike("hello", "hello darkness my old friend") < 50
    assert alike("Sigur Rós", "sigur ros") == 100 and alike("NewOrder", "New Order") == 100
    assert alike("Utada Hikaru", "Hikaru Utada") == 100
    assert alike("", "x") == 0 and alike(None, None) == 0


@pytest.mark.parametrize(("artist", "artists", "featured", "shown", "each"), [
    ("Rihanna", ("Rihanna",), ("JAY-Z",), "Rihanna feat. JAY-Z", ("Rihanna", "JAY-Z")),
    ("Rihanna", ("Rihanna", "JAY-Z"), ("JAY-Z",), "Rihanna feat. JAY-Z", ("Rihanna", "JAY-Z")),
    ("Rihanna feat. JAY-Z", (), (), "Rihanna feat. JAY-Z", ("Rihanna", "JAY-Z")),
    ("Rihanna (ft. JAY-Z)", (), (), "Rihanna feat. JAY-Z", ("Rihanna", "JAY-Z")),
    ("Simon & Garfunkel", ("Simon & Garfunkel",), (), "Simon & Garfunkel", ("Simon & Garfunkel",)),
    ("Simon & Garfunkel", (), (), "Simon & Garfunkel", ("Simon & Garfunkel",)),
    ("Queen", ("Queen", "David Bowie"), (), "Queen & David Bowie", ("Queen", "David Bowie")),
    ("A", ("A", "B", "C"), ("D", "E"), "A, B & C feat. D & E", ("A", "B", "C", "D", "E")),
    ("A, B", ("A", "B"), (), "A, B", ("A", "B")),
    (None, ("A",), (), "A", ("A",)),
    (None, (), (), "", ()),
])
def test_guests_stand_in_the_artist(artist: str | None, artists: tuple[str, ...], featured: tuple[str, ...],
                                    shown: str, each: tuple[str, ...]) -> None:
    assert credit(artist, artists, featured) == (shown, each)


@given(st.text(max_size=60), st.lists(st.text(max_size=20), max_size=4), st.lists(st.text(max_size=20), max_size=3))
def test_any_credit_can_be_joined(artist: str, artists: list[str], featured: list[str]) -> None:
    shown, each = credit(artist, artists, featured)
    assert bool(shown) == bool(each) and len(set(each)) == len(each)
    main_and_guests(artist)


def test_versions_are_whole_words() -> None:
    assert versions_in("Live at X") == {"live"} and versions_in("Alive, livery, remixed") == frozenset()
    assert versions_in("sped up") == {"sped up"}


def test_punctuation_is_that_of_a_keyboard() -> None:
    assert text("Don’t Stop ’Til You Get “Enough”…") == "Don't Stop 'Til You Get \"Enough\"..."
    assert text("Jay‐Z") == "Jay-Z" and text("  \x00 ") is None and text(None) is None


@pytest.mark.parametrize(("said", "spelt"), [
    ("hip-hop", "Hip Hop"), ("hip hop", "Hip Hop"), ("Rap/Hip Hop", "Hip Hop"), ("rnb", "R&B"),
    ("synthpop", "Synth-Pop"),
    ("synth-pop", "Synth-Pop"), ("drum & bass", "Drum and Bass"), ("post-punk", "Post-Punk"), ("new wave", "New Wave"),
    ("k-pop", "K-Pop"), ("british", None), ("seen live", None), ("1983", None), ("80s", None), ("favourites", None),
    ("female vocalists", None), ("my favorite albums", None), ("", None), ("x" * 60, None), ("5 stars", None),
])
def test_a_genre_is_spelt_one_way_and_opinions_are_none(said: str, spelt: str | None) -> None:
    assert genre(said) == spelt


def test_the_heaviest_few_genres_stay_and_spellings_add_up() -> None:
    tags = [("hip hop", 4), ("hip-hop", 4), ("rock", 7), ("british", 90), ("jazz", 2), ("polka", 1), ("punk", 0)]
    assert genres(tags) == ("Hip Hop", "Rock", "Jazz")
    assert genres([("rock", 50), ("ska", 1)]) == ("Rock",)


# ---- the wish ----------------------------------------------------------------------------------------------------

FILE = Metadata(title="blue monday", artist="New Order", album="Substance", track_number=3, year=1987, genres=("Pop",),
                credits=(Credit("New Order"), Credit("Gillian Gilbert", "composer")), isrc="GBAAP8300001")


def test_a_catalogue_names_the_wish_and_the_file_fills_its_gaps() -> None:
    made = wish(Wanted(title="Blue Monday", artist="New Order", album="Substance", source="deezer"), FILE)
    assert (made.wanted.title, made.wanted.track_number, made.wanted.isrc) == ("Blue Monday", 3, "GBAAP8300001")
    assert made.said_by["title"] == "catalogue" and made.said_by["track_number"] == "file"
    assert made.trusted


def test_numbers_of_another_album_are_not_taken() -> None:
    asked = Wanted(title="Blue Monday", artist="New Order", album="Power, Corruption & Lies", source="spotify")
    made = wish(asked, FILE)
    assert made.wanted.track_number is None and made.wanted.date is None
    assert made.wanted.isrc == "GBAAP8300001"


def test_tags_that_speak_of_another_song_are_not_used_at_all() -> None:
    wrong = Metadata(title="Sandstorm", artist="Darude", album="Before the Storm", genres=("Trance",), comment="ripped",
                     credits=(Credit("Darude"), Credit("JS16", "producer")))
    made = wish(Wanted(title="Blue Monday", artist="New Order", source="words"), wrong)
    tags = plain(made, wrong)
    assert (tags.title, tags.artist, tags.album) == ("Blue Monday", "New Order", None)
    assert (tags.genres, tags.comment) == ((), None)
    assert [one.name for one in tags.credits] == ["New Order"]


def test_of_a_direct_link_the_files_own_tags_name_it() -> None:
    made = wish(Wanted(title="03 - track", source="direct", fetch_url="http://x/03%20-%20track.flac"), FILE)
    assert (made.wanted.title, made.wanted.artist) == ("blue monday", "New Order")
    assert made.wanted.fetch_url == "http://x/03%20-%20track.flac"


def test_words_give_way_to_the_files_spelling_where_both_agree() -> None:
    made = wish(Wanted(title="blue mondy", artist="new order", source="words"), FILE)
    assert (made.wanted.artist, made.wanted.album) == ("New Order", "Substance")


def test_a_live_recording_is_not_the_studio_one() -> None:
    live = Metadata(title="Blue Monday (Live)", artist="New Order", album="BBC Radio 1")
    made = wish(Wanted(title="Blue Monday", artist="New Order", source="words"), live)
    assert made.wanted.album is None


@pytest.mark.parametrize(("wanted", "title", "artist"), [
    (Wanted(title="New Order - Blue Monday (Official Video)", artist="NewOrderVEVO", source="youtube"),
     "Blue Monday", "New Order"),
    (Wanted(title="Blue Monday", artist="New Order - Topic", source="youtube"), "Blue Monday", "New Order"),
    (Wanted(title="Pendulum - Witchcraft [Monstercat Release]", artist="Monstercat", source="youtube"),
     "Witchcraft [Monstercat Release]", "Pendulum"),
    (Wanted(title="new order - blue monday", source="words"), "blue monday", "new order"),
    (Wanted(title="New Order - Blue Monday (Official Lyric Video) [1080p HD] | Factory Records", source="youtube"),
     "Blue Monday", "New Order"),
    (Wanted(title="New Order – Blue Monday Official Music Video", artist="Some Label", source="youtube"),
     "Blue Monday", "New Order"),
    (Wanted(title="New Order - Blue Monday - Official Audio", artist="New Order", source="youtube"),
     "Blue Monday", "New Order"),
    (Wanted(title="Official Video", artist="New Order", source="youtube"), "Official Video", "New Order"),
    (Wanted(title="Creep - Live at Glastonbury", artist="Radiohead", source="youtube"),
     "Creep - Live at Glastonbury", "Radiohead"),
    (Wanted(title="AC/DC - Live Wire", artist="AC/DC", source="youtube"), "Live Wire", "AC/DC"),
    (Wanted(title="Umbrella (feat. JAY-Z)", artist="Rihanna", artists=("Rihanna",), source="spotify"),
     "Umbrella", "Rihanna feat. JAY-Z"),
    (Wanted(title="Blue Monday - 2011 Remaster", artist="New Order", source="spotify"),
     "Blue Monday - 2011 Remaster", "New Order"),
])
def test_a_pages_title_is_taken_apart(wanted: Wanted, title: str, artist: str) -> None:
    made = wish(wanted, Metadata())
    assert (made.wanted.title, made.wanted.artist) == (title, artist)


def test_tags_without_a_catalogue_of_record_are_whole() -> None:
    made = wish(Wanted(
        title="Umbrella (feat. JAY-Z)", artist="Rihanna", album="Good Girl Gone Bad", isrc="us-um7-07-00001",
        track_number=1, track_total=12, date="2007-05-30", genres=("Pop", "rnb"), source="deezer"), Metadata())
    tags = plain(made, Metadata())
    assert (tags.title, tags.artist, tags.album_artist) == ("Umbrella", "Rihanna feat. JAY-Z", "Rihanna")
    assert [(one.name, one.role) for one in tags.credits] == [
        ("Rihanna", "artist"), ("JAY-Z", "artist"), ("Rihanna", "albumartist")]
    assert (tags.isrc, tags.year, tags.date, tags.genres) == ("USUM70700001", 2007, "2007-05-30", ("Pop", "R&B"))
    assert not tags.compilation


def test_various_artists_make_a_compilation() -> None:
    asked = Wanted(title="T", artist="A", album="Hits", album_artist="various artists", source="deezer")
    tags = plain(wish(asked, Metadata()), Metadata())
    assert tags.compilation and tags.album_artist == "Various Artists"


def test_a_composer_of_the_file_stays() -> None:
    made = wish(Wanted(title="Blue Monday", artist="New Order", source="deezer"), FILE)
    assert Credit("Gillian Gilbert", "composer") in plain(made, FILE).credits


_texts = st.none() | st.text(max_size=40)


@given(_texts, _texts, _texts, st.sampled_from(["words", "youtube", "direct", "spotify", "deezer"]), _texts, _texts)
def test_any_wish_becomes_tags(title: str | None, artist: str | None, album: str | None, source: str,
                               in_title: str | None, in_artist: str | None) -> None:
    in_file = Metadata(title=in_title, artist=in_artist)
    made = wish(Wanted(title=title, artist=artist, album=album, source=source), in_file)
    tags = plain(made, in_file)
    for value in (tags.title, tags.artist, tags.album, tags.album_artist):
        assert value is None or (value.strip() and "\n" not in value and "\x00" not in value)
    if text(title) and source in ("spotify", "deezer") and text(artist):
        assert tags.title and tags.artist
