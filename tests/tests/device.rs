//! A whole session whose encoder runs outside the core: where the device computes what the
//! processor computes nothing changes; where it fails the processor goes on with the same token;
//! whatever it computes, a replay needs no device.

use ijk_core::config::Config;
use ijk_core::record::RecordKind;
use ijk_core::{Condition, DepthKind, DeviceLeft, MarketEvent};
use ijk_data::spec::{FeedSpec, open_feed};
use ijk_engine::decision::recovery::nothing_to_carry;
use ijk_engine::runtime::counters::Counters;
use ijk_engine::runtime::forecaster::{Forecaster, PlacedForecaster};
use ijk_engine::runtime::journal_port::{self, PortOptions};
use ijk_engine::runtime::outbox::Outbox;
use ijk_engine::runtime::ports::{DataClock, FeedPort, FeedState};
use ijk_engine::runtime::pump::PumpShared;
use ijk_engine::runtime::replay::{ReplayOutcome, replay};
use ijk_engine::runtime::session::{Driver, Session, SessionDone};
use ijk_engine::{Kernel, KernelParts};
use ijk_infer::cuda::wire::{Entry, ROW};
use ijk_infer::cuda::{DeviceError, NoDevice, Placed, TokenStep};
use ijk_infer::shape::OUTPUTS_PER_HORIZON;
use ijk_infer::{Encoder, EncoderState, Weights, WeightsBuilder, WeightsSpec, tensor_specs};
use ijk_journal::{Durability, Reader, RecoveryMode};
use ijk_venue::SimExchange;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

static WEIGHTS: &[u8] = include_bytes!("../../models/weights/synth-5x.safetensors");

/// A device that computes with the processor's kernels, all forecasts larger by `excess`, and
/// fails as told.
struct Fake {
    encoder: Encoder,
    states: Vec<EncoderState>,
    steps: usize,
    excess: f32,
    fails: Option<(usize, DeviceLeft)>,
}

impl TokenStep for Fake {
    fn step(
        &mut self,
        entries: &[Entry],
        rows: &mut [f32],
        gives_up: &mut dyn FnMut() -> bool,
    ) -> Result<(), DeviceError> {
        self.steps += 1;
        rows.fill(7.0);
        let fails = self.fails.filter(|f| f.0 == self.steps).map(|f| f.1);
        match fails {
            Some(DeviceLeft::Failed) => {
                return Err(DeviceError::Driver { call: "step", said: "gone".into() });
            }
            Some(DeviceLeft::Late) => {
                while !gives_up() {}
                return Err(DeviceError::Deadline);
            }
            _ => {}
        }
        let members = self.encoder.member_count();
        for (entry, rows) in entries.iter().zip(rows.chunks_mut(members * ROW)) {
            let state = &mut self.states[entry.symbol as usize];
            let forecast = self.encoder.step(state, &entry.features.map(f64::from));
            for (member, row) in forecast.members.iter().zip(rows.chunks_mut(ROW)) {
                for (f, out) in member.iter().zip(row.chunks_mut(OUTPUTS_PER_HORIZON)) {
                    let [a, b, c] = f.logits;
                    let values = [a, b, c, f.mean_bps, f.log_var];
                    out.copy_from_slice(&values.map(|v| v * (1.0 + self.excess)));
                }
            }
        }
        if fails.is_some() {
            rows[3] = f32::NAN;
        }
        Ok(())
    }
}

/// The same tensors in units of one, as the device's kernel has them.
fn unscaled(weights: &Weights) -> Weights {
    let members = weights.members();
    let mut builder = WeightsBuilder::new(WeightsSpec::new(members.len()));
    for t in tensor_specs(members.len()) {
        let values = members[t.member].tensor(&t.local).unwrap();
        let values: Vec<f32> = values.iter().map(|v| v.to_f32()).collect();
        builder = builder.tensor(&t.name, t.shape, &values);
    }
    builder.finish().unwrap()
}

