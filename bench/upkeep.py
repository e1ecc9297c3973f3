"""Maintenance of 10,000 tracks against local stand-ins of MusicBrainz, the Cover Art Archive and Deezer: covers found
and put in, tags compared and written, all of it taken back; and whether each dry run said what was then done.

The stand-ins answer from this process, on the same machine. The public services are asked once a second instead.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import corpus
from bench.measure import Table
from tests.builders import make_audio
from tests.fakes import musicbrainz
from tests.fakes.coverart import FakeCoverArt
from tests.fakes.deezer import FakeDeezer
from tests.fakes.musicbrainz import FakeMusicBrainz, Recording, Release
from tests.upkeep.covers_house import drawn

TRACKS = 10_000
ROOT = Path(__file__).resolve().parents[1]
picture = functools.cache(drawn)


class Indexed(FakeMusicBrainz):
    """The tests' MusicBrainz with thousands of recordings: looked up, where that one goes through them all."""

    def __init__(self, releases: list[Release]) -> None:
        super().__init__(releases=releases)
        self.single = {one.id: one for one in self.releases} | {one.id: one for one in self.recordings}
        self.on: dict[str, list[Release]] = defaultdict(list)
        self.called: dict[str, dict[str, set[str]]] = {"recording": defaultdict(set), "release": defaultdict(set)}
        self.isrcs = {isrc: one for one in self.recordings for isrc in one.isrcs}
        for release in self.releases:
            for one in release.recordings:
                self.on[one.id].append(release)
                for word in musicbrainz._words(f"{one.title} {' '.join(one.artists)}"):
                    self.called["recording"][word].add(one.id)
            for word in musicbrainz._words(f"{release.title} {' '.join(release.artists)}"):
                self.called["release"][word].add(release.id)

    def _on(self, recording: Recording) -> list[Release]:
        return self.on[recording.id]

    def _single(self, entity: str, key: str) -> str | None:
        found = self.isrcs.get(key) if entity == "isrc" else self.single.get(key)
        if found is None:
            return None
        if isinstance(found, Release):
            return self._release(found, tracks=True)
        inner = self._recording(found, releases=entity == "isrc", groups=False)
        if entity == "isrc":
            return f'<isrc id="{key}"><recording-list count="1">{inner}</recording-list></isrc>'
        return inner

    def _several(self, entity: str, query: dict[str, str]) -> str | None:
        if entity == "release" and "recording" in query:
            mine = self.on[query["recording"]]
            return f'<release-list count="{len(mine)}">{"".join(map(self._release, mine))}</release-list>'
        return super()._several(entity, query)

    def _search(self, entity: str, query: str, limit: int) -> str | None:
        met: dict[str, int] = defaultdict(int)
        for clause in musicbrainz._CLAUSE.findall(query):
            for word in musicbrainz._words(clause[1] or clause[2] or clause[3]):
                for one in self.called["recording" if entity == "recording" else "release"].get(word, ()):
                    met[one] += 1
        likely = [self.single[one] for one in sorted(met, key=lambda one: -met[one])[:50]]
        some = FakeMusicBrainz()
        some.releases = [one for one in likely if isinstance(one, Release)]
        some.recordings = [one for one in likely if isinstance(one, Recording)]
        some._on = self._on     # type: ignore[method-assign]
        return some._search(entity, query, limit)


def albums(count: int) -> Iterator[Release]:
    for number in range(count):
        this: dict[str, Any] = corpus.album(number)
        songs = [Recording(title, [this["artist"]], length_ms=1000, isrcs=[f"GBAAA{number:04}{track:03}"],
                           key=f"{number}-{track}") for track, title in enumerate(this["tracks"])]
        yield Release(this["title"], [songs], [this["artist"]], date=f"{this['year']}-03-05", tags=[("rock", 3)],
                      key=str(number))


def _music(folder: Path, releases: list[Release]) -> None:
    """Of four albums one has MBIDs, one ISRCs; most have small covers, some none, some large ones."""
    shutil.rmtree(folder, ignore_errors=True)
    for number, release in enumerate(releases):
        suffix = (".mp3", ".flac", ".m4a", ".opus")[number % 4]
        size = (0, 200, 200, 200, 150, 300, 900)[number % 7]
        for track, one in enumerate(release.recordings, 1):
            tags: dict[str, Any] = {
                "title": one.title if number % 3 else one.title.lower(), "artist": release.artists[0],
                "album": release.title, "album_artist": release.artists[0], "track_number": track}
            if number % 4 == 0:
                tags |= {"recording_mbid": one.id, "release_mbid": release.id, "release_group_mbid": release.group_id}
            elif number % 4 == 1:
                tags |= {"isrc": one.isrcs[0]}
            make_audio(folder / f"{number // 100:02}" / f"{number:04}", f"{track:02}{suffix}", seconds=1.0, tags=tags,
                       picture=picture(size, number % 300) if size else None)


def run(table: Table, tracks: int = TRACKS) -> None:
    base = corpus.folder() / "upkeep"
    shutil.rmtree(base, ignore_errors=True)
    releases = list(albums(tracks // 10))
    _music(base / "music", releases)
    covers = {one.group_id: picture(1000, number % 300) for number, one in enumerate(releases) if number % 10 != 9}
    with Indexed(releases) as brainz, FakeCoverArt(covers) as archive, FakeDeezer() as deezer:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SOUNDSIBLE_")} | {
            "SOUNDSIBLE_HOME": str(base / "home"), "SOUNDSIBLE_MUSICBRAINZ_URL": brainz.url,
            "SOUNDSIBLE_COVERART_URL": archive.url, "SOUNDSIBLE_DEEZER_URL": deezer.url}

        def tool(*arguments: str) -> tuple[float, dict[str, Any]]:
            begun = time.monotonic()
            said = subprocess.run([sys.executable, "-m", "setup_tool", *arguments, "--json"], cwd=ROOT,
                                  env=environment, capture_output=True, text=True, check=True)
            return time.monotonic() - begun, json.loads(said.stdout)

        tool("scan", str(base / "music"))
        at = f"{tracks:,} tracks"
        for title, command, same in (
            ("covers", ("fix-library-covers",), ("looked", "albums", "left", "fixed", "tracks", "failed")),
            ("tags", ("refresh-metadata", "--all", "--apply"),
             ("looked", "same", "changes", "left", "failed", "changed", "fields")),
        ):
            looked_s, would = tool(*command, "--dry-run")
            wrote_s, did = tool(*command)
            agrees = all(would[name] == did[name] for name in same)
            amount = did["tracks"] if title == "covers" else did["changed"]
            table.add(f"{title}: found, nothing written", at, looked_s, "s")
            table.add(f"{title}: found and {amount:,} files written", at, wrote_s, "s",
                      aim="the dry run said so", met=agrees)
            undone_s, undone = tool(command[0], "--undo")
            table.add(f"{title}: taken back", at, undone_s, "s", aim="all of it", met=not undone["failed"])
    shutil.rmtree(base, ignore_errors=True)
