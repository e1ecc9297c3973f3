"""Passwords and names: what is allowed, and that hashing tells nothing and stays within its memory."""

from __future__ import annotations

import subprocess
import sys
import threading
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.errors import BadInput, Overloaded
from shared.security.passwords import Passwords, clean_password, clean_username, fold_username

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def quick() -> Passwords:
    """Real argon2id with little memory."""
    return Passwords(memory_kib=64)


def test_a_password_fits_its_hash_and_no_other(quick: Passwords) -> None:
    hashed = quick.hash("correct horse battery")
    assert hashed.startswith("$argon2id$")
    assert quick.fits(hashed, "correct horse battery")
    assert not quick.fits(hashed, "correct horse batterz")
    assert not quick.fits(hashed, "")
    assert hashed != quick.hash("correct horse battery"), "every hash has its own salt"


def test_an_accent_typed_on_another_system_is_the_same_password(quick: Passwords) -> None:
    hashed = quick.hash(clean_password(unicodedata.normalize("NFC", "caféncafén")))
    assert quick.fits(hashed, unicodedata.normalize("NFD", "caféncafén"))


def test_an_unknown_user_costs_a_whole_hash_too() -> None:
    done = []
    passwords = Passwords(memory_kib=64, run=lambda deed, *args: (done.append(deed.__name__), deed(*args))[1])
    hashed = passwords.hash("correct horse battery")
    assert not passwords.fits(hashed, "the first one makes nobody's hash")
    done.clear()
    assert not passwords.fits(None, "correct horse battery")
    unknown, done[:] = list(done), []
    assert not passwords.fits(hashed, "wrong horse battery")
    assert unknown == done == ["_verify"]


@pytest.mark.parametrize("password", ["x" * 100_000, "\ud800" * 12, "", "\0" * 12])
def test_a_password_that_nobody_can_have_is_hashed_all_the_same(quick: Passwords, password: str) -> None:
    assert not quick.fits(quick.hash("correct horse battery"), password)


def test_a_long_password_does_not_fit_by_its_beginning(quick: Passwords) -> None:
    longest = "p" * 1024
    hashed = quick.hash(clean_password(longest))
    assert quick.fits(hashed, longest)
    assert not quick.fits(hashed, longest + "p")


def test_a_hash_of_another_kind_fits_nothing(quick: Passwords) -> None:
    assert not quick.fits("plaintext password", "plaintext password")


def test_a_hash_with_other_parameters_is_outdated(quick: Passwords) -> None:
    hashed = quick.hash("correct horse battery")
    assert not quick.outdated(hashed)
    assert Passwords(memory_kib=128).outdated(hashed)


@pytest.mark.parametrize("password", ["", "short", "123456789", "x" * 1025, "\ud800" * 12])
def test_passwords_too_short_or_too_long_are_refused(password: str) -> None:
    with pytest.raises(BadInput):
        clean_password(password)


@pytest.mark.parametrize("password", ["1234567890", "          ", "пароль пароль", "🎵" * 10, "x" * 1024])
def test_ten_characters_are_the_only_rule(password: str) -> None:
    assert clean_password(password)


@pytest.mark.parametrize("name", ["", "   ", "\t", "a\nb", "a\0b", "a\u202eb", "a\u200bb", "x" * 65, "a\u2028b",
                                  "\ud800", "a\x7fb"])
def test_names_that_deceive_are_refused(name: str) -> None:
    with pytest.raises(BadInput):
        clean_username(name)


def test_names_are_trimmed_and_kept_as_written() -> None:
    assert clean_username("  Åsa Öberg ") == "Åsa Öberg"
    assert clean_username("名前") == "名前"


@given(st.text(max_size=64))
def test_a_clean_name_stays_itself_and_folds_steadily(name: str) -> None:
    try:
        clean = clean_username(name)
    except BadInput:
        return
    assert clean_username(clean) == clean
    assert fold_username(clean.upper()) == fold_username(fold_username(clean.upper()))


def test_only_a_few_hashes_run_at_once_and_a_crowd_is_sent_away() -> None:
    inside = threading.Semaphore(0)
    go_on = threading.Event()
    peak: list[int] = []
    running: list[int] = []

    def slow(deed: object, *args: object) -> str:
        running.append(1)
        peak.append(len(running))
        inside.release()
        go_on.wait(10)
        running.pop()
        return "hash"

    passwords = Passwords(at_once=2, waiting=3, run=slow)
    threads = [threading.Thread(target=passwords.hash, args=("x",)) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert inside.acquire(timeout=10) and inside.acquire(timeout=10)
    deadline = threading.Event()
    while passwords._waiting._value:  # type: ignore[attr-defined]
        deadline.wait(0.01)
    with pytest.raises(Overloaded):
        passwords.hash("one too many")
    go_on.set()
    for thread in threads:
        thread.join()
    assert max(peak) == 2
    assert passwords.hash("again") == "hash"


def test_who_waits_too_long_is_sent_away() -> None:
    go_on, inside = threading.Event(), threading.Event()

    def slow(deed: object, *args: object) -> str:
        inside.set()
        go_on.wait(10)
        return "hash"

    passwords = Passwords(at_once=1, patience_s=0.01, run=slow)
    first = threading.Thread(target=passwords.hash, args=("x",))
    first.start()
    assert inside.wait(10)
    with pytest.raises(Overloaded):
        passwords.hash("y")
    go_on.set()
    first.join()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_many_threads_logging_in_leave_no_memory_behind() -> None:
    """In a process of its own: 24 threads hash with the real parameters; 19 MiB each would stay 456 MiB."""
    script = """
import threading
from shared.security.passwords import Passwords
def resident_mib():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20
passwords = Passwords()
before = resident_mib()
barrier = threading.Barrier(24)
def log_in():
    passwords.hash("correct horse battery")
    barrier.wait()
threads = [threading.Thread(target=log_in) for _ in range(24)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(resident_mib() - before)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 40
