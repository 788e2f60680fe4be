//! Binance raw websocket lines, `<local ns> <json>`, one line one source row.
//!
//! Read are depth updates, REST depth snapshots, trades and book tickers of the spot, USD-M and
//! COIN-M markets, as combined streams (`{"stream":..,"data":..}`) or plain. Any other JSON object
//! is a [`EventKind::Status`] row.
//!
//! # Sequence
//!
//! A spot depth update must begin with the id after the last one, a futures one must name the
//! last one as `pu`. Anything else writes [`EventKind::Gap`] before the update and counts
//! `sequence_gaps`; the book is not to be trusted until the next snapshot, whose `Clear` ends it.
//! Updates older than the book count as `stale_quotes`. A recording may begin without a snapshot:
//! until one comes the book grows out of updates alone (as in hftbacktest). A snapshot older than
//! the last update is completed by applying the updates since again (records flagged DERIVED);
//! one that reaches back before what is remembered (4,096 updates) is skipped as stale.
//!
//! A book ticker older than the depth applied is skipped (`stale_quotes`); one newer than a depth
//! update is put on top of it again. A row that leaves bids at or above asks is mended by removing
//! the levels set longest ago, and counted (`crossed_books`), so that the book is never crossed at
//! BOOK_END.
//!
//! # Times, units, instruments
//!
//! Receive time is the line's own; backwards steps are raised and counted. Exchange time is `T`,
//! else `E` (milliseconds; microseconds from 10^14 on), else the symbol's last one. The two clocks
//! are not compared.
//!
//! Quantities are exact in 1e-9 coins (`qty_unit_e9` 1). COIN-M quantities are contracts, priced
//! in dollars but settled in coins: their instruments have currency `Other`, so that nobody adds
//! price times quantity to dollars. Symbols, tick and lot are found in the first 2,000 lines (at
//! most 8 MiB): the greatest common divisors of the prices and quantities seen, a multiple of the
//! true ones where few were seen; settings may override them. A symbol that first appears later
//! is an error.

mod book;
mod infer;
mod json;

use crate::input::{self, LineReader, Progress, Row};
use crate::queue::RecordQueue;
use book::{Place, Rebuild, Tracker};
use ijk_core::{
    DepthKind, EventKind, EventSource, ExchTs, FeedError, FeedErrorKind, Instrument, InstrumentId,
    MarketEvent, Px, Qty, RecvTs, RepairCounts, RowFlags, Side,
};
use json::{Field, Kind, Message, Pair};
use std::collections::VecDeque;
use std::io::BufRead;
use std::path::Path;

type Lines = LineReader<Box<dyn BufRead + Send>>;

/// One level's new quantity; zero removes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    side: Side,
    px: i64,
    qty: i64,
}

/// A recording as a source of events.
pub struct BinanceSource {
    lines: Lines,
    name: String,
    /// Lines that were looked at before the first event.
    prefix: VecDeque<(u64, Vec<u8>)>,
    progress: Option<Progress>,
    state: State,
}

/// All but the input.
struct State {
    instruments: Vec<Instrument>,
    trackers: Vec<Tracker>,
    exchange: Vec<u64>,
    queue: RecordQueue,
    changes: Vec<Change>,
    repairs: RepairCounts,
    receive: u64,
    row: u64,
}

/// Opens a recording, plain or compressed.
///
/// # Errors
/// [`FeedError`] if the file cannot be opened, its first lines are not of this format, or they
/// name no symbol or more than 64.
pub fn open(path: &Path) -> Result<BinanceSource, FeedError> {
    let input = input::open(path)?;
    let progress = input.progress.clone();
    let mut source = start(input.lines())?;
    source.progress = Some(progress);
    Ok(source)
}

/// Reads a recording from uncompressed bytes; `name` stands in errors.
///
/// # Errors
/// As [`open`].
pub fn from_reader(
    reader: impl BufRead + Send + 'static,
    name: &str,
) -> Result<BinanceSource, FeedError> {
    start(LineReader::new(Box::new(reader), name))
}

fn start(mut lines: Lines) -> Result<BinanceSource, FeedError> {
    let name = lines.name().to_string();
    let (prefix, instruments) = infer::look_ahead(&mut lines)?;
    let n = instruments.len();
    let state = State {
        instruments,
        trackers: (0..n).map(|_| Tracker::default()).collect(),
        exchange: vec![0; n],
        queue: RecordQueue::with_capacity(4_096),
        changes: Vec::new(),
        repairs: RepairCounts::default(),
        receive: 0,
        row: 0,
    };
    Ok(BinanceSource { lines, name, prefix, progress: None, state })
}

