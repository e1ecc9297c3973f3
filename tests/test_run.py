"""run.py: sets up once, redoes what was cut off, says in a sentence what is missing, and hands over."""

import ast
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parent.parent / "run.py"
HANG_S = 120

STATION = """
import json, os, signal, sys, time
import little
signal.signal(signal.SIGTERM, lambda *_: sys.exit(44))
print(json.dumps({"args": sys.argv[1:], "cwd": os.getcwd(), "pid": os.getpid(), "little": little.VERSION}), flush=True)
if "--wait" in sys.argv:
    time.sleep(60)
sys.exit(43 if "--fail" in sys.argv else 0)
"""


def make_wheel(folder, version):
    """A package of one line, so that installing needs no index and no second."""
    info = f"little-{version}.dist-info"
    with zipfile.ZipFile(folder / f"little-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("little.py", f"VERSION = '{version}'\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: little\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"little.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


class Project:
    """run.py beside a requirements list and a station of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.wheels = folder / "wheels"
        self.wheels.mkdir(parents=True)
        for version in ("1.0", "2.0"):
            make_wheel(self.wheels, version)
        shutil.copy(RUN, folder / "run.py")
        for package in ("shared/api.py", "setup_tool/__main__.py"):
            (folder / package).parent.mkdir()
            (folder / package).write_text(STATION)
        self.wants("1.0")

    def wants(self, version):
        (self.folder / "requirements.txt").write_text(f"# pinned\nlittle=={version}\n")

    def begin(self, *arguments, cwd=None, **env):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        clean |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), **env}
        return subprocess.Popen(
            [sys.executable, str(self.folder / "run.py"), *arguments],
            cwd=cwd or self.folder, env=clean, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )

    def start(self, *arguments, **named):
        """(exit code, standard output, standard error)"""
        process = self.begin(*arguments, **named)
        out, err = process.communicate(timeout=HANG_S)
        return process.returncode, out, err


@pytest.fixture(scope="module")
def set_up(tmp_path_factory):
    """A project that has been started once, by two at once; what the one that came first said, and the other."""
    project = Project(tmp_path_factory.mktemp("run") / "project")
    both = [project.begin("tool", "status", "--json")]
    until = time.monotonic() + HANG_S
    while not (project.folder / ".venv").exists():
        assert time.monotonic() < until and both[0].poll() is None
        time.sleep(0.01)
    both.append(project.begin("--music", "Music"))
    return project, [(*process.communicate(timeout=HANG_S), process.returncode) for process in both]


@pytest.fixture
def run():
    """run.py as a module, for what is hard to bring about from outside."""
    spec = importlib.util.spec_from_file_location("run_under_test", RUN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_first_start_sets_up_and_hands_over(set_up):
    """And keeps standard output for the answer of what it hands over to."""
    _, [(out, err, code), _] = set_up
    assert code == 0, err
    assert json.loads(out)["args"] == ["status", "--json"]
    assert "Setting Soundsible up" in err and "Installing 1 packages" in err


def test_of_two_starts_at_once_the_other_waits_and_works(set_up):
    _, [_, (out, err, code)] = set_up
    assert code == 0, err
    assert json.loads(out)["args"] == ["--music", "Music"]
    assert "waiting for it" in err and "Installing" not in err


def test_a_later_start_installs_nothing_and_says_nothing(set_up):
    project, _ = set_up
    code, out, err = project.start("--port", "5006")
    assert (code, json.loads(out)["args"], err) == (0, ["--port", "5006"], "")


def test_it_may_be_called_from_any_folder(set_up, tmp_path):
    """Relative music folders mean the caller's folder, and that folder's Python files mean nothing."""
    project, _ = set_up
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "api.py").write_text("raise SystemExit('the wrong one')")
    code, out, err = project.start("--music", "Music", cwd=tmp_path)
    assert code == 0, err
    assert json.loads(out)["cwd"] == str(tmp_path)


def test_exit_codes_and_signals_are_the_stations_own(set_up):
    project, _ = set_up
    assert project.start("--fail")[0] == 43
    process = project.begin("--wait")
    assert json.loads(process.stdout.readline())["pid"] == process.pid
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=HANG_S)
    assert process.returncode == 44


def test_a_changed_list_is_installed(set_up):
    project, _ = set_up
    project.wants("2.0")
    code, out, err = project.start()
    assert (code, json.loads(out)["little"]) == (0, "2.0")
    assert "Installing" in err
    project.wants("1.0")
    assert json.loads(project.start()[1])["little"] == "1.0"


def test_what_cannot_be_had_leaves_what_works(set_up):
    project, _ = set_up
    project.start()
    project.wants("3.0")
    code, out, err = project.start()
    assert (code, out) == (1, "")
    assert "no ready-made build of little==3.0" in err and "Traceback" not in err
    project.wants("1.0")
    assert project.start()[2] == ""


def test_without_a_network_one_sentence_says_so(set_up):
    project, _ = set_up
    project.wants("2.0")
    nowhere = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_FIND_LINKS": ""}
    code, _, err = project.start(**nowhere)
    project.wants("1.0")
    assert code == 1
    assert "package index could not be reached" in err.splitlines()[-1] and "Traceback" not in err


def test_an_install_that_was_cut_off_is_redone_from_the_start(set_up):
    project, _ = set_up
    site = next((project.folder / ".venv").glob("lib/python*/site-packages"))
    (site / "little.py").write_text("half a fi")  # pip itself would take this for installed
    (project.folder / ".venv" / "soundsible-unfinished").touch()
    code, out, err = project.start()
    assert (code, json.loads(out)["little"]) == (0, "1.0"), err
    assert "did not finish" in err


def test_killed_while_setting_up_it_starts_over(tmp_path):
    project = Project(tmp_path / "killed")
    process = project.begin()
    until = time.monotonic() + HANG_S
    while not (project.folder / ".venv" / "pyvenv.cfg").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    process.kill()
    process.communicate()
    code, out, err = project.start()
    assert (code, json.loads(out)["little"]) == (0, "1.0"), err


def test_another_python_means_another_environment(set_up):
    project, _ = set_up
    (project.folder / ".venv" / "soundsible-python").write_bytes(b"cpython-39 linux x86_64\n")
    for stamp in (project.folder / ".venv").glob("soundsible-requirements*"):
        stamp.write_bytes(b"cpython-39 linux x86_64\nlittle==1.0\n")
    code, _, err = project.start()
    assert code == 0
    assert "Python has changed" in err


def test_old_pythons_can_read_the_sentence_that_is_meant_for_them():
    source = RUN.read_text()
    ast.parse(source, feature_version=(3, 6))
    code = f"import sys; sys.version_info = (3, 9, 1, 'final', 0); exec(open({str(RUN)!r}).read())"
    old = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG_S)
    assert old.returncode == 1
    assert old.stderr.startswith("Soundsible needs Python 3.11 or newer; this is Python 3.9.")
    assert old.stderr.count("\n") == 1


def test_help_and_wrong_words_need_no_set_up(tmp_path):
    project = Project(tmp_path / "help")
    assert "--music DIR" in project.start("--help")[1]
    code, _, err = project.start("tests")
    assert code == 2 and "no command 'tests'" in err
    assert not (project.folder / ".venv").exists()


def test_without_venv_support_the_package_is_named(run, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(run, "VENV_PYTHON", str(tmp_path / ".venv/bin/python"))
    monkeypatch.setattr(run, "UNFINISHED", str(tmp_path / ".venv/unfinished"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(run.Trouble, match="apt install python3-venv"):
        run.make_venv()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(13, "Permission denied"), "Cannot write to"),
        (OSError(30, "Read-only file system"), "Cannot write to"),
        (OSError(28, "No space left on device"), "is full"),
    ],
)
def test_a_folder_that_cannot_be_written_says_what_to_do(run, monkeypatch, error, sentence):
    def fail():
        raise error

    monkeypatch.setattr(run, "installed", lambda name: False)
    monkeypatch.setattr(run, "SetupLock", fail)
    with pytest.raises(run.Trouble, match=sentence):
        run.set_up(["requirements.txt"])


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("WARNING: Retrying after connection broken by 'NewConnectionError(...)'", "connect this machine"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "is full"),
        ("SSLError(SSLCertVerificationError(1, 'certificate verify failed'))", "clock"),
        ("ERROR: No matching distribution found for av==18.1.0 (from -r x)", "build of av==18.1.0"),
        ("ERROR: something odd.", r"failed \(something odd\)"),
        ("", "no reason given"),
    ],
)
def test_pips_troubles_become_sentences(run, said, sentence):
    assert re.search(sentence, run.why_pip_failed([said]))


def test_with_ci_a_missing_tool_is_trouble_else_a_line(run, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(run.Trouble, match=r"Chromium and Node not found.*nothing is skipped"):
        run.test_tools()
    monkeypatch.delenv("CI")
    assert run.test_tools() == (None, None)
    assert "the tests that need it are skipped" in capsys.readouterr().err


def test_every_requirement_is_pinned():
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = RUN.with_name(name).read_text().splitlines()
        wanted = [line for line in lines if line and not line.startswith("#")]
        assert wanted and all("==" in line for line in wanted)


@pytest.fixture
def auditing(run, monkeypatch):
    """run.audit with a pip and a pip-audit that answer as told; what they were asked."""
    asked = []

    def answering(**told):
        def answer(command, **_):
            asked.append(command)
            name = "there" if "import pip_audit" in command else "pip" if "pip" in command else "ask"
            code, out, err = told.get(name, (0, "", ""))
            return subprocess.CompletedProcess(command, code, out, err)

        monkeypatch.setattr(subprocess, "run", answer)
        return asked

    return answering


def test_an_audit_asks_about_what_both_lists_pin_and_tells_what_it_heard(run, auditing, capsys):
    asked = auditing(ask=(1, "flask 1.0 has a hole\n", ""))
    assert run.audit([]) == 1
    assert "flask 1.0 has a hole" in capsys.readouterr().out
    assert len(asked) == 2
    assert [word for word in asked[-1] if word.endswith(".txt")] == [
        str(RUN.with_name(name)) for name in ("requirements.txt", "requirements-dev.txt")]


def test_the_auditor_is_fetched_once_and_changes_no_pinned_package(run, auditing):
    asked = auditing(there=(1, "", "No module"))
    assert run.audit([]) == 0
    assert run.AUDITOR in asked[1] and asked[1].count("-c") == 2


@pytest.mark.parametrize("told", [
    {"there": (1, "", ""), "pip": (1, "", "no network")}, {"ask": (1, "", "NewConnectionError(...)")},
])
def test_an_audit_without_the_internet_says_what_to_do(run, auditing, told):
    auditing(**told)
    with pytest.raises(run.Trouble, match="needs the internet"):
        run.audit([])


def test_nothing_that_bandit_finds_is_left_unsaid():
    command = [sys.executable, "-m", "bandit", "-q", "-c", "pyproject.toml", "-r", "run.py", "shared/vault.py"]
    done = subprocess.run(command, cwd=RUN.parent, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0, done.stdout
    for path in [RUN, *(one for top in ("shared", "odst", "setup_tool") for one in (RUN.parent / top).rglob("*.py"))]:
        for line in path.read_text("utf-8").splitlines():
            if "# nosec" in line:
                assert re.search(r"# nosec B\d{3}  # \S", line), f"{path.name}: say which and why: {line.strip()}"
