"""What goes between the station and its worker processes: framed pickles, small and quick, and read with mistrust.

Frozen dataclasses are sent as their constructor's arguments (dataclasses' own way takes three times as long). The
receiving side builds nothing but plain values, dataclasses and errors: a worker that hostile media took over must
not be able to run code in the station. Standard library only.
"""

from __future__ import annotations

import dataclasses
import importlib
import io
import operator
import pickle  # nosec B403  # _Careful builds plain values alone
from collections.abc import Callable
from typing import Any

from shared.model import track
from shared.model.errors import SoundsibleError

HEADER = 8      # bytes, big-endian: the length of the pickle that follows

_PLAIN = frozenset({("builtins", name) for name in ("set", "frozenset", "bytearray", "complex", "range")}
                   | {("pathlib", "PosixPath"), ("pathlib", "WindowsPath"), ("pathlib", "Path"),
                      ("shared.audio.wire", "revive"), ("decimal", "Decimal"), ("datetime", "datetime")})


def revive(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """An error as it was raised elsewhere; its __init__ is not called."""
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        raise pickle.UnpicklingError("not an error")
    error = kind.__new__(kind, *args) if issubclass(kind, OSError) else kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


def _reduce_error(error: BaseException) -> tuple[Any, ...]:
    return revive, (type(error), error.args, dict(vars(error)))


def _reduce_dataclass(kind: type) -> Callable[[Any], tuple[Any, ...]]:
    names = [field.name for field in dataclasses.fields(kind)]
    if len(names) == 1:
        return lambda thing: (kind, (getattr(thing, names[0]),))
    values = operator.attrgetter(*names)
    return lambda thing: (kind, values(thing))


class _Reducers(dict[type, Callable[[Any], tuple[Any, ...]]]):
    """How each type is sent; errors are found on the way."""

    def __missing__(self, kind: type) -> Callable[[Any], tuple[Any, ...]]:
        if issubclass(kind, SoundsibleError):
            self[kind] = _reduce_error
            return _reduce_error
        raise KeyError(kind)


_reducers = _Reducers({
    kind: _reduce_dataclass(kind)
    for kind in (track.Reading, track.Metadata, track.AudioFacts, track.ReplayGain, track.Credit, track.Lyrics)
})


def pack(message: Any) -> bytes:
    """`message` as one frame."""
    out = io.BytesIO(bytes(HEADER))
    out.seek(HEADER)
    pickler = pickle.Pickler(out, protocol=5)
    pickler.dispatch_table = _reducers
    pickler.dump(message)
    length = out.tell() - HEADER
    frame = out.getbuffer()
    frame[:HEADER] = length.to_bytes(HEADER, "big")
    return bytes(frame)


def pack_error(error: BaseException, told: str) -> bytes:
    """A frame that says that the deed failed; `told` is the traceback, for the log."""
    if told and not isinstance(error, SoundsibleError):
        error.__dict__.setdefault("__notes__", []).append(told)
    foreign = type(error).__module__.partition(".")[0] not in ("builtins", "shared")     # _Careful refuses those
    try:
        if not foreign:
            return pack((False, *_reduce_error(error)[1]))
        return pack((False, RuntimeError, (f"{type(error).__name__}: {error}",), {}))
    except Exception:       # something in it cannot be pickled
        return pack((False, RuntimeError, (f"{type(error).__name__}: {error}",), {}))


class _Careful(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        if module == "builtins" or module.startswith("shared."):
            found = getattr(importlib.import_module(module), name, None)
            if isinstance(found, type) and (issubclass(found, BaseException)
                                            or (module != "builtins" and dataclasses.is_dataclass(found))):
                return found
        raise pickle.UnpicklingError(f"a worker sent a {module}.{name}")


def unpack(pickled: bytes | bytearray | memoryview) -> Any:
    """The message of one frame, its header taken off. Raises pickle.UnpicklingError for what may not be sent."""
    return _Careful(io.BytesIO(pickled)).load()
