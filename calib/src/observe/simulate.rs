//! Parents that never were: injected into a replay, executed by the kernel itself, filled by the
//! simulated exchange.
//!
//! Every plan is run twice with all sides flipped. The replayed market is the same both times, so
//! the mean cost of a pair is free of the market's own movement: what is left is what trading
//! costs.

use super::fold::Fold;
use super::{Observations, ObserveError};
use crate::market::{self, Market};
use crate::stats::bootstrap::uniform;
use ijk_core::config::Config;
use ijk_core::record::{ParentCommand, RecordKind, ScheduleKind, Urgency};
use ijk_core::time::NS_PER_S;
use ijk_core::{
    DepthKind, EventSource, FeedError, Instrument, InstrumentId, MarketEvent, Qty, RecvTs, Side,
};
use ijk_data::spec::{FeedSpec, open_feed};
use ijk_engine::decision::recovery::nothing_to_carry;
use ijk_engine::runtime::counters::Counters;
use ijk_engine::runtime::outbox::Outbox;
use ijk_engine::runtime::ports::{DataClock, FeedPort, FeedState, JournalSink};
use ijk_engine::runtime::pump::PumpShared;
use ijk_engine::runtime::session::{Driver, Session};
use ijk_engine::runtime::stages::StageSample;
use ijk_engine::{Kernel, KernelParts};
use ijk_venue::SimExchange;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// How parents are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// Parents a symbol (each is run once as a buy, once as a sale).
    pub parents: usize,
    /// Urgency; `None` draws each with equal chance.
    pub urgency: Option<Urgency>,
    /// Schedule.
    pub schedule: ScheduleKind,
    /// Smallest and largest part of the volume at the session's mean pace over the horizon.
    pub participation: (f64, f64),
    /// Seed.
    pub seed: u64,
}

/// Settings of the simulation: limits wide enough that no parent meets them; what is measured is
/// the cost of trading, not the gate.
pub fn settings(seed: u64) -> Config {
    let mut config = Config::default();
    config.run.seed = seed;
    config.run.equity_usd = 1e9;
    let risk = &mut config.risk;
    risk.start_equity_usd = 1e9;
    risk.max_order_notional_usd = 1e8;
    risk.max_order_qty = 10_000_000;
    risk.max_position_notional_usd = 1e10;
    risk.max_gross_notional_usd = 1e10;
    risk.max_net_notional_usd = 1e10;
    risk.reduce_only_loss_usd = 1e9;
    risk.halt_loss_usd = 1e9;
    config
}

/// Draws parents and runs them through the kernel and the simulated exchange over `spec`, each
/// plan twice with the sides flipped.
///
/// # Errors
/// [`ObserveError`] of the feed or of settings that cannot be used.
pub fn run(spec: &FeedSpec, draw: &Draw, config: &Config) -> Result<Observations, ObserveError> {
    let seed = config.run.seed;
    let markets = market::read(&mut *open_feed(spec, seed)?, &mut |_| {})?;
    let plan = plan(&markets, draw);
    if plan.is_empty() {
        return Err(ObserveError::Simulation(format!(
            "{spec}: no symbol trades long enough for {} parents",
            draw.parents
        )));
    }
    let mut observations: Option<Observations> = None;
    for flip in [false, true] {
        let mut parents = plan.clone();
        if flip {
            parents.iter_mut().for_each(|p| p.side = p.side.opposite());
        }
        let pass = replay(spec, parents, config)?;
        match &mut observations {
            None => observations = Some(pass),
            Some(first) => merge(first, pass),
        }
    }
    observations.ok_or_else(|| ObserveError::Simulation("nothing ran".to_string()))
}

/// Adds a second pass over the same market: parents interleave by start, so that a pair stays
/// together in every block of a resample.
fn merge(first: &mut Observations, second: Observations) {
    for (a, b) in first.symbols.iter_mut().zip(second.symbols) {
        a.parents.extend(b.parents);
        a.parents.sort_by_key(|p| p.start_ns);
        a.children.extend(b.children);
        a.children.sort_by_key(|c| c.placed_ns);
    }
    first.latencies.extend(second.latencies);
    first.latencies.sort_by_key(|l| l.sent_ns);
}

