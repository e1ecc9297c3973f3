"""Ask for a feed and have it read: over the guarded way out, bounded in time and bytes, parsed in a worker."""

from __future__ import annotations

from dataclasses import dataclass

from shared.model.download import Failure
from shared.model.errors import UnreadableFile
from shared.model.podcast import Feed
from shared.model.units import MIB, Bytes, Seconds
from shared.outbound import Link, Outbound, failure_of_status, read_bytes
from shared.ports import Workers

FEED_BYTES: Bytes = 16 * MIB            # unpacked; the longest feeds have a few
FETCH_S: Seconds = 60.0
READ_S: Seconds = 60.0                  # for the worker
_ACCEPT = "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a feed's server said. `feed` None: nothing is new since."""

    feed: Feed | None
    etag: str = ""
    modified: str = ""


class Feeds:
    """`look` costs a request and some milliseconds an entry in a worker."""

    def __init__(self, *, outbound: Outbound, workers: Workers, limit_bytes: Bytes = FEED_BYTES) -> None:
        self._outbound = outbound
        self._workers = workers
        self._limit_bytes = limit_bytes

    def check_shape(self, url: str) -> None:
        """Whether it is a link that may be followed, as far as that can be seen without asking. Raises Failure."""
        Link(url)

    def look(self, url: str, *, etag: str = "", modified: str = "") -> Answer:
        """What the feed says now, or that nothing has changed. Raises Failure."""
        headers = {"Accept": _ACCEPT}
        if etag:
            headers["If-None-Match"] = etag
        if modified:
            headers["If-Modified-Since"] = modified
        with self._outbound.session(limit_bytes=self._limit_bytes) as session:
            answer = session.get(url, headers=headers)
            if answer.status_code == 304:
                answer.close()
                return Answer(None, etag, modified)
            failure = failure_of_status(answer.status_code, answer.headers, "The feed's server")
            if failure is not None:
                answer.close()
                raise failure
            content = read_bytes(answer, self._limit_bytes, limit_s=FETCH_S)
        kind = answer.headers.get("Content-Type", "")[:200]
        return Answer(self._read(content, url, kind), _sane(answer.headers.get("ETag", "")),
                      _sane(answer.headers.get("Last-Modified", "")))

    def found_at(self, url: str) -> tuple[str, Answer]:
        """As `look`, also for the address of a page that names its feed: (the feed's own address, what it says)."""
        try:
            return url, self.look(url)
        except Failure as failure:
            if failure.code != "not_audio":
                raise
            with self._outbound.session(limit_bytes=self._limit_bytes) as session:
                page = session.read_bytes(session.get(url))
            named = self._workers.run("shared.podcasts.reading:named_by", page, url, timeout_s=READ_S)
            if not named or named == url:
                raise
            return named, self.look(named)

    def opml(self, text: str) -> list[dict[str, str]]:
        """The feeds that an OPML file names: [{url, title}]. Raises UnreadableFile."""
        found: list[dict[str, str]] = self._workers.run("shared.podcasts.reading:opml", text, timeout_s=READ_S)
        return found

    def _read(self, content: bytes, url: str, kind: str) -> Feed:
        try:
            feed = self._workers.run("shared.podcasts.reading:feed", content, url, kind, timeout_s=READ_S)
        except UnreadableFile as error:
            said = error.message if error.reason == "damaged" else "Reading this feed takes too much."
            raise Failure("not_audio", said) from error
        assert isinstance(feed, Feed)
        return feed


def _sane(header: str) -> str:
    """A header that is sent back later: one line, bounded."""
    return header if len(header) <= 500 and header.isprintable() else ""
