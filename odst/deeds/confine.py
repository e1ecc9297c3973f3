"""Shut a child process in: what it may take of the machine, where it may write, whom it may signal."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from shared.model.units import MIB, Bytes, Seconds

_OPEN_FILES = 256
_SLACK = 16 * MIB               # a file made anew from the one that was fetched may be a little larger
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38

# Landlock: system calls (the same numbers on every architecture) and rights.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE = 1 << 2
_WRITE_FILE, _REMOVE_DIR, _REMOVE_FILE, _MAKE_CHAR, _MAKE_DIR, _MAKE_REG = (1 << n for n in (1, 4, 5, 6, 7, 8))
_MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM, _REFER, _TRUNCATE = (1 << n for n in (9, 10, 11, 12, 13, 14))
_SCOPE_ABSTRACT_SOCKET, _SCOPE_SIGNAL = 1, 2


def prctl(option: int, value: int) -> bool:
    """Linux only; whether it was done."""
    if not sys.platform.startswith("linux"):
        return False
    with contextlib.suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0)
    return False


def die_with_parent(parent: int) -> None:
    """Be killed when the process that began this one ends (Linux). Ends at once when it is late already."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL if hasattr(signal, "SIGKILL") else 9)
    if hasattr(os, "getppid") and os.getppid() != parent:
        os._exit(3)


def adopt_orphans() -> None:
    """Grandchildren whose parent ended become children of this process, so that none gets lost (Linux)."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def limit(*, memory_bytes: Bytes, file_bytes: Bytes, seconds: Seconds) -> None:
    """Bound this process and its children, for good. Memory is counted as data, where the kernel can: a JavaScript
    engine reserves far more address space than it ever uses."""
    os.umask(0o077)
    if sys.platform == "win32":
        return
    import resource

    bounds = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, _OPEN_FILES),
              (resource.RLIMIT_FSIZE, file_bytes + _SLACK), (resource.RLIMIT_CPU, int(seconds) + 5)]
    if memory_bytes and sys.platform != "darwin":       # macOS does not know how to hold it
        counted = resource.RLIMIT_DATA if sys.platform.startswith("linux") else resource.RLIMIT_AS
        bounds.append((counted, memory_bytes))
    for kind, most in bounds:
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def landlock_version() -> int:
    """What this kernel offers; 0: nothing."""
    if not sys.platform.startswith("linux"):
        return 0
    with contextlib.suppress(OSError, AttributeError):
        return max(0, int(ctypes.CDLL(None, use_errno=True).syscall(_CREATE_RULESET, None, 0, _VERSION)))
    return 0


def write_only_below(folder: Path, *, hidden: Iterable[str] = (), readable: Iterable[str] = ()) -> bool:
    """From now on this process and its children change nothing outside `folder`, and signal nobody but each other.

    hidden      folders of which they read no file, but `folder` and `readable` where those lie in them

    False when the kernel has no Landlock, or none that is switched on. Raises OSError when it has and refuses.
    """
    version = landlock_version()
    if version < 1:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    inside = _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG
    handled = inside | _MAKE_CHAR | _MAKE_SOCK | _MAKE_FIFO | _MAKE_BLOCK | _MAKE_SYM
    if version >= 2:
        handled |= _REFER
        inside |= _REFER
    if version >= 3:
        handled |= _TRUNCATE
        inside |= _TRUNCATE
    hidden = {real for one in hidden if os.path.isdir(real := os.path.realpath(one)) and real != os.sep}
    if hidden:
        handled |= _READ_FILE
        inside |= _READ_FILE
    attributes = struct.pack("=Q", handled)
    if version >= 6:
        attributes = struct.pack("=QQQ", handled, 0, _SCOPE_SIGNAL | _SCOPE_ABSTRACT_SOCKET)
    ruleset = _call(libc, _CREATE_RULESET, attributes, len(attributes), 0)
    try:
        _allow(libc, ruleset, folder, inside)
        _allow(libc, ruleset, Path(os.devnull), inside & (_WRITE_FILE | _TRUNCATE))
        for path in [*readable, *_all_but(hidden, os.sep)] if hidden else ():
            with contextlib.suppress(OSError):      # it went meanwhile, or may not be opened anyway
                _allow(libc, ruleset, Path(path), _READ_FILE)
        prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _call(libc, _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True


def _all_but(hidden: Iterable[str], place: str) -> Iterator[str]:
    """Everything below `place` but `hidden`, in as few paths as will do. Links are left out: where they lead counts."""
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.path in hidden or entry.is_symlink():
                continue
            if any(one.startswith(entry.path + os.sep) for one in hidden):
                yield from _all_but(hidden, entry.path)
            else:
                yield entry.path


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)     # type: ignore[attr-defined, unused-ignore]
    try:
        _call(libc, _ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _call(libc: ctypes.CDLL, *arguments: int | bytes) -> int:
    done = int(libc.syscall(*(ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)))
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return done
