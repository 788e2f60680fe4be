//! The ledger without a gateway: each code, and every order in which the same facts can be told.

use ibapi::contracts::Contract;
use ibapi::orders::{
    Action, CommissionReport, Execution, ExecutionData, ExecutionSide, Order, OrderData,
    OrderState, OrderStatus, OrderStatusKind,
};
use ijk_core::{
    ClientOrderId, InstrumentId, NewOrder, OrderType, ParentId, Px, Qty, ReportKind, Side,
    TimeInForce, VenueReport,
};
use ijk_ibkr::codes;
use ijk_ibkr::contracts::{ContractTable, Listed};
use ijk_ibkr::orders::ledger::{Ledger, REASON_NUMBER_TAKEN};
use ijk_ibkr::orders::listing::Answers;
use ijk_ibkr::price_steps::PriceSteps;
use ijk_venue::VenueMessage;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

const E9: i64 = 1_000_000_000;
const CON_ID: i32 = 42;
const CLIENT: i32 = 71;
const PERM: i64 = 1_500_000_001;
const ID: ClientOrderId = ClientOrderId::first_of(3);

fn ledger() -> Ledger {
    let listed = Listed {
        contract: contract(),
        con_id: CON_ID,
        steps: PriceSteps::single(Px(E9 / 100)),
        qty_unit_e9: E9,
        symbol: "A".to_string(),
    };
    Ledger::new(Arc::new(ContractTable::new(vec![listed])), "DU1".to_string(), CLIENT)
}

fn contract() -> Contract {
    Contract { contract_id: CON_ID, ..Contract::stock("A").build() }
}

fn order(qty: i64) -> NewOrder {
    NewOrder {
        client_order_id: ID,
        qty: Qty(qty),
        px: Px(100 * E9),
        parent_id: ParentId(0),
        instrument: InstrumentId(0),
        side: Side::Bid,
        order_type: OrderType::Limit,
        tif: TimeInForce::Day,
        reserved: [0; 7],
    }
}

fn reports(ledger: &mut Ledger) -> Vec<VenueReport> {
    let told = ledger.drain().filter_map(|m| match m {
        VenueMessage::Report(r) => Some(r),
        _ => None,
    });
    told.collect()
}

fn open(number: i32, status: OrderStatusKind, qty: f64) -> OrderData {
    OrderData {
        order_id: number,
        contract: contract(),
        order: Order {
            order_id: number,
            client_id: CLIENT,
            perm_id: PERM,
            action: Action::Buy,
            total_quantity: qty,
            order_ref: "ijk-0000003000000001".to_string(),
            account: "DU1".to_string(),
            limit_price: Some(100.0),
            ..Order::default()
        },
        order_state: OrderState { status, ..OrderState::default() },
    }
}

fn status(number: i32, status: OrderStatusKind, filled: f64, remaining: f64) -> OrderStatus {
    OrderStatus {
        order_id: number,
        status,
        filled,
        remaining,
        perm_id: PERM,
        client_id: CLIENT,
        ..OrderStatus::default()
    }
}

fn execution(number: i32, name: &str, shares: f64, price: f64) -> Execution {
    Execution {
        order_id: number,
        client_id: CLIENT,
        execution_id: name.to_string(),
        time: "20260102 09:30:01 US/Eastern".to_string(),
        account_number: "DU1".to_string(),
        side: ExecutionSide::Bought,
        shares,
        price,
        perm_id: PERM,
        order_reference: "ijk-0000003000000001".to_string(),
        ..Execution::default()
    }
}

/// What each code does to an order that nothing was heard of, and to one that works.
fn expected(code: i32) -> (Option<ReportKind>, Option<ReportKind>) {
    use ReportKind::{Ack, Canceled, Reject};
    match code {
        201 => (Some(Reject), Some(Reject)),
        200 | 110 | 321 | 10_243 => (Some(Reject), None),
        202 => (Some(Canceled), Some(Canceled)),
        404 => (Some(Ack), None),
        _ => (None, None),
    }
}

