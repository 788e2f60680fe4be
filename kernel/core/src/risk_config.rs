//! Limits of the pre-trade gate and of the egress gate behind it. Each is documented here;
//! `docs/controls.md` says which control uses it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Limits of the two gates. A limit that is zero, negative or not a number refuses everything it
/// governs, unless its text gives zero a meaning. Where a limit stands both in dollars and as a
/// fraction of equity, the lower one binds.
///
/// [`RiskConfig::default`] is the profile of a small cash account at a real venue;
/// [`RiskConfig::simulation`] is the one of the simulated exchange. No other profile exists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RiskConfig {
    /// Equity at the start of the day that the fractions refer to, dollars. Zero: not known, so
    /// every limit that is a fraction of it refuses.
    pub start_equity_usd: f64,
    /// Settled cash at the start of the day, dollars: buys draw on it, sales do not refill it
    /// before they settle.
    pub settled_cash_usd: f64,

    /// Largest child, whole units (shares, coins).
    pub max_order_qty: i64,
    /// Largest child, fraction of the 20-day average daily volume.
    pub max_order_adv_fraction: f64,
    /// 20-day average daily volume assumed for symbols that `adv_qty` does not name, whole units.
    /// Zero: none is known, and orders in such symbols are refused.
    pub adv_qty_default: i64,
    /// Largest child, dollars.
    pub max_order_notional_usd: f64,
    /// Largest child, fraction of equity.
    pub max_order_equity_fraction: f64,

    /// Largest distance of a limit price from the mid, basis points: the soft collar, at which
    /// the first gate refuses.
    pub price_collar_bps: f64,
    /// The hard collar, at which the egress gate refuses too, basis points of its own mark.
    pub price_collar_hard_bps: f64,
    /// Below this price the two collars for low prices apply, dollars. Zero: they never apply.
    pub low_price_usd: f64,
    /// Soft collar of low prices, basis points.
    pub price_collar_low_bps: f64,
    /// Hard collar of low prices, basis points.
    pub price_collar_low_hard_bps: f64,
    /// Adverse slippage of an instrument's fills against the mid within the window, basis points
    /// of the position limit; above it the instrument is reduce-only.
    pub slippage_limit_bps: f64,
    /// Window of the slippage sum, milliseconds.
    pub slippage_window_ms: u64,

    /// Largest position of one instrument with working orders at worst case, dollars.
    pub max_position_notional_usd: f64,
    /// The same, fraction of equity.
    pub max_position_equity_fraction: f64,
    /// Largest sum of absolute positions with working orders at worst case, dollars.
    pub max_gross_notional_usd: f64,
    /// The same, fraction of equity.
    pub max_gross_equity_fraction: f64,
    /// Largest absolute sum of signed positions with working orders of one side, dollars.
    pub max_net_notional_usd: f64,
    /// The same, fraction of equity.
    pub max_net_equity_fraction: f64,
    /// Largest gross exposure of one sector of the table `sector`, fraction of equity. Means
    /// nothing while that table is empty.
    pub max_sector_equity_fraction: f64,
    /// Whether the account may be short (a margin account with located shares).
    pub allow_short: bool,

    /// Loss of the day (realised, unrealised, fees) from which only reducing orders pass, dollars.
    pub reduce_only_loss_usd: f64,
    /// The same, fraction of equity.
    pub reduce_only_loss_fraction: f64,
    /// Loss of the day at which trading halts until a person clears it, dollars.
    pub halt_loss_usd: f64,
    /// The same, fraction of equity.
    pub halt_loss_fraction: f64,
    /// Fall from the day's highest result at which trading halts, dollars.
    pub max_drawdown_usd: f64,
    /// The same, fraction of equity.
    pub max_drawdown_fraction: f64,
    /// Positions closed at a loss in a row at which trading halts.
    pub max_consecutive_losers: u32,
    /// Orders refused by the venue in a row at which trading halts.
    pub max_consecutive_rejects: u32,

    /// New orders a second.
    pub max_orders_per_s: u32,
    /// New orders at once on top of the rate.
    pub order_burst: u32,
    /// New orders in any 60 seconds; values above 1024 count as 1024.
    pub max_orders_per_min: u32,
    /// Cancels a second, a reserve of their own. The sweep of a kill does not use it.
    pub max_cancels_per_s: u32,
    /// Cancels at once on top of the rate.
    pub cancel_burst: u32,
    /// Entries of the run (parents whose first order adds risk); above it the account is
    /// reduce-only.
    pub max_entries_per_day: u32,
    /// Entries of one instrument within the window; above it the instrument is reduce-only.
    pub max_entries_per_window: u32,
    /// Window of the entries, milliseconds.
    pub entry_window_ms: u64,
    /// A second order equal in instrument, side, quantity and price within this is a duplicate,
    /// milliseconds.
    pub duplicate_window_ms: u64,
    /// Equal orders within the window below, this one included.
    pub max_identical_orders: u32,
    /// Window of the equal orders, milliseconds.
    pub identical_window_ms: u64,
    /// Largest number of working orders.
    pub max_open_orders: u32,
    /// Largest number of working orders of one instrument and side.
    pub max_open_orders_per_side: u32,
    /// Messages (orders and cancels) per fill at which an alarm is raised.
    pub order_ratio_alarm: u32,
    /// Messages per fill above which new orders are slowed down.
    pub order_ratio_throttle: u32,
    /// Messages of the run below which the ratio is not judged; 0 judges from the first.
    pub order_ratio_min_messages: u32,
    /// Least time between two orders while slowed down, milliseconds.
    pub order_ratio_interval_ms: u64,

    /// Oldest quote an order may be priced on, milliseconds.
    pub quote_max_age_ms: u64,
    /// Longest silence of the whole feed, milliseconds.
    pub feed_heartbeat_ms: u64,
    /// Move of the mid between two quotes without a trade that is bad data, basis points.
    pub data_jump_bps: f64,
    /// The same, in standard deviations of the moves seen.
    pub data_jump_sigma: f64,
    /// Least standard deviation that is believed, basis points.
    pub data_sigma_floor_bps: f64,
    /// Good quotes in a row that lift a quarantine; 0 counts as 1.
    pub data_good_quotes: u32,
    /// Good quotes in a row after a trading halt before orders pass; 0 counts as 1.
    pub resume_good_quotes: u32,
    /// Offset of the clock from true time that raises an alarm, milliseconds.
    pub clock_warn_ms: u64,
    /// Offset of the clock from true time above which new orders are blocked, milliseconds.
    pub clock_block_ms: u64,

    /// Whether orders may outlive the day. Without cancel-on-disconnect at the venue they must
    /// not.
    pub allow_gtc: bool,
    /// Disagreements with the venue in a run, each ended by reconciliation, at which the account
    /// halts.
    pub halt_mismatches: u32,
    /// Seconds before the session's end from which only reducing orders pass; 0 is the end.
    pub eod_reduce_only_s: u64,
    /// Seconds before the session's end from which no new order passes at all; 0 is the end.
    pub eod_no_new_s: u64,

    /// Symbols that may be traded; a single `*` stands for every symbol and is refused outside
    /// the simulated exchange.
    pub allow_symbols: Vec<String>,
    /// Symbols that may not be traded even so.
    pub restricted_symbols: Vec<String>,
    /// Whether the instruments are under the limit-up limit-down plan: bands are kept around the
    /// mean of each one's trades of the last five minutes.
    pub luld_bands: bool,
    /// Symbols of tier 1 of the limit-up limit-down plan; all others are tier 2.
    pub luld_tier1_symbols: Vec<String>,
    /// Symbols whose short sales are restricted from the start (Rule 201: the day after a fall).
    pub short_sale_restricted_symbols: Vec<String>,
    /// Symbol of the feed that is the index of the market-wide breaker; empty: there is none, and
    /// the breaker is not watched. It needs an entry in `last_close`.
    pub market_index: String,
    /// Last close by symbol, in the currency of the instrument: a fall of a tenth restricts short
    /// sales for the rest of the run, a fall of the index halts the market.
    pub last_close: BTreeMap<String, f64>,
    /// 20-day average daily volume by symbol, whole units.
    pub adv_qty: BTreeMap<String, i64>,
    /// Sector number by symbol. Empty: the sector limit is off; else every symbol traded needs
    /// one.
    pub sector: BTreeMap<String, u16>,
}

