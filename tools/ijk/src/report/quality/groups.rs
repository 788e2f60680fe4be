//! Execution quality of many parents: means with intervals, by schedule and urgency.

use super::{BENCHMARKS, ParentQuality, Parts};
use crate::report::tables::urgency_name;
use ijk_core::record::ParentRecord;
use serde_json::{Map, Value, json};
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::collections::BTreeMap;

/// Fewest parents that an interval is given for.
pub const COUNT_MIN: usize = 10;

/// A mean and half its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// Mean.
    pub value: f64,
    /// Half the interval by Student's t, parents taken as independent; `None` for fewer than
    /// [`COUNT_MIN`]: not identified.
    pub half_width: Option<f64>,
    /// Values it is from.
    pub count: usize,
}

/// Returns the mean of the finite values, `None` without any.
pub fn mean(values: impl Iterator<Item = f64>) -> Option<Mean> {
    let values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    let n = values.len();
    if n == 0 {
        return None;
    }
    let value = values.iter().sum::<f64>() / n as f64;
    let half_width = (n >= COUNT_MIN).then(|| {
        let variance = values.iter().map(|v| (v - value).powi(2)).sum::<f64>() / (n - 1) as f64;
        let t = StudentsT::new(0.0, 1.0, (n - 1) as f64).map_or(f64::NAN, |t| t.inverse_cdf(0.975));
        t * (variance / n as f64).sqrt()
    });
    Some(Mean { value, half_width, count: n })
}

fn mean_json(values: impl Iterator<Item = f64>) -> Value {
    mean(values).map_or(
        Value::Null,
        |m| json!({ "mean": m.value, "half_width_95": m.half_width, "n": m.count }),
    )
}

/// Returns the means by schedule and urgency, `all` first.
pub fn json(parents: &[(ParentRecord, ParentQuality)]) -> Value {
    let mut groups: BTreeMap<String, Vec<&ParentQuality>> = BTreeMap::new();
    for (record, quality) in parents {
        let name = format!("{} {}", record.schedule.name(), urgency_name(record.urgency));
        groups.entry(name).or_default().push(quality);
    }
    let mut out = Map::new();
    if groups.len() != 1 && !parents.is_empty() {
        out.insert("all".to_string(), group(&parents.iter().map(|p| &p.1).collect::<Vec<_>>()));
    }
    for (name, members) in groups {
        out.insert(name, group(&members));
    }
    Value::Object(out)
}

fn group(members: &[&ParentQuality]) -> Value {
    let mut parts = Map::new();
    for (k, name) in Parts::NAMES.iter().enumerate() {
        let of = |q: &&&ParentQuality| q.bps(q.parts.values()[k]);
        parts.insert((*name).to_string(), mean_json(members.iter().map(|q| of(&q))));
    }
    let slippage: Map<String, Value> = BENCHMARKS
        .iter()
        .enumerate()
        .map(|(b, n)| ((*n).to_string(), mean_json(members.iter().map(|q| q.slippage_bps(b)))))
        .collect();
    let sum =
        |f: &dyn Fn(&ParentQuality) -> u32| members.iter().map(|q| u64::from(f(q))).sum::<u64>();
    json!({
        "parents": members.len(),
        "filled_share": mean_json(members.iter().map(|q| q.filled_share)),
        "maker_share": mean_json(members.iter().map(|q| q.maker_share)),
        "orders": sum(&|q| q.messages.0),
        "cancels": sum(&|q| q.messages.1),
        "shortfall_bps": mean_json(members.iter().map(|q| q.bps(q.shortfall))),
        "parts_bps": parts,
        "slippage_bps": slippage,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_students() {
        // Ten values 1..10: mean 5.5, s = 3.02765, t(9, 0.975) = 2.262157.
        let m = mean((1..=10).map(f64::from)).unwrap();
        assert_eq!((m.value, m.count), (5.5, 10));
        let half = 2.262_157 * 3.027_650_354 / 10f64.sqrt();
        assert!((m.half_width.unwrap() - half).abs() < 1e-5, "{m:?}");
        let few = mean((1..10).map(f64::from).chain([f64::NAN])).unwrap();
        assert_eq!((few.half_width, few.count), (None, 9));
        assert_eq!(mean(std::iter::empty()), None);
    }
}
