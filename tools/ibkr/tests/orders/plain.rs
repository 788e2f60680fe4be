//! What happens on a good day.

use crate::rig::{Rig, config, symbols};
use ibapi::client::blocking::Client;
use ibapi::contracts::Contract;
use ijk_core::config::IbkrConfig;
use ijk_core::{Px, Qty, ReportKind, Side, SnapshotKind, TimeInForce, VenueOrderStatus};
use ijk_ibkr::connection::{ConnectError, GatewaySettings, Money};
use ijk_ibkr::orders::{IbkrVenue, StartError};
use std::sync::Arc;

#[test]
fn a_market_order_fills_and_its_commission_follows() {
    let mut rig = Rig::new();
    let id = rig.buy(100);
    rig.until_filled(id, 100);
    rig.until_told(id, ReportKind::Commission);
    let truth = rig.server.with(|g| g.truth_execs());
    rig.until("all commissions", |r| r.told(id).count(ReportKind::Commission) == truth.len());
    let fees: i64 = rig.reports.iter().map(|r| r.fee_e9).sum();
    let true_fees: f64 = truth.iter().map(|e| e.commission).sum();
    assert!((fees as f64 / 1e9 - true_fees).abs() < 1e-6, "{fees} {true_fees}");
    let money = |px: Px, qty: Qty| px.as_f64() * qty.0 as f64;
    let paid: f64 =
        rig.reports.iter().filter(|r| r.kind == ReportKind::Fill).map(|r| money(r.px, r.qty)).sum();
    let truly: f64 = truth.iter().map(|e| e.price * e.shares).sum();
    assert!((paid - truly).abs() < 1e-6);
    let order = rig.server.with(|g| g.truth_orders()).remove(0);
    assert_eq!(order.order_ref.as_deref(), Some("ijk-0000001000000001"));
    assert!(rig.reports.iter().all(|r| r.ts_exchange.0 == 0 || r.ts_exchange.0 > 1 << 60));
}

#[test]
fn a_resting_order_is_acknowledged_once_and_cancelled_once() {
    let mut rig = Rig::new();
    let id = rig.rest(100);
    rig.until_told(id, ReportKind::Ack);
    let items = rig.snapshot();
    let order = items.iter().find(|i| i.kind == SnapshotKind::Order).unwrap();
    assert_eq!((order.client_order_id, order.status), (id, VenueOrderStatus::Working));
    assert_eq!((order.qty, order.leaves, order.px), (Qty(100), Qty(100), Px(50_000_000_000)));
    rig.cancel(id);
    rig.until_told(id, ReportKind::Canceled);
    rig.wait(200);
    assert_eq!(rig.told(id).kinds, [ReportKind::Ack, ReportKind::Canceled]);
    let items = rig.snapshot();
    let order = items.iter().find(|i| i.kind == SnapshotKind::Order).unwrap();
    assert_eq!(
        (order.status, order.qty, order.leaves),
        (VenueOrderStatus::Canceled, Qty(100), Qty(0))
    );
}

#[test]
fn the_rest_of_an_immediate_order_ran_out() {
    let mut rig = Rig::new();
    let mut order = rig.order(Side::Bid, 10, Some(50.0));
    order.tif = TimeInForce::Ioc;
    rig.venue().send(ijk_core::RecvTs(1), &order);
    rig.until_told(order.client_order_id, ReportKind::Expired);
}

#[test]
fn the_account_of_the_day_holds_everything_once() {
    let mut rig = Rig::new();
    let bought = rig.buy(30);
    rig.until_filled(bought, 30);
    let sold = rig.send(Side::Ask, 10, None);
    rig.until_filled(sold, 10);
    let resting = rig.rest(5);
    rig.until_told(resting, ReportKind::Ack);
    let items = rig.snapshot();
    let of = |kind| items.iter().filter(move |i| i.kind == kind);
    let truth = rig.server.with(|g| g.truth_execs());
    assert_eq!(of(SnapshotKind::Execution).count(), truth.len());
    assert_eq!(of(SnapshotKind::Order).count(), 3);
    let filled = of(SnapshotKind::Order).find(|i| i.client_order_id == bought).unwrap();
    assert_eq!(
        (filled.status, filled.qty, filled.filled),
        (VenueOrderStatus::Filled, Qty(30), Qty(30))
    );
    let position: Vec<_> = of(SnapshotKind::Position).collect();
    assert_eq!((position.len(), position[0].qty), (1, Qty(20)));
    assert_eq!(rig.true_position(), 20);
}

