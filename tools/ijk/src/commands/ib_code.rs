//! `ijk ib-code`: what a message code of TWS or IB Gateway means and asks for.

use crate::cli::IbCodeArgs;
use crate::exit::{self, Exit};
use crate::print::{print_json, print_text};
use ijk_ibkr::CodeInfo;
use serde_json::{Value, json};

/// Prints one code, or all of them.
///
/// # Errors
/// 1 for a code that the table does not hold.
pub fn run(args: &IbCodeArgs) -> Result<(), Exit> {
    let rows: Vec<&CodeInfo> = match args.code {
        None => ijk_ibkr::codes::all().iter().collect(),
        Some(code) => match ijk_ibkr::describe(code) {
            Some(info) => vec![info],
            None => {
                return Err(Exit::new(
                    exit::CHECK,
                    format!("code {code} is not in the table: treat the order as in doubt"),
                ));
            }
        },
    };
    if args.json {
        let codes: Vec<Value> = rows.iter().map(|r| as_json(r)).collect();
        print_json(&json!({ "codes": codes }));
    } else {
        for r in rows {
            let doubt = if r.checked { "" } else { " (not checked)" };
            print_text(&format!(
                "{:>6} {:<9} {:<16} {}{doubt}\n",
                r.code,
                format!("{:?}", r.severity),
                format!("{:?}", r.response),
                r.meaning
            ));
        }
    }
    Ok(())
}

fn as_json(r: &CodeInfo) -> Value {
    json!({
        "code": r.code,
        "severity": format!("{:?}", r.severity),
        "response": format!("{:?}", r.response),
        "blocks_new_orders": r.response.blocks_new_orders(),
        "ends_order": r.response.ends_order(),
        "meaning": r.meaning,
        "checked": r.checked,
    })
}
