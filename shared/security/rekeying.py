"""Seal every secret anew with another key: in config.json and in the database.

May be cut off anywhere: until all is sealed with the next key both keys are there and open everything, and who begins
again goes on. What no key here opens (sealed on another machine) is left as it is and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared import durable
from shared import settings as settings_room
from shared.vault import SealedElsewhere, Vault

if TYPE_CHECKING:
    from shared.records.sealed import Sealed

SETTINGS, DATABASE, KEY = "settings", "database", "key"     # the steps, in their order


@dataclass(frozen=True, slots=True, kw_only=True)
class Rekeyed:
    """How many secrets there are, and how many of them no key here opens."""

    settings: int
    database: int
    closed: int
    resumed: bool = False   # one that was cut off was gone on with


class Rekeying:
    """settings    its config.json and key are changed
    records     records.sealed.Sealed; None: there is no database yet
    on_step     called with each step that is done
    """

    def __init__(self, *, settings: Any, records: Sealed | None,
                 on_step: Callable[[str], None] = lambda step: None) -> None:
        self._settings = settings
        self._records = records
        self._on_step = on_step
        self._vault = Vault(settings.config_dir)

    def foresee(self) -> Rekeyed:
        """What `run` would do; changes nothing. Raises BadSetting when config.json or the key cannot be read."""
        texts: list[str] = []

        def note(text: str) -> str:
            texts.append(text)
            return text

        settings_room.sealed_anew(self._settings, note, dry_run=True)
        rows = list(self._records.texts()) if self._records is not None else []
        return Rekeyed(settings=len(texts), database=len(rows), resumed=self._vault.changing,
                       closed=sum(not self._opens(one) for one in (*texts, *rows)))

    def run(self) -> Rekeyed:
        """All of it. Nobody else may work with the secrets meanwhile. Raises BadSetting, OSError, DiskFull."""
        before = self.foresee()
        self._vault.begin_change()
        settings_room.sealed_anew(self._settings, self._anew)
        self._on_step(SETTINGS)
        if self._records is not None:
            self._records.replace(self._anew)
        self._on_step(DATABASE)
        durable.sync_folder(self._settings.config_dir)      # before the other key is gone
        self._vault.finish_change()
        self._on_step(KEY)
        return before

    def _anew(self, sealed: str) -> str:
        if self._vault.opens_with_next(sealed):
            return sealed
        try:
            return self._vault.seal(self._vault.open(sealed))
        except SealedElsewhere:
            return sealed

    def _opens(self, sealed: str) -> bool:
        try:
            self._vault.open(sealed)
        except SealedElsewhere:
            return False
        return True
