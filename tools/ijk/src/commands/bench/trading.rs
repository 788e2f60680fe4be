//! A kernel that trades, for the benches of the whole path: parents to work and a simulated venue
//! that answers. Only what a record costs the kernel is timed; parents and venue come between.

use super::measure::mix;
use crate::exit::Exit;
use ijk_core::record::{
    DecisionRecord, ParentCommand, ParentRecord, RecordKind, RefusalRecord, ScheduleKind, Urgency,
};
use ijk_core::{
    AlarmRecord, CancelOrder, CarryItem, CarryKind, Config, DepthKind, FateRecord, Instrument,
    InstrumentId, MarketEvent, NewOrder, Qty, RecvTs, Side, SnapshotRequest,
};
use ijk_engine::runtime::journal_port::JournalPort;
use ijk_engine::{Input, Kernel, KernelParts, NoProbe, Outputs};
use ijk_infer::Encoder;
use ijk_risk::Approved;
use ijk_venue::{SimExchange, Venue, VenueMessage};
use rtrb::{Consumer, Producer, RingBuffer};
use std::hint::black_box;
use zerocopy::IntoBytes;

/// Slots of each ring.
const SLOTS: usize = 1_024;
/// Records between two parents.
const PARENT_EVERY: usize = 300;
/// Lots of a parent.
const PARENT_LOTS: i64 = 200;

/// What leaves goes into rings, as on its way to the thread that sends it, and first into the
/// journal where there is one.
struct ToRings {
    orders: Producer<Approved<NewOrder>>,
    cancels: Producer<CancelOrder>,
    journal: Option<JournalPort>,
}

impl ToRings {
    #[inline]
    fn note(&mut self, now: RecvTs, kind: RecordKind, payload: &[u8]) {
        if let Some(journal) = &mut self.journal {
            let kept = journal.append(now, kind, payload);
            assert!(kept, "the journal is written while the bench runs");
        }
    }
}

impl Outputs for ToRings {
    fn decision(&mut self, now: RecvTs, record: &DecisionRecord) {
        self.note(now, RecordKind::Decision, black_box(record).as_bytes());
    }
    fn order(&mut self, now: RecvTs, order: Approved<NewOrder>) {
        self.note(now, RecordKind::Order, order.get().as_bytes());
        let pushed = self.orders.push(order);
        assert!(pushed.is_ok(), "the ring is emptied after each record");
    }
    fn cancel(&mut self, now: RecvTs, cancel: CancelOrder) {
        self.note(now, RecordKind::Cancel, cancel.as_bytes());
        let pushed = self.cancels.push(cancel);
        assert!(pushed.is_ok(), "the ring is emptied after each record");
    }
    fn refusal(&mut self, now: RecvTs, record: &RefusalRecord) {
        self.note(now, RecordKind::Refusal, record.as_bytes());
    }
    fn parent(&mut self, now: RecvTs, record: &ParentRecord) {
        self.note(now, RecordKind::ParentState, record.as_bytes());
    }
    fn request(&mut self, _: RecvTs, _: &SnapshotRequest) {}
    fn fate(&mut self, _: RecvTs, _: &FateRecord) {}
    fn alarm(&mut self, _: RecvTs, _: &AlarmRecord) {}
}

/// The kernel, its venue and what lies between.
pub struct Trading {
    kernel: Kernel,
    out: ToRings,
    orders: Consumer<Approved<NewOrder>>,
    cancels: Consumer<CancelOrder>,
    exchange: SimExchange,
    lots: Vec<i64>,
    records: usize,
    answer: u64,
}

impl Trading {
    /// Returns a kernel with these settings that may trade.
    ///
    /// # Errors
    /// Exit code 2 where kernel or exchange refuse the instruments.
    pub fn new(
        config: &Config,
        instruments: &[Instrument],
        depths: &[DepthKind],
        encoder: Option<Encoder>,
    ) -> Result<Trading, Exit> {
        let parts = KernelParts {
            config,
            instruments,
            depths,
            encoder,
            outside_forecasts: false,
            epoch: 0,
            external_venue: false,
        };
        let kernel = Kernel::new(parts).map_err(Exit::usage)?;
        let exchange = SimExchange::new(&config.sim, &config.fees, instruments, depths, 1);
        let (to_orders, orders) = RingBuffer::new(SLOTS);
        let (to_cancels, cancels) = RingBuffer::new(SLOTS);
        let mut trading = Trading {
            kernel,
            out: ToRings { orders: to_orders, cancels: to_cancels, journal: None },
            orders,
            cancels,
            exchange: exchange.map_err(Exit::usage)?,
            lots: instruments.iter().map(|i| i.lot.0.max(1)).collect(),
            records: 0,
            answer: 0,
        };
        // Nothing is sent before the kernel knows that no run before it left anything.
        let done = CarryItem::new(CarryKind::Done);
        trading.kernel.on_input(RecvTs(1), &Input::Carry(&done), &mut trading.out, &mut NoProbe);
        Ok(trading)
    }

