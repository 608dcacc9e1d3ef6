"""Tables in: any format, any order, any pieces give the same events; what is wrong is said, and where."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import random
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch import readers, tables
from drainwatch.errors import InputError
from drainwatch.events import FILL, ROW, Batch, Kind, Names
from drainwatch.tables import TablePaths, Tables, tables_from_frames

T0 = 1_570_752_000_000
Rows = list[dict[str, Any]]


def make_fills(count: int) -> Rows:
    return [
        {
            "id": str(1000 + i),
            "timestamp": T0 + i // 3,
            "symbol": ("ETH/BTC", "XRP/ETH")[i % 2],
            "side": ("buy", "sell")[i % 3 > 0],
            "price": round(0.02 + i * 1e-5, 8),
            "amount": 1.5,
            "order": f"o{i // 2}",
            "account": "main",
            "exchange": "binance",
            "taker_or_maker": "taker",
            "fee_cost": 0.1,
            "fee_currency": "BNB",
            "client_order_id": f"grid-{i}",
        }
        for i in range(count)
    ]


def make_trades(count: int) -> Rows:
    return [
        {
            "timestamp": T0 + i // 4,
            "symbol": ("ETH/BTC", "BTC/USDT")[i % 2],
            "price": 0.02 + i * 1e-7,
            "amount": 2.0,
            "id": str(i),
            "side": "buy",
            "exchange": "binance",
        }
        for i in range(count)
    ]


FILL_ROW = make_fills(1)[0]
QUOTES = [{"timestamp": T0 + i, "symbol": "ETH/BTC", "bid": 0.01, "ask": 0.02 + i} for i in range(20)]
CANDLES = [
    {
        "timestamp": T0,
        "symbol": "ETH/BTC",
        "open": 1,
        "high": 2,
        "low": 0.5,
        "close": 1,
        "volume": 0,
        "timeframe": "1s",
    }
]
BALANCES = [{"timestamp": T0, "account": "main", "currency": "BTC", "total": 1.0}]
ORDERS = [{"order": f"o{i}", "account": "main"} for i in range(3)]
MARKETS = [
    {"symbol": "ETH/BTC", "tick_size": 1e-6},
    {"symbol": "BTC/USDT", "exchange": "binance", "contract_size": 10.0},
]


def put(path: Path, rows: Rows) -> str:
    """Write rows in the format that the path's ending asks for."""
    name = path.name
    if name.endswith(".parquet"):
        names = list(dict.fromkeys(key for row in rows for key in row))
        pq.write_table(pa.table({name: pa.array([row.get(name) for row in rows]) for name in names}), path)
        return str(path)
    text = io.StringIO(newline="")
    if ".csv" in name:
        writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)
    else:
        text.writelines(json.dumps(row) + "\n" for row in rows)
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return str(path)


def whole(given: Tables, max_rows: int = 200_000, until_ns: int | None = None) -> Batch:
    batches = [Batch.empty(), *given.batches(max_rows, until_ns)]
    return Batch(
        *(np.concatenate([getattr(b, part) for b in batches]) for part in ("rows", "fills", "ids", "orders"))
    )


def bits(given: Tables, max_rows: int = 200_000) -> list[Any]:
    """All that comes out, bit for bit."""
    batch = whole(given, max_rows)
    return [
        *(batch.rows[name].tobytes() for name in ROW.names or ()),
        *(batch.fills[name].tobytes() for name in FILL.names or ()),
        batch.ids.tolist(),
        batch.orders.tolist(),
        repr(given.names.markets),
        given.names.accounts,
        given.names.currencies,
    ]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "ndjson.gz", "parquet"])
