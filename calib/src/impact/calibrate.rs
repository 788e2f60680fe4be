//! From observations to the impact sections of a profile.

use super::compare;
use super::fit::{self, ImpactFit};
use super::pool::Prior;
use super::predict::Range;
use super::response;
use super::sample::{Basis, Sample, samples};
use crate::market::Market;
use crate::observe::Observations;
use crate::profile::ImpactSection;
use std::collections::BTreeMap;

/// Everything one symbol's sources gave.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// Parents, by start within each source.
    pub samples: Vec<Sample>,
    /// Units of each source.
    pub bases: Vec<Basis>,
    /// Whether any source was a replay.
    pub simulated: bool,
    /// Longest market seen, for the response.
    pub market: Option<Market>,
    /// Parents seen, usable or not.
    pub parents: usize,
    /// First and last moment of the data, nanoseconds UTC.
    pub span_ns: (u64, u64),
}

/// Sorts observations by symbol. `outstanding` holds shares outstanding by symbol.
pub fn gather(
    sources: Vec<Observations>,
    outstanding: &BTreeMap<String, f64>,
) -> BTreeMap<String, Gathered> {
    let mut all: BTreeMap<String, Gathered> = BTreeMap::new();
    for source in sources {
        for symbol in source.symbols {
            let name = symbol.market.instrument.symbol.to_string();
            let basis = Basis::of(&symbol.market, outstanding.get(&name).copied());
            let entry = all.entry(name).or_default();
            entry.parents += symbol.parents.len();
            entry.simulated |= source.simulated;
            entry.samples.extend(samples(&symbol, &basis));
            entry.samples.sort_by_key(|s| s.start_ns);
            if basis.is_usable() {
                entry.bases.push(basis);
            }
            let from = symbol.market.start_s * 1_000_000_000;
            let to = from + symbol.market.mid.len() as u64 * 1_000_000_000;
            entry.span_ns = match entry.span_ns {
                (0, 0) => (from, to),
                (a, b) => (a.min(from), b.max(to)),
            };
            let longer = |m: &Market| m.mid.len() < symbol.market.mid.len();
            if entry.market.as_ref().is_none_or(longer) {
                entry.market = Some(symbol.market);
            }
        }
    }
    all
}

/// Fits every symbol, pools them, and returns the prior with the sections. Symbols whose market
/// cannot give units are left out. `seed` is of the resampling.
pub fn sections(
    gathered: &BTreeMap<String, Gathered>,
    given: Option<Prior>,
    seed: u64,
) -> (Prior, Vec<ImpactSection>) {
    let fits: BTreeMap<&str, Result<ImpactFit, fit::FitError>> = gathered
        .iter()
        .map(|(name, g)| (name.as_str(), fit::fit(&g.samples, !g.simulated, seed)))
        .collect();
    let prior = given.unwrap_or_else(|| {
        let told: Vec<&ImpactFit> = fits.values().filter_map(|f| f.as_ref().ok()).collect();
        Prior::pooled(&told)
    });
    let sections = gathered
        .iter()
        .filter_map(|(name, g)| {
            let own = fits.get(name.as_str())?;
            section(name, g, own, &prior, seed)
        })
        .collect();
    (prior, sections)
}

fn section(
    name: &str,
    g: &Gathered,
    own: &Result<ImpactFit, fit::FitError>,
    prior: &Prior,
    seed: u64,
) -> Option<ImpactSection> {
    let basis = mean_basis(&g.bases)?;
    let mut notes = Vec::new();
    if g.simulated {
        notes.push(
            "orders met a replayed market, which does not react: permanent impact and the decay \
             of own impact are not identified from them"
                .to_string(),
        );
    }
    if let Err(error) = own {
        notes.push(format!("not identified: own impact: {error}; the prior stands for it"));
    }
    if basis.shares_outstanding.is_none() {
        notes.push("shares outstanding are not known: (shares/volume)^1/4 is taken as 1".into());
    }
    let response = match g.market.as_ref().map(|m| response::fit(m, &basis, seed)) {
        Some(Ok(response)) => Some(response),
        Some(Err(error)) => {
            notes.push(format!("not identified: propagator: {error}"));
            None
        }
        None => None,
    };
    let own = own.as_ref().ok();
    Some(ImpactSection {
        symbol: name.to_string(),
        simulated: g.simulated,
        parents: g.parents,
        notes,
        basis,
        posterior: prior.posterior(own),
        range: Range::of(&g.samples, &basis),
        fit: own.cloned(),
        model: match own {
            Some(_) => compare::scores(&g.samples, &basis, response.as_ref()),
            None => Vec::new(),
        },
        response,
    })
}

fn mean_basis(bases: &[Basis]) -> Option<Basis> {
    let mean =
        |get: fn(&Basis) -> f64| crate::stats::mean(&bases.iter().map(get).collect::<Vec<_>>());
    let last = bases.last()?;
    let squares = mean(|b| b.volatility_bps * b.volatility_bps);
    Some(Basis {
        volatility_bps: squares.sqrt(),
        daily_volume: mean(|b| b.daily_volume),
        session_s: last.session_s,
        spread_bps: mean(|b| b.spread_bps),
        price: mean(|b| b.price),
        shares_outstanding: last.shares_outstanding,
    })
}