impl Default for RiskConfig {
    /// The profile of a small cash account at a real venue.
    fn default() -> Self {
        RiskConfig::SMALL_CASH_ACCOUNT
    }
}

impl RiskConfig {
    const SMALL_CASH_ACCOUNT: RiskConfig = RiskConfig {
        start_equity_usd: 0.0,
        settled_cash_usd: 0.0,
        max_order_qty: 1_000,
        max_order_adv_fraction: 0.01,
        adv_qty_default: 0,
        max_order_notional_usd: 10_000.0,
        max_order_equity_fraction: 0.05,
        price_collar_bps: 100.0,
        price_collar_hard_bps: 300.0,
        low_price_usd: 5.0,
        price_collar_low_bps: 500.0,
        price_collar_low_hard_bps: 1_000.0,
        slippage_limit_bps: 50.0,
        slippage_window_ms: 600_000,
        max_position_notional_usd: 20_000.0,
        max_position_equity_fraction: 0.20,
        max_gross_notional_usd: 100_000.0,
        max_gross_equity_fraction: 1.0,
        max_net_notional_usd: 100_000.0,
        max_net_equity_fraction: 1.0,
        max_sector_equity_fraction: 0.5,
        allow_short: false,
        reduce_only_loss_usd: 2_000.0,
        reduce_only_loss_fraction: 0.02,
        halt_loss_usd: 3_000.0,
        halt_loss_fraction: 0.03,
        max_drawdown_usd: 2_000.0,
        max_drawdown_fraction: 0.02,
        max_consecutive_losers: 8,
        max_consecutive_rejects: 5,
        max_orders_per_s: 10,
        order_burst: 5,
        max_orders_per_min: 150,
        max_cancels_per_s: 10,
        cancel_burst: 100,
        max_entries_per_day: 200,
        max_entries_per_window: 10,
        entry_window_ms: 600_000,
        duplicate_window_ms: 500,
        max_identical_orders: 3,
        identical_window_ms: 10_000,
        max_open_orders: 100,
        max_open_orders_per_side: 20,
        order_ratio_alarm: 10,
        order_ratio_throttle: 20,
        order_ratio_min_messages: 100,
        order_ratio_interval_ms: 5_000,
        quote_max_age_ms: 1_000,
        feed_heartbeat_ms: 2_000,
        data_jump_bps: 1_000.0,
        data_jump_sigma: 10.0,
        data_sigma_floor_bps: 10.0,
        data_good_quotes: 50,
        resume_good_quotes: 10,
        clock_warn_ms: 10,
        clock_block_ms: 50,
        allow_gtc: false,
        halt_mismatches: 2,
        eod_reduce_only_s: 600,
        eod_no_new_s: 300,
        allow_symbols: Vec::new(),
        restricted_symbols: Vec::new(),
        luld_bands: true,
        luld_tier1_symbols: Vec::new(),
        short_sale_restricted_symbols: Vec::new(),
        market_index: String::new(),
        last_close: BTreeMap::new(),
        adv_qty: BTreeMap::new(),
        sector: BTreeMap::new(),
    };

