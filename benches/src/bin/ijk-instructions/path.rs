//! The whole path of a record: simulated exchange, book, features, slicer, gate, orders, reports,
//! without encoder, journal and rings.

use crate::Done;
use ijk_benches::Session;
use ijk_core::record::{
    DecisionRecord, ParentCommand, ParentRecord, RefusalRecord, ScheduleKind, Urgency,
};
use ijk_core::{
    AlarmRecord, CancelOrder, CarryItem, CarryKind, Config, DepthKind, FateRecord, InstrumentId,
    MarketEvent, NewOrder, Qty, RecvTs, Side, SnapshotRequest,
};
use ijk_engine::{Input, Kernel, KernelParts, NoProbe, Outputs};
use ijk_risk::Approved;
use ijk_venue::{SimExchange, Venue, VenueMessage};

/// Minutes of the synthetic session.
const MINUTES: u32 = 8;
/// Records between two parents.
const PARENT_EVERY: usize = 300;

/// Passes orders on as the outbox of a simulated venue does.
struct Wire {
    exchange: SimExchange,
    sent: u64,
    refused: u64,
}

impl Outputs for Wire {
    fn decision(&mut self, _: RecvTs, _: &DecisionRecord) {}
    fn order(&mut self, now: RecvTs, order: Approved<NewOrder>) {
        self.sent += 1;
        self.exchange.submit(now, order);
    }
    fn cancel(&mut self, now: RecvTs, cancel: CancelOrder) {
        self.exchange.cancel(now, cancel);
    }
    fn refusal(&mut self, _: RecvTs, _: &RefusalRecord) {
        self.refused += 1;
    }
    fn parent(&mut self, _: RecvTs, _: &ParentRecord) {}
    fn request(&mut self, _: RecvTs, _: &SnapshotRequest) {}
    fn fate(&mut self, _: RecvTs, _: &FateRecord) {}
    fn alarm(&mut self, _: RecvTs, _: &AlarmRecord) {}
}

struct Path {
    kernel: Kernel,
    wire: Wire,
    records: usize,
}

impl Path {
    fn take(&mut self, event: &MarketEvent) {
        let now = event.ts_receive;
        self.wire.exchange.on_market(event);
        self.wire.exchange.advance(now);
        while let Some((due, message)) = self.wire.exchange.poll(now) {
            if let VenueMessage::Report(report) = message {
                self.kernel.on_input(due, &Input::Report(&report), &mut self.wire, &mut NoProbe);
            }
        }
        self.kernel.on_input(now, &Input::Market(event), &mut self.wire, &mut NoProbe);
        self.records += 1;
        if self.records.is_multiple_of(PARENT_EVERY) && self.kernel.is_tradable(InstrumentId(0)) {
            let parent = self.parent(now);
            self.kernel.on_input(now, &Input::Parent(&parent), &mut self.wire, &mut NoProbe);
        }
    }

    fn parent(&self, ts: RecvTs) -> ParentCommand {
        let number = self.records / PARENT_EVERY;
        ParentCommand {
            ts,
            qty: Qty(200),
            horizon_ns: 20_000_000_000,
            source_line: number as u32,
            instrument: InstrumentId(0),
            side: if number.is_multiple_of(2) { Side::Bid } else { Side::Ask },
            urgency: Urgency::Normal,
            participation_e4: 0,
            schedule: ScheduleKind::AlmgrenChriss,
            reserved: [0; 5],
        }
    }
}

pub fn record() -> Box<dyn FnMut() -> Done> {
    let session = Session::synthetic(MINUTES);
    let config = Config::default();
    let (instruments, depths) = ([session.instrument], [DepthKind::L3]);
    let kernel = Kernel::new(KernelParts {
        config: &config,
        instruments: &instruments,
        depths: &depths,
        encoder: None,
        outside_forecasts: false,
        epoch: 0,
        external_venue: false,
    });
    let exchange = SimExchange::new(&config.sim, &config.fees, &instruments, &depths, 1);
    let wire = Wire { exchange: exchange.expect("the defaults"), sent: 0, refused: 0 };
    let mut path = Path { kernel: kernel.expect("the defaults"), wire, records: 0 };
    // Nothing is sent before the kernel knows that no run before it left anything.
    let done = CarryItem::new(CarryKind::Done);
    path.kernel.on_input(RecvTs(1), &Input::Carry(&done), &mut path.wire, &mut NoProbe);
    let middle = session.events.len() / 2;
    session.events[..middle].iter().for_each(|event| path.take(event));
    Box::new(move || {
        let late = &session.events[middle..];
        let before = path.wire.sent;
        late.iter().for_each(|event| path.take(event));
        assert!(path.wire.sent > before, "no order left");
        let answer = path.wire.sent * 1_000_003 + path.wire.refused + path.kernel.counts().fills;
        Done { units: late.len() as u64, answer }
    })
}
