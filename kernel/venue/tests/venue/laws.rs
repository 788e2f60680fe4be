//! An auditor that sees the market records, the orders sent and the reports, and shares no code
//! with the exchange: conservation, limits, displayed liquidity, traded volume, priority.

use ijk_core::{
    EventKind, MarketEvent, NewOrder, OrderType, RecvTs, ReportKind, Side, VenueReport,
};
use std::collections::BTreeMap;

#[derive(Debug)]
struct Account {
    order: NewOrder,
    open: i64,
    acked: bool,
    arrival: u64,
}

pub struct Laws {
    report_latency_ns: u64,
    orders: BTreeMap<u64, Account>,
    /// Displayed quantity by side and price, and what our fills took of it.
    levels: BTreeMap<(bool, i64), i64>,
    resting: BTreeMap<u64, (bool, i64, i64)>,
    taken: BTreeMap<(bool, i64), i64>,
    last_exec: u64,
    last_delivery: RecvTs,
    arrivals: u64,
    traded_left: i64,
}

fn key(side: Side, px: i64) -> (bool, i64) {
    (side == Side::Ask, px)
}

impl Laws {
    pub fn new(report_latency_ns: u64) -> Laws {
        Laws {
            report_latency_ns,
            orders: BTreeMap::new(),
            levels: BTreeMap::new(),
            resting: BTreeMap::new(),
            taken: BTreeMap::new(),
            last_exec: 0,
            last_delivery: RecvTs(0),
            arrivals: 0,
            traded_left: 0,
        }
    }

    pub fn sent(&mut self, o: &NewOrder) {
        let account = Account { order: *o, open: o.qty.0, acked: false, arrival: 0 };
        assert!(self.orders.insert(o.client_order_id.0, account).is_none());
    }

    /// Before the exchange sees a record: how much its trade may fill.
    pub fn before(&mut self, ev: &MarketEvent) {
        self.traded_left = match ev.kind {
            EventKind::ExecVisible | EventKind::ExecHidden | EventKind::Trade => ev.qty.0,
            _ => 0,
        };
    }

    /// After it: the auditor's own levels, and what of them we had taken.
    pub fn after(&mut self, ev: &MarketEvent) {
        let at = key(ev.side, ev.px.0);
        match ev.kind {
            EventKind::Add => {
                self.resting.insert(ev.order_id, (at.0, at.1, ev.qty.0));
                *self.levels.entry(at).or_default() += ev.qty.0;
            }
            EventKind::Reduce | EventKind::ExecVisible => {
                self.resting.get_mut(&ev.order_id).unwrap().2 -= ev.qty.0;
                *self.levels.get_mut(&at).unwrap() -= ev.qty.0;
            }
            EventKind::Delete | EventKind::Modify => {
                let (ask, px, qty) = self.resting.remove(&ev.order_id).unwrap();
                *self.levels.get_mut(&(ask, px)).unwrap() -= qty;
                if ev.kind == EventKind::Modify {
                    self.resting.insert(ev.order_id, (at.0, at.1, ev.qty.0));
                    *self.levels.entry(at).or_default() += ev.qty.0;
                }
            }
            EventKind::LevelSet => {
                self.levels.insert(at, ev.qty.0);
            }
            EventKind::BestSet => {
                let better = |k: &(bool, i64)| if at.0 { k.1 < at.1 } else { k.1 > at.1 };
                self.levels.retain(|k, _| k.0 != at.0 || (ev.qty.0 > 0 && !better(k)));
                self.levels.insert(at, ev.qty.0);
            }
            _ => {}
        }
        let levels = &self.levels;
        for (k, taken) in &mut self.taken {
            *taken = (*taken).min(levels.get(k).copied().unwrap_or(0));
        }
    }

