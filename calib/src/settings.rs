//! What a profile tells `ijk live`: keys of its settings file, where they are identified.

use crate::impact::fit::{BETA, ETA};
use crate::profile::{ImpactSection, Profile};
use toml::{Table, Value};

/// Returns the settings that follow from a profile. Keys of one kernel serve all its instruments:
/// with several symbols the middle one's value is taken.
pub fn of(profile: &Profile) -> Table {
    let mut settings = Table::new();
    let told: Vec<&ImpactSection> = profile.impact.iter().collect();
    if let Some(volatility) = middle(told.iter().map(|s| s.basis.volatility_bps)) {
        set(&mut settings, "execution", "daily_volatility_bps", Value::Float(volatility));
    }
    if let Some(eta) = middle(told.iter().filter_map(|s| linear_impact(s))) {
        set(&mut settings, "execution", "temporary_impact", Value::Float(eta));
    }
    if let Some(curve) = profile.volume.as_ref().and_then(|v| v.curve()) {
        let parts = curve.into_iter().map(Value::Float).collect();
        set(&mut settings, "execution", "volume_curve", Value::Array(parts));
    }
    if let Some(l) = profile.latency.as_ref().filter(|l| !l.clocks_disagree) {
        let us = |v: f64| Value::Integer(v.round().max(0.0) as i64);
        set(&mut settings, "sim", "order_latency_us", us(l.order_us[0]));
        let jitter = us(l.order_us[2] - l.order_us[0]);
        set(&mut settings, "sim", "order_latency_jitter_us", jitter);
        set(&mut settings, "sim", "report_latency_us", us(l.report_us[1]));
    }
    // A record without an edge sets nothing: the multiplier must be above zero.
    if let Some(k) = profile.kelly.as_ref().filter(|k| k.multiplier > 0.0) {
        set(&mut settings, "sizing", "kelly_multiplier", Value::Float(k.multiplier));
    }
    settings
}

/// Returns the linear temporary impact that costs as much as the power law at the middle of the
/// calibrated rates: the kernel's closed form is linear. `None` without a calibrated η.
pub fn linear_impact(section: &ImpactSection) -> Option<f64> {
    let fit = section.fit.as_ref().filter(|f| f.eta.identified)?;
    let rate = section.range.as_ref().map(|r| (r.rate.0 * r.rate.1).sqrt())?;
    let p = &section.posterior.mean;
    let eta = p[ETA] * rate.powf(p[BETA] - 1.0);
    (fit.parents > 0 && eta.is_finite() && eta > 0.0).then_some(eta)
}

fn middle(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.filter(|v| v.is_finite() && *v > 0.0).collect();
    (!values.is_empty()).then(|| crate::stats::quantile(&values, 0.5))
}

fn set(settings: &mut Table, section: &str, key: &str, value: Value) {
    let entry = settings.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(table) = entry {
        table.insert(key.to_string(), value);
    }
}
