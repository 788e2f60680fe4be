//! Limits in the units the gate computes in.

use crate::recent::EqualOrders;
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

/// `None` is a limit that refuses everything it governs; it is also the lowest.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub order_qty: i64,
    pub order_notional: Option<i128>,
    /// Collar of prices from `low_price` on, and of those below it.
    pub collar: [Option<i128>; 2],
    pub low_price: i64,
    pub slippage: Option<i128>,
    pub slippage_window_ns: u64,
    pub position: Option<i128>,
    pub gross: Option<i128>,
    pub net: Option<i128>,
    pub sector: Option<i128>,
    /// Whether the table of sectors names any.
    pub sectors_on: bool,
    pub settled_cash: Option<i128>,
    pub allow_short: bool,
    pub reduce_only_loss: Option<i128>,
    pub halt_loss: Option<i128>,
    pub drawdown: Option<i128>,
    pub losers: u32,
    pub rejects: u32,
    pub orders_per_s: u32,
    pub order_burst: u32,
    pub orders_per_min: usize,
    pub cancels_per_s: u32,
    pub cancel_burst: u32,
    pub entries_per_day: u32,
    pub entries_per_window: u32,
    pub entry_window_ns: u64,
    pub duplicate: EqualOrders,
    pub identical: EqualOrders,
    pub open_orders: usize,
    pub open_orders_per_side: u32,
    pub ratio_alarm: u64,
    pub ratio_throttle: u64,
    pub ratio_min_messages: u64,
    pub ratio_interval_ns: u64,
    pub quote_max_age_ns: u64,
    pub feed_heartbeat_ns: u64,
    pub jump: Option<i128>,
    pub jump_sigma: Option<f64>,
    /// Fraction of the price.
    pub sigma_floor: Option<f64>,
    pub good_quotes: u32,
    pub resume_quotes: u32,
    pub clock_warn_ns: u64,
    pub clock_block_ns: u64,
    pub allow_gtc: bool,
    pub halt_mismatches: u32,
    pub eod_reduce_only_ns: u64,
    pub eod_no_new_ns: u64,
}

/// What the settings say of one instrument.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub allowed: bool,
    pub restricted: bool,
    /// Largest child by daily volume in 1e-9 whole units; `None` where no volume is known.
    pub adv_max_e9: Option<i128>,
    /// `None` where the table of sectors does not name the symbol.
    pub sector: Option<u16>,
    pub luld_tier1: bool,
}

fn positive(v: f64) -> Option<f64> {
    if bug!(NanPasses) && v.is_nan() {
        return Some(1e12);
    }
    // A comparison with NaN is false, so NaN is refused with zero and negative.
    (v > 0.0 && v.is_finite()).then_some(v)
}

fn money(usd: f64) -> Option<i128> {
    let units = ((positive(usd)? * 1e9).floor() as i128).saturating_mul(MONEY_PER_E9);
    (units > 0).then_some(units)
}

/// The lower of a limit in dollars and one as a fraction of equity.
fn money_of(usd: f64, fraction: f64, equity_usd: f64) -> Option<i128> {
    Some(money(usd)?.min(money(positive(fraction)? * positive(equity_usd)?)?))
}

fn collar(soft_bps: f64, hard_bps: f64) -> Option<i128> {
    let units = |bps| positive(bps).map(|v| (v * COLLAR_UNITS_PER_BPS) as i128);
    Some(units(soft_bps)?.min(units(hard_bps)?))
}

fn ns(ms: u64) -> u64 {
    ms.saturating_mul(1_000_000)
}

