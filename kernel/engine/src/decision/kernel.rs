//! The kernel: one function per input, each readable top to bottom.

use super::market_rules::MarketRules;
use super::state::{InstrumentState, mid_of};
use super::{Input, OrderTruth, Outputs, Probe, Stage};
use crate::canary::{Bug, planted};
use ijk_core::config::{Config, RiskConfig};
use ijk_core::features::Token;
use ijk_core::num::E9;
use ijk_core::record::{DecisionReason, DecisionRecord, ParentStatus, RunEnd};
use ijk_core::{
    Block, ClientOrderId, DepthKind, EnsembleForecast, EventKind, Instrument, InstrumentId,
    MarketEvent, ParentId, Px, Qty, RecvTs, Side, SlotUpdate, ids::BOOT_EPOCH_MAX, limits,
};
use ijk_execution::{ExecutionEngine, IntentBuf, ParentError, ParentSpec};
use ijk_infer::{Encoder, EncoderState};
use ijk_risk::{Gate, MarketState, TradingState};
use ijk_sizing::{Sizer, SizingInput, SizingOutcome};
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
        let KernelParts { config, instruments, depths, encoder, epoch, external_venue } = parts;
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
                let rings = encoder.as_ref().map(EncoderState::new);
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
            Input::Timer => self.on_timer(now, out),
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
        }
        let view = self.states[ev.instrument.index()].view_of(now, &quote);
        self.execution.on_market(ev.instrument, &view, &mut self.intents);
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

    fn on_token<O: Outputs, P: Probe>(
        &mut self,
        now: RecvTs,
        instrument: InstrumentId,
        token: &Token,
        out: &mut O,
        probe: &mut P,
    ) {
        self.counts.tokens += 1;
        let state = &mut self.states[instrument.index()];
        state.on_token(now, token);
        self.execution.set_market_estimates(
            instrument,
            state.vol_bps_per_day(now),
            state.volume_per_day(now),
        );
        let (Some(encoder), Some(rings)) = (&self.encoder, &mut state.encoder) else {
            return;
        };
        let forecast = encoder.step_at(rings, &token.features, now.0);
        probe.stamp(Stage::Encoder);
        let decision = self.decide(now, instrument, token, &forecast);
        self.last_decision = decision.decision_id;
        probe.stamp(Stage::Sizing);
        out.decision(now, &decision);
    }

    /// Turns one token and its forecast into a decision, and into a parent where it trades.
    fn decide(
        &mut self,
        now: RecvTs,
        instrument: InstrumentId,
        token: &Token,
        forecast: &EnsembleForecast,
    ) -> DecisionRecord {
        self.counts.decisions += 1;
        let outside = self.states[instrument.index()].outside_qty;
        let position = Qty(self.gate.position(instrument).0 - outside);
        let equity_usd = self.config.run.equity_usd + self.gate.pnl_usd();
        self.peak_equity_usd = self.peak_equity_usd.max(equity_usd);
        let blocked = self.reason_not_to_size(now, instrument, token, forecast);
        let outcome = match blocked {
            Some(reason) => {
                let target = if reason == DecisionReason::Session { Qty::ZERO } else { position };
                idle(reason, target)
            }
            None => self.size(now, instrument, token, forecast, position),
        };
        let (parent_id, reason) = self.follow_target(now, instrument, position, &outcome);
        DecisionRecord {
            decision_id: self.counts.decisions,
            token_index: token.index,
            event_index: token.event_index,
            ts_exchange: token.ts,
            features: token.features,
            mid: self.states[instrument.index()].mid().unwrap_or(0.0),
            mean_bps: outcome.mean_bps,
            epistemic_var: outcome.epistemic_var,
            aleatoric_var: outcome.aleatoric_var,
            edge_lower_bps: outcome.edge_lower_bps,
            cost_bps: outcome.cost_bps,
            kelly_fraction: outcome.kelly_fraction,
            target: outcome.target,
            position,
            parent_id,
            instrument,
            reason,
            reserved: 0,
            forecast: *forecast,
            reserved2: 0,
        }
    }

    fn reason_not_to_size(
        &self,
        now: RecvTs,
        instrument: InstrumentId,
        token: &Token,
        forecast: &EnsembleForecast,
    ) -> Option<DecisionReason> {
        let state = &self.states[instrument.index()];
        let session = state.instrument.session;
        // Twice the slicer's own cut-off: what is held is flattened while parents still start.
        let cut_off_s = self.config.execution.no_new_before_close_s.saturating_mul(2);
        let last_entry_ns =
            session.close_ns.saturating_sub(cut_off_s.saturating_mul(1_000_000_000));
        let is_over = now.0 >= last_entry_ns || state.day_ends;
        if !token.two_sided || !self.is_tradable(instrument) {
            Some(DecisionReason::BadBook)
        } else if now.0 < session.open_ns || is_over {
            Some(DecisionReason::Session)
        } else if token.index < self.config.features.warm_up_tokens {
            Some(DecisionReason::WarmUp)
        } else if forecast.member_count == 0 {
            Some(DecisionReason::BadForecast)
        } else {
            None
        }
    }

    fn size(
        &self,
        now: RecvTs,
        instrument: InstrumentId,
        token: &Token,
        forecast: &EnsembleForecast,
        position: Qty,
    ) -> SizingOutcome {
        let state = &self.states[instrument.index()];
        let mid = state.mid().unwrap_or(0.0);
        let equity_usd = self.config.run.equity_usd + self.gate.pnl_usd();
        let unit_usd = mid * state.instrument.qty_as_f64(Qty(1));
        // Fees have a minimum an order: price them at the size that children will have.
        let typical = Qty(self.child_expected(now, state));
        let px = Px::from_f64(mid).unwrap_or_default();
        let fee_bps = self.fees.taker_bps(&state.instrument, px, typical);
        self.sizer.decide(&SizingInput {
            forecast,
            mid,
            spread_bps: 1e4 * (token.ask.0.0 - token.bid.0.0) as f64 * 1e-9 / mid,
            fee_bps_per_side: fee_bps,
            position,
            equity_usd,
            peak_equity_usd: self.peak_equity_usd,
            notional_per_unit_usd: unit_usd,
            lot: state.instrument.lot,
            vol_bps_per_day: state.vol_bps_per_day(now),
            tokens_per_day: state.tokens_per_day(now),
            may_add_risk: self.gate.state() == TradingState::Active && !self.finishing,
            distrust: self.encoder.as_ref().map_or(0.0, |e| e.distrust(&token.features)),
            interval_z90: self
                .encoder
                .as_ref()
                .and_then(|e| e.interval_z90(self.config.sizing.horizon_index)),
        })
    }

    /// Returns what a parent of the forecast can trade within its horizon without passing the
    /// participation cap, whole lots, at least the smallest child.
    fn parent_qty_max(&self, now: RecvTs, state: &InstrumentState) -> i64 {
        let horizon_ns = self.config.sizing.parent_horizon_s * 1e9;
        let share = self.config.execution.participation_max * state.volume_in(now, horizon_ns);
        let lot = state.instrument.lot.0;
        let least = match state.instrument.qty_unit_e9 {
            E9 => self.config.execution.child_qty_min,
            _ => lot,
        };
        (share as i64).max(least) / lot * lot
    }

    /// Returns the quantity of one child such a parent is cut into.
    fn child_expected(&self, now: RecvTs, state: &InstrumentState) -> i64 {
        let slice_s = self.config.execution.slice_interval_ms as f64 / 1e3;
        let slices = (self.config.sizing.parent_horizon_s / slice_s).ceil().max(1.0);
        let whole = self.parent_qty_max(now, state);
        let child = (whole as f64 / slices) as i64;
        child.max(self.config.execution.child_qty_min).min(whole).max(state.instrument.lot.0)
    }

    /// Starts a parent towards the target. While the last one still works, nothing is started; it
    /// is stopped where the target no longer lies on its side.
    fn follow_target(
        &mut self,
        now: RecvTs,
        instrument: InstrumentId,
        position: Qty,
        outcome: &SizingOutcome,
    ) -> (ParentId, DecisionReason) {
        let delta = outcome.target.0 - position.0;
        let side = if delta > 0 { Side::Bid } else { Side::Ask };
        let own = self.states[instrument.index()].own_parent;
        let working = self.execution.parent(own).filter(|p| p.status == ParentStatus::Active);
        if let Some(parent) = working {
            let turned = delta != 0 && parent.side != side;
            if turned || outcome.reason == DecisionReason::NoEdge {
                self.execution.stop_parent(own, &mut self.intents);
            }
            let reason = if delta == 0 { outcome.reason } else { DecisionReason::Busy };
            return (ParentId(0), reason);
        }
        if delta == 0 {
            return (ParentId(0), outcome.reason);
        }
        let state = &self.states[instrument.index()];
        let view = state.view(now);
        let spec = ParentSpec {
            instrument,
            side,
            qty: Qty(delta.abs().min(self.parent_qty_max(now, state))),
            horizon_ns: (self.config.sizing.parent_horizon_s * 1e9) as u64,
            urgency: self.config.sizing.parent_urgency,
            schedule: self.config.execution.schedule,
            participation_e4: 0,
            decision_id: self.counts.decisions,
            source_line: 0,
        };
        match self.execution.start_parent(now, &spec, &view) {
            Ok(id) => {
                self.states[instrument.index()].own_parent = id;
                (id, outcome.reason)
            }
            Err(ParentError::NoBook) => (ParentId(0), DecisionReason::BadBook),
            Err(ParentError::TooCloseToEnd) => (ParentId(0), DecisionReason::Session),
            Err(ParentError::Full) => (ParentId(0), DecisionReason::Busy),
            // Stopped for good, or a quantity no parent can have (off-lot holdings).
            Err(_) => (ParentId(0), DecisionReason::Halted),
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

    /// Returns the risk gate, for its ledger.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Returns whether the instrument has a market that orders could be priced on.
    pub fn is_tradable(&self, instrument: InstrumentId) -> bool {
        self.states.get(instrument.index()).is_some_and(|s| s.quote().trusted && s.mid().is_some())
    }
}

/// A sizing outcome that changes nothing.
fn idle(reason: DecisionReason, target: Qty) -> SizingOutcome {
    SizingOutcome {
        target,
        reason,
        mean_bps: 0.0,
        epistemic_var: 0.0,
        aleatoric_var: 0.0,
        edge_lower_bps: 0.0,
        cost_bps: 0.0,
        kelly_fraction: 0.0,
    }
}
