"""How a wish becomes a track on the shelf: eight stages, each `(Parcel, Workbench) → Parcel`, and who runs them.

    understand   a link or words → what is wanted         (a catalogue, or the link itself)
    find         → candidates, scored, the reasons kept   (or the library: it is there already)
    fetch        the best candidate → a file in this download's own staging folder
    inspect      decode it all: is it audio, whole, as long as it should be?
    identify     who is it? → what shall stand in its tags
    process      if asked: trim, level, convert; measure its loudness
    dress        tags and cover
    admit        one atomic move onto the shelf, one row, one announcement

What is no track of the library (an episode of a podcast) is neither identified nor changed: after `inspect` it goes to
the shelf of its own kind (`keep`).

A stage knows only its own craft. `run` alone writes moves and what is worked out, honours cancel, measures how long
stages take, maps errors, and goes on with the next candidate when one proves no good. A stage may be done again after
a crash: it finds the same things and adds nothing twice.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from odst import matching
from odst.breaker import Breakers, called
from odst.disk import Disk
from odst.ledger import Ledger
from odst.parcel import Parcel, StagedFile
from odst.running import Slots, Token
from odst.staging import Staging
from odst.throttle import Throttle
from shared.model.download import (
    STAGES as STATUS_OF,
)
from shared.model.download import (
    Cancelled,
    Candidate,
    Failure,
    Fetched,
    IllegalMove,
    Offer,
    Options,
    Progress,
    Request,
    Status,
    Wanted,
)
from shared.model.errors import (
    DiskFull,
    NotFound,
    Overloaded,
    SoundsibleError,
    StartFailed,
    StorageOffline,
    UnreadableFile,
)
from shared.model.track import LOSSLESS, AudioFacts, Metadata, ReplayGain
from shared.model.units import MIB, Bytes, Milliseconds, Seconds
from shared.ports import Identifier, Intake, OwnShelf, Provider, Workers

log = logging.getLogger(__name__)

CANDIDATES_ASKED = 12               # of each provider
ASK_S: Seconds = 300.0              # for what a link leads to: a playlist of thousands comes page by page
FIND_S: Seconds = 90.0              # for all providers together; a Soulseek search takes its time
CRAFT_S: Seconds = 900.0            # for one craft on one file: hours of music on a small machine
LISTENER_S: Seconds = 60.0          # a conversion waits so long for a listener's sake, then it runs at low priority
LENGTH_TOLERANCE_MS: tuple[Milliseconds, Milliseconds] = (4_000, 14_000)    # at least, at most
UNKNOWN_SIZE: Bytes = 50 * MIB      # set aside for a candidate that does not tell its size

_FALLS_BACK = ("fetch", "inspect", "process")       # what goes wrong in these may be the candidate's fault
_STATIONS_OWN = frozenset({"disk_full", "library_offline", "read_only", "no_music_folder"})
_CHAIN = (Status.WAITING, Status.PENDING, Status.QUEUED, Status.DOWNLOADING, Status.PROCESSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What the stages work with: the house's collaborators, and this download's own token and options."""

    # of the house
    resolve: Callable[[str], Offer]                     # odst.search: what a link leads to
    search: Callable[[str], Sequence[Offer]]            # … and what words may mean, best first
    track: Callable[[str], Wanted]                      # a track of the library, by its id
    providers: Mapping[str, Provider]                   # in the order of trust
    intake: Intake
    own_shelves: Mapping[str, OwnShelf]                 # of what is no track: by who named it (Wanted.source)
    identifier: Identifier
    workers: Workers
    keepings: Keepings
    ledger: Ledger
    breakers: Breakers
    slots: Slots
    throttle: Throttle
    disk: Disk
    staging: Staging
    spread: Callable[[Parcel, Sequence[Wanted]], int]   # the other tracks of a link become downloads of their own
    limit_bytes: Bytes
    limit_tracks: int                                   # of one link; sources tell no more of it
    limit_s: Seconds
    level_lufs: int
    # of this download
    token: Token
    options: Options                                    # with nothing left open: the settings have filled the gaps
    log: Callable[[str, str], None]                     # level, message