/// One parent a slot of the covered time, slots of equal length; sizes and horizons are drawn on
/// a logarithmic scale.
pub fn plan(markets: &[Market], draw: &Draw) -> Vec<ParentCommand> {
    let mut rng = ChaCha12Rng::seed_from_u64(draw.seed);
    let mut parents = Vec::new();
    for (index, market) in markets.iter().enumerate() {
        let covered = market.covered_s();
        let slot = covered / draw.parents.max(1) as f64;
        let pace = market.volume.iter().sum::<f64>() / covered.max(1.0);
        let Some(first) = market.mid.iter().position(|m| *m > 0.0) else { continue };
        if slot < 0.5 || pace <= 0.0 {
            continue;
        }
        let begin = (market.start_s + first as u64 + 1) as f64;
        for k in 0..draw.parents {
            let start_s = begin + slot * (k as f64 + 0.15 * uniform(&mut rng));
            let horizon_s = slot * log_uniform(&mut rng, 0.2, 0.8);
            let part = log_uniform(&mut rng, draw.participation.0, draw.participation.1);
            let drawn = [Urgency::Passive, Urgency::Normal, Urgency::Urgent]
                [(uniform(&mut rng) * 3.0) as usize % 3];
            let buy = rng.next_u64() & 1 == 0;
            let instrument = &market.instrument;
            let units = part * pace * horizon_s / instrument.qty_as_f64(Qty(1));
            let lot = instrument.lot.0.max(1);
            let qty = ((units / lot as f64).round() as i64).max(1).saturating_mul(lot);
            parents.push(ParentCommand {
                ts: RecvTs((start_s * 1e9) as u64),
                qty: Qty(qty),
                horizon_ns: ((horizon_s * 1e9) as u64).max(NS_PER_S / 10),
                source_line: parents.len() as u32 + 1,
                instrument: InstrumentId(index as u16),
                side: if buy { Side::Bid } else { Side::Ask },
                urgency: draw.urgency.unwrap_or(drawn),
                participation_e4: 0,
                schedule: draw.schedule,
                reserved: [0; 5],
            });
        }
    }
    parents.sort_by_key(|p| p.ts);
    parents
}

fn log_uniform(rng: &mut ChaCha12Rng, low: f64, high: f64) -> f64 {
    (low.ln() + (high / low).ln() * uniform(rng)).exp()
}

/// Runs parents over a feed on this thread, in memory.
///
/// # Errors
/// As [`run`].
pub fn replay(
    spec: &FeedSpec,
    parents: Vec<ParentCommand>,
    config: &Config,
) -> Result<Observations, ObserveError> {
    let bad = |e: &dyn std::fmt::Display| ObserveError::Simulation(e.to_string());
    let source = open_feed(spec, config.run.seed)?;
    let instruments: Vec<Instrument> = source.instruments().to_vec();
    let depths: Vec<DepthKind> = (0..instruments.len()).map(|i| source.depth_kind(i)).collect();
    let error = Rc::new(RefCell::new(None));
    let fold = Rc::new(RefCell::new(Fold::new(&instruments, &depths)));
    let exchange =
        SimExchange::new(&config.sim, &config.fees, &instruments, &depths, config.run.seed)
            .map_err(|e| bad(&e))?;
    let kernel = Kernel::new(KernelParts {
        config,
        instruments: &instruments,
        depths: &depths,
        encoder: None,
        outside_forecasts: false,
        epoch: 0,
        external_venue: false,
    })
    .map_err(|e| bad(&e))?;
    let folder = tempfile::tempdir().map_err(|e| bad(&e))?;
    let counters = Counters::create(&folder.path().join("counters")).map_err(|e| bad(&e))?;
    let session = Session {
        kernel,
        desk: None,
        outbox: Outbox::new(exchange, &config.venue, &config.risk, &instruments),
        feed: Source { source, next: None, ended: false, error: Rc::clone(&error) },
        journal: Memory { fold: Rc::clone(&fold), frames: 0 },
        clock: DataClock::new(f64::INFINITY, config.venue.clock_step_max_ms),
        carry: nothing_to_carry(),
        alarms: None,
        counters: Arc::new(counters),
        pump: Arc::new(PumpShared::default()),
        parents,
        slots: Vec::new(),
        forecaster: None,
        feed_latency_ns: config.sim.feed_latency_us * 1_000,
        runtime: config.runtime.clone(),
        venue: config.venue.clone(),
    };
    Driver::new(session).run().map_err(|e| bad(&e))?;
    if let Some(error) = error.borrow_mut().take() {
        return Err(ObserveError::Feed(error));
    }
    let fold = Rc::try_unwrap(fold).map_err(|_| bad(&"the session still holds its journal"))?;
    let (symbols, latencies) = fold.into_inner().finish();
    Ok(Observations { source: spec.to_string(), simulated: true, symbols, latencies })
}

