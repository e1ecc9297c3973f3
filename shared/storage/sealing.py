"""Encryption of objects before they leave this machine, so that a provider sees neither music nor names.

    header  32 bytes    magic, version, salt
    chunk   65,552 bytes each, the last one shorter: 64 KiB of plain bytes, sealed with a tag of 16 bytes

The chunks follow the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance, CRYPTO 2015): the nonce counts the chunks and marks the last one, so that none can be
left out, moved or cut off, and every chunk opens by itself: a range of an object is read without what lies before it.

A chunk is sealed by AES-256-GCM-SIV (RFC 8452), which bears that a nonce meets two texts: a file that is changed while
it is uploaded, part by part and in any order, would make plain GCM give its key away. It seals 65 MB/s and opens twice
that where GCM does 3,500: more than a home's line carries.

The key of one object is HKDF(seal key, salt), the salt HMAC(seal key, SHA-256 of the plain bytes). The same bytes are
thus sealed to the same object (never uploaded twice, resumed where they stopped), and different bytes never meet the
same key. Who knows the SHA-256 needs no look at the header. Names of objects become HMACs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from shared.model.cloud import CloudFailure
from shared.model.errors import BadInput
from shared.model.units import KIB, Bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

KEY_BYTES = 32
SUFFIX = ".sealed"
CHUNK: Bytes = 64 * KIB         # of plain bytes
TAG: Bytes = 16
HEADER: Bytes = 32
_STORED = CHUNK + TAG
_MAGIC = b"sndseal\x00"
_VERSION = 1
_PURPOSE = b"soundsible sealed object 1"
_CHECK = b"soundsible recovery key 1"
_CHECK_BYTES = 3                # with the key 35 bytes, which fill base32 without padding


class Sealer:
    """Seals and opens with one provider's seal key. Safe from any thread; the readers are not."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError("a seal key has 32 bytes")
        self._key = key

    # ---- sizes: pure arithmetic ------------------------------------------------------------------------------------

    @staticmethod
    def stored_size(plain: Bytes) -> Bytes:
        """What `plain` bytes take in the bucket."""
        return HEADER + plain + TAG * _chunks(plain)

    @staticmethod
    def plain_size(stored: Bytes) -> Bytes:
        """How many bytes are in a sealed object of that size. Raises CloudFailure corrupted when none has it."""
        body = stored - HEADER
        whole, rest = divmod(body, _STORED)
        plain = body - TAG * (whole + (rest > 0))
        if body < TAG or plain < 0 or Sealer.stored_size(plain) != stored:
            raise _corrupted(f"A sealed object cannot have {stored} bytes: its end is missing.")
        return plain

    @staticmethod
    def span(first: Bytes, last: Bytes, plain_size: Bytes) -> tuple[Bytes, Bytes]:
        """The stored bytes (first and last, inclusive) that hold the plain ones from `first` to `last` (inclusive)."""
        begin = HEADER + first // CHUNK * _STORED
        end = HEADER + (max(first, last) // CHUNK + 1) * _STORED - 1
        return begin, min(end, Sealer.stored_size(plain_size) - 1)

    # ---- names and keys --------------------------------------------------------------------------------------------

    def name(self, plain: str) -> str:
        """What an object that would be called `plain` is called when sealed."""
        return hmac.digest(self._key, plain.encode(), "sha256").hex() + SUFFIX

    def _salt(self, sha256: str) -> bytes:
        return hmac.digest(self._key, bytes.fromhex(sha256), "sha256")[:16]

    def _cipher(self, salt: bytes) -> AESGCMSIV:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return AESGCMSIV(HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=salt, info=_PURPOSE).derive(self._key))

    # ---- sealing ---------------------------------------------------------------------------------------------------

    def reader(self, file: BinaryIO, sha256: str) -> SealedReader:
        """The sealed bytes of an open, seekable file whose SHA-256 is `sha256` (hex), to be read, also from anywhere.

        Closing it closes the file. Read from beginning to end it makes sure of the SHA-256 (see SealedReader).
        """
        salt = self._salt(sha256)
        return SealedReader(file, header=_MAGIC + bytes([_VERSION]) + bytes(7) + salt, cipher=self._cipher(salt),
                            sha256=sha256)

    def seal_bytes(self, body: bytes) -> bytes:
        """A small thing, whole."""
        with self.reader(io.BytesIO(body), hashlib.sha256(body).hexdigest()) as reader:
            return reader.read()

    # ---- opening ---------------------------------------------------------------------------------------------------

    def opening(self, chunks: Iterable[bytes], sha256: str, first_plain: Bytes, last_plain: Bytes,
                plain_size: Bytes) -> Iterator[bytes]:
        """The plain bytes from `first_plain` to `last_plain` (inclusive), out of the stored ones of their `span`.

        `chunks` may be cut anywhere. Raises CloudFailure corrupted at the first chunk that is not authentic, or when
        they end too early; bytes that were given out before are right.
        """
        yield from self._open(self._cipher(self._salt(sha256)), chunks, first_plain, last_plain, plain_size)

    def open_file(self, path: Path, target: Path) -> str:
        """Open a whole sealed file into `target` (replaced); the SHA-256 of what came out, in hex.

        Raises CloudFailure corrupted when it was sealed with another key or is damaged; OSError of the files.
        """
        digest = hashlib.sha256()
        with path.open("rb") as file, target.open("wb") as out:
            size = path.stat().st_size
            for piece in self._open_whole(file, size):
                digest.update(piece)
                out.write(piece)
        return digest.hexdigest()

    def open_bytes(self, body: bytes) -> bytes:
        """A small thing, whole. Raises CloudFailure corrupted."""
        return b"".join(self._open_whole(io.BytesIO(body), len(body)))

    def _open_whole(self, file: BinaryIO, size: Bytes) -> Iterator[bytes]:
        header = file.read(HEADER)
        if len(header) < HEADER or not header.startswith(_MAGIC):
            raise _corrupted("This is no sealed object.")
        if header[len(_MAGIC)] != _VERSION:
            raise _corrupted("It was sealed by a newer Soundsible. Bring this one up to date.")
        plain = self.plain_size(size)
        yield from self._open(self._cipher(header[-16:]), iter(lambda: file.read(_STORED), b""), 0, plain - 1, plain)

    @staticmethod
    def _open(cipher: AESGCMSIV, pieces: Iterable[bytes], first: Bytes, last: Bytes, size: Bytes) -> Iterator[bytes]:
        from cryptography.exceptions import InvalidTag

        number, final = first // CHUNK, _chunks(size) - 1
        until = max(first, last) // CHUNK
        waiting = bytearray()
        source = iter(pieces)
        while number <= until:
            want = _STORED if number < final else size - final * CHUNK + TAG
            while len(waiting) < want:
                piece = next(source, None)
                if piece is None:
                    raise _corrupted("A sealed object ends too early.")
                waiting += piece
            try:
                plain = cipher.decrypt(_nonce(number, number == final), bytes(waiting[:want]), None)
            except InvalidTag:
                raise _corrupted("A sealed object is damaged, or was sealed with another key.") from None
            del waiting[:want]
            begin = number * CHUNK
            if plain := plain[max(0, first - begin):last + 1 - begin]:
                yield plain
            number += 1


