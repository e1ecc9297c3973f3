"""HTTPS on the same port as HTTP: who begins with a TLS hello is given to a process that does nothing but TLS.

Of such a connection the server keeps one end of a pair, where the plain bytes come and go, and takes it for the
connection itself: files sent by the kernel, WebSockets and admission stay what they are. The client's own socket goes
to the process, and with it all that a hostile handshake can do. Where sockets cannot be handed to another process
(Windows), a thread does the same.

The certificate's files are opened here and handed over too, again whenever they have changed: the process needs no
file of its own, and a renewal needs no word.
"""

from __future__ import annotations

import array
import contextlib
import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared.serving.tls_process import CERTIFICATE, NAME_BYTES
from shared.serving.tls_relay import Certificate, Newcomer, Relay
from shared.settings import child_environment

log = logging.getLogger("soundsible.server")

HELLO = b"\x16"             # a TLS handshake's first byte; HTTP begins with a letter
LOOK_S = 2.0                # between two looks at the certificate's files
LIVED_S = 10.0              # who ends sooner is started again only after a while, longer each time:
AGAIN_S, AGAIN_AT_MOST_S = 0.25, 30.0
END_S = 1.2                 # a little more than the relay's own grace

_ROOT = str(Path(__file__).resolve().parents[2])
_START = ("import sys; sys.path.insert(0, sys.argv[1]); from shared.serving.tls_process import main; "
          "main(int(sys.argv[2]))")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the certificate with its chain, and its key."""

    certificate: Path
    key: Path


TlsOf = Callable[[], TlsFiles | None]   # asked again and again, once the station has started; None: there is none yet


class Tls(Protocol):
    """Takes over connections that speak TLS. Safe from any thread."""

    def take(self, client: socket.socket, home: str) -> socket.socket | None:
        """The connection's plain end, for the server. `client` is given away, whatever comes of it; None: there is
        nobody to speak TLS now. `home`: the household it counts for while it shakes hands, or "". Never waits."""

    def stop(self) -> None:
        """Nobody new; what is under way may leave. Returns at once."""

    def end(self) -> None:
        """Be gone; what is under way gets END_S."""


def begin_tls(files: TlsOf | None) -> Tls | None:
    """The way to TLS that this system has; None: HTTP alone is wanted."""
    if files is None:
        return None
    if hasattr(socket, "AF_UNIX") and hasattr(socket, "recv_fds"):
        return TlsProcess(files)
    return TlsThread(files)


class _Files:
    """The certificate's files, and whether they are others than at the last look."""

    def __init__(self, files: TlsOf) -> None:
        self._files = files
        self._seen: object = None

    def changed(self) -> TlsFiles | None:
        """Those to be shown, when they are new. Costs two system calls. Never raises."""
        try:
            files = self._files()
            if files is None:
                return None
            seen: object = [(one, *_stamp(one)) for one in (files.certificate, files.key)]
        except Exception as error:  # the edge to whoever makes certificates
            if str(error) != self._seen:
                log.error("The certificate for HTTPS cannot be had: %s", getattr(error, "message", error))
            self._seen = str(error)
            return None
        if seen == self._seen:
            return None
        self._seen = seen
        return files

    def forget(self) -> None:
        self._seen = None


def _stamp(path: Path) -> tuple[int, int, int]:
    facts = path.stat()
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


