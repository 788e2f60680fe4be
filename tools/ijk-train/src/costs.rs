//! What forecasts are worth after costs: every model trades the same way in the simulated
//! exchange, through the kernel's own order path.
//!
//! A model that tells up (down) with more than the threshold while flat sends an urgent parent
//! that takes liquidity, and closes it `hold` tokens after. Same rule, same latency, same fees for
//! all; the ensemble is also run as the kernel itself would trade it, with its own sizing.

use crate::exit::{DATA, Exit};
use ijk_core::config::Config;
use ijk_core::record::{ParentCommand, RecordKind, ScheduleKind, Urgency};
use ijk_core::{InstrumentId, MarketEvent, Qty, RecvTs, Side, SlotUpdate};
use ijk_data::{FeedSpec, open_feed};
use ijk_engine::decision::recovery::nothing_to_carry;
use ijk_engine::runtime::counters::{Counter, Counters};
use ijk_engine::runtime::outbox::Outbox;
use ijk_engine::runtime::ports::{DataClock, FeedPort, FeedState, JournalSink};
use ijk_engine::runtime::pump::PumpShared;
use ijk_engine::runtime::session::{Driver, Session, Step};
use ijk_engine::runtime::stages::StageSample;
use ijk_engine::{Kernel, KernelParts};
use ijk_infer::{Encoder, Weights};
use ijk_venue::SimExchange;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Shares of one trade of the common rule.
const QTY: i64 = 100;
/// Time a parent may take: it is urgent and takes what is shown.
const PARENT_NS: u64 = 2_000_000_000;

/// What a run in the simulated exchange left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traded {
    /// Name of the model, with the way it traded.
    pub name: String,
    /// Profit after fees, dollars, marked at the mid.
    pub pnl_usd: f64,
    /// Fees, dollars.
    pub fees_usd: f64,
    /// Fills.
    pub fills: u64,
    /// Orders.
    pub orders: u64,
    /// Change of the account over each stretch of 256 market records, dollars.
    pub changes_usd: Vec<f64>,
}

/// Holds the records of a whole feed.
struct Held {
    events: Vec<MarketEvent>,
    next: usize,
}

impl FeedPort for Held {
    fn peek(&mut self) -> FeedState {
        self.events.get(self.next).map_or(FeedState::Ended, |ev| FeedState::Ready(ev.ts_receive))
    }
    fn pop(&mut self) -> Option<MarketEvent> {
        let ev = self.events.get(self.next).copied()?;
        self.next += 1;
        Some(ev)
    }
    fn fill(&self) -> f64 {
        0.0
    }
}

/// Counts records and keeps none.
#[derive(Default)]
struct NoJournal(u64);