/// Splits a line into receive time and message.
fn parse<'a>(row: &Row<'a>) -> Result<(u64, Message<'a>), FeedError> {
    let Some(space) = row.bytes.iter().position(|&b| b == b' ') else {
        return Err(row.field_error("line", "'<local ns> <json>'", row.bytes));
    };
    let receive = row.unsigned("local ns", &row.bytes[..space])?;
    let json = &row.bytes[space + 1..];
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(row.field_error("json", "one JSON object", json));
    }
    let message: Message<'a> = serde_json::from_slice(json).map_err(|e| {
        row.error(FeedErrorKind::Field, "json", format!("expected one JSON object: {e}"))
    })?;
    Ok((receive, message.inner()))
}

fn text<'a>(row: &Row<'_>, name: &str, field: &Field<'a>) -> Result<&'a str, FeedError> {
    match field {
        Field::Text(text) => Ok(text),
        _ => Err(row.error(FeedErrorKind::Field, name, "expected a text".to_string())),
    }
}

fn number(row: &Row<'_>, name: &str, field: &Field<'_>) -> Result<u64, FeedError> {
    match field {
        Field::Number(value) => Ok(*value),
        _ => Err(row.error(FeedErrorKind::Field, name, "expected a whole number".to_string())),
    }
}

fn levels<'f, 'a>(
    row: &Row<'_>,
    name: &str,
    field: &'f Field<'a>,
) -> Result<&'f [Pair<'a>], FeedError> {
    match field {
        Field::Levels(levels) => Ok(levels),
        _ => Err(row.error(
            FeedErrorKind::Field,
            name,
            "expected a list of [\"price\", \"quantity\"]".to_string(),
        )),
    }
}

/// Parses a price (positive) or quantity (zero or more).
fn amount(row: &Row<'_>, name: &str, text: &str, least: i64) -> Result<i64, FeedError> {
    let value = row.decimal_e9(name, text.as_bytes())?;
    if value < least {
        let expected = if least > 0 { "a positive price" } else { "zero or more" };
        return Err(row.range_error(name, expected, text.as_bytes()));
    }
    Ok(value)
}

impl State {
    fn apply(&mut self, row: &Row<'_>) -> Result<(), FeedError> {
        let (receive, message) = parse(row)?;
        if receive < self.receive {
            self.repairs.time_reversals += 1;
        }
        self.receive = receive.max(self.receive);
        let kind = message.kind();
        let index = self.index(row, kind, &message)?;
        let known = index.is_some();
        let index = index.unwrap_or(0);
        self.note_time(row, index, &message)?;
        match kind {
            Kind::Depth => self.depth(row, index, &message)?,
            Kind::Snapshot if known => self.snapshot(row, index, &message)?,
            Kind::Snapshot => self.stale(index),
            Kind::Ticker => self.ticker(row, index, &message)?,
            Kind::Trade => self.trade(row, index, &message)?,
            Kind::Other => self.emit(EventKind::Status, index, None, RowFlags(0)),
        }
        self.queue.end_row(RowFlags::BOOK_END);
        self.row += 1;
        Ok(())
    }

    /// Returns whose message it is; `None` for a snapshot that could be of several symbols, or a
    /// message that is not read.
    fn index(
        &self,
        row: &Row<'_>,
        kind: Kind,
        message: &Message<'_>,
    ) -> Result<Option<usize>, FeedError> {
        let Some(symbol) = message.symbol_text() else {
            return match kind {
                Kind::Snapshot | Kind::Other => Ok((self.instruments.len() == 1).then_some(0)),
                _ => Err(row.error(FeedErrorKind::Field, "s", "expected a symbol".to_string())),
            };
        };
        let found = self.instruments.iter().position(|i| i.symbol.as_str() == symbol);
        if found.is_none() && kind != Kind::Other {
            let expected = "a symbol of the first 2,000 lines";
            return Err(row.field_error("s", expected, symbol.as_bytes()));
        }
        Ok(found)
    }

