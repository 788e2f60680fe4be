//! The engine against a model venue that acknowledges, fills, cancels and rejects in any
//! interleaving, whose reports come in any order and more than once.

use ijk_core::config::ExecutionConfig;
use ijk_core::record::{Level, ParentStatus, ScheduleKind, Urgency};
use ijk_core::*;
use ijk_execution::*;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

const SECOND: u64 = 1_000_000_000;
const ONE: InstrumentId = InstrumentId(0);

/// One order at the venue.
#[derive(Clone, Debug)]
struct Resting {
    order: NewOrder,
    leaves: i64,
}

/// What is on its way to the venue.
#[derive(Clone, Debug)]
enum Message {
    New(NewOrder),
    Cancel(ClientOrderId),
}

/// How often what was visited.
#[derive(Debug, Default)]
struct Tally {
    fills: u64,
    late_fills: u64,
    repeats: u64,
    awaiting: u64,
    cancel_overtakes: u64,
    never_arrived: u64,
    rejects: u64,
    refused: u64,
    done: u64,
    abandoned: u64,
}

impl Tally {
    fn add(&mut self, t: &Tally) {
        self.fills += t.fills;
        self.late_fills += t.late_fills;
        self.repeats += t.repeats;
        self.awaiting += t.awaiting;
        self.cancel_overtakes += t.cancel_overtakes;
        self.never_arrived += t.never_arrived;
        self.rejects += t.rejects;
        self.refused += t.refused;
        self.done += t.done;
        self.abandoned += t.abandoned;
    }
}

struct World {
    tally: Tally,
    engine: ExecutionEngine,
    out: IntentBuf,
    view: MarketView,
    to_venue: Vec<Message>,
    to_engine: Vec<VenueReport>,
    resting: BTreeMap<u64, Resting>,
    orders: BTreeMap<u64, NewOrder>,
    filled: BTreeMap<u32, i64>,
    delivered: BTreeMap<u64, (u32, i64)>,
    parents: BTreeMap<u32, i64>,
    ending: BTreeSet<u32>,
    next_exec: u64,
    stopped: bool,
}

impl World {
    fn new(config: &ExecutionConfig) -> World {
        let instrument = Instrument::us_equity(Symbol::new("XYZ").unwrap());
        let level = |px: i64| Level { px: Px(px * 10_000_000), qty: Qty(500) };
        World {
            tally: Tally::default(),
            engine: ExecutionEngine::new(config, &[instrument]).unwrap(),
            out: IntentBuf::new(),
            view: MarketView {
                now: RecvTs(SECOND),
                bid: level(10_000),
                ask: level(10_002),
                two_sided: true,
                volume_qty: 0,
                aggressive_qty: [0; 2],
                session_close_ns: u64::MAX,
            },
            to_venue: Vec::new(),
            to_engine: Vec::new(),
            resting: BTreeMap::new(),
            orders: BTreeMap::new(),
            filled: BTreeMap::new(),
            delivered: BTreeMap::new(),
            parents: BTreeMap::new(),
            ending: BTreeSet::new(),
            next_exec: 1,
            stopped: false,
        }
    }

    fn start(&mut self, qty: i64, side: Side, urgency: Urgency, horizon_s: u64) {
        let spec = ParentSpec {
            instrument: ONE,
            side,
            qty: Qty(qty),
            horizon_ns: horizon_s * SECOND,
            urgency,
            schedule: ScheduleKind::NAMES[qty as usize % 7].1,
            participation_e4: [0, 5_000][horizon_s as usize % 2],
            decision_id: 0,
            source_line: 0,
        };
        let id = self.engine.start_parent(self.view.now, &spec, &self.view);
        assert_eq!(id.is_err(), self.stopped);
        if let Ok(id) = id {
            self.parents.insert(id.0, qty);
        }
    }

    /// One call of `on_market`, with a gate that refuses every `refuse`-th order.
    fn market(&mut self, refuse: u64) {
        self.out.clear();
        self.engine.on_market(ONE, &self.view, &mut self.out);
        self.take_intents(refuse);
    }

