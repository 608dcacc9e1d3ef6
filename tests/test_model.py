"""Models go to disk and back; a file that isn't whole is refused with a reason, never with a crash."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from drainwatch.errors import ModelError
from drainwatch.model import ARRAYS_FILE, CARD_FILE, SCHEMA, Model, default_model_path, load_model, save_model


def example() -> Model:
    return Model(
        {
            "nodes": np.arange(50, dtype=np.int64),
            "price.values": np.linspace(0.0, 1.0, 7),
            "flags": np.array([True, False]),
            "names": np.array(["deviation_bps", "fee"]),
            "level": np.array(3.5),
            "none": np.empty((0, 4)),
        },
        {"name": "example", "seed": 7, "metrics": {"recall": 0.5}, "features": ["a", "ä"], "note": None},
    )


def sign(folder: Path, content: bytes) -> None:
    """Write arrays together with a card that vouches for them, as an attacker would."""
    card = json.loads((folder / CARD_FILE).read_text())
    card["arrays_sha256"] = hashlib.sha256(content).hexdigest()
    (folder / ARRAYS_FILE).write_bytes(content)
    (folder / CARD_FILE).write_text(json.dumps(card))


def assert_same(a: dict[str, NDArray[Any]], b: dict[str, NDArray[Any]]) -> None:
    assert a.keys() == b.keys()
    for name, array in a.items():
        assert array.dtype == b[name].dtype
        assert array.shape == b[name].shape
        assert array.tobytes() == b[name].tobytes()


def test_loaded_model_is_the_saved_one(tmp_path: Path) -> None:
    save_model(example(), tmp_path)
    loaded = load_model(tmp_path)
    assert_same(loaded.arrays, example().arrays)
    assert example().card.items() <= loaded.card.items()
    assert loaded.card["schema"] == SCHEMA
    assert loaded.card["arrays"]["price.values"] == {"dtype": "<f8", "shape": [7]}
    assert all(array.flags.writeable and array.flags.c_contiguous for array in loaded.arrays.values())


@settings(deadline=None, max_examples=100)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", fullmatch=True),
        arrays(
            st.sampled_from([np.int64, np.float64, np.float32, np.uint8, np.bool_]),
            array_shapes(min_dims=0, min_side=0, max_side=4),
            elements={"allow_nan": False, "allow_infinity": False},
        ),
    )
)
def test_any_arrays_go_to_disk_and_back(some: dict[str, NDArray[Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save_model(Model(some, {}), folder)
        assert_same(load_model(folder).arrays, some)


def test_folder_card_and_arrays_all_name_the_model(tmp_path: Path) -> None:
    save_model(example(), tmp_path / "deep" / "default")
    for path in ("", CARD_FILE, ARRAYS_FILE):
        assert load_model(tmp_path / "deep" / "default" / path).card["name"] == "example"
    assert load_model(str(tmp_path / "deep" / "default")).card["seed"] == 7


def test_same_model_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nobody could tell a retrained model from a changed one: not by date, order or memory layout."""
    model = example()
    model.arrays["square"] = np.arange(6.0).reshape(2, 3)
    save_model(model, tmp_path / "a")
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    back = dict(reversed(model.arrays.items())) | {"square": np.asfortranarray(model.arrays["square"])}
    save_model(Model(back, dict(reversed(model.card.items()))), tmp_path / "b")
    save_model(load_model(tmp_path / "a"), tmp_path / "c")
    for name in (ARRAYS_FILE, CARD_FILE):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "c" / name).read_bytes()


def test_files_are_plain_for_others_to_read(tmp_path: Path) -> None:
    """Alone numpy reads the arrays, a person the card, and any user of the machine both."""
    save_model(example(), tmp_path)
    with np.load(tmp_path / ARRAYS_FILE, allow_pickle=False) as file:
        assert_same({name: file[name] for name in file.files}, example().arrays)
    text = (tmp_path / CARD_FILE).read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert '\n  "features": [\n    "a",\n    "ä"\n  ],\n' in text
    assert sorted(json.loads(text)) == list(json.loads(text))
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / CARD_FILE).stat().st_mode) == 0o666 & ~mask
    assert sorted(path.name for path in tmp_path.iterdir()) == [ARRAYS_FILE, CARD_FILE]


