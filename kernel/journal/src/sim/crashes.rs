//! Crashes at any operation of writing, recovering and going on, generation after generation.

use super::disk::{CrashOdds, Fault, FaultKind, FaultyDisk};
use super::drive::{Ended, Truth, recover_and_check, write};
use super::lab::Lab;
use super::rng::SimRng;
use crate::recover::{Recovered, recover};

/// Starts of the kernel in one run.
const GENERATIONS: u64 = 3;
/// Ways in which one crash may turn out, besides the one that the run goes on with.
const OUTCOMES: u64 = 12;
/// Operations in which the machine may go down.
const OPS: u64 = 90;

/// One run: writes until the machine goes down, recovers, goes on. Every crash is an image, also
/// those during recovery, one at each of its operations.
pub(crate) fn run(lab: &mut Lab, seed: u64) {
    let mut rng = SimRng::new(seed);
    let mut disk = FaultyDisk::new(rng.bits());
    let mut truth = Truth::default();
    let mut recovered = Recovered::default();
    for generation in 0..GENERATIONS {
        let at = disk.ops() + rng.below(OPS);
        disk.set_fault(Some(Fault { at, kind: FaultKind::Crash, persistent: false }));
        let ended = write(&mut disk, &mut truth, &mut rng, 60, &recovered);
        let label = || format!("crash run {seed}, generation {generation}");
        if ended == Ended::Undead {
            return lab.fail(label(), "the writer went on after an error".into());
        }
        for _ in 0..OUTCOMES {
            let mut other = disk.clone();
            other.reseed(rng.bits());
            other.crash(CrashOdds::draw(&mut rng));
            lab.image("crash while writing");
            if let Err(what) = recover_and_check(&mut other, &mut truth.clone()) {
                return lab.fail(label(), what);
            }
        }
        disk.crash(CrashOdds::draw(&mut rng));
        if let Err(what) = crash_in_recovery(lab, &disk, &truth, &mut rng) {
            return lab.fail(label(), what);
        }
        lab.image("crash while writing");
        match recover_and_check(&mut disk, &mut truth) {
            Ok(found) => recovered = found,
            Err(what) => return lab.fail(label(), what),
        }
    }
}

/// Recovers copies of a crashed disk, each of which goes down in another operation, and recovers
/// them again.
fn crash_in_recovery(
    lab: &mut Lab,
    crashed: &FaultyDisk,
    truth: &Truth,
    rng: &mut SimRng,
) -> Result<(), String> {
    // All operations in one run of four, else a few.
    let step = if rng.chance(25) { 1 } else { 1 + rng.below(12) };
    let mut n = rng.below(step);
    loop {
        let mut disk = crashed.clone();
        let at = disk.ops() + n;
        disk.set_fault(Some(Fault { at, kind: FaultKind::Crash, persistent: false }));
        let went_down = recover(&mut disk, |_| Ok(())).is_err();
        disk.crash(CrashOdds::draw(rng));
        lab.image("crash while recovering");
        recover_and_check(&mut disk, &mut truth.clone())
            .map_err(|what| format!("crash in operation {n} of recovery: {what}"))?;
        if !went_down {
            return Ok(());
        }
        n += step;
    }
}
