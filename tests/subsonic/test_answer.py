"""The envelope: XML by rule, JSON typed, JSONP only for names of functions."""

import json
from xml.etree import ElementTree

import pytest
from flask import Flask, request

from shared.subsonic import answer

NS = "{http://subsonic.org/restapi}"


def told(payload, format, callback=None):
    with Flask("t").test_request_context("/rest/x"):
        made = answer.ok(payload, request, format, callback)
        return made.get_data(), made.headers["Content-Type"]


def test_scalars_are_attributes_lists_children_and_value_the_text():
    body, kind = told({"genres": {"genre": [{"value": "Rock & Roll", "songCount": 2, "albumCount": 1}]},
                       "x": {"isrc": ["A", "B"], "isDir": False, "gain": -1.5, "nothing": None}}, "xml")
    assert kind == "text/xml; charset=utf-8"
    root = ElementTree.fromstring(body)
    assert (root.tag, root.get("status"), root.get("openSubsonic")) == (NS + "subsonic-response", "ok", "true")
    genre = root.find(f"{NS}genres/{NS}genre")
    assert (genre.text, genre.attrib) == ("Rock & Roll", {"songCount": "2", "albumCount": "1"})
    x = root.find(NS + "x")
    assert x.attrib == {"isDir": "false", "gain": "-1.5"}
    assert [one.text for one in x] == ["A", "B"]


@pytest.mark.parametrize("name", ["artistInfo", "artistInfo2", "albumInfo"])
def test_what_is_known_of_artists_and_albums_is_an_element_each(name):
    """As the protocol's schema has it: programs that read XML look for a biography and pictures nowhere else."""
    body, _ = told({name: {"biography": "", "lastFmUrl": "https://x.example/?a&b", "musicBrainzId": None,
                           "similarArtist": [{"id": "1", "name": "A"}]}}, "xml")
    info = ElementTree.fromstring(body).find(NS + name)
    assert info.attrib == {} and [one.tag.removeprefix(NS) for one in info] == [
        "biography", "lastFmUrl", "similarArtist"]
    assert info.findtext(NS + "lastFmUrl") == "https://x.example/?a&b"
    assert info.find(NS + "similarArtist").attrib == {"id": "1", "name": "A"}


def test_what_xml_cannot_say_is_left_out_and_the_rest_is_kept():
    body, _ = told({"x": {"title": 'a\x00b\ud800c"<>&\n\t'}}, "xml")
    assert ElementTree.fromstring(body).find(NS + "x").get("title") == 'abc"<>&\n\t'


def test_json_has_types_and_a_list_of_one_stays_a_list():
    body, kind = told({"x": {"a": [1], "b": True, "c": None, "d": []}}, "json")
    content = json.loads(body)["subsonic-response"]
    assert kind == "application/json"
    assert content["x"] == {"a": [1], "b": True, "d": []}
    assert (content["type"], content["version"], content["openSubsonic"]) == ("soundsible", "1.16.1", True)


def test_jsonp_calls_the_named_function():
    body, kind = told(None, "jsonp", "my.callback")
    assert kind == "application/javascript"
    assert body.startswith(b"/**/my.callback({") and body.endswith(b"});")


@pytest.mark.parametrize("name", ["alert(1)//", "a b", "", "x" * 200, "a..b", "1a", "<script>"])
def test_what_is_no_name_of_a_function_is_no_callback(name):
    assert not answer.known_callback(name)


@pytest.mark.parametrize("count", [0, 1, 500, 501, 1700])
@pytest.mark.parametrize("format", ["json", "xml"])
def test_a_list_in_pieces_is_told_as_the_list_itself(count, format):
    def make(numbers):
        assert len(numbers) <= answer.PIECE
        return [{"id": f"<{number}>", "odd": number % 2 == 1, "none": None, "genres": [{"name": "a&b"}]}
                for number in numbers]

    whole = told({"x": {"song": make_all(make, count), "after": 1}}, format)
    assert told({"x": {"song": answer.Pieces(make, range(count)), "after": 1}}, format) == whole
    assert told({"x": {"song": answer.listed(make, range(count)), "after": 1}}, format) == whole


@pytest.mark.parametrize("counts", [(0, 0, 501), (1, 600, 0), (501, 1, 1), (0, 501, 700), (2, 3, 4)])
@pytest.mark.parametrize("format", ["json", "xml"])
def test_lists_in_pieces_behind_others_are_one_list(counts, format):
    def make(numbers):
        assert len(numbers) <= answer.PIECE
        return [{"id": f"ü{number}"} for number in numbers]

    def become(one):
        return {**one, "more": True}

    begun, first, second = range(counts[0]), range(1000, 1000 + counts[1]), range(9000, 9000 + counts[2])
    together = answer.listed(make, second, answer.listed(make, first, make_all(make, counts[0])))
    entries = [{"id": f"ü{number}"} for number in (*begun, *first, *second)]
    assert told({"x": {"song": together}}, format) == told({"x": {"song": entries}}, format)
    if isinstance(together, answer.Pieces):
        assert told({"x": {"song": together.each(become)}}, format) == told(
            {"x": {"song": [become(one) for one in entries]}}, format)


def make_all(make, count):
    return [one for number in range(count) for one in make([number])]


def test_a_thing_that_json_does_not_know_is_no_answer():
    with pytest.raises(NotImplementedError):
        told({"x": object()}, "json")
