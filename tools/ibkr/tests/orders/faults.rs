//! One test for each way in which orders are known to go wrong at this broker.

use crate::rig::Rig;
use ijk_core::{LinkKind, Px, Qty, ReportKind, Side, SnapshotKind};
use ijk_ibkr::bucket::RETURN;
use ijk_ibkr::orders::ledger::REASON_NUMBER_TAKEN;
use ijk_twsim::SimConfig;

/// Buys at the market with a fault in force; it must fill, once, whatever was said.
fn fills_in_spite_of(fault: &str) -> Rig {
    let mut rig = Rig::new();
    rig.command(fault);
    let id = rig.buy(100);
    rig.until_filled(id, 100);
    rig.wait(300);
    rig.until_filled(id, 100);
    assert_eq!(rig.told(id).count(ReportKind::Reject), 0, "{:?}", rig.told(id));
    assert_eq!(rig.told(id).count(ReportKind::Canceled), 0);
    assert_eq!(rig.position(), rig.true_position());
    rig
}

#[test]
fn code_404_before_any_status_is_no_reject() {
    let rig = fills_in_spite_of("order hold=2000");
    let acks = rig.reports.iter().filter(|r| r.kind == ReportKind::Ack).count();
    assert_eq!(acks, 1, "held at the broker is arrived");
}

#[test]
fn an_order_held_for_locate_can_be_cancelled() {
    let mut rig = Rig::new();
    rig.command("order hold=60000");
    let id = rig.send(Side::Ask, 100, None);
    rig.until_told(id, ReportKind::Ack);
    rig.cancel(id);
    rig.until_told(id, ReportKind::Canceled);
}

#[test]
fn code_10349_is_no_cancel() {
    fills_in_spite_of("order warn-before=10349");
}

#[test]
fn warnings_are_no_rejects() {
    for code in [399, 2109, 2148, 2161, 2176] {
        fills_in_spite_of(&format!("order warn-after={code}"));
    }
}

#[test]
fn a_status_told_three_times_is_one() {
    fills_in_spite_of("order repeat=2");
}

#[test]
fn a_fill_without_any_status_is_a_fill() {
    fills_in_spite_of("order no-status no-open-order");
}

#[test]
fn an_execution_before_its_status_is_a_fill() {
    fills_in_spite_of("order exec-first");
}

#[test]
fn a_correction_replaces_its_execution() {
    let mut rig = Rig::new();
    rig.command("order correct=500");
    let id = rig.buy(10);
    rig.until_told(id, ReportKind::Bust);
    rig.until("the corrected fill", |r| r.told(id).filled == 10);
    let truth = rig.server.with(|g| g.truth_execs());
    let right = truth.iter().find(|e| !e.superseded).unwrap();
    let last = rig.reports.iter().rev().find(|r| r.kind == ReportKind::Fill).unwrap();
    assert_eq!(last.px, Px::from_f64(right.price).unwrap());
    let bust = rig.reports.iter().find(|r| r.kind == ReportKind::Bust).unwrap();
    let first = rig.reports.iter().find(|r| r.kind == ReportKind::Fill).unwrap();
    assert_eq!((bust.exec_id, bust.px, bust.qty), (first.exec_id, first.px, first.qty));
    // The list holds it once.
    let items = rig.snapshot();
    assert_eq!(items.iter().filter(|i| i.kind == SnapshotKind::Execution).count(), 1);
}

#[test]
fn rejects_carry_the_brokers_code() {
    for code in [201, 110, 10243, 321] {
        let mut rig = Rig::new();
        rig.command(&format!("order reject={code}"));
        let id = rig.rest(10);
        rig.until_told(id, ReportKind::Reject);
        assert_eq!(rig.told(id).reasons, [code]);
        assert_eq!(rig.told(id).kinds.len(), 1);
    }
}

#[test]
fn a_read_only_gateway_refuses() {
    let mut rig = Rig::new();
    rig.command("read-only on");
    let id = rig.rest(10);
    rig.until_told(id, ReportKind::Reject);
    assert_eq!(rig.told(id).reasons, [321]);
}

#[test]
fn a_cancel_of_the_brokers_own_is_a_cancel() {
    let mut rig = Rig::new();
    let id = rig.rest(10);
    rig.until_told(id, ReportKind::Ack);
    rig.command("cancel 1 71 because");
    rig.until_told(id, ReportKind::Canceled);
    assert_eq!(rig.told(id).count(ReportKind::Canceled), 1);
}

#[test]
fn a_cancel_that_meets_a_fill_ends_filled() {
    let mut rig = Rig::new();
    rig.command("order cancel=fills");
    let id = rig.rest(10);
    rig.until_told(id, ReportKind::Ack);
    rig.cancel(id);
    rig.until_filled(id, 10);
    rig.wait(200);
    assert_eq!(rig.told(id).count(ReportKind::Canceled), 0);
}

#[test]
fn a_refused_cancel_leaves_the_order_alive() {
    for code in [136, 161] {
        let mut rig = Rig::new();
        rig.command(&format!("order cancel={code}"));
        let id = rig.rest(10);
        rig.until_told(id, ReportKind::Ack);
        rig.cancel(id);
        rig.until_told(id, ReportKind::CancelReject);
        let report = rig.reports.iter().find(|r| r.kind == ReportKind::CancelReject).unwrap();
        assert_eq!(report.leaves, Qty(10));
        let items = rig.snapshot();
        assert!(items.iter().any(|i| i.client_order_id == id && i.leaves == Qty(10)));
    }
}