fn device(excess: f32, fails: Option<(usize, DeviceLeft)>) -> Option<Box<dyn Forecaster>> {
    let weights = Weights::from_bytes(WEIGHTS).unwrap();
    let encoder = Encoder::new(&unscaled(&weights));
    let states = vec![EncoderState::new(&encoder); 2];
    let fake = Fake { encoder, states, steps: 0, excess, fails };
    let placed = Placed::new(&weights, 2, Some(fake));
    Some(Box::new(PlacedForecaster::new(placed, Some(Duration::from_millis(50)))))
}

struct Rows {
    events: Vec<MarketEvent>,
    next: usize,
}

impl FeedPort for Rows {
    fn peek(&mut self) -> FeedState {
        self.events.get(self.next).map_or(FeedState::Ended, |ev| FeedState::Ready(ev.ts_receive))
    }
    fn pop(&mut self) -> Option<MarketEvent> {
        self.next += 1;
        self.events.get(self.next - 1).copied()
    }
    fn fill(&self) -> f64 {
        0.0
    }
}

/// A record of a journal.
#[derive(Clone, Debug, PartialEq)]
struct Record {
    ts: u64,
    kind: RecordKind,
    payload: Vec<u8>,
    condition: Option<Condition>,
}

/// A session, its journal, and what its replay found.
struct Run {
    done: SessionDone,
    records: Vec<Record>,
    replayed: ReplayOutcome,
}

impl Run {
    /// Outputs, with the time at which they came; not alarms.
    fn outputs(&self) -> Vec<&Record> {
        let acts = |r: &&Record| r.kind.is_output() && r.kind != RecordKind::Alarm;
        self.records.iter().filter(acts).collect()
    }

    fn count(&self, kind: RecordKind) -> usize {
        self.records.iter().filter(|r| r.kind == kind).count()
    }
}

fn kernel(config: &Config, source: &dyn ijk_core::EventSource, outside: bool) -> Kernel {
    let instruments = source.instruments();
    let depths: Vec<DepthKind> = (0..instruments.len()).map(|i| source.depth_kind(i)).collect();
    Kernel::new(KernelParts {
        config,
        instruments,
        depths: &depths,
        encoder: Some(Encoder::new(&Weights::from_bytes(WEIGHTS).unwrap())),
        outside_forecasts: outside,
        epoch: 1,
        external_venue: false,
    })
    .unwrap()
}

fn run(forecaster: Option<Box<dyn Forecaster>>) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let outside = forecaster.is_some();
    let config = Config::default();
    let feed: FeedSpec = "synth:5:240:2".parse().unwrap();
    let mut source = open_feed(&feed, 5).unwrap();
    let mut events = Vec::new();
    while let Some(ev) = source.next_event().unwrap() {
        events.push(ev);
    }
    let instruments = source.instruments().to_vec();
    let depths: Vec<DepthKind> = (0..instruments.len()).map(|i| source.depth_kind(i)).collect();
    let venue = SimExchange::new(&config.sim, &config.fees, &instruments, &depths, 5).unwrap();
    let journal = folder.path().join("journal");
    std::fs::create_dir(&journal).unwrap();
    let options = PortOptions {
        samples_path: folder.path().join("samples"),
        durability: Durability::Buffered,
        epoch: 1,
        ring_bytes: config.runtime.journal_ring_bytes,
        strategy: config.runtime.wait,
    };
    let (port, thread) = journal_port::start(&journal, &config.journal, options).unwrap();
    let counters = Counters::create(&folder.path().join("counters")).unwrap();
    let session = Session {
        kernel: kernel(&config, &*source, outside),
        outbox: Outbox::new(venue, &config.venue, &config.risk, &instruments),
        feed: Rows { events, next: 0 },
        journal: port,
        clock: DataClock::new(f64::INFINITY, config.venue.clock_step_max_ms),
        carry: nothing_to_carry(),
        alarms: None,
        desk: None,
        counters: Arc::new(counters),
        pump: Arc::new(PumpShared::default()),
        parents: Vec::new(),
        slots: Vec::new(),
        forecaster,
        feed_latency_ns: config.sim.feed_latency_us * 1_000,
        runtime: config.runtime.clone(),
        venue: config.venue.clone(),
    };
    let done = Driver::new(session).run().unwrap();
    thread.join().unwrap();
    let mut fresh = kernel(&config, &*source, outside);
    let mut reader = Reader::open(&journal, RecoveryMode::Strict).unwrap();
    let replayed = replay(&mut reader, &mut fresh).unwrap();
    Run { done, records: read(&journal), replayed }
}

