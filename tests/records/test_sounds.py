"""What is to be listened to, what came of it, and that it is known when that changed."""

from __future__ import annotations

from shared.database import Database
from shared.model.person import Person
from shared.model.sound import SIZE, VERSION
from shared.records.sounds import Coverage, Heard, Sounds
from shared.records.vectors import vectors
from shared.records.visible import Folders
from tests.records.songs import Music, metadata

SOUND = bytes(range(SIZE))


def hear(sounds: Sounds, vector: bytes | None = SOUND) -> None:
    sounds.put([Heard(one.id, one.source, vector) for one in sounds.due()])


def test_a_track_is_listened_to_once_and_again_when_its_file_changed(music: Music, database: Database) -> None:
    sounds = Sounds(database=database)
    music.album("a", "Album", "A")
    due = sounds.due()
    assert [one.file.path for one in due] == ["a/01.flac", "a/02.flac", "a/03.flac"]
    assert [one.id for one in sounds.due(after=due[0].id, limit=1)] == [due[1].id]
    hear(sounds)
    assert sounds.due() == []
    music.retag({"a/02.flac": metadata("another", "A", "Album", "A", 2)})
    assert [one.file.path for one in sounds.due()] == ["a/02.flac"]
    assert sounds.due(uid=music.uid("a/01.flac")) == []
    assert [one.file.path for one in sounds.due(uid=music.uid("a/02.flac"))] == ["a/02.flac"]


def test_a_file_that_cannot_be_listened_to_is_remembered(music: Music, database: Database) -> None:
    sounds = Sounds(database=database)
    music.album("a", "Album", "A", 4)
    hear(sounds)
    music.add("bad.flac")
    hear(sounds, None)
    assert sounds.due() == []
    assert sounds.coverage() == Coverage(tracks=5, known=4, unheard=1)
    assert dict(vectors(str(database.path), VERSION)) == {
        row[0]: SOUND for row in music.rows("SELECT track_id FROM sounds WHERE vector IS NOT NULL")}


def test_what_another_version_computed_is_computed_anew(music: Music, database: Database) -> None:
    sounds = Sounds(database=database)
    music.add("a.flac")
    hear(sounds)
    with database.transaction() as conn:
        conn.exec_driver_sql("UPDATE sounds SET version = version + 1")
    assert len(sounds.due()) == 1 and sounds.coverage().known == 0
    assert list(vectors(str(database.path), VERSION)) == []


def test_the_stamp_moves_with_every_change(music: Music, database: Database) -> None:
    sounds = Sounds(database=database)
    assert sounds.stamp() == ""
    music.add("a.flac")
    hear(sounds)
    first = sounds.stamp()
    assert first.startswith(f"{VERSION}-") and sounds.stamp() == first
    sounds.put([])
    assert sounds.stamp() == first
    sounds.put([Heard(music.one("SELECT id FROM tracks"), "1-1", SOUND)])
    assert sounds.stamp() not in ("", first)


def test_a_track_that_is_gone_meanwhile_is_left_out(music: Music, database: Database) -> None:
    sounds = Sounds(database=database)
    sounds.put([Heard(4711, "1-1", SOUND)])
    assert music.one("SELECT count(*) FROM sounds") == 0


def test_limited_people_know_the_sound_of_what_they_see(music: Music, database: Database, guest: Person,
                                                        owner: Person) -> None:
    sounds = Sounds(database=database)
    kids, adults = music.add("kids/a.flac", metadata("a")), music.add("adults/b.flac", metadata("b"))
    hear(sounds)
    limited = Person(user_id=guest.user_id, id=guest.id, username="gast", role="guest", limited=True)
    Folders(database=database).set(guest.user_id, [(music.root.id, "kids")])
    ids = sounds.known(owner, [kids, adults, "nothing"])
    assert set(ids) == {kids, adults}
    assert sounds.known(limited, [kids, adults]) == {kids: ids[kids]}
    assert sounds.uids(limited, list(ids.values())) == {ids[kids]: kids}
    assert sounds.seen(owner) is None
    seen = sounds.seen(limited)
    assert seen is not None and memoryview(seen).cast("q").tolist() == [ids[kids]]
