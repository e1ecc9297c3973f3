"""Identifier: a sure match harmonises, a doubtful one changes nothing, services that are down take nothing away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from odst.breaker import Breakers
from shared.database import Database
from shared.metadata.acoustid import AcoustId
from shared.metadata.client import MusicBrainzClient, Pace
from shared.metadata.identifier import Identifier, Identity
from shared.model.download import Cancelled, Wanted
from shared.model.track import AudioFacts, Credit, Metadata
from shared.records.breakers import BreakerRow
from shared.records.breakers import Breakers as StoredBreakers
from shared.records.lookups import StoredLookups
from shared.records.namesakes import Standing
from shared.settings import Settings
from tests.fakes.acoustid import FINGERPRINT, KEY, FakeAcoustId, Sounding, make_fpcalc
from tests.fakes.answering import Reply
from tests.fakes.coverart import FakeCoverArt
from tests.fakes.lrclib import FakeLrcLib, Song
from tests.fakes.musicbrainz import FakeMusicBrainz, Recording, Release, mbid

JPEG = b"\xff\xd8\xff\xe0" + b"a picture" * 50
PNG = b"\x89PNG\r\n\x1a\n" + b"another" * 50

OPENER = Recording("Age of Consent", artists=["New Order"], length_ms=316_000, isrcs=["GBAAP8300002"])
SONG = Recording("Blue Monday", artists=["New Order"], length_ms=449_000, isrcs=["GBAAP8300001"],
                 tags=[("synth-pop", 8), ("british", 5)])
LIVE = Recording("Blue Monday", artists=["New Order"], length_ms=447_000, disambiguation="live, 1984: London", key="l")
COVERED = Recording("Blue Monday", artists=["Orgy"], length_ms=265_000)
ALBUM = Release("Power, Corruption & Lies", media=[[OPENER, SONG]], artists=["New Order"], date="1983-05-02",
                tags=[("post-punk", 6), ("seen live", 9)])
REISSUE = Release("Power, Corruption & Lies", media=[[OPENER, SONG]], artists=["New Order"], date="2009-01-01", key="2",
                  first_date="1983-05-02")
HITS = Release("Best of the 80s", media=[[SONG, COVERED]], artists=["Various Artists"], date="1981-01-01",
               secondary=["Compilation"])
BOOTLEG = Release("Basement Tapes", media=[[SONG]], artists=["New Order"], date="1980-01-01", status="Bootleg")
CONCERT = Release("Live in London", media=[[LIVE]], artists=["New Order"], date="1984-05-01", secondary=["Live"])
DUET = Recording("Under Pressure", artists=["Queen", "{ feat. }David Bowie"], length_ms=248_000)


class World:
    """The four services, and an identifier that knows them alone."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.musicbrainz = stack.enter_context(FakeMusicBrainz(
            recordings=[DUET], releases=[ALBUM, REISSUE, HITS, BOOTLEG, CONCERT]))
        self.coverart = stack.enter_context(FakeCoverArt())
        self.lrclib = stack.enter_context(FakeLrcLib())
        self.acoustid = stack.enter_context(FakeAcoustId())
        self.folder = folder
        self.settings = Settings(
            musicbrainz_url=self.musicbrainz.url, coverart_url=self.coverart.url, lrclib_url=self.lrclib.url,
            acoustid_url=self.acoustid.url, acoustid_key=KEY)
        self.fpcalc: str | None = None
        self.house: dict[tuple[str, str], Standing] = {}
        self.made: Identifier | None = None

    @property
    def identifier(self) -> Identifier:
        if self.made is None:
            self.made = Identifier(
                settings=self.settings, client=MusicBrainzClient(settings=self.settings, pace=Pace(0.0)),
                acoustid=AcoustId(settings=self.settings, pace=Pace(0.0), find=lambda _: self.fpcalc),
                house=lambda artist, album: self.house.get((artist, album)))
        return self.made

    def identify(self, wanted: Wanted, in_file: Metadata | None = None, *, duration_ms: int = 449_000,
                 cancelled: Any = lambda: False) -> Identity:
        path = self.folder / "a.flac"
        path.write_bytes(b"fLaC")
        return self.identifier.identify(wanted, in_file or Metadata(), AudioFacts("flac", "audio/flac", duration_ms),
                                        path=str(path), cancelled=cancelled)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack, tmp_path)


