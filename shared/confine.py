"""Shut a process in: what it may take of the machine, what it may read and write, whom it may signal or ask.

Every process in which strangers' bytes are made sense of is shut in here. What the kernel cannot hold (Landlock is
Linux's) is not held; docs/security.md tells which.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.model.units import MIB, Bytes, Seconds

_OPEN_FILES = 256
_SLACK = 16 * MIB               # a file made anew from the one that was fetched may be a little larger
_YOUNG_S = 2.0                  # so long nothing that a process was shut off from can be newer than it
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38

# Landlock: system calls (the same numbers on every architecture) and rights.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE = 1 << 2
_WRITE_FILE, _REMOVE_DIR, _REMOVE_FILE, _MAKE_CHAR, _MAKE_DIR, _MAKE_REG = (1 << n for n in (1, 4, 5, 6, 7, 8))
_MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM, _REFER, _TRUNCATE = (1 << n for n in (9, 10, 11, 12, 13, 14))
_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPE_ABSTRACT_SOCKET, _SCOPE_SIGNAL = 1, 2

# Seccomp: system calls by their numbers, on x86-64 and on 64-bit ARM (0: it has none of that name).
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}      # which number, and the kernel's own name
_CALLED = ((49, 200), (50, 201))                            # bind listen
_BEGINNINGS = ((59, 221), (322, 281), (57, 0), (58, 0))     # execve execveat fork vfork
_NEVER = (      # another's memory, other rights, another network, another's share, what kernels were taken over by
    (101, 117), (310, 270), (311, 271), (440, 440), (434, 434), (438, 438), (424, 424), (312, 272), (200, 130),
    # ptrace process_vm_readv process_vm_writev process_madvise pidfd_open pidfd_getfd pidfd_send_signal kcmp tkill
    (272, 97), (308, 268), (165, 40), (166, 39), (155, 41), (161, 51), (428, 428), (429, 429), (430, 430), (442, 442),
    # unshare setns mount umount2 pivot_root chroot open_tree move_mount fsopen mount_setattr
    (303, 264), (304, 265), (133, 0), (259, 33),        # name_to_handle_at open_by_handle_at mknod mknodat
    (141, 140), (142, 118), (144, 119), (203, 122), (314, 274), (251, 30),
    # setpriority sched_setparam sched_setscheduler sched_setaffinity sched_setattr ioprio_set
    (321, 280), (298, 241), (323, 282), (425, 425), (426, 426), (427, 427), (248, 217), (249, 218), (250, 219),
    # bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register add_key request_key keyctl
)
_CLONE, _CLONE3, _SOCKET, _PRLIMIT = (56, 220), (435, 435), (41, 198), (302, 261)
_KILLS = ((62, 129), (234, 131), (129, 138), (297, 240))    # kill tgkill rt_sigqueueinfo rt_tgsigqueueinfo
_A_THREAD = 0x10000             # of clone: shares all with who began it
_LOAD, _EQUAL, _ANY_OF, _AT_LEAST, _ANSWER = 0x20, 0x15, 0x45, 0x35, 0x06      # of the filter's own language
_ALLOWED, _FORBIDDEN, _UNKNOWN = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38     # EPERM, ENOSYS
_PR_SET_SECCOMP, _FILTER = 22, 2
_KEPT_CAPABILITIES = 1 << 0 | 1 << 1 | 1 << 3   # of root: CHOWN, DAC_OVERRIDE, FOWNER: other people's music is theirs
_CAPABILITY_VERSION = 0x20080522


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


def keep_to_oneself() -> bool:
    """Other processes of the same user (a child that was taken over) can no longer read this one's memory or
    environment, or trace it; no core is written (Linux). Children that are forked are the same, those that begin a
    program are not."""
    return prctl(_PR_SET_DUMPABLE, 0)


def gain_nothing() -> None:
    """Whatever program this process or a child of it starts, it has no rights that this one has not (Linux)."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


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


