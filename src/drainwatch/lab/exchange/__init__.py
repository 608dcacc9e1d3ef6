"""A loopback exchange: speaks Binance spot's protocol, keeps its books exactly, fails on demand."""
