//! The n-th operation fails, for every n: while writing and while recovering.

use super::disk::{CrashOdds, Fault, FaultKind, FaultyDisk};
use super::drive::{Ended, OPTIONS, Truth, recover_and_check, write};
use super::lab::Lab;
use super::rng::SimRng;
use crate::recover::{Recovered, recover};

const KINDS: [FaultKind; 4] =
    [FaultKind::Eio, FaultKind::Enospc, FaultKind::Short, FaultKind::SyncEio];

/// Every operation of one run, every kind of fault, once and for ever; then a device that fills
/// up at every block.
pub(crate) fn run(lab: &mut Lab, seed: u64) {
    let total = writing(seed, None, None).0.ops();
    for n in 0..total {
        for kind in KINDS {
            for persistent in [false, true] {
                if !lab.wanted() {
                    return;
                }
                let fault = Fault { at: n, kind, persistent };
                let label = || format!("fault run {seed}, {fault:?}");
                let (disk, truth, ended) = writing(seed, Some(fault), None);
                aftermath(lab, &disk, &truth, ended, seed ^ n, &label);
            }
        }
    }
    for blocks in 0..20 {
        let capacity = blocks * 2048 + seed % 2048;
        let label = || format!("fault run {seed}, capacity {capacity}");
        let (disk, truth, ended) = writing(seed, None, Some(capacity));
        aftermath(lab, &disk, &truth, ended, seed ^ blocks, &label);
    }
    in_recovery(lab, seed);
}

fn writing(seed: u64, fault: Option<Fault>, capacity: Option<u64>) -> (FaultyDisk, Truth, Ended) {
    let mut rng = SimRng::new(seed);
    let mut disk = FaultyDisk::new(rng.bits());
    disk.set_fault(fault);
    disk.set_capacity(capacity);
    let mut truth = Truth::default();
    let ended = write(&mut disk, &mut truth, &mut rng, 50, &Recovered::default());
    (disk, truth, ended)
}

/// Starts again after a fault, once on the running machine, once after a crash.
fn aftermath(
    lab: &mut Lab,
    disk: &FaultyDisk,
    truth: &Truth,
    ended: Ended,
    seed: u64,
    label: &dyn Fn() -> String,
) {
    if ended == Ended::Undead {
        return lab.fail(label(), "the writer went on after an error".into());
    }
    let mut rng = SimRng::new(seed);
    for crash in [false, true] {
        let mut disk = disk.clone();
        disk.set_capacity(None);
        disk.restart();
        let name = if crash { "fault, then a crash" } else { "fault, then a new process" };
        if crash {
            disk.crash(CrashOdds::draw(&mut rng));
        }
        lab.image(name);
        let mut truth = truth.clone();
        let recovered = match recover_and_check(&mut disk, &mut truth) {
            Ok(recovered) => recovered,
            Err(what) => return lab.fail(label(), format!("{name}: {what}")),
        };
        // Going on must work, and lose nothing of either life.
        write(&mut disk, &mut truth, &mut rng, 5, &recovered);
        disk.crash(CrashOdds::draw(&mut rng));
        if let Err(what) = recover_and_check(&mut disk, &mut truth) {
            return lab.fail(label(), format!("{name}, going on: {what}"));
        }
    }
}

/// Every operation of a recovery fails once; the next recovery finds everything.
fn in_recovery(lab: &mut Lab, seed: u64) {
    let mut rng = SimRng::new(seed ^ 0xfa17);
    let crash_at = u64::from(OPTIONS.epoch) + 20 + rng.below(40);
    let fault = Fault { at: crash_at, kind: FaultKind::Crash, persistent: false };
    let (mut crashed, truth, _) = writing(seed, Some(fault), None);
    crashed.crash(CrashOdds::draw(&mut rng));
    for n in 0.. {
        let mut hit = false;
        for kind in [FaultKind::Eio, FaultKind::SyncEio] {
            let mut disk = crashed.clone();
            let at = disk.ops() + n;
            disk.set_fault(Some(Fault { at, kind, persistent: false }));
            let before = disk.injected();
            let outcome = recover(&mut disk, |_| Ok(()));
            let injected = disk.injected() > before;
            hit |= injected;
            let label = || format!("fault run {seed}, {kind:?} in operation {n} of recovery");
            if injected && outcome.is_ok() {
                return lab.fail(label(), "recovery took no notice".into());
            }
            disk.restart();
            disk.crash(CrashOdds::draw(&mut rng));
            lab.image("fault while recovering");
            if let Err(what) = recover_and_check(&mut disk, &mut truth.clone()) {
                return lab.fail(label(), what);
            }
        }
        if !hit {
            return;
        }
    }
}
