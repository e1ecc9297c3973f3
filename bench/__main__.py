"""`python3 run.py bench [name …]`: run benchmarks, print their table, keep it as JSON and, when all ran, as a page.

Names: scan answers writes streaming hang https live kills downloads drops cloud upload upkeep likeness opensubsonic
soak;
`quick` is all with 10,000 files and 100,000 rows, and one minute of the soak.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import (
    answers,
    cloud,
    corpus,
    downloads,
    https,
    kills,
    likeness,
    live,
    opensubsonic,
    scan,
    soak,
    streaming,
    upkeep,
    upload,
)
from bench.measure import Table, machine

ALL: dict[str, Callable[[Table], None]] = {
    "scan": scan.run,
    "answers": answers.run,
    "writes": answers.writes_on_files,
    "streaming": streaming.run,
    "hang": streaming.hang,
    "https": https.run,
    "live": live.run,
    "kills": kills.run,
    "downloads": downloads.run,
    "drops": downloads.drops,
    "cloud": cloud.run,
    "upload": upload.run,
    "upkeep": upkeep.run,
    "likeness": likeness.run,
    "opensubsonic": opensubsonic.run,
    "soak": soak.run,
}
QUICK: dict[str, Callable[[Table], None]] = {
    **ALL,
    "scan": lambda table: scan.run(table, (10_000,)),
    "answers": lambda table: answers.run(table, (100_000,)),
    "soak": lambda table: soak.run(table, 60),
}
PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="run.py bench", description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="name", help=" ".join([*ALL, "quick"]))
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md from this run")
    given = parser.parse_args()
    chosen = given.names or list(ALL)
    deeds = ALL
    if "quick" in chosen:
        chosen, deeds = list(QUICK), QUICK
    if unknown := [name for name in chosen if name not in deeds]:
        print(f"There is no benchmark {unknown[0]}; there are: {', '.join(ALL)}, quick.", file=sys.stderr)
        return 2
    table = Table()
    failed = 0
    for name in chosen:
        print(f"{name}", flush=True)
        try:
            deeds[name](table)
        except Exception as error:  # one benchmark that breaks must not hide the others' figures
            import traceback

            traceback.print_exc()
            print(f"  {name} did not finish: {error}", flush=True)
            failed += 1
    report = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine(), "rows": table.as_json()}
    kept = corpus.folder() / "last.json"
    kept.write_text(json.dumps(report, indent=1))
    print("\n" + table.markdown() + f"\n\nKept as {kept}")
    if given.write:
        PAGE.write_text(_page(report, table))
    return 1 if failed else 0


def _page(report: dict[str, object], table: Table) -> str:
    at, on = report["at"], report["machine"]
    assert isinstance(on, dict)
    return f"""# Benchmarks

`python3 run.py bench --write` made this page on {at}: {on['cores']} cores, {on['system']} {on['machine']}, Python
{on['python']}, client and server on the same machine over loopback. Such machines are noisy: read the ratios, which
compare two things in one run, before the absolute figures. "Beside it" is the bare cost of the same work, or a peer.

{table.markdown()}

What each row does stands in `bench/`: scan.py, answers.py, streaming.py, live.py, kills.py, downloads.py. The
choice of the server has its own comparison, `python3 -m bench.servers`, told in [decision 1](decisions/0001-server.md).
"""


if __name__ == "__main__":
    sys.exit(main())
