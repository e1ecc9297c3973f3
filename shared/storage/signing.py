"""Signed addresses of objects (AWS Signature Version 4 in the query), for whoever streams them.

The serving process makes one whenever a track comes from a bucket, and must stay small: this is the standard library
alone, while botocore's signer costs 4 MiB. Written from the specification ("Authenticating requests: using query
parameters", Amazon S3 API reference); the tests hold it against boto3's for any key.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from shared.model.cloud import Provider
from shared.model.units import Seconds

LONGEST_S = 7 * 24 * 3600       # S3 takes no more
_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Signed:
    """An address that anybody can use until it expires. It is a secret: logs redact it."""

    url: str
    expires_at: float           # Unix time, s


class Signer:
    """Signs for one provider. Cheap to make, safe from any thread."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        scheme, _, host = provider.endpoint.partition("://")
        # botocore leaves the port out of what is signed where it is the scheme's own; so do clients in `Host`.
        usual = {"http": ":80", "https": ":443"}.get(scheme, "")
        host = host.rstrip("/")
        host = host.removesuffix(usual) if usual and host.endswith(usual) else host
        self._host = host if provider.path_style else f"{provider.bucket}.{host}"
        self._base = f"{scheme}://{self._host}"
        self._above = f"/{quote(provider.bucket, safe='~')}/" if provider.path_style else "/"
        self._day_key: tuple[str, bytes] = ("", b"")

    def url(self, key: str, *, seconds: Seconds, now: float | None = None, method: str = "GET") -> Signed:
        """The address of `key` (whole, with the provider's prefix), good for `seconds` from `now` (Unix time, s)."""
        at = time.time() if now is None else now
        whole = max(1, min(LONGEST_S, int(seconds)))
        stamp = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{self._provider.region}/s3/aws4_request"
        path = self._above + quote(key, safe="/~")
        query = "&".join(f"{name}={quote(value, safe='~')}" for name, value in (      # sorted, as it must be
            ("X-Amz-Algorithm", _ALGORITHM),
            ("X-Amz-Credential", f"{self._provider.key_id}/{scope}"),
            ("X-Amz-Date", stamp),
            ("X-Amz-Expires", str(whole)),
            ("X-Amz-SignedHeaders", "host"),
        ))
        canonical = f"{method}\n{path}\n{query}\nhost:{self._host.lower()}\n\nhost\nUNSIGNED-PAYLOAD"
        text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key_of(stamp[:8]), text.encode(), "sha256").hex()
        return Signed(f"{self._base}{path}?{query}&X-Amz-Signature={signature}", float(int(at)) + whole)

    def _key_of(self, day: str) -> bytes:
        known, key = self._day_key
        if known != day:
            key = f"AWS4{self._provider.secret}".encode()
            for part in (day, self._provider.region, "s3", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._day_key = (day, key)
        return key
