"""What an S3 provider's error means: one CloudFailure in plain words, with what to do.

Looked at are what S3 documents ("Error responses"), what R2 and B2 say instead, HTTP's status where there is no more
(HEAD has no body), TLS and the network. Pure, and the standard library alone: the serving process uses it too.
"""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from shared.model.cloud import KINDS, CloudFailure, Provider

MOST_SKEW_S = 600.0             # S3 refuses what is 900 s off; a refusal at more than this is the clock's
LOOKED_AT = 64 * 1024           # of an answer's body
_TOOL = "python3 run.py tool storage"
_NO_S3 = ("What answers at {} does not speak S3: a proxy, a login page, or another program. Look at the endpoint.")

#: S3's code → our reason. What is not here goes by HTTP's status.
_CODES = {
    "InvalidAccessKeyId": "wrong_key", "Unauthorized": "wrong_key", "NoSuchAccessKey": "wrong_key",
    "XAdminUserNotFound": "wrong_key",
    "SignatureDoesNotMatch": "wrong_secret",
    "AccessDenied": "forbidden", "AllAccessDisabled": "forbidden", "AccountProblem": "forbidden",
    "NotSignedUp": "forbidden", "NotEntitled": "forbidden", "InvalidPayer": "forbidden", "Forbidden": "forbidden",
    "NoSuchBucket": "no_bucket", "InvalidBucketName": "no_bucket",
    "PermanentRedirect": "wrong_region", "TemporaryRedirect": "wrong_region", "InvalidRegionName": "wrong_region",
    "IllegalLocationConstraintException": "wrong_region", "AuthorizationHeaderMalformed": "wrong_region",
    "InvalidRegion": "wrong_region",
    "RequestTimeTooSkewed": "clock", "RequestInTheFuture": "clock",
    "ExpiredToken": "expired", "ExpiredRequest": "expired", "TokenRefreshRequired": "expired",
    "NoSuchKey": "not_there", "NoSuchUpload": "not_there", "NoSuchVersion": "not_there", "NotFound": "not_there",
    "BadDigest": "corrupted", "InvalidDigest": "corrupted", "XAmzContentSHA256Mismatch": "corrupted",
    "XAmzContentChecksumMismatch": "corrupted", "InvalidRange": "corrupted",
    "SlowDown": "slow_down", "ServiceUnavailable": "slow_down", "TooManyRequests": "slow_down",
    "Throttling": "slow_down", "ThrottlingException": "slow_down", "RequestLimitExceeded": "slow_down",
    "OperationAborted": "slow_down", "XMinioServerNotInitialized": "slow_down",
    "InternalError": "no_answer", "RequestTimeout": "no_answer", "IncompleteBody": "no_answer",
    "QuotaExceeded": "full", "XMinioStorageFull": "full", "InsufficientCapacity": "full", "InsufficientStorage": "full",
    "XMinioAdminBucketQuotaExceeded": "full", "ServiceQuotaExceeded": "full", "StorageFull": "full",
}
_STATUSES = {301: "wrong_region", 307: "wrong_region", 308: "wrong_region", 401: "wrong_key", 403: "forbidden",
             404: "not_there", 408: "no_answer", 412: "corrupted", 416: "corrupted", 429: "slow_down",
             500: "no_answer", 502: "no_answer", 503: "slow_down", 504: "no_answer", 507: "full"}

Answer = tuple[int, bytes, Mapping[str, str]]
"""HTTP status, body, headers."""


@dataclass
class _Heard:
    """What can be known of one failure."""

    status: int = 0
    code: str = ""
    message: str = ""
    more: dict[str, str] = field(default_factory=dict)      # further elements of the answer
    headers: dict[str, str] = field(default_factory=dict)   # names in small letters