/// A source read on the kernel's own thread.
struct Source {
    source: Box<dyn EventSource>,
    next: Option<MarketEvent>,
    ended: bool,
    error: Rc<RefCell<Option<FeedError>>>,
}

impl FeedPort for Source {
    fn peek(&mut self) -> FeedState {
        if self.next.is_none() && !self.ended {
            match self.source.next_event() {
                Ok(next) => self.next = next,
                Err(error) => *self.error.borrow_mut() = Some(error),
            }
            self.ended = self.next.is_none();
        }
        self.next.map_or(FeedState::Ended, |ev| FeedState::Ready(ev.ts_receive))
    }

    fn pop(&mut self) -> Option<MarketEvent> {
        self.next.take()
    }

    fn fill(&self) -> f64 {
        0.0
    }
}

/// A journal that is folded as it is written.
struct Memory {
    fold: Rc<RefCell<Fold>>,
    frames: u64,
}

impl JournalSink for Memory {
    fn append(&mut self, now: RecvTs, kind: RecordKind, payload: &[u8]) -> bool {
        self.fold.borrow_mut().record(now, kind, payload);
        self.frames += 1;
        true
    }

    fn durable_seq(&self) -> u64 {
        self.frames
    }

    fn frames(&self) -> u64 {
        self.frames
    }

    fn has_failed(&self) -> bool {
        false
    }

    fn sample(&mut self, _: StageSample) {}

    fn losses(&self) -> (u64, u64) {
        (0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAW: Draw = Draw {
        parents: 20,
        urgency: None,
        schedule: ScheduleKind::AlmgrenChriss,
        participation: (0.01, 0.1),
        seed: 5,
    };

    #[test]
    fn simulated_parents_come_in_pairs_over_one_market() {
        let spec: FeedSpec = "synth:3:60:1".parse().unwrap();
        let seen = run(&spec, &DRAW, &settings(1)).unwrap();
        assert!(seen.simulated);
        let symbol = &seen.symbols[0];
        let parents = &symbol.parents;
        assert!(parents.len() > 30, "{}", parents.len());
        let net: f64 = parents.iter().map(|p| p.sign).sum();
        assert!(net.abs() <= 10.0, "{net}");
        assert!(parents.iter().all(|p| p.filled > 0.0 && p.filled <= p.qty + 1e-9));
        // Urgent orders cross the spread: in the mean of pairs they pay.
        let cost = |u: usize| {
            let costs: Vec<f64> =
                parents.iter().filter(|p| p.urgency == u).map(|p| p.cost_bps()).collect();
            crate::stats::mean(&costs)
        };
        assert!(cost(2) > 0.0, "{}", cost(2));
        assert!(symbol.children.iter().any(|c| c.filled));
        assert!(symbol.children.iter().all(|c| c.seconds > 0.0 && c.queue_prints >= 0.0));
        assert!(seen.latencies.iter().all(|l| (1_000.0..=1_201.0).contains(&l.order_us)));
        assert!(seen.latencies.iter().all(|l| (l.report_us - 500.0).abs() < 1.0));
        let again = run(&spec, &DRAW, &settings(1)).unwrap();
        assert_eq!(&again.symbols[0].parents, parents, "the same seed gives the same fills");
    }
}
