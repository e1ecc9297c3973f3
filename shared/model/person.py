"""Who is asking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ROLES = ("owner", "adult", "child", "guest")
SHARING = ("owner", "adult")            # who may give away links with which others hear
SCOPES = ("listen", "add", "own")       # of a token: what its device may do; never more than its person may
RIGHTS = ("add", "edit", "delete")      # an owner has all of them, always

# What a role may when nothing else was said of a person.
USUAL: Mapping[str, frozenset[str]] = {
    "owner": frozenset(RIGHTS), "adult": frozenset(RIGHTS), "child": frozenset(), "guest": frozenset(),
}


def rights_of(role: str, said: Mapping[str, bool | None]) -> frozenset[str]:
    """The rights of a person of `role` of whom `said` was (right → yes, no, or None: as usual)."""
    usual = USUAL.get(role, frozenset())
    if role == "owner":
        return usual
    return frozenset(one for one in RIGHTS if (one in usual if said.get(one) is None else said[one]))


@dataclass(frozen=True, slots=True)
class Person:
    """A logged-in person behind one token."""

    user_id: int
    id: str             # public
    username: str
    role: str           # one of ROLES
    scope: str = "own"  # one of SCOPES
    token_id: int = 0
    rights: frozenset[str] | None = None    # of RIGHTS; None: what the role usually may
    limited: bool = False                   # sees the music of some folders alone (records: user_folders)

    def may(self, right: str) -> bool:
        """Whether the person has a right of RIGHTS, whatever the device may."""
        return right in (USUAL.get(self.role, frozenset()) if self.rights is None else self.rights)

    @property
    def owns(self) -> bool:
        return self.role == "owner" and self.scope == "own"

    @property
    def sees_files(self) -> bool:
        """May see paths and music folders."""
        return self.walks_folders and self.scope == "own"

    @property
    def walks_folders(self) -> bool:
        """May walk the real folders of the music, as programs do that know no tags; whatever the device may."""
        return self.role in ("owner", "adult") and not self.limited

    @property
    def edits(self) -> bool:
        """May edit tags and start scans."""
        return self.may("edit") and self.scope == "own"

    @property
    def deletes(self) -> bool:
        """May move tracks to the trash, and out of it."""
        return self.may("delete") and self.scope == "own"

    @property
    def shares(self) -> bool:
        """May give away links with which others hear something, without an account."""
        return self.role in SHARING and self.scope in ("own", "add")

    @property
    def adds(self) -> bool:
        """May fetch new music."""
        return self.may("add") and self.scope in ("own", "add")
