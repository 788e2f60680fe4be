//! The kernel: one function per input, each readable top to bottom.

use super::market_rules::MarketRules;
use super::state::{InstrumentState, mid_of};
use super::{Input, OrderTruth, Outputs, Probe, Stage};
use crate::canary::{Bug, planted};
use ijk_core::config::{Config, RiskConfig};
use ijk_core::features::Token;
use ijk_core::num::E9;
use ijk_core::record::RunEnd;
use ijk_core::{
    Block, ClientOrderId, DepthKind, EventKind, Instrument, InstrumentId, MarketEvent, Qty, RecvTs,
    SlotUpdate, ids::BOOT_EPOCH_MAX, limits,
};
use ijk_execution::{ExecutionEngine, IntentBuf};
use ijk_infer::{Encoder, EncoderState};
use ijk_risk::{Gate, MarketState, Quote, TradingState};
use ijk_sizing::Sizer;
use ijk_venue::fees::FeeEstimator;

/// Why a kernel cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// No instrument, or more than the kernel serves.
    #[error("{0} instruments: the kernel serves 1 to {max}", max = limits::INSTRUMENT_COUNT_MAX)]
    InstrumentCount(usize),
    /// `features.stride` is zero.
    #[error("features.stride is 0: a token needs at least one event")]
    Stride,
    /// `sizing.parent_horizon_s` is no time to trade in.
    #[error("sizing.parent_horizon_s is {0}; use seconds above 0, at most 86400")]
    ParentHorizon(f64),
    /// Sizing settings.
    #[error("sizing: {0}")]
    Sizing(#[from] ijk_sizing::SizingConfigError),
    /// Execution settings.
    #[error("execution: {0}")]
    Execution(#[from] ijk_execution::ExecutionConfigError),
    /// Risk settings.
    #[error("risk: {0}")]
    Risk(#[from] ijk_risk::RiskConfigError),
    /// `risk.last_close` of a symbol.
    #[error("risk.last_close.{symbol} is {value}; use the last close, above 0")]
    LastClose {
        /// The symbol.
        symbol: String,
        /// What stands there.
        value: f64,
    },
    /// `risk.market_index` without what it needs.
    #[error("risk.market_index is '{0}': it must be in the feed and have a close in last_close")]
    MarketIndex(String),
    /// Fee settings.
    #[error("{0}")]
    Fees(#[from] ijk_venue::fees::FeeConfigError),
}

/// What a kernel is built from.
pub struct KernelParts<'a> {
    /// Effective settings.
    pub config: &'a Config,
    /// Instrument table of the run.
    pub instruments: &'a [Instrument],
    /// How each instrument's feed describes its book.
    pub depths: &'a [DepthKind],
    /// The ensemble; without one the kernel executes outside parents only.
    pub encoder: Option<Encoder>,
    /// Forecasts are made outside, on a device, and come as [`Input::Forecast`]: after each market
    /// record that leaves [`Kernel::waiting`] set, before any other input. The ensemble then only
    /// tells how far its words go.
    pub outside_forecasts: bool,
    /// Boot epoch: order ids of different epochs never meet.
    pub epoch: u32,
    /// Whether orders at the venue outlive this process. If so nothing is sent until what an
    /// earlier run left was taken over, the link stands, and the accounts were compared.
    pub external_venue: bool,
}

/// Largest child that the gate lets pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChildLimits {
    pub qty: Qty,
    pub notional_usd: f64,
}

impl ChildLimits {
    pub fn new(risk: &RiskConfig, states: &[InstrumentState]) -> ChildLimits {
        // The gate's limit is in whole units; among fractions only the value limits a child.
        let whole = states.iter().all(|s| s.instrument.qty_unit_e9 == E9);
        let qty = Qty(if whole { risk.max_order_qty } else { i64::MAX });
        ChildLimits { qty, notional_usd: risk.order_notional_limit_usd() }
    }

    pub fn min(self, other: ChildLimits) -> ChildLimits {
        ChildLimits {
            qty: self.qty.min(other.qty),
            notional_usd: self.notional_usd.min(other.notional_usd),
        }
    }
}

/// The decision core of up to 64 instruments.
pub struct Kernel {
    pub(super) config: Config,
    pub(super) states: Vec<InstrumentState>,
    pub(super) encoder: Option<Encoder>,
    pub(super) outside_forecasts: bool,
    /// The token whose forecast is to come from outside.
    pub(super) waiting: Option<(InstrumentId, Token)>,
    pub(super) sizer: Sizer,
    pub(super) execution: ExecutionEngine,
    pub(super) child_limits: ChildLimits,
    pub(super) gate: Gate,
    pub(super) rules: MarketRules,
    pub(super) truth: OrderTruth,
    pub(super) fees: FeeEstimator,
    pub(super) intents: IntentBuf,
    pub(super) counts: RunEnd,
    pub(super) finishing: bool,
    /// Request for the venue's account that closes the run.
    pub(super) last_request: u64,
    pub(super) last_decision: u64,
    /// Highest equity at a decision of this run, dollars.
    pub(super) peak_equity_usd: f64,
}

impl Kernel {
    /// Builds a kernel and takes all its memory.
    ///
    /// # Errors
    /// [`KernelError`] names the setting that cannot be used.
    pub fn new(parts: KernelParts<'_>) -> Result<Kernel, KernelError> {
        let KernelParts { config, instruments, depths, epoch, external_venue, .. } = parts;
        let (encoder, outside_forecasts) = (parts.encoder, parts.outside_forecasts);
        let count = instruments.len();
        if count == 0 || count > limits::INSTRUMENT_COUNT_MAX || depths.len() != count {
            return Err(KernelError::InstrumentCount(count));
        }
        if config.features.stride == 0 {
            return Err(KernelError::Stride);
        }
        let horizon_s = config.sizing.parent_horizon_s;
        if !(horizon_s > 0.0 && horizon_s <= 86_400.0) {
            return Err(KernelError::ParentHorizon(horizon_s));
        }
        let states = instruments
            .iter()
            .zip(depths)
            .map(|(instrument, &depth)| {
                let inside = encoder.as_ref().filter(|_| !outside_forecasts);
                let rings = inside.map(EncoderState::new);
                InstrumentState::new(instrument, depth, config.features.stride, rings)
            })
            .collect::<Vec<_>>();
        let mut execution = ExecutionEngine::new(&config.execution, instruments)?;
        let child_limits = ChildLimits::new(&config.risk, &states);
        execution.set_child_limits(child_limits.qty, child_limits.notional_usd);
        let epoch = if planted(Bug::ReuseIds) { 1 } else { epoch.min(BOOT_EPOCH_MAX) };
        let first_id = ClientOrderId::first_of(epoch);
        execution.set_client_order_base(first_id.0);
        let mut gate = Gate::new(&config.risk, instruments)?;
        gate.set_client_floor(ClientOrderId(first_id.0 - 1));
        gate.block(RecvTs(0), Block::Recovery);
        let mut truth = OrderTruth::new(&config.venue, external_venue);
        truth.set_epoch(if planted(Bug::ReuseIds) { 0 } else { epoch });
        if external_venue {
            gate.block(RecvTs(0), Block::Link);
            gate.block(RecvTs(0), Block::Reconcile);
            gate.require_clock_offset();
        }
        let rules = MarketRules::new(&config.risk, instruments, &mut gate)?;
        Ok(Kernel {
            config: config.clone(),
            states,
            encoder,
            outside_forecasts,
            waiting: None,
            sizer: Sizer::new(&config.sizing)?,
            execution,
            child_limits,
            gate,
            rules,
            truth,
            fees: FeeEstimator::new(&config.fees)?,
            intents: IntentBuf::new(),
            counts: RunEnd {
                market_records: 0,
                rows: 0,
                tokens: 0,
                decisions: 0,
                orders: 0,
                fills: 0,
            },
            finishing: false,
            last_request: 0,
            last_decision: 0,
            peak_equity_usd: config.run.equity_usd,
        })
    }

    /// Takes one input. `now` must not decrease.
    pub fn on_input<O: Outputs, P: Probe>(
        &mut self,
        now: RecvTs,
        input: &Input<'_>,
        out: &mut O,
        probe: &mut P,
    ) {
        probe.enter();
        self.last_decision = 0;
        match input {
            Input::Market(ev) => self.on_market(now, ev, out, probe),
            Input::Report(report) => self.truth.on_report(now, report),
            Input::Parent(command) => self.on_parent(now, command, out),
            Input::Control(command) => self.on_control(now, command, out),
            Input::Link(event) => self.truth.on_link(now, event),
            Input::Snapshot(item) => {
                let gate = &self.gate;
                self.truth.on_snapshot(now, item, |i| gate.position(i).0);
            }
            Input::Carry(item) => self.on_carry(now, item),
            Input::Condition(condition) => self.on_condition(now, condition, out),
            Input::Limits(risk) => self.on_limits(now, risk, out),
            Input::Slot(update) => self.on_slot(update),
            Input::Forecast(record) => self.on_forecast(now, record, out, probe),
            Input::Timer => self.on_timer(now, out),
        }
        if self.waiting.is_some() && matches!(input, Input::Market(_)) {
            // What follows belongs behind the decision, as where the core forecasts itself.
            return probe.leave(0);
        }
        self.truth.on_time(now);
        self.settle(now, out);
        self.execution.drain_changes(|record| out.parent(now, record));
        probe.leave(self.last_decision);
    }

    fn on_market<O: Outputs, P: Probe>(
        &mut self,
        now: RecvTs,
        ev: &MarketEvent,
        out: &mut O,
        probe: &mut P,
    ) {
        let Some(state) = self.states.get_mut(ev.instrument.index()) else {
            debug_assert!(false, "Invariant: events name instruments of the table.");
            return;
        };
        // A forecast that never came is not waited for.
        self.waiting = None;
        self.counts.market_records += 1;
        state.apply(now, ev);
        probe.stamp(Stage::Book);
        let token = state.features.on_record(ev, &state.book);
        probe.stamp(Stage::Features);
        match ev.kind {
            EventKind::Halt => {
                self.gate.on_market_state(now, ev.instrument, MarketState::Halted);
            }
            EventKind::Resume => self.gate.on_market_state(now, ev.instrument, MarketState::Open),
            _ => {}
        }
        if ev.visible_trade().is_some() {
            self.rules.on_trade(now, ev.instrument, ev.px, &mut self.gate);
        }
        if !ev.ends_row() {
            return;
        }
        self.counts.rows += 1;
        // Found once: the book stays as it is until the next record.
        let quote = state.quote();
        let mid = mid_of(&quote);
        let traded = std::mem::replace(&mut state.row_traded, false);
        // Bad data quarantines the instrument.
        self.gate.on_quote(now, ev.instrument, &quote, traded);
        if let Some(mid) = mid {
            if quote.trusted {
                out.mark(now, ev.instrument, mid);
            }
            self.mark(now, ev.instrument, mid);
            self.rules.on_mid(now, ev.instrument, mid, &mut self.gate);
        }
        self.end_day(now, ev.instrument);
        if let Some(token) = token {
            self.on_token(now, ev.instrument, &token, out, probe);
            if self.waiting.is_some() {
                return;
            }
        }
        self.work(now, ev.instrument, &quote, out, probe);
    }

    /// Lets the parents of an instrument act on its market.
    pub(super) fn work<O: Outputs, P: Probe>(
        &mut self,
        now: RecvTs,
        instrument: InstrumentId,
        quote: &Quote,
        out: &mut O,
        probe: &mut P,
    ) {
        let view = self.states[instrument.index()].view_of(now, quote);
        self.execution.on_market(instrument, &view, &mut self.intents);
        probe.stamp(Stage::Slicer);
        self.route_intents(now, out);
        probe.stamp(Stage::Risk);
    }

    /// Tells the encoder of one instrument what another modality knew. One that fits no slot of the
    /// model changes nothing: whoever reads slot files refuses it before.
    fn on_slot(&mut self, update: &SlotUpdate) {
        let state = self.states.get_mut(update.instrument.index());
        if let (Some(encoder), Some(rings)) =
            (&self.encoder, state.and_then(|s| s.encoder.as_mut()))
        {
            encoder.know(rings, update);
        }
    }

    /// Marks the account; a loss limit reached here ends all parents.
    fn mark(&mut self, now: RecvTs, instrument: InstrumentId, mid: f64) {
        let before = self.gate.state();
        self.gate.on_mark(now, instrument, mid);
        if self.gate.state() > before && self.gate.state() >= TradingState::Halted {
            self.execution.stop_all(&mut self.intents);
        }
    }

    /// Returns when the core next wants a [`Input::Timer`], if nothing else comes.
    pub fn next_deadline(&self) -> Option<RecvTs> {
        let deadlines = [self.execution.next_deadline(), self.truth.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Returns whether the run may be closed: nothing of ours is alive at the venue, and it was
    /// asked after the end.
    pub fn is_settled(&self) -> bool {
        self.truth.live_count() == 0 && self.truth.last_answer() >= self.last_request
    }

    /// Returns what is known of the orders at the venue.
    pub fn truth(&self) -> &OrderTruth {
        &self.truth
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> RunEnd {
        self.counts
    }

    /// Returns the ensemble, where it runs inside the core.
    pub fn encoder(&self) -> Option<&Encoder> {
        self.encoder.as_ref().filter(|_| !self.outside_forecasts)
    }

    /// Returns the risk gate, for its ledger.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Returns whether the instrument has a market that orders could be priced on.
    pub fn is_tradable(&self, instrument: InstrumentId) -> bool {
        self.states.get(instrument.index()).is_some_and(|s| s.quote().trusted && s.mid().is_some())
    }
}
