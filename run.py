#!/usr/bin/env python3
"""Set Soundsible up beside this file, then start it, test it, measure it or look after it.

Standard library only. The first use makes `.venv` and installs what requirements.txt pins; later uses
see that nothing changed and hand over at once. Everything this file says goes to standard error.
"""

import sys

if sys.version_info < (3, 11):
    sys.stderr.write(
        "Soundsible needs Python 3.11 or newer; this is Python %d.%d. Install a newer one "
        "(https://www.python.org/downloads/) and start run.py with it.\n" % tuple(sys.version_info[:2])
    )
    sys.exit(1)

import os

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
WINDOWS = os.name == "nt"
VENV_PYTHON = os.path.join(VENV, "Scripts", "python.exe") if WINDOWS else os.path.join(VENV, "bin", "python")

RUNTIME = "requirements.txt"
DEVELOPMENT = "requirements-dev.txt"
SOURCES = ("shared", "odst", "setup_tool", "run.py")
AUDITOR = "pip-audit==2.10.1"
# How pip, and who asks like it, says that nobody answers.
UNREACHABLE = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ReadTimeoutError",
               "connection broken by", "ProxyError", "Network is unreachable", "Read timed out")
UNFINISHED = os.path.join(VENV, "soundsible-unfinished")  # there while packages are being put in place

USAGE = """\
Soundsible: your music, on every device of your home.

  python3 run.py [options]              set up on first use, then run the station
  python3 run.py test [pytest options]  run the tests (all of them, or what pytest is told)
  python3 run.py bench [name]           run the benchmarks
  python3 run.py audit                  ask whether a package that is used has a known hole (needs the internet)
  python3 run.py tool COMMAND ...       the maintenance command line (tool --help lists it)

Options of the station:
  --music DIR   a folder with music; may be given several times, is remembered
  --home DIR    one folder for settings, data and cache (default: the system's usual places)
  --host H      address to listen on (default 0.0.0.0: every network of this machine)
  --port N      port to listen on (default 5005)
  --demo        no music at hand? Play a few tracks that Soundsible makes itself
  --version     which version this is
  --help        this text

Example: python3 run.py --music ~/Music
"""


class Trouble(Exception):
    """What stops the set-up, as one sentence with its remedy; the exit code is 1."""


def say(line: str) -> None:
    """One calm line for the person at the terminal; standard output stays free for programs."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


# ---- is everything in place? (every start: a few file reads, no process)


def python_mark() -> bytes:
    """What a virtual environment depends on: interpreter, version, system and processor."""
    machine = "" if WINDOWS else os.uname().machine
    return " ".join([str(sys.implementation.cache_tag), sys.platform, machine]).encode() + b"\n"


def read(path: str) -> bytes:
    """The file's bytes; nothing when it is not there."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return b""


def stamp_path(requirements: str) -> str:
    return os.path.join(VENV, "soundsible-" + requirements)


def wanted_stamp(requirements: str) -> bytes:
    """What the stamp holds once these requirements are installed: the list itself, for this Python."""
    content = read(os.path.join(ROOT, requirements))
    if not content:
        raise Trouble(f"{requirements} is missing beside run.py; get the whole of Soundsible again.")
    return python_mark() + content


def installed(requirements: str) -> bool:
    return (
        read(stamp_path(requirements)) == wanted_stamp(requirements)
        and os.path.exists(VENV_PYTHON)
        and not os.path.exists(UNFINISHED)
    )


# ---- setting up (first use, and when the list or Python changed)


