"""Market data around an account's fills, asked for of its exchange and kept as Parquet."""