def test_saving_again_replaces(tmp_path: Path) -> None:
    save_model(example(), tmp_path)
    save_model(Model({"other": np.zeros(2)}, {"name": "new"}), tmp_path)
    assert list(load_model(tmp_path).arrays) == ["other"]


# --- What a model can't hold ---


@pytest.mark.parametrize(
    ("name", "array", "found"),
    [
        ("a", np.array([1.0, np.nan]), "NaN or infinity"),
        ("a", np.array([np.inf], dtype=np.float32), "NaN or infinity"),
        ("a", np.array([object()]), "object"),
        ("a", np.array([1j]), "complex"),
        ("a", np.zeros(1, [("x", "i8")]), "x"),
        ("../a", np.zeros(1), r"'\.\./a'"),
        ("", np.zeros(1), "''"),
    ],
)
def test_arrays_that_a_model_can_not_hold_are_refused(
    tmp_path: Path, name: str, array: NDArray[Any], found: str
) -> None:
    with pytest.raises(ModelError, match=found):
        save_model(Model({name: array}, {}), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, np.int64(3), "\ud800"])
def test_cards_that_are_not_json_are_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(ModelError, match="card of finite JSON values"):
        save_model(Model({}, {"value": value}), tmp_path)
    assert not list(tmp_path.iterdir())


# --- What isn't a model ---


@pytest.mark.parametrize("name", ["", "nowhere", "nowhere/card.json", "nowhere\0", "n" * 5000])
def test_missing_model_is_said_to_be_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="expected a model"):
        load_model(tmp_path / name)


def test_another_file_is_said_to_be_another(tmp_path: Path) -> None:
    (tmp_path / "fills.csv").write_text("id\n")
    with pytest.raises(ModelError, match=r"found another file at .*fills\.csv"):
        load_model(tmp_path / "fills.csv")


@pytest.mark.parametrize("name", [ARRAYS_FILE, CARD_FILE])
def test_half_a_model_is_refused(tmp_path: Path, name: str) -> None:
    save_model(example(), tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ModelError, match=f"expected a model file at .*{name}"):
        load_model(tmp_path)


@pytest.mark.parametrize("schema", [0, SCHEMA + 1, "1", 1.0, True, None, [[]]])
def test_another_schema_is_refused(tmp_path: Path, schema: object) -> None:
    save_model(example(), tmp_path)
    card = json.loads((tmp_path / CARD_FILE).read_text())
    (tmp_path / CARD_FILE).write_text(json.dumps(card | {"schema": schema}))
    with pytest.raises(ModelError, match=f"expected model schema {SCHEMA}, found"):
        load_model(tmp_path)


def test_altered_arrays_are_refused(tmp_path: Path) -> None:
    """A model with one number changed may be blind to one thief."""
    save_model(example(), tmp_path)
    content = bytearray((tmp_path / ARRAYS_FILE).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / ARRAYS_FILE).write_bytes(content)
    with pytest.raises(ModelError, match="expected the sha256"):
        load_model(tmp_path)


def test_arrays_of_another_model_are_refused(tmp_path: Path) -> None:
    """What a save that ended between its two files leaves behind."""
    save_model(example(), tmp_path)
    save_model(Model({"other": np.zeros(2)}, {}), tmp_path / "other")
    (tmp_path / "other" / ARRAYS_FILE).replace(tmp_path / ARRAYS_FILE)
    with pytest.raises(ModelError, match="sha256"):
        load_model(tmp_path)


def zipped(
    tmp_path: Path, content: bytes, name: str = "a.npy", compression: int = zipfile.ZIP_STORED
) -> bytes:
    path = tmp_path / "made.zip"
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr(name, content)
    return path.read_bytes()


