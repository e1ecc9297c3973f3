"""`pair`: make a sync token and wait for the new device; list and revoke what is paired; pair another station."""

from __future__ import annotations

import signal
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from setup_tool.cli import Context, command, shared_options
from shared.model.person import SCOPES

if TYPE_CHECKING:
    from shared.records.people import UserRow
    from shared.security.devices import Held
    from shared.security.pairing import Made
    from shared.station import Station

LOOK_EVERY_S = 0.5
SCOPE_WORDS = {"listen": "listens", "add": "listens, adds music", "own": "all that its person may"}


@command("pair\npair --name 'Kitchen tablet' --scope add\npair --json\npair --list\npair --revoke 'Kitchen tablet'\n"
         "pair --with -")
@click.option("--name", metavar="NAME", default="", help="What the device is called; else it says so itself.")
@click.option("--scope", type=click.Choice(SCOPES, case_sensitive=False), default=SCOPES[0], show_default=True,
              help="What it may do: listen, listen and add music, or all that its person may.")
@click.option("--user", "username", metavar="NAME", help="Whose device it is; else the owner's.")
@click.option("--list", "listing", is_flag=True, help="Only list the devices, and the sync tokens that wait.")
@click.option("--revoke", metavar="DEVICE", help="End a device, or a sync token that waits, by name or id.")
@click.option("--with", "other", metavar="TOKEN",
              help="Pair this station with another one, by its sync token; - reads it from standard input.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@shared_options
def run(name: str, scope: str, username: str | None, listing: bool, revoke: str | None, other: str | None,
        dry_run: bool, *, context: Context) -> None:
    """Pair a new device: it opens the link, scans the code, or is given the text.

    A sync token is good once and for some minutes. On a terminal the command waits and says who paired; Ctrl-C
    withdraws the token. A device that is revoked is out within a second, also while it plays.
    """
    from setup_tool.rooms import as_running, rooms, running

    if sum((listing, revoke is not None, other is not None)) > 1:
        raise click.UsageError("--list, --revoke and --with do not go together.")
    settings = as_running(context.load_settings())
    with rooms(settings) as station:
        if listing:
            tell_devices(station, username, context)
        elif revoke is not None:
            end(station, revoke, username, dry_run, context)
        elif other is not None:
            pair_with(station, other, user_of(station, username), dry_run, context)
        else:
            user = user_of(station, username)
            if dry_run:
                tell_dry(user, name, scope, context)
                return
            answers = context.json or running(settings) is not None
            make(station, user, name, scope, answers, context)


def make(station: Station, user: UserRow, name: str, scope: str, answers: bool, context: Context) -> None:
    """A sync token; on a terminal, until it is used."""
    from setup_tool import show
    from shared.security.accounts import OPERATOR

    made = station.pairing.make(OPERATOR, name=name, scope=scope, user_id=user.id)
    if context.json:
        show.document({"token": made.token, "expires": made.expires_at, "link": made.link, "id": made.id,
                       "user": user.username, "scope": made.scope})
        return
    show_token(made, user)
    if not answers:
        show.aside().print(show.mark("warn"), show.text(
            "The station does not run. A device can pair as soon as it does: python3 run.py"))
    if sys.stdout.isatty():
        wait(station, made)


def show_token(made: Made, user: UserRow) -> None:
    from setup_tool import show
    from shared.security import qr

    console = show.out()
    lines = qr.terminal(made.link)
    if sys.stdout.isatty() and max(map(len, lines)) <= console.width:
        click.echo("\n".join(["", *lines]))
    elif sys.stdout.isatty():
        console.print(show.text("Make the window wider to see a code that a phone can scan.", show.QUIET))
    click.echo(f"\nOpen this link on the new device, or scan the code:\n\n  {made.link}\n")
    click.echo(f"Or give it this text:\n\n  {made.token}\n")
    console.print(show.text(
        f"For a device of {user.username} ({SCOPE_WORDS[made.scope]}). Good once, until "
        f"{show.moment(made.expires_at)}.", show.QUIET))


class Ended(SystemExit):
    """The command was told to end."""


def ended(number: int, frame: object) -> None:
    raise Ended(128 + number)


def wait(station: Station, made: Made) -> None:
    """Until the token is used or too old; Ctrl-C, or whatever else ends the command, withdraws it."""
    from setup_tool import show
    from shared.model.errors import NotFound, SoundsibleError
    from shared.security.accounts import OPERATOR

    console = show.aside()
    for name in ("SIGTERM", "SIGHUP"):      # SIGHUP: the terminal's window is closed
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), ended)
    until = datetime.fromisoformat(made.expires_at.replace("Z", "+00:00")).timestamp()
    try:
        with console.status("Waiting for the device; Ctrl-C withdraws the token"):
            while time.time() < until:
                used, device = station.pairing.became(made.id)
                if used:
                    show.out().print(show.mark("ok"), show.text(f"{device or 'A device'} is paired."))
                    return
                time.sleep(LOOK_EVERY_S)
    except (KeyboardInterrupt, Ended) as how:
        try:
            station.pairing.withdraw(OPERATOR, made.id)
        except NotFound:    # used or too old in this very moment
            return
        if isinstance(how, KeyboardInterrupt):      # else nobody may be there to read it
            console.print(show.text("The sync token is withdrawn.", show.QUIET))
        raise
    raise SoundsibleError("Nobody used the sync token in time. Make another one.")


