//! A scripted order flow: `ts_ns,action,id,side,px,qty` with `rest`, `take` and `cancel`.

use ijk_core::num::parse_decimal_e9;
use ijk_core::{Px, Qty, RecvTs, Side};

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A limit order that rests.
    Rest,
    /// An immediate-or-cancel limit order.
    Take,
    /// Cancels an order.
    Cancel,
}

/// One line of the flow.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// When it leaves us, nanoseconds of the recorder's clock.
    pub at: RecvTs,
    /// What it does.
    pub action: Action,
    /// Order id; ids of new orders rise.
    pub id: u64,
    /// Side.
    pub side: Side,
    /// Limit; a cancel's means nothing.
    pub px: Px,
    /// Quantity in units of 1e-9; a cancel's means nothing.
    pub qty: Qty,
}

/// Reads a flow, which must be sorted by time.
///
/// # Errors
/// A text with the line and what is wrong there.
pub fn parse(text: &str) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    for (at, line) in text.lines().enumerate().skip(1) {
        let step = step(line).map_err(|field| format!("line {}: bad {field}", at + 1))?;
        if steps.last().is_some_and(|last| last.at > step.at) {
            return Err(format!("line {}: times go backwards", at + 1));
        }
        steps.push(step);
    }
    Ok(steps)
}

fn step(line: &str) -> Result<Step, &'static str> {
    let fields: Vec<&str> = line.split(',').collect();
    let [ts, action, id, side, px, qty] = fields[..] else { return Err("number of fields") };
    let number = |text: &str| parse_decimal_e9(text.as_bytes()).map_err(|_| "decimal");
    Ok(Step {
        at: RecvTs(ts.parse().map_err(|_| "ts_ns")?),
        action: match action {
            "rest" => Action::Rest,
            "take" => Action::Take,
            "cancel" => Action::Cancel,
            _ => return Err("action"),
        },
        id: id.parse().map_err(|_| "id")?,
        side: match side {
            "buy" => Side::Bid,
            "sell" => Side::Ask,
            _ => return Err("side"),
        },
        px: Px(number(px)?),
        qty: Qty(number(qty)?),
    })
}