#[test]
fn every_code_does_to_an_order_what_the_table_says() {
    for info in codes::all() {
        let code = info.code;
        let (fresh, working) = expected(code);
        let mut a = ledger();
        let number = a.on_sending(&order(10));
        assert!(a.on_notice(number, code));
        let told = reports(&mut a);
        assert_eq!(told.first().map(|r| r.kind), fresh, "{code}");
        assert!(told.len() <= 1, "{code}: {told:?}");
        if let Some(r) = told.first().filter(|r| r.kind == ReportKind::Reject) {
            assert_eq!(i32::from(r.reason), code);
        }
        let mut b = ledger();
        let number = b.on_sending(&order(10));
        b.on_open(&open(number, OrderStatusKind::Submitted, 10.0));
        let _ = reports(&mut b);
        b.on_notice(number, code);
        let told = reports(&mut b);
        assert_eq!(told.first().map(|r| r.kind), working, "{code} of a working order");
        // Told again it says nothing new.
        b.on_notice(number, code);
        assert!(reports(&mut b).is_empty(), "{code}");
    }
}

#[test]
fn a_code_nobody_knows_makes_the_adapter_ask() {
    let mut l = ledger();
    let number = l.on_sending(&order(10));
    assert!(!l.take_doubt());
    assert!(l.on_notice(number, 9_999));
    assert!(reports(&mut l).is_empty() && l.take_doubt());
    assert!(!l.on_notice(number + 1, 201), "a number of no order");
}

#[test]
fn failed_cancels_say_whether_the_order_lives() {
    for (code, leaves) in [(136, 10), (161, 10), (10_147, 0), (10_148, 0), (135, 0)] {
        let mut l = ledger();
        let number = l.on_sending(&order(10));
        l.on_notice(number, code);
        assert!(reports(&mut l).is_empty(), "{code} without a cancel of ours");
        assert_eq!(l.on_cancelling(ID), Some(number));
        l.on_notice(number, code);
        let told = reports(&mut l);
        assert_eq!((told[0].kind, told[0].leaves), (ReportKind::CancelReject, Qty(leaves)));
    }
}

#[test]
fn a_taken_number_ends_the_order_only_when_no_list_has_it() {
    let mut l = ledger();
    let number = l.on_sending(&order(10));
    l.on_notice(number, 103);
    assert!(reports(&mut l).is_empty() && l.take_doubt());
    l.settle_taken_numbers(|_| true);
    assert!(reports(&mut l).is_empty());
    l.settle_taken_numbers(|_| false);
    assert_eq!(reports(&mut l)[0].reason, REASON_NUMBER_TAKEN);
}

#[test]
fn numbers_rise_over_everything_ever_seen() {
    let mut l = ledger();
    l.on_open(&open(900, OrderStatusKind::Submitted, 5.0));
    l.raise(3);
    let fresh = NewOrder { client_order_id: ClientOrderId(ID.0 + 1), ..order(1) };
    assert_eq!(l.on_sending(&fresh), 901);
    assert_eq!(l.highest_seen(), fresh.client_order_id);
}

#[test]
fn another_account_and_another_contract_are_not_ours() {
    let mut l = ledger();
    let mut foreign = execution(5, "a.01", 3.0, 99.0);
    foreign.account_number = "DU2".to_string();
    l.on_execution(CON_ID, &foreign, false);
    l.on_execution(CON_ID + 1, &execution(5, "a.01", 3.0, 99.0), false);
    let mut data = open(5, OrderStatusKind::Submitted, 5.0);
    data.order.account = "DU2".to_string();
    l.on_open(&data);
    assert!(reports(&mut l).is_empty());
}

