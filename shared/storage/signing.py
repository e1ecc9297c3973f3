"""Signed addresses of objects (AWS Signature Version 4 in the query), for whoever streams them.

The signature is botocore's; its S3 client, which costs four times the memory, is not needed for it. It is loaded when
the first address is signed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import quote

from shared.model.cloud import Provider
from shared.model.units import Seconds

LONGEST_S = 7 * 24 * 3600       # S3 takes no more


@dataclass(frozen=True, slots=True)
class Signed:
    """An address that anybody can use until it expires. It is a secret: logs redact it."""

    url: str
    expires_at: float           # Unix time, s


def base_of(provider: Provider) -> str:
    """scheme://host of a provider's objects; pure."""
    scheme, _, host = provider.endpoint.rstrip("/").partition("://")
    # The scheme's own port is left out of what is signed; so do clients in `Host`.
    host = host.removesuffix({"http": ":80", "https": ":443"}.get(scheme, ":"))
    return f"{scheme}://{host if provider.path_style else f'{provider.bucket}.{host}'}"


class Signer:
    """Signs for one provider. Safe from any thread."""

    def __init__(self, provider: Provider) -> None:
        from botocore.credentials import Credentials

        self._credentials = Credentials(provider.key_id, provider.secret)
        self._region = provider.region
        self._above = base_of(provider) + (f"/{quote(provider.bucket, safe='~')}/" if provider.path_style else "/")

    def url(self, key: str, *, seconds: Seconds, method: str = "GET") -> Signed:
        """The address of `key` (whole, with the provider's prefix), good for `seconds` from now. Costs 0.1 ms."""
        from botocore.auth import S3SigV4QueryAuth
        from botocore.awsrequest import AWSRequest

        whole = max(1, min(LONGEST_S, int(seconds)))
        at = int(time.time())
        asked = AWSRequest(method, self._above + quote(key, safe="/~"))
        S3SigV4QueryAuth(self._credentials, "s3", self._region, expires=whole).add_auth(asked)
        return Signed(str(asked.url), float(at) + whole)
