//! The kernel's dealings with orders: intents out, the venue's word in, commands.

use super::kernel::ChildLimits;
use super::{Effect, InstrumentFault, Kernel, Outputs};
use ijk_core::config::RiskConfig;
use ijk_core::record::{
    ControlCommand, ControlKind, ParentCommand, ParentRecord, ParentStatus, RefusalRecord,
};
use ijk_core::{
    AlarmCode, AlarmRecord, Block, CarryItem, CarryKind, ClientOrderId, Condition, ConditionKind,
    InstrumentId, ParentId, Qty, RecvTs, ReportKind, Side, VenueReport,
};
use ijk_execution::{Intent, MarketView, ParentSpec};
use ijk_risk::{InstrumentBlock, TradingState};

impl Kernel {
    /// Lets the slicer act on one instrument and takes its intents through the gate.
    pub(super) fn work_parents<O: Outputs>(
        &mut self,
        now: RecvTs,
        instrument: InstrumentId,
        out: &mut O,
    ) {
        let view = self.states[instrument.index()].view(now);
        self.execution.on_market(instrument, &view, &mut self.intents);
        self.route_intents(now, out);
    }

    /// Sends every intent that the gate approves; tells the slicer of every one it refuses.
    pub(super) fn route_intents<O: Outputs>(&mut self, now: RecvTs, out: &mut O) {
        if !self.intents.is_empty() {
            // A parent is on record before its first child.
            self.execution.drain_changes(|record| out.parent(now, record));
        }
        for i in 0..self.intents.len() {
            let Some(intent) = self.intents.get(i) else { break };
            match intent {
                Intent::Cancel(cancel) => {
                    let sweeping = self.finishing || self.gate.state() >= TradingState::Halted;
                    if !self.gate.on_cancel(now, cancel.client_order_id) && !sweeping {
                        self.execution.on_cancel_held_back(now, &cancel);
                        continue;
                    }
                    self.truth.on_cancel_sent(now, cancel.client_order_id);
                    out.cancel(now, cancel);
                }
                Intent::New(order) => {
                    let quote = self.states[order.instrument.index()].quote();
                    match self.gate.check(now, order, &quote) {
                        Ok(approved) => {
                            self.counts.orders += 1;
                            self.execution.on_sent(&order);
                            self.truth.on_sent(now, &order);
                            out.order(now, approved);
                        }
                        Err(code) => {
                            self.execution.on_refused(&order);
                            let record =
                                RefusalRecord { order, code: code as u16, reserved: [0; 6] };
                            out.refusal(now, &record);
                        }
                    }
                }
            }
        }
        self.intents.clear();
    }

    /// Applies everything that order truth wants done, and raises what the gate has to tell.
    pub(super) fn settle<O: Outputs>(&mut self, now: RecvTs, out: &mut O) {
        let mut index = 0;
        while let Some(effect) = self.truth.take(index) {
            index += 1;
            self.apply(now, &effect, out);
        }
        self.raise_alarms(now, out);
    }

    fn raise_alarms<O: Outputs>(&mut self, now: RecvTs, out: &mut O) {
        self.gate.take_alarms(|alarm| out.alarm(now, &alarm));
    }

    fn apply<O: Outputs>(&mut self, now: RecvTs, effect: &Effect, out: &mut O) {
        match *effect {
            Effect::Report { report, owned } => self.book(now, &report, owned, out),
            Effect::Adopt { order, leaves } => {
                // A full table halts the gate by itself.
                let _ = self.gate.adopt_order(&order, leaves);
            }
            Effect::Cancel(cancel) => out.cancel(now, cancel),
            Effect::Request(request) => out.request(now, &request),
            Effect::Fate(record) => out.fate(now, &record),
            Effect::Alarm { code, instrument, id, value } => {
                out.alarm(now, &alarm(now, code, instrument, id, value));
            }
            Effect::Instrument { instrument, fault, set } => {
                let block = match fault {
                    InstrumentFault::UnknownOrder => InstrumentBlock::UnknownOrder,
                    InstrumentFault::PositionMismatch => InstrumentBlock::PositionMismatch,
                    InstrumentFault::LateFill => InstrumentBlock::LateFill,
                };
                if set {
                    self.gate.block_instrument(now, instrument, block);
                } else {
                    self.gate.unblock_instrument(now, instrument, block);
                }
            }
            Effect::Account { block, set } => self.set_block(now, block, set),
        }
    }