def failure_of(error: BaseException | Answer, provider: Provider, doing: str, *, head: bool = False,
               now: float | None = None) -> CloudFailure:
    """The failure that `error` is: an exception (botocore's, urllib3's, of sockets and TLS) or an HTTP answer.

    doing   what was tried, as in "read music/ab/cd.flac"
    head    it was a HEAD, whose answer has no body. Otherwise a 404 without S3's words is none of S3's and says
            nothing about the object: give the body, too
    now     Unix time when the answer came; the provider's clock is in its Date header
    """
    if isinstance(error, CloudFailure):
        return error
    if isinstance(error, tuple):
        heard = _heard_of_answer(*error)
    else:
        response = getattr(error, "response", None)
        if not isinstance(response, Mapping):
            return _of_the_way(error, provider, doing)
        heard = _heard_of_client_error(response)
    off_s = _clock_off(heard, time.time() if now is None else now)
    reason = _reason(heard, off_s)
    if reason == "not_there" and not heard.code and not head:
        return no_s3(provider, doing)
    return CloudFailure(_sentence(_words(reason, heard, provider, doing, off_s)), reason=reason, provider=provider.name,
                        retry_after_s=_retry_after(heard))


def no_s3(provider: Provider, doing: str) -> CloudFailure:
    """Something answered, but not as S3 does."""
    return CloudFailure(f"{_NO_S3.format(provider.endpoint)} (Tried to {doing}.)", reason="no_answer",
                        provider=provider.name)


# ---- what was answered -------------------------------------------------------------------------------------------


def _heard_of_answer(status: int, body: bytes, headers: Mapping[str, str]) -> _Heard:
    text = body[:LOOKED_AT].decode("utf-8", "replace")
    found = {name: html.unescape(value.strip()) for name, value in
             re.findall(r"<([A-Za-z][\w-]{0,60})>([^<]{0,2000})</\1>", text)} if "<Error" in text else {}
    return _Heard(status, found.pop("Code", ""), found.pop("Message", ""), found,
                  {name.lower(): value for name, value in headers.items()})


def _heard_of_client_error(response: Mapping[str, Any]) -> _Heard:
    told = dict(response.get("Error") or {})
    about = response.get("ResponseMetadata") or {}
    status = int(about.get("HTTPStatusCode") or 0)
    code = str(told.pop("Code", "") or "")
    if code.isdecimal():          # an answer without a body: boto has only the status
        status, code = status or int(code), ""
    more = {str(name): str(value) for name, value in told.items() if name != "Message"}
    return _Heard(status, code, str(told.get("Message") or ""), more,
                  {str(name).lower(): str(value) for name, value in (about.get("HTTPHeaders") or {}).items()})


def _reason(heard: _Heard, off_s: float | None) -> str:
    said = f"{heard.code} {heard.message}".lower()
    if "cap exceeded" in said or "quota" in said or "storage limit" in said:
        return "full"
    if heard.code in ("AccessDenied", "ExpiredRequest") and "expired" in said:
        return "clock" if off_s is not None and abs(off_s) > MOST_SKEW_S else "expired"
    if heard.code == "AuthorizationHeaderMalformed" and "region" not in said and "Region" not in heard.more:
        return "wrong_key"
    if heard.code == "InvalidArgument" and ("access key" in said or "credential" in said):
        return "wrong_key"      # R2: "Credential access key has length 20, should be 32"
    if heard.code == "AccessDenied" and "no such key" in said:
        return "wrong_key"      # Garage
    if "clock" in said or "skew" in said:
        return "clock"
    reason = _CODES.get(heard.code)
    if reason is None and not (heard.code and heard.status == 404):
        reason = _STATUSES.get(heard.status)
    reason = reason or ("no_answer" if heard.status >= 500 and heard.status != 501 else "refused")
    if reason in ("forbidden", "wrong_key") and not heard.code and off_s is not None and abs(off_s) > MOST_SKEW_S:
        return "clock"          # HEAD: the body that would say so is missing
    return reason


def _clock_off(heard: _Heard, now: float) -> float | None:
    """How far this machine's clock is ahead of the provider's, in s."""
    there = None
    if stamp := heard.more.get("ServerTime"):
        from datetime import datetime

        try:
            there = datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
        except ValueError:
            there = None
    if there is None and (stamp := heard.headers.get("date")):
        try:
            there = parsedate_to_datetime(stamp).timestamp()
        except (ValueError, TypeError, IndexError, OverflowError):
            there = None
    return None if there is None else now - there


def _retry_after(heard: _Heard) -> float | None:
    said = heard.headers.get("retry-after", "").strip()
    return min(3600.0, float(said)) if said.isdecimal() else None


# ---- the way there -----------------------------------------------------------------------------------------------


