"""Episodes are fetched by ODST, in its queue, and end up beneath data/podcasts instead of the library.

The episode's row follows its download: what is under way waits, fails or is cancelled there, and is put here by `keep`,
which ODST calls as its last stage. Being killed at any moment leaves a row that says "downloading" and a download that
says how it went; `recover` brings the two together.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared import durable
from shared.events import DownloadMoved, EventBus, PodcastsChanged
from shared.model.download import ACTIVE, Failure, Options, Request, Status, Wanted
from shared.model.errors import Conflict, NotFound, SoundsibleError
from shared.model.person import Person
from shared.model.podcast import SOURCE, EpisodeSound
from shared.model.track import AudioFacts
from shared.model.units import Bytes

if TYPE_CHECKING:
    from shared.records.podcasts import Podcasts as Records
    from shared.records.podcasts import Wish

log = logging.getLogger(__name__)

LISTENER = Person(user_id=0, id="", username="", role="owner")     # who asks when the station itself does
_ENDINGS = {"mp3": ".mp3", "flac": ".flac", "vorbis": ".ogg", "opus": ".opus", "aac": ".m4a", "alac": ".m4a",
            "wav": ".wav", "aiff": ".aiff", "wavpack": ".wv", "ape": ".ape", "wma": ".wma"}
_PLAIN = frozenset({*_ENDINGS.values(), ".aac", ".oga", ".webm", ".mka", ".mp4"})
_FETCHABLE = ("new", "error", "deleted", "skipped")


class Episodes:
    """records: records.podcasts.Podcasts; jobs: records.downloads.Downloads; submit(user_id, requests, group) and
    cancel(person, id) are ODST's; folder: data/podcasts."""

    def __init__(
        self, *, records: Records, jobs: Any, submit: Callable[[int | None, Sequence[Request], str], list[Any]],
        cancel: Callable[[Person, str], object], events: EventBus, folder: Path, limit_bytes: Bytes,
    ) -> None:
        self._records = records
        self._jobs = jobs
        self._submit = submit
        self._cancel = cancel
        self._events = events
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._room = threading.Lock()       # one at a time makes room
        self._heard: Counter[str] = Counter()
        events.subscribe(DownloadMoved, self._moved)

    # ---- start

    def recover(self) -> None:
        """Bring rows, downloads and files together after a start."""
        for wish in self._records.under_way():
            if wish.download is None:       # killed between the two rows: the same download is found, or begun
                self._ask(wish, wish.user_id)
            else:
                self._follow(wish, wish.download)
        self._tidy()

    def _tidy(self) -> None:
        """Files that belong to no episode go; episodes whose file is gone say so."""
        kept = {one.path: one.uid for one in self._records.files()}
        for path, uid in kept.items():
            if not (self._folder / path).is_file():
                self._records.let_go(uid, "deleted")
        if not self._folder.is_dir():
            return
        for folder in self._folder.iterdir():
            if not folder.is_dir() or folder.is_symlink():
                continue
            for file in folder.iterdir():
                if f"{folder.name}/{file.name}" not in kept:
                    _unlink(file)
            with contextlib.suppress(OSError):      # not empty
                folder.rmdir()

    # ---- asked for

    def fetch(self, uid: str, user_id: int | None) -> None:
        """Have an episode fetched; nothing when it is there or on its way. Raises NotFound, Failure."""
        wish = self._records.wish(uid)
        if wish.status not in _FETCHABLE or not self._records.mark(uid, "downloading", only=_FETCHABLE):
            return
        self._ask(wish, user_id)

    def _ask(self, wish: Wish, user_id: int | None) -> None:
        wanted = Wanted(title=wish.title, artist=wish.podcast_title, album=wish.podcast_title, source=SOURCE,
                        source_id=wish.uid, source_url=wish.url, fetch_url=wish.url)
        request = Request(wanted=wanted, options=Options(duplicates="keep", level="off", trim=False))
        try:
            (download, _), = self._submit(user_id, [request], f"podcast-{wish.podcast_uid}")
        except SoundsibleError as error:
            self._records.mark(wish.uid, "error", only=("downloading",), error=error.message)
            raise
        self._records.mark(wish.uid, "downloading", only=("downloading",), download=download)
        self._follow(wish, download)        # it may be over already
        self._tell(wish)

    def drop(self, uid: str) -> None:
        """Stop fetching an episode, or remove what was fetched; it is not fetched by itself again. Raises NotFound,
        Conflict when it is being put into place just now."""
        wish = self._records.wish(uid)
        if wish.status == "downloading" and wish.download is not None:
            with contextlib.suppress(NotFound):
                try:
                    self._cancel(LISTENER, wish.download)
                except Conflict:
                    if self._jobs.job(wish.download).status is not Status.COMPLETED:
                        raise
        self._remove(uid, "deleted")
        self._tell(wish)

    def forget(self, podcast_uid: str, running: Sequence[str]) -> None:
        """The podcast's row is gone: so are its downloads and files."""
        for download in running:
            with contextlib.suppress(SoundsibleError):
                self._cancel(LISTENER, download)
        shutil.rmtree(self._folder / podcast_uid, ignore_errors=True)

    # ---- what comes of a download

    def keep(self, path: Path, wanted: Wanted, facts: AudioFacts, *, download: str, sha256: str) -> None:
        """Implements ports.OwnShelf: the file of an episode comes to its place, at once and for good. Doing it again
        changes nothing. Raises Failure."""
        try:
            wish = self._records.wish(wanted.source_id or "")
        except NotFound as error:
            raise Failure("not_found", "This episode is no longer among the podcasts.") from error
        # Anybody who may add music can ask for anything in an episode's name.
        if wish.download != download and (wish.download is not None or wanted.fetch_url != wish.url):
            raise Failure("not_found", "This is not the download of that episode.")
        size_bytes = path.stat().st_size
        with self._room:
            self._make_room(size_bytes, wish)
            target = self._folder / wish.podcast_uid / f"{wish.uid}{_ending(path, facts)}"
            mtime_ns = self._place(path, target)
        try:
            self._records.kept(
                wish.uid, path=f"{wish.podcast_uid}/{target.name}", format=facts.format, mime_type=facts.mime_type,
                duration_ms=facts.duration_ms, size_bytes=size_bytes, bitrate_kbps=facts.bitrate_kbps,
                sample_rate_hz=facts.sample_rate_hz, channels=facts.channels, mtime_ns=mtime_ns, sha256=sha256,
                download=download,
            )
        except NotFound as error:
            _unlink(target)
            raise Failure("not_found", "This episode was taken off meanwhile.") from error
        self._tell(wish)

    def _place(self, path: Path, target: Path) -> int:
        part = target.with_name(f".{target.name}.part")
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _unlink(part)
            try:
                os.link(path, part)         # the staged file stays until the download is over
            except OSError:                 # another file system, or one without links
                shutil.copyfile(path, part)
            with open(part, "rb+") as file:
                os.fsync(file.fileno())
            os.chmod(part, 0o600)
            os.replace(part, target)
            durable.sync_folder(target.parent)
            return target.stat().st_mtime_ns
        except OSError as error:
            _unlink(part)
            if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
                raise Failure("read_only", "The station's data folder, where podcasts lie, cannot be written to."
                              ) from error
            raise

    def _make_room(self, size_bytes: Bytes, wish: Wish) -> None:
        """Within the limit: what was heard to its end goes first, the oldest first; then what nobody has begun and is
        older than this. Never what somebody is in the middle of, likes, or hears now. Raises Failure."""
        files = [one for one in self._records.files() if one.uid != wish.uid]
        over = sum(one.size_bytes for one in files) + size_bytes - self._limit_bytes
        if over <= 0:
            return
        published = self._records.published_at(wish.uid)
        with self._lock:
            free = [one for one in files if not one.under_way and not self._heard[one.uid]]
        going = [one for one in free if one.finished]
        going += [one for one in free if not one.finished and one.published_at < published]
        chosen = []
        for one in going:
            if over <= 0:
                break
            chosen.append(one)
            over -= one.size_bytes
        if over > 0:
            raise Failure("too_large", f"There is no room for it among the podcasts: they may take "
                          f"{self._limit_bytes} bytes (setting podcast_bytes). Remove some that were heard.")
        for one in chosen:
            self._remove(one.uid, "skipped")
            log.info("the episode %s made room for another", one.uid)

    def _moved(self, event: DownloadMoved) -> None:
        """A download went on: does its episode?"""
        shown = event.download
        if shown.source != SOURCE and not (shown.group or "").startswith("podcast-"):
            return
        wish = self._records.by_download(shown.id)
        if wish is not None:
            self._settle(wish, shown.status, shown.error.message if shown.error else None)

    def _follow(self, wish: Wish, download: str) -> None:
        try:
            job = self._jobs.job(download)
        except NotFound:
            self._settle(wish, "failed", "It was interrupted. Fetch it again.")
            return
        failure = None
        if job.status is Status.FAILED:
            shown = self._jobs.as_shown(download)[1]
            failure = shown.error.message if shown.error else None
        self._settle(wish, job.status, failure)

    def _settle(self, wish: Wish, status: str, failure: str | None) -> None:
        changed = False
        if status == Status.FAILED:
            changed = self._records.mark(wish.uid, "error", only=("downloading",), error=failure or "It failed.")
        elif status == Status.CANCELLED:
            changed = self._records.mark(wish.uid, "deleted", only=("downloading",))
        elif status == Status.COMPLETED:        # `keep` was before: what is not kept by now never will be
            changed = self._records.mark(wish.uid, "error", only=("downloading",), error="It was interrupted.")
        elif status in {one.value for one in ACTIVE}:   # a person tries it again
            changed = self._records.mark(wish.uid, "downloading", only=("error", "deleted", "skipped", "new"))
        if changed:
            self._tell(wish)

    # ---- files

    def sound_of(self, uid: str) -> EpisodeSound:
        """The file of an episode. Costs a row and a stat. Raises NotFound while it is not fetched."""
        found = self._records.wholes(LISTENER, [uid]).get(uid)
        if found is None:
            raise NotFound("There is no such song or episode here.")    # who asks knows not always which it would be
        if found.path is None:
            raise NotFound("This episode is not fetched yet.")
        path = self._folder / found.path
        try:
            size_bytes = path.stat().st_size
        except OSError as error:
            raise NotFound("The file of this episode is gone. Fetch it again.") from error
        return EpisodeSound(
            path=path, mime_type=found.mime_type or "audio/mpeg", duration_ms=found.shown.duration_ms,
            format=found.format or "", bitrate_kbps=found.bitrate_kbps, size_bytes=size_bytes,
            title=found.shown.title,
        )

    @contextlib.contextmanager
    def heard(self, uid: str) -> Iterator[None]:
        """While somebody hears it, its file does not make room for others."""
        with self._lock:
            self._heard[uid] += 1
        try:
            yield
        finally:
            with self._lock:
                self._heard[uid] -= 1
                if not self._heard[uid]:
                    del self._heard[uid]

    def _remove(self, uid: str, status: str) -> None:
        path = self._records.let_go(uid, status)
        if path is not None:
            _unlink(self._folder / path)

    def _tell(self, wish: Wish) -> None:
        self._events.publish(PodcastsChanged(wish.podcast_uid, wish.uid))


def _ending(path: Path, facts: AudioFacts) -> str:
    suffix = path.suffix.lower()
    return suffix if suffix in _PLAIN else _ENDINGS.get(facts.format, ".audio")


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s cannot be removed: %s", path, error.strerror)
