//! Controls without a number, and malformed input.

use crate::rig::*;
use ijk_core::config::RiskConfig;
use ijk_core::record::Level;
use ijk_core::{Currency, Instrument, InstrumentId, NewOrder, OrderType, Px, Qty, RecvTs, Side};
use ijk_core::{Session, TimeInForce};
use ijk_risk::{Gate, Quote, RiskCode, RiskConfigError, TradingState};

fn refused(change: impl FnOnce(&mut NewOrder, &mut Quote)) -> RiskCode {
    let mut rig = Rig::new(&wide());
    let (mut order, mut quote) = (rig.order(Side::Bid, 100, dollars(100)), rig.quote());
    change(&mut order, &mut quote);
    let code = rig.check_on(order, &quote).unwrap_err();
    assert_eq!(rig.gate.working_count(), 0);
    assert_eq!(rig.gate.worst_case_position(A), (0, 0), "a refused order reserves nothing");
    code
}

#[test]
fn malformed_orders() {
    for qty in [0, -1, i64::MIN] {
        assert_eq!(refused(|o, _| o.qty = Qty(qty)), RiskCode::BadQuantity);
    }
    for px in [0, -1, -10_000_000, i64::MIN] {
        assert_eq!(refused(|o, _| o.px = Px(px)), RiskCode::BadPrice);
    }
    assert_eq!(refused(|o, _| o.px = Px(o.px.0 + 1)), RiskCode::OffTick);
    assert_eq!(refused(|o, _| o.px = Px(i64::MAX)), RiskCode::OffTick);
    let largest = Px(i64::MAX / 10_000_000 * 10_000_000);
    assert_eq!(refused(|o, _| o.px = largest), RiskCode::OrderNotional);
    assert_eq!(refused(|o, _| o.order_type = OrderType::Market), RiskCode::BadPrice);
    assert_eq!(refused(|o, _| o.instrument = InstrumentId(2)), RiskCode::UnknownInstrument);
    assert_eq!(refused(|o, _| o.instrument = InstrumentId(u16::MAX)), RiskCode::UnknownInstrument);
    assert_eq!(refused(|o, _| o.client_order_id.0 = 0), RiskCode::BadClientId);
}

#[test]
fn off_lot() {
    let mut lots = instruments();
    lots[0].lot = Qty(100);
    for (qty, ok) in [(99, false), (100, true), (101, false), (200, true)] {
        let mut rig = Rig::with(&wide(), &lots);
        let order = rig.order(Side::Bid, qty, dollars(100));
        let want = if ok { Ok(order) } else { Err(RiskCode::OffLot) };
        assert_eq!(rig.check(order), want, "{qty}");
    }
}

#[test]
fn quotes_that_cannot_be_priced_on() {
    let none = Level::default();
    assert_eq!(refused(|_, q| q.trusted = false), RiskCode::UntrustedQuote);
    assert_eq!(refused(|_, q| q.bid = none), RiskCode::OneSidedQuote);
    assert_eq!(refused(|_, q| q.ask = none), RiskCode::OneSidedQuote);
    assert_eq!(refused(|_, q| q.ask.qty = Qty(0)), RiskCode::OneSidedQuote);
    assert_eq!(refused(|_, q| q.bid.qty = Qty(-5)), RiskCode::OneSidedQuote);
    assert_eq!(refused(|_, q| q.bid.px = Px(-1)), RiskCode::OneSidedQuote);
    assert_eq!(refused(|_, q| *q = Quote::default()), RiskCode::UntrustedQuote);
    assert_eq!(refused(|_, q| q.bid.px = q.ask.px), RiskCode::CrossedQuote);
    assert_eq!(refused(|_, q| q.bid.px = dollars(101)), RiskCode::CrossedQuote);
    assert_eq!(refused(|_, q| q.ts = q.ts.plus_ns(1)), RiskCode::TimeReversal);
    assert_eq!(refused(|_, q| q.ts = RecvTs(0)), RiskCode::StaleQuote);
}

