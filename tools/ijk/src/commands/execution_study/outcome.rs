//! What the study found: paired differences between the ways, with intervals.

use crate::exit::Exit;
use crate::report::quality::groups::{Mean, mean};
use crate::report::quality::{ParentQuality, Parts};
use crate::report::tables::side_name;
use crate::table::{Kind, Table};
use ijk_core::record::ParentRecord;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// One parent, executed one way.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its account.
    pub record: ParentRecord,
    /// Its quality.
    pub quality: ParentQuality,
}

/// One parent, executed all ways.
struct Paired {
    feed: String,
    line: u32,
    rows: Vec<Row>,
}

/// Steps between the ways: name, from, to.
const STEPS: [(&str, usize, usize); 4] =
    [("schedule", 0, 1), ("spread capture", 1, 2), ("signal", 2, 3), ("total", 0, 3)];

/// All parents of the study.
pub struct Outcome {
    ways: Vec<&'static str>,
    drawn: Vec<(String, usize, usize)>,
    paired: Vec<Paired>,
}

impl Outcome {
    /// Starts with nothing.
    pub fn new(ways: impl Iterator<Item = &'static str>) -> Outcome {
        Outcome { ways: ways.collect(), drawn: Vec::new(), paired: Vec::new() }
    }

    /// Adds a feed: parents drawn, and those that each way started, by line. A parent counts
    /// where every way started it.
    pub fn add(&mut self, feed: &str, drawn: usize, found: &[BTreeMap<u32, Row>]) {
        let before = self.paired.len();
        for line in found[0].keys() {
            let rows: Vec<Row> = found.iter().filter_map(|f| f.get(line).copied()).collect();
            if rows.len() == found.len() {
                self.paired.push(Paired { feed: feed.to_string(), line: *line, rows });
            }
        }
        self.drawn.push((feed.to_string(), drawn, self.paired.len() - before));
    }

    fn of<'a>(&'a self, feed: Option<&'a str>) -> impl Iterator<Item = &'a Paired> {
        self.paired.iter().filter(move |p| feed.is_none_or(|f| p.feed == f))
    }

    /// Saved by a step, basis points of the value at arrival; without fees where `gross`.
    fn saved(&self, feed: Option<&str>, from: usize, to: usize, gross: bool) -> Option<Mean> {
        let cost = |r: &Row| {
            let q = &r.quality;
            q.bps(q.shortfall - if gross { q.parts.fees } else { 0 })
        };
        mean(self.of(feed).map(|p| cost(&p.rows[from]) - cost(&p.rows[to])))
    }

    fn groups(&self) -> Vec<(String, Option<&str>)> {
        let feeds = self.drawn.iter().map(|d| (d.0.clone(), Some(d.0.as_str())));
        let all = (self.drawn.len() > 1).then(|| ("all feeds".to_string(), None));
        all.into_iter().chain(feeds).collect()
    }

    /// Returns the study as one document.
    pub fn json(&self) -> Value {
        let value = |m: Option<Mean>| {
            m.map_or(
                Value::Null,
                |m| json!({ "mean": m.value, "half_width_95": m.half_width, "n": m.count }),
            )
        };
        let mut groups = Map::new();
        for (name, feed) in self.groups() {
            let mut steps = Map::new();
            for (step, from, to) in STEPS {
                let (net, gross) =
                    (self.saved(feed, from, to, false), self.saved(feed, from, to, true));
                let both = json!({ "saved_bps": value(net), "before_fees_bps": value(gross) });
                steps.insert(step.to_string(), both);
            }
            let mut ways = Map::new();
            for (w, way) in self.ways.iter().enumerate() {
                let over = |f: &dyn Fn(&ParentQuality) -> f64| {
                    value(mean(self.of(feed).map(|p| f(&p.rows[w].quality))))
                };
                let part = |k: usize| over(&|q| q.bps(q.parts.values()[k]));
                let parts: Map<String, Value> = Parts::NAMES
                    .iter()
                    .enumerate()
                    .map(|(k, n)| ((*n).to_string(), part(k)))
                    .collect();
                let entry = json!({
                    "shortfall_bps": over(&|q| q.bps(q.shortfall)),
                    "parts_bps": parts,
                    "filled_share": over(&|q| q.filled_share),
                    "maker_share": over(&|q| q.maker_share),
                    "messages": over(&|q| f64::from(q.messages.0 + q.messages.1)),
                });
                ways.insert((*way).to_string(), entry);
            }
            groups.insert(name, json!({ "saved": steps, "ways": ways }));
        }
        let drawn: Vec<_> = self
            .drawn
            .iter()
            .map(|(feed, drawn, paired)| json!({ "feed": feed, "drawn": drawn, "paired": paired }))
            .collect();
        json!({ "feeds": drawn, "groups": groups })
    }

