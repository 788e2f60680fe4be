//! What a run left, read from its journal: accounts, orders whose end is not known, executions.
//!
//! Orders are taken from the journal as they were decided, the venue's word goes through order
//! truth again, so the result is what the kernel knew at its last record. Market records and
//! decisions are skipped: recovery costs a scan.

use super::truth::{Effect, OrderTruth};
use crate::canary::{Bug, planted};
use ijk_core::config::Config;
use ijk_core::limits::INSTRUMENT_COUNT_MAX;
use ijk_core::record::{ControlCommand, ControlKind, ParentCommand, ParentRecord, ParentStatus};
use ijk_core::{
    AlarmCode, AlarmRecord, Block, CancelOrder, CarryItem, CarryKind, ClientOrderId, ExecId,
    Instrument, InstrumentId, LinkEvent, NewOrder, Qty, RecvTs, ReportKind, SnapshotItem,
    SnapshotRequest, VenueReport,
};
use ijk_risk::{Gate, RiskConfigError};

/// Executions carried from one run to the next; a day has fewer.
pub const CARRY_EXECUTION_COUNT_MAX: usize = 60_000;

/// One record of a journal that says something about orders.
#[derive(Clone, Copy, Debug)]
pub enum Trace<'a> {
    /// An order passed the gate.
    Order(&'a NewOrder),
    /// A cancel left.
    Cancel(&'a CancelOrder),
    /// The venue reported.
    Report(&'a VenueReport),
    /// The link changed.
    Link(&'a LinkEvent),
    /// The venue's account.
    Snapshot(&'a SnapshotItem),
    /// An earlier run's remains.
    Carry(&'a CarryItem),
    /// An outside parent was due.
    Parent(&'a ParentCommand),
    /// A parent's account changed.
    ParentState(&'a ParentRecord),
    /// The venue was asked for its account.
    Request(&'a SnapshotRequest),
    /// A person was told.
    Alarm(&'a AlarmRecord),
    /// A command.
    Control(&'a ControlCommand),
}

/// Reads a run's traces.
pub struct Recovery {
    truth: OrderTruth,
    gate: Gate,
    executions: Vec<CarryItem>,
    parents: Vec<CarryItem>,
    fingerprint: u64,
    carried: bool,
    killed: bool,
}

impl Recovery {
    /// Starts with nothing. `fingerprint` is that of the run's parents file, 0 without one.
    ///
    /// # Errors
    /// [`RiskConfigError`] for an instrument table no gate takes.
    pub fn new(
        config: &Config,
        instruments: &[Instrument],
        fingerprint: u64,
    ) -> Result<Recovery, RiskConfigError> {
        Ok(Recovery {
            truth: OrderTruth::new(&config.venue, true),
            gate: Gate::new(&config.risk, instruments)?,
            executions: Vec::new(),
            parents: Vec::new(),
            fingerprint,
            carried: false,
            killed: false,
        })
    }

    /// Takes the next trace.
    pub fn on_trace(&mut self, now: RecvTs, trace: &Trace<'_>) {
        match *trace {
            Trace::Order(order) => {
                self.truth.on_sent(now, order);
                let _ = self.gate.adopt_order(order, order.qty);
            }
            Trace::Cancel(cancel) => self.truth.on_cancel_sent(now, cancel.client_order_id),
            Trace::Report(report) => self.truth.on_report(now, report),
            Trace::Link(event) => self.truth.on_link(now, event),
            Trace::Snapshot(item) => {
                let gate = &self.gate;
                self.truth.on_snapshot(now, item, |i| gate.position(i).0);
            }
            Trace::Carry(item) => self.on_carry(now, item),
            Trace::Parent(command) => self.on_parent(command),
            Trace::ParentState(record) => self.on_parent_state(record),
            Trace::Control(command) => {
                self.killed |= command.kind == ControlKind::Kill;
                if command.kind == ControlKind::Block && command.block == Block::Clock {
                    self.truth.on_bad_clock();
                }
            }
            Trace::Request(request) => self.truth.on_requested(now, request),
            Trace::Alarm(alarm) => {
                self.killed |= matches!(alarm.code, AlarmCode::Killed | AlarmCode::Halted);
            }
        }
        self.settle(now);
    }

    fn settle(&mut self, now: RecvTs) {
        let mut index = 0;
        while let Some(effect) = self.truth.take(index) {
            index += 1;
            match effect {
                Effect::Report { report, .. } => {
                    let _ = self.gate.on_report(now, &report);
                    self.note_execution(&report);
                }
                Effect::Adopt { order, leaves } => {
                    let _ = self.gate.adopt_order(&order, leaves);
                }
                _ => {}
            }
        }
    }

    fn note_execution(&mut self, report: &VenueReport) {
        if report.kind == ReportKind::Fill && self.executions.len() < CARRY_EXECUTION_COUNT_MAX {
            self.executions.push(CarryItem {
                client_order_id: report.client_order_id,
                exec_id: report.exec_id,
                qty: report.qty,
                px: report.px,
                instrument: report.instrument,
                side: report.side,
                ..CarryItem::new(CarryKind::Execution)
            });
        }
        let flag = match report.kind {
            ReportKind::Bust => CarryItem::BUSTED,
            ReportKind::Commission => CarryItem::FEE_BOOKED,
            _ => return,
        };
        let same = |e: &&mut CarryItem| e.exec_id == report.exec_id;
        if let Some(execution) = self.executions.iter_mut().rev().find(same) {
            execution.flags |= flag;
        }
    }

    fn on_carry(&mut self, now: RecvTs, item: &CarryItem) {
        match item.kind {
            CarryKind::Account => {
                // An account that does not fit halts the next run's gate, which sees it too.
                self.gate.adopt_account(item);
            }
            CarryKind::Execution => {
                self.gate.remember_execution(item.exec_id);
                self.executions.push(*item);
            }
            CarryKind::Parent => self.parents.push(*item),
            CarryKind::Done => self.carried = true,
            CarryKind::Order => {}
        }
        self.truth.on_carry(now, item);
    }

    fn on_parent(&mut self, command: &ParentCommand) {
        if command.source_line == 0 {
            return;
        }
        self.parents.push(CarryItem {
            client_order_id: ClientOrderId(u64::from(command.source_line)),
            exec_id: ExecId(self.fingerprint),
            qty: command.qty,
            instrument: command.instrument,
            side: command.side,
            ..CarryItem::new(CarryKind::Parent)
        });
    }

    fn on_parent_state(&mut self, record: &ParentRecord) {
        let line = u64::from(record.source_line);
        let fingerprint = self.fingerprint;
        let own = |p: &CarryItem| p.client_order_id.0 == line && p.exec_id.0 == fingerprint;
        if record.status == ParentStatus::Refused {
            // Never started: the next run may.
            self.parents.retain(|p| !own(p));
        } else if let Some(parent) = self.parents.iter_mut().rev().find(|p| own(p)) {
            parent.filled = record.filled;
        }
    }

    /// Returns whether the run had taken over what was before it: one that had not sent nothing,
    /// and the run before it is the one to recover from.
    pub fn took_over(&self) -> bool {
        self.carried
    }

    /// Returns whether the run was killed.
    pub fn was_killed(&self) -> bool {
        self.killed
    }

    /// Returns the outside parents that were started, as carry items.
    pub fn parents(&self) -> &[CarryItem] {
        &self.parents
    }

    /// Returns the number of orders whose end is not known.
    pub fn open_count(&self) -> usize {
        self.truth.live_count()
    }

    /// Returns what the next run has to take over, ending with [`CarryKind::Done`].
    pub fn finish(self) -> Vec<CarryItem> {
        let mut items = Vec::new();
        for i in 0..INSTRUMENT_COUNT_MAX {
            let item = self.gate.account_item(InstrumentId(i as u16));
            if item.qty != Qty::ZERO || item.realised != [0; 2] || item.fees != [0; 2] {
                items.push(item);
            }
        }
        if !planted(Bug::ForgetExecutions) {
            items.extend(self.executions);
        }
        items.extend(self.parents);
        if !planted(Bug::ForgetOrders) {
            items.extend(self.truth.carry_orders());
        }
        items.push(CarryItem::new(CarryKind::Done));
        items
    }
}

/// Returns what a first run takes over: nothing.
pub fn nothing_to_carry() -> Vec<CarryItem> {
    vec![CarryItem::new(CarryKind::Done)]
}
