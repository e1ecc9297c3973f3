"""Secrets at rest: sealed with a key of this machine's own, so that a config.json that goes astray tells nothing.

The key is made of two halves (HKDF): 32 random bytes in a file that only the station's user may read, beside
config.json, and the machine's own identity. A copy of the config folder on another machine opens nothing there; it
says which setting to enter again. Whoever can read files as the station's user on this machine can open all: that is
who must start the station without being asked.

While the key is being changed (`tool rekey`) there are two, the next one beside the one in use: both open, the next
one seals, and when everything is sealed with it, it takes the other's place. Cut off anywhere, nothing is lost.
"""

from __future__ import annotations

import base64
import contextlib
import os
import platform
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from shared import durable
from shared.model.errors import BadSetting

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

    Keys = tuple[Fernet, ...]
    Stamp = tuple[tuple[int, int] | None, ...]

KEY_FILE = "vault.key"
NEXT_KEY_FILE = "vault.key.next"
_KEY_BYTES = 32
_PURPOSE = b"soundsible vault 1"
_MARK = "v1:"


class SealedElsewhere(BadSetting):
    """A secret that this machine's key does not open."""

    code = "sealed_elsewhere"


def machine_identity() -> str:
    """What this machine calls itself for good; "" where it has no such name (many containers)."""
    system = platform.system()
    if system == "Linux":
        for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                if found := Path(path).read_text("ascii").strip():
                    return found
    if system == "Windows":
        with contextlib.suppress(ImportError, OSError):
            import winreg

            with winreg.OpenKey(  # type: ignore[attr-defined,unused-ignore]
                winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography",  # type: ignore[attr-defined,unused-ignore]
            ) as key:
                return str(winreg.QueryValueEx(key, "MachineGuid")[0])  # type: ignore[attr-defined,unused-ignore]
    if system == "Darwin":
        import re
        import subprocess

        with contextlib.suppress(OSError, subprocess.SubprocessError):
            said = subprocess.run(["/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice"], capture_output=True,
                                  timeout=5, text=True, check=False).stdout
            if found_id := re.search(r'"IOPlatformUUID" = "([^"]+)"', said):
                return found_id[1]
    return ""


class Vault:
    """Seals and opens texts. `folder` is the config folder; the key is made when something is sealed first."""

    def __init__(self, folder: Path, *, identity: Callable[[], str] = machine_identity) -> None:
        self._path = folder / KEY_FILE
        self._next = folder / NEXT_KEY_FILE
        self._identity = identity
        self._lock = threading.Lock()
        self._keys: Keys = ()               # the first one seals, all open
        self._stamp: Stamp = ()             # of the files they were read from

    def seal(self, text: str) -> str:
        """`text` in a form that only this machine opens. Raises OSError when the key cannot be written."""
        return _MARK + self._current(make=True)[0].encrypt(text.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """What was sealed. Raises SealedElsewhere when it was sealed with another key, or is damaged."""
        from cryptography.fernet import InvalidToken

        lost = ""
        try:
            if not sealed.startswith(_MARK):
                raise ValueError
            for key in self._current(make=False):
                with contextlib.suppress(InvalidToken):
                    return key.decrypt(sealed.removeprefix(_MARK).encode("ascii")).decode()
        except ValueError:
            pass
        except FileNotFoundError:
            lost = (f"The key it was sealed with ({self._path}) is gone: put that file back if you have a copy of the "
                    "config folder. Nobody can open it without. Else enter it again.")
        raise SealedElsewhere(lost or (
            f"It was sealed on another machine or with another key ({self._path}), or is damaged. Enter it again."))

    # ---- another key ---------------------------------------------------------------------------------------------

    @property
    def changing(self) -> bool:
        """Whether a change of the key was begun and not finished."""
        return self._next.exists()

    def begin_change(self) -> None:
        """From now on there is a next key, which seals; one that was begun is gone on with. Raises OSError."""
        self._current(make=True)
        if not self._next.exists():
            with contextlib.suppress(FileExistsError):
                durable.write(self._next, secrets.token_bytes(_KEY_BYTES), over=False)
        durable.sync_folder(self._next.parent)

    def opens_with_next(self, sealed: str) -> bool:
        """Whether `sealed` needs the old key no more."""
        from cryptography.fernet import InvalidToken

        try:
            self._current(make=False)[0].decrypt(sealed.removeprefix(_MARK).encode("ascii"))
        except (InvalidToken, ValueError):
            return False
        return self._next.exists()

    def finish_change(self) -> None:
        """The next key takes the place of the other, which is no more. Raises OSError."""
        self._next.replace(self._path)
        durable.sync_folder(self._path.parent)

    # ---- inside --------------------------------------------------------------------------------------------------

    def _current(self, *, make: bool) -> Keys:
        """The keys as the files are now: another process may have changed them. Costs two stats."""
        with self._lock:
            if not self._keys or self._stamp != (_stamp(self._next), _stamp(self._path)):
                if make and not self._path.exists():
                    self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                    with contextlib.suppress(FileExistsError):      # another process was quicker: its key counts
                        durable.write(self._path, secrets.token_bytes(_KEY_BYTES), over=False)
                self._stamp = _stamp(self._next), _stamp(self._path)
                found = [self._derived(self._path)]
                with contextlib.suppress(FileNotFoundError):
                    found.insert(0, self._derived(self._next))
                self._keys = tuple(found)
            return self._keys

    def _derived(self, path: Path) -> Fernet:
        from cryptography.fernet import Fernet
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=self._identity().encode(),
                       info=_PURPOSE).derive(_half(path))
        return Fernet(base64.urlsafe_b64encode(derived))


def _half(path: Path) -> bytes:
    """A key file's bytes. Raises FileNotFoundError, BadSetting."""
    try:
        half = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadSetting(f"{path} cannot be read: {error.strerror}. Check its permissions.") from error
    if len(half) != _KEY_BYTES:
        raise BadSetting(f"{path} is damaged. Put it back from a copy of the config folder; or remove it and enter the "
                         "secrets again (tool settings set).")
    if os.name == "posix" and path.stat().st_mode & 0o077:
        with contextlib.suppress(OSError):
            path.chmod(0o600)
    return half


def _stamp(path: Path) -> tuple[int, int] | None:
    """What tells one file of that name from the next."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_ino, facts.st_mtime_ns
