//! The gate's own ledger against the venue's reports, faithful and faulty.

use crate::rig::*;
use ijk_core::config::RiskConfig;
use ijk_core::{
    Block, ClientOrderId, ExecId, InstrumentId, NewOrder, Px, Qty, ReportKind, Side, VenueReport,
};
use ijk_risk::{InstrumentBlock, LedgerError, RiskCode, TradingState};

#[test]
fn a_life_of_an_order() {
    let mut rig = Rig::new(&wide());
    let order = rig.pass(Side::Bid, 100, dollars(100));
    let ack = rig.report(ReportKind::Ack, &order, 0, 100, Px(0));
    rig.gate.on_report(rig.now, &ack).unwrap();
    assert_eq!(rig.gate.worst_case_position(A), (100, 0));
    rig.fill(&order, 30, 70, dollars(100)).unwrap();
    assert_eq!((rig.gate.position(A), rig.gate.worst_case_position(A)), (Qty(30), (100, 30)));
    let refused = rig.report(ReportKind::CancelReject, &order, 0, 70, Px(0));
    rig.gate.on_report(rig.now, &refused).unwrap();
    assert_eq!(rig.gate.working_count(), 1);
    rig.end(&order, 70).unwrap();
    assert_eq!((rig.gate.position(A), rig.gate.worst_case_position(A)), (Qty(30), (30, 30)));
    assert_eq!((rig.gate.working_count(), rig.gate.state()), (0, TradingState::Active));
}

#[test]
fn every_end_frees_the_rest() {
    for kind in [ReportKind::Reject, ReportKind::Canceled, ReportKind::Expired] {
        let mut rig = Rig::new(&wide());
        let order = rig.pass(Side::Ask, 50, dollars(100));
        let qty = if kind == ReportKind::Reject { 0 } else { 50 };
        let report = rig.report(kind, &order, qty, 0, Px(0));
        rig.gate.on_report(rig.now, &report).unwrap();
        assert_eq!((rig.gate.working_count(), rig.gate.worst_case_position(A)), (0, (0, 0)));
        // Told twice, it is no fault; nor is a late acknowledgement.
        rig.gate.on_report(rig.now, &report).unwrap();
        let ack = rig.report(ReportKind::Ack, &order, 0, 50, Px(0));
        rig.gate.on_report(rig.now, &ack).unwrap();
        assert_eq!(rig.gate.state(), TradingState::Active);
    }
}

#[test]
fn a_repeated_execution_is_booked_once() {
    let mut rig = Rig::new(&wide());
    let order = rig.pass(Side::Bid, 100, dollars(100));
    let fill = rig.report(ReportKind::Fill, &order, 40, 60, dollars(100));
    rig.gate.on_report(rig.now, &fill).unwrap();
    let again = rig.gate.on_report(rig.now, &fill);
    assert_eq!(again, Err(LedgerError::RepeatedExecution(order.client_order_id)));
    assert_eq!((rig.gate.position(A), rig.gate.state()), (Qty(40), TradingState::Active));
    rig.fill(&order, 60, 0, dollars(100)).unwrap();
    assert_eq!(rig.gate.on_report(rig.now, &fill), again);
    assert_eq!((rig.gate.position(A), rig.gate.state()), (Qty(100), TradingState::Active));
}

