"""`app-password`: what programs that speak the OpenSubsonic API log in with: make, list and revoke."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from setup_tool.cli import Context, command, group, shared_options
from setup_tool.pair import SCOPE_WORDS
from shared.model.person import SCOPES

if TYPE_CHECKING:
    from shared.records.app_passwords import AppPasswordRow
    from shared.security.app_passwords import Made

user_option = click.option("--user", "username", metavar="NAME", help="Whose it is; else the owner's.")
MAY_WORDS = {"listen": "listen", "add": "listen, add", "own": "all"}     # under the heading "may"
dry_run = click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")


@group("app-password create --user anna --name Symfonium\napp-password list\napp-password revoke Symfonium")
def run() -> None:
    """App passwords: what music apps of other makers log in with, never the account's password."""


@command("app-password create --user anna --name Symfonium\napp-password create --name Kitchen --scope listen --json",
         of=run, name="create")
@user_option
@click.option("--name", metavar="NAME", default="", help="Which app it is for, so that you know it again.")
@click.option("--scope", type=click.Choice(SCOPES, case_sensitive=False), default="own", show_default=True,
              help="What the app may do: listen, listen and add music, or all that its person may.")
@dry_run
@shared_options
def create(username: str | None, name: str, scope: str, dry_run: bool, *, context: Context) -> None:
    """Make one. It is shown this once."""
    from setup_tool import show
    from setup_tool.pair import user_of
    from setup_tool.rooms import as_running, rooms, running
    from setup_tool.users import tell
    from shared.security.accounts import OPERATOR

    settings = as_running(context.load_settings())
    with rooms(settings) as station:
        user = user_of(station, username)
        if dry_run:
            tell(context, {"dry_run": True, "user": user.username, "name": name, "scope": scope},
                 f"An app password would be made for {user.username} ({SCOPE_WORDS[scope]}).", "note")
            return
        made = station.app_passwords.create(OPERATOR, name, scope=scope, user_id=user.id)
        if context.json:
            show.document({"id": made.id, "name": made.name, "scope": made.scope, "username": made.username,
                           "app_password": made.secret, "server": made.server, "servers": list(made.servers),
                           "link": made.link})
            return
        show_made(made)
        if not settings.subsonic:
            show.aside().print(show.mark("warn"), show.text(
                "The station does not answer such apps: the setting subsonic is off."))
        elif running(settings) is None:
            show.aside().print(show.mark("warn"), show.text(
                "The station does not run. The app can log in as soon as it does: python3 run.py"))


def show_made(made: Made) -> None:
    from setup_tool import show
    from shared.security import qr

    console = show.out()
    lines = qr.terminal(made.link)
    if sys.stdout.isatty() and max(map(len, lines)) <= console.width:
        click.echo("\n".join(["", *lines]))
    click.echo("\nSet up the app with this, as a Subsonic or OpenSubsonic server:\n")
    for label, value in (("server", made.server or "the station's address"), ("user name", made.username),
                         ("password", made.secret)):
        click.echo(f"  {label:<9}  {value}")
    click.echo("")
    console.print(show.text(
        f"For '{made.name}' ({SCOPE_WORDS[made.scope]}). It is shown this once, and counts in such apps alone.",
        show.QUIET))


@command("app-password list\napp-password list --user anna --json", of=run, name="list")
@user_option
@shared_options
def list_them(username: str | None, *, context: Context) -> None:
    """Which there are, and when each was used last."""
    from setup_tool import show
    from setup_tool.pair import user_of
    from setup_tool.rooms import rooms
    from shared.security.accounts import OPERATOR

    with rooms(context.load_settings()) as station:
        whose = None if username is None else user_of(station, username).id
        found = [told(one) for one in station.app_passwords.list(OPERATOR, user_id=whose)]
    if context.json:
        show.document({"items": found})
        return
    console = show.out()
    if not found:
        console.print(show.text("There is no app password.", show.QUIET))
        return
    console.print(show.table("name", "of", "may", "last used", "from", "id", quiet=("may", "from", "id"),
                             wide=("name", "of", "from"), rows=[
        (one["name"], one["user"], MAY_WORDS.get(one["scope"], ""), show.moment(one["last_used_at"]) or "never",
         one["last_address"], one["id"]) for one in found
    ]))


@command("app-password revoke Symfonium --user anna\napp-password revoke 01J8ZK5T --dry-run", of=run, name="revoke")
@click.argument("which", metavar="NAME-OR-ID")
@user_option
@dry_run
@shared_options
def revoke(which: str, username: str | None, dry_run: bool, *, context: Context) -> None:
    """End one: its app is out within a second, also while it plays."""
    from setup_tool import show
    from setup_tool.pair import user_of
    from setup_tool.rooms import rooms
    from setup_tool.users import tell
    from shared.model.errors import Conflict, NotFound
    from shared.security.accounts import OPERATOR

    with rooms(context.load_settings()) as station:
        whose = None if username is None else user_of(station, username).id
        held = station.app_passwords.list(OPERATOR, user_id=whose)
        found = [one for one in held if one.uid == which] or [
            one for one in held if one.name.casefold() == which.casefold()]
        if not found:
            raise NotFound(f"There is no app password '{which}'. app-password list shows them.")
        if len(found) > 1:
            ids = ", ".join(one.uid for one in found)
            raise Conflict(f"{len(found)} app passwords are called '{which}'. Say which by id: {ids}.")
        said = told(found[0])
        name = show.plain(f"{said['name']} of {said['user']}")
        if dry_run:
            tell(context, {"dry_run": True, **said}, f"{name} would be revoked.", "note")
            return
        station.app_passwords.revoke(OPERATOR, said["id"])
        tell(context, said, f"{name} is revoked.")


def told(row: AppPasswordRow) -> dict[str, Any]:
    from shared.records.moments import shown

    return {"id": row.uid, "name": row.name, "scope": row.scope, "user": row.username,
            "created_at": shown(row.created_at),
            "last_used_at": None if row.last_used_at is None else shown(row.last_used_at),
            "last_address": row.last_address}
