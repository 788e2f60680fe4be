//! The gate on the bytes that leave.

use crate::rig::*;
use ijk_core::config::RiskConfig;
use ijk_core::{
    Block, ClientOrderId, Currency, ExecId, InstrumentId, NewOrder, ParentId, Px, Qty, RecvTs,
    ReportKind, Side, TimeInForce,
};
use ijk_risk::{EgressGate, RiskCode};
use zerocopy::IntoBytes;

const PARENT: ParentId = ParentId(7);

/// A gate with marks of 100.00 and one large parent.
struct Wire {
    gate: EgressGate,
    rig: Rig,
}

impl Wire {
    fn new(config: &RiskConfig) -> Wire {
        let mut list = instruments();
        list[1].currency = Currency::Eur;
        let mut wire = Wire { gate: EgressGate::new(config, &list), rig: Rig::new(&wide()) };
        wire.mark(dollars(100));
        wire.gate.on_parent(PARENT, Qty(1_000_000));
        wire
    }

    fn mark(&mut self, px: Px) {
        self.gate.on_mark(self.rig.now, A, px);
    }

    fn order(&mut self, qty: i64, px: Px) -> NewOrder {
        NewOrder { parent_id: PARENT, ..self.rig.order(Side::Bid, qty, px) }
    }

    fn leave(&mut self, order: &NewOrder) -> Result<(), RiskCode> {
        let mut bytes = [0; 40];
        bytes.copy_from_slice(order.as_bytes());
        self.gate.check(self.rig.now, &bytes)
    }

    fn send(&mut self, qty: i64, px: Px) -> Result<(), RiskCode> {
        let order = self.order(qty, px);
        self.leave(&order)
    }
}

fn three(values: [i64; 3], code: RiskCode, send: impl Fn(i64) -> Result<(), RiskCode>) {
    assert_eq!(values.map(send), [Ok(()), Ok(()), Err(code)]);
}

#[test]
fn hard_limits_at_their_edges() {
    let c = RiskConfig { max_order_qty: 500, ..wide() };
    three([499, 500, 501], RiskCode::OrderQty, |q| Wire::new(&c).send(q, dollars(100)));
    // 5 % of room above the first gate's limit.
    let c = RiskConfig { max_order_notional_usd: 10_000.0, ..wide() };
    three([10_499, 10_500, 10_501], RiskCode::OrderNotional, |px| {
        Wire::new(&c).send(100, cents(px))
    });
    let c = RiskConfig {
        max_order_equity_fraction: 0.05,
        start_equity_usd: 200_000.0,
        price_collar_hard_bps: 100.0,
        ..wide()
    };
    three([104, 105, 106], RiskCode::OrderNotional, |q| Wire::new(&c).send(q, dollars(100)));
    three([10_099, 10_100, 10_101], RiskCode::PriceCollar, |px| Wire::new(&c).send(1, cents(px)));
    three([9_901, 9_900, 9_899], RiskCode::PriceCollar, |px| Wire::new(&c).send(1, cents(px)));
    // A market order is valued at the mark plus the collar.
    let c = RiskConfig { max_order_notional_usd: 10_000.0, price_collar_hard_bps: 100.0, ..wide() };
    three([102, 103, 104], RiskCode::OrderNotional, |q| Wire::new(&c).send(q, Px(0)));
    let c = RiskConfig { low_price_usd: 101.0, price_collar_low_hard_bps: 50.0, ..wide() };
    three([10_049, 10_050, 10_051], RiskCode::PriceCollar, |px| Wire::new(&c).send(1, cents(px)));
}

#[test]
fn senseless_limits_refuse() {
    for bad in [f64::NAN, 0.0, -1.0, f64::INFINITY, f64::NEG_INFINITY] {
        type Set = fn(&mut RiskConfig, f64);
        let rows: [(Set, RiskCode); 4] = [
            (|c, v| c.max_order_notional_usd = v, RiskCode::OrderNotional),
            (|c, v| c.max_order_equity_fraction = v, RiskCode::OrderNotional),
            (|c, v| c.start_equity_usd = v, RiskCode::OrderNotional),
            (|c, v| c.price_collar_hard_bps = v, RiskCode::PriceCollar),
        ];
        for (set, code) in rows {
            let mut c = wide();
            set(&mut c, bad);
            assert_eq!(Wire::new(&c).send(1, dollars(100)), Err(code), "{bad} {code}");
        }
    }
    for bad in [0, -1, i64::MIN] {
        let c = RiskConfig { max_order_qty: bad, ..wide() };
        assert_eq!(Wire::new(&c).send(1, dollars(100)), Err(RiskCode::OrderQty));
    }
    for c in [RiskConfig { max_orders_per_s: 0, ..wide() }, RiskConfig { order_burst: 0, ..wide() }]
    {
        assert_eq!(Wire::new(&c).send(1, dollars(100)), Err(RiskCode::MessageRate));
    }
    let c = RiskConfig { quote_max_age_ms: 0, ..wide() };
    assert_eq!(Wire::new(&c).send(1, dollars(100)), Err(RiskCode::StaleQuote));
}