/// Each row: how a valid report of 40 of 100 is spoilt, the error, position and open quantity
/// after it. What reconciliation can settle blocks the instrument, the rest halts.
#[test]
fn faulty_reports_block_or_halt() {
    type Spoil = fn(&mut ijk_core::VenueReport);
    let id = ClientOrderId(1);
    let rows: [(Spoil, LedgerError, i64, i64); 12] = [
        (|r| r.client_order_id.0 = 77, LedgerError::UnknownOrder(ClientOrderId(77)), 40, 140),
        (|r| r.client_order_id.0 = 0, LedgerError::UnknownOrder(ClientOrderId(0)), 40, 140),
        (|r| r.exec_id = ExecId(0), LedgerError::BadFill(id), 0, 100),
        (|r| r.px = Px(0), LedgerError::BadFill(id), 0, 100),
        (|r| r.px = Px(-1), LedgerError::BadFill(id), 0, 100),
        (|r| r.qty = Qty(0), LedgerError::BadFill(id), 0, 100),
        (|r| r.qty = Qty(i64::MIN), LedgerError::BadFill(id), 0, 100),
        (
            |r| r.leaves = Qty(59),
            LedgerError::LeavesMismatch { id, reported: 59, open: 60 },
            40,
            100,
        ),
        (
            |r| (r.qty, r.leaves) = (Qty(101), Qty(0)),
            LedgerError::Overfill { id, qty: 101, open: 100 },
            101,
            101,
        ),
        (|r| r.side = Side::Ask, LedgerError::Mismatch(id), 40, 100),
        (|r| r.instrument = B, LedgerError::Mismatch(id), 40, 100),
        (|r| (r.px, r.qty) = (Px(i64::MAX), Qty(1_000)), LedgerError::Overflow(id), 0, 100),
    ];
    for (spoil, error, position, worst_long) in rows {
        let mut rig = Rig::new(&wide());
        let order = rig.pass(Side::Bid, 100, dollars(100));
        let mut fill = rig.report(ReportKind::Fill, &order, 40, 60, dollars(100));
        spoil(&mut fill);
        assert_eq!(rig.gate.on_report(rig.now, &fill), Err(error));
        assert_eq!(rig.gate.position(A), Qty(position), "{error:?}");
        assert_eq!(rig.gate.worst_case_position(A).0, worst_long, "{error:?}");
        assert_eq!(rig.gate.blocks(), Block::Reconcile.bit(), "{error:?}");
        let block = match error {
            LedgerError::UnknownOrder(_) => Some(InstrumentBlock::UnknownOrder),
            LedgerError::LeavesMismatch { .. } => Some(InstrumentBlock::PositionMismatch),
            LedgerError::Overfill { .. } => Some(InstrumentBlock::LateFill),
            _ => None,
        };
        let want = if block.is_some() { TradingState::Active } else { TradingState::Halted };
        assert_eq!(rig.gate.state(), want, "{error:?}");
        assert_eq!(rig.gate.instrument_blocks(A), block.map_or(0, InstrumentBlock::bit));
        rig.wait(10);
        let next = rig.order(Side::Ask, 1, dollars(101));
        let Some(block) = block else {
            assert_eq!(rig.check(next), Err(RiskCode::Halted));
            continue;
        };
        assert_eq!(rig.check(next), Err(RiskCode::BlockedReconcile));
        rig.gate.unblock(rig.now, Block::Reconcile);
        assert_eq!(rig.check(next), Err(block.code()));
        let other = ijk_core::NewOrder { instrument: B, ..next };
        assert_eq!(rig.check(other), Ok(other), "another instrument goes on");
        rig.gate.unblock_instrument(rig.now, A, block);
        let next = rig.order(Side::Ask, 2, dollars(101));
        assert_eq!(rig.check(next), Ok(next), "after reconciliation");
    }
}

#[test]
fn faulty_ends_block_and_keep_the_worst_case() {
    let mut rig = Rig::new(&wide());
    let order = rig.pass(Side::Bid, 100, dollars(100));
    let id = order.client_order_id;
    let want = LedgerError::LeavesMismatch { id, reported: 90, open: 100 };
    assert_eq!(rig.end(&order, 90), Err(want));
    assert_eq!(rig.gate.worst_case_position(A), (100, 0));
    assert_eq!(rig.gate.instrument_blocks(A), InstrumentBlock::PositionMismatch.bit());
    // The right end still frees it.
    rig.end(&order, 100).unwrap();
    assert_eq!(rig.gate.worst_case_position(A), (0, 0));
    let unknown = ijk_core::NewOrder { client_order_id: ClientOrderId(9), ..order };
    assert_eq!(rig.end(&unknown, 100), Err(LedgerError::UnknownOrder(ClientOrderId(9))));
}

#[test]
fn a_fill_after_the_end_is_booked_and_blocks() {
    let mut rig = Rig::new(&wide());
    let order = rig.pass(Side::Ask, 100, dollars(100));
    rig.end(&order, 100).unwrap();
    let late = rig.fill(&order, 60, 0, dollars(100));
    assert_eq!(late, Err(LedgerError::FillAfterEnd(order.client_order_id)));
    assert_eq!((rig.gate.position(A), rig.gate.state()), (Qty(-60), TradingState::Active));
    assert_eq!(rig.gate.instrument_blocks(A), InstrumentBlock::LateFill.bit());
    // The rest of it belongs to the same disagreement.
    assert!(rig.fill(&order, 40, 0, dollars(100)).is_err());
    assert_eq!((rig.gate.position(A), rig.gate.state()), (Qty(-100), TradingState::Active));
}

/// Row 26: the first disagreement blocks its instrument, the second halts the account, whether it
/// is the same instrument after a reconciliation or another one.
#[test]
fn a_second_disagreement_halts_the_account() {
    for (limit, other, want) in [
        (2, false, TradingState::Halted),
        (2, true, TradingState::Halted),
        (3, false, TradingState::Active),
        (1, true, TradingState::Halted),
        (0, true, TradingState::Halted),
    ] {
        let config = RiskConfig { halt_mismatches: limit, ..wide() };
        let mut rig = Rig::new(&config);
        if limit < 2 {
            let state = if limit == 0 { TradingState::Halted } else { TradingState::Active };
            assert_eq!(rig.gate.state(), state);
        }
        let stranger = rig.order(Side::Bid, 5, dollars(100));
        assert!(rig.fill(&stranger, 5, 0, dollars(100)).is_err());
        if !other {
            rig.gate.unblock_instrument(rig.now, A, InstrumentBlock::UnknownOrder);
        }
        let instrument = if other { B } else { A };
        let second = NewOrder { instrument, ..rig.order(Side::Bid, 5, dollars(100)) };
        assert!(rig.fill(&second, 5, 0, dollars(100)).is_err());
        assert_eq!(rig.gate.state(), want, "{limit} {other}");
        assert_eq!(rig.gate.position(A).0 + rig.gate.position(B).0, 10, "booked even so");
    }
}