impl Limits {
    pub(crate) fn new(c: &RiskConfig) -> Limits {
        let equity = c.start_equity_usd;
        let of = |usd, fraction| money_of(usd, fraction, equity);
        let position = of(c.max_position_notional_usd, c.max_position_equity_fraction);
        let low_price = if c.low_price_usd > 0.0 { c.low_price_usd * 1e9 } else { 0.0 };
        Limits {
            order_qty: c.max_order_qty.max(0),
            order_notional: of(c.max_order_notional_usd, c.max_order_equity_fraction),
            collar: [
                collar(c.price_collar_bps, c.price_collar_hard_bps),
                collar(c.price_collar_low_bps, c.price_collar_low_hard_bps),
            ],
            low_price: low_price as i64,
            // Without a position limit nothing passes anyway, under that limit's own code.
            slippage: positive(c.slippage_limit_bps).map(|bps| {
                let units = (bps * COLLAR_UNITS_PER_BPS) as i128;
                position.map_or(i128::MAX, |p| (p / COLLAR_UNITS_PER_ONE).saturating_mul(units))
            }),
            slippage_window_ns: ns(c.slippage_window_ms),
            position,
            gross: of(c.max_gross_notional_usd, c.max_gross_equity_fraction),
            net: of(c.max_net_notional_usd, c.max_net_equity_fraction),
            sector: positive(c.max_sector_equity_fraction)
                .zip(positive(equity))
                .and_then(|(f, e)| money(f * e)),
            sectors_on: !c.sector.is_empty(),
            settled_cash: money(c.settled_cash_usd),
            allow_short: c.allow_short,
            reduce_only_loss: of(c.reduce_only_loss_usd, c.reduce_only_loss_fraction),
            halt_loss: of(c.halt_loss_usd, c.halt_loss_fraction),
            drawdown: of(c.max_drawdown_usd, c.max_drawdown_fraction),
            losers: c.max_consecutive_losers,
            rejects: c.max_consecutive_rejects,
            orders_per_s: c.max_orders_per_s,
            order_burst: c.order_burst,
            orders_per_min: c.max_orders_per_min as usize,
            cancels_per_s: c.max_cancels_per_s,
            cancel_burst: c.cancel_burst,
            entries_per_day: c.max_entries_per_day,
            entries_per_window: c.max_entries_per_window,
            entry_window_ns: ns(c.entry_window_ms),
            duplicate: EqualOrders { count: 1, window_ns: ns(c.duplicate_window_ms) },
            identical: EqualOrders {
                count: c.max_identical_orders,
                window_ns: ns(c.identical_window_ms),
            },
            open_orders: (c.max_open_orders as usize).min(OPEN_ORDER_COUNT_MAX),
            open_orders_per_side: c.max_open_orders_per_side,
            ratio_alarm: c.order_ratio_alarm.into(),
            ratio_throttle: c.order_ratio_throttle.into(),
            ratio_min_messages: c.order_ratio_min_messages.into(),
            ratio_interval_ns: ns(c.order_ratio_interval_ms),
            quote_max_age_ns: ns(c.quote_max_age_ms),
            feed_heartbeat_ns: ns(c.feed_heartbeat_ms),
            jump: positive(c.data_jump_bps).map(|v| (v * COLLAR_UNITS_PER_BPS) as i128),
            jump_sigma: positive(c.data_jump_sigma),
            sigma_floor: positive(c.data_sigma_floor_bps).map(|v| v * 1e-4),
            good_quotes: c.data_good_quotes.max(1),
            resume_quotes: c.resume_good_quotes.max(1),
            clock_warn_ns: ns(c.clock_warn_ms),
            clock_block_ns: ns(c.clock_block_ms),
            allow_gtc: c.allow_gtc,
            halt_mismatches: c.halt_mismatches,
            eod_reduce_only_ns: c.eod_reduce_only_s.saturating_mul(1_000_000_000),
            eod_no_new_ns: c.eod_no_new_s.saturating_mul(1_000_000_000),
        }
    }

    /// Takes over from `c` what is stricter and nothing else. The lengths of the slippage and
    /// entry windows stay: their sums are under way.
    pub(crate) fn tighten(&mut self, c: &RiskConfig) {
        let new = Limits::new(c);
        macro_rules! lower {
            ($($field:ident),*) => { $(self.$field = self.$field.min(new.$field);)* };
        }
        macro_rules! higher {
            ($($field:ident),*) => { $(self.$field = self.$field.max(new.$field);)* };
        }
        lower!(order_qty, order_notional, low_price, slippage, position, gross, net, sector);
        lower!(settled_cash, reduce_only_loss, halt_loss, drawdown, losers, rejects);
        lower!(orders_per_s, order_burst, orders_per_min, cancels_per_s, cancel_burst);
        lower!(entries_per_day, entries_per_window, open_orders, open_orders_per_side);
        lower!(ratio_alarm, ratio_throttle, ratio_min_messages, quote_max_age_ns);
        lower!(feed_heartbeat_ns, jump, clock_warn_ns, clock_block_ns, halt_mismatches);
        higher!(ratio_interval_ns, good_quotes, resume_quotes, eod_reduce_only_ns, eod_no_new_ns);
        let float = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a.min(b));
        self.jump_sigma = float(self.jump_sigma, new.jump_sigma);
        self.sigma_floor = float(self.sigma_floor, new.sigma_floor);
        for (mine, other) in self.collar.iter_mut().zip(new.collar) {
            *mine = (*mine).min(other);
        }
        for (mine, other) in
            [(&mut self.duplicate, new.duplicate), (&mut self.identical, new.identical)]
        {
            mine.count = mine.count.min(other.count);
            // Zero is an unset window, which refuses.
            let unset = mine.window_ns == 0 || other.window_ns == 0;
            mine.window_ns = if unset { 0 } else { mine.window_ns.max(other.window_ns) };
        }
        self.allow_short &= new.allow_short;
        self.allow_gtc &= new.allow_gtc;
    }
}

impl Rules {
    pub(crate) fn new(c: &RiskConfig, i: &Instrument) -> Rules {
        let symbol = i.symbol.as_str();
        let any = c.allow_symbols.iter().any(|s| s == RiskConfig::ANY_SYMBOL);
        let adv = c.adv_qty.get(symbol).copied().unwrap_or(c.adv_qty_default);
        Rules {
            allowed: any || c.allow_symbols.iter().any(|s| s == symbol),
            restricted: c.restricted_symbols.iter().any(|s| s == symbol),
            adv_max_e9: positive(c.max_order_adv_fraction)
                .filter(|_| adv > 0)
                .map(|fraction| (fraction * adv as f64 * 1e9) as i128),
            sector: c.sector.get(symbol).copied(),
            luld_tier1: c.luld_tier1_symbols.iter().any(|s| s == symbol),
        }
    }

    /// Takes over what is stricter. The table of sectors is no limit and stays.
    pub(crate) fn tighten(&mut self, new: &Rules) {
        self.allowed &= new.allowed;
        self.restricted |= new.restricted;
        self.adv_max_e9 = self.adv_max_e9.min(new.adv_max_e9);
        self.luld_tier1 |= new.luld_tier1;
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