def tell_dry(user: UserRow, name: str, scope: str, context: Context) -> None:
    from setup_tool import show

    if context.json:
        show.document({"dry_run": True, "user": user.username, "name": name, "scope": scope})
        return
    show.out().print(show.mark("note"), show.text(
        f"A sync token would be made for a device of {user.username} ({SCOPE_WORDS[scope]})."))


def tell_devices(station: Station, username: str | None, context: Context) -> None:
    from setup_tool import show
    from shared.security.accounts import OPERATOR
    from shared.security.devices import DEVICE

    whose = None if username is None else user_of(station, username).uid
    held = station.devices.list(OPERATOR, DEVICE, whose)
    waiting = station.pairing.open(OPERATOR) if whose is None else []
    if context.json:
        show.document({"items": [shown_device(one) for one in held], "waiting": waiting})
        return
    console = show.out()
    if held:
        console.print(show.table("name", "of", "may", "last used", "from", "id", quiet=("may", "from", "id"), rows=[
            (one["name"], one["user"], SCOPE_WORDS.get(one["scope"], ""), show.moment(one["last_used_at"]) or "never",
             one["last_address"], one["id"]) for one in map(shown_device, held)
        ]))
    else:
        console.print(show.text("No device is paired.", show.QUIET))
    for one in waiting:
        console.print(show.mark("note"), show.text(
            f"A sync token waits until {show.moment(one.expires_at)}: {one.name or one.id} "
            f"({SCOPE_WORDS[one.scope]})."))


def end(station: Station, which: str, username: str | None, dry_run: bool, context: Context) -> None:
    """Revoke the device of that id or name, or withdraw the sync token. Raises NotFound, Conflict."""
    from setup_tool import show
    from setup_tool.users import tell
    from shared.model.errors import Conflict, NotFound
    from shared.security.accounts import OPERATOR
    from shared.security.devices import DEVICE

    whose = None if username is None else user_of(station, username).uid
    held = station.devices.list(OPERATOR, DEVICE, whose)
    found = [one for one in held if one.row.uid == which] or [
        one for one in held if one.row.name.casefold() == which.casefold()]
    if len(found) > 1:
        ids = ", ".join(one.row.uid for one in found)
        raise Conflict(f"{len(found)} devices are called '{which}'. Say which by id: {ids}.")
    if found:
        said = shown_device(found[0])
        name = show.plain(f"{said['name']} of {said['user']}")
        if dry_run:
            tell(context, {"dry_run": True, **said}, f"{name} would be revoked.", "note")
            return
        station.devices.end(OPERATOR, DEVICE, said["id"])
        tell(context, said, f"{name} is revoked.")
        return
    for one in station.pairing.open(OPERATOR):
        if which in (one.id, one.name):
            if not dry_run:
                station.pairing.withdraw(OPERATOR, one.id)
            tell(context, {**({"dry_run": True} if dry_run else {}), "id": one.id},
                 "The sync token would be withdrawn." if dry_run else "The sync token is withdrawn.")
            return
    raise NotFound(f"There is no device '{which}'. pair --list shows them.")


def pair_with(station: Station, text: str, user: UserRow, dry_run: bool, context: Context) -> None:
    """Claim another station's sync token for `user`. Raises WrongToken, and what the other station refuses."""
    from dataclasses import asdict

    from setup_tool.users import tell
    from shared.model.person import Person
    from shared.security import sync_token

    text = text_of(text)
    token = sync_token.read(text)
    name = token.name or token.fingerprint[:16]
    if dry_run:
        tell(context, {"dry_run": True, "name": token.name, "fingerprint": token.fingerprint,
                       "endpoints": list(token.endpoints)}, f"This station would be paired with {name}.", "note")
        return
    whose = Person(user_id=user.id, id=user.uid, username=user.username, role=user.role)
    made = station.stations.add(whose, text)
    tell(context, asdict(made), f"This station is paired with {name}.")


def text_of(given: str) -> str:
    """The token as it was given, or from standard input: there it stands in no list of processes."""
    if given != "-":
        return given
    if sys.stdin.isatty():
        return str(click.prompt("Sync token of the other station", hide_input=True, err=True))
    return sys.stdin.readline().strip()


def user_of(station: Station, username: str | None) -> UserRow:
    """Who is meant; without a name the owner, the eldest of several. Raises NotFound."""
    from setup_tool.users import named
    from shared.model.errors import NotFound

    people = station.people.users()
    uid = None if username is None else named(station, username).id
    for one in people:
        if one.uid == uid or (uid is None and one.role == "owner"):
            return one
    raise NotFound("Nobody has an account yet, so there is nobody whose device it would be. Make one: tool users add "
                   "NAME --role owner")


def shown_device(held: Held) -> dict[str, Any]:
    from shared.records.moments import shown

    row = held.row
    return {
        "id": row.uid, "name": row.name, "kind": "station" if row.station else "device", "scope": row.scope,
        "user": row.username, "created_at": shown(row.created_at),
        "last_used_at": None if row.last_used_at is None else shown(row.last_used_at), "last_address": row.last_address,
    }
