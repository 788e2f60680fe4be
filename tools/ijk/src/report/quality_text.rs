//! Execution quality as lines of a terminal and as a table of the page.

use super::quality::{BENCHMARKS, Parts};
use serde_json::Value;
use std::fmt::Write;

/// Appends the lines of a terminal.
pub fn rows(text: &mut String, quality: &Value) {
    let Some(groups) = quality.as_object().filter(|g| !g.is_empty()) else { return };
    let _ = writeln!(
        text,
        "  execution quality: mean over parents ± half the 95 % interval, bps of the value at \
         arrival, positive a cost"
    );
    for (name, g) in groups {
        let share = |key: &str| g[key]["mean"].as_f64().map_or(0.0, |v| 100.0 * v);
        let _ = writeln!(
            text,
            "    {name}: {} parents, {:.1} % filled, {:.1} % of it resting, {} orders, {} cancels",
            g["parents"],
            share("filled_share"),
            share("maker_share"),
            g["orders"],
            g["cancels"]
        );
        let _ = writeln!(text, "      shortfall {}", mean(&g["shortfall_bps"]));
        let parts = Parts::NAMES.iter().map(|n| format!("{n} {}", mean(&g["parts_bps"][n])));
        let _ = writeln!(text, "        = {}", parts.collect::<Vec<_>>().join(" + "));
        let slip = BENCHMARKS.iter().map(|n| format!("{n} {}", mean(&g["slippage_bps"][n])));
        let _ = writeln!(text, "      against {}", slip.collect::<Vec<_>>().join(", "));
    }
}

/// Appends the table of the page.
pub fn table(h: &mut String, quality: &Value) {
    let Some(groups) = quality.as_object().filter(|g| !g.is_empty()) else { return };
    h.push_str("<table><tr><th>schedule and urgency<th class=n>parents<th class=n>shortfall");
    for name in Parts::NAMES {
        let _ = write!(h, "<th class=n>{name}");
    }
    for name in BENCHMARKS {
        let _ = write!(h, "<th class=n>vs {name}");
    }
    for (name, g) in groups {
        let _ = write!(
            h,
            "<tr><td>{name}<td class=n>{}<td class=n>{}",
            g["parents"],
            mean(&g["shortfall_bps"])
        );
        for part in Parts::NAMES {
            let _ = write!(h, "<td class=n>{}", mean(&g["parts_bps"][part]));
        }
        for benchmark in BENCHMARKS {
            let _ = write!(h, "<td class=n>{}", mean(&g["slippage_bps"][benchmark]));
        }
    }
    h.push_str(
        "</table><p>Mean over parents ± half the 95 % interval (Student's t, parents taken as \
         independent; ? where ten are not there), basis points of the value at arrival, positive a \
         cost. The six parts add up to the shortfall.",
    );
}

fn mean(v: &Value) -> String {
    match (v["mean"].as_f64(), v["half_width_95"].as_f64()) {
        (Some(m), Some(half)) => format!("{m:.2} ± {half:.2}"),
        (Some(m), None) => format!("{m:.2} ± ?"),
        _ => "-".to_string(),
    }
}