def test_every_format_gives_the_same_events(tmp_path: Path, ending: str) -> None:
    all_rows = {
        "fills": make_fills(30),
        "trades": make_trades(200),
        "quotes": QUOTES,
        "candles": CANDLES,
        "balances": BALANCES,
        "orders": ORDERS,
        "markets": MARKETS,
    }
    paths = {table: put(tmp_path / f"{table}.{ending}", rows) for table, rows in all_rows.items()}
    frames: dict[str, Any] = {table: pd.DataFrame(rows) for table, rows in all_rows.items()}
    with Tables.open(TablePaths(**paths), Names()) as files, tables_from_frames(**frames) as in_memory:
        assert bits(files) == bits(in_memory)
        assert list(files.rejects) == []
        assert {table: (c.read, c.bad, c.duplicates) for table, c in files.counts.items()} == {
            table: (len(rows), 0, 0) for table, rows in all_rows.items()
        }
        assert files.n_fills == 30
        kinds = np.bincount(whole(files).rows["kind"])
        assert kinds.tolist() == [200, 20, 1, 1, 3]


def test_market_rows_come_before_fills_of_the_same_time(tmp_path: Path) -> None:
    fills, trades = make_fills(30), make_trades(200)
    paths = TablePaths(fills=put(tmp_path / "f.csv", fills), trades=put(tmp_path / "t.csv", trades))
    with Tables.open(paths, Names()) as given:
        for max_rows in (1, 7, 1000):
            events: list[tuple[int, int]] = []
            for batch in given.batches(max_rows):
                events += sorted(
                    [(int(ts), 0) for ts in batch.rows["ts_ns"]]
                    + [(int(ts), 1) for ts in batch.fills["ts_ns"]]
                )
            assert events == sorted(events)
            assert len(events) == 230
        until = (T0 + 3) * 10**6
        cut = whole(given, until_ns=until)
        assert (cut.rows.size, cut.fills.size) == (16, 12)
        assert max(cut.rows["ts_ns"].max(), cut.fills["ts_ns"].max()) == until


@given(st.integers(0, 2**32), st.integers(1, 3), st.sampled_from([1, 10, 200_000]), st.booleans())
def test_neither_order_nor_duplicates_nor_files_change_a_bit(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n_files: int, max_rows: int, spill: bool
) -> None:
    chance, folder = random.Random(seed), tmp_path_factory.mktemp("mixed")
    all_rows = {
        "fills": make_fills(24),
        "trades": make_trades(60),
        "quotes": QUOTES,
        "orders": ORDERS,
        "markets": MARKETS,
    }
    plain = {table: put(folder / f"{table}.csv", rows) for table, rows in all_rows.items()}
    mixed = {}
    for table, rows in all_rows.items():
        (folder / table).mkdir()
        repeated = rows + chance.choices(rows, k=5)
        if table in {"fills", "trades"}:  # the same event, heard of again later
            repeated += [
                row | {"timestamp": row["timestamp"] + 50, "price": 0.5} for row in chance.choices(rows, k=5)
            ]
        chance.shuffle(repeated)
        for at in range(n_files):
            ending = chance.choice(["csv", "jsonl.gz", "parquet"])
            put(folder / table / f"{at}.{ending}", repeated[at::n_files])
        mixed[table] = str(folder / table)
    with Tables.open(TablePaths(**plain), Names()) as one:
        expected = bits(one)
    limit = 0 if spill else 1 << 20
    with Tables.open(TablePaths(**mixed), Names(), in_memory=limit, run_bytes=max(limit, 1)) as other:
        assert bits(other, max_rows) == expected
        assert [count.duplicates for count in other.counts.values()] == [10, 10, 5, 5, 5]
        assert [count.bad for count in other.counts.values()] == [0] * 5


def test_a_pattern_is_one_table_and_strangers_are_noted(tmp_path: Path) -> None:
    fills = make_fills(9)
    put(tmp_path / "a.csv", fills[:4])
    put(tmp_path / "b.jsonl", fills[4:])
    (tmp_path / "README.txt").write_text("x")
    with Tables.open(TablePaths(fills=str(tmp_path)), Names()) as given:
        assert given.n_fills == 9
        assert given.notes == [f"fills: {tmp_path}: left aside README.txt: no table by their ending"]
    with Tables.open(TablePaths(fills=str(tmp_path / "*.csv")), Names()) as given:
        assert given.n_fills == 4
        assert given.notes == []


