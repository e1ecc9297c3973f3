"""What people may do with downloads: ask for them, stop them, bring them back, choose; and look.

Every deed is written down before anything happens. Whoever is not the owner sees and commands the own ones alone;
somebody else's is not there.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from odst import batches, matching
from odst.breaker import Breakers
from odst.disk import Disk
from odst.engine import Engine, unfetched
from odst.ledger import Ledger
from odst.running import Running
from odst.search import foreign_scheme
from odst.staging import Staging
from odst.throttle import Throttle
from shared.model.download import (
    ACTIVE,
    NIGHT_NOTE,
    OVER,
    PRIORITIES,
    USUAL_PRIORITY,
    Candidate,
    Download,
    Failure,
    IllegalMove,
    Offer,
    Options,
    Request,
    Status,
    Wanted,
)
from shared.model.errors import BadInput, Conflict, NotFound, SoundsibleError
from shared.model.person import Person
from shared.model.units import Seconds
from shared.ports import Dispatcher, Intake

log = logging.getLogger(__name__)

CONFIRMED_S: Seconds = 3.0      # a cancel waits so long for what runs to be gone
LONGEST_LINK = 4000
LONGEST_WORDS = 500
ACTIONS = {"cancel": "cancel", "pause": "pause", "resume": "resume", "retry": "retry", "dismiss": "remove"}
SHOWN_OF_A_BATCH = 100
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)


class Service:
    """records: records.downloads.Downloads; search: odst.search.AcquireSearch; understood(url): whether a catalogue or
    provider would know what to do with a link."""

    def __init__(
        self, *, records: Any, dispatcher: Dispatcher, engine: Engine, ledger: Ledger, running: Running, search: Any,
        intake: Intake, breakers: Breakers, throttle: Throttle, disk: Disk, staging: Staging, settings: Any,
        understood: Callable[[str], bool],
    ) -> None:
        self._records = records
        self._dispatcher = dispatcher
        self._engine = engine
        self._ledger = ledger
        self._running = running
        self._search = search
        self._intake = intake
        self._breakers = breakers
        self._throttle = throttle
        self._disk = disk
        self._staging = staging
        self._settings = settings
        self._understood = understood

    # ---- asking for music

    def submit(self, person: Person, request: Request) -> tuple[Download, bool]:
        """Write down what is asked for and queue it: (the download, whether it is new).

        Asks nobody outside. Raises Failure bad_link, no_music_folder, BadInput, Conflict (idempotency_conflict).
        """
        self._check(request)
        self._intake.ready()
        uid, created = self._records.submit(person.user_id, request)
        shown = self._shown(person, uid)
        if created:
            self._engine.announce([uid])
        return shown, created

    def submit_many(self, person: Person, requests: Sequence[Request], *, group: str | None = None
                    ) -> list[tuple[str, bool]]:
        """As `submit`, in one transaction: (id, whether it is new) of each. 10,000 take a few seconds, none is run."""
        for request in requests:
            self._check(request)
        return self.submit_for(person.user_id, requests, group)

    def submit_for(self, user_id: int | None, requests: Sequence[Request],
                   group: str | None) -> list[tuple[str, bool]]:
        """As `submit_many`, for somebody who is not here: a watch of theirs found something. None: for everybody."""
        added: list[tuple[str, bool]] = self._records.submit_many(user_id, requests, group=group)
        self._engine.announce([uid for uid, created in added if created])
        return added

    def submit_album(
        self, person: Person, *, url: str | None = None, album_id: str | None = None, source: str | None = None,
        options: Options | None = None, priority: int = USUAL_PRIORITY, not_before: float | None = None,
        nightly: bool = False,
    ) -> dict[str, list[Any]]:
        """All tracks of an album or playlist, each a download; those that are owned are skipped and said so.

        {"downloads": [Download], "skipped": [{title, artist, track_id, reason}], "failed": [{title, artist, reason}]}.
        Asks the catalogue now. Raises Failure.
        """
        options = options or Options(quality=self._settings.download_quality)
        self._intake.ready()
        if url is not None:
            offer: Offer = self._search.resolve(url)
        elif album_id is not None:
            offer = self._search.album(source or "local", album_id)
        else:
            raise BadInput("Say which album: by its url, or by album_id and source.")
        skipped: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        lacking: list[Wanted] = []
        limit = self._settings.download_batch_limit
        for track in offer.tracks:
            told = {"title": track.title, "artist": track.artist}
            owned = None if options.duplicates == "keep" else self._intake.owned(track)
            if owned is not None and not (options.duplicates == "upgrade"
                                          and self._intake.worth_replacing(owned, options)):
                skipped.append({**told, "track_id": owned, "reason": "It is in your library already."})
            elif not track.title and not track.fetch_url:
                failed.append({**told, "reason": f"{offer.source} does not say what it is."})
            elif len(lacking) >= limit:
                failed.append({**told, "reason": f"No more than {limit} tracks are queued at once."})
            else:
                lacking.append(track)
        requests = [Request(wanted=one, options=options, priority=priority, not_before=not_before, nightly=nightly)
                    for one in lacking]
        added = self.submit_many(person, requests, group=_group(offer)) if requests else []
        return {"downloads": self._all(person, [uid for uid, _ in added]), "skipped": skipped, "failed": failed}

    def submit_batch(self, person: Person, requests: Sequence[Request], *, failed: Sequence[dict[str, Any]] = ()
                     ) -> dict[str, Any]:
        """Many at once, as one group: {group, added, repeated, downloads: the first hundred, failed: [{title, artist,
        reason, line?}]}.

        Nothing is asked of the outside and nothing is run here. What makes no sense is named and stops nothing. Raises
        Failure no_music_folder.
        """
        self._intake.ready()
        good: list[Request] = []
        refused = list(failed)
        limit = self._settings.download_batch_limit
        for request in requests:
            try:
                if len(good) >= limit:
                    raise BadInput(f"No more than {limit} are queued at once.")
                self._check(request)
            except SoundsibleError as error:
                wanted = request.wanted or Wanted()
                refused.append({"title": request.url or request.query or wanted.title, "artist": wanted.artist,
                                "reason": error.message})
            else:
                good.append(request)
        group = f"batch-{secrets.token_hex(8)}" if good else None
        added = self.submit_many(person, good, group=group) if good else []
        new = sum(created for _, created in added)
        return {"group": group, "added": new, "repeated": len(added) - new,
                "downloads": self._all(person, [uid for uid, _ in added[:SHOWN_OF_A_BATCH]]), "failed": refused}

    def submit_text(self, person: Person, text: str, asked: Request) -> dict[str, Any]:
        """A list that people have (M3U, CSV, links or "Artist - Title" lines), each done as `asked`. Raises Failure."""
        batch = batches.read(text, options=asked.options, priority=asked.priority,
                             limit=self._settings.download_batch_limit)
        requests = [replace(one, not_before=asked.not_before, nightly=asked.nightly) for one in batch.requests]
        unread = [{"title": one.text, "artist": None, "line": one.line, "reason": one.reason} for one in batch.unread]
        return self.submit_batch(person, requests, failed=unread)

    def _check(self, request: Request) -> None:
        asked = [one for one in (request.url, request.query, request.track_id, request.wanted) if one is not None]
        if len(asked) != 1:
            raise BadInput("Say what is wanted by exactly one of url, query and track.")
        if request.url is not None:
            if len(request.url) > LONGEST_LINK:
                raise Failure("bad_link", "This link is too long to be one.")
            if not self._understood(request.url):
                scheme = _SCHEME.match(request.url)
                if scheme and scheme[1].lower() not in ("http", "https"):
                    raise Failure("bad_link", f"Links that begin with {scheme[1]}: are not followed.")
                raise Failure("bad_link", "This is no link that can be followed.")
        if request.query is not None and not 0 < len(request.query.strip()) <= LONGEST_WORDS:
            raise BadInput(f"Between 1 and {LONGEST_WORDS} characters say what is wanted.", field="query")
        if request.query is not None and (foreign := foreign_scheme(request.query)):
            raise Failure("bad_link", f"Links that begin with {foreign}: are not followed.")
        if request.query is not None and not any(sign.isalnum() for sign in request.query):
            raise BadInput("There is nothing in it to look for.", field="query")
        if request.priority not in PRIORITIES:
            raise BadInput(f"The priority is a number from {PRIORITIES[0]} to {PRIORITIES[-1]}.", field="priority")

    # ---- commands

    def cancel(self, person: Person, uid: str) -> Download:
        """End it; when this returns, nothing of it runs and nothing lies in staging (a hung disk excepted).

        Raises IllegalMove when it is over.
        """
        return self._put_aside(person, uid, Status.CANCELLED, "cancel", "cancelled by a person")

    def pause(self, person: Person, uid: str) -> Download:
        """Stop it and keep what has come so far."""
        return self._put_aside(person, uid, Status.PAUSED, "pause", "paused by a person")

    def resume(self, person: Person, uid: str) -> Download:
        """A paused one waits for its turn again."""
        shown = self._records.shown(person, uid)
        if shown.status != Status.PAUSED:
            raise IllegalMove(f"A download that is {shown.status} cannot be resumed.", status=shown.status)
        note = NIGHT_NOTE if self._records.job(uid).nightly else None
        self._ledger.move(uid, (Status.WAITING, "resumed by a person"), note=note)
        shown = self._shown(person, uid)
        self._engine.offer(uid)
        return shown

    def retry(self, person: Person, uid: str) -> Download:
        """A failed one is tried from the beginning, with all its tries and candidates."""
        shown = self._records.shown(person, uid)
        if shown.status != Status.FAILED:
            raise IllegalMove(f"A download that is {shown.status} cannot be tried again.", status=shown.status)
        self._allow_again(uid)
        note = NIGHT_NOTE if self._records.job(uid).nightly else None
        self._ledger.move(uid, (Status.WAITING, "tried again by a person"), parcel=None, attempt=0, error=None,
                          note=note, not_before=None, bytes=0, total_bytes=None, warnings=[], candidate=None)
        shown = self._shown(person, uid)
        self._engine.offer(uid)
        return shown

    def set_priority(self, person: Person, uid: str, priority: int) -> Download:
        if priority not in PRIORITIES:
            raise BadInput(f"The priority is a number from {PRIORITIES[0]} to {PRIORITIES[-1]}.", field="priority")
        shown = self._records.shown(person, uid)
        if shown.status in OVER:
            raise Conflict(f"This download is {shown.status}: its priority no longer matters.", status=shown.status)
        self._ledger.update(uid, priority=priority)
        self._engine.offer(uid)
        return self._shown(person, uid)

    def remove(self, person: Person, uid: str) -> None:
        """Take one that is over off the list. Raises Conflict while it is not."""
        self._records.shown(person, uid)
        user_id = self._records.job(uid).user_id
        self._records.hide(uid)
        self._ledger.tell_removed(uid, user_id)

    def bulk(self, person: Person, action: str, ids: Sequence[str] | None = None,
             status: str | Sequence[str] | None = None, group: str | None = None) -> dict[str, list[Any]]:
        """One of ACTIONS on many, named by ids, or by status or group: {"done": [id], "failed": [{id, code, message}]}.

        Each by itself; what cannot be done is named and does not stop the rest.
        """
        if action not in ACTIONS:
            raise BadInput(f"{action!r} is nothing to do with downloads; there are {', '.join(ACTIONS)}.",
                           field="action")
        if ids is None:
            statuses = [status] if isinstance(status, str) else list(status or ())
            if not statuses and group is None:
                raise BadInput("Say which: by ids, status or group.")
            ids = self._records.ids(person, statuses=statuses, group=group)
            if not statuses:
                fitting = {"retry": {Status.FAILED}, "resume": {Status.PAUSED}, "dismiss": OVER}.get(action, ACTIVE)
                allowed = set(self._records.ids(person, statuses=[one.value for one in fitting], group=group))
                ids = [uid for uid in ids if uid in allowed]
        deed: Callable[[Person, str], Any] = getattr(self, ACTIONS[action])
        done: list[str] = []
        failed: list[dict[str, str]] = []
        if action in ("cancel", "pause"):       # those that wait first, so that none of them begins meanwhile
            done = self._put_many_aside(person, ids, Status.CANCELLED if action == "cancel" else Status.PAUSED)
            aside = set(done)
            ids = [uid for uid in ids if uid not in aside]
        for uid in ids:
            try:
                deed(person, uid)
                done.append(uid)
            except SoundsibleError as error:
                failed.append({"id": uid, "code": error.code, "message": error.message})
        return {"done": done, "failed": failed}

    def _put_many_aside(self, person: Person, ids: Sequence[str], to: Status) -> list[str]:
        """Those of `ids` that only wait, in one transaction (thousands take a second or two); which they were."""
        mine = set(self._records.ids(person, statuses=[Status.WAITING]))
        resting = [uid for uid in dict.fromkeys(ids) if uid in mine and self._running.token(uid) is None]
        for uid in resting:
            self._dispatcher.withdraw(uid)
        reason = "cancelled by a person" if to is Status.CANCELLED else "paused by a person"
        moved: list[str] = self._records.move_many(resting, (to, reason), only=[Status.WAITING])
        begun = self._staging.there() if to is Status.CANCELLED else ()
        for uid in moved:
            self._disk.forget(uid)
            if uid in begun:
                self._staging.clear(uid)
            self._ledger.tell(uid)
        return moved

    def _put_aside(self, person: Person, uid: str, to: Status, why: Any, reason: str) -> Download:
        before = self._records.shown(person, uid)
        if before.status in OVER and before.status != Status.FAILED:
            raise IllegalMove(f"A download that is {before.status} cannot become {to.value}.", status=before.status)
        self._dispatcher.withdraw(uid)
        token = self._running.token(uid)
        if token is not None and not token.end(why):
            token.wait_left(CONFIRMED_S)    # it is being put on the shelf just now: what comes of that decides
            token = None
        try:
            self._ledger.move(uid, (to, reason), note=None)
        except IllegalMove:
            if token is None:
                self._engine.offer(uid)
            raise
        if token is not None and not token.wait_left(CONFIRMED_S):
            log.warning("download %s was told to stop and still runs after %.0f s", uid, CONFIRMED_S)
        self._disk.forget(uid)
        if to is Status.CANCELLED and (token is None or self._running.token(uid) is None):
            self._staging.clear(uid)
        self._ledger.log(uid, "info", reason.capitalize() + ".")
        return self._shown(person, uid)

    # ---- candidates

    def block(self, person: Person, uid: str, candidate_id: str) -> Download:
        """"Not this": it is never taken for this recording again; when it is the one at hand, the next one is tried."""
        candidate = self._candidate(person, uid, candidate_id)
        job = self._records.job(uid)
        if job.wanted is not None:
            self._records.block(candidate.key, matching.wanted_key(job.wanted), person.user_id)
        self._ledger.reject(uid, candidate, "A person said that this is not it.")
        self._again(uid, job, only_if=candidate_id)
        return self._shown(person, uid)

    def choose(self, person: Person, uid: str, candidate_id: str) -> Download:
        """This one and no other first, also when it was rejected before. Raises Conflict when the download is done."""
        candidate = self._candidate(person, uid, candidate_id)
        job = self._records.job(uid)
        if job.status in (Status.COMPLETED, Status.CANCELLED):
            raise Conflict(f"This download is {job.status.value}. Ask for the track anew.", status=job.status.value)
        if job.wanted is not None:
            self._records.unblock(candidate.key, matching.wanted_key(job.wanted))
        self._records.candidate_first(uid, candidate_id)
        self._ledger.log(uid, "info", f"A person chose “{candidate.title}” at {candidate.provider}.")
        self._again(uid, job)
        return self._shown(person, uid)

    def _again(self, uid: str, job: Any, *, only_if: str | None = None) -> None:
        """It goes on with the candidate that is the best one now; `only_if` another one is the one at hand."""
        if only_if is not None and job.candidate != only_if:
            return
        token = self._running.token(uid)
        if token is not None:
            if token.end("again"):
                token.wait_left(CONFIRMED_S)
        elif job.status is Status.FAILED:
            self._ledger.move(uid, (Status.WAITING, "a person chose"), parcel=unfetched(job), attempt=0, error=None,
                              note=None, not_before=None)
            self._engine.offer(uid)
        elif job.status in ACTIVE:
            self._ledger.update(uid, parcel=unfetched(job))

    def _allow_again(self, uid: str) -> None:
        """Candidates that failed may be tried again; what a person said is not it, may not."""
        job = self._records.job(uid)
        blocked = self._records.blocked(matching.wanted_key(job.wanted)) if job.wanted is not None else set()
        for one in reversed(self._records.candidates(uid)):
            if one.rejected and one.key not in blocked and one.provider != "library":
                self._records.candidate_first(uid, one.id)

    def _candidate(self, person: Person, uid: str, candidate_id: str) -> Candidate:
        self._records.shown(person, uid)
        owner, candidate = self._records.candidate_of(candidate_id)
        if owner != uid:
            raise NotFound("This download has no such candidate.")
        found: Candidate = candidate
        return found

    # ---- looking

    def snapshot(self, person: Person) -> list[Download]:
        """All that is under way, waits or is paused."""
        found: list[Download] = self._records.active(person)
        return found

    def stats(self, person: Person) -> dict[str, Any]:
        return {**self._records.stats(person), "queue": self._engine.state()}

    def health(self) -> dict[str, Any]:
        """Circuit breakers, the queue, and how fast it may go."""
        return {"providers": self._breakers.states(), "queue": self._engine.state(), "throttle": self._throttle.state()}

    def logs(self, person: Person, uid: str) -> list[dict[str, str]]:
        """The last lines of its log since the station started: {level, at, message}."""
        self._records.shown(person, uid)
        return self._ledger.lines(uid)

    def _shown(self, person: Person, uid: str) -> Download:
        shown: Download = self._records.shown(person, uid)
        return shown

    def _all(self, person: Person, uids: Sequence[str]) -> list[Download]:
        return [self._shown(person, uid) for uid in dict.fromkeys(uids)]


def _group(offer: Offer) -> str:
    return f"{offer.source}-{offer.kind}-{offer.id}"[:200]


