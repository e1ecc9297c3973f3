"""Who is asking."""

from __future__ import annotations

from dataclasses import dataclass

ROLES = ("owner", "adult", "child", "guest")
SCOPES = ("listen", "add", "own")       # of a token: what its device may do; never more than its person may


@dataclass(frozen=True, slots=True)
class Person:
    """A logged-in person behind one token."""

    user_id: int
    id: str             # public
    username: str
    role: str           # one of ROLES
    scope: str = "own"  # one of SCOPES
    token_id: int = 0

    @property
    def owns(self) -> bool:
        return self.role == "owner" and self.scope == "own"

    @property
    def sees_files(self) -> bool:
        """May see paths and music folders."""
        return self.role in ("owner", "adult") and self.scope == "own"

    @property
    def edits(self) -> bool:
        """May edit tags, move tracks to the trash, start scans."""
        return self.role in ("owner", "adult") and self.scope == "own"

    @property
    def adds(self) -> bool:
        """May fetch new music."""
        return self.role in ("owner", "adult") and self.scope in ("own", "add")
