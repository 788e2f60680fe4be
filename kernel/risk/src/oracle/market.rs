//! Blocks of one instrument and its market, from the history.

use super::book::{Oracle, Past};
use super::limits::sane;
use crate::MarketState;
use crate::Quote;
use crate::blocks::InstrumentBlock;
use ijk_core::config::RiskConfig;
use std::collections::BTreeSet;

/// What stands at the end of the history.
#[derive(Default)]
pub(super) struct Market {
    pub blocks: BTreeSet<InstrumentBlock>,
    pub band: Option<(i128, i128)>,
    pub short_restricted: bool,
    last_twice_mid: Option<i128>,
    variance: f64,
    moves: u32,
    good: u32,
    resuming: bool,
}

impl Oracle {
    /// Replays everything the market said of an instrument.
    pub fn market(&self, index: usize) -> Market {
        let mut m = Market::default();
        let mut configs = &self.configs[..1];
        for p in &self.past {
            match p {
                Past::Tightened => configs = &self.configs[..configs.len() + 1],
                Past::InstrumentBlock { index: i, block, set } if *i == index => {
                    if *set {
                        m.blocks.insert(*block);
                    } else {
                        m.blocks.remove(block);
                    }
                }
                Past::Band { index: i, reference } if *i == index => {
                    m.band =
                        reference.filter(|r| *r > 0).map(|r| self.band(configs, index, r.into()));
                    if m.band.is_none() {
                        m.blocks.remove(&InstrumentBlock::LimitState);
                    }
                }
                Past::ShortRestricted { index: i, on } if *i == index => m.short_restricted = *on,
                Past::Market { index: i, state } if *i == index => m.state(*state),
                Past::Quote { index: i, quote, had_trade } if *i == index => {
                    quote_seen(configs, &mut m, quote, *had_trade);
                }
                _ => {}
            }
        }
        m
    }

    fn band(&self, configs: &[RiskConfig], index: usize, reference: i128) -> (i128, i128) {
        let symbol = self.instruments[index].symbol.to_string();
        let tier1 = configs.iter().any(|c| c.luld_tier1_symbols.contains(&symbol));
        let per_cent = match reference {
            r if r > 3_000_000_000 && tier1 => 5,
            r if r > 3_000_000_000 => 10,
            r if r >= 750_000_000 => 20,
            _ => 75,
        };
        let mut width = reference * per_cent / 100;
        if per_cent == 75 && width > 150_000_000 {
            width = 150_000_000;
        }
        (reference - width, reference + width)
    }
}

fn quote_seen(configs: &[RiskConfig], m: &mut Market, q: &Quote, had_trade: bool) {
    if !q.trusted {
        m.last_twice_mid = None;
        m.good = 0;
        return;
    }
    let (bid, ask) = (i128::from(q.bid.px.0), i128::from(q.ask.px.0));
    let (bids, asks) = (q.bid.qty.0, q.ask.qty.0);
    if let Some((low, high)) = m.band {
        let at_limit = (bids > 0 && bid >= high) || (asks > 0 && ask > 0 && ask <= low);
        if at_limit {
            m.blocks.insert(InstrumentBlock::LimitState);
        } else {
            m.blocks.remove(&InstrumentBlock::LimitState);
        }
    }
    let senseless = bids < 0 || asks < 0 || (bids > 0 && bid <= 0) || (asks > 0 && ask <= 0);
    if !senseless && (bids == 0 || asks == 0) {
        return;
    }
    if senseless || bid >= ask {
        m.last_twice_mid = None;
        m.bad();
        return;
    }
    let believed = believes(configs, m, bid + ask, had_trade);
    m.last_twice_mid = Some(bid + ask);
    if !believed {
        m.bad();
        return;
    }
    m.good += 1;
    if m.good >= most(configs, |c| c.data_good_quotes).max(1) {
        m.blocks.remove(&InstrumentBlock::Quarantine);
    }
    if m.resuming && m.good >= most(configs, |c| c.resume_good_quotes).max(1) {
        m.resuming = false;
        m.blocks.remove(&InstrumentBlock::MarketHalt);
    }
}

fn believes(configs: &[RiskConfig], m: &mut Market, twice_mid: i128, had_trade: bool) -> bool {
    let least = |f: fn(&RiskConfig) -> f64| least(configs, f);
    let (Some(jump), Some(sigmas), Some(floor)) = (
        least(|c| c.data_jump_bps),
        least(|c| c.data_jump_sigma),
        least(|c| c.data_sigma_floor_bps),
    ) else {
        return false;
    };
    let Some(last) = m.last_twice_mid else { return true };
    let relative = (twice_mid - last).abs() as f64 / last as f64;
    let exact = (twice_mid - last).abs() * 10_000_000_000 > last * (jump * 1e6) as i128;
    let deviation = f64::max(m.variance.sqrt(), floor * 1e-4);
    let far = m.moves >= 32 && relative > sigmas * deviation;
    if (exact || far) && !had_trade {
        return false;
    }
    m.variance += (relative * relative - m.variance) * (1.0 / 64.0);
    m.moves += 1;
    true
}

/// The strictest value of a limit; none if one is missing.
fn least(configs: &[RiskConfig], f: fn(&RiskConfig) -> f64) -> Option<f64> {
    let all: Vec<f64> = configs.iter().map(f).collect();
    all.iter().all(|v| sane(*v)).then(|| all.iter().copied().fold(f64::INFINITY, f64::min))
}

fn most(configs: &[RiskConfig], f: fn(&RiskConfig) -> u32) -> u32 {
    configs.iter().map(f).max().unwrap_or(0)
}

impl Market {
    fn bad(&mut self) {
        self.good = 0;
        self.blocks.insert(InstrumentBlock::Quarantine);
    }

    fn state(&mut self, state: MarketState) {
        match state {
            MarketState::Halted | MarketState::Auction => {
                self.blocks.insert(InstrumentBlock::MarketHalt);
                self.resuming = false;
                self.last_twice_mid = None;
                self.good = 0;
            }
            MarketState::Open => {
                if self.blocks.contains(&InstrumentBlock::MarketHalt) && !self.resuming {
                    self.resuming = true;
                    self.good = 0;
                }
            }
        }
    }
}