def test_rejects_say_table_file_row_column_found_and_expected(tmp_path: Path) -> None:
    fills: Rows = [FILL_ROW | {"id": str(i)} for i in range(400)]
    fills[299] |= {"price": "free"}
    fills[120] |= {"side": "hold"}
    path = Path(put(tmp_path / "f.csv", fills))
    path.write_text(path.read_text() + "1,2\n")
    with Tables.open(TablePaths(fills=str(path)), Names()) as given:
        side = {
            "table": "fills",
            "file": str(path),
            "row": 121,
            "column": "side",
            "found": "hold",
            "expected": "buy or sell",
        }
        price = side | {"row": 300, "column": "price", "found": "free", "expected": "a finite number > 0"}
        short = side | {"row": 401, "column": None, "found": "1,2", "expected": "13 cells, as in the header"}
        assert list(given.rejects) == [side, price, short]
        assert given.n_fills == 398
        count = given.counts["fills"]
        assert (count.read, count.bad, count.duplicates) == (401, 3, 0)


@pytest.mark.parametrize("indent", [None, 1], ids=["one line", "many lines"])
def test_json_array_is_told_from_a_table_without_columns(tmp_path: Path, indent: int | None) -> None:
    """The likeliest wrong file of all: that no column was found in it helps nobody."""
    path = tmp_path / "f.jsonl"
    path.write_text(json.dumps(make_fills(3), indent=indent))
    with pytest.raises(InputError, match=r"f\.jsonl: row 1: found '\[.*', expected a JSON object"):
        Tables.open(TablePaths(fills=str(path)), Names())
    put(tmp_path / "g.jsonl", make_fills(1000))
    with pytest.raises(InputError, match=r"f\.jsonl: row 1: found .*; no row of the file can be read"):
        Tables.open(TablePaths(fills=str(tmp_path)), Names())
    path.write_text("{}\n")
    with pytest.raises(InputError, match=r"f\.jsonl: column id is missing; found columns none"):
        Tables.open(TablePaths(fills=str(path)), Names())


@pytest.mark.parametrize(("count", "fits"), [(99, False), (100, True), (101, True)])
def test_more_than_one_percent_bad_is_too_many(tmp_path: Path, count: int, fits: bool) -> None:
    trades = [*make_trades(count - 1), make_trades(1)[0] | {"price": 0}]
    paths = TablePaths(fills=put(tmp_path / "f.csv", make_fills(1)), trades=put(tmp_path / "t.csv", trades))
    if fits:
        with Tables.open(paths, Names()) as given:
            assert given.counts["trades"].bad == 1
    else:
        said = (
            rf"trades: .*t\.csv: row {count}, column price: found '0', expected a finite number > 0; "
            rf"1 of {count} rows of trades are bad, more than 1% may not be"
        )
        with pytest.raises(InputError, match=said):
            Tables.open(paths, Names())
    with pytest.raises(InputError, match=rf"row {count}, column price: found '0', .*--strict"):
        Tables.open(paths, Names(), strict=True)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("column", ["id", "timestamp", "symbol", "side", "price", "amount"])
def test_a_missing_needed_column_is_an_error(tmp_path: Path, ending: str, column: str) -> None:
    rows = [{name: value for name, value in row.items() if name != column} for row in make_fills(3)]
    path = put(tmp_path / f"f.{ending}", rows)
    with pytest.raises(InputError) as error:
        Tables.open(TablePaths(fills=path), Names())
    assert f"fills: {path}: column {column} is missing; found columns " in str(error.value)
    assert "taker_or_maker" in str(error.value)
    assert "expected id, timestamp, symbol, side, price, amount" in str(error.value)


def test_each_file_of_a_table_needs_its_columns(tmp_path: Path) -> None:
    put(tmp_path / "1.csv", make_fills(3))
    put(tmp_path / "2.csv", [{"id": "1"}])
    with pytest.raises(InputError, match=r"2\.csv: column timestamp is missing"):
        Tables.open(TablePaths(fills=str(tmp_path)), Names())