    /// A block set from outside the core is told to a person.
    fn alarm_of_block<O: Outputs>(&self, now: RecvTs, block: Block, out: &mut O) {
        let code = match block {
            Block::Clock => AlarmCode::ClockOff,
            Block::Journal => AlarmCode::JournalLate,
            Block::Overload => AlarmCode::Overload,
            Block::Data => AlarmCode::DataStale,
            Block::Recovery | Block::Reconcile | Block::Link | Block::Operator => return,
        };
        // Before the first record nothing is wrong yet: it has not begun.
        if now.0 > 0 {
            out.alarm(now, &alarm(now, code, AlarmRecord::NO_INSTRUMENT, ClientOrderId(0), 0));
        }
    }

    fn set_block(&mut self, now: RecvTs, block: Block, set: bool) {
        if set {
            self.gate.block(now, block);
        } else {
            self.gate.unblock(now, block);
        }
    }

    /// Books a report in both accounts. Order truth lets each fact through once.
    fn book<O: Outputs>(&mut self, now: RecvTs, report: &VenueReport, owned: bool, out: &mut O) {
        let Some(state) = self.states.get(report.instrument.index()) else {
            return;
        };
        let view = state.view(now);
        let state_before = self.gate.state();
        // A report that contradicts the ledger blocks or halts the gate by itself.
        let booked = self.gate.on_report(now, report);
        out.booked(now, report);
        if booked.is_err() {
            self.truth.note_fault(now, report.instrument);
        }
        if report.kind == ReportKind::Fill {
            self.counts.fills += 1;
            self.note_outside_fill(report, &view, owned);
        } else if owned && self.execution.on_report(report, &view).is_err() && booked.is_ok() {
            self.gate.block_instrument(now, report.instrument, InstrumentBlock::LateFill);
            self.truth.note_fault(now, report.instrument);
        }
        self.stop_if_halted(state_before);
        self.work_parents(now, report.instrument, out);
    }

    /// Tells the slicer of a fill; what no parent of the forecast traded is not the forecast's.
    fn note_outside_fill(&mut self, report: &VenueReport, view: &MarketView, owned: bool) {
        let effect = if owned { self.execution.on_report(report, view).ok() } else { None };
        let parent = effect.and_then(|e| self.execution.parent(e.parent_id));
        if parent.is_none_or(|p| p.decision_id == 0) {
            self.states[report.instrument.index()].outside_qty += report.side.sign() * report.qty.0;
        }
    }

    pub(super) fn stop_if_halted(&mut self, before: TradingState) {
        if self.gate.state() > before && self.gate.state() >= TradingState::Halted {
            self.execution.stop_all(&mut self.intents);
        }
    }

    pub(super) fn on_carry(&mut self, now: RecvTs, item: &CarryItem) {
        match item.kind {
            CarryKind::Account => {
                // An account that does not fit halts the gate.
                self.gate.adopt_account(item);
                if let Some(state) = self.states.get_mut(item.instrument.index()) {
                    // The forecast of this run did not build it.
                    state.outside_qty = item.qty.0;
                }
            }
            CarryKind::Execution => self.gate.remember_execution(item.exec_id),
            CarryKind::Order | CarryKind::Parent | CarryKind::Done => {}
        }
        self.truth.on_carry(now, item);
    }

    pub(super) fn on_parent<O: Outputs>(
        &mut self,
        now: RecvTs,
        command: &ParentCommand,
        out: &mut O,
    ) {
        let Some(state) = self.states.get(command.instrument.index()) else {
            return;
        };
        let view = state.view(now);
        if let Some(mid) = state.mid().filter(|_| view.two_sided) {
            out.mark(now, command.instrument, mid);
        }
        let spec = ParentSpec {
            instrument: command.instrument,
            side: command.side,
            qty: command.qty,
            horizon_ns: command.horizon_ns,
            urgency: command.urgency,
            schedule: command.schedule,
            participation_e4: command.participation_e4,
            decision_id: 0,
            source_line: command.source_line,
        };
        let started = if self.finishing || self.gate.state() == TradingState::Killed {
            false
        } else {
            self.execution.start_parent(now, &spec, &view).is_ok()
        };
        if started {
            self.work_parents(now, command.instrument, out);
        } else {
            out.parent(now, &refused_parent(now, command, state.mid().unwrap_or(0.0)));
        }
    }

