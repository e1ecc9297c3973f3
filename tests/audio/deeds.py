"""What the tests of the pool let workers do: sleep, crash, eat memory, print, outlive."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from shared.model.errors import UnreadableFile
from shared.model.track import AudioFacts


def echo(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    return args, kwargs


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def pid() -> int:
    return os.getpid()


def crash(signal_number: int = signal.SIGSEGV) -> None:
    os.kill(os.getpid(), signal_number)


def leave(code: int) -> None:
    os._exit(code)


def eat(amount: int) -> int:
    return len(bytearray(amount))


def spin() -> None:
    while True:
        pass


def chatter() -> str:
    print("noise on standard output")
    os.write(1, b"more noise\n")
    subprocess.run([sys.executable, "-c", "print('noise of a child')"], check=True)
    return "done"


def refuse(message: str) -> None:
    raise UnreadableFile(message, reason="damaged", line=7)


def stumble() -> None:
    raise OSError(28, "No space left on device")


def surroundings() -> dict[str, Any]:
    return {"environment": sorted(os.environ), "nice": os.nice(0), "group": os.getpgid(0), "pid": os.getpid(),
            "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0], "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
            "memory": resource.getrlimit(resource.RLIMIT_AS)[0], "open": sorted(os.listdir("/proc/self/fd")),
            "modules": sorted({name.split(".")[0] for name in sys.modules})}


def facts() -> AudioFacts:
    return AudioFacts("flac", "audio/flac", 7)


class Evil:
    """Unpickled, it would run a command."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


def evil(path: str) -> Any:
    return Evil(path)


def doubled(items: list[int]) -> list[int]:
    """A batch; some numbers are not good for its worker."""
    for item in items:
        if item == 13:
            crash(signal.SIGKILL)
        if item == 14:
            time.sleep(60)
        if item == 15:
            raise ValueError("fifteen")
        if item == 16:
            os._exit(0)
    return [2 * item for item in items]


def once(items: list[str]) -> list[str]:
    """Dies the first time it sees a file's name, and does well the second time."""
    for item in items:
        path = Path(item)
        if not path.exists():
            path.write_text("seen")
            crash(signal.SIGKILL)
    return items


def big(items: list[int]) -> list[bytes]:
    return [bytes(item) for item in items]