# ---- sure --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [
    Wanted(title="Blue Monday", artist="New Order", album="Power, Corruption & Lies", source="deezer"),
    Wanted(title="blue monday", artist="new order", source="words"),
    Wanted(title="Blue Monday (Official Video)", artist="New Order - Topic", source="youtube"),
    Wanted(title="Blue Monday - 2011 Remaster", artist="New Order", isrc="GBAAP8300001", source="spotify"),
    Wanted(recording_mbid=SONG.id, source="musicbrainz"),
    Wanted(title="Blue Monday", artist="New Order", isrc="GB-AAP-83-00001", source="deezer",
           recording_mbid=mbid("gone")),
])
def test_whoever_names_it_the_tags_are_the_same(world: World, wanted: Wanted) -> None:
    tags = world.identify(wanted).metadata
    assert (tags.title, tags.artist, tags.album, tags.album_artist) == (
        "Blue Monday", "New Order", "Power, Corruption & Lies", "New Order")
    assert (tags.track_number, tags.track_total, tags.disc_number, tags.disc_total) == (2, 2, 1, 1)
    assert (tags.date, tags.year, tags.original_date) == ("1983-05-02", 1983, "1983-05-02")
    assert (tags.isrc, tags.recording_mbid, tags.release_mbid, tags.release_group_mbid) == (
        "GBAAP8300001", SONG.id, ALBUM.id, ALBUM.group_id)
    assert "Post-Punk" in tags.genres and "Synth-Pop" in tags.genres and len(tags.genres) <= 3
    assert not tags.compilation
    assert tags.credits == (
        Credit("New Order", "artist", mbid("artist", "New Order"), "Order, New"),
        Credit("New Order", "albumartist", mbid("artist", "New Order"), "Order, New"))


def test_a_sure_match_needs_no_review(world: World) -> None:
    found = world.identify(Wanted(title="Blue Monday", artist="New Order", source="deezer"))
    assert found.review is None and found.confidence >= 0.8


def test_an_artist_credit_is_joined_as_musicbrainz_says(world: World) -> None:
    found = world.identify(Wanted(title="Under Pressure", artist="Queen", source="words"), duration_ms=248_000)
    assert found.metadata.artist == "Queen feat. David Bowie"
    assert [one.name for one in found.metadata.credits if one.role == "artist"] == ["Queen", "David Bowie"]


def test_the_wanted_album_is_chosen_and_a_sampler_is_a_compilation(world: World) -> None:
    asked = Wanted(title="Blue Monday", artist="New Order", album="Best of the 80s", source="spotify")
    tags = world.identify(asked).metadata
    assert (tags.album, tags.album_artist, tags.compilation) == ("Best of the 80s", "Various Artists", True)
    assert (tags.artist, tags.track_number) == ("New Order", 1)


def test_an_album_that_musicbrainz_does_not_know_stays_the_catalogues(world: World) -> None:
    tags = world.identify(Wanted(title="Blue Monday", artist="New Order", album="Singles (Japan)", track_number=7,
                                 album_artist="New Order", date="1999", source="spotify")).metadata
    assert (tags.album, tags.track_number, tags.date, tags.release_mbid) == ("Singles (Japan)", 7, "1999", None)
    assert tags.recording_mbid == SONG.id
    assert [one.name for one in tags.credits if one.role == "albumartist"] == ["New Order"]


def test_the_edition_of_the_wanted_year_is_chosen(world: World) -> None:
    tags = world.identify(Wanted(title="Blue Monday", artist="New Order", album="Power, Corruption & Lies", date="2009",
                                 source="spotify")).metadata
    assert (tags.release_mbid, tags.date, tags.original_date) == (REISSUE.id, "2009-01-01", "1983-05-02")


def test_a_live_recording_is_found_as_one_and_the_studio_one_is_not_taken_for_it(world: World) -> None:
    live = world.identify(Wanted(title="Blue Monday (Live)", artist="New Order", source="deezer"), duration_ms=447_000)
    assert live.metadata.recording_mbid == LIVE.id and live.metadata.album == "Live in London"
    studio = world.identify(Wanted(title="Blue Monday", artist="New Order", source="deezer"), duration_ms=447_500)
    assert studio.metadata.recording_mbid == SONG.id


def test_a_cover_by_somebody_else_is_not_taken(world: World) -> None:
    found = world.identify(Wanted(title="Blue Monday", artist="Orgy", source="deezer"), duration_ms=265_000)
    assert found.metadata.recording_mbid == COVERED.id


def test_an_albums_second_track_asks_less(world: World) -> None:
    asked = Wanted(title="Blue Monday", artist="New Order", album="Power, Corruption & Lies", source="deezer")
    world.identify(asked)
    before = len(world.musicbrainz.asked)
    tags = world.identify(Wanted(title="Age of Consent", artist="New Order", album="Power, Corruption & Lies",
                                 source="deezer"), duration_ms=316_000).metadata
    assert tags.release_mbid == ALBUM.id and tags.track_number == 1
    assert len(world.musicbrainz.asked) - before == 1      # the release; with the station's memory not even that