class TlsProcess:
    """The process, started when there is a certificate, and again when it dies."""

    def __init__(self, files: TlsOf) -> None:
        self._files = _Files(files)
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._look()
        threading.Thread(target=self._watch, name="tls", daemon=True).start()

    def take(self, client: socket.socket, home: str) -> socket.socket | None:
        ours, theirs = socket.socketpair()
        try:
            if self._send(home, client.fileno(), theirs.fileno()):
                return ours
        finally:
            theirs.close()
            client.close()
        ours.close()
        return None

    def stop(self) -> None:
        self._stopping.set()
        with self._lock, contextlib.suppress(OSError):
            if self._control is not None:
                self._control.shutdown(socket.SHUT_WR)

    def end(self) -> None:
        self.stop()
        process = self._process
        if process is not None:
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()

    # ---- inside

    def _send(self, name: str, *numbers: int) -> bool:
        """One message with two files or sockets. False: it is gone, or so busy that it takes nothing."""
        message = name.encode("ascii", "replace")[:NAME_BYTES].ljust(NAME_BYTES, b"\0")
        rights = socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", numbers)
        with self._lock:
            if self._control is None or self._stopping.is_set():
                return False
            try:
                return self._control.sendmsg([message], [rights], socket.MSG_DONTWAIT) == NAME_BYTES
            except OSError:
                return False

    def _look(self) -> None:
        """Hand over the certificate when it has changed; there is a process as soon as there is one."""
        files = self._files.changed()
        if files is None:
            return
        if self._control is None and not self._start():
            self._files.forget()
            return
        try:
            with files.certificate.open("rb") as certificate, files.key.open("rb") as key:
                if not self._send(CERTIFICATE, certificate.fileno(), key.fileno()):
                    self._files.forget()
        except OSError as error:
            log.error("The certificate for HTTPS cannot be read: %s", error)

    def _start(self) -> bool:
        ours, theirs = socket.socketpair()
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, _ROOT, str(theirs.fileno())], env=child_environment(),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=os.sep, pass_fds=[theirs.fileno()],
            )
        except OSError as error:
            log.error("HTTPS is not answered: no process could be started for it (%s).", error)
            ours.close()
            return False
        finally:
            theirs.close()
        with self._lock:
            self._control, self._process = ours, process
        return True

    def _watch(self) -> None:
        """Hear what the process says, look after the certificate, and start it again when it ends."""
        wait_s, began, said = AGAIN_S, time.monotonic(), b""
        while not self._stopping.is_set():
            control, process = self._control, self._process
            if control is None or process is None:
                if self._stopping.wait(LOOK_S):
                    return
                self._look()
                began = time.monotonic()
                continue
            asked = select.poll()
            asked.register(control, select.POLLIN)
            if not asked.poll(LOOK_S * 1000):
                self._look()
                continue
            with contextlib.suppress(OSError):
                data = control.recv(4096)
                *lines, said = (said + data).split(b"\n")
                for line in lines:
                    log.warning("%s", line.decode("utf-8", "replace"))
                if data:
                    continue
            with self._lock:
                self._control = None
                control.close()
            code = process.wait()
            if self._stopping.is_set():
                return
            log.warning("The process that speaks TLS ended (%s); it is started again. HTTPS connections have ended.",
                        code)
            wait_s = AGAIN_S if time.monotonic() - began > LIVED_S else min(2 * wait_s, AGAIN_AT_MOST_S)
            if self._stopping.wait(wait_s):
                return
            self._files.forget()
            self._look()
            began, said = time.monotonic(), b""


class TlsThread:
    """The same in a thread of this process, where sockets cannot be given away."""

    def __init__(self, files: TlsOf) -> None:
        self._files = _Files(files)
        self._arrived: deque[Newcomer] = deque()
        self._hears, self._tells = socket.socketpair()
        self._hears.setblocking(False)
        self._tells.setblocking(False)
        self._certificate = Certificate(say=lambda what: log.warning("%s", what))
        most = 200 if sys.platform == "win32" else 4096     # of what select() can watch there
        self._relay = Relay(certificate=self._certificate, arrivals=self._hears, hear=self._newcomers, most=most,
                            now_and_then=self._look)
        self._look()
        threading.Thread(target=self._run, name="tls", daemon=True).start()

    def take(self, client: socket.socket, home: str) -> socket.socket | None:
        ours, theirs = socket.socketpair()
        self._arrived.append((client, theirs, home))
        try:
            self._tells.send(b".")
        except BlockingIOError:     # it will look anyway
            pass
        except OSError:             # stopped
            for end in (client, ours, theirs):
                end.close()
            return None
        return ours

    def stop(self) -> None:
        self._tells.close()

    def end(self) -> None:
        self.stop()

    def _look(self) -> None:
        files = self._files.changed()
        if files is not None:
            self._certificate.show(str(files.certificate), str(files.key))

    def _run(self) -> None:
        try:
            self._relay.run()
        except Exception:   # the edge of a thread
            log.exception("HTTPS is not answered any more.")
            self._tells.close()

    def _newcomers(self) -> list[Newcomer] | None:
        try:
            ended = not self._hears.recv(4096)
        except BlockingIOError:
            ended = False
        except OSError:
            ended = True
        found = []
        while self._arrived:
            found.append(self._arrived.popleft())
        return None if ended and not found else found