    fn note_time(
        &mut self,
        row: &Row<'_>,
        index: usize,
        message: &Message<'_>,
    ) -> Result<(), FeedError> {
        let stamp = match (&message.time, &message.event_time) {
            (Field::Number(stamp), _) | (_, Field::Number(stamp)) => *stamp,
            _ if self.exchange[index] == 0 => {
                self.exchange[index] = self.receive;
                return Ok(());
            }
            _ => return Ok(()),
        };
        let unit_ns = if stamp < 100_000_000_000_000 { 1_000_000 } else { 1_000 };
        let Some(ns) = stamp.checked_mul(unit_ns) else {
            let detail = format!("expected milliseconds or microseconds, found {stamp}");
            return Err(row.error(FeedErrorKind::Range, "T", detail));
        };
        self.exchange[index] = ns;
        Ok(())
    }

    fn emit(&mut self, kind: EventKind, index: usize, change: Option<Change>, flags: RowFlags) {
        let change = change.unwrap_or(Change { side: Side::Bid, px: 0, qty: 0 });
        self.queue.push(MarketEvent {
            ts_exchange: ExchTs(self.exchange[index]),
            ts_receive: RecvTs(self.receive),
            row: self.row,
            px: Px(change.px),
            qty: Qty(change.qty),
            side: change.side,
            sequence: self.trackers[index].applied(),
            flags,
            ..MarketEvent::new(kind, InstrumentId(index as u16))
        });
    }

    fn stale(&mut self, index: usize) {
        self.repairs.stale_quotes += 1;
        self.emit(EventKind::Status, index, None, RowFlags(0));
    }

