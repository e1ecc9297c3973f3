"""A process that sends a few messages through Apprise and ends: `python -m odst.webhook_process`, JSON in and out.

Apprise loads some two hundred services and lets each talk through a library of its own. Here that costs the station
no memory, and no connection goes to an address that is not public unless the owner named the host.

Reads {"urls": [...], "allowed": [...], "contact": "", "messages": [{"title", "body", "type", "more"}]} from standard
input; writes {"sent": [[true, false …] a message]}: one for each url, null for an address that is none of Apprise's.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

READ_S, CONNECT_S = 6.0, 4.0


def send(order: dict[str, Any]) -> dict[str, Any]:
    """Send all messages to all urls. Addresses are not repeated in the answer: they hold secrets."""
    from shared.outbound import Outbound

    Outbound(order.get("allowed", ()), contact=str(order.get("contact", ""))).guard_process()
    import apprise
    from apprise.plugins.custom_json import NotifyJSON

    asset = apprise.AppriseAsset(app_id="Soundsible", app_desc="Soundsible", app_url="", secure_logging=True,
                                 http_redirects=False, async_mode=False)
    targets: list[Any] = []
    for url in order["urls"]:
        made = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if made is not None:
            made.socket_read_timeout, made.socket_connect_timeout = READ_S, CONNECT_S
        targets.append(made)
    kinds = {"success": apprise.NotifyType.SUCCESS, "failure": apprise.NotifyType.FAILURE}
    sent: list[list[bool | None]] = []
    for message in order["messages"]:
        row: list[bool | None] = []
        for at, target in enumerate(targets):
            if target is None:
                row.append(None)
                continue
            if at in message.get("sent_to", ()):
                row.append(True)
                continue
            if isinstance(target, NotifyJSON):
                own = {name: value for name, value in target.payload_extras.items() if name not in _OURS}
                target.payload_extras = {**message.get("more", {}), **own}
            try:
                row.append(bool(target.notify(
                    body=message["body"], title=message["title"], body_format=apprise.NotifyFormat.TEXT,
                    notify_type=kinds.get(message.get("type", ""), apprise.NotifyType.INFO))))
            except Exception:   # the edge: some service's own code failed; the others still get theirs
                row.append(False)
        sent.append(row)
    return {"sent": sent}


_OURS = frozenset({"event", "download", "group", "downloads"})


def main() -> int:
    logging.disable(logging.CRITICAL)       # Apprise names hosts and paths; the station's log says what is to be said
    order = json.load(sys.stdin)
    json.dump(send(order), sys.stdout)
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
