"""The second factor: codes that an app on a phone makes of a shared secret and the time (TOTP, RFC 6238).

Asked for after the password, and only when that was right: who does not know the password learns nothing of whether an
account has a second factor. Who does know it learns that it is right. That cannot be hidden from them without asking
everybody for a code; it opens nothing, and tries at codes are limited for the account as a whole, from wherever they
come: only who knows the password gets so far, so nobody locks others out by it.

A code counts for its own half minute and the one before and after, and once: the time step it was of is kept. Ten
recovery codes, each good once, help when the phone is gone; of them only hashes are kept (80 random bits each). The
secret is sealed by the vault. When its key is lost, no code can be checked: recovery codes still work, and an owner, or
the command line, can switch the factor off.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

from shared.model.errors import BadSetting, Conflict, Forbidden, NotLoggedIn
from shared.model.units import Seconds

if TYPE_CHECKING:
    from shared.model.person import Person
    from shared.records.people import People, UserRow
    from shared.security.throttle import Attempt, Throttle
    from shared.vault import Vault

log = logging.getLogger(__name__)

STEP_S = 30
WINDOW = 1                      # steps before and after that count, too: clocks differ, people type
DIGITS = 6
RECOVERY_CODES = 10
RECOVERY_BYTES = 10             # 16 letters and digits, in fours
PENDING_S: Seconds = 600.0      # so long a new secret waits for its first code
PENDING = 1000                  # people who are in the middle of that
LONGEST_CODE = 100              # characters that are looked at


class SecondFactorNeeded(NotLoggedIn):
    """The password was right; a code is asked for."""

    code = "second_factor_needed"


class SecondFactorWrong(NotLoggedIn):
    """The password was right, the code was not."""

    code = "second_factor_wrong"


class WrongCode(Forbidden):
    """A code that was asked for from somebody who is logged in."""

    code = "second_factor_wrong"


class NewFactor(NamedTuple):
    """Shown this once. `uri` is what the QR code of an authenticator app holds."""

    secret: str
    uri: str


class Used(NamedTuple):
    """What the person showed: `recovery_left` is None for a code of the app, else how many codes are left."""

    recovery_left: int | None


class SecondFactors:
    """Everybody's. `name`: what the station is called in the app."""

    def __init__(
        self,
        *,
        people: People,
        vault: Vault,
        throttle: Throttle,
        name: Callable[[], str] = lambda: "Soundsible",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._people = people
        self._vault = vault
        self._throttle = throttle
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: OrderedDict[int, tuple[str, float]] = OrderedDict()      # user id → secret, until (clock)

    # ---- switching it on and off -----------------------------------------------------------------------------------

    def begin(self, person: Person) -> NewFactor:
        """A new secret, which counts once its first code was shown. Raises Conflict when there is a factor already."""
        import pyotp

        if self._people.factor(person.user_id).sealed is not None:
            raise Conflict("A second factor is on already: switch it off before you set it up anew.")
        secret = pyotp.random_base32()
        with self._lock:
            self._pending.pop(person.user_id, None)
            self._pending[person.user_id] = secret, self._clock() + PENDING_S
            while len(self._pending) > PENDING:
                self._pending.popitem(last=False)
        uri = pyotp.TOTP(secret).provisioning_uri(name=person.username, issuer_name=self._name() or "Soundsible")
        return NewFactor(secret, uri)

    def confirm(self, person: Person, code: str) -> list[str]:
        """Switch it on by the first code of the app; the recovery codes, shown this once.

        Raises Conflict when it was not begun, or too long ago; WrongCode, TooOften, OSError (no room for the key).
        """
        with self._lock:
            secret, until = self._pending.get(person.user_id, ("", 0.0))
        if not secret or self._clock() >= until:
            raise Conflict("Begin setting up the second factor first; a new secret waits ten minutes for its code.")
        with self._attempt(person.id) as attempt:
            step = self._step_of(secret, _plain(code), after=0)
            if step is not None:
                attempt.succeeded()
        if step is None:
            raise WrongCode("This code is not the one the app shows now. Is the phone's clock right?", field="code")
        codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
        if not self._people.set_factor(person.user_id, self._vault.seal(secret), step=step,
                                       recovery=[_hash(one) for one in codes], anew=True):
            raise Conflict("A second factor is on already: switch it off before you set it up anew.")
        with self._lock:
            self._pending.pop(person.user_id, None)
        log.info("user %s switched the second factor on", person.id)
        return codes

    def switch_off(self, user_id: int) -> None:
        """Without asking for a code: who may do that was asked before."""
        self._people.set_factor(user_id, None)

    # ---- checking --------------------------------------------------------------------------------------------------

    def check(self, user: UserRow, code: str | None) -> Used:
        """What of the second factor was shown by somebody who knows the password of `user`. It is used up by that.

        Raises SecondFactorNeeded without a code, SecondFactorWrong, TooOften.
        """
        if not code or not code.strip():
            raise SecondFactorNeeded("This account asks for a second factor: enter the code that your app shows, or a "
                                     "recovery code.")
        used = None
        with self._attempt(user.uid) as attempt:
            used = self._use(user, _plain(code))
            if used is not None:
                attempt.succeeded()
        if used is None:
            raise SecondFactorWrong("This code is wrong, too old, or was used already: wait for the next one that your "
                                    "app shows, or enter a recovery code.")
        return used

    def _use(self, user: UserRow, code: str) -> Used | None:
        if not (len(code) == DIGITS and code.isascii() and code.isdigit()):
            left = self._people.use_recovery(user.id, _hash(code))
            return None if left is None else Used(left)
        factor = self._people.factor(user.id)
        if factor.sealed is None:       # switched off in this very moment: the next log-in asks for none
            return None
        try:
            secret = self._vault.open(factor.sealed)
        except BadSetting as error:
            log.error("the second factor of user %s cannot be opened: %s", user.uid, error.message)
            raise SecondFactorWrong(
                "The station has lost the key of its secrets, so it cannot check codes of the app. Enter a recovery "
                "code, or ask an owner to switch your second factor off (python3 run.py tool users second-factor NAME "
                "off); then set it up anew.", lost_key=True,
            ) from None
        step = self._step_of(secret, code, after=factor.step)
        if step is None or not self._people.use_step(user.id, step):
            return None
        return Used(None)

    def _step_of(self, secret: str, code: str, *, after: int) -> int | None:
        """The time step that `code` is of, later than `after`; None when it is none of those that count now."""
        import pyotp

        generator, now = pyotp.HOTP(secret), int(self._clock() // STEP_S)
        found = None
        for step in range(now - WINDOW, now + WINDOW + 1):     # all of them, however early one fits
            fits = hmac.compare_digest(generator.at(step).encode(), code.encode("utf-8", "surrogatepass"))
            if fits and step > after and found is None:
                found = step
        return found

    def _attempt(self, uid: str) -> AbstractContextManager[Attempt]:
        """One try at a code, limited for the account wherever it comes from."""
        return self._throttle.attempt(f"\0factor {uid}", f"\0factor {uid}")


def _new_recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode("ascii").lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _plain(code: str) -> str:
    """As people type it: with blanks and dashes, in capitals."""
    return "".join(one for one in code[:LONGEST_CODE] if one not in " -\u2010\u2011\u2013\t").lower()


def _hash(code: str) -> str:
    return hashlib.sha256(_plain(code).encode("utf-8", "surrogatepass")).hexdigest()