    pub fn report(&mut self, at: RecvTs, r: &VenueReport, during: Option<&MarketEvent>) {
        assert_eq!(at.0, r.ts_exchange.0 + self.report_latency_ns);
        assert!(at >= self.last_delivery, "reports are delivered in order");
        self.last_delivery = at;
        let id = r.client_order_id.0;
        if r.kind == ReportKind::CancelReject {
            assert!(self.orders.get(&id).is_none_or(|a| a.open == 0), "refused a valid cancel");
            return;
        }
        self.arrivals += 1;
        let arrivals = self.arrivals;
        let account = self.orders.get_mut(&id).expect("a report of an order that was sent");
        assert_eq!((r.side, r.instrument), (account.order.side, account.order.instrument));
        match r.kind {
            ReportKind::Ack => {
                assert!(!account.acked && r.leaves == account.order.qty);
                (account.acked, account.arrival) = (true, arrivals);
            }
            ReportKind::Canceled | ReportKind::Expired => {
                assert!(account.acked && r.qty.0 == account.open && r.leaves.0 == 0);
                account.open = 0;
            }
            ReportKind::Fill => {
                assert!(account.acked && r.qty.0 > 0 && r.exec_id.0 > self.last_exec);
                self.last_exec = r.exec_id.0;
                account.open -= r.qty.0;
                assert_eq!(r.leaves.0, account.open, "filled + leaves = quantity");
                assert!(account.open >= 0);
                let o = account.order;
                assert!(o.order_type == OrderType::Market || !o.side.better(r.px, o.px));
                self.fill(&o, r, during);
            }
            _ => panic!("{r:?}"),
        }
    }

    fn fill(&mut self, o: &NewOrder, r: &VenueReport, during: Option<&MarketEvent>) {
        match during {
            None => {
                assert_eq!(r.maker, 0, "between records only arrivals trade");
                self.take(key(o.side.opposite(), r.px.0), r.qty.0);
            }
            Some(ev) => {
                assert_eq!((r.maker, r.px), (1, o.px), "a resting order fills at its limit");
                self.priority(o);
                let trade = matches!(
                    ev.kind,
                    EventKind::ExecVisible | EventKind::ExecHidden | EventKind::Trade
                );
                if trade {
                    let resting =
                        if ev.kind == EventKind::Trade { ev.side.opposite() } else { ev.side };
                    assert!(o.side == resting && !o.side.better(ev.px, o.px));
                    self.traded_left -= r.qty.0;
                    assert!(self.traded_left >= 0, "more filled than traded");
                } else {
                    self.crossed(o, r.qty.0);
                }
            }
        }
    }

    fn take(&mut self, at: (bool, i64), qty: i64) {
        let taken = self.taken.entry(at).or_default();
        *taken += qty;
        let displayed = self.levels.get(&at).copied().unwrap_or(0);
        assert!(*taken <= displayed, "took {taken} of {displayed} displayed at {at:?}");
    }

    /// A crossing fill does not name its level: book it on the best that has something left.
    fn crossed(&mut self, o: &NewOrder, qty: i64) {
        let ask = o.side == Side::Bid;
        let mut left = qty;
        let mut prices: Vec<i64> = self.levels.keys().filter(|k| k.0 == ask).map(|k| k.1).collect();
        prices.sort_by_key(|px| if ask { *px } else { -px });
        for px in prices {
            let within = if ask { px <= o.px.0 } else { px >= o.px.0 };
            let free = self.levels[&(ask, px)] - self.taken.get(&(ask, px)).copied().unwrap_or(0);
            let part = left.min(free.max(0));
            if within && part > 0 {
                self.take((ask, px), part);
                left -= part;
            }
        }
        assert_eq!(left, 0, "crossed more than was displayed");
    }

    /// No own order of the side with a better price, or the same price and an earlier arrival,
    /// may still be open when this one fills.
    fn priority(&self, o: &NewOrder) {
        let arrival = self.orders[&o.client_order_id.0].arrival;
        for a in self.orders.values().filter(|a| a.acked && a.open > 0) {
            let first = a.order.side.better(a.order.px, o.px)
                || (a.order.px == o.px && a.arrival < arrival);
            assert!(a.order.side != o.side || !first, "{:?} before {o:?}", a.order);
        }
    }

    /// Every order is accounted for to the last share.
    pub fn finish(&self) {
        for a in self.orders.values() {
            assert!(a.acked && a.open >= 0 && a.open <= a.order.qty.0);
        }
    }
}
