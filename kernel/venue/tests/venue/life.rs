//! Sessions, ends and refusals.

use crate::rig::*;
use Side::{Ask, Bid};
use TimeInForce::{Day, Gtc, Ioc};
use ijk_core::config::{FeeConfig, SimConfig};
use ijk_core::{
    ClientOrderId, DepthKind, Instrument, InstrumentId, NewOrder, Px, Qty, RecvTs, Session, Side,
    TimeInForce,
};
use ijk_venue::{RejectReason, SimError, SimExchange, Venue};

fn until(close_ns: u64) -> Rig {
    let i = Instrument { session: Session { open_ns: 0, close_ns }, ..stock() };
    let mut rig = Rig::with(DepthKind::L2, &sim(), &no_fees(), i);
    rig.level(Ask, 10_001, 100);
    rig
}

#[test]
fn day_orders_expire_at_the_close_and_gtc_rest() {
    let close = 1_500 * MS;
    let mut rig = until(close);
    let day = rig.place(Bid, 10, 9_999, Day);
    let gtc = rig.place(Bid, 20, 9_998, Gtc);
    rig.told();
    assert_eq!(rig.venue.next_due(), Some(RecvTs(close)));
    rig.venue.advance(RecvTs(close - 1));
    assert_eq!(rig.venue.resting_count(), 2);
    rig.now = RecvTs(close + 5 * MS);
    rig.venue.advance(rig.now);
    assert_eq!(rig.told(), [format!("expired {day} 10")]);
    assert_eq!(rig.reports().last().unwrap().ts_exchange.0, close);
    // After the close nothing trades with what still rests, and nothing new comes in.
    rig.trade(Ask, 9_990, 100);
    rig.level(Ask, 9_990, 100);
    rig.place(Bid, 10, 9_999, Day);
    assert_eq!(rig.told(), [format!("reject 3 reason {}", RejectReason::SessionClosed as u16)]);
    rig.cancel(gtc);
    rig.wait_us(1_000);
    rig.venue.advance(rig.now);
    assert_eq!(rig.told(), [format!("canceled {gtc} 20")]);
    assert_eq!(rig.venue.next_due(), None);
}

#[test]
fn an_order_on_the_way_at_the_close_is_refused() {
    for (early_us, refused) in [(1_001, false), (1_000, true), (999, true)] {
        let close = 1_500 * MS;
        let mut rig = until(close);
        rig.now = RecvTs(close - early_us * US);
        let order = rig.order(Bid, 10, 9_999, Day);
        rig.send(order);
        rig.now = RecvTs(close + MS);
        rig.venue.advance(rig.now);
        let want: &[&str] =
            if refused { &["reject 1 reason 3"] } else { &["ack 1", "expired 1 10"] };
        assert_eq!(rig.told(), want, "{early_us}");
    }
}

#[test]
fn finish_ends_day_orders_and_refuses_late_ones() {
    let mut rig = Rig::new(DepthKind::L2);
    rig.level(Ask, 10_001, 100);
    rig.place(Bid, 10, 9_999, Day);
    rig.place(Bid, 20, 9_998, Gtc);
    let late = rig.order(Bid, 30, 9_997, Day);
    rig.send(late);
    rig.told();
    rig.venue.finish(rig.now);
    rig.wait_us(2_000);
    rig.venue.advance(rig.now);
    assert_eq!(rig.told(), ["expired 1 10", "reject 3 reason 3"]);
    assert_eq!(rig.venue.resting_count(), 1);
}

#[test]
fn orders_that_cannot_be_are_refused() {
    let fine = Instrument { tick: Px(1), ..stock() };
    let coarse = Instrument { lot: Qty(10), ..stock() };
    let mut rig = Rig::with(DepthKind::L2, &sim(), &no_fees(), coarse);
    let mut send = |change: fn(&mut NewOrder)| {
        let mut order = rig.order(Bid, 10, 9_999, Day);
        change(&mut order);
        rig.venue.submit(rig.now, approve(order, &fine));
        rig.wait_us(1_000);
        rig.venue.advance(rig.now);
        let told = rig.told();
        assert_eq!(told.len(), 1);
        rig.reports().last().unwrap().reason
    };
    assert_eq!(send(|_| {}), 0);
    assert_eq!(send(|o| o.instrument = InstrumentId(1)), RejectReason::UnknownInstrument as u16);
    assert_eq!(send(|o| o.client_order_id = ClientOrderId(1)), 2);
    assert_eq!(send(|o| o.px = Px(o.px.0 + 1)), RejectReason::BadOrder as u16);
    assert_eq!(send(|o| o.qty = Qty(11)), RejectReason::BadOrder as u16);
    // An id that was refused is used up.
    assert_eq!(send(|o| o.client_order_id = ClientOrderId(5)), 2);
    assert_eq!(send(|_| {}), 0);
}