#[test]
fn orders_that_make_no_sense() {
    let c = RiskConfig { restricted_symbols: vec!["C".into()], allow_gtc: false, ..wide() };
    type Spoil = fn(&mut NewOrder);
    let rows: [(Spoil, RiskCode); 12] = [
        (|o| o.instrument = InstrumentId(2), RiskCode::UnknownInstrument),
        (|o| o.instrument = InstrumentId(u16::MAX), RiskCode::UnknownInstrument),
        (|o| o.instrument = B, RiskCode::UnsupportedCurrency),
        (|o| o.client_order_id = ClientOrderId(0), RiskCode::BadClientId),
        (|o| o.qty = Qty(0), RiskCode::BadQuantity),
        (|o| o.qty = Qty(i64::MIN), RiskCode::BadQuantity),
        (|o| o.qty = Qty(i64::MAX), RiskCode::OrderQty),
        (|o| o.px = Px(-10_000_000), RiskCode::BadPrice),
        (|o| o.px = Px(0), RiskCode::BadPrice),
        (|o| o.px = Px(o.px.0 + 1), RiskCode::OffTick),
        (|o| o.tif = TimeInForce::Gtc, RiskCode::TimeInForce),
        (|o| o.parent_id = ParentId(0), RiskCode::UnknownParent),
    ];
    for (spoil, code) in rows {
        let mut wire = Wire::new(&c);
        let mut order = wire.order(1, dollars(100));
        spoil(&mut order);
        assert_eq!(wire.leave(&order), Err(code));
    }
    for allow in [vec![], vec!["B".to_string()]] {
        let c = RiskConfig { allow_symbols: allow, ..wide() };
        assert_eq!(Wire::new(&c).send(1, dollars(100)), Err(RiskCode::NotAllowed));
    }
    let c = RiskConfig { restricted_symbols: vec!["A".into()], ..wide() };
    assert_eq!(Wire::new(&c).send(1, dollars(100)), Err(RiskCode::NotAllowed));
    let mut wire = Wire::new(&wide());
    for at in 33..40 {
        let mut bytes = [0; 40];
        bytes.copy_from_slice(wire.order(1, dollars(100)).as_bytes());
        bytes[at] = 1;
        assert_eq!(wire.gate.check(wire.rig.now, &bytes), Err(RiskCode::MalformedOrder));
    }
    assert_eq!(wire.gate.check(wire.rig.now, &[0xff; 40]), Err(RiskCode::MalformedOrder));
    assert_eq!(wire.gate.check(wire.rig.now, &[0; 40]), Err(RiskCode::BadClientId));
}

#[test]
fn ids_rise() {
    let mut wire = Wire::new(&wide());
    let (first, second) = (wire.order(1, dollars(100)), wire.order(1, dollars(100)));
    assert_eq!(wire.leave(&second), Ok(()));
    assert_eq!(wire.leave(&second), Err(RiskCode::DuplicateClientId));
    assert_eq!(wire.leave(&first), Err(RiskCode::DuplicateClientId));
    wire.gate.set_client_floor(ClientOrderId(50));
    for (id, want) in [(50, Err(RiskCode::DuplicateClientId)), (51, Ok(()))] {
        let order = NewOrder { client_order_id: ClientOrderId(id), ..first };
        assert_eq!(wire.leave(&order), want);
    }
}

#[test]
fn marks_must_be_there_and_fresh() {
    let c = RiskConfig { quote_max_age_ms: 100, ..wide() };
    let after = |ns: u64| {
        let mut wire = Wire::new(&c);
        wire.rig.now = wire.rig.now.plus_ns(ns);
        wire.send(1, dollars(100))
    };
    let limit = 1_000 * MS;
    assert_eq!(after(limit - 1), Ok(()));
    assert_eq!(after(limit), Ok(()));
    assert_eq!(after(limit + 1), Err(RiskCode::StaleQuote));
    for px in [Px(0), Px(-1), Px(i64::MIN)] {
        let mut wire = Wire::new(&c);
        wire.mark(px);
        assert_eq!(wire.send(1, dollars(100)), Err(RiskCode::MissingMark));
    }
    let mut wire = Wire::new(&c);
    wire.gate.on_mark(wire.rig.now, InstrumentId(9), dollars(1));
    wire.mark(Px(i64::MAX));
    assert_eq!(wire.send(1, dollars(100)), Err(RiskCode::OrderNotional));
}

