"""What is written down for who looks after the station."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# In details, beside an empty username: somebody at the machine itself did it, with the command line.
BY_TOOL: dict[str, Any] = {"by": "tool"}

# Every deed that is written down, in words for people.
DEEDS = {
    "login": "logged in",
    "login_failed": "failed to log in",
    "login_locked": "was kept from trying further passwords",
    "logout": "logged out",
    "password_changed": "changed the password",  # nosec B105  # words
    "second_factor_on": "switched the second factor on",
    "second_factor_off": "switched the second factor off",
    "recovery_used": "logged in with a recovery code",
    "owner_made": "became the first owner",
    "user_made": "made an account",
    "user_changed": "changed an account",
    "user_removed": "removed an account",
    "invited": "made an invitation",
    "invitation_withdrawn": "withdrew an invitation",
    "invitation_accepted": "accepted an invitation",
    "pairing_made": "made a sync token",
    "device_paired": "paired a device",
    "device_moved": "moved a device to another address of the station",
    "device_revoked": "revoked a device",
    "app_password_made": "made an app password",  # nosec B105  # words
    "app_password_revoked": "revoked an app password",  # nosec B105  # words
    "session_ended": "ended a session",
    "share_made": "shared music by a link",
    "share_ended": "ended a share",
    "station_paired": "paired another station",
    "station_removed": "removed another station",
    "exported": "exported playlists and listening",
    "imported": "imported playlists and listening",
    "setting_changed": "changed a setting",
    "storage_changed": "changed the storages",
    "folders_changed": "changed the music folders",
    "tracks_deleted": "moved tracks to the trash",
    "certificate_renewed": "renewed the certificate",
    "secrets_rekeyed": "sealed the secrets anew",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One line of the audit log. `deed` is a key of DEEDS; secrets never stand in `details`."""

    at: str                 # RFC 3339 UTC
    username: str           # "": nobody who is known, somebody at the machine (BY_TOOL), or the station itself
    address: str
    deed: str
    subject: str = ""       # what it was done to, in words
    details: dict[str, Any] = field(default_factory=dict)