    pub(super) fn on_control<O: Outputs>(
        &mut self,
        now: RecvTs,
        command: &ControlCommand,
        out: &mut O,
    ) {
        match command.kind {
            ControlKind::Kill => {
                self.gate.kill(now);
                self.execution.stop_all(&mut self.intents);
                self.truth.cancel_adopted();
            }
            ControlKind::Finish => {
                self.finishing = true;
                self.execution.stop_all(&mut self.intents);
                self.last_request = self.truth.ask_last(now);
            }
            ControlKind::Block => {
                self.set_block(now, command.block, true);
                self.alarm_of_block(now, command.block, out);
                if command.block == Block::Clock {
                    self.truth.on_bad_clock();
                }
                // Nothing may rest on a market that is not seen, by a clock that is wrong, or
                // against a person's word.
                if matches!(command.block, Block::Data | Block::Clock | Block::Operator) {
                    self.truth.cancel_all();
                }
            }
            ControlKind::Unblock => self.set_block(now, command.block, false),
        }
        self.route_intents(now, out);
    }

    pub(super) fn on_condition<O: Outputs>(
        &mut self,
        now: RecvTs,
        condition: &Condition,
        out: &mut O,
    ) {
        let clock_was_bad = self.gate.blocks() & Block::Clock.bit() != 0;
        let id = condition.instrument;
        match condition.kind {
            ConditionKind::ClockOffset => self.gate.on_clock_offset(now, Some(condition.value)),
            ConditionKind::ClockUnknown => self.gate.on_clock_offset(now, None),
            ConditionKind::MarketWideResume => self.gate.on_market_wide_resume(now),
            ConditionKind::ShortSaleRestricted => {
                self.gate.on_short_sale_restriction(now, id, true);
            }
            ConditionKind::ShortSaleFree => self.gate.on_short_sale_restriction(now, id, false),
            ConditionKind::EncoderOnDevice => {}
            ConditionKind::EncoderOnProcessor => {
                let (code, value) = (AlarmCode::DeviceLeft, condition.value);
                out.alarm(now, &alarm(now, code, id, ClientOrderId(0), value));
            }
        }
        if !clock_was_bad && self.gate.blocks() & Block::Clock.bit() != 0 {
            self.truth.cancel_all();
        }
        self.route_intents(now, out);
    }

    /// Takes over what is stricter in `risk`, in the gate and for the size of children.
    pub(super) fn on_limits<O: Outputs>(&mut self, now: RecvTs, risk: &RiskConfig, out: &mut O) {
        let before = self.gate.state();
        self.gate.tighten(risk);
        let child = self.child_limits;
        self.child_limits = ChildLimits::new(risk, &self.states).min(child);
        self.execution.set_child_limits(self.child_limits.qty, self.child_limits.notional_usd);
        self.stop_if_halted(before);
        self.route_intents(now, out);
    }

    /// At the first cut-off before the session's end the parents that add risk are stopped; what
    /// the forecast holds is flattened with its next tokens.
    pub(super) fn end_day(&mut self, now: RecvTs, instrument: InstrumentId) {
        let state = &mut self.states[instrument.index()];
        if state.day_ends || !self.gate.must_flatten(now, instrument) {
            return;
        }
        state.day_ends = true;
        let position = self.gate.position(instrument).0;
        for side in [Side::Bid, Side::Ask] {
            if position * side.sign() >= 0 {
                self.execution.stop_side(instrument, side, &mut self.intents);
            }
        }
    }

    pub(super) fn on_timer<O: Outputs>(&mut self, now: RecvTs, out: &mut O) {
        for i in 0..self.states.len() {
            self.end_day(now, InstrumentId(i as u16));
            self.work_parents(now, InstrumentId(i as u16), out);
        }
    }
}

fn alarm(
    now: RecvTs,
    code: AlarmCode,
    instrument: InstrumentId,
    id: ClientOrderId,
    value: i64,
) -> AlarmRecord {
    AlarmRecord { ts: now, client_order_id: id, value, instrument, code, reserved: [0; 5] }
}

fn refused_parent(now: RecvTs, command: &ParentCommand, mid: f64) -> ParentRecord {
    ParentRecord {
        ts_start: now,
        ts_end: now,
        qty: command.qty,
        filled: Qty::ZERO,
        working: Qty::ZERO,
        unsent: Qty::ZERO,
        abandoned: command.qty,
        arrival_mid: mid,
        filled_value: 0.0,
        fee_e9: 0,
        mid,
        decision_id: 0,
        source_line: command.source_line,
        parent_id: ParentId(0),
        instrument: command.instrument,
        side: command.side,
        urgency: command.urgency,
        status: ParentStatus::Refused,
        schedule: command.schedule,
        replan_count: 0,
        reserved: 0,
    }
}
