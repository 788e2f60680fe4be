//! Feeds a run's journal through a fresh core and compares every output, byte for byte.

use super::desk::Limits;
use crate::decision::{Input, Kernel, NoProbe, Outputs};
use ijk_core::config::RiskConfig;
use ijk_core::record::{
    ControlCommand, DecisionRecord, ForecastRecord, ParentCommand, ParentRecord, RecordKind,
    RefusalRecord,
};
use ijk_core::{
    AlarmRecord, CancelOrder, CarryItem, Condition, FateRecord, LinkEvent, MarketEvent, NewOrder,
    RecvTs, SlotUpdate, SnapshotItem, SnapshotRequest, VenueReport,
};
use ijk_journal::{Frame, JournalError, Reader};
use ijk_risk::Approved;
use std::collections::VecDeque;
use zerocopy::IntoBytes;

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayOutcome {
    /// Input records fed.
    pub inputs: u64,
    /// Output records compared and equal.
    pub outputs_equal: u64,
    /// Whether the journal ends with a complete run.
    pub complete: bool,
    /// The first difference, if any.
    pub difference: Option<Difference>,
}

/// The first place where journal and replay differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Sequence number of the journal's record (of the next one, where it lacks one).
    pub seq: u64,
    /// Kernel time, nanoseconds.
    pub ts: u64,
    /// What the journal holds there, `None` where it lacks an output.
    pub journal: Option<RecordKind>,
    /// What the replay produced there, `None` where it produced nothing.
    pub replay: Option<RecordKind>,
    /// First differing byte of the payload, where both are of one kind.
    pub byte: Option<usize>,
}

/// Outputs of the core, kept until the journal's own come by.
#[derive(Default)]
struct Collected {
    pending: VecDeque<(RecvTs, RecordKind, Vec<u8>)>,
}

impl Collected {
    fn push(&mut self, now: RecvTs, kind: RecordKind, bytes: &[u8]) {
        self.pending.push_back((now, kind, bytes.to_vec()));
    }
}

impl Outputs for Collected {
    fn decision(&mut self, now: RecvTs, record: &DecisionRecord) {
        self.push(now, RecordKind::Decision, record.as_bytes());
    }
    fn order(&mut self, now: RecvTs, order: Approved<NewOrder>) {
        self.push(now, RecordKind::Order, order.get().as_bytes());
    }
    fn cancel(&mut self, now: RecvTs, cancel: CancelOrder) {
        self.push(now, RecordKind::Cancel, cancel.as_bytes());
    }
    fn refusal(&mut self, now: RecvTs, record: &RefusalRecord) {
        self.push(now, RecordKind::Refusal, record.as_bytes());
    }
    fn parent(&mut self, now: RecvTs, record: &ParentRecord) {
        self.push(now, RecordKind::ParentState, record.as_bytes());
    }
    fn request(&mut self, now: RecvTs, request: &SnapshotRequest) {
        self.push(now, RecordKind::Request, request.as_bytes());
    }
    fn fate(&mut self, now: RecvTs, record: &FateRecord) {
        self.push(now, RecordKind::Fate, record.as_bytes());
    }
    fn alarm(&mut self, now: RecvTs, record: &AlarmRecord) {
        self.push(now, RecordKind::Alarm, record.as_bytes());
    }
}

/// Replays the journal of `reader` (positioned after its header record) through `kernel`.
///
/// Stops at the first difference.
///
/// # Errors
/// [`JournalError`] for a damaged journal or an input record that does not decode; a difference
/// is not an error but an outcome.
pub fn replay(reader: &mut Reader, kernel: &mut Kernel) -> Result<ReplayOutcome, JournalError> {
    let mut outcome = ReplayOutcome::default();
    let mut collected = Collected::default();
    while let Some(frame) = reader.next()? {
        if frame.kind.is_output() {
            outcome.difference = compare(&frame, collected.pending.pop_front());
            if outcome.difference.is_some() {
                return Ok(outcome);
            }
            outcome.outputs_equal += 1;
            continue;
        }
        if let Some((ts, kind, _)) = collected.pending.pop_front() {
            outcome.difference = Some(Difference {
                seq: frame.seq,
                ts: ts.0,
                journal: None,
                replay: Some(kind),
                byte: None,
            });
            return Ok(outcome);
        }
        if frame.kind == RecordKind::End {
            outcome.complete = true;
        } else if frame.kind.is_input() {
            feed(&frame, kernel, &mut collected)?;
            outcome.inputs += 1;
        }
    }
    Ok(outcome)
}