#[test]
fn the_order_table_and_the_line_are_bounded() {
    let mut rig = Rig::new(DepthKind::L2);
    for _ in 0..256 {
        rig.place(Bid, 1, 9_999, Gtc);
    }
    let full = rig.place(Bid, 1, 9_999, Gtc);
    let told = rig.told();
    assert_eq!(told.last().unwrap(), &format!("reject {full} reason 4"));
    assert_eq!(told.len(), 257);
    for _ in 0..1_024 {
        rig.cancel(9_999);
    }
    rig.cancel(1); // one too many under way
    assert_eq!(rig.told(), ["cancel-reject 1 reason 8"]);
    assert_eq!(rig.reports().last().unwrap().leaves, Qty(1));
    let order = rig.order(Bid, 1, 9_998, Ioc);
    rig.send(order);
    assert_eq!(rig.told(), [format!("reject {} reason 8", full + 1)]);
}

#[test]
fn cancels_of_what_is_not_there() {
    let mut rig = Rig::new(DepthKind::L2);
    let id = rig.place(Bid, 10, 9_999, Day);
    for target in [id, id, 77] {
        rig.cancel(target);
    }
    rig.wait_us(1_000);
    rig.venue.advance(rig.now);
    let late = RejectReason::TooLate as u16;
    assert_eq!(
        rig.told(),
        [
            "ack 1".to_string(),
            "canceled 1 10".into(),
            format!("cancel-reject 1 reason {late}"),
            format!("cancel-reject 77 reason {late}"),
        ]
    );
}

#[test]
fn senseless_settings_are_refused() {
    let build = |s: &SimConfig, f: &FeeConfig, i: &[Instrument], k: &[DepthKind]| {
        SimExchange::new(s, f, i, k, 1).map(|_| ()).unwrap_err()
    };
    let (one, kind, ok) = ([stock()], [DepthKind::L2], no_fees());
    assert_eq!(build(&sim(), &ok, &[], &[]), SimError::InstrumentCount(0));
    assert_eq!(build(&sim(), &ok, &one, &[]), SimError::KindCount { instruments: 1, kinds: 0 });
    for power in [f64::NAN, 0.0, -1.0, f64::INFINITY, 17.0] {
        let s = SimConfig { queue_power: power, ..sim() };
        assert_eq!(build(&s, &ok, &one, &kind), SimError::QueuePower, "{power}");
    }
    for lot in [0, -1] {
        let bad = [Instrument { lot: Qty(lot), ..stock() }];
        assert_eq!(build(&sim(), &ok, &bad, &kind), SimError::BadInstrument("T".into()));
    }
    for bad in [f64::NAN, -0.1, f64::INFINITY, 1e9] {
        let f = FeeConfig { tiered_usd_per_share: bad, ..FeeConfig::default() };
        assert!(matches!(build(&sim(), &f, &one, &kind), SimError::Fees(_)), "{bad}");
    }
}

#[test]
fn reasons_are_distinct_and_round_trip() {
    for r in RejectReason::ALL {
        assert_eq!(RejectReason::from_raw(r as u16), Some(r));
        let same = RejectReason::ALL.iter().filter(|o| o.name() == r.name()).count();
        assert_eq!(same, 1);
    }
    assert_eq!(RejectReason::from_raw(0), None);
}

#[test]
fn the_close_comes_before_what_arrives_with_it() {
    let close = 1_500 * MS;
    let mut rig = until(close);
    let id = rig.place(Bid, 10, 9_999, Day);
    rig.now = RecvTs(close - MS);
    rig.cancel(id);
    rig.now = RecvTs(close);
    rig.venue.advance(rig.now);
    assert_eq!(rig.told(), ["ack 1", "expired 1 10", "cancel-reject 1 reason 9"]);
}

#[test]
fn nothing_is_due_once_nothing_waits_for_the_close() {
    let mut rig = until(1_500 * MS);
    let id = rig.place(Bid, 10, 9_999, Day);
    rig.cancel(id);
    rig.wait_us(1_000);
    rig.venue.advance(rig.now);
    rig.told();
    assert_eq!(rig.venue.next_due(), None);
    rig.place(Bid, 10, 9_999, Day);
    rig.trade(Ask, 9_998, 10);
    assert_eq!(rig.told(), ["ack 2", "make 2 10@9999 leaves 0"]);
    assert_eq!(rig.venue.next_due(), None);
}
