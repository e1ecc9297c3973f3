"""The maintenance command line: asks the same rooms as the station, works while it runs. `python -m setup_tool`."""

from __future__ import annotations

import os


def secret_from_environment(name: str) -> str | None:
    """A secret that a script hands over for one command; it is no setting and is kept nowhere."""
    return os.environ.get(name) or None