@pytest.mark.parametrize("table", ["fills", "trades", "quotes", "candles", "balances", "orders", "markets"])
def test_every_table_is_looked_at(tmp_path: Path, table: str) -> None:
    paths = {"fills": put(tmp_path / "fills.csv", make_fills(3))}
    paths[table] = put(tmp_path / f"bad-{table}.csv", [{"nothing": 1}])
    with pytest.raises(
        InputError, match=rf"^{table}: .*bad-{table}\.csv: column \w+ is missing; found columns nothing"
    ):
        Tables.open(TablePaths(**paths), Names())
    with pytest.raises(InputError, match=rf"^{table}: .*no such file"):
        Tables.open(TablePaths(**(paths | {table: str(tmp_path / "none.csv")})), Names())


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("f.csv", b""),
        ("f.csv", b"id,timestamp,symbol,side,price,amount\n"),
        ("f.csv", b"\n\n"),
        ("f.jsonl", b""),
        ("f.jsonl", b"\n \n"),
        ("f.csv.gz", gzip.compress(b"", mtime=0)),
        ("f.jsonl.gz", gzip.compress(b"", mtime=0)),
        ("f.parquet", b""),
    ],
)
def test_a_table_without_rows_is_an_error(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=r"empty|no rows"):
        Tables.open(TablePaths(fills=str(tmp_path / name)), Names())


def test_a_parquet_table_without_rows_is_an_error(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(make_fills(1)).slice(0, 0), tmp_path / "f.parquet")
    with pytest.raises(InputError, match="no rows; expected at least one"):
        Tables.open(TablePaths(fills=str(tmp_path / "f.parquet")), Names())


def test_markets_apply_to_the_exchange_they_name_or_to_all(tmp_path: Path) -> None:
    fills = [
        FILL_ROW | {"id": f"{exchange}{symbol}", "exchange": exchange, "symbol": symbol}
        for exchange in ("", "a", "b")
        for symbol in ("X/Y:Y", "Z/Y")
    ]
    markets = [
        {"symbol": "X/Y:Y", "exchange": "", "contract_size": 5.0, "tick_size": 0.1},
        {"symbol": "X/Y:Y", "exchange": "b", "contract_size": 7.0, "inverse": "true"},
        {"symbol": "never/traded", "contract_size": 7.0},
    ]
    paths = TablePaths(fills=put(tmp_path / "f.csv", fills), markets=put(tmp_path / "m.csv", markets))
    with Tables.open(paths, Names()) as given:
        told = {
            (m.exchange, m.symbol): (m.contract_size, m.tick_size, m.inverse) for m in given.names.markets
        }
    assert told.pop(("", "X/Y:Y")) == told.pop(("a", "X/Y:Y")) == (5.0, 0.1, False)
    assert told.pop(("b", "X/Y:Y")) == (7.0, 0.1, True)
    assert all(math.isnan(size) for size, _, _ in told.values())
    assert len(told) == 3


def test_codes_are_in_order_of_the_names_whatever_comes_first(tmp_path: Path) -> None:
    fills = [FILL_ROW | {"account": name, "exchange": name} for name in "cab"]
    with Tables.open(TablePaths(fills=put(tmp_path / "f.csv", fills)), Names()) as given:
        assert given.names.accounts == ["a", "b", "c"]
        assert [market.exchange for market in given.names.markets] == ["a", "b", "c"]
        assert whole(given).fills["account"].tolist() == [0, 1, 2]
    names = Names()
    names.account("b")  # known from elsewhere
    with Tables.open(TablePaths(fills=put(tmp_path / "f.csv", fills)), names) as given:
        assert whole(given).fills["account"].tolist() == [1, 0, 2]


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "PIECE_ROWS", 40)
    told: list[tuple[str, int]] = []
    path = put(tmp_path / "f.parquet", make_fills(100))
    Tables.open(TablePaths(fills=path), Names(), progress=lambda *at: told.append(at)).close()
    assert told == [("fills", 40), ("fills", 80), ("fills", 100)]


