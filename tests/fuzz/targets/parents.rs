//! A file of parent orders.
#![no_main]

use ijk_core::config::ExecutionConfig;
use ijk_core::num::E9;
use ijk_core::{Instrument, Qty, Symbol};

// The command is no library: its modules are read here as they are.
#[allow(dead_code)]
#[path = "../../../tools/ijk/src/exit.rs"]
mod exit;
#[allow(dead_code)]
#[path = "../../../tools/ijk/src/parents.rs"]
mod parents;

fn instruments() -> Vec<Instrument> {
    let stock = Instrument::us_equity(Symbol::new("SYN0").expect("a symbol"));
    let symbol = Symbol::new("COIN").expect("a symbol");
    vec![stock, Instrument { symbol, lot: Qty(E9 / 1_000), qty_unit_e9: 1, ..stock }]
}

ijk_fuzz::target!(|data| {
    let table = instruments();
    match parents::read("parents.csv", data, &table, &ExecutionConfig::default()) {
        Ok(found) => {
            assert!(found.is_sorted_by_key(|p| p.ts));
            for p in &found {
                let lot = table[p.instrument.index()].lot.0;
                assert!(p.qty.0 > 0 && p.qty.0 % lot == 0, "{p:?}");
                assert!(p.horizon_ns <= 86_400 * E9 as u64 && p.source_line > 1, "{p:?}");
            }
            found.len()
        }
        Err(e) => {
            assert!(e.code == exit::DATA && e.message.len() > 10, "{e:?}");
            0
        }
    }
});
