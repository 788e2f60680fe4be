//! Orders the broker puts aside: status Inactive.

use crate::rig::Rig;
use ijk_core::{ClientOrderId, Qty, ReportKind, SnapshotItem, SnapshotKind, VenueOrderStatus};

fn listed(rig: &mut Rig, id: ClientOrderId) -> SnapshotItem {
    let is = |i: &&SnapshotItem| i.kind == SnapshotKind::Order && i.client_order_id == id;
    *rig.snapshot().iter().find(is).unwrap()
}

fn is_aside(rig: &Rig) -> bool {
    rig.server.with(|g| g.truth_orders()).iter().any(|o| o.status == "Inactive")
}

#[test]
fn an_order_put_aside_is_no_end_and_can_be_cancelled() {
    let mut rig = Rig::new();
    rig.command("order inactive=200");
    let id = rig.rest(10);
    rig.until("it is put aside", is_aside);
    rig.wait(200);
    assert_eq!(rig.told(id).kinds, [ReportKind::Ack]);
    let item = listed(&mut rig, id);
    assert_eq!((item.status, item.leaves), (VenueOrderStatus::Working, Qty(10)));
    rig.cancel(id);
    rig.until_told(id, ReportKind::Canceled);
    assert_eq!(listed(&mut rig, id).leaves, Qty(0));
}

#[test]
fn an_order_put_aside_comes_back_to_life() {
    let mut rig = Rig::new();
    rig.command("order inactive=0 revive=2000");
    let id = rig.buy(10);
    rig.until("it is put aside", is_aside);
    rig.until_filled(id, 10);
    assert_eq!(rig.told(id).count(ReportKind::Ack), 1);
    assert_eq!(rig.true_position(), 10);
}

#[test]
fn an_order_refused_after_it_worked_is_a_reject_though_it_is_listed() {
    let mut rig = Rig::new();
    rig.command("order inactive=200 reject=201");
    let id = rig.rest(10);
    rig.until_told(id, ReportKind::Reject);
    assert_eq!(rig.told(id).kinds, [ReportKind::Ack, ReportKind::Reject]);
    assert_eq!(rig.told(id).reasons, [201]);
    let item = listed(&mut rig, id);
    assert_eq!((item.status, item.leaves), (VenueOrderStatus::Rejected, Qty(0)));
    rig.wait(200);
    assert_eq!(rig.told(id).kinds.len(), 2);
}

#[test]
fn a_refusal_while_shares_are_located_is_a_reject() {
    let mut rig = Rig::new();
    rig.command("order hold=8000 inactive=800 reject=201 text=No_shares");
    let id = rig.send(ijk_core::Side::Ask, 10, None);
    rig.until_told(id, ReportKind::Ack);
    rig.until_told(id, ReportKind::Reject);
    assert_eq!(rig.told(id).kinds, [ReportKind::Ack, ReportKind::Reject]);
}
