//! Settings of the random streams: wide limits, a few of them narrowed or made senseless.

use super::rng::Rng;
use ijk_core::config::RiskConfig;
use ijk_core::{Currency, Instrument, Px, Qty, Session, Symbol, num::E9};

/// When streams begin, nanoseconds.
pub(super) const START_NS: u64 = 1_000_000_000_000;

const NAMES: [&str; 6] = ["A", "B", "COIN", "EURO", "STRANGE", "BANNED"];

pub(super) fn instruments(rng: &mut Rng) -> Vec<Instrument> {
    let listed = |name| Symbol::new(name).ok().map(Instrument::us_equity);
    let mut list: Vec<Instrument> = NAMES.iter().copied().filter_map(listed).collect();
    // Coins in 1e-9, steps of a thousandth.
    (list[2].qty_unit_e9, list[2].lot) = (1, Qty(1_000_000));
    list[3].currency = Currency::Eur;
    if rng.one_in(4) {
        let close_ns = START_NS + (14 + rng.below(14)) * 1_000_000_000;
        list[0].session = Session { open_ns: START_NS, close_ns };
    }
    if rng.one_in(8) {
        // A stock of a dollar, for the wider bands and collars.
        list[1].tick = Px(E9 / 10_000);
    }
    list
}

fn base(rng: &mut Rng) -> RiskConfig {
    RiskConfig {
        max_order_qty: 125,
        max_order_notional_usd: 12_500.0,
        max_position_notional_usd: 50_000.0,
        max_gross_notional_usd: 100_000.0,
        max_net_notional_usd: 100_000.0,
        reduce_only_loss_usd: 6_000.0,
        halt_loss_usd: 12_000.0,
        max_orders_per_s: 20 + rng.below(20) as u32,
        order_burst: 12 + rng.below(10) as u32,
        duplicate_window_ms: 300,
        quote_max_age_ms: 400,
        max_open_orders: 30,
        max_open_orders_per_side: 20,
        feed_heartbeat_ms: 2_000,
        slippage_window_ms: 4_000,
        entry_window_ms: 4_000,
        data_jump_bps: 400.0,
        data_jump_sigma: 12.0,
        data_good_quotes: 1 + rng.below(3) as u32,
        resume_good_quotes: 1 + rng.below(3) as u32,
        restricted_symbols: vec!["BANNED".into()],
        allow_symbols: ["A", "B", "COIN", "EURO", "BANNED"].map(String::from).to_vec(),
        ..RiskConfig::simulation()
    }
}

/// A number of a limit in dollars or basis points, for spoiling.
fn spoil(c: &mut RiskConfig, which: u64, value: f64) {
    let fields = [
        &mut c.max_order_notional_usd,
        &mut c.price_collar_bps,
        &mut c.price_collar_hard_bps,
        &mut c.max_position_notional_usd,
        &mut c.max_gross_notional_usd,
        &mut c.max_net_notional_usd,
        &mut c.reduce_only_loss_usd,
        &mut c.halt_loss_usd,
        &mut c.max_drawdown_usd,
        &mut c.slippage_limit_bps,
        &mut c.settled_cash_usd,
        &mut c.start_equity_usd,
        &mut c.max_order_equity_fraction,
        &mut c.max_order_adv_fraction,
        &mut c.data_jump_bps,
        &mut c.data_jump_sigma,
    ];
    let count = fields.len() as u64;
    if let Some(field) = fields.into_iter().nth((which % count) as usize) {
        *field = value;
    }
}

