"""Soulseek through slskd: what is found, and how a file gets from somebody's collection into the staging folder."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from odst.matching import rank
from odst.providers import soulseek
from odst.providers.soulseek import Pace, Soulseek
from odst.slskd import Slskd
from shared.model.download import Cancelled, Candidate, Failure, Options, Progress, Wanted
from shared.settings import Settings
from tests.fakes.slskd import FakeSlskd, Peer

QUICK = Pace(
    between_searches=0.0,
    many_searches=10_000,
    search=1.0,
    search_at_most=2.0,
    look=0.02,
    queued=0.3,
    stalled=0.3,
    settle=0.5,
    moved=0.3,
    vanished=0.15,
    cancelled=1.0,
    away=0.4,
)
WONDERWALL = Wanted(artist="Oasis", title="Wonderwall", duration_ms=258_000, album="Morning Glory")
SONG = "@@a\\Music\\Oasis\\Morning Glory\\03 - Wonderwall.flac"
BYTES = bytes(range(256)) * 400
LIMIT = 10**9


class Bench:
    """ports.Fetching, as the engine makes it."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.folder = folder
        self.options = Options()
        self.limit_bytes = more.get("limit_bytes", LIMIT)
        self.limit_s = more.get("limit_s", 60.0)
        self.cancel_when = more.get("cancel_when")
        self.reports: list[Progress] = []
        self.lines: list[str] = []

    def report(self, progress: Progress) -> None:
        self.reports.append(progress)
        if self.cancelled():
            raise Cancelled

    def log(self, level: str, message: str) -> None:
        self.lines.append(message)

    def rate(self) -> float | None:
        return None

    def cancelled(self) -> bool:
        return bool(self.cancel_when and self.cancel_when(self))


class House:
    """A fake slskd with people, and the provider that asks it."""

    def __init__(self, base: Path, fake: FakeSlskd) -> None:
        self.base, self.fake = base, fake
        self.staging = base / "staging"
        self.staging.mkdir()

    def provider(self, pace: Pace = QUICK, **settings: Any) -> Soulseek:
        return Soulseek(
            slskd=Slskd(url=self.fake.url, api_key=self.fake.api_key),
            settings=Settings(slskd_url=self.fake.url, slskd_api_key=self.fake.api_key, **settings),
            pace=pace,
        )

    def candidate(self, username: str = "ann", filename: str = SONG, size: int = len(BYTES)) -> Candidate:
        return Candidate(
            provider="soulseek",
            title="Wonderwall",
            artist="Oasis",
            album="Morning Glory",
            format="flac",
            size_bytes=size,
            extra={"bit_depth": 16, "sample_rate_hz": 44100, "track_number": 3},
            locator={"key": f"{username}/{filename}", "username": username, "filename": filename, "size": size},
        )

    def left(self) -> list[str]:
        return sorted(it.name for it in self.staging.iterdir())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with FakeSlskd(tmp_path / "slskd", library={"ann": {SONG: BYTES}}) as fake:
        yield House(tmp_path, fake)


# ---- find --------------------------------------------------------------------------------------------------------


def test_what_people_share_becomes_candidates(house: House) -> None:
    other = "Oasis - Morning Glory (1995)\\03. Wonderwall.mp3"
    house.fake.peers = {
        "ann": Peer(
            files={SONG: BYTES, "@@a\\Music\\Oasis\\Morning Glory\\02 - Roll with It.flac": b"x", SONG + ".jpg": b"x"},
            locked={"secret\\Oasis - Wonderwall.flac": b"x"},
            facts={SONG: {"length": 258, "bitDepth": 16, "sampleRate": 44100}},
            upload_speed=5_000_000,
        ),
        "bob": Peer(
            files={other: b"y" * 5000}, facts={other: {"length": 259, "bitRate": 320}}, free_slot=False, queue_length=40
        ),
    }
    found = house.provider().find(WONDERWALL, Options(), limit=10)

    assert [it.locator["username"] for it in found] == ["ann", "bob"]
    best = found[0]
    assert (best.title, best.artist, best.album, best.format) == ("Wonderwall", "Oasis", "Morning Glory", "flac")
    assert (best.duration_ms, best.size_bytes) == (258_000, len(BYTES))
    assert best.extra["upload_kbps"] == 40_000 and best.extra["free_slot"] is True
    assert (found[1].format, found[1].bitrate_kbps, found[1].extra["queue_length"]) == ("mp3", 320, 40)
    assert best.score == 0 and best.rejected is None  # scoring is the engine's
    assert all(it.rejected is None for it in rank(WONDERWALL, found, Options()))
    assert house.fake.searches == {}  # deleted behind it


