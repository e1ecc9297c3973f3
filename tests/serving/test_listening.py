"""The port is taken first, and what is wrong with it is said in one sentence."""

import errno
import resource
import socket
import subprocess
import sys

import pytest

from shared.model.errors import StartFailed
from shared.serving import listening


def said(host, port):
    with pytest.raises(StartFailed) as failure:
        for listener in listening.listen(host, port):
            listener.close()
    return failure.value.message


def test_port_zero_is_one_port_for_every_address():
    listeners = listening.listen("localhost", 0)
    ports = {listener.getsockname()[1] for listener in listeners}
    for listener in listeners:
        listener.close()
    assert len(ports) == 1 and ports != {0}


def test_a_port_in_use_names_another(monkeypatch):
    monkeypatch.setattr(listening, "PATIENCE_S", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert said("127.0.0.1", port).startswith(f"Port {port} is in use")


def test_a_port_that_is_given_back_in_time_is_taken(monkeypatch):
    """As after `kill -9`: the dead station's worker may hold it a moment longer."""
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    monkeypatch.setattr(listening.time, "sleep", lambda _: taken.close())
    (listener,) = listening.listen("127.0.0.1", port)
    assert listener.getsockname()[1] == port
    listener.close()


def test_a_foreign_address_and_an_unknown_name_say_what_to_use():
    assert "192.0.2.1 is not an address of this machine" in said("192.0.2.1", 0)
    assert "0.0.0.0" in said("no-such-host.invalid", 0)
    assert "1 to 65535" in said("127.0.0.1", 70000)


def test_a_privileged_port_names_the_way_out():
    message = listening._sentence("0.0.0.0", 80, PermissionError(errno.EACCES, "no"))
    assert "Port 80" in message and "--port 5005" in message


def test_the_limit_of_open_files_is_raised_as_far_as_allowed():
    """In a process of its own, because limits stay."""
    code = (
        "import resource; from shared.serving.listening import allow_many_files;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 900)); allow_many_files();"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 900:
        code = code.replace("900", "300")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert out[0] == out[1]
