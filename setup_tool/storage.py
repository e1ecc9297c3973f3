"""`storage`: the buckets that hold copies of the music: add, test, list, enter a key again, remove."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from setup_tool.cli import PROGRAM, Context, command, group, shared_options
from shared.model.cloud import KINDS, Provider
from shared.model.errors import Conflict, NotFound, SoundsibleError

if TYPE_CHECKING:
    from shared.records.copies import Copies
    from shared.storage.providers import Providers
    from shared.storage.s3 import Trial

SECRET_VARIABLE = "SOUNDSIBLE_STORAGE_SECRET"  # nosec B105  # its name
RECOVERY_VARIABLE = "SOUNDSIBLE_STORAGE_RECOVERY_KEY"
TRIAL_S = 15.0          # to wait for an answer of a storage that is tried
LOOKED_UP = 3           # copies that a storage of a known name must have
_ACCOUNT = re.compile(r"[0-9a-f]{32}")
_IS_ACCOUNT = re.compile(r"\b[0-9a-f]{32}\b", re.IGNORECASE)
_TRIED = re.compile(r" \(Tried to [^()]*\.\)\Z")     # which step it was stands before it

dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
no_test_option = click.option("--no-test", is_flag=True, help="Write it down without trying it out.")
recovery_option = click.option(
    "--recovery-key", metavar="KEY",
    help=f"The key of a storage whose objects are encrypted already (- asks, or ${RECOVERY_VARIABLE}).")


@group("storage add r2\nstorage test\nstorage list")
def run() -> None:
    """The buckets that hold copies of your music.

    Cloudflare R2 (r2), Backblaze B2 (b2), Amazon S3 (s3), and whatever else speaks S3 (other). There may be several.
    """


@command("storage add r2\n"
         "storage add r2 --account 0123ab… --bucket music\n"
         "storage add other --endpoint http://nas.local:9000", of=run,
         name="add")
@click.argument("kind", type=click.Choice(list(KINDS), case_sensitive=False))
@click.option("--name", metavar="NAME", help="How you call it; else its kind.")
@click.option("--endpoint", metavar="URL", help="Where it answers; known for r2, b2 and s3.")
@click.option("--account", metavar="ID", help="R2: the account's ID, which stands in its endpoint.")
@click.option("--region", metavar="REGION", help="Where the bucket lies (b2: us-west-004, s3: eu-central-1).")
@click.option("--bucket", metavar="BUCKET")
@click.option("--prefix", metavar="FOLDER", help="Keep everything below this folder of the bucket.")
@click.option("--key-id", metavar="ID", help=f"The access key's ID. Its secret is asked for, or ${SECRET_VARIABLE}.")
@click.option("--path-style/--host-style", default=None, help="Whether the bucket stands in the path or in the host's "
              "name; known for r2, b2 and s3.")
@click.option("--encrypt", is_flag=True, help="Encrypt everything before it leaves this machine.")
@recovery_option
@no_test_option
@dry_run_option
@shared_options
def add(kind: str, name: str | None, endpoint: str | None, account: str | None, region: str | None, bucket: str | None,
        prefix: str | None, key_id: str | None, path_style: bool | None, encrypt: bool, recovery_key: str | None,
        no_test: bool, dry_run: bool, *, context: Context) -> None:
    """Add a storage.

    It asks for what is missing, tries it out, and writes it down with its secrets sealed. On another machine, or when
    its key has changed, adding it again under its name enters the key anew.
    """
    from setup_tool.rooms import written_down
    from shared.storage.providers import Providers, check

    settings = context.load_settings()
    providers = Providers(settings=settings)
    given = {"endpoint": endpoint, "account": account, "region": region, "bucket": bucket, "key_id": key_id}
    called = (name or kind).lower()
    known = row_of(providers, called)
    # The questions a person answers, before the one for the secret.
    place = placed(kind, given, asking(context))
    provider = Provider(
        name=called, kind=kind, endpoint=place["endpoint"], region=place["region"], bucket=place["bucket"],
        key_id=place["key_id"], secret="-", prefix=cleaned(prefix),  # nosec B106  # stands for none
        path_style=styled(kind, place, path_style))
    check(provider)
    again = known is not None and refuse_twice(providers, provider, known)
    provider = replace(provider, secret=secret(context), seal_key=seal_key(
        providers, provider, known if again else None, encrypt=encrypt, recovery_key=recovery_key, context=context))
    check(provider)
    steps = [] if no_test else tried(provider, context, write=not dry_run, known=again)
    failed = [one for one in steps if not one.ok]
    inhabited = False
    if not failed and not no_test:
        with known_copies(context) as copies:
            inhabited = another_library(provider, copies)
    saved = not failed and not dry_run
    if saved:
        providers.add(provider, replace=again)
        written_down(settings, "storage_changed", provider.name, what="its key" if again else "added")
    told_key = encrypt and saved and provider.seal_key is not None and not recovery_key
    tell_added(provider, steps, context, saved=saved, dry_run=dry_run, told_key=told_key, inhabited=inhabited)
    if failed:
        raise click.exceptions.Exit(1)


@command("storage secret r2\nstorage secret r2 --key-id 89ab…", of=run, name="secret")
@click.argument("name")
@click.option("--key-id", metavar="ID", help="The new key's ID, if that has changed too.")
@recovery_option
@no_test_option
@dry_run_option
@shared_options
def enter(name: str, key_id: str | None, recovery_key: str | None, no_test: bool, dry_run: bool, *,
          context: Context) -> None:
    """Enter a storage's key again.

    It was changed there, or this is another machine. The secret is asked for without being shown, or taken from
    SOUNDSIBLE_STORAGE_SECRET.
    """
    from setup_tool.rooms import written_down
    from shared.storage.providers import Providers, check

    settings = context.load_settings()
    providers = Providers(settings=settings)
    row = providers.row(name)
    provider = Provider(
        name=str(row.get("name")).lower(), kind=str(row.get("kind")), endpoint=str(row.get("endpoint")),
        region=str(row.get("region")), bucket=str(row.get("bucket")), prefix=str(row.get("prefix") or ""),
        key_id=key_id or str(row.get("key_id")), path_style=bool(row.get("path_style", True)),
        secret="-")  # nosec B106  # stands for none
    check(provider)
    provider = replace(provider, secret=secret(context), seal_key=seal_key(
        providers, provider, row, encrypt=False, recovery_key=recovery_key, context=context))
    check(provider)
    steps = [] if no_test else tried(provider, context, write=not dry_run)
    saved = all(one.ok for one in steps) and not dry_run
    if saved:
        providers.add(provider, replace=True)
        written_down(settings, "storage_changed", provider.name, what="its key")
    tell_added(provider, steps, context, saved=saved, dry_run=dry_run, told_key=False, known=True)
    if not all(one.ok for one in steps):
        raise click.exceptions.Exit(1)


@command("storage test\nstorage test r2 --read-only\nstorage test --json", of=run, name="test")
@click.argument("name", required=False)
@click.option("--read-only", is_flag=True, help="Only look; write nothing.")
@shared_options
def test(name: str | None, read_only: bool, *, context: Context) -> None:
    """Try a storage out, or all of them.

    It writes, reads (also a part, also by a signed URL), lists and deletes; nothing is left behind. The exit code is 1
    when something does not work.
    """
    from setup_tool import show
    from shared.storage.providers import Providers

    providers = Providers(settings=context.load_settings())
    wanted = [name.lower()] if name else [row["name"].lower() for row in providers.rows()]
    if not wanted:
        raise NotFound(f"There is no storage yet. Add one: {PROGRAM} storage add r2|b2|s3|other")
    items: list[dict[str, Any]] = []
    for one in wanted:
        try:
            provider = providers.named(one)
        except NotFound:
            raise
        except SoundsibleError as error:
            items.append({"name": one, "ok": False, "message": error.message, "steps": []})
            if not context.json:
                show.out().print(show.mark("fail"), show.text(one, show.STRONG), show.text(error.message))
            continue
        if not context.json:
            show.out().print(show.text(where(provider), show.STRONG))
        steps = tried(provider, context, write=not read_only)
        items.append({"name": one, "ok": all(step.ok for step in steps), "steps": listed(steps)})
    ok = all(one["ok"] for one in items)
    if context.json:
        show.document({"ok": ok, "items": items})
    if not ok:
        raise click.exceptions.Exit(1)


@command("storage list\nstorage list --json", of=run, name="list")
@shared_options
def list_them(*, context: Context) -> None:
    """Every storage, and what lies there. Nobody is asked outside."""
    from setup_tool import show
    from shared.storage.providers import Providers

    providers = Providers(settings=context.load_settings())
    default = providers.default()
    totals = totals_of(context)
    broken = dict(providers.broken())
    items = []
    for row in providers.rows():
        held = totals.get(row["name"]) or {}
        items.append({**row, "default": default is not None and default.name == row["name"],
                      "copies": held.get("copies", 0), "bytes": held.get("bytes", 0)})
    if context.json:
        show.document({"items": items})
        return
    console = show.out()
    if not items:
        console.print(show.text("There is no storage yet.", show.QUIET))
        console.print(f"Add one: {PROGRAM} storage add r2|b2|s3|other")
        return
    console.print(show.table("name", "kind", "bucket", "copies", "size", "", right=("copies", "size"), wide=("bucket",),
                             rows=[(
        show.text(one["name"], show.ACCENT), one["kind"], f"{one['bucket']}/{one['prefix']}".rstrip("/"),
        show.number(one["copies"]), show.size(one["bytes"]),
        show.text("its key does not open", show.BAD) if not one["opens"] else show.text(", ".join(
            word for word, so in (("new copies go here", one["default"]), ("encrypted", one["sealed"])) if so),
            show.QUIET),
    ) for one in items]))
    for why in broken.values():
        console.print(show.mark("fail"), show.text(why))
    if default is None and any(one["opens"] for one in items):
        console.print(show.mark("warn"), show.text(
            f"The setting cloud_provider is '{context.load_settings().cloud_provider}'; there is no such storage."))


@command("storage remove r2 --dry-run", of=run, name="remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@dry_run_option
@shared_options
def remove(name: str, yes: bool, dry_run: bool, *, context: Context) -> None:
    """Forget a storage and its key. What lies in the bucket stays there.

    Tracks that lie nowhere else cannot be played then; adding it again under the same name brings them back.
    """
    from setup_tool import show
    from setup_tool.rooms import written_down
    from shared.storage.providers import Providers

    settings = context.load_settings()
    providers = Providers(settings=settings)
    row = providers.row(name)
    called = str(row.get("name")).lower()
    held = totals_of(context).get(called) or {}
    with known_copies(context) as copies:
        alone = only_there(copies, called)
    shown = show.plain(called)
    holds = f"{show.count(held.get('copies', 0), 'copy', 'copies')} ({show.size(held.get('bytes', 0))})"
    told = {"name": called, "copies": held.get("copies", 0), "bytes": held.get("bytes", 0), "only_there": alone,
            "dry_run": dry_run}
    warning = (f" {show.count(alone, 'track lies', 'tracks lie')} nowhere else and cannot be played then."
               if alone else "")
    sealed = row.get("seal_key") is not None
    key_hint = (f" Its objects are encrypted: write its recovery key down first ({PROGRAM} storage key {shown})."
                if sealed else "")
    if not dry_run:
        if not yes and sys.stdin.isatty():
            click.confirm(f"Forget the storage '{shown}' with {holds}?{warning}{key_hint} What lies in the bucket "
                          f"stays.", abort=True, err=True)
        elif not yes:
            raise click.UsageError(f"'{shown}' holds {holds}.{warning}{key_hint} Say --yes to remove it without being "
                                   f"asked.")
        providers.remove(called)
        written_down(settings, "storage_changed", called, what="removed")
    if context.json:
        show.document(told)
        return
    console = show.out()
    verb = "would be forgotten" if dry_run else "is forgotten"
    console.print(show.mark("note" if dry_run else "ok"), show.text(
        f"{shown} {verb}; {holds} stay in the bucket.{warning}{key_hint if dry_run else ''}"))


@command("storage key attic", of=run, name="key")
@click.argument("name")
@shared_options
def key(name: str, *, context: Context) -> None:
    """Show the recovery key of an encrypted storage, to write down.

    Whoever has it can read what is there; without it nobody can, should this machine be lost.
    """
    from setup_tool import show
    from shared.storage.providers import Providers

    text = Providers(settings=context.load_settings()).recovery_key(name)
    if context.json:
        show.document({"name": name.lower(), "recovery_key": text})
    else:
        show_key(text)


# ---- what is asked -----------------------------------------------------------------------------------------------


def asking(context: Context) -> bool:
    """Whether somebody sits there to answer."""
    return sys.stdin.isatty() and not context.json


def placed(kind: str, given: dict[str, str | None], ask: bool) -> dict[str, str]:
    """endpoint, region, bucket and key_id, whole. Raises UsageError naming the option when nobody can be asked."""
    row = KINDS[kind]
    wanted = [name for name in ("bucket", "key_id") if not given[name]]
    told = {name: (value or "").strip() for name, value in given.items()}
    if ask and wanted:
        from setup_tool import show

        show.aside().print(show.text(row.help, show.QUIET))
    endpoint = told["endpoint"].rstrip("/")
    if endpoint and "://" not in endpoint:
        endpoint = f"https://{endpoint}"
    if found := re.fullmatch(r"(https?://[^/]+)/([^/]+)", endpoint):     # as Cloudflare shows it, with the bucket
        endpoint, told["bucket"] = found[1], told["bucket"] or found[2]
    if not endpoint:
        if "{account}" in row.endpoint:
            account = told["account"] or asked("account", "Account ID (or the endpoint)", ask, _IS_ACCOUNT)
            if found := re.search(r"([0-9a-f]{32})\.((?:eu|fedramp)\.)?r2\.cloudflarestorage\.com", account.lower()):
                endpoint = f"https://{found[0]}"
            elif _ACCOUNT.fullmatch(account.lower()):
                endpoint = row.endpoint.format(account=account.lower(), region="")
            else:
                raise click.UsageError("The account's ID has 32 letters and digits; it stands in the endpoint "
                                       "https://ID.r2.cloudflarestorage.com.")
        elif not row.endpoint:
            endpoint = asked("endpoint", "Endpoint (https://host:port)", ask)
            endpoint = endpoint if "://" in endpoint else f"https://{endpoint}"
    region = told["region"]
    if not region and (found := re.search(r"//s3[.-]([a-z]{2}-[a-z]+-\d+)\.(?:backblazeb2|amazonaws)\.com", endpoint)):
        region = found[1]
    if not region:
        region = row.region or asked("region", "Region of the bucket", ask)
    endpoint = endpoint or row.endpoint.format(region=region, account="")
    return {"endpoint": endpoint.rstrip("/"), "region": region,
            "bucket": told["bucket"] or asked("bucket", "Bucket", ask),
            "key_id": told["key_id"] or asked("key-id", "Access key ID", ask)}


def asked(option: str, words: str, ask: bool, fits: re.Pattern[str] | None = None) -> str:
    """The answer to a question, which is asked again until it `fits`. Raises UsageError when nobody can be asked."""
    if not ask:
        raise click.UsageError(f"Missing option '--{option}'.")
    while True:
        answer = str(click.prompt(words, err=True)).strip()
        if fits is None or fits.search(answer):
            return answer
        click.echo("It has 32 letters (a to f) and digits.", err=True)


def styled(kind: str, place: dict[str, str], given: bool | None) -> bool:
    """Whether the bucket stands in the path."""
    if given is not None:
        return given
    amazon = ".amazonaws.com" in place["endpoint"]
    return KINDS[kind].path_style or not amazon or "." in place["bucket"]


def cleaned(prefix: str | None) -> str:
    from shared.storage.providers import clean_prefix

    return clean_prefix(prefix or "")


def secret(context: Context) -> str:
    """From the environment, the person at the terminal, or standard input. Raises UsageError."""
    from setup_tool import secret_from_environment

    if found := secret_from_environment(SECRET_VARIABLE):
        return found.strip()
    if sys.stdin.isatty():
        found = str(click.prompt("Secret access key", hide_input=True, err=True))
    else:
        found = sys.stdin.readline()
    if not found.strip():
        raise click.UsageError(f"No secret key: set {SECRET_VARIABLE}, or give it on standard input.")
    return found.strip()


def seal_key(providers: Providers, provider: Provider, row: dict[str, Any] | None, *, encrypt: bool,
             recovery_key: str | None, context: Context) -> bytes | None:
    """The key that its objects are encrypted with: a given one, the one it has, a new one, or none.

    Raises BadInput (a slip in a recovery key), UsageError when it must be given: a storage that is encrypted stays so.
    """
    from secrets import token_bytes

    from setup_tool import secret_from_environment
    from shared.model.errors import BadInput
    from shared.storage.sealing import KEY_BYTES, parse_recovery_key
    from shared.vault import SealedElsewhere

    text = secret_from_environment(RECOVERY_VARIABLE) if recovery_key in (None, "-") else recovery_key
    if recovery_key == "-" and not text:
        text = str(click.prompt("Recovery key", hide_input=True, err=True))
    given = parse_recovery_key(text) if text else None
    if row is None or row.get("seal_key") is None:
        if row is not None and given is not None:
            raise click.UsageError(f"What goes to '{provider.name}' is not encrypted, so there is no recovery key.")
        return given or (token_bytes(KEY_BYTES) if encrypt else None)
    try:
        kept = providers.kept_seal_key(provider.name)
    except (SealedElsewhere, BadInput):
        kept = None
    if kept is not None and given is not None and kept != given:
        raise click.UsageError(f"This is not the recovery key of '{provider.name}'.")
    if kept is None and given is None:
        if asking(context):
            return parse_recovery_key(str(click.prompt("Recovery key", hide_input=True, err=True)))
        raise click.UsageError(f"What lies at '{provider.name}' is encrypted, and its key does not open on this "
                               f"machine: give its recovery key with --recovery-key or {RECOVERY_VARIABLE}.")
    return kept or given


def row_of(providers: Providers, name: str) -> dict[str, Any] | None:
    try:
        return providers.row(name)
    except NotFound:
        return None


def refuse_twice(providers: Providers, provider: Provider, row: dict[str, Any]) -> bool:
    """True when the row of that name is the same place, whose key shall be entered again. Raises Conflict."""
    same = (str(row.get("endpoint")), str(row.get("bucket")), str(row.get("prefix") or ""))
    opens = any(one["name"].lower() == provider.name and one["opens"] for one in providers.rows())
    if opens or same != (provider.endpoint, provider.bucket, provider.prefix):
        raise Conflict(
            f"There is a storage '{provider.name}' already: {same[1]}/{same[2]} at {same[0]}. Enter its key again with "
            f"{PROGRAM} storage secret {provider.name}; or give the new one another --name.")
    return True


# ---- trying it out -----------------------------------------------------------------------------------------------


def tried(provider: Provider, context: Context, *, write: bool, known: bool = True) -> list[Trial]:
    """Every step of the trial, told as it is done. Not `known`: it is not written down yet."""
    from setup_tool import show
    from shared.storage.s3 import Bucket

    bucket = Bucket(provider, connections=2, timeout_s=TRIAL_S, attempts=2)
    steps: list[Trial] = []
    seen: set[str] = set()
    try:
        for step in bucket.trial(write=write):
            if not known:
                step = replace(step, message=unnamed(step.message, provider.name))
            step = replace(step, message=_TRIED.sub("", step.message))
            steps.append(step)
            if context.json:
                continue
            line = show.facts([(f"{step.name:<10}", show.text(
                "the same." if not step.ok and step.message in seen else step.message,
                show.QUIET if step.ok else ""))])
            seen.add(step.message)
            grid = show.facts([])
            grid.add_row(show.mark("ok" if step.ok else "fail"), line)
            show.out().print(grid)
    finally:
        bucket.close()
    return steps


def unnamed(message: str, name: str) -> str:
    """A remedy for what is not written down yet: there is no name to say."""
    tool = f"{PROGRAM} storage"
    return (message.replace(f"Enter it again: {tool} secret {name}", "Enter it again.")
            .replace(f"Take it out ({tool} remove {name}) and add it again with", "Add it with"))


def another_library(provider: Provider, copies: Copies | None) -> bool:
    """Whether a library lies there that this one does not know.

    A storage of a name that the library knows must hold what the library knows of it. Raises Conflict.
    """
    from itertools import islice

    from shared.storage.s3 import Bucket

    keys = [key for key, _ in islice(copies.keys(provider.name), LOOKED_UP)] if copies is not None else []
    bucket = Bucket(provider, connections=2, timeout_s=TRIAL_S, attempts=2)
    try:
        if not keys:
            return next(bucket.list(bucket.key("catalogue/")), None) is not None
        if not any(bucket.head(one) is not None for one in keys):
            raise Conflict(
                f"The library knows copies at a storage '{provider.name}', and they are not in this bucket. Give the "
                f"new one another --name; or, if they are lost, say --no-test and let {PROGRAM} cleanup forget them.")
        return False
    finally:
        bucket.close()


# ---- what the library knows --------------------------------------------------------------------------------------


@contextmanager
def known_copies(context: Context) -> Iterator[Copies | None]:
    """The copies of the library at this home; None when there is no library yet."""
    from setup_tool.rooms import rooms
    from shared.records.copies import Copies

    settings = context.load_settings()
    if not settings.database_path.exists():
        yield None
        return
    with rooms(settings) as station:
        yield Copies(database=station.database)


def totals_of(context: Context) -> dict[str, Any]:
    with known_copies(context) as copies:
        return dict(copies.totals()["providers"]) if copies is not None else {}


def only_there(copies: Copies | None, name: str) -> int:
    """How many tracks have no file here and no copy elsewhere."""
    if copies is None or not copies.totals()["only_in_cloud"]:
        return 0
    absent = [one.track_id for one in copies.sources() if one.missing]
    held = copies.of_tracks(absent)
    return sum(bool(held.get(uid)) and all(copy.provider == name for copy in held[uid]) for uid in absent)


# ---- in words ----------------------------------------------------------------------------------------------------


def where(provider: Provider) -> str:
    return f"{provider.name}  {provider.bucket}/{provider.prefix}".rstrip("/") + f"  {provider.endpoint}"


def listed(steps: list[Trial]) -> list[dict[str, Any]]:
    return [{"step": one.name, "ok": one.ok, "message": one.message, **({"reason": one.reason} if one.reason else {})}
            for one in steps]


def tell_added(provider: Provider, steps: list[Trial], context: Context, *, saved: bool, dry_run: bool,
               told_key: bool, inhabited: bool = False, known: bool = False) -> None:
    from setup_tool import show
    from shared.storage.sealing import recovery_key

    text = recovery_key(provider.seal_key) if told_key and provider.seal_key is not None else None
    if context.json:
        show.document({
            "name": provider.name, "kind": provider.kind, "endpoint": provider.endpoint, "region": provider.region,
            "bucket": provider.bucket, "prefix": provider.prefix, "sealed": provider.seal_key is not None,
            "saved": saved, "dry_run": dry_run, "library_there": inhabited, "steps": listed(steps),
            **({"recovery_key": text} if text is not None else {}),
        })
        return
    console = show.out()
    console.print()
    if not saved:
        console.print(show.mark("note" if dry_run else "fail"), show.text(
            "Nothing was written." if dry_run else "It does not work yet, so nothing was written. Put right what is "
            "said above and try again; --no-test writes it down as it is."))
        if not dry_run and not known and asking(context):
            console.print(show.text("To try again without the questions, with what was wrong put right:", show.QUIET))
            console.print(show.text(f"{PROGRAM} storage add {as_options(provider)}", show.QUIET), soft_wrap=True)
        return
    console.print(show.mark("ok"), show.text(
        f"The new key of {provider.name} is written down." if known else
        f"{provider.name} is added. Copy music there: {PROGRAM} upload --provider {provider.name}"))
    if inhabited:
        console.print(show.mark("warn"), show.text(
            f"There is a library at this place already. To bring it back here: {PROGRAM} restore --from "
            f"{provider.name}. If it is another station's, take this one out again and add it with a --prefix of its "
            f"own."))
    if provider.kind == "b2":
        console.print(show.mark("note"), show.text(
            "B2 keeps every version of a file. In the bucket's settings, let it keep only the last version, else what "
            "is removed goes on costing money.", show.QUIET))
    if provider.endpoint.startswith("http://") and provider.seal_key is None:
        console.print(show.mark("note"), show.text(
            "Plain HTTP: whoever can listen on the way there hears what you upload.", show.QUIET))
    if text is not None:
        console.print()
        show_key(text)


def as_options(provider: Provider) -> str:
    """What was answered, as `storage add` takes it on its command line; no secret."""
    import shlex

    told = {"name": provider.name, "endpoint": provider.endpoint, "region": provider.region, "bucket": provider.bucket,
            "prefix": provider.prefix, "key-id": provider.key_id}
    return " ".join([provider.kind, *(f"--{name} {shlex.quote(value)}" for name, value in told.items() if value),
                     *(["--encrypt"] if provider.seal_key is not None else [])])


def show_key(text: str) -> None:
    from setup_tool import show

    console = show.out()
    groups = text.split("-")
    console.print(show.text("Recovery key", show.STRONG))
    for at in range(0, len(groups), 7):
        console.print(show.text("  " + "-".join(groups[at:at + 7]) + ("-" if at + 7 < len(groups) else ""),
                                show.ACCENT))
    console.print(show.text("Write it down and keep it away from this machine. Without it nobody can read what is in "
                            "the bucket should this machine be lost.", show.UNSURE))
