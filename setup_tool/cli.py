"""The commands by name, what they share, and how they end: 0 done, 1 failed, 2 wrong usage.

Nothing but click is imported until a command runs, so that `--help` comes at once.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import click

PROGRAM = "python3 run.py tool"

# name → (module, sentence). A command's own --help tells more.
COMMANDS = {
    "scan": ("setup_tool.scan", "Look through the music folders and take up what changed."),
    "download": ("setup_tool.download", "Fetch music by link, by words, or by lists of both."),
    "status": ("setup_tool.status", "What the station holds and whether it runs."),
    "storage": ("setup_tool.storage", "The buckets that hold copies of your music: add, test, list, remove."),
    "upload": ("setup_tool.upload", "Copy music to a bucket."),
    "offload": ("setup_tool.offload", "Take music off this machine that is safe in a bucket."),
    "pin": ("setup_tool.pin", "Bring music back onto this machine, and keep it here."),
    "cleanup": ("setup_tool.cleanup", "Find what nothing refers to any more, and move it to the trash."),
    "fix-library-covers": ("setup_tool.fix_library_covers", "Find missing or small covers and put better ones in."),
    "refresh-metadata": ("setup_tool.refresh_metadata", "Compare tags with MusicBrainz and take over what is better."),
    "backup": ("setup_tool.backup", "Write the library, settings and covers into one verified archive."),
    "restore": ("setup_tool.restore", "Bring a library back from a backup, or from a bucket alone."),
    "settings": ("setup_tool.settings", "Every setting with its value, default and meaning."),
    "sounds": ("setup_tool.sounds", "Listen to the library, so that what sounds alike can be found."),
    "users": ("setup_tool.users", "Who may use the station."),
    "pair": ("setup_tool.pair", "Pair a new device, list and revoke devices, pair another station."),
    "app-password": ("setup_tool.app_password", "What other makers' music apps log in with: make, list, revoke."),
    "export": ("setup_tool.export", "Write playlists, listening or the library to files that other programs read."),
    "import": ("setup_tool.importing", "Take over what an export of this or another station holds."),
    "rekey": ("setup_tool.rekey", "Make a new key and seal every secret anew."),
    "trust": ("setup_tool.trust", "How devices come to trust the station: the page, its code, what to compare."),
    "doctor": ("setup_tool.doctor", "Look for what is wrong and say what to do."),
}


class Context(NamedTuple):
    """What every command gets."""

    json: bool          # one JSON document on standard output
    home: str | None    # --home
    lines: bool = False # progress as JSON lines on standard error, for the station that runs this as an errand

    def load_settings(self) -> Any:
        from shared import settings
        from shared.upkeep import switch

        given = {"home": self.home} if self.home else {}
        switch.settle(settings.at_home(given=given).data_dir)   # a restore that was cut off; settings come with it
        return settings.load(given=given)


def same_name(name: str) -> str:
    """Hyphens and underscores, small and capital letters are the same in names."""
    return name.lower().replace("_", "-")


class Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = same_name(cmd_name)
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[name][0]).run
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        import difflib

        if args and not args[0].startswith("-") and same_name(args[0]) not in COMMANDS:
            near = difflib.get_close_matches(same_name(args[0]), COMMANDS, n=1)
            ctx.fail(f"There is no command '{args[0]}'." + (f" Did you mean '{near[0]}'?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, sentence) for name, (_, sentence) in COMMANDS.items()])


CONTEXT = {"help_option_names": ["-h", "--help"], "token_normalize_func": same_name, "max_content_width": 96}


def command(example: str, *, of: click.Group | None = None,
            name: str | None = None) -> Callable[[Callable[..., Any]], click.Command]:
    """A click command with an example below its help; `of` a group when it is one of several."""
    make = click.command if of is None else of.command

    def take(deed: Callable[..., Any]) -> click.Command:
        return make(name, context_settings=CONTEXT, epilog=_example(example))(deed)

    return take


def group(example: str, *, cls: type[click.Group] | None = None) -> Callable[[Callable[..., Any]], click.Group]:
    """A click group likewise; its commands are made with its own `command`."""

    def take(deed: Callable[..., Any]) -> click.Group:
        return click.group(cls=cls or SubCommands, context_settings=CONTEXT, epilog=_example(example))(deed)

    return take


class SubCommands(click.Group):
    """Commands below a command, listed in the order in which they were made; each has an example too."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


def _example(lines: str) -> str:
    return "\b\nExample:\n" + "\n".join(f"  {PROGRAM} {line}" for line in lines.strip().split("\n"))


def shared_options(deed: Callable[..., Any]) -> Callable[..., Any]:
    """`--json` and `--home`, handed on as one Context named `context`."""
    import functools

    @click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output, for scripts.")
    @click.option("--home", metavar="DIR", help="The station's home, as with run.py --home.")
    @click.option("--progress-lines", "lines", is_flag=True, hidden=True)
    @functools.wraps(deed)
    def answer(*args: Any, as_json: bool, home: str | None, lines: bool, **given: Any) -> Any:
        outer = click.get_current_context().find_root().params
        return deed(*args, context=Context(as_json, home or outer.get("home"), lines), **given)

    return answer


@click.group(
    cls=Commands, context_settings=CONTEXT, no_args_is_help=True,
    epilog=f"\b\nExample:\n  {PROGRAM} status\n  {PROGRAM} COMMAND --help",
)
@click.option("--home", metavar="DIR", help="The station's home, as with run.py --home.")
@click.version_option(package_name=None, message="Soundsible %(version)s", version=__import__("shared").__version__)
def cli(home: str | None) -> None:
    """Look after a Soundsible station. It may go on playing meanwhile."""


def confirm(question: str) -> None:
    """Ask on standard error. Raises Abort when the answer is no, UsageError when nobody is there to give one."""
    try:
        if click.confirm(question, err=True):
            return
    except click.Abort:
        if sys.stdin is not None and sys.stdin.isatty():
            raise
        click.echo(err=True)
        raise click.UsageError("Nobody is there to answer. Say --yes to do it without being asked.") from None
    raise click.Abort


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the process's exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):    # a terminal that cannot show a sign shows another
            stream.reconfigure(errors="replace")
    try:
        ended = cli.main(args=given, prog_name=PROGRAM, standalone_mode=False)
        return ended if isinstance(ended, int) else 0     # click hands on the code of its Exit
    except click.UsageError as error:
        error.show()
        return 2
    except click.ClickException as error:
        error.show()
        return 1
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("Stopped.\n")
        return 1
    except BrokenPipeError:     # `tool … | head`
        sys.stderr.close()
        return 1
    except Exception as error:
        from shared.model.errors import SoundsibleError

        if not isinstance(error, SoundsibleError):
            raise
        if "--json" in given:
            shown: dict[str, Any] = {"code": error.code, "message": error.message}
            if error.details:
                shown["details"] = error.details
            sys.stdout.write(json.dumps({"error": shown}, ensure_ascii=False, default=str) + "\n")
        if sys.stderr.isatty():     # broken between words
            from setup_tool import show

            show.aside().print(show.text(error.message))
        else:
            sys.stderr.write(f"{error.message}\n")
        return 1
