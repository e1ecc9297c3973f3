"""What a child of the tests runs instead of the maintenance tool: does as its --provider says."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

arguments = sys.argv[1:]
provider = arguments[arguments.index("--provider") + 1] if "--provider" in arguments else "fine"
home = Path(os.environ["SOUNDSIBLE_HOME"])


def say(what: dict[str, Any]) -> None:
    os.write(2, json.dumps(what).encode() + b"\n")       # a signal may come amid it and say something itself


if provider == "long":      # before it says a word, for then it may be asked to end
    def end(*_: object) -> None:
        (home / "asked").touch()
        say({"progress": {"phase": "ending", "done": 2}})
        sys.exit(1)

    signal.signal(signal.SIGTERM, end)
with (home / "began").open("a") as began:
    began.write(json.dumps({"arguments": arguments, "nice": os.nice(0), "pid": os.getpid(),
                            "environment": dict(os.environ)}) + "\n")
say({"progress": {"phase": provider, "done": 1, "total": 2, "bytes_done": 10, "bytes_total": None, "now": "x",
                  "failed": 0, "strange": 1}})
sys.stderr.write("no JSON\n")
if provider == "fine":
    print(json.dumps({"uploaded": ["a"] * 150, "failed": [], "bytes": 5}))
elif provider == "silent":
    print(json.dumps({"error": {"code": "cloud_failure", "message": "It does not answer.",
                                "details": {"reason": "no_answer"}}}))
    sys.exit(1)
elif provider == "wrong":
    print(json.dumps({"error": {"code": "cloud_failure", "message": "The key is wrong.",
                                "details": {"reason": "wrong_key"}}}))
    sys.exit(1)
elif provider == "some":
    print(json.dumps({"uploaded": 3, "failed": [
        {"reason": "vanished", "message": "One is gone."}, {"reason": "slow_down", "message": "Too fast."}]}))
    sys.exit(1)
elif provider == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
elif provider == "long":
    until = time.monotonic() + 60
    while time.monotonic() < until:
        time.sleep(0.02)