#[test]
fn time_never_runs_backwards() {
    let mut rig = Rig::new(&wide());
    rig.pass(Side::Bid, 1, dollars(100));
    rig.now = RecvTs(rig.now.0 - 1);
    let order = rig.order(Side::Bid, 2, dollars(100));
    assert_eq!(rig.check(order), Err(RiskCode::TimeReversal));
    rig.now = RecvTs(rig.now.0 + 1);
    assert_eq!(rig.check(order), Ok(order));
}

#[test]
fn client_ids_rise() {
    let mut rig = Rig::new(&wide());
    let first = rig.pass(Side::Bid, 1, dollars(100));
    rig.wait(10);
    let mut order = rig.order(Side::Bid, 2, dollars(100));
    let fresh = order.client_order_id;
    order.client_order_id = first.client_order_id;
    assert_eq!(rig.check(order), Err(RiskCode::DuplicateClientId));
    rig.end(&first, 1).unwrap();
    assert_eq!(rig.check(order), Err(RiskCode::DuplicateClientId), "ended ids stay used");
    // The id of a refused order was never used.
    order.client_order_id = fresh;
    let refused = NewOrder { qty: Qty(0), ..order };
    assert_eq!(rig.check(refused), Err(RiskCode::BadQuantity));
    assert_eq!(rig.check(order), Ok(order));
}

#[test]
fn session_hours() {
    let (open_ns, close_ns) = (5_000 * MS, 6_000 * MS);
    let mut with_hours = instruments();
    with_hours[0].session = Session { open_ns, close_ns };
    for (at, ok) in [(open_ns - 1, false), (open_ns, true), (close_ns - 1, true), (close_ns, false)]
    {
        let mut rig = Rig::with(&wide(), &with_hours);
        rig.now = RecvTs(at);
        let order = rig.order(Side::Bid, 1, dollars(100));
        let want = if ok { Ok(order) } else { Err(RiskCode::OutOfSession) };
        assert_eq!(rig.check(order), want);
    }
}

#[test]
fn only_dollars() {
    for (currency, ok) in [
        (Currency::Usd, true),
        (Currency::Usdt, true),
        (Currency::Eur, false),
        (Currency::Other, false),
    ] {
        let mut list = instruments();
        list[0].currency = currency;
        let mut rig = Rig::with(&wide(), &list);
        let order = rig.order(Side::Bid, 1, dollars(100));
        let want = if ok { Ok(order) } else { Err(RiskCode::UnsupportedCurrency) };
        assert_eq!(rig.check(order), want);
    }
}

#[test]
fn duplicates_differ_in_any_field() {
    let c = RiskConfig { duplicate_window_ms: 500, ..wide() };
    let mut rig = Rig::new(&c);
    let first = rig.order(Side::Bid, 10, dollars(99));
    rig.check(first).unwrap();
    let mut again = |change: fn(&mut NewOrder)| {
        rig.wait(1);
        let mut order = rig.order(Side::Bid, 10, dollars(99));
        change(&mut order);
        rig.check(order).map(|_| ())
    };
    assert_eq!(again(|_| {}), Err(RiskCode::DuplicateOrder));
    assert_eq!(again(|o| o.tif = TimeInForce::Ioc), Err(RiskCode::DuplicateOrder));
    assert_eq!(again(|o| o.qty = Qty(11)), Ok(()));
    assert_eq!(again(|o| o.px = cents(9_901)), Ok(()));
    assert_eq!(again(|o| o.instrument = B), Ok(()));
    assert_eq!(again(|o| (o.side, o.px) = (Side::Ask, dollars(101))), Ok(()));
    assert_eq!(
        again(|o| (o.side, o.px) = (Side::Ask, dollars(101))),
        Err(RiskCode::DuplicateOrder)
    );
}

