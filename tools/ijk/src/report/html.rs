//! The page: one file, no scripts, nothing loaded from anywhere.

use super::fold::Folded;
use super::latency::Stages;
use super::tables::{parent_shortfall, side_name, status_name, urgency_name};
use super::{Built, plots, quality_text as quality};
use crate::run_dir::RunDir;
use serde_json::Value;
use std::fmt::Write;

/// Parents listed on the page; the table has them all.
const PARENTS_LISTED: usize = 200;

/// What the keys of `summary.json` are called on the page.
const LABELS: [(&str, &str); 19] = [
    ("max_drawdown_usd", "largest drawdown, once a second, USD"),
    ("complete", "run is complete"),
    ("edge_covers_cost", "decisions whose lower bound covers the cost"),
    ("fees_usd", "commission and fees, USD"),
    ("hit_rate", "hit rate of round trips, after fees"),
    ("maker_fills", "fills that added liquidity"),
    ("mean_abs_edge_bps", "mean size of the forecast, bps"),
    ("mean_cost_bps", "mean cost of a round trip, bps"),
    ("mean_edge_lower_bps", "mean lower 95 % bound of the edge, bps"),
    ("pnl_usd", "profit and loss after fees, USD"),
    ("return_bps", "return on equity, bps"),
    ("round_trips", "round trips"),
    ("sharpe_annual", "Sharpe ratio a year, from one-minute results"),
    ("sharpe_annual_se", "its standard error (Lo 2002, independent returns)"),
    ("sharpe_minutes", "minutes it is from"),
    ("sized_decisions", "decisions with a forecast and a cost"),
    ("turnover_usd", "turnover, USD"),
    ("shortfall_bps", "implementation shortfall of parents with fills, bps of their value"),
    ("shortfall_usd", "the same, USD (execution, opportunity and fees)"),
];

const STYLE: &str = "body{font:14px/1.45 system-ui,sans-serif;max-width:1000px;margin:2em auto;\
padding:0 1em;color:#222}h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em;border-bottom:1px \
solid #ccc}table{border-collapse:collapse;margin:.5em 0}td,th{padding:2px 10px 2px 0;text-align:\
left;vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}svg{max-width\
:100%;height:auto}code{font-size:12px;word-break:break-all}.note{background:#fff6d8;padding:.6em \
1em;border-left:4px solid #d9a400}";

/// Builds the page.
pub fn page(dir: &RunDir, f: &Folded, stages: &Stages, built: &Built) -> String {
    let mut h = String::new();
    let _ = write!(
        h,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>ijk run {0}</title><style>{STYLE}</style>\
         <h1>Run {0}</h1>",
        escape(&run_name(dir))
    );
    verdict(&mut h, f);
    section(&mut h, "Performance");
    key_values(&mut h, &built.performance);
    instruments(&mut h, f);
    section(&mut h, "Profit and loss after fees");
    h.push_str(&plots::line(&f.pnl.points(), &[], false, "USD"));
    section(&mut h, "Latency per stage");
    h.push_str(&plots::latency(stages));
    latency_table(&mut h, &built.latency);
    section(&mut h, "Decisions by reason");
    h.push_str(&plots::bars(&rows(&built.reasons), "decisions"));
    section(&mut h, "Refusals by reason");
    h.push_str(&plots::bars(&rows(&built.refusals), "orders refused by the risk gate"));
    section(&mut h, "Parent orders");
    key_values(&mut h, &built.parents);
    section(&mut h, "Execution quality");
    quality::table(&mut h, &built.quality);
    parent_table(&mut h, f);
    section(&mut h, "What ran");
    inputs(&mut h, f);
    h.push_str("</html>\n");
    h
}

