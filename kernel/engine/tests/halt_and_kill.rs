//! What the decision core does when trading must stop: one instrument, a two-level book, an
//! urgent parent from outside, no threads.

use ijk_core::config::Config;
use ijk_core::record::{
    ControlCommand, ControlKind, DecisionRecord, ParentCommand, ParentRecord, ParentStatus,
    RefusalRecord, Urgency,
};
use ijk_core::{
    AlarmRecord, CancelOrder, CarryItem, CarryKind, DepthKind, EventKind, FateRecord, Instrument,
    InstrumentId, MarketEvent, NewOrder, Px, Qty, RecvTs, RowFlags, Side, SnapshotRequest, Symbol,
};
use ijk_engine::{Input, Kernel, KernelParts, NoProbe, Outputs};
use ijk_risk::Approved;

#[derive(Default)]
struct Seen {
    orders: Vec<NewOrder>,
    cancels: usize,
    refused_parents: usize,
}

impl Outputs for Seen {
    fn decision(&mut self, _: RecvTs, _: &DecisionRecord) {}
    fn order(&mut self, _: RecvTs, order: Approved<NewOrder>) {
        self.orders.push(order.into_inner());
    }
    fn cancel(&mut self, _: RecvTs, _: CancelOrder) {
        self.cancels += 1;
    }
    fn refusal(&mut self, _: RecvTs, _: &RefusalRecord) {}
    fn parent(&mut self, _: RecvTs, record: &ParentRecord) {
        self.refused_parents += usize::from(record.status == ParentStatus::Refused);
    }
    fn request(&mut self, _: RecvTs, _: &SnapshotRequest) {}
    fn fate(&mut self, _: RecvTs, _: &FateRecord) {}
    fn alarm(&mut self, _: RecvTs, _: &AlarmRecord) {}
}

struct Rig {
    kernel: Kernel,
    seen: Seen,
    now: RecvTs,
}

impl Rig {
    fn new() -> Rig {
        let kernel = Kernel::new(KernelParts {
            config: &Config::default(),
            instruments: &[Instrument::us_equity(Symbol::new("T").unwrap())],
            depths: &[DepthKind::L2],
            encoder: None,
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

    fn input(&mut self, input: &Input<'_>) {
        self.now = self.now.plus_ns(1_000_000);
        self.kernel.on_input(self.now, input, &mut self.seen, &mut NoProbe);
    }

    fn market(&mut self, kind: EventKind, side: Side, dollars: i64) {
        let mut ev = MarketEvent::new(kind, InstrumentId(0));
        ev.ts_receive = self.now;
        ev.px = Px(dollars * 1_000_000_000);
        ev.qty = Qty(if dollars > 0 { 500 } else { 0 });
        ev.side = side;
        ev.flags = RowFlags::ROW_END.with(RowFlags::BOOK_END);
        self.input(&Input::Market(&ev));
    }

    fn level(&mut self, side: Side, dollars: i64) {
        self.market(EventKind::LevelSet, side, dollars);
    }

    fn parent(&mut self) {
        let command = ParentCommand {
            ts: self.now,
            qty: Qty(100),
            horizon_ns: 60_000_000_000,
            source_line: 2,
            instrument: InstrumentId(0),
            side: Side::Bid,
            urgency: Urgency::Urgent,
        };
        self.input(&Input::Parent(&command));
    }
}

#[test]
fn an_urgent_parent_leaves_at_once() {
    let mut rig = Rig::new();
    rig.parent();
    assert_eq!(rig.seen.orders.len(), 1, "the rig trades when nothing stops it");
    assert_eq!(rig.seen.orders[0].px, Px(101_000_000_000));
}

#[test]
fn a_halt_stops_orders_until_trading_resumes() {
    let mut rig = Rig::new();
    rig.market(EventKind::Halt, Side::Bid, 0);
    assert!(!rig.kernel.is_tradable(InstrumentId(0)));
    rig.parent();
    rig.level(Side::Bid, 100);
    assert!(rig.seen.orders.is_empty(), "nothing is priced on a halted book");
    assert_eq!(rig.seen.refused_parents, 1, "and the parent is told so");
    rig.market(EventKind::Resume, Side::Bid, 0);
    rig.parent();
    assert_eq!(rig.seen.orders.len(), 1);
}

#[test]
fn after_a_kill_what_works_is_cancelled_and_nothing_leaves() {
    let mut rig = Rig::new();
    rig.parent();
    let kill = ControlCommand::plain(ControlKind::Kill);
    rig.input(&Input::Control(&kill));
    assert_eq!(rig.seen.cancels, 1);
    rig.parent();
    rig.level(Side::Bid, 100);
    rig.input(&Input::Timer);
    assert_eq!(rig.seen.orders.len(), 1, "only the one from before");
    assert_eq!(rig.seen.refused_parents, 1);
}
