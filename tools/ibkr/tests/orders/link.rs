//! The link: lost, half open, restarted, silent; and what orders become meanwhile.

use crate::rig::{Rig, config, symbols};
use ijk_core::config::IbkrConfig;
use ijk_core::{Qty, ReportKind, Side, SnapshotKind};
use ijk_ibkr::connection::{ConnectError, GatewaySettings, Money};
use ijk_ibkr::orders::{IbkrVenue, StartError};
use std::sync::Arc;

fn freezes(rig: &mut Rig, command: &str) {
    rig.command(command);
    rig.until("the freeze", |r| !r.is_up());
}

fn thaws(rig: &mut Rig) {
    rig.until("the link comes back", |r| r.is_up());
}

/// A resting order that the market reaches while nobody hears of it.
fn rests_near(rig: &mut Rig) -> ijk_core::ClientOrderId {
    rig.command("order pieces=3 park");
    let id = rig.send(Side::Bid, 30, Some(110.0));
    rig.until_told(id, ReportKind::Ack);
    id
}

#[test]
fn nothing_leaves_while_the_gateway_has_no_link() {
    let mut rig = Rig::new();
    let waiting = rig.rest(5);
    rig.until_told(waiting, ReportKind::Ack);
    freezes(&mut rig, "link down");
    let late = rig.rest(1);
    rig.until_told(late, ReportKind::Absent);
    rig.command("link up kept");
    thaws(&mut rig);
    assert_eq!(rig.told(waiting).kinds, [ReportKind::Ack]);
    assert_eq!(rig.server.with(|g| g.truth_orders()).len(), 1, "the late one never left");
}

#[test]
fn fills_lost_over_1100_come_with_1102() {
    for back in ["link up kept", "link up lost"] {
        let mut rig = Rig::new();
        // Sent just before the link goes: everything said of it is lost.
        let id = rig.send(Side::Bid, 10, Some(110.0));
        rig.command("link down lose");
        rig.until("the freeze", |r| !r.is_up());
        rig.wait(500);
        rig.command(back);
        thaws(&mut rig);
        rig.wait(800);
        assert_eq!(rig.position(), rig.true_position(), "{back}");
        let truth = rig.server.with(|g| g.truth_orders());
        if truth.first().is_some_and(|o| o.filled == 10.0) {
            rig.until_filled(id, 10);
        }
    }
}

#[test]
fn code_2110_freezes_and_1102_thaws() {
    let mut rig = Rig::new();
    freezes(&mut rig, "notice 2110");
    rig.command("notice 1102");
    thaws(&mut rig);
}

#[test]
fn a_broken_data_farm_leaves_orders_alone() {
    let mut rig = Rig::new();
    rig.command("farm usfarm down");
    rig.command("farm ushmds down");
    let id = rig.rest(5);
    rig.until_told(id, ReportKind::Ack);
    assert!(rig.is_up() && rig.ups() == 1);
}

#[test]
fn an_order_that_left_as_the_socket_broke_is_found() {
    let mut rig = Rig::new();
    let ups = rig.ups();
    rig.command("order drop=after");
    let id = rig.rest(10);
    rig.until("a new link", |r| r.ups() > ups);
    let items = rig.snapshot();
    assert!(items.iter().any(|i| i.client_order_id == id && i.leaves == Qty(10)));
    rig.cancel(id);
    rig.until_told(id, ReportKind::Canceled);
}

#[test]
fn an_order_lost_with_the_socket_is_never_sent_again() {
    let mut rig = Rig::new();
    let ups = rig.ups();
    rig.command("order drop=before");
    let id = rig.rest(10);
    rig.until("a new link", |r| r.ups() > ups);
    let items = rig.snapshot();
    assert!(items.iter().all(|i| i.client_order_id != id));
    rig.wait(300);
    assert!(rig.server.with(|g| g.truth_orders()).is_empty());
    assert!(rig.told(id).kinds.is_empty(), "unknown is not told as anything");
}