def npy(header: str, body: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    return b"\x93NUMPY" + version + len(header).to_bytes(2, "little") + header.encode() + body


@pytest.mark.parametrize(
    "content",
    [
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"cos\nsystem\n(S'x'\ntR."),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }", b"\0" * 8),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1), }", b"\0" * 8),
        npy("{'descr': '<f8', 'fortran_order': True, 'shape': (1,), }", b"\0" * 8),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", b"\0" * 9),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", b"\0\0\0\0\0\0\xf0\x7f"),
        npy("{'descr': '<c16', 'fortran_order': False, 'shape': (1,), }", b"\0" * 16),
        npy("{'descr': [('x', '<f8')], 'fortran_order': False, 'shape': (1,), }", b"\0" * 8),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", b"\0" * 8, b"\x02\x00"),
        npy("{'descr': "),
        npy("(" * 300),
        npy("9" * 5000),
        b"",
    ],
)
def test_vouched_arrays_of_a_bad_form_are_refused(tmp_path: Path, content: bytes) -> None:
    """The hash guards against accidents; whoever can write the arrays can write the card, too."""
    save_model(Model({"a": np.zeros(1)}, {}), tmp_path)
    sign(tmp_path, zipped(tmp_path, content))
    with pytest.raises(ModelError, match="expected"):
        load_model(tmp_path)


def test_compressed_or_stray_members_are_refused(tmp_path: Path) -> None:
    save_model(Model({"a": np.zeros(1)}, {}), tmp_path)
    good = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", b"\0" * 8)
    for content in (
        zipped(tmp_path, good, compression=zipfile.ZIP_DEFLATED),
        zipped(tmp_path, good, "a.txt"),
    ):
        sign(tmp_path, content)
        with pytest.raises(ModelError, match="isn't an uncompressed"):
            load_model(tmp_path)
    sign(tmp_path, zipped(tmp_path, good))
    assert load_model(tmp_path).arrays["a"].tolist() == [0.0]


def test_arrays_other_than_the_card_lists_are_refused(tmp_path: Path) -> None:
    save_model(Model({"b": np.zeros(1)}, {}), tmp_path / "b")
    save_model(Model({"a": np.zeros(1)}, {}), tmp_path)
    sign(tmp_path, (tmp_path / "b" / ARRAYS_FILE).read_bytes())
    with pytest.raises(ModelError, match="lists, found others"):
        load_model(tmp_path)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_flipped_and_missing_bytes_are_refused(data: st.DataObject) -> None:
    """Whatever is done to the files, hash and all, loading gives such a model or a `ModelError`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_model(example(), folder)
        which = data.draw(st.sampled_from([ARRAYS_FILE, CARD_FILE]))
        content = bytearray((folder / which).read_bytes())
        for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
            content[place] = data.draw(st.integers(0, 255))
        content = content[: data.draw(st.just(len(content)) | st.integers(0, len(content)))]
        if which == ARRAYS_FILE and data.draw(st.booleans()):
            sign(folder, bytes(content))
        else:
            (folder / which).write_bytes(content)
        try:
            loaded = load_model(folder)
        except ModelError:
            return
        assert {n: (a.dtype, a.shape) for n, a in loaded.arrays.items()} == {
            n: (a.dtype, a.shape) for n, a in example().arrays.items()
        }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(deadline=None, max_examples=100)
@given(
    card=json_values | st.dictionaries(st.sampled_from(["schema", "arrays", "arrays_sha256"]), json_values)
)
def test_any_json_as_a_card_is_refused(card: object) -> None:
    with tempfile.TemporaryDirectory() as name:
        save_model(example(), name)
        (Path(name) / CARD_FILE).write_text(json.dumps(card))
        with pytest.raises(ModelError, match="expected"):
            load_model(name)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[" * 100_000, b"{}", b'{"schema": ' + b"9" * 5000 + b"}", b"\0", b"null"]
)
def test_cards_that_are_not_cards_are_refused(tmp_path: Path, content: bytes) -> None:
    save_model(example(), tmp_path)
    (tmp_path / CARD_FILE).write_bytes(content)
    with pytest.raises(ModelError, match="expected"):
        load_model(tmp_path)


# --- The one that comes with the package ---


def test_default_model_lies_in_the_package_or_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "src" / "drainwatch"
    package.mkdir(parents=True)
    monkeypatch.setattr("drainwatch.model.__file__", str(package / "model.py"))
    assert default_model_path() == tmp_path / "models" / "default"
    (package / "_models" / "default").mkdir(parents=True)
    assert default_model_path() == package / "_models" / "default"