impl JournalSink for NoJournal {
    fn append(&mut self, _: RecvTs, _: RecordKind, _: &[u8]) -> bool {
        self.0 += 1;
        true
    }
    fn durable_seq(&self) -> u64 {
        self.0
    }
    fn frames(&self) -> u64 {
        self.0
    }
    fn has_failed(&self) -> bool {
        false
    }
    fn sample(&mut self, _: StageSample) {}
    fn losses(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// When a model trades: exchange time of the token's close, and up (1), down (-1) or nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signal {
    /// Receive time of the close, nanoseconds.
    pub at_ns: u64,
    /// Direction wanted.
    pub direction: i8,
}

/// Returns the parents of the common rule: in at a signal while flat, out `hold` signals after.
pub fn parents(signals: &[Signal], hold: usize) -> Vec<ParentCommand> {
    let mut out = Vec::new();
    let mut t = 0;
    while t + hold < signals.len() {
        let side = match signals[t].direction {
            1 => Side::Bid,
            -1 => Side::Ask,
            _ => {
                t += 1;
                continue;
            }
        };
        for (at, side) in [(t, side), (t + hold, side.opposite())] {
            out.push(ParentCommand {
                ts: RecvTs(signals[at].at_ns),
                qty: Qty(QTY),
                horizon_ns: PARENT_NS,
                source_line: 0,
                instrument: InstrumentId(0),
                side,
                urgency: Urgency::Urgent,
                participation_e4: 0,
                schedule: ScheduleKind::default(),
                reserved: [0; 5],
            });
        }
        t += hold + 1;
    }
    out
}

/// Runs one feed (its first instrument) through the kernel and the simulated exchange with outside
/// parents, or with an ensemble that trades by itself, told what its slots knew.
///
/// # Errors
/// [`Exit`] where the feed cannot be read or the default settings do not fit it.
pub fn trade(
    name: &str,
    feed: &FeedSpec,
    seed: u64,
    parents: Vec<ParentCommand>,
    ensemble: Option<(&Weights, Vec<SlotUpdate>)>,
) -> Result<Traded, Exit> {
    let mut source = open_feed(feed, seed).map_err(|e| Exit::new(DATA, e))?;
    let config = Config::default();
    let instruments = source.instruments().to_vec();
    let depths: Vec<_> = (0..instruments.len()).map(|i| source.depth_kind(i)).collect();
    let mut events = Vec::new();
    while let Some(ev) = source.next_event().map_err(|e| Exit::new(DATA, e))? {
        events.push(ev);
    }
    let bug = |e: &dyn std::fmt::Display| Exit::new(70, e);
    let venue = SimExchange::new(&config.sim, &config.fees, &instruments, &depths, seed)
        .map_err(|e| bug(&e))?;
    let kernel = Kernel::new(KernelParts {
        config: &config,
        instruments: &instruments,
        depths: &depths,
        encoder: ensemble.as_ref().map(|(weights, _)| Encoder::new(weights)),
        outside_forecasts: false,
        epoch: 1,
        external_venue: false,
    })
    .map_err(|e| bug(&e))?;
    let folder = tempfile::tempdir().map_err(|e| bug(&e))?;
    let counters = Counters::create(&folder.path().join("counters")).map_err(|e| bug(&e))?;
    let counters = Arc::new(counters);
    let mut driver = Driver::new(Session {
        kernel,
        outbox: Outbox::new(venue, &config.venue, &config.risk, &instruments),
        feed: Held { events, next: 0 },
        journal: NoJournal::default(),
        clock: DataClock::new(f64::INFINITY, config.venue.clock_step_max_ms),
        carry: nothing_to_carry(),
        alarms: None,
        counters: Arc::clone(&counters),
        pump: Arc::new(PumpShared::default()),
        parents,
        slots: ensemble.map_or(Vec::new(), |(_, slots)| slots),
        forecaster: None,
        desk: None,
        feed_latency_ns: config.sim.feed_latency_us * 1_000,
        runtime: config.runtime.clone(),
        venue: config.venue.clone(),
    });
    let mut equity = vec![0.0];
    let mut seen = 0;
    while driver.step() != Step::Ended {
        let records = counters.get(Counter::MarketRecords);
        if records != seen {
            seen = records;
            equity.push(counters.get(Counter::PnlMicroUsd) as i64 as f64 / 1e6);
        }
    }
    let done = driver.run().map_err(|e| bug(&e))?;
    equity.push(done.kernel.gate().pnl_usd());
    Ok(Traded {
        name: name.to_owned(),
        pnl_usd: done.kernel.gate().pnl_usd(),
        fees_usd: done.kernel.gate().fees_usd(),
        fills: done.kernel.counts().fills,
        orders: done.kernel.counts().orders,
        changes_usd: equity.windows(2).map(|w| w[1] - w[0]).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signals(directions: &[i8]) -> Vec<Signal> {
        let at = |(i, &direction): (usize, &i8)| Signal { at_ns: 1_000 * i as u64, direction };
        directions.iter().enumerate().map(at).collect()
    }

    #[test]
    fn the_rule_opens_while_flat_and_closes_after_the_hold() {
        let all = parents(&signals(&[0, 1, -1, 1, 0, -1, 0, 0, 1]), 2);
        let seen: Vec<(u64, Side)> = all.iter().map(|p| (p.ts.0 / 1_000, p.side)).collect();
        let expected = [(1, Side::Bid), (3, Side::Ask), (5, Side::Ask), (7, Side::Bid)];
        assert_eq!(seen, expected, "the last signal has no token to close at");
    }

    #[test]
    fn a_round_trip_pays_its_costs_and_silence_pays_nothing() {
        let feed: FeedSpec = "synth:5:20".parse().unwrap();
        let mut source = open_feed(&feed, 1).unwrap();
        let mut times = Vec::new();
        while let Some(ev) = source.next_event().unwrap() {
            times.push(ev.ts_receive.0);
        }
        let tokens: Vec<Signal> =
            times.chunks(200).map(|c| Signal { at_ns: c[0], direction: 1 }).skip(20).collect();
        let traded = trade("up", &feed, 1, parents(&tokens, 1), None).unwrap();
        assert!(traded.fills > 10 && traded.fees_usd > 0.0, "{traded:?}");
        // Where the price went is won on one side and lost on the other: what is left of both
        // together is the spread and the fees.
        let down: Vec<Signal> = tokens.iter().map(|s| Signal { direction: -1, ..*s }).collect();
        let other = trade("down", &feed, 1, parents(&down, 1), None).unwrap();
        let (both, fees) = (traded.pnl_usd + other.pnl_usd, traded.fees_usd + other.fees_usd);
        assert!(both < -fees, "{both} {fees}");
        let sum: f64 = traded.changes_usd.iter().sum();
        assert!((sum - traded.pnl_usd).abs() < 1e-6, "the changes are the whole account");
        let silent = trade("never", &feed, 1, Vec::new(), None).unwrap();
        assert_eq!((silent.fills, silent.pnl_usd), (0, 0.0));
    }
}
