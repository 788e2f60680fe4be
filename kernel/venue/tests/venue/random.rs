//! Random order data and random orders of ours: every report equals the naive exchange's.

use crate::laws::Laws;
use crate::naive::{Line, Naive};
use crate::rig::*;
use ijk_core::num::E9;
use ijk_core::{
    CancelOrder, ClientOrderId, DepthKind, EventKind, InstrumentId, MarketEvent, NewOrder,
    OrderType, ParentId, Px, Qty, RecvTs, ReportKind, RowFlags, Side, TimeInForce,
};
use ijk_venue::rng::SplitMix64;
use ijk_venue::{SimExchange, Venue};
use proptest::prelude::*;

const TICK: i64 = E9 / 100;

pub struct Pick(pub SplitMix64);

impl Pick {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0.up_to(n - 1)
    }

    pub fn side(&mut self) -> Side {
        if self.below(2) == 0 { Side::Bid } else { Side::Ask }
    }

    pub fn order(&mut self, id: u64) -> NewOrder {
        let market = self.below(10) == 0;
        let px = if market { 0 } else { 9_990 + self.below(21) as i64 };
        NewOrder {
            client_order_id: ClientOrderId(id),
            qty: Qty(self.below(60) as i64 + 1),
            px: Px(px * TICK),
            parent_id: ParentId(0),
            instrument: InstrumentId(0),
            side: self.side(),
            order_type: if market { OrderType::Market } else { OrderType::Limit },
            tif: if self.below(3) == 0 { TimeInForce::Ioc } else { TimeInForce::Gtc },
            reserved: [0; 7],
        }
    }
}

/// The next record of a market that obeys price-time priority.
fn next_record(pick: &mut Pick, market: &Naive, id: u64) -> MarketEvent {
    let mut ev = MarketEvent::new(EventKind::Status, InstrumentId(0));
    ev.flags = RowFlags::ROW_END.with(RowFlags::BOOK_END);
    ev.side = pick.side();
    let other = market.prices(ev.side.opposite()).first().copied();
    let orders = market.market_orders();
    let what = pick.below(20);
    if what < 8 || orders.is_empty() {
        let px = (9_990 + pick.below(21) as i64) * TICK;
        let crosses = other.is_some_and(|o| !ev.side.better(Px(o), Px(px)));
        if !crosses {
            (ev.kind, ev.px, ev.order_id) = (EventKind::Add, Px(px), id);
            ev.qty = Qty(pick.below(40) as i64 + 1);
        }
        return ev;
    }
    let (order_id, side, px, qty) = orders[pick.below(orders.len() as u64) as usize];
    (ev.order_id, ev.side, ev.px) = (order_id, side, Px(px));
    match what {
        8..=9 if qty > 1 => {
            ev.kind = EventKind::Reduce;
            ev.qty = Qty(1 + pick.below(qty as u64 - 1) as i64);
        }
        10..=12 => (ev.kind, ev.qty) = (EventKind::Delete, Qty(qty)),
        13 => (ev.kind, ev.qty) = (EventKind::Modify, Qty(1 + pick.below(50) as i64)),
        14 => {
            ev.kind = EventKind::ExecHidden;
            (ev.order_id, ev.qty) = (0, Qty(1 + pick.below(30) as i64));
        }
        _ => {
            // The first of the best queue trades.
            let Some(best) = market.prices(side).first().copied() else { return ev };
            let first = orders.iter().find(|o| o.1 == side && o.2 == best).unwrap();
            (ev.kind, ev.order_id, ev.px) = (EventKind::ExecVisible, first.0, Px(best));
            ev.qty = Qty(1 + pick.below(first.3 as u64) as i64);
        }
    }
    ev
}

fn lines(venue: &mut SimExchange, laws: &mut Laws, during: Option<&MarketEvent>) -> Vec<Line> {
    let mut found = vec![];
    let far = RecvTs(u64::MAX);
    while let Some((at, r)) = venue.take_report(far) {
        laws.report(at, &r, during);
        let what = match r.kind {
            ReportKind::Ack => "ack",
            ReportKind::Fill if r.maker == 1 => "make",
            ReportKind::Fill => "take",
            ReportKind::Canceled => "canceled",
            ReportKind::Expired => "expired",
            ReportKind::Reject => "reject",
            ReportKind::CancelReject => "cancel-reject",
            other => panic!("the simulated exchange does not send {other:?}"),
        };
        found.push((r.client_order_id.0, what, r.qty.0, r.px.0));
    }
    found
}

