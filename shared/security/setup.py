"""The first start: a one-time code makes whoever shows it the owner.

The code lives in memory only and is made anew at each start while there is no owner. Whoever can read the terminal
is the owner; nobody becomes one by being first on the network.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from typing import TYPE_CHECKING

from shared.model.errors import Conflict, Forbidden
from shared.security.accounts import Accounts, Login

if TYPE_CHECKING:
    from shared.records.people import People
    from shared.security.throttle import Throttle

CODE_BYTES = 20     # 160 bits; 32 letters and digits, nothing that a terminal or a hand breaks
_NOBODY = "\0setup"     # no account has this name


class Setup:
    """The one claim. `throttle` limits wrong codes per address."""

    def __init__(self, *, people: People, accounts: Accounts, throttle: Throttle | None = None) -> None:
        self._people = people
        self._accounts = accounts
        self._throttle = throttle or accounts.throttle
        self._lock = threading.Lock()
        self._code: str | None = None
        self._owned = False     # once true, for ever: the last owner cannot be removed

    def needed(self) -> bool:
        """Whether the station still waits for its owner."""
        if not self._owned:
            self._owned = self._people.count_owners() > 0
            if self._owned:
                self._code = None
        return not self._owned

    def code(self) -> str:
        """The code of this start, made when it is first asked for. Raises Conflict when there is an owner already."""
        if not self.needed():
            raise _taken()
        with self._lock:
            if self._code is None:
                self._code = base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode("ascii").lower()
            return self._code

    def claim(self, code: str, username: str, password: str, address: str = "", user_agent: str = "") -> Login:
        """Make the owner and log in. Of two claims at once one wins; the code is gone with it.

        Raises Conflict when there is an owner, Forbidden for a wrong code, BadInput for a name or password that is
        not allowed (the code stays good), TooOften.
        """
        if not self.needed():
            raise _taken()
        with self._throttle.attempt(_NOBODY, address) as attempt:
            if self._fits(code):
                attempt.succeeded()
        if not attempt.right:
            if not self.needed():   # somebody was quicker while this one waited
                raise _taken()
            raise Forbidden("This set-up code is wrong or from an earlier start: open the link the terminal shows now.")
        user = self._accounts.make_first_owner(username, password, address)
        with self._lock:
            self._code, self._owned = None, True
        return self._accounts.begin_session(user, address, user_agent)

    def _fits(self, code: str) -> bool:
        with self._lock:
            mine = self._code
        # Both hashed: the comparison takes equally long for every length and every content.
        theirs = hashlib.sha256(code.strip().lower().encode("utf-8", "surrogatepass")).digest()
        return hmac.compare_digest(hashlib.sha256((mine or "").encode()).digest(), theirs) and mine is not None


def _taken() -> Conflict:
    return Conflict("This station has an owner already. Log in, or ask the owner for an account.")
