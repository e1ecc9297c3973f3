"""Tell which folders lie on a disk of this machine, so that only the others pay for a thread of their own."""

from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import dataclass
from typing import Literal

Kind = Literal["fixed", "removable", "foreign"]

# In-kernel file systems on a disk or in memory. What is not named (nfs, cifs, 9p, fuse.*, autofs …) is foreign.
_LOCAL_TYPES = frozenset({
    "apfs", "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "hfs", "hfsplus", "iso9660", "jfs", "msdos",
    "ntfs3", "overlay", "ramfs", "reiserfs", "squashfs", "tmpfs", "udf", "vfat", "xfs", "zfs",
})
# What the kernel shows of itself: no files of anybody's, and reading some of them does things.
_KERNEL_TYPES = frozenset({
    "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs", "fusectl",
    "mqueue", "nsfs", "proc", "pstore", "securityfs", "selinuxfs", "sysfs", "tracefs",
})
_REREAD_AFTER_S = 2.0
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    point: str      # absolute, without a slash at the end ("" is /)
    kind: Kind
    kernel: bool = False


class Mounts:
    """The mount table of this process, read again at most every two seconds. `version` moves when it changed."""

    def __init__(self, *, table: str = "/proc/self/mountinfo", devices: str = "/sys/dev/block") -> None:
        self._table, self._devices = table, devices
        self._text: str | None = None
        self._mounts: tuple[Mount, ...] = ()
        self._read_at = float("-inf")
        self._lock = threading.Lock()
        self.version = 0

    def refresh(self) -> int:
        """Read the table if it is old; the version. Costs a clock reading when it is not."""
        if time.monotonic() - self._read_at < _REREAD_AFTER_S:
            return self.version
        with self._lock:
            try:
                with open(self._table, encoding="utf-8", errors="surrogateescape") as file:
                    text = file.read()
            except OSError:  # not Linux
                text = ""
            if text != self._text:
                self._mounts = tuple(self._parse(text))
                self._text = text
                self.version += 1
            self._read_at = time.monotonic()
            return self.version

    def kind(self, folder: str) -> Kind:
        """Of `folder` (absolute, resolved) and all that is mounted beneath it: the least trustworthy one.

        Touches no file system but /proc and /sys.
        """
        self.refresh()
        folder = folder.rstrip("/")
        within: Kind = "foreign"
        longest = -1
        beneath: set[Kind] = set()
        for mount in self._mounts:  # a later mount on the same point hides the earlier one
            point = mount.point
            if (folder == point or folder.startswith(point + "/")) and len(point) >= longest:
                longest, within = len(point), mount.kind
            elif point.startswith(folder + "/"):
                beneath.add(mount.kind)
        beneath.add(within)
        return "foreign" if "foreign" in beneath else "removable" if "removable" in beneath else "fixed"

    def kernels(self) -> tuple[str, ...]:
        """Where the kernel's own file systems are mounted, wherever that is."""
        self.refresh()
        return tuple(mount.point for mount in self._mounts if mount.kernel and mount.point)

    def _parse(self, text: str) -> list[Mount]:
        mounts = []
        for line in text.splitlines():
            left, separator, right = line.partition(" - ")
            fields, kinds = left.split(" "), right.split(" ")
            if not separator or len(fields) < 5:
                continue
            point = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[4]).rstrip("/")
            kind: Kind = "foreign"
            if kinds[0] in _LOCAL_TYPES:
                kind = "removable" if self._by_usb(fields[2]) else "fixed"
            mounts.append(Mount(point, kind, kinds[0] in _KERNEL_TYPES))
        return mounts

    def _by_usb(self, device: str) -> bool:
        return "/usb" in os.path.realpath(f"{self._devices}/{device}")
