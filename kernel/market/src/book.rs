//! Sizes of a book, and the enum over both kinds.

use crate::{Applied, BookCounts, L2Book, L3Book};
use ijk_core::{
    DepthKind, EventKind, Instrument, InstrumentId, MarketEvent, Px, Qty, Side, limits,
};

/// Sizes of one book; all its memory is taken from them at construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookConfig {
    /// Price step of the fast range; prices off this grid are right too, only slower. Values
    /// below 1 count as 1.
    pub tick: Px,
    /// Levels a side; when full, the worst level is dropped and counted.
    pub level_count_max: usize,
    /// Orders of an L3 book; the quantity of further orders counts as anonymous.
    pub order_count_max: usize,
    /// Ticks of the fast range of each side, rounded up to a multiple of 64. The range follows
    /// the best price.
    pub window_ticks: usize,
}

impl BookConfig {
    /// Default width of the fast range of a book by order: 40.96 dollars of a stock, 128 KiB a
    /// side.
    pub const WINDOW_TICKS_L3: usize = 1 << 12;
    /// Default width of the fast range of a book by level: wide enough for the whole depth of a
    /// crypto venue (6,553.60 dollars in ticks of 0.10), 512 KiB a side, of which only pages with
    /// levels are ever touched.
    pub const WINDOW_TICKS_L2: usize = 1 << 16;

    /// Returns the sizes of [`limits`] for a book of this kind of `instrument`.
    pub fn for_instrument(kind: DepthKind, instrument: &Instrument) -> BookConfig {
        BookConfig {
            tick: instrument.tick,
            level_count_max: limits::L2_LEVEL_COUNT_MAX,
            order_count_max: limits::L3_ORDER_COUNT_MAX,
            window_ticks: match kind {
                DepthKind::L2 => BookConfig::WINDOW_TICKS_L2,
                DepthKind::L3 => BookConfig::WINDOW_TICKS_L3,
            },
        }
    }
}

pub use ijk_core::record::Level;

/// The order book of one instrument, by level or by order.
// One a kernel and instrument, made once: the difference in size costs nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug)]
pub enum Book {
    /// By level.
    L2(L2Book),
    /// By order.
    L3(L3Book),
}

macro_rules! either {
    ($self:ident, $book:ident => $call:expr) => {
        match $self {
            Book::L2($book) => $call,
            Book::L3($book) => $call,
        }
    };
}

impl Book {
    /// Returns an empty book with the sizes of [`limits`]; all memory is taken here.
    pub fn new(kind: DepthKind, instrument: &Instrument) -> Book {
        Book::with_config(kind, &BookConfig::for_instrument(kind, instrument))
    }

    /// Returns an empty book with the given sizes; all memory is taken here.
    pub fn with_config(kind: DepthKind, config: &BookConfig) -> Book {
        match kind {
            DepthKind::L2 => Book::L2(L2Book::new(config)),
            DepthKind::L3 => Book::L3(L3Book::new(config)),
        }
    }

    /// Applies one record. Never panics or allocates; what was mended or ignored is reported
    /// and counted.
    #[inline]
    pub fn apply(&mut self, ev: &MarketEvent) -> Applied {
        either!(self, b => b.apply(ev))
    }

    /// Returns the best level of `side`, `None` if it is empty.
    #[inline]
    pub fn best(&self, side: Side) -> Option<Level> {
        either!(self, b => b.best(side))
    }

    /// Writes the best levels of `side` into `out`, best first, and returns how many.
    #[inline]
    pub fn levels(&self, side: Side, out: &mut [Level]) -> usize {
        either!(self, b => b.levels(side, out))
    }

    /// Returns the total visible quantity at `px`, zero where there is none.
    pub fn qty_at(&self, side: Side, px: Px) -> Qty {
        either!(self, b => b.qty_at(side, px))
    }

    /// Returns the number of levels of `side`.
    pub fn level_count(&self, side: Side) -> usize {
        either!(self, b => b.level_count(side))
    }

    /// Returns the number of known orders at `px`; zero on a book by level.
    pub fn level_order_count(&self, side: Side, px: Px) -> usize {
        match self {
            Book::L2(_) => 0,
            Book::L3(b) => b.level_order_count(side, px),
        }
    }

    /// Returns false from a `Gap` until the next `Clear`: messages were lost.
    pub fn is_trusted(&self) -> bool {
        either!(self, b => b.standing.trusted)
    }

    /// Returns whether the best bid is at or above the best ask.
    #[inline]
    pub fn is_crossed(&self) -> bool {
        either!(self, b => b.standing.crossed)
    }

    /// Empties the book and trusts it again, as a `Clear` event does. Counts stay.
    pub fn clear(&mut self) {
        self.apply(&MarketEvent::new(EventKind::Clear, InstrumentId(0)));
    }

    /// Returns what has been mended or ignored so far.
    pub fn counts(&self) -> &BookCounts {
        either!(self, b => &b.standing.counts)
    }

    /// Returns a number that grows whenever one of the best [`limits::FEATURE_LEVEL_COUNT`] levels
    /// of `side` changes (and sometimes when none does): they are what they were as long as this
    /// is.
    #[inline]
    pub fn near_change_count(&self, side: Side) -> u64 {
        either!(self, b => b.near_change_count(side))
    }

    /// Returns the book by order, if it is one: for queries of its queues.
    pub fn as_l3(&self) -> Option<&L3Book> {
        match self {
            Book::L2(_) => None,
            Book::L3(b) => Some(b),
        }
    }
}
