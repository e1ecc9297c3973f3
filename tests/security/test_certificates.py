"""The station's certificates: taken by whoever trusts the station, good for nothing else, and never in the way."""

from __future__ import annotations

import ipaddress
import logging
import multiprocessing
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from shared.model.errors import NotFound
from shared.security.certificates import (
    AUTHORITY_FILE,
    LEAF_FILE,
    LEAF_KEY_FILE,
    BadCertificate,
    Certificates,
    bare_is_safe,
    check_own,
    permitted,
)
from shared.security.identity import KEY_FILE, Identity
from tests.patience import some
from tests.security.paper import Signed, handshake, sign

DAY_S = 86_400.0
HOSTS = ["soundsible.local", "mac-mini.local", "mac-mini", "music.lan", "nas"]
ADDRESSES = ["192.168.1.20", "100.101.102.103", "fd7a:115c:a1e0::5"]
posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no modes and no SIGKILL")


class House:
    """One station's certificates, its clock and its network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = time.time()
        self.names, self.addresses = list(HOSTS), list(ADDRESSES)
        self.changes = 0

    def open(self, own: tuple[Path, Path] | None = None, **more: object) -> Certificates:
        made = Certificates(
            identity=Identity(folder=self.folder), folder=self.folder, names=lambda: (self.names, self.addresses),
            own=own, clock=lambda: self.now, on_change=self._changed, title="nas", **more)  # type: ignore[arg-type]
        made.look()
        return made

    def _changed(self) -> None:
        self.changes += 1

    def leaf(self) -> x509.Certificate:
        return x509.load_pem_x509_certificates((self.folder / LEAF_FILE).read_bytes())[0]

    def authority(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.folder / AUTHORITY_FILE).read_bytes())

    def signing(self) -> Signed:
        """The authority as a thief has it."""
        return Signed(self.authority(), Identity(folder=self.folder).key())


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "identity")


def saved(folder: Path, one: Signed, *chain: Signed, name: str = "stolen") -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    certificate.write_bytes(b"".join(each.pem for each in (one, *chain)))
    key.write_bytes(one.key_pem())
    return certificate, key


# ---- taken by whoever trusts the station ----------------------------------------------------------------------------


@pytest.mark.parametrize("host", [*HOSTS, *ADDRESSES, "localhost", "127.0.0.1", "::1"])
def test_who_installed_the_authority_takes_every_name_and_address_of_the_station(house: House, host: str) -> None:
    made = house.open()
    files = made.files()
    assert files is not None
    handshake(*files, made.authority(), host)


def test_who_did_not_install_it_takes_none(house: House, tmp_path: Path) -> None:
    files = house.open().files()
    other = House(tmp_path / "other").open()
    assert files is not None
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(*files, other.authority(), "localhost")


def test_another_name_is_not_covered(house: House) -> None:
    made = house.open()
    files = made.files()
    assert files is not None
    for host in ("other.local", "192.168.1.21", "8.8.8.8", "example.com"):
        with pytest.raises(ssl.SSLCertVerificationError, match=r"mismatch|not valid for"):
            handshake(*files, made.authority(), host)


def test_the_certificates_say_what_browsers_want_to_read(house: House) -> None:
    house.open()
    leaf, authority = house.leaf(), house.authority()
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and constraints.value.ca and constraints.value.path_length == 0
    assert authority.extensions.get_extension_for_class(x509.NameConstraints).critical
    usage = authority.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign and not usage.digital_signature
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH]
    assert timedelta(days=390) < leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=397)
    assert "nas" in authority.subject.rfc4514_string()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here")
def test_openssl_itself_finds_nothing_to_complain_of(house: House) -> None:
    house.open()
    said = subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile",
                           str(house.folder / AUTHORITY_FILE), str(house.folder / LEAF_FILE)],
                          capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def test_two_stations_have_authorities_of_two_names(house: House, tmp_path: Path) -> None:
    house.open()
    other = House(tmp_path / "other")
    other.open()
    assert house.authority().subject != other.authority().subject


# ---- good for nothing else ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [
    "example.com", "www.example.com", "bank.music", "localhost.example.com", "notlocal", "evil-local", "box",
    "8.8.8.8", "172.32.0.1", "192.169.0.1", "11.0.0.1", "100.128.0.1", "2001:4860:4860::8888", "2606:4700::1111",
])
def test_a_stolen_key_speaks_for_nobody_outside(house: House, tmp_path: Path, host: str) -> None:
    made = house.open()
    stolen = sign(house.signing(), host, begins=datetime.now(UTC) - timedelta(days=1))
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake(*saved(tmp_path, stolen), made.authority(), host)


def test_a_stolen_key_does_not_slip_a_stranger_in_between_names_of_its_own(house: House, tmp_path: Path) -> None:
    made = house.open()
    stolen = sign(house.signing(), "soundsible.local", "example.com", begins=datetime.now(UTC) - timedelta(days=1))
    for host in ("example.com", "soundsible.local"):
        with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
            handshake(*saved(tmp_path, stolen), made.authority(), host)


def test_a_stolen_key_makes_no_further_authorities(house: House, tmp_path: Path) -> None:
    made = house.open()
    begins = datetime.now(UTC) - timedelta(days=1)
    between = sign(house.signing(), name="between", ca=True, begins=begins)
    stolen = sign(between, "example.com", begins=begins)
    at_home = sign(between, "soundsible.local", begins=begins)
    for one, host in ((stolen, "example.com"), (at_home, "soundsible.local")):
        with pytest.raises(ssl.SSLCertVerificationError, match=r"path length|subtree"):
            handshake(*saved(tmp_path, one, between), made.authority(), host)


def test_a_leaf_signs_nothing(house: House, tmp_path: Path) -> None:
    made = house.open()
    files = made.files()
    assert files is not None
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(files[1].read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    leaf = Signed(house.leaf(), key)
    stolen = sign(leaf, "soundsible.local", begins=datetime.now(UTC) - timedelta(days=1))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(*saved(tmp_path, stolen, leaf), made.authority(), "soundsible.local")


def test_names_and_addresses_of_the_internet_stay_out_of_the_leaf(house: House) -> None:
    house.names += ["music.example.org", "example.com", "box", "*.local", "a b.local", "ünïcode.local", "", "x" * 300]
    house.addresses += ["8.8.8.8", "2001:db8::1", "no address", "fe80::1%eth0", "::ffff:10.1.2.3"]
    served = house.open().served
    assert served is not None
    assert set(served.names) == {*HOSTS, "localhost"}
    assert set(served.addresses) == {*ADDRESSES, "127.0.0.1", "::1", "fe80::1", "10.1.2.3"}


def test_a_machine_that_is_called_like_a_top_level_domain_gets_no_authority_over_it(house: House) -> None:
    house.names = ["music", "bank", "dev", "xn--p1ai", "nas", "mac-mini", "box3"]
    house.open()
    domains, _ = permitted(house.authority())
    assert {"nas", "mac-mini", "box3"} <= set(domains)
    assert not {"music", "bank", "dev", "xn--p1ai"} & set(domains)


@given(st.text(max_size=80))
def test_no_bare_name_that_could_be_a_top_level_domain_is_safe(text: str) -> None:
    if bare_is_safe(text):
        assert "." not in text and not text.lower().startswith("xn--")
        assert any(one.isdigit() or one == "-" for one in text) or text.isalpha()


@given(st.lists(st.one_of(st.text(max_size=70), st.sampled_from(["a.local", "b.example.com", "10.0.0.1"])), max_size=6))
def test_no_name_from_the_network_breaks_the_making(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    house = House(tmp_path_factory.getbasetemp() / "any-names")
    house.names, house.addresses = names, names
    made = house.open()
    assert made.problem == "" and made.files() is not None
    assert {"a.local"} & set(names) <= set(made.describe()["names"])


@given(st.text(max_size=200))
def test_no_name_of_a_station_breaks_the_making(tmp_path_factory: pytest.TempPathFactory, title: str) -> None:
    folder = tmp_path_factory.mktemp("named")
    made = Certificates(identity=Identity(folder=folder), folder=folder, names=lambda: ([], []), title=title)
    made.look()
    assert made.problem == "" and made.files() is not None and made.describe()["name"].isprintable()


# ---- looked after by itself -----------------------------------------------------------------------------------------


def test_the_leaf_is_kept_while_it_is_good(house: House) -> None:
    made = house.open()
    first = house.leaf()
    house.now += 200 * DAY_S
    made.look()
    assert house.leaf() == first and house.changes == 1
    again = house.open()
    assert house.leaf() == first and again.served == made.served


def test_the_leaf_is_renewed_when_a_third_of_its_time_is_left(house: House) -> None:
    made = house.open()
    first, authority = house.leaf(), house.authority()
    house.now += 270 * DAY_S
    made.look()
    assert house.leaf().not_valid_after_utc > first.not_valid_after_utc + timedelta(days=260)
    assert house.authority() == authority and house.changes == 2
    assert house.leaf().public_key() == first.public_key()


def test_a_new_name_or_address_brings_a_new_leaf_and_an_old_one_that_went_none(house: House) -> None:
    made = house.open()
    house.addresses.append("10.8.0.2")
    made.look()
    served = made.served
    assert served is not None and served.covers("10.8.0.2") and house.changes == 2
    house.addresses.remove("10.8.0.2")
    made.look()
    house.addresses.append("10.8.0.2")
    made.look()
    assert house.changes == 2
    house.names.append("other.lan")
    made.look()
    served = made.served
    assert served is not None and served.covers("other.lan") and served.covers("10.8.0.2")
    files = made.files()
    assert files is not None
    handshake(*files, made.authority(), "other.lan")


def test_the_leaf_does_not_grow_for_ever(house: House) -> None:
    made = house.open()
    for number in range(0, 250, 10):
        house.addresses = [f"10.0.{number}.{last}" for last in range(10)]
        made.look()
    served = made.served
    assert served is not None and len(served.addresses) == 64 and set(house.addresses) <= set(served.addresses)


def test_devices_that_know_the_old_authority_take_leaves_of_the_renewed_one(house: House) -> None:
    old = house.open().authority()
    first = house.authority()
    house.now += 3000 * DAY_S       # the real clock, by which OpenSSL looks, is not moved: see below
    made = house.open()
    assert house.authority() != first and house.authority().not_valid_after_utc > first.not_valid_after_utc
    house.now -= 3000 * DAY_S
    made.look()
    files = made.files()
    assert files is not None and house.leaf().not_valid_before_utc < datetime.now(UTC)
    handshake(*files, old, "soundsible.local")
    handshake(*files, made.authority(), "soundsible.local")


@pytest.mark.parametrize("damage", [b"", b"no certificate", b"\0" * 500,
                                    b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
@pytest.mark.parametrize("name", [AUTHORITY_FILE, LEAF_FILE, LEAF_KEY_FILE])
def test_what_is_damaged_is_made_anew_and_trusted_as_before(house: House, name: str, damage: bytes) -> None:
    before = house.open().authority()
    (house.folder / name).write_bytes(damage)
    made = house.open()
    files = made.files()
    assert files is not None and made.problem == ""
    handshake(*files, before, "soundsible.local")
    handshake(*files, made.authority(), "soundsible.local")


@pytest.mark.parametrize("name", [AUTHORITY_FILE, LEAF_FILE, LEAF_KEY_FILE])
def test_what_is_gone_is_made_anew_and_trusted_as_before(house: House, name: str) -> None:
    before = house.open().authority()
    (house.folder / name).unlink()
    files = house.open().files()
    assert files is not None
    handshake(*files, before, "soundsible.local")


def test_an_authority_without_bounds_is_not_used(house: House) -> None:
    house.open()
    key = Identity(folder=house.folder).key()
    unbound = sign(None, name="Soundsible", ca=True, key=key)
    (house.folder / AUTHORITY_FILE).write_bytes(unbound.pem)
    house.open()
    assert house.authority() != unbound.certificate and permitted(house.authority())[0]


@posix
def test_keys_are_for_this_user_alone_and_closed_when_they_stand_open(house: House) -> None:
    made = house.open()
    for name in (KEY_FILE, LEAF_KEY_FILE):
        path = house.folder / name
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o640)
        made.look()
        assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_secret_is_logged(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    house.open()
    (house.folder / LEAF_KEY_FILE).write_bytes(b"-----BEGIN PRIVATE KEY-----\nZGFtYWdlZCBrZXk\n-----END PRIVATE KEY---")
    house.open()
    lines = [*(house.folder / KEY_FILE).read_text().splitlines(), "ZGFtYWdlZCBrZXk"]
    assert caplog.text and not any(line in caplog.text for line in lines[1:])


# ---- clocks ---------------------------------------------------------------------------------------------------------


def test_with_a_clock_that_cannot_be_right_nothing_is_made_and_that_is_said(house: House) -> None:
    right, house.now = house.now, 86_400.0
    made = house.open()
    assert made.files() is None and "clock says 1970" in made.problem and not (house.folder / LEAF_FILE).exists()
    house.now = right
    made.look()
    assert made.files() is not None and made.problem == "" and house.changes == 1


def test_with_a_clock_that_cannot_be_right_the_stored_certificate_serves(house: House) -> None:
    house.open()
    leaf, house.now = house.leaf(), 0.0
    made = house.open()
    assert made.files() is not None and house.leaf() == leaf and made.problem == ""


@pytest.mark.parametrize("years", [5, 20, 300])
def test_a_clock_that_ran_ahead_does_no_lasting_harm(house: House, years: int) -> None:
    old = house.open().authority()
    right, house.now = house.now, house.now + years * 365 * DAY_S
    made = house.open()
    house.now = right
    made.look()
    files = made.files()
    assert files is not None
    handshake(*files, old, "soundsible.local")


@pytest.mark.parametrize("now", [-1e18, 1e18, float("nan"), float("inf")])
def test_no_clock_at_all_is_survived(house: House, now: float) -> None:
    house.now = now
    made = house.open()
    assert made.files() is None and "clock" in made.problem


# ---- cut off, at once, lost -----------------------------------------------------------------------------------------

MAKING = """
import os, sys, pathlib, signal
from shared.security.certificates import Certificates
from shared.security.identity import Identity
folder, hosts, last = pathlib.Path(sys.argv[1]), sys.argv[2].split(), int(sys.argv[3])
steps = 0
def count(event, given):
    global steps
    if event in ("open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.chmod") and str(folder) in str(given):
        steps += 1
        if steps == last:
            os.kill(os.getpid(), signal.SIGKILL)
