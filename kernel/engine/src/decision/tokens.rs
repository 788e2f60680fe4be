//! From a closed token to a decision: forecast, inside or outside the core, sizing, parent.

use super::kernel::Kernel;
use super::state::InstrumentState;
use super::{Outputs, Probe, Stage};
use ijk_core::features::Token;
use ijk_core::num::E9;
use ijk_core::record::{DecisionReason, DecisionRecord, ForecastRecord, ParentStatus};
use ijk_core::{EnsembleForecast, InstrumentId, ParentId, Px, Qty, RecvTs, Side, limits};
use ijk_execution::{ParentError, ParentSpec};
use ijk_risk::TradingState;
use ijk_sizing::{SizingInput, SizingOutcome};

impl Kernel {
    /// Takes up the token that waits where its market record left it. A forecast of any other
    /// token changes nothing.
    pub(super) fn on_forecast<O: Outputs, P: Probe>(
        &mut self,
        now: RecvTs,
        record: &ForecastRecord,
        out: &mut O,
        probe: &mut P,
    ) {
        let wanted = (record.instrument, record.token_index);
        let waiting = self.waiting.take_if(|(id, token)| (*id, token.index) == wanted);
        let Some((instrument, token)) = waiting else { return };
        let mut forecast = record.forecast;
        // From a journal anything may come: more members than there are is no forecast.
        if forecast.member_count as usize > limits::MEMBER_COUNT_MAX {
            forecast = EnsembleForecast::default();
        }
        self.conclude(now, instrument, &token, &forecast, out, probe);
        let quote = self.states[instrument.index()].quote();
        self.work(now, instrument, &quote, out, probe);
    }

    /// Returns the token whose forecast the core waits for.
    pub fn waiting(&self) -> Option<&(InstrumentId, Token)> {
        self.waiting.as_ref()
    }

    pub(super) fn on_token<O: Outputs, P: Probe>(
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
        if self.outside_forecasts && self.encoder.is_some() {
            self.waiting = Some((instrument, *token));
            return;
        }
        let (Some(encoder), Some(rings)) = (&self.encoder, &mut state.encoder) else {
            return;
        };
        let forecast = encoder.step_at(rings, &token.features, now.0);
        self.conclude(now, instrument, token, &forecast, out, probe);
    }

    /// Decides on a token and its forecast.
    fn conclude<O: Outputs, P: Probe>(
        &mut self,
        now: RecvTs,
        instrument: InstrumentId,
        token: &Token,
        forecast: &EnsembleForecast,
        out: &mut O,
        probe: &mut P,
    ) {
        probe.stamp(Stage::Encoder);
        let decision = self.decide(now, instrument, token, forecast);
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