class SealedReader(io.RawIOBase):
    """The sealed bytes of a file, seekable. `size` is how many.

    Whoever reads it from beginning to end hears with the last bytes (CloudFailure corrupted) when the file was not
    the one of the SHA-256 it was opened for: then it was changed meanwhile, and what came out must not be kept.
    """

    def __init__(self, file: BinaryIO, *, header: bytes, cipher: AESGCMSIV, sha256: str) -> None:
        super().__init__()
        self._file = file
        self._header = header
        self._cipher = cipher
        self._sha256 = sha256
        self._plain = file.seek(0, io.SEEK_END)
        self._final = _chunks(self._plain) - 1
        self.size: Bytes = Sealer.stored_size(self._plain)
        self._at = 0
        self._kept: tuple[int, bytes] = (-1, b"")       # the chunk read last, sealed
        self._hash = hashlib.sha256()
        self._hashed = 0                                # chunks, in order from the first

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def __len__(self) -> int:
        return self.size

    def read(self, size: int | None = -1, /) -> bytes:
        """As many bytes as asked for, fewer only at the end. Raises CloudFailure corrupted, OSError of the file."""
        left = max(0, self.size - self._at)
        if size is not None and size >= 0:
            left = min(left, size)
        parts = []
        while left:
            if self._at < HEADER:
                part = self._header[self._at:self._at + left]
            else:
                number, skip = divmod(self._at - HEADER, _STORED)
                part = self._sealed(number)[skip:skip + left]
            parts.append(part)
            self._at += len(part)
            left -= len(part)
        return b"".join(parts)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        part = self.read(len(buffer))
        buffer[:len(part)] = part
        return len(part)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _sealed(self, number: int) -> bytes:
        if self._kept[0] == number:
            return self._kept[1]
        self._file.seek(number * CHUNK)
        want = min(CHUNK, self._plain - number * CHUNK)
        plain = b""
        while len(plain) < want:
            piece = self._file.read(want - len(plain))
            if not piece:
                raise _corrupted("The file became shorter while it was read.")
            plain += piece
        if number == self._hashed:
            self._hash.update(plain)
            self._hashed += 1
            if number == self._final and self._hash.hexdigest() != self._sha256:
                raise _corrupted("The file was changed while it was read.")
        self._kept = (number, self._cipher.encrypt(_nonce(number, number == self._final), plain, None))
        return self._kept[1]


# ---- the key on paper --------------------------------------------------------------------------------------------


def recovery_key(key: bytes) -> str:
    """A seal key to write down: base32 in groups of four, the last letters telling slips of the pen."""
    text = base64.b32encode(key + _check(key)).decode("ascii")
    return "-".join(text[at:at + 4] for at in range(0, len(text), 4))


def parse_recovery_key(text: str) -> bytes:
    """The seal key that was written down. Case, spaces and hyphens do not matter, nor 0, 1 and 8 for O, I and B.

    Raises BadInput when it is none, or has a slip in it.
    """
    letters = "".join(one for one in text.upper() if not (one.isspace() or one in "-_‐–"))
    try:
        whole = base64.b32decode(letters.translate(str.maketrans("018", "OIB")).encode("ascii"))
    except (ValueError, UnicodeEncodeError):
        whole = b""
    key, check = whole[:KEY_BYTES], whole[KEY_BYTES:]
    if len(whole) != KEY_BYTES + _CHECK_BYTES or not hmac.compare_digest(check, _check(key)):
        raise BadInput("This is no recovery key, or there is a slip in it. It has 14 groups of four letters and "
                       "digits, as shown when the storage was added, or by python3 run.py tool storage key NAME.")
    return key


def _check(key: bytes) -> bytes:
    return hashlib.sha256(_CHECK + key).digest()[:_CHECK_BYTES]


def _chunks(plain: Bytes) -> int:
    return max(1, -(-plain // CHUNK))


def _nonce(number: int, last: bool) -> bytes:
    """7 zero bytes (the key is the object's own), the number of the chunk, whether it is the last."""
    return bytes(7) + number.to_bytes(4, "big") + (b"\x01" if last else b"\x00")


def _corrupted(message: str) -> CloudFailure:
    return CloudFailure(message, reason="corrupted")