/// One session of `steps` steps. Records fall on whole microseconds, orders arrive between them.
fn session(seed: u64, steps: u64) -> Result<[u64; 3], TestCaseError> {
    let mut pick = Pick(SplitMix64::new(seed));
    let i = stock();
    let mut venue = SimExchange::new(&sim(), &no_fees(), &[i], &[DepthKind::L3], seed).unwrap();
    let (mut naive, mut laws) = (Naive::default(), Laws::new(500 * US));
    let mut counts = [0u64; 3];
    let mut id = 0;
    for step in 1..=steps {
        let now = RecvTs(step * 10 * MS);
        let mut want = vec![];
        match pick.below(10) {
            0..=1 => {
                id += 1;
                let order = pick.order(id);
                laws.sent(&order);
                venue.submit(now, approve(order, &i));
                want.extend(naive.arrive(&order));
            }
            2 if id > 0 => {
                let target = ClientOrderId(1 + pick.below(id));
                let cancel =
                    CancelOrder { client_order_id: target, instrument: i0(), reserved: [0; 6] };
                venue.cancel(now, cancel);
                want.extend(naive.cancel(target.0));
            }
            _ => {}
        }
        venue.advance(now.plus_ns(MS));
        prop_assert_eq!(lines(&mut venue, &mut laws, None), want);

        let mut ev = next_record(&mut pick, &naive, 1_000_000 + step);
        ev.ts_receive = now.plus_ns(2 * MS);
        let want = naive.event(&ev);
        laws.before(&ev);
        venue.on_market(&ev);
        laws.after(&ev);
        let got = lines(&mut venue, &mut laws, Some(&ev));
        for line in &got {
            counts[usize::from(ev.kind == EventKind::ExecVisible)] += u64::from(line.1 == "make");
        }
        counts[2] += u64::from(ev.kind == EventKind::Add);
        prop_assert_eq!(got, want, "{:?}", ev);
        prop_assert_eq!(venue.resting_count(), naive.own_ids().len());
    }
    venue.finish(RecvTs(u64::MAX / 2));
    laws.finish();
    Ok(counts)
}

fn i0() -> InstrumentId {
    InstrumentId(0)
}

#[test]
fn reports_equal_the_naive_exchange() {
    let mut counts = [0u64; 3];
    for seed in 0..60 {
        let got = session(seed, 600).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        (0..3).for_each(|k| counts[k] += got[k]);
    }
    // The sessions must have been about something: crossings, trade fills, additions.
    assert!(counts[0] > 200 && counts[1] > 200 && counts[2] > 1_000, "{counts:?}");
}

/// Level data: the queue is a model, so the laws alone are checked.
#[test]
fn laws_hold_on_level_data() {
    let (mut made, mut taken) = (0, 0);
    for seed in 0..60u64 {
        let mut pick = Pick(SplitMix64::new(seed));
        let i = stock();
        let mut venue = SimExchange::new(&sim(), &no_fees(), &[i], &[DepthKind::L2], seed).unwrap();
        let mut laws = Laws::new(500 * US);
        let mut id = 0;
        for step in 1..=600u64 {
            let now = RecvTs(step * 10 * MS);
            if pick.below(4) == 0 {
                id += 1;
                let order = pick.order(id);
                laws.sent(&order);
                venue.submit(now, approve(order, &i));
            } else if id > 0 && pick.below(8) == 0 {
                let client_order_id = ClientOrderId(1 + pick.below(id));
                venue.cancel(
                    now,
                    CancelOrder { client_order_id, instrument: i0(), reserved: [0; 6] },
                );
            }
            venue.advance(now.plus_ns(MS));
            taken += lines(&mut venue, &mut laws, None).iter().filter(|l| l.1 == "take").count();
            let mut ev = MarketEvent::new(EventKind::LevelSet, InstrumentId(0));
            ev.flags = RowFlags::ROW_END.with(RowFlags::BOOK_END);
            ev.side = pick.side();
            ev.px = Px((9_990 + pick.below(21) as i64) * TICK);
            ev.qty = Qty(pick.below(60) as i64);
            ev.ts_receive = now.plus_ns(2 * MS);
            match pick.below(8) {
                0 => ev.kind = EventKind::BestSet,
                1..=3 => (ev.kind, ev.qty) = (EventKind::Trade, Qty(ev.qty.0 + 1)),
                _ => {}
            }
            laws.before(&ev);
            venue.on_market(&ev);
            laws.after(&ev);
            let got = lines(&mut venue, &mut laws, Some(&ev));
            made += got.iter().filter(|l| l.1 == "make").count();
        }
        venue.finish(RecvTs(u64::MAX / 2));
        laws.finish();
    }
    assert!(made > 500 && taken > 500, "{made} {taken}");
}
