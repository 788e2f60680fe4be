//! What the decision core does when trading must stop.

mod rig;

use ijk_core::record::{ControlCommand, ControlKind, Urgency};
use ijk_core::{EventKind, InstrumentId, Px, Side};
use ijk_engine::Input;
use rig::Rig;

#[test]
fn an_urgent_parent_leaves_at_once() {
    let mut rig = Rig::new();
    rig.parent(Side::Bid, Urgency::Urgent);
    assert_eq!(rig.seen.orders.len(), 1, "the rig trades when nothing stops it");
    assert_eq!(rig.seen.orders[0].px, Px(101_000_000_000));
}

#[test]
fn a_halt_stops_orders_until_trading_resumes() {
    let mut rig = Rig::new();
    rig.market(EventKind::Halt, Side::Bid, 0);
    assert!(!rig.kernel.is_tradable(InstrumentId(0)));
    rig.parent(Side::Bid, Urgency::Urgent);
    rig.level(Side::Bid, 100);
    assert!(rig.seen.orders.is_empty(), "nothing is priced on a halted book");
    assert_eq!(rig.seen.refused_parents, 1, "and the parent is told so");
    rig.market(EventKind::Resume, Side::Bid, 0);
    rig.parent(Side::Bid, Urgency::Urgent);
    assert_eq!(rig.seen.orders.len(), 1);
}

#[test]
fn after_a_kill_what_works_is_cancelled_and_nothing_leaves() {
    let mut rig = Rig::new();
    rig.parent(Side::Bid, Urgency::Urgent);
    let kill = ControlCommand::plain(ControlKind::Kill);
    rig.input(&Input::Control(&kill));
    assert_eq!(rig.seen.cancels, 1);
    rig.parent(Side::Bid, Urgency::Urgent);
    rig.level(Side::Bid, 100);
    rig.input(&Input::Timer);
    assert_eq!(rig.seen.orders.len(), 1, "only the one from before");
    assert_eq!(rig.seen.refused_parents, 1);
}
