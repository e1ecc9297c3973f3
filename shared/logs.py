"""One log format for the whole station; secrets and signed URLs never reach it."""

from __future__ import annotations

import logging
import re
import sys

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SECRETS = re.compile(
    r"""(?ix)
    ( \bBearer\s+ | \bBasic\s+
    | ["']?(?:password|secret|token|api_?key|authorization|cookie|app_password)["']?
      \s*[:=]\s*["']?(?:Bearer\s+|Basic\s+)?
    | \#/setup/
    )
    ([^\s"'&,;)}\]]+)
    """
)
# In a link a value goes on to the next &, whatever stands in it: people type passwords into all sorts of programs. In
# quotation marks a form begins, which a server took for the beginning of a request.
_IN_A_LINK = re.compile(
    r"""(?ix)
    ( [?&;"'](?:token|apiKey|p|t|s|sk|code|X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|Signature|sig)= )
    ([^\s"&\#]+)
    """
)


def _visible(text: str) -> str:
    """`text` on one line, control characters (C0, C1, bidi) written as escapes."""
    return _CONTROLS.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text)


def redact(text: str) -> str:
    """`text` with everything that looks like a secret's value replaced by ***."""
    return _SECRETS.sub(r"\1***", _IN_A_LINK.sub(r"\1***", text))


class Redacting(logging.Formatter):
    """Formats first and redacts after, so that tracebacks and arguments are covered too.

    A file's name may hold line ends and terminal escapes; in a message they are shown, not obeyed.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        return _visible(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure(level: str = "INFO") -> None:
    """Log to standard error. Called once by whoever owns the process (station, tool, worker)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Redacting(FORMAT, "%Y-%m-%d %H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("werkzeug", "engineio", "socketio", "watchfiles", "alembic", "urllib3", "botocore",
                   "pylast", "httpx2", "httpcore2"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
