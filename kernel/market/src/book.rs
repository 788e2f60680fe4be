//! What both books share: sizes, reports of an event, and the enum over them.

use crate::{L2Book, L3Book};
use ijk_core::{DepthKind, Instrument, MarketEvent, Px, Qty, Side, limits};

/// Largest quantity of one event and of one level. Two of them still add up without overflow.
pub const LEVEL_QTY_MAX: i64 = (1 << 62) - 1;

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
    /// Default width of the fast range: 40.96 dollars of a stock.
    pub const WINDOW_TICKS: usize = 4_096;

    /// Returns the sizes of [`limits`] for `instrument`.
    pub fn for_instrument(instrument: &Instrument) -> BookConfig {
        BookConfig {
            tick: instrument.tick,
            level_count_max: limits::L2_LEVEL_COUNT_MAX,
            order_count_max: limits::L3_ORDER_COUNT_MAX,
            window_ticks: BookConfig::WINDOW_TICKS,
        }
    }
}

/// Price and total visible quantity of one level; the quantity is positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Price.
    pub px: Px,
    /// Quantity.
    pub qty: Qty,
}

/// What had to be mended or ignored while an event was applied, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes(pub u16);

impl Notes {
    /// Nothing.
    pub const NONE: Notes = Notes(0);
    /// L3: the event names an order the book does not know; anonymous quantity stood in.
    pub const UNKNOWN_ORDER: Notes = Notes(1);
    /// More was taken away than rested; what there was went.
    pub const OVER_REDUCTION: Notes = Notes(1 << 1);
    /// L2: quantity was to be taken from a price that holds none; ignored.
    pub const MISSING_LEVEL: Notes = Notes(1 << 2);
    /// L3: an order was added that rests already; the new one replaces it.
    pub const DUPLICATE_ORDER: Notes = Notes(1 << 3);
    /// L3: side, price or remaining size of the event is not that of the order it names; the
    /// order's own were used.
    pub const MISMATCH: Notes = Notes(1 << 4);
    /// L3: known orders were dropped or cut because a level's total left no room for them.
    pub const TRIMMED: Notes = Notes(1 << 5);
    /// A level was dropped because the side was full.
    pub const LEVEL_CAPACITY: Notes = Notes(1 << 6);
    /// L3: the order table was full; the quantity counts as anonymous.
    pub const ORDER_CAPACITY: Notes = Notes(1 << 7);
    /// The quantity is negative, zero where none may be, or beyond [`LEVEL_QTY_MAX`]; ignored.
    pub const BAD_QTY: Notes = Notes(1 << 8);
    /// L2: a change of price of a single order says nothing of the level it left; ignored.
    pub const UNSUPPORTED: Notes = Notes(1 << 9);

    /// Returns whether all bits of `other` are set.
    pub const fn has(self, other: Notes) -> bool {
        self.0 & other.0 == other.0
    }

    /// Adds the bits of `other`.
    pub(crate) fn note(&mut self, other: Notes) {
        self.0 |= other.0;
    }
}

/// What one event did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Some quantity of the book changed.
    pub changed: bool,
    /// The book is crossed or locked after the event: best bid at or above best ask. It is left
    /// so; readers of the book decide.
    pub crossed: bool,
    /// What was mended or ignored.
    pub notes: Notes,
}

/// Events by what had to be mended or ignored; the meaning of each is that of the bit of
/// [`Notes`] with its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BookCounts {
    /// See [`Notes::UNKNOWN_ORDER`].
    pub unknown_orders: u64,
    /// See [`Notes::OVER_REDUCTION`].
    pub over_reductions: u64,
    /// See [`Notes::MISSING_LEVEL`].
    pub missing_levels: u64,
    /// See [`Notes::DUPLICATE_ORDER`].
    pub duplicate_orders: u64,
    /// See [`Notes::MISMATCH`].
    pub mismatches: u64,
    /// See [`Notes::TRIMMED`].
    pub trimmed: u64,
    /// See [`Notes::LEVEL_CAPACITY`].
    pub level_capacity: u64,
    /// See [`Notes::ORDER_CAPACITY`].
    pub order_capacity: u64,
    /// See [`Notes::BAD_QTY`].
    pub bad_qtys: u64,
    /// See [`Notes::UNSUPPORTED`].
    pub unsupported: u64,
    /// Events after which a book that was not crossed or locked is.
    pub crossed: u64,
    /// Gaps: times after which the book was not to be trusted.
    pub gaps: u64,
}

impl BookCounts {
    #[cold]
    fn add(&mut self, notes: Notes) {
        let fields = [
            (Notes::UNKNOWN_ORDER, &mut self.unknown_orders),
            (Notes::OVER_REDUCTION, &mut self.over_reductions),
            (Notes::MISSING_LEVEL, &mut self.missing_levels),
            (Notes::DUPLICATE_ORDER, &mut self.duplicate_orders),
            (Notes::MISMATCH, &mut self.mismatches),
            (Notes::TRIMMED, &mut self.trimmed),
            (Notes::LEVEL_CAPACITY, &mut self.level_capacity),
            (Notes::ORDER_CAPACITY, &mut self.order_capacity),
            (Notes::BAD_QTY, &mut self.bad_qtys),
            (Notes::UNSUPPORTED, &mut self.unsupported),
        ];
        for (bit, count) in fields {
            *count += u64::from(notes.has(bit));
        }
    }
}

/// State that both books keep beside their levels.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) counts: BookCounts,
    pub(crate) trusted: bool,
    pub(crate) crossed: bool,
    pub(crate) changes: u64,
}

impl Standing {
    pub(crate) const NEW: Standing = Standing {
        counts: BookCounts {
            unknown_orders: 0,
            over_reductions: 0,
            missing_levels: 0,
            duplicate_orders: 0,
            mismatches: 0,
            trimmed: 0,
            level_capacity: 0,
            order_capacity: 0,
            bad_qtys: 0,
            unsupported: 0,
            crossed: 0,
            gaps: 0,
        },
        trusted: true,
        crossed: false,
        changes: 0,
    };

    pub(crate) fn gap(&mut self) {
        self.trusted = false;
        self.counts.gaps += 1;
    }

    /// Ends an event: `crossed` is asked only if the event changed the book.
    #[inline]
    pub(crate) fn finish(
        &mut self,
        changed: bool,
        notes: Notes,
        crossed: impl FnOnce() -> bool,
    ) -> Applied {
        if changed {
            self.changes += 1;
            let crossed = crossed();
            self.counts.crossed += u64::from(crossed && !self.crossed);
            self.crossed = crossed;
        }
        if notes != Notes::NONE {
            self.counts.add(notes);
        }
        Applied { changed, crossed: self.crossed, notes }
    }
}

/// Returns whether an event's quantity can be applied at all.
#[inline]
pub(crate) fn qty_valid(qty: Qty) -> bool {
    (0..=LEVEL_QTY_MAX).contains(&qty.0)
}

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
        Book::with_config(kind, &BookConfig::for_instrument(instrument))
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
        either!(self, b => b.clear())
    }

    /// Returns what has been mended or ignored so far.
    pub fn counts(&self) -> &BookCounts {
        either!(self, b => &b.standing.counts)
    }

    /// Returns the number of changes so far: the book is what it was as long as this is.
    #[inline]
    pub fn change_count(&self) -> u64 {
        either!(self, b => b.standing.changes)
    }

    /// Returns the book by order, if it is one: for queries of its queues.
    pub fn as_l3(&self) -> Option<&L3Book> {
        match self {
            Book::L2(_) => None,
            Book::L3(b) => Some(b),
        }
    }
}