def give_up_rank() -> None:
    """Root is hardly more than anybody from now on (Linux): it still reads and writes others' files, nothing else. For
    this thread and what it begins."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        head = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
        held = ctypes.create_string_buffer(24)
        if libc.capget(head, held) == 0:
            effective, permitted, _, _, _, _ = struct.unpack("=6I", held.raw)
            libc.capset(head, struct.pack("=6I", effective & _KEPT_CAPABILITIES, permitted & _KEPT_CAPABILITIES,
                                          0, 0, 0, 0))


def ask_little(*, programs: bool = False, sockets: bool = False, network: bool = False) -> bool:
    """From now on this thread and those that it begins can ask the kernel for no memory, rights or share of another, no
    program, process or signal to others (but with `programs`), and no socket (with `sockets`, one of a file's; with
    `network`, any). On Linux, x86-64 and 64-bit ARM.

    Holds without Landlock, too. Whether it was done. Call it before other threads begin.
    """
    if not sys.platform.startswith("linux") or struct.calcsize("P") != 8:
        return False
    machine = _MACHINES.get(os.uname().machine)
    if machine is None:
        return False
    program = _filter(*machine, programs=programs, sockets=sockets, network=network)
    code = ctypes.create_string_buffer(program, len(program))
    told = struct.pack("@HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        prctl(_PR_SET_NO_NEW_PRIVS, 1)
        return bool(libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_FILTER), told, 0, 0) == 0)
    return False


def _filter(which: int, kernel: int, *, programs: bool, sockets: bool, network: bool) -> bytes:
    """The filter, for who calls with the numbers of this machine alone. Each step: code, jumps if so and if not, value.
    """
    steps: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, 4), (_EQUAL, 1, 0, kernel), (_ANSWER, 0, 0, _FORBIDDEN), (_LOAD, 0, 0, 0)]
    if which == 0:      # a second set of numbers, of a kernel for both sizes of words
        steps += [(_AT_LEAST, 0, 1, 0x40000000), (_ANSWER, 0, 0, _FORBIDDEN)]
    for numbers in _NEVER + (() if programs else _BEGINNINGS) + (() if network else _CALLED):
        if numbers[which]:
            steps += [(_EQUAL, 0, 1, numbers[which]), (_ANSWER, 0, 0, _FORBIDDEN)]
    only = [(_PRLIMIT, _EQUAL, 0)]      # oneself
    if not network:
        only.append((_SOCKET, _EQUAL, 1 if sockets else 0xFFFF))    # AF_UNIX, or a family that there is not
    if not programs:
        steps += [(_EQUAL, 0, 1, _CLONE3[which]), (_ANSWER, 0, 0, _UNKNOWN)]    # what it asks cannot be seen: clone can
        only += [(_CLONE, _ANY_OF, _A_THREAD), *((numbers, _EQUAL, os.getpid()) for numbers in _KILLS)]
    for numbers, compare, value in only:
        steps += [(_EQUAL, 0, 4, numbers[which]), (_LOAD, 0, 0, 16), (compare, 1, 0, value),
                  (_ANSWER, 0, 0, _FORBIDDEN), (_ANSWER, 0, 0, _ALLOWED)]
    steps.append((_ANSWER, 0, 0, _ALLOWED))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a process that decodes media has no business with. Paths of folders; those that are not there are let be.

    hidden      no file in them is read or changed
    kept        no file in them is changed
    own         read and changed all the same; the first is where temporary files go
    programs    that it has to start; without any it starts no process at all
    sockets     whether it may ask sockets of files: what a worker is lent comes through one. Whose they are cannot be
                told apart, and the bus of a user's session is one of them
    """

    hidden: tuple[str, ...]
    kept: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    sockets: bool = False


_PROJECT = str(Path(__file__).resolve().parents[1])
_OF_DATA = ("covers", "trash", "podcasts", "demo")      # folders of the data folder that crafts work in


def for_media(settings: Any, roots: Iterable[str] = (), *, programs: Iterable[str] = (),
              sockets: bool = False) -> Bounds:
    """For who reads and writes music: nothing of the station's own but what it is to work on, nothing of the program
    or of the user's own settings (what begins with a dot at home) is changed.

    settings    config_dir, data_dir and cache_dir are read
    roots       music folders, whereever they are
    """
    data = Path(settings.data_dir)
    home = os.path.expanduser("~")
    dots: list[str] = []
    with contextlib.suppress(OSError), os.scandir(home) as entries:
        dots = [entry.path for entry in entries if entry.name.startswith(".")]
    for name in _OF_DATA[:3]:
        with contextlib.suppress(OSError):      # a disk that went; what is made there fails by itself
            (data / name).mkdir(mode=0o700, exist_ok=True)
    return Bounds(
        hidden=(str(settings.config_dir), str(data)),
        kept=(_PROJECT, sys.prefix, sys.base_prefix, "/etc", "/usr", "/boot", *dots),
        own=(str(settings.cache_dir), *(str(data / name) for name in _OF_DATA), *roots),
        programs=tuple(programs), sockets=sockets,
    )


