"""What a client asks: parameters of the query and of a form, read as the protocol has them.

A parameter may come more than once (`songId=1&songId=2`); where one is expected the first counts. An empty one is none,
but for those that are asked for with `empty=True`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.model.person import Person


class Refused(Exception):
    """An error of the protocol, in its own numbers."""

    GENERIC, MISSING, CLIENT_TOO_OLD, SERVER_TOO_OLD = 0, 10, 20, 30
    WRONG, TOKEN_NOT_SUPPORTED, MECHANISM_NOT_SUPPORTED, CONFLICT, BAD_KEY = 40, 41, 42, 43, 44
    FORBIDDEN, NO_TRIAL, NOT_FOUND = 50, 60, 70

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: who, with which program, and what they gave."""

    given: Mapping[str, Sequence[str]]
    person: Person
    client: str = ""        # as the program calls itself (`c`)
    address: str = ""

    def texts(self, name: str) -> list[str]:
        """Every value of a parameter that may be repeated, without empty ones."""
        return [one for one in self.given.get(name, ()) if one != ""]

    def text(self, name: str, default: str = "", *, empty: bool = False) -> str:
        """The first value; `default` when there is none."""
        for one in self.given.get(name, ()):
            if one != "" or empty:
                return one
        return default

    def has(self, name: str) -> bool:
        """Whether it came at all, if only empty."""
        return name in self.given

    def need(self, name: str) -> str:
        """The first value. Raises Refused when there is none."""
        found = self.text(name)
        if found == "":
            raise Refused(Refused.MISSING, f"The parameter {name} is missing.")
        return found

    def number(self, name: str, default: int, *, least: int = 0, most: int = 2**31 - 1) -> int:
        """A whole number, brought within `least` and `most`. Raises Refused when it is none."""
        given = self.text(name)
        if given == "":
            return default
        return min(max(self._whole(name, given), least), most)

    def numbers(self, name: str) -> list[int]:
        return [self._whole(name, one) for one in self.texts(name)]

    def flag(self, name: str, default: bool = False) -> bool:
        given = self.text(name).lower()
        if given == "":
            return default
        if given in ("true", "1", "yes", "on"):
            return True
        if given in ("false", "0", "no", "off"):
            return False
        raise Refused(Refused.GENERIC, f"The parameter {name} is true or false, not {given[:40]!r}.")

    @staticmethod
    def _whole(name: str, given: str) -> int:
        try:
            if len(given) > 20:
                raise ValueError
            return int(float(given)) if "." in given else int(given)
        except (ValueError, OverflowError):
            raise Refused(Refused.GENERIC, f"The parameter {name} is a whole number, not {given[:40]!r}.") from None
