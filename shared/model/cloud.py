"""Words for what lies in buckets: providers, copies of tracks, what providers answer, and how they fail."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.model.errors import SoundsibleError
from shared.model.units import Bytes, Kbps, Nanoseconds


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of data: how one kind of S3-compatible storage differs from the others."""

    name: str               # as in `tool storage add <name>`
    title: str
    endpoint: str           # with {account} and {region} where they belong; "" is to be given whole
    region: str             # the usual one; "" is to be given
    path_style: bool        # the bucket stands in the path, not in the host's name
    asks: tuple[str, ...]   # what a person is asked for besides bucket, key id and secret: account, region, endpoint
    help: str               # where to get the key, in a sentence


KINDS = {one.name: one for one in (
    Kind("r2", "Cloudflare R2", "https://{account}.r2.cloudflarestorage.com", "auto", True, ("account",),
         "In the Cloudflare dashboard: R2, Manage API tokens, create one with Object Read & Write for this bucket. It "
         "shows the access key ID, the secret access key, and the account's endpoint."),
    Kind("b2", "Backblaze B2", "https://s3.{region}.backblazeb2.com", "", True, ("region",),
         "At Backblaze: Application Keys, add one for this bucket with read and write. keyID is the key id, "
         "applicationKey the secret; the region stands in the bucket's endpoint (us-west-004)."),
    Kind("s3", "Amazon S3", "https://s3.{region}.amazonaws.com", "", False, ("region",),
         "In the AWS console: IAM, a user whose policy allows s3:ListBucket, GetObject, PutObject, DeleteObject and "
         "AbortMultipartUpload for this bucket; then an access key for that user."),
    Kind("other", "S3-compatible storage", "", "us-east-1", True, ("endpoint", "region"),
         "Anything that speaks S3: MinIO, Garage, Ceph, SeaweedFS, Wasabi … Its endpoint is the address with port."),
)}


@dataclass(frozen=True, slots=True)
class Provider:
    """One bucket with its key: a row of `storages` in config.json, opened."""

    name: str               # as people call it; unique
    kind: str               # one of KINDS
    endpoint: str           # https://host[:port], no path
    region: str
    bucket: str
    key_id: str
    secret: str = field(repr=False)
    prefix: str = ""        # of all keys; "" or ends in "/"
    path_style: bool = True
    seal_key: bytes | None = field(default=None, repr=False)    # 32 bytes: objects are encrypted before they leave


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a track in a bucket. Its bytes are told as a listener gets them: opened, when they are sealed."""

    track_id: str               # public
    provider: str
    key: str                    # whole, with the provider's prefix
    size_bytes: Bytes
    stored_bytes: Bytes         # what lies in the bucket; more than size_bytes when sealed
    sha256: str                 # of the bytes that a listener gets
    format: str
    mime_type: str
    bitrate_kbps: Kbps | None
    compression: str            # "" for the file bit for bit, else "mp3:320", "opus:128"
    source_sha256: str          # of the file it was made of; equals sha256 when it was not compressed
    source_size_bytes: Bytes    # that file as it was then, to know without reading it whether it has changed since
    source_mtime_ns: Nanoseconds
    etag: str                   # as the provider answered, without quotes
    sealed: bool
    verified_at: float          # Unix time; when size and checksum were last found right
    broken: str | None = None   # why it does not count: gone, corrupted
    added_at: float = 0.0

    @property
    def exact(self) -> bool:
        return not self.compression


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a provider says of one object."""

    key: str
    size_bytes: Bytes
    etag: str                   # without quotes
    modified_at: float          # Unix time
    metadata: dict[str, str] = field(default_factory=dict)     # only where it was asked for by HEAD


class CloudFailure(SoundsibleError):
    """What a provider refused or failed to do. `reason` is one of the words below; the message holds the remedy.

    The HTTP status is 422: a provider that is down is no fault of the station.
    """

    code, http_status = "cloud_failure", 422

    #: reason → whether trying again later may help
    REASONS = {
        "wrong_key": False,         # the key id is not known
        "wrong_secret": False,      # nosec B105  # the signature does not match
        "forbidden": False,         # the key may not do this
        "no_bucket": False,
        "wrong_region": False,
        "clock": False,             # this machine's clock is too far off
        "expired": True,            # the signed URL or token is over
        "not_there": False,         # no such object
        "corrupted": False,         # the bytes are not those that were put there
        "slow_down": True,          # 503, 429
        "no_answer": True,          # cannot be reached, does not answer in time, cut off
        "certificate": False,       # TLS could not be verified
        "full": False,              # quota, or a cap on spending
        "refused": False,           # anything else it said no to
    }

    def __init__(self, message: str, *, reason: str, provider: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, reason=reason, provider=provider)
        self.reason = reason
        self.provider = provider
        self.retryable = self.REASONS[reason]
        self.retry_after_s = retry_after_s
