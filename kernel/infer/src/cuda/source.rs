//! The text of the kernel: the numbers it is compiled for, what differs between a device and a
//! plain C compiler, and the step itself.

use super::layout::{
    BLOCK, BLOCK_VALUES, FEATURES_PADDED, FIRST, FIRST_VALUES, LAST, MEMBER_VALUES, OUTPUTS_PADDED,
    Section,
};
use crate::shape::{D_MODEL, FF, HEAD_DIM, HEADS, LAYERS, OUTPUTS, WINDOW};
use ijk_core::features::FEATURE_COUNT;
use std::fmt::Write;

/// Threads of a block.
pub const THREADS: usize = 256;
/// Symbols one block takes through one member: weights are read once for all of them. The small
/// one is for latency, the large one for throughput.
pub const TILES: [usize; 2] = [1, 8];

/// Options of the compiler beside the architecture. Only what the text fuses is fused, so that a
/// device computes the bits that the emulation computes.
pub const OPTIONS: [&str; 2] = ["--std=c++14", "--fmad=false"];

/// What a device gives.
const DEVICE: &str = include_str!("device.cuh");
/// The step: the same text for a device and for a C compiler.
pub const STEP: &str = include_str!("step.cu");

/// Returns the source for NVRTC.
pub fn text(tile: usize) -> String {
    format!("{}{DEVICE}{STEP}", numbers(tile))
}

/// Returns the name of the kernel function.
pub fn entry(tile: usize) -> String {
    format!("ijk_step_{tile}")
}

/// Returns the numbers as definitions: shape, tile and the offset of every section.
pub fn numbers(tile: usize) -> String {
    let mut text = String::new();
    let mut define = |name: &str, value: usize| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "#define {name} {value}");
    };
    for (name, value) in [
        ("TILE", tile),
        ("THREADS", THREADS),
        ("D_MODEL", D_MODEL),
        ("HEADS", HEADS),
        ("HEAD_DIM", HEAD_DIM),
        ("LAYERS", LAYERS),
        ("FF", FF),
        ("WINDOW", WINDOW),
        ("FEATURES", FEATURE_COUNT),
        ("FEATURES_PADDED", FEATURES_PADDED),
        ("OUTPUTS", OUTPUTS),
        ("OUTPUTS_PADDED", OUTPUTS_PADDED),
        ("MEMBER_VALUES", MEMBER_VALUES),
        ("BLOCKS_BEGIN", FIRST_VALUES),
        ("BLOCK_VALUES", BLOCK_VALUES),
    ] {
        define(name, value);
    }
    let mut offsets = |sections: &[Section], begin: usize| {
        let mut at = begin;
        for section in sections {
            define(section.symbol, at);
            at += section.len;
        }
    };
    offsets(&FIRST, 0);
    offsets(&BLOCK, 0); // inside its block
    offsets(&LAST, FIRST_VALUES + LAYERS * BLOCK_VALUES);
    let _ = writeln!(text, "#define ENTRY_POINT {}", entry(tile));
    text
}
