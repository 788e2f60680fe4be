//! Limits in the units the gate computes in.

use ijk_core::config::RiskConfig;
use ijk_core::limits::{INSTRUMENT_COUNT_MAX, OPEN_ORDER_COUNT_MAX};
use ijk_core::{Currency, Instrument};

/// Units of money per 1e-9 dollar: money is counted in 1e-18 dollars.
pub(crate) const MONEY_PER_E9: i128 = 1_000_000_000;
/// Units of money per dollar.
pub(crate) const MONEY_PER_USD: f64 = 1e18;
/// Collars are counted in 1e-6 basis points.
const COLLAR_UNITS_PER_BPS: f64 = 1e6;
/// Collar units of a whole price: 1e4 basis points.
pub(crate) const COLLAR_UNITS_PER_ONE: i128 = 10_000_000_000;

/// Why a gate cannot be built. Limits never cause one: a senseless limit refuses orders instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RiskConfigError {
    /// No instruments.
    #[error("the instrument table is empty: name at least one instrument")]
    NoInstruments,
    /// More instruments than one kernel serves.
    #[error("{count} instruments: at most {INSTRUMENT_COUNT_MAX} fit one kernel, split the run")]
    TooManyInstruments {
        /// Instruments given.
        count: usize,
    },
    /// A tick, lot or quantity unit that is not positive, or a session that ends before it opens.
    #[error("instrument {symbol}: {field} must be positive (session: open before close)")]
    BadInstrument {
        /// Symbol.
        symbol: String,
        /// Which field.
        field: &'static str,
    },
}

/// `None` is a limit that refuses everything it governs.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub order_qty: i64,
    pub order_notional: Option<i128>,
    pub collar: Option<i128>,
    pub position: Option<i128>,
    pub gross: Option<i128>,
    pub reduce_only_loss: Option<i128>,
    pub halt_loss: Option<i128>,
    pub orders_per_s: u32,
    pub order_burst: u32,
    pub duplicate_window_ns: u64,
    pub quote_max_age_ns: u64,
    pub open_orders: usize,
}

fn positive(v: f64) -> Option<f64> {
    // A comparison with NaN is false, so NaN is refused with zero and negative.
    (v > 0.0 && v.is_finite()).then_some(v)
}

fn money(usd: f64) -> Option<i128> {
    let units = ((positive(usd)? * 1e9).floor() as i128).saturating_mul(MONEY_PER_E9);
    (units > 0).then_some(units)
}

fn ns(ms: u64) -> u64 {
    ms.saturating_mul(1_000_000)
}

impl Limits {
    pub(crate) fn new(c: &RiskConfig) -> Limits {
        Limits {
            order_qty: c.max_order_qty.max(0),
            order_notional: money(c.max_order_notional_usd),
            collar: positive(c.price_collar_bps).map(|v| (v * COLLAR_UNITS_PER_BPS) as i128),
            position: money(c.max_position_notional_usd),
            gross: money(c.max_gross_notional_usd),
            reduce_only_loss: money(c.reduce_only_loss_usd),
            halt_loss: money(c.halt_loss_usd),
            orders_per_s: c.max_orders_per_s,
            order_burst: c.order_burst,
            duplicate_window_ns: ns(c.duplicate_window_ms),
            quote_max_age_ns: ns(c.quote_max_age_ms),
            open_orders: (c.max_open_orders as usize).min(OPEN_ORDER_COUNT_MAX),
        }
    }
}

pub(crate) fn validate(instruments: &[Instrument]) -> Result<(), RiskConfigError> {
    if instruments.is_empty() {
        return Err(RiskConfigError::NoInstruments);
    }
    if instruments.len() > INSTRUMENT_COUNT_MAX {
        return Err(RiskConfigError::TooManyInstruments { count: instruments.len() });
    }
    for i in instruments {
        let bad = [
            ("tick", i.tick.0 <= 0),
            ("lot", i.lot.0 <= 0),
            ("qty_unit_e9", i.qty_unit_e9 <= 0),
            ("session", i.session.open_ns >= i.session.close_ns),
        ];
        if let Some((field, _)) = bad.iter().find(|(_, bad)| *bad) {
            return Err(RiskConfigError::BadInstrument { symbol: i.symbol.to_string(), field });
        }
    }
    Ok(())
}

/// Returns whether dollar limits apply to prices in this currency (Tether counts as a dollar).
pub(crate) const fn is_dollar(c: Currency) -> bool {
    matches!(c, Currency::Usd | Currency::Usdt)
}
