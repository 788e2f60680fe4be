//! One day told in lines: what passed the client's wire, what was written down about orders.

use super::auditor::{Tap, What};
use super::world::second_of_day;
use std::sync::atomic::{AtomicBool, Ordering};

static ON: AtomicBool = AtomicBool::new(false);

/// Switches the telling on or off, for the whole process.
pub fn set(on: bool) {
    ON.store(on, Ordering::Relaxed);
}

/// Returns whether days are told.
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

fn number(bytes: &[u8], at: usize) -> i64 {
    let mut raw = [0; 8];
    if let Some(part) = bytes.get(at..at + 8) {
        raw.copy_from_slice(part);
    }
    i64::from_le_bytes(raw)
}

/// Prints one event.
pub fn print(now: u64, what: &What) {
    let at = second_of_day(now);
    match what {
        What::Boot => println!("{at:>11.6} ---- start"),
        What::ClockStep => println!("{at:>11.6} clock jumps"),
        What::Wire { tap: Tap::Client, up, bytes, .. } => wire(at, *up, bytes),
        What::Record { kind, payload } => record(at, *kind, payload),
        What::Wire { .. } | What::Device { .. } | What::KillCleared => {}
    }
}

fn wire(at: f64, up: bool, bytes: &[u8]) {
    let mut rest = bytes;
    while rest.len() >= 8 {
        let length = 4 + number(rest, 0) as u32 as usize;
        if rest.len() < length || length < 8 {
            break;
        }
        let (code, body) = (rest[4], &rest[8..length]);
        let arrow = if up { "->" } else { "<-" };
        let id = number(body, 0);
        match code {
            3 => {
                let (qty, px) = (number(body, 8), number(body, 16));
                println!("{at:>11.6} {arrow} new {id:#x} side {} {qty} at {px}", body[30]);
            }
            4 => println!("{at:>11.6} {arrow} cancel {id:#x}"),
            5 => println!("{at:>11.6} {arrow} request {id}"),
            66 | 67 => {}
            _ => println!("{at:>11.6} {arrow} type {code}"),
        }
        rest = &rest[length..];
    }
}

const REPORTS: [&str; 9] = [
    "ack",
    "reject",
    "fill",
    "canceled",
    "expired",
    "cancel_reject",
    "bust",
    "commission",
    "absent",
];
const ITEMS: [&str; 5] = ["begin", "execution", "order", "position", "end"];

fn record(at: f64, kind: u8, p: &[u8]) {
    match kind {
        2 => {
            let (id, exec, qty, leaves) =
                (number(p, 8), number(p, 24), number(p, 40), number(p, 48));
            let name = REPORTS.get(usize::from(p[68])).unwrap_or(&"?");
            println!(
                "{at:>11.6} report {name} {id:#x} venue {} exec {exec} qty {qty} leaves {leaves} \
                 side {} instrument {} reason {}",
                number(p, 16),
                p[69],
                p[64],
                u16::from_le_bytes([p[66], p[67]])
            );
        }
        4 => println!("{at:>11.6} control {} {}", p[0], p[1]),
        6 => println!("{at:>11.6} link {}", if p[0] == 1 { "up" } else { "down" }),
        7 => {
            let (id, exec, qty) = (number(p, 8), number(p, 24), number(p, 48));
            let (filled, leaves) = (number(p, 56), number(p, 64));
            let name = ITEMS.get(usize::from(p[82])).unwrap_or(&"?");
            println!(
                "{at:>11.6} snapshot {} {name} {id:#x} venue {} exec {exec} qty {qty} filled \
                 {filled} leaves {leaves} status {} side {} instrument {}",
                number(p, 0),
                number(p, 16),
                p[83],
                p[84],
                p[80]
            );
        }
        8 => println!(
            "{at:>11.6} carry kind {} {:#x} exec {} qty {} filled {} instrument {}",
            p[90],
            number(p, 48),
            number(p, 56),
            number(p, 64),
            number(p, 72),
            p[88]
        ),
        17 => println!("{at:>11.6} intent {:#x} qty {}", number(p, 0), number(p, 8)),
        18 => println!("{at:>11.6} cancel {:#x}", number(p, 0)),
        22 => println!(
            "{at:>11.6} alarm {} {:#x} value {} instrument {}",
            p[26],
            number(p, 8),
            number(p, 16),
            p[24]
        ),
        23 => println!(
            "{at:>11.6} fate {} {:#x} leaves {} instrument {}",
            p[18],
            number(p, 0),
            number(p, 8),
            p[16]
        ),
        _ => {}
    }
}