#[test]
fn a_daily_restart_keeps_orders_and_positions() {
    let mut rig = Rig::new();
    let filled = rig.buy(20);
    rig.until_filled(filled, 20);
    let resting = rig.rest(10);
    rig.until_told(resting, ReportKind::Ack);
    freezes(&mut rig, "restart 1000");
    thaws(&mut rig);
    rig.until_filled(filled, 20);
    assert_eq!(rig.told(resting).kinds, [ReportKind::Ack]);
    let items = rig.snapshot();
    let position = items.iter().find(|i| i.kind == SnapshotKind::Position).unwrap();
    assert_eq!(position.qty, Qty(20));
}

#[test]
fn numbers_never_fall_though_the_broker_begins_anew() {
    let mut rig = Rig::new();
    let before = rig.buy(10);
    rig.until_filled(before, 10);
    freezes(&mut rig, "restart 500 rollback");
    thaws(&mut rig);
    let after = rig.buy(20);
    rig.until_filled(after, 20);
    let truth = rig.server.with(|g| g.truth_orders());
    let numbers: Vec<i32> = truth.iter().map(|o| o.order_id).collect();
    assert!(numbers[1] > numbers[0], "{numbers:?}");
    rig.until_filled(before, 10);
}

#[test]
fn a_new_process_after_a_rollback_takes_new_numbers_too() {
    let mut rig = Rig::new();
    let before = rig.rest(10);
    rig.until_told(before, ReportKind::Ack);
    rig.command("next-id 1");
    rig.start();
    let after = rig.rest(20);
    rig.until_told(after, ReportKind::Ack);
    let truth = rig.server.with(|g| g.truth_orders());
    assert_eq!(truth.len(), 2);
    assert!(truth[1].order_id > truth[0].order_id);
}

#[test]
fn a_half_open_socket_is_noticed() {
    let mut rig = Rig::new();
    freezes(&mut rig, "mute 60000");
    thaws(&mut rig);
    let id = rig.rest(5);
    rig.until_told(id, ReportKind::Ack);
}

#[test]
fn a_slow_drip_is_no_break() {
    let mut rig = Rig::new();
    rig.command("drip 1");
    let id = rig.rest(5);
    rig.until_told(id, ReportKind::Ack);
}

#[test]
fn a_frame_that_cannot_be_read_costs_the_link_not_the_orders() {
    let mut rig = Rig::new();
    let resting = rig.rest(5);
    rig.until_told(resting, ReportKind::Ack);
    let ups = rig.ups();
    // An order status whose body is no message.
    rig.command("frame 3 ffffff");
    rig.until("a new link", |r| r.ups() > ups);
    let id = rig.buy(10);
    rig.until_filled(id, 10);
    assert_eq!(rig.told(resting).kinds, [ReportKind::Ack]);
}

#[test]
fn a_client_id_in_use_is_an_error_at_the_start() {
    let rig = Rig::new();
    let settings = GatewaySettings::new(&config(&rig.server), Money::Paper, 400);
    let error = IbkrVenue::start(&settings, &symbols(), Arc::new(|_| {})).err().unwrap();
    let StartError::Connect(ConnectError::ClientIdInUse { client_id }) = error else {
        panic!("{error}")
    };
    assert_eq!(client_id, settings.config.client_id);
}

#[test]
fn a_client_id_still_held_after_a_drop_is_waited_for() {
    let mut rig = Rig::new();
    freezes(&mut rig, "drop ghost");
    rig.wait(500);
    assert!(!rig.is_up());
    assert!(rig.venue().last_error().unwrap().contains("in use"));
    rig.command("unghost");
    thaws(&mut rig);
}

#[test]
fn lists_that_never_come_delay_but_do_not_hang() {
    // Ended orders: what was heard live has to do.
    let mut rig = Rig::new();
    let done = rig.rest(10);
    rig.until_told(done, ReportKind::Ack);
    rig.cancel(done);
    rig.until_told(done, ReportKind::Canceled);
    rig.command("hang completed");
    let items = rig.snapshot();
    assert!(items.iter().any(|i| i.client_order_id == done));
    // Without positions there is no answer at all, and no link is lost.
    rig.command("hang positions");
    let request = ijk_core::SnapshotRequest { request_id: 99 };
    use ijk_venue::Venue as _;
    rig.items.clear();
    rig.venue().request_snapshot(ijk_core::RecvTs(1), request);
    rig.wait(4_000);
    assert!(rig.items.iter().all(|i| i.kind != SnapshotKind::End), "{:?}", rig.items);
    assert!(rig.is_up());
    rig.command("answer positions");
    rig.command("answer completed");
    let _ = rig.snapshot();
}

