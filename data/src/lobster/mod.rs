//! LOBSTER files: a message row and an order book row in lockstep.
//!
//! The order book row is the state after the message row beside it, to N levels. Every message
//! becomes one record; where the visible levels then differ from the order book row (a level came
//! up from below the N-th, fell below it, or changed without a message), records flagged
//! `DERIVED` set those levels. A book by level that applies all records therefore equals the order
//! book row after each row, and never holds a level that the row does not show.
//!
//! Format: <https://data.lobsterdata.com/info/DataStructure.php>.

mod files;
mod message;
mod snapshot;
mod window;

use crate::input::{LineReader, Progress};
use crate::queue::RecordQueue;
use ijk_core::{
    DepthKind, EventKind, EventSource, ExchTs, FeedError, FeedErrorKind, Instrument, InstrumentId,
    MarketEvent, Px, Qty, RecvTs, RepairCounts, RowFlags, Side,
};
use message::Message;
use snapshot::Snapshot;
use std::io::Read;
use window::{Change, Window};

pub use files::{FileDay, open};

/// Price units of LOBSTER (1e-4 dollars) in units of [`Px`].
const PX_PER_UNIT: i64 = 100_000;

/// Levels a side of the deepest file.
const LEVEL_COUNT_MAX: usize = 256;

/// Records of one row at most: the message, every level of both sides gone and come, and before
/// the first row the initial book.
const ROW_RECORDS_MAX: usize = 8 * LEVEL_COUNT_MAX + 8;

/// Events of one LOBSTER message file with its order book file.
pub struct LobsterSource<M, B> {
    messages: LineReader<M>,
    books: LineReader<B>,
    instruments: [Instrument; 1],
    day: FileDay,
    levels: usize,
    rows: u64,
    last_ns: u64,
    window: Window,
    snapshot: Snapshot,
    queue: RecordQueue,
    repairs: RepairCounts,
    progress: Option<[Progress; 2]>,
}

/// Reads a message stream and an order book stream in lockstep. `message_name` and `book_name`
/// stand in errors; `day` says what the file names say.
///
/// # Errors
/// None at construction; rows are read as events are asked for.
pub fn from_readers<M: Read + Send, B: Read + Send>(
    messages: M,
    message_name: &str,
    books: B,
    book_name: &str,
    day: FileDay,
) -> LobsterSource<M, B> {
    LobsterSource {
        messages: LineReader::new(messages, message_name),
        books: LineReader::new(books, book_name),
        instruments: [Instrument { session: day.session, ..Instrument::us_equity(day.symbol) }],
        day,
        levels: 0,
        rows: 0,
        last_ns: 0,
        window: Window::default(),
        snapshot: Snapshot::default(),
        queue: RecordQueue::with_capacity(ROW_RECORDS_MAX),
        repairs: RepairCounts::default(),
        progress: None,
    }
}

impl<M: Read + Send, B: Read + Send> LobsterSource<M, B> {
    /// Returns the price levels a side that the order book file holds; 0 before the first row.
    pub fn level_count(&self) -> usize {
        self.levels
    }

    /// Reads one row of both files into the queue; `false` at the end of both.
    fn read_row(&mut self) -> Result<bool, FeedError> {
        let message = match self.messages.next_row()? {
            Some(row) => {
                let message = Message::parse(&row)?;
                if message.time_ns < self.last_ns {
                    let detail =
                        format!("{} ns after a row of {} ns", message.time_ns, self.last_ns);
                    return Err(row.error(FeedErrorKind::UnsortedTime, "time", detail));
                }
                Some(message)
            }
            None => None,
        };
        let book = self.books.next_row()?;
        let (message, book) = match (message, book) {
            (Some(message), Some(book)) => (message, book),
            (None, None) if self.rows == 0 => return Err(empty(self.messages.name())),
            (None, None) => return Ok(false),
            (message, book) => {
                let (message_more, book_more) = (message.is_some(), book.is_some());
                return Err(self.unequal(message_more, book_more));
            }
        };
        self.levels = self.snapshot.parse(&book, self.levels)?;
        self.last_ns = message.time_ns;
        self.emit(&message);
        self.rows += 1;
        Ok(true)
    }

