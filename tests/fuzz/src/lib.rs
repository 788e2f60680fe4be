//! What the targets share: the canary, the laws of every source of events, and bytes as numbers.
//!
//! A target decodes its input and returns how many things (events, frames, models) it got out of
//! it. With `IJK_FUZZ_CANARY=1` an input that begins with [`CANARY`] is decoded without it, and
//! the harness panics if that gave anything: `scripts/fuzz.sh` plants one such input a target, so
//! a harness that does not reach its decoder is seen.

pub mod files;
pub mod market;
pub mod sources;

use std::sync::OnceLock;

/// First bytes of a planted input.
pub const CANARY: &[u8] = b"IJK-FUZZ-CANARY\n";

/// Runs `decode` on an input of the fuzzer.
///
/// # Panics
/// On a planted input in canary mode that decodes, and with whatever `decode` finds wrong.
pub fn run(data: &[u8], decode: impl FnOnce(&[u8]) -> usize) {
    static CANARY_MODE: OnceLock<bool> = OnceLock::new();
    let canary_mode = *CANARY_MODE.get_or_init(|| std::env::var_os("IJK_FUZZ_CANARY").is_some());
    match data.strip_prefix(CANARY).filter(|_| canary_mode) {
        Some(planted) => {
            let found = decode(planted);
            assert!(found == 0, "canary: {found} decoded");
        }
        // The result must be made, whatever the optimiser thinks of it.
        None => _ = std::hint::black_box(decode(std::hint::black_box(data))),
    }
}

/// Defines a target: `target!(|data| count)`.
#[macro_export]
macro_rules! target {
    (|$data:ident| $decode:expr) => {
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
            $crate::run(bytes, |$data: &[u8]| -> usize { $decode })
        });
    };
}

/// Takes numbers from an input; zeros once it is empty.
pub struct Numbers<'a>(pub &'a [u8]);

impl Numbers<'_> {
    /// Returns whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes one byte.
    pub fn u8(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// Takes eight bytes, little endian.
    pub fn i64(&mut self) -> i64 {
        i64::from_le_bytes(std::array::from_fn(|_| self.u8()))
    }
}
