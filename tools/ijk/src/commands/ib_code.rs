//! `ijk ib-code`: what a message code of TWS or IB Gateway means and asks for.

use crate::cli::IbCodeArgs;
use crate::exit::{self, Exit};
use crate::print::{print_json, print_text};
use ijk_ibkr::CodeInfo;
use ijk_ibkr::orders::build::REASON_NOT_LOCATED;
use ijk_ibkr::orders::ledger::REASON_NUMBER_TAKEN;
use serde_json::{Value, json};

/// Prints one code, or all of them.
///
/// # Errors
/// 1 for a code that the table does not hold.
pub fn run(args: &IbCodeArgs) -> Result<(), Exit> {
    if let Some((code, meaning)) = args.code.and_then(own) {
        match args.json {
            true => print_json(&json!({ "codes": [{ "code": code, "meaning": meaning }] })),
            false => print_text(&format!("{code:>6} ours: {meaning}\n")),
        }
        return Ok(());
    }
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

/// Reasons that the adapter gives and no gateway does.
fn own(code: i32) -> Option<(i32, &'static str)> {
    let reasons = [
        (REASON_NUMBER_TAKEN, "the order's number was taken (103), and no list shows it"),
        (REASON_NOT_LOCATED, "a short sale without shares at hand did not leave"),
    ];
    reasons.into_iter().map(|(c, text)| (i32::from(c), text)).find(|(c, _)| *c == code)
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