#[test]
fn self_match() {
    // Resting own sale at 101: a buy of ours may come up to 100.99.
    let against = |resting: Option<i64>, px: Option<i64>, side: Side| {
        let mut rig = Rig::new(&wide());
        rig.pass(side.opposite(), 10, resting.map_or(Px(0), cents));
        rig.wait(10);
        let order = rig.order(side, 5, px.map_or(Px(0), cents));
        rig.check(order).map(|_| ())
    };
    let no = Err(RiskCode::SelfMatch);
    assert_eq!(against(Some(10_100), Some(10_099), Side::Bid), Ok(()));
    assert_eq!(against(Some(10_100), Some(10_100), Side::Bid), no);
    assert_eq!(against(Some(10_100), Some(10_101), Side::Bid), no);
    assert_eq!(against(Some(10_100), None, Side::Bid), no);
    assert_eq!(against(None, Some(9_000), Side::Bid), no);
    assert_eq!(against(Some(9_900), Some(9_901), Side::Ask), Ok(()));
    assert_eq!(against(Some(9_900), Some(9_900), Side::Ask), no);
    assert_eq!(against(Some(9_900), Some(9_899), Side::Ask), no);
}

#[test]
fn self_match_is_per_instrument_and_ends_with_the_order() {
    let mut rig = Rig::new(&wide());
    let sale = rig.pass(Side::Ask, 10, dollars(100));
    rig.wait(10);
    let other = NewOrder { instrument: B, ..rig.order(Side::Bid, 5, dollars(100)) };
    assert_eq!(rig.check(other), Ok(other));
    let buy = rig.order(Side::Bid, 6, dollars(100));
    assert_eq!(rig.check(buy), Err(RiskCode::SelfMatch));
    rig.end(&sale, 10).unwrap();
    assert_eq!(rig.check(buy), Ok(buy));
}

#[test]
fn kill_latches() {
    let mut rig = Rig::new(&wide());
    rig.hold(Side::Bid, 100, dollars(100));
    rig.pass(Side::Bid, 7, dollars(99));
    rig.gate.kill(rig.now);
    let mut orders = vec![];
    for (side, qty) in [(Side::Bid, 1), (Side::Ask, 1), (Side::Ask, 100)] {
        orders.push(rig.order(side, qty, dollars(100)));
    }
    for _ in 0..3 {
        for order in &orders {
            assert_eq!(rig.check(*order), Err(RiskCode::Killed));
        }
        rig.wait(1_000_000);
        rig.gate.on_mark(rig.now, A, 200.0);
        assert_eq!(rig.gate.state(), TradingState::Killed);
    }
    let left: Vec<_> = rig.gate.working_orders().collect();
    assert_eq!(left.len(), 1, "the sweep needs the working orders");
    assert_eq!((left[0].2, left[0].3), (Side::Bid, Qty(7)));
}

#[test]
fn senseless_instruments_are_named() {
    let build = |list: &[Instrument]| Gate::new(&wide(), list).map(|_| ());
    assert_eq!(build(&[]), Err(RiskConfigError::NoInstruments));
    let many = vec![instruments()[0]; 65];
    assert_eq!(build(&many), Err(RiskConfigError::TooManyInstruments { count: 65 }));
    assert_eq!(build(&many[..64]), Ok(()));
    type Change = fn(&mut Instrument);
    let rows: [(&str, Change); 5] = [
        ("tick", |i| i.tick = Px(0)),
        ("tick", |i| i.tick = Px(-1)),
        ("lot", |i| i.lot = Qty(0)),
        ("qty_unit_e9", |i| i.qty_unit_e9 = 0),
        ("session", |i| i.session = Session { open_ns: 5, close_ns: 5 }),
    ];
    for (want, change) in rows {
        let mut list = instruments();
        change(&mut list[1]);
        match build(&list) {
            Err(RiskConfigError::BadInstrument { symbol, field }) => {
                assert_eq!((symbol.as_str(), field), ("B", want));
            }
            other => panic!("{want}: {other:?}"),
        }
    }
}