class SetupLock:
    """One set-up at a time in this folder; a process that ends or dies gives the lock back."""

    def __enter__(self) -> "SetupLock":
        # O_RDWR without truncation: another start may hold the lock.
        self.file = os.open(os.path.join(ROOT, ".venv.lock"), os.O_RDWR | os.O_CREAT, 0o644)
        if not self.taken():
            say("Another start is setting Soundsible up; waiting for it ...")
            import time

            while not self.taken():
                time.sleep(0.2)
        return self

    def taken(self) -> bool:
        try:
            if WINDOWS:
                import msvcrt

                msvcrt.locking(self.file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            else:
                import fcntl

                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def __exit__(self, *_: object) -> None:
        os.close(self.file)


def set_up(lists: list[str]) -> None:
    """Bring `.venv` to what the requirement lists say. Costs a minute the first time, nothing later."""
    if all(installed(name) for name in lists):
        return
    try:
        with SetupLock():
            if all(installed(name) for name in lists):
                return  # the start that was waited for did it
            make_venv()
            for name in lists:
                if not installed(name):
                    install(name)
    except OSError as error:
        if error.errno == 28:  # ENOSPC
            raise Trouble(
                f"The disk that holds {ROOT} is full; Soundsible's packages need about 500 MB."
            ) from None
        if isinstance(error, PermissionError) or error.errno == 30:  # EROFS
            raise Trouble(
                f"Cannot write to {ROOT}; make the folder yours (chown), or copy "
                "Soundsible to a folder of your own and start it there."
            ) from None
        raise Trouble(f"Setting up in {ROOT} failed: {error}.") from None


def make_venv() -> None:
    """A virtual environment of this Python at `.venv`; one that is broken or of another Python is remade."""
    import subprocess

    fresh_mark = os.path.join(VENV, "soundsible-python")
    if os.path.exists(UNFINISHED):
        say("The last set-up did not finish; starting it over ...")
    elif os.path.exists(VENV_PYTHON):
        mark = read(fresh_mark)
        if mark == python_mark():
            return
        if not mark:  # made by hand: fine, if it is of this Python and has pip
            question = "import sys, pip; print(sys.implementation.cache_tag)"
            command = [VENV_PYTHON, "-c", question]
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            if answer.stdout.strip() == sys.implementation.cache_tag:
                write(fresh_mark, python_mark())
                return
        say("Python has changed since the last start; setting up again ...")
    else:
        say(f"Setting Soundsible up in {ROOT} (once) ...")

    import importlib.util

    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        raise Trouble(
            "This Python cannot make virtual environments; on Debian, Ubuntu and Raspberry Pi OS install "
            "that with 'sudo apt install python3-venv', then start again."
        )
    if os.path.lexists(VENV) and not os.path.isdir(VENV):
        raise Trouble(f"{VENV} is in the way; it must be a folder that Soundsible may fill.")
    os.makedirs(VENV, exist_ok=True)
    write(UNFINISHED, b"")
    empty(VENV)
    # -I: the venv must not depend on PYTHONPATH or on the folder run.py was called from.
    made = subprocess.run(
        [sys.executable, "-I", "-m", "venv", VENV],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )
    if made.returncode:
        last = (made.stdout.strip().splitlines() or ["no reason given"])[-1]
        raise Trouble(
            f"Making the virtual environment {VENV} failed ({last.rstrip('.')}); on Debian and Ubuntu "
            "'sudo apt install python3-venv' often helps, then start again."
        )
    write(fresh_mark, python_mark())
    os.unlink(UNFINISHED)


def empty(folder: str) -> None:
    """Take everything out of the venv but the mark that says it is not whole."""
    import shutil

    for entry in list(os.scandir(folder)):
        if entry.path == UNFINISHED:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def install(requirements: str) -> None:
    """Install one list into `.venv` and leave its stamp; raises Trouble with what pip could not do."""
    import subprocess
    import time

    started = time.monotonic()
    count = sum(1 for line in read(os.path.join(ROOT, requirements)).splitlines() if b"==" in line)
    say(f"Installing {count} packages ({requirements}); the first time takes about a minute ...")

    environment = dict(os.environ)
    # Wheels only: no compiler is needed, and a platform without wheels is told so at once.
    environment.setdefault("PIP_ONLY_BINARY", ":all:")
    environment.update(PIP_USER="0", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
    environment["PYTHONUNBUFFERED"] = "1"
    environment.pop("PYTHONPATH", None)
    command = [VENV_PYTHON, "-m", "pip", "install", "--retries", "2", "--progress-bar", "off",
               "-r", os.path.join(ROOT, requirements)]

    write(UNFINISHED, b"")
    said = []  # type: list[str]
    touched = False
    fetched = 0
    on_terminal = sys.stderr.isatty()
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            said.append(line.strip())
            if line.startswith("Collecting "):
                fetched += 1
                if on_terminal:
                    sys.stderr.write(f"\r  {min(fetched, count)} of {count} ")
            elif line.startswith("Installing collected packages"):
                touched = True
                if on_terminal:
                    sys.stderr.write("\r  putting them in place ... ")
            sys.stderr.flush()
    if on_terminal:
        sys.stderr.write("\r" + " " * 30 + "\r")
    if pip.returncode:
        if not touched:
            os.unlink(UNFINISHED)  # nothing was changed: what worked before still does
        raise Trouble(why_pip_failed(said))
    write(stamp_path(requirements), wanted_stamp(requirements))
    os.unlink(UNFINISHED)
    say(f"Installed in {time.monotonic() - started:.0f} s.")


def why_pip_failed(said: list[str]) -> str:
    """One sentence with the remedy, from what pip printed."""
    text = "\n".join(said)
    if "No space left on device" in text:
        return f"The disk that holds {ROOT} is full; Soundsible's packages need about 500 MB."
    if any(sign in text for sign in UNREACHABLE):
        return (
            "The package index could not be reached; the first start needs the internet: connect this "
            "machine (behind a proxy, set HTTPS_PROXY) and start again."
        )
    if "SSLError" in text or "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            "The package index's certificate was not accepted; check this machine's clock and certificates, "
            "then start again."
        )
    errors = [line[len("ERROR:"):].strip() for line in said if line.startswith("ERROR:")]
    missing = [line for line in errors if line.startswith("No matching distribution found for ")]
    if missing:
        package = missing[0].split(" for ", 1)[1].split(" (")[0]
        version = ".".join(str(part) for part in sys.version_info[:2])
        return (
            f"There is no ready-made build of {package} for Python {version} on this machine; "
            "try Python 3.12 or 3.13 on a 64-bit system."
        )
    reason = (errors or [line for line in said if line] or ["no reason given"])[-1].rstrip(".")
    return f"Installing the packages failed ({reason}); remove the folder {VENV} and start again."


def write(path: str, content: bytes) -> None:
    """Replace a small file whole, so that an interruption leaves the old one or the new one."""
    with open(path + ".new", "wb") as file:
        file.write(content)
    os.replace(path + ".new", path)


# ---- handing over


def environment_for_station() -> dict[str, str]:
    """The sources importable from any folder run.py is called from, and nothing else of that folder."""
    environment = dict(os.environ)
    others = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path and path != ROOT]
    environment["PYTHONPATH"] = os.pathsep.join([ROOT, *others])
    return environment


