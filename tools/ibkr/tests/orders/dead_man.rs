//! The dead man's switch beside a working adapter.

use crate::rig::{Rig, config};
use ijk_core::ReportKind;
use ijk_ibkr::connection::{GatewaySettings, Money};
use ijk_ibkr::dead_man::{GOODBYE, Outcome, stand_by};
use std::io::{PipeWriter, Write};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

fn standing_by(rig: &Rig) -> (PipeWriter, JoinHandle<Outcome>) {
    let settings = GatewaySettings::new(&config(&rig.server), Money::Paper, 400);
    let (reader, writer) = std::io::pipe().unwrap();
    let (tell, ready) = channel();
    let thread =
        std::thread::spawn(move || stand_by(&settings, reader, || tell.send(()).unwrap()).unwrap());
    ready.recv().unwrap();
    (writer, thread)
}

#[test]
fn a_death_cancels_and_confirms() {
    let mut rig = Rig::new();
    let (pipe, thread) = standing_by(&rig);
    let ids = [rig.rest(5), rig.rest(6)];
    ids.iter().for_each(|id| rig.until_told(*id, ReportKind::Ack));
    drop(pipe);
    let Outcome::Cancelled { after_ms } = thread.join().unwrap() else { panic!("not confirmed") };
    eprintln!("nothing works {after_ms} ms after the death");
    let open = |s: &str| !matches!(s, "Filled" | "Cancelled");
    assert!(rig.server.with(|g| g.truth_orders()).iter().all(|o| !open(o.status)));
    ids.iter().for_each(|id| rig.until_told(*id, ReportKind::Canceled));
}

#[test]
fn a_goodbye_leaves_everything_alone() {
    let mut rig = Rig::new();
    let (mut pipe, thread) = standing_by(&rig);
    let id = rig.rest(5);
    rig.until_told(id, ReportKind::Ack);
    writeln!(pipe, "{GOODBYE}").unwrap();
    assert_eq!(thread.join().unwrap(), Outcome::Goodbye);
    rig.wait(300);
    assert_eq!(rig.told(id).kinds, [ReportKind::Ack]);
}

#[test]
fn a_switch_whose_own_connection_broke_still_cancels() {
    let mut rig = Rig::new();
    let (pipe, thread) = standing_by(&rig);
    let id = rig.rest(5);
    rig.until_told(id, ReportKind::Ack);
    rig.command("drop 73");
    drop(pipe);
    assert!(matches!(thread.join().unwrap(), Outcome::Cancelled { .. }));
    rig.until_told(id, ReportKind::Canceled);
}

#[test]
fn a_gateway_without_its_link_is_asked_until_it_confirms() {
    let mut rig = Rig::new();
    let (pipe, thread) = standing_by(&rig);
    let id = rig.rest(5);
    rig.until_told(id, ReportKind::Ack);
    rig.command("link down");
    drop(pipe);
    rig.wait(800);
    assert!(!thread.is_finished(), "an order works that nobody can cancel");
    rig.command("link up kept");
    assert!(matches!(thread.join().unwrap(), Outcome::Cancelled { .. }));
}
