"""A bucket on a real S3 server: what it does, and what becomes of it when the way there or the server is bad."""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.model.cloud import CloudFailure, Provider
from shared.model.errors import DiskFull
from shared.model.work import Moved, Stopped
from shared.storage.s3 import PIECE, Bucket, whole_etag
from tests.s3_server import ERRORS, FaultProxy, server

MB = 1_000_000
BODY = hashlib.shake_128(b"a song").digest(700_001)
BIG = hashlib.shake_128(b"a long song").digest(11 * MB)
PART = 5 * 1024 * 1024


@pytest.fixture(scope="module")
def provider() -> Provider:
    return server().provider(prefix="home/ü/")


@pytest.fixture(scope="module")
def bucket(provider: Provider) -> Iterator[Bucket]:
    made = Bucket(provider)
    yield made
    made.close()


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy(server().url) as made:
        yield made


@pytest.fixture
def shaky(provider: Provider, proxy: FaultProxy) -> Iterator[Bucket]:
    """The same bucket, through the proxy."""
    made = Bucket(replace(provider, endpoint=proxy.url), timeout_s=1.0, attempts=2)
    yield made
    made.close()


class Stopping:
    """Work that ends when told to."""

    def __init__(self) -> None:
        self.ending = threading.Event()

    def tell(self, moved: Moved) -> None:
        """Nobody looks."""

    def log(self, level: str, message: str) -> None:
        """Nobody reads."""

    def stopped(self) -> bool:
        return self.ending.is_set()


# ---- as it should be ---------------------------------------------------------------------------------------------


def test_an_object_is_put_told_of_read_and_removed(bucket: Bucket) -> None:
    key = bucket.key("music/ab/ü +&?#.mp3")
    put = bucket.put(key, BODY, metadata={"sha256": "ab12", "station": "x"}, content_type="audio/mpeg")
    told = bucket.head(key)
    assert told is not None
    assert (told.key, told.size_bytes, told.metadata) == (key, len(BODY), {"sha256": "ab12", "station": "x"})
    assert told.etag == put.etag == hashlib.md5(BODY).hexdigest()
    assert b"".join(bucket.read(key)) == BODY
    assert b"".join(bucket.read(key, 100, 199)) == BODY[100:200]
    assert b"".join(bucket.read(key, len(BODY) - 5)) == BODY[-5:]
    bucket.delete([key])
    assert bucket.head(key) is None
    bucket.delete([key])        # again is no fault