#[test]
fn a_gateway_that_lists_no_open_orders_brings_no_link_up() {
    let mut rig = Rig::new();
    rig.command("hang open");
    freezes(&mut rig, "drop");
    rig.wait(2_500);
    assert!(!rig.is_up());
    rig.command("answer open");
    thaws(&mut rig);
}

#[test]
fn strangers_and_old_client_ids_are_external() {
    let mut rig = Rig::new();
    let other = IbkrConfig { client_id: 5, ..config(&rig.server) };
    let settings = GatewaySettings::new(&other, Money::Paper, 400);
    let mut old = IbkrVenue::start(&settings, &symbols(), Arc::new(|_| {})).unwrap();
    use ijk_venue::Venue as _;
    let mut order = rig.order(Side::Bid, 4, Some(50.0));
    order.client_order_id = ijk_core::ClientOrderId::first_of(900);
    let began = std::time::Instant::now();
    let mut up = false;
    while !up && began.elapsed().as_secs() < 10 {
        up = old.poll(ijk_core::RecvTs(1)).is_some();
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    old.send(ijk_core::RecvTs(1), &order);
    rig.wait(500);
    drop(old);
    let items = rig.snapshot();
    // Sent under another client id, still ours: listed by our id, and never forgotten.
    let listed = items.iter().find(|i| i.client_order_id == order.client_order_id).unwrap();
    assert_eq!(listed.leaves, Qty(4));
    let _ = rests_near(&mut rig);
}

#[test]
fn a_gateway_that_waits_for_its_login_gets_no_orders() {
    let mut rig = Rig::new();
    let resting = rig.rest(5);
    rig.until_told(resting, ReportKind::Ack);
    rig.command("refuse on");
    freezes(&mut rig, "drop");
    let late: Vec<_> = (0..5).map(|_| rig.rest(1)).collect();
    late.iter().for_each(|id| rig.until_told(*id, ReportKind::Absent));
    rig.wait(500);
    assert!(!rig.is_up());
    rig.command("refuse off");
    thaws(&mut rig);
    assert_eq!(rig.server.with(|g| g.truth_orders()).len(), 1, "none was kept for later");
    assert_eq!(rig.told(resting).kinds, [ReportKind::Ack]);
}

#[test]
fn a_cancel_without_a_link_is_not_kept_for_later() {
    let mut rig = Rig::new();
    let id = rig.rest(5);
    rig.until_told(id, ReportKind::Ack);
    freezes(&mut rig, "restart 500");
    rig.cancel(id);
    thaws(&mut rig);
    rig.wait(300);
    assert_eq!(rig.told(id).kinds, [ReportKind::Ack], "who compares asks again");
    rig.cancel(id);
    rig.until_told(id, ReportKind::Canceled);
}

#[test]
fn a_freeze_whose_end_nobody_told_ends_with_a_new_connection() {
    let mut rig = Rig::new();
    let resting = rig.rest(5);
    rig.until_told(resting, ReportKind::Ack);
    freezes(&mut rig, "notice 2110");
    thaws(&mut rig);
    assert_eq!(rig.told(resting).kinds, [ReportKind::Ack]);
}

#[test]
fn a_link_opened_while_the_gateway_has_none_stays_down() {
    let mut rig = Rig::new();
    freezes(&mut rig, "link down");
    rig.command("drop");
    rig.wait(1_500);
    assert!(!rig.is_up(), "{:?}", rig.links);
    let late = rig.rest(1);
    rig.until_told(late, ReportKind::Absent);
    rig.command("link up kept");
    thaws(&mut rig);
}
