"""What goes wrong at a provider, in plain words with what to do."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.cloud import KINDS, CloudFailure, Provider
from shared.storage.diagnosis import failure_of
from tests.s3_server import ERRORS, error_answer, error_xml

R2 = Provider(name="r2", kind="r2", endpoint="https://0123.r2.cloudflarestorage.com", region="auto", bucket="music",
              key_id="0123456789abcdef0123456789abcdef", secret="hush-hush")
S3 = replace(R2, name="attic", kind="s3", endpoint="https://s3.us-east-1.amazonaws.com", region="us-east-1")
B2 = replace(R2, name="b2", kind="b2", endpoint="https://s3.us-west-004.backblazeb2.com", region="us-west-004")
OTHER = replace(R2, name="nas", kind="other", endpoint="http://nas.local:9000", region="us-east-1")


def of(status: int, body: bytes = b"", headers: dict[str, str] | None = None, provider: Provider = R2,
       **more: Any) -> CloudFailure:
    return failure_of((status, body, headers or {}), provider, "read music/ab/cd.flac", **more)


@pytest.mark.parametrize(("code", "reason"), [
    ("AccessDenied", "forbidden"), ("AuthorizationHeaderMalformed", "wrong_region"), ("BadDigest", "corrupted"),
    ("ExpiredToken", "expired"), ("InternalError", "no_answer"), ("InvalidAccessKeyId", "wrong_key"),
    ("NoSuchBucket", "no_bucket"), ("NoSuchKey", "not_there"), ("NoSuchUpload", "not_there"),
    ("NotImplemented", "refused"), ("PermanentRedirect", "wrong_region"), ("QuotaExceeded", "full"),
    ("RequestExpired", "expired"), ("RequestTimeTooSkewed", "clock"), ("RequestTimeout", "no_answer"),
    ("ServiceUnavailable", "slow_down"), ("SignatureDoesNotMatch", "wrong_secret"), ("SlowDown", "slow_down"),
    ("TooManyRequests", "slow_down"),
])
def test_what_s3_documents_is_understood(code: str, reason: str) -> None:
    status, body = error_answer(code)
    assert of(status, body).reason == reason


def test_every_documented_answer_of_the_tests_is_looked_at_above() -> None:
    mark = next(one for one in test_what_s3_documents_is_understood.pytestmark)  # type: ignore[attr-defined]
    assert {code for code, _ in mark.args[1]} == set(ERRORS)


@pytest.mark.parametrize(("status", "code", "message", "reason"), [
    (401, "Unauthorized", "Unauthorized", "wrong_key"),                                                 # R2
    (400, "InvalidArgument", "Credential access key has length 20, should be 32", "wrong_key"),         # R2
    (400, "ExpiredRequest", "Request has expired", "expired"),                                          # R2
    (403, "NotEntitled", "Please enable R2 through the Cloudflare Dashboard.", "forbidden"),            # R2
    (403, "InvalidAccessKeyId", "Malformed Access Key Id", "wrong_key"),                                # B2
    (403, "AccessDenied", "Cannot upload files, storage cap exceeded. See the Caps & Alerts page", "full"),     # B2
    (403, "AccessDenied", "Transaction cap exceeded, see the Caps & Alerts page", "full"),              # B2
    (507, "XMinioStorageFull", "Storage backend has reached its minimum free drive threshold.", "full"),        # MinIO
    (404, "XAdminUserNotFound", "No user exists with the provided access key ID.", "wrong_key"),        # VersityGW
    (403, "AccessDenied", "Forbidden: No such key: GK31c2f218a2e44f485b94239e", "wrong_key"),           # Garage
    (400, "AuthorizationHeaderMalformed", "a non-empty Access Key (AKID) must be provided", "wrong_key"),
    (400, "InvalidRegionName", "The region name 'here' is not valid. Must be one of: wnam, auto", "wrong_region"),
    (418, "Teapot", "short and stout", "refused"),
    (404, "SomethingElse", "who knows", "refused"),
    (599, "", "", "no_answer"),
])
def test_what_others_say_instead_is_understood_too(status: int, code: str, message: str, reason: str) -> None:
    assert of(status, error_xml(code, message)).reason == reason


@pytest.mark.parametrize(("status", "reason"), [(301, "wrong_region"), (401, "wrong_key"), (403, "forbidden"),
                                                (404, "not_there"), (416, "corrupted"), (429, "slow_down"),
                                                (500, "no_answer"), (503, "slow_down"), (507, "full")])
def test_an_answer_to_head_goes_by_its_status(status: int, reason: str) -> None:
    assert of(status, head=True).reason == reason


def test_a_404_that_is_none_of_s3s_says_nothing_about_the_object() -> None:
    failure = of(404, b"<html><body>Log in to the hotel's network</body></html>")
    assert (failure.reason, failure.retryable) == ("no_answer", True)
    assert "does not speak S3" in failure.message


def test_a_clock_that_is_off_is_told_with_its_direction() -> None:
    status, body = error_answer("RequestTimeTooSkewed", skew_s=3 * 3600)
    assert "clock is 3 h 00 min behind" in of(status, body).message
    status, body = error_answer("RequestTimeTooSkewed", skew_s=-40 * 60)
    assert "clock is 40 min ahead" in of(status, body).message


def test_where_nothing_is_said_the_date_header_tells_of_the_clock() -> None:
    now = time.time()
    away = of(403, b"", {"Date": formatdate(now - 7200, usegmt=True)}, head=True, now=now)
    assert (away.reason, "120 min" in away.message or "2 h" in away.message) == ("clock", True)
    assert of(403, b"", {"Date": formatdate(now - 30, usegmt=True)}, head=True, now=now).reason == "forbidden"
    assert of(403, b"", {"Date": "yesterday, or so"}, head=True).reason == "forbidden"


def test_an_address_that_is_over_because_of_the_clock_is_the_clocks_fault() -> None:
    status, body = error_answer("RequestExpired", skew_s=7200)
    assert of(status, body).reason == "clock"


@pytest.mark.parametrize("provider", [R2, S3, B2, OTHER], ids=lambda one: one.kind)
@pytest.mark.parametrize("code", list(ERRORS))
def test_every_message_is_a_sentence_that_tells_no_secret(provider: Provider, code: str) -> None:
    failure = of(*error_answer(code), provider=provider)
    assert failure.provider == provider.name
    assert failure.message[0].isupper() or failure.message[0].isdigit()
    assert failure.message.endswith((".", ".)", f"tool storage secret {provider.name}"))
    assert provider.secret not in failure.message
    assert provider.key_id not in failure.message
    assert "None" not in failure.message and "{" not in failure.message


def test_messages_name_the_remedy() -> None:
    assert "tool storage secret attic" in of(*error_answer("InvalidAccessKeyId"), provider=S3).message
    assert "tool storage secret attic" in of(*error_answer("SignatureDoesNotMatch"), provider=S3).message
    assert "--region eu-central-1" in of(*error_answer("AuthorizationHeaderMalformed"), provider=S3).message
    assert "--region eu-central-1" in of(*error_answer("PermanentRedirect"), provider=S3).message
    assert KINDS["b2"].help in of(*error_answer("AccessDenied"), provider=B2).message
    assert "timedatectl" in of(*error_answer("RequestTimeTooSkewed"), provider=B2).message
    assert "account" in of(*error_answer("NoSuchBucket")).message
    assert "one region" in of(*error_answer("InvalidAccessKeyId"), provider=B2).message


def test_how_long_to_wait_is_taken_over() -> None:
    assert of(*error_answer("SlowDown"), {"Retry-After": "7"}).retry_after_s == 7
    assert of(*error_answer("SlowDown"), {"Retry-After": "999999"}).retry_after_s == 3600
    assert of(*error_answer("SlowDown")).retry_after_s is None


# ---- the way there -----------------------------------------------------------------------------------------------


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(("error", "reason", "words"), [
    (ConnectionRefusedError(111, "Connection refused"), "no_answer", "Nothing listens"),
    (socket.gaierror(-2, "Name or service not known"), "no_answer", "cannot be found"),
    (TimeoutError("timed out"), "no_answer", "in time"),
    (ConnectionResetError(104, "Connection reset by peer"), "no_answer", "was cut"),
    (caused(RuntimeError("x"), ssl.SSLCertVerificationError("certificate verify failed: self-signed certificate")),
     "certificate", "SSL_CERT_FILE"),
    (ssl.SSLCertVerificationError("certificate verify failed: certificate has expired"), "certificate", "clock"),
    (ssl.SSLError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), "no_answer", "does not speak HTTPS"),
    (ssl.SSLError("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] handshake failure"), "no_answer", "account's ID"),
    (OSError(101, "Network is unreachable"), "no_answer", "Network is unreachable"),
    (RuntimeError("something nobody thought of"), "refused", "nobody thought of"),
])
def test_what_goes_wrong_on_the_way_is_told(error: BaseException, reason: str, words: str) -> None:
    failure = failure_of(error, R2, "read it")
    assert failure.reason == reason
    assert words in failure.message


def test_a_failure_stays_the_one_it_is() -> None:
    failure = CloudFailure("said", reason="full", provider="r2")
    assert failure_of(failure, S3, "write") is failure


@given(status=st.integers(100, 599), body=st.binary(max_size=200) | st.text(max_size=200).map(
    lambda text: f"<Error><Code>{text}</Code><Message>{text}</Message></Error>".encode()),
       headers=st.dictionaries(st.sampled_from(["Date", "Retry-After", "x-amz-bucket-region"]), st.text(max_size=20)),
       head=st.booleans())
def test_no_answer_is_too_strange(status: int, body: bytes, headers: dict[str, str], head: bool) -> None:
    failure = of(status, body, headers, head=head)
    assert failure.reason in CloudFailure.REASONS
    assert failure.message