class Keepings(Protocol):
    """library.keepings.Keepings: what a file is to become on the shelf, made once."""

    def plan(self, facts: AudioFacts, *, format: str | None, bitrate_kbps: int | None, level: bool, trim: bool) -> Any:
        """needed, format, suffix, bitrate_kbps, and a note where it is not quite as asked for. Pure."""

    def keep(self, path: str, target: str, *, format: str, bitrate_kbps: int | None, level_lufs: float | None,
             trim: bool, sha256: str, duration_ms: Milliseconds) -> dict[str, Any]:
        """Write the file to be kept to `target`, and tell its facts. Costs a decode and an encode, if it is new."""


class Later(Exception):
    """Nobody failed, but it cannot go on before `until` (Unix seconds); no try is spent."""

    def __init__(self, until: float, note: str) -> None:
        super().__init__(note)
        self.until = until
        self.note = note


# ---- the stages --------------------------------------------------------------------------------------------------


def understand(parcel: Parcel, bench: Workbench) -> Parcel:
    """What is meant. Of a link with many tracks the first that is not owned; the others become downloads too."""
    request = parcel.request
    if request.wanted is not None:
        return replace(parcel, wanted=request.wanted)
    if request.track_id is not None:
        return replace(parcel, wanted=bench.track(request.track_id), replace=request.track_id)
    if request.url is None:
        return replace(parcel, wanted=_meant_by(request.query or "", bench))
    tracks = _asked_aside(partial(bench.resolve, request.url), bench, "Asking what the link leads to").tracks
    if not tracks:
        raise Failure("not_found", "This link leads to no music.")
    if len(tracks) == 1:
        return replace(parcel, wanted=tracks[0])
    if len(tracks) == bench.limit_tracks:
        bench.log("warning", f"One link queues no more than {len(tracks)} tracks (setting download_batch_limit); what "
                             "it leads to beyond them is left out.")
    lacking = [one for one in tracks if _owned(one, bench) is None]
    if len(lacking) < len(tracks):
        bench.log("info", f"{len(tracks) - len(lacking)} of its {len(tracks)} tracks are in your library already.")
    bench.token.check()
    if lacking:
        added = bench.spread(parcel, lacking[1:])
        bench.log("info", f"The link leads to {len(tracks)} tracks; {added} more are queued.")
    return replace(parcel, wanted=(lacking or tracks)[0], group=parcel.group or parcel.uid)


def find(parcel: Parcel, bench: Workbench) -> Parcel:
    """Where it can be had: in the library already, or candidates of all providers, scored and written down."""
    wanted = _wanted(parcel)
    there = None if parcel.replace else _owned(wanted, bench)
    if there is not None:
        if bench.options.duplicates != "upgrade" or not bench.intake.worth_replacing(there, bench.options):
            return replace(parcel, owned=there)
        parcel = replace(parcel, replace=there)
        bench.log("info", "It is in your library; a better file is looked for.")
    found = _ask_providers(wanted, bench)
    refused = bench.ledger.records.blocked(matching.wanted_key(wanted))
    scored = [replace(one, rejected="Somebody said that this is not it.") if one.key in refused else one
              for one in matching.rank(wanted, found, bench.options)]
    written = bench.ledger.records.candidates_write(parcel.uid, scored)
    left = [one for one in written if not one.rejected]
    bench.log("info", f"{len(written)} candidates, {len(left)} of them fit." if len(written) != 1 else "One candidate.")
    if not left:
        raise Failure("no_candidates", "Nobody has it." if not written else
                      f"None of the {len(written)} things that were found is it; the nearest: {written[0].rejected}")
    return parcel


def fetch(parcel: Parcel, bench: Workbench) -> Parcel:
    """The candidate's bytes, in this download's own folder."""
    candidate = _candidate(parcel)
    provider = bench.providers[candidate.provider]
    fetching = _Fetching(parcel, candidate, bench)
    bench.disk.promise(parcel.uid, fetching.expected)
    try:
        with bench.breakers.guard(provider.name, provider.operation(candidate)), bench.throttle.fetching():
            fetched = provider.fetch(candidate, fetching)
    finally:
        bench.disk.release(parcel.uid)
    path = bench.staging.confined(parcel.uid, fetched.path)
    bench.log("info", f"Fetched from {provider.name}" + (f": {fetched.format_note}." if fetched.format_note else "."))
    file = StagedFile.at(path)
    return replace(parcel, fetched=replace(fetched, path=str(path)), file=file, source_sha256=file.sha256,
                   fetched_bytes=file.size_bytes)


