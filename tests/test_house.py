"""The house rules, held: floors, purposes, size of the serving process, documents that tell the truth."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A room imports its own floor and lower floors, never a higher one. The longest prefix decides.
FLOORS = {
    "shared": 0,                        # the version alone
    "shared.model": 0,
    "shared.ports": 1, "shared.events": 1, "shared.settings": 1, "shared.logs": 1, "shared.outbound": 1,
    "shared.vault": 1, "shared.confine": 1, "shared.durable": 1,
    "shared.database": 2, "shared.records": 2, "shared.storage": 2, "shared.audio": 2, "shared.metadata": 2,
    "shared.library": 3, "shared.security": 3, "shared.discovery": 3, "shared.podcasts": 3, "shared.radio": 3,
    "shared.cloud": 3, "shared.upkeep": 3, "odst": 3,
    "shared.routes": 4, "shared.subsonic": 4, "shared.sockets": 4, "shared.feed": 4,
    "shared.station": 5, "shared.terminal": 5, "shared.api": 5, "shared.server": 5, "shared.serving": 5,
    "shared.limits": 5,
    "setup_tool": 5,
}
# What the serving process may not load: each costs tens of megabytes, or decodes hostile files.
HEAVY = {"av", "numpy", "PIL", "mutagen", "boto3", "botocore", "alembic", "yt_dlp", "rich", "musicbrainzngs",
         "spotipy", "apprise", "feedparser"}


def _module(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _sources() -> list[Path]:
    return sorted(path for top in ("shared", "odst", "setup_tool") for path in (ROOT / top).rglob("*.py"))


def _floor(module: str) -> int | None:
    parts = module.split(".")
    for end in range(len(parts), 0, -1):
        floor = FLOORS.get(".".join(parts[:end]))
        whole_top = end == 1 and parts[0] == "shared" and len(parts) > 1     # "shared" alone says nothing of its rooms
        if floor is not None and not whole_top:
            return floor
    return None


def _imports(tree: ast.AST) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(one.name, node.lineno) for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module == "shared":
                found += [(f"shared.{one.name}", node.lineno) for one in node.names if one.name != "__version__"]
            else:
                found.append((node.module, node.lineno))
    return found


@pytest.mark.parametrize("path", _sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_its_own_floor_and_lower(path: Path) -> None:
    module = _module(path)
    own = _floor(module)
    assert own is not None, f"{module} stands on no floor: give it one in tests/test_house.py and docs/architecture.md"
    tree = ast.parse(path.read_text("utf-8"))
    # The migrations are run by Alembic, which is a roof of its own.
    too_high = [
        f"line {line}: {name}" for name, line in _imports(tree)
        if name.split(".")[0] in ("shared", "odst", "setup_tool") and (_floor(name) or 0) > own
    ]
    assert not too_high, f"{module} (floor {own}) reaches up to {too_high}"
    if own == 0:
        foreign = [name for name, _ in _imports(tree)
                   if name.split(".")[0] not in sys.stdlib_module_names and name.split(".")[0] != "shared"]
        assert not foreign, f"{module} is a word and may import the standard library alone, not {foreign}"


@pytest.mark.parametrize("path", _sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_opens_with_its_purpose(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), "say in one line what this module is for"


def test_odst_knows_nothing_of_the_rooms_above_the_agreements() -> None:
    for path in (ROOT / "odst").rglob("*.py"):
        for name, line in _imports(ast.parse(path.read_text("utf-8"))):
            if name.startswith("shared"):
                assert (_floor(name) or 0) <= 1, f"{path.name}:{line} imports {name}; its tools are handed in"


def test_only_settings_reads_the_environment() -> None:
    """Exceptions have a reason: the process's first word, a child's environment, a library's switch."""
    allowed = {
        "shared.settings", "shared.api", "shared.audio.pool", "shared.library.scanning", "shared.security.network",
        "setup_tool.__main__", "setup_tool", "shared.serving.eventlet_server",
        "odst.nursery", "odst.fetch_process",
    }
    reading = [
        _module(path) for path in _sources()
        if re.search(r"\bos\.(environ|getenv)\b", path.read_text("utf-8")) and _module(path) not in allowed
    ]
    assert not reading


def test_sql_stands_in_memory_alone() -> None:
    """SQLAlchemy and sqlite3 are imported by the database and the records only."""
    for path in _sources():
        module = _module(path)
        if module == "shared.database" or module.startswith("shared.records"):
            continue
        foreign = [name for name, _ in _imports(ast.parse(path.read_text("utf-8")))
                   if name.split(".")[0] in ("sqlalchemy", "sqlite3")]
        assert not foreign, f"{module} imports {foreign}: SQL lives in shared/records"


def test_importing_the_station_does_no_work_and_loads_nothing_heavy() -> None:
    script = (
        "import sys, threading, shared.api, shared.station, shared.routes.register, shared.sockets, shared.terminal\n"
        f"heavy = sorted({HEAVY!r} & {{name.split('.')[0] for name in sys.modules}})\n"
        "assert not heavy, heavy\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_setting_is_documented() -> None:
    from shared import settings

    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    missing = [row.name for row in settings.rows() if f"`SOUNDSIBLE_{row.name.upper()}`" not in text]
    assert not missing, "run python3 run.py tool settings --markdown > docs/configuration.md"


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_room_is_on_the_plan() -> None:
    plan = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rooms = {path.name for path in (ROOT / "shared").iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert not {room for room in rooms if f"{room}/" not in plan}


def test_links_in_the_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if not re.match(r"[a-z]+:", target):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_tests_that_the_documents_name_exist() -> None:
    named = {one for page in (ROOT / "docs").rglob("*.md")
             for one in re.findall(r"`(?:tests/)?([\w/]+\.py)::(test_\w+)`", page.read_text("utf-8"))}
    assert len(named) >= 15
    missing = [f"{file}::{name}" for file, name in sorted(named)
               if not re.search(rf"^def {name}\(", (ROOT / "tests" / file).read_text("utf-8"), re.MULTILINE)]
    assert not missing


def test_the_changelog_tells_this_version() -> None:
    from shared import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_nothing_in_the_project_names_a_machine_or_a_registry() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, timeout=30)
    names = [name for name in listed.stdout.decode().split("\0") if name]
    if not names:
        pytest.fail("git ls-files named no file")
    here = "|".join(re.escape(f"{path}/") for path in (ROOT, Path.home()) if len(path.parts) > 1)
    words = re.compile(rf"{here}|registry\.npmjs|files\.pythonhosted|pypi\.org/simple")
    found = []
    for name in names:
        path = ROOT / name
        if not path.is_file() or path.suffix in (".png", ".webp") or "vendor" in path.parts or path == Path(__file__):
            continue
        if hit := words.search(path.read_text("utf-8", errors="replace")):
            found.append(f"{name}: {hit.group()}")
    assert not found