fn read(journal: &Path) -> Vec<Record> {
    let mut reader = Reader::open(journal, RecoveryMode::Strict).unwrap();
    let mut records = Vec::new();
    while let Some(f) = reader.next().unwrap() {
        let is_one = f.kind == RecordKind::Condition;
        let condition = is_one.then(|| f.read::<Condition>().unwrap());
        records.push(Record { ts: f.ts, kind: f.kind, payload: f.payload.to_vec(), condition });
    }
    records
}

fn assert_replays(run: &Run) {
    assert_eq!(run.replayed.difference, None);
    assert!(run.replayed.complete);
    assert_eq!(
        run.replayed.outputs_equal as usize,
        run.outputs().len() + run.count(RecordKind::Alarm)
    );
}

#[test]
fn forecasts_from_outside_change_nothing_where_they_are_the_same() {
    let inside = run(None);
    assert_replays(&inside);
    assert_eq!(inside.count(RecordKind::Forecast), 0);
    assert!(inside.count(RecordKind::Order) > 10, "{}", inside.count(RecordKind::Order));
    let weights = Weights::from_bytes(WEIGHTS).unwrap();
    let placed: Placed<NoDevice> = Placed::new(&weights, 2, None);
    let processor: Box<dyn Forecaster> = Box::new(PlacedForecaster::new(placed, None));
    for forecaster in [Some(processor), device(0.0, None)] {
        let outside = run(forecaster);
        assert_eq!(outside.count(RecordKind::Forecast), outside.count(RecordKind::Decision));
        assert_eq!(outside.outputs(), inside.outputs());
        assert_replays(&outside);
    }
}

/// Within the token: its own forecast is the processor's, and the journal says so before it.
#[test]
fn a_device_that_fails_is_left_with_the_token_at_hand_and_on_record() {
    let inside = run(None);
    for (at, why) in
        [(1, DeviceLeft::Failed), (700, DeviceLeft::Late), (1_001, DeviceLeft::Nonsense)]
    {
        let run = run(device(0.0, Some((at, why))));
        assert_eq!(run.outputs(), inside.outputs(), "{why:?}");
        assert_replays(&run);
        let said = |c: Condition| run.records.iter().position(|r| r.condition == Some(c));
        assert_eq!(said(Condition::device(None)), Some(1), "told before anything comes");
        let place = said(Condition::device(Some(why))).unwrap();
        let before = &run.records[..place];
        let told = before.iter().filter(|r| r.kind == RecordKind::Forecast).count();
        assert_eq!(told, at - 1, "{why:?}");
        let next = &run.records[place + 1..];
        assert_eq!(next[0].kind, RecordKind::Alarm, "a person is told");
        assert_eq!(next[1].kind, RecordKind::Forecast, "and the token goes on");
        let left = run.done.place.unwrap().left.unwrap();
        assert_eq!(left.0 as usize, at - 1);
        assert!(!left.1.is_empty());
    }
}

/// What cannot be computed again is not: the journal has it.
#[test]
fn a_replay_needs_no_device() {
    let inside = run(None);
    let other = run(device(0.01, None));
    assert_ne!(other.outputs(), inside.outputs(), "other forecasts, other decisions");
    assert_replays(&other);
}