def test_composers_and_bpm_of_the_file_stay(world: World) -> None:
    in_file = Metadata(title="Blue Monday", artist="New Order", bpm=130.0, credits=(
        Credit("New Order"), Credit("Gillian Gilbert", "composer")))
    tags = world.identify(Wanted(title="Blue Monday", artist="New Order", source="deezer"), in_file).metadata
    assert tags.bpm == 130.0 and Credit("Gillian Gilbert", "composer") in tags.credits


def test_a_file_tagged_before_is_known_by_its_ids(world: World) -> None:
    in_file = Metadata(title="Blue Monday", artist="New Order", recording_mbid=SONG.id, release_mbid=REISSUE.id)
    tags = world.identify(Wanted(title="a", source="direct"), in_file).metadata
    assert (tags.recording_mbid, tags.release_mbid) == (SONG.id, REISSUE.id)
    assert not any("query" in one.query for one in world.musicbrainz.asked)


def test_a_track_joins_the_librarys_album_that_is_known_by_its_names_alone(world: World) -> None:
    world.coverart.covers[ALBUM.id] = JPEG
    world.house["New Order", ALBUM.title] = Standing(ALBUM.title, "New Order", None, 1)
    found = world.identify(Wanted(title="Blue Monday", artist="New Order", album=ALBUM.title, source="deezer"))
    tags = found.metadata
    assert (tags.album, tags.release_mbid, tags.release_group_mbid) == (ALBUM.title, None, None)
    assert tags.recording_mbid == SONG.id and tags.track_number == 2 and found.cover == JPEG
    assert found.sources["musicbrainz"]["release"] == ALBUM.id


def test_a_track_joins_the_librarys_edition_when_it_stands_on_it(world: World) -> None:
    asked = Wanted(title="Blue Monday", artist="New Order", album=ALBUM.title, source="deezer")
    world.house["New Order", ALBUM.title] = Standing(ALBUM.title, "New Order", REISSUE.id, 1)
    assert world.identify(asked).metadata.release_mbid == REISSUE.id
    world.house["New Order", ALBUM.title] = Standing(ALBUM.title, "New Order", CONCERT.id, 1)
    assert world.identify(asked).metadata.release_mbid == ALBUM.id, "it is not on that one"


def test_a_track_that_musicbrainz_cannot_place_joins_the_album_that_its_catalogue_names(world: World) -> None:
    world.house["New Order", "Singles"] = Standing("Singles", "New Order", mbid("singles"), 9)
    asked = Wanted(title="Blue Monday", artist="New Order", album="Singles", source="deezer")
    assert world.identify(asked).metadata.release_mbid == mbid("singles")
    world.musicbrainz.always(Reply(500))
    assert world.identify(asked).metadata.release_mbid == mbid("singles")
    page = Wanted(title="Blue Monday", artist="New Order", album="Singles", source="youtube")
    assert world.identify(page).metadata.release_mbid is None, "a page's word is not enough"


# ---- doubts ------------------------------------------------------------------------------------------------------


def test_a_doubtful_match_changes_nothing_and_asks_for_a_look(world: World) -> None:
    found = world.identify(Wanted(title="Blue Monday", artist="New Order", album="Mine", source="deezer"),
                           duration_ms=520_000)
    assert found.review is not None and "New Order" in found.review and "Nothing was changed" in found.review
    assert (found.metadata.title, found.metadata.album, found.metadata.recording_mbid) == ("Blue Monday", "Mine", None)
    assert found.confidence < 0.8


def test_an_isrc_that_leads_to_another_song_is_a_doubt(world: World) -> None:
    found = world.identify(Wanted(title="Sandstorm", artist="Darude", isrc="GBAAP8300001", source="deezer"),
                           duration_ms=225_000)
    assert found.metadata.title == "Sandstorm" and found.metadata.recording_mbid is None


def test_what_a_catalogue_names_and_musicbrainz_does_not_know_needs_no_look(world: World) -> None:
    found = world.identify(Wanted(title="Brand New", artist="Unheard Of", source="deezer"))
    assert found.review is None and found.metadata.artist == "Unheard Of" and 0 < found.confidence < 0.8


def test_a_file_that_nobody_can_name_is_for_a_person_to_look_at(world: World) -> None:
    found = world.identify(Wanted(title="untitled", source="direct"))
    assert found.review is not None and found.metadata.title == "untitled"


# ---- what it sounds like -----------------------------------------------------------------------------------------


