"""Any audio link: files, HLS, feeds, playlist files, pages with something to hear; fetched in isolated children."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from odst.nursery import Nursery
from odst.providers import RESOLVE_S, fetch_in_nursery, read_offer
from odst.providers.youtube import known_site, own_link
from shared.model.download import Candidate, Failure, Fetched, Offer, Options, Wanted
from shared.outbound import Link
from shared.ports import Fetching


class Direct:
    """Implements ports.Provider. It searches nothing: it has what a link leads to."""

    name = "direct"
    slots = 4

    def __init__(self, *, nursery: Nursery, settings: Any) -> None:
        self._nursery = nursery
        self._settings = settings

    def understands(self, url: str) -> bool:
        try:
            Link(url)
        except Failure:
            return False
        return True

    def resolve(self, url: str) -> Offer:
        limit = self._settings.download_batch_limit
        job = {"deed": "direct.resolve", "url": url, "limit": limit, "cookies": self._cookies()}
        try:
            answer = self._nursery.run(job, limit_s=RESOLVE_S)
        except Failure as failure:
            failure.provider = failure.provider or self.name
            raise
        return read_offer(answer.get("offer"), source=self.name, limit=limit)

    def find(self, wanted: Wanted, options: Options, *, limit: int) -> list[Candidate]:
        url = wanted.fetch_url
        if not url or not self.understands(url):
            return []
        if "youtube" in self._settings.download_providers and known_site(url):
            return []       # the other one has it already
        return [own_link(wanted, self.name)]

    def fetch(self, candidate: Candidate, fetching: Fetching) -> Fetched:
        return fetch_in_nursery(self._nursery, "direct.fetch", candidate, fetching, source=self.name,
                                cookies=self._cookies())

    def operation(self, candidate: Candidate) -> str:
        """The host: one that is down says nothing about the others."""
        parts = urlsplit(str(candidate.locator.get("url") or ""))
        return (parts.hostname or "?").lower()

    def _cookies(self) -> str | None:
        path = getattr(self._settings, "download_cookies", None)
        return str(path) if path else None
