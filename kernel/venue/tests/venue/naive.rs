//! A second exchange, as plain as can be: own orders stand IN the queues among the market's, every
//! question is answered by a scan. For order data, where queues are exact, fills must be equal.

use ijk_core::{EventKind, MarketEvent, NewOrder, OrderType, Side, TimeInForce};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Who {
    Market(u64),
    Own(u64),
}

#[derive(Clone, Debug)]
struct Own {
    id: u64,
    side: Side,
    px: i64,
    leaves: i64,
}

/// A line of the account both exchanges must give: order, what, quantity, price.
pub type Line = (u64, &'static str, i64, i64);

#[derive(Default)]
pub struct Naive {
    queues: BTreeMap<(bool, i64), Vec<(Who, i64)>>,
    taken: BTreeMap<(bool, i64), i64>,
    own: Vec<Own>,
}

fn asks(side: Side) -> bool {
    side == Side::Ask
}

impl Naive {
    pub fn displayed(&self, side: Side, px: i64) -> i64 {
        let market = |e: &&(Who, i64)| matches!(e.0, Who::Market(_));
        self.queues.get(&(asks(side), px)).map_or(0, |q| q.iter().filter(market).map(|e| e.1).sum())
    }

    /// Displayed prices of a side, best first.
    pub fn prices(&self, side: Side) -> Vec<i64> {
        let mut found: Vec<i64> = self
            .queues
            .keys()
            .filter(|k| k.0 == asks(side) && self.displayed(side, k.1) > 0)
            .map(|k| k.1)
            .collect();
        found.sort_by_key(|px| if side == Side::Bid { -px } else { *px });
        found
    }

    /// Market orders with side, price and quantity.
    pub fn market_orders(&self) -> Vec<(u64, Side, i64, i64)> {
        let mut found = vec![];
        for ((ask, px), queue) in &self.queues {
            for (who, qty) in queue {
                if let Who::Market(id) = who {
                    found.push((*id, if *ask { Side::Ask } else { Side::Bid }, *px, *qty));
                }
            }
        }
        found
    }

    pub fn own_ids(&self) -> Vec<u64> {
        self.own.iter().map(|o| o.id).collect()
    }

    /// What an order of `side` with `limit` takes of `want`, displayed and not yet taken.
    fn take(&mut self, side: Side, limit: Option<i64>, want: i64) -> Vec<(i64, i64)> {
        let other = side.opposite();
        let mut found = vec![];
        let mut left = want;
        for px in self.prices(other) {
            let beyond = limit.is_some_and(|l| if side == Side::Bid { px > l } else { px < l });
            if beyond || left == 0 {
                break;
            }
            let taken = self.taken.entry((asks(other), px)).or_default();
            let displayed: i64 = self.queues[&(asks(other), px)]
                .iter()
                .filter(|e| matches!(e.0, Who::Market(_)))
                .map(|e| e.1)
                .sum();
            let qty = left.min(displayed - *taken).max(0);
            if qty > 0 {
                *taken += qty;
                left -= qty;
                found.push((px, qty));
            }
        }
        found
    }

    pub fn arrive(&mut self, o: &NewOrder) -> Vec<Line> {
        let id = o.client_order_id.0;
        let limit = (o.order_type == OrderType::Limit).then_some(o.px.0);
        let mut lines = vec![(id, "ack", 0, 0)];
        let fills = self.take(o.side, limit, o.qty.0);
        let leaves = o.qty.0 - fills.iter().map(|f| f.1).sum::<i64>();
        lines.extend(fills.iter().map(|(px, qty)| (id, "take", *qty, *px)));
        if leaves > 0 && (limit.is_none() || o.tif == TimeInForce::Ioc) {
            lines.push((id, "expired", leaves, 0));
        } else if leaves > 0 {
            self.own.push(Own { id, side: o.side, px: o.px.0, leaves });
            let queue = self.queues.entry((asks(o.side), o.px.0)).or_default();
            queue.push((Who::Own(id), leaves));
        }
        lines
    }

    pub fn cancel(&mut self, id: u64) -> Vec<Line> {
        match self.own.iter().position(|o| o.id == id) {
            None => vec![(id, "cancel-reject", 0, 0)],
            Some(index) => {
                let own = self.own.remove(index);
                self.forget(Who::Own(id));
                vec![(id, "canceled", own.leaves, 0)]
            }
        }
    }

    fn forget(&mut self, who: Who) {
        for queue in self.queues.values_mut() {
            queue.retain(|e| e.0 != who);
        }
    }

    /// Own orders of a side: best price first, then as they came.
    fn priority(&self, side: Side) -> Vec<Own> {
        let mut found: Vec<Own> = self.own.iter().filter(|o| o.side == side).cloned().collect();
        found.sort_by_key(|o| if side == Side::Bid { -o.px } else { o.px });
        found
    }

    fn fill(&mut self, id: u64, qty: i64) -> Option<Line> {
        let own = self.own.iter_mut().find(|o| o.id == id)?;
        own.leaves -= qty;
        let (px, gone) = (own.px, own.leaves == 0);
        if gone {
            self.own.retain(|o| o.id != id);
            self.forget(Who::Own(id));
        }
        (qty > 0).then_some((id, "make", qty, px))
    }

    fn trade(&mut self, side: Side, px: i64, qty: i64, hidden: bool) -> Vec<Line> {
        let mut left = qty;
        let mut lines = vec![];
        for own in self.priority(side) {
            let through = if side == Side::Bid { own.px > px } else { own.px < px };
            let free = if through {
                left
            } else if own.px == px && !hidden {
                let queue = &self.queues[&(asks(side), px)];
                let at = queue.iter().position(|e| e.0 == Who::Own(own.id)).unwrap();
                let market = |e: &&(Who, i64)| matches!(e.0, Who::Market(_));
                left - queue[..at].iter().filter(market).map(|e| e.1).sum::<i64>()
            } else {
                0
            };
            let filled = free.max(0).min(own.leaves);
            left -= filled;
            lines.extend(self.fill(own.id, filled));
        }
        lines
    }

    fn change(&mut self, ev: &MarketEvent) {
        let who = Who::Market(ev.order_id);
        let key = (asks(ev.side), ev.px.0);
        match ev.kind {
            EventKind::Add => self.queues.entry(key).or_default().push((who, ev.qty.0)),
            EventKind::Delete => self.forget(who),
            EventKind::Reduce | EventKind::ExecVisible => {
                let queue = self.queues.get_mut(&key).unwrap();
                queue.iter_mut().find(|e| e.0 == who).unwrap().1 -= ev.qty.0;
                queue.retain(|e| e.1 > 0);
            }
            EventKind::Modify => {
                let old = self.market_orders().into_iter().find(|o| o.0 == ev.order_id).unwrap();
                if old.2 == ev.px.0 && ev.qty.0 <= old.3 {
                    let queue = self.queues.get_mut(&key).unwrap();
                    queue.iter_mut().find(|e| e.0 == who).unwrap().1 = ev.qty.0;
                } else {
                    self.forget(who);
                    self.queues.entry(key).or_default().push((who, ev.qty.0));
                }
            }
            _ => {}
        }
    }

    pub fn event(&mut self, ev: &MarketEvent) -> Vec<Line> {
        let mut lines = match ev.kind {
            EventKind::ExecVisible => self.trade(ev.side, ev.px.0, ev.qty.0, false),
            EventKind::ExecHidden => self.trade(ev.side, ev.px.0, ev.qty.0, true),
            _ => vec![],
        };
        self.change(ev);
        let shown: Vec<_> = self.taken.keys().copied().collect();
        for key in shown {
            let side = if key.0 { Side::Ask } else { Side::Bid };
            let displayed = self.displayed(side, key.1);
            let taken = self.taken.get_mut(&key).unwrap();
            *taken = displayed.min(*taken);
        }
        for side in [Side::Bid, Side::Ask] {
            for own in self.priority(side) {
                for (_, qty) in self.take(side, Some(own.px), own.leaves) {
                    lines.extend(self.fill(own.id, qty));
                }
            }
        }
        lines
    }
}
