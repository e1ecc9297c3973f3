"""The station's own key: made once, for this user alone, never over another, and missed aloud."""

from __future__ import annotations

import base64
import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from shared.model.errors import BadInput
from shared.security.identity import KEY_FILE, TRACE_FILE, Identity, IdentityLost, fingerprint_of, verify

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity(folder=tmp_path / "identity")


def spki(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def in_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_nothing_is_made_before_somebody_asks(tmp_path: Path, identity: Identity) -> None:
    assert not identity.made() and not (tmp_path / "identity").exists()
    identity.fingerprint
    assert identity.made()


def test_the_fingerprint_is_the_hash_of_the_public_key_as_others_reckon_it(identity: Identity) -> None:
    public = spki(identity.key().public_key())
    assert identity.public_key == in_base64url(public)
    assert identity.fingerprint == in_base64url(hashlib.sha256(public).digest()) == fingerprint_of(identity.public_key)
    assert len(identity.fingerprint) == 43


def test_a_station_stays_who_it_is(identity: Identity) -> None:
    assert Identity(folder=identity.folder).fingerprint == identity.fingerprint


def test_two_stations_are_not_one(tmp_path: Path) -> None:
    assert Identity(folder=tmp_path / "a").fingerprint != Identity(folder=tmp_path / "b").fingerprint


@posix
def test_the_key_is_for_this_user_alone_and_is_closed_when_it_stands_open(identity: Identity) -> None:
    identity.fingerprint
    path = identity.folder / KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600 and identity.folder.stat().st_mode & 0o777 == 0o700
    path.chmod(0o644)
    Identity(folder=identity.folder).fingerprint
    assert path.stat().st_mode & 0o777 == 0o600


def test_threads_that_ask_at_once_get_one_key(identity: Identity) -> None:
    found: list[str] = []
    others = [Identity(folder=identity.folder) for _ in range(8)]
    threads = [threading.Thread(target=lambda one=one: found.append(one.fingerprint)) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and set(found) == {identity.fingerprint}


def ask(folder: Path, told: multiprocessing.Queue[str]) -> None:
    told.put(Identity(folder=folder).fingerprint)


def test_processes_that_ask_at_once_get_one_key(tmp_path: Path) -> None:
    ways = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    told = ways.Queue()
    processes = [ways.Process(target=ask, args=(tmp_path / "identity", told)) for _ in range(6)]
    for process in processes:
        process.start()
    found = {told.get(timeout=30) for _ in processes}
    for process in processes:
        process.join()
    assert found == {Identity(folder=tmp_path / "identity").fingerprint}


# ---- signatures ---------------------------------------------------------------------------------------------------


@given(st.binary(max_size=200))
def test_what_the_station_signed_is_known_again(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    identity = Identity(folder=tmp_path_factory.getbasetemp() / "signing")
    signature = identity.sign(data)
    assert len(signature) == 64 and verify(identity.public_key, data, signature)
    assert not verify(identity.public_key, data + b"\0", signature)


def test_a_signature_holds_for_no_other_station_and_no_other_bytes(tmp_path: Path, identity: Identity) -> None:
    signature = identity.sign(b"music")
    assert not verify(Identity(folder=tmp_path / "other").public_key, b"music", signature)
    for place in (0, 31, 32, 63):
        bent = bytearray(signature)
        bent[place] ^= 1
        assert not verify(identity.public_key, b"music", bytes(bent))
    for wrong in (b"", signature[:63], signature + b"\0", b"\0" * 64, b"\xff" * 64):
        assert not verify(identity.public_key, b"music", wrong)


def test_what_could_be_a_certificate_is_signed_for_nobody(identity: Identity) -> None:
    for der in (b"\x30\x00", b"\x30\x03abc", b"\x30\x81\x80" + b"a" * 128, b"\x30\x82\x01\x00" + b"a" * 256):
        with pytest.raises(ValueError):
            identity.sign(der)
    assert identity.sign(b"0 is how this text begins")


@given(st.text(max_size=300), st.binary(max_size=80))
def test_no_text_from_outside_breaks_the_check(key: str, signature: bytes) -> None:
    assert not verify(key, b"music", signature)
    with pytest.raises(BadInput):
        fingerprint_of(key)


def test_keys_of_other_kinds_and_other_spellings_are_refused(identity: Identity) -> None:
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    compressed = identity.key().public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    for wrong in (in_base64url(spki(other)), in_base64url(compressed), identity.public_key + "=",
                  identity.public_key.replace("-", "+").replace("_", "/") + " ", identity.public_key[:-4]):
        with pytest.raises(BadInput):
            fingerprint_of(wrong)


# ---- lost, damaged, cut off ----------------------------------------------------------------------------------------


def test_a_lost_key_is_explained_and_not_made_anew(identity: Identity) -> None:
    identity.fingerprint
    (identity.folder / TRACE_FILE).write_text("signed by the key that is gone")
    (identity.folder / KEY_FILE).unlink()
    with pytest.raises(IdentityLost, match=r"(?s)gone.*paired again.*install") as told:
        Identity(folder=identity.folder).fingerprint
    assert str(identity.folder) in told.value.message
    assert not (identity.folder / KEY_FILE).exists()


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN PRIVATE KEY-----\n", b"\0" * 300, "other", "sealed"])
def test_a_damaged_key_is_explained_and_left_alone(identity: Identity, damage: bytes | str) -> None:
    if damage == "other":
        damage = ec.generate_private_key(ec.SECP384R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    elif damage == "sealed":
        from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

        damage = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))
    assert isinstance(damage, bytes)
    identity.folder.mkdir()
    path = identity.folder / KEY_FILE
    path.write_bytes(damage)
    with pytest.raises(IdentityLost, match="damaged"):
        identity.public_key
    assert path.read_bytes() == damage


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser reads everything")
def test_a_key_that_may_not_be_read_is_explained(identity: Identity) -> None:
    identity.fingerprint
    identity.folder.chmod(0o000)
    try:
        with pytest.raises(IdentityLost, match="permissions"):
            Identity(folder=identity.folder).fingerprint
    finally:
        identity.folder.chmod(0o700)


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(IdentityLost, match="cannot be read or made"):
        Identity(folder=tmp_path / "file" / "identity").fingerprint


MAKING = """
import sys, pathlib
from shared.security.identity import Identity
print("ready", flush=True)
sys.stdin.readline()
print(Identity(folder=pathlib.Path(sys.argv[1])).fingerprint, flush=True)
"""


@posix
@pytest.mark.parametrize("after_ms", [0, 1, 2, 4, 8, 16])
def test_a_kill_during_the_making_leaves_no_half_key(tmp_path: Path, after_ms: int) -> None:
    folder = tmp_path / "identity"
    process = subprocess.Popen([sys.executable, "-c", MAKING, str(folder)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdin and process.stdout and process.stdout.readline() == "ready\n"
    process.stdin.write("\n")
    process.stdin.flush()
    time.sleep(after_ms / 1000)
    os.kill(process.pid, signal.SIGKILL)
    told = process.communicate()[0].strip()
    found = Identity(folder=folder).fingerprint
    assert len(found) == 43 and told in ("", found)


def test_what_a_killed_process_left_is_removed_once_it_is_old(identity: Identity) -> None:
    identity.folder.mkdir()
    old, new = identity.folder / ".station.key.0000.part", identity.folder / ".station.key.1111.part"
    for part in (old, new):
        part.write_text("half a key")
    os.utime(old, (1, 1))
    identity.fingerprint
    assert not old.exists() and new.exists()
