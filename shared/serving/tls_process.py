"""The process that speaks TLS: it has the certificate's key and clients' bytes, and hardly anything else.

Started by tls.TlsProcess as `python -I -S -c "… tls_process.main(…)"` with no secrets in its environment. It hears on
one socket: each message is a household's name, and with it come a client's socket and an end of a pair; or the word
CERTIFICATE, and with it two open files. What it has to say (a certificate that cannot be used) goes the other way, a
line each. The end of that socket is its own end, so it never outlives its parent; signals are the parent's affair.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import traceback

from shared.serving.tls_relay import Certificate, Newcomer, Relay

NAME_BYTES = 64             # of a household's name, as each message has it
CERTIFICATE = "certificate"     # no household is called that
MEMORY_BYTES = 1 << 30
AT_ONCE = 64                # newcomers taken before the others get their turn


def main(number: int) -> None:
    """Serve on the inherited socket `number` until it ends."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    control = socket.socket(fileno=number)
    most = harden()

    def say(what: str) -> None:
        with contextlib.suppress(OSError):
            control.sendall(what.replace("\n", " ").encode() + b"\n")

    try:
        certificate = Certificate(say=say)
        control.setblocking(False)
        Relay(certificate=certificate, arrivals=control, hear=lambda: _newcomers(control, certificate), most=most).run()
    except Exception:   # the edge of a process
        control.setblocking(True)
        say("It failed: " + traceback.format_exc())
        os._exit(1)
    os._exit(0)


def harden() -> int:
    """Bound for good what this process may do: no other program, no file, no more memory. How many links it can have.
    """
    if sys.platform == "win32":
        return 100
    import resource

    os.umask(0o077)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    bounds = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NPROC, 0)]
    if sys.platform == "linux":
        import ctypes

        no_new_privileges = 38
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(no_new_privileges, 1, 0, 0, 0)
        bounds.append((resource.RLIMIT_AS, MEMORY_BYTES))
    for kind, most in bounds:
        hard = resource.getrlimit(kind)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (limit, limit))
    return max(8, (files - 32) // 2)


def _newcomers(control: socket.socket, certificate: Certificate) -> list[Newcomer] | None:
    """Who has come since; None when the parent has ended."""
    found: list[Newcomer] = []
    while len(found) < AT_ONCE:
        try:
            name, numbers, _, _ = socket.recv_fds(control, NAME_BYTES, 2)
        except (BlockingIOError, InterruptedError):
            break
        except OSError:
            return None
        if not name and not numbers:
            return found or None    # asked again, it is still the end
        word = name.rstrip(b"\0").decode("ascii", "replace")
        if len(numbers) != 2 or word == CERTIFICATE:
            if len(numbers) == 2:
                certificate.show(*(f"/dev/fd/{number}" for number in numbers))
            for number in numbers:      # one alone: no file number was left for the other
                os.close(number)
        else:
            found.append((socket.socket(fileno=numbers[0]), socket.socket(fileno=numbers[1]), word))
    return found