    fn take_intents(&mut self, refuse: u64) {
        let intents: Vec<Intent> = self.out.iter().collect();
        for intent in intents {
            match intent {
                Intent::New(order) => {
                    assert!(!self.stopped, "sent after stop_all");
                    assert!(order.qty.0 > 0 && order.px.0 > 0);
                    assert!(self.orders.insert(order.client_order_id.0, order).is_none());
                    if refuse > 0 && order.client_order_id.0.is_multiple_of(refuse) {
                        self.engine.on_refused(&order);
                        self.tally.refused += 1;
                    } else {
                        self.engine.on_sent(&order);
                        self.to_venue.push(Message::New(order));
                    }
                }
                Intent::Cancel(c) => self.to_venue.push(Message::Cancel(c.client_order_id)),
            }
        }
    }

    fn report(&mut self, order: &NewOrder, kind: ReportKind, qty: i64, leaves: i64) {
        let is_fill = kind == ReportKind::Fill;
        self.to_engine.push(VenueReport {
            ts_exchange: ExchTs(self.view.now.0),
            client_order_id: order.client_order_id,
            venue_order_id: VenueOrderId(order.client_order_id.0),
            exec_id: ExecId(if is_fill { self.next_exec } else { 0 }),
            px: if is_fill { order.px } else { Px(0) },
            qty: Qty(qty),
            leaves: Qty(leaves),
            fee_e9: 0,
            instrument: ONE,
            reason: 0,
            kind,
            side: order.side,
            maker: 0,
            reserved: 0,
        });
        self.next_exec += u64::from(is_fill);
    }

    /// The venue takes the message at `at` (not always the oldest: a cancel may overtake).
    fn arrive(&mut self, at: usize, choice: u8) {
        if self.to_venue.is_empty() {
            return;
        }
        let at = at % self.to_venue.len().min(2);
        match self.to_venue.remove(at) {
            Message::New(order) if choice.is_multiple_of(9) => {
                self.report(&order, ReportKind::Reject, 0, 0);
            }
            Message::New(order) => {
                let leaves = order.qty.0;
                self.report(&order, ReportKind::Ack, 0, leaves);
                let id = order.client_order_id.0;
                self.resting.insert(id, Resting { order, leaves });
                if order.tif == TimeInForce::Ioc {
                    self.fill(id, i64::from(choice) * leaves / 200);
                    self.end(id, ReportKind::Expired);
                }
            }
            Message::Cancel(id) if self.resting.contains_key(&id.0) => {
                if choice.is_multiple_of(7) {
                    let r = self.resting[&id.0].clone();
                    self.report(&r.order, ReportKind::CancelReject, 0, r.leaves);
                } else {
                    self.end(id.0, ReportKind::Canceled);
                }
            }
            Message::Cancel(id) => {
                let order = self.orders[&id.0];
                self.report(&order, ReportKind::CancelReject, 0, 0);
            }
        }
    }

    /// The link breaks and comes back: what was on its way there never arrives, and the venue is
    /// asked what became of it; what was on its way here is told once more.
    fn reconnect(&mut self) {
        let again = self.to_engine.clone();
        self.to_engine.extend(again);
        for message in std::mem::take(&mut self.to_venue) {
            match message {
                Message::New(order) => {
                    self.tally.never_arrived += 1;
                    self.report(&order, ReportKind::Absent, 0, 0);
                }
                Message::Cancel(id) => {
                    let leaves = self.resting.get(&id.0).map_or(0, |r| r.leaves);
                    let order = self.orders[&id.0];
                    self.report(&order, ReportKind::CancelReject, 0, leaves);
                }
            }
        }
    }

    fn fill(&mut self, id: u64, qty: i64) {
        let Some(r) = self.resting.get_mut(&id) else { return };
        let qty = qty.min(r.leaves);
        if qty <= 0 {
            return;
        }
        r.leaves -= qty;
        let r = r.clone();
        *self.filled.entry(r.order.parent_id.0).or_default() += qty;
        self.report(&r.order, ReportKind::Fill, qty, r.leaves);
        if r.leaves == 0 {
            self.resting.remove(&id);
        }
    }

    fn end(&mut self, id: u64, kind: ReportKind) {
        if let Some(r) = self.resting.remove(&id) {
            self.report(&r.order, kind, r.leaves, 0);
        }
    }

