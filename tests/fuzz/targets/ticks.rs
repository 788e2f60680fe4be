//! A file of the tick store.
//!
//! The reader turns panics inside the Parquet library into errors, so this target takes a panic
//! for a crash only if it leaves the reader.
#![no_main]

use ijk_data::ticks::TickReader;
use ijk_fuzz::{files::input_file, run, sources::drain};
use std::panic::{catch_unwind, set_hook};
use std::sync::Mutex;

static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fn keep_panics() {
    set_hook(Box::new(|info| {
        *LAST_PANIC.lock().unwrap_or_else(|e| e.into_inner()) = info.to_string();
    }));
}

fn read(data: &[u8]) -> usize {
    drain(TickReader::open(input_file(data)), |_, _| ())
}

libfuzzer_sys::fuzz_target!(init: keep_panics(), |data: &[u8]| {
    if catch_unwind(|| run(data, read)).is_err() {
        eprintln!("{}", LAST_PANIC.lock().unwrap_or_else(|e| e.into_inner()));
        std::process::abort();
    }
});
