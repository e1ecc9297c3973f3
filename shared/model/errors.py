"""Every error the station knows, as one tree.

    SoundsibleError
    ├── BadInput            400   the request is not understood
    │   ├── Unprocessable   422   understood, but it cannot be done as asked
    │   └── BadSetting      500   a setting holds a value that is not allowed (stops the start)
    ├── NotLoggedIn         401
    ├── Forbidden           403
    ├── NotFound            404   (TrackMissing: the row is there, its bytes are not)
    ├── Conflict            409   (ScanRunning …)
    ├── Gone                410   (RevisionTooOld)
    ├── Misdirected         421   the Host header names somebody else
    ├── TooOften            429   carries retry_after_s
    ├── Overloaded          503   carries retry_after_s
    ├── DiskFull            507   no room to write; nothing that was there is lost
    ├── StorageOffline      503   a music folder does not answer in time
    ├── CloudFailure        422   a storage provider refused or failed (in model/cloud)
    ├── UnreadableFile      422   a media file that cannot be read, with the reason
    └── StartFailed         500   the station cannot start; the message is the remedy
"""

from __future__ import annotations

from typing import Any


class SoundsibleError(Exception):
    """Base of all. `message` says what happened, to what, and what to do; it is shown to people."""

    code = "internal"
    http_status = 500
    retryable = False

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = details


class BadInput(SoundsibleError):
    code, http_status = "bad_input", 400


class Unprocessable(BadInput):
    code, http_status = "unprocessable", 422


class BadSetting(BadInput):
    code, http_status = "bad_setting", 500


class NotLoggedIn(SoundsibleError):
    code, http_status = "not_logged_in", 401


class Forbidden(SoundsibleError):
    code, http_status = "forbidden", 403


class NotFound(SoundsibleError):
    code, http_status = "not_found", 404


class TrackMissing(NotFound):
    """The track is in the library, but its file is in none of its places right now."""

    code = "track_missing"


class Conflict(SoundsibleError):
    code, http_status = "conflict", 409


class Gone(SoundsibleError):
    code, http_status = "gone", 410


class RevisionTooOld(Gone):
    code = "revision_too_old"


class Misdirected(SoundsibleError):
    code, http_status = "misdirected", 421


class TooOften(SoundsibleError):
    code, http_status, retryable = "too_often", 429, True

    def __init__(self, message: str, *, retry_after_s: int, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after_s = retry_after_s


class Overloaded(SoundsibleError):
    code, http_status, retryable = "overloaded", 503, True

    def __init__(self, message: str, *, retry_after_s: int, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after_s = retry_after_s


class DiskFull(SoundsibleError):
    """There is no room to write; nothing that was there is lost."""

    code, http_status = "disk_full", 507


class StorageOffline(SoundsibleError):
    """The answer is unknown: the folder or provider did not say anything in time."""

    code, http_status, retryable = "storage_offline", 503, True


class UnreadableFile(SoundsibleError):
    """A media file that cannot be read. `reason` is one of the words below, for lists and counts."""

    code, http_status = "unreadable_file", 422

    REASONS = (
        "empty",            # 0 bytes
        "truncated",        # the container ends before it says it does
        "not_audio",        # its bytes are something else
        "damaged",          # a checksum or the decoder says so
        "wrong_length",     # whole, but not as long as the recording that was asked for
        "too_large",        # a tag or a header claims more than a sane file has
        "no_permission",
        "vanished",         # gone between the walk and the reading
        "timed_out",        # the reader was stopped after its time was up
        "reader_crashed",   # the reader process died on it
        "unknown",
    )

    def __init__(self, message: str, *, reason: str, **details: Any) -> None:
        super().__init__(message, reason=reason, **details)
        self.reason = reason


class StartFailed(SoundsibleError):
    code, http_status = "start_failed", 500
