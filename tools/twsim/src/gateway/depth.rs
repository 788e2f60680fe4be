//! Rows of the book, told as insertions, updates and deletions of positions.

use super::subs::{DepthSub, Sub, SubKind};
use super::{ConnId, Gateway};
use crate::num::{Shares, price_f64};
use crate::proto::*;
use ijk_core::Side;

/// Most rows a side.
const ROWS_MAX: i32 = 60;

/// What happens to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Insert = 0,
    Update = 1,
    Delete = 2,
}

impl Gateway {
    pub(super) fn market_depth(&mut self, conn: ConnId, r: &MarketDepthRequest) {
        let req_id = r.req_id.unwrap_or(0);
        let contract = r.contract.clone().unwrap_or_default();
        let Some(inst) = self.one_instrument(conn, req_id, &contract) else { return };
        if inst.option.is_some() {
            self.error(
                conn,
                req_id,
                10_092,
                "Deep market data is not supported for this combination of security type/exchange",
            );
            return;
        }
        let limit = self.config.limits.depth;
        let depth = |s: &Sub| matches!(s.kind, SubKind::Depth(_));
        if !self.room_for_sub(conn, req_id, limit, 309, depth) {
            return;
        }
        if let Some(code) = self.faults.data_code {
            self.error_code(conn, req_id, code);
            return;
        }
        let rows = r.num_rows.unwrap_or(5).clamp(1, ROWS_MAX) as usize;
        let smart = r.is_smart_depth.unwrap_or(false);
        let kind = SubKind::Depth(DepthSub { rows, smart, shown: Default::default() });
        if let Some(c) = self.conn(conn) {
            c.subs.insert(req_id, Sub { inst, kind, dead: false });
        }
        self.depth_due(conn, req_id);
    }

    /// Tells how the rows changed.
    pub(super) fn depth_due(&mut self, conn: ConnId, req_id: i32) {
        let Some(sub) = self.conns.get(&conn).and_then(|c| c.subs.get(&req_id)) else { return };
        let SubKind::Depth(d) = &sub.kind else { return };
        let (rows, smart, shown) = (d.rows, d.smart, d.shown.clone());
        let stock = &self.market.stocks()[sub.inst.stock];
        let new = [stock.levels(Side::Bid, rows), stock.levels(Side::Ask, rows)];
        if new == shown {
            return;
        }
        for (side, (old, new)) in shown.iter().zip(&new).enumerate() {
            for (position, op, row) in changes(old, new) {
                let data = MarketDepthData {
                    position: Some(position as i32),
                    operation: Some(op as i32),
                    // The protocol's sides: 0 asks, 1 bids.
                    side: Some(1 - side as i32),
                    price: Some(row.map_or(0.0, |r| price_f64(r.0))),
                    size: Some(row.map_or(Shares::ZERO, |r| r.1).to_string()),
                    market_maker: smart.then(|| "NASDAQ".to_string()),
                    is_smart_depth: smart.then_some(true),
                };
                let (req_id, data) = (Some(req_id), Some(data));
                if smart {
                    self.send(conn, 13, &MarketDepthL2 { req_id, market_depth_data: data });
                } else {
                    self.send(conn, 12, &MarketDepth { req_id, market_depth_data: data });
                }
            }
        }
        if let Some(sub) = self.conn(conn).and_then(|c| c.subs.get_mut(&req_id))
            && let SubKind::Depth(d) = &mut sub.kind
        {
            d.shown = new;
        }
    }

    pub(super) fn depth_exchanges(&mut self, conn: ConnId) {
        let row = |exchange: &str, service: &str| DepthMarketDataDescription {
            exchange: Some(exchange.into()),
            sec_type: Some("STK".into()),
            listing_exch: Some(String::new()),
            service_data_type: Some(service.into()),
            agg_group: Some(i32::MAX),
        };
        let rows = vec![row("ISLAND", "Deep2"), row("NYSE", "Deep"), row("BATS", "Deep2")];
        self.send(conn, 80, &MarketDepthExchanges { depth_market_data_descriptions: rows });
    }

    /// A fault: rows are void, the stream goes on from nothing (317), or it ends (316).
    pub(super) fn depth_fault(&mut self, code: i32) {
        for conn in self.started() {
            let Some(c) = self.conn(conn) else { continue };
            let depth = |(_, s): &(&i32, &Sub)| matches!(s.kind, SubKind::Depth(_));
            let reqs: Vec<i32> = c.subs.iter().filter(depth).map(|(id, _)| *id).collect();
            for req_id in reqs {
                self.error_code(conn, req_id, code);
                let Some(c) = self.conn(conn) else { continue };
                match c.subs.get_mut(&req_id).map(|s| &mut s.kind) {
                    Some(SubKind::Depth(d)) if code == 317 => d.shown = Default::default(),
                    _ => _ = c.subs.remove(&req_id),
                }
                self.depth_due(conn, req_id);
            }
        }
    }
}

/// Position, what happens there, and the row that comes.
type RowChange = (usize, Op, Option<(i64, Shares)>);

/// Returns the operations that turn rows `old` into rows `new`, to be applied in order.
fn changes(old: &[(i64, Shares)], new: &[(i64, Shares)]) -> Vec<RowChange> {
    let mut ops = Vec::new();
    let mut rows = old.to_vec();
    // Rows whose price is gone leave, from the back so that positions hold.
    for i in (0..rows.len()).rev() {
        if !new.iter().any(|n| n.0 == rows[i].0) {
            rows.remove(i);
            ops.push((i, Op::Delete, None));
        }
    }
    for (i, row) in new.iter().enumerate() {
        match rows.get_mut(i) {
            Some(shown) if shown.0 == row.0 => {
                if shown.1 != row.1 {
                    *shown = *row;
                    ops.push((i, Op::Update, Some(*row)));
                }
            }
            _ => {
                rows.insert(i, *row);
                ops.push((i, Op::Insert, Some(*row)));
            }
        }
    }
    ops
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Applies operations as a client does.
    fn apply(rows: &mut Vec<(i64, Shares)>, ops: &[RowChange]) {
        for (i, op, row) in ops {
            match (op, row) {
                (Op::Delete, _) => _ = rows.remove(*i),
                (Op::Update, Some(row)) => rows[*i] = *row,
                (Op::Insert, Some(row)) => rows.insert(*i, *row),
                _ => unreachable!(),
            }
        }
    }

    proptest! {
        #[test]
        fn clients_that_apply_the_operations_hold_the_book(
            books in proptest::collection::vec(
                proptest::collection::btree_map(0i64..12, 1i64..5, 0..9), 1..20),
        ) {
            let mut shown = Vec::new();
            for book in books {
                let book: BTreeMap<i64, i64> = book;
                let new: Vec<_> = book.into_iter().map(|(p, q)| (p, Shares::whole(q))).collect();
                let ops = changes(&shown, &new);
                apply(&mut shown, &ops);
                prop_assert_eq!(&shown, &new);
            }
        }
    }
}
