"""Recordings of real markets are read as what they are."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from drainwatch.errors import InputError
from drainwatch.lab import recordings


def test_frames_become_trades_and_quotes(tmp_path: Path) -> None:
    frames = [
        '7000001 {"stream":"x@bookTicker","data":{"b":"9.5","B":"2","a":"9.6","A":"3"}}',
        '8000001 {"stream":"x@depth@0ms","data":{"b":[],"a":[]}}',
        '9000001 {"stream":"x@trade","data":{"t":4,"p":"9.6","q":"0.5","m":false}}',
        '9900001 {"stream":"x@trade","data":{"t":5,"p":"9.5","q":"1","X":"INSURANCE_FUND","m":true}}',
        '9990001 {"stream":"x@trade","data":{"t":6,"p":"9.5","q":"1","X":"MARKET","m":true}}',
    ]
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress("\n".join(frames).encode()))
    trades, quotes = recordings.binance(path)
    assert trades.to_numpy().tolist() == [[9, "4", 9.6, 0.5, "buy"], [9, "6", 9.5, 1.0, "sell"]]
    assert quotes.to_numpy().tolist() == [[7, 9.5, 9.6, 2.0, 3.0]]


def test_an_absent_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"spot\.gz"):
        recordings.binance(tmp_path / "spot.gz")
    with pytest.raises(InputError, match=r"trades\.csv"):
        recordings.bitstamp_2026(tmp_path)
    with pytest.raises(InputError, match="sample_data"):
        recordings.hyperliquid(tmp_path)


def test_the_real_recordings_are_read(shared_data: Path) -> None:
    trades, quotes = recordings.binance(shared_data / "binance-raw-frames/cm/ethusd_perp_20240808.gz")
    assert len(trades) == 1732
    assert (quotes["bid"] < quotes["ask"]).all()
    trades, quotes = recordings.bitstamp_2026(shared_data)
    assert len(trades) == 284
    assert (quotes["bid"] < quotes["ask"]).all()
    assert float(((quotes["ask"] - quotes["bid"]) / quotes["bid"]).median()) < 1e-3
    fills = recordings.hyperliquid(shared_data)
    assert len(fills) == 3641
    assert fills["coin"].nunique() == 187
