//! Does the calibrated cost come true? Calibrated on the first part of a day, asked of the rest.
//!
//! Of a prediction made once, the noise of a single order is far above the cost itself; what can
//! be tested is the mean over many: `mean(realised − predicted)` with its standard error.

use crate::impact::calibrate::{gather, sections};
use crate::impact::fit::GAMMA;
use crate::impact::predict::cost_and_gradient;
use crate::impact::sample::{Basis, Sample, samples};
use crate::observe::{Observations, SymbolObservations};
use crate::stats::bootstrap::{Blocks, block_length, parameter};
use crate::stats::{Parameter, mean};
use serde::Serialize;
use std::collections::BTreeMap;

const RESAMPLES: usize = 1_000;

/// The result of one symbol and one urgency.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accuracy {
    /// Source.
    pub source: String,
    /// Symbol.
    pub symbol: String,
    /// How the orders were executed.
    pub method: String,
    /// Orders the model learned from.
    pub learned_from: usize,
    /// Orders asked about.
    pub asked: usize,
    /// Orders refused, outside the calibrated range.
    pub refused: usize,
    /// Mean realised cost, basis points.
    pub realised_bps: f64,
    /// Mean predicted cost, basis points.
    pub predicted_bps: f64,
    /// Mean of realised less predicted, basis points, with its block-bootstrap interval.
    pub bias_bps: Parameter,
    /// Standard deviation of one order's error, basis points.
    pub one_order_bps: f64,
}

/// Learns from the parents of `source` that started in the first part `learn` of its orders and
/// predicts the rest: units, coefficients and range all come from before the first order asked
/// about. `None` for a symbol without enough orders on either side.
pub fn of(source: &Observations, method: &str, learn: f64, seed: u64) -> Vec<Accuracy> {
    source
        .symbols
        .iter()
        .filter_map(|symbol| of_symbol(source, symbol, method, learn, seed))
        .collect()
}

fn of_symbol(
    source: &Observations,
    symbol: &SymbolObservations,
    method: &str,
    learn: f64,
    seed: u64,
) -> Option<Accuracy> {
    let cut = (symbol.parents.len() as f64 * learn) as usize;
    let cut_ns = symbol.parents.get(cut)?.start_ns;
    let early = SymbolObservations {
        market: symbol.market.until(cut_ns),
        parents: symbol.parents.iter().filter(|p| p.end_ns < cut_ns).copied().collect(),
        children: Vec::new(),
    };
    let known = Observations {
        source: source.source.clone(),
        simulated: source.simulated,
        symbols: vec![early],
        latencies: Vec::new(),
    };
    let gathered = gather(vec![known], &BTreeMap::new());
    let (_, found) = sections(&gathered, None, seed);
    let section = found.first()?;
    let basis: &Basis = &section.basis;
    let range = section.range.as_ref()?;
    let late: Vec<Sample> =
        samples(symbol, basis).into_iter().filter(|s| s.start_ns >= cut_ns).collect();
    let within = |v: f64, (low, high): (f64, f64)| low <= v && v <= high;
    let asked: Vec<&Sample> =
        late.iter().filter(|s| within(s.size, range.size) && within(s.rate, range.rate)).collect();
    let mut p = section.posterior.mean.clone();
    if source.simulated {
        p[GAMMA] = 0.0;
    }
    let predicted = |s: &Sample| {
        cost_and_gradient(&p, s.urgency, s.half_spread, s.size, s.rate, s.turnover).0
            * s.volatility_bps
    };
    let errors: Vec<f64> = asked.iter().map(|s| s.cost * s.volatility_bps - predicted(s)).collect();
    if errors.len() < 10 {
        return None;
    }
    // Pairs of flipped orders stand side by side: a block holds whole pairs.
    let block = 2 * block_length(errors.len());
    let mut blocks = Blocks::new(errors.len(), block, seed);
    let means: Vec<f64> = (0..RESAMPLES)
        .map(|_| mean(&blocks.draw().iter().map(|&i| errors[i]).collect::<Vec<_>>()))
        .collect();
    let realised: Vec<f64> = asked.iter().map(|s| s.cost * s.volatility_bps).collect();
    Some(Accuracy {
        source: source.source.clone(),
        symbol: section.symbol.clone(),
        method: method.to_string(),
        learned_from: section.fit.as_ref().map_or(0, |f| f.parents),
        asked: errors.len(),
        refused: late.len() - errors.len(),
        realised_bps: mean(&realised),
        predicted_bps: mean(&realised) - mean(&errors),
        bias_bps: parameter(mean(&errors), &means, blocks.independent()),
        one_order_bps: crate::stats::variance(&errors).sqrt(),
    })
}