made = Certificates(identity=Identity(folder=folder), folder=folder, names=lambda: (hosts, []))
sys.addaudithook(count)
made.look()
print(steps, flush=True)
"""


def made_until(folder: Path, hosts: str, last: int) -> int | None:
    """Let another process make certificates, and kill it before its step `last` in the folder; the number of its
    steps when it came to its end."""
    done = subprocess.run([sys.executable, "-c", MAKING, str(folder), hosts, str(last)], capture_output=True, text=True,
                          check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return int(done.stdout) if done.returncode == 0 else None


@posix
def test_a_kill_before_any_step_leaves_the_old_or_the_new_whole(tmp_path: Path) -> None:
    first = made_until(tmp_path / "first", "one.local", -1)
    again = made_until(tmp_path / "first", "two.local", -1)
    assert first and again and first > 10 and again > 5
    for step in some(range(1, first + 1), 8):
        house = House(tmp_path / f"making-{step}")
        assert made_until(house.folder, "one.local", step) is None
        made = house.open()
        files = made.files()
        assert files is not None and made.problem == ""
        handshake(*files, made.authority(), "soundsible.local")
    house = House(tmp_path / "first")
    authority = house.authority().public_bytes(Encoding.DER)
    for step in some(range(1, again + 1), 6):
        assert made_until(house.folder, f"step-{step}.local", step) is None
        # Who reads the files now, as the TLS process does, gets the old leaf or the new one, and its key.
        handshake(house.folder / LEAF_FILE, house.folder / LEAF_KEY_FILE, authority, "two.local")
        made = house.open()
        assert made.authority() == authority and made.problem == ""


def make(folder: Path, told: multiprocessing.Queue[str]) -> None:
    house = House(folder)
    told.put(house.open().describe()["fingerprint"])


def test_two_processes_at_once_end_with_one_authority(house: House) -> None:
    ways = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    told = ways.Queue()
    processes = [ways.Process(target=make, args=(house.folder, told)) for _ in range(4)]
    for process in processes:
        process.start()
    found = {told.get(timeout=30) for _ in processes}
    for process in processes:
        process.join()
    made = house.open()
    files = made.files()
    assert found == {made.describe()["fingerprint"]} and files is not None
    handshake(*files, made.authority(), "localhost")


def test_a_lost_key_is_said_and_the_station_goes_on_without_https(house: House) -> None:
    house.open()
    (house.folder / KEY_FILE).unlink()
    made = house.open()
    assert made.files() is None and "gone" in made.problem and made.describe()["fingerprint"] == ""
    assert not (house.folder / KEY_FILE).exists()
    made.start()
    made.stop()


def test_a_folder_that_cannot_be_written_is_said(house: House) -> None:
    house.folder.parent.mkdir(exist_ok=True)
    house.folder.write_text("a file")
    made = house.open()
    assert made.files() is None and str(house.folder) in made.problem


def test_the_thread_looks_when_it_is_told_and_ends(house: House) -> None:
    looked = threading.Event()
    made = Certificates(identity=Identity(folder=house.folder), folder=house.folder,
                        names=lambda: (house.names, []), clock=lambda: house.now, on_change=looked.set)
    made.start()
    try:
        assert looked.wait(30)
        looked.clear()
        house.names = ["new.local"]
        made.look_soon()
        assert looked.wait(30) and made.describe()["names"][:2] == ["localhost", "new.local"]
    finally:
        made.stop()
    assert not any(thread.name == "certificates" for thread in threading.enumerate())


def test_without_https_nothing_is_made(house: House) -> None:
    made = Certificates(identity=Identity(folder=house.folder), folder=house.folder, names=lambda: ([], []),
                        enabled=False)
    made.start()
    assert made.files() is None and not house.folder.exists()
    with pytest.raises(NotFound):
        made.authority()


def test_what_is_told_to_everybody_is_what_systems_show(house: House) -> None:
    made = house.open()
    told = made.describe()
    assert told["https"] and told["own_authority"] and told["fingerprint"] == Identity(folder=house.folder).fingerprint
    assert told["authority_sha256"] == house.authority().fingerprint(hashes.SHA256()).hex(":").upper()
    assert datetime.fromisoformat(told["expires_at"]) == house.leaf().not_valid_after_utc
    assert set(HOSTS) < set(told["names"]) and set(ADDRESSES) < set(told["addresses"])
    assert ipaddress.ip_address(told["addresses"][0]).is_loopback


# ---- a certificate that the owner brings ----------------------------------------------------------------------------


@pytest.fixture
def outside() -> Signed:
    """An authority that is none of ours."""
    return sign(None, name="outside", ca=True, days=900, begins=datetime.now(UTC) - timedelta(days=30))


def brought(outside: Signed, *hosts: str, ends_in_days: float = 60) -> Signed:
    return sign(outside, *(hosts or ("music.example.org",)), begins=datetime.now(UTC) - timedelta(days=20),
                days=20 + ends_in_days)


def test_the_owners_certificate_is_used_instead_and_nothing_of_our_own_is_made(
    house: House, tmp_path: Path, outside: Signed
) -> None:
    own = saved(tmp_path, brought(outside, "music.example.org", "*.example.net"), outside)
    made = house.open(own)
    assert made.files() == own and made.problem == "" and not (house.folder / LEAF_FILE).exists()
    told, served = made.describe(), made.served
    assert told["https"] and not told["own_authority"] and told["authority_sha256"] == ""
    assert served is not None and served.covers("music.example.org") and served.covers("a.example.net")
    assert not served.covers("a.b.example.net") and not served.covers("example.net")
    with pytest.raises(NotFound, match="nothing to install"):
        made.authority()


def test_one_file_may_hold_both(house: House, tmp_path: Path, outside: Signed) -> None:
    one = brought(outside)
    both = tmp_path / "both.pem"
    both.write_bytes(one.key_pem() + one.pem + outside.pem)
    assert house.open((both, both)).files() == (both, both)


def trouble(what: str, folder: Path, outside: Signed) -> tuple[Path, Path]:
    one = brought(outside)
    certificate, key = saved(folder, one, outside)
    match what:
        case "no certificate":
            certificate.unlink()
        case "no key":
            key.unlink()
        case "a folder":
            certificate.unlink()
            certificate.mkdir()
        case "another key":
            key.write_bytes(brought(outside).key_pem())
        case "the chain first":
            certificate.write_bytes(outside.pem + one.pem)
        case "a locked key":
            key.write_bytes(one.key_pem(b"word"))
        case "DER":
            certificate.write_bytes(one.certificate.public_bytes(Encoding.DER))
        case "swapped":
            return key, certificate
        case "no names":
            return saved(folder, sign(outside, begins=datetime.now(UTC)), outside)
        case "half a file":
            certificate.write_bytes(certificate.read_bytes()[:200])
        case "half a key":
            key.write_bytes(key.read_bytes()[:100])
    return certificate, key


TROUBLES = {
    "no certificate": "no file .*setting certificate", "no key": "no file .*setting certificate_key",
    "a folder": "cannot be read", "another key": "not the key of the certificate", "the chain first": "Put it first",
    "a locked key": "locked with a password.*openssl pkey", "DER": "no PEM file.*openssl x509",
    "swapped": "holds no certificate", "no names": "names no host", "half a file": "holds no certificate",
    "half a key": "holds no private key",
}


@pytest.mark.parametrize("what", TROUBLES)
def test_what_is_wrong_with_the_owners_certificate_is_said_and_the_stations_own_serves(
    house: House, tmp_path: Path, outside: Signed, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    own = trouble(what, tmp_path, outside)
    with pytest.raises(BadCertificate, match=f"(?s){TROUBLES[what]}"):
        check_own(*own)
    made = house.open(own)
    files = made.files()
    assert "station's own certificate is used meanwhile" in made.problem and files is not None
    handshake(*files, made.authority(), "soundsible.local")
    assert made.problem in caplog.text and "PRIVATE KEY" not in caplog.text


def test_a_renewed_certificate_is_taken_up_and_a_broken_one_is_not(
    house: House, tmp_path: Path, outside: Signed, caplog: pytest.LogCaptureFixture
) -> None:
    own = saved(tmp_path, brought(outside), outside)
    made = house.open(own)
    first = made.served
    made.look()
    assert house.changes == 1
    own[0].write_bytes(b"half")
    made.look()
    assert made.served == first and house.changes == 1 and "the one before stays in use" in made.problem
    made.look()
    assert caplog.text.count("the one before stays in use") == 1
    saved(tmp_path, brought(outside, "music.example.org", "new.example.org", ends_in_days=80), outside)
    made.look()
    assert made.served is not None and made.served.covers("new.example.org")
    assert house.changes == 2 and made.problem == ""


def test_a_renewal_behind_links_is_noticed(house: House, tmp_path: Path, outside: Signed) -> None:
    first = saved(tmp_path / "archive", brought(outside), outside, name="one")
    live = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
    for link, target in zip(live, first, strict=True):
        link.symlink_to(target)
    made = house.open(live)
    second = saved(tmp_path / "archive", brought(outside, "new.example.org"), outside, name="two")
    for link, target in zip(live, second, strict=True):
        link.unlink()
        link.symlink_to(target)
    made.look()
    assert made.served is not None and made.served.covers("new.example.org") and house.changes == 2


def test_a_certificate_that_ran_out_is_used_and_missed(house: House, tmp_path: Path, outside: Signed) -> None:
    own = saved(tmp_path, brought(outside, ends_in_days=60), outside)
    made = house.open(own)
    assert made.problem == ""
    house.now += 50 * DAY_S
    made.look()
    assert "runs out in" in made.problem and made.files() == own
    house.now += 20 * DAY_S
    made.look()
    assert "ran out on" in made.problem and made.files() == own and house.changes == 1
    house.now = datetime(2026, 1, 2, tzinfo=UTC).timestamp()
    made.look()
    assert "good only from" in made.problem and made.files() == own


def test_a_chain_with_a_gap_is_used_and_said(house: House, tmp_path: Path, outside: Signed) -> None:
    begins = datetime.now(UTC) - timedelta(days=1)
    between = sign(outside, name="between", ca=True, begins=begins)
    last = sign(between, "music.example.org", begins=begins)
    assert "(between)" in house.open(saved(tmp_path, last)).problem
    assert "(outside)" in house.open(saved(tmp_path, last, between)).problem
    assert house.open(saved(tmp_path, last, between, outside)).problem == ""