def inspect(parcel: Parcel, bench: Workbench) -> Parcel:
    """Whether what came is whole and what it should be, by decoding all of it."""
    file, wanted = _file(parcel), _wanted(parcel)
    expected_ms, tolerance_ms = _length(wanted, _candidate(parcel), bench)
    facts = bench.workers.run("shared.audio.inspect:inspect", file.path, expected_ms, tolerance_ms, timeout_s=CRAFT_S)
    audio = _audio_facts(facts)
    bench.log("info", f"It is whole: {told_quality(audio)}, {audio.duration_ms / 1000:.0f} s.")
    if facts.get("upsampled"):
        cutoff_hz = facts.get("cutoff_hz") or 0
        parcel = parcel.with_warning(
            f"Called lossless, but nothing above {cutoff_hz / 1000:.0f} kHz is in it: it was lossy before.")
    if facts.get("silent"):
        parcel = parcel.with_warning("There is nothing to hear in it.")
    if facts.get("errors"):
        parcel = parcel.with_warning(f"{facts['errors']} damaged places in it were passed over.")
    return replace(parcel, facts=audio, in_file=facts.get("metadata") or Metadata(),
                   has_picture=bool(facts.get("picture_bytes")), upsampled=bool(facts.get("upsampled")))


def identify(parcel: Parcel, bench: Workbench) -> Parcel:
    """Who it is, and what shall stand in its tags. What is doubtful changes nothing and is said."""
    file, facts = _file(parcel), _facts(parcel)
    wanted = _with_said(_wanted(parcel), parcel.fetched)
    told = bench.identifier.identify(wanted, parcel.in_file or Metadata(), facts, path=file.path,
                                     cancelled=bench.token.ended)
    picture = None
    if told.cover:
        picture = bench.staging.folder(parcel.uid) / "cover"
        picture.write_bytes(told.cover)
    elif parcel.fetched is not None and parcel.fetched.cover:
        picture = bench.staging.confined(parcel.uid, parcel.fetched.cover)
    if told.review:
        parcel = parcel.with_warning(told.review)
    bench.log("info", f"It is “{told.metadata.title}” by {told.metadata.artist}"
                      f" ({round(told.confidence * 100)} % sure).")
    return replace(parcel, wanted=wanted, metadata=told.metadata, confidence=told.confidence, review=told.review,
                   cover=str(picture) if picture else None, lyrics=told.lyrics, sources=told.sources)


def process(parcel: Parcel, bench: Workbench) -> Parcel:
    """Trim, level and convert, as far as it was asked for; or measure the loudness and leave the sound bit for bit."""
    options, facts = bench.options, _facts(parcel)
    plan = bench.keepings.plan(facts, format=options.format, bitrate_kbps=options.bitrate_kbps,
                               level=options.level == "audio", trim=bool(options.trim))
    if plan.note:
        parcel = parcel.with_warning(plan.note)
    if plan.needed:
        parcel = _kept_otherwise(parcel, plan, bench)
    if options.level == "tags":
        loud = bench.workers.run("shared.audio.loudness:measure", _file(parcel).path, timeout_s=CRAFT_S)
        parcel = replace(parcel, replaygain=ReplayGain(
            track_gain_db=loud.get("track_gain_db"), track_peak=loud.get("track_peak")))
    return parcel


def dress(parcel: Parcel, bench: Workbench) -> Parcel:
    """Tags and cover into the file, by a copy that takes its place."""
    file = _file(parcel)
    cover = Path(parcel.cover).read_bytes() if parcel.cover else None
    told = bench.workers.run(
        "shared.audio.dress:dress", file.path, parcel.metadata or Metadata(), cover=cover, lyrics=parcel.lyrics,
        replaygain=parcel.replaygain, timeout_s=CRAFT_S)
    for sentence in (told or {}).get("warnings", ()):
        parcel = parcel.with_warning(sentence)
    return replace(parcel, file=StagedFile.at(file.path))