def test_temporary_files_are_deleted_in_any_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    fills = put(tmp_path / "f.csv", make_fills(300))
    with Tables.open(TablePaths(fills=fills), Names()) as given:
        bits(given)
        assert not list(temporary.iterdir())  # small tables need none
    with Tables.open(TablePaths(fills=fills), Names(), in_memory=0) as given:
        assert len(list(temporary.iterdir())) == 1
        bits(given)
    assert not list(temporary.iterdir())
    broken = put(tmp_path / "t.csv", [{"nothing": 1}])
    with pytest.raises(InputError):
        Tables.open(TablePaths(fills=fills, trades=broken), Names(), in_memory=0, run_bytes=1)
    assert not list(temporary.iterdir())


def test_a_full_disk_is_an_input_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"the tables need room for sorting in .*TMPDIR"):
        Tables.open(TablePaths(fills=put(tmp_path / "f.csv", make_fills(3))), Names(), in_memory=0)


def test_names_are_untouched_by_an_error(tmp_path: Path) -> None:
    names = Names()
    fills = put(tmp_path / "f.csv", make_fills(3))
    with pytest.raises(InputError):
        Tables.open(TablePaths(fills=fills, trades=str(tmp_path / "none.csv")), names)
    assert names == Names()


def test_frames_of_many_makes() -> None:
    rows = make_fills(6)
    plain = pd.DataFrame(rows)
    expected = bits(tables_from_frames(plain))
    stamped = plain.assign(timestamp=pd.to_datetime(plain["timestamp"], unit="ms", utc=True))
    nested = [
        {
            **{name: value for name, value in row.items() if not name.startswith(("fee", "taker", "client"))},
            "fee": {"cost": row["fee_cost"], "currency": row["fee_currency"]},
            "takerOrMaker": row["taker_or_maker"],
            "clientOrderId": row["client_order_id"],
            "info": {"x": [1]},
        }
        for row in rows
    ]
    for frame in (
        stamped,
        stamped.set_index("timestamp"),
        stamped.assign(
            timestamp=stamped["timestamp"].dt.tz_convert("Asia/Tokyo").astype("datetime64[s, Asia/Tokyo]")
        ),
        plain.astype({"symbol": "category", "side": "category", "id": "int64"}),
        plain.astype({"id": "int64"}).astype({"id": object, "price": object}),
        plain.assign(price=plain["price"].map(repr), id=plain["id"].astype(float)),
        pd.DataFrame(nested),
        plain.set_index(pd.Index(range(6, 0, -1))),
    ):
        if frame is stamped or frame.index.name == "timestamp":
            assert bits(tables_from_frames(frame)) == expected
        elif str(frame["timestamp"].dtype).startswith("datetime64[s"):
            assert len(whole(tables_from_frames(frame)).fills) == 6
        else:
            assert bits(tables_from_frames(frame)) == expected


def test_frames_are_checked_as_files_are() -> None:
    fills = pd.DataFrame(make_fills(6))
    with pytest.raises(InputError, match="fills: DataFrame: column price is missing"):
        tables_from_frames(fills.drop(columns="price"))
    with pytest.raises(InputError, match="fills: DataFrame: no rows"):
        tables_from_frames(fills.iloc[:0])
    with pytest.raises(
        InputError, match="fills: DataFrame: row 1, column price: found '', expected a finite number > 0"
    ):
        tables_from_frames(fills.assign(price=[math.nan, 1, 1, 1, 1, 1]))
    many = pd.concat([fills.assign(id=fills["id"] + str(i)) for i in range(100)])
    many = many.reset_index(drop=True)
    many.loc[7, "side"] = None
    with tables_from_frames(many) as given:
        assert [row["row"] for row in given.rejects] == [8]


def test_a_real_file_without_symbols_is_refused(tmp_path: Path, shared_data: Path) -> None:
    trades = shared_data / "freqtrade-xrp-eth" / "XRP_ETH-trades.parquet"
    paths = TablePaths(fills=put(tmp_path / "f.csv", make_fills(1)), trades=str(trades))
    with pytest.raises(
        InputError, match=r"XRP_ETH-trades\.parquet: column symbol is missing; found columns .*price"
    ):
        Tables.open(paths, Names())


