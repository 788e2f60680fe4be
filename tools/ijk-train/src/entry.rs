//! What the store of runs keeps of a fit.

use crate::compare::Compared;
use crate::exit::Exit;
use crate::store::Entry;
use ijk_models::card::Card;
use ijk_models::compare::Comparison;
use ijk_models::metrics::Interval;
use ijk_models::session::hex;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Returns the entry of a fit: settings, scores, losses by epoch, result on untouched data, files.
///
/// # Errors
/// Exit code 70 where the settings cannot be written as TOML.
pub fn of(
    name: &str,
    card: &Card,
    untouched: Option<&Compared>,
    files: &[String],
) -> Result<Entry, Exit> {
    let mut entry = Entry {
        id: 0,
        created: card.provenance.created.clone(),
        kind: "fit".into(),
        name: name.to_owned(),
        params: params(card)?,
        metrics: BTreeMap::new(),
        tags: tags(card),
        series: BTreeMap::new(),
        returns: Vec::new(),
        artifacts: BTreeMap::new(),
        previous: String::new(),
    };
    for h in &card.test {
        let mut put = |key: &str, v: f64| {
            if v.is_finite() {
                entry.metrics.insert(format!("h{}.{key}", h.horizon_tokens), v);
            }
        };
        put("macro_f1", h.class.macro_f1);
        put("log_loss", h.class.log_loss);
        put("brier", h.class.brier);
        put("r2", h.mean.r2.value);
        put("ic", h.mean.ic.value);
        put("coverage_90", h.variance.coverage_90);
    }
    compared(&mut entry.metrics, "test", &card.comparison);
    if let Some(u) = untouched {
        compared(&mut entry.metrics, "untouched", &u.scores);
        entry.tags.insert("untouched".into(), u.data.clone());
        // The ensemble by the common rule comes first on every feed.
        let prefix = format!("{name} on ");
        for r in u.costs.iter().filter(|r| r.name.starts_with(&prefix)) {
            entry.returns.extend(&r.changes_usd);
        }
        for r in &u.costs {
            entry.metrics.insert(format!("costs.{}", plain(&r.name)), r.pnl_usd);
        }
    }
    for (m, member) in card.members.iter().enumerate() {
        let mut put = |key: &str, of: &dyn Fn(&ijk_models::train::EpochRecord) -> f64| {
            let points = member.history.epochs.iter().map(|e| (e.epoch as u64, of(e))).collect();
            entry.series.insert(format!("m{m}.{key}"), points);
        };
        put("train_loss", &|e| e.train_loss);
        put("validation_loss", &|e| e.validation_loss);
    }
    for path in files {
        let bytes = std::fs::read(path).unwrap_or_default();
        entry.artifacts.insert(path.clone(), hex(&Sha256::digest(bytes)));
    }
    Ok(entry)
}

fn tags(card: &Card) -> BTreeMap<String, String> {
    let p = &card.provenance;
    BTreeMap::from(
        [
            ("command", &p.command),
            ("code_version", &p.code_version),
            ("code_sha256", &p.code_sha256),
            ("weights_sha256", &card.weights_sha256),
            ("training_data_sha256", &card.training_data_sha256),
        ]
        .map(|(k, v)| (k.to_owned(), v.clone())),
    )
}

/// Settings as flat text: `train.epochs = 5`.
fn params(card: &Card) -> Result<BTreeMap<String, String>, Exit> {
    let table = toml::Table::try_from(&card.settings).map_err(|e| Exit::new(70, e))?;
    let mut out = BTreeMap::new();
    flatten(&mut out, "", &table);
    Ok(out)
}

fn flatten(out: &mut BTreeMap<String, String>, prefix: &str, table: &toml::Table) {
    for (key, value) in table {
        match value {
            toml::Value::Table(inside) => flatten(out, &format!("{prefix}{key}."), inside),
            toml::Value::String(text) => {
                out.insert(format!("{prefix}{key}"), text.clone());
            }
            other => {
                out.insert(format!("{prefix}{key}"), other.to_string());
            }
        }
    }
}

fn compared(metrics: &mut BTreeMap<String, f64>, part: &str, all: &[Comparison]) {
    for c in all {
        let mut put = |key: String, i: &Interval| {
            for (end, v) in [("", i.value), (".low", i.low), (".high", i.high)] {
                if v.is_finite() {
                    metrics.insert(format!("{part}.h{}.{key}{end}", c.horizon_tokens), v);
                }
            }
        };
        for m in &c.models {
            let name = plain(&m.name);
            put(format!("{name}.macro_f1"), &m.macro_f1);
            put(format!("{name}.log_loss"), &m.log_loss);
        }
        for d in &c.differences {
            let name = plain(&d.against);
            put(format!("less_{name}.macro_f1"), &d.macro_f1);
            put(format!("less_{name}.log_loss"), &d.log_loss);
        }
    }
}

/// A name that trackers accept as a key.
fn plain(name: &str) -> String {
    let good = |c: char| if c.is_ascii_alphanumeric() || "_-./ ".contains(c) { c } else { '_' };
    name.chars().map(good).take(200).collect()
}