def admit(parcel: Parcel, bench: Workbench) -> Parcel:
    """Onto the shelf and into the library, in one move. From here on it is not cancelled any more."""
    file = _file(parcel)
    bench.token.commit()
    try:
        admitted = bench.intake.admit(
            Path(file.path), parcel.metadata or Metadata(), _facts(parcel), sha256=parcel.source_sha256 or file.sha256,
            options=bench.options, replace=parcel.replace, origin=_origin(parcel, bench),
            cover=Path(parcel.cover).read_bytes() if parcel.cover else None, lyrics=parcel.lyrics,
            review=parcel.review)
    except BaseException:
        bench.token.uncommit()
        raise
    return replace(parcel, track_id=admitted.track_id, duplicate_of=admitted.duplicate_of, replaced=admitted.replaced)


def keep(parcel: Parcel, bench: Workbench) -> Parcel:
    """Onto a shelf of its own, instead of into the library. From here on it is not cancelled any more."""
    file, wanted = _file(parcel), _wanted(parcel)
    bench.token.commit()
    try:
        bench.own_shelves[wanted.source].keep(
            Path(file.path), wanted, _facts(parcel), download=parcel.uid, sha256=parcel.source_sha256 or file.sha256)
    except BaseException:
        bench.token.uncommit()
        raise
    return parcel


Stage = Callable[[Parcel, Workbench], Parcel]
STAGES: tuple[Stage, ...] = (understand, find, fetch, inspect, identify, process, dress, admit)
OWN_STAGES: tuple[Stage, ...] = (understand, find, fetch, inspect, keep)


def stages_of(request: Request, own_shelves: Collection[str]) -> tuple[Stage, ...]:
    """What a request goes through. Only the house itself can ask for what has a shelf of its own."""
    return OWN_STAGES if request.wanted is not None and request.wanted.source in own_shelves else STAGES


# ---- the runner --------------------------------------------------------------------------------------------------


def run(parcel: Parcel, bench: Workbench) -> Parcel:
    """One try: through all stages that are not behind it yet, with one candidate after the other until one is good.

    Returns the parcel with its `track_id` or `owned`. Raises Cancelled (told to stop), Later (nobody's fault: not yet),
    Failure (the try is spent when it is retryable, the download when it is not).
    """
    kept: dict[str, Failure] = {}       # candidates that failed in a way that may pass
    shut: dict[str, float] = {}         # candidates whose service is left alone until then
    status = Status.WAITING
    while True:
        name = ""
        try:
            for stage in stages_of(parcel.request, bench.own_shelves):
                name = stage.__name__
                if parcel.owned is not None:
                    return parcel
                if name in parcel.done:
                    continue
                if name == "fetch" and parcel.candidate is None:
                    parcel = replace(parcel, candidate=_next_candidate(parcel, bench, kept, shut))
                with _place(name, parcel, bench, status) as status:
                    status = _enter(name, parcel, bench, status)
                    parcel = _through(stage, parcel, bench)
            return parcel
        except Failure as failure:
            candidate, opens_at = parcel.candidate, failure.details.get("opens_at")
            if candidate is None or name not in _FALLS_BACK or failure.code in _STATIONS_OWN:
                if opens_at is not None:
                    raise Later(float(opens_at), failure.message) from failure
                raise
            if opens_at is not None:
                shut[candidate.id] = float(opens_at)
            elif failure.retryable:
                kept[candidate.id] = failure
                bench.log("warning", f"{candidate.provider}: {failure.message}")
            else:
                bench.ledger.reject(parcel.uid, candidate, failure.message)
                bench.staging.clear_part(parcel.uid, candidate.id)
                kept.pop(candidate.id, None)
            parcel = replace(parcel.unfetched(), warnings=())
            following = _next_candidate(parcel, bench, kept, shut, because=failure)
            if status is Status.PROCESSING:     # the one way back that the table of moves knows
                bench.ledger.move(parcel.uid, (Status.FAILED, failure.message),
                                  (Status.WAITING, "goes on with the next candidate"), parcel=parcel.kept())
                status = Status.WAITING
            parcel = replace(parcel, candidate=following)


