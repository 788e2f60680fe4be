//! Which settings and instruments can be executed with.

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
    ];
    for (key, value, range, ok) in checks {
        if !ok {
            return Err(ExecutionConfigError::Range { key, value, range });
        }
    }
    Ok(())
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