    /// The engine gets the report at `at`; a copy stays under way where `again`.
    fn deliver(&mut self, at: usize, again: bool) {
        if self.to_engine.is_empty() {
            return;
        }
        let at = at % self.to_engine.len();
        let report = if again { self.to_engine[at] } else { self.to_engine.remove(at) };
        let before = self.engine.order_state(report.client_order_id);
        let effect = self.engine.on_report(&report, &self.view).expect("the venue is consistent");
        let t = &mut self.tally;
        t.repeats += u64::from(effect.is_repeat);
        t.awaiting += u64::from(effect.state == OrderState::AwaitingFills);
        t.rejects += u64::from(effect.state == OrderState::Rejected);
        let was_canceling = before == Some(OrderState::PendingCancel);
        t.cancel_overtakes += u64::from(was_canceling && effect.state == OrderState::PendingNew);
        if report.kind == ReportKind::Fill {
            t.fills += u64::from(!effect.is_repeat);
            let is_late = before == Some(OrderState::AwaitingFills);
            t.late_fills += u64::from(!effect.is_repeat && is_late);
            let order = self.orders[&report.client_order_id.0];
            let entry = (order.parent_id.0, report.qty.0);
            let is_new = self.delivered.insert(report.exec_id.0, entry).is_none();
            assert_eq!(effect.filled.0, if is_new { report.qty.0 } else { 0 });
            assert_eq!(effect.is_repeat, !is_new);
        }
    }

    fn check(&mut self) {
        let mut signed = 0;
        for (&id, &qty) in &self.parents {
            let r = *self.engine.parent(ParentId(id)).expect("kept");
            let told: i64 = self.delivered.values().filter(|d| d.0 == id).map(|d| d.1).sum();
            assert_eq!(r.filled.0, told, "every delivered fill once");
            assert_eq!(r.qty.0, r.filled.0 + r.working.0 + r.unsent.0 + r.abandoned.0);
            let truth = self.filled.get(&id).copied().unwrap_or(0);
            let live = self.resting.values().filter(|r| r.order.parent_id.0 == id);
            let exposed: i64 = live.map(|r| r.leaves).sum();
            let under_way = self.to_venue.iter().map(|m| match m {
                Message::New(o) if o.parent_id.0 == id => o.qty.0,
                _ => 0,
            });
            let exposed = exposed + under_way.sum::<i64>();
            assert!(truth + exposed <= qty, "could overfill: {truth} + {exposed} of {qty}");
            assert!(exposed <= r.working.0, "at the venue but not in the account");
            signed += r.side.sign() * r.working.0;
            if !self.ending.contains(&id) && self.view.now < r.ts_end {
                let cancels = self.orders.values().filter(|o| {
                    o.parent_id.0 == id
                        && self.engine.order_state(o.client_order_id)
                            == Some(OrderState::PendingCancel)
                });
                assert!(cancels.count() <= 1, "more than one cancel under way");
            }
        }
        assert_eq!(self.engine.signed_working(ONE).0, signed);
    }

    fn step(&mut self, op: u8, a: u8, b: u8) {
        match op % 12 {
            0..=2 => {
                self.view.now = self.view.now.plus_ns(u64::from(a) * 20_000_000);
                let drift = (i64::from(b % 5) - 2) * 10_000_000;
                self.view.bid.px.0 += drift;
                self.view.ask.px.0 += drift;
                self.view.volume_qty += i64::from(a) * 10;
                self.view.aggressive_qty[usize::from(b % 2)] += i64::from(a) * 10;
                self.view.bid.qty = Qty(1 + 50 * i64::from(b % 16));
                self.view.ask.qty = Qty(1 + 50 * i64::from(b / 16));
                self.market(u64::from(b % 4) * 3);
            }
            3..=5 => self.arrive(usize::from(a), b),
            6..=8 => {
                self.deliver(usize::from(a) / 64, b.is_multiple_of(4));
                self.market(0);
            }
            9 => {
                let ids: Vec<u64> = self.resting.keys().copied().collect();
                if let Some(id) = ids.get(usize::from(a) % ids.len().max(1)) {
                    if b.is_multiple_of(16) {
                        self.end(*id, ReportKind::Canceled);
                    } else {
                        self.fill(*id, 1 + i64::from(b) / 3);
                    }
                }
            }
            10 if a == 3 => self.reconnect(),
            10 if a.is_multiple_of(8) => {
                let urgency = [Urgency::Passive, Urgency::Normal, Urgency::Urgent];
                let side = if b.is_multiple_of(2) { Side::Bid } else { Side::Ask };
                let urgency = urgency[usize::from(b) % 3];
                self.start(1 + 3 * i64::from(b), side, urgency, 1 + u64::from(a) / 8);
            }
            11 if a < 6 => {
                self.out.clear();
                if a == 0 {
                    self.stopped = true;
                    self.engine.stop_all(&mut self.out);
                    self.ending.extend(self.parents.keys());
                } else if let Some(&id) = self.parents.keys().nth(usize::from(a)) {
                    self.engine.stop_parent(ParentId(id), &mut self.out);
                    self.ending.insert(id);
                }
                assert!(self.out.iter().all(|i| matches!(i, Intent::Cancel(_))));
                self.take_intents(0);
            }
            _ => self.deliver(usize::from(a), false),
        }
        self.check();
    }

