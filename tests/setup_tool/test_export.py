"""`export`: files that other programs read, and names that cannot climb out of the folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setup_tool.export import file_stem
from setup_tool.rooms import rooms
from shared import settings
from shared.model.person import Person
from shared.model.track import Filters
from tests.builders import make_audio
from tests.here import take_up
from tests.setup_tool.conftest import Tool

EVIL = "../../../evil\r\n#EXTINF:1,x\n/etc/passwd"


@pytest.fixture
def filled(tool: Tool, tmp_path: Path) -> Tool:
    """Three tracks; ann and bob with playlists, private ones too."""
    for number in (1, 2, 3):
        make_audio(tmp_path / "music", f"{number}.mp3", seconds=0.5, tags={
            "title": f"Süng {number}", "artist": "The Band", "album": "Album", "track_number": number})
    for name in ("ann", "bob"):
        tool("users", "add", name, "--role", "owner")
    take_up(tmp_path / "music")
    with rooms(settings.load()) as station:
        ann, bob = (Person(user_id=one.id, id=one.uid, username=one.username, role=one.role)
                    for one in station.people.users())
        ids = [track.id for track in station.tracks.list(ann, filters=Filters(), sort="title").items]
        station.playlists.make(ann, "Evening", ids, "private")
        station.playlists.make(ann, EVIL, ids[:1], "private")
        station.playlists.make(bob, "Evening", ids[::-1], "shared")
    return tool


def test_playlists_become_m3u8_with_whole_paths_in_their_order(filled: Tool, tmp_path: Path) -> None:
    target = tmp_path / "out" / "deep"
    said = filled("export", "playlists", "--to", str(target), "--user", "bob")
    assert said.code == 0 and "1 file written" in said.out
    lines = (target / "Evening.m3u8").read_text("utf-8").splitlines()
    assert lines[:3] == ["#EXTM3U", "#PLAYLIST:Evening", "#EXTINF:0,The Band - Süng 3"] or lines[2].endswith("Süng 3")
    paths = [line for line in lines if not line.startswith("#")]
    assert paths == [str(tmp_path / "music" / f"{number}.mp3") for number in (3, 2, 1)]
    assert all(Path(path).is_file() for path in paths)


def test_everybodys_playlists_go_side_by_side_and_stay_in_the_folder(filled: Tool, tmp_path: Path) -> None:
    target = tmp_path / "out"
    said = filled("export", "playlists", "--to", str(target), "--json")
    assert sorted(path.name for path in target.iterdir()) == sorted(one["name"] for one in said.document["files"])
    assert len(said.document["files"]) == 3
    evil = next(path for path in target.iterdir() if "evil" in path.name).read_text("utf-8").splitlines()
    assert len(evil) == 4 and [line for line in evil if not line.startswith("#")] == [str(tmp_path / "music" / "1.mp3")]
    assert not list(tmp_path.glob("**/evil"))


def test_the_library_becomes_json_with_the_fields_of_the_api(filled: Tool, tmp_path: Path) -> None:
    assert filled("export", "all", "--to", str(tmp_path / "out"), "--format", "json").code == 0
    library = json.loads((tmp_path / "out" / "library.json").read_text("utf-8"))
    assert [track["title"] for track in library["tracks"]] == ["Süng 1", "Süng 2", "Süng 3"]
    assert {"id", "artist", "album", "duration_ms", "path"} <= set(library["tracks"][0])
    playlist = json.loads((tmp_path / "out" / "Evening (bob).json").read_text("utf-8"))
    assert playlist["owner"] == "bob" and len(playlist["tracks"]) == 3


def test_a_dry_run_writes_nothing_and_tells_the_same(filled: Tool, tmp_path: Path) -> None:
    target = tmp_path / "out"
    would = filled("export", "all", "--to", str(target), "--dry-run", "--json").document
    assert would["dry_run"] is True and not target.exists()
    done = filled("export", "all", "--to", str(target), "--json").document
    assert would["files"] == done["files"]
    assert all((target / one["name"]).stat().st_size == one["size_bytes"] for one in done["files"])


def test_a_folder_that_cannot_be_written_is_one_sentence(filled: Tool, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    said = filled("export", "library", "--to", str(tmp_path / "file" / "below"))
    assert said.code == 1 and "--to" in said.err and said.err.count("\n") == 1


def test_an_unknown_person_is_said_to_be_so(filled: Tool, tmp_path: Path) -> None:
    said = filled("export", "playlists", "--to", str(tmp_path / "out"), "--user", "eve")
    assert said.code == 1 and "ann, bob" in said.err


@given(st.text(max_size=200))
def test_every_name_becomes_a_plain_file_name(name: str) -> None:
    stem = file_stem(name)
    assert stem and len(stem.encode("utf-8")) <= 124
    assert not set(stem) & set('/\\:*?"<>|\0\n\r') and stem[0] != "." and stem[-1] not in ". "
    assert Path(stem).name == stem


@pytest.mark.parametrize("name", ["", "..", "...", " . ", "CON", "nul.txt", "com1", "/", "\0"])
def test_names_that_systems_keep_for_themselves_are_changed(name: str) -> None:
    assert file_stem(name).startswith("_")


def test_listening_goes_out_as_a_document_and_comes_in_for_somebody_else(filled: Tool, tmp_path: Path) -> None:
    with rooms(settings.load()) as station:
        ann = next(Person(user_id=one.id, id=one.uid, username=one.username, role=one.role)
                   for one in station.people.users() if one.username == "ann")
        track = station.tracks.list(ann, filters=Filters(), sort="title").items[0]
        station.listening.rate(ann, track.id, 5)
    target = tmp_path / "out"
    said = filled("export", "listening", "--to", str(target), "--json")
    assert [one["name"] for one in said.document["files"]] == ["ann.soundsible.json", "bob.soundsible.json"]
    document = json.loads((target / "ann.soundsible.json").read_text("utf-8"))
    assert document["username"] == "ann" and len(document["playlists"]) == 2
    assert [one["rating"] for one in document["ratings"]] == [5]
    file = str(target / "ann.soundsible.json")
    would = filled("import", file, "--user", "bob", "--dry-run", "--json").document
    done = filled("import", file, "--user", "bob", "--json").document
    assert would == {**done, "dry_run": True} and done["ratings"] == 1
    assert done["playlists"] == {"made": 1, "updated": 0, "same": 1}, "bob has an Evening with the same tracks"
    again = filled("import", file, "--user", "bob", "--what", "ratings")
    assert again.code == 0 and "0 ratings" in again.out


def test_files_that_are_no_export_are_refused_in_one_sentence(filled: Tool, tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text('{"soundsible": 1, "tracks": [{"path": "/etc/passwd"}]}')
    said = filled("import", str(tmp_path / "odd.json"), "--user", "ann")
    assert said.code == 1 and "no document" in said.err and said.err.count("\n") == 1
    assert filled("import", str(tmp_path / "none.json"), "--user", "ann").code == 2
    assert filled("import", str(tmp_path / "odd.json"), "--user", "eve").code == 1
