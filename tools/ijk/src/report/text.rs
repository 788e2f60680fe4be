//! The summary table that a run ends with.

use serde_json::Value;
use std::fmt::Write;

/// Formats a summary document for a terminal.
pub fn summary(s: &Value) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<22} {value}");
    };
    for key in ["events", "tokens", "decisions", "orders", "fills"] {
        row(key, plain(&s[key]));
    }
    row("decisions by reason", pairs(&s["decision_reasons"]));
    row("refusals by reason", pairs(&s["refusals"]));
    row("parents", pairs(&s["parents"]));
    let p = &s["performance"];
    row("result", format!("{} USD ({} bps of equity)", two(&s["pnl_usd"]), two(&p["return_bps"])));
    row(
        "fees / drawdown",
        format!("{} / {} USD", two(&s["fees_usd"]), two(&s["max_drawdown_usd"])),
    );
    let sharpe = match p["sharpe_annual"].as_f64() {
        Some(_) => format!(
            "{} ± {} (standard error, {} minutes)",
            two(&p["sharpe_annual"]),
            two(&p["sharpe_annual_se"]),
            plain(&p["sharpe_minutes"])
        ),
        None => "not identified (too few moving minutes)".to_string(),
    };
    row("Sharpe a year", sharpe);
    row(
        "round trips / hit rate",
        format!("{} / {}", plain(&p["round_trips"]), two(&p["hit_rate"])),
    );
    row("turnover", format!("{} USD", two(&p["turnover_usd"])));
    if p["sized_decisions"].as_u64() > Some(0) {
        row(
            "edge against cost",
            format!(
                "lower bound covers the cost in {} of {} sized decisions (mean cost {} bps)",
                plain(&p["edge_covers_cost"]),
                plain(&p["sized_decisions"]),
                two(&p["mean_cost_bps"])
            ),
        );
        if p["edge_covers_cost"].as_u64() == Some(0) {
            row("", "no edge after costs was found: nothing was traded on it".to_string());
        }
    }
    blocks(&mut text, s);
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<22} {value}");
    };
    row(
        "speed",
        format!(
            "{} events per CPU second, {} s wall",
            plain(&s["events_per_cpu_s"]),
            two(&s["wall_s"])
        ),
    );
    let mib = s["peak_rss_bytes"].as_f64().unwrap_or(0.0) / (1024.0 * 1024.0);
    row("peak memory", format!("{mib:.0} MiB"));
    let allocations = match &s["allocs_after_warmup"] {
        Value::Null => "not measured: the run ended before its warm-up".to_string(),
        n => format!("{n} after warm-up"),
    };
    row("allocations", allocations);
    row("decisions sha256", plain(&s["decisions_sha256"]));
    row("journal sha256", plain(&s["journal_sha256"]));
    row("run", plain(&s["run"]));
    text
}

fn blocks(text: &mut String, s: &Value) {
    super::quality_text::rows(text, &s["execution_quality"]);
    latency(text, &s["latency_ns"]);
}

fn latency(text: &mut String, stages: &Value) {
    let Some(stages) = stages.as_object().filter(|s| !s.is_empty()) else { return };
    let _ = writeln!(
        text,
        "  {:<22} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "stage (ns)", "n", "p50", "p99", "p99.9", "max"
    );
    for (name, h) in stages {
        let _ = writeln!(
            text,
            "    {name:<20} {:>9} {:>9} {:>9} {:>9} {:>9}",
            plain(&h["n"]),
            plain(&h["p50"]),
            plain(&h["p99"]),
            plain(&h["p999"]),
            plain(&h["max"])
        );
    }
}

fn plain(v: &Value) -> String {
    match v {
        Value::String(s) => s.clone(),
        Value::Null => "-".to_string(),
        other => other.to_string(),
    }
}

fn two(v: &Value) -> String {
    v.as_f64().map_or_else(|| "-".to_string(), |x| format!("{x:.2}"))
}

fn pairs(v: &Value) -> String {
    let Some(map) = v.as_object() else { return "-".to_string() };
    let parts: Vec<String> = map
        .iter()
        .filter(|(_, v)| !v.is_null())
        .map(|(k, v)| match v.as_f64() {
            Some(x) if x.fract() != 0.0 => format!("{k} {x:.2}"),
            _ => format!("{k} {v}"),
        })
        .collect();
    if parts.is_empty() { "none".to_string() } else { parts.join(", ") }
}