def _of_the_way(error: BaseException, provider: Provider, doing: str) -> CloudFailure:
    """Nothing was answered, or nothing that can be understood."""
    chain = list(_causes(error))
    names = {name for one in chain for name in (base.__name__ for base in type(one).__mro__)}
    text = " ".join(str(one) for one in chain).lower()
    to = f"{called(provider)} ({provider.endpoint})"

    def failure(reason: str, message: str) -> CloudFailure:
        return CloudFailure(f"{_sentence(message)} (Tried to {doing}.)", reason=reason, provider=provider.name)

    if "RecursionError" in names:       # botocore, sent from one region to the other and back
        return failure("wrong_region", f"{to} sends every request elsewhere: the bucket '{provider.bucket}' lies in "
                       f"another region than {provider.region}.")
    if names & {"SSLCertVerificationError", "CertificateError"} or "certificate_verify_failed" in text \
            or "certificate verify failed" in text:
        if "not yet valid" in text or "has expired" in text:
            return failure("certificate", f"The certificate of {to} is out of date, or this machine's clock is wrong. "
                           f"Look at both.")
        return failure("certificate", f"The certificate of {to} cannot be verified. With a certificate of your own, "
                       f"add its authority to this machine's, or name its file in SSL_CERT_FILE.")
    if "wrong version number" in text or "http_request" in text or "record layer failure" in text:
        return failure("no_answer", f"{to} does not speak HTTPS at that port. With plain HTTP the endpoint begins with "
                       f"http://.")
    if "handshake" in text and ("alert" in text or "failure" in text):
        hint = " The account's ID in the endpoint is most likely wrong." if provider.kind == "r2" else ""
        return failure("no_answer", f"{to} broke off the TLS handshake.{hint}")
    if names & {"NameResolutionError", "gaierror"} or "name or service not known" in text \
            or "failed to resolve" in text or "could not resolve" in text or "getaddrinfo" in text:
        return failure("no_answer", f"The host of {to} cannot be found. Look for a slip in the endpoint, and whether "
                       f"this machine is on the network.")
    if "ConnectionRefusedError" in names or "connection refused" in text:
        return failure("no_answer", f"Nothing listens at {to}. Is it running, and is the port right?")
    if names & {"ReadTimeoutError", "ConnectTimeoutError", "ConnectTimeout", "ReadTimeout", "TimeoutError", "timeout"} \
            or "timed out" in text:
        return failure("no_answer", f"{to} did not answer in time.")
    if names & {"ResponseStreamingError", "IncompleteReadError", "IncompleteRead", "ProtocolError",
                "ConnectionClosedError", "ConnectionResetError", "BrokenPipeError", "RemoteDisconnected",
                "ConnectionAbortedError"} or "connection was closed" in text or "connection broken" in text:
        return failure("no_answer", f"The connection to {to} was cut.")
    if names & {"ResponseParserError", "InvalidXMLError", "ParseError"} or "unable to parse response" in text:
        return failure("no_answer", _NO_S3.format(provider.endpoint))
    if names & {"ParamValidationError", "InvalidEndpoint", "InvalidRegionError", "UnsupportedSignatureVersionError"} \
            or (isinstance(error, ValueError) and "endpoint" in text):
        return failure("refused", f"{called(provider)} cannot be asked like this: {_first_line(str(error))}")
    if names & {"ConnectionError", "HTTPClientError", "EndpointConnectionError", "HTTPError", "OSError"}:
        why = _first_line(str(chain[-1])) or type(chain[-1]).__name__
        return failure("no_answer", f"{to} cannot be reached: {why}")
    return failure("refused", f"{called(provider)}: {type(error).__name__}: {_first_line(str(error))}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it came of, however it is kept (`__cause__`, urllib3's `reason`, botocore's `error`)."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting and len(seen) < 20:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None),
                    (getattr(one, "kwargs", None) or {}).get("error"), *one.args]


# ---- in words ----------------------------------------------------------------------------------------------------


