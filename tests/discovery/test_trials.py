"""An address leads here only when the question comes in at the own door."""

from __future__ import annotations

import socket
from pathlib import Path

from shared.discovery.trials import Place, Trials
from tests.discovery.doors import door, make_certificate


def test_an_address_where_the_station_answers_leads_here() -> None:
    trials = Trials()
    with door(trials.arrived) as port:
        here, nowhere = Place(url=f"http://127.0.0.1:{port}"), Place(url="http://127.0.0.1:9")
        assert trials.run([here, nowhere]) == {here}


def test_another_station_at_the_same_address_is_not_this_one() -> None:
    mine, other = Trials(), Trials()
    with door(mine.arrived) as my_port, door(other.arrived) as other_port:
        places = [Place(url=f"http://127.0.0.1:{my_port}"), Place(url=f"http://127.0.0.1:{other_port}")]
        assert mine.run(places) == {places[0]}
        assert other.run(places) == {places[1]}


def test_an_answer_that_is_none_does_not_count() -> None:
    trials = Trials()
    with door(trials.arrived, status=421) as port:
        assert trials.run([Place(url=f"http://127.0.0.1:{port}")]) == set()


def test_a_name_is_asked_for_at_the_address_that_it_will_have() -> None:
    trials, hosts = Trials(), list[str]()
    with door(trials.arrived, hosts=hosts) as port:
        place = Place(url=f"http://soundsible.invalid:{port}", ip="127.0.0.1")
        assert trials.run([place]) == {place}
        assert hosts == [f"soundsible.invalid:{port}"]


def test_https_needs_no_trust_at_own_addresses_but_does_at_the_public_one(tmp_path: Path) -> None:
    trials = Trials()
    with door(trials.arrived, certificate=make_certificate(tmp_path)) as port:
        own = Place(url=f"https://127.0.0.1:{port}")
        public = Place(url=f"https://localhost:{port}", trusts=True)
        assert trials.run([own, public, Place(url=f"http://127.0.0.1:{port}")]) == {own}


def test_one_that_never_answers_holds_nobody_up() -> None:
    trials = Trials()
    with socket.socket() as silent, door(trials.arrived) as port:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        here, there = Place(url=f"http://127.0.0.1:{port}"), Place(url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert trials.run([there, here], within_s=0.5) == {here}


def test_words_that_nobody_sent_are_forgotten() -> None:
    trials = Trials()
    for word in (None, "", "made-up"):
        trials.arrived(word)
    assert trials.run([]) == set()
    assert trials._under_way == {}
