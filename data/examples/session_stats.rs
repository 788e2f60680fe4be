//! Prints a Markdown table of session statistics, a column for each feed's first instrument.
//!
//! `cargo run --release -p ijk-data --example session_stats -- synth:1 lobster:FILE.zip`

use ijk_data::synth::stats::{SessionStats, session_stats};
use std::collections::BTreeSet;
use std::process::ExitCode;

/// A row's label and how its value is printed.
type Line = (&'static str, fn(&SessionStats) -> String);

fn share(stats: &SessionStats, name: &str) -> f64 {
    let found = stats.kind_shares.iter().find(|kind| kind.0 == name);
    found.map_or(0.0, |kind| 100.0 * kind.1)
}

fn main() -> ExitCode {
    let (mut names, mut columns) = (Vec::new(), Vec::new());
    for text in std::env::args().skip(1) {
        let stats = text
            .parse::<ijk_data::FeedSpec>()
            .map_err(|e| e.to_string())
            .and_then(|spec| ijk_data::open_feed(&spec, 1).map_err(|e| e.to_string()))
            .and_then(|mut source| {
                let name = source.instruments()[0].symbol.to_string();
                let mut all = session_stats(&mut source).map_err(|e| e.to_string())?;
                Ok((name, all.remove(0)))
            });
        match stats {
            Ok((name, stats)) => {
                names.push(name);
                columns.push(stats);
            }
            Err(e) => {
                eprintln!("{text}: {e}");
                return ExitCode::from(3);
            }
        }
    }
    print(&names, &columns);
    ExitCode::SUCCESS
}

fn print(names: &[String], columns: &[SessionStats]) {
    println!("| | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    let line = |label: &str, cells: Vec<String>| println!("| {label} | {} |", cells.join(" | "));
    line("rows", columns.iter().map(|c| c.rows.to_string()).collect());
    let kinds: BTreeSet<&str> =
        columns.iter().flat_map(|c| c.kind_shares.iter().map(|kind| kind.0)).collect();
    for kind in kinds {
        let label = format!("rows of kind {kind}, %");
        line(&label, columns.iter().map(|c| format!("{:.2}", share(c, kind))).collect());
    }
    let lines: [Line; 13] = [
        ("spread, mean, ticks", |c| format!("{:.2}", c.spread_ticks.0)),
        ("spread, median, ticks", |c| format!("{:.1}", c.spread_ticks.1)),
        ("spread, mean, bps", |c| format!("{:.2}", c.spread_bps.0)),
        ("spread, median, bps", |c| format!("{:.2}", c.spread_bps.1)),
        ("size at the best, mean", |c| format!("{:.0}", c.best_size)),
        ("size of five levels, mean", |c| format!("{:.0}", c.depth5)),
        ("visible executions a minute", |c| format!("{:.1}", c.trades_per_minute)),
        ("time between rows, std / mean", |c| format!("{:.2}", c.gap_cv)),
        ("rows a second, lag-1 autocorrelation", |c| format!("{:.2}", c.count_autocorrelation)),
        ("10-s returns, std, bps", |c| format!("{:.2}", c.return_std_bps)),
        ("10-s returns, excess kurtosis", |c| format!("{:.1}", c.return_kurtosis)),
        ("10-s returns, lag-1 autocorrelation", |c| format!("{:.2}", c.return_autocorrelation)),
        ("rows with a crossed book", |c| c.crossed_rows.to_string()),
    ];
    for (label, value) in lines {
        line(label, columns.iter().map(value).collect());
    }
    let volume = |c: &SessionStats| -> Vec<String> {
        c.volume_by_half_hour.iter().map(|v| format!("{:.1}", 100.0 * v)).collect()
    };
    line("volume by half-hour, %", columns.iter().map(|c| volume(c).join(" ")).collect());
}
