"""Tells other programs and people when a download is finished or failed: JSON, Discord, Gotify, ntfy … (Apprise).

A download asked for together with others (an album, a batch, a watch) is told of once, when the last of them is over.
Messages wait in a short queue for a thread of their own, which has a process send them (odst/webhook_process.py); a
download never waits for it. Private hosts are refused unless the settings allow them. Addresses hold secrets: the log
names their kind alone.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared.events import DownloadMoved, EventBus
from shared.model.download import OVER, Download, Status
from shared.settings import child_environment

if TYPE_CHECKING:
    from shared.settings import Settings

log = logging.getLogger(__name__)

MOST_WAITING = 200          # messages; beyond it the oldest are let go
MOST_AT_ONCE = 10           # messages told one by one; more are told as one
MOST_GROUPS = 200           # groups followed at a time
MOST_NAMED = 20             # downloads named in a message about many
QUIET_S = 3.0               # a group is over when none of it is under way for so long: siblings may be on their way in
LOST_GROUP_S = 600.0        # a group of which nothing is heard for so long is told of as it stands
SEND_S = 60.0               # for a process to send what it was given
WAITS_S = (2.0, 8.0)        # before the second and the third try
_ROOT = Path(__file__).resolve().parent.parent
_TOLD = frozenset({Status.COMPLETED, Status.FAILED})


@dataclass(slots=True)
class _Group:
    over: dict[str, Download] = field(default_factory=dict)
    under_way: set[str] = field(default_factory=set)
    heard_at: float = 0.0


class Webhook:
    """`left(group)` says how many downloads of a group are not over yet; without it only those that were heard of
    are known. `start` and `stop` belong to the station's."""

    def __init__(
        self, *, settings: Settings, events: EventBus, left: Callable[[str], int] | None = None,
        clock: Callable[[], float] = time.monotonic, quiet_s: float = QUIET_S, waits_s: tuple[float, ...] = WAITS_S,
    ) -> None:
        self._urls = settings.webhook_urls
        self._allowed = settings.allow_private_hosts
        self._contact = settings.contact
        self._events = events
        self._left = left
        self._clock = clock
        self._quiet_s = quiet_s
        self._waits_s = waits_s
        self._changed = threading.Condition()
        self._waiting: deque[dict[str, Any]] = deque()
        self._groups: OrderedDict[str, _Group] = OrderedDict()
        self._told: OrderedDict[tuple[str, str, str | None], None] = OrderedDict()
        self._let_go = 0
        self._news = 0              # moves with every group that moves
        self._ending = False
        self._child: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._unsubscribe: Callable[[], None] | None = None

    # ---- start and stop --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen, if there is anybody to tell."""
        if not self._urls or self._thread is not None:
            return
        self._ending = False
        self._unsubscribe = self._events.subscribe(DownloadMoved, self._hear)
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 1.5) -> None:
        """Tell no more. What waits is let go."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        with self._changed:
            self._ending = True
            self._changed.notify_all()
            child = self._child
        if child is not None:
            with contextlib.suppress(OSError):
                child.kill()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    # ---- hearing (in the downloads' threads: quick, never raises) ---------------------------------------------------

    def _hear(self, event: DownloadMoved) -> None:
        one = event.download
        with self._changed:
            if one.group is not None:
                group = self._groups.setdefault(one.group, _Group())
                self._groups.move_to_end(one.group)
                group.heard_at = self._clock()
                self._news += 1
                if one.status in OVER:
                    group.under_way.discard(one.id)
                    if not self._new(one):
                        return
                    group.over[one.id] = one
                    self._changed.notify_all()
                else:
                    group.under_way.add(one.id)
                    group.over.pop(one.id, None)        # tried again
                while len(self._groups) > MOST_GROUPS:
                    name, oldest = self._groups.popitem(last=False)
                    self._put_group(name, oldest)
            elif one.status in _TOLD and self._new(one):
                self._put(_of_one(one))

    def _new(self, one: Download) -> bool:
        """Whether this end was not told of yet: a download that is over may be announced again."""
        key = (one.id, one.status, one.finished_at)
        if key in self._told:
            return False
        self._told[key] = None
        while len(self._told) > 5000:
            self._told.popitem(last=False)
        return True

    def _put(self, message: dict[str, Any]) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self._let_go += 1
        self._waiting.append(message)
        self._changed.notify_all()

    def _put_group(self, name: str, group: _Group) -> None:
        told = [one for one in group.over.values() if one.status in _TOLD]
        if len(told) == 1:
            self._put(_of_one(told[0]))
        elif told:
            self._put(_of_many(told, name))

    # ---- telling ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                news = self._news
            wait_s = self._settle_groups()
            with self._changed:
                if not self._ending and not self._waiting and news == self._news:
                    self._changed.wait(wait_s)
                if self._ending:
                    return
                messages = list(self._waiting)
                self._waiting.clear()
                let_go, self._let_go = self._let_go, 0
            if let_go:
                log.warning("%d messages about downloads were let go: they came too fast", let_go)
            if not messages:
                continue
            if len(messages) > MOST_AT_ONCE:
                messages = [_together(messages)]
            try:
                self._send(messages)
            except Exception:   # the edge of the thread
                log.exception("telling of downloads failed")

    def _settle_groups(self) -> float:
        """Put the messages of groups that are over; how long until there may be another one."""
        now, waits, quiet = self._clock(), [LOST_GROUP_S], {}
        with self._changed:
            for name, group in self._groups.items():
                silence = now - group.heard_at
                needed = LOST_GROUP_S if group.under_way else self._quiet_s
                if silence < needed:
                    waits.append(needed - silence)
                else:
                    quiet[name] = group.heard_at
        for name, heard_at in quiet.items():
            left = now - heard_at < LOST_GROUP_S and self._still_left(name)     # asked without holding up anybody
            with self._changed:
                group_now = self._groups.get(name)
                if group_now is None or group_now.heard_at != heard_at:
                    waits.append(self._quiet_s)
                elif left:
                    waits.append(max(self._quiet_s, 1.0))
                else:
                    del self._groups[name]
                    self._put_group(name, group_now)
        return max(0.01, min(waits))

    def _still_left(self, name: str) -> int:
        if self._left is None:
            return 0
        try:
            return self._left(name)
        except Exception:   # a library that is closing; the group is told of as it stands
            log.debug("what is left of a group is not known", exc_info=True)
            return 0

    def _send(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            message["sent_to"] = []
        for wait_s in (0.0, *self._waits_s):
            if wait_s:
                with self._changed:
                    if self._changed.wait_for(lambda: self._ending, wait_s):
                        return
            answer = self._process(messages)
            if self._ending:
                return
            if answer is not None:
                for message, row in zip(messages, answer, strict=True):
                    message["sent_to"] = [at for at, sent in enumerate(row) if sent is not False]
                    for at, sent in enumerate(row):
                        if sent is None:
                            log.warning("webhook %d (%s) is no address that Apprise knows", at + 1, self._kind(at))
            messages = [one for one in messages if len(one["sent_to"]) < len(self._urls)]
            if not messages:
                return
        missed = sorted({at for one in messages for at in range(len(self._urls)) if at not in one["sent_to"]})
        log.warning("could not tell %s of %d downloads or groups; private hosts need SOUNDSIBLE_ALLOW_PRIVATE_HOSTS",
                    ", ".join(f"webhook {at + 1} ({self._kind(at)})" for at in missed), len(messages))

    def _kind(self, at: int) -> str:
        return self._urls[at].partition("://")[0]

    def _process(self, messages: list[dict[str, Any]]) -> list[list[bool | None]] | None:
        """Have a process send them; None when it did not come to it."""
        order = json.dumps({"urls": list(self._urls), "allowed": list(self._allowed), "contact": self._contact,
                            "messages": messages}).encode()
        try:
            child = subprocess.Popen(
                [sys.executable, "-m", "odst.webhook_process"], cwd=_ROOT, env=child_environment(),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        except OSError as error:
            log.warning("no process could be made to tell of downloads: %s", error)
            return None
        with self._changed:
            self._child = child
            if self._ending:
                child.kill()
        try:
            out, _ = child.communicate(order, timeout=SEND_S)
            sent = json.loads(out)["sent"]
            if len(sent) != len(messages):
                raise ValueError
            return list(sent)
        except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError, OSError):
            return None
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
            with self._changed:
                self._child = None


# ---- messages ----------------------------------------------------------------------------------------------------


def _of_one(one: Download) -> dict[str, Any]:
    done = one.status == Status.COMPLETED
    lines = [_named(one)]
    if done:
        about = [one.album, one.quality_got, one.note]
    else:
        about = [one.error.message if one.error else one.note]
    lines += [" · ".join(filter(None, about[:2])), *filter(None, about[2:])]
    lines += list(one.warnings)
    if one.username:
        lines.append(f"for {one.username}")
    return {
        "title": "Downloaded" if done else "Download failed",
        "body": _text("\n".join(filter(None, lines))), "type": "success" if done else "failure",
        "more": {"event": f"download.{one.status}", "download": _facts(one)},
    }


def _of_many(downloads: list[Download], group: str | None) -> dict[str, Any]:
    done = [one for one in downloads if one.status == Status.COMPLETED]
    failed = [one for one in downloads if one.status == Status.FAILED]
    albums = {one.album for one in downloads if one.album}
    lines = []
    if len(albums) == 1:
        lines.append(albums.pop() or "")
    lines += [f"✓ {_named(one)}" for one in done[:MOST_NAMED]]
    if len(done) > MOST_NAMED:
        lines.append(f"… and {len(done) - MOST_NAMED} more")
    lines += [f"✗ {_named(one)}: {one.error.message if one.error else 'failed'}" for one in failed[:MOST_NAMED]]
    if len(failed) > MOST_NAMED:
        lines.append(f"… and {len(failed) - MOST_NAMED} more failed")
    counts = [f"{len(done)} downloaded"] if done else []
    counts += [f"{len(failed)} failed"] if failed else []
    return {
        "title": ", ".join(counts), "body": _text("\n".join(filter(None, lines))),
        "type": "failure" if failed and not done else "success" if not failed else "info",
        "more": {"event": "downloads.over", "group": group, "completed": len(done), "failed": len(failed),
                 "downloads": [_facts(one) for one in [*failed, *done][:200]]},
    }


def _together(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Many messages as one."""
    facts = [one for message in messages
             for one in message["more"].get("downloads") or [message["more"]["download"]]]
    done = sum(message["more"].get("completed", message["type"] == "success") for message in messages)
    failed = sum(message["more"].get("failed", message["type"] == "failure") for message in messages)
    heads = [message["body"].split("\n", 1)[0] for message in messages]
    shown = heads[:MOST_NAMED] + ([f"… and {len(heads) - MOST_NAMED} more"] if len(heads) > MOST_NAMED else [])
    return {
        "title": f"{done} downloaded, {failed} failed", "body": "\n".join(shown), "type": "info",
        "more": {"event": "downloads.over", "group": None, "completed": int(done), "failed": int(failed),
                 "downloads": facts[:200]},
    }


def _named(one: Download) -> str:
    name = " – ".join(filter(None, (one.artist, one.title)))
    if not name and not one.query and one.url:
        with contextlib.suppress(ValueError):
            name = f"a link of {urlsplit(one.url).hostname or 'somebody'}"
    return (name or one.query or "a download")[:300]


def _facts(one: Download) -> dict[str, Any]:
    """What a program gets of a download. Not its link: that may carry a token."""
    return {
        "id": one.id, "status": str(one.status), "title": one.title, "artist": one.artist, "album": one.album,
        "source": one.source, "quality_got": one.quality_got, "bytes": one.progress.bytes, "track_id": one.track_id,
        "duplicate_of": one.duplicate_of, "username": one.username, "finished_at": one.finished_at,
        "warnings": list(one.warnings),
        "error": None if one.error is None else {
            "code": one.error.code, "message": one.error.message, "retryable": one.error.retryable},
    }


def _text(body: str) -> str:
    """`body` so that no title of a stranger's calls everybody in a channel, or steers anything."""
    calm = "".join(one if one.isprintable() or one == "\n" else " " for one in body[:3500])
    return calm.replace("@", "@\u200b").replace("<", "‹").replace(">", "›")
