"""`users`: list, add, invite, change and remove the people of the station; what each may do and see."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from setup_tool.cli import PROGRAM, Context, command, group, shared_options
from shared.model.person import RIGHTS, ROLES

if TYPE_CHECKING:
    from shared.records.people import Folder
    from shared.security.accounts import User
    from shared.station import Station

PASSWORD_VARIABLE = "SOUNDSIBLE_PASSWORD"  # nosec B105  # its name
RIGHT_WORDS = {"add": "adds", "edit": "edits", "delete": "deletes"}

dry_run = click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
password_option = click.option(
    "--password-stdin", is_flag=True,
    help=f"Read it from standard input; else ${PASSWORD_VARIABLE}, else you are asked.",
)

may_option = click.option("--may", "may", multiple=True, type=click.Choice(RIGHTS, case_sensitive=False),
                          help="A right that this person has, whatever the role; may be given several times.")
may_not_option = click.option("--may-not", "may_not", multiple=True, type=click.Choice(RIGHTS, case_sensitive=False),
                              help="A right that this person does not have.")
folder_option = click.option("--folder", "folders", multiple=True, metavar="DIR",
                             help="This person sees the music of this folder alone; may be given several times.")


@group("users list\nusers add anna --role adult\nusers invite --role guest --name Zoe\n"
       "users rights zoe --may add --may-not edit\nusers folders zoe /music/Kids\nusers second-factor zoe off")
def run() -> None:
    """Who may use the station, and what each may do and see."""


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
    console.print(show.table("name", "role", "may", "sees", "also", quiet=("may", "sees", "also"), rows=[
        (one.username, show.text(one.role, show.ACCENT if one.role == "owner" else ""), may_words(one),
         sees_words(one), ", ".join([*(["second factor"] if one.second_factor else []),
                                     *(["provider"] if one.identity else [])]))
        for one in users
    ]))


@command("users add anna --role adult\nusers add anna --password-stdin < file-with-the-password", of=run, name="add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES, case_sensitive=False), default="adult", show_default=True)
@may_option
@may_not_option
@folder_option
@password_option
@dry_run
@shared_options
def add(name: str, role: str, may: tuple[str, ...], may_not: tuple[str, ...], folders: tuple[str, ...],
        password_stdin: bool, dry_run: bool, *, context: Context) -> None:
    """Make an account."""
    from setup_tool import show
    from setup_tool.rooms import rooms
    from shared.model.errors import Conflict
    from shared.security.accounts import OPERATOR
    from shared.security.passwords import clean_username, fold_username

    with rooms(context.load_settings(), make=not dry_run) as station:
        rights, wanted = rights_from(may, may_not), folders_from(station, folders)
        if dry_run:
            clean = clean_username(name)
            station.accounts.clean_folders(wanted)
            if any(fold_username(one.username) == fold_username(clean) for one in station.accounts.users(OPERATOR)):
                raise Conflict(f"There is already a user '{clean}'.")
            tell(context, {"dry_run": True, "username": clean, "role": role},
                 f"{clean} would get an account as {role}.", "note")
            return
        user = station.accounts.make_user(OPERATOR, name, read_password(password_stdin), role, rights=rights,
                                          limited=bool(wanted), folders=wanted)
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


@command("users rights zoe --may add --may-not edit\nusers rights zoe --usual add", of=run, name="rights")
@click.argument("name")
@may_option
@may_not_option
@click.option("--usual", "usual", multiple=True, type=click.Choice(RIGHTS, case_sensitive=False),
              help="A right that this person has as the role has it.")
@dry_run
@shared_options
def rights(name: str, may: tuple[str, ...], may_not: tuple[str, ...], usual: tuple[str, ...], dry_run: bool, *,
           context: Context) -> None:
    """Give or take the right to add music, edit tags or delete tracks. It counts at once."""
    from setup_tool import show
    from setup_tool.rooms import rooms
    from shared.security.accounts import OPERATOR

    said = rights_from(may, may_not, usual)
    if not said:
        raise click.UsageError("Say which: --may, --may-not or --usual with add, edit or delete.")
    with rooms(context.load_settings()) as station:
        user = named(station, name)
        if dry_run:
            tell(context, {"dry_run": True, **as_dict(user), "said": {**user.said, **said}},
                 f"The rights of {show.plain(user.username)} would change.", "note")
            return
        user = station.accounts.change_user(OPERATOR, user.id, rights=said)
    tell(context, user, f"{show.plain(user.username)} {may_words(user)} now.")


@command("users folders zoe /music/Kids /music/Radio\nusers folders zoe --all", of=run, name="folders")
@click.argument("name")
@click.argument("folders", nargs=-1, metavar="[DIR]...")
@click.option("--all", "everything", is_flag=True, help="All folders again.")
@dry_run
@shared_options
def folders(name: str, folders: tuple[str, ...], everything: bool, dry_run: bool, *, context: Context) -> None:
    """Have somebody see the music of some folders alone. It counts at once."""
    from setup_tool import show
    from setup_tool.rooms import rooms
    from shared.security.accounts import OPERATOR

    if bool(folders) is everything:
        raise click.UsageError("Name the folders, or say --all.")
    with rooms(context.load_settings()) as station:
        user = named(station, name)
        wanted = folders_from(station, folders)
        station.accounts.clean_folders(wanted)
        if dry_run:
            tell(context, {"dry_run": True, **as_dict(user), "limited": not everything,
                           "folders": [{"root": root, "path": path} for root, path in wanted]},
                 f"{show.plain(user.username)} would see {'everything' if everything else 'these folders alone'}.",
                 "note")
            return
        user = station.accounts.change_user(OPERATOR, user.id, limited=not everything,
                                            folders=None if everything else wanted)
    tell(context, user, f"{show.plain(user.username)} sees {sees_words(user)} now.")


@command("users second-factor zoe off", of=run, name="second-factor")
@click.argument("name")
@click.argument("state", metavar="off", type=click.Choice(("off",), case_sensitive=False))
@dry_run
@shared_options
def second_factor(name: str, state: str, dry_run: bool, *, context: Context) -> None:
    """Switch off the second factor of somebody whose phone is gone, or whose secret no key opens any more."""
    from setup_tool import show
    from setup_tool.rooms import rooms
    from shared.security.accounts import OPERATOR

    with rooms(context.load_settings()) as station:
        user = named(station, name)
        shown = show.plain(user.username)
        if dry_run or not user.second_factor:
            tell(context, {"dry_run": dry_run, **as_dict(user)},
                 f"The second factor of {shown} would be switched off." if user.second_factor
                 else f"{shown} has no second factor.", "note")
            return
        user = station.accounts.reset_second_factor(OPERATOR, user.id)
    tell(context, user, f"The second factor of {shown} is off; the password alone lets in.")


@command("users identity zoe 248289761001\nusers identity zoe --none", of=run, name="identity")
@click.argument("name")
@click.argument("subject", required=False)
@click.option("--none", "nobody", is_flag=True, help="Nobody at the provider.")
@dry_run
@shared_options
def identity(name: str, subject: str | None, nobody: bool, dry_run: bool, *, context: Context) -> None:
    """Connect an account with somebody at the OpenID Connect provider: SUBJECT is what it calls them (sub)."""
    from setup_tool import show
    from setup_tool.rooms import rooms
    from shared.security.accounts import OPERATOR

    if (subject is None) is not nobody:
        raise click.UsageError("Name the subject, or say --none.")
    with rooms(context.load_settings()) as station:
        if subject is not None and not station.openid.enabled:
            raise click.UsageError("No provider is set: see the settings oidc_issuer and oidc_client_id.")
        user = named(station, name)
        shown = show.plain(user.username)
        whom = "nobody" if subject is None else show.plain(subject)
        if dry_run:
            tell(context, {"dry_run": True, **as_dict(user)},
                 f"{shown} would be connected with {whom} at the provider.", "note")
            return
        user = station.accounts.set_identity(
            OPERATOR, user.id, None if subject is None else station.openid.identity_of(subject))
    tell(context, user, f"{shown} is connected with {whom} at the provider.")


@command("users invite --role guest --name Zoe\nusers invite --role child --folder /music/Kids --json\n"
         "users invite --list", of=run, name="invite")
@click.option("--role", type=click.Choice(ROLES, case_sensitive=False), default="adult", show_default=True)
@click.option("--name", metavar="WHO", default="", help="Whom it is for, in words.")
@may_option
@may_not_option
@folder_option
@click.option("--list", "listing", is_flag=True, help="Only list the invitations there are.")
@click.option("--withdraw", metavar="ID", help="Withdraw an invitation.")
@dry_run
@shared_options
def invite(role: str, name: str, may: tuple[str, ...], may_not: tuple[str, ...], folders: tuple[str, ...],
           listing: bool, withdraw: str | None, dry_run: bool, *, context: Context) -> None:
    """Make a link with which somebody makes an account, once."""
    from setup_tool import show
    from setup_tool.rooms import as_running, rooms
    from shared.model.errors import NotFound
    from shared.security.accounts import person_of

    if listing and withdraw:
        raise click.UsageError("--list and --withdraw do not go together.")
    settings = as_running(context.load_settings())
    with rooms(settings) as station:
        owners = [one for one in station.people.users() if one.role == "owner"]
        if not owners:
            raise NotFound("Nobody owns this station yet; an invitation is an owner's: users add NAME --role owner.")
        owner = person_of(owners[0], scope="own", token_id=0)
        if listing:
            found = station.invitations.list(owner)
            if context.json:
                show.document({"items": found})
            else:
                show.out().print(show.table("id", "for", "role", "state", "until", quiet=("until",), rows=[
                    (one.id, one.name, one.role, one.state, show.moment(one.expires_at)) for one in found]))
            return
        if withdraw is not None:
            if not any(one.id == withdraw for one in station.invitations.list(owner)):
                raise NotFound(f"There is no invitation '{withdraw}'; users invite --list tells their ids.")
            if not dry_run:
                station.invitations.withdraw(owner, withdraw)
            tell(context, {"dry_run": dry_run, "id": withdraw},
                 "It would be withdrawn." if dry_run else "It is withdrawn.", "note" if dry_run else "ok")
            return
        wanted = station.accounts.clean_folders(folders_from(station, folders))
        if dry_run:
            tell(context, {"dry_run": True, "role": role, "name": name}, f"An invitation as {role} would be made.",
                 "note")
            return
        made = station.invitations.make(owner, role, name=name, rights=rights_from(may, may_not),
                                        limited=bool(wanted), folders=wanted)
    if context.json:
        show.document({**as_dict(made.invitation), "code": made.code, "link": made.link})
        return
    # The link alone on standard output, whole: it is copied, or piped on.
    show.out().print(f"Until {show.moment(made.invitation.expires_at)}, once, this link makes an account as {role}:")
    sys.stdout.write(f"{made.link}\n")


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


def rights_from(may: tuple[str, ...], may_not: tuple[str, ...], usual: tuple[str, ...] = ()) -> dict[str, bool | None]:
    """What the options say. A right that is named twice is wrong usage."""
    every = [*may, *may_not, *usual]
    if twice := {one for one in every if every.count(one) > 1}:
        raise click.UsageError(f"Say one thing about the right to {' and '.join(sorted(twice))}.")
    return {**dict.fromkeys(may, True), **dict.fromkeys(may_not, False), **dict.fromkeys(usual)}


def folders_from(station: Station, given: tuple[str, ...]) -> list[Folder]:
    """Folders of this machine as (music folder, path beneath it). Raises BadInput for one that lies in none."""
    import os

    from shared.model.errors import BadInput
    from shared.model.filepath import to_text

    roots = [root.path for root in station.scans.roots()]
    found = []
    for one in given:
        path = to_text(os.path.abspath(one))
        inside = [root for root in roots if path == root or path.startswith(root.rstrip("/") + "/")]
        if not inside:
            raise BadInput(f"{one} lies in no music folder of this station ({', '.join(roots) or 'there is none'}).")
        root = max(inside, key=len)
        found.append((root, path[len(root):].replace(os.sep, "/").strip("/")))
    return found


def may_words(user: User) -> str:
    """listens, adds, edits"""
    if user.role == "owner":
        return "does everything"
    return ", ".join(["listens", *(RIGHT_WORDS[one] for one, has in user.rights.items() if has)])


def sees_words(user: User) -> str:
    if not user.limited:
        return "everything"
    return ", ".join(f"{one['root'].rstrip('/')}/{one['path']}".rstrip("/") for one in user.folders) or "nothing"


def as_dict(user: Any) -> dict[str, Any]:
    import msgspec

    return dict(msgspec.to_builtins(user))


def tell(context: Context, value: Any, sentence: str, state: str = "ok") -> None:
    """`value` as the JSON document, or `sentence` for people."""
    from setup_tool import show

    if context.json:
        show.document(value)
    else:
        show.out().print(show.mark(state), show.text(sentence))