    /// From now on everything goes into this journal, if any, before it is acted on.
    pub fn keep(&mut self, journal: Option<JournalPort>) {
        self.out.journal = journal;
    }

    /// Returns the journal.
    pub fn give_back(&mut self) -> Option<JournalPort> {
        self.out.journal.take()
    }

    /// Returns what the records came to: a hash of every order and cancel that left, in turn.
    pub fn answer(&self) -> u64 {
        self.answer
    }

    /// What is timed: one record until all that follows from it lies in the rings.
    pub fn take(&mut self, event: &MarketEvent) {
        self.out.note(event.ts_receive, RecordKind::Market, event.as_bytes());
        let input = Input::Market(event);
        self.kernel.on_input(event.ts_receive, &input, &mut self.out, &mut NoProbe);
    }

    /// What is not: the venue takes what left, sees the record and answers; now and then a parent
    /// comes. Returns whether an order had left.
    pub fn settle(&mut self, event: &MarketEvent) -> bool {
        let now = event.ts_receive;
        let left = self.hand_over(now);
        self.exchange.on_market(event);
        self.exchange.advance(now);
        while let Some((due, message)) = self.exchange.poll(now) {
            if let VenueMessage::Report(report) = message {
                self.kernel.on_input(due, &Input::Report(&report), &mut self.out, &mut NoProbe);
            }
        }
        self.records += 1;
        if self.records.is_multiple_of(PARENT_EVERY) {
            self.new_parent(now);
        }
        self.hand_over(now);
        left
    }

    fn hand_over(&mut self, now: RecvTs) -> bool {
        let mut any = false;
        while let Ok(order) = self.orders.pop() {
            let o = order.get();
            let parts = [now.0, o.client_order_id.0, o.px.0 as u64, o.qty.0 as u64, o.side as u64];
            self.answer = parts.into_iter().fold(self.answer, mix);
            self.exchange.submit(now, order);
            any = true;
        }
        while let Ok(cancel) = self.cancels.pop() {
            self.answer = mix(self.answer, cancel.client_order_id.0);
            self.exchange.cancel(now, cancel);
        }
        any
    }

    fn new_parent(&mut self, ts: RecvTs) {
        let number = self.records / PARENT_EVERY;
        let index = number % self.lots.len();
        let instrument = InstrumentId(index as u16);
        if !self.kernel.is_tradable(instrument) {
            return;
        }
        let parent = ParentCommand {
            ts,
            qty: Qty(PARENT_LOTS.saturating_mul(self.lots[index])),
            horizon_ns: 20_000_000_000,
            source_line: number as u32,
            instrument,
            side: if (number / self.lots.len()).is_multiple_of(2) { Side::Bid } else { Side::Ask },
            urgency: Urgency::Normal,
            participation_e4: 0,
            schedule: ScheduleKind::AlmgrenChriss,
            reserved: [0; 5],
        };
        self.kernel.on_input(ts, &Input::Parent(&parent), &mut self.out, &mut NoProbe);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_leave_and_are_answered() {
        let mut source = ijk_data::open_feed(&"synth:1:10".parse().unwrap(), 1).unwrap();
        let instruments = source.instruments().to_vec();
        let depths = vec![source.depth_kind(0)];
        let trading = Trading::new(&Config::default(), &instruments, &depths, None);
        let mut trading = trading.map_err(|e| e.message).unwrap();
        let mut orders = 0;
        while let Some(event) = source.next_event().unwrap() {
            trading.take(&event);
            orders += u64::from(trading.settle(&event));
        }
        assert!(orders > 10, "{orders} records with orders");
        assert!(trading.kernel.counts().fills > 0, "the venue answers");
        assert_ne!(trading.answer(), 0);
    }
}
