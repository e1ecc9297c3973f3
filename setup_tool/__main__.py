"""Run the command line: `python -m setup_tool …`, the same as `python3 run.py tool …`."""

from __future__ import annotations

import sys

from setup_tool.cli import main
from shared import confine, logs

if __name__ == "__main__":
    confine.keep_to_oneself()
    logs.configure("WARNING")
    sys.exit(main())
