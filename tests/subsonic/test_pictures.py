"""Links to pictures that need no login: each shows one picture in one size, and nothing else."""

from __future__ import annotations

import io
import os
from urllib.parse import urlsplit

import pytest
from PIL import Image

from shared.subsonic.pictures import KEY_FILE, PATH, Pictures


def made_of(house, folder=None):
    return Pictures(covers=house.station.covers, people=house.station.people,
                    folder=folder or house.station.settings.config_dir)


@pytest.fixture(scope="module")
def pictures(house):
    return made_of(house)


@pytest.fixture(scope="module")
def link(house, pictures):
    with house.app.test_request_context("/rest/getArtistInfo2", base_url="https://music.example:8443"):
        return pictures.url(house.artist("Björk"), 300, person=house.person())


def asked(house, path):
    return house.app.test_client(use_cookies=False).get(path)


def test_a_link_shows_its_picture_to_who_has_it(house, link):
    found = urlsplit(link)
    assert (found.scheme, found.netloc, found.query) == ("https", "music.example:8443", "")
    answer = asked(house, found.path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(answer.data)).size == (300, 300)
    webp = house.app.test_client(use_cookies=False).get(found.path, headers={"Accept": "image/webp"})
    assert webp.headers["Content-Type"] == "image/webp"
    assert answer.headers["Cache-Control"] == "private, max-age=86400"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_a_link_shows_no_other_picture_and_no_other_size(house, link):
    _, _, _, uid, size, signature = urlsplit(link).path.split("/")
    for other in (f"{house.album('Début')}/{size}/{signature}", f"{uid}/1200/{signature}", f"{uid}/301/{signature}",
                  f"{uid}/{size}/{signature[:-2]}AA", f"{uid}/{size}/x", f"{uid}/{size}/é", f"{uid}/-5/{signature}",
                  f"..%2f{uid}/{size}/{signature}"):
        answer = asked(house, f"{PATH}/{other}")
        assert answer.status_code == 404 and answer.headers["Content-Type"] == "application/json", other


def test_a_size_is_one_of_those_that_are_drawn(house, pictures):
    with house.app.test_request_context("/"):
        assert pictures.url("abc", 10**9, person=house.person()).split("/")[-2] == "1200"
        assert pictures.url("abc", 1, person=house.person()).split("/")[-2] == "64"


def test_what_has_no_picture_is_404_behind_a_right_link(house, pictures):
    with house.app.test_request_context("/"):
        path = urlsplit(pictures.url(house.album("Two Sides"), 300, person=house.person())).path
    assert asked(house, path).status_code == 404


def test_links_outlive_the_process_and_end_with_their_key(house, pictures, link, tmp_path):
    file = house.station.settings.config_dir / KEY_FILE
    assert file.stat().st_mode & 0o777 == 0o600 or os.name == "nt"
    with house.app.test_request_context("/", base_url="https://music.example:8443"):
        again = made_of(house, file.parent)
        assert again.url(house.artist("Björk"), 300, person=house.person()) == link
        elsewhere = made_of(house, tmp_path)
        assert elsewhere.url(house.artist("Björk"), 300, person=house.person()) != link
        (tmp_path / KEY_FILE).write_bytes(b"damaged")
        assert made_of(house, tmp_path).url("x", 64, person=house.person())
