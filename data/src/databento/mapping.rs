//! From Databento's rows, whatever their encoding, to records.

use super::levels::{push_level, set_levels};
use crate::queue::RecordQueue;
use ijk_core::{
    EventKind, ExchTs, FeedErrorKind, InstrumentId, MarketEvent, Px, Qty, RecvTs, RepairCounts,
    RowFlags, Side,
};

/// The price that means "none".
pub(crate) const PX_UNDEFINED: i64 = i64::MAX;
/// The time that means "none".
pub(crate) const TS_UNDEFINED: u64 = u64::MAX;
/// Levels of the deepest schema.
pub(crate) const LEVEL_COUNT_MAX: usize = 10;
/// A receive time may go back by this much before the file counts as unsorted.
const REVERSAL_NS_MAX: u64 = 1_000_000_000;

const FLAG_LAST: u8 = 1 << 7;
const FLAG_SNAPSHOT: u8 = 1 << 5;
const FLAG_BAD_TS_RECV: u8 = 1 << 3;
const FLAG_MAYBE_BAD_BOOK: u8 = 1 << 2;

/// One row as the vendor encodes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawRow {
    pub(crate) ts_event: u64,
    /// [`TS_UNDEFINED`] where the source has none.
    pub(crate) ts_recv: u64,
    pub(crate) instrument: InstrumentId,
    /// Venue and dataset; 0 where the source does not say.
    pub(crate) publisher: u16,
    pub(crate) action: u8,
    pub(crate) side: u8,
    /// 1e-9 units, or [`PX_UNDEFINED`].
    pub(crate) px: i64,
    pub(crate) size: i64,
    pub(crate) order_id: u64,
    pub(crate) flags: u8,
    pub(crate) sequence: u64,
}

/// One level of both sides as the vendor encodes it; best first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawLevel {
    pub(crate) bid_px: i64,
    pub(crate) bid_qty: i64,
    pub(crate) ask_px: i64,
    pub(crate) ask_qty: i64,
}

/// What is wrong with a row; the reader adds the place.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) kind: FeedErrorKind,
    pub(crate) field: &'static str,
    pub(crate) detail: String,
}

/// Last known levels of one instrument, best first.
#[derive(Debug, Default)]
struct Levels {
    bids: Vec<(i64, i64)>,
    asks: Vec<(i64, i64)>,
    bad_book: bool,
    /// Whose orders these are; order ids of two venues have nothing to do with each other.
    publisher: Option<u16>,
}

/// Makes records of rows and remembers what later rows are compared with.
pub(crate) struct Mapper {
    pub(crate) queue: RecordQueue,
    pub(crate) repairs: RepairCounts,
    books: Vec<Levels>,
    fresh: Vec<(i64, i64)>,
    row: u64,
    last_recv: u64,
}

impl Mapper {
    /// Returns a mapper for `instruments` instruments.
    pub(crate) fn new(instruments: usize) -> Mapper {
        let levels = || Levels {
            bids: Vec::with_capacity(LEVEL_COUNT_MAX),
            asks: Vec::with_capacity(LEVEL_COUNT_MAX),
            bad_book: false,
            publisher: None,
        };
        Mapper {
            queue: RecordQueue::with_capacity(4 * LEVEL_COUNT_MAX + 4),
            repairs: RepairCounts::default(),
            books: (0..instruments).map(|_| levels()).collect(),
            fresh: Vec::with_capacity(LEVEL_COUNT_MAX),
            row: 0,
            last_recv: 0,
        }
    }

    /// Queues the record of a market-by-order row.
    pub(crate) fn mbo(&mut self, raw: &RawRow) -> Result<(), Fault> {
        let mut record = self.start(raw)?;
        self.check_publisher(raw)?;
        self.note_bad_book(raw, &record);
        record.order_id = raw.order_id;
        record.kind = match raw.action {
            b'A' => EventKind::Add,
            b'C' => EventKind::Reduce,
            b'M' if raw.size == 0 => EventKind::Delete,
            b'M' => EventKind::Modify,
            b'R' => EventKind::Clear,
            b'T' => EventKind::Trade,
            b'F' => EventKind::Fill,
            b'N' => EventKind::Status,
            other => return Err(unknown_action(other)),
        };
        match record.kind {
            EventKind::Clear | EventKind::Status => {}
            EventKind::Trade | EventKind::Fill => set_px(&mut record, raw)?,
            _ => {
                set_px(&mut record, raw)?;
                if raw.action == b'A' && raw.size == 0 {
                    return Err(Fault {
                        kind: FeedErrorKind::Range,
                        field: "size",
                        detail: "an added order has a positive size, found 0".to_string(),
                    });
                }
                // An order without a side belongs to no book.
                if record.flags.has(RowFlags::NO_SIDE) {
                    record.kind = EventKind::Status;
                    self.repairs.level_mismatches += 1;
                }
            }
        }
        self.queue.push(record);
        self.finish(raw);
        Ok(())
    }