def for_reading(closed: Sequence[str]) -> Bounds:
    """For who only reads music. closed: the station's own folders (config, data, cache)."""
    hidden, data = tuple(closed), next((one for one in closed[1:2]), "")
    return Bounds(hidden=hidden, kept=(_PROJECT, sys.prefix, sys.base_prefix, "/etc", "/usr", "/boot"),
                  own=(os.path.join(data, "demo"),) if data else ())


class Shut:
    """How the world looked when a process was shut off."""

    def __init__(self, places: dict[str, frozenset[str]]) -> None:
        self._places = places
        self._mounts = _mounts()
        self._at = time.monotonic()

    def outdated(self) -> bool:
        """Whether there are folders or mounts by now that were not there: what is in them stays closed to this
        process, but would be open to a new one."""
        if time.monotonic() - self._at < _YOUNG_S:
            return False
        return _mounts() != self._mounts or any(_names(place) - names for place, names in self._places.items())


def shut_off(bounds: Bounds) -> Shut | None:
    """From now on this thread and those that it begins keep to `bounds` and to `ask_little`. Costs a millisecond.

    None when the kernel has no Landlock, or none that is switched on. Raises OSError when it has and refuses. Call it
    before other threads begin.
    """
    give_up_rank()
    ask_little(programs=bool(bounds.programs), sockets=bounds.sockets)
    version = landlock_version()
    if version < 1:
        return None
    hidden = _real(bounds.hidden)
    kept = hidden | _real(bounds.kept)
    own = _real(bounds.own)
    changing = (_WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM | _MAKE_FIFO
                | _MAKE_SOCK)
    if version >= 2:
        changing |= _REFER
    if version >= 3:
        changing |= _TRUNCATE
    if any(inside(one, place) for one in hidden for place in own):
        changing = 0            # a music folder around the station's own: what is in it must be open to changes
    handled = changing | _READ_FILE
    attributes = struct.pack("=Q", handled)
    if version >= 4:
        attributes = struct.pack("=QQ", handled, _BIND_TCP | _CONNECT_TCP)
    if version >= 6:
        attributes = struct.pack("=QQQ", handled, _BIND_TCP | _CONNECT_TCP, _SCOPE_SIGNAL | _SCOPE_ABSTRACT_SOCKET)
    libc = ctypes.CDLL(None, use_errno=True)
    places: dict[str, frozenset[str]] = {}
    ruleset = _call(libc, _CREATE_RULESET, attributes, len(attributes), 0)
    try:
        _allow_all(libc, ruleset, _all_but(hidden, os.sep, places), _READ_FILE)
        if changing:
            _allow_all(libc, ruleset, _all_but(kept, os.sep, places), changing)
            _allow_all(libc, ruleset, [os.devnull], changing & (_WRITE_FILE | _TRUNCATE))
        for place in own:
            if not any(inside(one, place) for one in hidden):
                _allow_all(libc, ruleset, [place], _READ_FILE | changing)
        prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _call(libc, _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return Shut(places)


def inside(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or beneath it: `/music-private` is not in `/music`."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _real(folders: Iterable[str]) -> set[str]:
    found = {os.path.realpath(one) for one in folders if os.path.isdir(one)}
    return found - {os.sep}


def _names(place: str) -> frozenset[str]:
    """Of the folders in a place."""
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        return frozenset(entry.name for entry in entries if entry.is_dir())
    return frozenset()


def _mounts() -> bytes:
    with contextlib.suppress(OSError):
        return Path("/proc/self/mountinfo").read_bytes()
    return b""


def _all_but(hidden: Iterable[str], place: str, seen: dict[str, frozenset[str]] | None = None) -> Iterator[str]:
    """Everything below `place` but `hidden`, in as few paths as will do. Links are left out: where they lead counts.
    `seen` gets the folders that were looked into, with the names in them."""
    if seen is not None:
        seen[place] = _names(place)
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.path in hidden or entry.is_symlink():
                continue
            if any(one.startswith(entry.path + os.sep) for one in hidden):
                yield from _all_but(hidden, entry.path, seen)
            else:
                yield entry.path


def _allow_all(libc: ctypes.CDLL, ruleset: int, paths: Iterable[str], rights: int) -> None:
    of_files = _READ_FILE | _WRITE_FILE | _TRUNCATE
    for path in paths:
        with contextlib.suppress(OSError):      # it went meanwhile, or may not be opened anyway
            _allow(libc, ruleset, Path(path), rights if os.path.isdir(path) else rights & of_files)


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