    /// Returns the profile of the simulated exchange: the size, exposure, loss and rate limits of
    /// a million-dollar margin account; what guards only against a real venue or a real feed is
    /// set wide, never off.
    pub fn simulation() -> RiskConfig {
        /// A fraction of equity that leaves the limit in dollars to bind.
        const WIDE: f64 = 1_000.0;
        RiskConfig {
            start_equity_usd: 1_000_000.0,
            settled_cash_usd: 1e12,
            max_order_qty: 10_000,
            max_order_adv_fraction: 1.0,
            adv_qty_default: 1_000_000_000_000,
            max_order_notional_usd: 200_000.0,
            max_order_equity_fraction: WIDE,
            price_collar_bps: 100.0,
            price_collar_hard_bps: 300.0,
            low_price_usd: 0.0,
            slippage_limit_bps: 10_000.0,
            max_position_notional_usd: 1_000_000.0,
            max_position_equity_fraction: WIDE,
            max_gross_notional_usd: 2_000_000.0,
            max_gross_equity_fraction: WIDE,
            max_net_notional_usd: 2_000_000.0,
            max_net_equity_fraction: WIDE,
            max_sector_equity_fraction: WIDE,
            allow_short: true,
            reduce_only_loss_usd: 20_000.0,
            reduce_only_loss_fraction: WIDE,
            halt_loss_usd: 30_000.0,
            halt_loss_fraction: WIDE,
            max_drawdown_usd: 1e9,
            max_drawdown_fraction: WIDE * WIDE,
            max_consecutive_losers: u32::MAX,
            max_consecutive_rejects: u32::MAX,
            max_orders_per_s: 10,
            order_burst: 20,
            max_orders_per_min: 1_024,
            max_cancels_per_s: 1_000,
            cancel_burst: 1_000,
            max_entries_per_day: u32::MAX,
            max_entries_per_window: u32::MAX,
            max_identical_orders: u32::MAX,
            max_open_orders: 100,
            max_open_orders_per_side: 100,
            order_ratio_alarm: u32::MAX,
            order_ratio_throttle: u32::MAX,
            quote_max_age_ms: 10_000,
            feed_heartbeat_ms: 10_000,
            data_jump_sigma: 1e6,
            data_good_quotes: 1,
            resume_good_quotes: 1,
            allow_gtc: true,
            eod_reduce_only_s: 0,
            eod_no_new_s: 0,
            luld_bands: false,
            allow_symbols: vec![RiskConfig::ANY_SYMBOL.to_string()],
            ..RiskConfig::default()
        }
    }

    /// Stands for every symbol in `allow_symbols`.
    pub const ANY_SYMBOL: &'static str = "*";

    /// Returns the largest value of one child that both limits allow, dollars; 0 where one of
    /// them is missing.
    pub fn order_notional_limit_usd(&self) -> f64 {
        let fraction = self.max_order_equity_fraction * self.start_equity_usd;
        let sane = |v: f64| v > 0.0 && v.is_finite();
        if sane(self.max_order_notional_usd) && sane(fraction) {
            self.max_order_notional_usd.min(fraction)
        } else {
            0.0
        }
    }
}