def test_the_sound_settles_a_doubt(world: World) -> None:
    world.fpcalc = make_fpcalc(world.folder)
    world.acoustid.known.append(Sounding(FINGERPRINT, SONG.id, "Blue Monday", "New Order"))
    found = world.identify(Wanted(title="Blue Monday", artist="New Order", source="deezer"), duration_ms=520_000)
    assert found.review is None and found.metadata.recording_mbid == SONG.id
    assert found.sources["musicbrainz"]["by"] == "fingerprint" and found.sources["acoustid"]


def test_the_sound_names_what_has_no_name(world: World) -> None:
    world.fpcalc = make_fpcalc(world.folder)
    world.acoustid.known.append(Sounding(FINGERPRINT, SONG.id, "Blue Monday", "New Order"))
    found = world.identify(Wanted(title="rip 03", source="direct"))
    assert found.metadata.title == "Blue Monday" and found.metadata.album == "Power, Corruption & Lies"


def test_another_sound_than_the_names_say_is_for_a_person_to_look_at(world: World) -> None:
    world.fpcalc = make_fpcalc(world.folder)
    world.acoustid.known.append(Sounding(FINGERPRINT, mbid("other"), "Sandstorm", "Darude"))
    found = world.identify(Wanted(title="Blue Monday", artist="New Order", source="words"), duration_ms=520_000)
    assert found.review is not None and "Sandstorm" in found.review and found.metadata.recording_mbid is None


@pytest.mark.parametrize("body", [
    "sys.exit(2)", "print('no json')", "print('[]')", "print(json.dumps({'duration': 'x'}))"])
def test_an_fpcalc_that_cannot_read_the_file_settles_nothing(world: World, body: str) -> None:
    world.fpcalc = make_fpcalc(world.folder, body)
    found = world.identify(Wanted(title="Blue Monday", artist="New Order", source="deezer"), duration_ms=520_000)
    assert found.review is not None and not world.acoustid.asked


def test_a_sure_match_is_not_listened_to(world: World) -> None:
    world.fpcalc = make_fpcalc(world.folder, "sys.exit(1)")
    world.identify(Wanted(title="Blue Monday", artist="New Order", source="deezer"))
    assert not world.acoustid.asked


# ---- services that are down --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Reply(500), Reply(503), Reply(200, b"garbage"), Reply(404)])
def test_without_any_service_the_file_keeps_sensible_tags(world: World, fault: Reply) -> None:
    for fake in (world.musicbrainz, world.coverart, world.lrclib):
        fake.always(fault)
    found = world.identify(Wanted(title="Blue Monday (feat. Nobody)", artist="New Order", album="Album", track_number=2,
                                  cover_url=world.coverart.url + "/x.jpg", source="deezer"))
    tags = found.metadata
    assert (tags.title, tags.artist, tags.album, tags.track_number) == (
        "Blue Monday", "New Order feat. Nobody", "Album", 2)
    assert found.cover is None and found.lyrics is None
    if fault.status != 404:
        assert found.review is not None and "MusicBrainz" in found.review and "Deezer" in found.review


def test_a_service_that_goes_away_between_two_questions_leaves_what_is_sure(world: World) -> None:
    asked = Wanted(title="Blue Monday", artist="New Order", album="Power, Corruption & Lies", source="deezer")
    answer = world.musicbrainz.answer
    world.musicbrainz.answer = lambda one: answer(one) if "query" in one.query else Reply(500)  # type: ignore[method-assign]
    found = world.identify(asked)
    assert found.metadata.recording_mbid == SONG.id and found.metadata.album == "Power, Corruption & Lies"
    assert found.review is not None and found.metadata.release_mbid is None


@pytest.mark.parametrize("after", [0, 1, 2])
def test_cancelling_ends_it_at_the_next_question(world: World, after: int) -> None:
    calls = iter(range(100))
    with pytest.raises(Cancelled):
        world.identify(Wanted(title="Blue Monday", artist="New Order", source="deezer"),
                       cancelled=lambda: next(calls) >= after)
    assert len(world.musicbrainz.asked) == after


# ---- covers and lyrics -------------------------------------------------------------------------------------------


def test_a_catalogues_own_cover_comes_first(world: World) -> None:
    world.coverart.covers |= {ALBUM.id: JPEG, "deezer": PNG}
    found = world.identify(Wanted(title="Blue Monday", artist="New Order", source="deezer",
                                  cover_url=world.coverart.url + "/download/mbid-deezer/x.png"))
    assert found.cover == PNG


