//! What the reader tests share: a plain book, and where the real files are.
#![allow(dead_code)]

use ijk_core::{EventKind, EventSource, MarketEvent, Px, Side};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// Returns a file of the real data, or `None` (with a message) where it is absent.
pub fn real(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("IJK_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"));
    let file = folder.join(path);
    if file.exists() {
        return Some(file);
    }
    eprintln!("skipped: {} is not there", file.display());
    None
}

/// Reads a source to its end.
pub fn drain(source: &mut dyn EventSource) -> Vec<MarketEvent> {
    let mut out = Vec::new();
    while let Some(event) = source.next_event().unwrap() {
        out.push(event);
    }
    out
}

/// A book by level in the plainest form; with `orders` also by order.
#[derive(Default)]
pub struct PlainBook {
    pub bids: BTreeMap<i64, i64>,
    pub asks: BTreeMap<i64, i64>,
    pub orders: HashMap<u64, (Side, i64, i64)>,
}

impl PlainBook {
    fn side(&mut self, side: Side) -> &mut BTreeMap<i64, i64> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    fn change(&mut self, side: Side, px: Px, by: i64) {
        let levels = self.side(side);
        let qty = levels.get(&px.0).copied().unwrap_or(0) + by;
        self.set(side, px, qty);
    }

    fn set(&mut self, side: Side, px: Px, qty: i64) {
        if qty > 0 {
            self.side(side).insert(px.0, qty);
        } else {
            self.side(side).remove(&px.0);
        }
    }

    /// Applies a record as a book by level does.
    pub fn apply_levels(&mut self, e: &MarketEvent) {
        match e.kind {
            EventKind::Clear => *self = PlainBook::default(),
            EventKind::Add => self.change(e.side, e.px, e.qty.0),
            EventKind::Reduce | EventKind::Delete | EventKind::ExecVisible => {
                self.change(e.side, e.px, -e.qty.0);
            }
            EventKind::LevelSet => self.set(e.side, e.px, e.qty.0),
            EventKind::Modify | EventKind::BestSet => panic!("not a level kind: {e:?}"),
            _ => {}
        }
    }

    /// Applies a record as a book by order does.
    pub fn apply_orders(&mut self, e: &MarketEvent) {
        match e.kind {
            EventKind::Clear => *self = PlainBook::default(),
            EventKind::Add => {
                let old = self.orders.insert(e.order_id, (e.side, e.px.0, e.qty.0));
                assert_eq!(old, None, "an order is added once: {e:?}");
                self.change(e.side, e.px, e.qty.0);
            }
            EventKind::Modify => {
                if let Some((side, px, qty)) = self.orders.remove(&e.order_id) {
                    self.change(side, Px(px), -qty);
                }
                self.orders.insert(e.order_id, (e.side, e.px.0, e.qty.0));
                self.change(e.side, e.px, e.qty.0);
            }
            EventKind::Reduce => {
                let (side, px, qty) = self.orders[&e.order_id];
                assert!(side == e.side && px == e.px.0 && qty >= e.qty.0, "{e:?}");
                self.change(side, e.px, -e.qty.0);
                self.orders.remove(&e.order_id);
                if qty > e.qty.0 {
                    self.orders.insert(e.order_id, (side, px, qty - e.qty.0));
                }
            }
            _ => {}
        }
    }

    /// Returns the best `n` levels of a side as (price, quantity), best first.
    pub fn top(&self, side: Side, n: usize) -> Vec<(i64, i64)> {
        let pair = |(&px, &qty): (&i64, &i64)| (px, qty);
        match side {
            Side::Bid => self.bids.iter().rev().take(n).map(pair).collect(),
            Side::Ask => self.asks.iter().take(n).map(pair).collect(),
        }
    }
}