/// Narrows one control.
fn narrow(c: &mut RiskConfig, which: u64, rng: &mut Rng) {
    let few = 1 + rng.below(4) as u32;
    match which {
        0 => c.max_order_qty = 60 + rng.below(60) as i64,
        1 => c.max_order_notional_usd = 4_000.0 + rng.below(8_000) as f64,
        2 => c.price_collar_bps = 10.0 + rng.below(60) as f64,
        3 => (c.low_price_usd, c.price_collar_low_bps) = (101.0, 40.0),
        4 => c.slippage_limit_bps = 2.0 + rng.below(20) as f64,
        5 => c.max_position_notional_usd = 9_000.0 + rng.below(9_000) as f64,
        6 => c.max_gross_notional_usd = 12_000.0 + rng.below(20_000) as f64,
        7 => c.max_net_notional_usd = 8_000.0 + rng.below(20_000) as f64,
        8 => {
            c.sector = [("A".into(), 1), ("COIN".into(), 1)].into();
            c.max_sector_equity_fraction = 0.012 + rng.below(20) as f64 / 1_000.0;
        }
        9 => c.allow_short = false,
        10 => c.settled_cash_usd = 15_000.0 + rng.below(30_000) as f64,
        11 => (c.reduce_only_loss_usd, c.halt_loss_usd) = (40.0, 150.0),
        12 => c.max_drawdown_usd = 30.0 + rng.below(150) as f64,
        13 => c.max_consecutive_losers = few,
        14 => c.max_consecutive_rejects = few,
        15 => (c.max_orders_per_s, c.order_burst) = (few, few),
        16 => c.max_orders_per_min = 10 + rng.below(20) as u32,
        17 => (c.max_cancels_per_s, c.cancel_burst) = (1, few),
        18 => c.max_entries_per_day = 4 + few,
        19 => c.max_entries_per_window = few,
        20 => (c.max_identical_orders, c.duplicate_window_ms) = (few.min(2), 1),
        21 => c.max_open_orders = 1 + few,
        22 => c.max_open_orders_per_side = few,
        23 => {
            (c.order_ratio_throttle, c.order_ratio_min_messages) = (few, 5);
            (c.order_ratio_alarm, c.order_ratio_interval_ms) = (1, 700);
        }
        24 => (c.quote_max_age_ms, c.feed_heartbeat_ms) = (2_000, 150),
        25 => c.allow_gtc = false,
        26 => (c.eod_reduce_only_s, c.eod_no_new_s) = (16, 8),
        27 => {
            c.adv_qty = [("A".into(), 9_000)].into();
            (c.max_order_adv_fraction, c.adv_qty_default) = (0.01, 0);
        }
        28 => c.max_order_equity_fraction = 0.004 + rng.below(8) as f64 / 1_000.0,
        29 => c.data_jump_bps = 5.0 + rng.below(20) as f64,
        30 => (c.data_jump_sigma, c.data_sigma_floor_bps) = (2.0, 1.0),
        31 => c.halt_mismatches = few,
        32 => c.max_position_equity_fraction = 0.02,
        33 => c.luld_tier1_symbols = vec!["A".into()],
        34 => c.identical_window_ms = 0,
        35 => c.entry_window_ms = 0,
        36 => c.max_orders_per_min = 0,
        _ => {
            let value = [f64::NAN, 0.0, -3.0, f64::INFINITY][rng.below(4) as usize];
            spoil(c, rng.next(), value);
        }
    }
}

/// Controls that [`narrow`] knows, spoiling counted as one in forty.
const CONTROLS: u64 = 40;

pub(super) fn config(rng: &mut Rng) -> RiskConfig {
    let mut c = base(rng);
    for _ in 0..1 + rng.below(4) {
        let which = rng.below(CONTROLS);
        narrow(&mut c, which, rng);
    }
    c
}

/// Some limits lower, some higher, rates as they are: what a person may send while it runs.
pub(super) fn changed(old: &RiskConfig, rng: &mut Rng) -> RiskConfig {
    let mut c = old.clone();
    for _ in 0..3 {
        let which = rng.below(35);
        narrow(&mut c, which, rng);
    }
    (c.max_orders_per_s, c.order_burst) = (old.max_orders_per_s, old.order_burst);
    (c.max_cancels_per_s, c.cancel_burst) = (old.max_cancels_per_s, old.cancel_burst);
    (c.slippage_window_ms, c.entry_window_ms) = (old.slippage_window_ms, old.entry_window_ms);
    c.sector = old.sector.clone();
    c
}
