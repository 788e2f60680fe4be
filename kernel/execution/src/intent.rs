//! What the execution engine sees of the market, and what it wants done.

use ijk_core::limits::ACTIONS_PER_INPUT_MAX;
use ijk_core::record::Level;
use ijk_core::{CancelOrder, NewOrder, RecvTs, Side};

/// The market of one instrument at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketView {
    /// Now.
    pub now: RecvTs,
    /// Best bid.
    pub bid: Level,
    /// Best ask.
    pub ask: Level,
    /// Whether both sides are present and to be trusted.
    pub two_sided: bool,
    /// Visible traded quantity of the session so far; never decreases.
    pub volume_qty: i64,
    /// The same by aggressor, by number of the side: bought, sold. Trades without a known
    /// aggressor are in neither.
    pub aggressive_qty: [i64; 2],
    /// First nanosecond after trading; `u64::MAX` without an end.
    pub session_close_ns: u64,
}

impl MarketView {
    /// Returns whether orders may be priced on this view.
    pub(crate) fn is_tradable(&self) -> bool {
        self.two_sided
            && self.bid.px.0 > 0
            && self.ask.px.0 > self.bid.px.0
            // Rounding to the tick stays in range.
            && self.ask.px.0 < i64::MAX / 4
            && self.now.0 < self.session_close_ns
    }

    /// Returns the best price of `side`.
    pub(crate) fn touch(&self, side: Side) -> Level {
        match side {
            Side::Bid => self.bid,
            Side::Ask => self.ask,
        }
    }

    /// Returns the mid price in currency units, or `None` without two sides.
    pub(crate) fn mid(&self) -> Option<f64> {
        let mid = 0.5 * (self.bid.px.as_f64() + self.ask.px.as_f64());
        (self.two_sided && mid > 0.0).then_some(mid)
    }
}

/// One thing the engine wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Send this order, if the risk gate lets it.
    New(NewOrder),
    /// Cancel this order.
    Cancel(CancelOrder),
}

/// The intents of one input, in order; fixed capacity, no allocation.
#[derive(Clone, Debug)]
pub struct IntentBuf {
    items: [Option<Intent>; ACTIONS_PER_INPUT_MAX],
    len: usize,
}

impl Default for IntentBuf {
    fn default() -> Self {
        IntentBuf { items: [None; ACTIONS_PER_INPUT_MAX], len: 0 }
    }
}

impl IntentBuf {
    /// Returns an empty buffer.
    pub fn new() -> IntentBuf {
        IntentBuf::default()
    }

    /// Appends `intent`; returns false, and changes nothing, where the buffer is full.
    #[must_use]
    pub fn push(&mut self, intent: Intent) -> bool {
        let Some(slot) = self.items.get_mut(self.len) else { return false };
        *slot = Some(intent);
        self.len += 1;
        true
    }

    /// Returns whether nothing more fits.
    pub fn is_full(&self) -> bool {
        self.len == self.items.len()
    }

    /// Returns the number of intents.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the intent at `index`, or `None` past the end.
    pub fn get(&self, index: usize) -> Option<Intent> {
        if index < self.len { self.items[index] } else { None }
    }

    /// Returns the intents in the order they were wanted.
    pub fn iter(&self) -> impl Iterator<Item = Intent> + '_ {
        self.items[..self.len].iter().flatten().copied()
    }

    /// Empties the buffer.
    pub fn clear(&mut self) {
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::{ClientOrderId, InstrumentId};

    #[test]
    fn a_full_buffer_refuses_and_keeps_what_it_has() {
        let mut buf = IntentBuf::new();
        let cancel = |i: usize| {
            Intent::Cancel(CancelOrder {
                client_order_id: ClientOrderId(i as u64),
                instrument: InstrumentId(0),
                reserved: [0; 6],
            })
        };
        for i in 0..ACTIONS_PER_INPUT_MAX {
            assert!(buf.push(cancel(i)));
        }
        assert!(buf.is_full() && !buf.push(cancel(999)));
        assert!(buf.iter().eq((0..ACTIONS_PER_INPUT_MAX).map(cancel)));
        assert_eq!(buf.get(ACTIONS_PER_INPUT_MAX), None);
        buf.clear();
        assert!(buf.is_empty() && buf.get(0).is_none());
    }
}