fn run_name(dir: &RunDir) -> String {
    let root = dir.root().canonicalize().unwrap_or_else(|_| dir.root().to_path_buf());
    root.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

/// Says in a sentence what a reader must know before any number.
fn verdict(h: &mut String, f: &Folded) {
    if !f.complete {
        h.push_str("<p class=note>The journal ends before the run did: all numbers are partial.");
    }
    if f.edge.count > 0 && f.edge.covered == 0 {
        let _ = write!(
            h,
            "<p class=note>The forecast found no edge after costs: in none of {} sized decisions \
             did the 95 % lower bound of the edge (mean {:.3} bps) cover the cost of trading \
             (mean {:.3} bps), so nothing was traded on it.",
            f.edge.count,
            f.edge.lower_bps / f.edge.count as f64,
            f.edge.cost_bps / f.edge.count as f64
        );
    } else if f.edge.count > 0 {
        let _ = write!(
            h,
            "<p>The lower bound of the edge covered the cost of trading in {} of {} sized \
             decisions.",
            f.edge.covered, f.edge.count
        );
    }
}

fn instruments(h: &mut String, f: &Folded) {
    for (i, instrument) in f.header.instruments.iter().enumerate() {
        let symbol = escape(instrument.symbol.as_str());
        let marks: Vec<plots::Mark> =
            f.fills.iter().filter(|m| m.1 == i).map(|m| (m.0, m.2, m.3)).collect();
        section(h, &format!("{symbol}: mid price with own fills (green buys, red sells)"));
        h.push_str(&plots::line(&f.mids[i].points(), &marks, false, "price"));
        section(h, &format!("{symbol}: position"));
        h.push_str(&plots::line(&f.positions[i].points(), &[], true, "units"));
    }
}

fn section(h: &mut String, title: &str) {
    let _ = write!(h, "<h2>{title}</h2>");
}

fn key_values(h: &mut String, v: &Value) {
    let Some(map) = v.as_object() else { return };
    h.push_str("<table>");
    for (k, v) in map {
        let label = LABELS.iter().find(|l| l.0 == k).map_or(k.as_str(), |l| l.1);
        let _ = write!(h, "<tr><td>{}<td class=n>{}", escape(label), number(v));
    }
    h.push_str("</table>");
}

fn number(v: &Value) -> String {
    match v {
        Value::Null => "not identified".to_string(),
        Value::Number(n) => match n.as_f64() {
            Some(x) if x.fract() != 0.0 => format!("{x:.4}"),
            _ => n.to_string(),
        },
        Value::String(s) => escape(s),
        other => other.to_string(),
    }
}

fn latency_table(h: &mut String, latency: &Value) {
    let Some(stages) = latency.as_object().filter(|s| !s.is_empty()) else { return };
    h.push_str("<table><tr><th>stage");
    for name in ["n", "min", "p50", "p99", "p99.9", "max"] {
        let _ = write!(h, "<th class=n>{name}");
    }
    for (name, s) in stages {
        let _ = write!(h, "<tr><td>{}", escape(name));
        for key in ["n", "min", "p50", "p99", "p999", "max"] {
            let _ = write!(h, "<td class=n>{}", s[key]);
        }
    }
    h.push_str("</table><p>Nanoseconds on the kernel thread, from the input's arrival there.");
}

fn parent_table(h: &mut String, f: &Folded) {
    if f.parents.is_empty() {
        return;
    }
    h.push_str("<table><tr><th>parent<th>symbol<th>side<th>urgency<th>status");
    for name in ["quantity", "filled", "abandoned", "arrival", "average", "shortfall bps"] {
        let _ = write!(h, "<th class=n>{name}");
    }
    for p in f.parents.iter().take(PARENTS_LISTED) {
        let i = &f.header.instruments[p.instrument.index()];
        let s = parent_shortfall(&f.header, p);
        let average = if p.filled.0 > 0 { p.filled_value / p.filled.0 as f64 } else { 0.0 };
        let _ = write!(
            h,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td class=n>{}<td class=n>{}<td class=n>{}\
             <td class=n>{:.4}<td class=n>{average:.4}<td class=n>{:.3}",
            p.parent_id.0,
            escape(i.symbol.as_str()),
            side_name(p.side),
            urgency_name(p.urgency),
            status_name(p.status),
            i.qty_as_f64(p.qty),
            i.qty_as_f64(p.filled),
            i.qty_as_f64(p.abandoned),
            p.arrival_mid,
            s.total_bps
        );
    }
    h.push_str("</table>");
    if f.parents.len() > PARENTS_LISTED {
        let _ = write!(h, "<p>The first {PARENTS_LISTED} of {}.", f.parents.len());
    }
}

fn inputs(h: &mut String, f: &Folded) {
    h.push_str("<table>");
    for d in &f.header.data {
        let hash = d.sha256.as_deref().unwrap_or("generated");
        let _ = write!(h, "<tr><td>data<td>{}<td><code>{hash}</code>", escape(&d.name));
    }
    match &f.header.weights {
        Some(w) => {
            let _ =
                write!(h, "<tr><td>weights<td>{}<td><code>{}</code>", escape(&w.source), w.sha256);
        }
        None => h.push_str("<tr><td>weights<td>none<td>"),
    }
    let _ = write!(
        h,
        "<tr><td>venue<td>{}<td><tr><td>seed<td>{}<td></table>",
        escape(&f.header.venue),
        f.header.config.run.seed
    );
}

fn rows(v: &Value) -> Vec<(String, f64)> {
    let map = v.as_object().into_iter().flatten();
    map.map(|(k, v)| (k.clone(), v.as_f64().unwrap_or(0.0))).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_cannot_smuggle_markup() {
        assert_eq!(super::escape("<b a=\"&\">"), "&lt;b a=&quot;&amp;&quot;&gt;");
    }
}