    /// Returns the study as text.
    pub fn text(&self) -> String {
        let document = self.json();
        let mut text = "Mean over parents ± half the 95 % interval (Student's t), basis points of \
                        the value at arrival.\n"
            .to_string();
        for (feed, drawn, paired) in &self.drawn {
            let _ = writeln!(text, "{feed}: {paired} of {drawn} parents executed by every way");
        }
        for (name, _) in self.groups() {
            let group = &document["groups"][&name];
            let _ = writeln!(
                text,
                "\n{name}\n  {:<16}{:>18}{:>18}",
                "saved by", "after fees", "before fees"
            );
            for (step, _, _) in STEPS {
                let s = &group["saved"][step];
                let (net, gross) = (cell(&s["saved_bps"]), cell(&s["before_fees_bps"]));
                let _ = writeln!(text, "  {step:<16}{net:>18}{gross:>18}");
            }
            let _ = write!(text, "  {:<10}{:>16}", "cost of", "shortfall");
            for part in Parts::NAMES {
                let _ = write!(text, "{part:>16}");
            }
            let _ = writeln!(text, "{:>9}{:>9}{:>10}", "filled", "resting", "messages");
            for way in &self.ways {
                let w = &group["ways"][way];
                let _ = write!(text, "  {way:<10}{:>16}", cell(&w["shortfall_bps"]));
                for part in Parts::NAMES {
                    let _ = write!(text, "{:>16}", cell(&w["parts_bps"][part]));
                }
                let mean = |key: &str| w[key]["mean"].as_f64().unwrap_or(f64::NAN);
                let (filled, maker) = (100.0 * mean("filled_share"), 100.0 * mean("maker_share"));
                let _ = writeln!(text, "{filled:>8.1}%{maker:>8.1}%{:>10.1}", mean("messages"));
            }
        }
        text
    }

    /// Writes every parent and way as one row.
    ///
    /// # Errors
    /// 2 if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Exit> {
        let mut columns: Vec<(String, Kind)> = [
            ("feed", Kind::Text),
            ("line", Kind::Int),
            ("ts_start", Kind::Int),
            ("side", Kind::Text),
            ("way", Kind::Text),
        ]
        .map(|(n, k)| (n.to_string(), k))
        .into();
        columns.extend(Parts::NAMES.map(|n| (format!("cost_{n}_e9"), Kind::Int)));
        for name in ["cost_bps", "arrival_value", "filled_share", "maker_share"] {
            columns.push((name.to_string(), Kind::Float));
        }
        let mut table = Table::create(path, &columns, false)?;
        for p in &self.paired {
            for (way, row) in self.ways.iter().zip(&p.rows) {
                let q = &row.quality;
                let r = &row.record;
                table.text(&p.feed).int(i64::from(p.line)).int(r.ts_start.0 as i64);
                table.text(side_name(r.side)).text(way);
                for part in q.parts.rounded_e9() {
                    table.int(part);
                }
                table.float(q.bps(q.shortfall)).float(q.arrival_value);
                table.float(q.filled_share).float(q.maker_share);
                table.end_row()?;
            }
        }
        table.finish()?;
        Ok(())
    }
}

fn cell(v: &Value) -> String {
    match (v["mean"].as_f64(), v["half_width_95"].as_f64()) {
        (Some(m), Some(half)) => format!("{m:.2} ± {half:.2}"),
        (Some(m), None) => format!("{m:.2} ± ?"),
        _ => "-".to_string(),
    }
}
