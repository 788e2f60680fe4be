//! Where a resting order of ours stands in the queue of its price.
//!
//! `front` is the displayed quantity that trades before us. It starts as everything displayed at
//! the price when we arrive and only ever falls, except where a snapshot level shows older
//! quantity that had not been in view.
//!
//! Order-by-order data: the orders before us are a prefix of the level's queue, so an order is
//! before us exactly if the quantity ahead of IT is less than the prefix. No memory per order.
//!
//! Level data: a trade takes from the front. A cancellation of quantity c takes
//! `c (1 - p)` from the front, `p = f(back) / (f(front) + f(back))`, `f(x) = x^n`: the more stands
//! behind us the likelier the canceller is one of them (Rigtorp, "Estimating order queue
//! position", 2013; `PowerProbQueueFunc` of hftbacktest). With nothing behind us p is 0 and all of
//! it was before us; what exceeds the back comes off the front as well.

use ijk_core::{EventKind, MarketEvent, Px, Side};
use ijk_market::Book;

/// State of one resting order; quantities in quantity units (`f64` is exact to 2^53, and the
/// cancellation model needs fractions).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct QueuePosition {
    front: f64,
    /// Quantity traded at the price that the book has not yet shown as gone: it is off `front`
    /// already and must not be taken off twice.
    traded: f64,
}

/// `x^n`, by multiplication where `n` is a small integer: the same bits on every machine.
fn power(x: f64, n: f64) -> f64 {
    if n.fract() == 0.0 && (0.0..=16.0).contains(&n) {
        (0..n as u32).fold(1.0, |acc, _| acc * x)
    } else {
        x.powf(n)
    }
}

/// Probability that a cancelled unit stood behind us.
pub(crate) fn probability_behind(front: f64, back: f64, n: f64) -> f64 {
    // Scaled by the larger one: x^n of plain quantities may overflow.
    let scale = front.max(back);
    if scale <= 0.0 {
        return 0.0;
    }
    let (f, b) = (power(front / scale, n), power(back / scale, n));
    if f + b > 0.0 { b / (f + b) } else { 0.0 }
}

impl QueuePosition {
    /// Joins a level that displays `displayed`.
    pub(crate) fn join(displayed: i64) -> QueuePosition {
        QueuePosition { front: displayed.max(0) as f64, traded: 0.0 }
    }

    /// What stands before us.
    pub(crate) fn front(&self) -> f64 {
        self.front
    }

    /// Notes a trade of `qty` at our price whose book change comes apart.
    pub(crate) fn trade_apart(&mut self, qty: i64) {
        self.front = (self.front - qty as f64).max(0.0);
        self.traded += qty as f64;
    }

    /// The venue's event is complete: trades whose book change never came are forgotten.
    pub(crate) fn end_event(&mut self) {
        self.traded = 0.0;
    }

    /// Follows a record that changes the book on our side, BEFORE the book applies it. `px` is
    /// our price.
    pub(crate) fn before_apply(&mut self, ev: &MarketEvent, px: Px, book: &Book, n: f64) {
        use EventKind as K;
        match ev.kind {
            K::Reduce | K::Delete | K::ExecVisible | K::Modify => match book {
                Book::L3(_) => self.order_event(ev, px, book),
                Book::L2(_) if ev.px != px => {}
                Book::L2(_) if ev.kind == K::ExecVisible => {
                    self.front = (self.front - ev.qty.0 as f64).max(0.0);
                    self.clamp(book.qty_at(ev.side, px).0 - ev.qty.0);
                }
                Book::L2(_) if ev.kind == K::Modify => {}
                Book::L2(_) => {
                    let displayed = book.qty_at(ev.side, px).0;
                    self.level_moves(displayed, displayed - ev.qty.0, n);
                }
            },
            K::LevelSet if ev.px == px => self.level_set(ev, px, book, n),
            K::BestSet if ev.px == px && ev.qty.0 > 0 => self.level_set(ev, px, book, n),
            // Every level better than the new best is gone, and with it all before us.
            K::BestSet if ev.qty.0 == 0 || ev.side.better(px, ev.px) => {
                *self = QueuePosition::default();
            }
            // A Clear says nothing of the queue: the snapshot after it does.
            _ => {}
        }
    }

