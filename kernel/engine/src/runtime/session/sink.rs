//! Where the core's actions go.

use super::super::counters::{Counter, Counters};
use super::super::outbox::Outbox;
use super::super::ports::JournalSink;
use crate::decision::Outputs;
use ijk_core::record::{DecisionRecord, ParentRecord, RecordKind, RefusalRecord};
use ijk_core::{
    AlarmRecord, CancelOrder, FateRecord, InstrumentId, NewOrder, RecvTs, SnapshotRequest,
    VenueReport,
};
use ijk_risk::Approved;
use ijk_venue::Venue;
use rtrb::Producer;
use zerocopy::IntoBytes;

/// Where the core's actions go: into the journal first, then to the venue.
pub(super) struct Sink<'a, V: Venue, J> {
    pub journal: &'a mut J,
    pub outbox: &'a mut Outbox<V>,
    pub counters: &'a Counters,
    pub alarms: &'a mut Option<Producer<AlarmRecord>>,
}

impl<V: Venue, J: JournalSink> Outputs for Sink<'_, V, J> {
    fn mark(&mut self, now: RecvTs, instrument: InstrumentId, mid: f64) {
        self.outbox.on_mark(now, instrument, mid);
    }

    fn booked(&mut self, _: RecvTs, report: &VenueReport) {
        self.outbox.on_booked(report);
    }

    fn decision(&mut self, now: RecvTs, record: &DecisionRecord) {
        let _ = self.journal.append(now, RecordKind::Decision, record.as_bytes());
    }

    fn order(&mut self, now: RecvTs, order: Approved<NewOrder>) {
        let seq = self.journal.frames();
        if self.journal.append(now, RecordKind::Order, order.get().as_bytes()) {
            self.outbox.submit(now, seq, order);
        }
    }

    fn cancel(&mut self, now: RecvTs, cancel: CancelOrder) {
        // A cancel reduces risk: it leaves even when it cannot be written down.
        let _ = self.journal.append(now, RecordKind::Cancel, cancel.as_bytes());
        self.counters.add(Counter::Cancels, 1);
        self.outbox.cancel(now, cancel);
    }

    fn refusal(&mut self, now: RecvTs, record: &RefusalRecord) {
        self.counters.add(Counter::Refusals, 1);
        let _ = self.journal.append(now, RecordKind::Refusal, record.as_bytes());
    }

    fn parent(&mut self, now: RecvTs, record: &ParentRecord) {
        self.outbox.on_parent(record.parent_id, record.qty);
        let _ = self.journal.append(now, RecordKind::ParentState, record.as_bytes());
    }

    fn request(&mut self, now: RecvTs, request: &SnapshotRequest) {
        let _ = self.journal.append(now, RecordKind::Request, request.as_bytes());
        self.outbox.request_snapshot(now, *request);
    }

    fn fate(&mut self, now: RecvTs, record: &FateRecord) {
        let _ = self.journal.append(now, RecordKind::Fate, record.as_bytes());
    }

    fn alarm(&mut self, now: RecvTs, record: &AlarmRecord) {
        let _ = self.journal.append(now, RecordKind::Alarm, record.as_bytes());
        if let Some(alarms) = self.alarms {
            let _ = alarms.push(*record);
        }
        self.counters.add(Counter::Alarms, 1);
        self.counters.set(Counter::LastAlarm, u64::from(record.code as u8));
    }
}