def _through(stage: Stage, parcel: Parcel, bench: Workbench) -> Parcel:
    """One stage, timed; whatever it raises comes out as Cancelled, Later or Failure."""
    begun = time.perf_counter()
    try:
        bench.token.check()
        parcel = stage(parcel, bench)
    except (Cancelled, Later):
        raise
    except Exception as error:      # the one edge of all stages
        if bench.token.ended():     # what breaks while it is being ended is no news
            raise Cancelled from error
        raise as_failure(error, stage.__name__) from error
    return parcel.with_done(stage.__name__, round((time.perf_counter() - begun) * 1000))


def _enter(name: str, parcel: Parcel, bench: Workbench, status: Status) -> Status:
    """Write down what is worked out so far and that stage `name` begins, moving to its status where it has another."""
    fields: dict[str, Any] = {"stage": name, "parcel": parcel.kept(), "stage_ms": dict(parcel.stage_ms)}
    if parcel.wanted is not None and "find" not in parcel.done:
        fields["wanted"] = parcel.wanted
    if parcel.warnings:
        fields["warnings"] = list(parcel.warnings)
    target = STATUS_OF[name]
    steps: list[tuple[Status, str | None]] = [
        (step, None) for step in _CHAIN[_CHAIN.index(status) + 1:_CHAIN.index(target) + 1]]
    with _moving():
        if steps:
            if status is Status.WAITING:
                fields["attempt"] = parcel.tries_spent + 1
            bench.ledger.move(parcel.uid, *steps, **fields)
        else:
            bench.ledger.update(parcel.uid, **fields)
    return target if steps else status


@contextlib.contextmanager
def _place(name: str, parcel: Parcel, bench: Workbench, status: Status) -> Iterator[Status]:
    """Around a stage: fetching waits, queued, for a free place at its provider; the others begin at once. Gives the
    status that it has then."""
    if name != "fetch":
        yield status
        return
    candidate = _candidate(parcel)
    before = _CHAIN.index(status) < _CHAIN.index(Status.QUEUED)
    with _moving():
        if before:
            steps: list[tuple[Status, str | None]] = [(Status.PENDING, None)] if status is Status.WAITING else []
            bench.ledger.move(
                parcel.uid, *steps, (Status.QUEUED, None), candidate=candidate.id or None, parcel=parcel.kept(),
                wanted=parcel.wanted, attempt=parcel.tries_spent + 1)
            status = Status.QUEUED
        else:
            bench.ledger.update(parcel.uid, candidate=candidate.id or None)
    with bench.slots.at(candidate.provider, bench.token):
        yield status


@contextlib.contextmanager
def _moving() -> Iterator[None]:
    """A move that is no longer legal: a person was quicker. It is theirs now."""
    try:
        yield
    except IllegalMove as error:
        raise Cancelled from error


def _next_candidate(parcel: Parcel, bench: Workbench, kept: Mapping[str, Failure], shut: dict[str, float],
                    because: Failure | None = None) -> Candidate:
    """The best one that was not tried in this try. Raises Failure or Later when there is none."""
    candidates = bench.ledger.candidates(parcel.uid)
    for one in candidates:
        provider = bench.providers.get(one.provider)
        if one.rejected or one.id in kept or one.id in shut or provider is None:
            continue
        opens_at = bench.breakers.opens_at(provider.name, provider.operation(one))
        if opens_at is None:
            return one
        shut[one.id] = opens_at
    if kept:
        raise list(kept.values())[-1]
    if shut:
        until = min(shut.values())
        names = sorted({called(one.provider, bench.providers[one.provider].operation(one))
                        for one in candidates if one.id in shut})
        raise Later(until, f"Waits for {' and '.join(names)}, which did not answer several times in a row.")
    if because is not None and len(candidates) == 1:
        raise because
    told = next((one for one in candidates if one.rejected), None)
    raise Failure(because.code if because else "no_candidates",
                  f"None of {len(candidates)} candidates is any good; the best one: {told.rejected}" if told else
                  "There is no candidate left to try.")


