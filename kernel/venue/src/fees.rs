//! Commission and fees, exact to 1e-9 currency units.
//!
//! Interactive Brokers charges per ORDER: `min(max(minimum, rate x shares), cap x value)`; where
//! the cap is below the minimum, the cap counts. An order that fills in parts must cost the same
//! as one that fills at once, so `OrderFees` keeps the order's totals and charges each fill the
//! difference. Exchange, clearing and sales fees are linear and use the same running totals, so
//! rounding never drifts either.

use ijk_core::config::{FeeConfig, FeeSchedule};
use ijk_core::{Instrument, Px, Qty, Side};

/// Fee settings that cannot be charged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fees.{field} must be a finite number between -1000 and 1000 (minimums and caps >= 0)")]
pub struct FeeConfigError {
    /// Name of the setting.
    pub field: &'static str,
}

/// Rates in 1e-9: dollars a share, or fractions.
#[derive(Clone, Debug)]
pub(crate) struct Fees {
    schedule: FeeSchedule,
    per_share: i128,
    min_per_order: i128,
    max_fraction: i128,
    exchange: [i128; 2],
    clearing: i128,
    sell_per_share: i128,
    sell_fraction: i128,
    /// Fractions of notional in 1e-13 (1e-9 basis points): taker, maker.
    bps: [i128; 2],
}

/// Running totals of one order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OrderFees {
    /// Quantity in 1e-9 whole units, value in 1e-18 currency units; by taker, maker.
    qty: [i128; 2],
    value: [i128; 2],
    charged_e9: i64,
}

const E9: i128 = 1_000_000_000;

fn e9(field: &'static str, v: f64, may_be_negative: bool) -> Result<i128, FeeConfigError> {
    let fits = v.is_finite() && v.abs() <= 1_000.0 && (may_be_negative || v >= 0.0);
    if fits { Ok((v * 1e9).round() as i128) } else { Err(FeeConfigError { field }) }
}

impl Fees {
    pub(crate) fn new(c: &FeeConfig) -> Result<Fees, FeeConfigError> {
        let tiered = matches!(c.schedule, FeeSchedule::IbkrTiered | FeeSchedule::Auto);
        let t_rate = e9("tiered_usd_per_share", c.tiered_usd_per_share, false)?;
        let t_min = e9("tiered_min_usd_per_order", c.tiered_min_usd_per_order, false)?;
        let f_rate = e9("fixed_usd_per_share", c.fixed_usd_per_share, false)?;
        let f_min = e9("fixed_min_usd_per_order", c.fixed_min_usd_per_order, false)?;
        let take = e9("exchange_take_usd_per_share", c.exchange_take_usd_per_share, true)?;
        let add = e9("exchange_add_usd_per_share", c.exchange_add_usd_per_share, true)?;
        let clearing = e9("clearing_usd_per_share", c.clearing_usd_per_share, false)?;
        Ok(Fees {
            schedule: c.schedule,
            per_share: if tiered { t_rate } else { f_rate },
            min_per_order: if tiered { t_min } else { f_min },
            max_fraction: e9("max_fraction", c.max_fraction, false)?,
            // The fixed schedule has exchange and clearing fees in its rate.
            exchange: if tiered { [take, add] } else { [0, 0] },
            clearing: if tiered { clearing } else { 0 },
            sell_per_share: e9("sell_usd_per_share", c.sell_usd_per_share, false)?,
            sell_fraction: e9("sell_fraction", c.sell_fraction, false)?,
            bps: [e9("taker_bps", c.taker_bps, true)?, e9("maker_bps", c.maker_bps, true)?],
        })
    }

    /// Adds a fill to the order's totals and returns what it costs, 1e-9 currency units.
    pub(crate) fn charge(
        &self,
        order: &mut OrderFees,
        instrument: &Instrument,
        side: Side,
        maker: bool,
        px: Px,
        qty: Qty,
    ) -> i64 {
        let units = i128::from(qty.0) * i128::from(instrument.qty_unit_e9);
        let kind = usize::from(maker);
        order.qty[kind] = order.qty[kind].saturating_add(units);
        order.value[kind] = order.value[kind].saturating_add(units.saturating_mul(px.0.into()));
        let whole = i128::from(instrument.qty_unit_e9) == E9;
        let schedule = match self.schedule {
            FeeSchedule::Auto if whole => FeeSchedule::IbkrTiered,
            FeeSchedule::Auto => FeeSchedule::Bps,
            other => other,
        };
        let total = self.total_e9(order, side, schedule);
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        let fee = total.saturating_sub(order.charged_e9);
        order.charged_e9 = total;
        fee
    }

    /// Fees of the whole order so far, rounded to the nearest 1e-9.
    fn total_e9(&self, o: &OrderFees, side: Side, schedule: FeeSchedule) -> i128 {
        let shares = o.qty[0].saturating_add(o.qty[1]);
        let value = o.value[0].saturating_add(o.value[1]);
        // All sums in 1e-18 currency units; a product with a fraction is divided at once.
        let fraction = |value: i128, rate: i128| value.saturating_mul(rate) / E9;
        let e18 = match schedule {
            FeeSchedule::None => 0,
            FeeSchedule::Bps => {
                let leg = |i: usize| o.value[i].saturating_mul(self.bps[i]) / (10_000 * E9);
                leg(0).saturating_add(leg(1))
            }
            FeeSchedule::Auto | FeeSchedule::IbkrTiered | FeeSchedule::IbkrFixed => {
                let rate = shares.saturating_mul(self.per_share);
                let commission = rate.max(self.min_per_order * E9);
                let commission = commission.min(fraction(value, self.max_fraction));
                let exchange = (0..2).map(|i| o.qty[i].saturating_mul(self.exchange[i]));
                let sales = match side {
                    Side::Bid => 0,
                    Side::Ask => shares
                        .saturating_mul(self.sell_per_share)
                        .saturating_add(fraction(value, self.sell_fraction)),
                };
                exchange
                    .chain([shares.saturating_mul(self.clearing), sales])
                    .fold(commission, i128::saturating_add)
            }
        };
        (e18.saturating_add(e18.signum() * (E9 / 2))) / E9
    }
}

/// What a taking child order is expected to cost.
#[derive(Clone, Debug)]
pub struct FeeEstimator(Fees);

impl FeeEstimator {
    /// Returns an estimator for checked settings.
    ///
    /// # Errors
    /// [`FeeConfigError`] names the first setting that cannot be used.
    pub fn new(fees: &FeeConfig) -> Result<FeeEstimator, FeeConfigError> {
        Fees::new(fees).map(FeeEstimator)
    }

    /// Returns the fee as basis points of the child's notional, averaged over a buy and a sale.
    /// NaN where price or quantity is not positive, so that a sizer that uses it does not trade.
    pub fn taker_bps(&self, instrument: &Instrument, px: Px, qty: Qty) -> f64 {
        if px.0 <= 0 || qty.0 <= 0 {
            return f64::NAN;
        }
        let of_side = |side| {
            let mut order = OrderFees::default();
            self.0.charge(&mut order, instrument, side, false, px, qty) as f64 / 1e9
        };
        let mean = (of_side(Side::Bid) + of_side(Side::Ask)) / 2.0;
        1e4 * mean / instrument.notional(px, qty)
    }
}