    fn level_set(&mut self, ev: &MarketEvent, px: Px, book: &Book, n: f64) {
        let displayed = book.qty_at(ev.side, px).0;
        match book {
            Book::L2(_) => self.level_moves(displayed, ev.qty.0, n),
            // A level that comes into view on an order book holds older, anonymous orders; the
            // book puts them first, and so must we.
            Book::L3(_) => {
                let seen = displayed > 0 || self.front == 0.0;
                if seen && ev.qty.0 > displayed {
                    self.front += (ev.qty.0 - displayed) as f64;
                }
                self.clamp(ev.qty.0);
            }
        }
    }

    /// The level goes from `displayed` to `next` without saying who went.
    fn level_moves(&mut self, displayed: i64, next: i64, n: f64) {
        let fallen = (displayed - next) as f64;
        let cancelled = fallen - self.traded;
        if cancelled > 0.0 {
            // `front` is net of the trades, so the level before the cancellation is too.
            let level = displayed as f64 - self.traded;
            let back = (level - self.front).max(0.0);
            let behind = cancelled * probability_behind(self.front, back, n);
            let excess = (behind - back).max(0.0);
            self.front = (self.front - (cancelled - behind) - excess).max(0.0);
        }
        self.traded = 0.0;
        self.clamp(next);
    }

    fn order_event(&mut self, ev: &MarketEvent, px: Px, book: &Book) {
        let l3 = book.as_l3().filter(|_| ev.order_id != 0);
        let known = l3.and_then(|b| b.order(ev.order_id));
        // The order's own place, where known: a Modify names the new price.
        let (side, at, held) = known.map_or((ev.side, ev.px, ev.qty), |o| o);
        if side != ev.side || at != px {
            return;
        }
        let held = held.0;
        let gone = match ev.kind {
            EventKind::Delete => held,
            EventKind::Modify if known.is_none() => return,
            EventKind::Modify if ev.px == at && ev.qty.0 <= held => held - ev.qty.0,
            EventKind::Modify => held,
            _ => ev.qty.0.min(held),
        };
        // Anonymous quantity is the oldest there is: nothing is ahead of it.
        let ahead = known.and(l3).and_then(|b| b.qty_ahead(ev.order_id)).map_or(0, |q| q.0);
        if (ahead as f64) < self.front + self.traded {
            let again = self.traded.min(gone as f64);
            self.traded -= again;
            self.front = (self.front - (gone as f64 - again)).max(0.0);
        }
        self.clamp(book.qty_at(side, px).0 - gone);
    }

    /// No more can stand before us than the level displays.
    fn clamp(&mut self, displayed: i64) {
        self.front = self.front.min(displayed.max(0) as f64);
    }

    /// Keeps this order behind an earlier one of ours at the same price.
    pub(crate) fn stay_behind(&mut self, earlier: &QueuePosition) {
        self.front = self.front.max(earlier.front);
    }

    /// What a trade of `qty` at our price leaves for us and those behind.
    pub(crate) fn beyond_front(&self, qty: i64) -> i64 {
        (qty as f64 - self.front).floor().max(0.0) as i64
    }
}

/// Which side of the book rested in a trade, and how much; `None` in the side where the feed does
/// not know.
pub(crate) fn resting_trade(ev: &MarketEvent) -> Option<(Option<Side>, i64)> {
    use EventKind as K;
    let side = match ev.kind {
        K::ExecVisible | K::ExecHidden => ev.side,
        K::Trade => ev.side.opposite(),
        _ => return None,
    };
    let known = !ev.flags.has(ijk_core::RowFlags::NO_SIDE);
    (ev.qty.0 > 0).then_some((known.then_some(side), ev.qty.0))
}