fn feed(frame: &Frame<'_>, kernel: &mut Kernel, out: &mut Collected) -> Result<(), JournalError> {
    let now = RecvTs(frame.ts);
    match frame.kind {
        RecordKind::Market => {
            let ev = frame.read::<MarketEvent>()?;
            kernel.on_input(now, &Input::Market(&ev), out, &mut NoProbe);
        }
        RecordKind::Report => {
            let report = frame.read::<VenueReport>()?;
            kernel.on_input(now, &Input::Report(&report), out, &mut NoProbe);
        }
        RecordKind::Parent => {
            let command = frame.read::<ParentCommand>()?;
            kernel.on_input(now, &Input::Parent(&command), out, &mut NoProbe);
        }
        RecordKind::Control => {
            let command = frame.read::<ControlCommand>()?;
            kernel.on_input(now, &Input::Control(&command), out, &mut NoProbe);
        }
        RecordKind::Link => {
            let event = frame.read::<LinkEvent>()?;
            kernel.on_input(now, &Input::Link(&event), out, &mut NoProbe);
        }
        RecordKind::Snapshot => {
            let item = frame.read::<SnapshotItem>()?;
            kernel.on_input(now, &Input::Snapshot(&item), out, &mut NoProbe);
        }
        RecordKind::Carry => {
            let item = frame.read::<CarryItem>()?;
            kernel.on_input(now, &Input::Carry(&item), out, &mut NoProbe);
        }
        RecordKind::Condition => {
            let condition = frame.read::<Condition>()?;
            kernel.on_input(now, &Input::Condition(&condition), out, &mut NoProbe);
        }
        RecordKind::Forecast => {
            let record = frame.read::<ForecastRecord>()?;
            kernel.on_input(now, &Input::Forecast(&record), out, &mut NoProbe);
        }
        RecordKind::Limits => {
            let risk = limits_of(frame)?;
            kernel.on_input(now, &Input::Limits(&risk), out, &mut NoProbe);
        }
        RecordKind::Slot => {
            let update =
                SlotUpdate::decode(frame.payload).ok_or_else(|| undecoded(frame, "Slot"))?;
            kernel.on_input(now, &Input::Slot(&update), out, &mut NoProbe);
        }
        _ => kernel.on_input(now, &Input::Timer, out, &mut NoProbe),
    }
    Ok(())
}

fn limits_of(frame: &Frame<'_>) -> Result<RiskConfig, JournalError> {
    Limits::read(frame.payload).map_err(|_| undecoded(frame, "Limits"))
}

fn undecoded(frame: &Frame<'_>, expected: &'static str) -> JournalError {
    let (seq, kind, bytes) = (frame.seq, frame.kind, frame.payload.len());
    JournalError::Payload { seq, kind, bytes, expected }
}

fn compare(
    frame: &Frame<'_>,
    replayed: Option<(RecvTs, RecordKind, Vec<u8>)>,
) -> Option<Difference> {
    let differs = |replay, byte| {
        Some(Difference { seq: frame.seq, ts: frame.ts, journal: Some(frame.kind), replay, byte })
    };
    let Some((now, kind, bytes)) = replayed else { return differs(None, None) };
    if kind != frame.kind || now.0 != frame.ts {
        return differs(Some(kind), None);
    }
    if bytes == frame.payload {
        return None;
    }
    let at = bytes.iter().zip(frame.payload).position(|(a, b)| a != b);
    differs(Some(kind), Some(at.unwrap_or(bytes.len().min(frame.payload.len()))))
}
