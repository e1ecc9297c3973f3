"""Who is let in: counted by kind and household, and always let out again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.serving.admission import (
    PLACE,
    Admission,
    Doorkeeper,
    Place,
    Room,
    Rooms,
    household,
    kind_of,
    room_of,
    rooms_for,
)

SMALL = Rooms(
    stream=Room(4, 2), socket=Room(2, 1), quick=Room(3, 2), together=5,
    login=Room(2, 1), body=Room(1, 1), outside=Room(2, 1), stranger=Room(1, 1),
    shared=Room(2, 1),
)
KINDS = ("stream", "socket", "quick", "login", "body", "outside", "stranger", "shared")


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/api/stream/abc", "stream"),
        ("GET", "/rest/stream.view", "stream"),
        ("GET", "/api/episodes/e1/stream", "stream"),
        ("GET", "/api/radios/r1/stream", "stream"),
        ("GET", "/api/radios/r1/now", "quick"),
        ("GET", "/share/abc/stream/0", "shared"),
        ("HEAD", "/share/abc/stream/0", "quick"),
        ("GET", "/share/abc/about", "quick"),
        ("HEAD", "/api/stream/abc", "quick"),
        ("GET", "/socket.io/", "socket"),
        ("GET", "/api/downloads/manager/events", "socket"),
        ("GET", "/api/health", "quick"),
        ("GET", "/api/streams", "quick"),
        ("POST", "/api/session", "login"),
        ("POST", "/api/session/", "login"),
        ("POST", "/api/setup", "login"),
        ("GET", "/api/session", "quick"),
        ("DELETE", "/api/session", "quick"),
        ("", "", "quick"),
        ("GET", "/api/acquire/resolve", "outside"),
        ("GET", "/api/acquire/cover", "outside"),
        ("GET", "/api/acquire/preview", "stream"),
        ("POST", "/api/downloads/album", "outside"),
        ("POST", "/api/watches", "outside"),
        ("POST", "/api/watches/w1/check", "outside"),
        ("GET", "/api/stations", "quick"),
        ("POST", "/api/stations", "outside"),
        ("POST", "/api/stations/offer", "outside"),
        ("POST", "/api/stations/s1/copy", "outside"),
        ("GET", "/api/stations/s1/library", "outside"),
        ("DELETE", "/api/stations/s1", "outside"),
        ("GET", "/login/ways", "quick"),
        ("GET", "/login/oidc", "outside"),
        ("GET", "/login/oidc/callback", "outside"),
        ("POST", "/api/me/identity", "outside"),
        ("GET", "/api/watches", "quick"),
        ("POST", "/api/downloads", "quick"),
    ],
)
def test_the_first_line_tells_how_long_a_request_stays(method, path, kind):
    assert kind_of(method, path) == kind


def test_who_brings_no_login_is_a_stranger_and_long_bodies_are_apart():
    assert kind_of("GET", "/socket.io/", claims=False) == "stranger"
    assert kind_of("GET", "/api/health", claims=False) == "quick"
    assert kind_of("POST", "/api/library/playlists", long_body=True) == "body"


def test_who_listens_by_a_link_has_a_corner_and_leaves_the_house_its_room():
    admission = Admission(rooms=SMALL)
    assert [admission.enter("shared", f"203.0.113.{n}") for n in (1, 1, 2, 3)] == [True, False, True, False]
    assert admission.enter("stream", "192.168.1.5") and admission.enter("stream", "192.168.1.6")
    assert admission.inside("stream") == 4
    admission.leave("shared", "203.0.113.1")
    assert admission.enter("shared", "203.0.113.9")


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
    assert rooms.login.total + rooms.body.total + rooms.outside.total < rooms.quick.total
    assert 2 <= rooms.stranger.per_household < rooms.stranger.total < rooms.socket.total


def test_the_default_carries_three_hundred_paused_players():
    assert rooms_for(400).stream.total >= 300


def test_streams_and_sockets_share_their_places_and_leave_the_quick_ones_alone():
    admission = Admission(rooms=SMALL)
    assert all(admission.enter("stream", f"10.0.0.{n}") for n in range(4))
    assert admission.enter("socket", "10.0.0.1")
    assert not admission.enter("socket", "10.0.0.2"), "one room has a place, but together they are full"
    assert admission.enter("quick", "10.0.0.3")


def test_a_corner_full_of_logins_leaves_room_for_quick_answers():
    admission = Admission(rooms=SMALL)
    assert [admission.enter("login", f"10.0.0.{n}") for n in range(3)] == [True, True, False]
    assert admission.full("login") and not admission.full("quick")
    assert admission.enter("quick", "10.0.0.9")
    assert not admission.enter("quick", "10.0.0.8"), "the logins hold places of the room"


def test_hosts_outside_that_hang_leave_room_for_quick_answers():
    admission = Admission(rooms=SMALL)
    assert [admission.enter("outside", f"10.0.0.{n}") for n in range(3)] == [True, True, False]
    assert admission.enter("quick", "10.0.0.9")


def test_a_stranger_who_logs_in_makes_room_for_the_next():
    admission = Admission(rooms=SMALL)
    assert admission.enter("stranger", "10.0.0.1")
    first = Place(admission, "stranger", "10.0.0.1")
    assert not admission.enter("stranger", "10.0.0.2")
    first.known()
    first.known()
    assert first.kind == "socket" and admission.enter("stranger", "10.0.0.2")
    assert (admission.inside("socket"), admission.inside("stranger")) == (2, 1)
    first.leave()
    first.leave()
    first.known()
    assert (admission.inside("socket"), admission.inside("stranger")) == (1, 1)


def test_what_only_looked_like_a_login_goes_to_the_strangers_or_away():
    admission = Admission(rooms=SMALL)
    places = []
    for n in (1, 2):
        assert admission.enter("socket", f"10.0.0.{n}")
        places.append(Place(admission, "socket", f"10.0.0.{n}"))
    assert [place.unknown() for place in places] == [True, False]
    assert places[0].unknown(), "it is there already"
    for place in places:
        place.leave()
    assert (admission.inside("socket"), admission.inside("stranger")) == (0, 0)


addresses = st.sampled_from(["10.0.0.1", "10.0.0.2", "::1"])
visits = st.lists(st.tuples(st.sampled_from(KINDS), addresses))


@given(visits)
def test_who_was_let_in_and_leaves_gives_the_place_back(wanted):
    admission = Admission(rooms=SMALL)
    inside = [visit for visit in wanted if admission.enter(*visit)]
    for kind, room in (("stream", SMALL.stream), ("socket", SMALL.socket), ("quick", SMALL.quick)):
        assert admission.inside(kind) == sum(1 for visit in inside if room_of(visit[0]) == kind) <= room.total
    for visit in inside:
        admission.leave(*visit)
    assert [admission.inside(kind) for kind in KINDS] == [0] * len(KINDS)
    assert admission.enter("socket", "10.0.0.1")


def ask(door, **more):
    statuses = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/socket.io/", "REMOTE_ADDR": "10.0.0.1", **more}
    return door(environ, lambda status, headers: statuses.append((status, dict(headers)))), statuses


def test_a_stranger_waits_a_while_for_a_place():
    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            admission.leave("stranger", "10.0.0.1")

    pauses = []
    admission = Admission(rooms=SMALL)
    assert admission.enter("stranger", "10.0.0.1")
    door = Doorkeeper(lambda environ, start_response: [], admission=admission, pause=pause)
    ask(door)
    assert len(pauses) == 3


def test_the_place_is_held_until_the_answer_is_closed():
    def app(environ, start_response):
        start_response("200 OK", [])
        return iter([b"a", b"b"])

    admission = Admission(rooms=SMALL)
    door = Doorkeeper(app, admission=admission)
    body, statuses = ask(door, HTTP_COOKIE="a=b")
    assert statuses[0][0] == "200 OK" and list(body) == [b"a", b"b"]
    refused, statuses = ask(door, HTTP_COOKIE="a=b")
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
        ask(Doorkeeper(app, admission=admission), HTTP_COOKIE="a=b")
    assert admission.inside("socket") == 0


@pytest.mark.parametrize(("more", "kind"), [
    ({}, "stranger"),
    ({"HTTP_COOKIE": "a=b"}, "socket"),
    ({"HTTP_AUTHORIZATION": "Bearer x"}, "socket"),
    ({"QUERY_STRING": "EIO=4&sid=x"}, "socket"),
    ({"PATH_INFO": "/api/session", "REQUEST_METHOD": "POST", "CONTENT_LENGTH": "10"}, "login"),
    ({"PATH_INFO": "/api/x", "CONTENT_LENGTH": "65537"}, "body"),
    ({"PATH_INFO": "/api/x", "CONTENT_LENGTH": "65536"}, "quick"),
    ({"PATH_INFO": "/api/x", "HTTP_TRANSFER_ENCODING": "chunked"}, "body"),
])
def test_the_door_finds_the_kind_and_the_application_the_place(more, kind):
    def app(environ, start_response):
        kinds.append(environ[PLACE].kind)
        return []

    kinds = []
    ask(Doorkeeper(app, admission=Admission(rooms=SMALL)), **more)
    assert kinds == [kind]
