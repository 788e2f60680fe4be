//! Readers of market data, the Parquet tick store and synthetic sessions.
