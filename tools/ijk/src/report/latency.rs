//! `latency.parquet`: stage histograms, written by a live run, read back by later reports.

use crate::exit::Exit;
use crate::run_dir::RunDir;
use crate::table::{Kind, Table};
use hdrhistogram::Histogram;
use ijk_engine::Stage;
use ijk_engine::runtime::stages::StageClock;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use serde_json::{Value, json};
use std::fs::File;

/// Name of the whole path of an input without a decision.
pub const EVENT: &str = "total_event";
/// Name of the whole path of an input with a decision.
pub const DECISION: &str = "total_decision";

/// Named histograms, nanoseconds, in a fixed order.
pub type Stages = Vec<(String, Histogram<u64>)>;

/// Returns the histograms of a clock.
pub fn from_clock(clock: &StageClock) -> Stages {
    let mut all: Stages = Stage::ALL
        .iter()
        .map(|&s| (s.name().to_string(), clock.stages[s as usize].clone()))
        .collect();
    all.push((EVENT.to_string(), clock.total_event.clone()));
    all.push((DECISION.to_string(), clock.total_decision.clone()));
    all
}

/// Writes the table.
///
/// # Errors
/// 2 if it cannot be written.
pub fn write(dir: &RunDir, stages: &Stages) -> Result<(), Exit> {
    let columns = [("stage", Kind::Text), ("value_ns", Kind::Int), ("count", Kind::Int)];
    let mut table = Table::create(&dir.file("latency.parquet"), &columns, true)?;
    for (name, histogram) in stages {
        for bucket in histogram.iter_recorded() {
            table.text(name).int(bucket.value_iterated_to() as i64);
            table.int(bucket.count_at_value() as i64);
            table.end_row()?;
        }
    }
    table.finish().map(|_| ())
}

/// Reads the table back; empty where there is none or it is damaged.
pub fn read(dir: &RunDir) -> Stages {
    let names = Stage::ALL.iter().map(|s| s.name()).chain([EVENT, DECISION]).map(str::to_string);
    let mut stages: Stages = names
        .filter_map(|n| Histogram::new_with_bounds(1, 10_000_000_000, 3).ok().map(|h| (n, h)))
        .collect();
    let Ok(file) = File::open(dir.file("latency.parquet")) else { return stages };
    let Ok(reader) = SerializedFileReader::new(file) else { return stages };
    let Ok(rows) = reader.get_row_iter(None) else { return stages };
    for row in rows.flatten() {
        let (Ok(name), Ok(value), Ok(count)) =
            (row.get_string(0), row.get_long(1), row.get_long(2))
        else {
            continue;
        };
        if let Some((_, h)) = stages.iter_mut().find(|s| &s.0 == name) {
            h.saturating_record_n(value.max(1) as u64, count.max(0) as u64);
        }
    }
    stages
}

/// Returns percentiles per stage.
pub fn json(stages: &Stages) -> Value {
    let rows = stages.iter().filter(|s| !s.1.is_empty()).map(|(name, h)| {
        let numbers = json!({
            "n": h.len(),
            "min": h.min(),
            "p50": h.value_at_quantile(0.50),
            "p99": h.value_at_quantile(0.99),
            "p999": h.value_at_quantile(0.999),
            "max": h.max(),
        });
        (name.clone(), numbers)
    });
    Value::Object(rows.collect())
}