#[test]
fn strange_numbers_are_no_facts() {
    let mut l = ledger();
    let number = l.on_sending(&order(10));
    for (shares, price) in [
        (f64::NAN, 99.0),
        (-1.0, 99.0),
        (0.5, 99.0),
        (1.0, f64::NAN),
        (1.0, -3.0),
        (1.0, 1e300),
        (1e300, 1.0),
    ] {
        l.on_execution(CON_ID, &execution(number, "a.01", shares, price), true);
        assert!(reports(&mut l).is_empty() && l.take_doubt(), "{shares} {price}");
    }
    let fee = |commission| CommissionReport {
        execution_id: "a.01".to_string(),
        commission,
        ..CommissionReport::default()
    };
    [f64::MAX, f64::NAN, f64::INFINITY].into_iter().for_each(|c| l.on_commission(&fee(c)));
    l.on_status(&status(number, OrderStatusKind::Submitted, f64::NAN, f64::NAN));
    assert_eq!(reports(&mut l).len(), 1, "an acknowledgement and nothing else");
}

#[test]
fn a_fee_has_one_number_whatever_run_told_it_first() {
    let fee = |id: &str| CommissionReport {
        execution_id: id.to_string(),
        commission: 1.0,
        ..CommissionReport::default()
    };
    // One run books the first report and its fee.
    let mut l = ledger();
    let number = l.on_sending(&order(10));
    l.on_execution(CON_ID, &execution(number, "x.01", 10.0, 99.0), false);
    l.on_commission(&fee("x.01"));
    let first = reports(&mut l).last().copied().unwrap();
    // The next knows only the correction.
    let mut l = ledger();
    l.on_execution(CON_ID, &execution(number, "x.02", 10.0, 99.5), false);
    assert!(reports(&mut l).is_empty() && l.take_doubt(), "the list is asked for");
    l.on_execution(CON_ID, &execution(number, "x.02", 10.0, 99.5), true);
    l.on_commission(&fee("x.02"));
    let again = reports(&mut l).last().copied().unwrap();
    assert_eq!((again.kind, again.exec_id), (ReportKind::Commission, first.exec_id));
    assert_eq!(again.fee_e9, first.fee_e9);
}

#[test]
fn two_live_orders_with_one_reference_are_ours_and_a_stranger() {
    let mut l = ledger();
    let number = l.on_sending(&order(10));
    l.on_open(&open(number, OrderStatusKind::Submitted, 10.0));
    let mut twin = open(number, OrderStatusKind::Submitted, 10.0);
    twin.order.perm_id = PERM + 1;
    l.on_open(&twin);
    let told = reports(&mut l);
    assert_eq!(told.len(), 1, "one acknowledgement: {told:?}");
    // Both fill: one is ours, the other is booked as somebody else's.
    let mine = execution(number, "a.01", 10.0, 99.0);
    l.on_execution(CON_ID, &mine, false);
    let other = Execution { perm_id: PERM + 1, execution_id: "b.01".to_string(), ..mine };
    l.on_execution(CON_ID, &other, false);
    let told = reports(&mut l);
    assert_eq!(told.iter().map(|r| r.client_order_id.0).collect::<Vec<_>>(), [ID.0, 0]);
    assert_eq!(told[1].venue_order_id.0, (PERM + 1) as u64);
}

/// One thing the broker can say.
#[derive(Clone, Copy, Debug)]
enum Said {
    Open,
    Status(i64),
    Exec(i64),
    Fee(i64),
    Cancelled,
    Code202,
}

/// 10 shares, fills of 3 and 4, and 3 cancelled.
fn say(l: &mut Ledger, number: i32, said: Said) {
    match said {
        Said::Open => l.on_open(&open(number, OrderStatusKind::Submitted, 10.0)),
        Said::Status(filled) => {
            let left = 10.0 - filled as f64;
            l.on_status(&status(number, OrderStatusKind::Submitted, filled as f64, left));
        }
        Said::Exec(shares) => {
            let name = format!("x{shares}.01");
            l.on_execution(CON_ID, &execution(number, &name, shares as f64, 99.5), false);
        }
        Said::Fee(shares) => l.on_commission(&CommissionReport {
            execution_id: format!("x{shares}.01"),
            commission: shares as f64,
            ..CommissionReport::default()
        }),
        Said::Cancelled => l.on_status(&status(number, OrderStatusKind::Cancelled, 7.0, 3.0)),
        Said::Code202 => _ = l.on_notice(number, 202),
    }
}

