//! The counters file: one process stores, others read and ask for a kill.

use crate::device::MmapRaw;
use crate::planted;
use crate::product::counters::{Counter, Counters};
use crate::product::session::{Done, Driver, Outbox, Parts};
use crate::world::Mark;
use crate::world::thread::{spawn, yield_now};
use ijk_core::RecvTs;
use std::sync::Arc;

/// Two people ask for a kill while the kernel takes `steps` steps and sends in each.
pub fn kill(steps: u64) {
    let map = MmapRaw::zeroed();
    let counters = Arc::new(Counters::of(map.clone()));
    let mut driver =
        Driver { s: Parts { counters, outbox: Outbox::default() }, killed: false, now: RecvTs(1) };
    let people: Vec<_> = (0..2)
        .map(|_| {
            let theirs = Counters::of(map.clone());
            spawn(move || theirs.request_kill())
        })
        .collect();
    for _ in 0..steps {
        step(&mut driver);
    }
    // Whoever looks after they have asked sees it.
    people.into_iter().for_each(|p| p.join().unwrap());
    step(&mut driver);
    assert!(driver.killed);
    let done = &driver.s.outbox.done;
    let at = done.iter().position(|d| *d == Done::Blocked).expect("it was obeyed");
    assert_eq!(done[at..], [Done::Blocked, Done::Recorded], "blocked, on record, nothing more");
    assert!(done[..at].iter().all(|d| *d == Done::Sent), "once");
}

/// Whoever sees the request sees what the asker did before it.
pub fn kill_after_deed(looks: u64) {
    let map = MmapRaw::zeroed();
    let deed = Arc::new(Mark::new());
    let (theirs, done) = (Counters::of(map.clone()), Arc::clone(&deed));
    let person = spawn(move || {
        done.set();
        theirs.request_kill();
    });
    let ours = Counters::of(map);
    for _ in 0..looks {
        if ours.kill_requested() {
            assert!(deed.get());
        }
        yield_now();
    }
    person.join().unwrap();
    assert!(ours.kill_requested() && deed.get());
}

/// What a step of the session does about it.
fn step(driver: &mut Driver) {
    driver.obey_kill();
    if !driver.s.outbox.killed {
        driver.s.outbox.done.push(Done::Sent);
    }
}

/// One thread adds, another reads.
pub fn single_writer(count: u64) {
    let map = MmapRaw::zeroed();
    let ours = Counters::of(map.clone());
    let theirs = Counters::of(map.clone());
    let reader = spawn(move || {
        let mut last = 0;
        for _ in 0..count {
            if planted::on("two-writers") {
                theirs.add(Counter::NowNs, 0);
            }
            let value = theirs.get(Counter::NowNs);
            assert!(last <= value && value <= count, "{last}, then {value}");
            last = value;
        }
    });
    for _ in 0..count {
        ours.add(Counter::NowNs, 1);
    }
    reader.join().unwrap();
    assert_eq!(ours.get(Counter::NowNs), count);
}