    /// The venue answers everything until long after every horizon.
    fn finish(&mut self) {
        for _ in 0..200 {
            while !self.to_venue.is_empty() {
                self.arrive(0, 250);
            }
            while !self.to_engine.is_empty() {
                self.deliver(0, false);
            }
            self.view.now = self.view.now.plus_ns(SECOND / 2);
            self.view.volume_qty += 5_000;
            self.market(0);
            self.check();
        }
        assert!(self.to_venue.is_empty() && self.to_engine.is_empty() && self.resting.is_empty());
        assert_eq!(self.engine.open_order_count(), 0);
        assert_eq!(self.engine.next_deadline(), None);
        assert_eq!(self.engine.active_parent(ONE), None);
        let mut last = BTreeMap::new();
        self.engine.drain_changes(|r| assert!(last.insert(r.parent_id.0, *r).is_none()));
        for (&id, &qty) in &self.parents {
            let r = last[&id];
            let truth = self.filled.get(&id).copied().unwrap_or(0);
            assert_eq!((r.filled.0, r.abandoned.0), (truth, qty - truth));
            let status = if truth == qty { ParentStatus::Done } else { ParentStatus::Abandoned };
            assert_eq!(r.status, status);
            self.tally.done += u64::from(status == ParentStatus::Done);
            self.tally.abandoned += u64::from(status == ParentStatus::Abandoned);
            let reason = self.engine.abandon_reason(ParentId(id));
            assert_eq!(reason.is_some(), status == ParentStatus::Abandoned);
        }
        self.engine.drain_changes(|_| panic!("nothing changed since"));
    }
}

fn config(patience_ms: u64) -> ExecutionConfig {
    ExecutionConfig {
        slice_interval_ms: 500,
        child_patience_ms: patience_ms,
        child_qty_min: 5,
        adaptive: patience_ms.is_multiple_of(2),
        reprices_per_minute_max: 600,
        replan_min_interval_ms: 100,
        replan_ratio: 1.1,
        ..ExecutionConfig::default()
    }
}

type Ops = (Vec<(u8, u8, u8)>, u64, (i64, bool, usize, u64));

fn ops() -> impl Strategy<Value = Ops> {
    (
        prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>()), 1..250),
        50u64..2_000,
        (1i64..2_000, any::<bool>(), 0usize..3, 1u64..20),
    )
}

#[test]
fn accounts_hold_under_any_interleaving() {
    let config_ = ProptestConfig { cases: 10_000, failure_persistence: None, ..Default::default() };
    let tally = RefCell::new(Tally::default());
    let result = TestRunner::new(config_).run(&ops(), |(ops, patience_ms, first)| {
        let mut world = World::new(&config(patience_ms));
        let (qty, buys, urgency, horizon_s) = first;
        let urgency = [Urgency::Passive, Urgency::Normal, Urgency::Urgent][urgency];
        world.start(qty, if buys { Side::Bid } else { Side::Ask }, urgency, horizon_s);
        world.market(0);
        for (op, a, b) in ops {
            world.step(op, a, b);
        }
        world.finish();
        tally.borrow_mut().add(&world.tally);
        Ok(())
    });
    result.unwrap();
    // The corners were really visited.
    let t = tally.into_inner();
    assert!(t.fills > 3_000 && t.late_fills > 100 && t.repeats > 1_000, "{t:?}");
    assert!(t.never_arrived > 30, "{t:?}");
    assert!(t.awaiting > 100 && t.cancel_overtakes > 100 && t.rejects > 100, "{t:?}");
    assert!(t.done > 300 && t.abandoned > 300 && t.refused > 100, "{t:?}");
}