#[test]
fn a_bust_undoes_its_execution() {
    let mut rig = Rig::new(&RiskConfig { settled_cash_usd: 100_000.0, ..wide() });
    rig.hold(Side::Bid, 50, dollars(90));
    rig.gate.on_mark(rig.now, A, 100.0);
    let before = (rig.gate.pnl_usd(), rig.gate.fees_usd(), rig.gate.position(A));
    let order = rig.pass(Side::Ask, 20, dollars(100));
    let mut fill = rig.report(ReportKind::Fill, &order, 20, 0, dollars(100));
    fill.fee_e9 = 1_000_000_000;
    rig.gate.on_report(rig.now, &fill).unwrap();
    let fee = VenueReport { kind: ReportKind::Commission, fee_e9: 500_000_000, ..fill };
    rig.gate.on_report(rig.now, &fee).unwrap();
    assert_eq!((rig.gate.fees_usd(), rig.gate.position(A)), (1.5, Qty(30)));
    let bust = VenueReport { kind: ReportKind::Bust, ..fill };
    rig.gate.on_report(rig.now, &bust).unwrap();
    assert_eq!((rig.gate.pnl_usd(), rig.gate.fees_usd(), rig.gate.position(A)), before);
    // Again, it is a repetition; and the fill stays known.
    let id = order.client_order_id;
    let again = Err(LedgerError::RepeatedExecution(id));
    assert_eq!(rig.gate.on_report(rig.now, &bust), again);
    assert_eq!(rig.gate.on_report(rig.now, &fill), again);
    assert_eq!((rig.gate.position(A), rig.gate.state()), (before.2, TradingState::Active));
    // One that was never booked cannot be undone.
    let unknown = VenueReport { exec_id: ExecId(999), ..bust };
    let want = Err(LedgerError::UnknownExecution(ExecId(999)));
    assert_eq!(rig.gate.on_report(rig.now, &unknown), want);
    assert_eq!(rig.gate.state(), TradingState::Halted);
    let none = VenueReport { exec_id: ExecId(0), ..bust };
    assert_eq!(rig.gate.on_report(rig.now, &none), Err(LedgerError::UnknownExecution(ExecId(0))));
}

#[test]
fn a_fee_of_an_unknown_execution_is_owed_and_blocks() {
    let mut rig = Rig::new(&wide());
    let order = rig.pass(Side::Bid, 10, dollars(100));
    let mut fee = rig.report(ReportKind::Commission, &order, 0, 0, Px(0));
    (fee.exec_id, fee.fee_e9) = (ExecId(77), 2_000_000_000);
    let want = Err(LedgerError::UnknownFee(ExecId(77)));
    assert_eq!(rig.gate.on_report(rig.now, &fee), want);
    assert_eq!((rig.gate.fees_usd(), rig.gate.state()), (2.0, TradingState::Active));
    assert_eq!(rig.gate.instrument_blocks(A), InstrumentBlock::PositionMismatch.bit());
    fee.instrument = InstrumentId(9);
    assert_eq!(rig.gate.on_report(rig.now, &fee), want);
    assert_eq!((rig.gate.fees_usd(), rig.gate.state()), (2.0, TradingState::Halted));
}

#[test]
fn an_absent_order_frees_its_rest_and_is_no_reject() {
    let mut rig = Rig::new(&RiskConfig { max_consecutive_rejects: 1, ..wide() });
    let order = rig.pass(Side::Bid, 100, dollars(100));
    let absent = rig.report(ReportKind::Absent, &order, 0, 0, Px(0));
    rig.gate.on_report(rig.now, &absent).unwrap();
    assert_eq!((rig.gate.working_count(), rig.gate.state()), (0, TradingState::Active));
    // It surfaces after all.
    let late = rig.fill(&order, 100, 0, dollars(100));
    assert_eq!(late, Err(LedgerError::FillAfterEnd(order.client_order_id)));
    assert_eq!(rig.gate.position(A), Qty(100));
}

#[test]
fn a_fill_of_no_known_instrument_is_not_booked() {
    let mut rig = Rig::new(&wide());
    let order = rig.pass(Side::Bid, 100, dollars(100));
    let mut fill = rig.report(ReportKind::Fill, &order, 1, 0, dollars(1));
    (fill.instrument, fill.client_order_id) = (InstrumentId(500), ClientOrderId(900));
    assert_eq!(
        rig.gate.on_report(rig.now, &fill),
        Err(LedgerError::UnknownOrder(ClientOrderId(900)))
    );
    assert_eq!(rig.gate.state(), TradingState::Halted);
}
