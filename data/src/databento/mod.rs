//! Databento CSV: market by order, market by price (any number of levels, TBBO too) and trades.
//!
//! Columns are found by their names in the header; order, missing columns that are not needed and
//! an unnamed index column in front do not matter. Prices are decimals, or integers of 1e-9 where
//! they have no point; times ISO 8601 or integer nanoseconds.
//!
//! Format: <https://databento.com/docs/schemas-and-data-formats>.

mod columns;
mod csv;
mod levels;
pub(crate) mod mapping;
mod row;
mod time;

pub use csv::{CsvSource, from_reader, open};