def called(provider: Provider) -> str:
    """A storage for people, in the middle of a sentence: Cloudflare R2, the storage 'attic'."""
    kind = KINDS.get(provider.kind)
    title = kind.title if kind is not None and provider.kind != "other" else "the storage"
    return title if provider.name == provider.kind else f"{title} '{provider.name}'"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _words(reason: str, heard: _Heard, provider: Provider, doing: str, off_s: float | None) -> str:
    who, enter = called(provider), f"Enter it again: {_TOOL} secret {provider.name}"
    kind = KINDS.get(provider.kind)
    told = f" It says: {_first_line(heard.message).rstrip('.')}." if heard.message else ""
    key = f"{provider.key_id[:4]}…{provider.key_id[-4:]}" if len(provider.key_id) > 12 else provider.key_id
    if reason == "wrong_key":
        extra = {"b2": f" Keys of B2 belong to one region: is the bucket's endpoint really {provider.endpoint}?",
                 "r2": " R2's key ID has 32 letters and digits; the API token itself is another thing."
                 }.get(provider.kind, "")
        return f"{who} does not know the key ID {key}.{extra} {enter}"
    if reason == "wrong_secret":
        return f"The secret key does not belong to the key ID {key}: {who} calculates another signature. {enter}"
    if reason == "forbidden":
        if heard.code in ("AccountProblem", "NotSignedUp", "NotEntitled", "AllAccessDisabled"):
            return f"{who} refuses this account.{told}"
        wrong = ", or the bucket has another name" if provider.kind in ("r2", "b2") else ""
        help = f" {kind.help}" if kind is not None and provider.kind != "other" else ""
        return (f"The key may not {doing} in the bucket '{provider.bucket}'{wrong}. It needs the right to list, read, "
                f"write and delete there.{help}")
    if reason == "no_bucket":
        there = {"r2": "its account", "b2": f"the region {provider.region}", "s3": f"the region {provider.region}"}
        return (f"There is no bucket '{provider.bucket}' at {provider.endpoint}. Make it there, or look for a slip in "
                f"its name{f' and in {there[provider.kind]}' if provider.kind in there else ''}.")
    if reason == "wrong_region":
        right = heard.more.get("Region") or heard.headers.get("x-amz-bucket-region") or ""
        if not right and (found := re.search(r"expecting '([\w-]+)'", heard.message)):
            right = found[1]
        if not right and (found := re.search(r"\.s3[.-]([a-z]{2}-[a-z]+-\d)\.", heard.more.get("Endpoint", ""))):
            right = found[1]
        lies = f"lies in the region {right}, not {provider.region}" if right and right != provider.region else \
            f"does not lie in the region {provider.region} at {provider.endpoint}"
        return (f"The bucket '{provider.bucket}' {lies}. Take it out ({_TOOL} remove {provider.name}) and add it again "
                f"with {f'--region {right}' if right else 'the right --region or --endpoint'}.{'' if right else told}")
    if reason == "clock":
        if off_s is None or abs(off_s) < 60:
            off = "is too far off"
        else:
            off = f"is {_span(abs(off_s))} {'ahead' if off_s > 0 else 'behind'}"
        return (f"This machine's clock {off}, and {who} takes no request whose time is more than 15 minutes wrong. Set "
                f"it, and let it be kept right (on Linux: timedatectl set-ntp true).")
    if reason == "expired":
        return f"The time in which {who} let us {doing} is over; a new address is needed."
    if reason == "not_there":
        if heard.code == "NoSuchUpload":
            return f"{who} no longer knows the upload that was under way; it begins anew. (Tried to {doing}.)"
        return f"{who} has no such object. (Tried to {doing}.)"
    if reason == "corrupted":
        if heard.status == 416 or heard.code == "InvalidRange":
            return f"An object at {who} is shorter than it was when it was put there. (Tried to {doing}.)"
        if heard.status == 412:
            return f"An object at {who} is another one than before. (Tried to {doing}.)"
        return f"{who} got other bytes than those that were sent: they were damaged on the way. (Tried to {doing}.)"
    if reason == "slow_down":
        return f"{who} asks to be left in peace for a while ({heard.status or heard.code}). (Tried to {doing}.)"
    if reason == "no_answer":
        return f"{who} has trouble of its own ({heard.status}{' ' + heard.code if heard.code else ''}); later it may " \
               f"work again. (Tried to {doing}.)"
    if reason == "full":
        return (f"{who} takes nothing more: a quota, or a cap on spending, is reached.{told} Raise it there, or make "
                f"room.")
    name = " ".join(one for one in (str(heard.status or ""), heard.code) if one)
    return f"{who} refused to {doing} ({name or 'without a reason'}).{told}"


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes < 48 * 60 else f"{minutes // 1440} days"


def _first_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:299] + "…"