def test_a_search_that_has_found_enough_is_stopped_early(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soulseek, "ENOUGH_FILES", 1)
    house.fake.search_s = 3600

    assert len(house.provider().find(WONDERWALL, Options(), limit=5)) == 1
    assert house.fake.asked("PUT", "/searches/")


def test_a_search_that_never_ends_is_stopped_and_what_came_is_used(house: House) -> None:
    house.fake.search_s = 3600

    assert (
        len(house.provider(Pace(**{**pace_of(QUICK), "search_at_most": 0.2})).find(WONDERWALL, Options(), limit=5)) == 1
    )
    assert house.fake.searches == {}


def pace_of(pace: Pace) -> dict[str, Any]:
    return {name: getattr(pace, name) for name in pace.__dataclass_fields__}


def test_accents_are_asked_for_as_they_are_written_and_then_without(house: House) -> None:
    plain = "Sigur Ros\\Takk\\03 Hoppipolla.flac"
    house.fake.peers["ann"] = Peer(files={plain: b"x" * 100})
    found = house.provider().find(Wanted(artist="Sigur Rós", title="Hoppípolla"), Options(), limit=5)

    assert [it.locator["filename"] for it in found] == [plain]
    assert [body["searchText"] for body in house.fake.asked("POST", "/searches")] == [
        "sigur rós hoppípolla",
        "sigur ros hoppipolla",
    ]


def test_the_second_search_is_spared_when_the_first_found_it(house: House) -> None:
    remix = "Gala\\Freed from Desire (Mr. Belt Remix).mp3"
    house.fake.peers["ann"] = Peer(files={remix: b"x" * 100})
    found = house.provider().find(Wanted(artist="Gala", title="Freed from Desire (Mr. Belt Remix)"), Options(), limit=5)

    assert len(found) == 1
    assert len(house.fake.asked("POST", "/searches")) == 1


def test_one_person_does_not_fill_the_whole_list(house: House) -> None:
    house.fake.peers = {
        "ann": Peer(files={f"Oasis\\{n}\\Wonderwall.flac": b"x" * 100 for n in range(30)}),
        "bob": Peer(files={"Oasis\\Wonderwall.mp3": b"x" * 100}),
    }
    found = house.provider().find(WONDERWALL, Options(), limit=10)

    assert [it.locator["username"] for it in found].count("ann") == 3
    assert "bob" in [it.locator["username"] for it in found]


def test_nobody_has_it(house: House) -> None:
    assert house.provider().find(Wanted(artist="Nobody", title="Nothing"), Options(), limit=5) == []


def test_a_person_whose_name_would_lead_elsewhere_is_passed_over(house: House) -> None:
    house.fake.peers = {"..": Peer(files={SONG: BYTES}), ".": Peer(files={SONG: BYTES})}

    assert house.provider().find(WONDERWALL, Options(), limit=5) == []


def test_files_that_are_too_large_or_empty_are_passed_over(house: House) -> None:
    house.fake.peers["ann"] = Peer(files={SONG: BYTES, "b\\Oasis\\Wonderwall.mp3": b""}, sizes={SONG: 5 * 10**9})

    assert house.provider().find(WONDERWALL, Options(), limit=5) == []


