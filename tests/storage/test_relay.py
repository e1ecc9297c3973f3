"""What fails in the middle goes on from the next place, at the same byte."""

from __future__ import annotations

import errno
import io
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.model.cloud import CloudFailure
from shared.model.errors import StorageOffline
from shared.serving.gunicorn_server import ClientSocket
from shared.storage.access import Access
from shared.storage.relay import Guarded, Relay
from tests.storage.places import noise

CONTENT = noise(2_000_000)


class Failing(io.RawIOBase):
    """Has bytes up to some point and then an error."""

    def __init__(self, good: int, error: Exception) -> None:
        self.good, self.error, self.at = good, error, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        if self.at >= self.good:
            raise self.error
        data = CONTENT[self.at:min(self.good, self.at + size)]
        self.at += len(data)
        return data


def places(*openers: Callable[[], Any]) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield from ((f"place {number}", one) for number, one in enumerate(openers))


def whole(relay: Relay) -> bytes:
    got = b""
    while data := relay.read(50_000):
        got += data
    relay.close()
    return got


@pytest.mark.parametrize("error", [OSError(errno.EIO, "unplugged"), StorageOffline("hangs"),
                                   CloudFailure("cut", reason="no_answer")])
def test_the_next_place_goes_on_at_the_same_byte(error: Exception) -> None:
    relay = Relay(Failing(700_001, error), size_bytes=len(CONTENT), further=places(lambda: io.BytesIO(CONTENT)))
    assert whole(relay) == CONTENT


def test_a_file_that_became_shorter_is_continued_as_well(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(CONTENT[:1000])
    relay = Relay(io.FileIO(path), size_bytes=len(CONTENT), further=places(lambda: io.BytesIO(CONTENT)))
    assert whole(relay) == CONTENT


def test_places_that_do_not_have_it_or_fail_at_once_are_passed_over() -> None:
    def broken() -> Any:
        raise CloudFailure("no", reason="forbidden")

    relay = Relay(Failing(10, OSError(5, "gone")), size_bytes=len(CONTENT),
                  further=places(lambda: None, broken, lambda: Failing(5, OSError()), lambda: io.BytesIO(CONTENT)))
    assert whole(relay) == CONTENT


def test_when_nobody_goes_on_the_error_is_told() -> None:
    relay = Relay(Failing(10, OSError(errno.EIO, "gone")), size_bytes=len(CONTENT), further=places())
    assert relay.read(10) == CONTENT[:10]
    with pytest.raises(OSError, match="gone"):
        relay.read(10)


def test_closing_closes_every_place_that_was_opened() -> None:
    other = io.BytesIO(CONTENT)
    first = Failing(10, OSError(5, "gone"))
    relay = Relay(first, size_bytes=len(CONTENT), further=places(lambda: other))
    relay.read(10)
    relay.read(10)
    relay.close()
    assert first.closed and other.closed


def sent_by_the_kernel(relay: Relay, *, cut: Callable[[], None]) -> bytes:
    """What a client gets over the station's own sending; `cut` is done when the connection is full."""
    ours, theirs = socket.socketpair()
    wire = ClientSocket(fileno=ours.detach())
    wire.setblocking(True)
    got = bytearray()
    begun = threading.Event()

    def listen() -> None:
        begun.wait(10)
        while data := theirs.recv(65536):
            got.extend(data)

    listener = threading.Thread(target=listen)
    listener.start()
    threading.Timer(0.2, lambda: (cut(), begun.set())).start()
    try:
        wire.sendfile(relay, 0, len(CONTENT))
    finally:
        wire.close()
        listener.join(20)
        theirs.close()
        relay.close()
    return bytes(got)


def test_sendfile_goes_on_from_another_file_when_the_first_is_cut_short(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(CONTENT)
    second.write_bytes(CONTENT)
    relay = Relay(io.FileIO(first), size_bytes=len(CONTENT),
                  further=places(lambda: io.FileIO(second)))
    assert sent_by_the_kernel(relay, cut=lambda: os.truncate(first, 0)) == CONTENT


def test_sendfile_goes_on_with_bytes_that_lie_in_no_file(tmp_path: Path) -> None:
    first = tmp_path / "1"
    first.write_bytes(CONTENT)
    relay = Relay(io.FileIO(first), size_bytes=len(CONTENT),
                  further=places(lambda: Failing(len(CONTENT), OSError())))
    assert sent_by_the_kernel(relay, cut=lambda: os.truncate(first, 0)) == CONTENT


def test_a_client_that_is_gone_is_no_fault_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "1"
    path.write_bytes(CONTENT)
    opened: list[int] = []
    relay = Relay(io.FileIO(path), size_bytes=len(CONTENT), further=places(lambda: opened.append(1)))
    ours, theirs = socket.socketpair()
    theirs.close()
    wire = ClientSocket(fileno=ours.detach())
    with pytest.raises(BrokenPipeError):
        wire.sendfile(relay, 0, len(CONTENT))
    assert not opened
    wire.close()
    relay.close()


class Stale(Failing):
    """A file on a mount that stops answering."""

    def __init__(self, good: int) -> None:
        super().__init__(good, OSError())
        self.back = threading.Event()

    def read(self, size: int = -1) -> bytes:
        if self.at >= self.good:
            self.back.wait(20)
            raise OSError(errno.ESTALE, "stale")
        return super().read(size)


def test_a_mount_that_hangs_in_the_middle_is_left_within_its_deadline(tmp_path: Path) -> None:
    access, stale = Access(), Stale(600_000)
    relay = Relay(Guarded(stale, access=access, root=str(tmp_path), deadline_s=0.3),    # type: ignore[arg-type]
                  size_bytes=len(CONTENT), further=places(lambda: io.BytesIO(CONTENT)))
    got = b""
    while data := relay.read(50_000):
        got += data
    assert got == CONTENT
    relay.close()               # does not wait for it either
    stale.back.set()
    access.stop()