def become(arguments: list[str]) -> int:
    """Run the venv's Python in this process's place, so that signals and exit code are its own."""
    command = [VENV_PYTHON, "-P", *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    if not WINDOWS:
        os.execve(VENV_PYTHON, command, environment_for_station())  # nosec B606  # no shell is the wish
    # Windows cannot replace a process: wait for it, and leave Ctrl-C to it.
    import signal
    import subprocess

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with subprocess.Popen(command, env=environment_for_station()) as station:
        signal.signal(signal.SIGTERM, lambda *_: station.terminate())
        return station.wait()


def run_here(command: list[str]) -> int:
    """One step of the tests, in the project's folder; its exit code."""
    import subprocess

    try:
        return subprocess.run(command, cwd=ROOT, env=environment_for_station(), check=False).returncode
    except KeyboardInterrupt:
        return 130


def begin_here(command: list[str]) -> "subprocess.Popen[str]":  # noqa: F821
    """The same in the background; what it says is kept until it is asked for."""
    import subprocess

    return subprocess.Popen(command, cwd=ROOT, env=environment_for_station(), text=True, errors="replace",
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test(arguments: list[str]) -> int:
    """Everything, or only what pytest is told; 0 when all of it passed."""
    browser, _ = test_tools()
    if browser:
        os.environ.setdefault("SOUNDSIBLE_TEST_BROWSER", browser)
    os.chdir(ROOT)
    if arguments:
        return become(["-m", "pytest", *arguments])

    failed = []
    say("--- pytest, and ruff, mypy and bandit beside it")
    beside = [(name, begin_here([VENV_PYTHON, "-m", name, *words]))
              for name, *words in (("ruff", "check", "."), ("mypy",),
                                   ("bandit", "-q", "-c", "pyproject.toml", "-r", *SOURCES))]
    # Much of its time is spent waiting for stations and children: three at once, each whole files. They come in the
    # order of tests/conftest.py, the long ones first.
    if run_here([VENV_PYTHON, "-P", "-m", "pytest", "-q", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]):
        failed.append("pytest")
    for name, process in beside:
        said, _ = process.communicate()
        # What bandit has no use for is no trouble: a note stands for a whole statement of many lines.
        said = "".join(line for line in said.splitlines(keepends=True) if "nosec encountered" not in line)
        say(f"--- {name}\n{said.strip()}")
        if process.returncode:
            failed.append(name)
    if failed:
        say("Not in order: {}.".format(", ".join(failed)))
    return 1 if failed else 0


def audit(arguments: list[str]) -> int:
    """Whether a package that is installed has a known hole; 0: none. Asks the internet."""
    import subprocess

    lists = [os.path.join(ROOT, name) for name in (RUNTIME, DEVELOPMENT)]
    there = subprocess.run([VENV_PYTHON, "-c", "import pip_audit"], capture_output=True, check=False)
    if there.returncode:
        say(f"Getting {AUDITOR} (once) ...")
        got = subprocess.run(
            [VENV_PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--retries", "1", AUDITOR,
             "-c", lists[0], "-c", lists[1]],       # nothing that is pinned changes for it
            capture_output=True, text=True, check=False)
        if got.returncode:
            raise Trouble(
                f"{AUDITOR} could not be got; this command needs the internet: run it on a machine that has it, in a "
                "copy of this folder. What is installed is the same everywhere: the versions are in requirements.txt."
            )
    # What the lists name is asked about as it stands there: nothing is installed or resolved for it.
    command = [VENV_PYTHON, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner", "off"]
    for name in lists:
        command += ["-r", name]
    done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    if done.returncode and any(sign in done.stderr for sign in UNREACHABLE):
        raise Trouble("The list of known holes could not be asked for; this command needs the internet. Run it on a "
                      "machine that has it, in a copy of this folder.")
    if done.returncode:
        say("Packages with known holes: take newer versions, or see whether what is told concerns the station.")
    return done.returncode


def test_tools() -> tuple[str | None, str | None]:
    """Chromium and Node where the tests find them. With CI=true as root on Debian they are installed;
    with CI=true and still missing that is Trouble, because nothing may be skipped there."""
    import shutil

    def look() -> tuple[str | None, str | None]:
        browsers = (shutil.which(name) for name in (
            "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"))
        return next((path for path in browsers if path), None), shutil.which("node")

    browser, node = look()
    if browser and node:
        return browser, node
    in_ci = os.environ.get("CI", "").lower() in ("1", "true", "yes")
    if in_ci and not WINDOWS and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = ([] if browser else ["chromium", "fonts-dejavu-core"]) + ([] if node else ["nodejs"])
        say("Installing {} for the tests ...".format(" and ".join(packages)))
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        import subprocess

        for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
            subprocess.run(  # nosec B607  # the system's own, looked for above
                ["apt-get", *step], stdout=sys.stderr.fileno(), check=False)
        browser, node = look()
        if browser and node:
            return browser, node
    missing = " and ".join(([] if browser else ["Chromium"]) + ([] if node else ["Node"]))
    sentence = f"{missing} not found: on Debian and Ubuntu 'sudo apt install chromium nodejs' brings both"
    if in_ci:
        raise Trouble(sentence + "; with CI=true nothing is skipped.")
    say(sentence + "; the tests that need it are skipped.")
    return browser, node


def main(arguments: list[str]) -> int:
    """Exit codes: 0 done, 1 failed with a sentence, 2 wrong usage; else those of what was started."""
    word = arguments[0] if arguments and not arguments[0].startswith("-") else ""
    if word not in ("", "test", "bench", "tool", "audit"):
        say(f"There is no command '{word}'; run.py knows test, bench, tool and audit (see run.py --help).")
        return 2
    if not word and ("--help" in arguments or "-h" in arguments):
        sys.stdout.write(USAGE)
        return 0
    try:
        set_up([RUNTIME, DEVELOPMENT] if word == "test" else [RUNTIME])
        if word == "test":
            return test(arguments[1:])
        if word == "audit":
            return audit(arguments[1:])
        if word == "bench":
            return become(["-m", "bench", *arguments[1:]])
        if word == "tool":
            return become(["-m", "setup_tool", *arguments[1:]])
        return become(["-m", "shared.api", *arguments])
    except Trouble as trouble:
        say(str(trouble))
        return 1
    except KeyboardInterrupt:
        say("\nStopped; the next start goes on from here.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
