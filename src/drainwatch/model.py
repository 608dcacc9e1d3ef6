"""Models on disk: a folder with `arrays.npz` and `card.json`; read without ever running what is in it.

The card says what the arrays are and where they come from; it carries their sha256. The same model
gives the same bytes: names sorted, no compression, no dates. Nothing is pickled, and no way of
damaging the files ends in anything but a `ModelError`.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import struct
import tokenize
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drainwatch.errors import ModelError

SCHEMA: Final = 1
"""Version of the file format. A change of what arrays mean makes a new one."""

ARRAYS_FILE: Final = "arrays.npz"
CARD_FILE: Final = "card.json"

_ARRAY_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_KINDS: Final = "biufSU"  # booleans, integers, floats, strings of a fixed length
_UNREADABLE: Final = (  # what zipfile and numpy raise on bytes that aren't what they expect
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
)
_REMEDY: Final = "install or train the model again"
_ZIP_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can hold


@dataclass(frozen=True, slots=True)
class Model:
    """Named arrays and the card that describes them."""

    arrays: dict[str, NDArray[Any]]
    """By name; booleans, integers, finite floats or strings of a fixed length."""
    card: dict[str, Any]
    """JSON values. `save_model` sets `schema`, `arrays` and `arrays_sha256`."""


def save_model(model: Model, folder: str | Path) -> None:
    """Write a model's two files, each replaced whole; the same model gives the same bytes.

    Should it end between the two, the hash in the old card doesn't match, and loading says so.

    Raises
    ------
    ModelError
        An array has a name, type or value that a model can't hold, or the card isn't JSON.

    """
    folder = Path(folder)
    for name, array in model.arrays.items():
        _check_array(name, array, folder)
    packed = _pack_arrays(model.arrays)
    card = model.card | {
        "schema": SCHEMA,
        "arrays": {name: _describe(array) for name, array in model.arrays.items()},
        "arrays_sha256": hashlib.sha256(packed).hexdigest(),
    }
    try:
        text = json.dumps(card, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        written = text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelError(f"expected a card of finite JSON values, found otherwise: {error}") from error
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in ((ARRAYS_FILE, packed), (CARD_FILE, written)):
        part = folder / f"{name}.part"
        part.write_bytes(content)
        part.replace(folder / name)


def load_model(path: str | Path) -> Model:
    """Read a model, given its folder, its `card.json` or its `arrays.npz`.

    Raises
    ------
    ModelError
        A file is missing, damaged, altered or of another schema.

    """
    folder = _folder(Path(path))
    card = _read_card(folder / CARD_FILE)
    arrays_path = folder / ARRAYS_FILE
    packed = _read_bytes(arrays_path)
    sha256 = hashlib.sha256(packed).hexdigest()
    if card.get("arrays_sha256") != sha256:
        raise ModelError(
            f"expected the sha256 that {CARD_FILE} tells, found {sha256} for {arrays_path}: {_REMEDY}"
        )
    arrays = _unpack_arrays(packed, arrays_path)
    found = {name: _describe(array) for name, array in arrays.items()}
    if card.get("arrays") != found:
        raise ModelError(
            f"expected the arrays that {CARD_FILE} lists, found others in {arrays_path}: {_REMEDY}"
        )
    return Model(arrays, card)


def default_model_path() -> Path:
    """Folder of the model that comes with drainwatch: in the package, or in a checkout's `models`."""
    package = Path(__file__).parent
    installed = package / "_models" / "default"
    return installed if installed.exists() else package.parents[1] / "models" / "default"


def _folder(path: Path) -> Path:
    """Find a model's folder from any of the paths that stand for it."""
    if path.name in {ARRAYS_FILE, CARD_FILE}:
        return path.parent
    try:
        found = "nothing" if not path.exists() else "another file"
        is_folder = path.is_dir()
    except (OSError, ValueError) as error:
        found, is_folder = str(error), False
    if not is_folder:
        raise ModelError(
            f"expected a model's folder, {CARD_FILE} or {ARRAYS_FILE}, found {found} at {path}:"
            " name an existing one"
        )
    return path


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(
            f"expected a model file at {path}, found none to read ({reason}): {_REMEDY}"
        ) from error


def _read_card(path: Path) -> dict[str, Any]:
    content = _read_bytes(path)
    try:
        card = json.loads(content.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"expected JSON in {path}, found otherwise ({error}): {_REMEDY}") from error
    if not isinstance(card, dict):
        raise ModelError(f"expected a JSON object in {path}, found {type(card).__name__}: {_REMEDY}")
    schema = card.get("schema")
    if type(schema) is not int or schema != SCHEMA:
        found = schema if type(schema) is int else type(schema).__name__
        raise ModelError(
            f"expected model schema {SCHEMA}, found {found} in {path}:"
            " use the drainwatch version that made it, or train it again"
        )
    return card


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} isn't JSON")


def _describe(array: NDArray[Any]) -> dict[str, Any]:
    return {"dtype": array.dtype.str, "shape": list(array.shape)}


def _check_array(name: str, array: NDArray[Any], where: Path) -> None:
    if not _ARRAY_NAME.fullmatch(name):
        raise ModelError(
            f"expected array names of letters, digits, _ . and -, found {name!r} in {where}: {_REMEDY}"
        )
    if array.dtype.kind not in _KINDS:
        raise ModelError(
            f"expected numbers or strings in array '{name}', found {array.dtype} in {where}: {_REMEDY}"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ModelError(
            f"expected finite values in array '{name}', found NaN or infinity in {where}: {_REMEDY}"
        )


def _pack_arrays(arrays: dict[str, NDArray[Any]]) -> bytes:
    """Write arrays as numpy's npz: what `np.savez` writes, but for its dates and the order of names."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(arrays):
            one = io.BytesIO()
            np.lib.format.write_array(one, np.asarray(arrays[name], order="C"), (1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", _ZIP_DATE)
            info.create_system = 3  # as on Unix; the default depends on the system
            file.writestr(info, one.getvalue())
    return whole.getvalue()


def _unpack_arrays(packed: bytes, path: Path) -> dict[str, NDArray[Any]]:
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as file:
            for info in file.infolist():
                arrays[info.filename.removesuffix(".npy")] = _read_array(file, info)
    except _UNREADABLE as error:
        raise ModelError(f"expected arrays in {path}, found otherwise ({error}): {_REMEDY}") from error
    for name, array in arrays.items():
        _check_array(name, array, path)
    return arrays


def _read_array(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    """Read one .npy, whose header must ask for exactly as much as there is."""
    if info.compress_type != zipfile.ZIP_STORED or not info.filename.endswith(".npy"):
        # What is compressed could grow without bound.
        raise ValueError(f"{info.filename!r} isn't an uncompressed .npy")
    content = file.read(info)
    header = io.BytesIO(content)
    if np.lib.format.read_magic(header) != (1, 0):
        raise ValueError(f"{info.filename!r} isn't of format 1.0")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(header)
    start = header.tell()
    fills = math.prod(shape) * dtype.itemsize == len(content) - start
    if dtype.hasobject or fortran_order or min(shape, default=0) < 0 or not fills:
        raise ValueError(
            f"{info.filename!r} with type {dtype}, shape {shape} has {len(content) - start} bytes"
        )
    return np.ndarray(shape, dtype, content, start).copy()