#[test]
fn a_number_that_was_taken_ends_the_order_and_raises_the_next() {
    let mut rig = Rig::new();
    rig.command("order reject=103");
    let id = rig.rest(10);
    rig.until_told(id, ReportKind::Reject);
    assert_eq!(rig.told(id).reasons, [REASON_NUMBER_TAKEN]);
    let next = rig.rest(10);
    rig.until_told(next, ReportKind::Ack);
}

#[test]
fn an_order_nobody_answers_is_not_guessed() {
    let mut rig = Rig::new();
    rig.command("order swallow");
    let id = rig.rest(10);
    rig.wait(700);
    assert!(rig.told(id).kinds.is_empty(), "{:?}", rig.told(id));
    let items = rig.snapshot();
    assert!(items.iter().all(|i| i.client_order_id != id));
}

#[test]
fn an_order_acknowledged_by_nobody_is_found_in_the_list() {
    let mut rig = Rig::new();
    rig.command("order ack=never");
    let id = rig.rest(10);
    rig.wait(300);
    let items = rig.snapshot();
    assert!(items.iter().any(|i| i.client_order_id == id && i.leaves == Qty(10)));
}

#[test]
fn fills_in_pieces_add_up() {
    let mut rig = Rig::new();
    rig.command("order pieces=5");
    let id = rig.buy(100);
    rig.until_filled(id, 100);
    assert!(rig.told(id).count(ReportKind::Fill) >= 5);
    rig.wait(200);
    assert_eq!(rig.told(id).count(ReportKind::Canceled), 0);
}

#[test]
fn a_commission_that_never_comes_changes_nothing_else() {
    let rig = fills_in_spite_of("order commission=never");
    assert!(rig.reports.iter().all(|r| r.kind != ReportKind::Commission));
}

#[test]
fn a_late_commission_is_told_once() {
    let mut rig = fills_in_spite_of("order commission=1500");
    rig.until("the fee", |r| r.reports.iter().any(|r| r.kind == ReportKind::Commission));
    let _ = rig.snapshot();
    let fees = rig.reports.iter().filter(|r| r.kind == ReportKind::Commission).count();
    assert_eq!(fees, rig.server.with(|g| g.truth_execs()).len());
}

#[test]
fn shares_that_cannot_be_borrowed_are_a_reject() {
    let mut rig = Rig::new();
    rig.command("shortable AAPL 1");
    let id = rig.send(Side::Ask, 100, None);
    rig.until_told(id, ReportKind::Reject);
    assert_eq!(rig.told(id).reasons, [201]);
}

#[test]
fn too_large_an_order_for_the_account_is_a_reject() {
    let mut rig = Rig::new();
    let id = rig.buy(900_000);
    rig.until_told(id, ReportKind::Reject);
    assert_eq!(rig.told(id).reasons, [201]);
}

#[test]
fn an_unanswered_cancel_is_not_taken_for_one() {
    let mut rig = Rig::new();
    rig.command("order cancel=ignored");
    let id = rig.rest(10);
    rig.until_told(id, ReportKind::Ack);
    rig.cancel(id);
    rig.wait(500);
    assert_eq!(rig.told(id).kinds, [ReportKind::Ack]);
    let items = rig.snapshot();
    assert!(items.iter().any(|i| i.client_order_id == id && i.leaves == Qty(10)));
}

#[test]
fn the_message_budget_holds_and_nothing_is_lost() {
    // It counts messages by its own clock.
    let mut rig = Rig::with(SimConfig { speed: 1.0, ..SimConfig::default() });
    // What connecting took comes back.
    rig.wait(RETURN.as_millis() as u64);
    let ids: Vec<_> = (0..60).map(|_| rig.rest(1)).collect();
    rig.until("every order is answered", |r| ids.iter().all(|id| !r.told(*id).kinds.is_empty()));
    let (acked, absent): (Vec<_>, Vec<_>) =
        ids.into_iter().partition(|id| rig.told(*id).count(ReportKind::Ack) == 1);
    assert!(absent.iter().all(|id| rig.told(*id).kinds == [ReportKind::Absent]));
    assert_eq!(rig.server.with(|g| g.truth_orders()).len(), acked.len());
    // All but the reserve and the signs of life.
    assert!((25..=35).contains(&acked.len()) && rig.is_up(), "{}", acked.len());
}

#[test]
fn a_gateway_that_has_too_much_is_left_alone_for_a_second() {
    let mut rig = Rig::new();
    let id = rig.rest(10);
    rig.until_told(id, ReportKind::Ack);
    rig.command("notice 100");
    rig.wait(100);
    rig.cancel(id);
    let late = rig.rest(5);
    rig.wait(600);
    assert_eq!(rig.told(id).kinds, [ReportKind::Ack], "the cancel waits");
    rig.until_told(id, ReportKind::Canceled);
    rig.until_told(late, ReportKind::Absent);
    assert_eq!(rig.links, [LinkKind::Up], "silence of ours is not the gateway's");
}

#[test]
fn a_price_that_cannot_be_is_believed_only_when_told_again() {
    let mut rig = Rig::new();
    rig.command("order fill-at=1.5");
    let id = rig.send(Side::Bid, 10, Some(150.0));
    rig.until_filled(id, 10);
    let asked = rig.reports.iter().position(|r| r.kind == ReportKind::Fill).unwrap();
    assert_eq!(rig.reports[asked].px, Px(1_500_000_000));
}