    #[cold]
    fn unequal(&self, message_more: bool, book_more: bool) -> FeedError {
        let state = |more: bool, line: u64| {
            if more { format!("has line {line}") } else { format!("ends after line {line}") }
        };
        FeedError {
            kind: FeedErrorKind::Inconsistent,
            file: self.messages.name().to_string(),
            line: self.messages.line_no(),
            field: String::new(),
            detail: format!(
                "the message file {} but the orderbook file {} {}",
                state(message_more, self.messages.line_no()),
                self.books.name(),
                state(book_more, self.books.line_no()),
            ),
        }
    }

    fn emit(&mut self, message: &Message) {
        let ts = self.day.midnight_ns + message.time_ns;
        let mut record = MarketEvent::new(EventKind::Status, InstrumentId(0));
        record.ts_exchange = ExchTs(ts);
        record.ts_receive = RecvTs(ts);
        record.row = self.rows;
        if self.rows == 0 {
            self.window.start_before(message, &self.snapshot, self.levels);
            self.emit_initial(record);
        }
        record.kind = message.kind;
        record.side = message.side;
        record.order_id = message.order_id;
        record.px = Px(message.px * PX_PER_UNIT);
        record.qty = Qty(message.qty);
        self.queue.push(record);
        self.window.apply(message);
        record.order_id = 0;
        for side in [Side::Bid, Side::Ask] {
            self.emit_changes(side, record);
        }
        self.window.follow(&self.snapshot, self.levels);
        self.queue.end_row(RowFlags::BOOK_END);
    }

    /// Emits the book as it must have been before the first message.
    fn emit_initial(&mut self, mut record: MarketEvent) {
        record.flags = RowFlags::SNAPSHOT.with(RowFlags::DERIVED);
        record.kind = EventKind::Clear;
        self.queue.push(record);
        record.kind = EventKind::LevelSet;
        for side in [Side::Bid, Side::Ask] {
            record.side = side;
            for level in self.window.side(side) {
                record.px = Px(level.px * PX_PER_UNIT);
                record.qty = Qty(level.qty);
                self.queue.push(record);
            }
        }
    }

    /// Emits what takes one side of the window to the order book row.
    fn emit_changes(&mut self, side: Side, mut record: MarketEvent) {
        record.flags = RowFlags::DERIVED;
        record.kind = EventKind::LevelSet;
        record.side = side;
        let (queue, repairs) = (&mut self.queue, &mut self.repairs);
        self.window.changes(side, self.snapshot.side(side), self.levels, |change| {
            let level = match change {
                Change::Edge(level) => {
                    repairs.levels_revealed += 1;
                    level
                }
                Change::Mismatch(level) => {
                    repairs.level_mismatches += 1;
                    level
                }
            };
            record.px = Px(level.px * PX_PER_UNIT);
            record.qty = Qty(level.qty);
            queue.push(record);
        });
    }
}

fn empty(name: &str) -> FeedError {
    FeedError {
        kind: FeedErrorKind::Format,
        file: name.to_string(),
        line: 0,
        field: String::new(),
        detail: "the file is empty; LOBSTER rows were expected".to_string(),
    }
}

impl<M: Read + Send, B: Read + Send> EventSource for LobsterSource<M, B> {
    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn depth_kind(&self, _index: usize) -> DepthKind {
        DepthKind::L3
    }

    fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
        loop {
            if let Some(record) = self.queue.pop() {
                return Ok(Some(record));
            }
            if !self.read_row()? {
                return Ok(None);
            }
        }
    }

    fn repairs(&self) -> RepairCounts {
        self.repairs
    }

    fn progress(&self) -> Option<(u64, u64)> {
        let [(m, m_total), (b, b_total)] = self.progress.as_ref()?.each_ref().map(Progress::now);
        Some((m + b, m_total + b_total))
    }
}