#[test]
fn a_new_process_finds_and_cancels_what_the_old_one_left() {
    let mut rig = Rig::new();
    let left = rig.rest(7);
    rig.until_told(left, ReportKind::Ack);
    rig.start();
    let items = rig.snapshot();
    assert!(items.iter().any(|i| i.client_order_id == left && i.leaves == Qty(7)));
    rig.cancel(left);
    rig.until_told(left, ReportKind::Canceled);
    // Its own orders get new numbers at the broker.
    let id = rig.rest(1);
    rig.until_told(id, ReportKind::Ack);
}

#[test]
fn orders_of_other_programs_are_listed_as_strangers() {
    let mut rig = Rig::new();
    rig.command("position MSFT 40 100");
    // A program that knows nothing of our references.
    let other =
        Client::builder().address(rig.server.addr().to_string()).client_id(5).connect().unwrap();
    let contract = Contract::stock("AAPL").build();
    let resting = other.order(&contract).buy(4).limit(50.0).submit().unwrap();
    other.order(&contract).buy(6).market().submit().unwrap();
    rig.until("its fill", |r| r.true_position() == 6);
    let items = rig.snapshot();
    let order = items.iter().find(|i| i.kind == SnapshotKind::Order && i.leaves == Qty(4));
    let order = order.unwrap();
    assert_eq!(order.client_order_id.0, 0, "{resting:?} is nobody's here");
    assert!(order.venue_order_id.0 > 0 && order.venue_order_id.0 >> 63 == 0);
    let traded: i64 = items
        .iter()
        .filter(|i| i.kind == SnapshotKind::Execution && i.client_order_id.0 == 0)
        .map(|i| i.qty.0)
        .sum();
    assert_eq!(traded, 6);
    let held: Vec<_> = items.iter().filter(|i| i.kind == SnapshotKind::Position).collect();
    let held: Vec<_> = held.iter().map(|i| (i.instrument.0, i.qty.0)).collect();
    assert_eq!(held, [(0, 6), (1, 40)]);
    // It is not acknowledged as if it were an answer to us.
    assert!(rig.reports.iter().all(|r| r.kind != ReportKind::Ack));
}

#[test]
fn what_cannot_be_sent_is_refused_here() {
    let mut rig = Rig::new();
    let off_tick = rig.send(Side::Bid, 1, Some(50.005));
    let nothing = rig.send(Side::Bid, 0, Some(50.0));
    rig.until_told(off_tick, ReportKind::Reject);
    rig.until_told(nothing, ReportKind::Reject);
    assert_eq!(rig.told(off_tick).reasons, [110]);
    assert_eq!(rig.told(nothing).reasons, [10_243]);
    assert!(rig.server.with(|g| g.truth_orders()).is_empty());
}

#[test]
fn a_gateway_of_real_money_gets_no_paper_orders() {
    let rig = Rig::new();
    let other = IbkrConfig { client_id: 9, ..config(&rig.server) };
    let start = |c: &IbkrConfig, money| {
        let settings = GatewaySettings::new(c, money, 400);
        IbkrVenue::start(&settings, &symbols(), Arc::new(|_| {})).err().unwrap()
    };
    // The simulator's account is a paper one: live orders are refused, listed or not.
    let live_accounts = vec!["DU0000001".to_string()];
    // Ids of their own: the gateway may still hold the session before.
    let listed = IbkrConfig { live_accounts, client_id: 10, ..other.clone() };
    for config in [&other, &listed] {
        let error = start(config, Money::Live);
        assert!(matches!(error, StartError::Connect(ConnectError::NotAllowed { .. })), "{error}");
    }
    let named = IbkrConfig { account: "DU7".to_string(), client_id: 11, ..other };
    let error = start(&named, Money::Paper);
    assert!(error.to_string().contains("DU0000001"), "{error}");
}
