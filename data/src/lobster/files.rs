//! The two files of one LOBSTER day: found, named and opened.

use super::{LobsterSource, from_readers};
use crate::input::{self, ByteStream, Input};
use ijk_core::{FeedError, FeedErrorKind, Session, Symbol};
use jiff::civil::Date;
use std::path::Path;

const EXCHANGE_TIME_ZONE: &str = "America/New_York";

/// What a LOBSTER file's name says: `SYMBOL_YYYY-MM-DD_START_END_message_LEVELS.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileDay {
    /// Symbol.
    pub symbol: Symbol,
    /// Midnight of the day at the exchange, nanoseconds UTC since 1970.
    pub midnight_ns: u64,
    /// Regular trading hours of the day, 09:30 to 16:00 at the exchange.
    pub session: Session,
}

impl FileDay {
    /// Reads a file's name (folders before it do not matter).
    ///
    /// # Errors
    /// `Format` if the name does not begin with a symbol and a date.
    pub fn from_name(name: &str) -> Result<FileDay, FeedError> {
        let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let mut parts = base.split('_');
        let symbol = parts.next().and_then(|s| Symbol::new(s).ok());
        let date = parts.next().and_then(|d| d.parse::<Date>().ok());
        let (Some(symbol), Some(date)) = (symbol, date) else {
            return Err(error(
                name,
                "the name must begin with SYMBOL_YYYY-MM-DD_, as LOBSTER names its files: rows \
                 hold seconds after midnight only"
                    .to_string(),
            ));
        };
        FileDay::new(symbol, date)
            .ok_or_else(|| error(name, format!("'{date}' is outside 1970 to 2200")))
    }

    /// Returns the day `date` of `symbol`, or `None` outside 1970 to 2200.
    pub fn new(symbol: Symbol, date: Date) -> Option<FileDay> {
        if !(1970..2200).contains(&date.year()) {
            return None;
        }
        let at = |hour: i8, minute: i8| -> Option<u64> {
            let local = date.at(hour, minute, 0, 0).in_tz(EXCHANGE_TIME_ZONE).ok()?;
            u64::try_from(local.timestamp().as_nanosecond()).ok()
        };
        let session = Session { open_ns: at(9, 30)?, close_ns: at(16, 0)? };
        Some(FileDay { symbol, midnight_ns: at(0, 0)?, session })
    }
}

fn error(file: &str, detail: String) -> FeedError {
    let kind = FeedErrorKind::Format;
    FeedError { kind, file: file.to_string(), line: 0, field: String::new(), detail }
}

/// Opens a LOBSTER day: a zip archive with both files, or the message file and, as `orderbook`,
/// the order book file (each plain, gzip or zstd).
///
/// # Errors
/// As [`input::open`]; `Format` if the order book is missing or a name has no date.
pub fn open(
    message: &Path,
    orderbook: Option<&Path>,
) -> Result<LobsterSource<ByteStream, ByteStream>, FeedError> {
    let (messages, books) = match orderbook {
        Some(book) => (input::open(message)?, input::open(book)?),
        None => open_archive(message)?,
    };
    let day = FileDay::from_name(&messages.name)?;
    let progress = [messages.progress.clone(), books.progress.clone()];
    let mut source = from_readers(messages.reader, &messages.name, books.reader, &books.name, day);
    source.progress = Some(progress);
    Ok(source)
}

fn open_archive(path: &Path) -> Result<(Input, Input), FeedError> {
    if !input::is_archive(path)? {
        let name = path.display().to_string();
        // Opening first says what is wrong with the file itself.
        input::open(path)?;
        return Err(error(
            &name,
            "the order book is missing: give lobster:MESSAGE.csv,ORDERBOOK.csv, or one zip archive \
             with both"
                .to_string(),
        ));
    }
    let messages = input::open_member(path, |name| is_part(name, "message"))?;
    let books = input::open_member(path, |name| is_part(name, "orderbook"))?;
    Ok((messages, books))
}

/// Returns whether an archive member is the LOBSTER file of this kind.
fn is_part(name: &str, part: &str) -> bool {
    let base = name.rsplit('/').next().unwrap_or(name);
    base.contains(&format!("_{part}_")) && base.contains(".csv")
}
