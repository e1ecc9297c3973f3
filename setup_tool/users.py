"""`users`: list, add, change and remove the people of the station."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from setup_tool.cli import PROGRAM, Context, command, group, shared_options
from shared.model.person import ROLES

if TYPE_CHECKING:
    from shared.security.accounts import User
    from shared.station import Station

PASSWORD_VARIABLE = "SOUNDSIBLE_PASSWORD"  # nosec B105  # its name
ROLE_WORDS = {
    "owner": "everything",
    "adult": "listens, adds, edits",
    "child": "listens",
    "guest": "listens",
}

dry_run = click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
password_option = click.option(
    "--password-stdin", is_flag=True,
    help=f"Read it from standard input; else ${PASSWORD_VARIABLE}, else you are asked.",
)


@group("users list\nusers add anna --role adult")
def run() -> None:
    """Who may use the station: list, add, change and remove people."""


@command("users list\nusers list --json", of=run, name="list")
@shared_options
def list_users(*, context: Context) -> None:
    """Everybody with an account."""
    from setup_tool import show
    from setup_tool.rooms import rooms
    from shared.security.accounts import OPERATOR

    with rooms(context.load_settings()) as station:
        users = station.accounts.users(OPERATOR)
    if context.json:
        show.document({"items": users})
        return
    console = show.out()
    if not users:
        console.print(show.text("Nobody has an account yet.", show.QUIET))
        console.print(f"The station shows a set-up link when it starts; or: {PROGRAM} users add NAME --role owner")
        return
    console.print(show.table("name", "role", "may", "since", quiet=("may", "since"), rows=[
        (one.username, show.text(one.role, show.ACCENT if one.role == "owner" else ""), ROLE_WORDS.get(one.role, ""),
         show.moment(one.created_at)) for one in users
    ]))


@command("users add anna --role adult\nusers add anna --password-stdin < file-with-the-password", of=run, name="add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES, case_sensitive=False), default="adult", show_default=True)
@password_option
@dry_run
@shared_options
def add(name: str, role: str, password_stdin: bool, dry_run: bool, *, context: Context) -> None:
    """Make an account."""
    from setup_tool import show
    from setup_tool.rooms import rooms
    from shared.model.errors import Conflict
    from shared.security.accounts import OPERATOR
    from shared.security.passwords import clean_username, fold_username

    with rooms(context.load_settings(), make=not dry_run) as station:
        if dry_run:
            clean = clean_username(name)
            if any(fold_username(one.username) == fold_username(clean) for one in station.accounts.users(OPERATOR)):
                raise Conflict(f"There is already a user '{clean}'.")
            tell(context, {"dry_run": True, "username": clean, "role": role},
                 f"{clean} would get an account as {role}.", "note")
            return
        user = station.accounts.make_user(OPERATOR, name, read_password(password_stdin), role)
    tell(context, user, f"{show.plain(user.username)} has an account as {user.role}.")


@command("users password anna", of=run, name="password")
@click.argument("name")
@password_option
@dry_run
@shared_options
def password(name: str, password_stdin: bool, dry_run: bool, *, context: Context) -> None:
    """Set a new password; every session of that person ends."""
    from setup_tool import show
    from setup_tool.rooms import rooms
    from shared.security.accounts import OPERATOR

    with rooms(context.load_settings()) as station:
        user = named(station, name)
        if dry_run:
            tell(context, {"dry_run": True, **as_dict(user)}, f"{show.plain(user.username)} would get a new password.",
                 "note")
            return
        station.accounts.change_user(OPERATOR, user.id, password=read_password(password_stdin))
    tell(context, user, f"{show.plain(user.username)} has a new password and is logged out everywhere.")


@command("users role anna owner", of=run, name="role")
@click.argument("name")
@click.argument("role", metavar="ROLE", type=click.Choice(ROLES, case_sensitive=False))
@dry_run
@shared_options
def role(name: str, role: str, dry_run: bool, *, context: Context) -> None:
    """Give another role. The last owner stays one."""
    from setup_tool import show
    from setup_tool.rooms import rooms
    from shared.security.accounts import OPERATOR

    with rooms(context.load_settings()) as station:
        user = named(station, name)
        if dry_run:
            tell(context, {"dry_run": True, **as_dict(user), "role": role},
                 f"{show.plain(user.username)}, now {user.role}, would be {role}.", "note")
            return
        user = station.accounts.change_user(OPERATOR, user.id, role=role)
    tell(context, user, f"{show.plain(user.username)} is {role} now.")


@command("users remove anna --dry-run", of=run, name="remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@dry_run
@shared_options
def remove(name: str, yes: bool, dry_run: bool, *, context: Context) -> None:
    """Remove an account with its playlists, favourites and plays. Music stays."""
    from setup_tool import show
    from setup_tool.rooms import rooms
    from shared.security.accounts import OPERATOR

    with rooms(context.load_settings()) as station:
        user = named(station, name)
        shown = show.plain(user.username)
        if dry_run:
            tell(context, {"dry_run": True, **as_dict(user)},
                 f"{shown} would be removed, with playlists, favourites and plays.", "note")
            return
        if not yes and sys.stdin.isatty():
            click.confirm(f"Remove {shown} with all playlists, favourites and plays?", abort=True, err=True)
        elif not yes:
            raise click.UsageError("Say --yes to remove without being asked.")
        station.accounts.remove_user(OPERATOR, user.id)
    tell(context, user, f"{shown} is removed.")


def named(station: Station, name: str) -> User:
    """The user of that name. Raises NotFound with the names there are."""
    from shared.model.errors import NotFound
    from shared.security.accounts import OPERATOR
    from shared.security.passwords import fold_username

    users = station.accounts.users(OPERATOR)
    for one in users:
        if fold_username(one.username) == fold_username(name):
            return one
    names = ", ".join(one.username for one in users) or "nobody yet"
    raise NotFound(f"There is no user '{name}'. There is: {names}.")


def read_password(from_stdin: bool) -> str:
    """From standard input, the environment, or the person at the terminal (typed twice, not shown)."""
    from setup_tool import secret_from_environment

    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if given := secret_from_environment(PASSWORD_VARIABLE):
        return given
    if not sys.stdin.isatty():
        raise click.UsageError(f"No password: use --password-stdin, or set {PASSWORD_VARIABLE}.")
    return str(click.prompt("Password (ten characters or more)", hide_input=True, confirmation_prompt="Once more",
                            err=True))


def as_dict(user: User) -> dict[str, Any]:
    import msgspec

    return dict(msgspec.to_builtins(user))


def tell(context: Context, value: Any, sentence: str, state: str = "ok") -> None:
    """`value` as the JSON document, or `sentence` for people."""
    from setup_tool import show

    if context.json:
        show.document(value)
    else:
        show.out().print(show.mark(state), show.text(sentence))


