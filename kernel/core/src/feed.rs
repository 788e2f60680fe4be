//! The seam between sources of events and the kernel.

use crate::{Instrument, MarketEvent};
use core::fmt;

/// How a feed describes the book; decides which book the kernel keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepthKind {
    /// By order: queues are known.
    L3,
    /// By level.
    L2,
}

/// A stream of events in receive-time order, in bounded memory.
pub trait EventSource: Send {
    /// Returns the instruments of this source; `MarketEvent::instrument` indexes this slice.
    fn instruments(&self) -> &[Instrument];

    /// Returns how instrument `index` describes its book.
    fn depth_kind(&self, index: usize) -> DepthKind;

    /// Returns the next record, or `None` at the end.
    ///
    /// # Errors
    /// [`FeedError`] for input that cannot be trusted; the source must not be read further.
    fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError>;

    /// Returns what has been repaired so far.
    fn repairs(&self) -> RepairCounts;

    /// Returns the progress as bytes read of bytes in total, where known.
    fn progress(&self) -> Option<(u64, u64)> {
        None
    }
}

impl<T: EventSource + ?Sized> EventSource for Box<T> {
    fn instruments(&self) -> &[Instrument] {
        (**self).instruments()
    }
    fn depth_kind(&self, index: usize) -> DepthKind {
        (**self).depth_kind(index)
    }
    fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
        (**self).next_event()
    }
    fn repairs(&self) -> RepairCounts {
        (**self).repairs()
    }
    fn progress(&self) -> Option<(u64, u64)> {
        (**self).progress()
    }
}

/// Deviations that real feeds show, mended and counted; reported at the end of every command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepairCounts {
    /// Levels that came into or left the visible depth without a message.
    pub levels_revealed: u64,
    /// Orders named that were never added (before the file's start or below its depth).
    pub unknown_orders: u64,
    /// Receive times that went backwards and were raised to the last one.
    pub time_reversals: u64,
    /// Sequence gaps; the book was rebuilt or distrusted until a snapshot.
    pub sequence_gaps: u64,
    /// Rows that crossed or locked the book and were resolved in favour of the newer side.
    pub crossed_books: u64,
    /// Quotes older than the depth already applied, skipped.
    pub stale_quotes: u64,
    /// Levels where the source's own messages and snapshots disagree.
    pub level_mismatches: u64,
}

impl RepairCounts {
    /// Returns names and counts, in a fixed order.
    pub fn named(&self) -> [(&'static str, u64); 7] {
        [
            ("levels_revealed", self.levels_revealed),
            ("unknown_orders", self.unknown_orders),
            ("time_reversals", self.time_reversals),
            ("sequence_gaps", self.sequence_gaps),
            ("crossed_books", self.crossed_books),
            ("stale_quotes", self.stale_quotes),
            ("level_mismatches", self.level_mismatches),
        ]
    }

    /// Adds the counts of another source.
    pub fn add(&mut self, other: &RepairCounts) {
        self.levels_revealed += other.levels_revealed;
        self.unknown_orders += other.unknown_orders;
        self.time_reversals += other.time_reversals;
        self.sequence_gaps += other.sequence_gaps;
        self.crossed_books += other.crossed_books;
        self.stale_quotes += other.stale_quotes;
        self.level_mismatches += other.level_mismatches;
    }
}

/// What kind of thing is wrong with the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedErrorKind {
    /// The file cannot be opened or read.
    Io,
    /// The archive or compressed stream is damaged or ends early.
    Truncated,
    /// A row has too few or too many fields.
    ColumnCount,
    /// A field is not what its column holds.
    Field,
    /// Times go backwards where the source promises order.
    UnsortedTime,
    /// A value is outside what can be (negative size, price off the scale).
    Range,
    /// The rows contradict one another (an add of a known order, a fill larger than the order).
    Inconsistent,
    /// The file is not of the stated format.
    Format,
}

/// Bad input: where it is, what was found, what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedError {
    /// What kind of thing is wrong.
    pub kind: FeedErrorKind,
    /// File (and member of an archive) as the user named it.
    pub file: String,
    /// Line from 1 of a text source, or record from 1 of a binary one; 0 where there is none.
    pub line: u64,
    /// Column or field name; empty where the whole row is meant.
    pub field: String,
    /// What was expected and what was found, as one sentence.
    pub detail: String,
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        printable(f, &self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.field.is_empty() {
            f.write_str(": field '")?;
            printable(f, &self.field)?;
            f.write_str("'")?;
        }
        f.write_str(": ")?;
        printable(f, &self.detail)
    }
}

impl std::error::Error for FeedError {}

/// Writes text that may come from a hostile file: control characters, which a terminal would
/// obey, are escaped.
fn printable(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        if c.is_control() {
            write!(f, "{}", c.escape_default())?;
        } else {
            fmt::Write::write_char(f, c)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_where_and_never_command_a_terminal() {
        let mut error = FeedError {
            kind: FeedErrorKind::Field,
            file: "a.csv".to_string(),
            line: 7,
            field: "price".to_string(),
            detail: "expected a number, found \u{1b}[2J".to_string(),
        };
        let want = "a.csv:7: field 'price': expected a number, found \\u{1b}[2J";
        assert_eq!(error.to_string(), want);
        error.line = 0;
        error.field.clear();
        error.detail = "ends early".to_string();
        assert_eq!(error.to_string(), "a.csv: ends early");
    }
}
