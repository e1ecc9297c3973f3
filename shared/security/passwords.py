"""Passwords and user names: what is allowed, and argon2id hashing that a Raspberry Pi can bear.

One hash takes 19 MiB for a moment and 25-150 ms of one core. Only a few run at the same time, however many people
log in at once, so neither memory nor the cores are exhausted; who would wait too long gets Overloaded.
"""

from __future__ import annotations

import ctypes
import logging
import secrets
import threading
import unicodedata
from collections.abc import Callable
from typing import Any

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from shared.model.errors import BadInput, Overloaded
from shared.records.folding import same

log = logging.getLogger(__name__)

SHORTEST = 10
LONGEST = 1024          # characters; hashing time does not depend on it, the size of a request does
NAME_LONGEST = 64

# OWASP's smallest advised memory for argon2id with one more pass.
TIME_COST, MEMORY_KIB, PARALLELISM = 3, 19_456, 1
AT_ONCE = 2             # hashes running at the same time: 38 MiB at most
WAITING = 64            # callers waiting for one of them
PATIENCE_S = 10.0

Run = Callable[..., Any]    # (deed, *args) → what deed returns


def clean_password(password: str) -> str:
    """`password` as it is hashed (NFC: é typed on a Mac is é on Linux). Raises BadInput when too short or long."""
    clean = _nfc(password, "password")
    if len(clean) < SHORTEST:
        raise BadInput(f"The password is too short: use {SHORTEST} characters or more.", field="password")
    if len(clean) > LONGEST:
        raise BadInput(f"The password is too long: use at most {LONGEST} characters.", field="password")
    return clean


def clean_username(username: str) -> str:
    """`username` as it is shown: trimmed, NFC. Raises BadInput when empty, too long or with control characters."""
    clean = _nfc(username, "username").strip()
    if not clean:
        raise BadInput("The user name is empty.", field="username")
    if len(clean) > NAME_LONGEST:
        raise BadInput(f"The user name is too long: use at most {NAME_LONGEST} characters.", field="username")
    # C: control, format (bidi overrides, zero width), surrogate, private, unassigned; Zl, Zp: line breaks.
    if any(unicodedata.category(one)[0] == "C" or unicodedata.category(one) in ("Zl", "Zp") for one in clean):
        raise BadInput("The user name holds characters that cannot be seen.", field="username")
    return clean


def fold_username(username: str) -> str:
    """The form by which user names are the same: Anna, ANNA and Ａｎｎａ are one. The records go by it too."""
    return same(username)


def _nfc(text: str, field: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise BadInput(f"The {field} is not valid text.", field=field) from None
    return unicodedata.normalize("NFC", text)


class Passwords:
    """Hashes and checks, a few at once.

    `run` calls the hash function; tests watch it, or stand in its way.
    """

    def __init__(
        self,
        *,
        at_once: int = AT_ONCE,
        waiting: int = WAITING,
        patience_s: float = PATIENCE_S,
        memory_kib: int = MEMORY_KIB,
        run: Run | None = None,
    ) -> None:
        self._hasher = PasswordHasher(
            time_cost=TIME_COST, memory_cost=memory_kib, parallelism=PARALLELISM, type=Type.ID
        )
        self._rooms = threading.BoundedSemaphore(at_once)
        self._waiting = threading.BoundedSemaphore(at_once + waiting)
        self._patience_s = patience_s
        self._run: Run = run or _here
        self._nobody: str | None = None
        _give_memory_back()

    def hash(self, password: str) -> str:
        """The argon2id hash of `password` (already cleaned), parameters and salt inside. Raises Overloaded."""
        return str(self._quietly(self._hasher.hash, password))

    def fits(self, password_hash: str | None, password: str) -> bool:
        """Whether `password` is the one behind `password_hash`; None costs as long as any other wrong answer.

        Raises Overloaded when too many wait already.
        """
        # What no account can have is still hashed, shortened: neither its length nor its shape is told by time.
        try:
            text = _nfc(password, "password")
        except BadInput:
            text = ""
        possible = len(text) <= LONGEST
        nobodys = self._nobodys()   # made by the very first log-in, whoever it is
        fits = bool(self._quietly(self._verify, password_hash or nobodys, text[:LONGEST]))
        return fits and possible and password_hash is not None

    def outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except VerificationError:
            return False
        except InvalidHashError:
            log.error("a stored password hash is not argon2: that account cannot log in until its password is set anew")
            return False

    def _nobodys(self) -> str:
        """A hash that fits no password, made once."""
        if self._nobody is None:
            self._nobody = self.hash(secrets.token_hex(32))
        return self._nobody

    def _quietly(self, deed: Callable[..., Any], *args: Any) -> Any:
        if not self._waiting.acquire(blocking=False):
            raise Overloaded("Too many people are logging in right now; try again in a moment.", retry_after_s=2)
        try:
            if not self._rooms.acquire(timeout=self._patience_s):
                raise Overloaded("Logging in takes too long right now; try again in a moment.", retry_after_s=5)
            try:
                return self._run(deed, *args)
            finally:
                self._rooms.release()
        finally:
            self._waiting.release()


def _here(deed: Callable[..., Any], *args: Any) -> Any:
    return deed(*args)


def _give_memory_back() -> None:
    # glibc raises its mmap threshold to the size of the last big block it freed; from then on every thread's arena
    # keeps its own 19 MiB (60 threads logging in once: 317 MB resident for good, with this line 14 MB).
    m_mmap_threshold = -3
    try:
        ctypes.CDLL(None).mallopt(m_mmap_threshold, 4 * 1024 * 1024)
    except (AttributeError, OSError, TypeError):    # another C library
        log.debug("no mallopt here; the C library keeps its own habits")