def test_a_file_is_put_as_it_lies_there(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(BODY)
    bucket.put(bucket.key("a"), tmp_path / "a")
    assert bucket.fetch(bucket.key("a"), tmp_path / "b").size_bytes == len(BODY)
    assert (tmp_path / "b").read_bytes() == BODY


def test_what_is_wrong_with_a_local_file_is_no_failure_of_the_cloud(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        bucket.put(bucket.key("x"), tmp_path / "gone")


def test_an_empty_object_is_one_too(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put(bucket.key("empty"), b"")
    told = bucket.head(bucket.key("empty"))
    assert told is not None and told.size_bytes == 0
    assert b"".join(bucket.read(bucket.key("empty"))) == b""
    assert bucket.fetch(bucket.key("empty"), tmp_path / "e").size_bytes == 0


def test_a_listing_holds_everything_below_a_prefix_and_nothing_else() -> None:
    one = Bucket(server().provider(prefix="a/"))
    other = Bucket(replace(one.provider, prefix="b/"))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: one.put(one.key(f"music/{number:04}"), b"x"), range(1005)))
    other.put(other.key("music/0000"), b"xy")
    assert [found.key for found in one.list(one.key("music/"))] == [f"a/music/{number:04}" for number in range(1005)]
    assert [(found.key, found.size_bytes) for found in other.list(other.provider.prefix)] == [("b/music/0000", 2)]
    one.delete(found.key for found in one.list("a/"))
    assert [found.key for found in one.list()] == ["b/music/0000"]


def test_a_copy_is_made_within_the_bucket(bucket: Bucket) -> None:
    bucket.put(bucket.key("here"), BODY, metadata={"sha256": "ab"})
    bucket.copy(bucket.key("here"), bucket.key("trash/2026-11-21/here"))
    told = bucket.head(bucket.key("trash/2026-11-21/here"))
    assert told is not None and (told.size_bytes, told.metadata["sha256"]) == (len(BODY), "ab")
    with pytest.raises(CloudFailure) as caught:
        bucket.copy(bucket.key("not there"), bucket.key("x"))
    assert caught.value.reason == "not_there"


def test_what_is_not_there_is_told_so(bucket: Bucket, tmp_path: Path) -> None:
    assert bucket.head("none") is None
    for deed in (lambda: bucket.read("none"), lambda: bucket.fetch("none", tmp_path / "x")):
        with pytest.raises(CloudFailure) as caught:
            deed()
        assert caught.value.reason == "not_there"


# ---- in parts ----------------------------------------------------------------------------------------------------


def test_an_object_is_made_of_its_parts(bucket: Bucket) -> None:
    key = bucket.key("music/big")
    upload = bucket.begin_parts(key, metadata={"sha256": "ff"}, content_type="audio/flac")
    parts = [BIG[at:at + PART] for at in range(0, len(BIG), PART)]
    etags = [bucket.put_part(key, upload, number, memoryview(part)) for number, part in enumerate(parts, 1)]
    assert bucket.parts_of(key, upload) == [(number, etag, len(part)) for number, (etag, part) in enumerate(
        zip(etags, parts, strict=True), 1)]
    assert [(found, upload_id) for found, upload_id, _ in bucket.unfinished(bucket.provider.prefix)] == [(key, upload)]
    assert bucket.unfinished("elsewhere/") == []
    made = bucket.finish_parts(key, upload, list(enumerate(etags, 1))[::-1])
    assert (made.size_bytes, made.etag, made.metadata["sha256"]) == (len(BIG), whole_etag(etags), "ff")
    assert b"".join(bucket.read(key)) == BIG
    assert bucket.unfinished() == []
    assert bucket.finish_parts(key, upload, enumerate(etags, 1)) == made       # again is no fault
    bucket.delete([key])


def test_an_upload_is_given_up_with_its_parts(bucket: Bucket) -> None:
    key = bucket.key("music/given up")
    upload = bucket.begin_parts(key)
    bucket.put_part(key, upload, 1, BODY)
    bucket.abort_parts(key, upload)
    bucket.abort_parts(key, upload)
    assert bucket.unfinished(key) == []
    with pytest.raises(CloudFailure) as caught:
        bucket.put_part(key, upload, 2, BODY)
    assert caught.value.reason == "not_there"
    with pytest.raises(CloudFailure):
        bucket.finish_parts(key, upload, [(1, "0" * 32)])


def test_finishing_that_was_done_although_the_answer_was_lost_counts(shaky: Bucket, proxy: FaultProxy) -> None:
    key = shaky.key("music/lost answer")
    upload = shaky.begin_parts(key)
    etag = shaky.put_part(key, upload, 1, BODY)
    lost = proxy.fault(r"^POST .*uploadId", swallow=True, times=1)
    assert shaky.finish_parts(key, upload, [(1, etag)]).etag == whole_etag([etag])
    assert lost.hits == 1


def test_an_etag_of_parts_is_told_only_where_theirs_are_md5() -> None:
    assert whole_etag(["not md5"]) == ""
    assert whole_etag(["abcd"]) == ""
    assert whole_etag([hashlib.md5(b"x").hexdigest()]).endswith("-1")


# ---- bad days ----------------------------------------------------------------------------------------------------


def test_a_fetch_goes_on_where_the_connection_was_cut(bucket: Bucket, shaky: Bucket, proxy: FaultProxy,
                                                      tmp_path: Path) -> None:
    bucket.put(bucket.key("cut"), BODY)
    proxy.fault(r"^GET .*/cut", cut_after=5 * PIECE, times=2)
    assert shaky.fetch(shaky.key("cut"), tmp_path / "a").etag == hashlib.md5(BODY).hexdigest()
    assert (tmp_path / "a").read_bytes() == BODY
    ranges = [one.headers.get("range") for one in proxy.of(r"^GET .*/cut")]
    assert ranges == [None, f"bytes={5 * PIECE}-", f"bytes={10 * PIECE}-"]
    assert sum(one.sent for one in proxy.of("^GET")) == len(BODY)


def test_a_fetch_outlives_a_reset_connection(bucket: Bucket, shaky: Bucket, proxy: FaultProxy, tmp_path: Path) -> None:
    bucket.put(bucket.key("reset"), BODY)
    proxy.fault(r"^GET .*/reset", cut_after=300_000, times=2, reset=True)
    shaky.fetch(shaky.key("reset"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_fetch_is_not_made_of_two_objects(bucket: Bucket, shaky: Bucket, proxy: FaultProxy, tmp_path: Path) -> None:
    bucket.put(bucket.key("changing"), BODY)

    class Change(Stopping):
        def stopped(self) -> bool:
            if proxy.count("^GET") == 1:
                bucket.put(bucket.key("changing"), BODY[::-1])
            return False

    proxy.fault(r"^GET .*/changing", cut_after=300_000, times=1)
    with pytest.raises(CloudFailure) as caught:
        shaky.fetch(shaky.key("changing"), tmp_path / "a", work=Change())
    assert (caught.value.reason, "replaced" in caught.value.message) == ("corrupted", True)


def test_a_fetch_gives_up_after_some_tries_without_a_byte(bucket: Bucket, shaky: Bucket, proxy: FaultProxy,
                                                          tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.storage.s3._pause", lambda seconds, work: None)
    bucket.put(bucket.key("never"), BODY)
    proxy.fault(r"^GET .*/never", cut_after=0)
    with pytest.raises(CloudFailure) as caught:
        shaky.fetch(shaky.key("never"), tmp_path / "a")
    assert caught.value.reason == "no_answer"


def test_a_fetch_ends_when_it_is_told_to(bucket: Bucket, shaky: Bucket, proxy: FaultProxy, tmp_path: Path) -> None:
    bucket.put(bucket.key("slow"), BODY)
    proxy.fault(r"^GET .*/slow", bytes_per_s=500_000)
    work = Stopping()
    threading.Timer(0.3, work.ending.set).start()
    with pytest.raises(Stopped):
        shaky.fetch(shaky.key("slow"), tmp_path / "a", work=work)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_told_as_one(bucket: Bucket) -> None:
    bucket.put(bucket.key("fits not"), BODY)
    with pytest.raises(DiskFull):
        bucket.fetch(bucket.key("fits not"), Path("/dev/full"))


def test_a_stalling_provider_is_left_in_time(bucket: Bucket, shaky: Bucket, proxy: FaultProxy) -> None:
    bucket.put(bucket.key("stall"), BODY)
    proxy.fault(r"^GET .*/stall", stall_after=100_000)
    pieces = shaky.read(shaky.key("stall"))
    got = b""
    with pytest.raises(CloudFailure) as caught:
        for piece in pieces:
            got += piece
    assert (caught.value.reason, BODY.startswith(got)) == ("no_answer", True)


def test_a_provider_that_asks_for_peace_is_asked_again_later(shaky: Bucket, proxy: FaultProxy) -> None:
    busy = proxy.fault(r"^PUT .*/busy", error="SlowDown", times=1)
    assert shaky.put(shaky.key("busy"), BODY).size_bytes == len(BODY)
    assert busy.hits == 1
    proxy.fault(r"^PUT .*/always", error="SlowDown")
    with pytest.raises(CloudFailure) as caught:
        shaky.put(shaky.key("always"), BODY)
    assert (caught.value.reason, caught.value.retryable) == ("slow_down", True)


def test_a_connection_that_is_cut_while_a_file_goes_up_is_taken_up_again(shaky: Bucket, proxy: FaultProxy,
                                                                         tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(BODY)
    cut = proxy.fault(r"^PUT .*/up", cut_request_after=200_000, times=1)
    shaky.put(shaky.key("up"), tmp_path / "a")
    assert cut.hits == 1
    assert b"".join(shaky.read(shaky.key("up"))) == BODY


def test_bytes_damaged_on_the_way_up_are_sent_once_more(shaky: Bucket, proxy: FaultProxy) -> None:
    proxy.fault(r"^PUT .*/damaged", error="BadDigest", times=1)
    assert shaky.put(shaky.key("damaged"), BODY).etag == hashlib.md5(BODY).hexdigest()
    proxy.fault(r"^PUT .*/damaged", error="BadDigest")
    with pytest.raises(CloudFailure) as caught:
        shaky.put_part(shaky.key("damaged"), shaky.begin_parts(shaky.key("damaged")), 1, BODY)
    assert caught.value.reason == "corrupted"


def test_every_put_carries_the_md5_and_no_checksum_that_others_refuse(shaky: Bucket, proxy: FaultProxy) -> None:
    shaky.put(shaky.key("plain"), BODY)
    shaky.put_part(shaky.key("p"), shaky.begin_parts(shaky.key("p")), 1, BODY)
    shaky.put(shaky.key("q"), b"")
    shaky.delete([shaky.key("plain"), shaky.key("q")])
    for one in proxy.requests:
        assert not [name for name in one.headers if name.startswith(("x-amz-checksum", "x-amz-sdk", "x-amz-trailer"))]
        assert ("content-md5" in one.headers) == (one.method == "PUT" or "?delete" in one.path), one.path


@pytest.mark.parametrize("code", ["NotImplemented", "AccessDenied"])
def test_where_many_cannot_be_removed_at_once_each_is_removed_alone(code: str, bucket: Bucket, shaky: Bucket,
                                                                    proxy: FaultProxy) -> None:
    keys = [bucket.key(f"gone/{number}") for number in range(3)]
    for key in keys:
        bucket.put(key, b"x")
    proxy.fault(r"^POST .*\?delete", error=code)
    if code == "AccessDenied":
        with pytest.raises(CloudFailure) as caught:
            shaky.delete(keys)
        assert caught.value.reason == "forbidden"
    else:
        shaky.delete(keys)
    assert len(list(bucket.list(bucket.key("gone/")))) == (3 if code == "AccessDenied" else 0)
    bucket.delete(keys)


def test_an_object_that_could_not_be_removed_among_many_is_told(bucket: Bucket, shaky: Bucket,
                                                                proxy: FaultProxy) -> None:
    proxy.fault(r"^POST .*\?delete", answer=(200, (
        b'<?xml version="1.0"?><DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Error><Key>a</Key>'
        b"<Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>"), {}))
    with pytest.raises(CloudFailure) as caught:
        shaky.delete(["a", "b"])
    assert caught.value.reason == "forbidden"


# ---- never "not there" by mistake --------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(set(ERRORS) - {"NoSuchKey"}))
def test_only_an_object_that_is_not_there_is_not_there(code: str, provider: Provider, proxy: FaultProxy) -> None:
    proxy.fault("", error=code)
    with pytest.raises(CloudFailure):
        Bucket(replace(provider, endpoint=proxy.url), attempts=1).head("music/x")


@pytest.mark.parametrize("answer", [
    (404, b"<html>This is the hotel's page</html>", {"Content-Type": "text/html"}),
    (404, b"", {}), (302, b"", {"Location": "http://login.invalid/"}), (200, b"<html>Log in</html>", {})])
def test_what_does_not_speak_s3_says_nothing_about_objects(answer: tuple[int, bytes, dict[str, str]],
                                                           provider: Provider, proxy: FaultProxy) -> None:
    proxy.fault("", answer=answer)
    foreign = Bucket(replace(provider, endpoint=proxy.url), attempts=1)
    for deed in (lambda: foreign.head("music/x"), lambda: list(foreign.list()), lambda: list(foreign.read("x")),
                 lambda: foreign.put("x", b"1"), lambda: foreign.put_part("x", "u", 1, b"1")):
        with pytest.raises(CloudFailure):
            deed()


def test_a_bucket_that_is_not_there_is_no_empty_one(provider: Provider) -> None:
    for deed in (lambda one: one.head("x"), lambda one: list(one.list()), lambda one: one.put("x", b"1"),
                 lambda one: list(one.read("x"))):
        with pytest.raises(CloudFailure) as caught:
            deed(Bucket(replace(provider, bucket="no-such-bucket-here"), attempts=1))
        assert caught.value.reason == "no_bucket"


@pytest.mark.parametrize(("changes", "reason"), [
    ({"key_id": "AKIANOBODY"}, "wrong_key"), ({"secret": "wrong"}, "wrong_secret"),
    ({"endpoint": "http://127.0.0.1:9"}, "no_answer"), ({"endpoint": "https://nowhere.invalid"}, "no_answer"),
])
def test_a_wrong_key_secret_or_endpoint_is_told_apart_by_every_question(changes: dict[str, str], reason: str,
                                                                        provider: Provider) -> None:
    wrong = Bucket(replace(provider, **changes), attempts=1)  # type: ignore[arg-type]
    for deed in (lambda: wrong.head("x"), lambda: next(wrong.list(), None), lambda: wrong.put("x", b"1")):
        with pytest.raises(CloudFailure) as caught:
            deed()
        assert caught.value.reason == reason


def test_a_silent_provider_is_left_in_time(provider: Provider) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        mute = Bucket(replace(provider, endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}"), timeout_s=0.3,
                      attempts=1)
        with pytest.raises(CloudFailure, match="in time") as caught:
            mute.head("x")
        assert caught.value.reason == "no_answer"


def test_https_with_a_certificate_nobody_knows_is_refused_until_it_is_named(
        provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ssl

    if subprocess.run(["openssl", "version"], capture_output=True, check=False).returncode:
        pytest.skip("no openssl to make a certificate with")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", tmp_path / "key", "-out", tmp_path / "crt", "-subj", "/CN=nas", "-days", "1",
                    "-addext", "subjectAltName=IP:127.0.0.1"],
                   capture_output=True, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def accept() -> None:
            for _ in range(4):
                try:
                    connection, _ = listening.accept()
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    continue

        threading.Thread(target=accept, daemon=True).start()
        away = replace(provider, endpoint=f"https://127.0.0.1:{listening.getsockname()[1]}")
        with pytest.raises(CloudFailure, match="SSL_CERT_FILE") as caught:
            Bucket(away, attempts=1).head("x")
        assert caught.value.reason == "certificate"
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "crt"))
        with pytest.raises(CloudFailure) as caught:
            Bucket(away, attempts=1).head("x")
        assert caught.value.reason == "no_answer"       # TLS stood; there is no S3 behind it


# ---- many at once, and this machine's own ways -------------------------------------------------------------------


def test_many_threads_share_one_bucket(bucket: Bucket) -> None:
    def both(number: int) -> bool:
        key = bucket.key(f"threads/{number}")
        bucket.put(key, BODY[number:number + 1000])
        return b"".join(bucket.read(key)) == BODY[number:number + 1000]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(pool.map(both, range(100)))


def test_nothing_of_this_machines_aws_settings_or_proxies_has_a_say(provider: Provider) -> None:
    script = ("from shared.storage.s3 import Bucket; from shared.model.cloud import Provider\n"
              f"made = Provider(name='x', kind='other', endpoint={provider.endpoint!r}, region='us-east-1', "
              f"bucket={provider.bucket!r}, key_id={provider.key_id!r}, secret={provider.secret!r})\n"
              "assert all(one.ok for one in Bucket(made).trial()), 'no'\n")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env={
        "PATH": os.defpath, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "AWS_PROFILE": "nobody",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "wrong", "AWS_REGION": "mars-1",
        "HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported"})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("skew", [0, 400, -400])
def test_how_far_the_clock_is_off_is_known_before_it_is_too_far(skew: int, shaky: Bucket, proxy: FaultProxy) -> None:
    proxy.fault("", skew_s=skew)
    off = shaky.clock_off()
    assert off is not None and abs(off + skew) < 5
    proxy.heal()
    proxy.fault("", error="RequestTimeTooSkewed", skew_s=7200)
    with pytest.raises(CloudFailure) as caught:
        shaky.clock_off()
    assert caught.value.reason == "clock"


# ---- the trial ---------------------------------------------------------------------------------------------------


STEPS = ["write", "read", "range", "signed URL", "list", "delete"]


def test_a_trial_goes_through_every_step_and_leaves_nothing(bucket: Bucket, provider: Provider) -> None:
    before = server().keys(provider)
    steps = list(bucket.trial())
    assert [(one.name, one.ok) for one in steps] == [(name, True) for name in STEPS]
    assert server().keys(provider) == before


def test_a_trial_that_shall_not_write_only_looks(shaky: Bucket, proxy: FaultProxy) -> None:
    assert [(one.name, one.ok) for one in shaky.trial(write=False)] == [("list", True)]
    assert {one.method for one in proxy.requests} == {"GET"}


@pytest.mark.parametrize(("pattern", "fault", "broken"), [
    (r"^PUT", {"error": "AccessDenied"}, {"write"}),
    (r"^GET .*/trial/[^?]*$", {"error": "AccessDenied"}, {"read", "range"}),
    (r"^GET .*X-Amz-Signature", {"error": "SignatureDoesNotMatch"}, {"signed URL"}),
    (r"^GET .*list-type", {"error": "AccessDenied"}, {"list"}),
    (r"^DELETE", {"error": "AccessDenied"}, {"delete"}),
    (r"^GET .*/trial/[^?]*$", {"corrupt_at": 1500}, {"read", "range"}),
])
def test_a_trial_says_which_step_is_wrong(pattern: str, fault: dict[str, object], broken: set[str], shaky: Bucket,
                                          proxy: FaultProxy) -> None:
    proxy.fault(pattern, **fault)
    steps = list(shaky.trial())
    assert {one.name for one in steps if not one.ok} == broken
    assert all(one.message for one in steps)