#[test]
fn the_hard_rate_is_twice_the_soft_one() {
    let c = RiskConfig { max_orders_per_s: 2, order_burst: 1, ..wide() };
    let mut wire = Wire::new(&c);
    let start = wire.rig.now;
    let mut at = |ns: u64| {
        wire.rig.now = RecvTs(start.0 + ns);
        wire.send(1, dollars(100))
    };
    assert!((0..6).all(|n| at(n).is_ok()));
    assert_eq!(at(6), Err(RiskCode::MessageRate));
    assert_eq!(at(1_000 * MS - 1), Err(RiskCode::MessageRate));
    assert_eq!(at(1_000 * MS), Ok(()));
    assert_eq!(at(1_000 * MS), Err(RiskCode::MessageRate));
}

#[test]
fn kill_and_blocks() {
    let mut wire = Wire::new(&wide());
    for block in Block::ALL {
        wire.gate.block(block);
        assert_eq!(wire.send(1, dollars(100)), Err(RiskCode::of_block(block)));
        wire.gate.unblock(block);
        assert_eq!(wire.send(1, dollars(100)), Ok(()));
    }
    wire.gate.kill();
    for _ in 0..3 {
        assert_eq!(wire.send(1, dollars(100)), Err(RiskCode::Killed));
        let order = wire.order(1, dollars(1));
        let report = wire.rig.report(ReportKind::Fill, &order, 1, 0, dollars(1));
        wire.gate.on_report(&report);
        Block::ALL.iter().for_each(|b| wire.gate.unblock(*b));
        wire.mark(dollars(100));
    }
}

/// Row 15: the children of a parent are never more than the parent.
#[test]
fn children_never_exceed_their_parent() {
    let parent = |wire: &mut Wire, qty: i64| wire.gate.on_parent(ParentId(9), Qty(qty));
    let child = |wire: &mut Wire, qty: i64| {
        let order = NewOrder { parent_id: ParentId(9), ..wire.order(qty, dollars(100)) };
        wire.leave(&order).map(|()| order)
    };
    three([99, 100, 101], RiskCode::ParentQuantity, |qty| {
        let mut wire = Wire::new(&wide());
        parent(&mut wire, 100);
        child(&mut wire, qty).map(|_| ())
    });
    let over = Err(RiskCode::ParentQuantity);
    let mut wire = Wire::new(&wide());
    assert_eq!(child(&mut wire, 1), Err(RiskCode::UnknownParent));
    parent(&mut wire, 100);
    let first = child(&mut wire, 60).unwrap();
    assert_eq!(child(&mut wire, 41), over);
    // 20 filled, twice told, the rest cancelled: 40 come back.
    let fill = wire.rig.report(ReportKind::Fill, &first, 20, 40, dollars(100));
    wire.gate.on_report(&fill);
    wire.gate.on_report(&fill);
    assert_eq!(child(&mut wire, 41), over, "a fill gives nothing back");
    let end = wire.rig.report(ReportKind::Canceled, &first, 40, 0, Px(0));
    wire.gate.on_report(&end);
    wire.gate.on_report(&end);
    assert_eq!(child(&mut wire, 81), over);
    let second = child(&mut wire, 80).unwrap();
    // A late fill of the first takes back what was given.
    let late = wire.rig.report(ReportKind::Fill, &first, 10, 0, dollars(100));
    wire.gate.on_report(&late);
    let absent = wire.rig.report(ReportKind::Absent, &second, 0, 0, Px(0));
    wire.gate.on_report(&absent);
    assert_eq!(child(&mut wire, 71), over);
    // A parent never grows; it can be cut.
    parent(&mut wire, 1_000);
    assert_eq!(child(&mut wire, 71), over);
    parent(&mut wire, 40);
    assert_eq!(child(&mut wire, 11), over);
    assert!(child(&mut wire, 10).is_ok());
    // What is no quantity opens nothing.
    for qty in [0, -1, i64::MIN] {
        wire.gate.on_parent(ParentId(11), Qty(qty));
        let order = NewOrder { parent_id: ParentId(11), ..wire.order(1, dollars(100)) };
        assert_eq!(wire.leave(&order), Err(RiskCode::UnknownParent));
    }
}