def as_failure(error: Exception, stage: str) -> Failure:
    """Any error in the words of downloads."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, UnreadableFile):
        code = {"empty": "empty", "not_audio": "not_audio", "wrong_length": "wrong_length",
                "too_large": "too_long"}.get(error.reason, "damaged")
        return Failure(code, error.message)
    if isinstance(error, DiskFull):
        return Failure("disk_full", error.message)
    if isinstance(error, StorageOffline):
        return Failure("library_offline", error.message)
    if isinstance(error, Overloaded | StartFailed):
        return Failure("crashed", error.message)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure("disk_full", "The disk is full. It goes on when there is room.")
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return Failure("read_only", "The music folder cannot be written to. Change its permissions or its mount.")
    if isinstance(error, NotFound):
        return Failure("not_found", error.message)
    if isinstance(error, SoundsibleError) and error.code != "internal":
        return Failure("internal", error.message)
    log.error("a download broke in %s", stage, exc_info=error)
    return Failure("internal", f"Something unexpected went wrong in {stage} ({type(error).__name__}); "
                               "the station's log says more.")


# ---- what the stages need ----------------------------------------------------------------------------------------


class _Fetching:
    """Implements ports.Fetching for one candidate, in a folder of that candidate's own."""

    def __init__(self, parcel: Parcel, candidate: Candidate, bench: Workbench) -> None:
        self.folder = bench.staging.part(parcel.uid, candidate.id)
        self.options = bench.options
        self.limit_bytes = bench.limit_bytes
        self.limit_s = bench.limit_s
        self.expected = min(candidate.size_bytes or _guessed_size(candidate), bench.limit_bytes)
        self._uid, self._bench = parcel.uid, bench
        self._bytes = 0

    def report(self, progress: Progress) -> None:
        self._bench.token.check()
        more = progress.bytes - self._bytes
        if more > 0 and self._bytes:    # what lay there already was not fetched now
            self._bench.throttle.fetched(more)
        if more > 0:
            self._bench.disk.written(self._uid, more)
        self._bytes = progress.bytes
        self._bench.ledger.progress(self._uid, progress)

    def log(self, level: str, message: str) -> None:
        self._bench.log(level, message)

    def rate(self) -> float | None:
        return self._bench.throttle.rate()

    def cancelled(self) -> bool:
        return self._bench.token.ended()


def _meant_by(words: str, bench: Workbench) -> Wanted:
    """What a catalogue has for "Artist - Title" or other words; the words themselves when none knows them."""
    artist, dash, title = (part.strip() for part in words.partition(" - "))
    said = Wanted(title=title, artist=artist, artists=(artist,)) if dash and artist and title else Wanted(title=words)
    heard = set(matching.fold(words.replace(" - ", " ")).split())
    for offer in _asked_aside(partial(bench.search, words), bench, "Asking the catalogues"):
        if offer.kind != "track" or not heard:
            continue
        known = set(matching.fold(f"{offer.artist or ''} {offer.title} {offer.album or ''}").split())
        if len(heard & known) >= 0.75 * len(heard):
            return offer.tracks[0] if offer.tracks else Wanted(
                title=offer.title, artist=offer.artist, artists=(offer.artist,) if offer.artist else (),
                album=offer.album, isrc=offer.isrc, duration_ms=offer.duration_ms, date=offer.date,
                explicit=offer.explicit, cover_url=offer.cover_url, source=offer.source, source_id=offer.id,
                source_url=offer.url)
    return said


def _owned(wanted: Wanted, bench: Workbench) -> str | None:
    return None if bench.options.duplicates == "keep" else bench.intake.owned(wanted)


