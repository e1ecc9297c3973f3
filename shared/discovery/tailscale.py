"""By which name Tailscale's network knows this machine: asked of its program, where there is one."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess

from shared.model.units import Seconds
from shared.settings import child_environment

log = logging.getLogger(__name__)

PATIENCE_S: Seconds = 3.0
ANSWER_BYTES = 4 * 1024 * 1024
_PLACES = ("/usr/bin/tailscale", "/usr/local/bin/tailscale", "/opt/homebrew/bin/tailscale",
           "/Applications/Tailscale.app/Contents/MacOS/Tailscale", r"C:\Program Files\Tailscale\tailscale.exe")
_NAME = re.compile(r"(?=.{4,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+")


def program() -> str | None:
    """Where Tailscale's program is; None when it is not installed."""
    return shutil.which("tailscale") or next((one for one in _PLACES if os.access(one, os.X_OK)), None)


def dns_name(command: str | None = None) -> str | None:
    """This machine's name in its tailnet (attic.example.ts.net), None without one. Takes up to PATIENCE_S: never in a
    request."""
    command = command or program()
    if command is None:
        return None
    try:
        asked = subprocess.run(
            [command, "status", "--json", "--peers=false"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=PATIENCE_S, check=False,
            env=child_environment(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.info("tailscale does not say its name: %s", type(error).__name__)
        return None
    return name_in(asked.stdout[:ANSWER_BYTES]) if asked.returncode == 0 else None


def name_in(status: bytes) -> str | None:
    """The name in what `tailscale status --json` says; None when it says none, or is not connected. Pure."""
    try:
        told = json.loads(status)
        if told["BackendState"] != "Running":
            return None
        name = str(told["Self"]["DNSName"]).lower().rstrip(".")
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return name if _NAME.fullmatch(name) else None