    /// Queues the records of a market-by-price row: the trade, if it is one, then every level
    /// that differs from the instrument's row before.
    pub(crate) fn mbp(&mut self, raw: &RawRow, levels: &[RawLevel]) -> Result<(), Fault> {
        let mut record = self.start(raw)?;
        let book = &mut self.books[raw.instrument.index()];
        let was_bad = std::mem::replace(&mut book.bad_book, raw.flags & FLAG_MAYBE_BAD_BOOK != 0);
        self.repairs.sequence_gaps += u64::from(book.bad_book && !was_bad);
        let mut any = true;
        match raw.action {
            b'T' | b'F' => {
                let kind = if raw.action == b'T' { EventKind::Trade } else { EventKind::Fill };
                record.kind = kind;
                set_px(&mut record, raw)?;
                self.queue.push(record);
            }
            b'R' => {
                record.kind = EventKind::Clear;
                self.queue.push(record);
                book.bids.clear();
                book.asks.clear();
            }
            b'A' | b'C' | b'M' | b'N' => any = false,
            other => return Err(unknown_action(other)),
        }
        record.kind = EventKind::LevelSet;
        record.flags = RowFlags(record.flags.0 & !RowFlags::NO_SIDE.0);
        for side in [Side::Bid, Side::Ask] {
            self.fresh.clear();
            for (index, level) in levels.iter().enumerate() {
                push_level(&mut self.fresh, level, side, index)?;
            }
            let known = match side {
                Side::Bid => &mut book.bids,
                Side::Ask => &mut book.asks,
            };
            record.side = side;
            any |= set_levels(&mut self.queue, known, &self.fresh, record);
        }
        if !any {
            record.kind = EventKind::Status;
            record.side = Side::Bid;
            (record.px, record.qty) = (Px(0), Qty(0));
            self.queue.push(record);
        }
        self.finish(raw);
        Ok(())
    }

    /// Queues the record of a row that holds a trade and no book.
    pub(crate) fn trade(&mut self, raw: &RawRow) -> Result<(), Fault> {
        let mut record = self.start(raw)?;
        record.kind = match raw.action {
            b'T' => EventKind::Trade,
            b'F' => EventKind::Fill,
            b'A' | b'C' | b'M' | b'N' | b'R' => EventKind::Status,
            other => return Err(unknown_action(other)),
        };
        if record.kind != EventKind::Status {
            set_px(&mut record, raw)?;
        }
        self.queue.push(record);
        self.finish(raw);
        Ok(())
    }

    /// Returns a record with everything that does not depend on the action.
    fn start(&mut self, raw: &RawRow) -> Result<MarketEvent, Fault> {
        let mut record = MarketEvent::new(EventKind::Status, raw.instrument);
        record.ts_exchange = ExchTs(raw.ts_event);
        record.ts_receive = RecvTs(self.receive_time(raw)?);
        record.row = self.row;
        record.sequence = raw.sequence;
        match raw.side {
            b'B' => record.side = Side::Bid,
            b'A' => record.side = Side::Ask,
            b'N' => record.flags = RowFlags::NO_SIDE,
            other => {
                return Err(Fault {
                    kind: FeedErrorKind::Field,
                    field: "side",
                    detail: format!("expected A, B or N, found '{}'", other.escape_ascii()),
                });
            }
        }
        if raw.size < 0 {
            return Err(Fault {
                kind: FeedErrorKind::Range,
                field: "size",
                detail: format!("expected 0 or more, found {}", raw.size),
            });
        }
        if raw.flags & FLAG_SNAPSHOT != 0 {
            record.flags = record.flags.with(RowFlags::SNAPSHOT);
        }
        Ok(record)
    }

    /// Receive times never decrease: small steps back are raised, large ones refused.
    fn receive_time(&mut self, raw: &RawRow) -> Result<u64, Fault> {
        let ts = if raw.ts_recv == TS_UNDEFINED { raw.ts_event } else { raw.ts_recv };
        if ts >= self.last_recv {
            self.last_recv = ts;
            return Ok(ts);
        }
        let back_ns = self.last_recv - ts;
        if back_ns > REVERSAL_NS_MAX && raw.flags & FLAG_BAD_TS_RECV == 0 {
            return Err(Fault {
                kind: FeedErrorKind::UnsortedTime,
                field: if raw.ts_recv == TS_UNDEFINED { "ts_event" } else { "ts_recv" },
                detail: format!(
                    "{ts} is {back_ns} ns before the row before; sort the file by receive time"
                ),
            });
        }
        self.repairs.time_reversals += 1;
        Ok(self.last_recv)
    }

    fn check_publisher(&mut self, raw: &RawRow) -> Result<(), Fault> {
        let known = self.books[raw.instrument.index()].publisher.get_or_insert(raw.publisher);
        if *known == raw.publisher {
            return Ok(());
        }
        Err(Fault {
            kind: FeedErrorKind::Inconsistent,
            field: "publisher_id",
            detail: format!(
                "orders of publisher {} after those of {known}: each venue has its own book; give \
                 one venue a file",
                raw.publisher
            ),
        })
    }

    /// Queues a gap where the vendor begins to distrust its book.
    fn note_bad_book(&mut self, raw: &RawRow, record: &MarketEvent) {
        let bad = raw.flags & FLAG_MAYBE_BAD_BOOK != 0;
        let book = &mut self.books[raw.instrument.index()];
        if bad && !book.bad_book {
            let mut gap = *record;
            gap.kind = EventKind::Gap;
            gap.flags = RowFlags::DERIVED;
            self.queue.push(gap);
            self.repairs.sequence_gaps += 1;
        }
        book.bad_book = bad;
    }

    fn finish(&mut self, raw: &RawRow) {
        let last = raw.flags & FLAG_LAST != 0;
        self.queue.end_row(if last { RowFlags::BOOK_END } else { RowFlags(0) });
        self.row += 1;
    }
}

fn set_px(record: &mut MarketEvent, raw: &RawRow) -> Result<(), Fault> {
    if raw.px == PX_UNDEFINED {
        return Err(Fault {
            kind: FeedErrorKind::Field,
            field: "price",
            detail: "expected a price for this action, found none".to_string(),
        });
    }
    record.px = Px(raw.px);
    record.qty = Qty(raw.size);
    Ok(())
}

#[cold]
fn unknown_action(action: u8) -> Fault {
    Fault {
        kind: FeedErrorKind::Field,
        field: "action",
        detail: format!("expected A, C, M, R, T, F or N, found '{}'", action.escape_ascii()),
    }
}