def _ask_providers(wanted: Wanted, bench: Workbench) -> list[Candidate]:
    """All providers at once, each behind its breaker. One that fails is named and the others count; Failure or Later
    when nothing came and somebody failed."""
    asked = [one for one in bench.providers.values() if bench.options.provider in (None, one.name)]
    if wanted.fetch_url:        # the source itself has its bytes: nobody else is meant
        own = [one for one in asked if one.name == wanted.source] or asked
        asked = [one for one in own if one.understands(wanted.fetch_url)][:1]
    if not asked:
        raise Failure("not_configured", "No provider that could fetch it is switched on."
                      if bench.options.provider is None else
                      f"{bench.options.provider} is not switched on, or cannot fetch this.")

    def ask(provider: Provider) -> list[Candidate]:
        if wanted.fetch_url:
            return provider.find(wanted, bench.options, limit=CANDIDATES_ASKED)
        with bench.breakers.guard(provider.name, "find"):
            return provider.find(wanted, bench.options, limit=CANDIDATES_ASKED)

    if wanted.fetch_url:
        return ask_one(ask, asked[0])
    answers = [(one.name, _Aside(partial(ask_one, ask, one))) for one in asked]
    found: list[Candidate] = []
    failures: list[Failure] = []
    ends_at = time.monotonic() + FIND_S
    for name, answer in answers:
        try:
            found += answer.wait(bench.token, ends_at - time.monotonic())
        except TimeoutError:
            failures.append(Failure("timed_out", f"{name} took too long to search.", provider=name))
        except Failure as failure:
            failures.append(failure)
    for one in failures:
        bench.log("warning", f"{one.provider or 'A provider'}: {one.message}")
    if not found and failures:
        raise next((one for one in failures if one.retryable), failures[0])
    return found


class _Aside:
    """A deed in a thread of its own, so that who waits for it can be called off; the thread then ends when it can."""

    def __init__(self, deed: Callable[[], Any]) -> None:
        self._deed = deed
        self._done = threading.Event()
        self._answer: Any = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="download asks", daemon=True).start()

    def _run(self) -> None:
        try:
            self._answer = self._deed()
        except BaseException as error:  # the edge of a thread: it is raised where it is waited for
            self._error = error
        finally:
            self._done.set()

    def wait(self, token: Token, timeout_s: Seconds) -> Any:
        """Its answer, or what it raised. Raises Cancelled, TimeoutError."""
        ends_at = time.monotonic() + timeout_s
        while not self._done.wait(0.1):
            token.check()
            if time.monotonic() > ends_at:
                raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._answer


def _asked_aside(deed: Callable[[], Any], bench: Workbench, what: str) -> Any:
    try:
        return _Aside(deed).wait(bench.token, ASK_S)
    except TimeoutError:
        raise Failure("timed_out", f"{what} took too long.") from None


def ask_one(ask: Callable[[Provider], list[Candidate]], provider: Provider) -> list[Candidate]:
    """What `provider` finds; its failures carry its name."""
    try:
        return list(ask(provider))
    except Failure as failure:
        failure.provider = failure.provider or provider.name
        raise