def test_a_real_tape(shared_data: Path) -> None:
    trades = pd.read_parquet(shared_data / "freqtrade-xrp-eth" / "XRP_ETH-trades.parquet").assign(
        symbol="XRP/ETH"
    )
    with tables_from_frames(pd.DataFrame(make_fills(1)), trades) as given:
        rows = whole(given).rows
        assert list(given.rejects) == []
        assert rows.size + given.counts["trades"].duplicates == len(trades)
        assert (np.diff(rows["ts_ns"]) >= 0).all()
        ours = trades.drop_duplicates("id")
        assert rows["a"].sum() == pytest.approx(ours["price"].sum())
        assert set(rows["kind"]) == {Kind.TRADE}
        expected = bits(given)
    with tables_from_frames(pd.DataFrame(make_fills(1)), trades.sample(frac=1, random_state=0)) as mixed:
        assert bits(mixed) == expected


def peak(path: str) -> int:
    """Bytes that Python and numpy held at most while a tape was read and drawn, and Arrow's."""
    fills = pd.DataFrame(make_fills(1))
    fills.to_parquet(f"{path}.fills.parquet")
    tracemalloc.start()
    arrow = 0
    try:
        with Tables.open(
            TablePaths(fills=f"{path}.fills.parquet", trades=path),
            Names(),
            in_memory=1 << 20,
            run_bytes=1 << 20,
            progress=lambda *_: None,
        ) as given:
            for _ in given.batches(10_000):
                arrow = max(arrow, pa.total_allocated_bytes())
        return tracemalloc.get_traced_memory()[1] + arrow
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "PIECE_ROWS", 16_384)
    peaks = []
    for count in (50_000, 400_000):
        order = np.random.default_rng(0).permutation(count)
        tape = pa.table(
            {
                "timestamp": T0 + order,
                "symbol": pa.array(["ETH/BTC"] * count).dictionary_encode(),
                "price": np.full(count, 0.02),
                "amount": np.full(count, 1.0),
                "id": order,
            }
        )
        pq.write_table(tape, tmp_path / f"{count}.parquet")
        peaks.append(peak(str(tmp_path / f"{count}.parquet")))
    assert peaks[1] < peaks[0] + (8 << 20)  # the records alone are 60 MB


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["buy", "sell", "ETH/BTC", T0, "2019-10-11T00:00:00Z", 0.02, "", "1", {"cost": 1}, [1]]),
)
FILL_OBJECTS: st.SearchStrategy[dict[str, Any]] = st.just({}) | st.builds(
    lambda row, odd: row | odd,
    st.sampled_from(make_fills(4)),
    st.dictionaries(st.sampled_from([*FILL_ROW, "fee", "datetime", "takerOrMaker"]), CELLS, max_size=3),
)