const LIFE: [Said; 10] = [
    Said::Open,
    Said::Status(0),
    Said::Exec(3),
    Said::Status(3),
    Said::Exec(4),
    Said::Status(7),
    Said::Fee(3),
    Said::Fee(4),
    Said::Cancelled,
    Said::Code202,
];

/// What the run before booked is taken back at the price it was booked at, whichever the broker
/// lists first: the cost is right too.
#[test]
fn a_correction_of_what_an_earlier_run_booked_takes_back_its_price() {
    for order in [["x.01", "x.02"], ["x.02", "x.01"]] {
        let listed = order.map(|name| ExecutionData {
            contract: contract(),
            execution: execution(7, name, 4.0, if name == "x.01" { 99.0 } else { 99.5 }),
            ..ExecutionData::default()
        });
        let mut l = ledger();
        l.absorb(&Answers { executions: listed.to_vec(), ..Answers::default() });
        let told: Vec<_> = reports(&mut l)
            .iter()
            .filter(|r| matches!(r.kind, ReportKind::Fill | ReportKind::Bust))
            .map(|r| (r.kind, r.px))
            .collect();
        let (old, new) = (Px(99 * E9), Px(99 * E9 + E9 / 2));
        use ReportKind::{Bust, Fill};
        assert_eq!(told, [(Fill, old), (Bust, old), (Fill, new)], "{order:?}");
    }
}

proptest! {
    /// In whatever order and however often it is told, each fact is told on once.
    #[test]
    fn each_fact_is_told_once(order_of in proptest::collection::vec(0usize..10, 0..60)) {
        let mut l = ledger();
        let number = l.on_sending(&order(10));
        for i in order_of {
            say(&mut l, number, LIFE[i]);
        }
        // At last everything was told.
        LIFE.into_iter().for_each(|said| say(&mut l, number, said));
        let told = reports(&mut l);
        let of = |kind| told.iter().filter(move |r| r.kind == kind).collect::<Vec<_>>();
        prop_assert!(told.iter().all(|r| r.client_order_id == ID));
        prop_assert!(of(ReportKind::Ack).len() <= 1);
        let fills = of(ReportKind::Fill);
        prop_assert_eq!(fills.iter().map(|r| r.qty.0).collect::<BTreeSet<_>>(), [3, 4].into());
        prop_assert_eq!(fills.len(), 2);
        prop_assert_eq!(of(ReportKind::Commission).iter().map(|r| r.fee_e9).sum::<i64>(), 7 * E9);
        prop_assert_eq!(of(ReportKind::Canceled).len(), 1);
        prop_assert_eq!(of(ReportKind::Reject).len() + of(ReportKind::Bust).len(), 0);
        prop_assert!(!l.take_doubt());
    }

    /// Versions of one execution in any order leave the latest, once.
    #[test]
    fn the_latest_correction_stands(versions in proptest::collection::vec(1u32..5, 1..12)) {
        let mut l = ledger();
        let number = l.on_sending(&order(10));
        for v in &versions {
            let e = execution(number, &format!("x.{v:02}"), 4.0, 99.0 + f64::from(*v) / 100.0);
            l.on_execution(CON_ID, &e, true);
        }
        let (mut fills, mut busts) = (BTreeSet::new(), BTreeSet::new());
        for r in reports(&mut l) {
            let into = if r.kind == ReportKind::Fill { &mut fills } else { &mut busts };
            prop_assert!(into.insert(r.exec_id.0), "{:?} twice", r);
        }
        let last = versions.iter().max().unwrap();
        let stands = ijk_ibkr::identity::exec_number(&format!("x.{last:02}")).0;
        prop_assert_eq!(fills.difference(&busts).collect::<Vec<_>>(), vec![&stands]);
    }
}
