//! What an event did to a book: what had to be mended or ignored, reported and counted.

use ijk_core::Qty;

/// Largest quantity of one event and of one level. Two of them still add up without overflow.
pub const LEVEL_QTY_MAX: i64 = (1 << 62) - 1;

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
    };

    pub(crate) fn gap(&mut self) {
        self.trusted = false;
        self.counts.gaps += 1;
    }

    /// Ends an event that left both best levels where they were.
    #[inline]
    pub(crate) fn unmoved(&self, changed: bool) -> Applied {
        Applied { changed, crossed: self.crossed, notes: Notes::NONE }
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