def test_garbage_among_the_responses_does_no_harm(house: House) -> None:
    rows = (
        b'[null, 3, {"username": 7}, {"username": "x", "files": 3}, {"username": "y", "files": [null, {"filename": 3},'
        b'{"filename": "Oasis - Wonderwall.flac", "size": "big", "length": -5}, {"filename": "Oasis/Wonderwall.mp3",'
        b'"size": 1e3, "length": 1e99, "bitRate": true}]}]'
    )
    house.fake.answers.append(("GET", "includeResponses=true", 200, b'{"responses": %s}' % rows))
    (found,) = house.provider().find(WONDERWALL, Options(), limit=5)

    assert (found.size_bytes, found.duration_ms, found.bitrate_kbps) == (1000, None, None)


def test_searches_of_several_downloads_go_one_by_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soulseek, "_GATE", soulseek._Gate())
    under_way: list[int] = []
    start = Slskd.start_search

    def starts(self: Slskd, *args: Any, **more: Any) -> str:
        under_way.append(len(house.fake.searches))
        return start(self, *args, **more)

    monkeypatch.setattr(Slskd, "start_search", starts)
    provider = house.provider()
    threads = [
        threading.Thread(target=provider.find, args=(WONDERWALL, Options()), kwargs={"limit": 5}) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert under_way == [0, 0, 0, 0]


def test_searches_are_some_seconds_apart_and_few_in_some_minutes() -> None:
    now = 1000.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    gate = soulseek._Gate(clock=lambda: now, sleep=sleep)
    begun = []
    for _ in range(60):
        with gate.turn(Pace(between_searches=2.5, many_searches=30, many_within=220)):
            begun.append(now)

    apart = [later - sooner for sooner, later in pairwise(begun)]
    assert apart[:9] == [2.5] * 9
    assert 7 < max(apart) < 60
    assert all(sum(at <= one < at + 220 for one in begun) <= 30 for at in begun)


def test_who_would_wait_too_long_for_the_turn_is_told_to_come_again() -> None:
    gate = soulseek._Gate()
    with gate.turn(QUICK), pytest.raises(Failure) as caught, gate.turn(Pace(turn=0.05)):
        pass

    assert (caught.value.code, caught.value.service_fault) == ("rate_limited", False)
    with gate.turn(QUICK):
        pass


def test_while_another_search_is_being_posted_it_waits(house: House) -> None:
    house.fake.answers.append(("POST", "/searches", 429, b'"Only one concurrent operation is permitted"'))

    assert len(house.provider().find(WONDERWALL, Options(), limit=5)) == 1


def test_a_daemon_that_is_logged_out_is_a_fault_of_the_service(house: House) -> None:
    house.fake.logged_in = False
    with pytest.raises(Failure) as caught:
        house.provider().find(WONDERWALL, Options(), limit=5)

    assert caught.value.service_fault


# ---- fetch -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.26.1", "0.24.4"])
def test_a_file_gets_into_the_staging_folder_and_off_the_list(house: House, version: str) -> None:
    house.fake.version = version
    house.fake.peers["ann"].transfer_s = 0.15
    bench = Bench(house.staging)
    fetched = house.provider(slskd_downloads=house.fake.downloads).fetch(house.candidate(), bench)

    assert Path(fetched.path) == house.staging / "soulseek.flac"
    assert Path(fetched.path).read_bytes() == BYTES
    assert fetched.format_note == "flac 44.1 kHz 16 bit"
    assert (fetched.said.title, fetched.said.source, fetched.said.track_number) == ("Wonderwall", "soulseek", 3)
    assert bench.reports[-1] == Progress(bytes=len(BYTES), total_bytes=len(BYTES))
    assert any(0 < it.bytes < len(BYTES) for it in bench.reports)
    assert house.fake.shown("ann") == []
    assert list(house.fake.downloads.rglob("*.flac")) == []  # it was put there for this download
    assert house.fake.downloads.is_dir()


def test_in_a_container_slskd_names_its_folder_otherwise(house: House) -> None:
    house.fake.shown_downloads = "/app/downloads"
    house.fake.version = "0.24.4"
    fetched = house.provider(slskd_downloads=house.fake.downloads).fetch(house.candidate(), Bench(house.staging))

    assert Path(fetched.path).read_bytes() == BYTES


def test_a_file_that_was_renamed_on_arrival_is_found_by_its_event(house: House) -> None:
    house.fake.version = "0.24.4"
    there = house.fake.downloads / "Morning Glory" / "03 - Wonderwall.flac"
    there.parent.mkdir()
    there.write_bytes(b"another one of the same name" * 2)
    fetched = house.provider(slskd_downloads=house.fake.downloads).fetch(house.candidate(), Bench(house.staging))

    assert Path(fetched.path).read_bytes() == BYTES
    assert there.exists()


def test_without_an_event_the_file_is_found_by_name_and_exact_size(house: House) -> None:
    house.fake.telling_events = False
    decoy = house.fake.downloads / "A" / "03 - Wonderwall.flac"
    decoy.parent.mkdir()
    decoy.write_bytes(b"of another size")
    fetched = house.provider(slskd_downloads=house.fake.downloads).fetch(house.candidate(), Bench(house.staging))

    assert Path(fetched.path).read_bytes() == BYTES
    assert decoy.exists()


def test_a_file_that_this_machine_does_not_see_says_what_to_set(house: House) -> None:
    house.fake.shown_downloads = "/somewhere/else"
    with pytest.raises(Failure) as caught:
        house.provider().fetch(house.candidate(), Bench(house.staging))

    assert caught.value.code == "not_configured"
    assert "SOUNDSIBLE_SLSKD_DOWNLOADS" in caught.value.message and "/somewhere/else" in caught.value.message


def test_an_event_cannot_lead_out_of_the_download_folder(house: House, tmp_path: Path) -> None:
    secret = tmp_path / "secret.flac"
    secret.write_bytes(b"s" * len(BYTES))
    link = house.fake.downloads / "elsewhere"
    link.symlink_to(tmp_path)
    for named in (secret, house.fake.downloads / ".." / ".." / "secret.flac", link / "secret.flac"):
        told = {
            "type": "DownloadFileComplete",
            "data": json.dumps({"localFilename": str(named), "remoteFilename": SONG, "transfer": {"username": "ann"}}),
        }
        house.fake.telling_events = False
        house.fake.events = [told]
        house.fake.peers["ann"].ends = "Succeeded"
        fetched = house.provider(slskd_downloads=house.fake.downloads).fetch(house.candidate(), Bench(house.staging))
        assert Path(fetched.path).read_bytes() == BYTES  # found by its name, not by that event
    assert secret.exists()


def test_a_persons_own_download_is_used_and_left_alone(house: House) -> None:
    slskd = Slskd(url=house.fake.url, api_key=house.fake.api_key)
    slskd.enqueue("ann", SONG, len(BYTES))
    fetched = house.provider(slskd_downloads=house.fake.downloads).fetch(house.candidate(), Bench(house.staging))

    assert Path(fetched.path).read_bytes() == BYTES
    assert len(house.fake.asked("POST", "/transfers")) == 1
    assert len(house.fake.shown("ann")) == 1
    assert len(list(house.fake.downloads.rglob("*.flac"))) == 1


def test_a_restart_of_slskd_gives_the_transfer_another_id_and_it_is_followed_all_the_same(house: House) -> None:
    house.fake.peers["ann"].transfer_s = 0.3
    restarted: list[float] = []

    def restart_once(bench: Bench) -> bool:
        if not restarted and any(it.bytes for it in bench.reports):
            restarted.append(0)
            house.fake.restart()
        return False

    fetched = house.provider(slskd_downloads=house.fake.downloads).fetch(
        house.candidate(), Bench(house.staging, cancel_when=restart_once)
    )

    assert restarted
    assert Path(fetched.path).read_bytes() == BYTES
    assert len(house.fake.asked("POST", "/transfers")) == 1


def test_slskd_being_away_for_a_moment_does_not_end_the_transfer(house: House) -> None:
    house.fake.peers["ann"].transfer_s = 0.1
    house.fake.answers += [("GET", "/transfers/downloads/ann/", 503, b"")] * 3
    fetched = house.provider().fetch(house.candidate(), Bench(house.staging))

    assert Path(fetched.path).read_bytes() == BYTES


def test_after_a_crash_of_ours_the_same_transfer_is_followed_on(house: House) -> None:
    house.fake.peers["ann"].transfer_s = 0.4

    class Crash(Exception):
        pass

    def crash(bench: Bench) -> bool:
        if any(it.bytes for it in bench.reports):
            raise Crash
        return False

    with pytest.raises(Crash):
        house.provider().fetch(house.candidate(), Bench(house.staging, cancel_when=crash))
    fetched = house.provider(slskd_downloads=house.fake.downloads).fetch(house.candidate(), Bench(house.staging))

    assert Path(fetched.path).read_bytes() == BYTES
    assert len(house.fake.asked("POST", "/transfers")) == 1
    assert house.fake.shown("ann") == []


def test_a_path_of_slskds_that_climbs_is_not_believed(house: House) -> None:
    """What is copied is removed where it was, when it lay in a folder of ours: not what a path leads to from there."""
    precious = house.fake.downloads / "precious.flac"
    precious.write_bytes(BYTES)
    (house.fake.downloads / "soundsible").mkdir()
    following = soulseek._Following(
        house.provider()._slskd, house.provider()._settings, soulseek.USUAL_PACE, Bench(house.staging), "ann", "a.flac",
        len(BYTES))
    assert following._fits(precious) == precious
    assert following._fits(house.fake.downloads / "soundsible" / ".." / "precious.flac") is None


def test_what_was_copied_before_a_crash_is_not_fetched_again(house: House) -> None:
    provider = house.provider(slskd_downloads=house.fake.downloads)
    provider.fetch(house.candidate(), Bench(house.staging))
    fetched = provider.fetch(house.candidate(), Bench(house.staging))

    assert Path(fetched.path).read_bytes() == BYTES
    assert len(house.fake.asked("POST", "/transfers")) == 1


def test_the_leftovers_of_another_candidate_are_not_taken_for_this_one(house: House) -> None:
    provider = house.provider(slskd_downloads=house.fake.downloads)
    other = "b\\Oasis\\Wonderwall.flac"
    house.fake.peers["bob"] = Peer(files={other: b"z" * len(BYTES)})
    provider.fetch(house.candidate(), Bench(house.staging))
    fetched = provider.fetch(house.candidate("bob", other), Bench(house.staging))

    assert Path(fetched.path).read_bytes() == b"z" * len(BYTES)


def test_slskds_own_retries_are_waited_for(house: House) -> None:
    house.fake.peers["ann"].fails = 2
    house.fake.retry_s = 0.1
    fetched = house.provider().fetch(house.candidate(), Bench(house.staging))

    assert Path(fetched.path).read_bytes() == BYTES
    assert len(house.fake.asked("POST", "/transfers")) == 1


@pytest.mark.parametrize(
    ("peer", "code", "again"),
    [
        ({"fails": 9}, "connection_lost", True),
        ({"ends": "Rejected", "why": "File not shared."}, "removed", False),
        ({"ends": "Rejected", "why": "Too many files"}, "offline_peer", True),
        ({"ends": "Rejected"}, "no_permission", False),
        ({"ends": "TimedOut"}, "offline_peer", True),
        ({"ends": "Aborted"}, "connection_lost", True),
        ({"ends": "Cancelled"}, "no_permission", False),
        ({"queue_s": 3600, "queue_length": 80}, "offline_peer", True),
        ({"transfer_s": 0.1, "stops_at": 0.5}, "offline_peer", True),
        ({"online": False}, "offline_peer", True),
    ],
)
def test_a_transfer_that_fails_says_why_and_leaves_nothing(
    house: House, peer: dict[str, Any], code: str, again: bool
) -> None:
    for name, value in peer.items():
        setattr(house.fake.peers["ann"], name, value)
    with pytest.raises(Failure) as caught:
        house.provider().fetch(house.candidate(), Bench(house.staging))

    assert (caught.value.code, caught.value.retryable) == (code, again)
    assert not caught.value.service_fault
    assert house.fake.shown("ann") == []
    assert house.left() in ([], ["source.json"])


def test_a_queue_that_moves_on_is_waited_for(house: House) -> None:
    peer = house.fake.peers["ann"]
    peer.queue_s, peer.queue_length = 0.9, 90  # three times as long as patience

    def moves(bench: Bench) -> bool:
        peer.queue_length -= 1
        return False

    fetched = house.provider().fetch(house.candidate(), Bench(house.staging, cancel_when=moves))
    assert Path(fetched.path).read_bytes() == BYTES


def test_a_move_that_failed_is_slskds_fault_and_the_next_try_begins_anew(house: House) -> None:
    house.fake.failing_moves = "Access to the path '/downloads' is denied"
    provider = house.provider(slskd_downloads=house.fake.downloads)
    with pytest.raises(Failure) as caught:
        provider.fetch(house.candidate(), Bench(house.staging))
    assert caught.value.service_fault and "denied" in caught.value.message

    house.fake.failing_moves = None
    assert Path(provider.fetch(house.candidate(), Bench(house.staging)).path).read_bytes() == BYTES


def test_a_file_of_another_size_than_announced_is_not_taken(house: House) -> None:
    with pytest.raises(Failure) as caught:
        house.provider(slskd_downloads=house.fake.downloads).fetch(
            house.candidate(size=len(BYTES) + 5), Bench(house.staging)
        )

    assert caught.value.code == "lies_about_size" and str(len(BYTES)) in caught.value.message
    assert "soulseek.flac" not in house.left()


def test_more_than_the_limit_is_not_even_asked_for(house: House) -> None:
    with pytest.raises(Failure) as caught:
        house.provider().fetch(house.candidate(), Bench(house.staging, limit_bytes=100))

    assert caught.value.code == "too_large"
    assert house.fake.asked("POST", "/transfers") == []


@pytest.mark.parametrize("queue_s", [0.0, 3600.0])
def test_cancelling_ends_the_transfer_and_leaves_nothing(house: House, queue_s: float) -> None:
    house.fake.peers["ann"].transfer_s, house.fake.peers["ann"].queue_s = 3600, queue_s
    with pytest.raises(Cancelled):
        house.provider().fetch(
            house.candidate(), Bench(house.staging, cancel_when=lambda bench: len(bench.reports) > 2)
        )

    assert house.fake.shown("ann") == []
    assert "soulseek.flac" not in house.left()


def test_a_transfer_that_is_slow_to_end_is_swept_up_later(house: House) -> None:
    house.fake.peers["ann"].transfer_s = 3600
    house.fake.cancel_s = 0.3
    provider = house.provider(Pace(**{**pace_of(QUICK), "cancelled": 0.05}))
    with pytest.raises(Cancelled):
        provider.fetch(house.candidate(), Bench(house.staging, cancel_when=lambda bench: len(bench.reports) > 2))
    assert len(house.fake.shown("ann")) == 1

    while not house.fake.shown("ann")[0]["state"].startswith("Completed"):
        time.sleep(0.02)
    provider.find(Wanted(artist="Nobody", title="Nothing"), Options(), limit=1)
    assert house.fake.shown("ann") == []


def test_a_candidate_that_says_too_little_is_no_candidate(house: House) -> None:
    with pytest.raises(Failure) as caught:
        house.provider().fetch(
            Candidate(provider="soulseek", locator={"username": "ann"}, title="", artist=""), Bench(house.staging)
        )
    assert caught.value.code == "not_found"


def test_it_knows_no_links(house: House) -> None:
    provider = house.provider()
    assert not provider.understands("slsk://ann/file")
    with pytest.raises(Failure):
        provider.resolve("slsk://ann/file")
