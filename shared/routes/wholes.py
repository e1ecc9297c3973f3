"""Large answers, a few at a time: one that is made whole stands in memory until its client has taken it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Response

from shared.model.errors import Overloaded
from shared.model.person import Person
from shared.model.units import MIB, Bytes, Seconds

AT_ONCE = 4                 # of everybody; of one person one
LARGE: Bytes = MIB          # smaller ones leave their place as soon as they are made
PATIENCE_S: Seconds = 2.0


class Wholes:
    """Safe from any thread."""

    def __init__(self, *, at_once: int = AT_ONCE, large: Bytes = LARGE, patience_s: Seconds = PATIENCE_S) -> None:
        self._at_once = at_once
        self._large = large
        self._patience_s = patience_s
        self._held: set[int] = set()
        self._changed = threading.Condition()

    def answer(self, person: Person, make: Callable[[], Response]) -> Response:
        """What `make` makes. Raises Overloaded when another of this person's, or too many of others', are on their
        way."""
        whose = person.user_id
        with self._changed:
            if not self._changed.wait_for(lambda: whose not in self._held and len(self._held) < self._at_once,
                                          self._patience_s):
                raise Overloaded("Another large answer is still on its way; try again soon.", retry_after_s=5)
            self._held.add(whose)
        try:
            answer = make()
            if (answer.content_length or 0) >= self._large:
                answer.call_on_close(lambda: self._leave(whose))
            else:
                self._leave(whose)
        except BaseException:
            self._leave(whose)
            raise
        return answer

    def _leave(self, whose: int) -> None:
        with self._changed:
            self._held.discard(whose)
            self._changed.notify_all()