def _length(wanted: Wanted, candidate: Candidate, bench: Workbench) -> tuple[Milliseconds | None, Milliseconds]:
    """(how long it should be, how far it may be off). What only the link itself says is no promise."""
    least, most = LENGTH_TOLERANCE_MS
    if wanted.duration_ms is None or wanted.source in bench.providers:
        return None, most
    return wanted.duration_ms, min(most, max(least, wanted.duration_ms // 20))


def _guessed_size(candidate: Candidate) -> Bytes:
    if not candidate.duration_ms:
        return UNKNOWN_SIZE
    kbps = candidate.bitrate_kbps or (1100 if candidate.format in LOSSLESS else 320)
    return candidate.duration_ms * kbps // 8


def _with_said(wanted: Wanted, fetched: Fetched | None) -> Wanted:
    """`wanted`, its gaps filled with what the source said along with the file."""
    if fetched is None:
        return wanted
    said = fetched.said
    names = ("title", "artist", "artists", "album", "album_artist", "isrc", "duration_ms", "track_number",
             "track_total", "disc_number", "disc_total", "date", "genres", "explicit", "cover_url", "lyrics")
    return replace(wanted, **{name: getattr(said, name) for name in names
                              if getattr(wanted, name) in (None, ()) and getattr(said, name) not in (None, ())})


def _kept_otherwise(parcel: Parcel, plan: Any, bench: Workbench) -> Parcel:
    """What is kept on the shelf instead of the file as it came."""
    options, facts, file = bench.options, _facts(parcel), _file(parcel)
    _for_the_listener(bench)
    if parcel.has_picture and parcel.cover is None:     # a conversion does not bring it along
        picture = bench.workers.run("shared.audio.artwork:embedded", file.path, timeout_s=CRAFT_S)
        if picture:
            kept = bench.staging.folder(parcel.uid) / "cover"
            kept.write_bytes(picture)
            parcel = replace(parcel, cover=str(kept))
    how = {"format": plan.format, "bitrate_kbps": plan.bitrate_kbps, "trim": bool(options.trim),
           "level_lufs": float(bench.level_lufs) if options.level == "audio" else None}
    target = bench.staging.folder(parcel.uid) / f"kept{plan.suffix}"
    told = bench.keepings.keep(file.path, str(target), sha256=file.sha256, duration_ms=facts.duration_ms, **how)
    if told.get("note"):
        parcel = parcel.with_warning(told["note"])
    facts = replace(facts, **{name: told[name] for name in _FACTS if told.get(name) is not None})
    if facts.format not in LOSSLESS:
        facts = replace(facts, bit_depth=None)
    bench.log("info", f"Kept as {told_quality(facts)}" + (f", {told['gain_db']:+.1f} dB" if told.get("gain_db") else "")
                      + ".")
    return replace(parcel, file=StagedFile.at(target), facts=facts, processed={**how, **told})


_FACTS = ("format", "mime_type", "duration_ms", "bitrate_kbps", "sample_rate_hz", "bit_depth", "channels")


def _for_the_listener(bench: Workbench) -> None:
    """A conversion does not begin while somebody listens; after a while it does, at low priority."""
    if not bench.throttle.listening():
        return
    bench.log("info", "The conversion waits: somebody listens.")
    until = time.monotonic() + LISTENER_S
    while bench.throttle.listening() and time.monotonic() < until:
        bench.token.wait(0.5)


def _origin(parcel: Parcel, bench: Workbench) -> dict[str, Any]:
    """Where it came from, to be kept with the track."""
    wanted, candidate = _wanted(parcel), _candidate(parcel)
    own = candidate.locator.get("url")
    return {
        "provider": candidate.provider, "source": wanted.source,
        "url": parcel.request.url or wanted.source_url or own, "fetched_from": own,
        "sha256": parcel.source_sha256, "download_id": parcel.uid, "quality_asked": bench.options.quality,
        "quality_got": told_quality(_facts(parcel)), "size_bytes": _file(parcel).size_bytes,
        "score": candidate.score, "upsampled": parcel.upsampled, "stage_ms": dict(parcel.stage_ms),
        "confidence": parcel.confidence,
        "sources": dict(parcel.sources), "processed": dict(parcel.processed), "warnings": list(parcel.warnings),
    }


def _audio_facts(told: Mapping[str, Any]) -> AudioFacts:
    facts = told.get("facts")
    if isinstance(facts, AudioFacts):
        return facts
    known: dict[str, Any] = {name: told.get(name) for name in _FACTS}
    return AudioFacts(**known)


def told_quality(facts: AudioFacts) -> str:
    """For people: "flac 44.1 kHz 16 bit", "opus 160 kbit/s"."""
    if facts.format in LOSSLESS:
        rate = f" {facts.sample_rate_hz / 1000:g} kHz" if facts.sample_rate_hz else ""
        return f"{facts.format}{rate}" + (f" {facts.bit_depth} bit" if facts.bit_depth else "")
    return f"{facts.format}" + (f" {facts.bitrate_kbps} kbit/s" if facts.bitrate_kbps else "")


def sibling(parcel: Parcel, wanted: Wanted) -> Request:
    """The request for another track that the same link leads to."""
    request = parcel.request
    return Request(wanted=wanted, options=request.options, priority=request.priority,
                   not_before=request.not_before, nightly=request.nightly)


def _wanted(parcel: Parcel) -> Wanted:
    assert parcel.wanted is not None, "understand comes first"
    return parcel.wanted


def _candidate(parcel: Parcel) -> Candidate:
    assert parcel.candidate is not None, "the runner chooses one before fetch"
    return parcel.candidate


def _file(parcel: Parcel) -> StagedFile:
    assert parcel.file is not None, "fetch comes first"
    return parcel.file


def _facts(parcel: Parcel) -> AudioFacts:
    assert parcel.facts is not None, "inspect comes first"
    return parcel.facts