#[test]
fn an_overfill_counts_against_the_parent() {
    let mut wire = Wire::new(&wide());
    wire.gate.on_parent(ParentId(9), Qty(100));
    let order = NewOrder { parent_id: ParentId(9), ..wire.order(50, dollars(100)) };
    wire.leave(&order).unwrap();
    let fill = wire.rig.report(ReportKind::Fill, &order, 80, 0, dollars(100));
    wire.gate.on_report(&fill);
    for (qty, want) in [(21, Err(RiskCode::ParentQuantity)), (20, Ok(()))] {
        let order = NewOrder { parent_id: ParentId(9), ..wire.order(qty, dollars(100)) };
        assert_eq!(wire.leave(&order), want);
    }
}

#[test]
fn many_parents_and_children_pass_through() {
    let c = RiskConfig { max_orders_per_s: 2_000, order_burst: 2_000, ..wide() };
    let mut wire = Wire::new(&c);
    for id in 10..20_000u32 {
        wire.rig.wait(1);
        wire.mark(dollars(100));
        wire.gate.on_parent(ParentId(id), Qty(10));
        let order = NewOrder { parent_id: ParentId(id), ..wire.order(10, dollars(100)) };
        assert_eq!(wire.leave(&order), Ok(()), "{id}");
        let more = NewOrder { parent_id: ParentId(id), ..wire.order(1, dollars(100)) };
        assert_eq!(wire.leave(&more), Err(RiskCode::ParentQuantity));
        let mut fill = wire.rig.report(ReportKind::Fill, &order, 10, 0, dollars(100));
        fill.exec_id = ExecId(u64::from(id));
        wire.gate.on_report(&fill);
    }
}

#[test]
fn a_full_table_refuses_until_a_child_ends() {
    let c = RiskConfig { max_orders_per_s: 2_000, order_burst: 2_000, ..wide() };
    let mut wire = Wire::new(&c);
    let first = wire.order(1, dollars(100));
    assert_eq!(wire.leave(&first), Ok(()));
    assert!((1..512).all(|_| wire.send(1, dollars(100)).is_ok()));
    assert_eq!(wire.send(1, dollars(100)), Err(RiskCode::TableFull));
    let end = wire.rig.report(ReportKind::Expired, &first, 1, 0, Px(0));
    wire.gate.on_report(&end);
    assert_eq!(wire.send(1, dollars(100)), Ok(()));
    // Parents whose children work keep their places; one more than fit is not taken.
    let mut wire = Wire::new(&c);
    for step in 0..9u32 {
        let parent = ParentId(100 + 4_096 * step);
        wire.gate.on_parent(parent, Qty(5));
        let order = NewOrder { parent_id: parent, ..wire.order(1, dollars(100)) };
        let want = if step < 8 { Ok(()) } else { Err(RiskCode::UnknownParent) };
        assert_eq!(wire.leave(&order), want, "{step}");
    }
}

#[test]
fn hard_limits_are_lowered_at_once_and_never_raised() {
    let c = RiskConfig { max_orders_per_s: 2, order_burst: 1, max_order_qty: 100, ..wide() };
    let lower = RiskConfig { max_orders_per_s: 1, max_order_qty: 50, ..c.clone() };
    let mut wire = Wire::new(&c);
    let start = wire.rig.now;
    for n in 0..6 {
        wire.rig.now = RecvTs(start.0 + n * 100 * MS);
        assert_eq!(wire.send(100, dollars(100)), Ok(()));
    }
    for config in [&lower, &c] {
        wire.gate.tighten(config);
        wire.rig.now = RecvTs(start.0 + 1_100 * MS);
        // Of the six, the four since 0.2 s are counted on: a full cap of the lower rate.
        assert_eq!(wire.send(50, dollars(100)), Err(RiskCode::MessageRate));
        assert_eq!(wire.send(51, dollars(100)), Err(RiskCode::OrderQty));
    }
    wire.rig.now = RecvTs(start.0 + 1_200 * MS);
    assert_eq!(wire.send(50, dollars(100)), Ok(()));
    wire.gate.tighten(&RiskConfig { price_collar_hard_bps: f64::NAN, ..wide() });
    assert_eq!(wire.send(1, dollars(100)), Err(RiskCode::PriceCollar), "not a number refuses");
    wire.gate.tighten(&wide());
    assert_eq!(wire.send(1, dollars(100)), Err(RiskCode::PriceCollar));
    wire.gate.tighten(&RiskConfig { allow_symbols: vec![], ..wide() });
    assert_eq!(wire.send(1, dollars(100)), Err(RiskCode::NotAllowed));
    wire.gate.tighten(&wide());
    assert_eq!(wire.send(1, dollars(100)), Err(RiskCode::NotAllowed));
}
