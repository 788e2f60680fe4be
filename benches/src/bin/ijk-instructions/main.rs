//! One kernel over one fixed workload, for the gate of instruction and allocation counts
//! (`scripts/instructions.sh`): callgrind counts what happens below the functions `measured`, and
//! this process counts their allocations.
//!
//! `ijk-instructions` lists the kernels, `ijk-instructions NAME` runs one and prints
//! `NAME UNITS ALLOCATIONS ANSWER`, tab separated. The answer says that the work was done.

mod path;
mod steps;

use ijk_engine::runtime::alloc::{Counting, thread_allocations};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting(System);

/// What a kernel did.
struct Done {
    /// Units of work that were measured.
    units: u64,
    /// A number that changes with the work.
    answer: u64,
}

/// Builds a workload, warms it up, and returns the part that is measured.
type Prepare = fn() -> Box<dyn FnMut() -> Done>;

const KERNELS: [(&str, Prepare); 12] = [
    ("book.level", steps::book_level),
    ("book.order", steps::book_order),
    ("features", steps::features),
    ("encoder.portable", steps::encoder_portable),
    ("encoder.wide", steps::encoder_wide),
    ("encoder.slots_missing", steps::encoder_slots_missing),
    ("encoder.slots", steps::encoder_slots),
    ("sizing", steps::sizing),
    ("slicer", steps::slicer),
    ("gate", steps::gate),
    ("journal.append", steps::journal),
    ("path.record", path::record),
];

/// Everything below this is counted, and nothing else.
#[inline(never)]
fn measured(work: &mut dyn FnMut() -> Done) -> (Done, u64) {
    let before = thread_allocations();
    let done = work();
    (done, thread_allocations() - before)
}

fn main() {
    let Some(name) = std::env::args().nth(1) else {
        KERNELS.iter().for_each(|(name, _)| println!("{name}"));
        return;
    };
    let Some((_, prepare)) = KERNELS.iter().find(|(known, _)| *known == name) else {
        eprintln!("ijk-instructions: no kernel '{name}'");
        std::process::exit(2);
    };
    let mut work = prepare();
    let (done, allocations) = measured(&mut work);
    println!("{name}\t{}\t{allocations}\t{}", done.units, done.answer);
}

#[test]
fn every_kernel_works_the_same_twice_and_allocates_nothing() {
    for (name, prepare) in KERNELS {
        let [first, second] = [(), ()].map(|()| measured(&mut prepare()));
        assert!(first.0.units > 0, "{name}");
        assert_eq!(first.0.units, second.0.units, "{name}");
        assert_eq!(first.0.answer, second.0.answer, "{name}");
        assert_ne!(first.0.answer, 0, "{name}: nothing came out");
        assert_eq!((first.1, second.1), (0, 0), "{name} allocates");
    }
}