def test_a_pages_picture_comes_after_the_archive(world: World) -> None:
    asked = Wanted(title="Blue Monday", artist="New Order", source="youtube",
                   cover_url=world.coverart.url + "/download/mbid-page/x.png")
    world.coverart.covers["page"] = PNG
    assert world.identify(asked).cover == PNG
    world.coverart.covers[ALBUM.id] = JPEG
    assert world.identify(asked).cover == JPEG


def test_the_groups_cover_stands_in_for_the_releases(world: World) -> None:
    world.coverart.covers[ALBUM.group_id] = JPEG
    assert world.identify(Wanted(title="Blue Monday", artist="New Order", source="deezer")).cover == JPEG


def test_an_albums_cover_is_fetched_once(world: World) -> None:
    world.coverart.covers[ALBUM.id] = JPEG
    for song, length in ((SONG, 449_000), (OPENER, 316_000)):
        found = world.identify(Wanted(title=song.title, artist="New Order", album=ALBUM.title, source="deezer"),
                               duration_ms=length)
        assert found.cover == JPEG
    assert len([one for one in world.coverart.paths if "/download/" in one]) == 1


def test_a_link_into_the_home_network_is_not_followed_for_a_cover(world: World, tmp_path: Path) -> None:
    with FakeCoverArt({"x": PNG}) as inside:
        found = world.identify(Wanted(title="Blue Monday", artist="New Order", source="deezer",
                                      cover_url=inside.url + "/download/mbid-x/x.png"))
        assert found.cover is None and not inside.asked


def test_timed_lyrics_come_with_a_sure_match(world: World) -> None:
    world.lrclib.songs.append(Song("Blue Monday", "New Order", 449.0))
    found = world.identify(Wanted(title="Blue Monday", artist="New Order", source="words"))
    assert found.lyrics is not None and found.lyrics.startswith("[00:01.00]")


def test_a_doubtful_page_gets_no_lyrics(world: World) -> None:
    world.lrclib.songs.append(Song("Blue Monday", "New Order", 520.0))
    world.identify(Wanted(title="Blue Monday", artist="New Order", source="youtube"), duration_ms=520_000)
    assert not world.lrclib.asked


def test_what_each_said_and_what_was_chosen_is_kept(world: World) -> None:
    in_file = Metadata(title="blue monday", artist="new order", comment="ripped", genres=("Pop",))
    asked = Wanted(title="Blue Monday", artist="New Order", source="deezer", source_id="77", track_number=2)
    said = world.identify(asked, in_file).sources
    json.dumps(said)
    assert said["file"]["title"] == "blue monday" and said["catalogue"]["source_id"] == "77"
    assert said["musicbrainz"]["recording"] == SONG.id and said["musicbrainz"]["release"] == ALBUM.id
    assert said["chosen"]["recording_mbid"] == {"value": SONG.id, "from": "musicbrainz"}
    assert said["chosen"]["title"] == {"value": "Blue Monday", "from": "catalogue"}


def test_with_the_stations_own_memory_nothing_is_asked_twice_and_breakers_open(world: World, tmp_path: Path) -> None:
    database = Database(tmp_path / "library.db")
    database.prepare()
    try:
        breakers = Breakers(store=StoredBreakers(database=database), row=BreakerRow)
        parts: dict[str, Any] = {"settings": world.settings, "lookups": StoredLookups(database=database),
                                 "breakers": breakers}
        asked = Wanted(title="Blue Monday", artist="New Order", album="Power, Corruption & Lies", source="deezer")
        tags = []
        for _ in range(2):
            world.made = Identifier(client=MusicBrainzClient(**parts, pace=Pace(0.0)), **parts)
            tags.append(world.identify(asked).metadata)
        assert tags[0] == tags[1] and tags[0].release_mbid == ALBUM.id
        assert len(world.musicbrainz.asked) == 3 and len(world.lrclib.asked) == 2     # get, search
        assert len(world.coverart.asked) == 4       # release and group, two sizes each: there is none

        opener = world.identify(Wanted(title="Age of Consent", artist="New Order", album="Power, Corruption & Lies",
                                       source="deezer"), duration_ms=316_000)
        assert opener.metadata.track_number == 1 and opener.sources["musicbrainz"]["by"] == "release"
        assert len(world.musicbrainz.asked) == 3

        world.musicbrainz.always(Reply(500))
        for number in range(4):
            found = world.identify(Wanted(title=f"Song {number}", artist="New Order", source="deezer"))
            assert found.review is not None
        assert len(world.musicbrainz.asked) == 3 + 3, "the fourth is not asked: the circuit is open"
        [state] = [one for one in breakers.states() if one["name"] == "musicbrainz"]
        assert state["state"] == "open" and state["failure_count"] == 3
    finally:
        database.close()