    /// Parses both lists into `self.changes`: what leaves first, so that no side passes through
    /// the other on the way.
    fn collect(
        &mut self,
        row: &Row<'_>,
        lists: [(Side, &str, &[Pair<'_>]); 2],
    ) -> Result<(), FeedError> {
        self.changes.clear();
        for (side, name, levels) in lists {
            for (px, qty) in levels {
                let px = amount(row, name, px, 1)?;
                let qty = amount(row, name, qty, 0)?;
                self.changes.push(Change { side, px, qty });
            }
        }
        self.changes.sort_by_key(|change| change.qty > 0);
        Ok(())
    }

    fn set(&mut self, index: usize, change: Change, id: u64, flags: RowFlags) {
        self.emit(EventKind::LevelSet, index, Some(change), flags);
        if let Some(left) = self.trackers[index].set(change, id) {
            self.emit(EventKind::LevelSet, index, Some(left), RowFlags::DERIVED);
        }
    }

    fn depth(
        &mut self,
        row: &Row<'_>,
        index: usize,
        message: &Message<'_>,
    ) -> Result<(), FeedError> {
        let first = number(row, "U", &message.first_id)?;
        let last = number(row, "u", &message.last_id)?;
        if last < first {
            let detail = format!("expected u at or after U, found {first} and {last}");
            return Err(row.error(FeedErrorKind::Inconsistent, "u", detail));
        }
        let previous = match &message.previous_id {
            Field::Missing => None,
            field => Some(number(row, "pu", field)?),
        };
        let bids = levels(row, "b", &message.b)?;
        let asks = levels(row, "a", &message.a)?;
        self.collect(row, [(Side::Bid, "b", bids), (Side::Ask, "a", asks)])?;
        let place = self.trackers[index].place(first, last, previous);
        if place == Place::Old {
            self.stale(index);
            return Ok(());
        }
        if place == Place::Gap {
            self.repairs.sequence_gaps += 1;
            self.emit(EventKind::Gap, index, None, RowFlags::DERIVED);
        }
        let changes = std::mem::take(&mut self.changes);
        let since = previous.map_or(first, |previous| previous.saturating_add(1));
        self.trackers[index].note(place, since, last, &changes);
        for change in &changes {
            self.set(index, *change, last, RowFlags(0));
        }
        if changes.is_empty() {
            self.emit(EventKind::Status, index, None, RowFlags(0));
        }
        self.changes = changes;
        self.settle(index, last);
        Ok(())
    }

    /// Puts a newer ticker on top again and removes what crosses.
    fn settle(&mut self, index: usize, id: u64) {
        if let Some((ticker_id, quotes)) = self.trackers[index].ticker_after(id) {
            self.best(index, ticker_id, quotes, RowFlags::DERIVED);
        }
        let mut crossed = false;
        while let Some(change) = self.trackers[index].uncross() {
            crossed = true;
            self.emit(EventKind::LevelSet, index, Some(change), RowFlags::DERIVED);
        }
        self.repairs.crossed_books += u64::from(crossed);
    }

    fn best(&mut self, index: usize, id: u64, quotes: [(i64, i64); 2], flags: RowFlags) {
        for (side, (px, qty)) in [Side::Bid, Side::Ask].into_iter().zip(quotes) {
            let change = Change { side, px, qty };
            self.emit(EventKind::BestSet, index, Some(change), flags);
            self.trackers[index].set_best(change, id);
        }
    }

    fn snapshot(
        &mut self,
        row: &Row<'_>,
        index: usize,
        message: &Message<'_>,
    ) -> Result<(), FeedError> {
        let id = number(row, "lastUpdateId", &message.snapshot_id)?;
        let bids = levels(row, "bids", &message.bids)?;
        let asks = levels(row, "asks", &message.asks)?;
        self.collect(row, [(Side::Bid, "bids", bids), (Side::Ask, "asks", asks)])?;
        let since = match self.trackers[index].rebuild(id) {
            Rebuild::Useless => {
                self.stale(index);
                return Ok(());
            }
            Rebuild::Newest => Vec::new(),
            Rebuild::Since(changes) => changes,
        };
        self.emit(EventKind::Clear, index, None, RowFlags::SNAPSHOT);
        let changes = std::mem::take(&mut self.changes);
        for change in changes.iter().filter(|change| change.qty > 0) {
            self.set(index, *change, id, RowFlags::SNAPSHOT);
        }
        self.changes = changes;
        let applied = self.trackers[index].applied();
        for change in since {
            self.set(index, change, applied, RowFlags::DERIVED);
        }
        self.settle(index, applied);
        Ok(())
    }

    fn ticker(
        &mut self,
        row: &Row<'_>,
        index: usize,
        message: &Message<'_>,
    ) -> Result<(), FeedError> {
        let id = number(row, "u", &message.last_id)?;
        let (b, a) = (text(row, "b", &message.b)?, text(row, "a", &message.a)?);
        let (bq, aq) = (text(row, "B", &message.bid_qty)?, text(row, "A", &message.ask_qty)?);
        let bid = (amount(row, "b", b, 0)?, amount(row, "B", bq, 0)?);
        let ask = (amount(row, "a", a, 0)?, amount(row, "A", aq, 0)?);
        for (name, quote, found) in [("b", bid, b), ("a", ask, a)] {
            if quote.1 > 0 && quote.0 == 0 {
                return Err(row.range_error(name, "a positive price", found.as_bytes()));
            }
        }
        if bid.1 > 0 && ask.1 > 0 && bid.0 >= ask.0 {
            self.repairs.crossed_books += 1;
            self.emit(EventKind::Status, index, None, RowFlags(0));
            return Ok(());
        }
        let tracker = &mut self.trackers[index];
        if id < tracker.applied() || tracker.ticker_after(id).is_some() {
            self.stale(index);
            return Ok(());
        }
        tracker.keep_ticker(id, [bid, ask]);
        self.best(index, id, [bid, ask], RowFlags(0));
        Ok(())
    }

    fn trade(
        &mut self,
        row: &Row<'_>,
        index: usize,
        message: &Message<'_>,
    ) -> Result<(), FeedError> {
        let px = amount(row, "p", text(row, "p", &message.price)?, 0)?;
        let qty = amount(row, "q", text(row, "q", &message.qty)?, 0)?;
        let Field::Bool(buyer_is_maker) = message.buyer_is_maker else {
            let detail = "expected true or false".to_string();
            return Err(row.error(FeedErrorKind::Field, "m", detail));
        };
        let side = if buyer_is_maker { Side::Ask } else { Side::Bid };
        // The venue sends empty trades for matches outside the book.
        let kind = if px > 0 && qty > 0 { EventKind::Trade } else { EventKind::Status };
        self.emit(kind, index, Some(Change { side, px, qty }), RowFlags(0));
        Ok(())
    }
}

impl EventSource for BinanceSource {
    fn instruments(&self) -> &[Instrument] {
        &self.state.instruments
    }

    fn depth_kind(&self, _index: usize) -> DepthKind {
        DepthKind::L2
    }

    fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
        loop {
            if let Some(event) = self.state.queue.pop() {
                return Ok(Some(event));
            }
            if let Some((line, bytes)) = self.prefix.pop_front() {
                self.state.apply(&Row { file: &self.name, line, bytes: &bytes })?;
            } else if let Some(row) = self.lines.next_row()? {
                self.state.apply(&row)?;
            } else {
                return Ok(None);
            }
        }
    }

    fn repairs(&self) -> RepairCounts {
        self.state.repairs
    }

    fn progress(&self) -> Option<(u64, u64)> {
        self.progress.as_ref().map(Progress::now)
    }
}
