//! Orders, accounts and executions of earlier runs.

use crate::rig::*;
use ijk_core::config::RiskConfig;
use ijk_core::{
    AlarmCode, CarryItem, CarryKind, ClientOrderId, ExecId, InstrumentId, NewOrder, Px, Qty,
    ReportKind, Side,
};
use ijk_risk::{Gate, LedgerError, RiskCode, TradingState};

#[test]
fn an_adopted_order_counts_and_lives_like_our_own() {
    let c = RiskConfig { max_order_qty: 1, max_open_orders: 1, allow_symbols: vec![], ..wide() };
    let mut rig = Rig::new(&c);
    // No limit refuses it: it is there. Its id is of an earlier boot.
    let order = NewOrder {
        client_order_id: ClientOrderId(1 << 40),
        ..rig.order(Side::Bid, 500, dollars(100))
    };
    rig.gate.set_client_floor(ClientOrderId(1 << 41));
    rig.gate.adopt_order(&order, Qty(300)).unwrap();
    assert_eq!(rig.gate.worst_case_position(A), (300, 0));
    assert_eq!(rig.gate.working_count(), 1);
    rig.fill(&order, 100, 200, dollars(100)).unwrap();
    assert_eq!((rig.gate.position(A), rig.gate.worst_case_position(A).0), (Qty(100), 300));
    // Told again, the venue's figure holds.
    rig.gate.adopt_order(&order, Qty(150)).unwrap();
    assert_eq!(rig.gate.worst_case_position(A), (250, 100));
    rig.end(&order, 150).unwrap();
    assert_eq!((rig.gate.working_count(), rig.gate.worst_case_position(A)), (0, (100, 100)));
    assert_eq!(rig.gate.state(), TradingState::Active);
    // Ids up to the floor are used.
    let mut rig = Rig::new(&wide());
    rig.gate.set_client_floor(ClientOrderId(5));
    for (id, want) in [(5, Err(RiskCode::DuplicateClientId)), (6, Ok(()))] {
        let order = rig.order(Side::Bid, 1, dollars(100));
        let order = NewOrder { client_order_id: ClientOrderId(id), ..order };
        assert_eq!(rig.check(order).map(|_| ()), want);
    }
}

#[test]
fn an_adopted_order_takes_room_from_new_ones() {
    let c = RiskConfig {
        max_position_notional_usd: 10_000.0,
        settled_cash_usd: 10_000.0,
        allow_short: false,
        ..wide()
    };
    // A market order is valued at the mark.
    for px in [dollars(100), Px(0)] {
        let mut rig = Rig::new(&c);
        rig.gate.on_mark(rig.now, A, 100.0);
        let order = rig.order(Side::Bid, 90, px);
        rig.gate.adopt_order(&order, Qty(90)).unwrap();
        rig.wait(10);
        let next = NewOrder { instrument: B, ..rig.order(Side::Bid, 11, dollars(100)) };
        assert_eq!(rig.check(next), Err(RiskCode::BuyingPower));
        let next = rig.order(Side::Bid, 10, dollars(90));
        assert_eq!(rig.check(next), Ok(next));
    }
}

#[test]
fn an_adopted_order_that_cannot_be_counted_halts() {
    let mut rig = Rig::new(&wide());
    for id in 1..=256 {
        let order = rig.order(Side::Bid, 1, dollars(90));
        assert_eq!(order.client_order_id, ClientOrderId(id));
        rig.gate.adopt_order(&order, Qty(1)).unwrap();
    }
    let order = rig.order(Side::Bid, 1, dollars(90));
    let full = LedgerError::TableFull(order.client_order_id);
    assert_eq!(rig.gate.adopt_order(&order, Qty(1)), Err(full));
    assert_eq!(rig.gate.state(), TradingState::Halted);
    let mut codes = vec![];
    rig.gate.take_alarms(|a| codes.push(a.code));
    assert_eq!(codes, [AlarmCode::TableFull, AlarmCode::Halted]);
    type Spoil = fn(&mut NewOrder, &mut Qty);
    let rows: [Spoil; 5] = [
        |o, _| o.instrument = InstrumentId(9),
        |_, q| *q = Qty(0),
        |_, q| *q = Qty(-1),
        |_, q| *q = Qty(i64::MIN),
        |o, q| (o.px, *q) = (Px(i64::MAX), Qty(i64::MAX)),
    ];
    for spoil in rows {
        let mut rig = Rig::new(&wide());
        let (mut order, mut leaves) = (rig.order(Side::Bid, 1, dollars(90)), Qty(1));
        spoil(&mut order, &mut leaves);
        assert!(rig.gate.adopt_order(&order, leaves).is_err());
        assert_eq!((rig.gate.state(), rig.gate.working_count()), (TradingState::Halted, 0));
    }
}

