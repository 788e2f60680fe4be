//! A simulated disk and the crash lab: proof that no acknowledged record is lost and nothing
//! corrupt is accepted, whatever a crash leaves. Pure: no files, no clock, all chance from the
//! caller's seed.

mod crashes;
mod disk;
mod drive;
mod faults;
mod images;
mod lab;
mod oracle;
mod rng;
mod specimen;

pub use disk::{CrashOdds, Fault, FaultKind, FaultyDisk, SECTOR_BYTES};
pub use lab::{CrashReport, crash_images};
pub use rng::SimRng;