def read_anything(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a table of fills that may be anything: only `InputError` comes, and no row is lost unsaid."""
    monkeypatch.setattr(tables, "MOST_BAD", 1.0)
    names = Names()
    try:
        given = Tables.open(TablePaths(fills=str(path)), names)
    except InputError:
        return
    with given:
        batch = whole(given)
        count = given.counts["fills"]
        rejects = list(given.rejects)
        assert count.read == len(batch.fills) + len(rejects) + count.duplicates
        assert count.bad == len(rejects)
        assert given.n_fills == len(batch.fills) == len(batch.ids)
        assert all(len(row["found"]) <= 200 and row["row"] >= 1 and row["expected"] for row in rejects)
        assert (batch.fills["price"] > 0).all()
        assert np.isfinite(batch.fills["price"] * 0).all()
        assert (batch.fills["id"] != 0).all()
        assert set(batch.fills["side"]) <= {1, -1}


@given(st.lists(FILL_OBJECTS, min_size=1, max_size=8))
def test_any_json_rows(tmp_path_factory: pytest.TempPathFactory, rows: Rows) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "f.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    with pytest.MonkeyPatch.context() as patch:
        read_anything(path, patch)


def is_absent(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


@given(st.lists(FILL_OBJECTS, min_size=1, max_size=8))
def test_json_and_csv_rows_are_judged_alike(tmp_path_factory: pytest.TempPathFactory, rows: Rows) -> None:
    """What JSON says with types, CSV says in text: the same rows are good."""
    rows = [
        {
            name: value
            for name, value in row.items()
            if not isinstance(value, (dict, list, bool)) and name != "fee" and "e" not in repr(value)
        }
        for row in rows
    ]  # 1e16 as an id is whole in JSON, but a text of its own in CSV
    texts = [
        {name: "" if is_absent(value) else str(value).strip() for name, value in row.items()} for row in rows
    ]
    if any("\0" in text or "\r" in text or "\n" in text for row in texts for text in row.values()):
        return
    folder = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "MOST_BAD", 1.0)
        outcomes = []
        for path in (folder / "f.jsonl", folder / "f.csv"):
            if path.suffix == ".csv":
                put(path, texts)
            else:
                path.write_text("\n".join(json.dumps(row) for row in rows))
            try:
                with Tables.open(TablePaths(fills=str(path)), Names()) as given:
                    outcomes.append((bits(given), [(r["row"], r["column"]) for r in given.rejects]))
            except InputError:
                outcomes.append(([], []))
    assert outcomes[0] == outcomes[1]


@given(st.binary(max_size=80), st.integers(0, 200))
def test_any_csv_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    good = Path(put(folder / "g.csv", make_fills(2))).read_bytes()
    (folder / "f.csv").write_bytes(good[:at] + data + good[at:])
    with pytest.MonkeyPatch.context() as patch:
        read_anything(folder / "f.csv", patch)


@given(st.integers(0, 3000), st.binary(max_size=4))
def test_any_damaged_parquet(tmp_path_factory: pytest.TempPathFactory, at: int, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    good = Path(put(folder / "g.parquet", make_fills(2))).read_bytes()
    (folder / "f.parquet").write_bytes(good[: min(at, len(good) - 1)] + data)
    with pytest.MonkeyPatch.context() as patch:
        read_anything(folder / "f.parquet", patch)


COLUMNS = st.sampled_from(
    [
        pa.nulls(2),
        pa.array([1, None]),
        pa.array([2**64 - 1, 1], pa.uint64()),
        pa.array([1.5, math.nan]),
        pa.array([0.5, 1], pa.float32()),
        pa.array([1.0, 2.0], pa.float16()),
        pa.array([1, 2], pa.decimal128(20, 3)),
        pa.array([True, False]),
        pa.array(["x", ""]),
        pa.array(["a", "b"], pa.large_string()),
        pa.array(["1", "2"], pa.string_view()),
        pa.array(["buy", "sell"]).dictionary_encode(),
        pa.array([b"\xff", b"1"]),
        pa.array([b"a", b"b"], pa.binary(1)),
        pa.array([2**53, 5]).cast(pa.timestamp("s")),
        pa.array([T0, T0]).cast(pa.timestamp("ms", "Asia/Tokyo")),
        pa.array([1, 2]).cast(pa.time64("us")),
        pa.array([1, 2]).cast(pa.duration("s")),
        pa.array([1, 2], pa.date32()),
        pa.array([[1], [2]]),
        pa.array([{"cost": 1}, None]),
    ]
)


@given(st.dictionaries(st.sampled_from([*FILL_ROW, "fee", "datetime"]), COLUMNS, max_size=4))
def test_parquet_columns_of_any_type(tmp_path_factory: pytest.TempPathFactory, odd: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "f.parquet"
    columns = {name: pa.array([row[name] for row in make_fills(2)]) for name in FILL_ROW}
    pq.write_table(pa.table(columns | odd), path, store_schema=True)
    with pytest.MonkeyPatch.context() as patch:
        read_anything(path, patch)
