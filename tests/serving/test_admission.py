"""Who is let in: counted by kind and household, and always let out again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.serving.admission import Admission, Doorkeeper, Room, Rooms, household, kind_of, rooms_for

SMALL = Rooms(stream=Room(4, 2), socket=Room(2, 1), quick=Room(3, 2), together=5)


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/api/stream/abc", "stream"),
        ("GET", "/rest/stream.view", "stream"),
        ("HEAD", "/api/stream/abc", "quick"),
        ("GET", "/socket.io/", "socket"),
        ("GET", "/api/downloads/manager/events", "socket"),
        ("GET", "/api/health", "quick"),
        ("GET", "/api/streams", "quick"),
        ("", "", "quick"),
    ],
)
def test_the_first_line_tells_how_long_a_request_stays(method, path, kind):
    assert kind_of(method, path) == kind


def test_one_household_does_not_fill_the_room():
    admission = Admission(rooms=SMALL)
    assert [admission.enter("stream", "192.168.1.5") for _ in range(3)] == [True, True, False]
    assert admission.enter("stream", "192.168.1.6")


def test_the_room_ends_for_everybody():
    admission = Admission(rooms=SMALL)
    assert [admission.enter("stream", f"192.168.1.{n}") for n in range(5)] == [True] * 4 + [False]
    assert admission.enter("quick", "192.168.1.9"), "another room has its own places"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1"])
def test_who_speaks_for_many_has_only_the_rooms_limit(address):
    admission = Admission(rooms=SMALL, exempt=["10.0.0.1"])
    assert [admission.enter("stream", address) for _ in range(5)] == [True] * 4 + [False]


def test_addresses_of_one_ipv6_network_are_one_household():
    assert household("2001:db8:1:2::5") == household("2001:db8:1:2:ffff::1") != household("2001:db8:1:3::5")
    assert household("fe80::1%eth0") == household("fe80::2")
    assert household("::ffff:192.168.1.5") == household("192.168.1.5") == "192.168.1.5"


@given(st.integers(64, 5000))
def test_every_room_has_places_and_together_they_fit_the_threads(threads):
    rooms = rooms_for(threads)
    assert rooms.threads <= threads
    for room in (rooms.stream, rooms.socket):
        assert 0 < room.per_household <= room.total < rooms.together
    assert rooms.quick.per_household * 2 >= 48 and rooms.quick.total >= 48


def test_the_default_carries_three_hundred_paused_players():
    assert rooms_for(400).stream.total >= 300


def test_streams_and_sockets_share_their_places_and_leave_the_quick_ones_alone():
    admission = Admission(rooms=SMALL)
    assert all(admission.enter("stream", f"10.0.0.{n}") for n in range(4))
    assert admission.enter("socket", "10.0.0.1")
    assert not admission.enter("socket", "10.0.0.2"), "one room has a place, but together they are full"
    assert admission.enter("quick", "10.0.0.3")


addresses = st.sampled_from(["10.0.0.1", "10.0.0.2", "::1"])
visits = st.lists(st.tuples(st.sampled_from(["stream", "socket", "quick"]), addresses))


@given(visits)
def test_who_was_let_in_and_leaves_gives_the_place_back(wanted):
    admission = Admission(rooms=SMALL)
    inside = [visit for visit in wanted if admission.enter(*visit)]
    for kind, room in (("stream", SMALL.stream), ("socket", SMALL.socket), ("quick", SMALL.quick)):
        assert admission.inside(kind) == sum(1 for visit in inside if visit[0] == kind) <= room.total
    for visit in inside:
        admission.leave(*visit)
    assert [admission.inside(kind) for kind in ("stream", "socket", "quick")] == [0, 0, 0]
    assert admission.enter("socket", "10.0.0.1")


def ask(door):
    statuses = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/socket.io/", "REMOTE_ADDR": "10.0.0.1"}
    return door(environ, lambda status, headers: statuses.append((status, dict(headers)))), statuses


def test_the_place_is_held_until_the_answer_is_closed():
    def app(environ, start_response):
        start_response("200 OK", [])
        return iter([b"a", b"b"])

    admission = Admission(rooms=SMALL)
    door = Doorkeeper(app, admission=admission)
    body, statuses = ask(door)
    assert statuses[0][0] == "200 OK" and list(body) == [b"a", b"b"]
    refused, statuses = ask(door)
    assert statuses[0][0].startswith("503") and statuses[0][1]["Retry-After"] == "5"
    assert b"overloaded" in b"".join(refused)
    body.close()
    body.close()
    assert admission.inside("socket") == 0


def test_a_failing_answer_gives_its_place_back():
    def app(environ, start_response):
        raise ValueError("broken")

    admission = Admission(rooms=SMALL)
    with pytest.raises(ValueError, match="broken"):
        ask(Doorkeeper(app, admission=admission))
    assert admission.inside("socket") == 0
