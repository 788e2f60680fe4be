//! One instrument, a two-level book, parents from outside, no threads.
#![allow(dead_code)] // each test uses its part

use ijk_core::config::Config;
use ijk_core::record::{
    DecisionRecord, ParentCommand, ParentRecord, ParentStatus, RefusalRecord, Urgency,
};
use ijk_core::{
    AlarmRecord, CancelOrder, CarryItem, CarryKind, DepthKind, EventKind, FateRecord, Instrument,
    InstrumentId, MarketEvent, NewOrder, Px, Qty, RecvTs, RowFlags, Side, SnapshotRequest, Symbol,
};
use ijk_engine::{Input, Kernel, KernelParts, NoProbe, Outputs};
use ijk_risk::Approved;

/// What came out.
#[derive(Debug, Default)]
pub struct Seen {
    pub orders: Vec<NewOrder>,
    pub cancels: usize,
    pub refusals: Vec<u16>,
    pub refused_parents: usize,
}

impl Outputs for Seen {
    fn decision(&mut self, _: RecvTs, _: &DecisionRecord) {}
    fn order(&mut self, _: RecvTs, order: Approved<NewOrder>) {
        self.orders.push(order.into_inner());
    }
    fn cancel(&mut self, _: RecvTs, _: CancelOrder) {
        self.cancels += 1;
    }
    fn refusal(&mut self, _: RecvTs, record: &RefusalRecord) {
        self.refusals.push(record.code);
    }
    fn parent(&mut self, _: RecvTs, record: &ParentRecord) {
        self.refused_parents += usize::from(record.status == ParentStatus::Refused);
    }
    fn request(&mut self, _: RecvTs, _: &SnapshotRequest) {}
    fn fate(&mut self, _: RecvTs, _: &FateRecord) {}
    fn alarm(&mut self, _: RecvTs, _: &AlarmRecord) {}
}

/// A kernel with a book of 100 to 101.
pub struct Rig {
    pub kernel: Kernel,
    pub seen: Seen,
    pub now: RecvTs,
}

pub fn instrument() -> Instrument {
    Instrument::us_equity(Symbol::new("T").unwrap())
}

impl Rig {
    pub fn new() -> Rig {
        Rig::with(&Config::default(), instrument())
    }

    pub fn with(config: &Config, instrument: Instrument) -> Rig {
        let kernel = Kernel::new(KernelParts {
            config,
            instruments: &[instrument],
            depths: &[DepthKind::L2],
            encoder: None,
            outside_forecasts: false,
            epoch: 1,
            external_venue: false,
        })
        .unwrap();
        let mut rig = Rig { kernel, seen: Seen::default(), now: RecvTs(1) };
        let done = CarryItem::new(CarryKind::Done);
        rig.input(&Input::Carry(&done));
        rig.level(Side::Bid, 100);
        rig.level(Side::Ask, 101);
        rig
    }

    pub fn wait(&mut self, ns: u64) {
        self.now = self.now.plus_ns(ns);
    }

    pub fn input(&mut self, input: &Input<'_>) {
        self.now = self.now.plus_ns(1_000_000);
        self.kernel.on_input(self.now, input, &mut self.seen, &mut NoProbe);
    }

    pub fn market(&mut self, kind: EventKind, side: Side, dollars: i64) {
        self.record(kind, side, dollars, if dollars > 0 { 500 } else { 0 });
    }

    pub fn level_qty(&mut self, side: Side, dollars: i64, qty: i64) {
        self.record(EventKind::LevelSet, side, dollars, qty);
    }

    fn record(&mut self, kind: EventKind, side: Side, dollars: i64, qty: i64) {
        let mut ev = MarketEvent::new(kind, InstrumentId(0));
        ev.ts_receive = self.now;
        ev.px = Px(dollars * 1_000_000_000);
        ev.qty = Qty(qty);
        ev.side = side;
        ev.flags = RowFlags::ROW_END.with(RowFlags::BOOK_END);
        self.input(&Input::Market(&ev));
    }

    pub fn level(&mut self, side: Side, dollars: i64) {
        self.market(EventKind::LevelSet, side, dollars);
    }

    pub fn parent(&mut self, side: Side, urgency: Urgency) {
        let command = ParentCommand {
            ts: self.now,
            qty: Qty(100),
            horizon_ns: 60_000_000_000,
            source_line: 2,
            instrument: InstrumentId(0),
            side,
            urgency,
            participation_e4: 0,
            schedule: Default::default(),
            reserved: [0; 5],
        };
        self.input(&Input::Parent(&command));
    }
}
