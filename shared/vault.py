"""Secrets at rest: sealed with a key of this machine's own, so that a config.json that goes astray tells nothing.

The key is made of two halves (HKDF): 32 random bytes in a file that only the station's user may read, beside
config.json, and the machine's own identity. A copy of the config folder on another machine opens nothing there; it
says which setting to enter again. Whoever can read files as the station's user on this machine can open all: that is
who must start the station without being asked.
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

from shared.model.errors import BadSetting

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

KEY_FILE = "vault.key"
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
        self._identity = identity
        self._lock = threading.Lock()
        self._fernet: Fernet | None = None

    def seal(self, text: str) -> str:
        """`text` in a form that only this machine opens. Raises OSError when the key cannot be written."""
        return _MARK + self._key(make=True).encrypt(text.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """What was sealed. Raises SealedElsewhere when it was sealed with another key, or is damaged."""
        from cryptography.fernet import InvalidToken

        try:
            if not sealed.startswith(_MARK):
                raise ValueError
            return self._key(make=False).decrypt(sealed.removeprefix(_MARK).encode("ascii")).decode()
        except (InvalidToken, ValueError, FileNotFoundError):
            raise SealedElsewhere(
                f"It was sealed on another machine or with another key ({self._path}), or is damaged. Enter it again."
            ) from None

    def _key(self, *, make: bool) -> Fernet:
        with self._lock:
            if self._fernet is None:
                from cryptography.fernet import Fernet
                from cryptography.hazmat.primitives import hashes
                from cryptography.hazmat.primitives.kdf.hkdf import HKDF

                half = self._half(make=make)
                derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=self._identity().encode(),
                               info=_PURPOSE).derive(half)
                self._fernet = Fernet(base64.urlsafe_b64encode(derived))
            return self._fernet

    def _half(self, *, make: bool) -> bytes:
        """The key file's bytes; written once, whole, for this user alone. Raises FileNotFoundError, BadSetting."""
        if make and not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = self._path.with_name(f".{KEY_FILE}.{secrets.token_hex(8)}")
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(secrets.token_bytes(_KEY_BYTES))
                    file.flush()
                    os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):      # another process was quicker: its key counts
                    _put_new(part, self._path)
            finally:
                with contextlib.suppress(OSError):
                    part.unlink()
        try:
            half = self._path.read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise BadSetting(f"{self._path} cannot be read: {error.strerror}. Check its permissions.") from error
        if len(half) != _KEY_BYTES:
            raise BadSetting(f"{self._path} is damaged. Remove it and enter the secrets again (tool settings set).")
        if os.name == "posix" and self._path.stat().st_mode & 0o077:
            with contextlib.suppress(OSError):
                self._path.chmod(0o600)
        return half


def _put_new(part: Path, path: Path) -> None:
    """`part` becomes `path`, never over another. Raises FileExistsError."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:         # a file system without links
        if path.exists():
            raise FileExistsError(path) from None
        part.replace(path)
