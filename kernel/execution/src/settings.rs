//! Which settings and instruments can be executed with.

use crate::volume_curve::{VOLUME_PART_COUNT_MAX, VolumeCurve};
use ijk_core::config::ExecutionConfig;
use ijk_core::limits::INSTRUMENT_COUNT_MAX;
use ijk_core::{Instrument, InstrumentId};

/// Settings that cannot be executed with.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ExecutionConfigError {
    /// A number outside its range.
    #[error("execution.{key} is {value}; use {range}")]
    Range {
        /// Name of the key.
        key: &'static str,
        /// Value found.
        value: f64,
        /// Range allowed.
        range: &'static str,
    },
    /// A volume curve that is none.
    #[error(
        "execution.volume_curve has {0} parts; use at most {VOLUME_PART_COUNT_MAX} numbers of 0 \
         or more, not all 0"
    )]
    VolumeCurve(usize),
    /// Too many instruments.
    #[error("{0} instruments; at most {INSTRUMENT_COUNT_MAX}")]
    InstrumentCount(usize),
    /// A lot or tick that is not positive.
    #[error("instrument {0:?} needs a positive tick, lot and quantity unit")]
    Instrument(InstrumentId),
}

/// Checks every setting.
///
/// # Errors
/// The first key outside its range.
pub(crate) fn check_config(c: &ExecutionConfig) -> Result<(), ExecutionConfigError> {
    let finite = |v: f64| v.is_finite();
    let lambda = c.risk_aversion_per_usd;
    let worst = lambda.iter().copied().find(|v| !(*v >= 0.0 && finite(*v))).unwrap_or(lambda[0]);
    let positive = |v: f64| v > 0.0 && finite(v);
    let part = |v: f64| 0.0 < v && v <= 1.0;
    let at_least = |v: f64, least: f64| v >= least && finite(v);
    let checks = [
        ("risk_aversion_per_usd", worst, "0 or more", worst >= 0.0 && finite(worst)),
        ("temporary_impact", c.temporary_impact, "more than 0", positive(c.temporary_impact)),
        (
            "daily_volatility_bps",
            c.daily_volatility_bps,
            "more than 0",
            positive(c.daily_volatility_bps),
        ),
        ("daily_volume_qty", c.daily_volume_qty as f64, "more than 0", c.daily_volume_qty > 0),
        ("slice_interval_ms", c.slice_interval_ms as f64, "1 or more", c.slice_interval_ms > 0),
        ("child_qty_min", c.child_qty_min as f64, "1 or more", c.child_qty_min > 0),
        (
            "participation_max",
            c.participation_max,
            "(0, 1]",
            0.0 < c.participation_max && c.participation_max <= 1.0,
        ),
        ("child_patience_ms", c.child_patience_ms as f64, "1 or more", c.child_patience_ms > 0),
        (
            "pov_rate",
            c.pov_rate,
            "above 0, at most participation_max",
            0.0 < c.pov_rate && c.pov_rate <= c.participation_max,
        ),
        (
            "impact_exponent",
            c.impact_exponent,
            "[0.1, 1]",
            c.impact_exponent >= 0.1 && part(c.impact_exponent),
        ),
        (
            "resilience_half_life_s",
            c.resilience_half_life_s,
            "more than 0",
            positive(c.resilience_half_life_s),
        ),
        ("propagator_exponent", c.propagator_exponent, "(0, 1]", part(c.propagator_exponent)),
        ("propagator_scale_s", c.propagator_scale_s, "more than 0", positive(c.propagator_scale_s)),
        ("replan_ratio", c.replan_ratio, "1.1 or more", at_least(c.replan_ratio, 1.1)),
        ("replan_flow", c.replan_flow, "more than 0", positive(c.replan_flow)),
        (
            "reprices_per_minute_max",
            f64::from(c.reprices_per_minute_max),
            "1 or more",
            c.reprices_per_minute_max > 0,
        ),
        ("fill_hazard", c.fill_hazard, "more than 0", positive(c.fill_hazard)),
        ("signal_gain", c.signal_gain, "0 or more", at_least(c.signal_gain, 0.0)),
        ("adverse_selection", c.adverse_selection, "0 or more", at_least(c.adverse_selection, 0.0)),
    ];
    for (key, value, range, ok) in checks {
        if !ok {
            return Err(ExecutionConfigError::Range { key, value, range });
        }
    }
    Ok(())
}

/// Returns the volume curve of the settings.
///
/// # Errors
/// [`ExecutionConfigError::VolumeCurve`].
pub(crate) fn check_volume_curve(c: &ExecutionConfig) -> Result<VolumeCurve, ExecutionConfigError> {
    let count = c.volume_curve.len();
    VolumeCurve::new(&c.volume_curve).ok_or(ExecutionConfigError::VolumeCurve(count))
}

/// Checks the instruments.
///
/// # Errors
/// Too many, or the first that cannot be traded.
pub(crate) fn check_instruments(instruments: &[Instrument]) -> Result<(), ExecutionConfigError> {
    if instruments.len() > INSTRUMENT_COUNT_MAX {
        return Err(ExecutionConfigError::InstrumentCount(instruments.len()));
    }
    let bad = |i: &Instrument| i.lot.0 <= 0 || i.tick.0 <= 0 || i.qty_unit_e9 <= 0;
    match instruments.iter().position(bad) {
        Some(at) => Err(ExecutionConfigError::Instrument(InstrumentId(at as u16))),
        None => Ok(()),
    }
}