#[test]
fn an_order_without_an_id_is_told_by_instrument_and_side() {
    let mut rig = Rig::new(&wide());
    let stranger =
        NewOrder { client_order_id: ClientOrderId(0), ..rig.order(Side::Ask, 20, dollars(101)) };
    rig.gate.adopt_order(&stranger, Qty(20)).unwrap();
    assert_eq!(rig.gate.worst_case_position(A), (0, -20));
    rig.fill(&stranger, 5, 15, dollars(101)).unwrap();
    rig.end(&stranger, 15).unwrap();
    assert_eq!((rig.gate.position(A), rig.gate.working_count()), (Qty(-5), 0));
    let other_side = NewOrder { side: Side::Bid, ..stranger };
    assert_eq!(
        rig.fill(&other_side, 5, 0, dollars(101)),
        Err(LedgerError::UnknownOrder(ClientOrderId(0)))
    );
}

#[test]
fn an_account_survives_the_run() {
    let config = RiskConfig { settled_cash_usd: 20_000.0, ..wide() };
    let mut old = Rig::new(&config);
    old.hold(Side::Bid, 70, dollars(100));
    old.hold(Side::Ask, 20, dollars(103));
    let order = old.pass(Side::Ask, 7, dollars(104));
    let mut fill = old.report(ReportKind::Fill, &order, 7, 0, dollars(104));
    fill.fee_e9 = 1_234_567_890;
    old.gate.on_report(old.now, &fill).unwrap();
    let mut gate = Gate::new(&config, &instruments()).unwrap();
    for id in [A, B] {
        let item = old.gate.account_item(id);
        gate.adopt_account(&item);
        assert_eq!(gate.account_item(id), item);
    }
    gate.on_mark(old.now, A, 99.5);
    old.gate.on_mark(old.now, A, 99.5);
    assert_eq!(gate.pnl_usd(), old.gate.pnl_usd());
    assert_eq!(gate.realised_usd(), old.gate.realised_usd());
    assert_eq!((gate.fees_usd(), gate.position(A)), (1.234_567_89, Qty(43)));
    assert_eq!(gate.state(), TradingState::Active);
    // The loss limits go on from the day's result.
    let c = RiskConfig { halt_loss_usd: 100.0, ..wide() };
    let mut item = old.gate.account_item(A);
    item.realised = CarryItem::split(-200 * 1_000_000_000_000_000_000);
    let mut gate = Gate::new(&c, &instruments()).unwrap();
    gate.adopt_account(&item);
    assert_eq!(gate.state(), TradingState::Halted);
}

#[test]
fn an_account_that_contradicts_itself_halts() {
    let dollars_18 = 1_000_000_000_000_000_000i128;
    let item = |qty: i64, cost: i128| {
        let mut item = CarryItem::new(CarryKind::Account);
        (item.qty, item.cost) = (Qty(qty), CarryItem::split(cost * dollars_18));
        item
    };
    type Spoil = fn(&mut CarryItem);
    let rows: [(Spoil, bool); 8] = [
        (|_| {}, true),
        (|i| i.qty = Qty(0), false),
        (|i| i.qty = Qty(-10), false),
        (|i| i.qty = Qty(i64::MIN), false),
        (|i| i.instrument = InstrumentId(9), false),
        (|i| i.kind = CarryKind::Order, false),
        (|i| i.fees = CarryItem::split(i128::MAX), false),
        (|i| i.realised = CarryItem::split(i128::MIN), false),
    ];
    for (row, (spoil, good)) in rows.into_iter().enumerate() {
        let mut gate = Gate::new(&wide(), &instruments()).unwrap();
        let mut carried = item(10, 1_000);
        spoil(&mut carried);
        gate.adopt_account(&carried);
        let want = if good { TradingState::Active } else { TradingState::Halted };
        assert_eq!(
            (gate.state(), gate.position(A)),
            (want, Qty(if good { 10 } else { 0 })),
            "{row}"
        );
    }
}

#[test]
fn remembered_executions_are_not_booked_again() {
    let mut rig = Rig::new(&wide());
    rig.gate.remember_execution(ExecId(0));
    rig.gate.remember_execution(ExecId(1));
    let order = rig.pass(Side::Bid, 10, dollars(100));
    assert_eq!(
        rig.fill(&order, 10, 0, dollars(100)),
        Err(LedgerError::RepeatedExecution(order.client_order_id))
    );
    rig.fill(&order, 10, 0, dollars(100)).unwrap();
    assert_eq!(rig.gate.position(A), Qty(10));
    // A bust of a carried one is booked with its own numbers.
    let mut bust = rig.report(ReportKind::Bust, &order, 4, 0, dollars(99));
    bust.exec_id = ExecId(1);
    rig.gate.on_report(rig.now, &bust).unwrap();
    assert_eq!((rig.gate.position(A), rig.gate.state()), (Qty(6), TradingState::Active));
}
