"""Signed addresses, held against boto3's and against a server that checks them."""

from __future__ import annotations

import datetime as moment
import functools
import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.cloud import Provider
from shared.storage.signing import LONGEST_S, Signer
from tests.patience import often
from tests.s3_server import server

AT = 1_795_251_870.4
PROVIDER = Provider(name="r2", kind="r2", endpoint="https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com",
                    region="auto", bucket="music", key_id="AKIAEXAMPLE", secret="a/secret+key")


@functools.cache
def boto() -> Any:
    import boto3

    return boto3.session.Session()


def stop_clock(at: float, monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.auth

    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: moment.datetime.fromtimestamp(at, moment.UTC))
    monkeypatch.setattr("shared.storage.signing.time.time", lambda: at)


def botos(provider: Provider, key: str, seconds: int, at: float, monkeypatch: pytest.MonkeyPatch) -> str:
    """What boto3 makes of the same."""
    import botocore.auth
    from botocore.config import Config

    stopped = moment.datetime.fromtimestamp(at, moment.UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: stopped)
    client = boto().client(
        "s3", endpoint_url=provider.endpoint, region_name=provider.region, aws_access_key_id=provider.key_id,
        aws_secret_access_key=provider.secret, config=Config(
            signature_version="s3v4", s3={"addressing_style": "path" if provider.path_style else "virtual"}))
    url: str = client.generate_presigned_url("get_object", Params={"Bucket": provider.bucket, "Key": key},
                                             ExpiresIn=seconds)
    return url


@pytest.mark.parametrize("provider", [
    PROVIDER,
    replace(PROVIDER, kind="s3", endpoint="https://s3.eu-central-1.amazonaws.com", region="eu-central-1",
            path_style=False),
    replace(PROVIDER, kind="b2", endpoint="https://s3.us-west-004.backblazeb2.com", region="us-west-004"),
    replace(PROVIDER, kind="other", endpoint="http://nas.local:9000", region="us-east-1"),
    replace(PROVIDER, kind="other", endpoint="https://nas.local:443", region="garage"),
], ids=lambda one: one.kind + one.endpoint[-4:])
@pytest.mark.parametrize("key", ["music/ab/abcdef.flac", "home/ü +%&?#=;,:@'()*!~/日本.mp3", "a b"])
def test_an_address_is_the_one_that_boto3_makes(provider: Provider, key: str,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = urlsplit(botos(provider, key, 900, AT, monkeypatch))
    ours = urlsplit(Signer(provider).url(key, seconds=900).url)
    assert (ours.scheme, ours.path) == (theirs.scheme, theirs.path)
    assert ours.netloc == theirs.netloc.removesuffix(":443")
    assert dict(parse_qsl(ours.query)) == dict(parse_qsl(theirs.query))


def test_an_address_says_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_clock(AT, monkeypatch)
    signed = Signer(PROVIDER).url("k", seconds=600)
    assert signed.expires_at == int(AT) + 600
    assert "X-Amz-Expires=600&" in signed.url


def test_no_address_lasts_longer_than_s3_allows() -> None:
    assert f"X-Amz-Expires={LONGEST_S}&" in Signer(PROVIDER).url("k", seconds=10**9).url


@pytest.fixture(scope="module")
def there() -> Any:
    provider = server().provider()
    server().put(provider, "x", b"0123456789")
    return provider


def test_the_server_takes_it_and_its_ranges(there: Provider) -> None:
    url = Signer(there).url("x", seconds=60).url
    assert urllib3.request("GET", url).data == b"0123456789"
    assert urllib3.request("GET", url, headers={"Range": "bytes=2-4"}).data == b"234"


def test_the_server_refuses_it_when_it_is_over_changed_or_for_another_method(there: Provider) -> None:
    with pytest.MonkeyPatch.context() as earlier:
        stop_clock(time.time() - 61, earlier)
        url = Signer(there).url("x", seconds=60).url
    over = urllib3.request("GET", url)
    assert (over.status, b"Request has expired" in over.data) == (403, True)
    url = Signer(there).url("x", seconds=60).url
    assert urllib3.request("GET", url.replace("Expires=60", "Expires=61")).status == 403
    assert urllib3.request("GET", url.replace("/x?", "/y?")).status == 403
    assert urllib3.request("DELETE", url).status == 403
    assert urllib3.request("HEAD", Signer(there).url("x", seconds=60, method="HEAD").url).status == 200


@settings(max_examples=often(20), deadline=None)
@given(key=st.text(st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=("Cs", "Cc")), min_size=1,
                   max_size=60).filter(lambda key: not any(part in ("", ".", "..") for part in key.split("/"))))
def test_any_key_is_signed_as_the_server_checks_it(there: Provider, key: str) -> None:
    answer = urllib3.request("GET", Signer(there).url(key, seconds=60).url)
    assert answer.status in (404, 200), answer.data     # the signature held; the object is another matter
